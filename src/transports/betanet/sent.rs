//! What was left in mailboxes already. A message that lies in its recipient's mailbox is not left there again each
//! time the router asks whether there is news of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ids::{AttemptId, MessageId, PeerId};
use crate::time::Instant;

/// Messages that are remembered; for a further one the oldest is forgotten, and at worst left once more.
const MAX_SENT: usize = 16_384;
/// How long the first copy of a message is trusted to be enough; each further one twice as long.
const FIRST_TRUST: Duration = Duration::from_secs(600);
/// Doublings of that.
const MAX_DOUBLINGS: u32 = 10;

type Which = (PeerId, MessageId);

/// A message that was left in a mailbox.
#[derive(Debug, Clone, Copy)]
struct Copy {
    attempt: AttemptId,
    mailbox: [u8; 32],
    at: Instant,
    copies: u32,
}

/// The messages that were left in mailboxes.
#[derive(Debug, Default)]
pub(super) struct Sent {
    copies: BTreeMap<Which, Copy>,
    order: VecDeque<Which>,
}

impl Sent {
    /// A message was left in a mailbox.
    pub(super) fn left(&mut self, which: Which, attempt: AttemptId, mailbox: [u8; 32], now: Instant) {
        match self.copies.get_mut(&which) {
            Some(copy) => {
                let copies = if copy.mailbox == mailbox { copy.copies.saturating_add(1) } else { 1 };
                *copy = Copy { attempt, mailbox, at: now, copies };
            }
            None => {
                self.copies.insert(which, Copy { attempt, mailbox, at: now, copies: 1 });
                self.order.push_back(which);
            }
        }
        while self.copies.len() > MAX_SENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.copies.remove(&oldest);
        }
        // What was answered leaves its place in the order behind.
        if self.order.len() > 2 * MAX_SENT {
            self.order.retain(|which| self.copies.contains_key(which));
        }
    }

    /// Whether a message lies in this mailbox, as far as one can know; the attempt that asks is the one that
    /// counts from then on.
    pub(super) fn lies_there(
        &mut self,
        which: Which,
        attempt: AttemptId,
        mailbox: [u8; 32],
        now: Instant,
    ) -> bool {
        let Some(copy) = self.copies.get_mut(&which).filter(|copy| copy.mailbox == mailbox) else {
            return false;
        };
        let doublings = copy.copies.saturating_sub(1).min(MAX_DOUBLINGS);
        let lies = now.since(copy.at) < FIRST_TRUST.saturating_mul(1 << doublings);
        if lies {
            copy.attempt = attempt;
        }
        lies
    }

    /// The recipient has it.
    pub(super) fn answered(&mut self, which: Which) {
        self.copies.remove(&which);
    }

    /// The last attempt that left it.
    pub(super) fn attempt(&self, which: Which) -> Option<AttemptId> {
        self.copies.get(&which).map(|copy| copy.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHICH: Which = (PeerId([1; 8]), MessageId([2; 16]));
    const MAILBOX: [u8; 32] = [3; 32];

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_message_is_left_again_after_ten_minutes_and_then_ever_more_rarely() {
        let mut sent = Sent::default();
        let mut copies = Vec::new();
        for minute in 0..(24 * 60) {
            let now = at(minute * 60);
            if !sent.lies_there(WHICH, AttemptId(minute), MAILBOX, now) {
                sent.left(WHICH, AttemptId(minute), MAILBOX, now);
                copies.push(minute);
            }
        }
        assert_eq!(copies, [0, 10, 30, 70, 150, 310, 630, 1270]);
        assert_eq!(sent.attempt(WHICH), Some(AttemptId(24 * 60 - 1)));
    }

    #[test]
    fn another_mailbox_and_an_answered_message_begin_anew() {
        let mut sent = Sent::default();
        sent.left(WHICH, AttemptId(1), MAILBOX, at(0));
        assert!(!sent.lies_there(WHICH, AttemptId(2), [4; 32], at(1)));
        assert!(sent.lies_there(WHICH, AttemptId(2), MAILBOX, at(1)));
        sent.answered(WHICH);
        assert!(!sent.lies_there(WHICH, AttemptId(3), MAILBOX, at(2)));
    }

    #[test]
    fn the_oldest_are_forgotten_at_the_bound() {
        let mut sent = Sent::default();
        let which = |number: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&(number as u64).to_be_bytes());
            (PeerId([1; 8]), MessageId(id))
        };
        for number in 0..=MAX_SENT {
            sent.left(which(number), AttemptId(1), MAILBOX, at(0));
        }
        assert_eq!(sent.attempt(which(0)), None);
        assert!(sent.attempt(which(1)).is_some());
        assert_eq!(sent.copies.len(), MAX_SENT);
    }
}
