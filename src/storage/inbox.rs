//! Messages of others. One is received when its row and its (sender, id) are on disk, and never twice.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::types::FromSqlError;
use rusqlite::{OptionalExtension, Row, named_params};
use zeroize::Zeroizing;

use super::columns::integer;
use super::database::Database;
use super::error::StoreError;
use super::limits::{Bound, Full, Room};
use super::seal::{Direction, Place, Unsealed};
use crate::capabilities::TransportKey;
use crate::ids::{Fingerprint, GroupId, MessageId};
use crate::message::{Body, GroupLabel};
use crate::time::UnixMillis;
use crate::wire::body;

/// The table.
const TABLE: &str = "inbox";

/// How long a received id is remembered: the highest age of a message, and two days for clocks that differ.
pub const SEEN_FOR: Duration = Duration::from_secs((7 * 24 + 48) * 60 * 60);

/// How far the clocks of two nodes may differ that hear each other (spec 2.7).
pub(super) const CLOCKS_DIFFER: Duration = Duration::from_secs(120);

/// A message that arrived, from an authenticated sender.
#[derive(Debug, Clone, PartialEq)]
pub struct NewReceived {
    /// The sender's identity.
    pub sender: Fingerprint,
    /// The name the sender gave itself; may be empty.
    pub nickname: String,
    /// To everyone, or to us.
    pub public: bool,
    /// The private group it was said to.
    pub room: Option<GroupLabel>,
    /// Its id, chosen by the sender.
    pub id: MessageId,
    /// What it says.
    pub text: String,
    /// When it was written, by the sender's clock.
    pub sent: UnixMillis,
    /// When it came, by ours.
    pub received: UnixMillis,
    /// Over which transport.
    pub via: TransportKey,
    /// The ids it has on the BitChat wire, for the read receipt.
    pub wire_ids: Vec<String>,
    /// The TTL it came with.
    pub ttl: u8,
}

impl NewReceived {
    /// The same under the number it was stored with.
    pub fn into_entry(self, number: u64) -> InboxEntry {
        let Self { sender, nickname, public, room, id, text, sent, received, via, wire_ids: _, ttl } = self;
        let (text, read) = (Ok(text), room.is_some());
        InboxEntry { number, sender, nickname, public, room, id, text, sent, received, via, ttl, read }
    }
}

/// What became of a message that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// It is on disk, under this number; a later one has a higher number.
    Stored(u64),
    /// It was received before: acknowledge it, and do nothing else.
    Duplicate,
    /// There is no room: decline it, so that its sender tries again.
    Refused(Full),
}

/// A received message.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxEntry {
    /// Its place in the order of reception.
    pub number: u64,
    /// The sender's identity.
    pub sender: Fingerprint,
    /// The name the sender gave itself; may be empty.
    pub nickname: String,
    /// To everyone, or to us.
    pub public: bool,
    /// The private group it was said to.
    pub room: Option<GroupLabel>,
    /// Its id.
    pub id: MessageId,
    /// What it says, unless somebody tampered with the database.
    pub text: Result<String, Unsealed>,
    /// When it was written, by the sender's clock.
    pub sent: UnixMillis,
    /// When it came.
    pub received: UnixMillis,
    /// Over which transport.
    pub via: TransportKey,
    /// The TTL it came with.
    pub ttl: u8,
    /// Whether it was read here.
    pub read: bool,
}

impl InboxEntry {
    /// When it was said: by its author's clock, if it took longer to come than clocks may differ, and else when it
    /// came, so that an answer does not stand before its question.
    pub fn said(&self) -> UnixMillis {
        if self.sent + CLOCKS_DIFFER < self.received { self.sent } else { self.received }
    }
}

/// A private message that was read for the first time: what a read receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRead {
    /// Who gets the receipt.
    pub sender: Fingerprint,
    /// For which message.
    pub id: MessageId,
    /// Its ids on the BitChat wire.
    pub wire_ids: Vec<String>,
}

