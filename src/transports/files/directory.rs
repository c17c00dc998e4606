//! Where received files go: whole ones under their names, partial ones out of sight.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::error::DiskError;
use crate::ids::{PeerId, TransferId};
use crate::wire::file::FileName;

/// The folder of the partial files.
const PARTIAL_FOLDER: &str = ".partial";
/// How many files may want the same name.
const MAX_NUMBER: u32 = 10_000;
/// Room that a received file leaves on its disk.
const SPARE: u64 = 64 << 20;

/// Where received files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// A directory, made if it is missing. Waits for the disk.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let partial = path.join(PARTIAL_FOLDER);
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&partial).map_err(DiskError::at("create", &partial))?;
        // People are told where a file is, and work in other directories.
        let path = path.canonicalize().map_err(DiskError::at("find", path))?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a transfer's bytes are until it is whole.
    pub fn partial(&self, sender: PeerId, id: TransferId) -> PathBuf {
        self.path.join(PARTIAL_FOLDER).join(format!("{sender}-{id}.part"))
    }

    /// Throws away what came of a transfer. Waits for the disk.
    pub fn forget(&self, sender: PeerId, id: TransferId) -> Result<(), DiskError> {
        remove(&self.partial(sender, id))
    }

    /// Throws away what came of every transfer but these. Waits for the disk.
    pub fn forget_all_but(&self, wanted: &[(PeerId, TransferId)]) -> Result<(), DiskError> {
        let folder = self.path.join(PARTIAL_FOLDER);
        let wanted: BTreeSet<PathBuf> =
            wanted.iter().map(|(sender, id)| self.partial(*sender, *id)).collect();
        for entry in fs::read_dir(&folder).map_err(DiskError::at("read", &folder))? {
            let path = entry.map_err(DiskError::at("read", &folder))?.path();
            if !wanted.contains(&path) && path.extension().is_some_and(|extension| extension == "part") {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Whether so many bytes more leave room for others. Waits for the disk.
    pub(crate) fn has_room_for(&self, bytes: u64) -> Result<bool, DiskError> {
        let statistics = rustix::fs::statvfs(&self.path)
            .map_err(|error| DiskError::at("look at", &self.path)(error.into()))?;
        let free = statistics.f_bavail.saturating_mul(statistics.f_frsize);
        Ok(bytes.saturating_add(SPARE) <= free)
    }

    /// Gives a whole file its name, or the next that is free, and leaves the partial one beside it: who dies here
    /// finds at the next try that it was placed. Waits for the disk.
    pub(crate) fn place(&self, partial: &Path, name: &FileName) -> Result<PathBuf, DiskError> {
        for number in 1..=MAX_NUMBER {
            let path = self.path.join(name.numbered(number));
            match fs::hard_link(partial, &path) {
                Ok(()) => return self.sync().map(|()| path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if same_file(partial, &path)? {
                        return self.sync().map(|()| path);
                    }
                }
                Err(error) if cannot_link(&error) => {
                    if claim(&path)? {
                        fs::rename(partial, &path).map_err(DiskError::at("rename to", &path))?;
                        return self.sync().map(|()| path);
                    }
                }
                Err(error) => return Err(DiskError::at("create", &path)(error)),
            }
        }
        let path = self.path.join(name.as_str());
        Err(DiskError::at("find a free name beside", &path)(io::ErrorKind::AlreadyExists.into()))
    }

    /// The names in it are on disk.
    fn sync(&self) -> Result<(), DiskError> {
        let failed = DiskError::at("write", &self.path);
        File::open(&self.path).and_then(|directory| directory.sync_all()).map_err(failed)
    }
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<(), DiskError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DiskError::at("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn same_file(one: &Path, other: &Path) -> Result<bool, DiskError> {
    let identity = |path: &Path| {
        let metadata = fs::symlink_metadata(path).map_err(DiskError::at("look at", path))?;
        Ok((metadata.dev(), metadata.ino()))
    };
    Ok(identity(one)? == identity(other)?)
}

/// FAT has one name for each file.
fn cannot_link(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied)
}

/// Makes an empty file of that name, if there is none.
fn claim(path: &Path) -> Result<bool, DiskError> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(DiskError::at("create", path)(error)),
    }
}
