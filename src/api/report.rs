//! What the node says, in the words of the [`super::schema`].

use crate::ids::LinkId;
use crate::link::LinkInfo;
use crate::link::event::Role;
use crate::mesh::event::{Event, PeerInfo, Reach};
use crate::message::{DeliveryStatus, Recipient};
use crate::node;
use crate::node::handle::Notice;
use crate::node::name::EVERYONE;

use super::schema::{
    AdapterReport, ClockReport, Counters, EventReport, LinkCounters, LinkReport, MeshCounters,
    MessageCounters, Peer, ReachWord, ReceivedMessage, RoleWord, SentMessage, StatusReport, StatusWord,
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
