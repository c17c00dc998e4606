//! What is asked of a relay, and what is left at one for somebody.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::line::Ask;
use super::prekeys::Taken;
use crate::crypto::MailboxKey;
use crate::ids::{AttemptId, MessageId, PeerId};
use crate::wire::mailbox::{MailboxError, Request, address};

/// An envelope for somebody's mailbox.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) to: PeerId,
    pub(super) address: [u8; 32],
    pub(super) token: [u8; 16],
    pub(super) envelope: Bytes,
    /// So many changes have to be on disk before it may leave.
    pub(super) after: u64,
    pub(super) purpose: Purpose,
}

/// Who wants to know what became of an envelope.
#[derive(Debug)]
pub(super) enum Purpose {
    /// The router. The prekey that it was sealed to is good for another message if this one never leaves.
    Message { attempt: AttemptId, id: MessageId, prekey: Option<Taken> },
    /// Nobody; it is tried until it is there. So often the recipient's relay refused it.
    Receipt { refused: u32 },
    /// A stream, which waits for the word.
    Stream(oneshot::Sender<Left>),
}

/// What became of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It is in the mailbox, on the relay's disk.
    There,
    /// The relay did not take it.
    Refused,
    /// It cannot be brought there at this time.
    Broken,
}

/// A request to a relay.
#[derive(Debug)]
pub(super) enum Job {
    /// Make our mailbox, or give it another token.
    Create,
    /// What is in our mailbox after a cursor?
    Fetch { after: u64 },
    /// These are stored here.
    Ack(Vec<u64>),
    /// The relay's newest record.
    Record,
    /// Whether the tunnel lives.
    Echo,
    /// Leave an envelope.
    Deposit(Outgoing),
}

impl Job {
    /// As it stands on the wire. What only the mailbox's owner may ask is signed with `key` for the tunnel of this
    /// `exporter`.
    pub(super) fn ask(
        &self,
        tag: u64,
        key: Option<&MailboxKey>,
        exporter: &[u8; 32],
    ) -> Result<Option<Ask>, MailboxError> {
        let sign = |key: &MailboxKey| {
            let key = key.clone();
            move |preimage: &[u8]| key.sign(preimage)
        };
        let request = match (self, key) {
            (Self::Create, Some(key)) => Request::create(key.public(), key.token(), exporter, sign(key)),
            (Self::Fetch { after }, Some(key)) => {
                Request::fetch(address(&key.public()), *after, exporter, sign(key))
            }
            (Self::Ack(ids), Some(key)) => {
                Request::ack(address(&key.public()), ids.clone(), exporter, sign(key))
            }
            (Self::Record, _) => Request::Record(None),
            (Self::Echo, _) => Request::Echo(tag.to_be_bytes()),
            (Self::Deposit(outgoing), _) => Request::Deposit {
                address: outgoing.address,
                token: outgoing.token,
                envelope: outgoing.envelope.clone(),
            },
            // Only our own relays are asked for our mailbox.
            (Self::Create | Self::Fetch { .. } | Self::Ack(_), None) => return Ok(None),
        };
        Ok(Some(Ask { tag, op: request.op(), request: request.encode()? }))
    }
}
