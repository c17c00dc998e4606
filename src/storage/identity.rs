//! The identity key file.

use std::path::Path;

use rand_core::{CryptoRng, RngCore};

use super::error::KeyFileError;
use super::key_file;
use crate::crypto::Identity;

/// The name of the identity file in the home directory.
pub const IDENTITY_FILE: &str = "identity.key";
/// The name of a relay's key file in its home directory: an identity that signs its records and answers its handshakes.
pub const RELAY_KEY_FILE: &str = "relay.key";

/// The identity kept in a home directory; makes both when they are missing.
///
/// When several processes start at once on an empty home, one of them makes the identity and all return it.
pub fn load_or_create<R: RngCore + CryptoRng + ?Sized>(
    home: &Path,
    rng: &mut R,
) -> Result<Identity, KeyFileError> {
    named(home, IDENTITY_FILE, rng)
}

/// The same for a relay, whose key file has another name: it is nobody's identity on the mesh.
pub fn load_or_create_relay<R: RngCore + CryptoRng + ?Sized>(
    home: &Path,
    rng: &mut R,
) -> Result<Identity, KeyFileError> {
    named(home, RELAY_KEY_FILE, rng)
}

fn named<R: RngCore + CryptoRng + ?Sized>(
    home: &Path,
    name: &str,
    rng: &mut R,
) -> Result<Identity, KeyFileError> {
    let secret = key_file::load_or_create(home, name, rng, |rng| Identity::generate(rng).to_bytes())?;
    Ok(Identity::from_bytes(&secret))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;
    use std::sync::Barrier;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use tempfile::TempDir;

    use super::*;

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
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
        assert!(matches!(error, KeyFileError::TooOpen { mode: 0o640, .. }));
        assert!(error.to_string().ends_with(&format!("(mode 0640); run: chmod 600 {}", path.display())));

        chmod(&path, 0o600);
        assert!(load_or_create(home.path(), &mut rng(2)).is_ok());
    }

    #[test]
    fn a_home_that_others_may_write_to_is_refused() {
        let (home, _) = made();
        chmod(home.path(), 0o770);
        let error = load_or_create(home.path(), &mut rng(2)).unwrap_err();
        assert!(matches!(error, KeyFileError::HomeTooOpen { mode: 0o770, .. }));
    }

    #[test]
    fn a_file_of_the_wrong_length_is_refused_and_left_alone() {
        for length in [0, 63, 65] {
            let (home, path) = made();
            fs::write(&path, vec![7; length]).unwrap();
            let error = load_or_create(home.path(), &mut rng(2)).unwrap_err();
            assert!(matches!(error, KeyFileError::Length { actual, .. } if actual == length as u64));
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
        assert!(matches!(error, KeyFileError::NotARegularFile { .. }));

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = load_or_create(home.path(), &mut rng(2)).unwrap_err();
        assert!(matches!(error, KeyFileError::NotARegularFile { .. }));
    }

    #[test]
    fn a_dangling_link_is_refused_and_not_written_through() {
        let home = TempDir::new().unwrap();
        let target = home.path().join("target");
        symlink(&target, home.path().join(IDENTITY_FILE)).unwrap();
        let error = load_or_create(home.path(), &mut rng(1)).unwrap_err();
        assert!(matches!(error, KeyFileError::NotARegularFile { .. }));
        assert!(!target.exists());
    }

    #[test]
    fn a_home_that_is_a_file_is_refused() {
        let parent = TempDir::new().unwrap();
        let home = parent.path().join("home");
        fs::write(&home, "").unwrap();
        let error = load_or_create(&home, &mut rng(1)).unwrap_err();
        assert!(matches!(error, KeyFileError::HomeNotADirectory { .. }), "{error:?}");
    }
}
