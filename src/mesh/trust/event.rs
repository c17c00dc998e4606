//! What the node asks about trust, and what it is told.

use crate::ids::{Fingerprint, PeerId};

/// What the node asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Let somebody prove the keys of a code that was scanned and checked; answered by [`Event::Verified`] or
    /// [`Event::NotVerified`].
    Challenge {
        /// The Noise key of the code.
        noise_public: [u8; 32],
        /// The Ed25519 key of the code.
        signing_public: [u8; 32],
        /// The name in the code.
        nickname: String,
    },
    /// Nothing was decided about this person any more.
    Forget(Fingerprint),
}

/// What the node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody made us a favourite, or no longer is our friend.
    Favoured {
        /// Who.
        peer: PeerId,
        /// Their identity.
        fingerprint: Fingerprint,
        /// The name they go by.
        nickname: String,
        /// Whether we are a favourite of theirs.
        by_them: bool,
        /// Whether they are one of ours too.
        mutual: bool,
    },
    /// Somebody scanned our code, and asked us to prove our keys; we did.
    Challenged {
        /// Who.
        peer: PeerId,
        /// Their identity.
        fingerprint: Fingerprint,
        /// The name they go by.
        nickname: String,
    },
    /// Somebody proved the keys of a code.
    Verified {
        /// The Noise key.
        noise_public: [u8; 32],
        /// The Ed25519 key.
        signing_public: [u8; 32],
        /// The name in the code.
        nickname: String,
    },
    /// Nobody proved the keys of a code.
    NotVerified {
        /// Whose keys.
        fingerprint: Fingerprint,
        /// Why not.
        reason: Unverified,
    },
}

/// Why a verification came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unverified {
    /// It is this node's own code.
    #[error("that is this node's own code")]
    Own,
    /// The person is blocked.
    #[error("that person is blocked")]
    Blocked,
    /// Another signing key is known for this identity.
    #[error("another signing key is known for this identity: the code is false, or somebody poses as them")]
    KeyChanged,
    /// Too many verifications are under way.
    #[error("too many verifications are under way")]
    Busy,
    /// No answer came in time.
    #[error("no proof came in time: they have to be within reach of the mesh")]
    Silence,
}
