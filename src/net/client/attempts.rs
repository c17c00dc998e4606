//! How often relays have refused us (spec chapter 4: at most three tries in ten minutes).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::ids::NodeId;
use crate::time::Instant;

/// Refusals within the window.
const TRIES: usize = 3;
/// How long a refusal counts.
const WINDOW: Duration = Duration::from_secs(600);
/// Relays that are remembered; with more, the one whose last refusal is the oldest is forgotten.
const RELAYS: usize = 256;

/// The refusals of the last ten minutes.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<BTreeMap<NodeId, VecDeque<Instant>>>);

impl Attempts {
    /// When a relay may be shown a ticket again; `None` for now.
    pub(super) fn rest(&self, relay: NodeId, now: Instant) -> Option<Instant> {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = refusals.get_mut(&relay)?;
        times.retain(|&at| now.since(at) < WINDOW);
        let first = times.front().copied();
        if times.is_empty() {
            refusals.remove(&relay);
        }
        first.filter(|_| refusals.get(&relay).is_some_and(|times| times.len() >= TRIES)).map(|at| at + WINDOW)
    }

    /// A relay has refused a ticket.
    pub(super) fn refused(&self, relay: NodeId, now: Instant) {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= RELAYS && !refusals.contains_key(&relay) {
            let oldest = refusals.iter().min_by_key(|(_, times)| times.back().copied()).map(|(id, _)| *id);
            oldest.map(|id| refusals.remove(&id));
        }
        let times = refusals.entry(relay).or_default();
        times.push_back(now);
        if times.len() > TRIES {
            times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_refusals_a_relay_is_left_alone_until_the_first_is_ten_minutes_old() {
        let attempts = Attempts::default();
        let relay = NodeId([1; 34]);
        let at = |seconds| Instant::from_start(Duration::from_secs(seconds));
        for second in [0, 60, 120] {
            assert_eq!(attempts.rest(relay, at(second)), None);
            attempts.refused(relay, at(second));
        }
        assert_eq!(attempts.rest(relay, at(121)), Some(at(600)));
        assert_eq!(attempts.rest(NodeId([2; 34]), at(121)), None, "another relay has refused nothing");
        assert_eq!(attempts.rest(relay, at(600)), None);
        attempts.refused(relay, at(600));
        assert_eq!(attempts.rest(relay, at(601)), Some(at(660)));
    }
}
