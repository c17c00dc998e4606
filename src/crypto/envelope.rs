//! The sealed envelope (HTX spec 16.1): a message for somebody who is not there, end to end, from a sender the
//! recipient can name.
//!
//! ```text
//! version 01 ‖ kind 00 ‖ key block (160) ‖ chunk ‖ chunk ‖ …
//! ```
//!
//! The key block is a one-way Noise X message from the sender's identity key to the recipient's, over id, times and
//! the key of the body. The body is the message behind its length (u32), padded with zeros to one of a few sizes, in
//! chunks of 16 KiB; a chunk's nonce says which it is and whether it is the last. Whoever carries an envelope learns
//! its size and kind.
//!
//! There is no forward secrecy here, and whoever steals the recipient's key can also make mail *to* the recipient in
//! any name. That an envelope was opened before is for the inbox to notice, by (sender, id).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::error::NoiseError;
use super::keys::Identity;
use super::noise::x;
use crate::ids::MessageId;
use crate::time::UnixMillis;

/// The longest message: with its length it fills the largest size whose envelope still fits into one request to a
/// mailbox (spec 16.2).
pub const MAX_MESSAGE_LEN: usize = MAX_PADDED_LEN - LENGTH_LEN;
/// The longest envelope.
pub const MAX_ENVELOPE_LEN: usize = HEADER_LEN + KEY_BLOCK_LEN + sealed_len(MAX_PADDED_LEN);
/// How long after it was made a message may expire.
pub const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How far the sender's clock may be ahead of ours.
pub const MAX_AHEAD: Duration = Duration::from_secs(10 * 60);

const VERSION: u8 = 1;
/// Sealed to the recipient's static key.
const KIND: u8 = 0;
const HEADER_LEN: usize = 2;
const DOMAIN: &[u8] = b"hopline-envelope-v1";
/// Id, created, expires, body key.
const KEYS_LEN: usize = 16 + 8 + 8 + 32;
const KEY_BLOCK_LEN: usize = x::OVERHEAD + KEYS_LEN;
const CHUNK_LEN: usize = 16 * 1024;
const TAG_LEN: usize = 16;
const LENGTH_LEN: usize = 4;
/// The sizes a message and its length are padded to; beyond them, multiples of [`STEP`].
const SIZES: [usize; 6] = [1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
const STEP: usize = 256 << 10;
const MAX_PADDED_LEN: usize = (1 << 20) + STEP;

/// What the key block says of a message, beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The message's id.
    pub id: MessageId,
    /// When the sender made it, by the sender's clock.
    pub created: UnixMillis,
    /// From when on nobody wants it, [`MAX_LIFETIME`] later at most.
    pub expires: UnixMillis,
}

/// An envelope that was opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The Noise key of who sealed it.
    pub sender: [u8; 32],
    /// Id and times.
    pub label: Label,
    /// What was sealed.
    pub message: Bytes,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("label", &self.label)
            .field("len", &self.message.len())
            .finish_non_exhaustive()
    }
}

/// Why an envelope was not made or not opened.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum EnvelopeError {
    /// The message is too long for any envelope.
    #[error("message of {actual} bytes, at most {MAX_MESSAGE_LEN} allowed")]
    TooLong {
        /// Bytes given.
        actual: usize,
    },
    /// No envelope has this length: bytes are missing, or others follow.
    #[error("no envelope has {actual} bytes")]
    Length {
        /// Bytes given.
        actual: usize,
    },
    /// A version we do not know.
    #[error("envelope of version {0}")]
    Version(u8),
    /// A kind we do not open.
    #[error("envelope of kind {0}")]
    Kind(u8),
    /// The key block is not for us, or was changed; or the recipient's key is none.
    #[error("key block: {0}")]
    KeyBlock(#[from] NoiseError),
    /// Nobody wants it any more.
    #[error("expired at {expires}")]
    Expired {
        /// When it did.
        expires: UnixMillis,
    },
    /// It expires more than seven days after it was made.
    #[error("made at {created}, expires at {expires}: more than 7 days")]
    Lifetime {
        /// When it was made.
        created: UnixMillis,
        /// When it expires.
        expires: UnixMillis,
    },
    /// It was made more than ten minutes ahead of our clock.
    #[error("made at {created}, in the future")]
    Future {
        /// When it says it was made.
        created: UnixMillis,
    },
    /// A chunk does not open: changed, moved, left out, or from another envelope.
    #[error("chunk {index} does not authenticate")]
    Chunk {
        /// Which, from 0.
        index: usize,
    },
    /// The length inside does not fit the size outside.
    #[error("a message of {len} bytes is not padded to {padded}")]
    Padding {
        /// What the length says.
        len: u32,
        /// The size it was padded to.
        padded: usize,
    },
}

