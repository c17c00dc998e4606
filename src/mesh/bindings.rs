//! Which link leads to which peer. A binding is a hint, never proof: the TTL is outside the signature, so a
//! neighbour can replay someone's announce as if it were that peer's own link.

use std::collections::BTreeMap;

use super::config::BINDING_DISTRUST;
use super::fanout::Candidate;
use crate::ids::{LinkId, PeerId};
use crate::link::event::Role;
use crate::time::Instant;

/// How long a link stays bound to one peer before another may take it over (spec 1.6).
const REBIND_COOLDOWN: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Debug)]
struct Link {
    role: Role,
    max_frame: usize,
    peer: Option<(PeerId, Instant)>,
    distrusted: Option<(PeerId, Instant)>,
}

/// Every link that is up, and the peer each is bound to.
#[derive(Debug, Default)]
pub struct Bindings {
    links: BTreeMap<LinkId, Link>,
}

impl Bindings {
    /// A link came up: it leads to nobody yet.
    pub fn up(&mut self, link: LinkId, role: Role, max_frame: usize) {
        self.links.insert(link, Link { role, max_frame, peer: None, distrusted: None });
    }

    /// A link is gone; the peer it was bound to.
    pub fn down(&mut self, link: LinkId) -> Option<PeerId> {
        self.links.remove(&link)?.peer.map(|(peer, _)| peer)
    }

    /// Binds a link on the word of a verified announce with TTL 7 that was first heard over `first_heard`;
    /// true when the binding is new.
    pub fn bind(&mut self, link: LinkId, peer: PeerId, first_heard: LinkId, now: Instant) -> bool {
        if link != first_heard && self.peer_of(first_heard) != Some(peer) {
            return false;
        }
        let Some(entry) = self.links.get_mut(&link) else { return false };
        let distrusted =
            entry.distrusted.is_some_and(|(who, since)| who == peer && now.since(since) < BINDING_DISTRUST);
        let taken = entry
            .peer
            .is_some_and(|(bound, since)| bound == peer || now.since(since) < REBIND_COOLDOWN);
        if distrusted || taken {
            return false;
        }
        entry.peer = Some((peer, now));
        true
    }

    /// An answer did not come over the links bound to this peer: for 60 s they are not taken for its links.
    pub fn distrust(&mut self, peer: PeerId, now: Instant) {
        for entry in self.links.values_mut().filter(|entry| is_bound(entry, peer)) {
            entry.peer = None;
            entry.distrusted = Some((peer, now));
        }
    }

    /// The peer a link is bound to.
    pub fn peer_of(&self, link: LinkId) -> Option<PeerId> {
        self.links.get(&link)?.peer.map(|(peer, _)| peer)
    }

    /// The links bound to a peer.
    pub fn links_of(&self, peer: PeerId) -> Vec<LinkId> {
        self.links.iter().filter(|(_, entry)| is_bound(entry, peer)).map(|(&link, _)| link).collect()
    }

    /// The longest frame a link carries.
    pub fn max_frame(&self, link: LinkId) -> Option<usize> {
        self.links.get(&link).map(|entry| entry.max_frame)
    }

    /// Every link, as the fan-out sees it.
    pub fn candidates(&self) -> Vec<Candidate> {
        self.links
            .iter()
            .map(|(&link, entry)| Candidate {
                link,
                role: entry.role,
                peer: entry.peer.map(|(peer, _)| peer),
            })
            .collect()
    }

    /// How many neighbours there are: peers with a link, and links that lead to nobody known (spec 4.2).
    pub fn degree(&self) -> usize {
        let peers: std::collections::BTreeSet<PeerId> =
            self.links.values().filter_map(|entry| entry.peer.map(|(peer, _)| peer)).collect();
        peers.len() + self.links.values().filter(|entry| entry.peer.is_none()).count()
    }

    /// The neighbours, for the announce's list.
    pub fn neighbours(&self) -> Vec<PeerId> {
        let peers: std::collections::BTreeSet<PeerId> =
            self.links.values().filter_map(|entry| entry.peer.map(|(peer, _)| peer)).collect();
        peers.into_iter().collect()
    }

    /// Whether any link is up.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }
}

fn is_bound(entry: &Link, peer: PeerId) -> bool {
    entry.peer.is_some_and(|(bound, _)| bound == peer)
}
