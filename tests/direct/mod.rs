//! Nodes that have nothing but the direct transport, on loopback, over real QUIC.
//!
//! A test plays the node behind the port: [`Node::keep`] stands for storing a message, and answers as a node
//! does whose transaction has committed.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::time::Duration;

use hopline::capabilities::Reach;
use hopline::crypto::Identity;
use hopline::ids::{AttemptId, Fingerprint, MessageId, PeerId};
use hopline::message::{Body, Message, Recipient};
use hopline::router::event::Report;
use hopline::time::UnixMillis;
use hopline::transports::direct::{Bind, Config, Contact, DirectHandle, start};
use hopline::transports::port::{Command, Event, Received, Transport};
use iroh::SecretKey;
use tokio::time::timeout;

/// How long anything may take; a busy machine may be slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// When everything in these tests was written.
pub(crate) const SENT: UnixMillis = UnixMillis(1_795_305_600_000);

/// One node.
pub(crate) struct Node {
    pub(crate) identity: Identity,
    pub(crate) transport: Transport,
    pub(crate) handle: DirectHandle,
    generation: u32,
    attempts: u64,
}

/// An identity of its own for every number.
pub(crate) fn identity(number: u8) -> Identity {
    Identity::from_bytes(&[number; Identity::LEN])
}

/// A configuration for tests: one socket on loopback.
pub(crate) fn loopback() -> Config {
    Config {
        bind: vec![Bind::from("127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap())],
        ..Config::default()
    }
}

/// A message id of its own for every number.
pub(crate) fn id(number: u128) -> MessageId {
    MessageId(number.to_be_bytes())
}

impl Node {
    pub(crate) async fn start(number: u8, config: Config, contacts: Vec<Contact>) -> Self {
        let identity = identity(number);
        let (transport, handle) = start(config, contacts, identity.direct_secret(0)).await.unwrap();
        Self { identity, transport, handle, generation: 0, attempts: 0 }
    }

    /// Two nodes on loopback that are each other's contacts and connected.
    pub(crate) async fn pair() -> (Self, Self) {
        let mut one = Self::start(1, loopback(), Vec::new()).await;
        let mut two = Self::start(2, loopback(), Vec::new()).await;
        one.befriend(&two).await;
        two.befriend(&one).await;
        one.reaches(&two, Reach::Yes).await;
        two.reaches(&one, Reach::Yes).await;
        (one, two)
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.identity.peer_id()
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// What its contact card says.
    pub(crate) fn contact(&self) -> Contact {
        let own = self.handle.own_addresses.borrow();
        Contact {
            peer: self.peer(),
            fingerprint: self.fingerprint(),
            endpoint: endpoint_key(&self.identity, self.generation),
            addresses: own.addresses.clone(),
            relays: own.relays.clone(),
        }
    }

    /// Has the other as its only contact.
    pub(crate) async fn befriend(&self, other: &Self) {
        self.handle.set_contacts(vec![other.contact()]).await;
    }

    /// Raises its generation; contacts with the old card are still served if `with_previous`.
    pub(crate) async fn raise_generation(&mut self, with_previous: bool) {
        let previous = with_previous.then(|| self.identity.direct_secret(self.generation));
        self.generation += 1;
        self.handle.set_secret(self.identity.direct_secret(self.generation), previous).await;
    }

    /// The next event for which `pick` has an answer.
    pub(crate) async fn next<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.transport.receive().await.expect("the transport runs on");
                eprintln!("{}: {event:?}", self.peer());
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("it happens in time")
    }

    /// Waits until it says so of its reach.
    pub(crate) async fn reaches(&mut self, other: &Self, wanted: Reach) {
        self.reaches_peer(other.peer(), wanted).await;
    }

    /// Waits until it says so of its reach.
    pub(crate) async fn reaches_peer(&mut self, peer: PeerId, wanted: Reach) {
        let to = Recipient::Peer(peer);
        self.next(|event| (event == Event::Reach { to, reach: wanted }).then_some(())).await;
    }

    /// Hands a message to the transport.
    pub(crate) async fn send(&mut self, to: Recipient, id: MessageId, body: Body) -> AttemptId {
        self.attempts += 1;
        let attempt = AttemptId(self.attempts);
        let message = Message { id, to, body, sent: SENT };
        assert!(self.transport.send(Command::Send { attempt, message }).await);
        attempt
    }

    pub(crate) async fn send_text(&mut self, to: &Self, id: MessageId, text: &str) -> AttemptId {
        self.send(Recipient::Peer(to.peer()), id, Body::Text(text.to_owned())).await
    }

    /// Waits for what became of an attempt.
    pub(crate) async fn report(&mut self, of: AttemptId) -> Report {
        self.next(|event| {
            let Event::Report { attempt, report } = event else { return None };
            (attempt == of).then_some(report)
        })
        .await
    }

    /// Waits for the next message.
    pub(crate) async fn received(&mut self) -> Received {
        self.next(|event| {
            let Event::Received(received) = event else { return None };
            Some(received)
        })
        .await
    }

    /// Waits for the next message, and answers that it is stored.
    pub(crate) async fn keep(&mut self) -> Received {
        let received = self.received().await;
        self.acknowledge(&received).await;
        received
    }

    pub(crate) async fn acknowledge(&self, received: &Received) {
        let command = Command::Acknowledge {
            sender: received.sender.peer_id(),
            id: received.id,
            wire_ids: received.wire_ids.clone(),
        };
        assert!(self.transport.send(command).await);
    }

    /// Waits for the next receipt: of whom, of which message, and whether it was read.
    pub(crate) async fn receipt(&mut self) -> (PeerId, MessageId, bool) {
        self.next(|event| {
            let Event::Receipt { from, id, read } = event else { return None };
            Some((from, id, read))
        })
        .await
    }
}

/// The public key of an identity's endpoint.
pub(crate) fn endpoint_key(identity: &Identity, generation: u32) -> [u8; 32] {
    *SecretKey::from_bytes(&identity.direct_secret(generation)).public().as_bytes()
}
