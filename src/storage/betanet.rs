//! What betanet keeps: the secret its mailboxes are made of, and the newest record of each relay.

use rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

use super::database::Database;
use super::error::StoreError;
use super::seal::{Direction, Place};
use crate::ids::{MessageId, NodeId};

/// The bytes of the secret that this node's mailboxes are made of.
pub const MAILBOX_SECRET_LEN: usize = 32;
/// Records that are kept; for a further one the one that ends first goes.
const MAX_RECORDS: u64 = 256;
const SECRET_NAME: &str = "mailbox secret";
const SECRET_PLACE: Place<'_> =
    Place { table: "meta", id: MessageId([1; 16]), direction: Direction::In, other: &[] };

impl Database {
    /// The secret that this node's mailboxes are made of: random, unrelated to the identity, made at the first
    /// call and sealed with the device key.
    pub fn mailbox_secret(&mut self) -> Result<Zeroizing<[u8; MAILBOX_SECRET_LEN]>, StoreError> {
        self.transaction(|database| {
            let sealed: Option<Vec<u8>> = database.noted(SECRET_NAME)?;
            let mut secret = Zeroizing::new([0; MAILBOX_SECRET_LEN]);
            match sealed {
                Some(sealed) => {
                    let opened = database.sealer.open(SECRET_PLACE, &sealed)?;
                    let damaged = || StoreError::Corrupt { detail: "the mailbox secret is cut".to_owned() };
                    let stored: &[u8; MAILBOX_SECRET_LEN] =
                        opened.as_slice().try_into().map_err(|_| damaged())?;
                    secret.copy_from_slice(stored);
                }
                None => {
                    OsRng.try_fill_bytes(secret.as_mut_slice()).map_err(StoreError::Random)?;
                    let sealed = database.sealer.seal(SECRET_PLACE, secret.as_slice())?;
                    database.note(SECRET_NAME, Some(sealed))?;
                }
            }
            Ok(secret)
        })
    }

    /// Keeps a relay's record in the place of the one before. `expires` is in Unix seconds.
    pub fn put_relay(&mut self, node: NodeId, record: &[u8], expires: u64) -> Result<(), StoreError> {
        self.transaction(|database| {
            let put = "INSERT OR REPLACE INTO relays VALUES (?1, ?2, ?3)";
            let row = (node.0.as_slice(), record, expires.cast_signed());
            database.connection.prepare_cached(put)?.execute(row)?;
            let cut = "DELETE FROM relays WHERE node NOT IN
                           (SELECT node FROM relays ORDER BY expires DESC, node LIMIT ?1)";
            database.connection.prepare_cached(cut)?.execute([MAX_RECORDS.cast_signed()])?;
            Ok(())
        })
    }

    /// The records that were kept, expired ones included.
    pub fn relays(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT record FROM relays ORDER BY node")?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::database;

    #[test]
    fn the_mailbox_secret_is_made_once_and_stands_nowhere_in_the_open() {
        let mut database = database();
        let first = database.mailbox_secret().unwrap();
        assert_ne!(*first, [0; MAILBOX_SECRET_LEN]);
        assert_eq!(*database.mailbox_secret().unwrap(), *first);
        let select = "SELECT value FROM meta WHERE name = ?1";
        let stored: Vec<u8> = database.connection.query_row(select, [SECRET_NAME], |row| row.get(0)).unwrap();
        assert!(!stored.windows(MAILBOX_SECRET_LEN).any(|window| window == first.as_slice()));
    }

    #[test]
    fn a_relays_record_takes_the_place_of_the_one_before_and_the_number_is_bounded() {
        let mut database = database();
        let node = |number: u16| {
            let mut id = [0; 34];
            id[..2].copy_from_slice(&number.to_be_bytes());
            NodeId(id)
        };
        database.put_relay(node(1), b"old", 5).unwrap();
        database.put_relay(node(1), b"new", 6).unwrap();
        assert_eq!(database.relays().unwrap(), [b"new"]);
        for number in 2..300 {
            database.put_relay(node(number), b"other", 10).unwrap();
        }
        let kept = database.relays().unwrap();
        assert_eq!(kept.len(), 256);
        assert!(!kept.contains(&b"new".to_vec()), "the one that ends first goes");
    }
}
