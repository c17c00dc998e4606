//! What the node needs of the BLE mesh beyond the transport port.

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::board::BitchatStatus;
use crate::ids::{AttemptId, Fingerprint};
use crate::mesh::board::Notice;
use crate::mesh::event::{Command, Event, Introduction, PeerInfo};
use crate::mesh::groups::GroupInfo;
use crate::mesh::media::event::{self as media, Received};
use crate::mesh::topology::Graph;
use crate::mesh::trust::Opinion;

/// Events of the mesh that may wait for a listener; one that is slower loses the oldest.
pub(super) const EVENT_BOUND: usize = 256;
/// Questions that may wait; whoever has one more waits.
pub(super) const QUESTION_BOUND: usize = 16;

/// What the task is asked beside its commands.
pub(super) enum Question {
    /// Who is heard?
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    /// How is it?
    Status(oneshot::Sender<BitchatStatus>),
    /// Something beyond the transport port.
    Command(Command),
    /// What becomes of this file of ours is told there.
    Follow(AttemptId, watch::Sender<Option<media::Event>>),
    /// Files that come go there.
    TakeFiles(mpsc::Sender<Received>),
    /// The same, with what the engine tells in the same turn.
    Ask(Command, oneshot::Sender<Vec<Event>>),
    /// Which groups are we in?
    Groups(oneshot::Sender<Vec<GroupInfo>>),
    /// Which notices stand?
    Notices(oneshot::Sender<Vec<Notice>>),
    /// Who hears whom?
    Topology(oneshot::Sender<Graph>),
    /// How far is somebody trusted?
    Opinion(Fingerprint, oneshot::Sender<Opinion>),
}

/// The node's second hand on a running BLE mesh. All its verbs come to nothing once it has stopped.
#[derive(Debug, Clone)]
pub struct BitchatHandle {
    pub(super) questions: mpsc::Sender<Question>,
    pub(super) events: broadcast::WeakSender<Event>,
}

impl BitchatHandle {
    /// Everybody heard; `None` once it has stopped.
    pub async fn peers(&self) -> Option<Vec<PeerInfo>> {
        self.question(Question::Peers).await
    }

    /// How it is; `None` once it has stopped.
    pub async fn status(&self) -> Option<BitchatStatus> {
        self.question(Question::Status).await
    }

    /// Tells it somebody's keys, so that public packets that another transport brings can be verified.
    pub async fn know(&self, introduction: Introduction) {
        self.command(Command::Know(introduction)).await;
    }

    /// Asks something of the engine; what becomes of it is told by its events.
    pub async fn command(&self, command: Command) {
        self.questions.send(Question::Command(command)).await.ok();
    }

    /// Asks something of the engine; what it tells of it in the same turn, and `None` once it has stopped. Unlike a
    /// subscription this loses nothing.
    pub async fn ask(&self, command: Command) -> Option<Vec<Event>> {
        self.question(|answer| Question::Ask(command, answer)).await
    }

    /// What becomes of a file of ours: the newest there is to tell. A slow reader loses nothing that counts.
    pub(super) async fn follow(&self, attempt: AttemptId) -> watch::Receiver<Option<media::Event>> {
        let (told, followed) = watch::channel(None);
        self.questions.send(Question::Follow(attempt, told)).await.ok();
        followed
    }

    /// The groups we are in; `None` once it has stopped.
    pub async fn groups(&self) -> Option<Vec<GroupInfo>> {
        self.question(Question::Groups).await
    }

    /// The notices that stand; `None` once it has stopped.
    pub async fn notices(&self) -> Option<Vec<Notice>> {
        self.question(Question::Notices).await
    }

    /// Who hears whom, as far as we were told; `None` once it has stopped.
    pub async fn topology(&self) -> Option<Graph> {
        self.question(Question::Topology).await
    }

    /// How far somebody is trusted, and on whose word; `None` once it has stopped.
    pub async fn opinion(&self, who: Fingerprint) -> Option<Opinion> {
        self.question(|answer| Question::Opinion(who, answer)).await
    }

    /// What happens on the mesh from here on, but for files; `None` once it has stopped.
    pub fn subscribe(&self) -> Option<broadcast::Receiver<Event>> {
        self.events.upgrade().map(|events| events.subscribe())
    }

    async fn question<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(question(answer)).await.ok()?;
        answered.await.ok()
    }
}
