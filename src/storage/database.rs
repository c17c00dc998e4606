//! The database of one home: opened with care, written in transactions that survive a power cut.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::device_key::{DEVICE_KEY_FILE, DeviceKey};
use super::error::{OpenError, StoreError};
use super::limits::Limits;
use super::migrations::{self, SchemaError};
use super::seal::Sealer;

/// The name of the database in the home directory.
pub const DATABASE_FILE: &str = "messages.db";
/// What SQLite puts beside it: the write-ahead log and its index.
const COMPANIONS: [&str; 2] = ["messages.db-wal", "messages.db-shm"];
/// How long a statement waits for another process; there should be none.
const BUSY: Duration = Duration::from_millis(250);
/// Statements kept prepared; there are about fifty.
const STATEMENTS: usize = 64;
/// `FULL` makes each commit wait for the disk. `secure_delete` overwrites what is deleted with zeros. The page
/// cache may take 2 MiB, the log is cut back to 4 MiB, nothing temporary goes to a file, and a schema that
/// somebody tampered with runs no functions.
const SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA cache_size = -2048;
    PRAGMA journal_size_limit = 4194304;
    PRAGMA temp_store = MEMORY;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
";

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
        prepare_files(home, &path)?;
        let store = |source: StoreError| OpenError::Store { path: path.clone(), source };

        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(|error| store(error.into()))?;
        let mut database = Self { connection, sealer: Sealer::new(key), limits };
        database.configure().map_err(store)?;
        if database.is_read_only().map_err(store)? {
            return Err(OpenError::ReadOnly { path });
        }
        database.check().map_err(store)?;
        migrations::recognise(&database).map_err(|error| match error {
            SchemaError::Newer { found, known } => OpenError::Newer { path: path.clone(), found, known },
            SchemaError::Foreign => OpenError::Foreign { path: path.clone() },
            SchemaError::WrongKey => {
                OpenError::WrongKey { path: path.clone(), key: home.join(DEVICE_KEY_FILE) }
            }
            SchemaError::Store(source) => store(source),
        })?;
        database.log_ahead().and_then(|()| database.transaction(migrations::apply)).map_err(store)?;
        Ok(database)
    }

    /// A database that is gone when it is dropped, for examples and tests.
    pub fn in_memory(key: &DeviceKey, limits: Limits) -> Result<Self, StoreError> {
        let connection = Connection::open_in_memory()?;
        let mut database = Self { connection, sealer: Sealer::new(key), limits };
        database.configure()?;
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
        self.run("SAVEPOINT work")?;
        let done = work(self).and_then(|done| self.run("RELEASE work").map(|()| done).map_err(E::from));
        if done.is_err() && !self.connection.is_autocommit() {
            self.run("ROLLBACK TO work")?;
            self.run("RELEASE work")?;
        }
        done
    }

    pub(super) fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn configure(&self) -> Result<(), StoreError> {
        self.connection.busy_timeout(BUSY)?;
        self.connection.set_prepared_statement_cache_capacity(STATEMENTS);
        self.connection.execute_batch(SETTINGS)?;
        Ok(())
    }

    fn is_read_only(&self) -> Result<bool, StoreError> {
        Ok(self.connection.is_readonly("main")?)
    }

    /// A commit is an append to a log, in one wait for the disk.
    fn log_ahead(&self) -> Result<(), StoreError> {
        Ok(self.connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?)
    }

    /// Walks the whole file: better to learn of damage now than in the middle of a conversation.
    fn check(&self) -> Result<(), StoreError> {
        let found: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(StoreError::Corrupt { detail: found }) }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.connection.path()).finish_non_exhaustive()
    }
}

/// Sees that the files are their owner's only, and makes an empty one where there is none: SQLite gives the files
/// beside it the same mode.
fn prepare_files(home: &Path, path: &Path) -> Result<(), OpenError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            made.map_err(|source| refused("create", path, source))?;
            let synced = File::open(home).and_then(|directory| directory.sync_all());
            synced.map_err(|source| refused("sync", home, source))?;
        }
        Err(source) => return Err(refused("look at", path, source)),
        Ok(_) => {}
    }
    inspect(path)?;
    for companion in COMPANIONS.map(|name| home.join(name)) {
        if fs::symlink_metadata(&companion).is_ok() {
            inspect(&companion)?;
        }
    }
    let directory = fs::metadata(home).map_err(|source| refused("look at", home, source))?;
    if directory.permissions().mode() & 0o200 == 0 {
        return Err(OpenError::ReadOnly { path: home.to_owned() });
    }
    Ok(())
}

fn inspect(path: &Path) -> Result<(), OpenError> {
    let found = fs::symlink_metadata(path).map_err(|source| refused("look at", path, source))?;
    if !found.is_file() {
        return Err(OpenError::NotARegularFile { path: path.to_owned() });
    }
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(OpenError::TooOpen { path: path.to_owned(), mode });
    }
    if mode & 0o200 == 0 {
        return Err(OpenError::ReadOnly { path: path.to_owned() });
    }
    Ok(())
}

fn refused(action: &'static str, path: &Path, source: io::Error) -> OpenError {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            let directory = path.parent().filter(|_| action == "create").unwrap_or(path);
            OpenError::ReadOnly { path: directory.to_owned() }
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            OpenError::Store { path: path.to_owned(), source: StoreError::Full }
        }
        _ => OpenError::Io { action, path: path.to_owned(), source },
    }
}
