//! In: what our mailboxes hold is opened, judged and told to the node.

use bytes::Bytes;
use rand_core::RngCore;

use super::driver::Driver;
use super::job::Job;
use crate::crypto::envelope::{self, Opened};
use crate::ids::{Fingerprint, MessageId, NodeId, PeerId};
use crate::message::Body;
use crate::router::event::Failure;
use crate::time::Now;
use crate::transports::port::{Event, Received};
use crate::wire::body;
use crate::wire::letter::Letter;
use crate::wire::mailbox::{Answer, Page};

/// Who sent a letter: proven by its envelope.
#[derive(Clone, Copy)]
pub(super) struct Sender {
    pub(super) fingerprint: Fingerprint,
    pub(super) peer: PeerId,
}

impl Driver {
    /// A relay answered something about our mailbox, or gave its record.
    pub(super) fn mailbox_answer(&mut self, relay: NodeId, job: Job, answer: Answer, now: Now) {
        if let (Job::Fetch { .. }, Answer::Fetched(page)) = (&job, &answer) {
            return self.fetched(relay, page, now);
        }
        if let (Job::Record, Answer::Record(record)) = (&job, &answer) {
            self.record_came(relay, record, now);
        }
        let Some(lodging) = self.stations.get_mut(&relay).and_then(|station| station.lodging.as_mut()) else {
            return;
        };
        match (job, answer) {
            (Job::Echo, Answer::Echoed(_)) => {}
            (Job::Create, answer) => lodging.made(answer == Answer::Ok, now.instant),
            (Job::Fetch { .. }, Answer::Refused) => lodging.gone(),
            (Job::Ack(ids), answer) => lodging.acked(ids, matches!(answer, Answer::Ok | Answer::Refused)),
            (Job::Record, Answer::Record(_)) => lodging.record_came(true, now.instant),
            (job, answer) => {
                tracing::warn!(?answer, "a relay gave an answer that does not fit");
                lodging.troubled(job, now.instant);
            }
        }
    }

    fn fetched(&mut self, relay: NodeId, page: &Page, now: Now) {
        for (number, envelope) in &page.envelopes {
            self.came(relay, *number, envelope, now);
        }
        let any = !page.envelopes.is_empty();
        if any {
            self.enliven(now);
        }
        let stretch = 0.75 + f64::from(self.rng.next_u32()) / f64::from(u32::MAX) / 2.0;
        let cadence = self.config.cadence;
        if let Some(lodging) = self.stations.get_mut(&relay).and_then(|station| station.lodging.as_mut()) {
            lodging.fetched(page.next, any, &cadence, stretch, now.instant);
        }
    }

    /// An envelope came. It is taken from the mailbox once it is stored here, or at once where nobody ever needs
    /// it again.
    fn came(&mut self, relay: NodeId, number: u64, envelope: &Bytes, now: Now) {
        let mut made_for = None;
        let prekey = |id| {
            let (peer, secret) = self.prekeys.secret(id)?;
            made_for = Some(peer);
            Some(secret)
        };
        let opened = envelope::open(&self.identity, prekey, envelope, now.unix);
        let Opened { sender, label, prekey, message } = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // Nothing that comes later makes it readable.
                tracing::info!(%error, "an envelope was thrown away");
                return self.throw_away(relay, number);
            }
        };
        let fingerprint = Fingerprint::of(&sender);
        let sender = Sender { fingerprint, peer: fingerprint.peer_id() };
        let stolen = made_for.is_some_and(|peer| peer != sender.peer);
        if stolen || self.blocked.contains(&fingerprint) || sender.peer == self.identity.peer_id() {
            return self.throw_away(relay, number);
        }
        match Letter::decode(&message) {
            Ok(Letter::Message { sent, body }) => {
                let size = message.len();
                match body::decode(&body) {
                    Ok(Body::Read { of, .. }) => self.receipt(sender.peer, of, true),
                    Ok(body @ (Body::Text(_) | Body::Card(_))) => {
                        let which = (sender.peer, label.id);
                        let worth = (size, body.wants_receipt(), prekey);
                        if self.held.came(which, (relay, number), worth, now.instant) {
                            self.received(sender, label.id, body, sent);
                        }
                        return;
                    }
                    Ok(Body::Public(_)) | Err(_) => {
                        self.answer(sender.peer, Letter::Declined(label.id), now);
                    }
                }
            }
            Ok(Letter::Ack(id)) => {
                self.sent.answered((sender.peer, id));
                self.receipt(sender.peer, id, false);
            }
            Ok(Letter::Declined(id)) => {
                if let Some(attempt) = self.sent.attempt((sender.peer, id)) {
                    self.fail(attempt, Failure::RecipientFull);
                }
            }
            Ok(Letter::Prekeys(prekeys)) => {
                if self.people.contains_key(&sender.peer) {
                    self.prekeys.learn(sender.peer, prekeys);
                }
            }
            Ok(letter) => self.stream_letter(sender.peer, letter, now),
            Err(error) => {
                tracing::info!(%error, peer = %sender.peer, "a letter cannot be read");
                self.answer(sender.peer, Letter::Declined(label.id), now);
            }
        }
        // Nothing of it waits to be stored.
        self.prekeys.destroy(sender.peer, prekey.as_slice());
        self.throw_away(relay, number);
    }

    fn received(&mut self, sender: Sender, id: MessageId, body: Body, sent: crate::time::UnixMillis) {
        self.backlog.push_back(Event::Received(Received {
            sender: sender.fingerprint,
            nickname: String::new(),
            public: false,
            room: None,
            id,
            body,
            sent,
            wire_ids: Vec::new(),
            ttl: 0,
            fragments: 0,
        }));
    }

    /// The node has stored a message, or does not want it: it is taken from the mailbox, and its sender is told.
    pub(super) fn stored(&mut self, sender: PeerId, id: MessageId, letter: Letter, now: Now) {
        let Some(unstored) = self.held.settled((sender, id)) else { return };
        self.prekeys.destroy(sender, &unstored.prekeys);
        for (relay, number) in unstored.places {
            self.throw_away(relay, number);
        }
        if unstored.wants_receipt {
            self.answer(sender, letter, now);
            self.give_prekeys(sender, unstored.prekeys.is_empty(), now);
        }
    }

    /// A contact who wrote gets keys for what comes next, when there are few left.
    fn give_prekeys(&mut self, to: PeerId, starved: bool, now: Now) {
        if !self.can_answer(to) {
            return;
        }
        if let Some(prekeys) = self.prekeys.refill(to, starved, now.unix, &mut self.rng) {
            self.answer(to, Letter::Prekeys(prekeys), now);
        }
    }

    /// Has kept what changed about prekeys. What is left at a relay from here on waits until it is on disk: after a
    /// crash no prekey is used twice, and none that was given cannot be opened.
    pub(super) fn keep_prekeys(&mut self) {
        for change in self.prekeys.take_changes() {
            self.changes_told = self.changes_told.saturating_add(1);
            self.backlog.push_back(Event::Keep(change));
        }
    }

    pub(super) fn throw_away(&mut self, relay: NodeId, number: u64) {
        if let Some(lodging) = self.stations.get_mut(&relay).and_then(|station| station.lodging.as_mut()) {
            lodging.ack(number);
        }
    }
}
