//! The port of the mesh engine: what the node asks, what the engine tells.

use bytes::Bytes;

use crate::ids::{AttemptId, Fingerprint, LinkId, MessageId, PeerId};
use crate::link::event::{RadioCommand, RadioEvent};
use crate::mesh::board;
use crate::mesh::courier::event as courier;
use crate::mesh::diagnostics;
use crate::mesh::error::Refusal;
use crate::mesh::groups;
use crate::mesh::kept::{Keep, Kept};
use crate::mesh::media::event as media;
use crate::mesh::trust::event as trust;
use crate::mesh::trust::{Level, Standing};
use crate::time::UnixMillis;

/// Everything that can happen to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// What earlier runs kept: the first input of a run, if there is anything.
    Restore(Vec<Kept>),
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
    /// Flood a public packet of this node, made by [`crate::mesh::public_packet`]; answered by `Sent` or `Refused`.
    Flood {
        /// Carried back in the answer.
        attempt: AttemptId,
        /// The signed packet.
        packet: Bytes,
    },
    /// Take a public packet of somebody else that another transport brought: checked, shown and relayed like one
    /// that came over a link, but no sign that its author is on the mesh.
    Relay {
        /// The packet as it is to leave here: its TTL is lowered already.
        packet: Bytes,
    },
    /// Encrypt a text to one peer; answered by `Sent`, `Expired` or `Refused`. The same id again replaces the
    /// attempt before.
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
    /// Tell the author of a message that a person has seen it; answered like `SendPrivate`, without a receipt.
    SendRead {
        /// Carried back in every answer.
        attempt: AttemptId,
        /// Who wrote it.
        to: PeerId,
        /// The id of this notice.
        id: MessageId,
        /// The message's ids on the wire, one for each part.
        wire_ids: Vec<String>,
    },
    /// Send our contact card; answered like `SendPrivate`, without a receipt.
    SendCard {
        /// Carried back in every answer.
        attempt: AttemptId,
        /// To whom.
        to: PeerId,
        /// The id of this message.
        id: MessageId,
        /// The card, signed and encoded.
        card: Bytes,
    },
    /// No further try of this attempt; a receipt may still come.
    Cancel {
        /// Which attempt.
        attempt: AttemptId,
        /// Of which message.
        id: MessageId,
    },
    /// A received message is stored: tell its author. Nothing else makes the engine send this receipt.
    Acknowledge {
        /// Who wrote it.
        to: PeerId,
        /// The message's ids on the wire, one for each part.
        wire_ids: Vec<String>,
    },
    /// Make ready: begin a session with this peer, if it is there and none stands.
    Greet {
        /// With whom.
        peer: PeerId,
    },
    /// The keys of a contact: its public packets are verified, and others announced under its id are refused,
    /// though it was not heard yet.
    Know(Introduction),
    /// Something for a private group.
    Group(groups::Command),
    /// Something about files.
    Media(media::Command),
    /// Something for the notice board.
    Board(board::Command),
    /// Something about whom we trust.
    People(trust::Command),
    /// Mail for who is away.
    Courier(courier::Command),
    /// Say goodbye to everyone: sign and send a LEAVE.
    Leave,
    /// Look at the mesh.
    Diagnostics(diagnostics::Command),
}

/// Who somebody is, and what our owner decided about them, learnt elsewhere than on the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The Noise static key, which names the identity.
    pub noise_public: [u8; 32],
    /// The Ed25519 key.
    pub signing_public: [u8; 32],
    /// The name, until the peer announces one.
    pub nickname: String,
    /// What was decided.
    pub standing: Standing,
}

