//! What will happen, in order of time, and among simultaneous things in the order they were planned.

use std::collections::BTreeMap;

use crate::time::Instant;

/// A queue in virtual time.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    planned: BTreeMap<(Instant, u64), T>,
    next: u64,
}

impl<T> Timeline<T> {
    pub(super) fn new() -> Self {
        Self { planned: BTreeMap::new(), next: 0 }
    }

    pub(super) fn plan(&mut self, at: Instant, what: T) {
        self.planned.insert((at, self.next), what);
        self.next += 1;
    }

    /// The first thing whose time has come, with its time.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, T)> {
        let entry = self.planned.first_entry()?;
        let &(at, _) = entry.key();
        (at <= now).then(|| (at, entry.remove()))
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.planned.first_key_value().map(|(&(at, _), _)| at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn simultaneous_things_keep_their_order() {
        let at = |ms| Instant::from_start(Duration::from_millis(ms));
        let mut timeline = Timeline::new();
        for (ms, what) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            timeline.plan(at(ms), what);
        }
        assert_eq!(timeline.next_at(), Some(at(1)));
        let order: String = std::iter::from_fn(|| timeline.pop_due(at(2)).map(|(_, what)| what)).collect();
        assert_eq!((order.as_str(), timeline.next_at()), ("abcd", None));
    }
}
