//! PING: whether somebody is there (HTX spec 8, D-24). `kind ‖ token (8) ‖ zeros`.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use super::error::Violation;
use super::event::Event;
use crate::time::Instant;

const ASK: u8 = 0;
const ANSWER: u8 = 1;
/// Bytes of kind and token.
const LEN: usize = 9;
/// The most zeros behind them.
const MAX_PADDING: usize = 3072;
/// Questions that wait for our answer; a further one is not answered, since only who floods us asks it.
const MAX_OWED: usize = 16;

/// Questions, theirs and ours.
#[derive(Debug, Default)]
pub(super) struct Pings {
    owed: VecDeque<[u8; 8]>,
    ours: Question,
}

/// A question of ours; there is one at a time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Question {
    #[default]
    None,
    Wanted,
    Asked {
        token: [u8; 8],
        at: Instant,
    },
}

impl Pings {
    pub(super) fn ask(&mut self) {
        if self.ours == Question::None {
            self.ours = Question::Wanted;
        }
    }

    /// A PING frame came. An answer is never answered, and one to no question of ours means nothing.
    pub(super) fn received(&mut self, content: &[u8], now: Instant) -> Result<Option<Event>, Violation> {
        let malformed = Violation::Content { frame: "PING" };
        let (&kind, rest) = content.split_first().ok_or(malformed)?;
        let (&token, padding) = rest.split_first_chunk().ok_or(malformed)?;
        match kind {
            _ if padding.len() > MAX_PADDING => Err(malformed),
            ASK => {
                if self.owed.len() < MAX_OWED {
                    self.owed.push_back(token);
                }
                Ok(None)
            }
            ANSWER => Ok(self.answered(token, now)),
            _ => Err(malformed),
        }
    }

    /// The content of the next frame to send.
    pub(super) fn next(&mut self, rng: &mut ChaCha20Rng, now: Instant) -> Option<Bytes> {
        if let Some(token) = self.owed.pop_front() {
            return Some(content(ANSWER, token));
        }
        if self.ours != Question::Wanted {
            return None;
        }
        let mut token = [0; 8];
        rng.fill_bytes(&mut token);
        self.ours = Question::Asked { token, at: now };
        Some(content(ASK, token))
    }

    /// When our question will have waited too long.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Instant> {
        match self.ours {
            Question::Asked { at, .. } => Some(at + patience),
            Question::None | Question::Wanted => None,
        }
    }

    /// Gives up a question that has waited too long.
    pub(super) fn expire(&mut self, patience: Duration, now: Instant) -> Option<Event> {
        let deadline = self.deadline(patience)?;
        if now < deadline {
            return None;
        }
        self.ours = Question::None;
        Some(Event::Unanswered)
    }

    fn answered(&mut self, token: [u8; 8], now: Instant) -> Option<Event> {
        match self.ours {
            Question::Asked { token: asked, at } if asked == token => {
                self.ours = Question::None;
                Some(Event::Pong { after: now.since(at) })
            }
            Question::Asked { .. } | Question::None | Question::Wanted => None,
        }
    }
}

fn content(kind: u8, token: [u8; 8]) -> Bytes {
    let mut content = [kind; LEN];
    content.iter_mut().skip(1).zip(token).for_each(|(place, byte)| *place = byte);
    Bytes::copy_from_slice(&content)
}
