//! The one thing the rest of the program holds of a running node.

use std::collections::BTreeMap;

use rand_core::{OsRng, RngCore};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::ids::{MessageId, PeerId};
use crate::mesh::event::{Event, PeerInfo};
use crate::message::Recipient;

use super::contacts::{ContactAnswer, ContactError, ContactRequest};
use super::error::SendError;
use super::name::resolve;
use super::sent::SentMessage;
use super::status::{Profile, Status};

/// Requests that may wait for the driver; whoever has one more waits.
pub(super) const REQUEST_BOUND: usize = 64;
/// Events that may wait for a subscriber; one that is slower loses the oldest and is told how many.
pub(super) const EVENT_BOUND: usize = 256;

/// A running node, as others see it. Cheap to clone; when the last one is dropped, the node leaves.
#[derive(Debug, Clone)]
pub struct NodeHandle {
    profile: Profile,
    requests: mpsc::Sender<Request>,
    events: broadcast::WeakSender<Event>,
}

/// What the driver is asked.
#[derive(Debug)]
pub(super) enum Request {
    /// Send a text to everyone.
    SendPublic { text: String, answer: oneshot::Sender<Result<SentMessage, SendError>> },
    /// Send a text to one peer.
    SendPrivate {
        to: PeerId,
        id: MessageId,
        text: String,
        answer: oneshot::Sender<Result<SentMessage, SendError>>,
    },
    /// Tell a message's sender that it was seen.
    MarkRead { sender: PeerId, id: MessageId },
    /// Who is known.
    Peers { answer: oneshot::Sender<Vec<PeerInfo>> },
    /// How the node is.
    Status { answer: oneshot::Sender<Status> },
    /// What became of a message.
    Sent { id: MessageId, answer: oneshot::Sender<Option<SentMessage>> },
    /// Ask or decide something about contacts.
    Contacts { request: ContactRequest, answer: oneshot::Sender<Result<ContactAnswer, ContactError>> },
    /// The names of contacts.
    Petnames { answer: oneshot::Sender<BTreeMap<String, PeerId>> },
    /// Say goodbye and stop.
    Leave,
}

/// The node has stopped; nothing can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

impl From<Stopped> for SendError {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopping
    }
}

impl NodeHandle {
    pub(super) fn new(
        profile: Profile,
        requests: mpsc::Sender<Request>,
        events: broadcast::WeakSender<Event>,
    ) -> Self {
        Self { profile, requests, events }
    }

    /// Who this node is.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Sends a text to whom a name means.
    pub async fn send(&self, to: &str, text: String) -> Result<SentMessage, SendError> {
        match resolve(to, &self.petnames().await?, &self.peers().await?)? {
            Recipient::Everyone => self.send_public(text).await,
            Recipient::Peer(peer) => self.send_private(peer, text).await,
        }
    }

    /// Signs a text and floods it to everyone.
    pub async fn send_public(&self, text: String) -> Result<SentMessage, SendError> {
        self.ask(|answer| Request::SendPublic { text, answer }).await?
    }

    /// Encrypts a text to one peer.
    pub async fn send_private(&self, to: PeerId, text: String) -> Result<SentMessage, SendError> {
        let mut id = MessageId([0; 16]);
        OsRng.try_fill_bytes(&mut id.0).map_err(|error| SendError::Random(error.to_string()))?;
        self.ask(|answer| Request::SendPrivate { to, id, text, answer }).await?
    }

    /// Tells the sender of a private message that it was seen.
    pub async fn mark_read(&self, sender: PeerId, id: MessageId) -> Result<(), Stopped> {
        self.requests.send(Request::MarkRead { sender, id }).await.map_err(|_| Stopped)
    }

    /// Everybody known.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Stopped> {
        self.ask(|answer| Request::Peers { answer }).await
    }

    /// How the node is.
    pub async fn status(&self) -> Result<Status, Stopped> {
        self.ask(|answer| Request::Status { answer }).await
    }

    /// What became of a message this node sent lately.
    pub async fn sent(&self, id: MessageId) -> Result<Option<SentMessage>, Stopped> {
        self.ask(|answer| Request::Sent { id, answer }).await
    }

    /// Asks or decides something about contacts.
    pub async fn contacts(&self, request: ContactRequest) -> Result<ContactAnswer, ContactError> {
        self.ask(|answer| Request::Contacts { request, answer }).await?
    }

    /// The names that contacts have here, and whom each means.
    pub async fn petnames(&self) -> Result<BTreeMap<String, PeerId>, Stopped> {
        self.ask(|answer| Request::Petnames { answer }).await
    }

    /// Every event from here on.
    pub fn subscribe(&self) -> Result<Subscription, Stopped> {
        let events = self.events.upgrade().ok_or(Stopped)?;
        Ok(Subscription { events: events.subscribe() })
    }

    /// Asks the node to say goodbye and stop; it has stopped when its task ends.
    pub async fn leave(&self) -> Result<(), Stopped> {
        self.requests.send(Request::Leave).await.map_err(|_| Stopped)
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}

/// The events of a node, in order.
#[derive(Debug)]
pub struct Subscription {
    events: broadcast::Receiver<Event>,
}

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The next event.
    Event(Event),
    /// The subscriber was too slow: so many events are lost to it.
    Missed(u64),
}

impl Subscription {
    /// Waits for the next notice; `None` when the node has stopped.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.events.recv().await {
            Ok(event) => Some(Notice::Event(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Notice::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
