//! Every JSON document of the interface. Ids are text, hex in lower case; times are Unix milliseconds.

use serde::{Deserialize, Serialize};

use crate::ids::{Fingerprint, MessageId, PeerId};
use crate::mesh::event::Reach;
use crate::message::DeliveryStatus;

use super::betanet::BetanetReport;
use super::board::BoardNotice;
use super::contacts::ContactNotice;
use super::counters::Counters;
use super::courier::CourierReport;
use super::files::FileReport;
use super::people::PersonNotice;
use super::text;
use super::wishes::Wishes;

/// `GET /v1/status`: a node at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The program's version.
    pub version: String,
    /// The node's id on the mesh.
    #[serde(with = "text")]
    pub peer_id: PeerId,
    /// Its identity.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
    /// The name it announces.
    pub nickname: String,
    /// How long it has run.
    pub uptime_ms: u64,
    /// Its wall clock.
    pub clock: ClockReport,
    /// Its ways to carry messages.
    pub transports: Vec<TransportReport>,
    /// The relays of betanet; nothing where it is switched off.
    #[serde(default)]
    pub betanet: Option<BetanetReport>,
    /// Whether it looks for contacts by mDNS, so that everybody on the local network can see it.
    pub mdns: bool,
    /// Its adapters.
    pub adapters: Vec<AdapterReport>,
    /// The links that are up.
    pub links: Vec<LinkReport>,
    /// The contacts that are connected over direct.
    #[serde(default)]
    pub connections: Vec<ConnectionReport>,
    /// Mail for who is away.
    #[serde(default)]
    pub courier: CourierReport,
    /// What was counted since the start.
    pub counters: Counters,
}

/// The wall clock of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReport {
    /// What it says.
    pub unix_ms: u64,
    /// Whether it is plainly unset, so that nothing is sent.
    pub unset: bool,
    /// By how many milliseconds it seems to be ahead of everybody's, so that they drop what is sent here; negative where
    /// it is behind, and absent where it seems to be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead_ms: Option<i64>,
}

/// A transport of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportReport {
    /// Its name.
    pub transport: String,
    /// Whether it works.
    pub up: bool,
    /// Why it does not.
    pub reason: Option<String>,
}

/// An adapter of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterReport {
    /// Its number, in the order of the configuration.
    pub adapter: u8,
    /// Whether it works.
    pub up: bool,
}

/// A link that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReport {
    /// Its name: adapter and running number.
    pub link: String,
    /// The device at the other end.
    pub address: String,
    /// Our side of it.
    pub role: RoleWord,
    /// The longest frame it carries, in bytes.
    pub max_frame: usize,
    /// The peer it leads to, when that is known.
    pub peer: Option<String>,
}

/// A connection to a contact over direct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionReport {
    /// To whom.
    #[serde(with = "text")]
    pub peer: PeerId,
    /// Which way it takes.
    pub path: PathWord,
    /// The address, or the relay's URL, that it leads through; nothing while it is not known.
    pub through: Option<String>,
    /// There and back, in milliseconds.
    pub round_trip_ms: u64,
}

/// The way a connection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathWord {
    /// Straight to the contact.
    Straight,
    /// Through a relay, which cannot read it.
    Relayed,
    /// Not known yet.
    Unknown,
}

/// Our side of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleWord {
    /// We dialled.
    Central,
    /// They dialled.
    Peripheral,
}

/// `GET /v1/peers`: everybody known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerList {
    /// By peer id.
    pub peers: Vec<Peer>,
}

/// A peer whose announce was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its id on the mesh.
    #[serde(with = "text")]
    pub id: PeerId,
    /// Its identity.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
    /// The name it gave itself: neither unique nor proven.
    pub nickname: String,
    /// How it can be reached.
    pub reach: ReachWord,
    /// The links bound to it.
    pub links: Vec<String>,
    /// When a verified packet of its own last came.
    pub last_seen_ms: u64,
    /// Whether an encrypted session stands.
    pub session: bool,
    /// How far it is trusted: `unknown`, `known`, `proven`, `vouched`, `mutual` or `verified`.
    #[serde(default)]
    pub trust: String,
    /// Whether it is a favourite.
    #[serde(default)]
    pub favourite: bool,
    /// Whether we are a favourite of its owner.
    #[serde(default)]
    pub favours_us: bool,
    /// Whether nothing of it is shown.
    #[serde(default)]
    pub blocked: bool,
}

/// How a peer can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReachWord {
    /// A link leads straight to it.
    Direct,
    /// Over other nodes.
    Mesh,
    /// Not heard of for a while.
    Gone,
}

impl ReachWord {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => Reach::Direct.as_str(),
            Self::Mesh => Reach::Mesh.as_str(),
            Self::Gone => Reach::Gone.as_str(),
        }
    }
}

/// `POST /v1/messages`: a text to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// `everyone`, a peer id, a fingerprint or a nickname; `@` is optional.
    pub to: String,
    /// What to say.
    pub text: String,
    /// What it asks of its way.
    #[serde(default)]
    pub requirements: Wishes,
}

