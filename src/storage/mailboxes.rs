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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_305_600_000);
    const TOKEN: [u8; 16] = [7; 16];
    const HOUR: Duration = Duration::from_secs(3_600);

    /// Two mailboxes of three envelopes or twenty bytes, thirty bytes in all.
    const TIGHT: MailboxLimits = MailboxLimits {
        mailboxes: 2,
        each: Bound { rows: 3, bytes: 20 },
        bytes: 30,
        envelope_age: Duration::from_secs(7 * 86_400),
        idle: Duration::from_secs(30 * 86_400),
    };

    fn database() -> RelayDatabase {
        RelayDatabase::in_memory(TIGHT).unwrap()
    }

    fn create(database: &mut RelayDatabase, name: u8, now: UnixMillis) -> Result<(), Declined> {
        database.create_mailbox(&[name; 32], &[name; 32], &TOKEN, now).unwrap()
    }

    fn put(database: &mut RelayDatabase, name: u8, len: usize, now: UnixMillis) -> Result<(), Declined> {
        database.deposit(&[name; 32], &TOKEN, &vec![name; len], now).unwrap()
    }

    fn fetch(database: &mut RelayDatabase, name: u8, after: u64, now: UnixMillis) -> Vec<(u64, usize)> {
        let mut found = Vec::new();
        let known = database.fetch(&[name; 32], after, now, |id, envelope| {
            found.push((id, envelope.len()));
            true
        });
        assert!(known.unwrap(), "there is a mailbox");
        found
    }

    fn lengths(database: &mut RelayDatabase, name: u8) -> Vec<usize> {
        fetch(database, name, 0, NOW).into_iter().map(|(_, len)| len).collect()
    }

    #[test]
    fn what_is_put_into_a_mailbox_is_fetched_in_order_until_it_is_acknowledged() {
        let mut database = database();
        create(&mut database, 1, NOW).unwrap();
        for len in [3, 1, 2] {
            put(&mut database, 1, len, NOW).unwrap();
        }
        let found = fetch(&mut database, 1, 0, NOW);
        assert_eq!(found.iter().map(|(_, len)| *len).collect::<Vec<_>>(), [3, 1, 2]);
        assert_eq!(fetch(&mut database, 1, found[0].0, NOW), found[1..], "the cursor is the last id seen");

        assert!(database.acknowledge(&[1; 32], &[found[1].0, 5, u64::MAX]).unwrap());
        assert_eq!(lengths(&mut database, 1), [3, 2]);
        assert!(!database.acknowledge(&[9; 32], &[found[0].0]).unwrap(), "no such mailbox");
        let left = MailboxTotals { mailboxes: 1, envelopes: 2, bytes: 5 };
        assert_eq!(database.mailbox_totals().unwrap(), left);
    }

    #[test]
    fn nobody_acknowledges_in_another_mailbox() {
        let mut database = database();
        create(&mut database, 1, NOW).unwrap();
        create(&mut database, 2, NOW).unwrap();
        put(&mut database, 1, 4, NOW).unwrap();
        let id = fetch(&mut database, 1, 0, NOW)[0].0;
        assert!(database.acknowledge(&[2; 32], &[id]).unwrap());
        assert_eq!(lengths(&mut database, 1), [4]);
    }

    #[test]
    fn a_mailbox_takes_so_many_envelopes_and_bytes_and_evicts_none() {
        let mut database = database();
        create(&mut database, 1, NOW).unwrap();
        for len in [1, 1, 1] {
            put(&mut database, 1, len, NOW).unwrap();
        }
        assert_eq!(put(&mut database, 1, 1, NOW), Err(Declined::MailboxFull), "three envelopes");
        assert_eq!(lengths(&mut database, 1), [1, 1, 1]);

        create(&mut database, 2, NOW).unwrap();
        put(&mut database, 2, 20, NOW).unwrap();
        assert_eq!(put(&mut database, 2, 1, NOW), Err(Declined::MailboxFull), "twenty bytes");
        let id = fetch(&mut database, 2, 0, NOW)[0].0;
        database.acknowledge(&[2; 32], &[id]).unwrap();
        put(&mut database, 2, 20, NOW).unwrap();
    }

    #[test]
    fn a_relay_takes_so_many_mailboxes_and_bytes_and_evicts_none() {
        let mut database = database();
        create(&mut database, 1, NOW).unwrap();
        create(&mut database, 2, NOW).unwrap();
        assert_eq!(create(&mut database, 3, NOW), Err(Declined::RelayFull));
        create(&mut database, 1, NOW).unwrap();

        put(&mut database, 1, 15, NOW).unwrap();
        put(&mut database, 2, 15, NOW).unwrap();
        assert_eq!(put(&mut database, 1, 1, NOW), Err(Declined::RelayFull), "thirty bytes");
        assert_eq!(lengths(&mut database, 2), [15]);
    }

    #[test]
    fn a_deposit_needs_the_newest_token_of_a_mailbox_that_is_there() {
        let mut database = database();
        assert_eq!(put(&mut database, 1, 1, NOW), Err(Declined::NoMailbox));
        create(&mut database, 1, NOW).unwrap();
        database.create_mailbox(&[1; 32], &[1; 32], &[8; 16], NOW).unwrap().unwrap();
        assert_eq!(put(&mut database, 1, 1, NOW), Err(Declined::WrongToken), "it was replaced");
        database.deposit(&[1; 32], &[8; 16], b"x", NOW).unwrap().unwrap();
        assert_eq!(lengths(&mut database, 1), [1]);
    }

    #[test]
    fn an_envelope_goes_after_a_week_and_a_mailbox_after_a_month_without_a_visit() {
        let mut database = database();
        create(&mut database, 1, NOW).unwrap();
        create(&mut database, 2, NOW).unwrap();
        put(&mut database, 1, 1, NOW).unwrap();
        put(&mut database, 1, 2, NOW + HOUR).unwrap();

        let week = NOW + TIGHT.envelope_age;
        assert_eq!(database.sweep(week).unwrap(), Swept::default(), "a week is not more than a week");
        let swept = database.sweep(week + Duration::from_millis(1)).unwrap();
        assert_eq!((swept.envelopes, swept.mailboxes, swept.more), (1, 0, false));
        assert_eq!(fetch(&mut database, 1, 0, week).len(), 1, "which is a visit");

        put(&mut database, 2, 3, NOW + TIGHT.idle).unwrap();
        let swept = database.sweep(NOW + TIGHT.idle + HOUR).unwrap();
        assert_eq!((swept.envelopes, swept.mailboxes), (2, 1), "its envelopes go with the mailbox");
        assert_eq!(put(&mut database, 2, 1, NOW), Err(Declined::NoMailbox));
        assert_eq!(database.mailbox_totals().unwrap().mailboxes, 1);
        let swept = database.sweep(week + TIGHT.idle + HOUR).unwrap();
        assert_eq!(swept.mailboxes, 1);
        assert_eq!(database.mailbox_totals().unwrap(), MailboxTotals::default());
    }

    #[test]
    fn a_mailbox_that_was_made_anew_gives_greater_ids_than_before() {
        let mut database = database();
        create(&mut database, 1, NOW).unwrap();
        put(&mut database, 1, 1, NOW).unwrap();
        let before = fetch(&mut database, 1, 0, NOW)[0].0;
        let later = NOW + TIGHT.idle + HOUR;
        assert_eq!(database.sweep(later).unwrap().mailboxes, 1);
        create(&mut database, 1, later).unwrap();
        put(&mut database, 1, 2, later).unwrap();
        assert_eq!(fetch(&mut database, 1, before, later).len(), 1, "a cursor of before misses nothing");
    }

    #[test]
    fn a_sweep_of_much_is_done_in_parts() {
        let rows = 2_500;
        let each = Bound { rows, bytes: 1 << 20 };
        let mut database = RelayDatabase::in_memory(MailboxLimits { each, bytes: 1 << 20, ..TIGHT }).unwrap();
        create(&mut database, 1, NOW).unwrap();
        (0..rows).for_each(|_| put(&mut database, 1, 1, NOW).unwrap());
        let later = NOW + TIGHT.envelope_age + HOUR;
        let parts: Vec<Swept> = (0..3).map(|_| database.sweep(later).unwrap()).collect();
        assert_eq!(parts.iter().map(|part| part.envelopes).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        assert_eq!(parts.iter().map(|part| part.more).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn a_visit_is_remembered_to_the_hour() {
        let mut database = database();
        create(&mut database, 1, UnixMillis(NOW.0 + 1_234_567)).unwrap();
        let fetched = database.mailbox(&[1; 32]).unwrap().unwrap().fetched;
        assert_eq!(fetched, NOW);
    }

    #[test]
    fn what_was_put_there_is_there_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let mut database = RelayDatabase::open(home.path(), TIGHT).unwrap();
        create(&mut database, 1, NOW).unwrap();
        put(&mut database, 1, 5, NOW).unwrap();
        drop(database);
        let mut database = RelayDatabase::open(home.path(), TIGHT).unwrap();
        assert_eq!(lengths(&mut database, 1), [5]);
        assert_eq!(database.mailbox_key(&[1; 32]).unwrap(), Some([1; 32]));
    }
}
