//! Destroying a home: the identity's key first, then the device key, then everything else.
//!
//! Without its keys nothing in the home is worth anything: nobody can pose as this node, and the bodies in the
//! database cannot be read. So they go first, overwritten before they are unlinked, and a wipe that is interrupted
//! has done the most important part. A marker stands in the home until all is gone, by which the next run knows
//! what to finish.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::database::DATABASE_FILE;
use super::device_key::DEVICE_KEY_FILE;
use super::identity::IDENTITY_FILE;

/// Stands in a home that is being destroyed.
const MARKER: &str = "wipe.unfinished";

/// What was destroyed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wiped {
    /// The key files, in the order in which they went.
    pub keys: Vec<String>,
    /// How many other files and directories went.
    pub others: usize,
}

/// Why a home could not be destroyed.
#[derive(Debug, thiserror::Error)]
pub enum WipeError {
    /// Nothing of a node is there, so nothing is touched.
    #[error("{path} is no home of a node: there is no {IDENTITY_FILE} in it", path = .path.display())]
    NotAHome {
        /// Where.
        path: PathBuf,
    },
    /// A file did not go. Running the wipe again goes on from there.
    #[error("{path} could not be destroyed: {source}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Whether a directory is the home of a node, or what an interrupted wipe left of one. A home on which nothing but
/// a lock or a configuration was made has no node yet.
pub fn is_home(home: &Path) -> bool {
    [IDENTITY_FILE, DEVICE_KEY_FILE, DATABASE_FILE, MARKER]
        .iter()
        .any(|name| fs::symlink_metadata(home.join(name)).is_ok_and(|found| found.is_file()))
}

/// Destroys a home, with everything in it. Links are removed, not followed. Whoever calls it holds the home's lock.
pub fn wipe(home: &Path) -> Result<Wiped, WipeError> {
    if !is_home(home) {
        return Err(WipeError::NotAHome { path: home.to_owned() });
    }
    let marker = home.join(MARKER);
    File::create(&marker).and_then(|file| file.sync_all()).map_err(|source| failed(&marker, source))?;
    sync(home)?;
    let mut wiped = Wiped::default();
    for key in [IDENTITY_FILE, DEVICE_KEY_FILE] {
        for path in key_files(home, key)? {
            destroy(&path).map_err(|source| failed(&path, source))?;
            sync(home)?;
            wiped.keys.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    for entry in entries(home)? {
        if entry.path() != marker {
            wiped.others += remove(&entry)?;
        }
    }
    sync(home)?;
    fs::remove_file(&marker).map_err(|source| failed(&marker, source))?;
    fs::remove_dir(home).map_err(|source| failed(home, source))?;
    Ok(wiped)
}

/// A key's file, and the drafts that a killed process may have left beside it.
fn key_files(home: &Path, key: &str) -> Result<Vec<PathBuf>, WipeError> {
    let named = |entry: &DirEntry| {
        let name = entry.file_name();
        name.to_str()
            .and_then(|name| name.strip_prefix(key))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let mut files: Vec<PathBuf> = entries(home)?
        .into_iter()
        .filter(named)
        .map(|entry| entry.path())
        .filter(|path| is_file(path))
        .collect();
    // The key itself has the shortest name.
    files.sort();
    Ok(files)
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// Overwrites a file before it is unlinked: on a disk that writes in place the secret is gone then.
fn destroy(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).custom_flags(nofollow()).open(path)?;
    let mut left = file.metadata()?.len();
    while left > 0 {
        let block = [0; 4_096];
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(block.get(..len).unwrap_or(&block))?;
        left = left.saturating_sub(len as u64);
    }
    file.sync_all()?;
    fs::remove_file(path)
}

/// That no link is followed.
fn nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

/// Removes an entry with all that is under it; how many files and directories that were.
fn remove(entry: &DirEntry) -> Result<usize, WipeError> {
    let path = entry.path();
    let kind = entry.file_type().map_err(|source| failed(&path, source))?;
    if !kind.is_dir() {
        fs::remove_file(&path).map_err(|source| failed(&path, source))?;
        return Ok(1);
    }
    let mut count = 1;
    for below in entries(&path)? {
        count += remove(&below)?;
    }
    fs::remove_dir(&path).map_err(|source| failed(&path, source))?;
    Ok(count)
}

fn entries(directory: &Path) -> Result<Vec<DirEntry>, WipeError> {
    let listed = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    listed.map_err(|source| failed(directory, source))
}

fn sync(directory: &Path) -> Result<(), WipeError> {
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(|source| failed(directory, source))
}

fn failed(path: &Path, source: io::Error) -> WipeError {
    WipeError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn home() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        fs::create_dir_all(home.join("files/sub")).unwrap();
        for name in [
            "identity.key",
            "identity.key.0011",
            "device.key",
            "messages.db",
            "messages.db-wal",
            "files/sub/a",
        ] {
            fs::write(home.join(name), vec![7; 5_000]).unwrap();
        }
        (directory, home)
    }

    #[test]
    fn everything_goes_the_keys_first_and_nothing_outside() {
        let (directory, home) = home();
        let outside = directory.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        symlink(&outside, home.join("link")).unwrap();
        let wiped = wipe(&home).unwrap();
        assert_eq!(wiped.keys, ["identity.key", "identity.key.0011", "device.key"]);
        assert_eq!(wiped.others, 6);
        assert!(!home.exists());
        assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept");
    }

    #[test]
    fn an_interrupted_wipe_is_finished_by_the_next() {
        let (_directory, home) = home();
        // Killed behind the keys and the database: the marker stands, and a file is left.
        for name in ["identity.key", "identity.key.0011", "device.key", "messages.db", "messages.db-wal"] {
            fs::remove_file(home.join(name)).unwrap();
        }
        assert!(!is_home(&home));
        fs::write(home.join(MARKER), "").unwrap();
        assert_eq!(wipe(&home).unwrap(), Wiped { keys: Vec::new(), others: 3 });
        assert!(!home.exists());
    }

    #[test]
    fn what_is_no_home_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("letter"), "kept").unwrap();
        assert!(matches!(wipe(directory.path()), Err(WipeError::NotAHome { .. })));
        assert_eq!(fs::read_to_string(directory.path().join("letter")).unwrap(), "kept");
    }

    #[test]
    fn a_key_is_overwritten_before_it_is_unlinked() {
        let (directory, home) = home();
        // A second name shows what became of the bytes.
        let witness = directory.path().join("witness");
        fs::hard_link(home.join("identity.key"), &witness).unwrap();
        wipe(&home).unwrap();
        assert_eq!(fs::read(&witness).unwrap(), vec![0; 5_000]);
    }
}
