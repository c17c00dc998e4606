//! Tokens that come back with time: how often somebody may do a thing.

use std::time::Duration;

use crate::time::Instant;

/// How many tokens a bucket holds and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens of a full bucket; a bucket of none gives none.
    pub burst: u32,
    /// How long one token takes to come back; nothing at all, for a bucket that is never empty.
    pub interval: Duration,
}

impl Rate {
    /// So many a second in the long run.
    pub const fn per_second(tokens: u32, burst: u32) -> Self {
        Self { burst, interval: Duration::from_nanos(1_000_000_000 / tokens as u64) }
    }
}

/// A bucket, full at first. It is kept as the time at which it will be full again, if nobody takes anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// The bucket with one token less, or when there will be one to take.
    pub fn after_one(self, rate: Rate, now: Instant) -> Result<Self, Instant> {
        let full_at = self.full_at.max(now) + rate.interval;
        let earliest = full_at - rate.interval.saturating_mul(rate.burst);
        if rate.burst > 0 && earliest <= now { Ok(Self { full_at }) } else { Err(earliest) }
    }

    /// Takes a token, or says when there will be one.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Instant> {
        *self = self.after_one(rate, now)?;
        Ok(())
    }

    /// Whether nothing is missing: such a bucket is as good as none.
    pub fn is_full(self, now: Instant) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::per_second(20, 100);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_hundred_at_once_and_twenty_a_second_after_that() {
        let mut bucket = Bucket::default();
        let taken = (0..1_000).take_while(|_| bucket.take(RATE, at(1_000)).is_ok()).count();
        assert_eq!(taken, 100);
        let next = bucket.take(RATE, at(1_000)).unwrap_err();
        assert_eq!(next, at(1_000) + Duration::from_millis(50));

        let (mut now, mut taken) = (at(1_000), 0);
        while now <= at(1_010) {
            match bucket.take(RATE, now) {
                Ok(()) => taken += 1,
                Err(next) => now = next,
            }
        }
        assert_eq!(taken, 200);
    }

    #[test]
    fn a_bucket_that_rested_is_full_and_no_more() {
        let mut bucket = Bucket::default();
        bucket.take(RATE, at(1_000)).unwrap();
        assert!(!bucket.is_full(at(1_000)) && bucket.is_full(at(1_001)));
        assert_eq!((0..1_000).take_while(|_| bucket.take(RATE, at(100_000)).is_ok()).count(), 100);
    }

    #[test]
    fn one_that_fills_in_no_time_is_never_empty_and_one_of_no_token_always_is() {
        let lifted = Rate { burst: 1, interval: Duration::ZERO };
        assert_eq!((0..1_000).filter(|_| Bucket::default().take(lifted, at(1)).is_ok()).count(), 1_000);
        for interval in [Duration::ZERO, Duration::MAX] {
            assert!(Bucket::default().take(Rate { burst: 0, interval }, at(1)).is_err());
        }
    }
}
