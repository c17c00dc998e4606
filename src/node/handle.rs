//! The one thing the rest of the program holds of a running node.

use std::collections::BTreeMap;

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::ids::{Fingerprint, MessageId, PeerId};
use crate::mesh;
use crate::mesh::event::PeerInfo;
use crate::mesh::trust::Opinion;
use crate::message::{Recipient, Requirements};
use crate::router::Explanation;
use crate::storage::{InboxEntry, Line, Lines, OutboxEntry, OutboxFilter};
use crate::transports::bitchat::BitchatHandle;

use super::contacts::{ContactAnswer, ContactError, ContactRequest, Met};
use super::error::SendError;
use super::event::Event;
use super::files::FilesHandle;
use super::name::resolve;
use super::status::{Profile, Status};
use super::store::Store;

/// Requests that may wait for the driver; whoever has one more waits.
pub(super) const REQUEST_BOUND: usize = 64;
/// Events that may wait for a subscriber; one that is slower loses the oldest and is told how many.
pub(super) const EVENT_BOUND: usize = 256;

/// A running node, as others see it. Cheap to clone; when the last one is dropped, the node leaves.
#[derive(Debug, Clone)]
pub struct NodeHandle {
    pub(super) profile: Profile,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) events: broadcast::WeakSender<Event>,
    pub(super) store: Store,
    pub(super) bitchat: BitchatHandle,
    pub(super) files: Option<FilesHandle>,
    pub(super) usual: Requirements,
}

type Answer<T> = oneshot::Sender<T>;

/// What the driver is asked.
#[derive(Debug)]
pub(super) enum Request {
    /// Accept a text and carry it.
    Send {
        to: Recipient,
        text: String,
        requirements: Requirements,
        answer: Answer<Result<OutboxEntry, SendError>>,
    },
    /// Tell a message's sender that it was seen.
    MarkRead { id: MessageId, answer: Answer<Result<(), SendError>> },
    /// A message is no longer wanted; whether it was still waiting.
    Withdraw { id: MessageId, answer: Answer<Result<bool, SendError>> },
    /// Which way a message would take.
    Explain { to: Recipient, size: usize, requirements: Requirements, answer: Answer<Explanation> },
    /// Ask or decide something about contacts.
    Contacts { request: ContactRequest, answer: Answer<Result<ContactAnswer, ContactError>> },
    /// Our own verification code.
    OwnCode { answer: Answer<Result<String, ContactError>> },
    /// Begin to verify whoever this code is of.
    Scan { code: String, answer: Answer<Result<Met, ContactError>> },
    /// The names of contacts.
    Petnames { answer: Answer<BTreeMap<String, PeerId>> },
    /// How the node is.
    Status { answer: Answer<Status> },
    /// Say goodbye and stop.
    Leave,
}

/// The node has stopped; nothing can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

impl NodeHandle {
    /// Who this node is.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What a message asks of its way when nobody says otherwise.
    pub fn usual(&self) -> Requirements {
        self.usual
    }

    /// Accepts a text for whom a name means: it is on disk when this returns, and is carried from then on.
    pub async fn send(
        &self,
        to: &str,
        text: String,
        requirements: Requirements,
    ) -> Result<OutboxEntry, SendError> {
        let to = self.resolve(to).await?;
        self.ask(|answer| Request::Send { to, text, requirements, answer }).await?
    }

    /// Tells the sender of a private message that it was seen; once, however often it is called.
    pub async fn mark_read(&self, id: MessageId) -> Result<(), SendError> {
        self.ask(|answer| Request::MarkRead { id, answer }).await?
    }

    /// Gives up a message that waits; false when there is none, or none that waits.
    pub async fn withdraw(&self, id: MessageId) -> Result<bool, SendError> {
        self.ask(|answer| Request::Withdraw { id, answer }).await?
    }

