//! Whether, when and with what TTL a packet of somebody else is passed on (spec 4.2).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use rand_core::RngCore;

use super::config::ORIGIN_TTL;
use super::dedup::Key;
use super::random;
use crate::ids::{LinkId, PeerId};
use crate::link::event::Priority;
use crate::time::Instant;
use crate::wire::{Packet, PacketType};

/// Relays waiting for their jitter at once; a further one is dropped (spec 4.2).
const MAX_PENDING: usize = 512;

/// The TTL a packet is passed on with, or `None` when it goes no further.
///
/// A packet with TTL 1 has arrived at its last hop; a TTL above 7 counts as 7. Sync requests and replies
/// (TTL 0) belong to one link only.
pub(super) fn relay_ttl(packet: &Packet, me: PeerId) -> Option<u8> {
    let mine = packet.sender == me || packet.recipient == Some(me);
    if mine || packet.packet_type == PacketType::RequestSync || packet.rsr || packet.ttl <= 1 {
        return None;
    }
    Some(packet.ttl.min(ORIGIN_TTL) - 1)
}

/// How long to wait before passing a packet on, in milliseconds: neighbours who would all answer at once spread
/// out, and who hears the packet meanwhile need not be sent it (spec 4.2).
fn jitter_ms(packet: &Packet, degree: usize) -> RangeInclusive<u64> {
    match (packet.packet_type, packet.is_broadcast()) {
        (PacketType::NoiseHandshake, _) => 10..=35,
        (_, false) => 20..=60,
        (PacketType::Fragment | PacketType::VoiceFrame, true) => 8..=25,
        (_, true) => match degree {
            0..=2 => 10..=40,
            3..=5 => 60..=150,
            6..=9 => 80..=180,
            _ => 100..=220,
        },
    }
}

/// One packet about to be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relay {
    /// The bytes as they came, but for the TTL.
    pub(super) frame: Bytes,
    /// The links that do not have it yet.
    pub(super) links: BTreeSet<LinkId>,
    /// Before or after what else waits on the link.
    pub(super) priority: Priority,
    due: Instant,
}

/// The packets waiting for their jitter.
#[derive(Debug, Default)]
pub(super) struct Relays {
    pending: BTreeMap<Key, Relay>,
}

impl Relays {
    /// Plans to pass a frame on over `links`; false when too many wait.
    pub(super) fn schedule(
        &mut self,
        key: Key,
        packet: &Packet,
        (frame, links): (Bytes, BTreeSet<LinkId>),
        degree: usize,
        now: Instant,
        rng: &mut impl RngCore,
    ) -> bool {
        if self.pending.len() >= MAX_PENDING {
            return false;
        }
        let due = now + Duration::from_millis(random::within(rng, jitter_ms(packet, degree)));
        let priority = super::egress::priority_of(packet.packet_type);
        self.pending.insert(key, Relay { frame, links, priority, due });
        true
    }

    /// A copy arrived over `heard`: those links have the packet. True when nobody is left to send it to.
    ///
    /// Only the very same bytes count (the TTL aside): a copy somebody altered cancels nothing.
    pub(super) fn heard_again(&mut self, key: Key, frame: &[u8], heard: &BTreeSet<LinkId>) -> bool {
        let Some(relay) = self.pending.get_mut(&key) else { return false };
        if !same_but_ttl(&relay.frame, frame) {
            return false;
        }
        relay.links.retain(|link| !heard.contains(link));
        let done = relay.links.is_empty();
        if done {
            self.pending.remove(&key);
        }
        done
    }

    /// Forgets a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        self.pending.retain(|_, relay| {
            relay.links.remove(&link);
            !relay.links.is_empty()
        });
    }

    /// The next relay whose time has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Relay> {
        let (&key, _) = self.pending.iter().find(|(_, relay)| relay.due <= now)?;
        self.pending.remove(&key)
    }

    /// When the next relay is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pending.values().map(|relay| relay.due).min()
    }
}

/// The TTL is byte 2 (spec 2.1).
fn same_but_ttl(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).enumerate().all(|(offset, (x, y))| x == y || offset == 2)
}
