//! The rules: whose card is taken, whose is offered, whose is refused, and who gets ours.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::contact::{Contact, ContactInfo};
use super::error::{ContactError, KeyKind};
use super::own::{Form, Own, OwnCard, Said};
use super::petname::{check_petname, free_petname};
use super::request::ContactEdit;
use super::safety::{PublicKeys, safety_number};
use crate::crypto::{Identity, Verified, verify};
use crate::ids::{Fingerprint, PeerId};
use crate::nickname::{composed, same};
use crate::time::UnixMillis;
use crate::wire::{DirectAddress, Mailbox, ReceivedCard};

/// The most people that are contacts or blocked.
pub const MAX_CONTACTS: usize = 4096;
/// The most cards that wait for the owner's word; for a further one the oldest goes.
pub const MAX_OFFERS: usize = 64;

/// Everybody this node knows by a card, and its own card.
#[derive(Debug, Clone)]
pub struct Contacts {
    me: PublicKeys,
    people: BTreeMap<Fingerprint, Contact>,
    /// Who offered a card, the oldest first.
    offers: VecDeque<Fingerprint>,
    own: Own,
}

/// What to write to disk, and then to [`Contacts::apply`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The row to write.
    pub put: Option<Contact>,
    /// Whose row to delete.
    pub removed: Option<Fingerprint>,
    /// The new state of our own side. A higher generation wants a new card, by [`Contacts::renew`].
    pub own: Option<Own>,
    /// What to tell the owner.
    pub event: Option<ContactEvent>,
}

/// What happened to contacts without the owner's doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactEvent {
    /// Somebody who is no contact sent a card.
    Offered {
        /// Who.
        fingerprint: Fingerprint,
        /// The name they go by.
        nickname: String,
    },
    /// A contact sent a newer card.
    Renewed {
        /// Who.
        fingerprint: Fingerprint,
        /// The name they have here.
        name: String,
    },
    /// Somebody proved the keys of their verification code.
    Verified {
        /// Who.
        fingerprint: Fingerprint,
        /// The name they have here.
        name: String,
    },
    /// A card with another identity key than the known one came, and was refused.
    IdentityRefused {
        /// Whose identity is known.
        fingerprint: Fingerprint,
        /// The name they have here.
        name: String,
    },
}

impl Contacts {
    /// The contacts an earlier run left on disk. Which offer is the oldest is told by the cards' serials.
    pub fn load(identity: &Identity, own: Own, rows: impl IntoIterator<Item = Contact>) -> Self {
        let people: BTreeMap<_, _> = rows.into_iter().map(|contact| (contact.fingerprint, contact)).collect();
        let mut offers: Vec<&Contact> = people.values().filter(|contact| contact.is_offer()).collect();
        offers.sort_by_key(|contact| contact.serial);
        let offers = offers.into_iter().map(|contact| contact.fingerprint).collect();
        let me = PublicKeys { noise: identity.noise_public(), signing: identity.signing_public() };
        Self { me, people, offers, own }
    }

    /// Makes a change true.
    pub fn apply(&mut self, change: Change) {
        if let Some(gone) = change.removed {
            self.people.remove(&gone);
            self.offers.retain(|offer| *offer != gone);
        }
        if let Some(contact) = change.put {
            if !contact.is_offer() {
                self.offers.retain(|offer| *offer != contact.fingerprint);
            } else if !self.offers.contains(&contact.fingerprint) {
                self.offers.push_back(contact.fingerprint);
            }
            self.people.insert(contact.fingerprint, contact);
        }
        if let Some(own) = change.own {
            self.own = own;
        }
    }

    /// A card came in a private session with `sender`.
    pub fn receive(&self, card: &Bytes, sender: Fingerprint) -> Result<Change, ContactError> {
        if self.people.get(&sender).is_some_and(|contact| contact.blocked) {
            return Ok(Change::default());
        }
        let received = self.verified(ReceivedCard::decode(card)?)?;
        let owner = received.card().fingerprint();
        if owner != sender {
            return Err(ContactError::Sender { sender, owner });
        }
        match self.known(&received)? {
            None => Ok(self.offer(&received)),
            Some(contact) if contact.serial >= received.card().serial => Ok(Change::default()),
            Some(contact) => Ok(Change { put: Some(contact.with_card(&received)), ..renewal(contact) }),
        }
    }

    /// The owner was given a card and wants its owner as a contact.
    pub fn add(&self, received: ReceivedCard, name: Option<&str>) -> Result<Change, ContactError> {
        let received = self.verified(received)?;
        match self.known(&received)? {
            Some(contact) if contact.serial < received.card().serial => {
                self.added(contact.with_card(&received), name)
            }
            Some(contact) => self.added(contact.clone(), name),
            None => self.added(Contact::offered(&received, received.card().nickname.clone()), name),
        }
    }

    /// The owner says yes to a card that was offered.
    pub fn accept(&self, fingerprint: Fingerprint, name: Option<&str>) -> Result<Change, ContactError> {
        self.added(self.get(fingerprint)?.clone(), name)
    }

