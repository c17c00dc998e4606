//! The Noise XX handshake (spec 3.4): three messages of 32, 96 and 64 bytes, after which both sides know each
//! other's static key and share two transport keys.
//!
//! A pending handshake is kept as the little it is made of, the ephemeral key and for a responder message 1,
//! and the Noise state is built again from that for the message that ends it. snow cannot take back a message
//! that fails halfway: a copy of a true message with a damaged tag, sent ahead by a stranger, would leave the
//! wrong key in its cipher and the true message would no longer fit. Built anew, nothing is left of a failure.

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use snow::HandshakeState;
use snow::error::StateProblem;
use zeroize::Zeroizing;

use super::message::{builder, draw, read, sized, write};
use super::split::Split;
use crate::crypto::error::NoiseError;
use crate::crypto::keys::Identity;
use crate::crypto::transport::{ReceiveCipher, SendCipher};
use crate::ids::{Fingerprint, PeerId};

/// Bytes of message 1: an ephemeral key. No other message has this length (spec 3.4).
pub const MESSAGE_1_LEN: usize = 32;
/// Bytes of message 2: an ephemeral key, an encrypted static key, an encrypted nothing.
pub const MESSAGE_2_LEN: usize = 32 + 32 + 16 + 16;
/// Bytes of message 3: an encrypted static key, an encrypted nothing.
pub const MESSAGE_3_LEN: usize = 32 + 16 + 16;

/// The name of the protocol; prologue and payloads are empty (spec 3.4).
const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_SHA256";

/// A handshake we began: message 1 is sent, message 2 is awaited.
pub struct Initiator {
    ephemeral: Zeroizing<[u8; 32]>,
}

impl Initiator {
    /// Begins a handshake, with message 1 to send; draws 32 bytes.
    pub fn new<R: RngCore + CryptoRng + ?Sized>(
        identity: &Identity,
        rng: &mut R,
    ) -> Result<(Self, Vec<u8>), NoiseError> {
        let handshake = Self { ephemeral: draw(rng) };
        let (_, message1) = handshake.begin(identity)?;
        Ok((handshake, message1))
    }

    /// Takes message 2; gives message 3 to send and the session. The identity is the one it began with.
    ///
    /// A message that does not fit gives the handshake back as it was: it may have come from a stranger, and
    /// the true one may still come.
    pub fn finish(
        self,
        identity: &Identity,
        peer: PeerId,
        message2: &[u8],
    ) -> Result<(Vec<u8>, Established), Refused<Self>> {
        self.read(identity, message2)
            .and_then(|(message3, session)| Ok((message3, session.with(peer)?)))
            .map_err(|reason| Refused { handshake: self, reason })
    }

    fn read(&self, identity: &Identity, message2: &[u8]) -> Result<(Vec<u8>, Established), NoiseError> {
        sized::<MESSAGE_2_LEN>(message2)?;
        let (mut state, _) = self.begin(identity)?;
        read(&mut state, message2, 0)?;
        let message3 = write(&mut state, &[], MESSAGE_3_LEN)?;
        Ok((message3, Established::split(state)?))
    }

    fn begin(&self, identity: &Identity) -> Result<(HandshakeState, Vec<u8>), NoiseError> {
        let mut state = builder(PATTERN, identity.noise_secret(), &self.ephemeral)?.build_initiator()?;
        let message1 = write(&mut state, &[], MESSAGE_1_LEN)?;
        Ok((state, message1))
    }
}

/// A handshake the other side began: message 2 is sent, message 3 is awaited.
pub struct Responder {
    ephemeral: Zeroizing<[u8; 32]>,
    message1: [u8; MESSAGE_1_LEN],
}

impl Responder {
    /// Answers message 1, with message 2 to send; draws 32 bytes.
    pub fn new<R: RngCore + CryptoRng + ?Sized>(
        identity: &Identity,
        message1: &[u8],
        rng: &mut R,
    ) -> Result<(Self, Vec<u8>), NoiseError> {
        let message1 = sized(message1)?;
        let handshake = Self { ephemeral: draw(rng), message1 };
        let (_, message2) = handshake.begin(identity)?;
        Ok((handshake, message2))
    }

