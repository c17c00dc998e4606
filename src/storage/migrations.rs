//! The schema of the messages, and the key they are sealed with.

use super::database::Database;
use super::error::StoreError;
use super::seal::{Direction, Place};
use super::sqlite::{self, Found, Schema};
use crate::ids::MessageId;

const SCHEMA: Schema = Schema {
    steps: &[
        include_str!("migrations/0001_messages.sql"),
        include_str!("migrations/0002_transfers.sql"),
        include_str!("migrations/0003_betanet.sql"),
        include_str!("migrations/0004_kept.sql"),
        include_str!("migrations/0005_rooms.sql"),
        include_str!("migrations/0006_public_shares.sql"),
    ],
    // "HopL"
    application: 0x486F_704C,
};
/// What is sealed to recognise the device key by.
const CHECK: &[u8] = b"hopline device key";
const CHECK_NAME: &str = "key check";
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
    match sqlite::recognise(&database.connection, &SCHEMA)? {
        Found::Empty => Ok(()),
        Found::Ours => check_key(database),
        Found::Newer { found, known } => Err(SchemaError::Newer { found, known }),
        Found::Foreign => Err(SchemaError::Foreign),
    }
}

/// Takes the steps that are left. To be run in a transaction.
pub(super) fn apply(database: &mut Database) -> Result<(), StoreError> {
    if sqlite::apply(&database.connection, &SCHEMA)? {
        let sealed = database.sealer.seal(CHECK_PLACE, CHECK)?;
        database.note(CHECK_NAME, Some(sealed))?;
    }
    Ok(())
}

fn check_key(database: &Database) -> Result<(), SchemaError> {
    let sealed: Option<Vec<u8>> = database.noted(CHECK_NAME)?;
    match sealed.map(|sealed| database.sealer.open(CHECK_PLACE, &sealed)) {
        Some(Ok(plain)) if plain.as_slice() == CHECK => Ok(()),
        _ => Err(SchemaError::WrongKey),
    }
}
