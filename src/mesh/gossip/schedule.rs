//! When to ask which neighbour for what (spec 3.7, the iOS app's schedule).

use std::collections::BTreeMap;
use std::time::Duration;

use super::kind::Kind;
use crate::ids::PeerId;
use crate::time::Instant;

/// From a neighbour's announce to the first request.
const FIRST: Duration = Duration::from_secs(1);
/// Between two requests to one neighbour.
const ROUND: Duration = Duration::from_secs(15);
/// How long after a request its answers are taken (spec 2.7).
const ANSWERABLE: Duration = Duration::from_secs(30);
/// A neighbour that was asked so lately is not asked again for coming over a second link.
const SAME_MEETING: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Neighbour {
    due: Instant,
    /// Rounds so far: in the first everything is asked for.
    round: u32,
    asked: Option<Instant>,
}

/// The neighbours we ask, and when each was asked last.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    neighbours: BTreeMap<PeerId, Neighbour>,
}

impl Schedule {
    /// A link was bound to a peer.
    pub(super) fn met(&mut self, peer: PeerId, now: Instant) {
        let again = self
            .neighbours
            .get(&peer)
            .is_some_and(|neighbour| neighbour.asked.is_none_or(|asked| now.since(asked) < SAME_MEETING));
        if !again {
            self.neighbours.insert(peer, Neighbour { due: now + FIRST, round: 0, asked: None });
        }
    }

    /// The next neighbour to ask, and for which kinds. One to which no link leads any more is forgotten.
    pub(super) fn pop_due(
        &mut self,
        now: Instant,
        is_linked: impl Fn(PeerId) -> bool,
    ) -> Option<(PeerId, Vec<Kind>)> {
        self.neighbours.retain(|&peer, neighbour| neighbour.due > now || is_linked(peer));
        let (&peer, neighbour) = self.neighbours.iter_mut().find(|(_, neighbour)| neighbour.due <= now)?;
        let kinds = due_kinds(neighbour.round);
        neighbour.round = neighbour.round.wrapping_add(1);
        neighbour.due = now + ROUND;
        Some((peer, kinds))
    }

    /// A request was sent.
    pub(super) fn asked(&mut self, peer: PeerId, now: Instant) {
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.asked = Some(now);
        }
    }

    /// Whether a packet from this neighbour may be the answer to a request.
    pub(super) fn answers(&self, peer: PeerId, now: Instant) -> bool {
        let asked = self.neighbours.get(&peer).and_then(|neighbour| neighbour.asked);
        asked.is_some_and(|asked| now.since(asked) <= ANSWERABLE)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.neighbours.values().map(|neighbour| neighbour.due).min()
    }
}

/// What is asked for: announces, messages and groups every 15 s, fragments every 30 s, the rest every minute.
///
/// Announces and messages are part of every request, because the Android app sends those whatever it is asked for,
/// all that are not in the filter.
fn due_kinds(round: u32) -> Vec<Kind> {
    let every = |rounds| round.is_multiple_of(rounds);
    let is_due = |kind: &Kind| match kind {
        Kind::Announce | Kind::Message | Kind::Group => true,
        Kind::Fragment => every(2),
        Kind::Prekey | Kind::Board | Kind::File => every(4),
    };
    Kind::ALL.into_iter().filter(is_due).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: PeerId = PeerId([1; 8]);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn ask(schedule: &mut Schedule, seconds: u64) -> Option<Vec<Kind>> {
        let (peer, kinds) = schedule.pop_due(at(seconds), |_| true)?;
        schedule.asked(peer, at(seconds));
        Some(kinds)
    }

    #[test]
    fn a_neighbour_is_asked_for_everything_and_then_each_kind_in_its_time() {
        let mut schedule = Schedule::default();
        schedule.met(ALICE, at(0));
        assert_eq!(schedule.poll_timeout(), Some(at(1)));
        let mut asked = BTreeMap::<Kind, u32>::new();
        assert_eq!(ask(&mut schedule, 1), Some(Kind::ALL.to_vec()));
        for second in 2..=121 {
            for kind in ask(&mut schedule, second).into_iter().flatten() {
                *asked.entry(kind).or_default() += 1;
            }
        }
        assert_eq!((asked[&Kind::Message], asked[&Kind::Group], asked[&Kind::Announce]), (8, 8, 8));
        assert_eq!((asked[&Kind::Fragment], asked[&Kind::File], asked[&Kind::Prekey]), (4, 2, 2));
    }

    #[test]
    fn answers_are_taken_for_thirty_seconds() {
        let mut schedule = Schedule::default();
        schedule.met(ALICE, at(0));
        assert!(!schedule.answers(ALICE, at(0)));
        ask(&mut schedule, 1);
        assert!(schedule.answers(ALICE, at(31)));
        assert!(!schedule.answers(ALICE, at(32)));
        assert!(!schedule.answers(PeerId([2; 8]), at(1)));
    }

    #[test]
    fn a_second_link_starts_nothing_anew_and_a_new_meeting_does() {
        let mut schedule = Schedule::default();
        schedule.met(ALICE, at(0));
        ask(&mut schedule, 1);
        schedule.met(ALICE, at(2));
        assert_eq!(schedule.poll_timeout(), Some(at(16)));
        schedule.met(ALICE, at(12));
        assert_eq!(ask(&mut schedule, 13), Some(Kind::ALL.to_vec()));
    }

    #[test]
    fn who_is_gone_is_not_asked() {
        let mut schedule = Schedule::default();
        schedule.met(ALICE, at(0));
        assert_eq!(schedule.pop_due(at(1), |_| false), None);
        assert_eq!(schedule.poll_timeout(), None);
    }
}
