//! What became of the messages this node sent lately.

use std::collections::BTreeMap;

use crate::ids::{AttemptId, MessageId};
use crate::message::DeliveryStatus;

use super::name::Recipient;

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

/// The messages of this run, by the attempt that carries them.
#[derive(Debug, Default)]
pub(super) struct SentMessages {
    attempts: u64,
    /// Attempts nobody has answered yet carry no message.
    by_attempt: BTreeMap<AttemptId, (Recipient, Option<SentMessage>)>,
}

impl SentMessages {
    /// Names a new attempt.
    pub(super) fn begin(&mut self, to: Recipient) -> AttemptId {
        self.attempts = self.attempts.saturating_add(1);
        let attempt = AttemptId(self.attempts);
        self.by_attempt.insert(attempt, (to, None));
        while self.by_attempt.len() > REMEMBERED {
            self.by_attempt.pop_first();
        }
        attempt
    }

    /// Takes down what the engine said about an attempt.
    pub(super) fn record(
        &mut self,
        attempt: AttemptId,
        id: MessageId,
        status: DeliveryStatus,
        fragments: u16,
    ) {
        if let Some((to, message)) = self.by_attempt.get_mut(&attempt) {
            *message = Some(SentMessage { id, to: *to, status, fragments });
        }
    }

    /// The message of an attempt; `None` when the engine has not answered it.
    pub(super) fn of(&self, attempt: AttemptId) -> Option<SentMessage> {
        self.by_attempt.get(&attempt).and_then(|(_, message)| message.clone())
    }

    /// The message with this id.
    pub(super) fn find(&self, id: MessageId) -> Option<SentMessage> {
        let mut messages = self.by_attempt.values().rev().filter_map(|(_, message)| message.as_ref());
        messages.find(|message| message.id == id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_by_attempt_and_by_id_with_its_latest_status() {
        let mut sent = SentMessages::default();
        let attempt = sent.begin(Recipient::Everyone);
        assert_eq!(sent.of(attempt), None);
        let id = MessageId([7; 16]);
        sent.record(attempt, id, DeliveryStatus::Queued, 0);
        sent.record(attempt, id, DeliveryStatus::Sent, 3);
        let message = SentMessage { id, to: Recipient::Everyone, status: DeliveryStatus::Sent, fragments: 3 };
        assert_eq!(sent.of(attempt), Some(message.clone()));
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
        assert!(sent.of(first).is_some());
        sent.begin(Recipient::Everyone);
        assert_eq!(sent.of(first), None);
        sent.record(first, MessageId([1; 16]), DeliveryStatus::Delivered, 0);
        assert_eq!(sent.find(MessageId([1; 16])), None);
    }
}
