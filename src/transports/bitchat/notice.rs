//! What happens on the mesh besides messages, for whoever watches.

use crate::ids::{AdapterId, LinkId, MessageId, PeerId};
use crate::mesh::event::{Event, PeerInfo};

/// Something a person watching the mesh may want to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An adapter came up or went down.
    Adapter {
        /// Which.
        adapter: AdapterId,
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
    /// A message of ours went out.
    Sent {
        /// Which.
        id: MessageId,
        /// Into how many fragments its packet was cut; 0 when it went whole.
        fragments: u16,
    },
    /// Nothing is sent: the wall clock stands before the build date of this program.
    ClockUnset,
}

impl Notice {
    /// The notice in an event, if there is one.
    pub(super) fn of(event: &Event) -> Option<Self> {
        Some(match event {
            &Event::Adapter { adapter, up } => Self::Adapter { adapter, up },
            &Event::LinkUp { link } => Self::LinkUp { link },
            &Event::LinkDown { link } => Self::LinkDown { link },
            Event::Peer(peer) => Self::Peer(peer.clone()),
            &Event::PeerGone { peer, left } => Self::PeerGone { peer, left },
            &Event::Session { peer } => Self::Session { peer },
            &Event::Sent { id, fragments, .. } => Self::Sent { id, fragments },
            Event::ClockUnset => Self::ClockUnset,
            Event::PublicMessage(_)
            | Event::PrivateMessage(_)
            | Event::Card { .. }
            | Event::Expired { .. }
            | Event::Refused { .. }
            | Event::Receipt { .. } => return None,
        })
    }
}
