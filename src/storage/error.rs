//! Why the identity could not be had; each says what to do about it.

use std::io;
use std::path::PathBuf;

use crate::crypto::Identity;

/// Why the identity file was neither read nor made.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFileError {
    /// The home directory is there, but not as a directory.
    #[error("{path} is not a directory; choose another home, or move it away", path = .path.display())]
    HomeNotADirectory {
        /// The home directory.
        path: PathBuf,
    },
    /// Others may write to the home directory, and so put another key in place.
    #[error("others may write to {path} (mode {mode:04o}); run: chmod 700 {path}", path = .path.display())]
    HomeTooOpen {
        /// The home directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is something under the file's name that is not a regular file: a link, a directory, a device.
    #[error("{path} is not a regular file; move it away, or put the key file itself there", path = .path.display())]
    NotARegularFile {
        /// The identity file.
        path: PathBuf,
    },
    /// Others may read or write the secret keys.
    #[error("others have access to {path} (mode {mode:04o}); run: chmod 600 {path}", path = .path.display())]
    TooOpen {
        /// The identity file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold two keys.
    #[error(
        "{path} has {actual} bytes, expected {expected}; restore it from a backup, or move it away to begin \
         with a new identity",
        path = .path.display(),
        expected = Identity::LEN
    )]
    Length {
        /// The identity file.
        path: PathBuf,
        /// Bytes found.
        actual: u64,
    },
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
