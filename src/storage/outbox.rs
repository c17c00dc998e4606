//! Messages of ours: on disk before anything carries them, until the last word about them came.

use bytes::Bytes;
use rusqlite::{OptionalExtension, Row, named_params};
use zeroize::Zeroizing;

use super::columns::{integer, millis, recipient_bytes};
use super::database::Database;
use super::error::StoreError;
use super::limits::{Bound, Full, Room};
use super::seal::{Direction, Place};
use crate::capabilities::TransportKey;
use crate::ids::MessageId;
use crate::message::{Body, DeliveryStatus, Message, Preference, Recipient, Requirements};
use crate::router::error::Reason;
use crate::router::event::Envelope;
use crate::time::UnixMillis;
use crate::wire::body;

/// The table.
pub(super) const TABLE: &str = "outbox";

/// A message to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// The message.
    pub message: Message,
    /// What it asks of its way.
    pub requirements: Requirements,
    /// When it expires.
    pub expires: UnixMillis,
}

/// What became of a message to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// It is on disk.
    Accepted,
    /// A message with this id was accepted before; that one stays as it is.
    Known,
    /// Too many wait. Waiting ones are never dropped for a further one.
    Refused(Full),
}

/// What kind of body a message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// A text for one peer.
    Text,
    /// A text for everyone.
    Public,
    /// A read receipt.
    Read,
    /// A contact card.
    Card,
}

/// A message of ours, all but its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// What the router needs to know of it.
    pub envelope: Envelope,
    /// What it carries.
    pub kind: BodyKind,
    /// When it was written.
    pub sent: UnixMillis,
    /// When it was accepted.
    pub accepted: UnixMillis,
    /// How far it came.
    pub status: DeliveryStatus,
    /// By which transport.
    pub via: Option<TransportKey>,
    /// Why it waits, or was given up.
    pub reason: Option<String>,
    /// When that last changed.
    pub changed: UnixMillis,
    /// Whether it is still to be carried, or its receipt to come.
    pub waiting: bool,
}

/// What became of a new status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The message came further, or its way or its reason changed; it has this status.
    Changed(DeliveryStatus),
    /// What is known goes further; it stays at this status.
    Unchanged(DeliveryStatus),
    /// There is no such message.
    Unknown,
}

/// Which messages of ours are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxFilter {
    /// All.
    All,
    /// Those still to be carried, or whose receipt is to come.
    Waiting,
    /// Those that are done.
    Finished,
    /// Those for this recipient.
    To(Recipient),
}

impl Database {
    /// Stores a message before anything carries it.
    pub fn accept(&mut self, new: &NewEntry, now: UnixMillis) -> Result<Acceptance, StoreError> {
        self.transaction(|database| {
            if database.find(new.message.id)?.is_some() {
                return Ok(Acceptance::Known);
            }
            let sealed = database.seal_body(&new.message)?;
            if let Some(full) = database.no_room_to_wait(&new.message.to, sealed.len() as u64)? {
                return Ok(Acceptance::Refused(full));
            }
            database.insert_entry(new, &sealed, now)?;
            Ok(Acceptance::Accepted)
        })
    }

    /// Takes down how far a message came. The order is kept whatever order the news come in: `delivered` and
    /// `read` are never taken back, a message that was given up and arrives all the same is delivered, and one
    /// that was sent is not queued again; only the reason why it waits is.
    ///
    /// A finished read receipt or card is forgotten, a finished message becomes history.
    pub fn set_status(
        &mut self,
        id: MessageId,
        status: DeliveryStatus,
        via: Option<TransportKey>,
        reason: Option<&str>,
        now: UnixMillis,
    ) -> Result<Progress, StoreError> {
        self.transaction(|database| {
            let Some(entry) = database.find(id)? else { return Ok(Progress::Unknown) };
            let Some(status) = entry.status_after(status) else {
                return Ok(Progress::Unchanged(entry.status));
            };
            let via = via.or(entry.via);
            if (status, via, reason) == (entry.status, entry.via, entry.reason.as_deref()) {
                return Ok(Progress::Unchanged(status));
            }
            let waiting = is_waiting(status, entry.envelope.wants_receipt);
            database
                .connection
                .prepare_cached(
                    "UPDATE outbox SET status = ?2, via = ?3, reason = ?4, changed = ?5, waiting = ?6
                     WHERE id = ?1",
                )?
                .execute((id, status, via, reason, now, waiting))?;
            if entry.waiting && !waiting {
                database.finish(id, entry.kind)?;
            }
            Ok(Progress::Changed(status))
        })
    }

