//! What can be told of Noise packets from outside (spec 3.4, 3.5). The keys, and the rest, are `crypto`'s.

use bytes::Bytes;

use super::error::PayloadError;
use super::reader::Reader;

/// The lengths of the three messages of an XX handshake with empty payloads.
pub const HANDSHAKE_LENS: [usize; 3] = [32, 96, 64];
/// The length of the tag that ends every ciphertext.
pub const TAG_LEN: usize = 16;

/// Which message of a handshake has this length, the first being 1. The packet itself does not say.
pub fn handshake_message(len: usize) -> Option<u8> {
    (1..).zip(HANDSHAKE_LENS).find(|&(_, message_len)| message_len == len).map(|(number, _)| number)
}

/// The payload of a transport packet: its counter, and ciphertext with tag.
pub fn transport(payload: &Bytes) -> Result<(u32, Bytes), PayloadError> {
    let mut reader = Reader::new(payload);
    let counter = reader.u32().map_err(|short| short.of_payload("counter"))?;
    let left = reader.left();
    if left < TAG_LEN {
        return Err(PayloadError::Truncated { field: "tag", offset: reader.offset(), needed: TAG_LEN, left });
    }
    let ciphertext = reader.take(left).map_err(|short| short.of_payload("ciphertext"))?;
    Ok((counter, ciphertext))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_message_is_known_by_its_length() {
        assert_eq!([32, 96, 64, 33].map(handshake_message), [Some(1), Some(2), Some(3), None]);
    }

    #[test]
    fn a_transport_payload_has_at_least_a_counter_and_a_tag() {
        let payload = Bytes::from([[0, 0, 1, 2].as_slice(), &[9; 16]].concat());
        assert_eq!(transport(&payload), Ok((258, payload.slice(4..))));
        assert!(transport(&payload.slice(..19)).is_err());
        assert!(transport(&payload.slice(..3)).is_err());
    }
}
