//! The Noise XK handshake of a tunnel (HTX spec 6): the initiator knows whom it speaks to, and the responder learns
//! a key that means nothing. With [`Pattern::XkPsk2`] a secret the two agreed on by other means goes in with
//! message 2, and what follows is safe as long as either holds.
//!
//! A handshake here is one attempt: a message that does not fit ends it.

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use snow::HandshakeState;
use zeroize::Zeroizing;

use super::message::{builder, draw, read, write};
use super::split::Split;
use crate::crypto::error::NoiseError;

/// Bytes of message 1 beside its payload: an ephemeral key and a tag.
pub const MESSAGE_1_LEN: usize = 32 + 16;
/// Bytes of message 2: an ephemeral key and a tag.
pub const MESSAGE_2_LEN: usize = 32 + 16;
/// Bytes of message 3: an encrypted static key and a tag.
pub const MESSAGE_3_LEN: usize = 32 + 16 + 16;

/// Which of the two handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Noise XK.
    Xk,
    /// Noise XK with a pre-shared secret mixed in at the end of message 2.
    XkPsk2,
}

impl Pattern {
    const fn name(self) -> &'static str {
        match self {
            Self::Xk => "Noise_XK_25519_ChaChaPoly_SHA256",
            Self::XkPsk2 => "Noise_XKpsk2_25519_ChaChaPoly_SHA256",
        }
    }
}

/// Where the secret of `psk2` is kept in snow's table.
const PSK_PLACE: usize = 2;

/// A handshake we began: message 1 is sent, message 2 is awaited.
pub struct Initiator(HandshakeState);

impl Initiator {
    /// Begins a handshake with the holder of `responder`, with message 1 to send, [`MESSAGE_1_LEN`] bytes and the
    /// payload. Draws 64 bytes: a static key for this handshake alone, and the ephemeral key.
    pub fn new<R: RngCore + CryptoRng + ?Sized>(
        pattern: Pattern,
        responder: &[u8; 32],
        prologue: &[u8],
        payload: &[u8],
        rng: &mut R,
    ) -> Result<(Self, Vec<u8>), NoiseError> {
        let static_secret = draw(rng);
        Self::with_keys(pattern, &static_secret, &draw(rng), responder, prologue, payload)
    }

    fn with_keys(
        pattern: Pattern,
        static_secret: &[u8; 32],
        ephemeral: &Zeroizing<[u8; 32]>,
        responder: &[u8; 32],
        prologue: &[u8],
        payload: &[u8],
    ) -> Result<(Self, Vec<u8>), NoiseError> {
        let mut state = builder(pattern.name(), static_secret, ephemeral)?
            .remote_public_key(responder)?
            .prologue(prologue)?
            .build_initiator()?;
        let message1 = write(&mut state, payload, MESSAGE_1_LEN.saturating_add(payload.len()))?;
        Ok((Self(state), message1))
    }

    /// The secret of [`Pattern::XkPsk2`], before message 2 is read.
    pub fn set_psk(&mut self, psk: &[u8; 32]) -> Result<(), NoiseError> {
        Ok(self.0.set_psk(PSK_PLACE, psk)?)
    }

    /// Takes message 2; gives message 3 to send, and the keys.
    pub fn finish(mut self, message2: &[u8]) -> Result<(Vec<u8>, Split), NoiseError> {
        exactly(message2, MESSAGE_2_LEN)?;
        read(&mut self.0, message2, 0)?;
        let message3 = write(&mut self.0, &[], MESSAGE_3_LEN)?;
        Ok((message3, Split::of(&mut self.0)?))
    }
}

/// A handshake the other side began: message 1 is read, message 2 is not yet written.
pub struct Responder(HandshakeState);

impl Responder {
    /// Reads message 1; gives its payload of `payload_len` bytes, which anybody may have sent. Draws 32 bytes.
    pub fn new<R: RngCore + CryptoRng + ?Sized>(
        pattern: Pattern,
        static_secret: &[u8; 32],
        prologue: &[u8],
        message1: &[u8],
        payload_len: usize,
        rng: &mut R,
    ) -> Result<(Self, Vec<u8>), NoiseError> {
        exactly(message1, MESSAGE_1_LEN.saturating_add(payload_len))?;
        let mut state =
            builder(pattern.name(), static_secret, &draw(rng))?.prologue(prologue)?.build_responder()?;
        let payload = read(&mut state, message1, payload_len)?;
        Ok((Self(state), payload))
    }

