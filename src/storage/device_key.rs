//! The device key: what the bodies on this disk are sealed with.

use std::fmt;
use std::fs;
use std::path::Path;

use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::database::DATABASE_FILE;
use super::error::KeyFileError;
use super::key_file;

/// The name of the device key's file in the home directory.
pub const DEVICE_KEY_FILE: &str = "device.key";

/// 32 random bytes that never leave this machine; wiped from memory when dropped.
pub struct DeviceKey(Zeroizing<[u8; Self::LEN]>);

impl DeviceKey {
    /// Its length in bytes.
    pub const LEN: usize = 32;

    /// The device key kept in a home directory; makes both when they are missing.
    ///
    /// Where there is a database already, a key made anew could not open it, so none is made.
    pub fn load_or_create<R: RngCore + CryptoRng + ?Sized>(
        home: &Path,
        rng: &mut R,
    ) -> Result<Self, KeyFileError> {
        let (path, database) = (home.join(DEVICE_KEY_FILE), home.join(DATABASE_FILE));
        // In this order: the key of a database is always older than the database.
        if fs::symlink_metadata(&database).is_ok() && fs::symlink_metadata(&path).is_err() {
            return Err(KeyFileError::Missing { path, database });
        }
        key_file::load_or_create(home, DEVICE_KEY_FILE, rng, random).map(Self)
    }

    /// A key for one run, kept nowhere.
    pub fn generate<R: RngCore + CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(random(rng))
    }

    pub(super) fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey")
    }
}

fn random<R: RngCore + CryptoRng + ?Sized>(rng: &mut R) -> Zeroizing<[u8; DeviceKey::LEN]> {
    let mut bytes = Zeroizing::new([0; DeviceKey::LEN]);
    rng.fill_bytes(bytes.as_mut_slice());
    bytes
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use tempfile::TempDir;

    use super::*;

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    #[test]
    fn the_first_start_makes_a_key_and_later_ones_find_it() {
        let home = TempDir::new().unwrap();
        let first = DeviceKey::load_or_create(home.path(), &mut rng(1)).unwrap();
        let second = DeviceKey::load_or_create(home.path(), &mut rng(2)).unwrap();
        assert_eq!(first.as_bytes(), second.as_bytes());
        let mode = fs::metadata(home.path().join(DEVICE_KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_command_that_mends_it() {
        let home = TempDir::new().unwrap();
        DeviceKey::load_or_create(home.path(), &mut rng(1)).unwrap();
        let path = home.path().join(DEVICE_KEY_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = DeviceKey::load_or_create(home.path(), &mut rng(1)).unwrap_err();
        assert!(matches!(error, KeyFileError::TooOpen { mode: 0o644, .. }));
        assert!(error.to_string().ends_with(&format!("run: chmod 600 {}", path.display())));
    }

    #[test]
    fn no_key_is_made_beside_a_database_that_it_could_not_open() {
        let home = TempDir::new().unwrap();
        fs::write(home.path().join(DATABASE_FILE), "sealed").unwrap();
        let error = DeviceKey::load_or_create(home.path(), &mut rng(1)).unwrap_err();
        assert!(matches!(error, KeyFileError::Missing { .. }), "{error:?}");
        assert!(!home.path().join(DEVICE_KEY_FILE).exists());
    }

    #[test]
    fn debug_shows_no_byte_of_it() {
        assert_eq!(format!("{:?}", DeviceKey::generate(&mut rng(1))), "DeviceKey");
    }
}
