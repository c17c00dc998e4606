//! Fragment trains: a frame too long for its links, sent piece by piece at a pace the links can follow (spec 3.8).

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::ids::{AttemptId, LinkId};
use crate::time::Instant;

/// Trains that move at the same time: so many of files, and so many others, which need not wait for files.
const MAX_MOVING: usize = 2;
/// Trains that exist at the same time; a further one is refused.
pub(super) const MAX_TRAINS: usize = 32;
/// Those of them that are passed on for others: whoever floods leaves room for our own.
const MAX_OF_OTHERS: usize = MAX_TRAINS / 2;
/// How soon to look again at a link that had no room.
const NO_ROOM_WAIT: Duration = Duration::from_millis(20);
/// A link that has had no room for so long no longer holds up the others.
const STUCK: Duration = Duration::from_secs(10);

/// The gap between fragments to everyone.
pub(super) const BROADCAST_GAP: Duration = Duration::from_millis(30);
/// The gap between fragments to one peer.
pub(super) const DIRECTED_GAP: Duration = Duration::from_millis(25);

/// One frame on its way in pieces.
#[derive(Debug)]
pub(super) struct Train {
    /// The encoded fragment packets still to go.
    pub(super) fragments: VecDeque<Bytes>,
    /// Where they go.
    pub(super) links: BTreeSet<LinkId>,
    /// The pause between two of them.
    pub(super) gap: Duration,
    /// Whether somebody has to pass them on behind these links, and must be able to follow.
    pub(super) onward: bool,
    /// Whether the frame is ours.
    pub(super) own: bool,
}

/// A fragment that is due.
#[derive(Debug)]
pub(super) struct DueFragment {
    /// The encoded packet.
    pub(super) frame: Bytes,
    /// Where it goes.
    pub(super) links: BTreeSet<LinkId>,
    /// Whether it goes onward from there.
    pub(super) onward: bool,
    /// The attempt its train has the name of, and how many fragments are left behind this one.
    pub(super) of: Option<(AttemptId, usize)>,
}

#[derive(Debug)]
struct Moving {
    train: Train,
    name: Option<AttemptId>,
    due: Instant,
    waiting_since: Option<Instant>,
}

/// All trains, those in front moving.
#[derive(Debug, Default)]
pub(super) struct Trains {
    queue: VecDeque<Moving>,
}

impl Trains {
    /// Adds a train; false when there are too many, or too many of others.
    pub(super) fn add(&mut self, train: Train, now: Instant) -> bool {
        let of_others = self.queue.iter().filter(|moving| !moving.train.own).count();
        if self.queue.len() >= MAX_TRAINS || !train.own && of_others >= MAX_OF_OTHERS {
            return false;
        }
        self.queue.push_back(Moving { train, name: None, due: now, waiting_since: None });
        true
    }

    /// Gives the train that was added last the name of an attempt, for whoever wants to know how far it is.
    pub(super) fn name_last(&mut self, attempt: AttemptId) {
        if let Some(last) = self.queue.back_mut() {
            last.name = Some(attempt);
        }
    }

    /// What is left of a train with this name does not leave.
    pub(super) fn cancel(&mut self, attempt: AttemptId) {
        self.queue.retain(|moving| moving.name != Some(attempt));
    }

    /// The next fragment that is due and the links it goes to. `has_room` tells whether a link can take one, and `free_at`
    /// from when on it may have one that goes onward: a train waits for its slowest link, but not for one that is stuck.
    pub(super) fn pop_due(
        &mut self,
        now: Instant,
        has_room: impl Fn(LinkId) -> bool,
        free_at: impl Fn(LinkId) -> Instant,
    ) -> Option<DueFragment> {
        self.queue.retain(|moving| !moving.train.fragments.is_empty());
        let mut due: Vec<&mut Moving> = in_front(self.queue.iter_mut(), |moving| moving.name.is_some())
            .filter(|moving| moving.next_at(&free_at) <= now)
            .collect();
        due.sort_by_key(|moving| moving.due);
        for moving in due {
            if !moving.train.links.iter().all(|&link| has_room(link)) {
                let since = *moving.waiting_since.get_or_insert(now);
                if now.since(since) < STUCK {
                    moving.due = now + NO_ROOM_WAIT;
                    continue;
                }
                moving.train.links.retain(|&link| has_room(link));
                if moving.train.links.is_empty() {
                    continue;
                }
            }
            moving.waiting_since = None;
            moving.due = now + moving.train.gap;
            if let Some(frame) = moving.train.fragments.pop_front() {
                let of = moving.name.map(|name| (name, moving.train.fragments.len()));
                let Train { ref links, onward, .. } = moving.train;
                return Some(DueFragment { frame, links: links.clone(), onward, of });
            }
        }
        None
    }

