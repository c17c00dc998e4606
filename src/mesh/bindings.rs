//! Which link leads to which peer. A binding is a hint, never proof: the TTL is outside the signature, so a
//! neighbour can replay someone's announce as if it were that peer's own link. A link over which the peer spoke in its
//! session since is better than that: at least the peer is there, and the neighbour passes its packets on.

use std::collections::BTreeMap;

use super::config::BINDING_DISTRUST;
use super::fanout::Candidate;
use crate::ids::{LinkId, PeerId};
use crate::link::event::Role;
use crate::time::Instant;

/// How long a link stays bound to one peer before another, to whom no link leads, may take it over (spec 1.6).
const REBIND_COOLDOWN: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Debug)]
struct Link {
    role: Role,
    max_frame: usize,
    peer: Option<(PeerId, Instant)>,
    /// That peer spoke in its session over this link since it was bound.
    proven: bool,
    distrusted: Option<(PeerId, Instant)>,
}

/// Every link that is up, and the peer each is bound to.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    links: BTreeMap<LinkId, Link>,
}

impl Bindings {
    /// A link came up: it leads to nobody yet.
    pub(super) fn up(&mut self, link: LinkId, role: Role, max_frame: usize) {
        self.links.insert(link, Link { role, max_frame, peer: None, proven: false, distrusted: None });
    }

    /// A link is gone; the peer it was bound to.
    pub(super) fn down(&mut self, link: LinkId) -> Option<PeerId> {
        self.links.remove(&link)?.peer.map(|(peer, _)| peer)
    }

    /// Binds a link on the word of a verified announce with TTL 7 that was first heard over `first_heard`;
    /// true when the binding is new.
    pub(super) fn bind(&mut self, link: LinkId, peer: PeerId, first_heard: LinkId, now: Instant) -> bool {
        if link != first_heard && self.peer_of(first_heard) != Some(peer) {
            return false;
        }
        let has_a_link = self.is_neighbour(peer);
        let Some(entry) = self.links.get_mut(&link) else { return false };
        let distrusted =
            entry.distrusted.is_some_and(|(who, since)| who == peer && now.since(since) < BINDING_DISTRUST);
        let taken = entry
            .peer
            .is_some_and(|(bound, since)| bound == peer || has_a_link || now.since(since) < REBIND_COOLDOWN);
        if distrusted || taken {
            return false;
        }
        (entry.peer, entry.proven) = (Some((peer, now)), false);
        true
    }

    /// An answer did not come over the links bound to this peer: for 60 s they are not taken for its links.
    pub(super) fn distrust(&mut self, peer: PeerId, now: Instant) {
        for entry in self.links.values_mut().filter(|entry| is_bound(entry, peer)) {
            (entry.peer, entry.proven) = (None, false);
            entry.distrusted = Some((peer, now));
        }
    }

    /// A peer spoke in its session over this link; true when the link is bound to it and that is news.
    pub(super) fn prove(&mut self, link: LinkId, peer: PeerId) -> bool {
        let entry = self.links.get_mut(&link).filter(|entry| is_bound(entry, peer));
        entry.is_some_and(|entry| !std::mem::replace(&mut entry.proven, true))
    }

    /// Whether this peer spoke in its session over a link that is bound to it.
    pub(super) fn is_proven(&self, peer: PeerId) -> bool {
        self.links.values().any(|entry| entry.proven && is_bound(entry, peer))
    }

    /// Since when a link is bound to this peer.
    pub(super) fn bound_since(&self, peer: PeerId) -> Option<Instant> {
        self.links
            .values()
            .filter(|entry| is_bound(entry, peer))
            .filter_map(|entry| Some(entry.peer?.1))
            .min()
    }

    /// The peer a link is bound to.
    pub(super) fn peer_of(&self, link: LinkId) -> Option<PeerId> {
        self.links.get(&link)?.peer.map(|(peer, _)| peer)
    }

    /// The links bound to a peer.
    pub(super) fn links_of(&self, peer: PeerId) -> Vec<LinkId> {
        self.links.iter().filter(|(_, entry)| is_bound(entry, peer)).map(|(&link, _)| link).collect()
    }

    /// The longest frame a link carries.
    pub(super) fn max_frame(&self, link: LinkId) -> Option<usize> {
        self.links.get(&link).map(|entry| entry.max_frame)
    }

    /// Every link, as the fan-out sees it.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
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
    pub(super) fn degree(&self) -> usize {
        self.neighbours().len() + self.links.values().filter(|entry| entry.peer.is_none()).count()
    }

    /// The neighbours, for the announce's list.
    pub(super) fn neighbours(&self) -> Vec<PeerId> {
        let peers: std::collections::BTreeSet<PeerId> =
            self.links.values().filter_map(|entry| entry.peer.map(|(peer, _)| peer)).collect();
        peers.into_iter().collect()
    }

