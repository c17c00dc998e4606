//! People without a card: met on the mesh, as phones are. What is decided about them stands in the same book.

use bytes::Bytes;

use super::book::{Change, Contacts};
use super::contact::Contact;
use super::error::ContactError;
use super::request::ContactEdit;
use crate::ids::Fingerprint;

/// The keys of somebody heard on the mesh, and the name they give themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The Noise static key (X25519).
    pub noise_public: [u8; 32],
    /// The Ed25519 key.
    pub signing_public: [u8; 32],
    /// The name they announce.
    pub nickname: String,
}

impl Met {
    /// The identity.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.noise_public)
    }

    /// The person, of whom nothing is decided.
    pub(super) fn person(&self) -> Contact {
        Contact {
            fingerprint: self.fingerprint(),
            noise_public: self.noise_public,
            signing_public: self.signing_public,
            name: self.nickname.clone(),
            serial: 0,
            card: Bytes::new(),
            added: false,
            verified: false,
            favourite: false,
            blocked: false,
            told: 0,
        }
    }
}

impl Contacts {
    /// The owner decides something about somebody who is not in the book yet. A favourite, and who is verified, is
    /// a contact from then on; who is blocked only takes a place in it.
    pub fn meet(&self, met: &Met, edit: &ContactEdit) -> Result<(Contact, Change), ContactError> {
        let mut person = met.person();
        person.verified = edit.verified.unwrap_or_default();
        person.favourite = edit.favourite.unwrap_or_default();
        person.blocked = edit.blocked.unwrap_or_default();
        person.added = person.verified || person.favourite;
        if !person.added && !person.blocked {
            return match edit.name {
                Some(_) => Err(ContactError::NotAdded { name: met.nickname.clone() }),
                None => Ok((person, Change::default())),
            };
        }
        if met.noise_public == self.own_keys().noise {
            return Err(ContactError::Own);
        }
        self.room_for_contact()?;
        person.name = match &edit.name {
            Some(name) => self.chosen_name(name, person.fingerprint)?,
            None => self.free_name(&met.nickname, person.fingerprint),
        };
        Ok((person.clone(), Change { put: Some(person), ..Change::default() }))
    }
}