/// Everything an engine wants done or known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// For a radio.
    Radio(RadioCommand),
    /// For the disk: to be done in the order in which it comes.
    Keep(Keep),
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
    /// Its Noise static key.
    pub noise_public: [u8; 32],
    /// The Ed25519 key its packets are verified with.
    pub signing_public: [u8; 32],
    /// How far it is trusted.
    pub trust: Level,
    /// What our owner decided about it.
    pub standing: Standing,
    /// Whether we are a favourite of its owner.
    pub favours_us: bool,
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
    PublicMessage(PublicMessage),
    /// A private message was decrypted. It comes again when its author sends it again, until it is acknowledged:
    /// whoever stores it tells what is new.
    PrivateMessage(PrivateMessage),
    /// A peer sent its contact card. Nothing in it is checked.
    Card {
        /// Who sent it: proven by the session.
        sender: PeerId,
        /// The sender's identity.
        fingerprint: Fingerprint,
        /// The card.
        card: Bytes,
        /// When it was sent, by the sender's clock.
        sent: UnixMillis,
    },
    /// A message of ours was put on a link.
    Sent {
        /// The attempt it answers.
        attempt: AttemptId,
        /// Which message.
        id: MessageId,
        /// Into how many fragments its packet was cut; 0 when it went whole.
        fragments: u16,
    },
    /// An attempt was given up.
    Expired {
        /// The attempt it answers.
        attempt: AttemptId,
        /// Which message.
        id: MessageId,
        /// Why.
        reason: Expiry,
    },
    /// A message was not accepted.
    Refused {
        /// The attempt it answers.
        attempt: AttemptId,
        /// Why.
        reason: Refusal,
    },
    /// A peer says that it has the whole of a message of ours, of this run or an earlier one. That the message
    /// was for this peer is for the listener to check.
    Receipt {
        /// Who says so: proven by the session.
        from: PeerId,
        /// Which message.
        id: MessageId,
        /// A person has seen it.
        read: bool,
    },
    /// Something in a private group.
    Group(groups::Event),
    /// Something about files.
    Media(media::Event),
    /// What was found out about the mesh.
    Diagnostics(diagnostics::Event),
    /// Something on the notice board.
    Board(board::Event),
    /// Something about whom we trust.
    People(trust::Event),
    /// Mail for who is away.
    Courier(courier::Event),
    /// Nothing is sent: the wall clock stands before the build date of this program.
    ClockUnset,
    /// The wall clock seems to be wrong: what others send is of another time, and they drop what is sent here.
    ClockOff {
        /// By how many milliseconds it seems to be ahead; negative where it is behind.
        ahead_ms: i64,
    },
}

/// A verified public message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicMessage {
    /// Its id: that of its packet.
    pub id: MessageId,
    /// Who signed it.
    pub sender: PeerId,
    /// The sender's identity.
    pub fingerprint: Fingerprint,
    /// The sender's nickname at the time.
    pub nickname: String,
    /// What was written.
    pub text: String,
    /// When, by the sender's clock.
    pub sent: UnixMillis,
    /// The TTL it arrived with: 7 from a neighbour, 1 at the last hop.
    pub ttl: u8,
    /// Over how many fragments it came; 0 when it came whole.
    pub fragments: u16,
    /// The packet as it came, with the TTL it arrived with.
    pub packet: Bytes,
    /// Another transport brought it.
    pub brought: bool,
}

/// A decrypted private message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateMessage {
    /// Its id.
    pub id: MessageId,
    /// Who wrote it: proven by the session.
    pub sender: PeerId,
    /// The sender's identity.
    pub fingerprint: Fingerprint,
    /// The sender's nickname at the time.
    pub nickname: String,
    /// What was written, its parts joined.
    pub text: String,
    /// When, by the sender's clock.
    pub sent: UnixMillis,
    /// The TTL its (last) packet arrived with.
    pub ttl: u8,
    /// Over how many fragments its (last) packet came; 0 when it came whole.
    pub fragments: u16,
    /// The ids it has on the wire, one for each part, for [`Command::Acknowledge`].
    pub wire_ids: Vec<String>,
}

/// Why an attempt was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expiry {
    /// No session with the recipient came about.
    NoSession,
    /// It was sent, and no receipt came.
    Silence,
    /// The recipient said goodbye.
    Left,
    /// The last link went down.
    Alone,
}
