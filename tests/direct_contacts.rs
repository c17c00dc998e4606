//! Who is talked with and who is not, and how a connection comes back.

#![cfg(feature = "node")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event of many")]

mod direct;

use std::net::SocketAddr;

use direct::{Node, PATIENCE, id, loopback};
use hopline::capabilities::Reach;
use hopline::message::{Body, Recipient};
use hopline::router::event::{Failure, Report};
use hopline::time::UnixMillis;
use hopline::transports::direct::Config;
use hopline::transports::port::Event;
use hopline::wire::direct::{ALPN, Frame};
use iroh::endpoint::{ConnectionError, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId};
use tokio::time::timeout;

/// Everything the node was told until it answers something asked now.
async fn events_so_far(node: &mut Node) -> Vec<Event> {
    let nobody = direct::identity(99).peer_id();
    let marker = node.send(Recipient::Peer(nobody), id(99), Body::Text("?".to_owned())).await;
    let mut events = Vec::new();
    node.next(|event| match event {
        Event::Report { attempt, .. } if attempt == marker => Some(()),
        event => {
            events.push(event);
            None
        }
    })
    .await;
    events
}

#[tokio::test]
async fn a_stranger_is_closed_before_any_message() {
    let (mut one, _two) = Node::pair().await;
    events_so_far(&mut one).await;
    let stranger = Endpoint::builder(presets::Minimal).bind().await.unwrap();
    let contact = one.contact();
    let to = EndpointAddr::new(EndpointId::from_bytes(&contact.endpoint).unwrap())
        .with_ip_addr(contact.addresses[0]);
    let connection = timeout(PATIENCE, stranger.connect(to, ALPN)).await.unwrap().unwrap();

    let mut stream = connection.open_uni().await.unwrap();
    let body = hopline::wire::body::encode(&Body::Text("let me in".to_owned())).unwrap();
    let message = Frame::Message { id: id(1), sent: UnixMillis(0), body: body.into() };
    for frame in [Frame::Hello, message, Frame::Ack(id(2)), Frame::Public([1, 2, 3].as_slice().into())] {
        // It may be closed already.
        stream.write_chunk(frame.encode().unwrap()).await.ok();
    }
    let error = timeout(PATIENCE, connection.closed()).await.unwrap();
    assert!(
        matches!(&error, ConnectionError::ApplicationClosed(close) if close.error_code == 1u32.into()),
        "{error}"
    );
    assert_eq!(events_so_far(&mut one).await, []);
    assert_eq!(one.handle.connections().await.len(), 1);
}

#[tokio::test]
async fn a_contact_that_is_removed_is_disconnected_at_once_and_stays_so() {
    let (mut one, mut two) = Node::pair().await;
    one.handle.set_contacts(Vec::new()).await;
    one.reaches(&two, Reach::No).await;
    two.reaches(&one, Reach::Perhaps).await;
    let attempt = two.send_text(&one, id(1), "still there?").await;
    assert!(matches!(two.report(attempt).await, Report::Failed(_)));
    let told = events_so_far(&mut one).await;
    assert!(told.iter().all(|event| !matches!(event, Event::Received(_))), "{told:?}");
}

#[tokio::test]
async fn two_that_call_each_other_at_once_lose_nothing() {
    const COUNT: u128 = 50;
    for round in 0..3_u8 {
        let mut one = Node::start(round * 2 + 1, loopback(), Vec::new()).await;
        let mut two = Node::start(round * 2 + 2, loopback(), Vec::new()).await;
        tokio::join!(one.befriend(&two), two.befriend(&one));
        for number in 0..COUNT {
            one.send_text(&two, id(number), "from one").await;
            two.send_text(&one, id(COUNT + number), "from two").await;
        }
        let (first, second) = tokio::join!(converse(&mut one, COUNT), converse(&mut two, COUNT));
        assert_eq!(first, (COUNT..2 * COUNT).map(id).collect());
        assert_eq!(second, (0..COUNT).map(id).collect());
    }
}

/// Keeps every message until it has this many and as many receipts; none of its own may fail.
async fn converse(node: &mut Node, count: u128) -> std::collections::BTreeSet<hopline::ids::MessageId> {
    let mut kept = std::collections::BTreeSet::new();
    let mut receipts = std::collections::BTreeSet::new();
    while (kept.len() as u128) < count || (receipts.len() as u128) < count {
        let received = node
            .next(|event| match event {
                Event::Received(received) => Some(Some(received)),
                Event::Receipt { id, .. } => {
                    receipts.insert(id);
                    Some(None)
                }
                Event::Report { report: Report::Failed(failure), .. } => {
                    panic!("a message failed: {failure:?}")
                }
                _ => None,
            })
            .await;
        if let Some(received) = received {
            assert!(kept.insert(received.id), "{} came twice", received.id);
            node.acknowledge(&received).await;
        }
    }
    kept
}