    /// Takes message 3; gives the session. The identity is the one it began with.
    ///
    /// A message that does not fit gives the handshake back as it was, as [`Initiator::finish`] does.
    pub fn finish(
        self,
        identity: &Identity,
        peer: PeerId,
        message3: &[u8],
    ) -> Result<Established, Refused<Self>> {
        self.read(identity, message3)
            .and_then(|session| session.with(peer))
            .map_err(|reason| Refused { handshake: self, reason })
    }

    fn read(&self, identity: &Identity, message3: &[u8]) -> Result<Established, NoiseError> {
        sized::<MESSAGE_3_LEN>(message3)?;
        let (mut state, _) = self.begin(identity)?;
        read(&mut state, message3, 0)?;
        Established::split(state)
    }

    fn begin(&self, identity: &Identity) -> Result<(HandshakeState, Vec<u8>), NoiseError> {
        let mut state = builder(PATTERN, identity.noise_secret(), &self.ephemeral)?.build_responder()?;
        read(&mut state, &self.message1, 0)?;
        let message2 = write(&mut state, &[], MESSAGE_2_LEN)?;
        Ok((state, message2))
    }
}

/// A message was refused; the handshake goes on as if it had not come.
pub struct Refused<H> {
    /// The handshake as it was before the message.
    pub handshake: H,
    /// Why the message was refused.
    pub reason: NoiseError,
}

/// A finished handshake with the peer that was meant.
#[derive(Debug)]
pub struct Established {
    /// The other side's static key: proven to be in its hands.
    pub remote_static: [u8; 32],
    /// The hash of the whole handshake, the same on both sides and in no other session.
    pub handshake_hash: [u8; 32],
    /// For what we send.
    pub send: SendCipher,
    /// For what we receive.
    pub receive: ReceiveCipher,
}

impl Established {
    /// The identity of the other side.
    pub fn remote_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.remote_static)
    }

    /// The session, if its other side is the one that was meant (spec 3.4).
    fn with(self, peer: PeerId) -> Result<Self, NoiseError> {
        if self.remote_fingerprint().peer_id() == peer { Ok(self) } else { Err(NoiseError::Peer) }
    }

    fn split(mut state: HandshakeState) -> Result<Self, NoiseError> {
        let remote_static = *state
            .get_remote_static()
            .and_then(<[u8]>::first_chunk)
            .ok_or(NoiseError::Library(StateProblem::HandshakeNotFinished.into()))?;
        let initiator = state.is_initiator();
        let split = Split::of(&mut state)?;
        let (ours, theirs) = if initiator {
            (&split.from_initiator, &split.from_responder)
        } else {
            (&split.from_responder, &split.from_initiator)
        };
        let (send, receive) = (SendCipher::new(ours), ReceiveCipher::new(theirs));
        Ok(Self { remote_static, handshake_hash: split.hash, send, receive })
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initiator").finish_non_exhaustive()
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}

