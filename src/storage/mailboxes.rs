//! The mailboxes of a relay (spec 16.2): sealed envelopes wait in them until their owner has them.
//!
//! Nothing is evicted for something new: what does not fit is refused, and its sender keeps it. Envelopes go when they
//! are acknowledged or too old, mailboxes when nobody fetched from them for long.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::OptionalExtension;
use subtle::ConstantTimeEq;

use super::columns::{integer, millis};
use super::error::StoreError;
use super::limits::{Bound, Count};
use super::relay_database::RelayDatabase;
use crate::time::UnixMillis;

/// Envelopes deleted in one go, so that nobody waits long for a sweep.
const SWEEP: i64 = 1_000;
/// How exactly a relay remembers when an owner was last there, ms.
const PRESENCE: u64 = 3_600_000;

/// How much a relay keeps, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxLimits {
    /// Mailboxes; a further one is refused.
    pub mailboxes: u64,
    /// Envelopes and their bytes in one mailbox; a further one is refused.
    pub each: Bound,
    /// Bytes of all envelopes; a further one is refused.
    pub bytes: u64,
    /// The age at which an envelope is deleted.
    pub envelope_age: Duration,
    /// For how long nobody fetches from a mailbox before it is deleted with all that is in it.
    pub idle: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for MailboxLimits {
    fn default() -> Self {
        Self {
            mailboxes: 1_024,
            each: Bound { rows: 4_096, bytes: 64 << 20 },
            bytes: 8 << 30,
            envelope_age: 7 * DAY,
            idle: 30 * DAY,
        }
    }
}

/// Why a mailbox or an envelope was not taken. Only counters tell these apart: to whoever asked it is one refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Declined {
    /// There is no mailbox of this address.
    NoMailbox,
    /// The token is not the mailbox's.
    WrongToken,
    /// The mailbox takes no more.
    MailboxFull,
    /// The relay takes no more.
    RelayFull,
}

/// What is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailboxTotals {
    /// Mailboxes.
    pub mailboxes: u64,
    /// Envelopes in them.
    pub envelopes: u64,
    /// Bytes of these.
    pub bytes: u64,
}

/// What a sweep deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Envelopes.
    pub envelopes: usize,
    /// Mailboxes.
    pub mailboxes: usize,
    /// Whether there is more to delete.
    pub more: bool,
}

struct Mailbox {
    number: i64,
    key: [u8; 32],
    token: [u8; 16],
    next: i64,
    fetched: UnixMillis,
    count: Count,
}

impl RelayDatabase {
    /// Makes a mailbox for a key, or gives the key's mailbox another token.
    pub fn create_mailbox(
        &mut self,
        address: &[u8; 32],
        key: &[u8; 32],
        token: &[u8; 16],
        now: UnixMillis,
    ) -> Result<Result<(), Declined>, StoreError> {
        if let Some(mailbox) = self.mailbox(address)? {
            self.seen(&mailbox, now)?;
            if !bool::from(mailbox.token.ct_eq(token)) {
                let sql = "UPDATE mailboxes SET token = ?2 WHERE number = ?1";
                self.connection.prepare_cached(sql)?.execute((mailbox.number, token))?;
            }
            return Ok(Ok(()));
        }
        if self.mailbox_totals()?.mailboxes >= self.limits.mailboxes {
            return Ok(Err(Declined::RelayFull));
        }
        // Ids begin with the time, so that an owner's cursor stays right when the mailbox went and was made anew.
        let sql = "INSERT INTO mailboxes (address, key, token, next, fetched) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = (address, key, token, integer(now.0), to_the_hour(now));
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(Ok(()))
    }

    /// Puts an envelope into a mailbox.
    pub fn deposit(
        &mut self,
        address: &[u8; 32],
        token: &[u8; 16],
        envelope: &[u8],
        now: UnixMillis,
    ) -> Result<Result<(), Declined>, StoreError> {
        let Some(mailbox) = self.mailbox(address)? else { return Ok(Err(Declined::NoMailbox)) };
        if !bool::from(mailbox.token.ct_eq(token)) {
            return Ok(Err(Declined::WrongToken));
        }
        let len = u64::try_from(envelope.len()).unwrap_or(u64::MAX);
        if !mailbox.count.leaves_room(self.limits.each, len) {
            return Ok(Err(Declined::MailboxFull));
        }
        if self.mailbox_totals()?.bytes.saturating_add(len) > self.limits.bytes {
            return Ok(Err(Declined::RelayFull));
        }
        self.transaction(|database| {
            let insert = "INSERT INTO envelopes (mailbox, id, received, envelope) VALUES (?1, ?2, ?3, ?4)";
            let values = (mailbox.number, mailbox.next, now, envelope);
            database.connection.prepare_cached(insert)?.execute(values)?;
            let advance = "UPDATE mailboxes SET next = next + 1 WHERE number = ?1";
            database.connection.prepare_cached(advance)?.execute([mailbox.number])?;
            Ok(Ok(()))
        })
    }

