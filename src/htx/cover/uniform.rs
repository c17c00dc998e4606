//! Numbers and times drawn evenly from a range.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand_core::RngCore;

/// A number within the range; its bias is below 2^-32 for ranges below 2^32.
pub(in crate::htx) fn number(rng: &mut (impl RngCore + ?Sized), range: RangeInclusive<u64>) -> u64 {
    let span = u128::from(range.end().saturating_sub(*range.start())).saturating_add(1);
    let drawn = (u128::from(rng.next_u64()) * span) >> 64;
    range.start().saturating_add(u64::try_from(drawn).unwrap_or(u64::MAX))
}

/// A time within the range, to the microsecond.
pub(in crate::htx) fn time(rng: &mut (impl RngCore + ?Sized), range: RangeInclusive<Duration>) -> Duration {
    let micros = |time: &Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(number(rng, micros(range.start())..=micros(range.end())))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn every_number_of_a_range_is_drawn_and_no_other() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut drawn = [0; 5];
        for _ in 0..1000 {
            drawn[usize::try_from(number(&mut rng, 3..=7)).unwrap() - 3] += 1;
        }
        assert!(drawn.iter().all(|&count| count > 100), "{drawn:?}");
        assert_eq!(number(&mut rng, 9..=9), 9);
    }

    #[test]
    fn the_whole_range_of_a_number_is_no_special_case() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let drawn: Vec<u64> = (0..4).map(|_| number(&mut rng, 0..=u64::MAX)).collect();
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        assert_eq!(drawn, (0..4).map(|_| rng.next_u64()).collect::<Vec<_>>());
    }
}
