//! Mail that came and waits for the node's word, and receipts that wait for a way back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::ids::{MessageId, NodeId, PeerId};
use crate::time::Instant;
use crate::wire::letter::Letter;

/// Messages that may wait to be stored; beyond that no mailbox is looked into.
const MAX_HELD: usize = 1024;
/// Bytes of them.
const MAX_HELD_BYTES: usize = 16 << 20;
/// How long the node may take to store a message; after that it is fetched again.
const STORING: Duration = Duration::from_secs(60);
/// How long after a receipt was refused it is left again; twice as long each time, some two hours in all.
const FIRST_AGAIN: Duration = Duration::from_secs(1);
/// How often.
const MAX_REFUSALS: u32 = 13;
/// Receipts that wait for their recipient's card, or for room in the mailbox; for a further one the oldest goes.
const MAX_OWED: usize = 1024;

/// A message that the node has not stored yet.
#[derive(Debug)]
pub(super) struct Unstored {
    /// Where it lies: relay and number there; several places when it was left more than once.
    pub(super) places: Vec<(NodeId, u64)>,
    pub(super) wants_receipt: bool,
    /// The prekeys that its envelopes were sealed to; none when all were for the static key.
    pub(super) prekeys: Vec<u32>,
    bytes: usize,
    since: Instant,
}

/// The messages that the node has not stored yet.
#[derive(Debug, Default)]
pub(super) struct Held {
    messages: BTreeMap<(PeerId, MessageId), Unstored>,
    bytes: usize,
}

impl Held {
    pub(super) fn has_room(&self) -> bool {
        self.messages.len() < MAX_HELD && self.bytes < MAX_HELD_BYTES
    }

    /// A message came; false when it was there already, so that the node knows of it.
    pub(super) fn came(
        &mut self,
        which: (PeerId, MessageId),
        place: (NodeId, u64),
        (bytes, wants_receipt, prekey): (usize, bool, Option<u32>),
        now: Instant,
    ) -> bool {
        if let Some(known) = self.messages.get_mut(&which) {
            if !known.places.contains(&place) {
                known.places.push(place);
            }
            known.prekeys.extend(prekey.filter(|id| !known.prekeys.contains(id)));
            return false;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        let (places, prekeys) = (vec![place], prekey.into_iter().collect());
        let unstored = Unstored { places, wants_receipt, prekeys, bytes, since: now };
        self.messages.insert(which, unstored);
        true
    }

    /// The node has it, or does not want it.
    pub(super) fn settled(&mut self, which: (PeerId, MessageId)) -> Option<Unstored> {
        let unstored = self.messages.remove(&which)?;
        self.bytes = self.bytes.saturating_sub(unstored.bytes);
        Some(unstored)
    }

    /// Forgets what the node could not store, and says where it lies.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Vec<NodeId> {
        let overdue = self.messages.extract_if(.., |_, held| now.since(held.since) >= STORING);
        let overdue: Vec<Unstored> = overdue.map(|(_, held)| held).collect();
        for held in &overdue {
            self.bytes = self.bytes.saturating_sub(held.bytes);
        }
        let mut relays: Vec<NodeId> =
            overdue.into_iter().flat_map(|held| held.places).map(|(relay, _)| relay).collect();
        relays.sort_unstable();
        relays.dedup();
        relays
    }

    /// When [`Self::take_overdue`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.messages.values().map(|held| held.since + STORING).min()
    }
}

/// Receipts for people whose card we do not have yet: it may come in the next envelope.
#[derive(Debug, Default)]
pub(super) struct Owed {
    receipts: VecDeque<(PeerId, Letter)>,
}

impl Owed {
    pub(super) fn push(&mut self, to: PeerId, letter: Letter) {
        if self.receipts.len() >= MAX_OWED {
            self.receipts.pop_front();
        }
        self.receipts.push_back((to, letter));
    }

    /// All of them, to be tried again.
    pub(super) fn take(&mut self) -> VecDeque<(PeerId, Letter)> {
        std::mem::take(&mut self.receipts)
    }
}

