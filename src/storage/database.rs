//! The database of one home: opened with care, written in transactions that survive a power cut.

use std::fmt;
use std::path::Path;

use rusqlite::Connection;

use super::device_key::{DEVICE_KEY_FILE, DeviceKey};
use super::error::{OpenError, StoreError};
use super::limits::Limits;
use super::migrations::{self, SchemaError};
use super::seal::Sealer;
use super::sqlite;

/// The name of the database in the home directory.
pub const DATABASE_FILE: &str = "messages.db";

/// All that a node keeps. Each call is one transaction, on disk when it returns; [`Self::transaction`] makes one
/// of several.
pub struct Database {
    pub(super) connection: Connection,
    pub(super) sealer: Sealer,
    pub(super) limits: Limits,
}

impl Database {
    /// Opens the database of a home directory, or makes it. What is there and cannot be used is left as it is.
    pub fn open(home: &Path, key: &DeviceKey, limits: Limits) -> Result<Self, OpenError> {
        let path = home.join(DATABASE_FILE);
        let connection = sqlite::open(home, DATABASE_FILE)?;
        let mut database = Self { connection, sealer: Sealer::new(key), limits };
        let store = |source: StoreError| OpenError::Store { path: path.clone(), source };
        sqlite::check(&database.connection).map_err(store)?;
        migrations::recognise(&database).map_err(|error| match error {
            SchemaError::Newer { found, known } => OpenError::Newer { path: path.clone(), found, known },
            SchemaError::Foreign => OpenError::Foreign { path: path.clone() },
            SchemaError::WrongKey => {
                OpenError::WrongKey { path: path.clone(), key: home.join(DEVICE_KEY_FILE) }
            }
            SchemaError::Store(source) => store(source),
        })?;
        sqlite::log_ahead(&database.connection)
            .and_then(|()| database.transaction(migrations::apply))
            .map_err(store)?;
        Ok(database)
    }

    /// A database that is gone when it is dropped, for examples and tests.
    pub fn in_memory(key: &DeviceKey, limits: Limits) -> Result<Self, StoreError> {
        let mut database = Self { connection: sqlite::in_memory()?, sealer: Sealer::new(key), limits };
        database.transaction(migrations::apply)?;
        Ok(database)
    }

