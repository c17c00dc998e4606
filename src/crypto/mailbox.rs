//! The keys of a node's own mailboxes: one for each relay, from one secret that has nothing to do with the identity.
//!
//! Two relays cannot tell that two mailboxes are one node's, and no relay can tell whose a mailbox is. The deposit
//! token has a generation: when somebody must no longer leave mail, the next one takes its place.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ids::NodeId;

const KEY_INFO: &[u8] = b"hopline-mailbox-key-v1";
const TOKEN_INFO: &[u8] = b"hopline-deposit-token-v1";

/// The key of a mailbox at one relay, and what others need to leave mail there; wiped from memory when dropped.
#[derive(Clone)]
pub struct MailboxKey {
    signing: SigningKey,
    token: [u8; 16],
}

impl MailboxKey {
    /// The mailbox at this relay. The same secret, relay and generation give the same mailbox; another generation
    /// gives the same key and another token.
    pub fn derive(secret: &[u8; 32], relay: &NodeId, generation: u32) -> Self {
        let extracted = Hkdf::<Sha256>::new(None, secret);
        let mut seed = Zeroizing::new([0; 32]);
        let mut token = [0; 16];
        let generation = generation.to_be_bytes();
        extracted
            .expand_multi_info(&[KEY_INFO, relay.as_bytes()], seed.as_mut_slice())
            .and_then(|()| {
                extracted.expand_multi_info(&[TOKEN_INFO, relay.as_bytes(), &generation], &mut token)
            })
            .expect("32 and 16 bytes are fewer than the 255 blocks HKDF can make");
        Self { signing: SigningKey::from_bytes(&seed), token }
    }

    /// The Ed25519 public key.
    pub fn public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// What whoever leaves mail has to show.
    pub const fn token(&self) -> [u8; 16] {
        self.token
    }

    /// The owner's signature over a preimage.
    pub fn sign(&self, preimage: &[u8]) -> [u8; 64] {
        self.signing.sign(preimage).to_bytes()
    }
}

impl fmt::Debug for MailboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailboxKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: u8, relay: u8, generation: u32) -> MailboxKey {
        MailboxKey::derive(&[secret; 32], &NodeId([relay; 34]), generation)
    }

    #[test]
    fn a_mailbox_is_found_again_and_no_two_relays_see_the_same() {
        let first = key(1, 1, 0);
        assert_eq!((first.public(), first.token()), (key(1, 1, 0).public(), key(1, 1, 0).token()));
        for other in [key(1, 2, 0), key(2, 1, 0)] {
            assert_ne!(first.public(), other.public());
            assert_ne!(first.token(), other.token());
        }
    }

    #[test]
    fn a_new_generation_is_the_same_mailbox_with_another_token() {
        let (before, after) = (key(1, 1, 4), key(1, 1, 5));
        assert_eq!(before.public(), after.public());
        assert_ne!(before.token(), after.token());
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        assert_eq!(format!("{:?}", key(1, 1, 0)), "MailboxKey");
    }
}
