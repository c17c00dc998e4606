//! Notices a peer that went without a word: a line that was cut, a machine that was switched off.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use crate::time::Instant;

/// A peer that was silent for so long is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(60);
/// By how much longer the silence may last before it is noticed, drawn anew each time, in milliseconds: a question
/// every minute would be a clock that can be heard.
const SPREAD: u32 = 120_000;

/// Watches over one tunnel.
#[derive(Debug)]
pub(super) struct Vigil {
    rng: ChaCha20Rng,
    heard: Instant,
    next: Instant,
    asked: Option<Instant>,
}

impl Vigil {
    /// Begins with a peer that was just heard.
    pub(super) fn new(mut rng: ChaCha20Rng, now: Instant) -> Self {
        let next = now + pause(&mut rng);
        Self { rng, heard: now, next, asked: None }
    }

    /// The peer has sent something.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Whether the peer is to be asked. True at most once a minute.
    pub(super) fn asks(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + pause(&mut self.rng);
        let silent = now.since(self.heard) >= SILENCE;
        if silent {
            self.asked = Some(now);
        }
        silent
    }

    /// Whether a question without an answer means that the peer is gone: nothing came since it was asked.
    pub(super) fn is_gone(&self) -> bool {
        self.asked.is_some_and(|asked| self.heard <= asked)
    }

    /// When to look again.
    pub(super) const fn poll_timeout(&self) -> Instant {
        self.next
    }
}

fn pause(rng: &mut ChaCha20Rng) -> Duration {
    SILENCE + Duration::from_millis(u64::from(rng.next_u32() % SPREAD))
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn only_a_silent_peer_is_asked_and_only_one_that_stays_silent_is_gone() {
        let start = Instant::from_start(Duration::from_secs(1000));
        let mut vigil = Vigil::new(ChaCha20Rng::from_seed([1; 32]), start);
        assert!(!vigil.asks(start + Duration::from_secs(59)));
        vigil.heard(vigil.poll_timeout() - Duration::from_secs(1));
        assert!(!vigil.asks(vigil.poll_timeout()), "it was heard a second ago");
        let asked = vigil.poll_timeout();
        assert!(asked.since(start) >= SILENCE * 2);
        assert!(!vigil.is_gone());
        assert!(vigil.asks(asked) && vigil.is_gone());
        vigil.heard(asked + Duration::from_secs(1));
        assert!(!vigil.is_gone());
    }
}
