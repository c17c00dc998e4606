//! The people somebody chose to know, and the numbers of our own card.

use rusqlite::{OptionalExtension, Row, named_params};

use super::conversation::fingerprints_of;
use super::database::Database;
use super::error::StoreError;
use super::limits::{Bound, Full, Room};
use crate::ids::{Fingerprint, PeerId};

/// Where our own card stands.
const OWN_CARD: &str = "own card";

/// A row of the table of contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredContact {
    /// Who: SHA-256 of [`Self::noise_public`].
    pub fingerprint: Fingerprint,
    /// The X25519 public key.
    pub noise_public: [u8; 32],
    /// The Ed25519 public key.
    pub signing_public: [u8; 32],
    /// The name the person is known by here.
    pub name: String,
    /// The serial of the card, by which a newer one is known.
    pub serial: u64,
    /// The card, signed and encoded; may be empty.
    pub card: Vec<u8>,
    /// The person was added by hand.
    pub added: bool,
    /// The keys were compared.
    pub verified: bool,
    /// A favourite.
    pub favourite: bool,
    /// Nothing is taken from this person.
    pub blocked: bool,
    /// The serial of the last card of ours that went to this person.
    pub told: u64,
}

/// A number that outlives a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// The generation of the direct transport's subkey.
    DirectGeneration,
    /// The serial of the last card we signed.
    CardSerial,
}

impl Counter {
    const fn name(self) -> &'static str {
        match self {
            Self::DirectGeneration => "direct generation",
            Self::CardSerial => "card serial",
        }
    }
}

impl Database {
    /// Stores a contact, in the place of what was known of the same person.
    pub fn put_contact(&mut self, contact: &StoredContact) -> Result<(), StoreError> {
        self.transaction(|database| {
            let bound = Bound::of_rows(database.limits.contacts);
            if database.contact(contact.fingerprint)?.is_none() && database.number_of_contacts()? >= bound.rows {
                return Err(Full { what: Room::Contacts, bound }.into());
            }
            let mut put = database.connection.prepare_cached(
                "INSERT OR REPLACE INTO contacts
                     (fingerprint, noise_public, signing_public, name, serial, card, added, verified,
                      favourite, blocked, told)
                 VALUES (:fingerprint, :noise_public, :signing_public, :name, :serial, :card, :added, :verified,
                         :favourite, :blocked, :told)",
            )?;
            put.execute(named_params! {
                ":fingerprint": contact.fingerprint,
                ":noise_public": contact.noise_public,
                ":signing_public": contact.signing_public,
                ":name": contact.name,
                ":serial": contact.serial.cast_signed(),
                ":card": contact.card,
                ":added": contact.added,
                ":verified": contact.verified,
                ":favourite": contact.favourite,
                ":blocked": contact.blocked,
                ":told": contact.told.cast_signed(),
            })?;
            Ok(())
        })
    }

    /// What is known of a person.
    pub fn contact(&self, fingerprint: Fingerprint) -> Result<Option<StoredContact>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT * FROM contacts WHERE fingerprint = ?1")?;
        Ok(select.query_row([fingerprint], StoredContact::read).optional()?)
    }

    /// The same by the id, which is how the fingerprint begins.
    pub fn contact_of(&self, peer: PeerId) -> Result<Option<StoredContact>, StoreError> {
        let sql = "SELECT * FROM contacts WHERE fingerprint BETWEEN ?1 AND ?2 ORDER BY fingerprint LIMIT 1";
        let mut select = self.connection.prepare_cached(sql)?;
        Ok(select.query_row(fingerprints_of(peer), StoredContact::read).optional()?)
    }

    /// Everybody, by fingerprint.
    pub fn contacts(&self) -> Result<Vec<StoredContact>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT * FROM contacts ORDER BY fingerprint")?;
        let rows = select.query_map([], StoredContact::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets a person; whether there was one. Messages stay.
    pub fn remove_contact(&mut self, fingerprint: Fingerprint) -> Result<bool, StoreError> {
        let sql = "DELETE FROM contacts WHERE fingerprint = ?1";
        Ok(self.connection.prepare_cached(sql)?.execute([fingerprint])? > 0)
    }

    /// A number as it was last set.
    pub fn counter(&self, counter: Counter) -> Result<Option<u64>, StoreError> {
        Ok(self.noted::<i64>(counter.name())?.map(i64::cast_unsigned))
    }

    /// Sets a number.
    pub fn set_counter(&mut self, counter: Counter, value: u64) -> Result<(), StoreError> {
        self.note(counter.name(), Some(value.cast_signed()))
    }

    /// Our own card, as it was last made.
    pub fn own_card(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.noted(OWN_CARD)
    }

    /// Keeps our own card; none is good any more when there is none.
    pub fn set_own_card(&mut self, card: Option<&[u8]>) -> Result<(), StoreError> {
        self.note(OWN_CARD, card)
    }

    /// Whether somebody here said yes to this person.
    pub(super) fn is_contact(&self, fingerprint: Fingerprint) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM contacts WHERE fingerprint = ?1 AND (added OR verified OR favourite)";
        Ok(self.connection.prepare_cached(sql)?.exists([fingerprint])?)
    }

    fn number_of_contacts(&self) -> Result<u64, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT count(*) FROM contacts")?;
        Ok(select.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
    }
}

