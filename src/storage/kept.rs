//! What the mesh keeps over a restart, sealed.

use bytes::Bytes;

use super::database::Database;
use super::error::StoreError;
use super::seal::{Direction, Place};
use crate::ids::MessageId;
use crate::mesh::kept::{Keep, Kept, Shelf};

/// A value that the device key does not open where it stands. It is left there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("value {number} on the shelf {} does not open: it was changed, or moved there; it is left as it is", .shelf.as_str())]
pub struct Damaged {
    /// On which shelf.
    pub shelf: Shelf,
    /// The how many-th on it by key, from 1.
    pub number: usize,
}

impl Database {
    /// Does a change of what is kept.
    pub fn keep(&mut self, change: &Keep) -> Result<(), StoreError> {
        match change {
            Keep::Put(Kept { shelf, key, value }) => {
                let sealed = self.sealer.seal(place(&bound_to(*shelf, key)), value)?;
                let put = "INSERT OR REPLACE INTO kept VALUES (?1, ?2, ?3)";
                self.connection.prepare_cached(put)?.execute((shelf.as_str(), key.as_ref(), sealed))?;
            }
            Keep::Remove { shelf, key } => {
                let remove = "DELETE FROM kept WHERE shelf = ?1 AND key = ?2";
                self.connection.prepare_cached(remove)?.execute((shelf.as_str(), key.as_ref()))?;
            }
        }
        Ok(())
    }

    /// Everything that is kept, shelf by shelf, by key; and what of it does not open.
    pub fn kept(&self) -> Result<(Vec<Kept>, Vec<Damaged>), StoreError> {
        let mut select =
            self.connection.prepare_cached("SELECT key, value FROM kept WHERE shelf = ?1 ORDER BY key")?;
        let (mut kept, mut damaged) = (Vec::new(), Vec::new());
        for shelf in Shelf::ALL {
            let rows = select.query_map([shelf.as_str()], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?;
            for (number, row) in (1..).zip(rows) {
                let (key, sealed) = row?;
                match self.sealer.open(place(&bound_to(shelf, &key)), &sealed) {
                    Ok(value) => {
                        kept.push(Kept { shelf, key: key.into(), value: Bytes::copy_from_slice(&value) });
                    }
                    Err(_) => damaged.push(Damaged { shelf, number }),
                }
            }
        }
        Ok((kept, damaged))
    }
}

fn bound_to(shelf: Shelf, key: &[u8]) -> Vec<u8> {
    [shelf.as_str().as_bytes(), &[0], key].concat()
}

fn place(bound_to: &[u8]) -> Place<'_> {
    Place { table: "kept", id: MessageId([0; 16]), direction: Direction::In, other: bound_to }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::database;

    fn put(shelf: Shelf, key: &'static [u8], value: &'static [u8]) -> Keep {
        Keep::Put(Kept { shelf, key: Bytes::from_static(key), value: Bytes::from_static(value) })
    }

    #[test]
    fn what_is_kept_comes_back_and_what_is_removed_does_not() {
        let mut database = database();
        let key = Bytes::from_static(b"1");
        let changes = [
            put(Shelf::Courier, b"1", b"old"),
            put(Shelf::Courier, b"1", b"new"),
            put(Shelf::Board, b"1", b"post"),
            put(Shelf::Board, b"2", b"gone"),
            Keep::Remove { shelf: Shelf::Board, key: Bytes::from_static(b"2") },
        ];
        changes.iter().try_for_each(|change| database.keep(change)).unwrap();
        let kept = |shelf, value: &'static [u8]| Kept { shelf, key: key.clone(), value: value.into() };
        let whole = vec![kept(Shelf::Courier, b"new"), kept(Shelf::Board, b"post")];
        assert_eq!(database.kept().unwrap(), (whole, vec![]));
    }

    #[test]
    fn no_value_stands_in_the_open_or_opens_under_another_key() {
        let mut database = database();
        database.keep(&put(Shelf::Groups, b"1", b"a group's key")).unwrap();
        let stored: Vec<u8> =
            database.connection.query_row("SELECT value FROM kept", [], |row| row.get(0)).unwrap();
        assert!(!stored.windows(7).any(|window| window == b"group's"));
        database.connection.execute("UPDATE kept SET key = x'32'", []).unwrap();
        let damaged = vec![Damaged { shelf: Shelf::Groups, number: 1 }];
        assert_eq!(database.kept().unwrap(), (vec![], damaged));
    }

    #[test]
    fn a_damaged_value_is_told_and_stays_and_the_others_are_read() {
        let mut database = database();
        let changes = [
            put(Shelf::Board, b"1", b"first"),
            put(Shelf::Board, b"2", b"second"),
            put(Shelf::Board, b"3", b"third"),
            put(Shelf::People, b"2", b"somebody"),
        ];
        changes.iter().try_for_each(|change| database.keep(change)).unwrap();
        let damage = "UPDATE kept SET value = x'00' WHERE shelf = 'board' AND key = x'32'";
        assert_eq!(database.connection.execute(damage, []).unwrap(), 1);
        let (kept, damaged) = database.kept().unwrap();
        let values: Vec<&[u8]> = kept.iter().map(|kept| kept.value.as_ref()).collect();
        assert_eq!(values, [b"first".as_slice(), b"third", b"somebody"]);
        assert_eq!(damaged, [Damaged { shelf: Shelf::Board, number: 2 }]);
        let told =
            "value 2 on the shelf board does not open: it was changed, or moved there; it is left as it is";
        assert_eq!(damaged[0].to_string(), told);
        let left: Vec<u8> = database
            .connection
            .query_row("SELECT value FROM kept WHERE shelf = 'board' AND key = x'32'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, [0]);
    }
}
