//! Prekeys (spec 3.12): ours, which others seal mail to while we are away, and those of others.

mod bundles;
mod own;
mod turn;

pub(super) use bundles::Bundles;
pub(super) use own::OwnPrekeys;
