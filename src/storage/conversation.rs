//! Both sides of what was said, in one order.

use rusqlite::Row;

use super::columns::integer;
use super::database::Database;
use super::error::StoreError;
use super::inbox::{CLOCKS_DIFFER, InboxEntry};
use super::outbox::{self, OutboxEntry};
use super::seal::Unsealed;
use crate::ids::{Fingerprint, PeerId};
use crate::message::{Body, Recipient};
use crate::time::UnixMillis;
use crate::wire::{Received, message};

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// Somebody else wrote it.
    Received(InboxEntry),
    /// We wrote it.
    Sent {
        /// What became of it.
        entry: OutboxEntry,
        /// What it says, unless somebody tampered with the database.
        text: Result<String, Unsealed>,
    },
}

impl Line {
    /// What it says.
    pub fn text(&self) -> Result<&str, Unsealed> {
        let (Self::Received(InboxEntry { text, .. }) | Self::Sent { text, .. }) = self;
        text.as_deref().map_err(|unsealed| *unsealed)
    }

    /// Its place in the conversation: when it was said, if it is by somebody else; when it came to this node, if it is
    /// ours.
    pub fn at(&self) -> UnixMillis {
        match self {
            Self::Received(entry) => entry.said(),
            Self::Sent { entry, .. } => entry.accepted,
        }
    }
}

/// Which messages are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Only what was said with this peer in private, or to everyone.
    pub with: Option<Recipient>,
    /// Only what holds this text; upper and lower case are the same.
    pub text: Option<String>,
    /// The first messages received after the one of this number, and none of ours, instead of those said last.
    pub after: Option<u64>,
    /// So many at most.
    pub limit: usize,
}

impl Database {
    /// What was said, oldest first. Bodies are sealed, so looking for a text opens every one of them.
    ///
    /// Rows are read one by one until there are enough; of the others no more than their numbers is held in memory.
    pub fn history(&self, wanted: &Lines) -> Result<Vec<Line>, StoreError> {
        if wanted.after.is_some() {
            return self.received_lines(wanted, "number");
        }
        let mut lines = self.sent_lines(wanted)?;
        let said = format!("iif(sent + {} < received, sent, received)", CLOCKS_DIFFER.as_millis());
        lines.extend(self.received_lines(wanted, &format!("{said} DESC, number DESC"))?);
        // Stable: of one millisecond, theirs comes first, and each side keeps its own order.
        lines.reverse();
        lines.sort_by_key(Line::at);
        lines.drain(..lines.len().saturating_sub(wanted.limit));
        Ok(lines)
    }

    fn received_lines(&self, wanted: &Lines, order: &str) -> Result<Vec<Line>, StoreError> {
        let (condition, first, last) = match wanted.with {
            None => ("?2 IS NULL AND ?3 IS NULL", None, None),
            Some(Recipient::Everyone) => ("public = 1 AND ?2 IS NULL AND ?3 IS NULL", None, None),
            Some(Recipient::Peer(peer)) => {
                let (first, last) = fingerprints_of(peer);
                ("public = 0 AND room IS NULL AND +sender BETWEEN ?2 AND ?3", Some(first), Some(last))
            }
        };
        let sql = format!("SELECT number FROM inbox WHERE number > ?1 AND {condition} ORDER BY {order}");
        let mut received = self.connection.prepare_cached(&sql)?;
        let after = integer(wanted.after.unwrap_or(0));
        let numbers = received.query_map((after, first, last), |row| row.get::<_, i64>(0))?;
        let mut one = self.connection.prepare_cached("SELECT * FROM inbox WHERE number = ?1")?;
        wanted.pick(numbers.map(|number| one.query_row([number?], |row| self.received_line(row))))
    }

    /// Texts of ours, newest first; receipts and cards are nobody's reading.
    fn sent_lines(&self, wanted: &Lines) -> Result<Vec<Line>, StoreError> {
        let condition = if wanted.with.is_some() { "+peer = ?1" } else { "?1 IS NULL" };
        let sql = format!(
            "SELECT * FROM outbox WHERE kind IN ('text', 'public') AND {condition} ORDER BY number DESC"
        );
        let mut sent = self.connection.prepare_cached(&sql)?;
        let rows = sent.query_map([wanted.with], |row| self.sent_line(row))?;
        wanted.pick(rows)
    }

    fn received_line(&self, row: &Row<'_>) -> rusqlite::Result<Line> {
        self.read_received(row).map(Line::Received)
    }

    fn sent_line(&self, row: &Row<'_>) -> rusqlite::Result<Line> {
        let entry = OutboxEntry::read(row)?;
        let sealed = row.get_ref("body")?.as_blob()?;
        let text = self.open_body(entry.envelope.id, entry.envelope.to, sealed).ok().and_then(text_of);
        let text = text.ok_or(Unsealed { table: outbox::TABLE, id: entry.envelope.id });
        Ok(Line::Sent { entry, text })
    }
}

impl Lines {
    /// The first so many of these that hold the text.
    fn pick(&self, lines: impl Iterator<Item = rusqlite::Result<Line>>) -> Result<Vec<Line>, StoreError> {
        let text = self.text.as_ref().map(|text| text.to_lowercase());
        let holds = |line: &rusqlite::Result<Line>| match (line, &text) {
            (Ok(line), Some(text)) => line.text().is_ok_and(|said| said.to_lowercase().contains(text)),
            (Ok(_), None) | (Err(_), _) => true,
        };
        Ok(lines.filter(holds).take(self.limit).collect::<Result<_, _>>()?)
    }
}

