//! Files on their way: enough of each to go on with it in another run, and to say what became of it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, named_params};

use super::columns::integer;
use super::database::Database;
use super::error::StoreError;
use crate::ids::{PeerId, TransferId};
use crate::time::UnixMillis;
use crate::wire::file::FileHash;

/// Unfinished transfers with one peer in one direction; a further one is refused.
const MAX_UNFINISHED: u64 = 256;
/// Finished transfers that are remembered; the oldest go.
const MAX_FINISHED: u64 = 2_000;

/// Which way a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From here.
    Out,
    /// To here.
    In,
}

/// What tells a transfer from all others: its sender chose the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferKey {
    /// Which way.
    pub way: Way,
    /// To whom or from whom.
    pub peer: PeerId,
    /// The id it has on the wire.
    pub id: TransferId,
}

/// How far a transfer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferStatus {
    /// It is offered to us, and a person has to say yes.
    Offered,
    /// It goes on when the peer is connected.
    Waiting,
    /// It is on its way.
    Running,
    /// The receiver has it whole, and its hash was compared.
    Done,
    /// The receiver does not want it.
    Declined,
    /// A person stopped it.
    Cancelled,
    /// It cannot be completed.
    Failed,
}

/// A transfer as it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransfer {
    /// Which.
    pub key: TransferKey,
    /// What the file is called.
    pub name: String,
    /// The file that is sent.
    pub path: Option<PathBuf>,
    /// Its length.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub modified: u64,
    /// Where it begins: [`TransferStatus::Offered`] or [`TransferStatus::Waiting`].
    pub status: TransferStatus,
}

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its number in this home, never used again.
    pub number: u64,
    /// Which.
    pub key: TransferKey,
    /// What the file is called.
    pub name: String,
    /// The file that is sent, or that was received.
    pub path: Option<PathBuf>,
    /// Its length.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub modified: u64,
    /// Bytes that need not be carried again.
    pub done: u64,
    /// Its hash, once it was compared.
    pub hash: Option<FileHash>,
    /// How far it came.
    pub status: TransferStatus,
    /// Why it waits, or was given up.
    pub reason: Option<String>,
    /// When it began.
    pub begun: UnixMillis,
    /// When that last changed.
    pub changed: UnixMillis,
}

impl Database {
    /// Remembers a transfer before a byte of it is carried; `None` when too many with this peer are unfinished.
    /// One that is known stays as it is.
    pub fn begin_transfer(
        &mut self,
        new: &NewTransfer,
        now: UnixMillis,
    ) -> Result<Option<Transfer>, StoreError> {
        self.transaction(|database| {
            if let Some(known) = database.transfer(new.key)? {
                return Ok(Some(known));
            }
            if database.unfinished_with(new.key)? >= MAX_UNFINISHED {
                return Ok(None);
            }
            database.insert_transfer(new, now)?;
            database.transfer(new.key)
        })
    }

    /// A transfer.
    pub fn transfer(&self, key: TransferKey) -> Result<Option<Transfer>, StoreError> {
        let sql = "SELECT * FROM transfers WHERE way = ?1 AND peer = ?2 AND id = ?3";
        let mut select = self.connection.prepare_cached(sql)?;
        Ok(select.query_row((key.way, key.peer, key.id), Transfer::read).optional()?)
    }

