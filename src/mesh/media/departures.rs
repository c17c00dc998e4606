//! Files of ours on their way, from the asking to the receipt.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::Failure;
use crate::ids::{AttemptId, PeerId};
use crate::time::Instant;
use crate::wire::{MediaFile, is_confirmed_everywhere};

/// Files on their way at once: each may have a megabyte.
const MAX_FILES: usize = 8;
/// Files whose pieces leave at once (spec 3.8), and only one of them to the same peer: what is not there two minutes after
/// it was sealed comes too late (spec 2.7), so that each has the way for itself.
const MAX_MOVING: usize = 2;
/// How often it is told of a file that it waits for its turn.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// How long a session may take to come about.
const SESSION_PATIENCE: Duration = Duration::from_secs(15);
/// How long a piece may take to follow the one before.
const PIECE_PATIENCE: Duration = Duration::from_secs(30);
/// How long all pieces may take: nobody passes on what is older (spec 2.7).
const MOVING_PATIENCE: Duration = Duration::from_secs(120);
/// How long the recipient may take to say that it has the file, and twice the time that its pieces took to leave: relays
/// may be as slow.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(60);
/// The longest that is waited for a receipt: the last piece can no longer be on its way.
const MAX_RECEIPT_PATIENCE: Duration = Duration::from_secs(150);

#[derive(Debug)]
enum Stage {
    /// There is no session yet.
    Waiting(MediaFile),
    /// There is one, in which the peer has yet to prove what it can do.
    Unproven(MediaFile),
    /// It could leave, and others are before it.
    InLine(MediaFile),
    /// Its pieces leave one by one.
    Moving { pieces: u16, since: Instant },
    /// All of it left.
    Gone,
}

#[derive(Debug)]
struct Departure {
    /// To whom; everyone when there is none.
    to: Option<PeerId>,
    /// What a receipt calls it.
    id: Option<String>,
    /// Whether every app that confirms files confirms this one.
    confirmed_everywhere: bool,
    stage: Stage,
    due: Instant,
}

/// What became of a file whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Failed(Failure),
    /// All of it left, and this peer did not say that it came.
    Unanswered(PeerId),
    /// The same of a file that not every app confirms.
    Unconfirmed,
    /// It still waits for its turn.
    NotYet,
}

/// All files of ours on their way.
#[derive(Debug, Default)]
pub(super) struct Departures {
    files: BTreeMap<AttemptId, Departure>,
}

impl Departures {
    /// Takes a file that waits for a session; false when there are too many.
    pub(super) fn wait(
        &mut self,
        attempt: AttemptId,
        to: PeerId,
        id: String,
        file: MediaFile,
        now: Instant,
    ) -> bool {
        let (confirmed_everywhere, due) = (is_confirmed_everywhere(&file.name), now + SESSION_PATIENCE);
        let (to, id, stage) = (Some(to), Some(id), Stage::Waiting(file));
        self.add(attempt, Departure { to, id, confirmed_everywhere, stage, due })
    }

    /// Takes a file for everyone, which waits for its turn; false when there are too many.
    pub(super) fn leave(&mut self, attempt: AttemptId, file: MediaFile, now: Instant) -> bool {
        let due = now + TELL_EVERY;
        let stage = Stage::InLine(file);
        self.add(attempt, Departure { to: None, id: None, confirmed_everywhere: false, stage, due })
    }

    fn add(&mut self, attempt: AttemptId, departure: Departure) -> bool {
        if self.files.len() >= MAX_FILES {
            return false;
        }
        self.files.insert(attempt, departure);
        true
    }

    /// A session with this peer stands: what waited for it waits for its turn, or first until the peer has proven what it
    /// can do, at most until `proof_due`.
    pub(super) fn session(&mut self, peer: PeerId, proof_due: Option<Instant>, now: Instant) {
        for file in self.files.values_mut().filter(|file| file.to == Some(peer)) {
            if let Stage::Waiting(content) | Stage::Unproven(content) = &file.stage {
                let content = content.clone();
                (file.stage, file.due) = match proof_due {
                    Some(due) => (Stage::Unproven(content), due),
                    None => (Stage::InLine(content), now + TELL_EVERY),
                };
            }
        }
    }

    /// The next file whose turn it is, and to whom it goes.
    pub(super) fn next(&self) -> Option<(AttemptId, Option<PeerId>, MediaFile)> {
        let moving = self.files.values().filter(|file| matches!(file.stage, Stage::Moving { .. }));
        let moving: Vec<_> = moving.map(|file| file.to).collect();
        let waiting = self.files.iter().filter(|_| moving.len() < MAX_MOVING);
        let mut waiting = waiting.filter(|(_, file)| !moving.contains(&file.to));
        waiting.find_map(|(&attempt, file)| match &file.stage {
            Stage::InLine(content) => Some((attempt, file.to, content.clone())),
            Stage::Waiting(_) | Stage::Unproven(_) | Stage::Moving { .. } | Stage::Gone => None,
        })
    }

