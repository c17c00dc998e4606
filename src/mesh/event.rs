//! The port of the mesh engine: what the node asks, what the engine tells.

use crate::ids::{AttemptId, Fingerprint, LinkId, MessageId, PeerId};
use crate::link::event::{RadioCommand, RadioEvent};
use crate::mesh::error::Refusal;
use crate::message::DeliveryStatus;
use crate::time::UnixMillis;

/// Everything that can happen to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A radio saw something.
    Radio(RadioEvent),
    /// The node asks for something.
    Command(Command),
    /// The time given by `poll_timeout` has come.
    Timeout,
}

/// What the node asks of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Sign a text and flood it to everyone; answered by `Event::Status` with the attempt.
    SendPublic {
        /// Carried back in the answer.
        attempt: AttemptId,
        /// What was written.
        text: String,
    },
    /// Encrypt a text to one peer; answered by `Event::Status`, several times.
    SendPrivate {
        /// Carried back in every answer.
        attempt: AttemptId,
        /// To whom.
        to: PeerId,
        /// The message's id, made by the caller.
        id: MessageId,
        /// What was written; over 255 bytes it travels in parts.
        text: String,
    },
    /// A person has seen this message: tell its sender.
    MarkRead {
        /// Who wrote it.
        sender: PeerId,
        /// Which.
        id: MessageId,
    },
    /// Say goodbye to everyone: sign and send a LEAVE.
    Leave,
}

/// Everything an engine wants done or known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// For a radio.
    Radio(RadioCommand),
    /// For the node.
    Event(Event),
}

/// How a peer can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// A link leads straight to it.
    Direct,
    /// Over other nodes.
    Mesh,
    /// Not heard of for a while.
    Gone,
}

impl Reach {
    /// The word used in the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Mesh => "mesh",
            Self::Gone => "gone",
        }
    }
}

/// A peer whose announce was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its id on the mesh.
    pub id: PeerId,
    /// Its identity.
    pub fingerprint: Fingerprint,
    /// The name it gave itself: neither unique nor proven.
    pub nickname: String,
    /// How it can be reached.
    pub reach: Reach,
    /// The links bound to it.
    pub links: Vec<LinkId>,
    /// The wall-clock time at which a verified packet of its own last came.
    pub last_seen: UnixMillis,
    /// Whether an encrypted session stands.
    pub session: bool,
}

/// What happened on the mesh, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An adapter came up or went down.
    Adapter {
        /// Which.
        adapter: crate::ids::AdapterId,
        /// Whether it works.
        up: bool,
    },
    /// A link came up.
    LinkUp {
        /// Which.
        link: LinkId,
    },
    /// A link went down.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// A peer is new, or something about it changed.
    Peer(PeerInfo),
    /// A peer said goodbye or was not heard of for a while.
    PeerGone {
        /// Who.
        peer: PeerId,
        /// Whether it said goodbye itself.
        left: bool,
    },
    /// An encrypted session with a peer stands.
    Session {
        /// With whom.
        peer: PeerId,
    },
    /// A verified public message arrived, for the first time.
    PublicMessage {
        /// Its id: that of its packet.
        id: MessageId,
        /// Who signed it.
        sender: PeerId,
        /// The sender's nickname at the time.
        nickname: String,
        /// What was written.
        text: String,
        /// When, by the sender's clock.
        sent: UnixMillis,
        /// The TTL it arrived with: 7 from a neighbour, 1 at the last hop.
        ttl: u8,
        /// Over how many fragments it came; 0 when it came whole.
        fragments: u16,
    },
    /// A private message was decrypted, for the first time.
    PrivateMessage {
        /// Its id.
        id: MessageId,
        /// Who wrote it: proven by the session.
        sender: PeerId,
        /// The sender's nickname at the time.
        nickname: String,
        /// What was written, its parts joined.
        text: String,
        /// When, by the sender's clock.
        sent: UnixMillis,
        /// The TTL its (last) packet arrived with.
        ttl: u8,
    },
    /// What became of a message we sent.
    Status {
        /// The attempt it answers.
        attempt: AttemptId,
        /// Which message.
        id: MessageId,
        /// How far it came.
        status: DeliveryStatus,
        /// Into how many fragments its packet was cut; 0 when it went whole.
        fragments: u16,
    },
    /// A message was not accepted.
    Refused {
        /// The attempt it answers.
        attempt: AttemptId,
        /// Why.
        reason: Refusal,
    },
    /// Nothing is sent: the wall clock stands before the build date of this program.
    ClockUnset,
}