#[tokio::test]
async fn the_connection_comes_back_after_a_restart() {
    let (mut one, two) = Node::pair().await;
    let contact = one.contact();
    two.transport.stop().await;
    one.reaches_peer(direct::identity(2).peer_id(), Reach::Perhaps).await;

    let mut two = Node::start(2, loopback(), vec![contact]).await;
    one.reaches(&two, Reach::Yes).await;
    two.reaches(&one, Reach::Yes).await;
    one.send_text(&two, id(1), "welcome back").await;
    assert_eq!(two.keep().await.id, id(1));
    assert_eq!(one.receipt().await, (two.peer(), id(1), false));
}

#[tokio::test]
async fn a_crash_that_was_not_noticed_does_not_keep_the_next_run_out() {
    // Once with the lower and once with the higher endpoint id in the part of the one that crashes.
    for (stays, crashes) in [(1, 2), (2, 1)] {
        let mut one = Node::start(stays, loopback(), Vec::new()).await;
        let mut two = Node::start(crashes, loopback(), Vec::new()).await;
        one.befriend(&two).await;
        two.befriend(&one).await;
        one.reaches(&two, Reach::Yes).await;
        two.reaches(&one, Reach::Yes).await;
        let contact = one.contact();
        two.transport.task.abort();

        let mut two = Node::start(crashes, loopback(), vec![contact]).await;
        two.reaches(&one, Reach::Yes).await;
        two.send_text(&one, id(1), "did you miss me?").await;
        assert_eq!(one.keep().await.id, id(1));
        one.send_text(&two, id(2), "no").await;
        assert_eq!(two.keep().await.id, id(2));
    }
}

#[tokio::test]
async fn who_has_the_old_card_is_still_served_while_the_previous_key_is_kept() {
    let (mut one, two) = Node::pair().await;
    let (old, new) = {
        let old = one.contact();
        one.raise_generation(true).await;
        (old, one.contact())
    };
    assert_ne!(old.endpoint, new.endpoint);

    // It missed the card, and calls the key it knows.
    two.transport.stop().await;
    one.reaches_peer(direct::identity(2).peer_id(), Reach::Perhaps).await;
    let mut two = Node::start(2, loopback(), vec![old.clone()]).await;
    one.reaches(&two, Reach::Yes).await;
    one.send_text(&two, id(1), "here is my card").await;
    assert_eq!(two.keep().await.id, id(1));

    // It waits to be called, by whatever key: the new one it turns away, the old one it knows.
    one.handle.set_contacts(Vec::new()).await;
    two.handle
        .set_contacts(vec![hopline::transports::direct::Contact { addresses: Vec::new(), ..old }])
        .await;
    one.befriend(&two).await;
    one.reaches(&two, Reach::Yes).await;
    one.send_text(&two, id(2), "here it is again").await;
    assert_eq!(two.keep().await.id, id(2));

    // Now it has the card.
    two.handle.set_contacts(vec![new]).await;
    two.send_text(&one, id(3), "thank you").await;
    assert_eq!(one.keep().await.id, id(3));
}

#[tokio::test]
async fn who_has_the_old_card_is_a_stranger_once_the_previous_key_is_gone() {
    let (mut one, mut two) = Node::pair().await;
    one.raise_generation(false).await;
    two.reaches(&one, Reach::Perhaps).await;
    let attempt = two.send_text(&one, id(1), "are you there?").await;
    assert_eq!(two.report(attempt).await, Report::Failed(Failure::Unreachable));

    two.befriend(&one).await;
    two.reaches(&one, Reach::Yes).await;
    two.send_text(&one, id(2), "there you are").await;
    assert_eq!(one.keep().await.id, id(2));
}

#[tokio::test]
async fn a_fixed_port_moves_to_the_next_key() {
    let free = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = Config { bind: vec![free.into()], ..Config::default() };
    let mut one = Node::start(1, config, Vec::new()).await;
    let mut two = Node::start(2, loopback(), vec![one.contact()]).await;
    one.befriend(&two).await;
    two.reaches(&one, Reach::Yes).await;
    one.reaches(&two, Reach::Yes).await;

    one.raise_generation(true).await;
    assert_eq!(one.handle.bound().await[0], free);
    one.reaches(&two, Reach::Perhaps).await;
    // The old card names a key that does not listen there any more, but can still call.
    one.reaches(&two, Reach::Yes).await;
    one.send_text(&two, id(1), "here is my card").await;
    assert_eq!(two.keep().await.id, id(1));
    two.befriend(&one).await;
    two.send_text(&one, id(2), "thank you").await;
    assert_eq!(one.keep().await.id, id(2));
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_says_so() {
    let taken = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = taken.local_addr().unwrap();
    let config = Config { bind: vec![address.into()], ..Config::default() };
    let secret = direct::identity(1).direct_secret(0);
    let error = hopline::transports::direct::start(config, Vec::new(), secret).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot open the direct transport's sockets"), "{error}");
}
