//! What a relay does with mailboxes: the four operations of spec 16.2 that need its disk.

use bytes::Bytes;

use crate::crypto::verify;
use crate::storage::{Declined, RelayDatabase, StoreError};
use crate::time::UnixMillis;
use crate::wire::mailbox::{Answer, Page, address};

/// An Ed25519 public key that nobody signs with (the curve's base point): what a signature for a mailbox that is not
/// there is checked against, so that its refusal takes as long as any other.
const NOBODY: [u8; 32] = [
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
];

/// A signature and what it has to be over.
pub(super) struct Proof {
    pub(super) preimage: Vec<u8>,
    pub(super) signature: [u8; 64],
}

/// One operation on a mailbox.
pub(super) enum Mail {
    Create { key: [u8; 32], token: [u8; 16], proof: Proof },
    Deposit { address: [u8; 32], token: [u8; 16], envelope: Bytes },
    Fetch { address: [u8; 32], after: u64, proof: Proof },
    Acknowledge { address: [u8; 32], ids: Vec<u64>, proof: Proof },
}

/// Why an operation was refused: for counters, whoever asked is told nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Declined(Declined),
    Signature,
    SourceBucket,
    Memory,
    Store,
    Unsupported,
    OtherRecord,
}

/// What came of an operation.
pub(super) type Outcome = Result<Answer, Why>;

impl Proof {
    fn holds(&self, key: &[u8; 32]) -> bool {
        verify(key, &self.signature, [&self.preimage], ()).is_ok()
    }
}

impl Mail {
    /// Does it. Nothing is answered before the transaction around it was committed.
    pub(super) fn run(&self, database: &mut RelayDatabase, now: UnixMillis) -> Result<Outcome, StoreError> {
        match self {
            Self::Create { key, token, proof } => {
                if !proof.holds(key) {
                    return Ok(Err(Why::Signature));
                }
                let made = database.create_mailbox(&address(key), key, token, now)?;
                Ok(made.map(|()| Answer::Ok).map_err(Why::Declined))
            }
            Self::Deposit { address, token, envelope } => {
                let kept = database.deposit(address, token, envelope, now)?;
                Ok(kept.map(|()| Answer::Ok).map_err(Why::Declined))
            }
            Self::Fetch { address, after, proof } => {
                if let Err(why) = owner(database, address, proof)? {
                    return Ok(Err(why));
                }
                let mut page = Page::after(*after);
                database.fetch(address, *after, now, |id, envelope| page.push(id, envelope))?;
                Ok(Ok(Answer::Fetched(page)))
            }
            Self::Acknowledge { address, ids, proof } => {
                if let Err(why) = owner(database, address, proof)? {
                    return Ok(Err(why));
                }
                database.acknowledge(address, ids)?;
                Ok(Ok(Answer::Ok))
            }
        }
    }
}

/// Whether whoever asks owns the mailbox.
fn owner(database: &RelayDatabase, address: &[u8; 32], proof: &Proof) -> Result<Result<(), Why>, StoreError> {
    let key = database.mailbox_key(address)?;
    let holds = proof.holds(&key.unwrap_or(NOBODY));
    Ok(match key {
        None => Err(Why::Declined(Declined::NoMailbox)),
        Some(_) if !holds => Err(Why::Signature),
        Some(_) => Ok(()),
    })
}

impl Why {
    /// The name a counter has for it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Declined(Declined::NoMailbox) => "no_mailbox",
            Self::Declined(Declined::WrongToken) => "wrong_token",
            Self::Declined(Declined::MailboxFull) => "mailbox_full",
            Self::Declined(Declined::RelayFull) => "relay_full",
            Self::Signature => "signature",
            Self::SourceBucket => "source_bucket",
            Self::Memory => "memory",
            Self::Store => "store",
            Self::Unsupported => "unsupported",
            Self::OtherRecord => "other_record",
        }
    }
}
