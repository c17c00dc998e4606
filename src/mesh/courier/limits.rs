//! How much is carried, and for whom.

use std::time::Duration;

/// How long an envelope lives (spec 3.11).
pub(super) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How much longer an envelope may say it lives: clocks differ.
pub(super) const SLACK: Duration = Duration::from_secs(60 * 60);

/// What a courier takes. The defaults are what the apps do (spec 3.11); a node on mains may take far more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Envelopes in all.
    pub envelopes: usize,
    /// Of them, from people who are verified but no favourites.
    pub from_verified: usize,
    /// From each favourite.
    pub per_favourite: usize,
    /// From each of the verified.
    pub per_verified: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { envelopes: 40, from_verified: 20, per_favourite: 5, per_verified: 2 }
    }
}

/// Whose envelopes are taken. From anybody else none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::mesh) enum Tier {
    /// A favourite.
    Favourite,
    /// Verified, and no favourite.
    Verified,
}
