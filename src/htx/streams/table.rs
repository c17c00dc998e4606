//! All streams of a tunnel, and the connection's own window.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};

use super::super::config::TunnelConfig;
use super::super::error::Violation;
use super::super::event::{Event, Role, StreamId};
use super::super::frame::MAX_SENT;
use super::super::varint;
use super::inbound::Inbound;
use super::outbound::{Outbound, Piece};
use super::window::{Credit, Window};

/// Ids up to here are kept for the capability and the gateway stream (D-27); the rest is for data.
const RESERVED: u64 = 2;

/// What is to be sealed next.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::htx) enum Outgoing {
    /// A STREAM frame; without pieces it ends the stream.
    Stream {
        /// The stream's id on the wire.
        id: u64,
        /// Its content.
        pieces: Vec<Bytes>,
    },
    /// A WINDOW_UPDATE frame.
    Credit {
        /// The stream's id on the wire; 0 for the connection.
        id: u64,
        /// By how much.
        increment: u64,
    },
}

/// Every stream that is open, in either direction.
#[derive(Debug)]
pub(in crate::htx) struct Streams {
    role: Role,
    stream_window: u64,
    max_streams: usize,
    send_buffer: usize,
    /// At most twice `max_streams`.
    table: BTreeMap<StreamId, Stream>,
    /// Our own streams by their ids on the wire, from their first frame on.
    names: BTreeMap<u64, StreamId>,
    next_name: StreamId,
    next_id: u64,
    /// The highest id the peer used.
    highest: u64,
    /// How many of the streams are the peer's.
    theirs: usize,
    window: Window,
    credit: Credit,
    /// Streams whose readers may have made room.
    owed: BTreeSet<StreamId>,
    /// Streams with something to send, in the order of their turns; each at most once.
    ready: VecDeque<StreamId>,
    queued: usize,
}

#[derive(Debug)]
struct Stream {
    /// Its id on the wire; one of ours has none before its first frame.
    id: Option<u64>,
    inbound: Inbound,
    outbound: Outbound,
    /// It stands in `ready`.
    scheduled: bool,
}

impl Stream {
    fn new(id: Option<u64>, window: u64) -> Self {
        let mut stream = Self { id, inbound: Inbound::new(), outbound: Outbound::new(), scheduled: false };
        stream.inbound.window.raise(window);
        stream
    }

    fn is_over(&self) -> bool {
        self.inbound.is_finished() && self.outbound.is_over()
    }
}

impl Streams {
    /// No stream; the window of the connection is raised at once.
    pub(in crate::htx) fn new(role: Role, config: &TunnelConfig) -> Self {
        let first = match role {
            Role::Client => RESERVED + 1,
            Role::Server => RESERVED + 2,
        };
        let mut window = Window::new();
        window.raise(config.connection_window);
        Self {
            role,
            stream_window: config.stream_window,
            max_streams: config.max_streams,
            send_buffer: config.send_buffer,
            table: BTreeMap::new(),
            names: BTreeMap::new(),
            next_name: first,
            next_id: first,
            highest: 0,
            theirs: 0,
            window,
            credit: Credit::new(),
            owed: BTreeSet::new(),
            ready: VecDeque::new(),
            queued: 0,
        }
    }

    /// A stream of our own; `None` when there are too many.
    pub(in crate::htx) fn open(&mut self) -> Option<StreamId> {
        if self.table.len().saturating_sub(self.theirs) >= self.max_streams || self.next_name > varint::MAX {
            return None;
        }
        let name = self.next_name;
        self.next_name = self.next_name.saturating_add(2);
        self.table.insert(name, Stream::new(None, self.stream_window));
        Some(name)
    }

    /// How many bytes may be queued on a stream; zero when it is full, finished or unknown.
    pub(in crate::htx) fn room(&self, name: StreamId) -> usize {
        self.table.get(&name).map_or(0, |stream| stream.outbound.room(self.send_buffer))
    }

    /// Bytes that wait on all streams.
    pub(in crate::htx) const fn queued(&self) -> usize {
        self.queued
    }

