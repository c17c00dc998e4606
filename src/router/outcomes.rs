//! What becomes of attempts, and of messages: reports, receipts, silence, and the end.

use super::dispatch::{Router, Timer};
use super::error::Reason;
use super::event::{Failure, Output, Report};
use super::measured::Sample;
use super::pending::{Attempt, SPENT};
use crate::capabilities::TransportKey;
use crate::ids::{AttemptId, MessageId, PeerId};
use crate::message::{DeliveryStatus, Recipient};
use crate::time::Now;

impl Router {
    pub(super) fn reported(&mut self, attempt: AttemptId, report: Report, now: Now) {
        let Some((id, transport)) = self.attempts.get(&attempt).copied() else { return };
        match report {
            Report::Sent => self.sent(id, transport, now),
            Report::Failed(failure) => self.failed(id, transport, failure, now),
        }
    }

    pub(super) fn receipt(&mut self, transport: TransportKey, from: PeerId, id: MessageId, now: Now) {
        let to = Recipient::Peer(from);
        if self.suspects.clear(from, transport) {
            self.wake(to, transport);
        }
        if let Some(pending) = self.messages.get(&id)
            && pending.envelope.to == to
        {
            if let Some(attempt) = pending.attempt(transport) {
                let took = now.instant.since(attempt.since);
                self.measure(from, transport, Sample::Answered(took), now);
            }
            self.end(id, DeliveryStatus::Delivered, Some(transport), None, now);
        }
        self.pump(to, now);
    }

    /// The time of an attempt is up: the next transport is tried, though a receipt may still come.
    pub(super) fn overdue(&mut self, attempt: AttemptId, now: Now) {
        let Some((id, transport)) = self.attempts.get(&attempt).copied() else { return };
        // Where the message lies in a mailbox, it is the recipient who is silent, not the way.
        if !self.board.station(transport).is_some_and(|station| station.capabilities.keeps) {
            self.distrust(id, transport, now);
        }
        if let Some(pending) = self.messages.get_mut(&id) {
            pending.last = Some((transport, Failure::Silence));
        }
        self.no_longer_awaited(id, transport, now);
    }

    /// The transport, or its way to the recipient, is gone: nobody waits for its deadline.
    pub(super) fn give_up_waiting(&mut self, id: MessageId, transport: TransportKey) {
        let Some(pending) = self.messages.get_mut(&id) else { return };
        pending.last = Some((transport, Failure::Unreachable));
        self.stop_clock(id, transport);
        self.look_further(id);
    }

    pub(super) fn expire(&mut self, id: MessageId, now: Now) {
        let Some(pending) = self.messages.get_mut(&id) else { return };
        let expires = pending.envelope.expires;
        if expires > now.unix {
            // The wall clock was set back.
            pending.expiry = now.instant + expires.abs_diff(now.unix);
            self.timers.insert((pending.expiry, Timer::Expiry(id)));
            return;
        }
        self.end(id, DeliveryStatus::Expired, None, Some(Reason::TooOld), now);
    }

    /// Ends a message: says so, calls off the attempts of the other transports, and lets the next one take its
    /// turn.
    pub(super) fn end(
        &mut self,
        id: MessageId,
        status: DeliveryStatus,
        via: Option<TransportKey>,
        reason: Option<Reason>,
        now: Now,
    ) {
        self.leave_lane(id);
        let Some(mut pending) = self.messages.remove(&id) else { return };
        let to = pending.envelope.to;
        self.timers.remove(&(pending.expiry, Timer::Expiry(id)));
        if pending.couriers.is_some() {
            self.outputs.push_back(Output::Recall { id });
        }
        if pending.tell(status, via, reason.clone()) {
            self.outputs.push_back(Output::Status { id, status, via, reason });
        }
        for attempt in pending.attempts {
            self.forget(&attempt, id, to);
            if Some(attempt.transport) != via {
                let Attempt { id: attempt, transport, .. } = attempt;
                self.outputs.push_back(Output::Abandon { attempt, transport, id });
            }
        }
        self.lanes.part(to);
        self.pump(to, now);
    }

    fn sent(&mut self, id: MessageId, transport: TransportKey, now: Now) {
        let receipts = self.board.station(transport).is_some_and(|held| held.capabilities.receipts);
        let Some(pending) = self.messages.get_mut(&id) else { return };
        let is_done = !pending.envelope.wants_receipt || !receipts;
        if pending.envelope.to == Recipient::Everyone {
            pending.sent_once = true;
            let Some(attempt) = pending.take_attempt(transport) else { return };
            self.forget(&attempt, id, Recipient::Everyone);
            self.tell_sent(id, transport);
            self.no_longer_awaited(id, transport, now);
        } else if is_done {
            self.end(id, DeliveryStatus::Sent, Some(transport), None, now);
        } else {
            let Some(attempt) = pending.attempt_mut(transport) else { return };
            // The wait for the receipt begins when the message leaves.
            if let Some(deadline) = attempt.deadline {
                self.timers.remove(&(deadline, Timer::Overdue(attempt.id)));
                let later = now.instant + attempt.patience;
                attempt.deadline = Some(later);
                self.timers.insert((later, Timer::Overdue(attempt.id)));
                self.tell_sent(id, transport);
            } else if pending.status() == DeliveryStatus::Queued {
                self.tell_sent(id, transport);
            }
        }
    }