    /// A file was cut into so many pieces, none of which has left.
    pub(super) fn moving(&mut self, attempt: AttemptId, pieces: u16, now: Instant) {
        if let Some(file) = self.files.get_mut(&attempt) {
            file.stage = Stage::Moving { pieces, since: now };
            file.due = now + PIECE_PATIENCE;
        }
    }

    /// A piece left; how many there are in all, if the file is one of these.
    pub(super) fn piece(&mut self, attempt: AttemptId, now: Instant) -> Option<u16> {
        let file = self.files.get_mut(&attempt)?;
        match file.stage {
            Stage::Moving { pieces, since } => {
                file.due = (now + PIECE_PATIENCE).min(since + MOVING_PATIENCE);
                Some(pieces)
            }
            Stage::Waiting(_) | Stage::Unproven(_) | Stage::InLine(_) | Stage::Gone => None,
        }
    }

    /// All of a file left. It is waited for its receipt if `confirmed`, and else forgotten.
    pub(super) fn gone(&mut self, attempt: AttemptId, confirmed: bool, now: Instant) {
        let Some(file) = self.files.get_mut(&attempt) else { return };
        let took = match file.stage {
            Stage::Moving { since, .. } => now.since(since),
            Stage::Waiting(_) | Stage::Unproven(_) | Stage::InLine(_) | Stage::Gone => Duration::ZERO,
        };
        file.stage = Stage::Gone;
        file.due = now + (RECEIPT_PATIENCE + took * 2).min(MAX_RECEIPT_PATIENCE);
        if !confirmed {
            self.files.remove(&attempt);
        }
    }

    /// To whom a file goes.
    pub(super) fn recipient(&self, attempt: AttemptId) -> Option<PeerId> {
        self.files.get(&attempt)?.to
    }

    /// A receipt: the attempt it answers.
    pub(super) fn delivered(&mut self, from: PeerId, id: &str) -> Option<AttemptId> {
        let is_it = |file: &Departure| {
            file.to == Some(from)
                && file.id.as_deref() == Some(id)
                && matches!(file.stage, Stage::Moving { .. } | Stage::Gone)
        };
        let attempt = self.files.iter().find(|(_, file)| is_it(file)).map(|(&attempt, _)| attempt)?;
        self.files.remove(&attempt);
        Some(attempt)
    }

    /// Nobody wants it any more, or it cannot go.
    pub(super) fn remove(&mut self, attempt: AttemptId) {
        self.files.remove(&attempt);
    }

