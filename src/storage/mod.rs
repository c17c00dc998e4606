//! What is on disk, all of it under the home directory (mode 0700):
//!
//! | file | mode | what |
//! |---|---|---|
//! | `identity.key` | 0600 | the two private keys, 64 bytes: X25519 private key, Ed25519 seed |
//! | `device.key` | 0600 | 32 random bytes that message bodies are sealed with |
//! | `messages.db` | 0600 | messages, contacts, what was measured: SQLite, with `-wal` and `-shm` beside it |
//!
//! A relay has a home of its own:
//!
//! | file | mode | what |
//! |---|---|---|
//! | `relay.key` | 0600 | its two private keys, 64 bytes as above |
//! | `relay.db` | 0600 | mailboxes and the envelopes in them, ticket keys, tickets that were used: SQLite as above |
//!
//! A key file is written whole under another name first and then takes its own in one step, so that a reader never
//! sees half of it, and a power cut leaves the old state or the new one. The database does the same with each
//! transaction. `docs/privacy.md` says what whoever holds the disk can read.

mod betanet;
mod columns;
mod contacts;
mod conversation;
mod database;
mod device_key;
mod error;
mod home_lock;
mod identity;
mod inbox;
mod kept;
mod key_file;
mod limits;
mod mailboxes;
mod measured;
mod meta;
mod migrations;
mod outbox;
mod relay_database;
mod seal;
mod sqlite;
#[cfg(test)]
mod testing;
mod tickets;
mod transfers;
mod wipe;

pub use betanet::MAILBOX_SECRET_LEN;
pub use contacts::{Counter, StoredContact};
pub use conversation::{Line, Lines};
pub use database::{DATABASE_FILE, Database};
pub use device_key::{DEVICE_KEY_FILE, DeviceKey};
pub use error::{KeyFileError, OpenError, StoreError};
pub use home_lock::HomeLock;
pub use identity::{IDENTITY_FILE, RELAY_KEY_FILE, load_or_create, load_or_create_relay};
pub use inbox::{FirstRead, InboxEntry, NewReceived, Reception, SEEN_FOR};
pub use kept::Damaged;
pub use limits::{Bound, Full, Limits, Room};
pub use mailboxes::{Declined, MailboxLimits, MailboxTotals, Swept};
pub use outbox::{Acceptance, BodyKind, NewEntry, OutboxEntry, OutboxFilter, Progress};
pub use relay_database::{RELAY_DATABASE_FILE, RelayDatabase};
pub use seal::Unsealed;
pub use transfers::{NewTransfer, Transfer, TransferKey, TransferStatus, Way};
pub use wipe::{WipeError, Wiped, is_home, wipe};
