//! Why the node could not do what it was asked.

use std::io;
use std::path::PathBuf;

use crate::ids::PeerId;
use crate::mesh::error::Refusal;

/// A node could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The radio's task ended by itself.
    #[error("the radio stopped by itself")]
    RadioGone,
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

/// `config.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{file}: {source}", file = .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not TOML, or holds a key or a type that is not known.
    #[error("{file}, line {line}, key `{key}`: {reason}", file = .file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What stands before the `=` on that line.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is not allowed.
    #[error("{file}, key `{key}`: {source}", file = .file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong.
        source: ValueError,
    },
}

/// A value from the command line or from `config.toml` is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A nickname has no letters.
    #[error("a nickname cannot be empty")]
    EmptyNickname,
    /// A nickname is longer than an announce can carry.
    #[error("a nickname has at most 255 bytes, this one has {0}")]
    LongNickname(usize),
    /// A nickname holds a line break or another control character.
    #[error("a nickname cannot hold control characters")]
    ControlInNickname,
    /// A name for a contact would lead to whoever has the id it spells.
    #[error("a name cannot be a peer id or a fingerprint")]
    IdAsName,
    /// The nickname means everybody.
    #[error("the nickname `everyone` is reserved")]
    ReservedNickname,
    /// A radio is neither `bluez` nor `sim:PATH`.
    #[error("a radio is `bluez`, `sim:PATH` or `sim:PATH#NAME`, not `{0}`")]
    Radio(String),
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

/// A message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The recipient is not one peer.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The engine refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The engine did not say what became of it.
    #[error("the node said nothing about the message")]
    Unanswered,
    /// The operating system gave no random bytes for its id.
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

fn list(peers: &[PeerId]) -> String {
    peers.iter().map(PeerId::to_string).collect::<Vec<_>>().join(", ")
}
