//! Why a radio could not be opened.

use bluer::{ErrorKind, InternalErrorKind};

use super::quirks::Fault;

/// Why there is no radio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BluezError {
    /// No system bus to talk to BlueZ over.
    #[error("no D-Bus system bus")]
    NoBus,
    /// Nobody owns `org.bluez`.
    #[error("bluetoothd is not running")]
    NoDaemon,
    /// The bus keeps us out.
    #[error("access to BlueZ is denied")]
    Denied,
    /// The machine has no adapter at all.
    #[error("there is no Bluetooth adapter")]
    NoAdapter,
    /// An adapter that was asked for is not there.
    #[error("there is no adapter {name} (there is: {})", present.join(", "))]
    UnknownAdapter {
        /// The name asked for.
        name: String,
        /// The names there are.
        present: Vec<String>,
    },
    /// More adapters than an [`AdapterId`](crate::ids::AdapterId) can number.
    #[error("{0} adapters are too many")]
    TooManyAdapters(usize),
    /// BlueZ failed in another way.
    #[error("BlueZ failed: {0}")]
    Bluez(String),
    /// The radio could not get a runtime of its own.
    #[error("the radio could not start")]
    Start,
}

impl From<&bluer::Error> for BluezError {
    fn from(error: &bluer::Error) -> Self {
        match Fault::from(error) {
            Fault::DaemonGone
                if matches!(&error.kind, ErrorKind::Internal(InternalErrorKind::DBus(name)) if
            name.ends_with(".FileNotFound") || name.ends_with(".NoServer")) =>
            {
                Self::NoBus
            }
            Fault::DaemonGone => Self::NoDaemon,
            Fault::Denied => Self::Denied,
            Fault::Aborted
            | Fault::InProgress
            | Fault::NotPermitted
            | Fault::NotReady
            | Fault::NoSuchObject
            | Fault::Unresolved
            | Fault::NoReply
            | Fault::Other => Self::Bluez(error.to_string()),
        }
    }
}