    /// The owner decides something about a person: who they are then, and what changes. Somebody without a card of
    /// whom nothing is decided any more leaves the book.
    pub fn edit(
        &self,
        fingerprint: Fingerprint,
        edit: &ContactEdit,
    ) -> Result<(Contact, Change), ContactError> {
        let contact = self.get(fingerprint)?;
        if !contact.added && contact.has_card() && edit.is_for_contacts() {
            return Err(ContactError::NotAdded { name: contact.name.clone() });
        }
        let mut edited = contact.clone();
        if let Some(name) = &edit.name {
            edited.name = self.chosen_name(name, fingerprint)?;
        }
        edited.verified = edit.verified.unwrap_or(contact.verified);
        edited.favourite = edit.favourite.unwrap_or(contact.favourite);
        edited.blocked = edit.blocked.unwrap_or(contact.blocked);
        if !contact.has_card() {
            edited.added |= edited.verified || edited.favourite;
            if !edited.added && !edited.blocked {
                return Ok((edited, Change { removed: Some(fingerprint), ..Change::default() }));
            }
        }
        if contact.is_offer() && edited.blocked {
            self.room_for_contact()?;
            edited.name = self.free_name(&contact.name, fingerprint);
        }
        let found_us = contact.has_card() || contact.added;
        let change = Change {
            removed: (edited.is_offer() && !contact.is_offer()).then(|| self.oldest_offer()).flatten(),
            own: (edited.blocked && !contact.blocked && found_us).then(|| self.hidden()),
            ..self.put(edited.clone())
        };
        Ok((edited, change))
    }

    /// Our own public keys.
    pub(super) fn own_keys(&self) -> &PublicKeys {
        &self.me
    }

    /// The owner wants to know a person no more. A contact must no longer find us; whoever only offered a card
    /// was never told where we are.
    pub fn remove(&self, fingerprint: Fingerprint) -> Result<Change, ContactError> {
        let own = self.get(fingerprint)?.is_trusted().then(|| self.hidden());
        Ok(Change { removed: Some(fingerprint), own, ..Change::default() })
    }

    /// Our own card with this content, if it is not what the last one says.
    ///
    /// Every trusted contact is due it then, by [`Self::card_due`].
    pub fn renew(&self, identity: &Identity, said: &Said, now: UnixMillis) -> Result<Change, ContactError> {
        Ok(Change { own: self.own.next(identity, said, now)?, ..Change::default() })
    }

    /// Our card with its serial, if this peer may have it and has not got it yet: to be asked when a session or
    /// a connection stands, and when the card changed while one does.
    pub fn card_due(&self, peer: PeerId) -> Option<(u64, Bytes)> {
        let card = self.own.card.as_ref()?;
        let contact = self.find(peer).filter(|contact| contact.is_trusted())?;
        (contact.told < self.own.serial).then(|| (self.own.serial, card.form(Form::FULL).clone()))
    }

    /// Our card of this serial went to a peer.
    #[must_use]
    pub fn told(&self, peer: PeerId, serial: u64) -> Change {
        match self.find(peer) {
            Some(contact) if contact.told < serial => self.put(Contact { told: serial, ..contact.clone() }),
            Some(_) | None => Change::default(),
        }
    }

    /// Our own card, as it was last made.
    pub fn own_card(&self) -> Option<&OwnCard> {
        self.own.card.as_ref()
    }

    /// The generation that our direct subkey has to have.
    pub fn generation(&self) -> u32 {
        self.own.generation
    }

    /// Whoever has this id on the mesh.
    pub fn find(&self, peer: PeerId) -> Option<&Contact> {
        let mut first = [0; 32];
        first.iter_mut().zip(peer.0).for_each(|(byte, id)| *byte = id);
        let (fingerprint, contact) = self.people.range(Fingerprint(first)..).next()?;
        (fingerprint.peer_id() == peer).then_some(contact)
    }

    /// Everybody, offers included, by fingerprint.
    pub fn people(&self) -> impl Iterator<Item = &Contact> {
        self.people.values()
    }

    /// Where the contacts that may know us can be reached over IP.
    pub fn reachable(&self) -> impl Iterator<Item = (Fingerprint, DirectAddress)> {
        let trusted = self.people.values().filter(|contact| contact.is_trusted());
        trusted.filter_map(|contact| Some((contact.fingerprint, contact.direct()?)))
    }

    /// Where mail for people can be left who are not blocked; those who only offered a card are among them, for
    /// a message of theirs is answered.
    pub fn mailboxes(&self) -> impl Iterator<Item = (&Contact, Mailbox)> {
        let people = self.people.values().filter(|contact| !contact.blocked);
        people.filter_map(|contact| Some((contact, contact.read_card()?.mailbox?)))
    }

    /// The names that lead to one person each. Those of blocked people stay theirs.
    pub fn petnames(&self) -> BTreeMap<String, PeerId> {
        let named = self.people.values().filter(|contact| !contact.is_offer());
        named.map(|contact| (composed(&contact.name).into_owned(), contact.peer())).collect()
    }