    /// Does several things in one transaction, and so with one wait for the disk: all of them, or none when
    /// `work` gives an error. Transactions may be nested; the outermost one commits.
    ///
    /// An error of the database inside `work` should come out of it: SQLite may have rolled back everything.
    pub fn transaction<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        sqlite::begin(&self.connection)?;
        let done =
            work(self).and_then(|done| sqlite::commit(&self.connection).map(|()| done).map_err(E::from));
        if done.is_err() {
            sqlite::undo(&self.connection)?;
        }
        done
    }

    pub(super) fn run(&self, sql: &str) -> Result<(), StoreError> {
        sqlite::run(&self.connection, sql)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.connection.path()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::storage::Reception;
    use crate::storage::outbox::Acceptance;
    use crate::storage::testing::{TIGHT, key, text_from, text_to};
    use crate::time::UnixMillis;

    const NOW: UnixMillis = UnixMillis(1_000);

    fn open(home: &Path) -> Result<Database, OpenError> {
        Database::open(home, &key(1), Limits::default())
    }

    fn log_of(name: &str) -> String {
        format!("{name}{}", sqlite::COMPANIONS[0])
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn accept(database: &mut Database, id: u8) {
        assert_eq!(database.accept(&text_to(1, id), NOW).unwrap(), Acceptance::Accepted);
    }

    fn waiting(database: &Database) -> Vec<u8> {
        database.pending().unwrap().iter().map(|entry| entry.envelope.id.0[0]).collect()
    }

    /// A home whose database holds one message and is closed, and the path of its file.
    fn closed() -> (TempDir, PathBuf) {
        let home = TempDir::new().unwrap();
        accept(&mut open(home.path()).unwrap(), 1);
        let path = home.path().join(DATABASE_FILE);
        (home, path)
    }

    /// That a home is refused, and that not a byte of its file is changed.
    fn refused(home: &TempDir, path: &Path) -> OpenError {
        let before = fs::read(path).unwrap();
        let error = open(home.path()).unwrap_err();
        assert_eq!(fs::read(path).unwrap(), before, "left as it was found");
        error
    }

    #[test]
    fn every_file_is_its_owners_only() {
        let home = TempDir::new().unwrap();
        let mut database = open(home.path()).unwrap();
        accept(&mut database, 1);
        for suffix in [""].into_iter().chain(sqlite::COMPANIONS) {
            let name = format!("{DATABASE_FILE}{suffix}");
            assert_eq!(mode(&home.path().join(&name)), 0o600, "{name}");
        }
    }

    #[test]
    fn what_was_accepted_is_there_at_the_next_start() {
        let (home, _) = closed();
        let mut database = open(home.path()).unwrap();
        assert_eq!(waiting(&database), [1]);
        accept(&mut database, 2);
        drop(database);
        assert_eq!(waiting(&open(home.path()).unwrap()), [1, 2]);
    }

    #[test]
    fn every_commit_waits_for_the_disk_and_what_is_deleted_is_overwritten() {
        let (home, _) = closed();
        let database = open(home.path()).unwrap();
        let ask = |pragma: &str| {
            let sql = format!("PRAGMA {pragma}");
            database.connection.query_row(&sql, [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
        };
        assert_eq!(ask("synchronous"), 2.into(), "2 is FULL");
        assert_eq!(ask("journal_mode"), "wal".to_owned().into());
        assert_eq!(ask("secure_delete"), 1.into());
        assert_eq!(ask("foreign_keys"), 1.into());
    }

    #[test]
    fn a_database_that_others_may_read_is_refused_with_the_command_that_mends_it() {
        let (home, path) = closed();
        chmod(&path, 0o640);
        let error = refused(&home, &path);
        assert!(matches!(error, OpenError::TooOpen { mode: 0o640, .. }));
        assert!(error.to_string().ends_with(&format!("run: chmod 600 {}", path.display())));
        chmod(&path, 0o600);
        assert_eq!(waiting(&open(home.path()).unwrap()), [1]);
    }

    #[test]
    fn a_read_only_database_or_home_is_refused_with_the_command_that_mends_it() {
        let (home, path) = closed();
        chmod(&path, 0o400);
        let error = refused(&home, &path);
        assert!(matches!(&error, OpenError::ReadOnly { path: named } if *named == path));
        assert!(error.to_string().contains(&format!("chmod u+w {}", path.display())));

        chmod(&path, 0o600);
        chmod(home.path(), 0o500);
        let error = refused(&home, &path);
        assert!(matches!(error, OpenError::ReadOnly { path } if path == home.path()));
        chmod(home.path(), 0o700);
        assert_eq!(waiting(&open(home.path()).unwrap()), [1]);
    }

    #[test]
    fn a_database_that_turns_read_only_says_so_and_goes_on_when_it_can_be_written_again() {
        let (home, _) = closed();
        let mut database = open(home.path()).unwrap();
        database.run("PRAGMA query_only = ON").unwrap();
        assert!(matches!(database.accept(&text_to(1, 2), NOW).unwrap_err(), StoreError::ReadOnly));
        assert_eq!(waiting(&database), [1]);
        database.run("PRAGMA query_only = OFF").unwrap();
        accept(&mut database, 2);
    }

    #[test]
    fn a_link_under_the_name_is_refused() {
        let (home, path) = closed();
        let elsewhere = home.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert!(matches!(refused(&home, &path), OpenError::NotARegularFile { .. }));
    }

    #[test]
    fn a_full_disk_refuses_what_is_new_and_loses_nothing_that_is_stored() {
        let home = TempDir::new().unwrap();
        let mut database = open(home.path()).unwrap();
        accept(&mut database, 1);
        // SQLite says the same of a file that may not grow as of a disk that is full.
        let pages: i64 = database.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = |database: &Database, pages: i64| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            database.connection.query_row(&sql, [], |_| Ok(())).unwrap();
        };
        limit(&database, pages + 2);
        let (mut stored, mut received) = (vec![1], 0);
        let error = loop {
            let id = u8::try_from(stored.len() + 1).unwrap();
            let pair = database.transaction(|database| {
                database.accept(&text_to(1, id), NOW)?;
                database.receive(&text_from(2, id))
            });
            match pair {
                Ok(reception) => {
                    assert!(matches!(reception, Reception::Stored(_)));
                    stored.push(id);
                    received += 1;
                }
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Full), "{error:?}");
        assert!(error.to_string().contains("free some space"));

        drop(database);
        let mut database = open(home.path()).unwrap();
        assert_eq!(waiting(&database), stored);
        assert_eq!(database.after(0, 1_000).unwrap().len(), received);
        accept(&mut database, 200);
    }

    #[test]
    fn a_damaged_header_is_refused_and_named() {
        let (home, path) = closed();
        let mut bytes = fs::read(&path).unwrap();
        bytes[..16].fill(0x5A);
        fs::write(&path, bytes).unwrap();
        let error = refused(&home, &path);
        assert!(matches!(error, OpenError::Store { source: StoreError::Corrupt { .. }, .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.starts_with(&path.display().to_string()) && said.contains("restore a backup"), "{said}");
    }

    #[test]
    fn a_damaged_page_is_refused() {
        let (home, path) = closed();
        let mut bytes = fs::read(&path).unwrap();
        let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        bytes[page..page + 64].fill(0xFF);
        fs::write(&path, bytes).unwrap();
        let error = refused(&home, &path);
        assert!(matches!(error, OpenError::Store { source: StoreError::Corrupt { .. }, .. }), "{error:?}");
    }

    #[test]
    fn another_device_key_is_refused() {
        let (home, path) = closed();
        let before = fs::read(&path).unwrap();
        let error = Database::open(home.path(), &key(2), Limits::default()).unwrap_err();
        assert!(matches!(error, OpenError::WrongKey { .. }), "{error:?}");
        assert!(error.to_string().starts_with(&home.path().join(DEVICE_KEY_FILE).display().to_string()));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(waiting(&open(home.path()).unwrap()), [1]);
    }

    #[test]
    fn a_database_of_a_newer_hopline_or_of_another_program_is_refused() {
        let (home, path) = closed();
        let write = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        write("PRAGMA user_version = 1000");
        assert!(matches!(refused(&home, &path), OpenError::Newer { found: 1000, .. }));
        write("PRAGMA application_id = 7");
        assert!(matches!(refused(&home, &path), OpenError::Foreign { .. }));

        let home = TempDir::new().unwrap();
        let path = home.path().join(DATABASE_FILE);
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
        chmod(&path, 0o600);
        assert!(matches!(refused(&home, &path), OpenError::Foreign { .. }));
    }

    #[test]
    fn a_transaction_is_done_whole_or_not_at_all_also_inside_another() {
        let mut database = Database::in_memory(&key(1), TIGHT).unwrap();
        let outer = database.transaction(|database| {
            database.accept(&text_to(1, 1), NOW)?;
            let inner: Result<(), StoreError> = database.transaction(|database| {
                database.accept(&text_to(1, 2), NOW)?;
                Err(StoreError::Busy)
            });
            assert!(inner.is_err());
            database.accept(&text_to(1, 3), NOW)
        });
        outer.unwrap();
        assert_eq!(waiting(&database), [1, 3]);

        let failed: Result<(), StoreError> = database.transaction(|database| {
            database.accept(&text_to(2, 4), NOW)?;
            Err(StoreError::Busy)
        });
        assert!(failed.is_err());
        assert_eq!(waiting(&database), [1, 3]);
        assert!(database.connection.is_autocommit());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// What a power cut leaves: the database file, and a log that ends anywhere.
        #[test]
        fn wherever_the_log_was_cut_what_is_left_is_the_first_so_many_messages_whole(
            count in 1u8..20,
            cut in any::<prop::sample::Index>(),
        ) {
            let home = TempDir::new().unwrap();
            let mut database = open(home.path()).unwrap();
            for id in 1..=count {
                database.receive(&text_from(1, id)).unwrap();
            }
            let left = TempDir::new().unwrap();
            let copy = |name: &str| {
                let path = left.path().join(name);
                fs::copy(home.path().join(name), &path).unwrap();
                path
            };
            copy(DATABASE_FILE);
            let log = OpenOptions::new().write(true).open(copy(&log_of(DATABASE_FILE))).unwrap();
            let length = usize::try_from(log.metadata().unwrap().len()).unwrap();
            let kept = cut.index(length + 1);
            log.set_len(kept as u64).unwrap();

            let mut database = open(left.path()).unwrap();
            let found = database.after(0, 100).unwrap();
            prop_assert!(found.iter().all(|entry| entry.text.is_ok()));
            let ids: Vec<u8> = found.iter().map(|entry| entry.id.0[0]).collect();
            prop_assert_eq!(&ids, &(1..=u8::try_from(ids.len()).unwrap()).collect::<Vec<_>>());
            if kept == length {
                prop_assert_eq!(ids.len(), usize::from(count), "a whole log has lost nothing");
            }
            // Whatever was lost is received again, whatever was kept is a duplicate.
            for id in 1..=count {
                let known = ids.contains(&id);
                prop_assert_eq!(database.receive(&text_from(1, id)).unwrap() == Reception::Duplicate, known);
            }
        }
    }
}
