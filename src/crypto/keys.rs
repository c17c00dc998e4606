//! Who we are: one key for Noise and one for signatures (spec 2.8).

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use rand_core::{CryptoRng, RngCore};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::ids::{Fingerprint, PeerId};

/// The long-lived secrets of this node; wiped from memory when dropped.
#[derive(Clone)]
pub struct Identity {
    noise: StaticSecret,
    noise_public: [u8; 32],
    signing: SigningKey,
}

impl Identity {
    /// The bytes of [`Self::to_bytes`]: the X25519 private key, then the Ed25519 seed.
    pub const LEN: usize = 64;

    /// A new identity; draws 64 bytes.
    pub fn generate<R: RngCore + CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self::from_bytes(&bytes)
    }

    /// The identity that [`Self::to_bytes`] wrote. Any 64 bytes are one.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut noise = Zeroizing::new([0; 32]);
        let mut seed = Zeroizing::new([0; 32]);
        let (front, back) = bytes.split_at(32);
        noise.copy_from_slice(front);
        seed.copy_from_slice(back);

        let noise = StaticSecret::from(*noise);
        let noise_public = PublicKey::from(&noise).to_bytes();
        Self { noise, noise_public, signing: SigningKey::from_bytes(&seed) }
    }

    /// The secrets, to be kept on disk.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        let (front, back) = bytes.split_at_mut(32);
        front.copy_from_slice(self.noise.as_bytes());
        back.copy_from_slice(self.signing.as_bytes());
        bytes
    }

    /// The X25519 public key that names us.
    pub fn noise_public(&self) -> [u8; 32] {
        self.noise_public
    }

    /// The Ed25519 public key that others verify our packets with.
    pub fn signing_public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// SHA-256 of the Noise public key.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.noise_public)
    }

    /// The first eight bytes of the fingerprint.
    pub fn peer_id(&self) -> PeerId {
        self.fingerprint().peer_id()
    }

    /// Our Ed25519 signature over a preimage: deterministic, as in RFC 8032.
    pub fn sign(&self, preimage: &[u8]) -> [u8; 64] {
        self.signing.sign(preimage).to_bytes()
    }

    /// The Noise private key, for handshakes only: those of this room, and those of a relay's tunnels.
    pub(crate) fn noise_secret(&self) -> &[u8; 32] {
        self.noise.as_bytes()
    }

    /// The Ed25519 seed, for the subkeys of this room only.
    pub(super) fn signing_seed(&self) -> &[u8; 32] {
        self.signing.as_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.peer_id())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn an_identity_survives_its_bytes() {
        let identity = Identity::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        let again = Identity::from_bytes(&identity.to_bytes());
        assert_eq!(again.peer_id(), identity.peer_id());
        assert_eq!(again.signing_public(), identity.signing_public());
        assert_eq!(again.to_bytes(), identity.to_bytes());
    }

    #[test]
    fn the_same_seed_gives_the_same_identity_and_another_gives_another() {
        let made = |seed| Identity::generate(&mut ChaCha20Rng::from_seed([seed; 32])).fingerprint();
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }

    #[test]
    fn debug_shows_the_peer_id_and_no_key() {
        let identity = Identity::from_bytes(&[0xAB; 64]);
        assert_eq!(format!("{identity:?}"), format!("Identity({})", identity.peer_id()));
    }
}
