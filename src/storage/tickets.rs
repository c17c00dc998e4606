//! What admits people to a relay: the private halves of its ticket keys, and the tickets that were used (spec 4).

use zeroize::Zeroizing;

use super::error::StoreError;
use super::relay_database::RelayDatabase;
use crate::htx::gate::ReplayEntry;
use crate::htx::ticket::TicketSecret;
use crate::time::UnixMillis;

impl RelayDatabase {
    /// Every ticket key there is, by day.
    pub fn ticket_secrets(&self) -> Result<Vec<TicketSecret>, StoreError> {
        let sql = "SELECT id, day, secret FROM ticket_secrets ORDER BY day";
        let mut select = self.connection.prepare_cached(sql)?;
        let secrets = select.query_map([], |row| {
            let secret: Zeroizing<[u8; 32]> = Zeroizing::new(row.get(2)?);
            Ok(TicketSecret::from_parts(row.get(0)?, row.get(1)?, &secret))
        })?;
        Ok(secrets.collect::<Result<_, _>>()?)
    }

    /// Keeps a ticket key.
    pub fn keep_ticket_secret(&mut self, secret: &TicketSecret) -> Result<(), StoreError> {
        let sql = "INSERT INTO ticket_secrets (id, day, secret) VALUES (?1, ?2, ?3)";
        self.connection.prepare_cached(sql)?.execute((secret.id(), secret.day(), secret.secret()))?;
        Ok(())
    }

    /// Erases ticket keys, from the write-ahead log as well. Not to be called inside a transaction.
    pub fn erase_ticket_secrets(&mut self, ids: &[[u8; 8]]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.transaction(|database| -> Result<(), StoreError> {
            let mut delete =
                database.connection.prepare_cached("DELETE FROM ticket_secrets WHERE id = ?1")?;
            for id in ids {
                delete.execute([id])?;
            }
            Ok(())
        })?;
        // Older copies of the page stand in the log until it begins anew.
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Remembers that a ticket was used.
    pub fn remember_ticket(&mut self, used: &ReplayEntry) -> Result<(), StoreError> {
        let hour = super::columns::integer(used.hour);
        let sql = "INSERT OR IGNORE INTO used_tickets (mark, hour, ends) VALUES (?1, ?2, ?3)";
        self.connection.prepare_cached(sql)?.execute((used.mark, hour, used.ends()))?;
        Ok(())
    }

    /// The tickets that were used and could be shown again.
    pub fn used_tickets(&self, now: UnixMillis) -> Result<Vec<ReplayEntry>, StoreError> {
        let sql = "SELECT mark, hour FROM used_tickets WHERE ends >= ?1";
        let mut select = self.connection.prepare_cached(sql)?;
        let used = select.query_map([now], |row| {
            Ok(ReplayEntry { mark: row.get(0)?, hour: row.get::<_, i64>(1)?.cast_unsigned() })
        })?;
        Ok(used.collect::<Result<_, _>>()?)
    }

    /// Forgets the tickets that are worth nothing any more.
    pub fn forget_tickets(&mut self, now: UnixMillis) -> Result<usize, StoreError> {
        Ok(self.connection.prepare_cached("DELETE FROM used_tickets WHERE ends < ?1")?.execute([now])?)
    }
}
