//! A file that holds one secret: made once, for its owner's eyes only, never replaced.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::error::KeyFileError;
use crate::ids::to_hex;

/// The secret of so many bytes kept under `name` in a home directory; makes both when they are missing.
///
/// When several processes start at once on an empty home, one of them makes the secret and all return it.
pub(super) fn load_or_create<R: RngCore + CryptoRng + ?Sized, const LEN: usize>(
    home: &Path,
    name: &str,
    rng: &mut R,
    make: impl FnOnce(&mut R) -> Zeroizing<[u8; LEN]>,
) -> Result<Zeroizing<[u8; LEN]>, KeyFileError> {
    prepare_home(home)?;
    let path = home.join(name);
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = make(rng);
            let mut suffix = [0; 8];
            rng.fill_bytes(&mut suffix);
            create(home, &path, &home.join(format!("{name}.{}", to_hex(&suffix))), secret.as_slice())?;
        }
        Err(error) => return Err(failed("look at", &path)(error)),
        Ok(_) => {}
    }
    load(&path)
}

fn prepare_home(home: &Path) -> Result<(), KeyFileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return KeyFileError::HomeNotADirectory { path: home.to_owned() };
        }
        failed("create", home)(error)
    })?;
    let mode = permissions(&fs::metadata(home).map_err(failed("look at", home))?);
    if mode & 0o022 != 0 {
        return Err(KeyFileError::HomeTooOpen { path: home.to_owned(), mode });
    }
    Ok(())
}

fn load<const LEN: usize>(path: &Path) -> Result<Zeroizing<[u8; LEN]>, KeyFileError> {
    let named = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    if !named.is_file() {
        return Err(KeyFileError::NotARegularFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed("open", path))?;
    let opened = file.metadata().map_err(failed("look at", path))?;
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        // Somebody put a link in its place between the look and the opening.
        return Err(KeyFileError::NotARegularFile { path: path.to_owned() });
    }
    let mode = permissions(&opened);
    if mode & 0o077 != 0 {
        return Err(KeyFileError::TooOpen { path: path.to_owned(), mode });
    }
    read_secret(file, path, opened.len())
}

fn read_secret<const LEN: usize>(
    mut file: File,
    path: &Path,
    actual: u64,
) -> Result<Zeroizing<[u8; LEN]>, KeyFileError> {
    if actual != LEN as u64 {
        return Err(KeyFileError::Length { path: path.to_owned(), actual, expected: LEN });
    }
    let mut secret = Zeroizing::new([0; LEN]);
    file.read_exact(secret.as_mut_slice()).map_err(failed("read", path))?;
    Ok(secret)
}

/// Writes a secret under a name of its own and gives it the true name, unless another process was first.
fn create(home: &Path, path: &Path, draft: &Path, secret: &[u8]) -> Result<(), KeyFileError> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)
        .map_err(failed("create", draft))?;

    let published =
        write_secret(file, secret).map_err(failed("write", draft)).and_then(|()| publish(draft, path));
    // The draft goes whatever happened; that it could not is only worth telling when nothing worse did.
    let removed = fs::remove_file(draft).map_err(failed("remove", draft));
    published.and(removed)?;
    File::open(home).and_then(|directory| directory.sync_all()).map_err(failed("sync", home))
}

fn write_secret(mut file: File, secret: &[u8]) -> io::Result<()> {
    file.write_all(secret)?;
    file.sync_all()
}

/// A hard link, unlike a rename, never replaces what is there: the first secret stays.
fn publish(draft: &Path, path: &Path) -> Result<(), KeyFileError> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(failed("create", path)),
    }
}

fn permissions(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = PathBuf::from(path);
    move |source| KeyFileError::Io { action, path, source }
}
