//! The secret half of a prekey: it opens what was sealed to one key, and its end is the end of that.

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// An X25519 secret key that belongs to no identity; wiped from memory when dropped.
#[derive(Clone)]
pub struct PrekeySecret(StaticSecret);

impl PrekeySecret {
    /// Bytes of the secret.
    pub const LEN: usize = 32;

    /// A new one; draws 32 bytes.
    pub fn generate<R: RngCore + CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self::from_bytes(&bytes)
    }

    /// The one that [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(StaticSecret::from(*bytes))
    }

    /// The secret, to be kept on disk.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The key that others seal to.
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }

    /// The bytes, for the handshakes of this room only.
    pub(super) fn secret(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for PrekeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrekeySecret(..)")
    }
}