    /// Queues data; false when there is no room for any.
    pub(in crate::htx) fn send(&mut self, name: StreamId, data: Bytes) -> bool {
        if data.is_empty() {
            return true;
        }
        let Some(stream) = self.table.get_mut(&name) else { return true };
        if stream.outbound.room(self.send_buffer) == 0 {
            return false;
        }
        self.queued = self.queued.saturating_add(data.len());
        stream.outbound.push(data, self.send_buffer);
        self.schedule(name);
        true
    }

    /// Ends our half of a stream behind what is queued on it.
    pub(in crate::htx) fn finish(&mut self, name: StreamId) {
        if let Some(stream) = self.table.get_mut(&name) {
            stream.outbound.finish();
            self.schedule(name);
        }
    }

    /// Nobody cares for a stream any more.
    pub(in crate::htx) fn abandon(&mut self, name: StreamId) {
        let Some(stream) = self.table.get_mut(&name) else { return };
        self.queued = self.queued.saturating_sub(stream.outbound.queued());
        stream.outbound.abandon();
        self.window.consume(stream.inbound.abandon() as u64);
        if stream.id.is_none() {
            self.table.remove(&name);
        } else {
            self.schedule(name);
        }
    }

    /// A reader took some of what it was given.
    pub(in crate::htx) fn consumed(&mut self, name: StreamId, bytes: usize, events: &mut VecDeque<Event>) {
        self.window.consume(bytes as u64);
        let Some(stream) = self.table.get_mut(&name) else { return };
        if let Some(data) = stream.inbound.consumed(bytes) {
            events.push_back(Event::Data { stream: name, data });
        }
        if stream.inbound.is_due() {
            self.owed.insert(name);
        }
    }

    /// A STREAM frame came.
    pub(in crate::htx) fn received(
        &mut self,
        id: u64,
        data: BytesMut,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        if id == 0 {
            return Ok(());
        }
        let name = match self.named(id) {
            Some(name) => name,
            None => self.accept(id, events)?,
        };
        let Some(stream) = self.table.get_mut(&name) else { return Ok(()) };
        if stream.inbound.is_finished() {
            return Err(Violation::AfterEnd { id });
        }
        if data.is_empty() {
            let rest = stream.inbound.finish();
            if !stream.inbound.is_abandoned() {
                events.extend(rest.map(|data| Event::Data { stream: name, data }));
                events.push_back(Event::Finished { stream: name });
            }
            self.drop_if_over(name);
            return Ok(());
        }
        let bytes = data.len() as u64;
        stream.inbound.window.take(bytes).map_err(|excess| Violation::Overrun { id, excess })?;
        self.window.take(bytes).map_err(|excess| Violation::Overrun { id: 0, excess })?;
        if stream.inbound.is_abandoned() {
            self.window.consume(bytes);
        } else {
            let passed = stream.inbound.push(data).into_iter().flatten();
            events.extend(passed.map(|data| Event::Data { stream: name, data }));
        }
        Ok(())
    }

    /// A WINDOW_UPDATE frame came. For a stream that is over it comes late, and means nothing.
    pub(in crate::htx) fn credited(
        &mut self,
        id: u64,
        increment: u64,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        if id == 0 {
            return self.credit.add(increment, 0);
        }
        let name = match self.named(id) {
            Some(name) => name,
            None if self.was_used(id) => return Ok(()),
            None => self.accept(id, events)?,
        };
        if let Some(stream) = self.table.get_mut(&name) {
            stream.outbound.credit.add(increment, id)?;
            self.schedule(name);
        }
        Ok(())
    }

    /// What to send next: credit first, then the streams in turn, a frame each.
    pub(in crate::htx) fn next(&mut self, events: &mut VecDeque<Event>) -> Option<Outgoing> {
        self.next_credit().or_else(|| self.next_data(events))
    }

    fn next_credit(&mut self) -> Option<Outgoing> {
        if self.window.is_due() {
            return Some(Outgoing::Credit { id: 0, increment: self.window.report() });
        }
        while let Some(name) = self.owed.pop_first() {
            if let Some(stream) = self.table.get_mut(&name)
                && let Some(id) = stream.id
                && stream.inbound.is_due()
            {
                return Some(Outgoing::Credit { id, increment: stream.inbound.window.report() });
            }
        }
        None
    }

