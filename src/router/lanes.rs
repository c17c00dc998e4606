//! Who waits for a turn: for each recipient, the messages that want to be dispatched, in the order they were
//! submitted.
//!
//! Messages of one class that tried the same transports stand in one *lane*: what holds for the first of them
//! holds for all, so that an event costs as much as there are lanes, not as there are messages.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pending::{Class, PerTransport, Tries};
use crate::capabilities::TransportKey;
use crate::ids::MessageId;
use crate::message::Recipient;
use crate::time::Instant;

/// What the messages of a lane have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) class: Class,
    pub(super) tries: Tries,
}

/// A pause after everything was tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    /// When it ends; nothing when it has ended, and only its length is remembered.
    pub(super) until: Option<Instant>,
    pub(super) pause: Duration,
}

/// The messages of one recipient.
#[derive(Debug, Default)]
pub(super) struct Line {
    lanes: BTreeMap<Lane, BTreeSet<(u64, MessageId)>>,
    /// Attempts under way that are not overdue.
    flights: PerTransport<usize>,
    pub(super) rests: BTreeMap<Class, Rest>,
    /// Messages that have not ended, waiting or not.
    pub(super) members: usize,
}

impl Line {
    pub(super) fn enter(&mut self, lane: Lane, order: u64, id: MessageId) {
        self.lanes.entry(lane).or_default().insert((order, id));
    }

    pub(super) fn leave(&mut self, lane: Lane, order: u64, id: MessageId) {
        if let Some(waiting) = self.lanes.get_mut(&lane) {
            waiting.remove(&(order, id));
            if waiting.is_empty() {
                self.lanes.remove(&lane);
            }
        }
    }

    /// The lane whose first message is next, urgent ones before the others; lanes in `blocked` are passed over.
    pub(super) fn next(&self, blocked: &BTreeSet<Lane>) -> Option<(Lane, MessageId)> {
        self.lanes
            .iter()
            .filter(|(lane, _)| !blocked.contains(lane))
            .filter_map(|(lane, waiting)| waiting.first().map(|(order, id)| (*lane, *order, *id)))
            .min_by_key(|(lane, order, _)| (lane.class.patient, *order))
            .map(|(lane, _, id)| (lane, id))
    }

    /// The messages of every lane that tried something already.
    pub(super) fn mid_round(&self) -> Vec<MessageId> {
        let tried = self.lanes.iter().filter(|(lane, _)| !lane.tries.is_default());
        tried.flat_map(|(_, waiting)| waiting.iter().map(|(_, id)| *id)).collect()
    }

    /// The messages that wait, the first ones of each lane, in the order in which they want their turn.
    pub(super) fn first(&self, most: usize) -> Vec<MessageId> {
        let first = self.lanes.iter().flat_map(|(lane, waiting)| {
            waiting.iter().take(most).map(|(order, id)| (lane.class.patient, *order, *id))
        });
        let mut first: Vec<_> = first.collect();
        first.sort_unstable();
        first.into_iter().map(|(.., id)| id).collect()
    }

    pub(super) fn waits(&self) -> bool {
        !self.lanes.is_empty()
    }

    pub(super) fn waiting(&self) -> usize {
        self.lanes.values().map(BTreeSet::len).sum()
    }

    pub(super) fn flights(&self, transport: TransportKey) -> usize {
        self.flights.get(transport)
    }
}

/// The lines of all recipients, and which attempts are under way.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lines: BTreeMap<Recipient, Line>,
    /// Attempts under way that are not overdue; as many as the windows let through.
    flights: BTreeSet<(TransportKey, Recipient, MessageId)>,
}

impl Lanes {
    pub(super) fn line(&self, to: Recipient) -> Option<&Line> {
        self.lines.get(&to)
    }

    pub(super) fn line_mut(&mut self, to: Recipient) -> Option<&mut Line> {
        self.lines.get_mut(&to)
    }

    /// Counts one more message for this recipient.
    pub(super) fn join(&mut self, to: Recipient) {
        self.lines.entry(to).or_default().members += 1;
    }

    /// Counts one message less; the line of a recipient without messages is forgotten.
    pub(super) fn part(&mut self, to: Recipient) {
        if let Some(line) = self.lines.get_mut(&to) {
            line.members = line.members.saturating_sub(1);
            if line.members == 0 {
                self.lines.remove(&to);
            }
        }
    }

    pub(super) fn recipients(&self) -> Vec<Recipient> {
        self.lines.iter().filter(|(_, line)| line.waits()).map(|(to, _)| *to).collect()
    }

    pub(super) fn take_off(&mut self, transport: TransportKey, to: Recipient, id: MessageId) {
        if self.flights.insert((transport, to, id)) {
            self.count(transport, to, usize::saturating_add);
        }
    }

    pub(super) fn land(&mut self, transport: TransportKey, to: Recipient, id: MessageId) {
        if self.flights.remove(&(transport, to, id)) {
            self.count(transport, to, usize::saturating_sub);
        }
    }

    /// What is under way over a transport to one recipient.
    pub(super) fn under_way(&self, transport: TransportKey, to: Recipient) -> Vec<MessageId> {
        let from = (transport, to, MessageId([0; 16]));
        let same = |flight: &&(TransportKey, Recipient, MessageId)| (flight.0, flight.1) == (transport, to);
        self.flights.range(from..).take_while(same).map(|(_, _, id)| *id).collect()
    }

    /// What is under way over a transport to anybody.
    pub(super) fn all_under_way(&self, transport: TransportKey) -> Vec<MessageId> {
        let from = (transport, Recipient::Everyone, MessageId([0; 16]));
        let same = |flight: &&(TransportKey, Recipient, MessageId)| flight.0 == transport;
        self.flights.range(from..).take_while(same).map(|(_, _, id)| *id).collect()
    }

    fn count(&mut self, transport: TransportKey, to: Recipient, step: fn(usize, usize) -> usize) {
        if let Some(line) = self.lines.get_mut(&to) {
            line.flights.set(transport, step(line.flights.get(transport), 1));
        }
    }
}
