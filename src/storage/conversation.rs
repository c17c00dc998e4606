//! Both sides of what was said, in one order.

use rusqlite::Row;

use super::columns::integer;
use super::database::Database;
use super::error::StoreError;
use super::inbox::InboxEntry;
use super::outbox::{self, OutboxEntry};
use super::seal::Unsealed;
use crate::ids::Fingerprint;
use crate::message::Body;
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

    /// When it came to this node.
    pub const fn at(&self) -> UnixMillis {
        match self {
            Self::Received(entry) => entry.received,
            Self::Sent { entry, .. } => entry.accepted,
        }
    }
}

/// Texts of ours; receipts and cards are nobody's reading.
const SENT_TEXTS: &str = "SELECT * FROM outbox WHERE kind IN ('text', 'public')";

impl Database {
    /// The newest so many private messages from and to one peer, oldest first.
    pub fn conversation(&self, peer: Fingerprint, limit: usize) -> Result<Vec<Line>, StoreError> {
        let limit_column = integer(limit as u64);
        let received = "SELECT * FROM inbox WHERE sender = ?1 AND public = 0 ORDER BY number DESC LIMIT ?2";
        let mut received = self.connection.prepare_cached(received)?;
        let received = received.query_map((peer, limit_column), |row| self.received_line(row))?;

        let sent = format!("{SENT_TEXTS} AND peer = ?1 ORDER BY number DESC LIMIT ?2");
        let mut sent = self.connection.prepare_cached(&sent)?;
        let sent = sent.query_map((peer.peer_id(), limit_column), |row| self.sent_line(row))?;

        let mut lines = sent.chain(received).collect::<Result<Vec<_>, _>>()?;
        // Stable: of one millisecond, theirs comes first, and each side keeps its own order.
        lines.reverse();
        lines.sort_by_key(Line::at);
        lines.drain(..lines.len().saturating_sub(limit));
        Ok(lines)
    }

    /// The newest so many messages that hold this text, newest first; upper and lower case are the same. Bodies
    /// are sealed, so this opens every one of them.
    pub fn search(&self, text: &str, limit: usize) -> Result<Vec<Line>, StoreError> {
        let wanted = text.to_lowercase();
        let mut received = self.connection.prepare_cached("SELECT * FROM inbox ORDER BY number DESC")?;
        let received = received.query_map([], |row| self.received_line(row))?;
        let mut sent = self.connection.prepare_cached(&format!("{SENT_TEXTS} ORDER BY number DESC"))?;
        let sent = sent.query_map([], |row| self.sent_line(row))?;

        let mut found = matching(received, &wanted, limit)?;
        found.extend(matching(sent, &wanted, limit)?);
        found.sort_by_key(|line| std::cmp::Reverse(line.at()));
        found.truncate(limit);
        Ok(found)
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

fn matching(
    lines: impl Iterator<Item = rusqlite::Result<Line>>,
    wanted: &str,
    limit: usize,
) -> Result<Vec<Line>, StoreError> {
    let holds = |line: &rusqlite::Result<Line>| match line {
        Ok(line) => line.text().is_ok_and(|text| text.to_lowercase().contains(wanted)),
        Err(_) => true,
    };
    Ok(lines.filter(holds).take(limit).collect::<Result<_, _>>()?)
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
