//! What became of the messages this node sent lately.

use std::collections::BTreeMap;

use crate::ids::{AttemptId, MessageId};
use crate::mesh::error::Refusal;
use crate::message::{DeliveryStatus, Recipient};

/// Messages remembered; the oldest is forgotten first.
const REMEMBERED: usize = 1024;

/// A message of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// Its id.
    pub id: MessageId,
    /// Whom it is for.
    pub to: Recipient,
    /// How far it came.
    pub status: DeliveryStatus,
    /// Into how many fragments its packet was cut; 0 when it went whole.
    pub fragments: u16,
}

/// What the engine answered to an attempt.
pub(super) type Answer = Result<SentMessage, Refusal>;

/// The messages of this run, by the attempt that carries them.
#[derive(Debug, Default)]
pub(super) struct SentMessages {
    attempts: u64,
    by_attempt: BTreeMap<AttemptId, Attempt>,
}

#[derive(Debug)]
struct Attempt {
    to: Recipient,
    /// `None` until the engine answers.
    answer: Option<Answer>,
}

impl SentMessages {
    /// Names a new attempt.
    pub(super) fn begin(&mut self, to: Recipient) -> AttemptId {
        self.attempts = self.attempts.saturating_add(1);
        let attempt = AttemptId(self.attempts);
        self.by_attempt.insert(attempt, Attempt { to, answer: None });
        while self.by_attempt.len() > REMEMBERED {
            self.by_attempt.pop_first();
        }
        attempt
    }

    /// Takes down how far a message came.
    pub(super) fn record(
        &mut self,
        attempt: AttemptId,
        id: MessageId,
        status: DeliveryStatus,
        fragments: u16,
    ) {
        if let Some(entry) = self.by_attempt.get_mut(&attempt) {
            entry.answer = Some(Ok(SentMessage { id, to: entry.to, status, fragments }));
        }
    }

    /// Takes down why a message was not accepted.
    pub(super) fn refuse(&mut self, attempt: AttemptId, reason: Refusal) {
        if let Some(entry) = self.by_attempt.get_mut(&attempt) {
            entry.answer = Some(Err(reason));
        }
    }

    /// The latest answer to an attempt; `None` when there is none.
    pub(super) fn answer(&self, attempt: AttemptId) -> Option<Answer> {
        self.by_attempt.get(&attempt).and_then(|entry| entry.answer.clone())
    }

    /// The message with this id.
    pub(super) fn find(&self, id: MessageId) -> Option<SentMessage> {
        let answers = self.by_attempt.values().rev().filter_map(|entry| entry.answer.as_ref());
        answers.filter_map(|answer| answer.as_ref().ok()).find(|message| message.id == id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_by_attempt_and_by_id_with_its_latest_status() {
        let mut sent = SentMessages::default();
        let attempt = sent.begin(Recipient::Everyone);
        assert_eq!(sent.answer(attempt), None);
        let id = MessageId([7; 16]);
        sent.record(attempt, id, DeliveryStatus::Queued, 0);
        sent.record(attempt, id, DeliveryStatus::Sent, 3);
        let message = SentMessage { id, to: Recipient::Everyone, status: DeliveryStatus::Sent, fragments: 3 };
        assert_eq!(sent.answer(attempt), Some(Ok(message.clone())));
        assert_eq!(sent.find(id), Some(message));
    }

    #[test]
    fn the_oldest_message_is_forgotten_first() {
        let mut sent = SentMessages::default();
        let first = sent.begin(Recipient::Everyone);
        sent.record(first, MessageId([1; 16]), DeliveryStatus::Sent, 0);
        for _ in 1..REMEMBERED {
            sent.begin(Recipient::Everyone);
        }
        assert!(sent.answer(first).is_some());
        sent.begin(Recipient::Everyone);
        assert_eq!(sent.answer(first), None);
        sent.record(first, MessageId([1; 16]), DeliveryStatus::Delivered, 0);
        assert_eq!(sent.find(MessageId([1; 16])), None);
    }
}
