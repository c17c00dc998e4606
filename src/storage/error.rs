//! Why something could not be kept, or was not found as it was left; each says what to do about it.

use std::io;
use std::path::PathBuf;

use super::limits::Full;
use super::seal::Unsealed;
use crate::wire::{EncodeError, PayloadError};

/// Why a key file was neither read nor made.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
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
        /// The key file.
        path: PathBuf,
    },
    /// Others may read or write the secret.
    #[error("others have access to {path} (mode {mode:04o}); run: chmod 600 {path}", path = .path.display())]
    TooOpen {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a secret of the right length.
    #[error(
        "{path} has {actual} bytes, expected {expected}; restore it from a backup, or move it away to begin \
         with a new one",
        path = .path.display()
    )]
    Length {
        /// The key file.
        path: PathBuf,
        /// Bytes found.
        actual: u64,
        /// Bytes there should be.
        expected: usize,
    },
    /// There is a database, and the key it was sealed with has gone.
    #[error(
        "{path} is missing, and {database} cannot be read without it; restore it from a backup, or move the \
         database away to begin with an empty one",
        path = .path.display(),
        database = .database.display()
    )]
    Missing {
        /// The key file.
        path: PathBuf,
        /// What it opens.
        database: PathBuf,
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

/// Why the database was not opened. Whatever is there is left as it was found.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is something under the database's name that is not a regular file.
    #[error("{path} is not a regular file; move it away, or put the database itself there", path = .path.display())]
    NotARegularFile {
        /// The file.
        path: PathBuf,
    },
    /// Others may read or write the messages.
    #[error("others have access to {path} (mode {mode:04o}); run: chmod 600 {path}", path = .path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The database or its directory cannot be written, and every message is stored before it is sent.
    #[error(
        "{path} is read-only; run: chmod u+w {path}, or see that its file system is mounted for writing",
        path = .path.display()
    )]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
    },
    /// A later Hopline wrote it.
    #[error(
        "{path} was written by a newer hopline (its schema is {found}, this program knows {known}); run that \
         version, or move the file away to begin with an empty one",
        path = .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema it has.
        found: i64,
        /// The last schema known here.
        known: i64,
    },
    /// Another program's database.
    #[error("{path} is a database of another program; move it away", path = .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The device key is not the one the bodies were sealed with.
    #[error(
        "{key} is not the key that {path} was sealed with; restore the right one from a backup, or move the \
         database away to begin with an empty one",
        path = .path.display(),
        key = .key.display()
    )]
    WrongKey {
        /// The database.
        path: PathBuf,
        /// The device key's file.
        key: PathBuf,
    },
    /// The database gave an error.
    #[error("{path}: {source}", path = .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Which.
        source: StoreError,
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

/// Why something was not stored, or not found. What was stored before is still there.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room is left on the disk.
    #[error("the disk is full; nothing stored is lost, free some space and try again")]
    Full,
    /// The database cannot be written.
    #[error("the database is read-only; check its owner and mode, and how its file system is mounted")]
    ReadOnly,
    /// The file is not what was written.
    #[error(
        "the database is damaged ({detail}); it is left as it is: keep a copy of it with its -wal and -shm \
         files, then restore a backup, or save what can be read with `sqlite3 FILE .recover`"
    )]
    Corrupt {
        /// What is wrong with it.
        detail: String,
    },
    /// Another process holds the database.
    #[error("another process is using the database; end it and try again")]
    Busy,
    /// A body does not open.
    #[error(transparent)]
    Unsealed(#[from] Unsealed),
    /// A body opens, and is not one.
    #[error("the body of message {id} is not one: {source}")]
    Body {
        /// Of which message.
        id: crate::ids::MessageId,
        /// What is wrong with it.
        source: PayloadError,
    },
    /// A body cannot be written as bytes.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A table takes no more rows.
    #[error(transparent)]
    TooMany(#[from] Full),
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    Random(rand_core::Error),
    /// The thread that holds the database has ended.
    #[error("the database was closed")]
    Closed,
    /// SQLite gave another error.
    #[error("the database refused: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { detail: error.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Sqlite(error),
        }
    }
}