    /// Gives up a message that still waits; whether there was one.
    pub fn withdraw(&mut self, id: MessageId, now: UnixMillis) -> Result<bool, StoreError> {
        let reason = Reason::Withdrawn.to_string();
        let progress = self.set_status(id, DeliveryStatus::Refused, None, Some(&reason), now)?;
        Ok(matches!(progress, Progress::Changed(_)))
    }

    /// A message with its body.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let mut select =
            self.connection.prepare_cached("SELECT peer, sent, body FROM outbox WHERE id = ?1")?;
        let found = select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?)));
        let Some((to, sent, sealed)) = found.optional()? else { return Ok(None) };
        Ok(Some(Message { id, to, body: self.open_body(id, to, &sealed)?, sent }))
    }

    /// A message without its body.
    pub fn find(&self, id: MessageId) -> Result<Option<OutboxEntry>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT * FROM outbox WHERE id = ?1")?;
        Ok(select.query_row([id], OutboxEntry::read).optional()?)
    }

    /// What waits, in the order in which it was accepted: all that a router must be told after a start.
    pub fn pending(&self) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut select =
            self.connection.prepare_cached("SELECT * FROM outbox WHERE waiting = 1 ORDER BY number")?;
        let rows = select.query_map([], OutboxEntry::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest so many messages, newest first.
    pub fn list(&self, filter: OutboxFilter, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        let (condition, to) = match filter {
            OutboxFilter::All => ("?1 IS NULL", None),
            OutboxFilter::Waiting => ("?1 IS NULL AND waiting = 1", None),
            OutboxFilter::Finished => ("?1 IS NULL AND waiting = 0", None),
            OutboxFilter::To(to) => ("peer = ?1", Some(to)),
        };
        let sql = format!("SELECT * FROM outbox WHERE {condition} ORDER BY number DESC LIMIT ?2");
        let mut select = self.connection.prepare_cached(&sql)?;
        let rows = select.query_map((to, integer(limit as u64)), OutboxEntry::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Puts a packet that was signed anew in the place of the one a waiting message had; whether there was one.
    pub fn set_packet(&mut self, id: MessageId, packet: &Bytes) -> Result<bool, StoreError> {
        self.transaction(|database| {
            let Some(entry) =
                database.find(id)?.filter(|entry| entry.waiting && entry.kind == BodyKind::Public)
            else {
                return Ok(false);
            };
            let body = Body::Public(packet.clone());
            let size = integer(body.size() as u64);
            let message = Message { id, to: entry.envelope.to, body, sent: entry.sent };
            let sealed = database.seal_body(&message)?;
            let sql = "UPDATE outbox SET body = ?2, size = ?3 WHERE id = ?1";
            database.connection.prepare_cached(sql)?.execute((id, sealed, size))?;
            Ok(true)
        })
    }

    fn no_room_to_wait(&self, to: &Recipient, len: u64) -> Result<Option<Full>, StoreError> {
        let for_one = ("waiting for", recipient_bytes(to), Room::WaitingForOne, self.limits.waiting_for_one);
        let for_all = ("waiting", [].as_slice(), Room::Waiting, self.limits.waiting);
        for (counted, whose, what, bound) in [for_one, for_all] {
            if !self.count(counted, whose)?.leaves_room(bound, len) {
                return Ok(Some(Full { what, bound }));
            }
        }
        Ok(None)
    }

    fn insert_entry(&self, new: &NewEntry, sealed: &[u8], now: UnixMillis) -> Result<(), StoreError> {
        let NewEntry { message, requirements, expires } = new;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO outbox (id, peer, kind, body, size, private, urgent, max_age, prefer, only, sent,
                                 accepted, expires, status, changed, waiting)
             VALUES (:id, :peer, :kind, :body, :size, :private, :urgent, :max_age, :prefer, :only, :sent,
                     :now, :expires, :status, :now, 1)",
        )?;
        insert.execute(named_params! {
            ":id": message.id,
            ":peer": message.to,
            ":kind": BodyKind::of(&message.body).as_str(),
            ":body": sealed,
            ":size": integer(message.body.size() as u64),
            ":private": requirements.private,
            ":urgent": requirements.urgent,
            ":max_age": millis(requirements.max_age),
            ":prefer": requirements.preference.map(|preference| preference.transport),
            ":only": requirements.preference.is_some_and(|preference| preference.only),
            ":sent": message.sent,
            ":now": now,
            ":expires": expires,
            ":status": DeliveryStatus::Queued,
        })?;
        Ok(())
    }

    /// Nobody asks for a read receipt or a card that is done; of the rest the oldest go, beyond the bound.
    fn finish(&self, id: MessageId, kind: BodyKind) -> Result<(), StoreError> {
        if matches!(kind, BodyKind::Read | BodyKind::Card) {
            self.connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
        }
        self.trim_finished(self.limits.finished)
    }

    fn trim_finished(&self, bound: Bound) -> Result<(), StoreError> {
        while self.count("finished", &[])?.exceeds(bound) {
            self.run("DELETE FROM outbox WHERE number = (SELECT min(number) FROM outbox WHERE waiting = 0)")?;
        }
        Ok(())
    }

    fn seal_body(&self, message: &Message) -> Result<Vec<u8>, StoreError> {
        let plain = Zeroizing::new(body::encode(&message.body)?);
        self.sealer.seal(place(message.id, &message.to), &plain)
    }

    pub(super) fn open_body(&self, id: MessageId, to: Recipient, sealed: &[u8]) -> Result<Body, StoreError> {
        let plain = self.sealer.open(place(id, &to), sealed)?;
        body::decode(&Bytes::copy_from_slice(&plain)).map_err(|source| StoreError::Body { id, source })
    }
}

impl OutboxEntry {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let kind = BodyKind::read(row)?;
        let transport: Option<TransportKey> = row.get("prefer")?;
        let only = row.get("only")?;
        let requirements = Requirements {
            private: row.get("private")?,
            urgent: row.get("urgent")?,
            max_age: std::time::Duration::from_millis(row.get::<_, UnixMillis>("max_age")?.0),
            preference: transport.map(|transport| Preference { transport, only }),
        };
        let envelope = Envelope {
            id: row.get("id")?,
            to: row.get("peer")?,
            size: usize::try_from(row.get::<_, UnixMillis>("size")?.0).unwrap_or(usize::MAX),
            wants_receipt: kind == BodyKind::Text,
            requirements,
            expires: row.get("expires")?,
        };
        Ok(Self {
            envelope,
            kind,
            sent: row.get("sent")?,
            accepted: row.get("accepted")?,
            status: row.get("status")?,
            via: row.get("via")?,
            reason: row.get("reason")?,
            changed: row.get("changed")?,
            waiting: row.get("waiting")?,
        })
    }

    /// The status after this piece of news; nothing when it is no news.
    fn status_after(&self, news: DeliveryStatus) -> Option<DeliveryStatus> {
        use DeliveryStatus::{Delivered, Expired, Queued, Read, Refused, Sent};
        match (self.status, news) {
            (Read, _) | (Delivered, Queued | Sent | Expired | Refused | Delivered) => None,
            (_, Delivered | Read) => Some(news),
            _ if !self.waiting => None,
            (Sent, Queued) => Some(Sent),
            (Queued | Sent | Expired | Refused, Queued | Sent | Expired | Refused) => Some(news),
        }
    }
}

