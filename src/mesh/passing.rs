//! What of others goes on from here: planned when it has passed the checks, sent when its wait is over (spec 4.2, 4.4).

use std::collections::BTreeSet;
use std::time::Duration;

use super::config::ORIGIN_TTL;
use super::dedup::Key;
use super::engine::Engine;
use super::error::DropReason;
use super::fanout::Choice;
use super::ingress::{Arrival, Via};
use super::limits::From;
use super::relay::{Hop, Policy, Relay, ends_here};
use super::routes::next_hop;
use super::spool::Spooled;
use crate::ids::{LinkId, PeerId};
use crate::time::Now;
use crate::wire::{Packet, PacketType, Received};

/// Between two packets that waited for the same link.
const SPOOL_GAP: Duration = Duration::from_millis(10);

impl Engine {
    /// A copy of a packet we know: whoever sent it has it; and an announce may still bind its link.
    pub(super) fn heard_again(&mut self, key: Key, received: &Received, arrival: Arrival, now: Now) {
        let Some(link) = arrival.link else { return };
        if let Some((first, proven)) = self.refused.comes_again(key, received.packet()) {
            if let Err(reason) = self.pass_on(key, received, arrival, proven, now) {
                self.counters.drop(reason);
            }
            self.spare(key, received, first);
        }
        self.spare(key, received, link);
        self.spool.heard_again(key, received.bytes(), link);
        let packet = received.packet();
        if packet.packet_type == PacketType::Announce
            && let Some(first) = self.peers.first_heard(packet.sender, packet.id())
            && self.bind(link, packet.sender, first, arrival, now)
        {
            self.emit_peer(packet.sender, now);
        }
    }

    /// Whoever is at the other end of a link has a packet, and need not be sent it.
    fn spare(&mut self, key: Key, received: &Received, link: LinkId) {
        if !self.relays.waits(key) {
            return;
        }
        let mut heard: BTreeSet<LinkId> = BTreeSet::from([link]);
        if let Some(peer) = self.bindings.peer_of(link) {
            heard.extend(self.bindings.links_of(peer));
        }
        let rules = (self.config.policy, self.bindings.degree());
        if self.relays.heard_again(key, received.bytes(), &heard, rules) {
            self.counters.relays_cancelled += 1;
        }
    }

    /// Plans the relay of a packet that passed.
    pub(super) fn pass_on(
        &mut self,
        key: Key,
        received: &Received,
        arrival: Arrival,
        proven: bool,
        now: Now,
    ) -> Result<(), DropReason> {
        let packet = received.packet();
        let Some(hop) = self.hop(packet, arrival) else {
            if let Some(link) = arrival.link
                && self.is_spent(packet, arrival)
            {
                self.refused.add(key, packet, (link, proven));
            }
            return Ok(());
        };
        let neighbour = arrival.link.and_then(|link| self.bindings.peer_of(link));
        let links = self.onward(key, packet, arrival.link, neighbour);
        if links.is_empty() && !self.spools(packet) {
            return Ok(());
        }
        let (frame, ingress, due) = (received.relayed(hop.ttl), arrival.link, now.instant + hop.wait);
        let relay = Relay { frame, links, ingress, proven, due, without_air: None };
        let planned = self.plan(key, relay, (packet.sender, neighbour), now);
        let Some(link) = ingress else { return planned };
        match planned {
            Ok(()) if self.config.policy == Policy::Hopline => {
                self.refused.goes_on(key, packet, (link, proven), hop.ttl);
            }
            Ok(()) => self.refused.goes_on(key, packet, (link, proven), ORIGIN_TTL),
            Err(DropReason::RelayRate | DropReason::RelayQueueFull) => {
                self.refused.add(key, packet, (link, proven));
            }
            Err(_) => {}
        }
        planned
    }

    /// A relay waits for its turn, or where no link leads on, for a link.
    fn plan(
        &mut self,
        key: Key,
        relay: Relay,
        (sender, neighbour): (PeerId, Option<PeerId>),
        now: Now,
    ) -> Result<(), DropReason> {
        if let Some(link) = relay.ingress
            && !self.admits(link, sender, relay.proven, now)
        {
            return Err(DropReason::RelayRate);
        }
        if relay.links.is_empty() {
            let Relay { frame, ingress, proven, .. } = relay;
            let (since, heard) = (now.instant, BTreeSet::new());
            let all_kept = self.spool.add(Spooled { key, frame, ingress, neighbour, proven, since, heard });
            self.counters.spooled += u64::from(self.spool.holds(key));
            return if all_kept { Ok(()) } else { Err(DropReason::SpoolFull) };
        }
        let planned = self.relays.schedule(key, relay, self.config.policy);
        if planned { Ok(()) } else { Err(DropReason::RelayQueueFull) }
    }

    fn admits(&mut self, link: LinkId, sender: PeerId, proven: bool, now: Now) -> bool {
        let from = match proven {
            true if self.peers.is_contact(sender) => From::Contact(sender),
            true => From::Verified(sender),
            false => From::Anybody,
        };
        self.limits.admits(link, from, now.instant)
    }

