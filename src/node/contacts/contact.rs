//! One person we know, or who wants to be known.

use bytes::Bytes;

use crate::ids::{Fingerprint, PeerId};
use crate::storage::StoredContact;
use crate::wire::{Card, DirectAddress, ReceivedCard};

/// A person and what was decided about them: one row on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The identity: SHA-256 of the Noise key.
    pub fingerprint: Fingerprint,
    /// The Noise static key (X25519).
    pub noise_public: [u8; 32],
    /// The Ed25519 key.
    pub signing_public: [u8; 32],
    /// The name the person has here: no two people have the same. Of an offer, the name it gave itself.
    pub name: String,
    /// The serial of the newest card.
    pub serial: u64,
    /// The newest card as it came; its signature was checked. Empty for somebody who was met on the mesh.
    pub card: Bytes,
    /// Whether the owner said yes to this person. Otherwise the card was offered, and waits for that.
    pub added: bool,
    /// Whether the owner compared the keys with the person's own.
    pub verified: bool,
    /// Whether the person is a favourite.
    pub favourite: bool,
    /// Whether nothing is taken from this person.
    pub blocked: bool,
    /// The serial of the newest card of ours that was sent to this person.
    pub told: u64,
}

/// A person with everything there is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactInfo {
    /// The person.
    pub contact: Contact,
    /// The name the person goes by.
    pub nickname: String,
    /// Where the card says that they can be reached over IP.
    pub direct: Option<DirectAddress>,
    /// Whether the card names a mailbox, so that mail reaches them over betanet.
    pub mailbox: bool,
    /// Sixty digits that the person's own node shows too, if nobody stands between.
    pub safety_number: String,
}

impl Contact {
    /// The person's id on the mesh.
    pub fn peer(&self) -> PeerId {
        self.fingerprint.peer_id()
    }

    /// Whether this person may know where we are: added, and not blocked since.
    pub fn is_trusted(&self) -> bool {
        self.added && !self.blocked
    }

    /// Whether the card waits for the owner's word.
    pub fn is_offer(&self) -> bool {
        self.has_card() && !self.added && !self.blocked
    }

    /// Whether there ever was a card: people met on the mesh have none.
    pub fn has_card(&self) -> bool {
        !self.card.is_empty()
    }

    /// The card. `None` when the bytes on disk are no card any more.
    pub fn read_card(&self) -> Option<Card> {
        ReceivedCard::decode(&self.card).ok().map(|received| received.card().clone())
    }

    /// Where the person can be reached over IP, by the newest card.
    pub fn direct(&self) -> Option<DirectAddress> {
        self.read_card()?.direct
    }

    /// The same person with another card.
    pub(super) fn with_card(&self, received: &ReceivedCard) -> Self {
        Self { serial: received.card().serial, card: received.bytes().clone(), ..self.clone() }
    }

    /// Somebody of whom nothing but the card is known.
    pub(super) fn offered(received: &ReceivedCard, name: String) -> Self {
        let card = received.card();
        Self {
            fingerprint: card.fingerprint(),
            noise_public: card.noise_public,
            signing_public: card.signing_public,
            name,
            serial: card.serial,
            card: received.bytes().clone(),
            added: false,
            verified: false,
            favourite: false,
            blocked: false,
            told: 0,
        }
    }
}

impl From<StoredContact> for Contact {
    fn from(row: StoredContact) -> Self {
        Self {
            fingerprint: row.fingerprint,
            noise_public: row.noise_public,
            signing_public: row.signing_public,
            name: row.name,
            serial: row.serial,
            card: row.card.into(),
            added: row.added,
            verified: row.verified,
            favourite: row.favourite,
            blocked: row.blocked,
            told: row.told,
        }
    }
}

impl From<Contact> for StoredContact {
    fn from(contact: Contact) -> Self {
        Self {
            fingerprint: contact.fingerprint,
            noise_public: contact.noise_public,
            signing_public: contact.signing_public,
            name: contact.name,
            serial: contact.serial,
            card: contact.card.to_vec(),
            added: contact.added,
            verified: contact.verified,
            favourite: contact.favourite,
            blocked: contact.blocked,
            told: contact.told,
        }
    }
}
