//! Two contacts talk over QUIC on loopback.

#![cfg(feature = "node")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event of many")]

mod direct;

use bytes::Bytes;
use direct::{Node, SENT, id};
use hopline::capabilities::Health;
use hopline::message::{Body, Recipient};
use hopline::router::event::{Failure, Report};
use hopline::transports::direct::PathKind;
use hopline::transports::port::{Command, Event};

#[tokio::test]
async fn messages_go_both_ways_and_are_acknowledged() {
    let (mut one, mut two) = Node::pair().await;

    let attempt = one.send_text(&two, id(1), "over there").await;
    let received = two.keep().await;
    assert_eq!((received.sender, received.id, received.sent), (one.fingerprint(), id(1), SENT));
    assert_eq!(received.body, Body::Text("over there".to_owned()));
    assert!(!received.public);
    assert_eq!(one.report(attempt).await, Report::Sent);
    assert_eq!(one.receipt().await, (two.peer(), id(1), false));

    two.send_text(&one, id(2), "and back").await;
    assert_eq!(one.keep().await.body, Body::Text("and back".to_owned()));
    assert_eq!(two.receipt().await, (one.peer(), id(2), false));
    assert_eq!(*one.transport.health.borrow(), Health::Up);

    let connections = one.handle.connections().await;
    assert_eq!(connections.len(), 1);
    assert_eq!(connections[0].peer, two.peer());
    assert!(matches!(connections[0].path, PathKind::Direct(address) if address.ip().is_loopback()));
}

#[tokio::test]
async fn a_message_nobody_stored_is_not_acknowledged_and_one_declined_fails() {
    let (mut one, mut two) = Node::pair().await;
    one.send_text(&two, id(1), "for later").await;
    let attempt = one.send_text(&two, id(2), "too much").await;
    let first = two.received().await;
    let second = two.received().await;
    assert!(two.transport.send(Command::Decline { sender: one.peer(), id: second.id }).await);

    assert_eq!(one.report(attempt).await, Report::Sent);
    let report = one
        .next(|event| match event {
            Event::Report { attempt: of, report } if of == attempt => Some(report),
            Event::Receipt { .. } => panic!("a receipt for what was not stored"),
            _ => None,
        })
        .await;
    assert_eq!(report, Report::Failed(Failure::RecipientFull));

    two.acknowledge(&first).await;
    assert_eq!(one.receipt().await, (two.peer(), id(1), false));
}

#[tokio::test]
async fn a_read_receipt_is_one_and_is_done_when_the_other_side_has_it() {
    let (mut one, mut two) = Node::pair().await;
    let body = Body::Read { of: id(7), wire_ids: Vec::new() };
    let attempt = one.send(Recipient::Peer(two.peer()), id(8), body).await;
    assert_eq!(two.receipt().await, (one.peer(), id(7), true));
    assert_eq!(one.report(attempt).await, Report::Sent);
}

#[tokio::test]
async fn a_contact_card_is_a_message_like_any_other() {
    let (mut one, mut two) = Node::pair().await;
    let card = Body::Card(Bytes::from_static(b"a card"));
    let attempt = one.send(Recipient::Peer(two.peer()), id(9), card.clone()).await;
    assert_eq!(two.keep().await.body, card);
    assert_eq!(one.report(attempt).await, Report::Sent);
}

#[tokio::test]
async fn a_public_packet_goes_to_whoever_is_connected_with_its_ttl_lowered() {
    let (mut one, mut two) = Node::pair().await;
    let packet = Bytes::from_static(&[1, 2, 7, 0xAA]);
    let attempt = one.send(Recipient::Everyone, id(3), Body::Public(packet)).await;
    let heard = |event| match event {
        Event::Heard { packet } => Some(packet),
        _ => None,
    };
    assert_eq!(two.next(heard).await.as_ref(), [1, 2, 6, 0xAA]);
    assert_eq!(one.report(attempt).await, Report::Sent);

    let relayed = Bytes::from_static(&[1, 2, 3, 0xBB]);
    assert!(one.transport.send(Command::Relay(relayed.clone())).await);
    assert_eq!(two.next(heard).await, relayed);
}

#[tokio::test]
async fn a_message_of_a_mebibyte_arrives_whole_and_a_longer_one_is_refused() {
    let (mut one, mut two) = Node::pair().await;
    let text: String = ('a'..='z').cycle().take(1 << 20).collect();
    one.send_text(&two, id(4), &text).await;
    assert_eq!(two.keep().await.body, Body::Text(text));
    assert_eq!(one.receipt().await, (two.peer(), id(4), false));

    let longer = "a".repeat((1 << 20) + 4096);
    let attempt = one.send_text(&two, id(5), &longer).await;
    assert_eq!(one.report(attempt).await, Report::Failed(Failure::Unfit));
}

#[tokio::test]
async fn many_messages_arrive_once_each_and_in_order() {
    const COUNT: u128 = 500;
    let (mut one, mut two) = Node::pair().await;
    for number in 0..COUNT {
        one.send_text(&two, id(number), &number.to_string()).await;
    }
    for number in 0..COUNT {
        assert_eq!(two.keep().await.id, id(number));
    }
    for number in 0..COUNT {
        assert_eq!(one.receipt().await, (two.peer(), id(number), false));
    }
}

#[tokio::test]
async fn what_cannot_wait_to_be_stored_stops_the_sender_and_not_the_memory() {
    /// Six times 1 MiB is more than a receiver holds unstored.
    const COUNT: u128 = 6;
    let (mut one, mut two) = Node::pair().await;
    let text = "a".repeat(1 << 20);
    for number in 0..COUNT {
        one.send_text(&two, id(number), &text).await;
    }
    let mut unstored = Vec::new();
    for _ in 0..3 {
        unstored.push(two.received().await);
    }
    let more = tokio::time::timeout(std::time::Duration::from_secs(2), two.received()).await;
    assert!(more.is_err(), "a fourth mebibyte was taken in while three wait");
    for received in unstored {
        two.acknowledge(&received).await;
    }
    for _ in 3..COUNT {
        two.keep().await;
    }
}

#[tokio::test]
async fn a_message_to_somebody_unknown_fails_at_once() {
    let (mut one, two) = Node::pair().await;
    let stranger = direct::identity(9).peer_id();
    let attempt = one.send(Recipient::Peer(stranger), id(6), Body::Text("hello".to_owned())).await;
    assert_eq!(one.report(attempt).await, Report::Failed(Failure::Unreachable));
    drop(two);
}
