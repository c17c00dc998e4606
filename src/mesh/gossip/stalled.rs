//! Trains of fragments to everyone that miss a piece: neighbours are asked for it (spec 3.7).
//!
//! Anybody can begin trains that nobody will ever end. So those that one link brought take the places of its own, and what
//! waits is asked for all at once, seldom enough for the regular rounds to be answered beside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::{LinkId, PeerId};
use crate::mesh::fair::Fair;
use crate::time::Instant;
use crate::wire::MAX_FRAGMENT_IDS;

/// How long no piece came before neighbours are asked.
const IDLE: Duration = Duration::from_secs(5);
/// How long before they are asked once more, for the last time.
const AGAIN: Duration = Duration::from_secs(10);
/// Between two requests: four in 30 s, and two of the regular rounds, of the eight that a neighbour answers.
const GAP: Duration = Duration::from_secs(8);
/// Trains watched at once; when one more comes, the link that brought the most of them loses its oldest.
const MAX_WATCHED: usize = 128;

/// Whose train it is, and its id.
type Name = (PeerId, [u8; 8]);

#[derive(Debug)]
struct Waiting {
    name: Name,
    due: Instant,
    asked: bool,
}

/// The trains of which some pieces came.
#[derive(Debug)]
pub(super) struct Stalled {
    trains: Fair<Option<LinkId>, Waiting>,
    /// When neighbours were asked last.
    asked: Option<Instant>,
}

impl Default for Stalled {
    fn default() -> Self {
        Self { trains: Fair::new(MAX_WATCHED), asked: None }
    }
}

impl Stalled {
    /// A piece came over this link, and others are missing.
    pub(super) fn waits(&mut self, author: PeerId, train: [u8; 8], link: Option<LinkId>, now: Instant) {
        let name = (author, train);
        let (due, asked) = (now + IDLE, false);
        if let Some(waiting) = self.trains.iter_mut().find(|waiting| waiting.name == name) {
            (waiting.due, waiting.asked) = (due, asked);
            return;
        }
        self.trains.push(link, Waiting { name, due, asked });
    }

    /// It is whole, or was given up.
    pub(super) fn over(&mut self, author: PeerId, train: [u8; 8]) {
        self.trains.take(|_, waiting| waiting.name == (author, train));
    }

    /// The trains to ask for, as many as one request names: of each link in turn, the oldest first.
    pub(super) fn pop_due(&mut self, now: Instant) -> Vec<[u8; 8]> {
        if self.poll_timeout().is_none_or(|next| next > now) {
            return Vec::new();
        }
        let mut turns: BTreeMap<Option<LinkId>, usize> = BTreeMap::new();
        let due = self.trains.iter().filter(|(_, waiting)| waiting.due <= now);
        let mut due: Vec<(usize, Name)> = due
            .map(|(&link, waiting)| {
                let turn = turns.entry(link).or_default();
                *turn += 1;
                (*turn, waiting.name)
            })
            .collect();
        due.sort_unstable();
        let due: BTreeSet<Name> = due.into_iter().take(MAX_FRAGMENT_IDS).map(|(_, name)| name).collect();
        self.trains.take(|_, waiting| waiting.asked && due.contains(&waiting.name));
        for waiting in self.trains.iter_mut().filter(|waiting| due.contains(&waiting.name)) {
            (waiting.due, waiting.asked) = (now + AGAIN, true);
        }
        self.asked = Some(now);
        due.into_iter().map(|(_, train)| train).collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let due = self.trains.iter().map(|(_, waiting)| waiting.due).min()?;
        Some(self.asked.map_or(due, |asked| due.max(asked + GAP)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    const ALICE: PeerId = PeerId([1; 8]);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn over(serial: u32) -> Option<LinkId> {
        Some(LinkId { adapter: AdapterId(0), serial })
    }

    #[test]
    fn a_train_is_asked_for_after_five_seconds_of_silence_and_once_more_after_ten() {
        let mut stalled = Stalled::default();
        stalled.waits(ALICE, [1; 8], over(1), at(0));
        stalled.waits(ALICE, [1; 8], over(2), at(3));
        assert!(stalled.pop_due(at(7)).is_empty());
        assert_eq!(stalled.pop_due(at(8)), [[1; 8]]);
        assert!(stalled.pop_due(at(17)).is_empty());
        assert_eq!(stalled.pop_due(at(18)), [[1; 8]]);
        assert_eq!(stalled.poll_timeout(), None);
    }

    #[test]
    fn what_stalls_meanwhile_is_asked_for_together() {
        let mut stalled = Stalled::default();
        for second in 0..8 {
            stalled.waits(ALICE, [second; 8], over(1), at(second.into()));
        }
        assert_eq!(stalled.pop_due(at(5)), [[0; 8]]);
        assert_eq!(stalled.poll_timeout(), Some(at(13)));
        assert!(stalled.pop_due(at(12)).is_empty());
        assert_eq!(stalled.pop_due(at(13)), (1..8).map(|second| [second; 8]).collect::<Vec<_>>());
    }

    #[test]
    fn a_whole_train_is_not_asked_for_and_no_more_are_watched_than_can_be() {
        let mut stalled = Stalled::default();
        stalled.waits(ALICE, [1; 8], over(1), at(0));
        stalled.over(ALICE, [1; 8]);
        assert_eq!(stalled.poll_timeout(), None);
        for train in 0..1_000_u64 {
            stalled.waits(ALICE, train.to_be_bytes(), over(1), at(0));
        }
        assert_eq!(stalled.trains.iter().count(), MAX_WATCHED);
        assert_eq!(stalled.pop_due(at(5)).len(), MAX_FRAGMENT_IDS);
    }

    #[test]
    fn the_trains_of_one_link_neither_displace_nor_delay_those_of_another() {
        let mut stalled = Stalled::default();
        let flood = |n: u64| (PeerId([0; 8]), n.to_be_bytes());
        for n in 0..500 {
            stalled.waits(flood(n).0, flood(n).1, over(2), at(0));
        }
        stalled.waits(ALICE, [9; 8], over(1), at(0));
        for n in 500..1_000 {
            stalled.waits(flood(n).0, flood(n).1, over(2), at(0));
        }
        assert!(stalled.pop_due(at(5)).contains(&[9; 8]));
    }
}
