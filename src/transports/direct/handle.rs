//! What the node needs of the direct transport beyond the transport port.

use std::net::SocketAddr;
use std::time::Duration;

use iroh::endpoint::Connection;
use tokio::sync::{mpsc, oneshot, watch};
use zeroize::Zeroizing;

use super::contact::Contact;
use crate::ids::{PeerId, TransferId};
use crate::transports::files::{FileOffer, Progress, SendError, Source, send};
use crate::wire::file::FileHash;

/// Where we are, for our contact card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnAddresses {
    /// The addresses that are configured, or else those that were found.
    pub addresses: Vec<SocketAddr>,
    /// Our relays, by their URL.
    pub relays: Vec<String>,
}

/// How a contact is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionStatus {
    /// Who.
    pub peer: PeerId,
    /// Which way.
    pub path: PathKind,
    /// There and back.
    pub round_trip: Duration,
}

/// The way a connection takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathKind {
    /// Straight to this address.
    Direct(SocketAddr),
    /// Through this relay.
    Relayed(String),
    /// Not known yet.
    Unknown,
}

/// The node's second hand on a running direct transport. All its verbs come to nothing once it has stopped.
#[derive(Debug, Clone)]
pub struct DirectHandle {
    pub(super) requests: mpsc::Sender<Request>,
    /// Where we are, watched.
    pub own_addresses: watch::Receiver<OwnAddresses>,
}

/// What the handle asks of the driver.
pub(super) enum Request {
    Contacts(Vec<Contact>, oneshot::Sender<()>),
    Secret { current: Zeroizing<[u8; 32]>, previous: Option<Zeroizing<[u8; 32]>>, done: oneshot::Sender<()> },
    Connections(oneshot::Sender<Vec<ConnectionStatus>>),
    Bound(oneshot::Sender<Vec<SocketAddr>>),
    Connection { peer: PeerId, answer: oneshot::Sender<Option<Connection>> },
    Files(mpsc::Sender<FileOffer>),
    NetworkChange,
}

impl DirectHandle {
    /// Replaces the contacts: who is no longer among them is disconnected when this returns.
    pub async fn set_contacts(&self, contacts: Vec<Contact>) {
        let (done, applied) = oneshot::channel();
        self.ask(Request::Contacts(contacts, done)).await;
        applied.await.unwrap_or_default();
    }

    /// Takes a new endpoint key, after the generation was raised.
    ///
    /// With the previous key, contacts that have not had the new card yet are still reached, and reach us
    /// where the old port is still ours; whoever else knows it is closed, but learns that we are there.
    /// Without it they have to get the card some other way first.
    pub async fn set_secret(&self, current: Zeroizing<[u8; 32]>, previous: Option<Zeroizing<[u8; 32]>>) {
        let (done, applied) = oneshot::channel();
        self.ask(Request::Secret { current, previous, done }).await;
        applied.await.unwrap_or_default();
    }

    /// Every contact that is connected, and how.
    pub async fn connections(&self) -> Vec<ConnectionStatus> {
        let (answer, status) = oneshot::channel();
        self.ask(Request::Connections(answer)).await;
        status.await.unwrap_or_default()
    }

    /// The addresses the transport's sockets are bound to.
    pub async fn bound(&self) -> Vec<SocketAddr> {
        let (answer, bound) = oneshot::channel();
        self.ask(Request::Bound(answer)).await;
        bound.await.unwrap_or_default()
    }

    /// Says that the network may have changed, where the system does not.
    pub async fn network_change(&self) {
        self.ask(Request::NetworkChange).await;
    }

    /// Has the files that contacts offer handed to `taker`. Before that their senders are told to come again.
    pub async fn take_files(&self, taker: mpsc::Sender<FileOffer>) {
        self.ask(Request::Files(taker)).await;
    }

    /// Carries a file to a contact that is connected: see [`send`].
    pub async fn send_file(
        &self,
        peer: PeerId,
        id: TransferId,
        source: &Source,
        progress: &watch::Sender<Progress>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<FileHash, SendError> {
        let connection = self.connection(peer).await.ok_or(SendError::NotConnected)?;
        send(&connection, id, source, progress, cancelled).await
    }

    async fn connection(&self, peer: PeerId) -> Option<Connection> {
        let (answer, connection) = oneshot::channel();
        self.ask(Request::Connection { peer, answer }).await;
        connection.await.unwrap_or_default()
    }

    async fn ask(&self, request: Request) {
        // The driver is gone only when the transport has stopped, which the node knows from its port.
        self.requests.send(request).await.ok();
    }
}