impl BodyKind {
    const ALL: [Self; 4] = [Self::Text, Self::Public, Self::Read, Self::Card];

    /// The kind of this body.
    pub const fn of(body: &Body) -> Self {
        match body {
            Body::Text(_) => Self::Text,
            Body::Public(_) => Self::Public,
            Body::Read { .. } => Self::Read,
            Body::Card(_) => Self::Card,
        }
    }

    /// The word used in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Public => "public",
            Self::Read => "read",
            Self::Card => "card",
        }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let word: String = row.get("kind")?;
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        kind.ok_or_else(|| rusqlite::types::FromSqlError::InvalidType.into())
    }
}

/// Whether a message is still to be carried, or its receipt to come.
const fn is_waiting(status: DeliveryStatus, wants_receipt: bool) -> bool {
    match status {
        DeliveryStatus::Queued => true,
        DeliveryStatus::Sent => wants_receipt,
        DeliveryStatus::Delivered
        | DeliveryStatus::Read
        | DeliveryStatus::Expired
        | DeliveryStatus::Refused => false,
    }
}

fn place(id: MessageId, to: &Recipient) -> Place<'_> {
    Place { table: TABLE, id, direction: Direction::Out, other: recipient_bytes(to) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::PeerId;
    use crate::storage::limits::Limits;
    use crate::storage::testing::{TIGHT, database, database_with, entry, text_to};

    const NOW: UnixMillis = UnixMillis(1_000);

    fn id(id: u8) -> MessageId {
        MessageId([id; 16])
    }

    fn ids(entries: &[OutboxEntry]) -> Vec<u8> {
        entries.iter().map(|entry| entry.envelope.id.0[0]).collect()
    }

    fn accept(database: &mut Database, new: &NewEntry) {
        assert_eq!(database.accept(new, NOW).unwrap(), Acceptance::Accepted);
    }

    fn set(database: &mut Database, id: MessageId, status: DeliveryStatus) -> Progress {
        database.set_status(id, status, None, None, NOW).unwrap()
    }

    #[test]
    fn an_accepted_message_is_found_whole() {
        let mut database = database();
        let bodies = [
            Body::Text("hello".to_owned()),
            Body::Public(Bytes::from_static(b"packet")),
            Body::Read { of: id(9), wire_ids: vec!["a".to_owned()] },
            Body::Card(Bytes::from_static(b"card")),
        ];
        for (number, body) in (1..).zip(bodies) {
            let to = Recipient::Peer(PeerId([7; 8]));
            let new = NewEntry {
                requirements: Requirements {
                    private: number == 1,
                    urgent: number == 2,
                    max_age: Duration::from_secs(77),
                    preference: (number == 3)
                        .then_some(Preference { transport: TransportKey::Direct, only: true }),
                },
                ..entry(to, number, body.clone())
            };
            accept(&mut database, &new);
            assert_eq!(database.message(id(number)).unwrap(), Some(new.message.clone()));
            let found = database.find(id(number)).unwrap().unwrap();
            let envelope = Envelope {
                id: id(number),
                to,
                size: body.size(),
                wants_receipt: body.wants_receipt(),
                requirements: new.requirements,
                expires: new.expires,
            };
            assert_eq!(found.envelope, envelope);
            assert_eq!((found.kind, found.sent, found.accepted), (BodyKind::of(&body), UnixMillis(900), NOW));
            assert_eq!((found.status, found.via, found.reason), (DeliveryStatus::Queued, None, None));
        }
        assert_eq!(ids(&database.pending().unwrap()), [1, 2, 3, 4]);
        assert_eq!(database.message(id(99)).unwrap(), None);
    }

    #[test]
    fn an_id_is_accepted_once() {
        let mut database = database();
        accept(&mut database, &text_to(1, 1));
        assert_eq!(database.accept(&text_to(2, 1), NOW).unwrap(), Acceptance::Known);
        assert_eq!(database.message(id(1)).unwrap(), Some(text_to(1, 1).message));
    }

    #[test]
    fn a_further_message_is_refused_at_either_bound_and_waiting_ones_stay() {
        let mut database = database_with(TIGHT);
        (1..=3).for_each(|id| accept(&mut database, &text_to(1, id)));
        let Acceptance::Refused(full) = database.accept(&text_to(1, 4), NOW).unwrap() else { panic!() };
        assert_eq!((full.what, full.bound), (Room::WaitingForOne, TIGHT.waiting_for_one));

        (5..=6).for_each(|id| accept(&mut database, &text_to(2, id)));
        let Acceptance::Refused(full) = database.accept(&text_to(3, 7), NOW).unwrap() else { panic!() };
        assert_eq!((full.what, full.bound), (Room::Waiting, TIGHT.waiting));
        assert_eq!(ids(&database.pending().unwrap()), [1, 2, 3, 5, 6]);

        set(&mut database, id(2), DeliveryStatus::Delivered);
        accept(&mut database, &text_to(1, 8));
    }

    #[test]
    fn a_message_beyond_the_bytes_that_may_wait_is_refused() {
        let one = Bound { rows: 10, bytes: 150 };
        let mut database = database_with(Limits { waiting_for_one: one, ..TIGHT });
        let long = |id| entry(Recipient::Peer(PeerId([1; 8])), id, Body::Text("x".repeat(60)));
        accept(&mut database, &long(1));
        assert!(matches!(database.accept(&long(2), NOW).unwrap(), Acceptance::Refused(_)));
    }

    #[test]
    fn history_is_trimmed_oldest_first_and_a_waiting_message_never() {
        let mut database = database_with(Limits { waiting_for_one: Bound::of_rows(9), ..TIGHT });
        accept(&mut database, &text_to(1, 1));
        for id in 2..=7 {
            accept(&mut database, &text_to(1, id));
            set(&mut database, MessageId([id; 16]), DeliveryStatus::Delivered);
        }
        assert_eq!(ids(&database.list(OutboxFilter::Finished, 10).unwrap()), [7, 6, 5]);
        assert_eq!(ids(&database.list(OutboxFilter::All, 10).unwrap()), [7, 6, 5, 1]);
        assert_eq!(set(&mut database, id(2), DeliveryStatus::Read), Progress::Unknown);
    }

    #[test]
    fn a_list_is_filtered_and_newest_first() {
        let mut database = database();
        (1..=4).for_each(|id| accept(&mut database, &text_to(id % 2, id)));
        set(&mut database, id(1), DeliveryStatus::Expired);
        let list = |filter, limit| ids(&database.list(filter, limit).unwrap());
        assert_eq!(list(OutboxFilter::Waiting, 10), [4, 3, 2]);
        assert_eq!(list(OutboxFilter::Finished, 10), [1]);
        assert_eq!(list(OutboxFilter::All, 2), [4, 3]);
        assert_eq!(list(OutboxFilter::To(Recipient::Peer(PeerId([1; 8]))), 10), [3, 1]);
        assert_eq!(list(OutboxFilter::To(Recipient::Everyone), 10), [0u8; 0]);
    }

    #[test]
    fn the_way_and_the_reason_are_kept_with_the_status() {
        let mut database = database();
        accept(&mut database, &text_to(1, 1));
        let mut tell = |status, via, reason| database.set_status(id(1), status, via, reason, NOW).unwrap();
        let (queued, sent) = (DeliveryStatus::Queued, DeliveryStatus::Sent);
        assert_eq!(tell(queued, None, Some("nobody there")), Progress::Changed(queued));
        assert_eq!(tell(queued, None, Some("nobody there")), Progress::Unchanged(queued));
        assert_eq!(tell(sent, Some(TransportKey::Bitchat), None), Progress::Changed(sent));
        assert_eq!(tell(queued, None, Some("it rests")), Progress::Changed(sent));
        let direct = Some(TransportKey::Direct);
        assert_eq!(
            tell(DeliveryStatus::Delivered, direct, None),
            Progress::Changed(DeliveryStatus::Delivered)
        );
        assert_eq!(tell(DeliveryStatus::Read, None, None), Progress::Changed(DeliveryStatus::Read));
        let found = database.find(id(1)).unwrap().unwrap();
        assert_eq!((found.via, found.reason, found.waiting), (direct, None, false));
    }

    #[test]
    fn a_message_without_a_receipt_is_done_when_it_was_sent() {
        let mut database = database();
        accept(&mut database, &entry(Recipient::Everyone, 1, Body::Public(Bytes::from_static(b"p"))));
        accept(&mut database, &entry(Recipient::Everyone, 2, Body::Card(Bytes::from_static(b"c"))));
        assert_eq!(set(&mut database, id(1), DeliveryStatus::Sent), Progress::Changed(DeliveryStatus::Sent));
        assert_eq!(set(&mut database, id(2), DeliveryStatus::Sent), Progress::Changed(DeliveryStatus::Sent));
        assert!(database.pending().unwrap().is_empty());
        assert_eq!(
            set(&mut database, id(1), DeliveryStatus::Expired),
            Progress::Unchanged(DeliveryStatus::Sent)
        );
        assert_eq!(
            ids(&database.list(OutboxFilter::All, 9).unwrap()),
            [1],
            "a card that is done is forgotten"
        );
    }

    #[test]
    fn a_waiting_message_can_be_withdrawn_once() {
        let mut database = database();
        accept(&mut database, &text_to(1, 1));
        assert!(database.withdraw(id(1), NOW).unwrap());
        assert!(!database.withdraw(id(1), NOW).unwrap());
        assert!(!database.withdraw(id(2), NOW).unwrap());
        let found = database.find(id(1)).unwrap().unwrap();
        assert_eq!(
            (found.status, found.reason.as_deref()),
            (DeliveryStatus::Refused, Some("it was withdrawn"))
        );
    }

    #[test]
    fn a_waiting_public_message_takes_a_packet_signed_anew() {
        let mut database = database();
        accept(&mut database, &entry(Recipient::Everyone, 1, Body::Public(Bytes::from_static(b"old"))));
        accept(&mut database, &text_to(1, 2));
        let packet = Bytes::from_static(b"newer");
        assert!(database.set_packet(id(1), &packet).unwrap());
        assert!(!database.set_packet(id(2), &packet).unwrap());
        assert_eq!(database.message(id(1)).unwrap().unwrap().body, Body::Public(packet.clone()));
        assert_eq!(database.find(id(1)).unwrap().unwrap().envelope.size, 5);
        set(&mut database, id(1), DeliveryStatus::Sent);
        assert!(!database.set_packet(id(1), &packet).unwrap());
    }

    #[test]
    fn a_body_that_was_changed_or_moved_does_not_open_and_the_error_names_it() {
        let mut database = database();
        (1..=2).for_each(|id| accept(&mut database, &text_to(1, id)));
        let moved = "UPDATE outbox SET body = (SELECT body FROM outbox WHERE number = 2) WHERE number = 1";
        database.connection.execute(moved, []).unwrap();
        let error = database.message(id(1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the body of message {} in table outbox does not open: it was changed, or moved there",
                id(1)
            )
        );
        database.message(id(2)).unwrap().unwrap();

        let redirected = "UPDATE outbox SET peer = x'0909090909090909' WHERE number = 2";
        database.connection.execute(redirected, []).unwrap();
        assert!(matches!(database.message(id(2)).unwrap_err(), StoreError::Unsealed(_)));
    }

    #[test]
    fn no_body_stands_in_the_file_as_it_was_written() {
        let home = tempfile::tempdir().unwrap();
        let key = crate::storage::testing::key(1);
        let mut database = Database::open(home.path(), &key, TIGHT).unwrap();
        let secret = "a text that nobody else may read".repeat(3);
        accept(&mut database, &entry(Recipient::Everyone, 1, Body::Text(secret)));
        for file in std::fs::read_dir(home.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(6).any(|window| window == b"nobody"));
        }
    }

    /// How far each status is; of two that are equally far, given up is final and the rest is renewed.
    const RANK: [(DeliveryStatus, u8); 6] = [
        (DeliveryStatus::Queued, 0),
        (DeliveryStatus::Sent, 1),
        (DeliveryStatus::Expired, 2),
        (DeliveryStatus::Refused, 2),
        (DeliveryStatus::Delivered, 3),
        (DeliveryStatus::Read, 4),
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_order_the_news_come_in_the_status_is_the_first_of_those_that_go_furthest(
            news in proptest::collection::vec((0u8..3, prop::sample::select(&DeliveryStatus::ALL)), 0..40),
        ) {
            let rank: BTreeMap<_, _> = RANK.into_iter().collect();
            let mut database = database();
            let mut model = [DeliveryStatus::Queued; 3];
            (0..3).for_each(|id| accept(&mut database, &text_to(1, id)));
            for (number, status) in news {
                let before = &mut model[usize::from(number)];
                if rank[&status] > rank[before] {
                    *before = status;
                }
                set(&mut database, id(number), status);
                prop_assert_eq!(database.find(id(number)).unwrap().unwrap().status, *before);
            }
            let waiting: Vec<u8> = (0u8..).zip(model).filter(|(_, status)| rank[status] < 2).map(|(id, _)| id).collect();
            prop_assert_eq!(ids(&database.pending().unwrap()), waiting);
        }

        #[test]
        fn the_tally_is_what_can_be_counted(
            steps in proptest::collection::vec((0u8..8, 0u8..12, prop::sample::select(&DeliveryStatus::ALL)), 0..60),
        ) {
            let mut database = database_with(Limits { waiting: Bound::of_rows(6), ..TIGHT });
            for (peer, number, status) in steps {
                database.accept(&text_to(peer % 3, number), NOW).unwrap();
                set(&mut database, id(number), status);
            }
            let counted = "SELECT coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM tally WHERE what = ";
            let real = "SELECT count(*), coalesce(sum(length(body)), 0) FROM outbox WHERE waiting = ";
            let sums = |sql: &str| -> (i64, i64) {
                database.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
            };
            for (what, waiting) in [("'waiting'", "1"), ("'waiting for'", "1"), ("'finished'", "0")] {
                prop_assert_eq!(sums(&format!("{counted}{what}")), sums(&format!("{real}{waiting}")));
            }
        }
    }
}
