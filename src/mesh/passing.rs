//! What of others goes on from here: planned when it has passed the checks, sent when its wait is over (spec 4.2, 4.4).

use std::collections::BTreeSet;

use super::config::ORIGIN_TTL;
use super::dedup::Key;
use super::engine::Engine;
use super::error::DropReason;
use super::fanout::Choice;
use super::ingress::{Arrival, Via};
use super::relay::{Hop, Policy};
use crate::ids::{LinkId, PeerId};
use crate::time::Now;
use crate::wire::{Packet, PacketType, Received};

impl Engine {
    /// A copy of a packet we know: whoever sent it has it; and an announce may still bind its link.
    pub(super) fn heard_again(&mut self, key: Key, received: &Received, arrival: Arrival, now: Now) {
        let Some(link) = arrival.link else { return };
        let mut heard: BTreeSet<LinkId> = BTreeSet::from([link]);
        if let Some(peer) = self.bindings.peer_of(link) {
            heard.extend(self.bindings.links_of(peer));
        }
        let rules = (self.config.policy, self.bindings.degree());
        if self.relays.heard_again(key, received.bytes(), &heard, rules) {
            self.counters.relays_cancelled += 1;
        }
        let packet = received.packet();
        if packet.packet_type == PacketType::Announce
            && let Some(first) = self.peers.first_heard(packet.sender, packet.id())
            && self.bind(link, packet.sender, first, arrival, now)
        {
            self.emit_peer(packet.sender, now);
        }
    }

    /// Plans the relay of a packet that passed.
    pub(super) fn pass_on(
        &mut self,
        key: Key,
        received: &Received,
        arrival: Arrival,
        now: Now,
    ) -> Result<(), DropReason> {
        let Some(hop) = self.hop(received.packet(), arrival) else { return Ok(()) };
        let links = self.onward(key, received.packet(), arrival);
        if links.is_empty() {
            return Ok(());
        }
        let due = now.instant + hop.wait;
        let policy = self.config.policy;
        let planned = self.relays.schedule(key, received.relayed(hop.ttl), links, due, policy);
        if planned { Ok(()) } else { Err(DropReason::RelayQueueFull) }
    }

    /// Whether and how it goes on. Whoever brought a packet has lowered its TTL; the fragments of one that was put
    /// together were passed on themselves.
    fn hop(&mut self, packet: &Packet, arrival: Arrival) -> Option<Hop> {
        if arrival.via != Via::Transport && arrival.fragments > 0 {
            return None;
        }
        let ttl = arrival.ttl.min(ORIGIN_TTL - 1);
        let came = if arrival.via == Via::Transport {
            Packet { ttl: ttl + 1, ..packet.clone() }
        } else {
            packet.clone()
        };
        let degree = self.bindings.degree();
        self.config.policy.hop(&came, self.me, degree, &mut self.rng)
    }

    fn onward(&self, key: Key, packet: &Packet, arrival: Arrival) -> BTreeSet<LinkId> {
        let candidates = self.bindings.candidates();
        let policy = self.config.policy;
        let neighbour = arrival.link.and_then(|link| self.bindings.peer_of(link));
        let has_it: Vec<PeerId> = match policy {
            Policy::Hopline => neighbour.into_iter().chain([packet.sender]).collect(),
            Policy::Ios => neighbour.into_iter().collect(),
            Policy::Android => vec![packet.sender],
        };
        let (ingress, packet_type) = (arrival.link, packet.packet_type);
        let choice = Choice { policy, key, packet_type, ingress, has_it: &has_it };
        match packet.recipient.filter(|_| !packet.is_broadcast()) {
            Some(recipient) => choice.directed(recipient, &candidates),
            None => choice.broadcast(&candidates),
        }
    }

    pub(super) fn send_due_relays(&mut self, now: Now) {
        while let Some(relay) = self.relays.pop_due(now.instant) {
            self.counters.relayed += 1;
            if let Ok(received) = Received::decode(&relay.frame) {
                self.transmit(received.packet(), &relay.frame, relay.links, now);
            }
        }
    }
}
