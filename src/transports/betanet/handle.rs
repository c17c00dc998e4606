//! What the node needs of betanet beyond the transport port.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::contact::Contact;
use super::job::Left;
use super::stream::{Inlet, Outlet};
use crate::ids::{Fingerprint, NodeId, PeerId, TransferId};
use crate::transports::files::{FileOffer, Progress, SendError, Source, Way, send_over};
use crate::wire::Mailbox;
use crate::wire::file::FileHash;
use crate::wire::letter::Letter;

/// What the node is told to keep, and to put on its card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// Where mail for us can be left.
    pub mailbox: Option<Mailbox>,
    /// Newer records of relays than the node handed in.
    pub records: Vec<NewRecord>,
}

/// A newer record of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Which relay.
    pub node: NodeId,
    /// The record, signed.
    pub record: Bytes,
    /// The Unix second it ends at.
    pub expires: u64,
}

/// How betanet stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BetanetStatus {
    /// Our relays, in the order of preference.
    pub relays: Vec<RelayStatus>,
    /// Relays that tunnels stand to for the sake of contacts.
    pub others: usize,
    /// Prekeys that contacts gave us and that no message was sealed to yet.
    pub prekeys: usize,
}

/// How one of our relays stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatus {
    /// Its host name.
    pub host: String,
    /// What it is to us at this time.
    pub part: Part,
    /// Whether our mailbox is there.
    pub mailbox: MailboxStatus,
    /// Why the last call came to nothing; nothing while a tunnel stands.
    pub trouble: Option<String>,
}

/// What a relay of ours is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The one in use.
    InUse,
    /// A tunnel stands, in case the one in use dies.
    Warm,
    /// No tunnel stands.
    Down,
}

/// How our mailbox at a relay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxStatus {
    /// There is none, as far as is known.
    None,
    /// It is there; our card names another one.
    Kept,
    /// It is there, and our card names it.
    OnCard,
    /// The relay takes no mailbox of ours.
    Refused,
}

/// The node's second hand on a running betanet. All its verbs come to nothing once it has stopped.
#[derive(Debug, Clone)]
pub struct BetanetHandle {
    pub(super) requests: mpsc::Sender<Request>,
    /// What to keep and to put on our card, watched.
    pub presence: watch::Receiver<Presence>,
}

/// What the handle asks of the driver.
pub(super) enum Request {
    People {
        contacts: Vec<Contact>,
        blocked: Vec<Fingerprint>,
        done: oneshot::Sender<()>,
    },
    Generation(u32),
    Status(oneshot::Sender<BetanetStatus>),
    /// Who takes the files that contacts offer.
    Files(mpsc::Sender<FileOffer>),
    /// Open a stream to somebody; nothing when there is no way.
    Open {
        peer: PeerId,
        answer: oneshot::Sender<Option<(Outlet, Inlet)>>,
    },
    /// Leave a letter of a stream, and say what became of it.
    Leave {
        peer: PeerId,
        letter: Letter,
        done: oneshot::Sender<Left>,
    },
    /// Leave a letter of a stream, sooner or later.
    Say {
        peer: PeerId,
        letter: Letter,
    },
}

impl BetanetHandle {
    /// Replaces the people with mailboxes, and those from whom nothing is taken.
    pub async fn set_people(&self, contacts: Vec<Contact>, blocked: Vec<Fingerprint>) {
        let (done, applied) = oneshot::channel();
        self.ask(Request::People { contacts, blocked, done }).await;
        applied.await.unwrap_or_default();
    }

    /// Takes another generation of deposit tokens: cards that were given out before let nobody leave mail any
    /// more, as soon as the relays have been told.
    pub async fn set_generation(&self, generation: u32) {
        self.ask(Request::Generation(generation)).await;
    }

    /// How it stands.
    pub async fn status(&self) -> BetanetStatus {
        let (answer, status) = oneshot::channel();
        self.ask(Request::Status(answer)).await;
        status.await.unwrap_or_default()
    }

    /// Has the files that contacts offer handed to `taker`. Before that their senders are told to come again.
    pub async fn take_files(&self, taker: mpsc::Sender<FileOffer>) {
        self.ask(Request::Files(taker)).await;
    }

    /// Carries a file to somebody's mailbox, in letters: see [`send_over`].
    pub async fn send_file(
        &self,
        peer: PeerId,
        id: TransferId,
        source: &Source,
        progress: &watch::Sender<Progress>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<FileHash, SendError> {
        send_over(&Way::Mail(self, peer), id, source, progress, cancelled).await
    }

    /// Opens a stream to somebody whose mailbox is reached.
    pub(in crate::transports) async fn open_stream(&self, peer: PeerId) -> Option<(Outlet, Inlet)> {
        let (answer, opened) = oneshot::channel();
        self.ask(Request::Open { peer, answer }).await;
        opened.await.unwrap_or_default()
    }

    async fn ask(&self, request: Request) {
        // The driver is gone only when the transport has stopped, which the node knows from its port.
        self.requests.send(request).await.ok();
    }
}
