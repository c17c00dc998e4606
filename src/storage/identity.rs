//! The identity key file: made once, for its owner's eyes only.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::error::IdentityFileError;
use crate::crypto::Identity;
use crate::ids::to_hex;

/// The name of the identity file in the home directory.
pub const IDENTITY_FILE: &str = "identity.key";

/// The identity kept in a home directory; makes both when they are missing.
///
/// When several processes start at once on an empty home, one of them makes the identity and all return it.
pub fn load_or_create<R: RngCore + CryptoRng + ?Sized>(
    home: &Path,
    rng: &mut R,
) -> Result<Identity, IdentityFileError> {
    prepare_home(home)?;
    let path = home.join(IDENTITY_FILE);
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(home, &path, rng)?,
        Err(error) => return Err(failed("look at", &path)(error)),
        Ok(_) => {}
    }
    load(&path)
}

fn prepare_home(home: &Path) -> Result<(), IdentityFileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return IdentityFileError::HomeNotADirectory { path: home.to_owned() };
        }
        failed("create", home)(error)
    })?;
    let mode = permissions(&fs::metadata(home).map_err(failed("look at", home))?);
    if mode & 0o022 != 0 {
        return Err(IdentityFileError::HomeTooOpen { path: home.to_owned(), mode });
    }
    Ok(())
}

fn load(path: &Path) -> Result<Identity, IdentityFileError> {
    let named = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    if !named.is_file() {
        return Err(IdentityFileError::NotARegularFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed("open", path))?;
    let opened = file.metadata().map_err(failed("look at", path))?;
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        // Somebody put a link in its place between the look and the opening.
        return Err(IdentityFileError::NotARegularFile { path: path.to_owned() });
    }
    let mode = permissions(&opened);
    if mode & 0o077 != 0 {
        return Err(IdentityFileError::TooOpen { path: path.to_owned(), mode });
    }
    read_keys(file, path, opened.len())
}

fn read_keys(mut file: File, path: &Path, length: u64) -> Result<Identity, IdentityFileError> {
    let mut bytes = Zeroizing::new([0; Identity::LEN]);
    if length != Identity::LEN as u64 {
        return Err(IdentityFileError::Length { path: path.to_owned(), actual: length });
    }
    file.read_exact(bytes.as_mut_slice()).map_err(failed("read", path))?;
    Ok(Identity::from_bytes(&bytes))
}

/// Writes a new identity under a name of its own and gives it the true name, unless another process was first.
fn create<R: RngCore + CryptoRng + ?Sized>(
    home: &Path,
    path: &Path,
    rng: &mut R,
) -> Result<(), IdentityFileError> {
    let identity = Identity::generate(rng);
    let mut suffix = [0; 8];
    rng.fill_bytes(&mut suffix);
    let draft = home.join(format!("{IDENTITY_FILE}.{}", to_hex(&suffix)));

    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(failed("create", &draft))?;

    let published =
        write_keys(file, &identity).map_err(failed("write", &draft)).and_then(|()| publish(&draft, path));
    // The draft goes whatever happened; that it could not is only worth telling when nothing worse did.
    let removed = fs::remove_file(&draft).map_err(failed("remove", &draft));
    published.and(removed)?;
    File::open(home).and_then(|directory| directory.sync_all()).map_err(failed("sync", home))
}

fn write_keys(mut file: File, identity: &Identity) -> io::Result<()> {
    file.write_all(identity.to_bytes().as_slice())?;
    file.sync_all()
}

/// A hard link, unlike a rename, never replaces what is there: the first identity stays.
fn publish(draft: &Path, path: &Path) -> Result<(), IdentityFileError> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(failed("create", path)),
    }
}

