//! The notice board, as the rest of the program uses it.

use std::time::Duration;

use super::handle::{NodeHandle, Stopped};
use crate::ids::PostId;
use crate::mesh::board::{BoardRefusal, Command, Event, Notice};
use crate::mesh::event;

/// Why the board did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoardError {
    /// The board refused.
    #[error(transparent)]
    Refused(#[from] BoardRefusal),
    /// The node is stopping.
    #[error(transparent)]
    Stopping(#[from] Stopped),
}

/// A notice that was put up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The notice.
    pub notice: Notice,
    /// An older one of ours that had to go for it.
    pub gave_way: Option<Notice>,
}

impl NodeHandle {
    /// The notices that stand: urgent ones first, then the newest.
    pub async fn notices(&self) -> Result<Vec<Notice>, Stopped> {
        self.bitchat.notices().await.ok_or(Stopped)
    }

    /// Puts up a notice: it stands here when this returns, and goes to everyone who is there or comes.
    pub async fn post(&self, text: String, urgent: bool, life: Duration) -> Result<Posted, BoardError> {
        let (mut posted, mut gave_way) = (None, None);
        for event in self.ask_board(Command::Post { text, urgent, life }).await? {
            match event {
                Event::Posted(notice) => posted = Some(notice),
                Event::GaveWay(notice) => gave_way = Some(notice),
                Event::Refused(refusal) => return Err(refusal.into()),
                Event::Withdrawn(_) => {}
            }
        }
        Ok(Posted { notice: posted.ok_or(Stopped)?, gave_way })
    }

    /// Withdraws a notice of ours.
    pub async fn withdraw_notice(&self, id: PostId) -> Result<(), BoardError> {
        for event in self.ask_board(Command::Remove { id }).await? {
            match event {
                Event::Withdrawn(_) => return Ok(()),
                Event::Refused(refusal) => return Err(refusal.into()),
                Event::Posted(_) | Event::GaveWay(_) => {}
            }
        }
        Err(Stopped.into())
    }

    async fn ask_board(&self, command: Command) -> Result<Vec<Event>, Stopped> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "an answer of the board is one of its events")]
        let of_board = |event| match event {
            event::Event::Board(event) => Some(event),
            _ => None,
        };
        self.ask_engine(event::Command::Board(command), of_board).await
    }
}
