//! The inner handshake of a tunnel (HTX spec 6): real Noise XK, alone or with an ML-KEM-768 secret mixed in, bound
//! to the host name and to the TLS session it runs in.
//!
//! ```text
//! client body: suite u8 ‖ u16 length ‖ message 1 ‖ u16 length ‖ message 3 ‖ frames…
//! server body:            u16 length ‖ message 2 ‖ frames…
//! ```
//!
//! A handshake is one attempt: whatever does not fit ends it, and nothing is answered.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use hkdf::Hkdf;
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::keys::TunnelKeys;
use crate::crypto::kem::{self, CIPHERTEXT_LEN, DecapsulationKey, ENCAPSULATION_KEY_LEN};
use crate::crypto::xk::{self, MESSAGE_1_LEN, MESSAGE_2_LEN, MESSAGE_3_LEN, Pattern};
use crate::crypto::{NoiseError, Split};
use crate::time::UnixMillis;

/// The version of the wire, which is also the context of the TLS exporter.
pub const WIRE_ID: &str = "1.1.0";
/// The label of the TLS exporter, whose 32 bytes are [`Binding::exporter`] (D-14).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-betanet-htx";
/// The longest host name: that of a DNS name.
pub const MAX_HOST_LEN: usize = 255;

/// 2027-01-01 00:00 UTC, from when on a handshake without a post-quantum part is refused.
const CLASSICAL_ENDS: UnixMillis = UnixMillis(1_798_761_600_000);
const PROLOGUE_DOMAIN: &[u8] = b"betanet-htx-v1";
const PSK_INFO: &[u8] = b"hopline-htx-mlkem768-v1";

/// What the handshake is made of; its byte is the first of the tunnel, and the prologue authenticates it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Suite {
    /// Noise XK.
    Classical,
    /// Noise XKpsk2 with an ML-KEM-768 secret (D-13).
    #[default]
    Hybrid,
}

/// Until when [`Suite::Classical`] is accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Classical {
    /// Until the end of 2026, as the specification demands.
    #[default]
    Until2027,
    /// Always: for tests.
    Always,
    /// Not at all.
    Never,
}

impl Suite {
    /// The byte that stands for it.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Classical => 0x01,
            Self::Hybrid => 0x02,
        }
    }

    /// The suite a tunnel begins with, if it may still be spoken.
    pub fn read(byte: u8, classical: Classical, now: UnixMillis) -> Result<Self, HandshakeError> {
        match byte {
            0x01 => Self::Classical.permitted(classical, now),
            0x02 => Ok(Self::Hybrid),
            other => Err(HandshakeError::UnknownSuite(other)),
        }
    }

    /// The suite, if it may still be spoken; an initiator asks before it begins.
    pub fn permitted(self, classical: Classical, now: UnixMillis) -> Result<Self, HandshakeError> {
        match (self, classical) {
            (Self::Hybrid, _) | (Self::Classical, Classical::Always) => Ok(self),
            (Self::Classical, Classical::Until2027) if classical_allowed(now) => Ok(self),
            (Self::Classical, Classical::Until2027) => Err(HandshakeError::ClassicalEnded),
            (Self::Classical, Classical::Never) => Err(HandshakeError::ClassicalRefused),
        }
    }

    const fn pattern(self) -> Pattern {
        match self {
            Self::Classical => Pattern::Xk,
            Self::Hybrid => Pattern::XkPsk2,
        }
    }

    /// Bytes of the encapsulation key in message 1.
    const fn payload_len(self) -> usize {
        match self {
            Self::Classical => 0,
            Self::Hybrid => ENCAPSULATION_KEY_LEN,
        }
    }
}

/// Whether an initiator may still come without a post-quantum part (spec 6): until the end of 2026.
pub const fn classical_allowed(now: UnixMillis) -> bool {
    now.0 < CLASSICAL_ENDS.0
}

/// Bytes of handshake message 1, 2 or 3, its u16 length left out; there is no other, and no other has any.
pub const fn message_len(suite: Suite, number: u8) -> usize {
    match (number, suite) {
        (1, _) => MESSAGE_1_LEN + suite.payload_len(),
        (2, Suite::Classical) => MESSAGE_2_LEN,
        (2, Suite::Hybrid) => CIPHERTEXT_LEN + MESSAGE_2_LEN,
        (3, _) => MESSAGE_3_LEN,
        _ => 0,
    }
}

