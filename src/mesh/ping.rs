//! Pings of ours that wait for their pong, and how many of others are answered (spec 3.15).

use std::collections::BTreeMap;
use std::time::Duration;

use super::budget::Budget;
use super::diagnostics::Nonce;
use crate::ids::{LinkId, PeerId};
use crate::time::Instant;

/// Pings answered, and pings sent, in one [`WINDOW`]; a link's neighbours share those that come over it.
const BUDGET: usize = 5;
/// Over how long pings are counted.
const WINDOW: Duration = Duration::from_secs(10);
/// How long a pong is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Both sides of pinging.
#[derive(Debug, Default)]
pub(super) struct Pings {
    waiting: BTreeMap<Nonce, (PeerId, Instant)>,
    own: Budget,
    answered: BTreeMap<LinkId, Budget>,
}

impl Pings {
    /// Whether one more ping of ours may leave; it waits for its pong from here on. At most [`BUDGET`] leave in ten
    /// seconds, because a neighbour relays or answers no more of one link.
    pub(super) fn begin(&mut self, to: PeerId, nonce: Nonce, now: Instant) -> bool {
        if self.waiting.contains_key(&nonce) || !self.own.spend(BUDGET, WINDOW, now) {
            return false;
        }
        self.waiting.insert(nonce, (to, now));
        true
    }

    /// Whether a ping that came over this link is answered.
    pub(super) fn answers(&mut self, link: LinkId, now: Instant) -> bool {
        self.answered.entry(link).or_default().spend(BUDGET, WINDOW, now)
    }

    /// A pong: how long after its ping, when that was ours and went to this peer.
    pub(super) fn pong(&mut self, from: PeerId, nonce: Nonce, now: Instant) -> Option<Duration> {
        let &(_, sent) = self.waiting.get(&nonce).filter(|(to, _)| *to == from)?;
        self.waiting.remove(&nonce);
        Some(now.since(sent))
    }

    /// The next ping that nothing answered in time.
    pub(super) fn pop_lost(&mut self, now: Instant) -> Option<(PeerId, Nonce)> {
        let (&nonce, &(to, _)) = self.waiting.iter().find(|(_, (_, sent))| now.since(*sent) >= PATIENCE)?;
        self.waiting.remove(&nonce);
        Some((to, nonce))
    }

    /// When [`Self::pop_lost`] has something.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.values().map(|&(_, sent)| sent + PATIENCE).min()
    }

    /// Forgets a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        self.answered.remove(&link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    const ALICE: PeerId = PeerId([1; 8]);
    const MALLORY: PeerId = PeerId([9; 8]);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn link(serial: u32) -> LinkId {
        LinkId { adapter: AdapterId(0), serial }
    }

    #[test]
    fn five_pings_in_ten_seconds_are_answered_on_each_link() {
        let mut pings = Pings::default();
        let mut answered =
            |serial, seconds| (0..8).filter(|_| pings.answers(link(serial), at(seconds))).count();
        assert_eq!((answered(1, 0), answered(2, 1), answered(1, 9), answered(1, 10)), (5, 5, 0, 5));
    }

    #[test]
    fn a_pong_counts_once_and_only_from_the_peer_that_was_asked() {
        let mut pings = Pings::default();
        assert!(pings.begin(ALICE, [1; 8], at(0)));
        assert!(!pings.begin(ALICE, [1; 8], at(0)), "the nonce is taken");
        assert_eq!(pings.pong(MALLORY, [1; 8], at(1)), None);
        assert_eq!(pings.pong(ALICE, [1; 8], at(2)), Some(Duration::from_secs(2)));
        assert_eq!(pings.pong(ALICE, [1; 8], at(3)), None);
    }

    #[test]
    fn a_ping_without_a_pong_is_lost_after_ten_seconds_and_no_more_than_five_wait() {
        let mut pings = Pings::default();
        let sent = (0..20).filter(|&nonce| pings.begin(ALICE, [nonce; 8], at(0))).count();
        assert_eq!((sent, pings.poll_timeout()), (5, Some(at(10))));
        assert_eq!(pings.pop_lost(at(9)), None);
        let mut lost = 0;
        while pings.pop_lost(at(10)).is_some() {
            lost += 1;
        }
        assert_eq!((lost, pings.poll_timeout()), (5, None));
    }
}
