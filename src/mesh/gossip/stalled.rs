//! Trains of fragments to everyone that miss a piece: neighbours are asked for it (spec 3.7).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::PeerId;
use crate::time::Instant;
use crate::wire::MAX_FRAGMENT_IDS;

/// How long no piece came before neighbours are asked.
const IDLE: Duration = Duration::from_secs(5);
/// How long before they are asked once more, for the last time.
const AGAIN: Duration = Duration::from_secs(10);
/// Trains watched at once; a further one is not.
const MAX_WATCHED: usize = 128;

#[derive(Debug)]
struct Waiting {
    due: Instant,
    asked: bool,
}

/// The trains of which some pieces came.
#[derive(Debug, Default)]
pub(super) struct Stalled {
    trains: BTreeMap<(PeerId, [u8; 8]), Waiting>,
}

impl Stalled {
    /// A piece came, and others are missing.
    pub(super) fn waits(&mut self, author: PeerId, train: [u8; 8], now: Instant) {
        let key = (author, train);
        if self.trains.len() < MAX_WATCHED || self.trains.contains_key(&key) {
            self.trains.insert(key, Waiting { due: now + IDLE, asked: false });
        }
    }

    /// It is whole, or was given up.
    pub(super) fn over(&mut self, author: PeerId, train: [u8; 8]) {
        self.trains.remove(&(author, train));
    }

    /// The trains to ask for, as many as one request names.
    pub(super) fn pop_due(&mut self, now: Instant) -> Vec<[u8; 8]> {
        let due = self.trains.iter().filter(|(_, waiting)| waiting.due <= now).map(|(&key, _)| key);
        let due: Vec<_> = due.take(MAX_FRAGMENT_IDS).collect();
        for key in &due {
            match self.trains.get_mut(key) {
                Some(waiting) if !waiting.asked => *waiting = Waiting { due: now + AGAIN, asked: true },
                Some(_) | None => drop(self.trains.remove(key)),
            }
        }
        due.into_iter().map(|(_, train)| train).collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.trains.values().map(|waiting| waiting.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: PeerId = PeerId([1; 8]);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_train_is_asked_for_after_five_seconds_of_silence_and_once_more_after_ten() {
        let mut stalled = Stalled::default();
        stalled.waits(ALICE, [1; 8], at(0));
        stalled.waits(ALICE, [1; 8], at(3));
        assert!(stalled.pop_due(at(7)).is_empty());
        assert_eq!(stalled.pop_due(at(8)), [[1; 8]]);
        assert!(stalled.pop_due(at(17)).is_empty());
        assert_eq!(stalled.pop_due(at(18)), [[1; 8]]);
        assert_eq!(stalled.poll_timeout(), None);
    }

    #[test]
    fn a_whole_train_is_not_asked_for_and_no_more_are_watched_than_can_be() {
        let mut stalled = Stalled::default();
        stalled.waits(ALICE, [1; 8], at(0));
        stalled.over(ALICE, [1; 8]);
        assert_eq!(stalled.poll_timeout(), None);
        for train in 0..1_000_u64 {
            stalled.waits(ALICE, train.to_be_bytes(), at(0));
        }
        assert_eq!(stalled.trains.len(), MAX_WATCHED);
        assert_eq!(stalled.pop_due(at(5)).len(), MAX_FRAGMENT_IDS);
    }
}
