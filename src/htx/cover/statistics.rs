//! The tests that decide whether drawn numbers are what they should be. Seeds are fixed, so each passes always or
//! never; one seed in a hundred would fail a test of something true.

/// The bound of the Kolmogorov-Smirnov statistic, times the root of the number of samples, at significance 0.01.
const KOLMOGOROV_BOUND: f64 = 1.628;
/// How many standard deviations a normal number is from its mean in one of 5,000 draws, either way: with 50 lags,
/// one test in a hundred.
const LAG_BOUND: f64 = 3.72;

/// The Kolmogorov-Smirnov test: the samples are distributed as `chance_within` says, p > 0.01.
pub(super) fn assert_distributed(samples: &[f64], chance_within: impl Fn(f64) -> f64) {
    let statistic = kolmogorov(samples, chance_within);
    assert!(samples.len() >= 1000, "{} samples are too few", samples.len());
    assert!(statistic < KOLMOGOROV_BOUND, "statistic {statistic}");
}

/// The samples are in the range, and uniform in it, p > 0.01.
pub(super) fn assert_uniform(samples: &[f64], from: f64, to: f64) {
    assert!(samples.iter().all(|sample| (from..=to).contains(sample)));
    assert_distributed(samples, |value| ((value - from) / (to - from)).clamp(0.0, 1.0));
}

/// No autocorrelation of the samples at lags from 1 to `lags` is a peak, at significance 0.01 over all of them.
pub(super) fn assert_uncorrelated(samples: &[f64], lags: usize) {
    let bound = LAG_BOUND / count(samples).sqrt();
    for lag in 1..=lags {
        let correlation = autocorrelation(samples, lag);
        assert!(correlation.abs() < bound, "correlation {correlation} at lag {lag}");
    }
}

fn kolmogorov(samples: &[f64], chance_within: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = count(samples);
    let mut below = 0.0;
    let mut furthest: f64 = 0.0;
    for sample in sorted {
        let chance = chance_within(sample);
        furthest = furthest.max((chance - below / count).abs());
        below += 1.0;
        furthest = furthest.max((chance - below / count).abs());
    }
    furthest * count.sqrt()
}

fn autocorrelation(samples: &[f64], lag: usize) -> f64 {
    let mean = samples.iter().sum::<f64>() / count(samples);
    let spread: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
    let together: f64 =
        samples.iter().zip(samples.iter().skip(lag)).map(|(one, other)| (one - mean) * (other - mean)).sum();
    together / spread
}

fn count(samples: &[f64]) -> f64 {
    f64::from(u32::try_from(samples.len()).unwrap())
}

/// That they find what they look for.
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    fn even(count: u32) -> Vec<f64> {
        (0..count).map(|number| f64::from(number) / f64::from(count)).collect()
    }

    #[test]
    fn even_samples_are_uniform() {
        assert_uniform(&even(2000), 0.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "statistic")]
    fn samples_from_a_tenth_less_of_the_range_are_not() {
        assert_uniform(&even(2000), 0.0, 1.1);
    }

    #[test]
    #[should_panic(expected = "correlation")]
    fn a_period_is_a_peak() {
        let samples: Vec<f64> = (0..2000).map(|number| f64::from(u32::from(number % 7 == 0))).collect();
        assert_uncorrelated(&samples, 50);
    }

    #[test]
    fn independent_samples_have_no_peak() {
        let mut rng = ChaCha20Rng::from_seed([5; 32]);
        let samples: Vec<f64> = (0..2000).map(|_| f64::from(rng.next_u32())).collect();
        assert_uncorrelated(&samples, 50);
    }
}
