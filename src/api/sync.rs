//! What neighbours told each other of what they missed, in JSON.

use serde::{Deserialize, Serialize};

use crate::mesh::error;

/// What gossip sync did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncCounters {
    /// Packets remembered for others at this moment.
    pub remembered: u64,
    /// Requests of ours.
    pub asked: u64,
    /// Requests of neighbours that were answered.
    pub answered: u64,
    /// Packets sent in those answers.
    pub sent: u64,
    /// Answers given up because of their bytes.
    pub cut_short: u64,
    /// Packets that came as answers to ours, and were new.
    pub taken: u64,
}

impl From<&error::SyncCounters> for SyncCounters {
    fn from(counters: &error::SyncCounters) -> Self {
        let &error::SyncCounters { remembered, asked, answered, sent, cut_short, taken } = counters;
        Self { remembered, asked, answered, sent, cut_short, taken }
    }
}
