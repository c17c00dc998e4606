//! The keys of a tunnel (HTX spec 7): bound to the Noise handshake and to the TLS session it ran in, one for each
//! direction, and how one key follows another.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Both directions' first keys, side by side, as the schedule expands them.
const FIRST_KEYS_LEN: usize = 64;
const FIRST_KEYS_LABEL: &[u8] = b"htx inner v1";
/// What TLS 1.3 puts in front of every label (RFC 8446, section 7.1).
const LABEL_PREFIX: &[u8] = b"tls13 ";
const NONCE_SALT: &[u8] = b"ns";
const NEXT_KEY: &[u8] = b"next";
const TOO_LONG: &str = "at most 64 bytes are fewer than the 255 blocks HKDF can make";

/// What a finished handshake gives the frames that follow; wiped when dropped.
pub struct TunnelKeys {
    /// The first key of what the client sends: `K0c`.
    pub client: Zeroizing<[u8; 32]>,
    /// The first key of what the server sends: `K0s`.
    pub server: Zeroizing<[u8; 32]>,
    /// The final Noise hash `h`, which every later key is made with; not a secret.
    pub transcript: [u8; 32],
}

impl TunnelKeys {
    /// From the TLS exporter and the two outputs of Noise's `Split`, initiator's first (spec 7, D-16).
    pub fn derive(exporter: &[u8; 32], k1: &[u8; 32], k2: &[u8; 32], transcript: [u8; 32]) -> Self {
        let mut secrets = Zeroizing::new([0; 64]);
        let (front, back) = secrets.split_at_mut(32);
        front.copy_from_slice(k1);
        back.copy_from_slice(k2);
        let both = first_keys(&Hkdf::<Sha256>::new(Some(exporter), secrets.as_slice()));
        let (client, server) = both.split_at(32);
        Self { client: copied(client), server: copied(server), transcript }
    }
}

impl fmt::Debug for TunnelKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelKeys").finish_non_exhaustive()
    }
}

/// What the counters of this key are mixed with to make nonces: `NS` (spec 7).
pub fn nonce_salt(key: &[u8; 32]) -> [u8; 12] {
    let mut salt = [0; 12];
    Hkdf::<Sha256>::new(Some(NONCE_SALT), key).expand(&[], &mut salt).expect(TOO_LONG);
    salt
}

/// The key after this one: the first half of what the schedule gives (spec 7, D-18).
pub fn next_key(key: &[u8; 32], transcript: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let mut next = Zeroizing::new([0; 64]);
    Hkdf::<Sha256>::new(Some(NEXT_KEY), key).expand(transcript, next.as_mut_slice()).expect(TOO_LONG);
    copied(next.split_at(32).0)
}

/// `Expand-Label(PRK, "htx inner v1", "", 64)`: TLS's structure of length, label and an empty context (D-3).
fn first_keys(prk: &Hkdf<Sha256>) -> Zeroizing<[u8; FIRST_KEYS_LEN]> {
    let length = [0, 64];
    let label_len = [18];
    let no_context = [0];
    let mut keys = Zeroizing::new([0; FIRST_KEYS_LEN]);
    prk.expand_multi_info(
        &[&length, &label_len, LABEL_PREFIX, FIRST_KEYS_LABEL, &no_context],
        keys.as_mut_slice(),
    )
    .expect(TOO_LONG);
    keys
}

fn copied(half: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(half);
    key
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::ids::{parse_hex, to_hex};

    const VECTORS: &str = include_str!("../../tests/vectors/htx.json");

    fn vector(name: &str) -> Value {
        serde_json::from_str::<Value>(VECTORS).unwrap()[name].clone()
    }

    fn bytes<const N: usize>(value: &Value) -> [u8; N] {
        parse_hex(value.as_str().unwrap()).unwrap()
    }

    fn check_direction(key: &[u8; 32], transcript: &[u8; 32], expected: &Value) {
        assert_eq!(*key, bytes::<32>(&expected["key"]));
        assert_eq!(nonce_salt(key), bytes::<12>(&expected["ns"]));
        let next = next_key(key, transcript);
        assert_eq!(*next, bytes::<32>(&expected["next_key"]));
        assert_eq!(nonce_salt(&next), bytes::<12>(&expected["next_ns"]));
    }

    #[test]
    fn r20_the_bound_keys_salts_and_next_keys_are_the_vectors() {
        let vector = vector("keys_1_1_bound");
        let transcript = bytes(&vector["noise_h"]);
        let keys = TunnelKeys::derive(
            &bytes(&vector["exporter"]),
            &bytes(&vector["split_k1"]),
            &bytes(&vector["split_k2"]),
            transcript,
        );
        assert_eq!(keys.transcript, transcript);
        let both = [keys.client.as_slice(), keys.server.as_slice()].concat();
        assert_eq!(to_hex(&both), vector["k0"].as_str().unwrap());
        check_direction(&keys.client, &transcript, &vector["dir"]["c"]);
        check_direction(&keys.server, &transcript, &vector["dir"]["s"]);
    }

    /// The letter of the text, which gives the keys to whoever ends the TLS session; nothing but this test uses it.
    #[test]
    fn r20_the_expansion_is_that_of_the_letter_form_as_well() {
        let vector = vector("keys_1_1_letter");
        let exporter: [u8; 32] = bytes(&vector["exporter"]);
        let both = first_keys(&Hkdf::from_prk(&exporter).unwrap());
        assert_eq!(to_hex(both.as_slice()), vector["k0"].as_str().unwrap());
        let transcript = bytes(&vector["noise_h"]);
        let (client, server) = both.split_at(32);
        check_direction(&copied(client), &transcript, &vector["dir"]["c"]);
        check_direction(&copied(server), &transcript, &vector["dir"]["s"]);
    }

    #[test]
    fn r20_every_input_changes_both_keys() {
        let derive = |exporter, k1, k2| TunnelKeys::derive(&[exporter; 32], &[k1; 32], &[k2; 32], [0; 32]);
        let keys = derive(1, 2, 3);
        for other in [derive(9, 2, 3), derive(1, 9, 3), derive(1, 2, 9), derive(1, 3, 2)] {
            assert_ne!(keys.client, other.client);
            assert_ne!(keys.server, other.server);
        }
        assert_ne!(keys.client, keys.server);
        assert_ne!(next_key(&keys.client, &[0; 32]), next_key(&keys.client, &[1; 32]));
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = TunnelKeys::derive(&[1; 32], &[2; 32], &[3; 32], [4; 32]);
        assert_eq!(format!("{keys:?}"), "TunnelKeys { .. }");
    }
}
