//! Files of ours on their way, from the asking to the receipt.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::Failure;
use crate::ids::{AttemptId, PeerId};
use crate::time::Instant;
use crate::wire::MediaFile;

/// Files on their way at once: each may have a megabyte.
const MAX_FILES: usize = 8;
/// How long a session may take to come about.
const SESSION_PATIENCE: Duration = Duration::from_secs(15);
/// How long a piece may take to follow the one before.
const PIECE_PATIENCE: Duration = Duration::from_secs(30);
/// How long the recipient may take to say that it has the file.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
enum Stage {
    /// There is no session yet.
    Waiting(MediaFile),
    /// Its pieces leave one by one.
    Moving { pieces: u16 },
    /// All of it left.
    Gone,
}

#[derive(Debug)]
struct Departure {
    /// To whom; everyone when there is none.
    to: Option<PeerId>,
    /// What a receipt calls it.
    id: Option<String>,
    stage: Stage,
    due: Instant,
}

/// What became of a file whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Failed(Failure),
    Unconfirmed,
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
        let due = now + SESSION_PATIENCE;
        self.add(attempt, Departure { to: Some(to), id: Some(id), stage: Stage::Waiting(file), due })
    }

    /// Takes a file for everyone; false when there are too many.
    pub(super) fn leave(&mut self, attempt: AttemptId, now: Instant) -> bool {
        let stage = Stage::Moving { pieces: 0 };
        self.add(attempt, Departure { to: None, id: None, stage, due: now + PIECE_PATIENCE })
    }

    fn add(&mut self, attempt: AttemptId, departure: Departure) -> bool {
        if self.files.len() >= MAX_FILES {
            return false;
        }
        self.files.insert(attempt, departure);
        true
    }

    /// The files that wait for a session with this peer.
    pub(super) fn waiting_for(&self, peer: PeerId) -> Vec<(AttemptId, MediaFile)> {
        let waiting = self.files.iter().filter(|(_, file)| file.to == Some(peer));
        waiting
            .filter_map(|(&attempt, file)| match &file.stage {
                Stage::Waiting(content) => Some((attempt, content.clone())),
                Stage::Moving { .. } | Stage::Gone => None,
            })
            .collect()
    }

    /// A file was cut into so many pieces, none of which has left.
    pub(super) fn moving(&mut self, attempt: AttemptId, pieces: u16, now: Instant) {
        if let Some(file) = self.files.get_mut(&attempt) {
            file.stage = Stage::Moving { pieces };
            file.due = now + PIECE_PATIENCE;
        }
    }

    /// A piece left; how many there are in all, if the file is one of these.
    pub(super) fn piece(&mut self, attempt: AttemptId, now: Instant) -> Option<u16> {
        let file = self.files.get_mut(&attempt)?;
        file.due = now + PIECE_PATIENCE;
        match file.stage {
            Stage::Moving { pieces } => Some(pieces),
            Stage::Waiting(_) | Stage::Gone => None,
        }
    }

    /// All of a file left. It is waited for its receipt if `confirmed`, and else forgotten.
    pub(super) fn gone(&mut self, attempt: AttemptId, confirmed: bool, now: Instant) {
        let Some(file) = self.files.get_mut(&attempt) else { return };
        file.stage = Stage::Gone;
        file.due = now + RECEIPT_PATIENCE;
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
                && !matches!(file.stage, Stage::Waiting(_))
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
        let attempt = self.files.iter().find(|(_, file)| file.due <= now).map(|(&attempt, _)| attempt)?;
        let over = match self.files.remove(&attempt)?.stage {
            Stage::Waiting(_) => Over::Failed(Failure::NoSession),
            Stage::Moving { .. } => Over::Failed(Failure::Cut),
            Stage::Gone => Over::Unconfirmed,
        };
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

    fn waiting() -> Departures {
        let file = MediaFile { name: "a".into(), mime: "m".into(), content: vec![1].into() };
        let mut departures = Departures::default();
        assert!(departures.wait(ONE, BOB, "media-1".into(), file, at(0)));
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
        assert_eq!(over(&mut gone, 70), Some((ONE, Over::Unconfirmed)));
        assert_eq!(gone.poll_timeout(), None);
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
        let taken = (0..20).filter(|&attempt| departures.leave(AttemptId(attempt), at(0))).count();
        assert_eq!(taken, MAX_FILES);
    }
}
