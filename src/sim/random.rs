//! Draws from the seeded generator.

use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;

/// True with the given probability: never at 0, always at 1.
pub(super) fn chance(probability: f64, rng: &mut ChaCha12Rng) -> bool {
    unit(rng) < probability
}

/// A span between the two, the first included.
pub(super) fn between(least: Duration, most: Duration, rng: &mut ChaCha12Rng) -> Duration {
    least + most.saturating_sub(least).mul_f64(unit(rng))
}

/// A number in 0..1.
pub(super) fn unit(rng: &mut ChaCha12Rng) -> f64 {
    f64::from(rng.next_u32()) / (f64::from(u32::MAX) + 1.0)
}
