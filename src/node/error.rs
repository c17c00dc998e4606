//! Why the node could not do what it was asked.

use std::io;
use std::path::PathBuf;

use crate::ids::PeerId;
use crate::mesh::error::Refusal;
use crate::net::client::ClientError;
use crate::router::error::Reason;
use crate::storage::{Full, StoreError};
use crate::time::UnixMillis;
use crate::transports::direct;

use super::files::FileError;
use super::handle::Stopped;

/// A node could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The BLE mesh ended as it began.
    #[error("the mesh ended as it began")]
    MeshEnded,
    /// The direct transport cannot open its sockets.
    #[error(transparent)]
    Direct(#[from] direct::StartError),
    /// Betanet cannot call relays.
    #[error("betanet cannot start: {0}")]
    Betanet(#[from] ClientError),
    /// The files cannot be kept going.
    #[error(transparent)]
    Files(#[from] FileError),
    /// What is stored cannot be read.
    #[error(transparent)]
    Storage(#[from] StoreError),
    /// The node's own task ended abnormally.
    #[error("the node's task failed")]
    TaskFailed(#[source] tokio::task::JoinError),
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    Random(rand_core::Error),
}

/// The home directory, or something in it, is not usable.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither `--home` nor the environment says where the home is.
    #[error("no home directory: neither XDG_DATA_HOME nor HOME is set")]
    Unknown,
    /// Another daemon lives there.
    #[error("another hopline daemon is running in {home}", home = .home.display())]
    Taken {
        /// The home in question.
        home: PathBuf,
    },
    /// A file or directory could not be used.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A name does not lead to one peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nobody has it.
    #[error("nobody called `{name}` has been heard")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Several have it.
    #[error("{} peers are called `{name}`: {}", peers.len(), list(peers))]
    Ambiguous {
        /// The name.
        name: String,
        /// Who has it.
        peers: Vec<PeerId>,
    },
}

/// What was asked of the node was not done.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The recipient is not one peer.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is nothing to say.
    #[error("the text is empty")]
    Empty,
    /// The message is addressed to this node.
    #[error("that is this node itself")]
    ToSelf,
    /// The wall clock is plainly wrong, and every node would drop what we send (spec 2.7).
    #[error("the clock is not set: it says {now} ms, this program was built after {floor} ms")]
    ClockUnset {
        /// What the clock says.
        now: UnixMillis,
        /// What it should say at least.
        floor: UnixMillis,
    },
    /// The text for everyone makes no packet.
    #[error(transparent)]
    Public(#[from] Refusal),
    /// No transport can ever carry it so.
    #[error("{0}")]
    Unfit(Reason),
    /// Too many messages wait already.
    #[error("{0}")]
    OutboxFull(Full),
    /// The disk did not take it.
    #[error("it could not be stored: {0}")]
    NotStored(String),
    /// The operating system gave no random bytes for its id.
    #[error("the operating system gives no random bytes: {0}")]
    Random(rand_core::Error),
    /// It was stored, and is not there.
    #[error("the database lost the message at once")]
    Vanished,
    /// The disk did not answer.
    #[error(transparent)]
    Storage(#[from] StoreError),
    /// The node is stopping.
    #[error(transparent)]
    Stopping(#[from] Stopped),
}

impl From<Reason> for SendError {
    fn from(reason: Reason) -> Self {
        Self::Unfit(reason)
    }
}

fn list(peers: &[PeerId]) -> String {
    peers.iter().map(PeerId::to_string).collect::<Vec<_>>().join(", ")
}
