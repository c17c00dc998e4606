//! The bytes of a ticket, and what its two ends compute alike.

use std::ops::RangeInclusive;

use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The bytes of padding that are taken (D-7).
pub const PADDING: RangeInclusive<u8> = 24..=64;
/// The fewest characters of a ticket as it is carried.
pub const MIN_TICKET_TEXT: usize = 172;
/// The most characters of a ticket as it is carried.
pub const MAX_TICKET_TEXT: usize = 226;

const VERSION: u8 = 1;
/// Everything but the padding.
const FIXED_LEN: usize = 1 + 32 + 8 + 32 + 32;
/// The most bytes of a ticket.
const MAX_LEN: usize = FIXED_LEN + *PADDING.end() as usize;
const SALT_DOMAIN: &[u8] = b"betanet-ticket-v1";

/// What a ticket says.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::htx) struct Payload {
    pub(in crate::htx) client_public: [u8; 32],
    pub(in crate::htx) key_id: [u8; 8],
    pub(in crate::htx) nonce: [u8; 32],
    pub(in crate::htx) access: [u8; 32],
}

impl Payload {
    /// As it is carried: in base64url.
    pub(in crate::htx) fn encode(&self, padding: &[u8]) -> String {
        let parts: [&[u8]; 6] =
            [&[VERSION], &self.client_public, &self.key_id, &self.nonce, &self.access, padding];
        BASE64URL_NOPAD.encode(&parts.concat())
    }

    /// Reads what was carried; `None` when it is no ticket.
    pub(in crate::htx) fn decode(text: &[u8]) -> Option<Self> {
        if !(MIN_TICKET_TEXT..=MAX_TICKET_TEXT).contains(&text.len()) {
            return None;
        }
        let mut buffer = [0; MAX_LEN];
        let len = BASE64URL_NOPAD.decode_len(text.len()).ok()?;
        let bytes = buffer.get_mut(..len)?;
        BASE64URL_NOPAD.decode_mut(text, bytes).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (client_public, rest) = rest.split_first_chunk()?;
        let (key_id, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (access, padding) = rest.split_first_chunk()?;
        if *version != VERSION || !PADDING.contains(&u8::try_from(padding.len()).ok()?) {
            return None;
        }
        Some(Self { client_public: *client_public, key_id: *key_id, nonce: *nonce, access: *access })
    }
}

/// The ticket of an hour (Unix seconds divided by 3,600), from the secret that both sides agree on.
pub(in crate::htx) fn access(shared: &[u8; 32], key_id: &[u8; 8], hour: u64) -> Zeroizing<[u8; 32]> {
    let salt = Sha256::new()
        .chain_update(SALT_DOMAIN)
        .chain_update(key_id)
        .chain_update(hour.to_be_bytes())
        .finalize();
    let mut access = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(&salt), shared)
        .expand(&[], access.as_mut_slice())
        .expect("32 bytes are fewer than the 255 blocks HKDF can make");
    access
}

/// What a tunnel is called in logs: a hash of the nonce in its ticket (D-8).
pub(in crate::htx) fn tunnel_id(nonce: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(nonce).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload() -> Payload {
        Payload { client_public: [1; 32], key_id: [2; 8], nonce: [3; 32], access: [4; 32] }
    }

    fn read(payload: &Payload, padding: usize) -> bool {
        Payload::decode(payload.encode(&vec![9; padding]).as_bytes()).is_some_and(|read| read == *payload)
    }

    #[test]
    fn r12_padding_of_24_to_64_bytes_is_taken_and_23_and_65_are_refused() {
        for padding in 24..=64 {
            assert!(read(&payload(), padding), "{padding}");
        }
        for padding in [0, 1, 22, 23, 65, 66, 100] {
            assert!(!read(&payload(), padding), "{padding}");
        }
    }

    #[test]
    fn r12_a_ticket_has_172_to_226_characters() {
        assert_eq!(payload().encode(&[0; 24]).len(), MIN_TICKET_TEXT);
        assert_eq!(payload().encode(&[0; 64]).len(), MAX_TICKET_TEXT);
    }

    #[test]
    fn r14_another_version_or_bad_base64_is_no_ticket() {
        let text = payload().encode(&[0; 40]);
        let raw = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        for version in [0, 2, 255] {
            let mut raw = raw.clone();
            raw[0] = version;
            assert!(Payload::decode(BASE64URL_NOPAD.encode(&raw).as_bytes()).is_none(), "version {version}");
        }
        for at in [0, 100, text.len() - 1] {
            for bad in [b'=', b'+', b'/', b' ', b'%', 0, 0xFF] {
                let mut text = text.clone().into_bytes();
                text[at] = bad;
                assert!(Payload::decode(&text).is_none(), "byte {bad:#04x} at {at}");
            }
        }
    }

    #[test]
    fn r14_base64_with_bits_left_over_is_no_ticket() {
        let mut text = payload().encode(&[0; 25]).into_bytes();
        assert_eq!(text.len() % 4, 2, "the last character carries four bits that must be zero");
        *text.last_mut().unwrap() = b'B';
        assert!(Payload::decode(&text).is_none());
    }
}
