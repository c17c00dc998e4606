//! Dummy bytes on an idle tunnel (spec 9, B-5), within a budget, or none.

use std::time::Duration;

use rand_core::RngCore;

use super::uniform;
use crate::time::Instant;

/// The most dummy bytes of one frame.
pub const MAX_PADDING_LEN: u16 = 3072;

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_millis(1200);
const HOUR: u64 = 3_600_000_000;

/// When the tunnel is idle for 200 to 1200 ms, up to [`MAX_PADDING_LEN`] dummy bytes are sent, and so on. What the
/// budget does not allow is not sent, and nothing else instead.
#[derive(Debug, Clone)]
pub struct IdlePadding {
    /// `None` when it is switched off.
    budget: Option<Budget>,
    next: Instant,
}

/// Bytes that may be sent: an hour's worth at once, then as they come back.
#[derive(Debug, Clone)]
struct Budget {
    per_hour: u64,
    left: u64,
    counted: Instant,
}

impl IdlePadding {
    /// For a tunnel that begins; `None` switches it off, for links where every byte costs.
    pub fn new(budget_per_hour: Option<u64>, rng: &mut (impl RngCore + ?Sized), now: Instant) -> Self {
        let budget = budget_per_hour.map(|per_hour| Budget { per_hour, left: per_hour, counted: now });
        Self { budget, next: now + idle(rng) }
    }

    /// Data went over the tunnel, either way: it is not idle.
    pub fn traffic(&mut self, rng: &mut (impl RngCore + ?Sized), now: Instant) {
        if self.budget.is_some() {
            self.next = now + idle(rng);
        }
    }

    /// When [`Self::due`] has something to say.
    pub fn next(&self) -> Option<Instant> {
        self.budget.as_ref().map(|_| self.next)
    }

    /// How many dummy bytes to send now; zero is a frame without any.
    pub fn due(&mut self, rng: &mut (impl RngCore + ?Sized), now: Instant) -> Option<u16> {
        let budget = self.budget.as_mut().filter(|_| self.next <= now)?;
        self.next = now + idle(rng);
        let len = uniform::number(rng, 0..=u64::from(MAX_PADDING_LEN));
        budget.spend(len, now).then(|| u16::try_from(len).unwrap_or(MAX_PADDING_LEN))
    }
}

impl Budget {
    fn spend(&mut self, len: u64, now: Instant) -> bool {
        let elapsed = u64::try_from(now.since(self.counted).as_micros()).unwrap_or(u64::MAX).min(HOUR);
        let earned =
            u128::from(self.per_hour).saturating_mul(u128::from(elapsed)).checked_div(u128::from(HOUR));
        let earned = u64::try_from(earned.unwrap_or(0)).unwrap_or(u64::MAX);
        if earned > 0 {
            self.counted = now;
        }
        self.left = self.left.saturating_add(earned).min(self.per_hour);
        match self.left.checked_sub(len) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

fn idle(rng: &mut (impl RngCore + ?Sized)) -> Duration {
    uniform::time(rng, SHORTEST..=LONGEST)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::statistics::{assert_uncorrelated, assert_uniform};
    use super::*;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([33; 32])
    }

    /// Idle times in milliseconds and sizes of a tunnel that nobody uses.
    fn idle_tunnel(frames: usize) -> (Vec<f64>, Vec<f64>) {
        let mut rng = rng();
        let mut now = Instant::ZERO;
        let mut padding = IdlePadding::new(Some(u64::MAX), &mut rng, now);
        let (mut times, mut sizes) = (Vec::new(), Vec::new());
        for _ in 0..frames {
            let next = padding.next().unwrap();
            times.push(next.since(now).as_secs_f64() * 1000.0);
            now = next;
            sizes.push(f64::from(padding.due(&mut rng, now).unwrap()));
        }
        (times, sizes)
    }

    #[test]
    fn r33_idle_times_are_uniform_between_200_and_1200_ms() {
        let (times, _) = idle_tunnel(3000);
        assert_uniform(&times, 200.0, 1200.0);
        assert_uncorrelated(&times, 50);
    }

    #[test]
    fn r33_sizes_are_uniform_between_0_and_3072_bytes() {
        let (_, sizes) = idle_tunnel(3000);
        assert_uniform(&sizes, 0.0, 3072.0);
        assert_uncorrelated(&sizes, 50);
    }

    #[test]
    fn traffic_puts_padding_off() {
        let mut rng = rng();
        let mut padding = IdlePadding::new(Some(u64::MAX), &mut rng, Instant::ZERO);
        let mut now = Instant::ZERO;
        for _ in 0..1000 {
            now = now + Duration::from_millis(199);
            assert_eq!(padding.due(&mut rng, now), None);
            padding.traffic(&mut rng, now);
        }
        assert!(padding.next().unwrap().since(now) >= SHORTEST);
    }

    #[test]
    fn padding_that_is_switched_off_is_never_due() {
        let mut rng = rng();
        let mut padding = IdlePadding::new(None, &mut rng, Instant::ZERO);
        padding.traffic(&mut rng, Instant::ZERO);
        assert_eq!(padding.next(), None);
        assert_eq!(padding.due(&mut rng, Instant::from_start(Duration::from_secs(100))), None);
    }

    #[test]
    fn the_budget_is_kept_in_every_hour_and_used() {
        let mut rng = rng();
        let per_hour = 1_000_000;
        let mut now = Instant::ZERO;
        let mut padding = IdlePadding::new(Some(per_hour), &mut rng, now);
        let mut sent = [0u64; 4];
        while now < Instant::from_start(Duration::from_secs(4 * 3600)) {
            let hour = usize::try_from(now.since_start().as_secs() / 3600).unwrap();
            sent[hour] += padding.due(&mut rng, now).map_or(0, u64::from);
            now = padding.next().unwrap();
        }
        // The first hour has what it began with, and what came back meanwhile.
        assert!(sent[0] <= 2 * per_hour && sent[0] > per_hour, "{sent:?}");
        assert!(
            sent[1..].iter().all(|bytes| (per_hour * 9 / 10..=per_hour + 3072).contains(bytes)),
            "{sent:?}"
        );
    }
}
