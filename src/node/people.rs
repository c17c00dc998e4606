//! The contacts of a running node: what the rules of [`super::contacts`] decide is stored, and whoever has to
//! know is told: the direct transport whom it may talk with, the mesh whose signatures are good, each contact
//! our newest card.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use iroh::SecretKey;
use rand_core::{OsRng, RngCore};

use super::contacts::{
    Change, Contact, ContactAnswer, ContactEdit, ContactError, ContactEvent, ContactRequest, Contacts, Form,
    Met, Own, Said, own_code,
};
use super::error::NodeError;
use super::store::Store;
use crate::capabilities::{Reach, TransportKey};
use crate::crypto::Identity;
use crate::ids::{Fingerprint, PeerId};
use crate::mesh::event::{Command, Introduction, PeerInfo};
use crate::mesh::trust::Standing;
use crate::mesh::trust::event as trust;
use crate::storage::{Counter, StoreError};
use crate::time::UnixMillis;
use crate::transports::betanet::{self, BetanetHandle};
use crate::transports::bitchat::BitchatHandle;
use crate::transports::direct::{self, ConnectionStatus, DirectHandle, OwnAddresses};
use crate::wire::record::SignedRecord;
use crate::wire::{DirectAddress, Mailbox, ReceivedCard};

/// The contacts, and everybody who has to know of changes.
pub(super) struct People {
    identity: Arc<Identity>,
    nickname: String,
    contacts: Contacts,
    store: Store,
    told: Told,
    /// Where we are, for our card.
    addresses: OwnAddresses,
    /// Where mail for us can be left, for our card.
    mailbox: Option<Mailbox>,
    /// Who can be reached at this time, and over what.
    reached: BTreeSet<(PeerId, TransportKey)>,
}

/// The transports that have to know whom we know.
pub(super) struct Told {
    pub(super) bitchat: BitchatHandle,
    pub(super) direct: Option<DirectHandle>,
    pub(super) betanet: Option<BetanetHandle>,
}

/// A card that is due to a peer.
pub(super) struct DueCard {
    /// Whom.
    pub(super) peer: PeerId,
    /// The card.
    pub(super) card: Bytes,
}

/// Reads what an earlier run knew.
pub(super) async fn load(store: &Store, identity: &Identity) -> Result<Contacts, NodeError> {
    let (rows, generation, serial) = store
        .with(|database| {
            let generation = database.counter(Counter::DirectGeneration)?.unwrap_or_default();
            Ok((database.contacts()?, generation, database.counter(Counter::CardSerial)?.unwrap_or_default()))
        })
        .await?;
    let own = Own { generation: u32::try_from(generation).unwrap_or(u32::MAX), serial, card: None };
    Ok(Contacts::load(identity, own, rows.into_iter().map(Contact::from)))
}

/// The mailbox that our card named last. At a relay of ours it is still there, and our card goes on naming it until we
/// hear otherwise: whoever got a card without it in the meantime could leave us nothing, not even receipts.
pub(super) async fn mailbox(store: &Store, relays: &[SignedRecord]) -> Result<Option<Mailbox>, NodeError> {
    let card = store.with(|database| database.own_card()).await?;
    let mailbox = card.and_then(|card| ReceivedCard::decode(&card.into()).ok()?.card().mailbox.clone());
    let ours: Vec<_> = relays.iter().map(|relay| relay.record().id()).collect();
    let is_ours = |mailbox: &Mailbox| {
        SignedRecord::decode(&mailbox.provider).is_ok_and(|record| ours.contains(&record.record().id()))
    };
    Ok(mailbox.filter(is_ours))
}

/// Whom the direct transport may talk with.
pub(super) fn reachable(contacts: &Contacts) -> Vec<direct::Contact> {
    let contact = |(fingerprint, at): (Fingerprint, DirectAddress)| direct::Contact {
        peer: fingerprint.peer_id(),
        fingerprint,
        endpoint: at.key,
        addresses: at.addresses,
        relays: at.relays,
    };
    contacts.reachable().map(contact).collect()
}

/// Who can be left mail, by their cards.
pub(super) fn addressees(contacts: &Contacts) -> Vec<betanet::Contact> {
    let contact = |(contact, mailbox): (&Contact, Mailbox)| betanet::Contact {
        peer: contact.peer(),
        fingerprint: contact.fingerprint,
        noise_public: contact.noise_public,
        mailbox,
        trusted: contact.is_trusted(),
    };
    contacts.mailboxes().map(contact).collect()
}

/// From whom nothing is taken.
pub(super) fn blocked(contacts: &Contacts) -> Vec<Fingerprint> {
    let blocked = contacts.people().filter(|contact| contact.blocked);
    blocked.map(|contact| contact.fingerprint).collect()
}