/// Seals a message to the holder of a Noise key; draws 64 bytes.
pub fn seal<R: RngCore + CryptoRng + ?Sized>(
    sender: &Identity,
    recipient: &[u8; 32],
    label: Label,
    message: &[u8],
    rng: &mut R,
) -> Result<Bytes, EnvelopeError> {
    check_lifetime(label)?;
    let plaintext = padded(message)?;
    let mut body_key = Zeroizing::new([0; 32]);
    rng.fill_bytes(body_key.as_mut_slice());
    let keys = Zeroizing::new(
        [
            label.id.0.as_slice(),
            &label.created.0.to_be_bytes(),
            &label.expires.0.to_be_bytes(),
            body_key.as_slice(),
        ]
        .concat(),
    );
    let key_block = x::seal(sender, recipient, &prologue(recipient), &keys, rng)?;

    let mut envelope = BytesMut::with_capacity(envelope_len(plaintext.len()));
    envelope.extend([VERSION, KIND]);
    envelope.extend(key_block);
    seal_body(&body_key, &plaintext, &mut envelope)?;
    Ok(envelope.freeze())
}

/// Opens an envelope that is for us. Whether it was opened before is not asked here.
pub fn open(recipient: &Identity, envelope: &[u8], now: UnixMillis) -> Result<Opened, EnvelopeError> {
    let length = EnvelopeError::Length { actual: envelope.len() };
    let Some(([version, kind], rest)) = envelope.split_first_chunk::<HEADER_LEN>() else {
        return Err(length);
    };
    if *version != VERSION {
        return Err(EnvelopeError::Version(*version));
    }
    if *kind != KIND {
        return Err(EnvelopeError::Kind(*kind));
    }
    let Some((key_block, body)) = rest.split_first_chunk::<KEY_BLOCK_LEN>() else { return Err(length) };
    let padded_len = padded_len_of(body.len()).ok_or(length)?;

    let own = recipient.noise_public();
    let (sender, keys) = x::open(recipient.noise_secret(), &prologue(&own), key_block)?;
    let (label, body_key) = read_keys(&keys).ok_or(EnvelopeError::Length { actual: envelope.len() })?;
    check_times(label, now)?;
    let message = open_body(&body_key, body, padded_len)?;
    Ok(Opened { sender, label, message })
}

fn prologue(recipient: &[u8; 32]) -> Vec<u8> {
    [DOMAIN, &[KIND], recipient].concat()
}

fn read_keys(keys: &[u8]) -> Option<(Label, Zeroizing<[u8; 32]>)> {
    let (id, rest) = keys.split_first_chunk::<16>()?;
    let (created, rest) = rest.split_first_chunk()?;
    let (expires, rest) = rest.split_first_chunk()?;
    let body_key = Zeroizing::new(*rest.first_chunk::<32>()?);
    let label = Label {
        id: MessageId(*id),
        created: UnixMillis(u64::from_be_bytes(*created)),
        expires: UnixMillis(u64::from_be_bytes(*expires)),
    };
    Some((label, body_key))
}

fn check_lifetime(label: Label) -> Result<(), EnvelopeError> {
    let Label { created, expires, .. } = label;
    if expires > created + MAX_LIFETIME {
        return Err(EnvelopeError::Lifetime { created, expires });
    }
    Ok(())
}

fn check_times(label: Label, now: UnixMillis) -> Result<(), EnvelopeError> {
    if label.expires <= now {
        return Err(EnvelopeError::Expired { expires: label.expires });
    }
    check_lifetime(label)?;
    if label.created > now + MAX_AHEAD {
        return Err(EnvelopeError::Future { created: label.created });
    }
    Ok(())
}