    /// The secret of [`Pattern::XkPsk2`], before message 2 is written.
    pub fn set_psk(&mut self, psk: &[u8; 32]) -> Result<(), NoiseError> {
        Ok(self.0.set_psk(PSK_PLACE, psk)?)
    }

    /// Message 2 to send; message 3 is awaited then.
    pub fn answer(mut self) -> Result<(Answered, Vec<u8>), NoiseError> {
        let message2 = write(&mut self.0, &[], MESSAGE_2_LEN)?;
        Ok((Answered(self.0), message2))
    }
}

/// A handshake the other side began: message 2 is sent, message 3 is awaited.
pub struct Answered(HandshakeState);

impl Answered {
    /// Takes message 3; gives the keys.
    pub fn finish(mut self, message3: &[u8]) -> Result<Split, NoiseError> {
        exactly(message3, MESSAGE_3_LEN)?;
        read(&mut self.0, message3, 0)?;
        Split::of(&mut self.0)
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

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").finish_non_exhaustive()
    }
}

fn exactly(message: &[u8], expected: usize) -> Result<(), NoiseError> {
    if message.len() == expected {
        Ok(())
    } else {
        Err(NoiseError::Length { expected, actual: message.len() })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::*;
    use crate::ids::{parse_hex, to_hex};

    const RELAY: [u8; 32] = [2; 32];
    const PROLOGUE: &[u8] = b"a prologue";

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    fn relay_public() -> [u8; 32] {
        PublicKey::from(&StaticSecret::from(RELAY)).to_bytes()
    }

    fn begun(pattern: Pattern) -> (Initiator, Vec<u8>) {
        Initiator::new(pattern, &relay_public(), PROLOGUE, b"payload", &mut rng(1)).unwrap()
    }

    fn answered(pattern: Pattern, message1: &[u8], prologue: &[u8]) -> Result<Responder, NoiseError> {
        Responder::new(pattern, &RELAY, prologue, message1, 7, &mut rng(2)).map(|(responder, payload)| {
            assert_eq!(payload, b"payload");
            responder
        })
    }

    /// Vectors of the cacophony and the snow collections; the payloads are as they are there.
    struct Vector {
        prologue: &'static str,
        initiator: [&'static str; 2],
        responder: [&'static str; 2],
        payloads: [&'static str; 3],
        messages: [&'static str; 3],
        hash: Option<&'static str>,
        /// The first transport message of the initiator, or of whoever speaks after message 3.
        transport: [(&'static str, &'static str); 2],
    }

    const VECTORS: [Vector; 2] = [
        Vector {
            prologue: "4a6f686e2047616c74",
            initiator: [
                "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
                "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
            ],
            responder: [
                "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
                "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
            ],
            payloads: [
                "4c756477696720766f6e204d69736573",
                "4d757272617920526f746862617264",
                "462e20412e20486179656b",
            ],
            messages: [
                "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944a3785af283c991bab613473804356ef6931f83acf64f99c274b93570857cfc5e",
                "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088433a4534805fa9fe4eb8343ace6609160c767ad9b832e8eea1d9b7a2111818dd",
                "5d8e67b9c1b8e36f5dc674bc5cd2ce243fb5d1710fa57de0370da7cc979015398eaad94603b05498ba9a613d2fd923dcaa6fd4288dfd8d70f419bf737efb4cd37f5da37ebb728849318c82",
            ],
            hash: Some("cefffc5d1074126cc980ebfe902587ff36ba61dc77d4447ebe0f96dc22ae59d7"),
            transport: [
                ("4361726c204d656e676572", "3205e1265f809505e6edc092839d3156745d2abafbfd946b261e41"),
                (
                    "4a65616e2d426170746973746520536179",
                    "470bcb1ae099555ff0d729500df550418d6ee5149d9e40bd2f4c6b3d263cc818d5",
                ),
            ],
        },
        Vector {
            prologue: "5468657265206973206e6f20726967687420616e642077726f6e672e2054686572652773206f6e6c792066756e20616e6420626f72696e672e",
            initiator: [
                "d79245fc228517d26ab3026f901e6de5e87029f62f5337bb7aeaf290630663c5",
                "821a1cfc35eafdfd7ceec182cea0b46a8b41715f8b1a6c3255da349a4205a912",
            ],
            responder: [
                "41f32f158d5bde75b0814850d79885e717c1858b34ae1787911dabb846dfb28a",
                "d3d600d3d556e1819de798950067a5b9f07977aa4dfc7ccea983bccc4f92ed5d",
            ],
            payloads: [
                "5ff166c364c401f5cccefe5dbef2399eb35af4f77373ac26e98cc2178b3d4f05",
                "44d9a8b2dfc5e4db9109c08e7345ad331bc74d16d5580a0ccab5695a0d4ea406",
                "82e4f70bd164c183c4d116f4d18e92c1e8c57257dcc5414b10e1df7ba66490dc",
            ],
            messages: [
                "e72ac10bdc197cc923051ac8ce5e8f952873928d4c0be6bc3e1ce2c44a5d8948fcff0ce5c4eb228940fa1f01db75144acf89e5f5fe3f456ebb2439d1c59e430840751ef5f93567d268d5399b78c56137",
                "573253370220f0dcfae0ff8f800d885f67aaa0aabf13191e4b17241b0a50ba1721b33d6f53bb9147724bb5f9b80347d4151c68de9ecd62170433df78eb5e3dee843ced53014a2922d7f7c7a447ddc347",
                "7aee57bc9c27b1489388b1b114335b1c777a242dd3f199d0a44cf3588910371cfefaced10536e91859a496caeb78f52e63d3703766c33e05bbd94c985421e1d1461d769fd6b9f333b32ca30cb17ee09ac7af9b7499a5a8d0a3e19aff0e1dd055",
            ],
            hash: None,
            transport: [
                (
                    "534f98102268d35aed2ad42b7929840845b67f3d1e27fa05b9365675cdf9ecf3",
                    "c837eb9eba146171756bdc87f554052496e2ccc7c8e7a224d49a53302240134c9925c8919662f162f8e086dc93694eb1",
                ),
                (
                    "7cdebd667263c56a74ed30fcc0783f4ee90b17cc4e8c4c31e47f81484211caf1",
                    "553d810ba41db883b8f990b088f834eecf960c66dc63c65eefef0a51e5661289069ce103e5c9b742ae33806d383eb2a1",
                ),
            ],
        },
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
    }

    fn secret(hex: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(parse_hex(hex).unwrap())
    }

    fn seal(key: &[u8; 32], plaintext: &[u8]) -> Vec<u8> {
        use chacha20poly1305::aead::{Aead, KeyInit};
        chacha20poly1305::ChaCha20Poly1305::new(key.into()).encrypt(&[0; 12].into(), plaintext).unwrap()
    }

    #[test]
    fn r16_both_sides_speak_the_published_noise_xk_vectors() {
        for vector in VECTORS {
            let prologue = bytes(vector.prologue);
            let payloads = vector.payloads.map(bytes);
            let messages = vector.messages.map(bytes);
            let responder_secret = secret(vector.responder[0]);
            let responder_public = PublicKey::from(&StaticSecret::from(*responder_secret)).to_bytes();

            let (mut initiator, message1) = Initiator::with_keys(
                Pattern::Xk,
                &secret(vector.initiator[0]),
                &secret(vector.initiator[1]),
                &responder_public,
                &prologue,
                &payloads[0],
            )
            .unwrap();
            assert_eq!(to_hex(&message1), vector.messages[0]);

            let mut responder = builder(Pattern::Xk.name(), &responder_secret, &secret(vector.responder[1]))
                .unwrap()
                .prologue(&prologue)
                .unwrap()
                .build_responder()
                .unwrap();
            assert_eq!(read(&mut responder, &messages[0], payloads[0].len()).unwrap(), payloads[0]);
            assert_eq!(to_hex(&write(&mut responder, &payloads[1], 200).unwrap()), vector.messages[1]);
            assert_eq!(read(&mut initiator.0, &messages[1], payloads[1].len()).unwrap(), payloads[1]);
            assert_eq!(to_hex(&write(&mut initiator.0, &payloads[2], 200).unwrap()), vector.messages[2]);
            assert_eq!(read(&mut responder, &messages[2], payloads[2].len()).unwrap(), payloads[2]);

            let ours = Split::of(&mut initiator.0).unwrap();
            let theirs = Split::of(&mut responder).unwrap();
            assert_eq!(ours.hash, theirs.hash);
            if let Some(hash) = vector.hash {
                assert_eq!(to_hex(&ours.hash), hash);
            }
            // After message 3 it is the responder's turn to speak first.
            for split in [&ours, &theirs] {
                let [(first, sealed_first), (second, sealed_second)] = vector.transport;
                assert_eq!(to_hex(&seal(&split.from_responder, &bytes(first))), sealed_first);
                assert_eq!(to_hex(&seal(&split.from_initiator, &bytes(second))), sealed_second);
            }
        }
    }

    #[test]
    fn both_patterns_end_in_the_same_keys_on_both_sides() {
        for pattern in [Pattern::Xk, Pattern::XkPsk2] {
            let (mut initiator, message1) = begun(pattern);
            let mut responder = answered(pattern, &message1, PROLOGUE).unwrap();
            if pattern == Pattern::XkPsk2 {
                initiator.set_psk(&[9; 32]).unwrap();
                responder.set_psk(&[9; 32]).unwrap();
            }
            let (responder, message2) = responder.answer().unwrap();
            let (message3, ours) = initiator.finish(&message2).unwrap();
            let theirs = responder.finish(&message3).unwrap();

            assert_eq!((message1.len(), message2.len(), message3.len()), (48 + 7, 48, 64));
            assert_eq!(ours.from_initiator, theirs.from_initiator);
            assert_eq!(ours.from_responder, theirs.from_responder);
            assert_ne!(ours.from_initiator, ours.from_responder);
            assert_eq!(ours.hash, theirs.hash);
        }
    }

    #[test]
    fn another_psk_on_the_other_side_is_noticed_in_message_2() {
        let (mut initiator, message1) = begun(Pattern::XkPsk2);
        let mut responder = answered(Pattern::XkPsk2, &message1, PROLOGUE).unwrap();
        initiator.set_psk(&[9; 32]).unwrap();
        responder.set_psk(&[8; 32]).unwrap();
        let (_, message2) = responder.answer().unwrap();
        assert_eq!(initiator.finish(&message2).unwrap_err(), NoiseError::Authentication);
    }

    #[test]
    fn a_psk_that_was_never_set_is_an_error_and_not_a_zero() {
        let (_, message1) = begun(Pattern::XkPsk2);
        let responder = answered(Pattern::XkPsk2, &message1, PROLOGUE).unwrap();
        assert!(matches!(responder.answer(), Err(NoiseError::Library(_))));
    }

    #[test]
    fn a_message_of_another_size_is_refused_with_both_numbers() {
        let (initiator, message1) = begun(Pattern::Xk);
        let wrong = |expected, actual| NoiseError::Length { expected, actual };
        assert_eq!(answered(Pattern::Xk, &message1[1..], PROLOGUE).unwrap_err(), wrong(55, 54));
        let (answering, message2) = answered(Pattern::Xk, &message1, PROLOGUE).unwrap().answer().unwrap();
        assert_eq!(answering.finish(&[0; 65]).unwrap_err(), wrong(64, 65));
        assert_eq!(initiator.finish(&message2[..47]).unwrap_err(), wrong(48, 47));
    }

    #[test]
    fn a_low_order_ephemeral_key_is_refused_by_both_sides() {
        let (initiator, message1) = begun(Pattern::Xk);
        let mut low = message1.clone();
        low[..32].fill(0);
        assert_eq!(answered(Pattern::Xk, &low, PROLOGUE).unwrap_err(), NoiseError::LowOrderKey);
        let (_, mut message2) = answered(Pattern::Xk, &message1, PROLOGUE).unwrap().answer().unwrap();
        message2[..32].fill(0);
        assert_eq!(initiator.finish(&message2).unwrap_err(), NoiseError::LowOrderKey);
    }

    #[test]
    fn debug_shows_no_key() {
        let (initiator, message1) = begun(Pattern::Xk);
        let (answering, message2) = answered(Pattern::Xk, &message1, PROLOGUE).unwrap().answer().unwrap();
        assert_eq!(format!("{initiator:?} {answering:?}"), "Initiator { .. } Answered { .. }");
        let (_, split) = initiator.finish(&message2).unwrap();
        assert_eq!(format!("{split:?}"), "Split { .. }");
    }
}
