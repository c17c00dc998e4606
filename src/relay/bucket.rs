//! How often one tunnel may ask.

use std::time::Duration;

use crate::time::Instant;

/// Requests that a tunnel may have at once (betanet-htx 11).
const BURST: u32 = 100;
/// How long until it may have one more: 20 a second.
const INTERVAL: Duration = Duration::from_millis(50);

/// A bucket of 100 tokens that gets 20 a second. It is kept as the time at which it is full again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    full: Instant,
}

impl Bucket {
    /// Takes a token, or says when there will be one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let full = self.full.max(now) + INTERVAL;
        let earliest = full - INTERVAL * BURST;
        if earliest > now {
            return Err(earliest);
        }
        self.full = full;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_at_once_and_twenty_a_second_after_that() {
        let mut bucket = Bucket::default();
        let start = Instant::from_start(Duration::from_secs(1_000));
        let taken = (0..1_000).take_while(|_| bucket.take(start).is_ok()).count();
        assert_eq!(taken, 100);
        let next = bucket.take(start).unwrap_err();
        assert_eq!(next, start + Duration::from_millis(50));

        let (mut now, mut taken) = (start, 0);
        while now <= start + Duration::from_secs(10) {
            match bucket.take(now) {
                Ok(()) => taken += 1,
                Err(next) => now = next,
            }
        }
        assert_eq!(taken, 200);
    }

    #[test]
    fn a_tunnel_that_rested_has_no_more_than_a_hundred() {
        let mut bucket = Bucket::default();
        let later = Instant::from_start(Duration::from_secs(100_000));
        bucket.take(Instant::from_start(Duration::from_secs(1_000))).unwrap();
        assert_eq!((0..1_000).take_while(|_| bucket.take(later).is_ok()).count(), 100);
    }
}
