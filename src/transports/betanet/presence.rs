//! Where we can be found: our relays, their newest records, and which of our mailboxes stands on our card.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::contact::Contact;
use super::driver::Driver;
use super::handle::{BetanetStatus, MailboxStatus, NewRecord, Part, RelayStatus, Request};
use super::job::{Outgoing, Purpose};
use super::lodging::{Lodging, Standing};
use super::station::Station;
use crate::crypto::MailboxKey;
use crate::htx::record::{Pin, accept};
use crate::ids::{Fingerprint, NodeId};
use crate::router::event::Failure;
use crate::time::{Instant, Now};
use crate::wire::record::{NodeRecord, SignedRecord};
use crate::wire::{MAX_PROVIDER_LEN, Mailbox};

/// A record on our card that ends sooner than this is replaced by a newer one that says the same.
const WORTH_RENEWING: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The relay whose mailbox stands on our card.
#[derive(Debug, Default)]
pub(super) struct Provider {
    relay: Option<NodeId>,
    /// Its record as it stands on the card.
    record: Option<SignedRecord>,
    /// Since when it cannot be reached.
    away_since: Option<Instant>,
}

impl Driver {
    pub(super) fn request(&mut self, request: Request, now: Now) {
        match request {
            Request::People { contacts, blocked, done } => {
                self.set_people(contacts, blocked, now);
                // Who asked and does not wait for the answer does not miss it.
                oneshot::Sender::send(done, ()).unwrap_or_default();
            }
            Request::Generation(generation) => self.set_generation(generation),
            Request::Status(answer) => {
                // The same here.
                answer.send(self.status()).ok();
            }
            Request::Files(taker) => self.streams.take_files(taker),
            Request::Open { peer, answer } => {
                let opened = self.open_stream(peer);
                // A stream that nobody takes is closed when it is dropped.
                answer.send(opened).ok();
            }
            Request::Leave { peer, letter, done } => self.leave_stream_letter(peer, &letter, done, now),
            Request::Say { peer, letter } => self.say(peer, letter, now),
        }
    }

    fn set_people(&mut self, contacts: Vec<Contact>, blocked: Vec<Fingerprint>, now: Now) {
        self.blocked = blocked.into_iter().collect();
        let before = std::mem::take(&mut self.people);
        let known: BTreeSet<_> = contacts.iter().map(|contact| contact.peer).collect();
        for contact in contacts {
            let peer = contact.peer;
            let last = before.get(&peer).map(|(contact, _)| (contact.mailbox.address, contact.mailbox.token));
            if last.is_some_and(|last| last != (contact.mailbox.address, contact.mailbox.token)) {
                // Whoever has a new token may have removed us meanwhile, and destroyed what was made for us.
                self.prekeys.learn(peer, Vec::new());
            }
            match self.relay_of(&contact, now) {
                Some(relay) => {
                    self.people.insert(peer, (contact, relay));
                }
                None => {
                    tracing::info!(%peer, "the relay of a contact's mailbox cannot be used: its record is no good")
                }
            }
        }
        self.prekeys.retain(|peer| known.contains(&peer));
        let gone: Vec<_> = self.told.keys().filter(|peer| !self.people.contains_key(peer)).copied().collect();
        for peer in gone {
            if self.told.remove(&peer).unwrap_or_default() != crate::capabilities::Reach::No {
                let to = crate::message::Recipient::Peer(peer);
                let reach = crate::capabilities::Reach::No;
                self.backlog.push_back(crate::transports::port::Event::Reach { to, reach });
            }
        }
        self.send_on_strays(now);
        let kept: BTreeSet<NodeId> = self.people.values().map(|(_, relay)| *relay).collect();
        self.stations.retain(|relay, station| kept.contains(relay) || !station.is_forgettable());
        self.pay_debts(now);
    }

    /// What waits for a relay goes to another where its recipient has moved meanwhile.
    fn send_on_strays(&mut self, now: Now) {
        let mut strays = Vec::new();
        for (relay, station) in &mut self.stations {
            strays.extend(station.take_strays(|outgoing| {
                let at = self.people.get(&outgoing.to);
                at.is_some_and(|(contact, at)| at == relay && contact.mailbox.address == outgoing.address)
            }));
        }
        for outgoing in strays {
            match outgoing {
                // With the mailbox its prekeys were given up.
                Outgoing { purpose: Purpose::Message { prekey: Some(_), .. }, .. } => {
                    self.lost(outgoing, Failure::Unreachable);
                }
                Outgoing { to, envelope, purpose, .. } => self.leave(to, envelope, purpose, now),
            }
        }
    }

    /// The relay that keeps a contact's mailbox: by the newest record there is of it.
    fn relay_of(&mut self, contact: &Contact, now: Now) -> Option<NodeId> {
        let node = SignedRecord::decode(&contact.mailbox.provider).ok()?.record().id();
        match accept(&contact.mailbox.provider, None, now.unix) {
            Ok(record) => self.learn(node, &record, now),
            Err(error) if !self.stations.contains_key(&node) => {
                tracing::debug!(%error, "a record on a contact's card is refused");
                return None;
            }
            Err(_) => {}
        }
        Some(node)
    }

    /// Takes a record whose signature was checked, if it is newer than the one that is known.
    fn learn(&mut self, node: NodeId, record: &SignedRecord, now: Now) {
        let (expires, bytes) = (record.record().expires, record.bytes().clone());
        match self.stations.get_mut(&node) {
            Some(station) if station.record.record().expires >= expires => return,
            Some(station) => station.record = record.clone(),
            None => {
                self.stations.insert(node, Station::new(record.clone(), None, now.instant));
            }
        }
        self.ends.presence.send_modify(|presence| {
            presence.records.retain(|known| known.node != node);
            presence.records.push(NewRecord { node, record: bytes, expires });
        });
    }

