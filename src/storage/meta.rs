//! Single values that outlive a run, each under its name.

use rusqlite::OptionalExtension;
use rusqlite::types::{FromSql, ToSql};

use super::database::Database;
use super::error::StoreError;

impl Database {
    /// What stands under this name.
    pub(super) fn noted<T: FromSql>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
        Ok(select.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Writes a value in the place of the one before; without one nothing stands there.
    pub(super) fn note(&self, name: &str, value: Option<impl ToSql>) -> Result<(), StoreError> {
        match value {
            Some(value) => {
                let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
                self.connection.prepare_cached(sql)?.execute((name, value))?
            }
            None => self.connection.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([name])?,
        };
        Ok(())
    }
}