/// A group of messages with a bound, and which of them may go when it is reached.
struct Group<'a> {
    room: Room,
    bound: Bound,
    counted: &'static str,
    /// The one sender; empty for a group of all.
    whose: &'a [u8],
    /// Deletes the oldest that may go.
    trim: &'static str,
}

/// Of contacts and all others, whoever has the more loses the oldest of theirs: identities are free, and so are texts that
/// a few bytes on the air inflate to. A message counts as 6,711 bytes more, so that many short ones weigh as well:
/// with the usual bound, so much is there for each.
const TRIM_PUBLIC: &str = "DELETE FROM inbox WHERE number =
    (SELECT min(number) FROM inbox WHERE public = 1 AND contact = coalesce(
        (SELECT (theirs.bytes + 6711 * theirs.rows) * 2 > everything.bytes + 6711 * everything.rows
         FROM tally theirs, tally everything
         WHERE theirs.what = 'public_contacts' AND everything.what = 'public'), 0))";

impl Database {
    /// Stores a message that arrived, with its (sender, id), or finds that it was received before. Ids older than
    /// [`SEEN_FOR`] are forgotten on the way.
    pub fn receive(&mut self, new: &NewReceived) -> Result<Reception, StoreError> {
        self.transaction(|database| {
            database.forget_seen(new.received)?;
            if database.was_received(new.sender, new.id)? {
                return Ok(Reception::Duplicate);
            }
            let sealed = database.seal_text(new)?;
            if let Some(full) = database.make_room(new, sealed.len() as u64)? {
                return Ok(Reception::Refused(full));
            }
            database.connection.prepare_cached("INSERT INTO seen VALUES (?1, ?2, ?3)")?.execute((
                new.sender,
                new.id,
                new.received,
            ))?;
            database.insert_received(new, &sealed).map(Reception::Stored)
        })
    }

    /// Stores several messages in one transaction; says what became of each.
    pub fn receive_many(&mut self, news: &[NewReceived]) -> Result<Vec<Reception>, StoreError> {
        self.transaction(|database| news.iter().map(|new| database.receive(new)).collect())
    }

