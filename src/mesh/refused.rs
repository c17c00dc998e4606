//! Packets that were not passed on though they could have been: their link had spent what it may, too many waited that came
//! over it, or the copy had no TTL left or bore flag 10. Another copy still may be passed on.

use sha2::{Digest, Sha256};

use super::dedup::Key;
use super::fair::Fair;
use crate::ids::LinkId;
use crate::wire::Packet;

/// Packets remembered at once; when one more comes, the link that brought the most of them loses its oldest.
const MAX_REFUSED: usize = 1_024;

#[derive(Debug)]
struct Entry {
    key: Key,
    /// Of what is signed and not part of the key, and of the signature: another one was checked by nobody.
    hash: [u8; 32],
    proven: bool,
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
    /// A packet that came over this link was not passed on; whether its signature had verified.
    pub(super) fn add(&mut self, key: Key, packet: &Packet, (link, proven): (LinkId, bool)) {
        if self.comes_again(key, packet).is_none() {
            self.entries.push(link, Entry { key, hash: hash(packet), proven });
        }
    }

    /// The very same packet came again: how it came first.
    pub(super) fn comes_again(&self, key: Key, packet: &Packet) -> Option<(LinkId, bool)> {
        let mut alike = self.entries.iter().filter(|(_, entry)| entry.key == key).peekable();
        alike.peek()?;
        let hash = hash(packet);
        alike.find(|(_, entry)| entry.hash == hash).map(|(&link, entry)| (link, entry.proven))
    }

    /// It is passed on after all.
    pub(super) fn forget(&mut self, key: Key) {
        self.entries.take(|_, entry| entry.key == key);
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
        refused.forget(key(1));
        assert_eq!(refused.comes_again(key(1), &same), None);
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