impl People {
    pub(super) fn new(
        (identity, nickname): (Arc<Identity>, String),
        contacts: Contacts,
        store: Store,
        (told, mailbox): (Told, Option<Mailbox>),
    ) -> Self {
        let (addresses, reached) = (OwnAddresses::default(), BTreeSet::new());
        Self { identity, nickname, contacts, store, told, addresses, mailbox, reached }
    }

    /// How contacts are connected over direct.
    pub(super) async fn connections(&self) -> Vec<ConnectionStatus> {
        match &self.told.direct {
            Some(direct) => direct.connections().await,
            None => Vec::new(),
        }
    }

    /// The contacts as they are.
    pub(super) fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// The name somebody goes by who told none: the one a contact has here.
    pub(super) fn name_of(&self, sender: Fingerprint, told: String) -> String {
        let contact = self.contacts.find(sender.peer_id()).filter(|_| told.is_empty());
        contact.map_or(told, |contact| contact.name.clone())
    }

    /// Tells everybody what an earlier run knew, and makes our card.
    pub(super) async fn begin(&mut self, now: UnixMillis) -> Result<(), ContactError> {
        for contact in self.contacts.people().cloned().collect::<Vec<_>>() {
            self.introduce(&contact).await;
        }
        self.renew(now).await
    }

    /// Does what a person asks about contacts.
    pub(super) async fn answer(
        &mut self,
        request: ContactRequest,
        now: UnixMillis,
    ) -> Result<ContactAnswer, ContactError> {
        let request = self.about_met(request).await;
        let (answer, change) = self.contacts.answer(request)?;
        self.change(change, now).await?;
        Ok(answer)
    }

    /// A request about somebody who is not in the book, and was heard on the mesh, says so.
    async fn about_met(&self, request: ContactRequest) -> ContactRequest {
        let (fingerprint, edit) = match &request {
            ContactRequest::Edit { fingerprint, edit } => (*fingerprint, edit.clone()),
            ContactRequest::Get { fingerprint } => (*fingerprint, ContactEdit::default()),
            ContactRequest::List
            | ContactRequest::OwnCard { .. }
            | ContactRequest::Add { .. }
            | ContactRequest::Accept { .. }
            | ContactRequest::Meet { .. }
            | ContactRequest::Remove { .. } => return request,
        };
        if self.knows(fingerprint) {
            return request;
        }
        match self.met(fingerprint).await {
            Some(met) => ContactRequest::Meet { met, edit },
            None => request,
        }
    }

    /// Somebody proved the keys of a code that was scanned.
    pub(super) async fn verified(&mut self, met: Met, now: UnixMillis) -> Result<ContactEvent, ContactError> {
        self.contacts.agrees(&met)?;
        let fingerprint = met.fingerprint();
        let edit = ContactEdit { verified: Some(true), ..ContactEdit::default() };
        let (contact, change) = match self.contacts.find(fingerprint.peer_id()) {
            None => self.contacts.meet(&met, &edit)?,
            Some(contact) if contact.is_offer() => {
                // The proof stands for the owner's word.
                let accepted = self.contacts.accept(fingerprint, None)?;
                self.change(accepted, now).await?;
                self.contacts.edit(fingerprint, &edit)?
            }
            Some(_) => self.contacts.edit(fingerprint, &edit)?,
        };
        self.change(change, now).await?;
        Ok(ContactEvent::Verified { fingerprint, name: contact.name })
    }

    fn knows(&self, fingerprint: Fingerprint) -> bool {
        self.contacts.find(fingerprint.peer_id()).is_some_and(|contact| contact.fingerprint == fingerprint)
    }

    /// Somebody who was heard on the mesh.
    async fn met(&self, fingerprint: Fingerprint) -> Option<Met> {
        let peers = self.told.bitchat.peers().await?;
        let peer = peers.into_iter().find(|peer| peer.fingerprint == fingerprint)?;
        let PeerInfo { noise_public, signing_public, nickname, .. } = peer;
        Some(Met { noise_public, signing_public, nickname })
    }

    /// Our own verification code, made for this moment.
    pub(super) fn own_code(&self, now: UnixMillis) -> Result<String, ContactError> {
        let mut nonce = [0; 16];
        OsRng.try_fill_bytes(&mut nonce).map_err(|error| ContactError::Random(error.to_string()))?;
        Ok(own_code(&self.identity, &self.nickname, nonce, now)?)
    }

    /// Checks a code, and lets whoever it is of prove it.
    pub(super) async fn scan(&self, code: &str, now: UnixMillis) -> Result<Met, ContactError> {
        let met = self.contacts.scan(code, now)?;
        let Met { noise_public, signing_public, nickname } = met.clone();
        let challenge = trust::Command::Challenge { noise_public, signing_public, nickname };
        self.told.bitchat.command(Command::People(challenge)).await;
        Ok(met)
    }

    /// Takes a card that came in a private session.
    pub(super) async fn received(
        &mut self,
        card: &Bytes,
        sender: Fingerprint,
        now: UnixMillis,
    ) -> Result<Option<ContactEvent>, ContactError> {
        let change = self.contacts.receive(card, sender)?;
        let event = change.event.clone();
        self.change(change, now).await?;
        Ok(event)
    }

