//! Every JSON document of the interface. Ids are text, hex in lower case; times are Unix milliseconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{Fingerprint, LinkId, MessageId, PeerId};
use crate::link::LinkInfo;
use crate::link::event::Role;
use crate::mesh::event::{Event, PeerInfo, Reach};
use crate::message::DeliveryStatus;
use crate::node;
use crate::node::handle::Notice;
use crate::node::name::{EVERYONE, Recipient};

use super::text;

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
    /// Its adapters.
    pub adapters: Vec<AdapterReport>,
    /// The links that are up.
    pub links: Vec<LinkReport>,
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

/// Our side of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleWord {
    /// We dialled.
    Central,
    /// They dialled.
    Peripheral,
}

/// What was counted since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// What became of messages.
    pub messages: MessageCounters,
    /// What the mesh did with packets.
    pub mesh: MeshCounters,
    /// What the links did with frames.
    pub link: LinkCounters,
}

/// What became of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCounters {
    /// Public messages of others, each once.
    pub public_received: u64,
    /// Private messages to this node, each once.
    pub private_received: u64,
    /// Messages of this node that reached at least one link.
    pub sent: u64,
    /// Its private messages that were delivered.
    pub delivered: u64,
    /// Its private messages that were read.
    pub read: u64,
    /// Its messages that were given up.
    pub expired: u64,
    /// Its messages that were not accepted.
    pub refused: u64,
}

/// What the mesh did with packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshCounters {
    /// Packets made here and put on at least one link, fragments counted one by one.
    pub originated: u64,
    /// Packets of others passed on.
    pub relayed: u64,
    /// Relays given up because every neighbour had the packet.
    pub relays_cancelled: u64,
    /// Packets put together again from fragments.
    pub reassembled: u64,
    /// Packets thrown away, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// What the links did with frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounters {
    /// Frames handed to the radio.
    pub frames_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Whole frames that arrived.
    pub frames_received: u64,
    /// Bytes that came from the radio.
    pub bytes_received: u64,
    /// Frames dropped because too much waited on their link.
    pub dropped_full: u64,
    /// Frames dropped because their link was gone.
    pub dropped_no_link: u64,
    /// Attempts to dial.
    pub dialled: u64,
    /// Attempts that came to nothing.
    pub dial_failures: u64,
    /// Inbound links closed because there were too many.
    pub refused_links: u64,
    /// Links closed because nothing ever arrived on them.
    pub silent_links: u64,
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

/// `POST /v1/messages`: a text to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// `everyone`, a peer id, a fingerprint or a nickname; `@` is optional.
    pub to: String,
    /// What to say.
    pub text: String,
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
    /// Into how many fragments its packet was cut; 0 when it went whole.
    pub fragments: u16,
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
        }
    }
}

/// `POST /v1/messages/{id}/read`: a person has seen a private message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenMessage {
    /// Who wrote it.
    #[serde(with = "text")]
    pub sender: PeerId,
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
    /// A message of this node came further.
    Status {
        /// Which.
        #[serde(with = "text")]
        id: MessageId,
        /// How far.
        status: StatusWord,
        /// Into how many fragments its packet was cut; 0 when it went whole.
        fragments: u16,
    },
    /// A message was not accepted; whoever sent it got the same reason as an answer.
    Refused {
        /// Why.
        reason: String,
    },
    /// Nothing is sent: the wall clock is unset.
    ClockUnset,
    /// The listener was too slow.
    Missed {
        /// So many events are lost to it.
        count: u64,
    },
}

/// A message of somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedMessage {
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

impl StatusReport {
    /// What a node says about itself.
    pub(super) fn new(status: &node::status::Status) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            peer_id: status.profile.peer_id,
            fingerprint: status.profile.fingerprint,
            nickname: status.profile.nickname.clone(),
            uptime_ms: u64::try_from(status.uptime.as_millis()).unwrap_or(u64::MAX),
            clock: ClockReport { unix_ms: status.unix.0, unset: status.clock_unset },
            adapters: status
                .adapters
                .iter()
                .map(|(adapter, up)| AdapterReport { adapter: adapter.0, up: *up })
                .collect(),
            links: status.links.iter().map(|(link, info)| LinkReport::new(*link, info)).collect(),
            counters: status.into(),
        }
    }
}

impl LinkReport {
    fn new(link: LinkId, info: &LinkInfo) -> Self {
        Self {
            link: link.to_string(),
            address: info.address.to_string(),
            role: info.role.into(),
            max_frame: info.max_frame,
            peer: info.peer.map(|peer| peer.to_string()),
        }
    }
}

impl From<Role> for RoleWord {
    fn from(role: Role) -> Self {
        match role {
            Role::Central => Self::Central,
            Role::Peripheral => Self::Peripheral,
        }
    }
}