/// Receipts that a mailbox did not take, perhaps because it was full. They are left again later, for without them
/// their messages come once more.
#[derive(Debug, Default)]
pub(super) struct Refused {
    receipts: VecDeque<Later>,
}

#[derive(Debug)]
struct Later {
    due: Instant,
    to: PeerId,
    envelope: Bytes,
    refused: u32,
}

impl Refused {
    /// A receipt was refused once more, or there was no mailbox for it, after so many times before.
    pub(super) fn push(&mut self, before: u32, to: PeerId, envelope: Bytes, now: Instant) {
        if before >= MAX_REFUSALS {
            return;
        }
        if self.receipts.len() >= MAX_OWED {
            self.receipts.pop_front();
        }
        let due = now + FIRST_AGAIN.saturating_mul(1 << before);
        self.receipts.push_back(Later { due, to, envelope, refused: before.saturating_add(1) });
    }

    /// Those that are due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(PeerId, Bytes, u32)> {
        let (due, later) = std::mem::take(&mut self.receipts)
            .into_iter()
            .partition::<Vec<_>, _>(|receipt| receipt.due <= now);
        self.receipts = later.into();
        due.into_iter().map(|Later { to, envelope, refused, .. }| (to, envelope, refused)).collect()
    }

    /// When [`Self::take_due`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.receipts.iter().map(|receipt| receipt.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHICH: (PeerId, MessageId) = (PeerId([1; 8]), MessageId([2; 16]));
    const RELAY: NodeId = NodeId([3; 34]);

    #[test]
    fn a_message_that_was_left_twice_is_told_once_and_taken_from_both_places() {
        let mut held = Held::default();
        assert!(held.came(WHICH, (RELAY, 1), (10, true, None), Instant::ZERO));
        assert!(!held.came(WHICH, (RELAY, 2), (10, true, Some(7)), Instant::ZERO));
        assert!(!held.came(WHICH, (RELAY, 2), (10, true, Some(7)), Instant::ZERO));
        let unstored = held.settled(WHICH).unwrap();
        assert_eq!((unstored.places, unstored.prekeys), (vec![(RELAY, 1), (RELAY, 2)], vec![7]));
        assert!(held.settled(WHICH).is_none());
        assert!(held.came(WHICH, (RELAY, 3), (10, true, None), Instant::ZERO), "it may come again");
    }

    #[test]
    fn what_the_node_does_not_store_in_a_minute_is_fetched_again() {
        let mut held = Held::default();
        held.came(WHICH, (RELAY, 1), (10, true, None), Instant::ZERO);
        let later = Instant::ZERO + STORING;
        assert_eq!(held.poll_timeout(), Some(later));
        assert_eq!(held.take_overdue(later), [RELAY]);
        assert_eq!((held.poll_timeout(), held.bytes), (None, 0));
    }

    #[test]
    fn a_refused_receipt_is_left_again_later_each_time_and_given_up_in_the_end() {
        let (mut refused, mut now, mut before) = (Refused::default(), Instant::ZERO, 0);
        let mut tries = 0;
        loop {
            refused.push(before, PeerId([1; 8]), Bytes::from_static(b"receipt"), now);
            let Some(due) = refused.poll_timeout() else { break };
            assert!(refused.take_due(due - Duration::from_millis(1)).is_empty());
            now = due;
            before = refused.take_due(now)[0].2;
            tries += 1;
        }
        assert_eq!(tries, 13);
        assert_eq!(now.since_start(), Duration::from_secs(8191));
    }

    #[test]
    fn what_waits_to_be_stored_is_bounded_by_its_bytes() {
        let mut held = Held::default();
        assert!(held.has_room());
        held.came(WHICH, (RELAY, 1), (MAX_HELD_BYTES, true, None), Instant::ZERO);
        assert!(!held.has_room());
        held.settled(WHICH);
        assert!(held.has_room());
    }
}