    /// Which way a message of this size would take now, and why.
    pub async fn explain(
        &self,
        to: &str,
        size: usize,
        requirements: Requirements,
    ) -> Result<Explanation, SendError> {
        let to = self.resolve(to).await?;
        Ok(self.ask(|answer| Request::Explain { to, size, requirements, answer }).await?)
    }

    /// Everybody heard on the mesh.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Stopped> {
        self.bitchat.peers().await.ok_or(Stopped)
    }

    /// How far somebody is trusted, and on whose word.
    pub async fn opinion(&self, who: Fingerprint) -> Result<Opinion, Stopped> {
        self.bitchat.opinion(who).await.ok_or(Stopped)
    }

    /// Asks or decides something about contacts.
    pub async fn contacts(&self, request: ContactRequest) -> Result<ContactAnswer, ContactError> {
        self.ask(|answer| Request::Contacts { request, answer }).await?
    }

    /// Our own verification code, made for this moment: it counts for five minutes.
    pub async fn own_code(&self) -> Result<String, ContactError> {
        self.ask(|answer| Request::OwnCode { answer }).await?
    }

    /// Checks a verification code that was scanned, and lets whoever it is of prove it; what comes of that is told
    /// by an event.
    pub async fn scan(&self, code: String) -> Result<Met, ContactError> {
        self.ask(|answer| Request::Scan { code, answer }).await?
    }

    /// The names that contacts have here, and whom each means.
    pub async fn petnames(&self) -> Result<BTreeMap<String, PeerId>, Stopped> {
        self.ask(|answer| Request::Petnames { answer }).await
    }

    /// How the node is.
    pub async fn status(&self) -> Result<Status, Stopped> {
        self.ask(|answer| Request::Status { answer }).await
    }

    /// What became of a message this node sent.
    pub async fn sent(&self, id: MessageId) -> Result<Option<OutboxEntry>, SendError> {
        Ok(self.store.with(move |database| database.find(id)).await?)
    }

    /// The latest messages this node sent, newest first.
    pub async fn outbox(&self, filter: OutboxFilter, limit: usize) -> Result<Vec<OutboxEntry>, SendError> {
        Ok(self.store.with(move |database| database.list(filter, limit)).await?)
    }

    /// The first messages received after a number, in the order of reception.
    pub async fn messages_after(&self, number: u64, limit: usize) -> Result<Vec<InboxEntry>, SendError> {
        Ok(self.store.with(move |database| database.after(number, limit)).await?)
    }

    /// What was said, oldest first.
    pub async fn history(&self, wanted: Lines) -> Result<Vec<Line>, SendError> {
        Ok(self.store.with(move |database| database.history(&wanted)).await?)
    }

    /// Files to and from contacts and over the mesh; nothing while no transport is switched on.
    pub fn files(&self) -> Option<&FilesHandle> {
        self.files.as_ref()
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

    /// Whom a name means.
    pub async fn resolve(&self, name: &str) -> Result<Recipient, SendError> {
        Ok(resolve(name, &self.petnames().await?, &self.peers().await?)?)
    }

    /// Asks something of the mesh, and picks what answers it of what it tells in the same turn.
    pub(super) async fn ask_engine<T>(
        &self,
        command: mesh::event::Command,
        answer: impl Fn(mesh::event::Event) -> Option<T>,
    ) -> Result<Vec<T>, Stopped> {
        let told = self.bitchat.ask(command).await.ok_or(Stopped)?;
        Ok(told.into_iter().filter_map(answer).collect())
    }

    pub(super) async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, Stopped> {
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
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The next event.
    Event(Event),
    /// The subscriber, or the node itself, was too slow: so many events are lost.
    Missed(u64),
}

impl Subscription {
    /// Waits for the next notice; `None` when the node has stopped.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.events.recv().await {
            Ok(Event::Missed(missed)) => Some(Notice::Missed(missed)),
            Ok(event) => Some(Notice::Event(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Notice::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