    /// A relay gave its own newest record.
    pub(super) fn record_came(&mut self, relay: NodeId, record: &Bytes, now: Now) {
        match accept(record, Some(&Pin { node: relay, noise_public: None }), now.unix) {
            Ok(record) => self.learn(relay, &record, now),
            Err(error) => tracing::warn!(%error, "a relay's own record is refused"),
        }
    }

    fn set_generation(&mut self, generation: u32) {
        self.generation = generation;
        for (id, station) in &mut self.stations {
            if let Some(lodging) = &mut station.lodging {
                lodging.rekey(MailboxKey::derive(&self.secret, id, generation));
            }
        }
    }

    /// Sees which of our mailboxes the card should name: it stays the same as long as its relay is not away for
    /// long.
    pub(super) fn choose_provider(&mut self, now: Now) {
        let made = |station: &Station| {
            let is_made = |lodging: &Lodging| lodging.standing == Standing::Made;
            station.is_reached() && station.lodging.as_ref().is_some_and(is_made)
        };
        let ready = |id: &NodeId| self.stations.get(id).is_some_and(made);
        let patience = self.config.patience;
        let chosen = match self.provider.relay {
            Some(relay) if self.stations.get(&relay).is_some_and(Station::is_reached) => {
                self.provider.away_since = None;
                return;
            }
            Some(_) => {
                let since = *self.provider.away_since.get_or_insert(now.instant);
                let waited = now.instant.since(since) >= patience;
                self.own.iter().find(|id| waited && ready(id)).copied()
            }
            // The first in the order of preference, unless it did not answer.
            None => {
                let tried = |id: &&NodeId| !self.troubles.contains_key(*id);
                self.own.iter().find(tried).filter(|id| ready(id)).copied()
            }
        };
        let Some(chosen) = chosen else { return };
        self.provider = Provider { relay: Some(chosen), record: None, away_since: None };
        for (id, station) in &mut self.stations {
            if let Some(lodging) = &mut station.lodging {
                lodging.is_ours_now = *id == chosen;
            }
        }
    }

    /// When the mailbox of another relay becomes ours.
    pub(super) fn provider_due(&self, now: Instant) -> Option<Instant> {
        let due = self.provider.away_since? + self.config.patience;
        // What is past waits for another relay, not for the time.
        (due > now).then_some(due)
    }

    /// Tells the node what belongs on our card.
    pub(super) fn settle_presence(&mut self, now: Now) {
        let Some(relay) = self.provider.relay else { return };
        let Some(station) = self.stations.get(&relay) else { return };
        let Some(lodging) = station.lodging.as_ref().filter(|held| held.standing == Standing::Made) else {
            return;
        };
        let stale = self.provider.record.as_ref().is_none_or(|shown| is_stale(shown, &station.record, now));
        if stale {
            self.provider.record = Some(station.record.clone());
        }
        let Some(record) = &self.provider.record else { return };
        if record.bytes().len() > MAX_PROVIDER_LEN {
            tracing::warn!(len = record.bytes().len(), "our relay's record is too long for a contact card");
            return;
        }
        let mailbox = Mailbox {
            address: lodging.address(),
            token: lodging.key.token(),
            provider: record.bytes().clone(),
        };
        self.ends.presence.send_if_modified(|presence| {
            let changed = presence.mailbox.as_ref() != Some(&mailbox);
            presence.mailbox = Some(mailbox);
            changed
        });
    }

    fn status(&self) -> BetanetStatus {
        let own: BTreeSet<&NodeId> = self.own.iter().collect();
        let others = self.stations.iter().filter(|(id, station)| !own.contains(id) && station.open.is_some());
        BetanetStatus {
            prekeys: self.prekeys.given(),
            relays: self.own.iter().filter_map(|id| self.relay_status(id)).collect(),
            others: others.count(),
        }
    }

    fn relay_status(&self, id: &NodeId) -> Option<RelayStatus> {
        let station = self.stations.get(id)?;
        let part = match station.is_reached() {
            true if self.in_use == Some(*id) => Part::InUse,
            true => Part::Warm,
            false => Part::Down,
        };
        let mailbox = match station.lodging.as_ref().map(|lodging| lodging.standing) {
            Some(Standing::Made) if self.provider.relay == Some(*id) => MailboxStatus::OnCard,
            Some(Standing::Made) => MailboxStatus::Kept,
            Some(Standing::Refused { .. }) => MailboxStatus::Refused,
            Some(Standing::Unasked | Standing::Asked) | None => MailboxStatus::None,
        };
        let trouble = self.troubles.get(id).filter(|_| !station.is_reached()).cloned();
        Some(RelayStatus { host: station.record.record().host.clone(), part, mailbox, trouble })
    }
}

/// Whether a card with this record should rather have that one: something changed beside what changes every day,
/// or it ends soon.
fn is_stale(shown: &SignedRecord, newest: &SignedRecord, now: Now) -> bool {
    let lasting = |record: &SignedRecord| NodeRecord {
        ticket_keys: Vec::new(),
        mix_keys: Vec::new(),
        expires: 0,
        ..record.record().clone()
    };
    let ends = Duration::from_secs(shown.record().expires);
    let soon = ends.saturating_sub(Duration::from_millis(now.unix.0)) < WORTH_RENEWING;
    lasting(shown) != lasting(newest) || soon && newest.record().expires > shown.record().expires
}
