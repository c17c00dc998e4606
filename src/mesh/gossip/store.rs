//! The packets of one kind, within bounds: when there are too many, whoever has most of them here loses its oldest.
//!
//! A flooder so displaces only itself, as long as it has no more identities than the store has places: a verified author
//! has a share of its own, and what nobody signed belongs to the share of the neighbour that brought it. Identities cost
//! nothing; so for something of a stranger nothing goes that is of somebody known.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::config::Limit;
use crate::ids::{PacketId, PeerId};
use crate::time::UnixMillis;
use crate::wire::FilterHash;

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: PacketId,
    pub(super) hash: FilterHash,
    /// The frame as it came, without padding.
    pub(super) frame: Bytes,
    pub(super) author: PeerId,
    /// Whose places it takes.
    pub(super) share: PeerId,
    /// The packet's timestamp.
    pub(super) sent: UnixMillis,
    pub(super) expires: UnixMillis,
    /// When it came here.
    pub(super) arrived: UnixMillis,
    /// The id of its train, when it is a fragment.
    pub(super) train: Option<[u8; 8]>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Share {
    count: usize,
    bytes: usize,
}

/// Packets of one kind.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// The oldest first.
    entries: BTreeMap<(UnixMillis, PacketId), Entry>,
    sent: BTreeMap<PacketId, UnixMillis>,
    shares: BTreeMap<PeerId, Share>,
    bytes: usize,
}

impl Store {
    /// Puts a packet in; those that had to go for it, the new one perhaps among them.
    pub(super) fn insert(
        &mut self,
        entry: Entry,
        limit: Limit,
        known: impl Fn(PeerId) -> bool,
    ) -> Vec<Entry> {
        if self.contains(entry.id) {
            return Vec::new();
        }
        let by_known = known(entry.share);
        let share = self.shares.entry(entry.share).or_default();
        share.count += 1;
        share.bytes += entry.frame.len();
        self.bytes += entry.frame.len();
        self.sent.insert(entry.id, entry.sent);
        self.entries.insert((entry.sent, entry.id), entry);
        let mut gone = Vec::new();
        while let Some(victim) = self.victim(limit, by_known, &known) {
            gone.extend(self.remove(victim));
        }
        gone
    }

    pub(super) fn contains(&self, id: PacketId) -> bool {
        self.sent.contains_key(&id)
    }

    pub(super) fn get(&self, id: PacketId) -> Option<&Entry> {
        self.entries.get(&(*self.sent.get(&id)?, id))
    }

    pub(super) fn remove(&mut self, id: PacketId) -> Option<Entry> {
        let sent = self.sent.remove(&id)?;
        let entry = self.entries.remove(&(sent, id))?;
        self.bytes -= entry.frame.len();
        if let Some(share) = self.shares.get_mut(&entry.share) {
            share.count -= 1;
            share.bytes -= entry.frame.len();
            if share.count == 0 {
                self.shares.remove(&entry.share);
            }
        }
        Some(entry)
    }

