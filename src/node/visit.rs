//! What is done in one visit to the disk: everything in one transaction, so that it costs one wait.

use crate::capabilities::TransportKey;
use crate::ids::{MessageId, PeerId};
use crate::mesh::kept::Keep;
use crate::message::{DeliveryStatus, Message, Recipient};
use crate::router::event::Output;
use crate::storage::{
    Acceptance, Database, NewEntry, NewReceived, OutboxEntry, Progress, Reception, StoreError,
};
use crate::time::UnixMillis;

use super::carrier::Accepting;

/// What is to be stored.
pub(super) enum Intake {
    /// A message of ours.
    Accept { entry: NewEntry, answer: Option<Accepting> },
    /// A message of somebody else's.
    Receive { new: NewReceived, fragments: u16 },
    /// A receipt for a message of ours.
    Receipt { transport: TransportKey, from: PeerId, id: MessageId, status: DeliveryStatus },
    /// What a transport keeps changes.
    Keep { transport: TransportKey, change: Keep },
}

/// What became of it.
pub(super) enum Outcome {
    /// Of a message of ours; with the row it has, unless it was refused.
    Accepted(Acceptance, Option<OutboxEntry>),
    /// Of a message of somebody else's.
    Received(Reception),
    /// Of a receipt: whether it told something new.
    Receipt { new: bool },
    /// Of something kept.
    Kept,
}

/// What writing a decision down brought.
pub(super) enum Written {
    /// The message to be handed out.
    Message(Option<Message>),
    /// Whether a status was new.
    Status { new: bool },
    /// Nothing.
    Nothing,
}

/// Stores everything, or nothing.
pub(super) fn store(
    database: &mut Database,
    intake: &[Intake],
    now: UnixMillis,
) -> Result<Vec<Outcome>, StoreError> {
    database.transaction(|database| intake.iter().map(|item| store_one(database, item, now)).collect())
}

fn store_one(database: &mut Database, item: &Intake, now: UnixMillis) -> Result<Outcome, StoreError> {
    match item {
        Intake::Accept { entry, .. } => {
            let acceptance = database.accept(entry, now)?;
            Ok(Outcome::Accepted(acceptance, database.find(entry.message.id)?))
        }
        Intake::Receive { new, .. } => Ok(Outcome::Received(database.receive(new)?)),
        Intake::Receipt { transport, from, id, status } => {
            // Only who was meant to have the message can say that he has it.
            let meant = |entry: &OutboxEntry| entry.envelope.to == Recipient::Peer(*from);
            if !database.find(*id)?.as_ref().is_some_and(meant) {
                return Ok(Outcome::Receipt { new: false });
            }
            let progress = database.set_status(*id, *status, Some(*transport), None, now)?;
            Ok(Outcome::Receipt { new: matches!(progress, Progress::Changed(_)) })
        }
        Intake::Keep { change, .. } => database.keep(change).map(|()| Outcome::Kept),
    }
}

/// Writes the router's decisions down, all or none, and reads what it wants sent.
pub(super) fn write_down(
    database: &mut Database,
    decisions: &[Output],
    now: UnixMillis,
) -> Result<Vec<Written>, StoreError> {
    database.transaction(|database| decisions.iter().map(|output| write_one(database, output, now)).collect())
}

fn write_one(database: &mut Database, decision: &Output, now: UnixMillis) -> Result<Written, StoreError> {
    match decision {
        Output::Dispatch { id, .. } | Output::Deposit { id, .. } => {
            Ok(Written::Message(database.message(*id)?))
        }
        Output::Status { id, status, via, reason } => {
            let reason = reason.as_ref().map(ToString::to_string);
            let progress = database.set_status(*id, *status, *via, reason.as_deref(), now)?;
            Ok(Written::Status { new: matches!(progress, Progress::Changed(_)) })
        }
        Output::Measured(record) => {
            database.put_measured(record)?;
            Ok(Written::Nothing)
        }
        Output::Abandon { .. } | Output::Warm { .. } | Output::Recall { .. } => Ok(Written::Nothing),
    }
}
