//! How long what comes may be. It costs its sender little to compress a megabyte of one letter, and everybody else much to
//! look at it; and whoever keeps a part of some bytes keeps all of them.

use crate::wire::{Packet, PacketType};

/// The longest text an app lets its user write (spec 2.7).
const MAX_TEXT_CHARS: usize = 60_000;
/// The longest payload, inflated, of whatever is no file: such a text, each character of it in four bytes.
const MAX_NO_FILE: usize = 4 * MAX_TEXT_CHARS;
/// The longest padding (spec 2.1).
const MAX_PADDING: usize = 255;

/// Whether a packet is no longer than those of its type are ever made.
pub(super) fn fits(packet: &Packet) -> bool {
    let payload = &packet.payload;
    let chars = || payload.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
    if packet.packet_type == PacketType::Message {
        return payload.len() <= MAX_NO_FILE && chars() <= MAX_TEXT_CHARS;
    }
    let is_file = matches!(packet.packet_type, PacketType::FileTransfer | PacketType::NoiseEncrypted);
    is_file || payload.len() <= MAX_NO_FILE
}

/// Whether so many bytes behind a frame may be padding.
pub(super) const fn is_padding(len: usize) -> bool {
    len <= MAX_PADDING
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PeerId;
    use crate::time::UnixMillis;
    use crate::wire::Version;

    #[test]
    fn a_text_has_its_characters_and_only_files_have_more_bytes_than_the_longest_text() {
        let fits = |packet_type, payload: String| {
            fits(&Packet {
                version: Version::V2,
                packet_type,
                ttl: 7,
                timestamp: UnixMillis(1),
                sender: PeerId([2; 8]),
                recipient: None,
                route: Vec::new(),
                rsr: false,
                payload: payload.into(),
                signature: None,
            })
        };
        assert!(fits(PacketType::Message, "\u{1F600}".repeat(60_000)));
        assert!(!fits(PacketType::Message, "a".repeat(60_001)));
        let most = |packet_type| [240_000, 240_001].map(|len| fits(packet_type, "a".repeat(len)));
        assert_eq!(most(PacketType::GroupMessage), [true, false]);
        assert_eq!(most(PacketType::FileTransfer), [true, true]);
        assert_eq!(most(PacketType::NoiseEncrypted), [true, true]);
    }
}
