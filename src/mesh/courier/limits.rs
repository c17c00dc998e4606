//! How much is carried, and for whom.

use std::time::Duration;

/// How long an envelope lives (spec 3.11).
pub(super) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How much longer an envelope may say it lives: clocks differ.
pub(super) const SLACK: Duration = Duration::from_secs(60 * 60);

/// What every courier keeps for a favourite (spec 3.11).
pub(super) const PER_FAVOURITE: usize = 5;
/// What it keeps for anybody else it takes from.
pub(super) const PER_VERIFIED: usize = 2;

/// What a courier takes. The defaults are what the apps do (spec 3.11); a node on mains may take far more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Envelopes in all.
    pub envelopes: usize,
    /// Of them, from all but favourites: from the verified, and from strangers while those leave room.
    pub from_verified: usize,
    /// From each favourite.
    pub per_favourite: usize,
    /// From each of the verified.
    pub per_verified: usize,
    /// From each stranger with a link of its own, and at most twice as many over one link.
    pub per_stranger: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            envelopes: 40,
            from_verified: 20,
            per_favourite: PER_FAVOURITE,
            per_verified: PER_VERIFIED,
            per_stranger: 2,
        }
    }
}

/// Whose envelopes are taken, the best first. From anybody else none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::mesh) enum Tier {
    /// A favourite.
    Favourite,
    /// Verified, and no favourite.
    Verified,
    /// Somebody unknown who is there, with a link of its own: so the apps do it (spec 3.11). Names cost nothing, so
    /// what strangers left makes room for everybody else's, and who left the most over one link loses first.
    Stranger,
}