    fn next_data(&mut self, events: &mut VecDeque<Event>) -> Option<Outgoing> {
        for _ in 0..self.ready.len() {
            let name = self.ready.pop_front()?;
            let Some(stream) = self.table.get_mut(&name) else { continue };
            stream.scheduled = false;
            if !stream.outbound.is_ready() {
                continue;
            }
            if stream.outbound.queued() > 0 && self.credit.left() == 0 {
                self.schedule(name);
                continue;
            }
            let limit = MAX_SENT.min(usize::try_from(self.credit.left()).unwrap_or(MAX_SENT));
            return self.take(name, limit, events);
        }
        None
    }

    /// The turn of one stream.
    fn take(&mut self, name: StreamId, limit: usize, events: &mut VecDeque<Event>) -> Option<Outgoing> {
        let id = self.announced(name)?;
        let stream = self.table.get_mut(&name)?;
        let pieces = match stream.outbound.take(limit) {
            Piece::Data(pieces) => pieces,
            Piece::End => Vec::new(),
        };
        let taken = pieces.iter().map(Bytes::len).sum();
        self.queued = self.queued.saturating_sub(taken);
        self.credit.spend(taken);
        if stream.outbound.has_become_writable(self.send_buffer) {
            events.push_back(Event::Writable { stream: name });
        }
        self.schedule(name);
        self.drop_if_over(name);
        Some(Outgoing::Stream { id, pieces })
    }

    /// A stream's id; our own get one with their first frame, so that ids rise on the wire.
    fn announced(&mut self, name: StreamId) -> Option<u64> {
        let stream = self.table.get_mut(&name)?;
        if stream.id.is_none() {
            stream.id = Some(self.next_id);
            self.names.insert(self.next_id, name);
            self.next_id = self.next_id.saturating_add(2);
            self.owed.insert(name);
        }
        stream.id
    }

    fn schedule(&mut self, name: StreamId) {
        if let Some(stream) = self.table.get_mut(&name)
            && !stream.scheduled
            && stream.outbound.is_ready()
        {
            stream.scheduled = true;
            self.ready.push_back(name);
        }
    }

    /// A frame for a stream that is not in the table: the peer opens it, or must not send it.
    fn accept(&mut self, id: u64, events: &mut VecDeque<Event>) -> Result<StreamId, Violation> {
        if id <= RESERVED {
            return Err(Violation::Reserved { id });
        }
        if self.was_used(id) {
            return Err(Violation::AfterEnd { id });
        }
        if self.is_ours(id) {
            return Err(Violation::NotOpen { id });
        }
        if self.theirs >= self.max_streams {
            return Err(Violation::TooManyStreams { limit: self.max_streams });
        }
        self.highest = id;
        self.theirs = self.theirs.saturating_add(1);
        self.table.insert(id, Stream::new(Some(id), self.stream_window));
        self.owed.insert(id);
        events.push_back(Event::Accepted { stream: id });
        Ok(id)
    }

    fn named(&self, id: u64) -> Option<StreamId> {
        if self.is_ours(id) {
            self.names.get(&id).copied()
        } else {
            self.table.contains_key(&id).then_some(id)
        }
    }

    /// Whether ids have already gone past this one.
    const fn was_used(&self, id: u64) -> bool {
        id > RESERVED && if self.is_ours(id) { id < self.next_id } else { id <= self.highest }
    }

    const fn is_ours(&self, id: u64) -> bool {
        match self.role {
            Role::Client => id % 2 == 1,
            Role::Server => id.is_multiple_of(2),
        }
    }

    fn drop_if_over(&mut self, name: StreamId) {
        let Some(stream) = self.table.get(&name).filter(|stream| stream.is_over()) else { return };
        if let Some(id) = stream.id
            && !self.is_ours(id)
        {
            self.theirs = self.theirs.saturating_sub(1);
        } else if let Some(id) = stream.id {
            self.names.remove(&id);
        }
        self.table.remove(&name);
    }
}
