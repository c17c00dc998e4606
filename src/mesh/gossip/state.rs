//! The state of gossip sync in an engine.

use std::time::Duration;

use super::archive::Archive;
use super::config::Config;
use super::replies::Replies;
use super::schedule::Schedule;
use super::stalled::Stalled;
use crate::time::Instant;

/// How often what is too old is looked for, while anything is remembered.
const SWEEP: Duration = Duration::from_secs(60);

/// Everything gossip sync knows.
#[derive(Debug)]
pub(in crate::mesh) struct Gossip {
    pub(super) archive: Archive,
    pub(super) schedule: Schedule,
    pub(super) replies: Replies,
    pub(super) stalled: Stalled,
    pub(super) filter_bytes: usize,
    /// When what is too old is looked for next.
    sweep: Instant,
}

impl Gossip {
    /// Nothing is remembered, nobody known.
    pub(in crate::mesh) fn new(config: Config) -> Self {
        Self {
            replies: Replies::new(&config),
            filter_bytes: config.filter_bytes,
            archive: Archive::new(config),
            schedule: Schedule::default(),
            stalled: Stalled::default(),
            sweep: Instant::ZERO,
        }
    }

    /// When there is something to ask, to send or to forget.
    pub(in crate::mesh) fn poll_timeout(&self) -> Option<Instant> {
        [
            self.schedule.poll_timeout(),
            self.replies.poll_timeout(),
            self.stalled.poll_timeout(),
            (self.archive.len() > 0).then_some(self.sweep),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How many packets are remembered: what a fuzz target asks in the end.
    #[cfg(any(test, fuzzing))]
    pub(in crate::mesh) fn remembered(&self) -> usize {
        self.archive.len()
    }

    /// Whether it is time to forget what is too old.
    pub(super) fn sweep_due(&mut self, now: Instant) -> bool {
        let due = self.sweep <= now;
        if due {
            self.sweep = now + SWEEP;
        }
        due
    }
}