impl StoredContact {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            fingerprint: row.get("fingerprint")?,
            noise_public: row.get("noise_public")?,
            signing_public: row.get("signing_public")?,
            name: row.get("name")?,
            serial: row.get::<_, i64>("serial")?.cast_unsigned(),
            card: row.get("card")?,
            added: row.get("added")?,
            verified: row.get("verified")?,
            favourite: row.get("favourite")?,
            blocked: row.get("blocked")?,
            told: row.get::<_, i64>("told")?.cast_unsigned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::{TIGHT, database, database_with};

    fn contact(seed: u8) -> StoredContact {
        let noise_public = [seed; 32];
        StoredContact {
            fingerprint: Fingerprint::of(&noise_public),
            noise_public,
            signing_public: [seed.wrapping_add(1); 32],
            name: format!("bob {seed}"),
            serial: u64::MAX - u64::from(seed),
            card: vec![seed; 40],
            added: true,
            verified: false,
            favourite: true,
            blocked: false,
            told: 0,
        }
    }

    #[test]
    fn our_own_card_is_the_one_kept_last() {
        let mut database = database();
        assert_eq!(database.own_card().unwrap(), None);
        for card in [Some(&[1, 2][..]), Some(&[3]), None, None] {
            database.set_own_card(card).unwrap();
            assert_eq!(database.own_card().unwrap().as_deref(), card);
        }
    }

    #[test]
    fn a_contact_is_found_as_it_was_put_and_replaced_by_the_next_card() {
        let mut database = database();
        database.put_contact(&contact(1)).unwrap();
        database.put_contact(&contact(2)).unwrap();
        assert_eq!(database.contact(contact(1).fingerprint).unwrap(), Some(contact(1)));
        assert_eq!(database.contact_of(contact(1).fingerprint.peer_id()).unwrap(), Some(contact(1)));
        assert_eq!(database.contact_of(contact(9).fingerprint.peer_id()).unwrap(), None);

        let newer = StoredContact { serial: 7, blocked: true, ..contact(1) };
        database.put_contact(&newer).unwrap();
        assert_eq!(database.contact(newer.fingerprint).unwrap(), Some(newer.clone()));
        assert_eq!(database.contacts().unwrap().len(), 2);

        assert!(database.remove_contact(newer.fingerprint).unwrap());
        assert!(!database.remove_contact(newer.fingerprint).unwrap());
        assert_eq!(database.contacts().unwrap(), [contact(2)]);
    }

    #[test]
    fn a_further_contact_is_refused_at_the_bound_and_a_known_one_is_still_renewed() {
        let mut database = database_with(TIGHT);
        (1..=3).for_each(|seed| database.put_contact(&contact(seed)).unwrap());
        let error = database.put_contact(&contact(4)).unwrap_err();
        assert!(matches!(error, StoreError::TooMany(Full { what: Room::Contacts, .. })), "{error:?}");
        database.put_contact(&StoredContact { serial: 1, ..contact(3) }).unwrap();
    }

    #[test]
    fn a_counter_holds_any_number() {
        let mut database = database();
        assert_eq!(database.counter(Counter::CardSerial).unwrap(), None);
        for value in [0, 7, u64::MAX] {
            database.set_counter(Counter::CardSerial, value).unwrap();
            assert_eq!(database.counter(Counter::CardSerial).unwrap(), Some(value));
        }
        assert_eq!(database.counter(Counter::DirectGeneration).unwrap(), None);
    }
}
