//! How long a connection lives (spec 9, B-8): one that never ends stands out (D-29).

use std::time::Duration;

use rand_core::RngCore;

use super::uniform;

const SHORTEST: Duration = Duration::from_secs(10 * 60);
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Bytes after which a connection ends whatever its age.
const MOST_BYTES: u64 = 1 << 30;

/// When a connection is to be closed, and another opened: whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// How old it gets.
    pub age: Duration,
    /// How much it carries, both ways together.
    pub bytes: u64,
}

impl Lifetime {
    /// Whether a connection of this age that carried so much is at its end.
    pub fn is_over(&self, age: Duration, bytes: u64) -> bool {
        age >= self.age || bytes >= self.bytes
    }
}

/// The lifetime of one connection: 10 to 60 minutes or 1 GiB.
pub fn lifetime(rng: &mut (impl RngCore + ?Sized)) -> Lifetime {
    Lifetime { age: uniform::time(rng, SHORTEST..=LONGEST), bytes: MOST_BYTES }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::statistics::assert_uniform;
    use super::*;

    #[test]
    fn lifetimes_are_uniform_between_10_and_60_minutes() {
        let mut rng = ChaCha20Rng::from_seed([8; 32]);
        let minutes: Vec<f64> = (0..2000).map(|_| lifetime(&mut rng).age.as_secs_f64() / 60.0).collect();
        assert_uniform(&minutes, 10.0, 60.0);
    }

    #[test]
    fn a_connection_ends_by_age_or_by_bytes() {
        let life = Lifetime { age: Duration::from_secs(600), bytes: 1 << 30 };
        assert!(!life.is_over(Duration::from_secs(599), (1 << 30) - 1));
        assert!(life.is_over(Duration::from_secs(600), 0));
        assert!(life.is_over(Duration::ZERO, 1 << 30));
    }
}
