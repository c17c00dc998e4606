//! What is asked and told about files.

use bytes::Bytes;

use crate::ids::{AttemptId, Fingerprint, PeerId, parse_hex};
use crate::time::UnixMillis;
use crate::wire::adts::NotSpeech;
use crate::wire::{EncodeError, MediaFile, MediaType};

/// What the node asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Send a file to everyone; answered by `Sent` or `Failed`.
    ToEveryone {
        /// Carried back in every answer.
        attempt: AttemptId,
        /// The file.
        file: MediaFile,
    },
    /// Send a file to one peer in a session; answered by `Sent`, then by `Delivered` or `Unconfirmed`, or by `Failed`,
    /// which may come after `Sent`.
    ToPeer {
        /// Carried back in every answer.
        attempt: AttemptId,
        /// To whom.
        to: PeerId,
        /// The file.
        file: MediaFile,
    },
    /// Speak a recording live, and send it as a file then; answered as that is, or by `Failed`.
    Speak {
        /// Carried back in every answer.
        attempt: AttemptId,
        /// To whom, in a session; to everyone when there is none.
        to: Option<PeerId>,
        /// What [`crate::wire::adts::units`] reads.
        recording: Bytes,
    },
    /// No longer: what has not left yet does not leave.
    Cancel {
        /// Which attempt.
        attempt: AttemptId,
    },
}

/// What the engine tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// So many pieces of a file are on their way: none of none while it waits for its turn.
    Progress {
        /// The attempt it answers.
        attempt: AttemptId,
        /// Pieces that left.
        left: u16,
        /// All of them.
        pieces: u16,
    },
    /// All of a file was put on links.
    Sent {
        /// The attempt it answers.
        attempt: AttemptId,
    },
    /// The recipient has it.
    Delivered {
        /// The attempt it answers.
        attempt: AttemptId,
    },
    /// It was sent, and its recipient did not say that it came: the app there confirms no files, or none of such a name.
    Unconfirmed {
        /// The attempt it answers.
        attempt: AttemptId,
    },
    /// It was not sent, or not all of it, or the recipient does not say that it came though its app does so.
    Failed {
        /// The attempt it answers.
        attempt: AttemptId,
        /// Why.
        reason: Failure,
    },
    /// A file came. A private one comes again when it is sent again, until [`Received::wire_id`] is acknowledged.
    Received(Received),
}

/// Who could read a file on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Secrecy {
    /// It was for everyone.
    Public,
    /// It was for us, and everybody on the way could read it.
    Open,
    /// It was for us, in a session.
    Sealed,
}

/// A file that came whole, of a type that is taken.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// Who sent it: proven by the session or by the packet's signature.
    pub sender: PeerId,
    /// The sender's identity.
    pub fingerprint: Fingerprint,
    /// The sender's nickname at the time.
    pub nickname: String,
    /// Who could read it.
    pub secrecy: Secrecy,
    /// What it is.
    pub media_type: MediaType,
    /// What the sender calls it: never a path.
    pub name: String,
    /// The bytes.
    pub content: Bytes,
    /// When it was sent, by the sender's clock.
    pub sent: UnixMillis,
    /// What to acknowledge when it is stored, if its sender waits for that.
    pub wire_id: Option<String>,
    /// Whether it was collected packet by packet from live voice.
    pub live: bool,
}

impl Received {
    /// The burst of live voice that it is, or is the recording of: by its name (spec 3.10).
    pub fn burst(&self) -> Option<[u8; 8]> {
        let name = self.name.strip_prefix("voice_")?;
        parse_hex(name.strip_suffix(".aac").or_else(|| name.strip_suffix(".m4a"))?).ok()
    }
}

/// Why a file was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It cannot be written as a packet.
    #[error("over BitChat it cannot go: {0}")]
    Unfit(EncodeError),
    /// It is no sound that can be spoken.
    #[error("as live voice it cannot go: {0}")]
    NotSpeech(NotSpeech),
    /// It is for this node.
    #[error("that is this node itself")]
    ToSelf,
    /// No link is up.
    #[error("nobody is in range")]
    NobodyNear,
    /// The recipient's app does not take private files.
    #[error("the recipient's app does not say that it takes private files")]
    NotTaken,
    /// Too many are on their way.
    #[error("too many files are on their way already")]
    Busy,
    /// No session with the recipient came about.
    #[error("no encrypted session with the recipient came about")]
    NoSession,
    /// Its pieces no longer left.
    #[error("the links went down on the way")]
    Cut,
    /// It takes longer than any node passes on its pieces.
    #[error("the links are too slow for it: its pieces count for two minutes")]
    TooSlow,
    /// The recipient did not say that it has it.
    #[error("it was sent, and the recipient did not say that it came")]
    Unanswered,
    /// The wall clock is plainly wrong.
    #[error("the clock is not set")]
    ClockUnset,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received")
            .field("sender", &self.sender)
            .field("secrecy", &self.secrecy)
            .field("name", &self.name)
            .field("len", &self.content.len())
            .finish_non_exhaustive()
    }
}
