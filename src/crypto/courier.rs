//! Mail for somebody who is not in the mesh, as BitChat seals it (spec 3.11): a one-way Noise X message from the
//! sender's static key to a prekey of the recipient's, or to its static key where there is no prekey.
//!
//! Who carries it sees neither sender nor text. The tag tells for whom it is to those alone who know the
//! recipient's key, and it is another one each day. Mail to a static key has no forward secrecy; mail to a prekey
//! can be opened by nobody once that key is destroyed.

use hkdf::hmac::{Hmac, Mac};
use rand_core::{CryptoRng, RngCore};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::NoiseError;
use super::keys::Identity;
use super::noise::x;
use super::prekey::PrekeySecret;

const TAG_DOMAIN: &[u8] = b"bitchat-courier-tag-v1";
const STATIC_PROLOGUE: &[u8] = b"bitchat-courier-v1";
const PREKEY_PROLOGUE: &[u8] = b"bitchat-prekey-v1";

/// The key that mail is sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealTo<'a> {
    /// The recipient's static key.
    Static(&'a [u8; 32]),
    /// One of its prekeys.
    Prekey {
        /// The id it has among its owner's.
        id: u32,
        /// The key.
        public: &'a [u8; 32],
    },
}

/// The key that opens it.
#[derive(Debug, Clone, Copy)]
pub enum OpenWith<'a> {
    /// Our static key.
    Static(&'a Identity),
    /// One of our prekeys.
    Prekey {
        /// Its id.
        id: u32,
        /// The key.
        secret: &'a PrekeySecret,
    },
}

/// The tag of mail to the holder of this Noise key, made on this UTC day.
pub fn tag(recipient: &[u8; 32], day: u32) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(recipient).expect("HMAC takes a key of any length");
    mac.update(TAG_DOMAIN);
    mac.update(&day.to_be_bytes());
    let mut tag = [0; 16];
    tag.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(byte, digest)| *byte = digest);
    tag
}

/// The tags that mail to this key may have today: clocks differ, and mail may be a day old.
pub fn tags_around(recipient: &[u8; 32], day: u32) -> [[u8; 16]; 3] {
    [day.saturating_sub(1), day, day.saturating_add(1)].map(|day| tag(recipient, day))
}

/// Seals a message; draws 32 bytes.
pub fn seal<R: RngCore + CryptoRng + ?Sized>(
    sender: &Identity,
    to: SealTo<'_>,
    message: &[u8],
    rng: &mut R,
) -> Result<Vec<u8>, NoiseError> {
    match to {
        SealTo::Static(recipient) => x::seal(sender, recipient, STATIC_PROLOGUE, message, rng),
        SealTo::Prekey { id, public } => x::seal(sender, public, &prekey_prologue(id), message, rng),
    }
}

/// Opens a message; gives the sender's Noise key and what was sealed.
pub fn open(with: OpenWith<'_>, sealed: &[u8]) -> Result<([u8; 32], Zeroizing<Vec<u8>>), NoiseError> {
    match with {
        OpenWith::Static(identity) => x::open(identity.noise_secret(), STATIC_PROLOGUE, sealed),
        OpenWith::Prekey { id, secret } => x::open(secret.secret(), &prekey_prologue(id), sealed),
    }
}

fn prekey_prologue(id: u32) -> Vec<u8> {
    [PREKEY_PROLOGUE, &id.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn sealed(to: SealTo<'_>) -> Vec<u8> {
        seal(&Identity::from_bytes(&[1; 64]), to, b"hi", &mut ChaCha20Rng::from_seed([3; 32])).unwrap()
    }

    #[test]
    fn mail_to_a_prekey_opens_with_that_key_and_id_and_with_no_other() {
        let (ann, ben) = (Identity::from_bytes(&[1; 64]), Identity::from_bytes(&[2; 64]));
        let secret = PrekeySecret::from_bytes(&[9; 32]);
        let mail = sealed(SealTo::Prekey { id: 7, public: &secret.public() });
        let (sender, message) = open(OpenWith::Prekey { id: 7, secret: &secret }, &mail).unwrap();
        assert_eq!((sender, message.as_slice()), (ann.noise_public(), b"hi".as_slice()));
        for wrong in [
            OpenWith::Static(&ben),
            OpenWith::Prekey { id: 8, secret: &secret },
            OpenWith::Prekey { id: 7, secret: &PrekeySecret::from_bytes(&[8; 32]) },
        ] {
            assert_eq!(open(wrong, &mail).unwrap_err(), NoiseError::Authentication);
        }
    }

    #[test]
    fn a_prekey_that_equals_the_static_key_still_does_not_open_static_mail() {
        let ben = Identity::from_bytes(&[2; 64]);
        let mail = sealed(SealTo::Static(&ben.noise_public()));
        let secret = PrekeySecret::from_bytes(&[2; 32]);
        assert!(open(OpenWith::Static(&ben), &mail).is_ok());
        assert!(open(OpenWith::Prekey { id: 0, secret: &secret }, &mail).is_err());
    }

    #[test]
    fn a_tag_matches_the_day_before_and_the_day_after_and_no_other() {
        let key = [5; 32];
        let around = tags_around(&key, 100);
        for day in 0..200 {
            assert_eq!(around.contains(&tag(&key, day)), (99..=101).contains(&day));
        }
        assert!(!around.contains(&tag(&[6; 32], 100)));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", PrekeySecret::from_bytes(&[9; 32])), "PrekeySecret(..)");
    }
}
