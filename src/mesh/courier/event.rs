//! What is asked about mail for who is away, and what is told.

use crate::ids::{MessageId, PeerId};
use crate::message::NotLeft;
use crate::time::UnixMillis;

/// What the node asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A text for somebody who is away waits in the outbox: leave sealed copies of it with couriers, those who are
    /// near and those who come. It is no attempt: nothing but a receipt ever ends the waiting.
    Deposit {
        /// For whom.
        to: PeerId,
        /// The message's id, the same as that of its attempts.
        id: MessageId,
        /// What was written.
        text: String,
        /// When it was written.
        written: UnixMillis,
        /// From when on nobody wants it.
        expires: UnixMillis,
    },
    /// A text need be left with no further courier.
    Recall {
        /// Which.
        id: MessageId,
    },
}

/// What the engine tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A text of ours was left with a courier.
    Deposited {
        /// Which.
        id: MessageId,
        /// How many couriers have it.
        couriers: usize,
    },
    /// A text of ours is left with no courier.
    NotLeft {
        /// Which.
        id: MessageId,
        /// Why.
        why: NotLeft,
    },
}