    /// Whether any link leads to somebody known.
    pub(super) fn any_bound(&self) -> bool {
        self.links.values().any(|entry| entry.peer.is_some())
    }

    /// Whether any link leads to this peer.
    pub(super) fn is_neighbour(&self, peer: PeerId) -> bool {
        self.links.values().any(|entry| is_bound(entry, peer))
    }

    /// Whether any link is up.
    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }
}

fn is_bound(entry: &Link, peer: PeerId) -> bool {
    entry.peer.is_some_and(|(bound, _)| bound == peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;
    use std::time::Duration;

    const ALICE: PeerId = PeerId([1; 8]);
    const MALLORY: PeerId = PeerId([9; 8]);

    fn link(serial: u32) -> LinkId {
        LinkId { adapter: AdapterId(0), serial }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn two_links() -> Bindings {
        let mut bindings = Bindings::default();
        bindings.up(link(1), Role::Central, 512);
        bindings.up(link(2), Role::Peripheral, 512);
        bindings
    }

    #[test]
    fn the_link_on_which_an_announce_was_first_heard_is_bound() {
        let mut bindings = two_links();
        assert!(bindings.bind(link(1), ALICE, link(1), at(0)));
        assert_eq!(bindings.links_of(ALICE), [link(1)]);
    }

    #[test]
    fn a_second_link_is_bound_only_when_the_first_leads_to_the_same_peer() {
        let mut bindings = two_links();
        assert!(!bindings.bind(link(2), ALICE, link(1), at(0)), "link 1 leads to nobody known");
        assert!(bindings.bind(link(1), ALICE, link(1), at(0)));
        assert!(bindings.bind(link(2), ALICE, link(1), at(0)));
        assert_eq!(bindings.links_of(ALICE), [link(1), link(2)]);
    }

    #[test]
    fn a_bound_link_cannot_be_taken_over_for_a_minute() {
        let mut bindings = two_links();
        assert!(bindings.bind(link(1), ALICE, link(1), at(0)));
        assert!(!bindings.bind(link(1), MALLORY, link(1), at(59)));
        assert!(bindings.bind(link(1), MALLORY, link(1), at(60)));
    }

    #[test]
    fn a_bound_link_is_never_taken_over_for_a_peer_who_has_one() {
        let mut bindings = two_links();
        assert!(bindings.bind(link(1), MALLORY, link(1), at(0)));
        assert!(bindings.bind(link(2), ALICE, link(2), at(0)));
        assert!(!bindings.bind(link(1), ALICE, link(1), at(100)));
        bindings.down(link(2));
        assert!(bindings.bind(link(1), ALICE, link(1), at(100)));
    }

    #[test]
    fn a_distrusted_binding_stays_away_for_a_minute() {
        let mut bindings = two_links();
        assert!(bindings.bind(link(1), ALICE, link(1), at(0)));
        bindings.distrust(ALICE, at(10));
        assert_eq!(bindings.links_of(ALICE), []);
        assert!(!bindings.bind(link(1), ALICE, link(1), at(69)));
        assert!(bindings.bind(link(1), ALICE, link(1), at(70)));
    }

    #[test]
    fn a_link_is_proven_for_the_peer_it_is_bound_to_until_it_is_bound_anew() {
        let mut bindings = two_links();
        assert!(!bindings.prove(link(1), ALICE), "it leads to nobody known");
        assert!(bindings.bind(link(1), ALICE, link(1), at(5)));
        assert!(
            !bindings.is_proven(ALICE)
                && !bindings.prove(link(1), MALLORY)
                && !bindings.prove(link(2), ALICE)
        );
        assert!(
            bindings.prove(link(1), ALICE) && !bindings.prove(link(1), ALICE) && bindings.is_proven(ALICE)
        );
        assert_eq!(bindings.bound_since(ALICE), Some(at(5)));
        assert!(bindings.bind(link(1), MALLORY, link(1), at(65)));
        assert!(!bindings.is_proven(ALICE) && !bindings.is_proven(MALLORY));
        assert!(bindings.prove(link(1), MALLORY));
        bindings.distrust(MALLORY, at(70));
        assert!(!bindings.is_proven(MALLORY));
    }

    #[test]
    fn neighbours_are_counted_once_however_many_links_lead_to_them() {
        let mut bindings = two_links();
        assert_eq!(bindings.degree(), 2);
        bindings.bind(link(1), ALICE, link(1), at(0));
        bindings.bind(link(2), ALICE, link(1), at(0));
        assert_eq!(bindings.degree(), 1);
        assert_eq!(bindings.neighbours(), [ALICE]);
    }
}