    /// A person with everything there is to show.
    pub(super) fn info(&self, contact: &Contact) -> ContactInfo {
        let card = contact.read_card();
        let keys = PublicKeys { noise: contact.noise_public, signing: contact.signing_public };
        ContactInfo {
            nickname: card.as_ref().map_or_else(|| contact.name.clone(), |card| card.nickname.clone()),
            mailbox: card.as_ref().is_some_and(|card| card.mailbox.is_some()),
            direct: card.and_then(|card| card.direct),
            safety_number: safety_number(&self.me, &keys),
            contact: contact.clone(),
        }
    }

    pub(super) fn get(&self, fingerprint: Fingerprint) -> Result<&Contact, ContactError> {
        self.people.get(&fingerprint).ok_or(ContactError::Unknown { fingerprint })
    }

    fn verified(&self, received: ReceivedCard) -> Result<Verified<ReceivedCard>, ContactError> {
        let (key, signature) = (received.card().signing_public, *received.signature());
        let preimage = received.signing_preimage();
        let verified = verify(&key, &signature, [preimage], received).map_err(|(received, reason)| {
            ContactError::Signature { nickname: received.card().nickname.clone(), reason }
        })?;
        let card = verified.card();
        if card.noise_public == self.me.noise || card.signing_public == self.me.signing {
            return Err(ContactError::Own);
        }
        Ok(verified)
    }

    /// Whom a card is of, if we know them; refused when it gives them another key.
    fn known(&self, received: &Verified<ReceivedCard>) -> Result<Option<&Contact>, ContactError> {
        let card = received.card();
        let changed = |contact: &Contact, key| ContactError::IdentityChanged {
            name: contact.name.clone(),
            fingerprint: contact.fingerprint,
            key,
        };
        if let Some(contact) = self.people.get(&card.fingerprint()) {
            let same = contact.signing_public == card.signing_public;
            return if same { Ok(Some(contact)) } else { Err(changed(contact, KeyKind::Signing)) };
        }
        match self.people.values().find(|contact| contact.signing_public == card.signing_public) {
            Some(contact) => Err(changed(contact, KeyKind::Noise)),
            None => Ok(None),
        }
    }

    fn offer(&self, received: &Verified<ReceivedCard>) -> Change {
        let nickname = received.card().nickname.clone();
        let offer = Contact::offered(received, nickname.clone());
        Change {
            event: Some(ContactEvent::Offered { fingerprint: offer.fingerprint, nickname }),
            removed: self.oldest_offer(),
            put: Some(offer),
            own: None,
        }
    }

    /// Who makes room for one more offer.
    fn oldest_offer(&self) -> Option<Fingerprint> {
        if self.offers.len() < MAX_OFFERS { None } else { self.offers.front().copied() }
    }

    fn added(&self, contact: Contact, name: Option<&str>) -> Result<Change, ContactError> {
        if contact.blocked {
            return Err(ContactError::Blocked { name: contact.name });
        }
        if !contact.added {
            self.room_for_contact()?;
        }
        let name = match name {
            Some(name) => self.chosen_name(name, contact.fingerprint)?,
            None if contact.added => contact.name.clone(),
            None => self.free_name(&contact.name, contact.fingerprint),
        };
        Ok(self.put(Contact { name, added: true, ..contact }))
    }

    fn put(&self, contact: Contact) -> Change {
        let is_news = self.people.get(&contact.fingerprint) != Some(&contact);
        Change { put: is_news.then_some(contact), ..Change::default() }
    }

    pub(super) fn room_for_contact(&self) -> Result<(), ContactError> {
        let max = MAX_CONTACTS;
        let contacts = self.people.len().saturating_sub(self.offers.len());
        if contacts < max { Ok(()) } else { Err(ContactError::Full { max }) }
    }

    pub(super) fn chosen_name(&self, name: &str, of: Fingerprint) -> Result<String, ContactError> {
        let name = check_petname(name)?;
        if self.is_taken(&name, of) { Err(ContactError::NameTaken { name }) } else { Ok(name) }
    }

    pub(super) fn free_name(&self, nickname: &str, of: Fingerprint) -> String {
        free_petname(nickname, of.peer_id(), |name| self.is_taken(name, of))
    }

    fn is_taken(&self, name: &str, of: Fingerprint) -> bool {
        let mut named =
            self.people.values().filter(|contact| !contact.is_offer() && same(&contact.name, name));
        named.any(|contact| contact.fingerprint != of)
    }

    /// Our own side after somebody must no longer find us: the old subkey leads nowhere, and there is no card
    /// until one names the new subkey.
    fn hidden(&self) -> Own {
        let generation = self.own.generation.saturating_add(1);
        Own { generation, card: None, ..self.own.clone() }
    }
}

/// The news that a card is newer: none when it came from somebody who is no contact.
fn renewal(contact: &Contact) -> Change {
    let event = ContactEvent::Renewed { fingerprint: contact.fingerprint, name: contact.name.clone() };
    Change { event: contact.added.then_some(event), ..Change::default() }
}
