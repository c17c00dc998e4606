//! Our own public messages while no link is up: sent as they are when one comes soon enough.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::{AttemptId, MessageId};
use crate::time::Instant;
use crate::wire::Packet;

/// Messages that wait at once; a further one is refused.
pub(super) const MAX_SPOOLED: usize = 64;
/// How long one waits: within the clock tolerance of every receiver (spec 2.7), with room for the way.
const PATIENCE: Duration = Duration::from_secs(100);

/// One waiting message.
#[derive(Debug)]
pub(super) struct Spooled {
    /// The attempt its status answers.
    pub(super) attempt: AttemptId,
    /// Its id.
    pub(super) id: MessageId,
    /// The signed packet.
    pub(super) packet: Packet,
    until: Instant,
}

/// The waiting messages, oldest first.
#[derive(Debug, Default)]
pub(super) struct Spool {
    waiting: VecDeque<Spooled>,
}

impl Spool {
    /// Whether another message may wait.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_SPOOLED
    }

    /// Keeps a message until a link comes up.
    pub(super) fn add(&mut self, attempt: AttemptId, id: MessageId, packet: Packet, now: Instant) {
        self.waiting.push_back(Spooled { attempt, id, packet, until: now + PATIENCE });
    }

    /// The oldest message.
    pub(super) fn pop(&mut self) -> Option<Spooled> {
        self.waiting.pop_front()
    }

    /// The oldest message, if it waited too long.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Spooled> {
        self.waiting.pop_front_if(|spooled| spooled.until <= now)
    }

    /// When the oldest message will have waited too long.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.front().map(|spooled| spooled.until)
    }
}
