//! So many in a span of time, and no more.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;

/// When the last few happened.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: VecDeque<Instant>,
}

impl Budget {
    /// Whether one more may happen, of at most `most` in each `span`; counts it when it may.
    pub(super) fn spend(&mut self, most: usize, span: Duration, now: Instant) -> bool {
        while self.spent.front().is_some_and(|&at| now.since(at) >= span) {
            self.spent.pop_front();
        }
        let left = self.spent.len() < most;
        if left {
            self.spent.push_back(now);
        }
        left
    }

    /// When the last one happened.
    pub(super) fn last(&self) -> Option<Instant> {
        self.spent.back().copied()
    }
}