/// The message behind its length, and zeros up to the next size.
fn padded(message: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let too_long = EnvelopeError::TooLong { actual: message.len() };
    let len = u32::try_from(message.len()).map_err(|_| EnvelopeError::TooLong { actual: message.len() })?;
    let size = size_for(message.len()).ok_or(too_long)?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(size));
    plaintext.extend(len.to_be_bytes());
    plaintext.extend_from_slice(message);
    plaintext.resize(size, 0);
    Ok(plaintext)
}

/// The size that a message of this length is padded to.
fn size_for(message_len: usize) -> Option<usize> {
    let needed = message_len.checked_add(LENGTH_LEN).filter(|needed| *needed <= MAX_PADDED_LEN)?;
    SIZES.into_iter().find(|size| needed <= *size).or(Some(needed.next_multiple_of(STEP)))
}

/// The size that was padded to, from the length of the chunks.
fn padded_len_of(body_len: usize) -> Option<usize> {
    let chunks = body_len.div_ceil(CHUNK_LEN + TAG_LEN);
    let padded_len = body_len.checked_sub(chunks.checked_mul(TAG_LEN)?)?;
    let smallest = padded_len.checked_sub(LENGTH_LEN)?;
    (size_for(smallest)? == padded_len && sealed_len(padded_len) == body_len).then_some(padded_len)
}

const fn sealed_len(padded_len: usize) -> usize {
    padded_len + padded_len.div_ceil(CHUNK_LEN) * TAG_LEN
}

const fn envelope_len(padded_len: usize) -> usize {
    HEADER_LEN + KEY_BLOCK_LEN + sealed_len(padded_len)
}

fn seal_body(key: &[u8; 32], plaintext: &[u8], envelope: &mut BytesMut) -> Result<(), EnvelopeError> {
    let cipher = ChaCha20Poly1305::new(Key::from_slice(key));
    let mut chunks = plaintext.chunks(CHUNK_LEN).enumerate().peekable();
    while let Some((index, chunk)) = chunks.next() {
        let nonce = nonce(index, chunks.peek().is_none());
        let mut sealed = envelope.split_off(envelope.len());
        sealed.extend_from_slice(chunk);
        let tag = cipher
            .encrypt_in_place_detached(&nonce, &[], &mut sealed)
            .map_err(|_| EnvelopeError::Chunk { index })?;
        sealed.extend(tag);
        envelope.unsplit(sealed);
    }
    Ok(())
}

fn open_body(key: &[u8; 32], body: &[u8], padded_len: usize) -> Result<Bytes, EnvelopeError> {
    let cipher = ChaCha20Poly1305::new(Key::from_slice(key));
    let mut plaintext = BytesMut::with_capacity(padded_len);
    let mut chunks = body.chunks(CHUNK_LEN + TAG_LEN).enumerate().peekable();
    while let Some((index, chunk)) = chunks.next() {
        let refused = EnvelopeError::Chunk { index };
        let Some((sealed, tag)) = chunk.split_last_chunk::<TAG_LEN>() else { return Err(refused) };
        let nonce = nonce(index, chunks.peek().is_none());
        let mut opened = plaintext.split_off(plaintext.len());
        opened.extend_from_slice(sealed);
        cipher
            .decrypt_in_place_detached(&nonce, &[], &mut opened, Tag::from_slice(tag))
            .map_err(|_| refused)?;
        plaintext.unsplit(opened);
    }
    unpadded(plaintext.freeze())
}

fn unpadded(plaintext: Bytes) -> Result<Bytes, EnvelopeError> {
    let padded = plaintext.len();
    let Some((len, _)) = plaintext.split_first_chunk::<LENGTH_LEN>() else {
        return Err(EnvelopeError::Padding { len: 0, padded });
    };
    let len = u32::from_be_bytes(*len);
    let message_len = usize::try_from(len).ok().filter(|message_len| size_for(*message_len) == Some(padded));
    let message_len = message_len.ok_or(EnvelopeError::Padding { len, padded })?;
    Ok(plaintext.slice(LENGTH_LEN..LENGTH_LEN.saturating_add(message_len)))
}

