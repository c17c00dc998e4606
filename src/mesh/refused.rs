//! Packets that were not passed on though they could have been, or not far: their link had spent what it may, too many
//! waited that came over it, or the copy had little TTL left or bore flag 10. Another copy still may be passed on.
//!
//! Neither TTL nor flag 10 is signed. Without this whoever is quick would keep a packet from going on by sending ahead a copy
//! that does not go far.

use sha2::{Digest, Sha256};

use super::config::ORIGIN_TTL;
use super::dedup::Key;
use super::fair::Fair;
use crate::ids::LinkId;
use crate::wire::Packet;

/// Packets remembered at once; when one more comes, the link that brought the most of them loses its oldest.
const MAX_REFUSED: usize = 1_024;
/// What leaves with more TTL has gone as far as it shall.
const FAR: u8 = 4;
/// How much more TTL another copy must leave with.
const FURTHER: u8 = 2;

#[derive(Debug)]
struct Entry {
    key: Key,
    /// Of what is signed and not part of the key, and of the signature: another one was checked by nobody.
    hash: [u8; 32],
    proven: bool,
    /// With what TTL it left; 0 when it did not.
    left_with: u8,
}

/// The packets refused lately.
#[derive(Debug)]
pub(super) struct Refused {
    entries: Fair<LinkId, Entry>,
}

impl Default for Refused {
    fn default() -> Self {
        Self { entries: Fair::new(MAX_REFUSED) }
    }
}

impl Refused {
    /// A packet that came over this link is not passed on; whether its signature verified.
    pub(super) fn add(&mut self, key: Key, packet: &Packet, (link, proven): (LinkId, bool)) {
        if self.find(key, packet).is_none() {
            self.entries.push(link, Entry { key, hash: hash(packet), proven, left_with: 0 });
        }
    }

    /// It is passed on, with this TTL.
    pub(super) fn goes_on(&mut self, key: Key, packet: &Packet, (link, proven): (LinkId, bool), ttl: u8) {
        let known = self.find(key, packet).is_some();
        if ttl >= FAR {
            if known {
                self.entries.take(|_, entry| entry.key == key);
            }
            return;
        }
        let hash = hash(packet);
        if known {
            let alike = self.entries.iter_mut().filter(|entry| entry.key == key && entry.hash == hash);
            alike.for_each(|entry| entry.left_with = ttl);
        } else {
            self.entries.push(link, Entry { key, hash, proven, left_with: ttl });
        }
    }

    /// The very same packet came again, and would go on, or further, now: how it came first.
    pub(super) fn comes_again(&self, key: Key, packet: &Packet) -> Option<(LinkId, bool)> {
        let (link, entry) = self.find(key, packet)?;
        let left_with = packet.ttl.min(ORIGIN_TTL).saturating_sub(1);
        let further = !packet.rsr && left_with >= entry.left_with + FURTHER;
        (entry.left_with == 0 || further).then_some((link, entry.proven))
    }

    fn find(&self, key: Key, packet: &Packet) -> Option<(LinkId, &Entry)> {
        let mut alike = self.entries.iter().filter(|(_, entry)| entry.key == key).peekable();
        alike.peek()?;
        let hash = hash(packet);
        alike.find(|(_, entry)| entry.hash == hash).map(|(&link, entry)| (link, entry))
    }
}

/// Neither TTL nor flag 10 counts, nor how the payload is compressed, nor what stands behind the frame: whoever passes a
/// packet on may change these, and it is the same packet.
fn hash(packet: &Packet) -> [u8; 32] {
    let mut hasher =
        Sha256::new().chain_update([packet.version.number(), u8::from(packet.recipient.is_some())]);
    for id in packet.recipient.iter().chain(&packet.route) {
        hasher.update(id.0);
    }
    hasher.chain_update(packet.signature.as_ref().map_or(&[][..], |signature| signature)).finalize().into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ids::{AdapterId, PeerId};
    use crate::time::UnixMillis;
    use crate::wire::{PacketType, Version};

    fn link(serial: u32) -> LinkId {
        LinkId { adapter: AdapterId(0), serial }
    }

    fn packet() -> Packet {
        Packet {
            version: Version::V1,
            packet_type: PacketType::Message,
            ttl: 7,
            timestamp: UnixMillis(1),
            sender: PeerId([2; 8]),
            recipient: None,
            route: Vec::new(),
            rsr: false,
            payload: Bytes::from_static(b"text"),
            signature: Some([7; 64]),
        }
    }

    fn key(n: u16) -> Key {
        Key::sample().variant(&[n.to_be_bytes()[0]; 64]).variant(&[n.to_be_bytes()[1]; 64])
    }

    #[test]
    fn the_same_packet_counts_whatever_its_ttl_and_flag_10_and_others_do_not() {
        let mut refused = Refused::default();
        refused.add(key(1), &packet(), (link(1), true));
        let route = vec![PeerId([3; 8])];
        for other in [
            Packet { signature: Some([8; 64]), ..packet() },
            Packet { signature: None, ..packet() },
            Packet { recipient: Some(PeerId([3; 8])), ..packet() },
            Packet { version: Version::V2, route, ..packet() },
        ] {
            assert_eq!(refused.comes_again(key(1), &other), None, "{other:?}");
        }
        let same = Packet { ttl: 6, rsr: true, ..packet() };
        refused.add(key(1), &same, (link(2), false));
        assert_eq!(refused.comes_again(key(1), &same), Some((link(1), true)), "as it came first");
        assert_eq!(refused.comes_again(key(2), &same), None);
    }

    #[test]
    fn what_left_with_little_ttl_goes_on_once_more_for_a_copy_that_goes_further() {
        let mut refused = Refused::default();
        let came = |ttl| Packet { ttl, ..packet() };
        let first = (link(1), true);
        refused.add(key(1), &came(1), first);
        assert_eq!(refused.comes_again(key(1), &came(2)), Some(first));
        refused.goes_on(key(1), &came(2), (link(2), true), 1);
        assert_eq!(refused.comes_again(key(1), &came(3)), None);
        assert_eq!(refused.comes_again(key(1), &Packet { rsr: true, ..came(7) }), None);
        assert_eq!(refused.comes_again(key(1), &came(4)), Some(first));
        refused.goes_on(key(1), &came(4), (link(3), true), 3);
        assert_eq!(refused.comes_again(key(1), &came(5)), None);
        assert_eq!(refused.comes_again(key(1), &came(255)), Some(first));
        refused.goes_on(key(1), &came(7), (link(3), true), 6);
        assert_eq!(refused.comes_again(key(1), &came(7)), None);
        refused.goes_on(key(2), &came(3), first, 2);
        assert_eq!(refused.comes_again(key(2), &came(7)), Some(first));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_flood_displaces_only_what_came_over_its_own_link() {
        let mut refused = Refused::default();
        refused.add(key(5_000), &packet(), (link(2), true));
        (0..2_000).for_each(|n| refused.add(key(n), &packet(), (link(1), true)));
        assert_eq!(refused.entries.iter().count(), MAX_REFUSED);
        assert!(refused.comes_again(key(5_000), &packet()).is_some());
    }
}
