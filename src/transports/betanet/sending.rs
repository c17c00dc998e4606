//! Out: messages, receipts, and what became of the envelopes they went in.

use std::time::Duration;

use bytes::Bytes;
use rand_core::RngCore;

use super::driver::Driver;
use super::job::{Left, Outgoing, Purpose};
use super::prekeys::Taken;
use crate::capabilities::Reach;
use crate::crypto::envelope::{self, Addressee, Label};
use crate::ids::{AttemptId, MessageId, NodeId, PeerId};
use crate::message::{MAX_AGE, Message};
use crate::router::event::{Failure, Report};
use crate::time::{Now, UnixMillis};
use crate::wire::body;
use crate::wire::letter::Letter;

/// How long an envelope counts. Two copies of a message end at the same time, this long after it was written:
/// before its recipient forgets that the first one came.
const VALID: Duration = MAX_AGE;

impl Driver {
    /// How surely a person's mailbox is reached.
    pub(super) fn reach(&self, peer: PeerId) -> Reach {
        let Some((contact, relay)) = self.people.get(&peer) else { return Reach::No };
        match self.stations.get(relay) {
            Some(station) if station.is_reached() => Reach::Yes,
            Some(station) if station.is_own() || contact.trusted => Reach::Perhaps,
            Some(_) | None => Reach::No,
        }
    }

    pub(super) fn send(&mut self, attempt: AttemptId, to: PeerId, message: &Message, now: Now) {
        let which = (to, message.id);
        let Some((mailbox, relay)) = self.people.get(&to).map(|(who, relay)| (who.mailbox.address, *relay))
        else {
            return self.fail(attempt, Failure::Unreachable);
        };
        if self.sent.lies_there(which, attempt, mailbox, now.instant) {
            return self.report(attempt, Report::Sent);
        }
        let Ok(body) = body::encode(&message.body) else { return self.fail(attempt, Failure::Unfit) };
        let letter = Letter::Message { sent: message.sent, body: body.into() };
        if let Err(failure) = self.way_to(relay, now) {
            return self.fail(attempt, failure);
        }
        // A second copy goes to the static key: whatever became of the prekey, that one can be opened.
        let prekey = if self.sent.attempt(which).is_none() { self.prekeys.take(to) } else { None };
        let purpose = Purpose::Message { attempt, id: message.id, prekey };
        let sealed_to = prekey.map(|Taken { prekey, .. }| (prekey.id, prekey.public));
        match self.seal(to, sealed_to, (message.id, message.sent), &letter) {
            Some(envelope) => self.leave(to, envelope, purpose, now),
            None => {
                prekey.into_iter().for_each(|prekey| self.prekeys.give_back(to, prekey));
                self.fail(attempt, Failure::Unfit);
            }
        }
    }

    /// Whether what is queued for this relay has a chance to leave.
    fn way_to(&self, relay: NodeId, now: Now) -> Result<(), Failure> {
        match self.stations.get(&relay) {
            Some(station) if station.can_hope(now.instant) && station.has_room() => Ok(()),
            Some(station) if station.can_hope(now.instant) => Err(Failure::Busy),
            Some(_) | None => Err(Failure::Unreachable),
        }
    }

    /// Makes ready for a message.
    pub(super) fn warm(&mut self, peer: PeerId, now: Now) {
        if let Some((contact, relay)) = self.people.get(&peer)
            && contact.trusted
            && let Some(station) = self.stations.get_mut(relay)
        {
            station.warm(now.instant);
            if let Some(lodging) = &mut station.lodging {
                lodging.feel();
            }
        }
    }

    /// Answers a message; it waits where there is no way back.
    pub(super) fn answer(&mut self, to: PeerId, letter: Letter, now: Now) {
        if !self.can_answer(to) {
            return self.owed.push(to, letter);
        }
        let mut id = MessageId([0; 16]);
        self.rng.fill_bytes(&mut id.0);
        if let Some(envelope) = self.seal(to, None, (id, now.unix), &letter) {
            self.leave(to, envelope, Purpose::Receipt { refused: 0 }, now);
        }
    }

    /// What was owed to people who may have a mailbox by now.
    pub(super) fn pay_debts(&mut self, now: Now) {
        for (to, letter) in self.owed.take() {
            self.answer(to, letter, now);
        }
    }

    /// Receipts that a full mailbox refused, and that are due again.
    pub(super) fn leave_refused(&mut self, now: Now) {
        for (to, envelope, refused) in self.refused.take_due(now.instant) {
            self.leave(to, envelope, Purpose::Receipt { refused }, now);
        }
    }