/// The chunk's index in 88 bits, and whether it is the last.
fn nonce(index: usize, last: bool) -> Nonce {
    let mut nonce = Nonce::default();
    let (number, flag) = nonce.split_at_mut(11);
    let (_, low) = number.split_at_mut(3);
    low.copy_from_slice(&u64::try_from(index).unwrap_or(u64::MAX).to_be_bytes());
    flag.fill(u8::from(last));
    nonce
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::crypto::given::Given;
    use crate::ids::to_hex;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const DAY: u64 = 24 * 60 * 60 * 1000;

    fn ann() -> Identity {
        Identity::from_bytes(&[1; 64])
    }

    fn ben() -> Identity {
        Identity::from_bytes(&[2; 64])
    }

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([7; 32])
    }

    fn label() -> Label {
        Label { id: MessageId([9; 16]), created: NOW, expires: UnixMillis(NOW.0 + DAY) }
    }

    fn sealed(message: &[u8]) -> Vec<u8> {
        seal(&ann(), &ben().noise_public(), label(), message, &mut rng()).unwrap().to_vec()
    }

    fn opened(envelope: &[u8]) -> Result<Opened, EnvelopeError> {
        open(&ben(), envelope, NOW)
    }

    #[test]
    fn the_recipient_learns_sender_label_and_message() {
        let opened = opened(&sealed(b"hello")).unwrap();
        assert_eq!(opened.sender, ann().noise_public());
        assert_eq!(opened.label, label());
        assert_eq!(opened.message.as_ref(), b"hello");
    }

    /// What Python's noiseprotocol and cryptography made of the same keys and the same randomness.
    #[test]
    fn every_byte_of_an_envelope_equals_that_of_a_second_implementation() {
        for (message, len, hash) in [
            (b"hello".to_vec(), 1202, "4f4d08fd89d01dedb0ae70da59ea92114f975d9af09b4055e2039973a3d3df29"),
            (vec![0x5A; 20_000], 65_762, "a32e9d67e4ddd003653ecc4dcf53f1f145ae092cb5e0760dacce5c2ee6943fcd"),
            (
                vec![0x5A; MAX_MESSAGE_LEN],
                1_312_162,
                "9b2d7983e561ebcbe892dd1c7c101c84b4ada54aee6fa2ad69edebe25fd22982",
            ),
        ] {
            let mut rng = Given::new(0..64);
            let envelope = seal(&ann(), &ben().noise_public(), label(), &message, &mut rng).unwrap();
            assert_eq!((envelope.len(), to_hex(&Sha256::digest(&envelope)).as_str()), (len, hash));
        }
    }

    #[test]
    fn an_envelope_shows_only_one_of_a_few_sizes() {
        for (len, padded) in [
            (0, 1 << 10),
            (1020, 1 << 10),
            (1021, 4 << 10),
            (4092, 4 << 10),
            (4093, 16 << 10),
            (16_380, 16 << 10),
            (16_381, 64 << 10),
            (65_533, 256 << 10),
            (262_141, 1 << 20),
            ((1 << 20) - 4, 1 << 20),
            ((1 << 20) - 3, (1 << 20) + (256 << 10)),
            (MAX_MESSAGE_LEN, (1 << 20) + (256 << 10)),
        ] {
            let message = vec![0x5A; len];
            let envelope = sealed(&message);
            let chunks = if padded < 16 << 10 { 1 } else { padded / (16 << 10) };
            assert_eq!(envelope.len(), 2 + 160 + padded + chunks * 16, "for {len} bytes");
            assert_eq!(opened(&envelope).unwrap().message, message);
        }
        assert_eq!(sealed(&[0; MAX_MESSAGE_LEN]).len(), MAX_ENVELOPE_LEN);
    }

    #[test]
    fn the_longest_envelope_fits_into_a_request_to_a_mailbox() {
        // Operation, address, token and their CBOR heads are below 100 bytes.
        const { assert!(MAX_ENVELOPE_LEN + 100 <= 1_312_768) };
    }

    #[test]
    fn a_message_that_is_too_long_is_not_sealed() {
        let actual = MAX_MESSAGE_LEN + 1;
        let refused = seal(&ann(), &ben().noise_public(), label(), &vec![0; actual], &mut rng());
        assert_eq!(refused, Err(EnvelopeError::TooLong { actual }));
    }

    #[test]
    fn nothing_is_sealed_to_a_key_that_agrees_on_nothing() {
        let refused = seal(&ann(), &[0; 32], label(), b"", &mut rng());
        assert_eq!(refused, Err(EnvelopeError::KeyBlock(NoiseError::LowOrderKey)));
    }

    #[test]
    fn another_recipient_cannot_open_it_and_neither_can_the_sender() {
        let envelope = sealed(b"hello");
        for other in [ann(), Identity::from_bytes(&[3; 64])] {
            let refused = open(&other, &envelope, NOW);
            assert_eq!(refused, Err(EnvelopeError::KeyBlock(NoiseError::Authentication)));
        }
    }

    #[test]
    fn times_outside_their_bounds_are_refused_and_those_on_them_are_not() {
        let at = |created: u64, expires: u64| Label {
            created: UnixMillis(created),
            expires: UnixMillis(expires),
            ..label()
        };
        let now = NOW.0;
        let check = |label| check_times(label, NOW);
        let future = EnvelopeError::Future { created: UnixMillis(now + 600_001) };
        assert_eq!(check(at(now - DAY, now)), Err(EnvelopeError::Expired { expires: NOW }));
        assert_eq!(check(at(now - DAY, now + 1)), Ok(()));
        assert_eq!(check(at(now, now + 7 * DAY)), Ok(()));
        let (created, expires) = (NOW, UnixMillis(now + 7 * DAY + 1));
        assert_eq!(check(at(now, now + 7 * DAY + 1)), Err(EnvelopeError::Lifetime { created, expires }));
        assert_eq!(check(at(now + 600_000, now + DAY)), Ok(()));
        assert_eq!(check(at(now + 600_001, now + DAY)), Err(future));
        assert!(check(at(0, u64::MAX)).is_err());
    }

    #[test]
    fn an_envelope_is_refused_once_it_has_expired() {
        let expires = label().expires;
        let refused = open(&ben(), &sealed(b"hello"), expires);
        assert_eq!(refused, Err(EnvelopeError::Expired { expires }));
    }

    #[test]
    fn a_life_of_more_than_seven_days_is_not_sealed() {
        let label = Label { expires: UnixMillis(NOW.0 + 7 * DAY + 1), ..label() };
        let refused = seal(&ann(), &ben().noise_public(), label, b"", &mut rng());
        assert!(matches!(refused, Err(EnvelopeError::Lifetime { .. })));
    }

    #[test]
    fn another_version_and_another_kind_are_refused() {
        let mut envelope = sealed(b"hello");
        envelope[1] = 1;
        assert_eq!(opened(&envelope), Err(EnvelopeError::Kind(1)));
        envelope[0] = 2;
        assert_eq!(opened(&envelope), Err(EnvelopeError::Version(2)));
    }

    #[test]
    fn missing_and_trailing_bytes_are_refused() {
        let envelope = sealed(&[1; 5000]);
        for len in [0, 1, 2, 161, 162, 163, 178, envelope.len() - 1] {
            assert_eq!(opened(&envelope[..len]), Err(EnvelopeError::Length { actual: len }), "{len} bytes");
        }
        for more in [1, 16, CHUNK_LEN + TAG_LEN] {
            let longer = [envelope.as_slice(), &vec![0; more]].concat();
            assert_eq!(opened(&longer), Err(EnvelopeError::Length { actual: longer.len() }));
        }
    }

    /// The chunks of an envelope, each with its tag.
    fn chunks(envelope: &[u8]) -> Vec<Vec<u8>> {
        envelope[HEADER_LEN + KEY_BLOCK_LEN..].chunks(CHUNK_LEN + TAG_LEN).map(<[u8]>::to_vec).collect()
    }

    fn with_chunks(envelope: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
        [&envelope[..HEADER_LEN + KEY_BLOCK_LEN], &chunks.concat()].concat()
    }

    #[test]
    fn an_envelope_cut_after_a_chunk_is_refused_even_where_the_size_is_a_possible_one() {
        let envelope = sealed(&[1; 60_000]);
        let chunks = chunks(&envelope);
        let cut = with_chunks(&envelope, &chunks[..1]);
        assert_eq!(opened(&cut), Err(EnvelopeError::Chunk { index: 0 }));
    }

    #[test]
    fn chunks_that_change_places_are_refused() {
        let envelope = sealed(&[1; 60_000]);
        for (one, other) in [(0, 1), (1, 3), (0, 3)] {
            let mut chunks = chunks(&envelope);
            chunks.swap(one, other);
            let refused = opened(&with_chunks(&envelope, &chunks));
            assert_eq!(refused, Err(EnvelopeError::Chunk { index: one }));
        }
    }

    #[test]
    fn a_chunk_or_a_body_of_another_envelope_is_refused() {
        let mut rng = rng();
        let mut next = || seal(&ann(), &ben().noise_public(), label(), &[1; 60_000], &mut rng).unwrap();
        let (envelope, other) = (next(), next());
        let mut swapped = chunks(&envelope);
        swapped[2] = chunks(&other)[2].clone();
        let refused = opened(&with_chunks(&envelope, &swapped));
        assert_eq!(refused, Err(EnvelopeError::Chunk { index: 2 }));
        let refused = opened(&with_chunks(&envelope, &chunks(&other)));
        assert_eq!(refused, Err(EnvelopeError::Chunk { index: 0 }));
    }

    #[test]
    fn a_length_that_does_not_fit_its_size_is_refused() {
        for len in [1021, 5000, u32::MAX] {
            let mut plaintext = vec![0; 1024];
            plaintext[..4].copy_from_slice(&len.to_be_bytes());
            let refused = unpadded(plaintext.into());
            assert_eq!(refused, Err(EnvelopeError::Padding { len, padded: 1024 }));
        }
        // Padded more than it must be.
        let refused = unpadded(vec![0; 4096].into());
        assert_eq!(refused, Err(EnvelopeError::Padding { len: 0, padded: 4096 }));
    }

    #[test]
    fn a_key_block_of_another_prologue_is_refused() {
        // What another use of Noise X between the same two sealed is no envelope.
        let keys = [0; KEYS_LEN];
        let block = x::seal(&ann(), &ben().noise_public(), b"another use", &keys, &mut rng()).unwrap();
        let mut envelope = sealed(b"hello");
        envelope[HEADER_LEN..HEADER_LEN + KEY_BLOCK_LEN].copy_from_slice(&block);
        assert_eq!(opened(&envelope), Err(EnvelopeError::KeyBlock(NoiseError::Authentication)));
    }

    #[test]
    fn two_envelopes_of_one_message_have_nothing_in_common_but_their_head() {
        let mut rng = rng();
        let mut next = || seal(&ann(), &ben().noise_public(), label(), b"hello", &mut rng).unwrap();
        let (one, other) = (next(), next());
        assert_ne!(one[2..34], other[2..34]);
        assert_ne!(one[162..], other[162..]);
    }

    #[test]
    fn debug_shows_no_message_and_no_sender() {
        let opened = opened(&sealed(b"hello")).unwrap();
        assert_eq!(format!("{opened:?}"), format!("Opened {{ label: {:?}, len: 5, .. }}", label()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_message_survives(message in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let opened = opened(&sealed(&message)).unwrap();
            prop_assert_eq!(opened.message.as_ref(), message.as_slice());
        }

        #[test]
        fn one_changed_bit_anywhere_is_noticed(place: proptest::sample::Index, bit in 0..8u8) {
            let mut envelope = sealed(b"hello");
            let place = place.index(envelope.len());
            envelope[place] ^= 1 << bit;
            prop_assert!(opened(&envelope).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1300)) {
            prop_assert!(opened(&bytes).is_err());
            let head = [&[VERSION, KIND], bytes.as_slice()].concat();
            prop_assert!(opened(&head).is_err());
        }
    }
}