/// The answer to `POST /v1/messages`, and `GET /v1/messages/{id}`: a message of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMessage {
    /// Its id.
    #[serde(with = "text")]
    pub id: MessageId,
    /// `everyone`, or the recipient's peer id.
    pub to: String,
    /// How far it came.
    pub status: StatusWord,
    /// The transport that brought it so far.
    pub via: Option<String>,
    /// Why it waits, expired or was refused.
    pub reason: Option<String>,
}

/// How far a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusWord {
    /// Accepted; not on the air yet.
    Queued,
    /// Handed to at least one link.
    Sent,
    /// The recipient has it.
    Delivered,
    /// The recipient has seen it.
    Read,
    /// Given up.
    Expired,
    /// Given up: it cannot be carried.
    Refused,
}

impl StatusWord {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => DeliveryStatus::Queued.as_str(),
            Self::Sent => DeliveryStatus::Sent.as_str(),
            Self::Delivered => DeliveryStatus::Delivered.as_str(),
            Self::Read => DeliveryStatus::Read.as_str(),
            Self::Expired => DeliveryStatus::Expired.as_str(),
            Self::Refused => DeliveryStatus::Refused.as_str(),
        }
    }
}

/// What comes over `GET /v1/events`, one a WebSocket text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventReport {
    /// An adapter came up or went down.
    Adapter {
        /// Its number.
        adapter: u8,
        /// Whether it works.
        up: bool,
    },
    /// A link came up.
    LinkUp {
        /// Which.
        link: String,
    },
    /// A link went down.
    LinkDown {
        /// Which.
        link: String,
    },
    /// A peer is new, or something about it changed.
    Peer(Peer),
    /// A peer said goodbye or was not heard of for a while.
    PeerGone {
        /// Who.
        #[serde(with = "text")]
        peer: PeerId,
        /// Whether it said goodbye itself.
        left: bool,
    },
    /// An encrypted session with a peer stands.
    Session {
        /// With whom.
        #[serde(with = "text")]
        peer: PeerId,
    },
    /// A public message arrived.
    PublicMessage(ReceivedMessage),
    /// A private message arrived.
    PrivateMessage(ReceivedMessage),
    /// Something was said to a private group.
    GroupMessage(ReceivedMessage),
    /// Something happened to a private group.
    Group(super::groups::GroupNotice),
    /// A message of this node came further.
    Status {
        /// Which.
        #[serde(with = "text")]
        id: MessageId,
        /// How far.
        status: StatusWord,
        /// The transport that brought it so far.
        via: Option<String>,
        /// Why it waits, expired or was refused.
        reason: Option<String>,
    },
    /// A file is offered, or came further.
    File(FileReport),
    /// A transport came up or went down.
    Transport(TransportReport),
    /// Something happened to contacts.
    Contact(ContactNotice),
    /// This node's own card names another mailbox, or none any more: whoever shows it, shows it anew.
    OwnCard {
        /// Whether it names one.
        mailbox: bool,
    },
    /// Something happened on the notice board.
    Board(BoardNotice),
    /// Something happened between people.
    Person(PersonNotice),
    /// Nothing is sent: the wall clock is unset.
    ClockUnset,
    /// The wall clock seems to be wrong: others drop what is sent here.
    ClockOff {
        /// By how many milliseconds it seems to be ahead; negative where it is behind.
        ahead_ms: i64,
    },
    /// The listener was too slow.
    Missed {
        /// So many events are lost to it.
        count: u64,
    },
}

/// A message of somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedMessage {
    /// Its number in the order of reception: `watch --after` resumes behind it.
    pub number: u64,
    /// The transport that brought it.
    pub via: String,
    /// Its id.
    #[serde(with = "text")]
    pub id: MessageId,
    /// Who wrote it.
    #[serde(with = "text")]
    pub sender: PeerId,
    /// The sender's nickname at the time.
    pub nickname: String,
    /// What was written.
    pub text: String,
    /// When, by the sender's clock.
    pub sent_ms: u64,
    /// The TTL it arrived with: 7 from a neighbour, 1 at the last hop.
    pub ttl: u8,
    /// Over how many fragments it came; 0 when it came whole, or is private.
    pub fragments: u16,
    /// The private group it was said to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<super::groups::GroupRef>,
}

/// What a refused request gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// Why.
    pub error: ErrorDetail,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// For programs.
    pub code: super::error::Code,
    /// What was wrong.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_object_named_by_its_first_field() {
        let event = EventReport::PublicMessage(ReceivedMessage {
            number: 3,
            via: "bitchat".to_owned(),
            id: MessageId([0xAB; 16]),
            sender: PeerId([1; 8]),
            nickname: "ada".to_owned(),
            text: "hello".to_owned(),
            sent_ms: 5,
            ttl: 7,
            fragments: 0,
            group: None,
        });
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(
            text,
            r#"{"event":"public_message","number":3,"via":"bitchat","id":"ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB","sender":"0101010101010101","nickname":"ada","text":"hello","sent_ms":5,"ttl":7,"fragments":0}"#
        );
        assert_eq!(serde_json::from_str::<EventReport>(&text).unwrap(), event);
    }

    #[test]
    fn a_message_with_a_field_we_do_not_know_is_refused() {
        let text = r#"{"to":"ada","text":"hi","wait":true}"#;
        assert!(serde_json::from_str::<NewMessage>(text).unwrap_err().to_string().contains("wait"));
    }
}