impl From<&node::status::Status> for Counters {
    fn from(status: &node::status::Status) -> Self {
        let (messages, mesh, link) = (&status.messages, &status.mesh, &status.link);
        Self {
            messages: MessageCounters {
                public_received: messages.public_received,
                private_received: messages.private_received,
                sent: messages.sent,
                delivered: messages.delivered,
                read: messages.read,
                expired: messages.expired,
                refused: messages.refused,
            },
            mesh: MeshCounters {
                originated: mesh.originated,
                relayed: mesh.relayed,
                relays_cancelled: mesh.relays_cancelled,
                reassembled: mesh.reassembled,
                dropped: mesh
                    .dropped
                    .iter()
                    .map(|(reason, count)| (reason.as_str().to_owned(), *count))
                    .collect(),
            },
            link: LinkCounters {
                frames_sent: link.frames_sent,
                bytes_sent: status.radio.bytes_sent,
                frames_received: link.frames_received,
                bytes_received: status.radio.bytes_received,
                dropped_full: link.dropped_full,
                dropped_no_link: link.dropped_no_link,
                dialled: link.dialled,
                dial_failures: link.dial_failures,
                refused_links: link.refused_links,
                silent_links: link.silent_links,
            },
        }
    }
}

impl From<PeerInfo> for Peer {
    fn from(peer: PeerInfo) -> Self {
        Self {
            id: peer.id,
            fingerprint: peer.fingerprint,
            nickname: peer.nickname,
            reach: peer.reach.into(),
            links: peer.links.iter().map(ToString::to_string).collect(),
            last_seen_ms: peer.last_seen.0,
            session: peer.session,
        }
    }
}

impl From<Reach> for ReachWord {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Direct => Self::Direct,
            Reach::Mesh => Self::Mesh,
            Reach::Gone => Self::Gone,
        }
    }
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

impl From<DeliveryStatus> for StatusWord {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Queued => Self::Queued,
            DeliveryStatus::Sent => Self::Sent,
            DeliveryStatus::Delivered => Self::Delivered,
            DeliveryStatus::Read => Self::Read,
            DeliveryStatus::Expired => Self::Expired,
        }
    }
}

impl From<node::SentMessage> for SentMessage {
    fn from(message: node::SentMessage) -> Self {
        let to = match message.to {
            Recipient::Everyone => EVERYONE.to_owned(),
            Recipient::Peer(peer) => peer.to_string(),
        };
        Self { id: message.id, to, status: message.status.into(), fragments: message.fragments }
    }
}

impl From<Notice> for EventReport {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Event(event) => event.into(),
            Notice::Missed(count) => Self::Missed { count },
        }
    }
}

impl From<Event> for EventReport {
    fn from(event: Event) -> Self {
        match event {
            Event::Adapter { adapter, up } => Self::Adapter { adapter: adapter.0, up },
            Event::LinkUp { link } => Self::LinkUp { link: link.to_string() },
            Event::LinkDown { link } => Self::LinkDown { link: link.to_string() },
            Event::Peer(peer) => Self::Peer(peer.into()),
            Event::PeerGone { peer, left } => Self::PeerGone { peer, left },
            Event::Session { peer } => Self::Session { peer },
            Event::PublicMessage { id, sender, nickname, text, sent, ttl, fragments } => {
                Self::PublicMessage(ReceivedMessage {
                    id,
                    sender,
                    nickname,
                    text,
                    sent_ms: sent.0,
                    ttl,
                    fragments,
                })
            }
            Event::PrivateMessage { id, sender, nickname, text, sent, ttl } => {
                let sent_ms = sent.0;
                Self::PrivateMessage(ReceivedMessage {
                    id,
                    sender,
                    nickname,
                    text,
                    sent_ms,
                    ttl,
                    fragments: 0,
                })
            }
            Event::Status { attempt: _, id, status, fragments } => {
                Self::Status { id, status: status.into(), fragments }
            }
            Event::Refused { attempt: _, reason } => Self::Refused { reason: reason.to_string() },
            Event::ClockUnset => Self::ClockUnset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_object_named_by_its_first_field() {
        let event = EventReport::PublicMessage(ReceivedMessage {
            id: MessageId([0xAB; 16]),
            sender: PeerId([1; 8]),
            nickname: "ada".to_owned(),
            text: "hello".to_owned(),
            sent_ms: 5,
            ttl: 7,
            fragments: 0,
        });
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(
            text,
            r#"{"event":"public_message","id":"ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB","sender":"0101010101010101","nickname":"ada","text":"hello","sent_ms":5,"ttl":7,"fragments":0}"#
        );
        assert_eq!(serde_json::from_str::<EventReport>(&text).unwrap(), event);
    }

    #[test]
    fn a_message_with_a_field_we_do_not_know_is_refused() {
        let text = r#"{"to":"ada","text":"hi","wait":true}"#;
        assert!(serde_json::from_str::<NewMessage>(text).unwrap_err().to_string().contains("wait"));
    }
}