    /// The transfer of this number.
    pub fn transfer_numbered(&self, number: u64) -> Result<Option<Transfer>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT * FROM transfers WHERE number = ?1")?;
        Ok(select.query_row([integer(number)], Transfer::read).optional()?)
    }

    /// The newest so many transfers, newest first.
    pub fn transfers(&self, limit: usize) -> Result<Vec<Transfer>, StoreError> {
        let mut select =
            self.connection.prepare_cached("SELECT * FROM transfers ORDER BY number DESC LIMIT ?1")?;
        let rows = select.query_map([integer(limit as u64)], Transfer::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// After a start: nothing is on its way any more. What is not finished, in the order in which it began.
    pub fn resume_transfers(&mut self) -> Result<Vec<Transfer>, StoreError> {
        self.transaction(|database| {
            database.run("UPDATE transfers SET status = 'waiting' WHERE status = 'running'")?;
            let sql = "SELECT * FROM transfers WHERE finished = 0 ORDER BY number";
            let mut select = database.connection.prepare_cached(sql)?;
            let rows = select.query_map([], Transfer::read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Takes down how far a transfer came, and gives it as it then is; `None` when it is finished already, which is
    /// never taken back, or not there.
    pub fn set_transfer_status(
        &mut self,
        key: TransferKey,
        status: TransferStatus,
        reason: Option<&str>,
        now: UnixMillis,
    ) -> Result<Option<Transfer>, StoreError> {
        self.transaction(|database| {
            let sql = "UPDATE transfers SET status = ?4, reason = ?5, changed = ?6, finished = ?7
                       WHERE way = ?1 AND peer = ?2 AND id = ?3 AND finished = 0";
            let finished = status.is_finished();
            let mut update = database.connection.prepare_cached(sql)?;
            let changed = update.execute((key.way, key.peer, key.id, status, reason, now, finished))?;
            drop(update);
            database.after_change(key, changed, finished)
        })
    }

    /// Takes down how many bytes of it need not be carried again.
    pub fn set_transfer_done(&mut self, key: TransferKey, done: u64) -> Result<(), StoreError> {
        let sql = "UPDATE transfers SET done = ?4 WHERE way = ?1 AND peer = ?2 AND id = ?3 AND finished = 0";
        self.connection.prepare_cached(sql)?.execute((key.way, key.peer, key.id, integer(done)))?;
        Ok(())
    }

    /// The file is received, here or there; `path` is where it was put here.
    pub fn complete_transfer(
        &mut self,
        key: TransferKey,
        hash: FileHash,
        path: Option<&Path>,
        now: UnixMillis,
    ) -> Result<Option<Transfer>, StoreError> {
        self.transaction(|database| {
            let sql = "UPDATE transfers SET status = 'done', reason = NULL, done = size, hash = ?4,
                              path = coalesce(?5, path), changed = ?6, finished = 1
                       WHERE way = ?1 AND peer = ?2 AND id = ?3 AND finished = 0";
            let path = path.map(|path| path.as_os_str().as_bytes());
            let mut update = database.connection.prepare_cached(sql)?;
            let changed = update.execute((key.way, key.peer, key.id, hash, path, now))?;
            drop(update);
            database.after_change(key, changed, true)
        })
    }

    /// Forgets a transfer.
    pub fn forget_transfer(&mut self, key: TransferKey) -> Result<(), StoreError> {
        let sql = "DELETE FROM transfers WHERE way = ?1 AND peer = ?2 AND id = ?3";
        self.connection.prepare_cached(sql)?.execute((key.way, key.peer, key.id))?;
        Ok(())
    }

    fn after_change(
        &self,
        key: TransferKey,
        changed: usize,
        finished: bool,
    ) -> Result<Option<Transfer>, StoreError> {
        if changed == 0 {
            return Ok(None);
        }
        let transfer = self.transfer(key)?;
        if finished {
            let sql = "DELETE FROM transfers WHERE number IN (SELECT number FROM transfers WHERE finished = 1
                       ORDER BY number DESC LIMIT -1 OFFSET ?1)";
            self.connection.prepare_cached(sql)?.execute([integer(MAX_FINISHED)])?;
        }
        Ok(transfer)
    }

    fn unfinished_with(&self, key: TransferKey) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM transfers WHERE finished = 0 AND way = ?1 AND peer = ?2";
        let mut select = self.connection.prepare_cached(sql)?;
        let count: i64 = select.query_row((key.way, key.peer), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    fn insert_transfer(&self, new: &NewTransfer, now: UnixMillis) -> Result<(), StoreError> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO transfers (way, peer, id, name, path, size, modified, done, status, begun, changed, finished)
             VALUES (:way, :peer, :id, :name, :path, :size, :modified, 0, :status, :now, :now, 0)",
        )?;
        insert.execute(named_params! {
            ":way": new.key.way,
            ":peer": new.key.peer,
            ":id": new.key.id,
            ":name": new.name,
            ":path": new.path.as_ref().map(|path| path.as_os_str().as_bytes()),
            ":size": integer(new.size),
            ":modified": integer(new.modified),
            ":status": new.status,
            ":now": now,
        })?;
        Ok(())
    }
}

impl Transfer {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let number = |column: &str| row.get::<_, i64>(column).map(i64::unsigned_abs);
        let path: Option<Vec<u8>> = row.get("path")?;
        Ok(Self {
            number: number("number")?,
            key: TransferKey { way: row.get("way")?, peer: row.get("peer")?, id: row.get("id")? },
            name: row.get("name")?,
            path: path.map(|path| OsString::from_vec(path).into()),
            size: number("size")?,
            modified: number("modified")?,
            done: number("done")?,
            hash: row.get("hash")?,
            status: row.get("status")?,
            reason: row.get("reason")?,
            begun: row.get("begun")?,
            changed: row.get("changed")?,
        })
    }
}

impl Way {
    const ALL: [Self; 2] = [Self::Out, Self::In];

    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

impl TransferStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Offered,
        Self::Waiting,
        Self::Running,
        Self::Done,
        Self::Declined,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The word used in the command line, in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more becomes of it.
    pub const fn is_finished(self) -> bool {
        match self {
            Self::Offered | Self::Waiting | Self::Running => false,
            Self::Done | Self::Declined | Self::Cancelled | Self::Failed => true,
        }
    }
}

impl std::fmt::Display for TransferStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! word_column {
    ($($word:ty),*) => {$(
        impl ToSql for $word {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.as_str()))
            }
        }

        impl FromSql for $word {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let word = value.as_str()?;
                Self::ALL.into_iter().find(|known| known.as_str() == word).ok_or(FromSqlError::InvalidType)
            }
        }
    )*};
}