/// What a handshake is bound to besides the relay's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Binding {
    /// The host name of the relay's web site: 1 to [`MAX_HOST_LEN`] bytes, as its record says it.
    pub host: String,
    /// What the TLS session exports under [`EXPORTER_LABEL`] and [`WIRE_ID`].
    pub exporter: [u8; 32],
}

impl Binding {
    fn prologue(&self, suite: Suite) -> Result<Zeroizing<Vec<u8>>, HandshakeError> {
        let len = self.host.len();
        let host_len = u16::try_from(len).map_err(|_| HandshakeError::Host { len })?;
        if len == 0 || len > MAX_HOST_LEN {
            return Err(HandshakeError::Host { len });
        }
        let parts: [&[u8]; 8] = [
            PROLOGUE_DOMAIN,
            &[0],
            WIRE_ID.as_bytes(),
            &[0],
            &[suite.byte()],
            &host_len.to_be_bytes(),
            self.host.as_bytes(),
            &self.exporter,
        ];
        Ok(Zeroizing::new(parts.concat()))
    }

    fn keys(&self, split: &Split) -> TunnelKeys {
        TunnelKeys::derive(&self.exporter, &split.from_initiator, &split.from_responder, split.hash)
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Why a handshake ended. The peer is told nothing of it.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum HandshakeError {
    /// The first byte of the tunnel names no suite of this wire.
    #[error("no suite has the byte {0:#04x}")]
    UnknownSuite(u8),
    /// A handshake without a post-quantum part, after the end of 2026.
    #[error("the classical suite ended with 2026")]
    ClassicalEnded,
    /// A handshake without a post-quantum part, where none is wanted.
    #[error("the classical suite is switched off")]
    ClassicalRefused,
    /// The host name is empty or too long for any.
    #[error("a host name of {len} bytes; it takes 1 to {MAX_HOST_LEN}")]
    Host {
        /// Bytes given.
        len: usize,
    },
    /// A message is not as long as its place demands.
    #[error("handshake message {number} of {actual} bytes, expected {expected}")]
    Length {
        /// Which message.
        number: u8,
        /// Bytes wanted.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// The encapsulation key in message 1 is none.
    #[error(transparent)]
    EncapsulationKey(#[from] kem::InvalidEncapsulationKey),
    /// The Noise message does not fit: forged, damaged, for another relay, host or TLS session.
    #[error(transparent)]
    Noise(#[from] NoiseError),
}

/// A handshake we began: message 1 is sent, message 2 is awaited.
pub struct Initiator {
    suite: Suite,
    binding: Binding,
    noise: xk::Initiator,
    /// Of [`Suite::Hybrid`] only.
    kem: Option<DecapsulationKey>,
}

impl Initiator {
    /// Begins a handshake with the relay of this static key; gives the first bytes of our body: suite, length,
    /// message 1. Draws 64 bytes, 128 for [`Suite::Hybrid`].
    pub fn new<R: RngCore + CryptoRng + ?Sized>(
        suite: Suite,
        relay_static: &[u8; 32],
        binding: &Binding,
        rng: &mut R,
    ) -> Result<(Self, Bytes), HandshakeError> {
        let kem = (suite == Suite::Hybrid).then(|| DecapsulationKey::generate(rng));
        let payload = kem.as_ref().map(|kem| kem.encapsulation_key().to_vec()).unwrap_or_default();
        let prologue = binding.prologue(suite)?;
        let (noise, message1) = xk::Initiator::new(suite.pattern(), relay_static, &prologue, &payload, rng)?;

        let mut first = BytesMut::with_capacity(message1.len().saturating_add(3));
        first.put_u8(suite.byte());
        put_message(&mut first, suite, 1, &[&message1])?;
        Ok((Self { suite, binding: binding.clone(), noise, kem }, first.freeze()))
    }

    /// Takes message 2; gives length and message 3 to send, and the keys of the tunnel.
    pub fn finish(mut self, message2: &[u8]) -> Result<(Bytes, TunnelKeys), HandshakeError> {
        sized(self.suite, 2, message2)?;
        let noise_message = match &self.kem {
            None => message2,
            Some(kem) => {
                let (ciphertext, rest) =
                    message2.split_first_chunk().ok_or_else(|| wrong_length(self.suite, 2, message2))?;
                let psk = psk(&kem.decapsulate(ciphertext), &kem.encapsulation_key(), ciphertext);
                self.noise.set_psk(&psk)?;
                rest
            }
        };
        let (message3, split) = self.noise.finish(noise_message)?;

        let mut third = BytesMut::with_capacity(message3.len().saturating_add(2));
        put_message(&mut third, self.suite, 3, &[&message3])?;
        Ok((third.freeze(), self.binding.keys(&split)))
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initiator").field("binding", &self.binding).finish_non_exhaustive()
    }
}

/// A handshake the other side began: message 2 is sent, message 3 is awaited.
pub struct Responder {
    suite: Suite,
    binding: Binding,
    noise: xk::Answered,
}

impl Responder {
    /// Answers message 1; gives length and message 2 to send. Draws 32 bytes, 64 for [`Suite::Hybrid`]. The suite is
    /// one that [`Suite::read`] let through.
    pub fn new<R: RngCore + CryptoRng + ?Sized>(
        static_secret: &[u8; 32],
        binding: &Binding,
        suite: Suite,
        message1: &[u8],
        rng: &mut R,
    ) -> Result<(Self, Bytes), HandshakeError> {
        sized(suite, 1, message1)?;
        let prologue = binding.prologue(suite)?;
        let (mut noise, payload) = xk::Responder::new(
            suite.pattern(),
            static_secret,
            &prologue,
            message1,
            suite.payload_len(),
            rng,
        )?;
        let ciphertext = match suite {
            Suite::Classical => Vec::new(),
            Suite::Hybrid => {
                let key = payload.first_chunk().ok_or(kem::InvalidEncapsulationKey)?;
                let (ciphertext, shared) = kem::encapsulate(key, rng)?;
                noise.set_psk(&psk(&shared, key, &ciphertext))?;
                ciphertext.to_vec()
            }
        };
        let (noise, message2) = noise.answer()?;

        let mut second = BytesMut::with_capacity(message_len(suite, 2).saturating_add(2));
        put_message(&mut second, suite, 2, &[&ciphertext, &message2])?;
        Ok((Self { suite, binding: binding.clone(), noise }, second.freeze()))
    }

    /// Takes message 3; gives the keys of the tunnel.
    pub fn finish(self, message3: &[u8]) -> Result<TunnelKeys, HandshakeError> {
        sized(self.suite, 3, message3)?;
        let split = self.noise.finish(message3)?;
        Ok(self.binding.keys(&split))
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("binding", &self.binding).finish_non_exhaustive()
    }
}

/// The secret that goes into Noise: the KEM's, bound to the key and the ciphertext it came about with (spec 6).
fn psk(
    shared: &[u8; 32],
    key: &[u8; ENCAPSULATION_KEY_LEN],
    ciphertext: &[u8; CIPHERTEXT_LEN],
) -> Zeroizing<[u8; 32]> {
    let salt = Sha256::new().chain_update(key).chain_update(ciphertext).finalize();
    let mut psk = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(&salt), shared)
        .expand(PSK_INFO, psk.as_mut_slice())
        .expect("32 bytes are fewer than the 255 blocks HKDF can make");
    psk
}

fn sized(suite: Suite, number: u8, message: &[u8]) -> Result<(), HandshakeError> {
    if message.len() == message_len(suite, number) {
        Ok(())
    } else {
        Err(wrong_length(suite, number, message))
    }
}

fn wrong_length(suite: Suite, number: u8, message: &[u8]) -> HandshakeError {
    HandshakeError::Length { number, expected: message_len(suite, number), actual: message.len() }
}

/// A message behind its length.
fn put_message(body: &mut BytesMut, suite: Suite, number: u8, parts: &[&[u8]]) -> Result<(), HandshakeError> {
    let message = parts.concat();
    sized(suite, number, &message)?;
    let len = u16::try_from(message.len()).map_err(|_| wrong_length(suite, number, &message))?;
    body.put_u16(len);
    body.put_slice(&message);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::*;
    use crate::crypto::given::Given;
    use crate::ids::to_hex;

    const RELAY: [u8; 32] = [0x77; 32];
    const SUITES: [Suite; 2] = [Suite::Classical, Suite::Hybrid];

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    fn relay_public() -> [u8; 32] {
        PublicKey::from(&StaticSecret::from(RELAY)).to_bytes()
    }

    fn binding() -> Binding {
        Binding { host: "relay.example".to_owned(), exporter: [0x33; 32] }
    }

    fn begun(suite: Suite) -> (Initiator, Vec<u8>) {
        let (initiator, first) = Initiator::new(suite, &relay_public(), &binding(), &mut rng(1)).unwrap();
        (initiator, first[3..].to_vec())
    }

    fn answered(
        suite: Suite,
        message1: &[u8],
        binding: &Binding,
    ) -> Result<(Responder, Vec<u8>), HandshakeError> {
        let (responder, second) = Responder::new(&RELAY, binding, suite, message1, &mut rng(2))?;
        Ok((responder, second[2..].to_vec()))
    }

    fn third(initiator: Initiator, message2: &[u8]) -> Result<(Vec<u8>, TunnelKeys), HandshakeError> {
        initiator.finish(message2).map(|(third, keys)| (third[2..].to_vec(), keys))
    }

    /// What Python's noiseprotocol, kyber-py and cryptography made of the same keys, hashed where it is long.
    struct Reference {
        suite: Suite,
        bodies: [&'static str; 3],
        client: &'static str,
        server: &'static str,
        transcript: &'static str,
    }

    const REFERENCES: [Reference; 2] = [
        Reference {
            suite: Suite::Classical,
            bodies: [
                "010030358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd1662546261503ac765a49bd5b63922317f15df",
                "0030493e82fc74464a59268817623d2053c5eb8e2cc4a988b4fee179ec6b010d531dc10ebe186cbce07f341bf99e4fab0434",
                "0040d74b6e1e6c4b4fd1a4cb7b71e289c2428adc72bd9a6232b42d0f0125eedfef38239881ab88f859ef4c45a1584a5dfa7c2f9109fef15ca0023d9d091a73ec18ed",
            ],
            client: "14fca4b1c0afe6a614c23704f992fc0af699aa08bb72dc025af933b205cbe94d",
            server: "64acda23f2acf64a13308a00933630715128faf8f21f088f35490ad754cf7875",
            transcript: "eb88eaec947773afb15a6f6f7d32dad8b7f38cf07d0eb5adb7d2361824f56b87",
        },
        Reference {
            suite: Suite::Hybrid,
            bodies: [
                "sha256:1421f0242c0efcf65dd69120ebf63366fb393587960cfbe96fc4a1fd3aafb37e",
                "sha256:8bcae10b8d3c16b94feca6f143074acaf2d69a531d20d3867890f8b8115a84ec",
                "0040507e696fbbdf13a495bb20973b344df4fec9f4437e5a42edc08309f57aa0ced3f1408e62bc3633b548d791ce2c45c0127b73a1b309ef1d417b97de72dd47d99b",
            ],
            client: "32969eb4eefa54bcce113cc290ed922e072961c59e5f2b4351d4e367567bb136",
            server: "9266ec13c0d691c7da5715e4ea9cbc84e51bba3af2cf5987d102ceb2cdb3f82a",
            transcript: "dd009e7a45de18acac4e0ec468ddffa6ea76154b682f9dfcf34d08d13082aacf",
        },
    ];

    fn shown(body: &[u8]) -> String {
        if body.len() < 100 { to_hex(body) } else { format!("sha256:{}", to_hex(&Sha256::digest(body))) }
    }

    #[test]
    fn r17_every_byte_and_key_equals_those_of_a_second_implementation() {
        for reference in REFERENCES {
            let suite = reference.suite;
            let (initiator, first) =
                Initiator::new(suite, &relay_public(), &binding(), &mut Given::new(0..128)).unwrap();
            let (responder, second) =
                Responder::new(&RELAY, &binding(), suite, &first[3..], &mut Given::new(128..192)).unwrap();
            let (third, ours) = initiator.finish(&second[2..]).unwrap();
            let theirs = responder.finish(&third[2..]).unwrap();

            assert_eq!([&first, &second, &third].map(|body| shown(body)), reference.bodies);
            for keys in [ours, theirs] {
                assert_eq!(to_hex(keys.client.as_slice()), reference.client);
                assert_eq!(to_hex(keys.server.as_slice()), reference.server);
                assert_eq!(to_hex(&keys.transcript), reference.transcript);
            }
        }
    }

    #[test]
    fn r17_messages_have_the_sizes_of_the_specification_and_name_them() {
        for (suite, sizes) in [(Suite::Classical, [48, 48, 64]), (Suite::Hybrid, [1232, 1136, 64])] {
            let (initiator, first) = Initiator::new(suite, &relay_public(), &binding(), &mut rng(1)).unwrap();
            let (_, second) = Responder::new(&RELAY, &binding(), suite, &first[3..], &mut rng(2)).unwrap();
            let (third, _) = initiator.finish(&second[2..]).unwrap();
            assert_eq!([first.len() - 3, second.len() - 2, third.len() - 2], sizes);
            assert_eq!([1, 2, 3].map(|number| message_len(suite, number)), sizes);
            assert_eq!(first[0], suite.byte());
            for (body, size) in [(&first[1..], sizes[0]), (&second, sizes[1]), (&third, sizes[2])] {
                assert_eq!(usize::from(u16::from_be_bytes([body[0], body[1]])), size);
            }
        }
    }

    #[test]
    fn r17_a_corrupt_kem_ciphertext_fails_message_2() {
        let (_, message1) = begun(Suite::Hybrid);
        let (_, message2) = answered(Suite::Hybrid, &message1, &binding()).unwrap();
        for place in [0, 543, CIPHERTEXT_LEN - 1] {
            let mut corrupt = message2.clone();
            corrupt[place] ^= 0x10;
            let refused = third(begun(Suite::Hybrid).0, &corrupt).unwrap_err();
            assert_eq!(refused, HandshakeError::Noise(NoiseError::Authentication));
        }
    }

    #[test]
    fn r18_a_classical_initiator_is_refused_from_2027_unless_configured() {
        let ends = UnixMillis(1_798_761_600_000);
        let last = UnixMillis(ends.0 - 1);
        assert_eq!(Suite::read(0x01, Classical::Until2027, last), Ok(Suite::Classical));
        for now in [ends, UnixMillis(u64::MAX)] {
            let ended = Err(HandshakeError::ClassicalEnded);
            assert_eq!(Suite::read(0x01, Classical::Until2027, now), ended);
            assert_eq!(Suite::Classical.permitted(Classical::Until2027, now), ended);
            assert_eq!(Suite::read(0x01, Classical::Always, now), Ok(Suite::Classical));
            assert_eq!(Suite::read(0x02, Classical::Until2027, now), Ok(Suite::Hybrid));
        }
        assert_eq!(Suite::read(0x01, Classical::Never, UnixMillis(0)), Err(HandshakeError::ClassicalRefused));
        assert_eq!(Suite::read(0x02, Classical::Never, UnixMillis(0)), Ok(Suite::Hybrid));
    }

    #[test]
    fn the_bytes_of_the_other_wire_and_of_nothing_are_no_suites() {
        for byte in (0..=u8::MAX).filter(|byte| ![1, 2].contains(byte)) {
            let refused = Suite::read(byte, Classical::Always, UnixMillis(0)).unwrap_err();
            assert_eq!(refused, HandshakeError::UnknownSuite(byte));
        }
    }

    #[test]
    fn r19_a_man_in_the_middle_with_another_exporter_or_host_fails() {
        let other_session = Binding { exporter: [0x34; 32], ..binding() };
        let other_host = Binding { host: "relay.example.".to_owned(), ..binding() };
        for suite in SUITES {
            let (_, message1) = begun(suite);
            for other in [&other_session, &other_host] {
                let refused = answered(suite, &message1, other).unwrap_err();
                assert_eq!(refused, HandshakeError::Noise(NoiseError::Authentication));
            }
        }
    }

    #[test]
    fn r19_a_relay_with_another_static_key_fails() {
        for suite in SUITES {
            let (_, message1) = begun(suite);
            let refused = Responder::new(&[0x78; 32], &binding(), suite, &message1, &mut rng(2)).unwrap_err();
            assert_eq!(refused, HandshakeError::Noise(NoiseError::Authentication));
        }
    }

    #[test]
    fn a_suite_changed_under_way_fails() {
        // The classical message 1 has the hybrid one's form once a key is put into it.
        let (_, message1) = begun(Suite::Hybrid);
        let refused = answered(Suite::Classical, &message1[..48], &binding()).unwrap_err();
        assert_eq!(refused, HandshakeError::Noise(NoiseError::Authentication));
        let wrong = |number, expected, actual| HandshakeError::Length { number, expected, actual };
        assert_eq!(answered(Suite::Classical, &message1, &binding()).unwrap_err(), wrong(1, 48, 1232));
        assert_eq!(answered(Suite::Hybrid, &message1[..48], &binding()).unwrap_err(), wrong(1, 1232, 48));
    }

    #[test]
    fn a_recorded_message_3_does_not_end_another_handshake() {
        for suite in SUITES {
            let (initiator, message1) = begun(suite);
            let (_, message2) = answered(suite, &message1, &binding()).unwrap();
            let (recorded, _) = third(initiator, &message2).unwrap();
            let (again, _) = Responder::new(&RELAY, &binding(), suite, &message1, &mut rng(3)).unwrap();
            assert_eq!(
                again.finish(&recorded).unwrap_err(),
                HandshakeError::Noise(NoiseError::Authentication)
            );
        }
    }

    #[test]
    fn an_encapsulation_key_that_is_none_is_refused() {
        let prologue = binding().prologue(Suite::Hybrid).unwrap();
        let (_, message1) = xk::Initiator::new(
            Pattern::XkPsk2,
            &relay_public(),
            &prologue,
            &[0xFF; ENCAPSULATION_KEY_LEN],
            &mut rng(1),
        )
        .unwrap();
        let refused = answered(Suite::Hybrid, &message1, &binding()).unwrap_err();
        assert_eq!(refused, HandshakeError::EncapsulationKey(kem::InvalidEncapsulationKey));
    }

    #[test]
    fn a_host_name_that_is_none_is_refused() {
        for len in [0, 256, 70_000] {
            let binding = Binding { host: "h".repeat(len), ..binding() };
            let refused = Initiator::new(Suite::Hybrid, &relay_public(), &binding, &mut rng(1)).unwrap_err();
            assert_eq!(refused, HandshakeError::Host { len });
        }
    }

    #[test]
    fn debug_shows_neither_key_nor_exporter() {
        let (initiator, message1) = begun(Suite::Hybrid);
        let (responder, _) = answered(Suite::Hybrid, &message1, &binding()).unwrap();
        let bound = "binding: Binding { host: \"relay.example\", .. }, .. }";
        assert_eq!(format!("{initiator:?}"), format!("Initiator {{ {bound}"));
        assert_eq!(format!("{responder:?}"), format!("Responder {{ {bound}"));
    }

    #[test]
    fn a_handshake_may_move_between_threads() {
        fn moves<T: Send>() {}
        moves::<Initiator>();
        moves::<Responder>();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn one_changed_bit_in_any_message_ends_the_handshake(
            hybrid: bool,
            number in 1..=3u8,
            place: proptest::sample::Index,
            bit in 0..8u8,
        ) {
            let suite = if hybrid { Suite::Hybrid } else { Suite::Classical };
            let flip = |message: &mut Vec<u8>, at: u8| {
                if at == number {
                    let place = place.index(message.len());
                    message[place] ^= 1 << bit;
                }
            };
            let (initiator, mut message1) = begun(suite);
            flip(&mut message1, 1);
            let Ok((responder, mut message2)) = answered(suite, &message1, &binding()) else {
                prop_assert_eq!(number, 1);
                return Ok(());
            };
            flip(&mut message2, 2);
            let Ok((mut message3, _)) = third(initiator, &message2) else {
                // The top bit of an X25519 key is ignored by the curve, but not by the transcript.
                prop_assert!(number <= 2);
                return Ok(());
            };
            flip(&mut message3, 3);
            prop_assert!(responder.finish(&message3).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1300)) {
            for suite in SUITES {
                prop_assert!(answered(suite, &bytes, &binding()).is_err());
                prop_assert!(third(begun(suite).0, &bytes).is_err());
            }
        }
    }
}
