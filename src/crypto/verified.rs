//! Proof that a value was signed: a [`Verified`] comes from [`verify`] and from nowhere else.

use std::ops::Deref;

use ed25519_dalek::{Signature, VerifyingKey};

use super::error::SignatureError;

/// A value whose signature verified. Whoever asks for one cannot be handed anything less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value, without the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Checks an Ed25519 signature over the first preimage that fits, and vouches for the value; hands the value
/// back when none fits.
///
/// There can be several preimages, because phones differ in how they compress what they sign (spec 2.4).
/// The check is the strict one: keys and nonces of low order are refused, under which a signature proves
/// nothing. Every honest signer's signatures pass it, CryptoKit's and Bouncy Castle's among them.
pub fn verify<T, P: AsRef<[u8]>>(
    key: &[u8; 32],
    signature: &[u8; 64],
    preimages: impl IntoIterator<Item = P>,
    value: T,
) -> Result<Verified<T>, (T, SignatureError)> {
    let key = match VerifyingKey::from_bytes(key) {
        Ok(key) if !key.is_weak() => key,
        Ok(_) | Err(_) => return Err((value, SignatureError::Key)),
    };
    let signature = Signature::from_bytes(signature);
    let fits = |preimage: P| key.verify_strict(preimage.as_ref(), &signature).is_ok();
    if preimages.into_iter().any(fits) { Ok(Verified(value)) } else { Err((value, SignatureError::Mismatch)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Identity;

    fn alice() -> Identity {
        Identity::from_bytes(&[1; 64])
    }

    #[test]
    fn a_signed_value_is_verified() {
        let key = alice().signing_public();
        let verified = verify(&key, &alice().sign(b"text"), [b"text"], 7).unwrap();
        assert_eq!(*verified, 7);
        assert_eq!(verified.into_inner(), 7);
    }

    #[test]
    fn any_one_of_the_preimages_is_enough_and_later_ones_are_not_made() {
        let key = alice().signing_public();
        let mut made = Vec::new();
        let preimages = ["one", "two", "three"].into_iter().inspect(|preimage| made.push(*preimage));
        assert!(verify(&key, &alice().sign(b"two"), preimages, ()).is_ok());
        assert_eq!(made, ["one", "two"]);
    }

    #[test]
    fn a_value_that_is_not_signed_comes_back() {
        let key = alice().signing_public();
        let refused = verify(&key, &alice().sign(b"text"), [b"test"], 7);
        assert_eq!(refused, Err((7, SignatureError::Mismatch)));
        assert_eq!(
            verify(&key, &alice().sign(b"text"), [[0; 0]; 0], 7),
            Err((7, SignatureError::Mismatch)),
            "no preimage, no proof"
        );
    }

    #[test]
    fn another_key_does_not_verify() {
        let key = Identity::from_bytes(&[2; 64]).signing_public();
        let refused = verify(&key, &alice().sign(b"text"), [b"text"], ());
        assert_eq!(refused, Err(((), SignatureError::Mismatch)));
    }

    #[test]
    fn a_low_order_key_under_which_anything_would_verify_is_refused() {
        let mut identity_point = [0; 32];
        identity_point[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert_eq!(verify(&identity_point, &signature, [b"anything"], ()), Err(((), SignatureError::Key)));
    }

    #[test]
    fn bytes_that_are_no_point_are_no_key() {
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert_eq!(verify(&no_point, &[0; 64], [b"text"], ()), Err(((), SignatureError::Key)));
    }
}
