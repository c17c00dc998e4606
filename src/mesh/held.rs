//! Public messages of people whose announce has not come yet: kept for a moment, shown once it has.

use std::collections::VecDeque;
use std::time::Duration;

use super::ingress::Via;
use crate::ids::PeerId;
use crate::time::Instant;
use crate::wire::Received;

/// Messages kept at once; the oldest goes first.
const MAX_HELD: usize = 64;
/// Bytes of one message worth keeping, as it came and as it is.
const MAX_BYTES: usize = 64 * 1024;
/// How long one is kept: announces come at least every 38 s (spec 4.6).
const PATIENCE: Duration = Duration::from_secs(60);

/// One message, with what was known of its arrival.
#[derive(Debug)]
pub(super) struct HeldPacket {
    /// The packet as it came.
    pub(super) received: Received,
    /// The TTL it arrived with.
    pub(super) ttl: u8,
    /// Over how many fragments it came.
    pub(super) fragments: u16,
    /// Which way it came.
    pub(super) via: Via,
    since: Instant,
}

/// The messages kept, oldest first.
#[derive(Debug, Default)]
pub(super) struct Held {
    packets: VecDeque<HeldPacket>,
}

impl Held {
    /// Keeps a packet whose signature cannot be checked yet.
    pub(super) fn add(&mut self, received: Received, (ttl, fragments, via): (u8, u16, Via), now: Instant) {
        if received.bytes().len().max(received.packet().payload.len()) > MAX_BYTES {
            return;
        }
        if self.packets.len() >= MAX_HELD {
            self.packets.pop_front();
        }
        self.packets.push_back(HeldPacket { received, ttl, fragments, via, since: now });
    }

    /// Everything kept of one sender, still fresh.
    pub(super) fn take(&mut self, sender: PeerId, now: Instant) -> Vec<HeldPacket> {
        self.packets.retain(|held| now.since(held.since) < PATIENCE);
        let (theirs, others) = std::mem::take(&mut self.packets)
            .into_iter()
            .partition::<Vec<_>, _>(|held| held.received.packet().sender == sender);
        self.packets = others.into();
        theirs
    }
}