    /// The first so many messages after this number (0 for all), in the order of reception.
    pub fn after(&self, number: u64, limit: usize) -> Result<Vec<InboxEntry>, StoreError> {
        let sql = "SELECT * FROM inbox WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut select = self.connection.prepare_cached(sql)?;
        let rows =
            select.query_map((integer(number), integer(limit as u64)), |row| self.read_received(row))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes down that a message was read. For a private message, and only the first time, tells what a read
    /// receipt needs.
    pub fn mark_read(&mut self, id: MessageId) -> Result<Option<FirstRead>, StoreError> {
        self.transaction(|database| {
            let sql = "UPDATE inbox SET read = 1 WHERE number =
                           (SELECT min(number) FROM inbox WHERE id = ?1 AND read = 0 AND room IS NULL)
                       RETURNING public, sender, wire_ids";
            let mut update = database.connection.prepare_cached(sql)?;
            let read = update.query_row([id], |row| {
                let (public, sender) = (row.get::<_, bool>(0)?, row.get(1)?);
                Ok((!public).then_some(FirstRead { sender, id, wire_ids: read_wire_ids(row)? }))
            });
            Ok(read.optional()?.flatten())
        })
    }

    /// Forgets the ids of messages so old that no copy of them can be under way.
    fn forget_seen(&self, now: UnixMillis) -> Result<(), StoreError> {
        let before = now - SEEN_FOR;
        self.connection.prepare_cached("DELETE FROM seen WHERE received < ?1")?.execute([before])?;
        Ok(())
    }

    fn was_received(&self, sender: Fingerprint, id: MessageId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM seen WHERE sender = ?1 AND id = ?2
                   UNION ALL SELECT 1 FROM inbox WHERE sender = ?1 AND id = ?2";
        Ok(self.connection.prepare_cached(sql)?.exists((sender, id))?)
    }

    /// Lets old messages go until one more fits; says what is full when that does not help.
    fn make_room(&self, new: &NewReceived, len: u64) -> Result<Option<Full>, StoreError> {
        let seen = Bound::of_rows(self.limits.seen);
        if !self.count("seen", &[])?.leaves_room(seen, 0) {
            return Ok(Some(Full { what: Room::Seen, bound: seen }));
        }
        for group in self.groups_of(new)? {
            while !self.count(group.counted, group.whose)?.leaves_room(group.bound, len) {
                let mut trim = self.connection.prepare_cached(group.trim)?;
                let gone =
                    if group.whose.is_empty() { trim.execute([]) } else { trim.execute([group.whose]) };
                if gone? == 0 {
                    return Ok(Some(Full { what: group.room, bound: group.bound }));
                }
            }
        }
        Ok(None)
    }

    fn groups_of<'a>(&self, new: &'a NewReceived) -> Result<Vec<Group<'a>>, StoreError> {
        if new.public {
            return Ok(vec![Group {
                room: Room::Public,
                bound: self.limits.public,
                counted: "public",
                whose: &[],
                trim: TRIM_PUBLIC,
            }]);
        }
        let from_one = Group {
            room: Room::FromOne,
            bound: self.limits.from_one,
            counted: "from",
            whose: new.sender.as_bytes(),
            trim: "DELETE FROM inbox WHERE number =
                       (SELECT min(number) FROM inbox WHERE public = 0 AND read = 1 AND sender = ?1)",
        };
        let from_all = if self.is_contact(new.sender)? {
            Group {
                room: Room::FromContacts,
                bound: self.limits.from_contacts,
                counted: "contacts",
                whose: &[],
                trim: "DELETE FROM inbox WHERE number =
                           (SELECT min(number) FROM inbox WHERE public = 0 AND read = 1 AND contact = 1)",
            }
        } else {
            Group {
                room: Room::FromStrangers,
                bound: self.limits.from_strangers,
                counted: "strangers",
                whose: &[],
                trim: "DELETE FROM inbox WHERE number =
                           (SELECT min(number) FROM inbox WHERE public = 0 AND read = 1 AND contact = 0)",
            }
        };
        Ok(vec![from_one, from_all])
    }

    fn insert_received(&self, new: &NewReceived, sealed: &[u8]) -> Result<u64, StoreError> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO inbox (sender, id, public, contact, nickname, sent, received, via, wire_ids, ttl, body,
                                read, room, room_name)
             VALUES (:sender, :id, :public, :contact, :nickname, :sent, :received, :via, :wire_ids, :ttl, :body,
                     :read, :room, :room_name)",
        )?;
        insert.execute(named_params! {
            ":sender": new.sender,
            ":id": new.id,
            ":public": new.public,
            ":contact": self.is_contact(new.sender)?,
            ":nickname": new.nickname,
            ":sent": new.sent,
            ":received": new.received,
            ":via": new.via,
            ":wire_ids": serde_json::Value::from(new.wire_ids.as_slice()).to_string(),
            ":ttl": new.ttl,
            ":body": sealed,
            // Nobody waits for a receipt of it, so it may go when there is no room.
            ":read": new.room.is_some(),
            ":room": new.room.as_ref().map(|room| room.id.0),
            ":room_name": new.room.as_ref().map(|room| room.name.as_str()),
        })?;
        Ok(self.connection.last_insert_rowid().cast_unsigned())
    }

    fn seal_text(&self, new: &NewReceived) -> Result<Vec<u8>, StoreError> {
        let plain = Zeroizing::new(body::encode(&Body::Text(new.text.clone()))?);
        self.sealer.seal(place(new.id, &new.sender), &plain)
    }

    pub(super) fn read_received(&self, row: &Row<'_>) -> rusqlite::Result<InboxEntry> {
        let (sender, id) = (row.get("sender")?, row.get("id")?);
        Ok(InboxEntry {
            number: row.get::<_, i64>("number")?.cast_unsigned(),
            sender,
            nickname: row.get("nickname")?,
            public: row.get("public")?,
            room: read_room(row)?,
            id,
            text: self.open_text(sender, id, row.get_ref("body")?.as_blob()?),
            sent: row.get("sent")?,
            received: row.get("received")?,
            via: row.get("via")?,
            ttl: row.get("ttl")?,
            read: row.get("read")?,
        })
    }

    fn open_text(&self, sender: Fingerprint, id: MessageId, sealed: &[u8]) -> Result<String, Unsealed> {
        let plain = self.sealer.open(place(id, &sender), sealed)?;
        match body::decode(&Bytes::copy_from_slice(&plain)) {
            Ok(Body::Text(text)) => Ok(text),
            Ok(Body::Public(_) | Body::Read { .. } | Body::Card(_)) | Err(_) => {
                Err(Unsealed { table: TABLE, id })
            }
        }
    }
}

