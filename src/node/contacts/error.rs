//! Why a card or a wish about contacts was refused.

use std::fmt;

use super::book::ContactEvent;
use crate::config::ValueError;
use crate::crypto::SignatureError;
use crate::ids::Fingerprint;
use crate::node::handle::Stopped;
use crate::storage::StoreError;
use crate::wire::{CardError, CodeError, EncodeError, LinkError};

/// Why a card or a wish about contacts was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// The bytes are no card.
    #[error("the card cannot be read: {0}")]
    Card(#[from] CardError),
    /// The text is no card.
    #[error("the card cannot be read: {0}")]
    Link(#[from] LinkError),
    /// Somebody else wrote it, or it was changed on the way.
    #[error("the card of `{nickname}` is forged or damaged: {reason}")]
    Signature {
        /// The name it gives.
        nickname: String,
        /// What is wrong with its signature.
        reason: SignatureError,
    },
    /// A card was sent by somebody whose card it is not.
    #[error("{sender} sent the card of somebody else, {owner}")]
    Sender {
        /// Who sent it.
        sender: Fingerprint,
        /// Whose card it says to be.
        owner: Fingerprint,
    },
    /// The text is no verification code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// Somebody else wrote the code, or it was changed.
    #[error("the verification code is forged or damaged: {reason}")]
    CodeSignature {
        /// What is wrong with its signature.
        reason: SignatureError,
    },
    /// The code was made too long ago, or one of the clocks is wrong.
    #[error("the verification code was made {seconds} s from now by this clock, and counts for 300 s")]
    CodeAge {
        /// How far off.
        seconds: u64,
    },
    /// It is this node's own code.
    #[error("this is your own verification code")]
    OwnCode,
    /// It is this node's own card.
    #[error("this is your own card")]
    Own,
    /// A card gives a known person another key than the one known.
    #[error("the card has another {key} than the one known for `{name}` ({fingerprint}): it was refused")]
    IdentityChanged {
        /// Whose card it would be.
        name: String,
        /// The identity known.
        fingerprint: Fingerprint,
        /// Which key is another.
        key: KeyKind,
    },
    /// The person is blocked.
    #[error("`{name}` is blocked")]
    Blocked {
        /// Who.
        name: String,
    },
    /// Nobody with this identity is known.
    #[error("there is no contact {fingerprint}")]
    Unknown {
        /// The identity.
        fingerprint: Fingerprint,
    },
    /// The card was offered only.
    #[error("`{name}` only offered a card, and is no contact yet")]
    NotAdded {
        /// Who.
        name: String,
    },
    /// Another contact has this name.
    #[error("another contact is called `{name}`")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] ValueError),
    /// There are as many contacts as there can be.
    #[error("there are {max} contacts, and no room for another")]
    Full {
        /// The bound.
        max: usize,
    },
    /// Our own card cannot be made.
    #[error("the own card cannot be made: {0}")]
    OwnCard(#[from] EncodeError),
    /// The machine gives no randomness.
    #[error("the machine gives no randomness: {0}")]
    Random(String),
    /// Our own card was not made yet.
    #[error("the own card is not made yet")]
    NoCard,
    /// The disk did not take it.
    #[error("it could not be stored: {0}")]
    NotStored(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

impl ContactError {
    /// What the owner has to be told of, though nobody asked for it.
    pub fn event(&self) -> Option<ContactEvent> {
        let Self::IdentityChanged { name, fingerprint, key: _ } = self else { return None };
        Some(ContactEvent::IdentityRefused { fingerprint: *fingerprint, name: name.clone() })
    }
}

impl From<StoreError> for ContactError {
    fn from(error: StoreError) -> Self {
        Self::NotStored(error.to_string())
    }
}

/// A key that makes an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The X25519 key of sessions.
    Noise,
    /// The Ed25519 key of signatures.
    Signing,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Noise => "Noise key",
            Self::Signing => "signing key",
        })
    }
}

impl From<Stopped> for ContactError {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopping
    }
}
