//! Prekeys (spec 3.12): ours, which others seal mail to while we are away, and those of others.

use std::time::Duration;

mod bundles;
mod own;
mod turn;

pub(super) use bundles::Bundles;
pub(super) use own::OwnPrekeys;

/// How far the clock of a bundle's owner may be ahead.
const AHEAD: Duration = Duration::from_secs(60 * 60);
