//! Messages on their way to one contact.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::link::Serial;
use crate::ids::{AttemptId, MessageId};
use crate::message::Message;
use crate::router::event::Failure;
use crate::wire::body;
use crate::wire::direct::Frame;

/// Messages to one contact that may be unanswered.
const MAX_UNANSWERED: usize = 1024;
/// Bytes of frames to one contact that may wait to be written.
const MAX_QUEUED: usize = 8 << 20;

/// A frame for a writer.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The frame.
    pub(super) bytes: Bytes,
    /// Who wants to know when it is written.
    pub(super) attempt: Option<AttemptId>,
    /// Its part of the bytes that may wait; given back when it is written or dropped.
    _room: Option<OwnedSemaphorePermit>,
}

impl Outgoing {
    /// A short frame, or one of which few are sent; nobody asks what became of it.
    pub(super) fn unasked(bytes: Bytes) -> Self {
        Self { bytes, attempt: None, _room: None }
    }
}

/// A message that waits for a connection.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) attempt: AttemptId,
    pub(super) id: MessageId,
    wants_receipt: bool,
    bytes: Bytes,
    room: OwnedSemaphorePermit,
}

impl Waiting {
    /// The frame, and what to remember of it until it is answered.
    ///
    /// Who wants a receipt is told when the message was written; who wants none is told when the recipient
    /// has the message, for this transport knows.
    pub(super) fn onto(self, link: Serial) -> (MessageId, Unanswered, Outgoing) {
        let attempt = self.wants_receipt.then_some(self.attempt);
        let unanswered = Unanswered { attempt: self.attempt, link, wants_receipt: self.wants_receipt };
        (self.id, unanswered, Outgoing { bytes: self.bytes, attempt, _room: Some(self.room) })
    }
}

/// A message that was queued on a connection and not answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unanswered {
    pub(super) attempt: AttemptId,
    pub(super) link: Serial,
    pub(super) wants_receipt: bool,
}

/// The messages on their way to one contact.
#[derive(Debug)]
pub(super) struct Deliveries {
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) unanswered: BTreeMap<MessageId, Unanswered>,
    room: Arc<Semaphore>,
}

impl Deliveries {
    pub(super) fn new() -> Self {
        let room = Arc::new(Semaphore::new(MAX_QUEUED));
        Self { waiting: VecDeque::new(), unanswered: BTreeMap::new(), room }
    }

    /// Takes a message on, if it can be carried and there is room for it.
    pub(super) fn admit(&self, attempt: AttemptId, message: &Message) -> Result<Waiting, Failure> {
        let body = body::encode(&message.body).map_err(|_| Failure::Unfit)?;
        let frame = Frame::Message { id: message.id, sent: message.sent, body: body.into() };
        let bytes = frame.encode().map_err(|_| Failure::Unfit)?;
        if self.waiting.len() + self.unanswered.len() >= MAX_UNANSWERED {
            return Err(Failure::Busy);
        }
        let permits = u32::try_from(bytes.len()).map_err(|_| Failure::Unfit)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| Failure::Busy)?;
        let wants_receipt = message.body.wants_receipt();
        Ok(Waiting { attempt, id: message.id, wants_receipt, bytes, room })
    }

    /// Forgets an attempt: a receipt for its message may still come, and will be told.
    pub(super) fn cancel(&mut self, attempt: AttemptId, id: MessageId) {
        self.waiting.retain(|waiting| waiting.attempt != attempt);
        if self.unanswered.get(&id).is_some_and(|unanswered| unanswered.attempt == attempt) {
            self.unanswered.remove(&id);
        }
    }

    /// The attempts that a lost connection takes with it.
    pub(super) fn lost_with(&mut self, link: Serial) -> Vec<AttemptId> {
        let lost = self.unanswered.extract_if(.., |_, unanswered| unanswered.link == link);
        lost.map(|(_, unanswered)| unanswered.attempt).collect()
    }

    /// Moves what a connection carried to the one that replaced it, where the answers will come.
    pub(super) fn hand_over(&mut self, from: Serial, to: Serial) {
        for unanswered in self.unanswered.values_mut().filter(|unanswered| unanswered.link == from) {
            unanswered.link = to;
        }
    }
}
