//! What `GET /v1/status` says of mail for who is away.

use serde::{Deserialize, Serialize};

use crate::mesh::courier::Report;

/// Mail that is carried for others, our own that others carry, and the keys for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CourierReport {
    /// Envelopes carried for others.
    pub carried: usize,
    /// Texts of ours that couriers have, or that wait for one.
    pub waiting: usize,
    /// Prekeys of ours that nobody used yet.
    pub prekeys: usize,
    /// People whose prekeys are known.
    pub bundles: usize,
    /// Envelopes of our texts left with couriers since the start.
    pub deposited: u64,
    /// Envelopes taken to be carried.
    pub taken: u64,
    /// Shares given to other couriers.
    pub shared: u64,
    /// Envelopes handed over.
    pub handed: u64,
    /// Envelopes for us that were opened.
    pub opened: u64,
}

impl From<Report> for CourierReport {
    fn from(report: Report) -> Self {
        let Report { carried, waiting, prekeys, bundles, counts } = report;
        Self {
            carried,
            waiting,
            prekeys,
            bundles,
            deposited: counts.deposited,
            taken: counts.taken,
            shared: counts.shared,
            handed: counts.handed,
            opened: counts.opened,
        }
    }
}