    /// The key whose signature opens a mailbox.
    pub fn mailbox_key(&self, address: &[u8; 32]) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(self.mailbox(address)?.map(|mailbox| mailbox.key))
    }

    /// Hands out the envelopes after an id, oldest first, until `take` wants no more. False where there is no such
    /// mailbox. Whoever asks has seen a signature of the mailbox's key.
    pub fn fetch(
        &mut self,
        address: &[u8; 32],
        after: u64,
        now: UnixMillis,
        mut take: impl FnMut(u64, Bytes) -> bool,
    ) -> Result<bool, StoreError> {
        let Some(mailbox) = self.mailbox(address)? else { return Ok(false) };
        self.seen(&mailbox, now)?;
        let sql = "SELECT id, envelope FROM envelopes WHERE mailbox = ?1 AND id > ?2 ORDER BY id";
        let mut select = self.connection.prepare_cached(sql)?;
        let mut rows = select.query((mailbox.number, integer(after)))?;
        while let Some(row) = rows.next()? {
            let (id, envelope) = (row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, Vec<u8>>(1)?);
            if !take(id, Bytes::from(envelope)) {
                break;
            }
        }
        Ok(true)
    }

    /// Deletes envelopes of a mailbox; those that are not there are deleted already. False where there is no such
    /// mailbox. Whoever asks has seen a signature of the mailbox's key.
    pub fn acknowledge(&mut self, address: &[u8; 32], ids: &[u64]) -> Result<bool, StoreError> {
        let Some(mailbox) = self.mailbox(address)? else { return Ok(false) };
        self.transaction(|database| {
            let sql = "DELETE FROM envelopes WHERE mailbox = ?1 AND id = ?2";
            let mut delete = database.connection.prepare_cached(sql)?;
            for id in ids.iter().filter_map(|id| i64::try_from(*id).ok()) {
                delete.execute((mailbox.number, id))?;
            }
            Ok(true)
        })
    }

    /// Deletes what is too old: some of it, when it is much.
    pub fn sweep(&mut self, now: UnixMillis) -> Result<Swept, StoreError> {
        let too_old = |age: Duration| integer(now.0).saturating_sub(millis(age));
        let (envelopes, mailboxes) = (too_old(self.limits.envelope_age), too_old(self.limits.idle));
        self.transaction(|database| {
            let old = "DELETE FROM envelopes WHERE rowid IN
                (SELECT rowid FROM envelopes WHERE received < ?1 ORDER BY received LIMIT ?2)";
            let old = database.connection.prepare_cached(old)?.execute((envelopes, SWEEP))?;
            let abandoned = "DELETE FROM envelopes WHERE rowid IN
                (SELECT envelopes.rowid FROM envelopes JOIN mailboxes ON mailbox = number
                 WHERE fetched < ?1 LIMIT ?2)";
            let abandoned = database.connection.prepare_cached(abandoned)?.execute((mailboxes, SWEEP))?;
            let empty = "DELETE FROM mailboxes WHERE fetched < ?1 AND envelopes = 0";
            let empty = database.connection.prepare_cached(empty)?.execute([mailboxes])?;
            let full = |deleted: usize| integer(u64::try_from(deleted).unwrap_or(u64::MAX)) == SWEEP;
            Ok(Swept { envelopes: old + abandoned, mailboxes: empty, more: full(old) || full(abandoned) })
        })
    }

    /// How much is there.
    pub fn mailbox_totals(&self) -> Result<MailboxTotals, StoreError> {
        let mut select =
            self.connection.prepare_cached("SELECT mailboxes, envelopes, bytes FROM total WHERE one = 1")?;
        let totals = select.query_row([], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            Ok(MailboxTotals { mailboxes: number(0)?, envelopes: number(1)?, bytes: number(2)? })
        });
        Ok(totals?)
    }

    fn mailbox(&self, address: &[u8; 32]) -> Result<Option<Mailbox>, StoreError> {
        let sql =
            "SELECT number, key, token, next, fetched, envelopes, bytes FROM mailboxes WHERE address = ?1";
        let mut select = self.connection.prepare_cached(sql)?;
        let mailbox = select.query_row([address], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            Ok(Mailbox {
                number: row.get(0)?,
                key: row.get(1)?,
                token: row.get(2)?,
                next: row.get(3)?,
                fetched: row.get(4)?,
                count: Count::new(number(5)?, number(6)?),
            })
        });
        Ok(mailbox.optional()?)
    }

    /// Takes down that the owner was there: to the hour, so that most visits write nothing.
    fn seen(&self, mailbox: &Mailbox, now: UnixMillis) -> Result<(), StoreError> {
        let hour = to_the_hour(now);
        if hour > mailbox.fetched {
            let sql = "UPDATE mailboxes SET fetched = ?2 WHERE number = ?1";
            self.connection.prepare_cached(sql)?.execute((mailbox.number, hour))?;
        }
        Ok(())
    }
}

const fn to_the_hour(now: UnixMillis) -> UnixMillis {
    UnixMillis(now.0 - now.0 % PRESENCE)
}
