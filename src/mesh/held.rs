//! Public messages of people whose announce has not come yet: kept for a moment, shown once it has.

use std::time::Duration;

use super::fair::Fair;
use super::ingress::Arrival;
use crate::ids::{LinkId, PeerId};
use crate::time::Instant;
use crate::wire::Received;

/// Messages kept at once; the link that brought the most of them loses its oldest.
const MAX_HELD: usize = 64;
/// Bytes of one message worth keeping, as it came and as it is.
const MAX_BYTES: usize = 64 * 1024;
/// How long one is kept: an iOS app announces itself at least every 38 s (spec 4.6).
const PATIENCE: Duration = Duration::from_secs(60);

/// One message, with what was known of its arrival.
#[derive(Debug)]
pub(super) struct HeldPacket {
    /// The packet as it came.
    pub(super) received: Received,
    /// How it came.
    pub(super) arrival: Arrival,
    since: Instant,
}

/// The messages kept, oldest first.
#[derive(Debug)]
pub(super) struct Held {
    packets: Fair<Option<LinkId>, HeldPacket>,
}

impl Default for Held {
    fn default() -> Self {
        Self { packets: Fair::new(MAX_HELD) }
    }
}

impl Held {
    /// Keeps a packet whose signature cannot be checked yet.
    pub(super) fn add(&mut self, received: Received, arrival: Arrival, now: Instant) {
        if received.bytes().len().max(received.packet().payload.len()) > MAX_BYTES {
            return;
        }
        self.packets.push(arrival.link, HeldPacket { received, arrival, since: now });
    }

    /// Everything kept of one sender, still fresh.
    pub(super) fn take(&mut self, sender: PeerId, now: Instant) -> Vec<HeldPacket> {
        self.packets.take(|_, held| now.since(held.since) >= PATIENCE);
        self.packets.take(|_, held| held.received.packet().sender == sender)
    }
}
