//! The database of a relay: mailboxes, what waits in them, ticket keys and tickets that were used.

use std::fmt;
use std::path::Path;

use rusqlite::Connection;

use super::error::{OpenError, StoreError};
use super::mailboxes::MailboxLimits;
use super::sqlite::{self, Found, Schema};

/// The name of a relay's database in its home directory.
pub const RELAY_DATABASE_FILE: &str = "relay.db";

const SCHEMA: Schema = Schema {
    steps: &[include_str!("migrations/relay_0001_mailboxes.sql")],
    // "HopR"
    application: 0x486F_7052,
};

/// All that a relay keeps. Each call is one transaction, on disk when it returns; [`Self::transaction`] makes one of
/// several.
pub struct RelayDatabase {
    pub(super) connection: Connection,
    pub(super) limits: MailboxLimits,
}

impl RelayDatabase {
    /// Opens the database of a relay's home, or makes it. What is there and cannot be used is left as it is.
    ///
    /// The file is not walked for damage as a node's is: it can be 8 GiB long, and what waits in it is kept by its
    /// sender until the recipient has it.
    pub fn open(home: &Path, limits: MailboxLimits) -> Result<Self, OpenError> {
        let path = home.join(RELAY_DATABASE_FILE);
        let connection = sqlite::open(home, RELAY_DATABASE_FILE)?;
        let store = |source: StoreError| OpenError::Store { path: path.clone(), source };
        match sqlite::recognise(&connection, &SCHEMA).map_err(store)? {
            Found::Empty | Found::Ours => {}
            Found::Newer { found, known } => return Err(OpenError::Newer { path, found, known }),
            Found::Foreign => return Err(OpenError::Foreign { path }),
        }
        let mut database = Self { connection, limits };
        sqlite::log_ahead(&database.connection).and_then(|()| database.migrate()).map_err(store)?;
        Ok(database)
    }

    /// A database that is gone when it is dropped, for tests.
    pub fn in_memory(limits: MailboxLimits) -> Result<Self, StoreError> {
        let mut database = Self { connection: sqlite::in_memory()?, limits };
        database.migrate()?;
        Ok(database)
    }

    /// Does several things in one transaction, and so with one wait for the disk: all of them, or none when `work`
    /// gives an error. Transactions may be nested; the outermost one commits.
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

    fn migrate(&mut self) -> Result<(), StoreError> {
        self.transaction(|database| sqlite::apply(&database.connection, &SCHEMA).map(drop))
    }
}

impl fmt::Debug for RelayDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayDatabase").field("path", &self.connection.path()).finish_non_exhaustive()
    }
}
