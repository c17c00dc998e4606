//! What of all this is told in `hopline status`.

/// What was done since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Envelopes of our own texts left with a courier, each with each courier.
    pub deposited: u64,
    /// Envelopes taken to be carried.
    pub taken: u64,
    /// Shares given to other couriers.
    pub shared: u64,
    /// Envelopes handed to their recipients, over nodes in between too.
    pub handed: u64,
    /// Envelopes for us that were opened.
    pub opened: u64,
}

/// What there is at this time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Envelopes carried for others.
    pub carried: usize,
    /// Texts of ours that couriers have, or that wait for one.
    pub waiting: usize,
    /// Prekeys of ours that nobody used yet.
    pub prekeys: usize,
    /// People whose prekeys we have.
    pub bundles: usize,
    /// What was done since the start.
    pub counts: Counts,
}