word_column!(Way, TransferStatus);

macro_rules! bytes_column {
    ($($bytes:ty),*) => {$(
        impl ToSql for $bytes {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.0.as_slice()))
            }
        }

        impl FromSql for $bytes {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value).map(Self)
            }
        }
    )*};
}

bytes_column!(TransferId, FileHash);

#[cfg(test)]
mod tests {
    use super::super::testing::database;
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000);
    const LATER: UnixMillis = UnixMillis(2_000);

    fn key(way: Way, id: u16) -> TransferKey {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&id.to_be_bytes());
        TransferKey { way, peer: PeerId([7; 8]), id: TransferId(bytes) }
    }

    fn outgoing(id: u16) -> NewTransfer {
        NewTransfer {
            key: key(Way::Out, id),
            name: "film.mkv".to_owned(),
            path: Some(PathBuf::from("/home/ada/film.mkv")),
            size: 5_000_000_000,
            modified: u64::MAX,
            status: TransferStatus::Waiting,
        }
    }

    #[test]
    fn a_transfer_is_found_as_it_began() {
        let mut database = database();
        let begun = database.begin_transfer(&outgoing(1), NOW).unwrap().unwrap();
        assert_eq!(database.transfer(begun.key).unwrap().as_ref(), Some(&begun));
        assert_eq!(database.transfer_numbered(begun.number).unwrap().as_ref(), Some(&begun));
        assert_eq!(begun.path.as_deref(), Some(Path::new("/home/ada/film.mkv")));
        assert_eq!((begun.size, begun.done, begun.status), (5_000_000_000, 0, TransferStatus::Waiting));
        let again = NewTransfer { name: "other".to_owned(), ..outgoing(1) };
        assert_eq!(database.begin_transfer(&again, LATER).unwrap(), Some(begun));
    }

    #[test]
    fn a_name_that_is_no_text_is_kept() {
        let mut database = database();
        let path = PathBuf::from(OsString::from_vec(b"/tmp/\xFF\xFE".to_vec()));
        let new = NewTransfer { path: Some(path.clone()), ..outgoing(1) };
        assert_eq!(database.begin_transfer(&new, NOW).unwrap().unwrap().path, Some(path));
    }

    #[test]
    fn what_ran_when_the_node_died_waits_after_the_next_start() {
        let mut database = database();
        for id in 1..=3 {
            database.begin_transfer(&outgoing(id), NOW).unwrap();
        }
        let incoming = NewTransfer { key: key(Way::In, 4), path: None, ..outgoing(4) };
        database.begin_transfer(&incoming, NOW).unwrap();
        let running = TransferStatus::Running;
        database.set_transfer_status(key(Way::Out, 2), running, None, NOW).unwrap();
        database.set_transfer_done(key(Way::Out, 2), 77).unwrap();
        database.complete_transfer(key(Way::Out, 1), FileHash([1; 32]), None, NOW).unwrap();
        let left = database.resume_transfers().unwrap();
        let left: Vec<_> =
            left.iter().map(|transfer| (transfer.key, transfer.done, transfer.status)).collect();
        let waiting = TransferStatus::Waiting;
        let (two, three) = (key(Way::Out, 2), key(Way::Out, 3));
        assert_eq!(left, [(two, 77, waiting), (three, 0, waiting), (key(Way::In, 4), 0, waiting)]);
    }

    #[test]
    fn what_is_finished_stays_so() {
        let mut database = database();
        database.begin_transfer(&outgoing(1), NOW).unwrap();
        let (key, hash) = (key(Way::Out, 1), FileHash([9; 32]));
        let done = database.complete_transfer(key, hash, None, LATER).unwrap().unwrap();
        assert_eq!((done.done, done.hash, done.status), (5_000_000_000, Some(hash), TransferStatus::Done));
        assert_eq!(done.path.as_deref(), Some(Path::new("/home/ada/film.mkv")));
        assert_eq!(database.set_transfer_status(key, TransferStatus::Cancelled, None, LATER).unwrap(), None);
        assert_eq!(database.transfer(key).unwrap(), Some(done));
    }

    #[test]
    fn why_it_waits_is_told() {
        let mut database = database();
        database.begin_transfer(&outgoing(1), NOW).unwrap();
        let waiting = TransferStatus::Waiting;
        let told = database.set_transfer_status(key(Way::Out, 1), waiting, Some("not connected"), LATER);
        let told = told.unwrap().unwrap();
        assert_eq!((told.reason.as_deref(), told.changed), (Some("not connected"), LATER));
    }

    #[test]
    fn too_many_unfinished_ones_are_refused_and_the_oldest_finished_ones_forgotten() {
        let mut database = database();
        for id in 0..u16::try_from(MAX_UNFINISHED).unwrap() {
            assert!(database.begin_transfer(&outgoing(id), NOW).unwrap().is_some());
        }
        assert_eq!(database.begin_transfer(&outgoing(9_999), NOW).unwrap(), None);
        for id in 0..u16::try_from(MAX_FINISHED + 5).unwrap() {
            database.begin_transfer(&outgoing(id), NOW).unwrap();
            database.set_transfer_status(key(Way::Out, id), TransferStatus::Failed, Some("no"), NOW).unwrap();
        }
        assert_eq!(database.transfers(usize::MAX).unwrap().len() as u64, MAX_FINISHED);
        assert_eq!(database.transfer(key(Way::Out, 4)).unwrap(), None);
        assert!(database.transfer(key(Way::Out, 5)).unwrap().is_some());
    }
}
