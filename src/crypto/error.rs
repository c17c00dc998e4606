//! Why a handshake, a ciphertext or a signature was refused. No error carries a secret.

/// Why a Noise handshake message was refused.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum NoiseError {
    /// The message is not as long as its place in the pattern demands.
    #[error("handshake message of {actual} bytes, expected {expected}")]
    Length {
        /// Bytes wanted.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// A key agreement gave the all-zero secret: the other side sent a low-order public key (RFC 7748, 6.1).
    #[error("low-order public key")]
    LowOrderKey,
    /// An authentication tag did not verify: forged, damaged, or meant for another handshake.
    #[error("handshake message does not authenticate")]
    Authentication,
    /// The handshake is sound, but with somebody else than was meant.
    #[error("the other side is not the peer that was meant")]
    Peer,
    /// The Noise library refused for a reason no message can cause.
    #[error("noise: {0}")]
    Library(snow::Error),
}

impl From<snow::Error> for NoiseError {
    fn from(error: snow::Error) -> Self {
        if error == snow::Error::Dh {
            Self::LowOrderKey
        } else if error == snow::Error::Decrypt {
            Self::Authentication
        } else {
            Self::Library(error)
        }
    }
}

/// Why a transport message was not sealed or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// Shorter than counter and tag.
    #[error("ciphertext of {actual} bytes, expected at least {minimum}")]
    TooShort {
        /// Bytes wanted.
        minimum: usize,
        /// Bytes given.
        actual: usize,
    },
    /// Longer than any BitChat payload may be.
    #[error("plaintext of {actual} bytes, at most {limit} allowed")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
        /// Bytes given.
        actual: usize,
    },
    /// All 2^32 counters of this session are used: it must be renewed.
    #[error("all counters of this session are used")]
    Exhausted,
    /// This counter was received before.
    #[error("counter {counter} was received before")]
    Replayed {
        /// The counter in the message.
        counter: u32,
    },
    /// This counter is so far behind that nobody knows whether it was received before.
    #[error("counter {counter} is too far behind {highest}")]
    Stale {
        /// The counter in the message.
        counter: u32,
        /// The highest counter received.
        highest: u32,
    },
    /// The tag did not verify: forged, damaged, or sealed by another session.
    #[error("ciphertext does not authenticate")]
    Authentication,
}

/// Why a signature proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The public key is no curve point, or one of low order, under which anything verifies.
    #[error("not a usable Ed25519 public key")]
    Key,
    /// The signature is not one of this key over any of the preimages.
    #[error("signature does not verify")]
    Mismatch,
}
