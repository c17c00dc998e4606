//! Nostr events that cross the mesh: so many a minute of each who sends them (spec 3.16).

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use crate::ids::PeerId;
use crate::mesh::budget::Budget;
use crate::time::Instant;
use crate::wire::carrier::Direction;

/// The time that budgets are for.
const MINUTE: Duration = Duration::from_secs(60);
/// Senders whose events are counted at once; the least recently heard is forgotten first.
const SENDERS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// When the events of each sender came.
#[derive(Debug)]
pub(super) struct Carriers {
    events: LruCache<(PeerId, Direction), Budget>,
}

impl Default for Carriers {
    fn default() -> Self {
        Self { events: LruCache::new(SENDERS) }
    }
}

impl Carriers {
    /// An event came; whether it is within its sender's budget.
    pub(super) fn take(&mut self, sender: PeerId, direction: Direction, now: Instant) -> bool {
        let spent = self.events.get_or_insert_mut((sender, direction), Budget::default);
        spent.spend(budget(direction), MINUTE, now)
    }
}

/// Events a minute, as in the iOS app.
const fn budget(direction: Direction) -> usize {
    match direction {
        Direction::ToGateway | Direction::ToBridge => 10,
        Direction::FromGateway => 30,
        Direction::FromBridge => 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sender_has_a_budget_for_each_minute() {
        let mut carriers = Carriers::default();
        let at = |seconds| Instant::from_start(Duration::from_secs(seconds));
        let mut take =
            |sender: u8, seconds| carriers.take(PeerId([sender; 8]), Direction::ToGateway, at(seconds));
        assert_eq!((0..50).filter(|_| take(1, 0)).count(), 10);
        assert!(take(2, 0), "another's budget is its own");
        assert!(!take(1, 59) && take(1, 60));
    }
}