    /// Whether an answer may go: for a stranger's sake no relay is called, for it would see our address.
    pub(super) fn can_answer(&self, to: PeerId) -> bool {
        let Some((contact, relay)) = self.people.get(&to) else { return false };
        contact.trusted || self.stations.get(relay).is_some_and(|station| station.is_own())
    }

    /// Seals a letter, to a prekey or else to the static key; nothing when it is too long for an envelope.
    pub(super) fn seal(
        &mut self,
        to: PeerId,
        prekey: Option<(u32, [u8; 32])>,
        (id, created): (MessageId, UnixMillis),
        letter: &Letter,
    ) -> Option<Bytes> {
        let noise_public = self.people.get(&to).map(|(contact, _)| contact.noise_public)?;
        let label = Label { id, created, expires: created + VALID };
        let addressee = Addressee { noise_public, prekey };
        match envelope::seal(&self.identity, &addressee, label, &letter.encode(), &mut self.rng) {
            Ok(envelope) => Some(envelope),
            Err(error) => {
                tracing::warn!(%error, peer = %to, "an envelope could not be sealed");
                None
            }
        }
    }

    /// Puts an envelope in the line for its recipient's relay.
    pub(super) fn leave(&mut self, to: PeerId, envelope: Bytes, purpose: Purpose, now: Now) {
        let Some((contact, relay)) = self.people.get(&to) else {
            match purpose {
                Purpose::Message { attempt, .. } => self.fail(attempt, Failure::Unreachable),
                // There may be a mailbox again.
                Purpose::Receipt { refused } => self.refused.push(refused, to, envelope, now.instant),
                Purpose::Stream(_) => {}
            }
            return;
        };
        let (address, token, relay) = (contact.mailbox.address, contact.mailbox.token, *relay);
        self.keep_prekeys();
        let outgoing = Outgoing { to, address, token, envelope, after: self.changes_told, purpose };
        if !matches!(outgoing.purpose, Purpose::Receipt { .. })
            && let Err(failure) = self.way_to(relay, now)
        {
            return self.lost(outgoing, failure);
        }
        let Some(station) = self.stations.get_mut(&relay) else {
            return self.lost(outgoing, Failure::Unreachable);
        };
        if let Some(outgoing) = station.queue(outgoing) {
            self.lost(outgoing, Failure::Busy);
        }
    }

    /// An envelope cannot go to its relay.
    pub(super) fn lost(&mut self, outgoing: Outgoing, failure: Failure) {
        self.never_left(&outgoing);
        if let Some((attempt, ..)) = outgoing.tell(Left::Broken) {
            self.fail(attempt, failure);
        }
    }

    /// Nobody ever saw this envelope.
    pub(super) fn never_left(&mut self, outgoing: &Outgoing) {
        if let Purpose::Message { prekey: Some(prekey), .. } = outgoing.purpose {
            self.prekeys.give_back(outgoing.to, prekey);
        }
    }

    /// The relay answered: the envelope is in the mailbox, or is not.
    pub(super) fn deposited(&mut self, outgoing: Outgoing, there: bool, now: Now) {
        let (peer, mailbox) = (outgoing.to, outgoing.address);
        self.enliven(now);
        if let (Purpose::Receipt { refused }, false) = (&outgoing.purpose, there) {
            return self.refused.push(*refused, peer, outgoing.envelope, now.instant);
        }
        let Some((attempt, id, _)) = outgoing.tell(if there { Left::There } else { Left::Refused }) else {
            return;
        };
        if there {
            self.sent.left((peer, id), attempt, mailbox, now.instant);
            self.report(attempt, Report::Sent);
        } else {
            self.fail(attempt, Failure::Refused);
        }
    }

    /// The line broke before the relay answered.
    pub(super) fn not_deposited(&mut self, outgoing: Outgoing, now: Now) {
        if matches!(outgoing.purpose, Purpose::Receipt { .. }) {
            // To wherever its recipient's mailbox is by now.
            self.leave(outgoing.to, outgoing.envelope, outgoing.purpose, now);
        } else if let Some((attempt, ..)) = outgoing.tell(Left::Broken) {
            self.fail(attempt, Failure::Broken);
        }
    }

    /// Something came or went: answers may follow soon.
    pub(super) fn enliven(&mut self, now: Now) {
        for station in self.stations.values_mut() {
            if let Some(lodging) = station.lodging.as_mut().filter(|lodging| lodging.is_ours_now) {
                lodging.enliven(&self.config.cadence, now.instant);
            }
        }
    }
}
