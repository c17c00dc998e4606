//! What the node says, in the words of the [`super::schema`].

use crate::capabilities::{Health, TransportKey};
use crate::ids::LinkId;
use crate::link::LinkInfo;
use crate::link::event::Role;
use crate::mesh;
use crate::mesh::event::{PeerInfo, Reach};
use crate::message::{DeliveryStatus, Recipient};
use crate::node;
use crate::node::event::{Event, MessageStatus};
use crate::node::handle::Notice;
use crate::node::name::EVERYONE;
use crate::storage::{InboxEntry, OutboxEntry};
use crate::transports::direct::{ConnectionStatus, PathKind};

use super::board::BoardNotice;
use super::groups::{GroupNotice, GroupRef};
use super::people::PersonNotice;
use super::schema::{
    AdapterReport, ClockReport, ConnectionReport, EventReport, LinkReport, PathWord, Peer, ReachWord,
    ReceivedMessage, RoleWord, SentMessage, StatusReport, StatusWord, TransportReport,
};

impl StatusReport {
    /// What a node says about itself.
    pub(super) fn new(status: &node::status::Status) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            peer_id: status.profile.peer_id,
            fingerprint: status.profile.fingerprint,
            nickname: status.profile.nickname.clone(),
            uptime_ms: u64::try_from(status.uptime.as_millis()).unwrap_or(u64::MAX),
            clock: ClockReport {
                unix_ms: status.unix.0,
                unset: status.clock_unset,
                ahead_ms: status.bitchat.clock_doubt,
            },
            transports: status
                .transports
                .iter()
                .map(|(transport, health)| TransportReport::new(*transport, *health))
                .collect(),
            betanet: status.betanet.as_ref().map(Into::into),
            mdns: status.mdns,
            adapters: status
                .bitchat
                .adapters
                .iter()
                .map(|(adapter, up)| AdapterReport { adapter: adapter.0, up: *up })
                .collect(),
            links: status.bitchat.links.iter().map(|(link, info)| LinkReport::new(*link, info)).collect(),
            connections: status.connections.iter().map(ConnectionReport::new).collect(),
            courier: status.bitchat.courier.into(),
            counters: status.into(),
        }
    }
}

impl ConnectionReport {
    fn new(connection: &ConnectionStatus) -> Self {
        let (path, through) = match &connection.path {
            PathKind::Direct(address) => (PathWord::Straight, Some(address.to_string())),
            PathKind::Relayed(url) => (PathWord::Relayed, Some(url.clone())),
            PathKind::Unknown => (PathWord::Unknown, None),
        };
        let round_trip_ms = u64::try_from(connection.round_trip.as_millis()).unwrap_or(u64::MAX);
        Self { peer: connection.peer, path, through, round_trip_ms }
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
            trust: peer.trust.as_str().to_owned(),
            favourite: peer.standing.favourite,
            favours_us: peer.favours_us,
            blocked: peer.standing.blocked,
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

impl From<DeliveryStatus> for StatusWord {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Queued => Self::Queued,
            DeliveryStatus::Sent => Self::Sent,
            DeliveryStatus::Delivered => Self::Delivered,
            DeliveryStatus::Read => Self::Read,
            DeliveryStatus::Expired => Self::Expired,
            DeliveryStatus::Refused => Self::Refused,
        }
    }
}

impl From<&OutboxEntry> for SentMessage {
    fn from(entry: &OutboxEntry) -> Self {
        let to = match entry.envelope.to {
            Recipient::Everyone => EVERYONE.to_owned(),
            Recipient::Peer(peer) => peer.to_string(),
        };
        let via = entry.via.map(|via| via.to_string());
        Self { id: entry.envelope.id, to, status: entry.status.into(), via, reason: entry.reason.clone() }
    }
}

impl ReceivedMessage {
    /// A stored message; `fragments` is known only when it has just come.
    pub(super) fn new(message: &InboxEntry, fragments: u16) -> Self {
        let text = match &message.text {
            Ok(text) => text.clone(),
            Err(unsealed) => format!("({unsealed})"),
        };
        Self {
            number: message.number,
            via: message.via.to_string(),
            id: message.id,
            sender: message.sender.peer_id(),
            nickname: message.nickname.clone(),
            text,
            sent_ms: message.sent.0,
            ttl: message.ttl,
            fragments,
            group: message.room.as_ref().map(|room| GroupRef { id: room.id, name: room.name.clone() }),
        }
    }
}

impl TransportReport {
    fn new(transport: TransportKey, health: Health) -> Self {
        let reason = match health {
            Health::Up => None,
            Health::Down(reason) => Some(reason.to_string()),
        };
        Self { transport: transport.to_string(), up: health.is_up(), reason }
    }
}

impl EventReport {
    /// The event in words of the schema; nothing for one that another event tells better.
    pub(super) fn new(notice: Notice) -> Option<Self> {
        match notice {
            Notice::Missed(count) | Notice::Event(Event::Missed(count)) => Some(Self::Missed { count }),
            Notice::Event(Event::Mesh(event)) => Self::of_mesh(event),
            Notice::Event(Event::Received { message, fragments }) => {
                Some(Self::received(&message, fragments))
            }
            Notice::Event(Event::Status(MessageStatus { id, status, via, reason })) => {
                let via = via.map(|via| via.to_string());
                Some(Self::Status { id, status: status.into(), via, reason })
            }
            Notice::Event(Event::File(transfer)) => Some(Self::File((&*transfer).into())),
            Notice::Event(Event::Contact(event)) => Some(Self::Contact(event.into())),
            Notice::Event(Event::OwnCard { mailbox }) => Some(Self::OwnCard { mailbox }),
            Notice::Event(Event::Transport { transport, health }) => {
                Some(Self::Transport(TransportReport::new(transport, health)))
            }
        }
    }

    /// A stored message.
    pub(super) fn received(message: &InboxEntry, fragments: u16) -> Self {
        let report = ReceivedMessage::new(message, fragments);
        match (&message.room, message.public) {
            (Some(_), _) => Self::GroupMessage(report),
            (None, true) => Self::PublicMessage(report),
            (None, false) => Self::PrivateMessage(report),
        }
    }

    fn of_mesh(event: mesh::event::Event) -> Option<Self> {
        use mesh::event::Event as Mesh;
        Some(match event {
            Mesh::Adapter { adapter, up } => Self::Adapter { adapter: adapter.0, up },
            Mesh::LinkUp { link } => Self::LinkUp { link: link.to_string() },
            Mesh::LinkDown { link } => Self::LinkDown { link: link.to_string() },
            Mesh::Peer(peer) => Self::Peer(peer.into()),
            Mesh::PeerGone { peer, left } => Self::PeerGone { peer, left },
            Mesh::Session { peer } => Self::Session { peer },
            Mesh::Group(event) => return GroupNotice::new(event).map(Self::Group),
            Mesh::Board(event) => return BoardNotice::new(event).map(Self::Board),
            Mesh::People(event) => return PersonNotice::new(event).map(Self::Person),
            Mesh::ClockUnset => Self::ClockUnset,
            Mesh::ClockOff { ahead_ms } => Self::ClockOff { ahead_ms },
            // Messages and what becomes of them are told once they are on disk.
            Mesh::PublicMessage(_)
            | Mesh::PrivateMessage(_)
            | Mesh::Card { .. }
            | Mesh::Courier(_)
            | Mesh::Sent { .. }
            | Mesh::Expired { .. }
            | Mesh::Refused { .. }
            | Mesh::Media(_)
            | Mesh::Receipt { .. } => return None,
            // Whoever asked is told.
            Mesh::Diagnostics(_) => return None,
        })
    }
}