/// The least and the greatest fingerprint of a peer: its id is how they begin.
pub(super) fn fingerprints_of(peer: PeerId) -> (Fingerprint, Fingerprint) {
    let filled = |rest: u8| {
        let mut fingerprint = [rest; 32];
        for (byte, own) in fingerprint.iter_mut().zip(peer.0) {
            *byte = own;
        }
        Fingerprint(fingerprint)
    };
    (filled(0x00), filled(0xFF))
}

fn text_of(body: Body) -> Option<String> {
    match body {
        Body::Text(text) => Some(text),
        Body::Public(packet) => {
            let packet = Received::decode(&packet).ok()?.into_packet();
            message::text(&packet.payload).ok().map(str::to_owned)
        }
        Body::Read { .. } | Body::Card(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ids::MessageId;
    use crate::storage::testing::{database, entry, text_from, text_to};
    use crate::storage::{Acceptance, NewReceived, Reception};

    const BEN: PeerId = PeerId([2; 8]);

    /// Ben and cy wrote, everybody was written to.
    fn talked() -> Database {
        let mut database = database();
        let public = NewReceived { public: true, text: "Good Morning".to_owned(), ..text_from(3, 30) };
        for received in [text_from(2, 20), text_from(2, 21), public, text_from(3, 31)] {
            assert!(matches!(database.receive(&received).unwrap(), Reception::Stored(_)));
        }
        let receipt =
            entry(Recipient::Peer(BEN), 1, Body::Read { of: MessageId([20; 16]), wire_ids: Vec::new() });
        for (new, at) in [(text_to(2, 10), 1_020), (text_to(3, 11), 1_022), (receipt, 1_023)] {
            assert_eq!(database.accept(&new, UnixMillis(at)).unwrap(), Acceptance::Accepted);
        }
        database
    }

    fn texts(database: &Database, wanted: &Lines) -> Vec<String> {
        database.history(wanted).unwrap().iter().map(|line| line.text().unwrap().to_owned()).collect()
    }

    #[test]
    fn both_sides_stand_in_the_order_in_which_they_came() {
        let all = Lines { limit: 9, ..Lines::default() };
        let said = ["text 20", "text 10", "text 21", "text 11", "Good Morning", "text 31"];
        assert_eq!(texts(&talked(), &all), said);
        assert_eq!(texts(&talked(), &Lines { limit: 2, ..Lines::default() }), said[4..]);
    }

    #[test]
    fn what_came_late_stands_where_it_was_said() {
        let mut database = talked();
        let (sent, received) = (UnixMillis(1_021), UnixMillis(3_600_000));
        let late =
            NewReceived { public: true, text: "an hour late".to_owned(), sent, received, ..text_from(4, 40) };
        assert!(matches!(database.receive(&late).unwrap(), Reception::Stored(_)));
        let all = Lines { limit: 9, ..Lines::default() };
        let said = ["text 20", "text 10", "text 21", "an hour late", "text 11", "Good Morning", "text 31"];
        assert_eq!(texts(&database, &all), said);
        for limit in 1..=said.len() {
            let last = Lines { limit, ..Lines::default() };
            assert_eq!(
                texts(&database, &last),
                said[said.len() - limit..],
                "the last {limit} that were said"
            );
        }
    }

    #[test]
    fn a_conversation_is_with_one_peer_or_with_everyone() {
        let with = |with| texts(&talked(), &Lines { with: Some(with), limit: 9, ..Lines::default() });
        assert_eq!(with(Recipient::Peer(BEN)), ["text 20", "text 10", "text 21"]);
        assert_eq!(with(Recipient::Everyone), ["Good Morning"]);
        assert_eq!(with(Recipient::Peer(PeerId([9; 8]))), [""; 0]);
    }

    #[test]
    fn a_text_is_found_in_any_case_on_both_sides() {
        let with = |text: &str, with| {
            texts(&talked(), &Lines { text: Some(text.to_owned()), with, limit: 9, after: None })
        };
        assert_eq!(with("good MORN", None), ["Good Morning"]);
        assert_eq!(with("TEXT 1", None), ["text 10", "text 11"]);
        assert_eq!(with("text 1", Some(Recipient::Peer(BEN))), ["text 10"]);
    }

    #[test]
    fn who_says_where_it_was_gets_the_first_messages_after_that() {
        let after = |after, limit| texts(&talked(), &Lines { after: Some(after), limit, ..Lines::default() });
        assert_eq!(after(0, 2), ["text 20", "text 21"]);
        assert_eq!(after(2, 9), ["Good Morning", "text 31"]);
        assert_eq!(after(4, 9), [""; 0]);
    }

    #[test]
    fn a_public_text_of_ours_is_read_out_of_its_packet_and_what_is_none_is_said_to_be_unreadable() {
        let mut database = database();
        let broken = entry(Recipient::Everyone, 7, Body::Public(Bytes::from_static(b"no packet")));
        database.accept(&broken, UnixMillis(1_000)).unwrap();
        let lines = database.history(&Lines { limit: 1, ..Lines::default() }).unwrap();
        assert_eq!(lines.first().unwrap().text().unwrap_err().id, MessageId([7; 16]));
    }
}
