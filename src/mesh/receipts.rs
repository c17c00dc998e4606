//! Receipts: ours wait for a session, and those of others make a whole of a message in parts.

use std::collections::BTreeSet;

use super::fair::Fair;
use crate::ids::{MessageId, PeerId};
use crate::wire::{NoisePayload, PartId};

/// Receipts of ours that wait at once; of whoever has the most the oldest goes first.
const MAX_WAITING: usize = 256;
/// Messages in parts whose receipts are being collected; of whoever has the most the least recently touched goes first.
const COLLECTING: usize = 256;

/// Our receipts while there is no session to send them in, oldest first.
#[derive(Debug)]
pub(super) struct Receipts {
    waiting: Fair<PeerId, NoisePayload>,
}

impl Default for Receipts {
    fn default() -> Self {
        Self { waiting: Fair::new(MAX_WAITING) }
    }
}

impl Receipts {
    /// Keeps a receipt until a session with the peer stands.
    pub(super) fn add(&mut self, peer: PeerId, receipt: NoisePayload) {
        self.waiting.push(peer, receipt);
    }

    /// Whether anything waits for this peer.
    pub(super) fn wait_for(&self, peer: PeerId) -> bool {
        self.waiting.iter().any(|(&to, _)| to == peer)
    }

    /// Everything that waits for this peer.
    pub(super) fn take(&mut self, peer: PeerId) -> Vec<NoisePayload> {
        self.waiting.take(|&to, _| to == peer)
    }
}

/// Receipts of others for messages in parts. It rests on the ids alone, so it serves messages that were sent
/// before this run, too.
#[derive(Debug)]
pub(super) struct Receipted {
    collecting: Fair<PeerId, Collected>,
}

#[derive(Debug)]
struct Collected {
    id: MessageId,
    read: bool,
    parts: BTreeSet<PartId>,
}

impl Default for Receipted {
    fn default() -> Self {
        Self { collecting: Fair::new(COLLECTING) }
    }
}

impl Receipted {
    /// Takes a receipt; the message, when that is all of it. An id that is none of ours names nothing.
    pub(super) fn accept(&mut self, from: PeerId, wire_id: &str, read: bool) -> Option<MessageId> {
        let Ok(part) = wire_id.parse::<PartId>() else { return wire_id.parse().ok() };
        let id = part.id();
        let before = self.collecting.take(|&of, it| (of, it.id, it.read) == (from, id, read)).pop();
        let mut parts = before.map(|it| it.parts).unwrap_or_default();
        parts.retain(|other| other.count() == part.count());
        parts.insert(part);
        if parts.len() == usize::from(part.count()) {
            return Some(id);
        }
        self.collecting.push(from, Collected { id, read, parts });
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: PeerId = PeerId([2; 8]);
    const UUID: &str = "00112233-4455-6677-8899-AABBCCDDEEFF";

    #[test]
    fn a_message_in_parts_is_receipted_with_its_last_part() {
        let mut receipted = Receipted::default();
        let part = |index: u8| format!("{UUID}/{index}.3");
        for index in [1, 3, 3] {
            assert_eq!(receipted.accept(BOB, &part(index), false), None);
        }
        assert_eq!(receipted.accept(BOB, &part(2), true), None, "that it was read is another matter");
        assert_eq!(receipted.accept(BOB, &part(2), false), UUID.parse().ok());
    }

    #[test]
    fn a_plain_id_of_ours_is_a_whole_message_and_a_foreign_id_is_none() {
        let mut receipted = Receipted::default();
        assert_eq!(receipted.accept(BOB, UUID, true), UUID.parse().ok());
        assert_eq!(receipted.accept(BOB, "message 7", true), None);
    }
}
