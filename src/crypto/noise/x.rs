//! One-way Noise X (HTX spec 16.1): one message, sealed to a static key by the holder of another.
//!
//! Who opens it knows who sealed it; so does whoever holds the recipient's key, who can also make such messages.

use rand_core::{CryptoRng, RngCore};
use snow::error::StateProblem;
use zeroize::Zeroizing;

use super::message::{builder, draw, read, write};
use crate::crypto::error::NoiseError;
use crate::crypto::keys::Identity;

/// What sealing adds to a payload: an ephemeral key, an encrypted static key, a tag.
pub(in crate::crypto) const OVERHEAD: usize = 32 + (32 + 16) + 16;

const PATTERN: &str = "Noise_X_25519_ChaChaPoly_SHA256";

/// Seals a payload to the holder of `recipient`; draws 32 bytes.
pub(in crate::crypto) fn seal<R: RngCore + CryptoRng + ?Sized>(
    sender: &Identity,
    recipient: &[u8; 32],
    prologue: &[u8],
    payload: &[u8],
    rng: &mut R,
) -> Result<Vec<u8>, NoiseError> {
    let mut state = builder(PATTERN, sender.noise_secret(), &draw(rng))?
        .remote_public_key(recipient)?
        .prologue(prologue)?
        .build_initiator()?;
    write(&mut state, payload, OVERHEAD.saturating_add(payload.len()))
}

/// Opens what [`seal`] made, with the recipient's secret key; gives the sender's public key and the payload.
pub(in crate::crypto) fn open(
    recipient: &[u8; 32],
    prologue: &[u8],
    message: &[u8],
) -> Result<([u8; 32], Zeroizing<Vec<u8>>), NoiseError> {
    let too_short = NoiseError::Length { expected: OVERHEAD, actual: message.len() };
    let payload_len = message.len().checked_sub(OVERHEAD).ok_or(too_short)?;
    // The one who opens sends nothing, so this ephemeral key is never used.
    let unused = Zeroizing::new([0; 32]);
    let mut state = builder(PATTERN, recipient, &unused)?.prologue(prologue)?.build_responder()?;
    let payload = Zeroizing::new(read(&mut state, message, payload_len)?);
    let sender = *state
        .get_remote_static()
        .and_then(<[u8]>::first_chunk)
        .ok_or(NoiseError::Library(StateProblem::HandshakeNotFinished.into()))?;
    Ok((sender, payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::given::Given;
    use crate::ids::{parse_hex, to_hex};

    fn identity(noise_secret: &str) -> Identity {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&parse_hex::<32>(noise_secret).unwrap());
        Identity::from_bytes(&bytes)
    }

    fn ephemeral(hex: &str) -> [u8; 32] {
        parse_hex(hex).unwrap()
    }

    #[test]
    fn a_sealed_message_is_the_published_noise_x_vector() {
        // From the cacophony collection.
        let sender = identity("e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1");
        let recipient = identity("4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893");
        let mut rng =
            Given::new(ephemeral("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"));
        let sealed =
            seal(&sender, &recipient.noise_public(), b"John Galt", b"Ludwig von Mises", &mut rng).unwrap();
        assert_eq!(
            to_hex(&sealed),
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79446c15957a594079a5bdeae05d01e089fbb7cc6ea2ecfd209b941f73c9235213bc875f7283e9e17ebdac8112627915b455fdc3aaa6de60cb3c98302f370fdb03ea850b9b0cf22fec13e4dc0707245c8721"
        );

        let (from, payload) = open(recipient.noise_secret(), b"John Galt", &sealed).unwrap();
        assert_eq!(from, sender.noise_public());
        assert_eq!(payload.as_slice(), b"Ludwig von Mises");
    }

    #[test]
    fn another_prologue_another_recipient_and_a_short_message_are_refused() {
        let (ann, ben) = (Identity::from_bytes(&[1; 64]), Identity::from_bytes(&[2; 64]));
        let sealed = seal(&ann, &ben.noise_public(), b"for mail", b"hi", &mut Given::new([3; 32])).unwrap();
        assert_eq!(open(ben.noise_secret(), b"for else", &sealed).unwrap_err(), NoiseError::Authentication);
        assert_eq!(open(ann.noise_secret(), b"for mail", &sealed).unwrap_err(), NoiseError::Authentication);
        assert_eq!(
            open(ben.noise_secret(), b"for mail", &sealed[..95]).unwrap_err(),
            NoiseError::Length { expected: 96, actual: 95 }
        );
    }

    #[test]
    fn nothing_is_sealed_to_a_low_order_key() {
        let ann = Identity::from_bytes(&[1; 64]);
        let refused = seal(&ann, &[0; 32], b"", b"hi", &mut Given::new([3; 32])).unwrap_err();
        assert_eq!(refused, NoiseError::LowOrderKey);
    }
}
