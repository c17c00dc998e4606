//! What the router measured, for its next run.

use std::time::Duration;

use super::columns::integer;
use super::database::Database;
use super::error::StoreError;
use crate::router::measured::Record;
use crate::time::UnixMillis;

impl Database {
    /// Keeps a measurement, in the place of the last one of the same peer and transport. Beyond the bound the one
    /// that was not renewed for longest goes.
    pub fn put_measured(&mut self, record: &Record) -> Result<(), StoreError> {
        let latency = i64::try_from(record.latency.as_micros()).unwrap_or(i64::MAX);
        self.transaction(|database| {
            database
                .connection
                .prepare_cached("INSERT OR REPLACE INTO measured VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute((
                    record.peer,
                    record.transport,
                    record.success,
                    latency,
                    record.samples,
                    record.updated,
                ))?;
            let sql = "DELETE FROM measured WHERE (peer, transport) IN
                           (SELECT peer, transport FROM measured ORDER BY updated DESC LIMIT -1 OFFSET ?1)";
            database.connection.prepare_cached(sql)?.execute([integer(database.limits.measured)])?;
            Ok(())
        })
    }

    /// Every measurement kept, by peer and transport.
    pub fn measured(&self) -> Result<Vec<Record>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT * FROM measured ORDER BY peer, transport")?;
        let rows = select.query_map([], |row| {
            Ok(Record {
                peer: row.get("peer")?,
                transport: row.get("transport")?,
                success: row.get("success")?,
                latency: Duration::from_micros(row.get::<_, UnixMillis>("latency")?.0),
                samples: row.get("samples")?,
                updated: row.get("updated")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::TransportKey;
    use crate::ids::PeerId;
    use crate::storage::testing::{TIGHT, database_with};

    fn record(peer: u8, updated: u64) -> Record {
        Record {
            peer: PeerId([peer; 8]),
            transport: TransportKey::Direct,
            success: 0.75,
            latency: Duration::from_micros(1_234),
            samples: u32::MAX,
            updated: UnixMillis(updated),
        }
    }

    #[test]
    fn the_measurement_that_was_not_renewed_for_longest_goes_first() {
        let mut database = database_with(TIGHT);
        for (peer, updated) in [(1, 10), (2, 20), (3, 30), (1, 40), (4, 50)] {
            database.put_measured(&record(peer, updated)).unwrap();
        }
        assert_eq!(database.measured().unwrap(), [record(1, 40), record(3, 30), record(4, 50)]);
    }
}