    /// We can be found elsewhere from here on.
    pub(super) async fn moved(
        &mut self,
        addresses: OwnAddresses,
        now: UnixMillis,
    ) -> Result<(), ContactError> {
        self.addresses = addresses;
        self.renew(now).await
    }

    /// Mail for us can be left elsewhere from here on. Whether our card changed with it.
    pub(super) async fn housed(
        &mut self,
        mailbox: Option<Mailbox>,
        now: UnixMillis,
    ) -> Result<bool, ContactError> {
        if self.mailbox == mailbox {
            return Ok(false);
        }
        self.mailbox = mailbox;
        self.renew(now).await?;
        Ok(true)
    }

    /// A peer can be reached, or can be reached no longer.
    pub(super) fn reach_changed(&mut self, transport: TransportKey, peer: PeerId, reach: Reach) {
        if reach == Reach::Yes {
            self.reached.insert((peer, transport));
        } else {
            self.reached.remove(&(peer, transport));
        }
    }

    /// The cards that are due to whoever can be reached; each is on its way from here on.
    pub(super) async fn due(&mut self) -> Result<Vec<DueCard>, ContactError> {
        let mut due = Vec::new();
        for (peer, _) in self.reached.clone() {
            let Some((serial, card)) = self.contacts.card_due(peer) else { continue };
            let told = self.contacts.told(peer, serial);
            self.write(&told).await?;
            self.contacts.apply(told);
            due.push(DueCard { peer, card });
        }
        Ok(due)
    }

    async fn change(&mut self, change: Change, now: UnixMillis) -> Result<(), ContactError> {
        if change == Change::default() {
            return Ok(());
        }
        let before = self.contacts.generation();
        self.write(&change).await?;
        let (put, removed) = (change.put.clone(), change.removed);
        self.contacts.apply(change);
        if let Some(removed) = removed {
            self.forget(removed).await;
        }
        if let Some(contact) = put {
            self.introduce(&contact).await;
        }
        let generation = self.contacts.generation();
        if let Some(betanet) = &self.told.betanet {
            betanet.set_people(addressees(&self.contacts), blocked(&self.contacts)).await;
            if generation != before {
                // The card of the old one is good for nobody; the next says where mail can be left from now on.
                self.mailbox = None;
                betanet.set_generation(generation).await;
            }
        }
        if let Some(direct) = &self.told.direct {
            direct.set_contacts(reachable(&self.contacts)).await;
            if generation != before {
                let secret = |generation| self.identity.direct_secret(generation);
                direct.set_secret(secret(generation), Some(secret(before))).await;
            }
        }
        if generation != before {
            self.renew(now).await?;
        }
        Ok(())
    }

    /// Signs a new card when what it has to say has changed.
    async fn renew(&mut self, now: UnixMillis) -> Result<(), ContactError> {
        let generation = self.contacts.generation();
        let direct = self.told.direct.is_some().then(|| DirectAddress {
            generation,
            key: *SecretKey::from_bytes(&self.identity.direct_secret(generation)).public().as_bytes(),
            addresses: self.addresses.addresses.clone(),
            relays: self.addresses.relays.clone(),
        });
        let said = Said { nickname: self.nickname.clone(), direct, mailbox: self.mailbox.clone() };
        let change = self.contacts.renew(&self.identity, &said, now)?;
        self.write(&change).await?;
        self.contacts.apply(change);
        Ok(())
    }

    /// Tells the mesh whose signatures are good, and what was decided about whom.
    async fn introduce(&self, contact: &Contact) {
        if contact.is_offer() {
            return self.forget(contact.fingerprint).await;
        }
        let Contact { noise_public, signing_public, name: nickname, favourite, verified, blocked, .. } =
            contact.clone();
        let standing = Standing { favourite, verified, blocked };
        self.told.bitchat.know(Introduction { noise_public, signing_public, nickname, standing }).await;
    }

    /// Tells the mesh that nothing is decided about somebody any more.
    async fn forget(&self, fingerprint: Fingerprint) {
        self.told.bitchat.command(Command::People(trust::Command::Forget(fingerprint))).await;
    }

    async fn write(&self, change: &Change) -> Result<(), StoreError> {
        let Change { put, removed, own, event: _ } = change.clone();
        self.store
            .with(move |database| {
                database.transaction(|database| {
                    if let Some(gone) = removed {
                        database.remove_contact(gone)?;
                    }
                    if let Some(contact) = put {
                        database.put_contact(&contact.into())?;
                    }
                    if let Some(own) = own {
                        database.set_counter(Counter::DirectGeneration, own.generation.into())?;
                        database.set_counter(Counter::CardSerial, own.serial)?;
                        let card = own.card.as_ref().map(|card| card.form(Form::FULL));
                        database.set_own_card(card.map(AsRef::as_ref))?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
