//! Fragment trains: a frame too long for its links, sent piece by piece at a pace the links can follow (spec 3.8).

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::ids::{AttemptId, LinkId};
use crate::time::Instant;

/// Trains that move at the same time.
const MAX_MOVING: usize = 2;
/// Trains that exist at the same time; a further one is refused.
pub(super) const MAX_TRAINS: usize = 32;
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
}

/// A fragment that is due.
#[derive(Debug)]
pub(super) struct DueFragment {
    /// The encoded packet.
    pub(super) frame: Bytes,
    /// Where it goes.
    pub(super) links: BTreeSet<LinkId>,
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
    /// Adds a train; false when there are too many.
    pub(super) fn add(&mut self, train: Train, now: Instant) -> bool {
        if self.queue.len() >= MAX_TRAINS {
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

    /// The next fragment that is due and the links it goes to. `has_room` tells whether a link can take one:
    /// a train waits for its slowest link, but not for one that is stuck.
    pub(super) fn pop_due(&mut self, now: Instant, has_room: impl Fn(LinkId) -> bool) -> Option<DueFragment> {
        self.queue.retain(|moving| !moving.train.fragments.is_empty() && !moving.train.links.is_empty());
        for moving in self.queue.iter_mut().take(MAX_MOVING).filter(|moving| moving.due <= now) {
            if !moving.train.links.iter().all(|&link| has_room(link)) {
                let since = *moving.waiting_since.get_or_insert(now);
                if now.since(since) < STUCK {
                    moving.due = now + NO_ROOM_WAIT;
                    continue;
                }
                moving.train.links.retain(|&link| has_room(link));
            }
            moving.waiting_since = None;
            moving.due = now + moving.train.gap;
            if let Some(frame) = moving.train.fragments.pop_front() {
                let of = moving.name.map(|name| (name, moving.train.fragments.len()));
                return Some(DueFragment { frame, links: moving.train.links.clone(), of });
            }
        }
        None
    }

    /// Forgets a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        for moving in &mut self.queue {
            moving.train.links.remove(&link);
        }
    }

    /// When the next fragment is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.queue
            .iter()
            .filter(|moving| !moving.train.fragments.is_empty() && !moving.train.links.is_empty())
            .take(MAX_MOVING)
            .map(|moving| moving.due)
            .min()
    }
}
