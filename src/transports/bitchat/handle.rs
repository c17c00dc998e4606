//! What only the BLE mesh can be asked.

use tokio::sync::{broadcast, mpsc, oneshot};

use super::notice::Notice;
use super::status::Status;
use crate::mesh::event::{Introduction, PeerInfo};

/// Questions that may wait; whoever has one more waits.
pub(super) const QUESTION_BOUND: usize = 64;
/// Notices that may wait for a listener; one that is slower loses the oldest and is told how many.
pub(super) const NOTICE_BOUND: usize = 256;

/// The running BLE mesh. Cheap to clone; it does not keep the transport alive.
#[derive(Debug, Clone)]
pub struct BitchatHandle {
    questions: mpsc::Sender<Question>,
    notices: broadcast::WeakSender<Notice>,
}

/// What the task is asked.
#[derive(Debug)]
pub(super) enum Question {
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    Status(oneshot::Sender<Status>),
    Know(Introduction),
}

/// The transport has stopped; nothing can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bitchat transport has stopped")]
pub struct Stopped;

impl BitchatHandle {
    pub(super) fn new(questions: mpsc::Sender<Question>, notices: broadcast::WeakSender<Notice>) -> Self {
        Self { questions, notices }
    }

    /// Everybody heard in this run.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Stopped> {
        self.ask(Question::Peers).await
    }

    /// How it is.
    pub async fn status(&self) -> Result<Status, Stopped> {
        self.ask(Question::Status).await
    }

    /// Tells the mesh a contact's keys: to be done at the start, and whenever a contact is added.
    ///
    /// A public message that another transport brings is shown only when its author's key is known: from here, or
    /// from an announce.
    pub async fn know(&self, contact: Introduction) -> Result<(), Stopped> {
        self.questions.send(Question::Know(contact)).await.map_err(|_| Stopped)
    }

    /// Every notice from here on.
    pub fn subscribe(&self) -> Result<broadcast::Receiver<Notice>, Stopped> {
        Ok(self.notices.upgrade().ok_or(Stopped)?.subscribe())
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(question(answer)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}
