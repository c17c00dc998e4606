//! Why a relay has no configuration, could not be prepared, could not start, or had to stop.

use std::io;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::net::decoy::FolderError;
use crate::net::server::ServerError;
use crate::net::tls::TlsError;
use crate::storage::{KeyFileError, OpenError, StoreError};
use crate::wire::record::RecordError;

/// A relay has no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no file.
    #[error("there is no relay here: {file} is missing", file = .file.display())]
    NoConfig {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The file does not say what has no default.
    #[error("{file}: {key} is missing", file = .file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// The key with its section.
        key: &'static str,
    },
}

impl LoadError {
    /// What to do about it.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoConfig { .. } => {
                Some("`hopline relay init` makes one, or say where it is with --home DIR")
            }
            Self::Missing { .. } => Some("docs/relay.md has every key"),
            Self::File(_) => None,
        }
    }
}

impl SetupError {
    /// What to do about it.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists { .. } => Some("change that file, or make another relay with --home DIR"),
            Self::NoAddress => Some("say it with --advertise IP:PORT"),
            Self::Keys(_) | Self::Certificate(_) | Self::Database(_) | Self::Io { .. } => None,
        }
    }
}

/// A relay could not be prepared. What is there is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There is one already.
    #[error("there is a relay already: {file}", file = .file.display())]
    Exists {
        /// Its configuration.
        file: PathBuf,
    },
    /// It would not know where it is to be found.
    #[error("a relay that listens on every address has to be told by which one clients find it")]
    NoAddress,
    /// Its keys cannot be made.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Its certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] TlsError),
    /// Its database cannot be made.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// A file cannot be written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A relay could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Another process runs it.
    #[error("another process runs the relay in {home}", home = .home.display())]
    Taken {
        /// Its home.
        home: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Its database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Its database cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] TlsError),
    /// Its decoy site cannot be served.
    #[error(transparent)]
    Decoy(#[from] FolderError),
    /// It cannot listen.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Its record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It listens nowhere that clients could dial.
    #[error("the relay listens on every address and is not told by which one clients find it")]
    NoAddress,
    /// The numbers cannot be served.
    #[error("the numbers cannot be served on {address}: {source}")]
    Metrics {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A task of its own ended abnormally.
    #[error("a task of the relay failed")]
    TaskFailed(#[source] tokio::task::JoinError),
}
