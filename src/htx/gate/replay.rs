//! Which tickets were used, for as long as they could be shown again (betanet-htx 4, D-9).

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::verdict::Refusal;
use crate::htx::ticket::{hour_of, start_of_hour};
use crate::time::UnixMillis;

/// A ticket that was used: what has to be kept on disk, across restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayEntry {
    /// A hash of the ticket.
    ///
    /// Not the client's key: several keys agree on the same secret (X25519 passes over the highest bit, and a point of
    /// small order added to a key does not show in the secret), so that who saw a ticket could show it again under
    /// another key.
    pub mark: [u8; 32],
    /// The hour that the ticket was made for: Unix seconds divided by 3,600.
    pub hour: u64,
}

impl ReplayEntry {
    pub(super) fn of(access: &[u8; 32], hour: u64) -> Self {
        Self { mark: Sha256::digest(access).into(), hour }
    }

    /// From when on it need not be kept: the end of the hour after its own.
    pub fn ends(&self) -> UnixMillis {
        start_of_hour(self.hour.saturating_add(2))
    }
}

/// The tickets that were used. When it is full it takes no new one, and so lets nobody in: none is forgotten early.
#[derive(Debug)]
pub(super) struct ReplayMemory {
    used: BTreeMap<u64, BTreeSet<[u8; 32]>>,
    most: usize,
    /// The first hour that is remembered.
    first: u64,
}

impl ReplayMemory {
    pub(super) fn new(most: usize, remembered: impl IntoIterator<Item = ReplayEntry>) -> Self {
        let mut memory = Self { used: BTreeMap::new(), most, first: 0 };
        for entry in remembered {
            memory.used.entry(entry.hour).or_default().insert(entry.mark);
        }
        memory
    }

    /// Remembers a ticket that was not used before.
    pub(super) fn remember(&mut self, entry: ReplayEntry, now: UnixMillis) -> Result<(), Refusal> {
        self.forget(now);
        if entry.hour < self.first {
            return Err(Refusal::Forgotten);
        }
        if self.used.get(&entry.hour).is_some_and(|marks| marks.contains(&entry.mark)) {
            return Err(Refusal::Replayed);
        }
        if self.len() >= self.most {
            return Err(Refusal::MemoryFull);
        }
        self.used.entry(entry.hour).or_default().insert(entry.mark);
        Ok(())
    }

    /// Forgets the hours whose tickets are accepted no more. Should the clock go back to them, they stay refused.
    pub(super) fn forget(&mut self, now: UnixMillis) {
        self.first = self.first.max(hour_of(now).saturating_sub(1));
        self.used = self.used.split_off(&self.first);
    }

    pub(super) fn len(&self) -> usize {
        self.used.values().map(BTreeSet::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(mark: u8, hour: u64) -> ReplayEntry {
        ReplayEntry { mark: [mark; 32], hour }
    }

    #[test]
    fn r13_a_full_memory_refuses_new_tickets_and_forgets_none() {
        let mut memory = ReplayMemory::new(2, []);
        let now = start_of_hour(100);
        assert_eq!(memory.remember(entry(1, 100), now), Ok(()));
        assert_eq!(memory.remember(entry(2, 101), now), Ok(()));
        assert_eq!(memory.remember(entry(3, 100), now), Err(Refusal::MemoryFull));
        for used in [entry(1, 100), entry(2, 101)] {
            assert_eq!(memory.remember(used, now), Err(Refusal::Replayed));
        }
        assert_eq!(memory.remember(entry(3, 102), start_of_hour(102)), Ok(()), "hour 100 is over");
        assert_eq!(memory.len(), 2);
    }

    #[test]
    fn r13_a_ticket_is_remembered_until_the_end_of_the_hour_after_its_own() {
        let mut memory = ReplayMemory::new(9, [entry(1, 100)]);
        let end = entry(1, 100).ends();
        assert_eq!(end, start_of_hour(102));
        assert_eq!(memory.remember(entry(1, 100), UnixMillis(end.0 - 1)), Err(Refusal::Replayed));
        memory.forget(end);
        assert_eq!(memory.len(), 0);
    }

    #[test]
    fn r13_a_clock_that_goes_back_does_not_open_a_forgotten_hour() {
        let mut memory = ReplayMemory::new(9, [entry(1, 100)]);
        memory.forget(start_of_hour(102));
        for mark in [1, 2] {
            assert_eq!(memory.remember(entry(mark, 100), start_of_hour(100)), Err(Refusal::Forgotten));
        }
    }
}