    /// The next file whose time is over.
    pub(super) fn pop_over(&mut self, now: Instant) -> Option<(AttemptId, Over)> {
        let (&attempt, file) = self.files.iter_mut().find(|(_, file)| file.due <= now)?;
        let over = match &file.stage {
            Stage::InLine(content) | Stage::Unproven(content) => {
                (file.stage, file.due) = (Stage::InLine(content.clone()), now + TELL_EVERY);
                return Some((attempt, Over::NotYet));
            }
            Stage::Waiting(_) => Over::Failed(Failure::NoSession),
            Stage::Moving { since, .. } if now.since(*since) >= MOVING_PATIENCE => {
                Over::Failed(Failure::TooSlow)
            }
            Stage::Moving { .. } => Over::Failed(Failure::Cut),
            Stage::Gone => match file.to {
                Some(peer) if file.confirmed_everywhere => Over::Unanswered(peer),
                Some(_) | None => Over::Unconfirmed,
            },
        };
        self.files.remove(&attempt);
        Some((attempt, over))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.files.values().map(|file| file.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: PeerId = PeerId([2; 8]);
    const ONE: AttemptId = AttemptId(1);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn file() -> MediaFile {
        MediaFile { name: "voice_0011223344556677.m4a".into(), mime: "m".into(), content: vec![1].into() }
    }

    fn waiting() -> Departures {
        let mut departures = Departures::default();
        assert!(departures.wait(ONE, BOB, "media-1".into(), file(), at(0)));
        departures
    }

    #[test]
    fn each_stage_has_its_patience() {
        let over = |departures: &mut Departures, seconds| departures.pop_over(at(seconds));
        assert_eq!(over(&mut waiting(), 14), None);
        assert_eq!(over(&mut waiting(), 15), Some((ONE, Over::Failed(Failure::NoSession))));

        let mut moving = waiting();
        moving.moving(ONE, 9, at(10));
        assert_eq!(moving.piece(ONE, at(30)), Some(9));
        assert_eq!(over(&mut moving, 59), None);
        assert_eq!(over(&mut moving, 60), Some((ONE, Over::Failed(Failure::Cut))));

        let mut gone = waiting();
        gone.gone(ONE, true, at(10));
        assert_eq!(gone.poll_timeout(), Some(at(70)));
        assert_eq!(over(&mut gone, 70), Some((ONE, Over::Unanswered(BOB))));
        assert_eq!(gone.poll_timeout(), None);
    }

    #[test]
    fn silence_about_a_file_that_not_every_app_confirms_says_nothing() {
        let mut departures = Departures::default();
        let photo = MediaFile { name: "summer.jpg".into(), ..file() };
        assert!(departures.wait(ONE, BOB, "media-1".into(), photo.clone(), at(0)));
        departures.gone(ONE, true, at(1));
        assert_eq!(departures.pop_over(at(61)), Some((ONE, Over::Unconfirmed)));
        assert!(departures.wait(ONE, BOB, "media-1".into(), photo, at(70)));
        departures.gone(ONE, true, at(71));
        assert_eq!(departures.delivered(BOB, "media-1"), Some(ONE), "it is confirmed all the same");
    }

    #[test]
    fn a_file_waits_for_what_its_recipient_proves_and_not_for_ever() {
        let mut departures = waiting();
        departures.session(BOB, Some(at(8)), at(3));
        assert_eq!(departures.next(), None);
        departures.session(BOB, None, at(4));
        assert!(departures.next().is_some());

        let mut silent = waiting();
        silent.session(BOB, Some(at(8)), at(3));
        assert_eq!((silent.pop_over(at(7)), silent.next()), (None, None));
        assert_eq!(silent.pop_over(at(8)), Some((ONE, Over::NotYet)));
        assert!(silent.next().is_some());
    }

    #[test]
    fn a_file_that_takes_its_time_is_given_more_for_its_receipt_and_none_that_is_too_old() {
        let mut moving = waiting();
        moving.moving(ONE, 9, at(0));
        moving.gone(ONE, true, at(40));
        assert_eq!(moving.poll_timeout(), Some(at(40 + 60 + 80)));

        let mut slow = waiting();
        slow.moving(ONE, 900, at(0));
        assert!(
            (1..12).all(|n| slow.pop_over(at(n * 10)).is_none() && slow.piece(ONE, at(n * 10)).is_some())
        );
        assert_eq!(slow.pop_over(at(120)), Some((ONE, Over::Failed(Failure::TooSlow))));
    }

    #[test]
    fn files_to_one_peer_leave_one_by_one_and_two_at_once_in_all() {
        let mut departures = Departures::default();
        let two = AttemptId(2);
        for (attempt, to) in [(ONE, BOB), (two, BOB), (AttemptId(3), PeerId([3; 8]))] {
            assert!(departures.wait(attempt, to, "media".into(), file(), at(0)));
            assert_eq!(departures.next(), None, "there is no session yet");
        }
        assert!(departures.leave(AttemptId(4), file(), at(0)));
        departures.session(BOB, None, at(1));
        departures.session(PeerId([3; 8]), None, at(1));
        let next = |departures: &Departures| departures.next().map(|(attempt, ..)| attempt);
        assert_eq!(next(&departures), Some(ONE));
        departures.moving(ONE, 9, at(1));
        assert_eq!(next(&departures), Some(AttemptId(3)), "2 goes where 1 goes");
        departures.moving(AttemptId(3), 9, at(1));
        assert_eq!(next(&departures), None);
        departures.gone(ONE, true, at(20));
        assert_eq!(next(&departures), Some(two));
        departures.moving(two, 9, at(20));
        departures.remove(AttemptId(3));
        assert_eq!(next(&departures), Some(AttemptId(4)));
        assert_eq!(departures.pop_over(at(61)).map(|(_, over)| over), Some(Over::Failed(Failure::Cut)));
        assert_eq!(departures.pop_over(at(61)), Some((AttemptId(4), Over::NotYet)));
    }

    #[test]
    fn only_its_recipient_confirms_a_file_that_left() {
        let mut departures = waiting();
        assert_eq!(departures.delivered(BOB, "media-1"), None, "it has not left");
        departures.gone(ONE, true, at(1));
        assert_eq!(departures.delivered(PeerId([3; 8]), "media-1"), None);
        assert_eq!(departures.delivered(BOB, "media-2"), None);
        assert_eq!(departures.delivered(BOB, "media-1"), Some(ONE));
    }

    #[test]
    fn eight_files_are_on_their_way_at_most() {
        let mut departures = Departures::default();
        let taken = (0..20).filter(|&attempt| departures.leave(AttemptId(attempt), file(), at(0))).count();
        assert_eq!(taken, MAX_FILES);
    }
}