fn permissions(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityFileError {
    let path = PathBuf::from(path);
    move |source| IdentityFileError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;
    use std::sync::Barrier;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use tempfile::TempDir;

    use super::*;

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    fn mode(path: &Path) -> u32 {
        permissions(&fs::metadata(path).unwrap())
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn names(home: &Path) -> Vec<String> {
        fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// A home with an identity in it, and the path of its file.
    fn made() -> (TempDir, PathBuf) {
        let home = TempDir::new().unwrap();
        load_or_create(home.path(), &mut rng(1)).unwrap();
        let path = home.path().join(IDENTITY_FILE);
        (home, path)
    }

    #[test]
    fn the_first_start_makes_an_identity_and_later_ones_find_it() {
        let parent = TempDir::new().unwrap();
        let home = parent.path().join("some").join("where");
        let first = load_or_create(&home, &mut rng(1)).unwrap();
        let second = load_or_create(&home, &mut rng(2)).unwrap();

        assert_eq!(first.to_bytes(), second.to_bytes());
        assert_eq!(mode(&home), 0o700);
        assert_eq!(mode(&home.join(IDENTITY_FILE)), 0o600);
        assert_eq!(names(&home), [IDENTITY_FILE], "nothing is left of the making");
    }

    #[test]
    fn processes_that_start_together_end_with_one_identity() {
        let home = TempDir::new().unwrap();
        let barrier = Barrier::new(8);
        let identities: Vec<_> = std::thread::scope(|scope| {
            let start = |seed| {
                let (home, barrier) = (home.path(), &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    load_or_create(home, &mut rng(seed)).unwrap().peer_id()
                })
            };
            let threads: Vec<_> = (0..8).map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(identities.iter().all(|id| *id == identities[0]), "{identities:?}");
        assert_eq!(names(home.path()), [IDENTITY_FILE]);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_command_that_mends_it() {
        let (home, path) = made();
        chmod(&path, 0o640);
        let error = load_or_create(home.path(), &mut rng(2)).unwrap_err();
        assert!(matches!(error, IdentityFileError::TooOpen { mode: 0o640, .. }));
        assert!(error.to_string().ends_with(&format!("(mode 0640); run: chmod 600 {}", path.display())));

        chmod(&path, 0o600);
        assert!(load_or_create(home.path(), &mut rng(2)).is_ok());
    }

    #[test]
    fn a_home_that_others_may_write_to_is_refused() {
        let (home, _) = made();
        chmod(home.path(), 0o770);
        let error = load_or_create(home.path(), &mut rng(2)).unwrap_err();
        assert!(matches!(error, IdentityFileError::HomeTooOpen { mode: 0o770, .. }));
    }

    #[test]
    fn a_file_of_the_wrong_length_is_refused_and_left_alone() {
        for length in [0, 63, 65] {
            let (home, path) = made();
            fs::write(&path, vec![7; length]).unwrap();
            let error = load_or_create(home.path(), &mut rng(2)).unwrap_err();
            assert!(matches!(error, IdentityFileError::Length { actual, .. } if actual == length as u64));
            assert_eq!(fs::read(&path).unwrap(), vec![7; length]);
        }
    }

    #[test]
    fn a_link_or_a_directory_under_the_name_is_refused() {
        let (home, path) = made();
        let elsewhere = home.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        let error = load_or_create(home.path(), &mut rng(2)).unwrap_err();
        assert!(matches!(error, IdentityFileError::NotARegularFile { .. }));

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = load_or_create(home.path(), &mut rng(2)).unwrap_err();
        assert!(matches!(error, IdentityFileError::NotARegularFile { .. }));
    }

    #[test]
    fn a_dangling_link_is_refused_and_not_written_through() {
        let home = TempDir::new().unwrap();
        let target = home.path().join("target");
        symlink(&target, home.path().join(IDENTITY_FILE)).unwrap();
        let error = load_or_create(home.path(), &mut rng(1)).unwrap_err();
        assert!(matches!(error, IdentityFileError::NotARegularFile { .. }));
        assert!(!target.exists());
    }

    #[test]
    fn a_home_that_is_a_file_is_refused() {
        let parent = TempDir::new().unwrap();
        let home = parent.path().join("home");
        fs::write(&home, "").unwrap();
        let error = load_or_create(&home, &mut rng(1)).unwrap_err();
        assert!(matches!(error, IdentityFileError::HomeNotADirectory { .. }), "{error:?}");
    }
}
