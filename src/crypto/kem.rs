//! ML-KEM-768 (FIPS 203), with the randomness handed in.

use std::fmt;

use ml_kem::array::Array;
use ml_kem::{Decapsulate, DecapsulationKey768, EncapsulationKey768, KeyExport, Seed};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

/// Bytes of an encapsulation key.
pub const ENCAPSULATION_KEY_LEN: usize = 1184;
/// Bytes of a ciphertext.
pub const CIPHERTEXT_LEN: usize = 1088;

/// A fresh key pair, to be used once; wiped when dropped.
pub struct DecapsulationKey(DecapsulationKey768);

impl DecapsulationKey {
    /// Draws 64 bytes.
    pub fn generate<R: RngCore + CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new(Seed::default());
        rng.fill_bytes(seed.as_mut_slice());
        Self(DecapsulationKey768::from_seed(*seed))
    }

    /// The public half.
    pub fn encapsulation_key(&self) -> [u8; ENCAPSULATION_KEY_LEN] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The secret in a ciphertext. A ciphertext that was changed gives another secret, not an error.
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_LEN]) -> Zeroizing<[u8; 32]> {
        let shared = Zeroizing::new(self.0.decapsulate(&Array::from(*ciphertext)));
        copied(&shared)
    }
}

impl fmt::Debug for DecapsulationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecapsulationKey").finish_non_exhaustive()
    }
}

/// The bytes are no encapsulation key: a coefficient is not below the modulus (FIPS 203, section 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ML-KEM-768 encapsulation key")]
pub struct InvalidEncapsulationKey;

/// A fresh secret for the holder of the key, and the ciphertext it travels in; draws 32 bytes.
pub fn encapsulate<R: RngCore + CryptoRng + ?Sized>(
    key: &[u8; ENCAPSULATION_KEY_LEN],
    rng: &mut R,
) -> Result<([u8; CIPHERTEXT_LEN], Zeroizing<[u8; 32]>), InvalidEncapsulationKey> {
    let key = EncapsulationKey768::new(&Array::from(*key)).map_err(|_| InvalidEncapsulationKey)?;
    let mut message = Zeroizing::new(Array::from([0; 32]));
    rng.fill_bytes(message.as_mut_slice());
    let (ciphertext, shared) = key.encapsulate_deterministic(&message);
    let shared = Zeroizing::new(shared);
    Ok((ciphertext.into(), copied(&shared)))
}

fn copied(shared: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut secret = Zeroizing::new([0; 32]);
    secret.copy_from_slice(shared);
    secret
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    #[test]
    fn both_sides_get_one_secret_and_the_same_randomness_gives_the_same() {
        let key = DecapsulationKey::generate(&mut rng(1));
        let (ciphertext, secret) = encapsulate(&key.encapsulation_key(), &mut rng(2)).unwrap();
        assert_eq!(key.decapsulate(&ciphertext), secret);
        let again = encapsulate(&key.encapsulation_key(), &mut rng(2)).unwrap();
        assert_eq!(again, (ciphertext, secret.clone()));
        assert_ne!(encapsulate(&key.encapsulation_key(), &mut rng(3)).unwrap().1, secret);
    }

    #[test]
    fn a_changed_ciphertext_gives_another_secret() {
        let key = DecapsulationKey::generate(&mut rng(1));
        let (mut ciphertext, secret) = encapsulate(&key.encapsulation_key(), &mut rng(2)).unwrap();
        ciphertext[500] ^= 1;
        assert_ne!(key.decapsulate(&ciphertext), secret);
    }

    #[test]
    fn a_key_with_a_coefficient_over_the_modulus_is_refused() {
        assert_eq!(
            encapsulate(&[0xFF; ENCAPSULATION_KEY_LEN], &mut rng(2)).unwrap_err(),
            InvalidEncapsulationKey
        );
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", DecapsulationKey::generate(&mut rng(1))), "DecapsulationKey { .. }");
    }
}
