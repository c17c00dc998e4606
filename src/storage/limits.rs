//! How much is kept. Every table has a bound and a rule for what happens at it.

use std::fmt;

use rusqlite::OptionalExtension;

use super::database::Database;
use super::error::StoreError;

/// So many rows, and so many bytes of sealed bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Every bound of the database. Contacts are bounded too, by their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Messages that wait for one recipient; a further one is refused.
    pub waiting_for_one: Bound,
    /// Messages that wait; a further one is refused.
    pub waiting: Bound,
    /// Messages of ours that were delivered or given up; the oldest go.
    pub finished: Bound,
    /// Messages to everyone; the oldest go, of contacts or of all others, whoever has the more.
    pub public: Bound,
    /// Private messages from one sender; the oldest read ones go, and when none is read a further one is refused.
    pub from_one: Bound,
    /// Private messages from everybody who is not a contact; as above.
    pub from_strangers: Bound,
    /// Private messages from contacts; as above.
    pub from_contacts: Bound,
    /// Remembered ids of received messages; none is forgotten before its time, a further message is refused.
    pub seen: u64,
    /// Contacts; a further one is refused.
    pub contacts: u64,
    /// Measurements; the ones that were not renewed for longest go.
    pub measured: u64,
}

const MIB: u64 = 1 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            waiting_for_one: Bound { rows: 2_000, bytes: 256 * MIB },
            waiting: Bound { rows: 20_000, bytes: 1024 * MIB },
            finished: Bound { rows: 50_000, bytes: 1024 * MIB },
            public: Bound { rows: 20_000, bytes: 128 * MIB },
            from_one: Bound { rows: 20_000, bytes: 512 * MIB },
            from_strangers: Bound { rows: 20_000, bytes: 128 * MIB },
            from_contacts: Bound { rows: 200_000, bytes: 2048 * MIB },
            seen: 1_000_000,
            contacts: 10_000,
            measured: 10_000,
        }
    }
}

/// What has a bound at which something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Messages that wait for one recipient.
    WaitingForOne,
    /// Messages that wait.
    Waiting,
    /// Messages to everyone.
    Public,
    /// Unread private messages from one sender.
    FromOne,
    /// Unread private messages from everybody who is not a contact.
    FromStrangers,
    /// Unread private messages from contacts.
    FromContacts,
    /// Ids of received messages.
    Seen,
    /// Contacts.
    Contacts,
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WaitingForOne => "messages may wait for one recipient",
            Self::Waiting => "messages may wait",
            Self::Public => "messages to everyone are kept",
            Self::FromOne => "unread messages from one sender are kept",
            Self::FromStrangers => "unread messages from strangers are kept",
            Self::FromContacts => "unread messages from contacts are kept",
            Self::Seen => "messages are taken in nine days",
            Self::Contacts => "contacts are kept",
        })
    }
}

/// Something was refused because there is too much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no more than {max} {what}", max = describe(.bound))]
pub struct Full {
    /// Of what.
    pub what: Room,
    /// The most there may be.
    pub bound: Bound,
}

impl Bound {
    /// A bound on the number of rows only.
    pub(super) const fn of_rows(rows: u64) -> Self {
        Self { rows, bytes: u64::MAX }
    }
}

/// What is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    rows: u64,
    bytes: u64,
}

impl Count {
    pub(super) const fn new(rows: u64, bytes: u64) -> Self {
        Self { rows, bytes }
    }

    /// Whether one more row of this length goes in.
    pub(super) fn leaves_room(self, bound: Bound, len: u64) -> bool {
        self.rows < bound.rows && self.bytes.saturating_add(len) <= bound.bytes
    }

    /// Whether there is more than may be.
    pub(super) fn exceeds(self, bound: Bound) -> bool {
        self.rows > bound.rows || self.bytes > bound.bytes
    }
}

impl Database {
    /// What the triggers of the schema counted under a name, for somebody or (empty) for all.
    pub(super) fn count(&self, what: &str, whose: &[u8]) -> Result<Count, StoreError> {
        let mut select =
            self.connection.prepare_cached("SELECT rows, bytes FROM tally WHERE what = ?1 AND whose = ?2")?;
        let count = select.query_row((what, whose), |row| {
            Ok(Count {
                rows: row.get::<_, i64>(0)?.cast_unsigned(),
                bytes: row.get::<_, i64>(1)?.cast_unsigned(),
            })
        });
        Ok(count.optional()?.unwrap_or(Count { rows: 0, bytes: 0 }))
    }
}

fn describe(bound: &Bound) -> String {
    if bound.bytes == u64::MAX {
        return bound.rows.to_string();
    }
    format!("{} (or {} MiB of)", bound.rows, bound.bytes / MIB)
}
