//! Private messages we sent, until their receipts came or nobody answered.
//!
//! A message travels as parts of at most 255 bytes (spec 3.6). A part without a receipt is sent again, freshly
//! encrypted under the same id, with growing pauses; the receiver drops what it has.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{AttemptId, MessageId, PeerId};
use crate::mesh::config::ANSWER_TIMEOUT;
use crate::message::DeliveryStatus;
use crate::time::Instant;
use crate::wire::NoisePayload;

/// Messages that wait for receipts at once. Then one that was delivered, and only lacks the read receipt, is
/// forgotten; when there is none, a further message is refused.
pub(super) const MAX_OUTGOING: usize = 256;
/// The pauses before the second and later repetitions.
const PAUSES: [Duration; 3] = [Duration::from_secs(10), Duration::from_secs(20), Duration::from_secs(40)];

#[derive(Debug)]
struct Part {
    wire_id: String,
    content: String,
    delivered: bool,
    read: bool,
}

#[derive(Debug)]
struct Message {
    attempt: AttemptId,
    to: PeerId,
    parts: Vec<Part>,
    status: DeliveryStatus,
    tries: usize,
    next: Instant,
}

/// A change in what is known of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// The attempt it answers.
    pub(super) attempt: AttemptId,
    /// Which message.
    pub(super) id: MessageId,
    /// How far it came.
    pub(super) status: DeliveryStatus,
}

/// What to do about a message whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// Send these payloads; `everywhere` when an earlier try went unanswered.
    Send {
        /// To whom.
        to: PeerId,
        /// Which message.
        id: MessageId,
        /// One for each part without a receipt.
        payloads: Vec<NoisePayload>,
        /// Over all links instead of the bound ones.
        everywhere: bool,
    },
    /// Nobody answered; the message is forgotten.
    Expired(Progress),
}

/// Every private message that waits for receipts.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    messages: BTreeMap<MessageId, Message>,
}

impl Outgoing {
    /// Accepts a message; its first sending is due at once. False when too many wait.
    pub(super) fn add(
        &mut self,
        attempt: AttemptId,
        to: PeerId,
        id: MessageId,
        parts: Vec<(String, String)>,
        now: Instant,
    ) -> bool {
        if self.messages.len() >= MAX_OUTGOING && !self.forget_one_delivered() {
            return false;
        }
        let parts = parts
            .into_iter()
            .map(|(wire_id, content)| Part { wire_id, content, delivered: false, read: false })
            .collect();
        let message = Message { attempt, to, parts, status: DeliveryStatus::Queued, tries: 0, next: now };
        self.messages.insert(id, message);
        true
    }

    /// The next message to send, send again or give up.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Due> {
        let (&id, message) = self
            .messages
            .iter_mut()
            .find(|(_, message)| message.next <= now && message.status < DeliveryStatus::Delivered)?;
        let tries = message.tries;
        if tries > PAUSES.len() {
            let progress = Progress { attempt: message.attempt, id, status: DeliveryStatus::Expired };
            self.messages.remove(&id);
            return Some(Due::Expired(progress));
        }
        message.tries += 1;
        message.next =
            now + tries.checked_sub(1).and_then(|n| PAUSES.get(n)).copied().unwrap_or(ANSWER_TIMEOUT);
        let payloads = message.parts.iter().filter(|part| !part.delivered).map(payload).collect();
        Some(Due::Send { to: message.to, id, payloads, everywhere: tries > 0 })
    }

    /// This peer appeared, or a session with it stands: what waits for it is due.
    pub(super) fn wake(&mut self, peer: PeerId, now: Instant) {
        let waiting =
            |message: &&mut Message| message.to == peer && message.status < DeliveryStatus::Delivered;
        for message in self.messages.values_mut().filter(waiting) {
            message.next = now;
            if message.status == DeliveryStatus::Queued {
                message.tries = 0;
            }
        }
    }

    /// A message was put on a link, encrypted.
    pub(super) fn sent(&mut self, id: MessageId) -> Option<Progress> {
        self.advance(id, DeliveryStatus::Sent)
    }

    /// A receipt came from a peer for one of its parts.
    pub(super) fn receipt(&mut self, from: PeerId, wire_id: &str, read: bool) -> Option<Progress> {
        let (&id, message) = self.messages.iter_mut().find(|(_, message)| {
            message.to == from && message.parts.iter().any(|part| part.wire_id == wire_id)
        })?;
        for part in message.parts.iter_mut().filter(|part| part.wire_id == wire_id) {
            part.delivered = true;
            part.read |= read;
        }
        if message.parts.iter().all(|part| part.read) {
            let progress = self.advance(id, DeliveryStatus::Read);
            self.messages.remove(&id);
            return progress;
        }
        if message.parts.iter().all(|part| part.delivered) {
            return self.advance(id, DeliveryStatus::Delivered);
        }
        None
    }

    /// When the next message is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.messages
            .values()
            .filter(|message| message.status < DeliveryStatus::Delivered)
            .map(|message| message.next)
            .min()
    }

    fn forget_one_delivered(&mut self) -> bool {
        let delivered = |message: &Message| message.status >= DeliveryStatus::Delivered;
        let Some((&id, _)) = self.messages.iter().find(|(_, message)| delivered(message)) else {
            return false;
        };
        self.messages.remove(&id);
        true
    }

    fn advance(&mut self, id: MessageId, status: DeliveryStatus) -> Option<Progress> {
        let message = self.messages.get_mut(&id)?;
        if message.status >= status {
            return None;
        }
        message.status = status;
        Some(Progress { attempt: message.attempt, id, status })
    }
}

fn payload(part: &Part) -> NoisePayload {
    NoisePayload::PrivateMessage { id: part.wire_id.clone(), content: part.content.clone() }
}
