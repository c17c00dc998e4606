//! Source routes: a packet for one peer goes along a chosen path instead of everywhere (spec 3.17, 4.5).
//!
//! A route is only ever a shortcut. Where it cannot be followed, the packet floods on from there; and when a peer
//! does not answer along a route, what it is sent floods from the start for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::engine::Engine;
use super::error::DropReason;
use super::topology::View;
use crate::ids::PeerId;
use crate::time::{Instant, Now};
use crate::wire::{Capabilities, Packet, PacketType, Version};

/// The longest route originated (spec 3.17).
const MAX_HOPS: usize = 4;
/// How long an answer may take before the route is taken to be broken (spec 3.17).
const PATIENCE: Duration = Duration::from_secs(10);
/// What is longer goes in many pieces, and its answer tells nothing of the route in so short a time.
const LONG: usize = 4_096;
/// For how long there are no routes to a peer that did not answer (spec 3.17).
const BARRED: Duration = Duration::from_secs(60);
/// Peers whose routes are watched at once; a further one is sent nothing along a route.
const MAX_WATCHED: usize = 256;
/// Peers remembered to speak version 2.
const MAX_SPEAKERS: usize = 1_024;

/// Which routes hold.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// Who was heard to speak version 2.
    speakers: BTreeSet<PeerId>,
    /// Since when an answer along a route is awaited.
    awaiting: BTreeMap<PeerId, Instant>,
    /// Until when there is no route to a peer.
    barred: BTreeMap<PeerId, Instant>,
}

impl Routes {
    /// A packet of this peer, certainly its own, was of version 2.
    pub(super) fn speaks_v2(&mut self, peer: PeerId) {
        if self.speakers.len() < MAX_SPEAKERS {
            self.speakers.insert(peer);
        }
    }

    /// Whether a packet may go along a route to this peer; from here on an answer is awaited.
    fn try_one(&mut self, peer: PeerId, now: Instant) -> bool {
        self.expire(now);
        let known = self.awaiting.contains_key(&peer);
        if self.barred.contains_key(&peer) || (!known && self.awaiting.len() >= MAX_WATCHED) {
            return false;
        }
        self.awaiting.entry(peer).or_insert(now);
        true
    }

    /// Something that only this peer can have made came from it.
    pub(super) fn answered(&mut self, peer: PeerId) {
        self.awaiting.remove(&peer);
    }

    /// What was sent to this peer went unanswered; no routes to it for a while, if one was used.
    pub(super) fn unanswered(&mut self, peer: PeerId, now: Instant) {
        if self.awaiting.contains_key(&peer) {
            self.bar(peer, now);
        }
    }

    /// No routes to this peer for a while.
    pub(super) fn bar(&mut self, peer: PeerId, now: Instant) {
        self.awaiting.remove(&peer);
        if self.barred.len() < MAX_WATCHED {
            self.barred.insert(peer, now + BARRED);
        }
    }

    /// Bars the routes that were not answered in time, and frees those barred long enough.
    pub(super) fn expire(&mut self, now: Instant) {
        self.barred.retain(|_, until| *until > now);
        let overdue = self.awaiting.iter().filter(|(_, since)| now.since(**since) >= PATIENCE);
        for peer in overdue.map(|(&peer, _)| peer).collect::<Vec<_>>() {
            self.unanswered(peer, now);
        }
    }

    /// When the next answer is overdue.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.awaiting.values().map(|&since| since + PATIENCE).min()
    }
}

/// A route that visits a node twice, or one of its own ends, leads nowhere (spec 4.5).
pub(super) fn check(packet: &Packet) -> Result<(), DropReason> {
    let mut seen: BTreeSet<PeerId> = packet.recipient.into_iter().chain([packet.sender]).collect();
    if packet.route.iter().all(|&hop| seen.insert(hop)) { Ok(()) } else { Err(DropReason::Route) }
}

/// The peer a routed packet goes to next from here; `None` when it has no route, or floods already.
///
/// Who is not in the route and has the packet from its sender may lead it onto the route; from anybody else it came by
/// flooding, and floods on.
pub(super) fn next_hop(packet: &Packet, me: PeerId, from: Option<PeerId>) -> Option<PeerId> {
    match packet.route.iter().position(|&hop| hop == me) {
        Some(here) => packet.route.get(here + 1).copied().or(packet.recipient),
        None if from == Some(packet.sender) => packet.route.first().copied(),
        None => None,
    }
}

impl Engine {
    /// The topology with this node in it.
    pub(super) fn view<'a>(&'a self, own: &'a [PeerId], now: Instant) -> View<'a> {
        View { topology: &self.topology, me: self.me, own, now }
    }