    /// Every packet, the oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.values()
    }

    /// Whether anything in here belongs to this share.
    pub(super) fn has_share(&self, share: PeerId) -> bool {
        self.shares.contains_key(&share)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What has to go next, while there is too much: of whoever has most, and rather of strangers than of the known.
    fn victim(&self, limit: Limit, by_known: bool, known: &impl Fn(PeerId) -> bool) -> Option<PacketId> {
        let measure: fn(&Share) -> usize = if self.entries.len() > limit.count {
            |share| share.count
        } else if self.bytes > limit.bytes {
            |share| share.bytes
        } else {
            return None;
        };
        let weight = |owner: &PeerId| {
            let stranger = !known(*owner);
            let share = self.shares.get(owner).filter(|_| stranger || by_known)?;
            Some((measure(share), stranger))
        };
        let most = self.shares.keys().filter_map(weight).max()?;
        self.entries.values().find(|entry| weight(&entry.share) == Some(most)).map(|entry| entry.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const LIMIT: Limit = Limit { count: 10, bytes: 1_000, age: Duration::MAX };

    fn entry(number: u8, share: u8, sent: u64, len: usize) -> Entry {
        let id = PacketId([number; 16]);
        Entry {
            id,
            hash: FilterHash::of(id),
            frame: vec![0; len].into(),
            author: PeerId([share; 8]),
            share: PeerId([share; 8]),
            sent: UnixMillis(sent),
            expires: UnixMillis(u64::MAX),
            arrived: UnixMillis(sent),
            train: None,
        }
    }

    #[test]
    fn who_has_most_loses_its_oldest() {
        let mut store = Store::default();
        for number in 0..3 {
            store.insert(entry(number, 1, 5, 10), LIMIT, |_| true);
        }
        for number in 100..200 {
            let gone = store.insert(entry(number, 9, u64::from(number), 10), LIMIT, |_| true);
            assert!(gone.iter().all(|gone| gone.share == PeerId([9; 8])));
        }
        assert_eq!(store.len(), 10);
        assert!((0..3).all(|number| store.contains(PacketId([number; 16]))));
        assert!((193..200).all(|number| store.contains(PacketId([number; 16]))), "the newest of the flooder");
    }

    #[test]
    fn what_comes_too_late_for_its_share_is_what_goes() {
        let mut store = Store::default();
        for number in 10..20 {
            store.insert(entry(number, 1, u64::from(number), 10), LIMIT, |_| true);
        }
        let gone = store.insert(entry(1, 1, 1, 10), LIMIT, |_| true);
        assert_eq!(gone.len(), 1);
        assert_eq!(gone[0].id, PacketId([1; 16]));
    }

    #[test]
    fn bytes_are_bounded_too_and_the_one_with_most_of_them_pays() {
        let mut store = Store::default();
        store.insert(entry(1, 1, 1, 100), LIMIT, |_| true);
        store.insert(entry(2, 2, 2, 800), LIMIT, |_| true);
        let gone = store.insert(entry(3, 1, 3, 200), LIMIT, |_| true);
        assert_eq!(gone.iter().map(|gone| gone.id).collect::<Vec<_>>(), [PacketId([2; 16])]);
    }

    #[test]
    fn for_a_strangers_packet_nothing_goes_that_is_of_somebody_known() {
        let mut store = Store::default();
        let known = |share| share == PeerId([1; 8]);
        for number in 0..3 {
            store.insert(entry(number, 1, 5, 10), LIMIT, known);
        }
        for number in 100..200 {
            store.insert(entry(number, number, u64::from(number), 10), LIMIT, known);
        }
        assert!((0..3).all(|number| store.contains(PacketId([number; 16]))));
        for number in 10..20 {
            store.insert(entry(number, 1, 300, 10), LIMIT, known);
        }
        let gone = store.insert(entry(200, 200, 300, 10), LIMIT, known);
        assert!(gone.iter().all(|gone| gone.share != PeerId([1; 8])), "{gone:?}");
        assert_eq!(store.len(), LIMIT.count);
    }

    #[test]
    fn of_equals_strangers_go_before_the_known() {
        let mut store = Store::default();
        let known = |share: PeerId| share.0[0] < 20;
        store.insert(entry(1, 1, 1, 10), LIMIT, known);
        for number in 100..200 {
            store.insert(entry(number, number, u64::from(number), 10), LIMIT, known);
        }
        for number in 2..12 {
            store.insert(entry(number, number, 300, 10), LIMIT, known);
            assert_eq!(store.contains(PacketId([1; 16])), number < 11, "while strangers are left");
        }
    }

    proptest! {
        #[test]
        fn the_bounds_and_the_books_hold(
            steps in proptest::collection::vec((any::<u8>(), 0_u8..5, 0_u64..50, 0_usize..300, any::<bool>()), 0..200),
        ) {
            let mut store = Store::default();
            for (number, share, sent, len, put) in steps {
                if put {
                    store.insert(entry(number, share, sent, len), LIMIT, |share| share.0[0] < 2);
                } else {
                    store.remove(PacketId([number; 16]));
                }
                prop_assert!(store.len() <= LIMIT.count && store.bytes <= LIMIT.bytes);
                prop_assert_eq!(store.bytes, store.iter().map(|entry| entry.frame.len()).sum::<usize>());
                prop_assert_eq!(store.sent.len(), store.len());
                prop_assert_eq!(store.shares.values().map(|share| share.count).sum::<usize>(), store.len());
            }
        }
    }
}
