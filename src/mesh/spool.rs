//! Packets of others for one peer that no link leads on to: kept for a minute, and sent when one does (spec 4.4, 4.7).

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::dedup::Key;
use super::fair::Fair;
use super::relay::{LONGEST_WAITING, Policy, same_but_ttl};
use crate::ids::{LinkId, PeerId};
use crate::time::Instant;
use crate::wire::{Packet, PacketType};

/// Packets kept at once, none longer than a link carries: 64 KiB. The link that brought the most of them loses its oldest.
const MAX_SPOOLED: usize = 128;
/// How long one is kept (spec 4.7).
const PATIENCE: Duration = Duration::from_secs(60);
/// Links remembered for each to have brought it again.
const MAX_HEARD: usize = 8;

/// A packet that waits for a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spooled {
    /// What it is known by.
    pub(super) key: Key,
    /// The bytes as they came, but for the TTL.
    pub(super) frame: Bytes,
    /// The link it came over.
    pub(super) ingress: Option<LinkId>,
    /// Who was at the other end of that link.
    pub(super) neighbour: Option<PeerId>,
    /// Whether its signature verified.
    pub(super) proven: bool,
    /// When it came.
    pub(super) since: Instant,
    /// Links over which it was heard again.
    pub(super) heard: BTreeSet<LinkId>,
}

/// The packets that wait for a link.
#[derive(Debug)]
pub(super) struct Spool {
    packets: Fair<Option<LinkId>, Spooled>,
}

impl Default for Spool {
    fn default() -> Self {
        Self { packets: Fair::new(MAX_SPOOLED) }
    }
}

impl Policy {
    /// Whether a packet that no link leads on to is kept for the next one.
    pub(super) fn spools(self, packet: &Packet) -> bool {
        let of_a_session =
            matches!(packet.packet_type, PacketType::NoiseHandshake | PacketType::NoiseEncrypted);
        self != Self::Android && of_a_session && !packet.is_broadcast()
    }
}

impl Spool {
    /// Keeps a packet; false when it, or another one for it, was lost.
    pub(super) fn add(&mut self, packet: Spooled) -> bool {
        if packet.frame.len() > LONGEST_WAITING {
            return false;
        }
        self.expire(packet.since);
        self.packets.push(packet.ingress, packet).is_none()
    }

    /// Whether a packet is kept.
    pub(super) fn holds(&self, key: Key) -> bool {
        self.packets.iter().any(|(_, packet)| packet.key == key)
    }

    /// The very same packet came over a link: whoever is behind that one has it.
    pub(super) fn heard_again(&mut self, key: Key, frame: &[u8], link: LinkId) {
        let is_it = |packet: &&mut Spooled| packet.key == key && same_but_ttl(&packet.frame, frame);
        if let Some(packet) = self.packets.iter_mut().find(is_it)
            && packet.heard.len() < MAX_HEARD
        {
            packet.heard.insert(link);
        }
    }

    /// What now has links to go on over, as `onward` chooses them, in the order in which it came.
    pub(super) fn take(
        &mut self,
        now: Instant,
        onward: impl Fn(&Spooled) -> BTreeSet<LinkId>,
    ) -> Vec<(Spooled, BTreeSet<LinkId>)> {
        self.expire(now);
        let links = |packet: &Spooled| &onward(packet) - &packet.heard;
        let ready = self.packets.take(|_, packet| !links(packet).is_empty());
        ready.into_iter().map(|packet| (packet.clone(), links(&packet))).collect()
    }

    fn expire(&mut self, now: Instant) {
        self.packets.take(|_, packet| now.since(packet.since) >= PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    fn link(serial: u32) -> LinkId {
        LinkId { adapter: AdapterId(0), serial }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn packet(number: u8, ingress: u32, seconds: u64) -> Spooled {
        Spooled {
            key: Key::sample().variant(&[number; 64]),
            frame: vec![1, 2, 7, number].into(),
            ingress: Some(link(ingress)),
            neighbour: None,
            proven: false,
            since: at(seconds),
            heard: BTreeSet::new(),
        }
    }

    fn to(serial: u32) -> impl Fn(&Spooled) -> BTreeSet<LinkId> {
        move |_| BTreeSet::from([link(serial)])
    }

    #[test]
    fn a_packet_waits_for_a_link_goes_once_and_not_after_a_minute() {
        let mut spool = Spool::default();
        assert!(spool.add(packet(1, 1, 0)) && spool.add(packet(2, 1, 30)));
        assert_eq!(spool.take(at(59), |_| BTreeSet::new()), []);
        let ready = spool.take(at(60), to(2));
        assert_eq!(ready, [(packet(2, 1, 30), BTreeSet::from([link(2)]))]);
        assert_eq!(spool.take(at(60), to(2)), []);
    }

    #[test]
    fn a_packet_does_not_go_where_the_same_was_heard_and_an_altered_copy_holds_up_nothing() {
        let mut spool = Spool::default();
        assert!(spool.add(packet(1, 1, 0)));
        spool.heard_again(packet(1, 1, 0).key, &[1, 2, 6, 1], link(2));
        spool.heard_again(packet(1, 1, 0).key, &[1, 2, 6, 9], link(3));
        assert!(spool.take(at(1), to(2)).is_empty() && spool.holds(packet(1, 1, 0).key));
        assert_eq!(spool.take(at(1), to(3)).len(), 1);
    }

    #[test]
    fn a_flood_displaces_only_what_came_over_its_own_link() {
        let mut spool = Spool::default();
        assert!(spool.add(packet(200, 2, 0)));
        let lost = (0..=199).filter(|&number| !spool.add(packet(number, 1, 0))).count();
        assert_eq!(lost, 201 - MAX_SPOOLED);
        assert!(spool.holds(packet(200, 2, 0).key));
        assert_eq!(spool.packets.iter().count(), MAX_SPOOLED);
        assert!(!spool.add(Spooled { frame: vec![0; LONGEST_WAITING + 1].into(), ..packet(201, 3, 0) }));
    }
}
