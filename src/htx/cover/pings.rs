//! When to send an HTTP PING (spec 9, B-3): never with a period.

use std::time::Duration;

use rand_core::RngCore;

use super::uniform;
use crate::time::Instant;

const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(60);
/// Each gap is stretched by a factor of its own, in millionths.
const LEAST_STRETCH: u64 = 900_000;
const MOST_STRETCH: u64 = 1_100_000;
const UNSTRETCHED: u64 = 1_000_000;

/// The times of one connection's PINGs: 10 to 60 s apart, each gap longer or shorter by up to a tenth.
#[derive(Debug, Clone, Copy)]
pub struct Pings {
    next: Instant,
}

impl Pings {
    /// For a connection that begins.
    pub fn new(rng: &mut (impl RngCore + ?Sized), now: Instant) -> Self {
        Self { next: now + gap(rng) }
    }

    /// When to send the next.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// One was sent; draws the time of the next.
    pub fn sent(&mut self, rng: &mut (impl RngCore + ?Sized), now: Instant) {
        self.next = now + gap(rng);
    }
}

fn gap(rng: &mut (impl RngCore + ?Sized)) -> Duration {
    let micros = uniform::time(rng, SHORTEST..=LONGEST).as_micros();
    let stretched = micros.saturating_mul(u128::from(uniform::number(rng, LEAST_STRETCH..=MOST_STRETCH)));
    let gap = stretched.checked_div(u128::from(UNSTRETCHED)).unwrap_or(micros);
    Duration::from_micros(u64::try_from(gap).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::statistics::{assert_distributed, assert_uncorrelated};
    use super::*;

    /// The gaps of one long connection, in seconds.
    fn gaps() -> Vec<f64> {
        let mut rng = ChaCha20Rng::from_seed([32; 32]);
        let mut now = Instant::ZERO;
        let mut pings = Pings::new(&mut rng, now);
        let mut gaps = Vec::new();
        for _ in 0..4000 {
            gaps.push(pings.next().since(now).as_secs_f64());
            now = pings.next();
            pings.sent(&mut rng, now);
        }
        gaps
    }

    /// The chance of a gap of at most `seconds`: the mean over all stretches of the chance of what was stretched.
    fn chance_within(seconds: f64) -> f64 {
        let steps = 2000;
        let chances = (0..steps).map(|step| {
            let stretch = 0.9 + 0.2 * (f64::from(step) + 0.5) / f64::from(steps);
            ((seconds / stretch - 10.0) / 50.0).clamp(0.0, 1.0)
        });
        chances.sum::<f64>() / f64::from(steps)
    }

    #[test]
    fn r32_every_gap_is_between_9_and_66_seconds() {
        let gaps = gaps();
        assert!(gaps.iter().all(|gap| (9.0..=66.0).contains(gap)));
        assert!(gaps.iter().any(|gap| *gap < 10.0) && gaps.iter().any(|gap| *gap > 60.0));
    }

    #[test]
    fn r32_the_gaps_are_distributed_as_the_model_says() {
        assert_distributed(&gaps(), chance_within);
    }

    #[test]
    fn r32_no_gap_tells_of_a_later_one() {
        assert_uncorrelated(&gaps(), 50);
    }
}
