//! Choices from the RNG handed in.

use std::ops::RangeInclusive;

use rand_core::RngCore;

/// A number within the range. The bias of the remainder (below 2^-40 for ranges of milliseconds) does not matter
/// for timing, which is all this is for.
pub(super) fn within(rng: &mut impl RngCore, range: RangeInclusive<u64>) -> u64 {
    let span = range.end().saturating_sub(*range.start()).saturating_add(1);
    range.start().saturating_add(rng.next_u64() % span.max(1))
}
