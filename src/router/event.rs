//! The port of the router: what the node tells it, what it decides.

use super::error::Reason;
use super::measured::Record;
use super::selection::Ask;
use crate::capabilities::{Capabilities, Health, Reach, TransportKey};
use crate::ids::{AttemptId, MessageId, PeerId};
use crate::message::{DeliveryStatus, NotLeft, Recipient, Requirements};
use crate::time::UnixMillis;

/// Everything that can happen to a router.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A message that lies in the outbox is to be carried. Not taken without [`room`](super::Router::room), nor
    /// while a message of the same id has not ended.
    Submit(Envelope),
    /// A message is no longer wanted.
    Withdraw(MessageId),
    /// A transport is there; a second registration replaces the first, and what was known of its health and
    /// reach. Register all of them before the first message is submitted: one too long for every transport that
    /// is registered is refused.
    Register {
        /// Which.
        transport: TransportKey,
        /// What it can do.
        capabilities: Capabilities,
    },
    /// A transport came up, or went down.
    Health {
        /// Which.
        transport: TransportKey,
        /// How it is.
        health: Health,
    },
    /// A transport reaches somebody, or does so no longer.
    Reach {
        /// Which.
        transport: TransportKey,
        /// Whom; everyone stands for "at least one neighbour".
        to: Recipient,
        /// How surely.
        reach: Reach,
    },
    /// What a transport made of an attempt.
    Report {
        /// The attempt.
        attempt: AttemptId,
        /// How far it came.
        report: Report,
    },
    /// The recipient has the message, whichever attempt brought it.
    Receipt {
        /// The transport that brought the receipt.
        transport: TransportKey,
        /// Who says so: proven by the transport.
        from: PeerId,
        /// Which message.
        id: MessageId,
    },
    /// Couriers on the mesh have copies of a message that was to be deposited.
    Deposited {
        /// Which message.
        id: MessageId,
        /// How many couriers.
        couriers: usize,
    },
    /// A message that was to be deposited is left with no courier.
    NotDeposited {
        /// Which message.
        id: MessageId,
        /// Why.
        why: NotLeft,
    },
    /// What the machine is like.
    Conditions(Conditions),
    /// What was measured in an earlier run.
    Remember(Vec<Record>),
    /// The time given by `poll_timeout` has come.
    Timeout,
}

/// What a router knows of a message: everything but its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Which message.
    pub id: MessageId,
    /// For whom.
    pub to: Recipient,
    /// Bytes to carry.
    pub size: usize,
    /// Whether a receipt is waited for; otherwise `Sent` ends it.
    pub wants_receipt: bool,
    /// What it asks of its way.
    pub requirements: Requirements,
    /// When it expires.
    pub expires: UnixMillis,
}

impl Envelope {
    /// What selection needs to know of it.
    pub const fn ask(&self) -> Ask {
        Ask { to: self.to, size: self.size, requirements: self.requirements }
    }
}

/// What a transport made of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// It is on its way.
    Sent,
    /// The transport gives up on it.
    Failed(Failure),
}

/// Why an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// There is no way to the recipient at this time.
    Unreachable,
    /// The way broke while it was used.
    Broken,
    /// Nobody answered.
    Silence,
    /// The transport's queue is full.
    Busy,
    /// The recipient takes no more messages.
    RecipientFull,
    /// The recipient's mailbox did not take it.
    Refused,
    /// The transport cannot carry this message at all.
    Unfit,
}

impl Failure {
    /// The words used in an explanation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "no way to the recipient",
            Self::Broken => "the connection broke",
            Self::Silence => "nobody answered",
            Self::Busy => "its queue is full",
            Self::RecipientFull => "the recipient takes no more messages",
            Self::Refused => "the recipient's mailbox did not take it",
            Self::Unfit => "it cannot carry this message",
        }
    }
}

/// What the machine is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// Whether there is a way to the internet.
    pub internet: bool,
    /// Whether the battery is low and not being charged.
    pub battery_low: bool,
    /// Whether every byte costs money.
    pub metered: bool,
}

impl Default for Conditions {
    /// A machine on mains and an open network.
    fn default() -> Self {
        Self { internet: true, battery_low: false, metered: false }
    }
}

/// What a router wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Hand the message to this transport.
    Dispatch {
        /// Carried back in the report.
        attempt: AttemptId,
        /// Over which transport.
        transport: TransportKey,
        /// Which message.
        id: MessageId,
    },
    /// The transport need not go on with this attempt.
    Abandon {
        /// Which attempt.
        attempt: AttemptId,
        /// Of which transport.
        transport: TransportKey,
        /// Of which message.
        id: MessageId,
    },
    /// Make ready: a connection, a session; this way may be needed soon.
    Warm {
        /// Which transport.
        transport: TransportKey,
        /// To whom.
        peer: PeerId,
    },
    /// No transport reaches the recipient of a text: couriers on the mesh may carry copies. No attempt.
    Deposit {
        /// Which message.
        id: MessageId,
        /// When it expires.
        expires: UnixMillis,
    },
    /// A message that was to be deposited has ended: no further courier needs to have it.
    Recall {
        /// Which message.
        id: MessageId,
    },
    /// A message came further, or why it waits has changed.
    Status {
        /// Which.
        id: MessageId,
        /// How far.
        status: DeliveryStatus,
        /// By which transport.
        via: Option<TransportKey>,
        /// Why it waits, expired or was refused.
        reason: Option<Reason>,
    },
    /// A measurement worth keeping for the next run.
    Measured(Record),
}