    /// The same packet with a route to its recipient, signed over it, when there is a good one; and its first hop.
    pub(super) fn along_route(&mut self, packet: &Packet, now: Now) -> Option<(Packet, PeerId)> {
        let to = packet.recipient?;
        if packet.packet_type != PacketType::NoiseEncrypted {
            return None;
        }
        let own = self.bindings.neighbours();
        if own.contains(&to) || !self.reads_v2(to) {
            return None;
        }
        self.routes.expire(now.instant);
        if self.routes.barred.contains_key(&to) {
            return None;
        }
        let route = self.view(&own, now.instant).path(to, |peer| self.reads_v2(peer))?;
        let first = *route.first().filter(|_| route.len() <= MAX_HOPS)?;
        if packet.payload.len() <= LONG && !self.routes.try_one(to, now.instant) {
            return None;
        }
        let routed = Packet { version: Version::V2, route, signature: None, ..packet.clone() };
        let routed = self.sign(routed).ok()?;
        self.counters.routed += 1;
        Some((routed, first))
    }

    /// Whether a peer was seen to speak version 2, or says that it takes what only version 2 can carry.
    fn reads_v2(&self, peer: PeerId) -> bool {
        // Version 1 has no room for a private file.
        let says = |capabilities: Capabilities| capabilities.contains(Capabilities::PRIVATE_MEDIA);
        self.routes.speakers.contains(&peer)
            || self.peers.get(peer).is_some_and(|peer| says(peer.capabilities))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixMillis;
    use bytes::Bytes;

    fn peer(n: u8) -> PeerId {
        PeerId([n; 8])
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn packet(route: &[u8]) -> Packet {
        Packet {
            version: Version::V2,
            packet_type: PacketType::NoiseEncrypted,
            ttl: 7,
            timestamp: UnixMillis(1),
            sender: peer(1),
            recipient: Some(peer(9)),
            route: route.iter().copied().map(peer).collect(),
            rsr: false,
            payload: Bytes::new(),
            signature: None,
        }
    }

    #[test]
    fn a_hop_passes_it_to_the_next_and_the_last_one_to_the_recipient() {
        let packet = packet(&[2, 3]);
        assert_eq!(next_hop(&packet, peer(2), Some(peer(1))), Some(peer(3)));
        assert_eq!(next_hop(&packet, peer(3), Some(peer(2))), Some(peer(9)));
    }

    #[test]
    fn who_is_not_in_the_route_leads_onto_it_only_what_comes_from_its_sender() {
        let packet = packet(&[2, 3]);
        assert_eq!(next_hop(&packet, peer(7), Some(peer(1))), Some(peer(2)));
        assert_eq!(next_hop(&packet, peer(7), Some(peer(3))), None, "3 could not follow it");
        assert_eq!(next_hop(&packet, peer(7), None), None);
    }

    #[test]
    fn a_route_that_turns_back_is_refused() {
        assert_eq!(check(&packet(&[2, 3])), Ok(()));
        for route in [&[2, 2][..], &[2, 3, 2], &[1], &[2, 9]] {
            assert_eq!(check(&packet(route)), Err(DropReason::Route), "{route:?}");
        }
    }

    #[test]
    fn ten_seconds_of_silence_bar_routes_for_a_minute() {
        let mut routes = Routes::default();
        assert!(routes.try_one(peer(9), at(0)));
        assert!(routes.try_one(peer(9), at(9)));
        assert_eq!(routes.poll_timeout(), Some(at(10)), "the first one counts");
        assert!(!routes.try_one(peer(9), at(10)));
        assert!(!routes.try_one(peer(9), at(69)));
        assert!(routes.try_one(peer(9), at(70)));
    }

    #[test]
    fn an_answer_keeps_the_route_and_a_repeated_sending_gives_it_up_at_once() {
        let mut routes = Routes::default();
        assert!(routes.try_one(peer(9), at(0)));
        routes.answered(peer(9));
        assert!(routes.try_one(peer(9), at(30)));
        routes.unanswered(peer(9), at(35));
        assert!(!routes.try_one(peer(9), at(36)));
        routes.unanswered(peer(8), at(36));
        assert!(routes.try_one(peer(8), at(37)), "no route was used to 8");
    }

    #[test]
    fn the_peers_watched_are_bounded() {
        let mut routes = Routes::default();
        let invented = |n: u64| PeerId(n.to_be_bytes());
        assert_eq!((0..1_000).filter(|&n| routes.try_one(invented(n), at(0))).count(), MAX_WATCHED);
        routes.expire(at(10));
        assert!(routes.barred.len() <= MAX_WATCHED && routes.awaiting.is_empty());
    }
}
