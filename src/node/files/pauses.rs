//! How long a file that did not come through waits for its next try.

use std::time::Duration;

use crate::mesh::media::event::Failure;
use crate::transports::files::SendError;

/// How long after a try that failed the next begins; doubled each time.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause. A contact that connects ends every pause.
const LONGEST: Duration = Duration::from_secs(30);
/// The same after tries that took much of the air, of which others want to have something too.
const FIRST_ON_AIR: Duration = Duration::from_secs(30);
const LONGEST_ON_AIR: Duration = Duration::from_secs(15 * 60);
/// How often all of a file goes over the mesh without a word of its receiver, who may not want it.
const MAX_UNANSWERED: u32 = 6;

/// What was tried of one file.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
    next_on_air: Duration,
    unanswered: u32,
}

impl Pauses {
    pub(super) const fn new() -> Self {
        Self { next: FIRST, next_on_air: FIRST_ON_AIR, unanswered: 0 }
    }

    /// How long to wait after a try that failed; `None` when there have been enough.
    pub(super) fn after(&mut self, error: &SendError) -> Option<Duration> {
        let SendError::Mesh(failure @ (Failure::Cut | Failure::TooSlow | Failure::Unanswered)) = error else {
            return Some(doubled(&mut self.next, LONGEST));
        };
        self.unanswered += u32::from(*failure == Failure::Unanswered);
        (self.unanswered < MAX_UNANSWERED).then(|| doubled(&mut self.next_on_air, LONGEST_ON_AIR))
    }

    /// A contact connected.
    pub(super) const fn end(&mut self) {
        self.next = FIRST;
    }
}

fn doubled(pause: &mut Duration, most: Duration) -> Duration {
    std::mem::replace(pause, pause.saturating_mul(2).min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(errors: impl Fn() -> SendError, tries: usize) -> Vec<Option<u64>> {
        let mut pauses = Pauses::new();
        (0..tries).map(|_| pauses.after(&errors()).map(|pause| pause.as_secs())).collect()
    }

    #[test]
    fn who_is_away_is_tried_every_half_minute_and_at_once_when_somebody_connects() {
        let away = || SendError::NotConnected;
        assert_eq!(pauses(away, 7), [1, 2, 4, 8, 16, 30, 30].map(Some));
        let mut pauses = Pauses::new();
        pauses.after(&away());
        pauses.end();
        assert_eq!(pauses.after(&away()), Some(FIRST));
    }

    #[test]
    fn what_takes_the_air_pauses_longer_and_longer() {
        let slow = || SendError::Mesh(Failure::TooSlow);
        assert_eq!(pauses(slow, 7), [30, 60, 120, 240, 480, 900, 900].map(Some));
    }

    #[test]
    fn what_nobody_confirms_is_sent_six_times() {
        let silent = || SendError::Mesh(Failure::Unanswered);
        assert_eq!(pauses(silent, 6), [Some(30), Some(60), Some(120), Some(240), Some(480), None]);
    }
}
