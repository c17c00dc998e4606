//! The schema, step by step. A step that was released is never changed; a further one is appended.

use rusqlite::OptionalExtension;

use super::database::Database;
use super::error::StoreError;
use super::seal::{Direction, Place};
use crate::ids::MessageId;

/// The steps; `PRAGMA user_version` counts those a database has taken.
const STEPS: [&str; 2] =
    [include_str!("migrations/0001_messages.sql"), include_str!("migrations/0002_transfers.sql")];
/// "HopL": marks the file as ours (`PRAGMA application_id`).
const APPLICATION: i64 = 0x486F_704C;
/// What is sealed to recognise the device key by.
const CHECK: &[u8] = b"hopline device key";
const CHECK_PLACE: Place<'_> =
    Place { table: "meta", id: MessageId([0; 16]), direction: Direction::Out, other: &[] };

/// Why a file is not our database.
pub(super) enum SchemaError {
    Newer { found: i64, known: i64 },
    Foreign,
    WrongKey,
    Store(StoreError),
}

impl<E: Into<StoreError>> From<E> for SchemaError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// Sees that a file is our database, that this program knows its schema, and that the key fits. Changes nothing.
pub(super) fn recognise(database: &Database) -> Result<(), SchemaError> {
    let found = version(database)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let application = number(database, "PRAGMA application_id")?;
    if is_empty(database)? && found == 0 && application == 0 {
        return Ok(());
    }
    if application != APPLICATION {
        return Err(SchemaError::Foreign);
    }
    if found > known {
        return Err(SchemaError::Newer { found, known });
    }
    check_key(database)
}

/// Takes the steps that are left. To be run in a transaction.
pub(super) fn apply(database: &mut Database) -> Result<(), StoreError> {
    let (empty, found) = (is_empty(database)?, version(database)?);
    for (step, sql) in (1..).zip(STEPS).filter(|(step, _)| *step > found) {
        database.connection.execute_batch(sql)?;
        database.connection.execute_batch(&format!("PRAGMA user_version = {step}"))?;
    }
    if empty {
        database.connection.execute_batch(&format!("PRAGMA application_id = {APPLICATION}"))?;
        let sealed = database.sealer.seal(CHECK_PLACE, CHECK)?;
        database.connection.execute("INSERT INTO meta VALUES ('key check', ?1)", [sealed])?;
    }
    Ok(())
}

fn check_key(database: &Database) -> Result<(), SchemaError> {
    let select = "SELECT value FROM meta WHERE name = 'key check'";
    let sealed: Option<Vec<u8>> = database.connection.query_row(select, [], |row| row.get(0)).optional()?;
    match sealed.map(|sealed| database.sealer.open(CHECK_PLACE, &sealed)) {
        Some(Ok(plain)) if plain.as_slice() == CHECK => Ok(()),
        _ => Err(SchemaError::WrongKey),
    }
}

fn version(database: &Database) -> Result<i64, StoreError> {
    number(database, "PRAGMA user_version")
}

fn is_empty(database: &Database) -> Result<bool, StoreError> {
    Ok(number(database, "SELECT count(*) FROM sqlite_schema")? == 0)
}

fn number(database: &Database, sql: &str) -> Result<i64, StoreError> {
    Ok(database.connection.query_row(sql, [], |row| row.get(0))?)
}
