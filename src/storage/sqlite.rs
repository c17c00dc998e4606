//! A SQLite file in a home: opened with care, set up so that a commit is on disk, and told apart from others.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::{OpenError, StoreError};

/// What SQLite puts beside a database: the write-ahead log and its index.
pub(super) const COMPANIONS: [&str; 2] = ["-wal", "-shm"];
/// How long a statement waits for another process; there should be none.
const BUSY: Duration = Duration::from_millis(250);
/// Statements kept prepared; the larger of our databases has about fifty.
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

/// The steps of a schema, and what marks a file that has it.
pub(super) struct Schema {
    /// `PRAGMA user_version` counts the steps a database has taken. A step that was released is never changed; a
    /// further one is appended.
    pub(super) steps: &'static [&'static str],
    /// `PRAGMA application_id`: marks the file as ours.
    pub(super) application: i64,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Empty,
    /// A database of this schema, or of an earlier step of it.
    Ours,
    /// A later step than is known.
    Newer { found: i64, known: i64 },
    /// Another program's database.
    Foreign,
}

/// Opens the database of this name, or makes an empty file for it. What is there and cannot be used is left as it is.
pub(super) fn open(home: &Path, name: &str) -> Result<Connection, OpenError> {
    let path = home.join(name);
    prepare_files(home, name)?;
    let store = |source: StoreError| OpenError::Store { path: path.clone(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(|error| store(error.into()))?;
    configure(&connection).map_err(store)?;
    if connection.is_readonly("main").map_err(|error| store(error.into()))? {
        return Err(OpenError::ReadOnly { path });
    }
    Ok(connection)
}

/// A database that is gone when it is dropped.
pub(super) fn in_memory() -> Result<Connection, StoreError> {
    let connection = Connection::open_in_memory()?;
    configure(&connection)?;
    Ok(connection)
}

/// A commit is an append to a log, in one wait for the disk.
pub(super) fn log_ahead(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?)
}

/// Walks the whole file: better to learn of damage now than in the middle of a conversation.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Corrupt { detail: found }) }
}

/// Runs a statement without parameters.
pub(super) fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Begins a transaction, or one inside another.
pub(super) fn begin(connection: &Connection) -> Result<(), StoreError> {
    run(connection, "SAVEPOINT work")
}

/// Ends the innermost transaction; the outermost one commits.
pub(super) fn commit(connection: &Connection) -> Result<(), StoreError> {
    run(connection, "RELEASE work")
}

/// Undoes the innermost transaction, unless SQLite has rolled everything back already.
pub(super) fn undo(connection: &Connection) -> Result<(), StoreError> {
    if connection.is_autocommit() {
        return Ok(());
    }
    run(connection, "ROLLBACK TO work")?;
    run(connection, "RELEASE work")
}

/// Looks which schema a file has. Changes nothing.
pub(super) fn recognise(connection: &Connection, schema: &Schema) -> Result<Found, StoreError> {
    let found = number(connection, "PRAGMA user_version")?;
    let known = i64::try_from(schema.steps.len()).unwrap_or(i64::MAX);
    let application = number(connection, "PRAGMA application_id")?;
    if is_empty(connection)? && found == 0 && application == 0 {
        return Ok(Found::Empty);
    }
    if application != schema.application {
        return Ok(Found::Foreign);
    }
    Ok(if found > known { Found::Newer { found, known } } else { Found::Ours })
}

/// Takes the steps that are left, and says whether it took the first. To be run in a transaction.
pub(super) fn apply(connection: &Connection, schema: &Schema) -> Result<bool, StoreError> {
    let (empty, found) = (is_empty(connection)?, number(connection, "PRAGMA user_version")?);
    for (step, sql) in (1..).zip(schema.steps).filter(|(step, _)| *step > found) {
        connection.execute_batch(sql)?;
        connection.execute_batch(&format!("PRAGMA user_version = {step}"))?;
    }
    if empty {
        connection.execute_batch(&format!("PRAGMA application_id = {}", schema.application))?;
    }
    Ok(empty)
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(SETTINGS)?;
    Ok(())
}

fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    Ok(number(connection, "SELECT count(*) FROM sqlite_schema")? == 0)
}

fn number(connection: &Connection, sql: &str) -> Result<i64, StoreError> {
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Sees that the files are their owner's only, and makes an empty one where there is none: SQLite gives the files
/// beside it the same mode.
fn prepare_files(home: &Path, name: &str) -> Result<(), OpenError> {
    let path = home.join(name);
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            made.map_err(|source| refused("create", &path, source))?;
            let synced = File::open(home).and_then(|directory| directory.sync_all());
            synced.map_err(|source| refused("sync", home, source))?;
        }
        Err(source) => return Err(refused("look at", &path, source)),
        Ok(_) => {}
    }
    inspect(&path)?;
    for companion in COMPANIONS.map(|suffix| home.join(format!("{name}{suffix}"))) {
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
    let kind = source.kind();
    if matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
        let directory = path.parent().filter(|_| action == "create").unwrap_or(path);
        return OpenError::ReadOnly { path: directory.to_owned() };
    }
    if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return OpenError::Store { path: path.to_owned(), source: StoreError::Full };
    }
    OpenError::Io { action, path: path.to_owned(), source }
}
