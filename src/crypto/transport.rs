//! The two ciphers of an established session (spec 3.5).
//!
//! A message is `counter u32 BE || ChaCha20-Poly1305 ciphertext || tag`, with the nonce
//! `00000000 || counter u64 LE` and no associated data. Each direction has its own key and its own counter.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

use super::error::CipherError;
use super::replay::ReplayWindow;

/// Bytes of the counter in front.
const COUNTER_LEN: usize = 4;
/// Bytes of the Poly1305 tag behind.
const TAG_LEN: usize = 16;

/// What sealing adds to a plaintext.
pub const OVERHEAD: usize = COUNTER_LEN + TAG_LEN;

/// The longest plaintext: with counter and tag it fills the largest payload there is, 1,179,760 bytes
/// (spec 2.2). Only a private file is that long; for everything else 65,535 is the limit (spec 3.5).
pub const MAX_PLAINTEXT: usize = 1_179_760 - OVERHEAD;

/// Encrypts what we send.
pub struct SendCipher {
    cipher: ChaCha20Poly1305,
    /// `None` when every counter was used once.
    next: Option<u32>,
}

impl SendCipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { cipher: ChaCha20Poly1305::new(Key::from_slice(key)), next: Some(0) }
    }

    /// Encrypts one message under the next counter. What comes out is sent once, or never.
    pub fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, CipherError> {
        check_length(plaintext.len())?;
        let counter = self.next.ok_or(CipherError::Exhausted)?;
        let ciphertext = self
            .cipher
            .encrypt(&nonce(counter), plaintext)
            .map_err(|_| CipherError::TooLong { limit: MAX_PLAINTEXT, actual: plaintext.len() })?;
        self.next = counter.checked_add(1);
        Ok([counter.to_be_bytes().as_slice(), &ciphertext].concat())
    }
}

impl fmt::Debug for SendCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendCipher").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Decrypts what we receive, each message once.
pub struct ReceiveCipher {
    cipher: ChaCha20Poly1305,
    window: ReplayWindow,
}

impl ReceiveCipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { cipher: ChaCha20Poly1305::new(Key::from_slice(key)), window: ReplayWindow::new() }
    }

    /// Decrypts one message, unless its counter was seen before. A message that is refused changes nothing.
    pub fn open(&mut self, message: &[u8]) -> Result<Vec<u8>, CipherError> {
        let too_short = CipherError::TooShort { minimum: OVERHEAD, actual: message.len() };
        let (counter, ciphertext) = message.split_first_chunk::<COUNTER_LEN>().ok_or(too_short)?;
        let length = ciphertext.len().checked_sub(TAG_LEN).ok_or(too_short)?;
        check_length(length)?;

        let counter = u32::from_be_bytes(*counter);
        self.window.check(counter)?;
        let plaintext =
            self.cipher.decrypt(&nonce(counter), ciphertext).map_err(|_| CipherError::Authentication)?;
        self.window.mark(counter);
        Ok(plaintext)
    }
}

impl fmt::Debug for ReceiveCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveCipher").finish_non_exhaustive()
    }
}

fn check_length(actual: usize) -> Result<(), CipherError> {
    if actual > MAX_PLAINTEXT {
        return Err(CipherError::TooLong { limit: MAX_PLAINTEXT, actual });
    }
    Ok(())
}

fn nonce(counter: u32) -> Nonce {
    let mut nonce = Nonce::default();
    let (_, low) = nonce.split_at_mut(4);
    low.copy_from_slice(&u64::from(counter).to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair() -> (SendCipher, ReceiveCipher) {
        (SendCipher::new(&[7; 32]), ReceiveCipher::new(&[7; 32]))
    }

    #[test]
    fn the_last_counter_is_used_and_then_no_other() {
        let (mut send, mut receive) = pair();
        send.next = Some(u32::MAX);
        let last = send.seal(b"last").unwrap();
        assert_eq!(last.first_chunk(), Some(&[0xFF; 4]));
        assert_eq!(receive.open(&last).unwrap(), b"last");
        assert_eq!(send.seal(b"one more"), Err(CipherError::Exhausted));
    }

    #[test]
    fn a_forged_message_leaves_its_counter_free_for_the_true_one() {
        let (mut send, mut receive) = pair();
        let message = send.seal(b"true").unwrap();
        let mut forged = message.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(receive.open(&forged), Err(CipherError::Authentication));

        let mut far_ahead = message.clone();
        far_ahead[..4].copy_from_slice(&[0xFF; 4]);
        assert_eq!(receive.open(&far_ahead), Err(CipherError::Authentication));
        assert_eq!(receive.open(&message).unwrap(), b"true");
    }

    #[test]
    fn a_message_shorter_than_counter_and_tag_is_refused() {
        let (mut send, mut receive) = pair();
        let empty = send.seal(b"").unwrap();
        assert_eq!(empty.len(), OVERHEAD);
        for length in 0..OVERHEAD {
            let too_short = CipherError::TooShort { minimum: 20, actual: length };
            assert_eq!(receive.open(&empty[..length]), Err(too_short));
        }
        assert_eq!(receive.open(&empty).unwrap(), b"");
    }

    #[test]
    fn the_longest_plaintext_passes_and_a_longer_one_is_refused_on_both_sides() {
        let (mut send, mut receive) = pair();
        let longest = vec![0x5A; MAX_PLAINTEXT];
        let message = send.seal(&longest).unwrap();
        assert_eq!(receive.open(&message).unwrap(), longest);

        let actual = MAX_PLAINTEXT + 1;
        let too_long = Err(CipherError::TooLong { limit: MAX_PLAINTEXT, actual });
        assert_eq!(send.seal(&vec![0; actual]), too_long);
        assert_eq!(receive.open(&vec![0; actual + OVERHEAD]), too_long);
    }

    #[test]
    fn debug_shows_no_key() {
        let (send, receive) = pair();
        assert_eq!(format!("{send:?}"), "SendCipher { next: Some(0), .. }");
        assert_eq!(format!("{receive:?}"), "ReceiveCipher { .. }");
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (_, mut receive) = pair();
            prop_assert!(receive.open(&bytes).is_err());
        }

        #[test]
        fn every_message_opens_once_in_any_order(
            order in Just((0..64usize).collect::<Vec<_>>()).prop_shuffle(),
            text in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let (mut send, mut receive) = pair();
            let messages: Vec<_> = (0..64).map(|_| send.seal(&text).unwrap()).collect();
            for &index in &order {
                prop_assert_eq!(receive.open(&messages[index]).unwrap(), text.clone());
            }
            for (counter, message) in (0..).zip(&messages) {
                prop_assert_eq!(receive.open(message), Err(CipherError::Replayed { counter }));
            }
        }

        #[test]
        fn one_changed_bit_anywhere_is_noticed(place in 0..(9 + OVERHEAD) * 8) {
            let (mut send, mut receive) = pair();
            let mut message = send.seal(b"plaintext").unwrap();
            message[place / 8] ^= 1 << (place % 8);
            prop_assert_eq!(receive.open(&message), Err(CipherError::Authentication));
        }
    }
}