fn read_room(row: &Row<'_>) -> rusqlite::Result<Option<GroupLabel>> {
    let (id, name): (Option<[u8; 16]>, Option<String>) = (row.get("room")?, row.get("room_name")?);
    Ok(id.map(|id| GroupLabel { id: GroupId(id), name: name.unwrap_or_default() }))
}

fn read_wire_ids(row: &Row<'_>) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get("wire_ids")?;
    serde_json::from_str(&text).map_err(|error| FromSqlError::other(error).into())
}

fn place(id: MessageId, sender: &Fingerprint) -> Place<'_> {
    Place { table: TABLE, id, direction: Direction::In, other: sender.as_bytes() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::storage::contacts::StoredContact;
    use crate::storage::limits::Limits;
    use crate::storage::testing::{TIGHT, database, database_with, text_from};

    fn public(sender: u8, id: u8) -> NewReceived {
        NewReceived { public: true, ..text_from(sender, id) }
    }

    fn id(id: u8) -> MessageId {
        MessageId([id; 16])
    }

    fn store(database: &mut Database, new: &NewReceived) -> u64 {
        let Reception::Stored(number) = database.receive(new).unwrap() else { panic!("not stored: {new:?}") };
        number
    }

    fn store_all(database: &mut Database, news: impl Iterator<Item = NewReceived>) {
        for new in news {
            store(database, &new);
        }
    }

    fn refused(database: &mut Database, new: &NewReceived) -> Room {
        let Reception::Refused(full) = database.receive(new).unwrap() else { panic!("not refused: {new:?}") };
        full.what
    }

    fn ids(database: &Database) -> Vec<u8> {
        database.after(0, 100).unwrap().iter().map(|entry| entry.id.0[0]).collect()
    }

    fn befriend(database: &mut Database, sender: u8) {
        let contact = StoredContact {
            fingerprint: Fingerprint([sender; 32]),
            noise_public: [0; 32],
            signing_public: [0; 32],
            name: String::new(),
            serial: 0,
            card: Vec::new(),
            added: true,
            verified: false,
            favourite: false,
            blocked: false,
            told: 0,
        };
        database.put_contact(&contact).unwrap();
    }

    #[test]
    fn a_received_message_is_found_whole_and_in_order() {
        let mut database = database();
        let first = store(&mut database, &text_from(1, 1));
        let second = store(&mut database, &public(2, 2));
        assert!(second > first);
        let found = database.after(first, 10).unwrap();
        let expected = InboxEntry {
            number: second,
            sender: Fingerprint([2; 32]),
            nickname: "bob".to_owned(),
            public: true,
            room: None,
            id: id(2),
            text: Ok("text 2".to_owned()),
            sent: UnixMillis(900),
            received: UnixMillis(1_002),
            via: TransportKey::Direct,
            ttl: 5,
            read: false,
        };
        assert_eq!(found, [expected]);
        assert_eq!(database.after(0, 1).unwrap()[0].number, first);
    }

    #[test]
    fn a_message_is_received_once_from_each_sender() {
        let mut database = database();
        store(&mut database, &text_from(1, 1));
        assert_eq!(database.receive(&text_from(1, 1)).unwrap(), Reception::Duplicate);
        store(&mut database, &text_from(2, 1));
        assert_eq!(ids(&database), [1, 1]);
    }

    #[test]
    fn several_messages_are_received_in_one_go_and_each_has_its_outcome() {
        let mut database = database_with(TIGHT);
        let batch = [text_from(1, 1), text_from(1, 1), text_from(1, 2), text_from(1, 3), text_from(1, 4)];
        let outcomes = database.receive_many(&batch).unwrap();
        assert!(matches!(
            outcomes[..],
            [
                Reception::Stored(1),
                Reception::Duplicate,
                Reception::Stored(2),
                Reception::Stored(3),
                Reception::Refused(Full { what: Room::FromOne, .. }),
            ]
        ));
    }

    #[test]
    fn an_id_is_remembered_for_nine_days_even_when_its_message_has_gone() {
        let mut database = database();
        let new = public(1, 1);
        store(&mut database, &new);
        database.connection.execute("DELETE FROM inbox", []).unwrap();
        let again = NewReceived { received: new.received + SEEN_FOR, ..new };
        assert_eq!(database.receive(&again).unwrap(), Reception::Duplicate);
        let later = NewReceived { received: again.received + Duration::from_millis(1), ..again };
        store(&mut database, &later);
    }

    #[test]
    fn a_message_that_is_still_there_is_never_received_again() {
        let mut database = database();
        store(&mut database, &text_from(1, 1));
        let years_later = NewReceived { received: UnixMillis(u64::MAX), ..text_from(1, 1) };
        assert_eq!(database.receive(&years_later).unwrap(), Reception::Duplicate);
    }

    #[test]
    fn no_id_is_forgotten_before_its_time_and_further_messages_are_refused() {
        let mut database = database_with(TIGHT);
        store_all(&mut database, (1..=12).map(|id| public(1, id)));
        assert_eq!(refused(&mut database, &public(1, 13)), Room::Seen);
        assert_eq!(database.receive(&public(1, 1)).unwrap(), Reception::Duplicate);

        let later = NewReceived { received: UnixMillis(2_000) + SEEN_FOR, ..public(1, 13) };
        store(&mut database, &later);
    }

    #[test]
    fn of_public_messages_the_oldest_go() {
        let mut database = database_with(TIGHT);
        store_all(&mut database, (1..=5).map(|id| public(id, id)));
        assert_eq!(ids(&database), [3, 4, 5]);
    }

    #[test]
    fn what_contacts_said_to_everyone_gives_way_only_where_it_is_the_greater_part() {
        let limits = Limits { public: Bound { rows: 6, bytes: 1 << 20 }, seen: 100, ..TIGHT };
        let mut database = database_with(limits);
        befriend(&mut database, 9);
        store_all(&mut database, [public(9, 1), public(9, 2), public(1, 3)].into_iter());
        store_all(&mut database, (4..=30).map(|id| public(100 + id, id)));
        assert_eq!(ids(&database), [1, 2, 27, 28, 29, 30]);
        store_all(&mut database, (31..=40).map(|id| public(9, id)));
        assert_eq!(ids(&database), [29, 30, 37, 38, 39, 40]);
    }

    #[test]
    fn of_one_senders_messages_read_ones_go_and_unread_ones_never() {
        let mut database = database_with(TIGHT);
        store_all(&mut database, (1..=3).map(|id| text_from(1, id)));
        assert_eq!(refused(&mut database, &text_from(1, 4)), Room::FromOne);
        database.mark_read(id(2)).unwrap().unwrap();
        store(&mut database, &text_from(1, 4));
        assert_eq!(ids(&database), [1, 3, 4]);
        assert_eq!(refused(&mut database, &text_from(1, 5)), Room::FromOne);
    }

    #[test]
    fn strangers_take_no_room_from_contacts() {
        let mut database = database_with(TIGHT);
        befriend(&mut database, 9);
        store_all(&mut database, (1..=5).map(|id| text_from(id, id)));
        assert_eq!(refused(&mut database, &text_from(6, 6)), Room::FromStrangers);
        store_all(&mut database, (7..=9).map(|id| text_from(9, id)));
        database.mark_read(id(3)).unwrap().unwrap();
        store(&mut database, &text_from(6, 6));
        assert_eq!(ids(&database), [1, 2, 4, 5, 7, 8, 9, 6]);
    }

    #[test]
    fn a_message_beyond_the_bytes_that_are_kept_is_refused() {
        let mut database = database_with(Limits { from_one: Bound { rows: 9, bytes: 100 }, ..TIGHT });
        let long = |id| NewReceived { text: "x".repeat(40), ..text_from(1, id) };
        store(&mut database, &long(1));
        assert_eq!(refused(&mut database, &long(2)), Room::FromOne);
    }

    #[test]
    fn a_number_is_never_used_again() {
        let mut database = database();
        let first = store(&mut database, &text_from(1, 1));
        database.connection.execute("DELETE FROM inbox", []).unwrap();
        assert!(store(&mut database, &text_from(1, 2)) > first);
    }

    #[test]
    fn the_first_reading_tells_what_the_receipt_needs_and_the_second_nothing() {
        let mut database = database();
        let new = text_from(1, 1);
        store(&mut database, &new);
        store(&mut database, &public(1, 2));
        let expected = FirstRead { sender: new.sender, id: new.id, wire_ids: new.wire_ids };
        assert_eq!(database.mark_read(id(1)).unwrap(), Some(expected));
        assert_eq!(database.mark_read(id(1)).unwrap(), None);
        assert_eq!(database.mark_read(id(2)).unwrap(), None, "nobody gets a receipt for a public message");
        assert_eq!(database.mark_read(id(3)).unwrap(), None);
        assert!(database.after(0, 9).unwrap().iter().all(|entry| entry.read));
    }

    #[test]
    fn a_body_that_was_moved_hides_no_other_message() {
        let mut database = database();
        store_all(&mut database, (1..=3).map(|id| text_from(1, id)));
        let moved = "UPDATE inbox SET body = (SELECT body FROM inbox WHERE number = 1) WHERE number = 2";
        database.connection.execute(moved, []).unwrap();
        let texts: Vec<_> = database.after(0, 9).unwrap().into_iter().map(|entry| entry.text).collect();
        let unsealed = Unsealed { table: "inbox", id: id(2) };
        assert_eq!(texts, [Ok("text 1".to_owned()), Err(unsealed), Ok("text 3".to_owned())]);
    }

    #[test]
    fn times_from_strangers_may_be_any_number() {
        let mut database = database();
        store(&mut database, &NewReceived { sent: UnixMillis(u64::MAX), ..text_from(1, 1) });
        assert_eq!(database.after(0, 1).unwrap()[0].sent, UnixMillis(i64::MAX.unsigned_abs()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_tally_is_what_can_be_counted(
            steps in proptest::collection::vec((0u8..4, 0u8..16, any::<bool>(), any::<bool>()), 0..60),
        ) {
            let mut database = database_with(TIGHT);
            befriend(&mut database, 1);
            for (sender, number, public, read) in steps {
                database.receive(&NewReceived { public, ..text_from(sender, number) }).unwrap();
                if read {
                    database.mark_read(id(number)).unwrap();
                }
            }
            let sums = |sql: &str| -> (i64, i64) {
                database.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
            };
            let counted = "SELECT coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM tally WHERE what = ";
            let real = "SELECT count(*), coalesce(sum(length(body)), 0) FROM inbox WHERE ";
            for (what, which) in [
                ("'public'", "public"),
                ("'public_contacts'", "public AND contact"),
                ("'from'", "NOT public"),
                ("'contacts'", "NOT public AND contact"),
                ("'strangers'", "NOT public AND NOT contact"),
            ] {
                prop_assert_eq!(sums(&format!("{counted}{what}")), sums(&format!("{real}{which}")));
            }
            prop_assert_eq!(sums(&format!("{counted}'seen'")), sums("SELECT count(*), 0 FROM seen"));
        }
    }
}