impl<H> fmt::Debug for Refused<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({})", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use snow::Builder;
    use snow::params::{CipherChoice, DHChoice, HashChoice};
    use snow::resolvers::CryptoResolver;
    use snow::types::{Cipher, Dh, Hash, Random};

    use super::super::resolver::Resolver;
    use super::*;

    /// The canonical low-order points of Curve25519, and all-zero first (RFC 7748, section 6.1).
    const LOW_ORDER: [&str; 5] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    fn alice() -> Identity {
        Identity::from_bytes(&[1; 64])
    }

    fn bob() -> Identity {
        Identity::from_bytes(&[2; 64])
    }

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    /// Alice has sent message 1, Bob message 2.
    fn halfway() -> (Initiator, Responder, Vec<u8>) {
        let (initiator, message1) = Initiator::new(&alice(), &mut rng(1)).unwrap();
        let (responder, message2) = Responder::new(&bob(), &message1, &mut rng(2)).unwrap();
        (initiator, responder, message2)
    }

    fn low_order_points() -> impl Iterator<Item = [u8; 32]> {
        LOW_ORDER.iter().map(|hex| crate::ids::parse_hex(hex).unwrap())
    }

    #[test]
    fn both_sides_end_with_each_others_key_and_one_hash() {
        let (initiator, responder, message2) = halfway();
        let (message3, mut of_alice) = initiator.finish(&alice(), bob().peer_id(), &message2).unwrap();
        let mut of_bob = responder.finish(&bob(), alice().peer_id(), &message3).unwrap();

        assert_eq!(of_alice.remote_fingerprint(), bob().fingerprint());
        assert_eq!(of_bob.remote_fingerprint(), alice().fingerprint());
        assert_eq!(of_alice.handshake_hash, of_bob.handshake_hash);

        let there = of_alice.send.seal(b"ping").unwrap();
        assert_eq!(of_bob.receive.open(&there).unwrap(), b"ping");
        let back = of_bob.send.seal(b"pong").unwrap();
        assert_eq!(of_alice.receive.open(&back).unwrap(), b"pong");
        assert!(of_alice.receive.open(&there).is_err(), "each direction has its own key");
    }

    #[test]
    fn a_message_of_another_size_is_refused_with_both_numbers() {
        let (initiator, responder, _) = halfway();
        let wrong = |expected, actual| NoiseError::Length { expected, actual };
        assert_eq!(Responder::new(&bob(), &[9; 31], &mut rng(3)).unwrap_err(), wrong(32, 31));
        assert_eq!(initiator.finish(&alice(), bob().peer_id(), &[9; 97]).unwrap_err().reason, wrong(96, 97));
        assert_eq!(responder.finish(&bob(), alice().peer_id(), &[]).unwrap_err().reason, wrong(64, 0));
    }

    #[test]
    fn a_low_order_ephemeral_key_is_refused_by_both_sides() {
        for point in low_order_points() {
            let refused = Responder::new(&bob(), &point, &mut rng(3)).unwrap_err();
            assert_eq!(refused, NoiseError::LowOrderKey);

            let (initiator, _, mut message2) = halfway();
            message2[..32].copy_from_slice(&point);
            let refused = initiator.finish(&alice(), bob().peer_id(), &message2).unwrap_err();
            assert_eq!(refused.reason, NoiseError::LowOrderKey);
        }
    }

    #[test]
    fn a_low_order_static_key_is_refused_even_when_it_authenticates() {
        for point in low_order_points() {
            let (_, responder, message2) = halfway();
            let message3 = LowOrderPeer::message3(point, &message2);
            let refused = responder.finish(&bob(), alice().peer_id(), &message3).unwrap_err();
            assert_eq!(refused.reason, NoiseError::LowOrderKey);
        }
    }

    #[test]
    fn a_forged_message_2_does_not_end_the_handshake() {
        let (mut initiator, responder, message2) = halfway();
        for place in [0, 31, 32, 79, 80, 95] {
            let mut forged = message2.clone();
            forged[place] ^= 1;
            let refused = initiator.finish(&alice(), bob().peer_id(), &forged).unwrap_err();
            assert_eq!(refused.reason, NoiseError::Authentication);
            initiator = refused.handshake;
        }
        let (message3, _) = initiator.finish(&alice(), bob().peer_id(), &message2).unwrap();
        assert!(responder.finish(&bob(), alice().peer_id(), &message3).is_ok());
    }

    #[test]
    fn a_true_message_3_with_a_damaged_tag_does_not_end_the_handshake() {
        let (initiator, mut responder, message2) = halfway();
        let (message3, _) = initiator.finish(&alice(), bob().peer_id(), &message2).unwrap();
        for place in [0, 47, 48, 63] {
            let mut forged = message3.clone();
            forged[place] ^= 1;
            let refused = responder.finish(&bob(), alice().peer_id(), &forged).unwrap_err();
            assert_eq!(refused.reason, NoiseError::Authentication);
            responder = refused.handshake;
        }
        assert!(responder.finish(&bob(), alice().peer_id(), &message3).is_ok());
    }

    #[test]
    fn a_message_3_of_another_handshake_is_refused() {
        let (_, responder, _) = halfway();
        let (other, message1) = Initiator::new(&alice(), &mut rng(5)).unwrap();
        let (_, message2) = Responder::new(&bob(), &message1, &mut rng(6)).unwrap();
        let (message3, _) = other.finish(&alice(), bob().peer_id(), &message2).unwrap();
        let refused = responder.finish(&bob(), alice().peer_id(), &message3).unwrap_err();
        assert_eq!(refused.reason, NoiseError::Authentication);
    }

    #[test]
    fn debug_shows_no_key() {
        let (initiator, responder, _) = halfway();
        assert_eq!(format!("{initiator:?} {responder:?}"), "Initiator { .. } Responder { .. }");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
            let (initiator, responder, _) = halfway();
            prop_assert!(initiator.finish(&alice(), bob().peer_id(), &bytes).is_err());
            prop_assert!(responder.finish(&bob(), alice().peer_id(), &bytes).is_err());
            let answered = Responder::new(&bob(), &bytes, &mut rng(3)).is_ok();
            prop_assert!(!answered || bytes.len() == MESSAGE_1_LEN);
        }

        #[test]
        fn any_bytes_of_the_right_size_are_refused_without_a_panic(
            message2 in proptest::collection::vec(any::<u8>(), MESSAGE_2_LEN),
            message3 in proptest::collection::vec(any::<u8>(), MESSAGE_3_LEN),
        ) {
            let (initiator, responder, _) = halfway();
            prop_assert!(initiator.finish(&alice(), bob().peer_id(), &message2).is_err());
            prop_assert!(responder.finish(&bob(), alice().peer_id(), &message3).is_err());
        }
    }

    /// An initiator as `halfway`'s, but with a static key of low order, whose every secret is zero.
    struct LowOrderPeer {
        point: [u8; 32],
        resolved: Cell<u8>,
        inner: Resolver,
    }

    impl LowOrderPeer {
        fn message3(point: [u8; 32], message2: &[u8]) -> Vec<u8> {
            let inner = Resolver { ephemeral: draw(&mut rng(1)) };
            let peer = Self { point, resolved: Cell::new(0), inner };
            let mut state = Builder::with_resolver(PATTERN.parse().unwrap(), Box::new(peer))
                .local_private_key(&[0; 32])
                .unwrap()
                .build_initiator()
                .unwrap();
            write(&mut state, &[], MESSAGE_1_LEN).unwrap();
            read(&mut state, message2, 0).unwrap();
            write(&mut state, &[], MESSAGE_3_LEN).unwrap()
        }
    }

    impl CryptoResolver for LowOrderPeer {
        fn resolve_rng(&self) -> Option<Box<dyn Random>> {
            self.inner.resolve_rng()
        }

        /// snow asks for the static key pair first, for the ephemeral one second.
        fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
            if self.resolved.replace(1) == 0 {
                return Some(Box::new(LowOrderKey(self.point)));
            }
            self.inner.resolve_dh(choice)
        }

        fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
            self.inner.resolve_hash(choice)
        }

        fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
            self.inner.resolve_cipher(choice)
        }
    }

    struct LowOrderKey([u8; 32]);

    impl Dh for LowOrderKey {
        fn name(&self) -> &'static str {
            "25519"
        }

        fn pub_len(&self) -> usize {
            32
        }

        fn priv_len(&self) -> usize {
            32
        }

        fn set(&mut self, _secret: &[u8]) {}

        fn generate(&mut self, _rng: &mut dyn Random) -> Result<(), snow::Error> {
            Err(snow::Error::Rng)
        }

        fn pubkey(&self) -> &[u8] {
            &self.0
        }

        fn privkey(&self) -> &[u8] {
            &[0; 32]
        }

        fn dh(&self, _public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
            out.fill(0);
            Ok(())
        }
    }
}
