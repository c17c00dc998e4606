//! Bodies at rest: XChaCha20-Poly1305 with a random nonce, bound to the row they stand in.
//!
//! A sealed body is `nonce (24) ‖ ciphertext ‖ tag (16)`. The associated data is
//! `table ‖ 0 ‖ message id (16) ‖ direction (1) ‖ the other end`: a body that is moved to another row, or to
//! another person's, does not open there.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

use super::device_key::DeviceKey;
use super::error::StoreError;
use crate::ids::MessageId;

/// Length of the nonce in front of the ciphertext.
const NONCE_LEN: usize = 24;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Out = 0,
    In = 1,
}

/// The row a body stands in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) table: &'static str,
    pub(super) id: MessageId,
    pub(super) direction: Direction,
    /// The sender or the recipient; empty for everyone.
    pub(super) other: &'a [u8],
}

/// A body that the device key does not open where it stands: it was changed, or moved from another row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body of message {id} in table {table} does not open: it was changed, or moved there")]
pub struct Unsealed {
    /// The table.
    pub table: &'static str,
    /// Which message.
    pub id: MessageId,
}

/// What seals and opens.
pub(super) struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl Sealer {
    pub(super) fn new(key: &DeviceKey) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.as_bytes().into()) }
    }

    pub(super) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = XNonce::default();
        OsRng.try_fill_bytes(&mut nonce).map_err(StoreError::Random)?;
        let payload = Payload { msg: plain, aad: &place.associated_data() };
        let sealed = self.cipher.encrypt(&nonce, payload).map_err(|_| place.unsealed())?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(super) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealed> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(place.unsealed())?;
        let payload = Payload { msg: sealed, aad: &place.associated_data() };
        let plain = self.cipher.decrypt(XNonce::from_slice(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| place.unsealed())
    }
}

impl Place<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let direction = [self.direction as u8];
        [self.table.as_bytes(), &[0], &self.id.0, &direction, self.other].concat()
    }

    const fn unsealed(&self) -> Unsealed {
        Unsealed { table: self.table, id: self.id }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const HERE: Place<'_> =
        Place { table: "inbox", id: MessageId([1; 16]), direction: Direction::In, other: b"bob" };

    fn sealer(seed: u8) -> Sealer {
        Sealer::new(&DeviceKey::generate(&mut ChaCha20Rng::from_seed([seed; 32])))
    }

    #[test]
    fn a_body_does_not_open_in_another_place_or_with_another_key() {
        let sealed = sealer(1).seal(HERE, b"hello").unwrap();
        assert_eq!(sealer(1).open(HERE, &sealed).unwrap().as_slice(), b"hello");

        let elsewhere = [
            Place { table: "outbox", ..HERE },
            Place { id: MessageId([2; 16]), ..HERE },
            Place { direction: Direction::Out, ..HERE },
            Place { other: b"eve", ..HERE },
        ];
        for place in elsewhere {
            let refused = Unsealed { table: place.table, id: place.id };
            assert_eq!(sealer(1).open(place, &sealed).unwrap_err(), refused);
        }
        assert!(sealer(2).open(HERE, &sealed).is_err());
    }

    #[test]
    fn the_same_body_is_sealed_differently_each_time() {
        let sealer = sealer(1);
        assert_ne!(sealer.seal(HERE, b"hello").unwrap(), sealer.seal(HERE, b"hello").unwrap());
    }

    proptest! {
        #[test]
        fn no_changed_or_shortened_body_opens(
            plain in proptest::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let sealer = sealer(1);
            let mut sealed = sealer.seal(HERE, &plain).unwrap();
            let at = at.index(sealed.len());
            prop_assert!(sealer.open(HERE, &sealed[..at]).is_err());
            sealed[at] ^= flip;
            prop_assert!(sealer.open(HERE, &sealed).is_err());
        }
    }
}
