//! The mesh behind the transport port: two of them over a simulated air, in real time.
#![cfg(feature = "node")]

use std::time::Duration;

use bytes::Bytes;
use hopline::capabilities::Reach;
use hopline::clock::Clock;
use hopline::crypto::Identity;
use hopline::ids::{AdapterId, AttemptId, MessageId, PeerId};
use hopline::mesh::{self, Config, public_packet};
use hopline::message::{Body, Message, Recipient};
use hopline::radio::simulated::SimulatedAir;
use hopline::router::event::Report;
use hopline::sim::event::Radio;
use hopline::sim::{Air, Edge, Topology};
use hopline::time::Instant;
use hopline::transports::bitchat::{BitchatHandle, start};
use hopline::transports::port::{Command, Event, Received, Transport};
use tokio::sync::broadcast;
use tokio::time::timeout;

/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One end, and what it told so far.
struct End {
    identity: Identity,
    transport: Transport,
    handle: BitchatHandle,
    mesh_events: broadcast::Receiver<mesh::event::Event>,
    told: Vec<Event>,
}

impl End {
    fn peer(&self) -> PeerId {
        self.identity.peer_id()
    }

    /// The next event for which `pick` has an answer; what comes before it is kept in `told`.
    async fn next<T>(&mut self, pick: impl Fn(&Event) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.transport.receive().await.expect("it runs on");
                let picked = pick(&event);
                self.told.push(event);
                if let Some(picked) = picked {
                    return picked;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("it happens in time")
    }

    async fn received(&mut self) -> Received {
        self.next(|event| if let Event::Received(received) = event { Some(received.clone()) } else { None })
            .await
    }

    async fn receipt(&mut self) -> (MessageId, bool) {
        self.next(|event| if let Event::Receipt { id, read, .. } = event { Some((*id, *read)) } else { None })
            .await
    }

    async fn sent(&mut self, attempt: u64) {
        let sent = Event::Report { attempt: AttemptId(attempt), report: Report::Sent };
        self.next(|event| (*event == sent).then_some(())).await;
    }

    async fn send(&self, attempt: u64, id: u8, to: Recipient, body: Body) {
        let message = Message { id: MessageId([id; 16]), to, body, sent: Clock::start().now().unix };
        assert!(self.transport.send(Command::Send { attempt: AttemptId(attempt), message }).await);
    }

    /// What a node does when the message is on its disk.
    async fn stored(&self, message: &Received) {
        let (sender, id) = (message.sender.peer_id(), message.id);
        let wire_ids = message.wire_ids.clone();
        assert!(self.transport.send(Command::Acknowledge { sender, id, wire_ids }).await);
    }
}

/// Two that have met.
async fn pair(seed: u8) -> (End, End) {
    let topology = Topology::chain(2, Edge::default());
    let mut air = Air::new([seed; 32]);
    let stations = air.lay_out(&topology, Instant::ZERO);
    let air = SimulatedAir::spawn(air);
    let mut ends = Vec::new();
    for (number, station) in (1..).zip(stations) {
        let identity = Identity::from_bytes(&[number; 64]);
        let radio = Radio { adapter: AdapterId(0), peer: Some(identity.peer_id()), first_serial: 1 };
        let radio = air.switch_on(station, radio).await.expect("there is such a station");
        let mine = Identity::from_bytes(&[number; 64]);
        let (transport, handle) =
            start(mine, Config::default(), [seed; 32], Vec::new(), Some(radio), Clock::start());
        let mesh_events = handle.subscribe().expect("it runs");
        ends.push(End { identity, transport, handle, mesh_events, told: Vec::new() });
    }
    let (mut b, mut a) = (ends.pop().expect("two"), ends.pop().expect("two"));
    let (at_a, at_b) = (Recipient::Peer(b.peer()), Recipient::Peer(a.peer()));
    for (end, to) in [(&mut a, at_a), (&mut b, at_b)] {
        let met = Event::Reach { to, reach: Reach::Yes };
        end.next(|event| (*event == met).then_some(())).await;
    }
    (a, b)
}

fn text(text: &str) -> Body {
    Body::Text(text.to_owned())
}

#[tokio::test]
async fn a_message_is_acknowledged_when_it_was_stored_and_not_before() {
    let (mut a, mut b) = pair(1).await;
    let to = Recipient::Peer(b.peer());
    for (id, words) in [(1, "lost by its receiver"), (2, "stored")] {
        a.send(id.into(), id, to, text(words)).await;
        a.sent(id.into()).await;
        let received = b.received().await;
        assert_eq!((received.id, received.body.clone()), (MessageId([id; 16]), text(words)));
        assert_eq!(received.sender, a.identity.fingerprint());
        if id == 2 {
            b.stored(&received).await;
        }
    }
    assert_eq!(a.receipt().await, (MessageId([2; 16]), false), "the first receipt is the second message's");
    a.transport.stop().await;
    b.transport.stop().await;
}

#[tokio::test]
async fn a_repetition_is_received_again_and_acknowledged_again() {
    let (mut a, mut b) = pair(2).await;
    let to = Recipient::Peer(b.peer());
    let long = "a text in several parts, ".repeat(30);
    for (id, words) in [(1, "short"), (2, long.as_str())] {
        for attempt in 1..=2 {
            a.send(attempt, id, to, text(words)).await;
            let received = b.received().await;
            assert_eq!((received.id, &received.body), (MessageId([id; 16]), &text(words)));
            b.stored(&received).await;
            assert_eq!(a.receipt().await, (MessageId([id; 16]), false), "attempt {attempt}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_attempt_may_still_be_receipted_and_read() {
    let (mut a, mut b) = pair(3).await;
    a.send(1, 1, Recipient::Peer(b.peer()), text("on its way")).await;
    a.sent(1).await;
    let cancel = Command::Cancel { attempt: AttemptId(1), id: MessageId([1; 16]) };
    assert!(a.transport.send(cancel).await);
    let received = b.received().await;
    b.stored(&received).await;
    assert_eq!(a.receipt().await, (MessageId([1; 16]), false));
    let read = Body::Read { of: received.id, wire_ids: received.wire_ids };
    b.send(2, 2, Recipient::Peer(a.peer()), read).await;
    assert_eq!(a.receipt().await, (MessageId([1; 16]), true));
    // It came another way, so that it has no id on the wire but its own.
    let read = Body::Read { of: MessageId([8; 16]), wire_ids: Vec::new() };
    b.send(3, 3, Recipient::Peer(a.peer()), read).await;
    assert_eq!(a.receipt().await, (MessageId([8; 16]), true));
}

#[tokio::test]
async fn who_is_warmed_up_for_has_a_session() {
    let (mut a, b) = pair(4).await;
    assert!(a.transport.send(Command::Warm { peer: b.peer() }).await);
    let wanted = mesh::event::Event::Session { peer: b.peer() };
    let found = async { while a.mesh_events.recv().await.expect("it runs on") != wanted {} };
    timeout(PATIENCE, found).await.expect("it happens in time");
    let peers = a.handle.peers().await.expect("it runs on");
    assert!(peers.iter().any(|peer| peer.id == b.peer() && peer.session));
}

#[tokio::test]
async fn a_card_and_a_text_for_everyone_arrive_and_the_text_may_be_carried_on() {
    let (mut a, mut b) = pair(5).await;
    let card = Bytes::from_static(b"a signed card");
    a.send(1, 1, Recipient::Peer(b.peer()), Body::Card(card.clone())).await;
    a.sent(1).await;
    let received = b.received().await;
    assert_eq!((received.body, received.sender), (Body::Card(card), a.identity.fingerprint()));

    let packet = public_packet(&a.identity, "to all", Clock::start().now().unix).expect("it can be said");
    a.send(2, 2, Recipient::Everyone, Body::Public(packet.bytes.clone())).await;
    let received = b.received().await;
    assert_eq!((received.id, received.public, received.ttl), (packet.id.into(), true, 7));
    let heard = Event::Heard { packet: packet.bytes };
    b.next(|event| (*event == heard).then_some(())).await;
}