    fn failed(&mut self, id: MessageId, transport: TransportKey, failure: Failure, now: Now) {
        let Some(pending) = self.messages.get_mut(&id) else { return };
        let to = pending.envelope.to;
        let Some(attempt) = pending.take_attempt(transport) else { return };
        pending.last = Some((transport, failure));
        pending.tries.set(transport, SPENT);
        self.forget(&attempt, id, to);
        match failure {
            Failure::Unreachable | Failure::Broken | Failure::Silence => self.distrust(id, transport, now),
            Failure::Busy | Failure::Refused => {}
            Failure::RecipientFull => self.spend_all(id),
            Failure::Unfit => {
                if self.is_unfit_for_all(id, transport) {
                    let reason = Reason::Tried { transport, failure };
                    self.end(id, DeliveryStatus::Refused, None, Some(reason), now);
                    return;
                }
            }
        }
        self.no_longer_awaited(id, transport, now);
    }

    /// No transport takes a message whose recipient has no room.
    fn spend_all(&mut self, id: MessageId) {
        if let Some(pending) = self.messages.get_mut(&id) {
            TransportKey::ALL.into_iter().for_each(|transport| pending.tries.set(transport, SPENT));
        }
    }

    /// Notes that a transport cannot carry the message; true when no other of this node can.
    fn is_unfit_for_all(&mut self, id: MessageId, transport: TransportKey) -> bool {
        let Some(pending) = self.messages.get_mut(&id) else { return false };
        pending.unfit.set(transport, true);
        self.board
            .fitness(&pending.ask())
            .all(|(transport, exclusion)| exclusion.is_some() || pending.unfit.get(transport))
    }

    /// The message has one attempt less to wait for.
    fn no_longer_awaited(&mut self, id: MessageId, transport: TransportKey, now: Now) {
        let Some(to) = self.messages.get(&id).map(|pending| pending.envelope.to) else { return };
        self.stop_clock(id, transport);
        let Some(pending) = self.messages.get(&id) else { return };
        if pending.sent_once && !pending.has_live_attempt() {
            self.end(id, DeliveryStatus::Sent, pending.via(), None, now);
            return;
        }
        self.look_further(id);
        self.pump(to, now);
    }

    /// A message without an attempt that is waited for wants to be dispatched.
    fn look_further(&mut self, id: MessageId) {
        if self.messages.get(&id).is_some_and(|pending| !pending.has_live_attempt()) {
            self.enter_lane(id);
        }
    }

    /// An attempt lives on, but nothing waits for it.
    fn stop_clock(&mut self, id: MessageId, transport: TransportKey) {
        let Some(pending) = self.messages.get_mut(&id) else { return };
        let to = pending.envelope.to;
        if let Some(attempt) = pending.attempt_mut(transport)
            && let Some(deadline) = attempt.deadline.take()
        {
            self.timers.remove(&(deadline, Timer::Overdue(attempt.id)));
        }
        self.lanes.land(transport, to, id);
    }

    /// An attempt is over for good.
    fn forget(&mut self, attempt: &Attempt, id: MessageId, to: Recipient) {
        self.attempts.remove(&attempt.id);
        if let Some(deadline) = attempt.deadline {
            self.timers.remove(&(deadline, Timer::Overdue(attempt.id)));
        }
        self.lanes.land(attempt.transport, to, id);
    }

    fn tell_sent(&mut self, id: MessageId, transport: TransportKey) {
        let (status, via) = (DeliveryStatus::Sent, Some(transport));
        if self.messages.get_mut(&id).is_some_and(|pending| pending.tell(status, via, None)) {
            self.outputs.push_back(Output::Status { id, status, via, reason: None });
        }
    }

    fn distrust(&mut self, id: MessageId, transport: TransportKey, now: Now) {
        let Some(pending) = self.messages.get(&id) else { return };
        if let Recipient::Peer(peer) = pending.envelope.to
            && self.suspects.suspect(peer, transport, now.instant)
        {
            self.measure(peer, transport, Sample::Missed, now);
        }
    }

    fn measure(&mut self, peer: PeerId, transport: TransportKey, sample: Sample, now: Now) {
        let Some(station) = self.board.station(transport) else { return };
        let typical = station.capabilities.typical_latency;
        if let Some(record) = self.measured.add(peer, transport, typical, sample, now) {
            self.outputs.push_back(Output::Measured(record));
        }
    }
}
