//! Texts for people no transport reaches: the mesh's couriers may carry sealed copies of them. That is an extra: such
//! a text waits for its turn as before, and only its recipient's receipt ends it.

use super::dispatch::Router;
use super::error::Reason;
use super::event::Output;
use super::pending::{Couriers, Pending};
use super::selection::Exclusion;
use crate::capabilities::TransportKey;
use crate::ids::MessageId;
use crate::message::{NotLeft, Recipient};

/// Texts to one recipient that couriers are given: a courier takes a few only.
const AT_MOST: usize = 16;

impl Router {
    /// Leaves the texts that wait for this recipient with couriers, when it is for want of a way that they wait.
    pub(super) fn leave_with_couriers(&mut self, to: Recipient, reason: &Reason) {
        if !is_want_of_a_way(reason) {
            return;
        }
        let first = self.lanes.line(to).map(|line| line.first(AT_MOST)).unwrap_or_default();
        let may = |id: &MessageId| self.messages.get(id).is_some_and(|pending| self.may_be_left(pending));
        for id in first.into_iter().filter(may).take(AT_MOST).collect::<Vec<_>>() {
            let Some(pending) = self.messages.get_mut(&id) else { continue };
            if pending.couriers.is_none() {
                pending.couriers = Some(Couriers::Have(0));
                self.outputs.push_back(Output::Deposit { id, expires: pending.envelope.expires });
            }
        }
    }

    /// So many couriers have a text.
    pub(super) fn left_with(&mut self, id: MessageId, couriers: usize) {
        let Some(pending) = self.messages.get_mut(&id) else {
            // It ended in an earlier run, and that was not heard.
            return self.outputs.push_back(Output::Recall { id });
        };
        pending.couriers = Some(Couriers::Have(couriers));
        self.tell_of_couriers(id);
    }

    /// A text is left with no courier.
    pub(super) fn not_left(&mut self, id: MessageId, why: NotLeft) {
        if let Some(pending) = self.messages.get_mut(&id) {
            pending.couriers = Some(Couriers::Refused(why));
            self.tell_of_couriers(id);
        }
    }

    fn tell_of_couriers(&mut self, id: MessageId) {
        let Some(pending) = self.messages.get(&id).filter(|pending| pending.lane.is_some()) else { return };
        let reason = match pending.reason().cloned() {
            // It tells of those of before.
            Some(Reason::WithCouriers { .. } | Reason::NotWithCouriers(_)) => Some(Reason::Unreachable),
            reason => reason,
        };
        if let Some(reason) = reason {
            self.tell_waiting(id, reason);
        }
    }

    fn may_be_left(&self, pending: &Pending) -> bool {
        let fits = |(transport, exclusion): (TransportKey, Option<Exclusion>)| {
            transport == TransportKey::Bitchat && exclusion.is_none()
        };
        let ask = pending.ask();
        pending.envelope.wants_receipt
            && matches!(ask.to, Recipient::Peer(_))
            && self.board.fitness(&ask).any(fits)
    }
}

/// Whether a message waits because nothing reaches its recipient.
fn is_want_of_a_way(reason: &Reason) -> bool {
    match reason {
        Reason::Unreachable | Reason::AllDown | Reason::Tried { .. } | Reason::PreferredDown { .. } => true,
        Reason::NoPrivateTransport
        | Reason::WithCouriers { .. }
        | Reason::NotWithCouriers(_)
        | Reason::InTurn
        | Reason::TooOld
        | Reason::PrivateBroadcast
        | Reason::TooLong { .. }
        | Reason::TooLongForNow { .. }
        | Reason::PreferredUnfit { .. }
        | Reason::Withdrawn => false,
    }
}

impl Reason {
    /// The same, where couriers have copies of the message, or take none.
    pub(super) fn with_couriers(self, couriers: Option<Couriers>) -> Self {
        match couriers {
            Some(Couriers::Have(couriers @ 1..)) if is_want_of_a_way(&self) => {
                Self::WithCouriers { couriers }
            }
            Some(Couriers::Refused(why)) if is_want_of_a_way(&self) => Self::NotWithCouriers(why),
            Some(_) | None => self,
        }
    }
}
