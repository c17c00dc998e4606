//! The cipher of a group's messages: ChaCha20-Poly1305 under a key that all members have (spec 3.14).

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

use super::error::CipherError;

/// Encrypts; the tag stands behind. A nonce must never serve twice under one key, so it is drawn for each message.
pub fn seal(
    key: &[u8; 32],
    nonce: &[u8; 12],
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, CipherError> {
    let payload = Payload { msg: plaintext, aad: associated };
    let cipher = ChaCha20Poly1305::new(Key::from_slice(key));
    cipher.encrypt(Nonce::from_slice(nonce), payload).map_err(|_| CipherError::Authentication)
}

/// Decrypts what [`seal`] made of the same key, nonce and associated data; nothing else opens.
pub fn open(
    key: &[u8; 32],
    nonce: &[u8; 12],
    associated: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, CipherError> {
    let payload = Payload { msg: ciphertext, aad: associated };
    let cipher = ChaCha20Poly1305::new(Key::from_slice(key));
    cipher.decrypt(Nonce::from_slice(nonce), payload).map_err(|_| CipherError::Authentication)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_nonce_and_associated_data_open_it() {
        let sealed = seal(&[1; 32], &[2; 12], b"group", b"text").unwrap();
        assert_eq!(open(&[1; 32], &[2; 12], b"group", &sealed).unwrap(), b"text");
        assert!(open(&[9; 32], &[2; 12], b"group", &sealed).is_err());
        assert!(open(&[1; 32], &[9; 12], b"group", &sealed).is_err());
        assert!(open(&[1; 32], &[2; 12], b"troup", &sealed).is_err());
        assert!(open(&[1; 32], &[2; 12], b"group", &sealed[1..]).is_err());
        assert!(open(&[1; 32], &[2; 12], b"group", &[]).is_err());
    }
}