    /// The next train that has pieces left and no link: it is over, whoever has its name.
    pub(super) fn pop_cut(&mut self) -> Option<Option<AttemptId>> {
        let is_cut = |moving: &Moving| !moving.train.fragments.is_empty() && moving.train.links.is_empty();
        let place = self.queue.iter().position(is_cut)?;
        self.queue.remove(place).map(|moving| moving.name)
    }

    /// Forgets a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        for moving in &mut self.queue {
            moving.train.links.remove(&link);
        }
    }

    /// When the next fragment is due.
    pub(super) fn poll_timeout(&self, free_at: impl Fn(LinkId) -> Instant) -> Option<Instant> {
        let queue = self.queue.iter().filter(|moving| moving.has_more());
        in_front(queue, |moving| moving.name.is_some()).map(|moving| moving.next_at(&free_at)).min()
    }
}

impl Moving {
    fn has_more(&self) -> bool {
        !self.train.fragments.is_empty() && !self.train.links.is_empty()
    }

    fn next_at(&self, free_at: impl Fn(LinkId) -> Instant) -> Instant {
        let links = self.train.links.iter().filter(|_| self.train.onward);
        links.map(|&link| free_at(link)).fold(self.due, Instant::max)
    }
}

/// Those that move: the first of files, and the first others.
fn in_front<T>(queue: impl Iterator<Item = T>, of_file: impl Fn(&T) -> bool) -> impl Iterator<Item = T> {
    let (mut files, mut others) = (0, 0);
    queue.filter(move |moving| {
        let count = if of_file(moving) { &mut files } else { &mut others };
        *count += 1;
        *count <= MAX_MOVING
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    const FILE: AttemptId = AttemptId(7);

    fn link(serial: u32) -> LinkId {
        LinkId { adapter: AdapterId(0), serial }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn train(links: &[u32]) -> Train {
        let fragments = VecDeque::from([Bytes::from_static(b"one"), Bytes::from_static(b"two")]);
        let links = links.iter().map(|&serial| link(serial)).collect();
        Train { fragments, links, gap: DIRECTED_GAP, onward: false, own: true }
    }

    #[test]
    fn a_train_whose_only_link_is_stuck_is_cut_and_no_piece_of_it_counts_as_gone() {
        let mut trains = Trains::default();
        assert!(trains.add(train(&[1]), at(0)));
        trains.name_last(FILE);
        assert!(trains.add(train(&[1]), at(0)));
        let pop = |trains: &mut Trains, seconds| trains.pop_due(at(seconds), |_| false, |_| at(0)).is_some();
        assert!((0..=10).all(|seconds| !pop(&mut trains, seconds)));
        assert_eq!(
            [trains.pop_cut(), trains.pop_cut(), trains.pop_cut()],
            [Some(Some(FILE)), Some(None), None]
        );
        assert_eq!(trains.poll_timeout(|_| at(0)), None);
    }

    #[test]
    fn a_train_goes_on_without_a_link_that_is_stuck_and_is_cut_without_any() {
        let mut trains = Trains::default();
        assert!(trains.add(train(&[1, 2]), at(0)));
        assert!(trains.pop_due(at(0), |it| it == link(2), |_| at(0)).is_none());
        let due = trains.pop_due(at(10), |it| it == link(2), |_| at(0)).expect("a piece");
        assert_eq!(due.links, BTreeSet::from([link(2)]));
        assert_eq!(trains.pop_cut(), None);
        trains.link_down(link(2));
        assert_eq!([trains.pop_cut(), trains.pop_cut()], [Some(None), None]);
    }
}
