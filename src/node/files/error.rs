//! Why a file was not taken on, or not let go.

use crate::ids::PeerId;
use crate::node::error::NameError;
use crate::node::handle::Stopped;
use crate::storage::{StoreError, TransferStatus};
use crate::transports::files::{DiskError, SourceError};

/// What was asked about a file was not done.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// This node has none of the transports that carry files.
    #[error("files go over direct, betanet and BitChat, and all are off")]
    Off,
    /// The recipient is not one peer.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The recipient is no contact, and the mesh does not reach it.
    #[error("{0} is neither a contact nor in reach of the mesh")]
    NotAContact(PeerId),
    /// The recipient is blocked here.
    #[error("`{name}` is blocked")]
    Blocked {
        /// The name the person has here.
        name: String,
    },
    /// Over BitChat a file is one packet, and there is no other way to this recipient.
    #[error(
        "the file has {size} bytes; over BitChat, the only way to this recipient, a file has at most 1048576 (1 MiB)"
    )]
    TooLargeForMesh {
        /// Its length.
        size: u64,
    },
    /// Over BitChat nothing is sent of a file without content, and there is no other way to this recipient.
    #[error("the file is empty; over BitChat, the only way to this recipient, a file has a byte at least")]
    EmptyForMesh,
    /// Live voice goes over the mesh, and does not wait.
    #[error("live voice goes over BitChat alone, and that does not reach the recipient now")]
    OutOfHearing,
    /// The file cannot be sent.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Too many are waiting already.
    #[error("too many files wait for this contact already")]
    TooMany,
    /// There is no such transfer.
    #[error("there is no file {0}")]
    Unknown(u64),
    /// It is over.
    #[error("file {number} is {status} already")]
    Finished {
        /// Which.
        number: u64,
        /// What became of it.
        status: TransferStatus,
    },
    /// Nobody waits for a yes to it.
    #[error("file {number} is {status}; there is nothing to accept")]
    NotOffered {
        /// Which.
        number: u64,
        /// How far it is.
        status: TransferStatus,
    },
    /// The directory for received files cannot be used.
    #[error(transparent)]
    Directory(#[from] DiskError),
    /// The disk did not take it.
    #[error(transparent)]
    Storage(#[from] StoreError),
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    Random(rand_core::Error),
    /// The node is stopping.
    #[error(transparent)]
    Stopping(#[from] Stopped),
}