    /// Whether and how it goes on. Whoever brought a packet has lowered its TTL; the fragments of one that was put
    /// together were passed on themselves.
    fn hop(&mut self, packet: &Packet, arrival: Arrival) -> Option<Hop> {
        if arrival.via != Via::Transport && arrival.fragments > 0 {
            return None;
        }
        let ttl = match arrival.via {
            Via::Transport => arrival.ttl.min(ORIGIN_TTL - 1) + 1,
            Via::Mesh | Via::Sync => packet.ttl,
        };
        let degree = self.bindings.degree();
        self.config.policy.hop(packet, ttl, (self.me, degree), &mut self.rng)
    }

    /// Whether it is only this copy that does not go on.
    fn is_spent(&self, packet: &Packet, arrival: Arrival) -> bool {
        let whole = arrival.fragments == 0 && !ends_here(packet, self.me);
        // The phones look no further at what they have heard before.
        whole && self.config.policy == Policy::Hopline && self.config.policy.is_spent(packet, packet.ttl)
    }

    /// Whether a packet that no link leads on to is kept: not when its recipient is whoever sent it here.
    fn spools(&self, packet: &Packet) -> bool {
        let beside = |recipient| self.bindings.is_neighbour(recipient);
        self.config.policy.spools(packet) && !packet.recipient.is_some_and(beside)
    }

    /// A link leads to somebody: what waited for one and may go over it does, one after the other.
    pub(super) fn send_spooled(&mut self, now: Now) {
        let mut spool = std::mem::take(&mut self.spool);
        let ready = spool.take(now.instant, |packet| self.onward_from_spool(packet));
        self.spool = spool;
        let mut due = now.instant;
        for (Spooled { key, frame, ingress, proven, .. }, links) in ready {
            let ingress = ingress.filter(|&link| self.bindings.max_frame(link).is_some());
            let relay = Relay { frame, links, ingress, proven, due, without_air: None };
            match self.relays.schedule(key, relay, self.config.policy) {
                true => self.counters.unspooled += 1,
                false => self.counters.drop(DropReason::RelayQueueFull),
            }
            due = due + SPOOL_GAP;
        }
    }

    fn onward_from_spool(&self, packet: &Spooled) -> BTreeSet<LinkId> {
        let Spooled { key, frame, ingress, neighbour, .. } = packet;
        let bound = ingress.and_then(|link| self.bindings.peer_of(link));
        let onward = |packet: Packet| self.onward(*key, &packet, *ingress, bound.or(*neighbour));
        Received::head(frame).map(onward).unwrap_or_default()
    }

    /// The links for a packet that came over `ingress` from `neighbour`.
    fn onward(
        &self,
        key: Key,
        packet: &Packet,
        ingress: Option<LinkId>,
        neighbour: Option<PeerId>,
    ) -> BTreeSet<LinkId> {
        let candidates = self.bindings.candidates();
        let policy = self.config.policy;
        let has_it: Vec<PeerId> = match policy {
            Policy::Hopline => neighbour.into_iter().chain([packet.sender]).collect(),
            Policy::Ios => neighbour.into_iter().collect(),
            Policy::Android => vec![packet.sender],
        };
        let packet_type = packet.packet_type;
        let choice = Choice { policy, key, packet_type, ingress, has_it: &has_it };
        if let Some(next) = next_hop(packet, self.me, neighbour) {
            let bound: Vec<_> = candidates.iter().filter(|it| it.peer == Some(next)).copied().collect();
            let links = choice.directed(next, &bound);
            if !links.is_empty() {
                return links;
            }
        }
        match packet.recipient.filter(|_| !packet.is_broadcast()) {
            Some(recipient) => choice.directed(recipient, &candidates),
            None => choice.broadcast(&candidates),
        }
    }

    pub(super) fn send_due_relays(&mut self, now: Now) {
        while let Some((key, mut relay)) = self.relays.pop_due(now.instant) {
            let (frame, ingress) = (relay.frame.clone(), relay.ingress);
            let Ok(packet) = Received::head(&frame) else { continue };
            let mut again = None;
            let (links, busy) = std::mem::take(&mut relay.links).into_iter().partition(|&link| {
                let admitted = self.airtime.admits(link, frame.len(), relay.proven, now.instant);
                again = again.into_iter().chain(admitted.err()).min();
                admitted.is_ok()
            });
            let waits = again.is_some_and(|due| {
                let relay = Relay { links: busy, due, ..relay };
                // What was for everyone neighbours tell each other when they miss it, and nothing else.
                !packet.is_broadcast() && self.relays.wait(key, relay, now.instant)
            });
            if again.is_some() && !waits {
                self.counters.drop(DropReason::Airtime);
            }
            if links.is_empty() {
                continue;
            }
            self.counters.relayed += u64::from(!waits);
            if self.transmit(&packet, &frame, links, ingress, now).is_none() {
                self.counters.drop(DropReason::RelayQueueFull);
            }
        }
    }
}
