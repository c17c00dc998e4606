//! Somebody between the two ends, or in place of one: whatever they change, the tunnel ends, and nothing it sends
//! tells what was wrong.

use std::time::Duration;

use bytes::Bytes;

use super::super::error::ErrorCode;
use super::super::event::{Event, Input, Role, Side};
use super::super::frame::Kind;
use super::super::handshake::{Binding, Suite};
use super::pair::{End, Pair, at, binding, client, quiet, server};

const DEADLINE: Duration = Duration::from_secs(10);

fn flipped(bytes: &[u8], bit: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes.into()
}

/// What an end whose handshake was spoilt shows: nothing, until its time is up, and then that it failed. More bytes,
/// the end of them, or a wish of its user do not change that.
fn assert_stalls(end: &mut End, sent: usize, what: &str) {
    assert_eq!(end.sent, sent, "{what}");
    assert_eq!(end.news(), [], "{what}");
    assert_eq!(end.connection.poll_timeout(), Some(at(DEADLINE).instant), "{what}");
    end.handle(Input::Received(Bytes::from_static(&[0; 2000])), at(Duration::from_secs(1)));
    end.handle(Input::Ended, at(Duration::from_secs(1)));
    end.handle(Input::Timeout, at(DEADLINE - Duration::from_millis(1)));
    assert_eq!((end.sent, end.news()), (sent, vec![]), "{what}");
    end.handle(Input::Timeout, at(DEADLINE));
    assert_eq!((end.sent, end.news()), (sent, vec![Event::Failed]), "{what}");
    end.handle(Input::Received(Bytes::from_static(&[0; 2000])), at(DEADLINE));
    assert_eq!((end.sent, end.news(), end.connection.poll_timeout()), (sent, vec![], None), "{what}");
}

/// The two bodies of a whole handshake: suite and message 1, message 2, message 3 and the first frame.
struct Recorded {
    first: Bytes,
    second: Bytes,
    third: Bytes,
}

fn record(suite: Suite) -> Recorded {
    let (mut client, mut server) = (client(suite, quiet(), 11), server(binding(), quiet(), 12));
    let first = client.outbox.split().freeze();
    server.handle(Input::Received(first.clone()), at(Duration::ZERO));
    let second = server.outbox.split().freeze();
    client.handle(Input::Received(second.clone()), at(Duration::ZERO));
    Recorded { first, second, third: client.outbox.split().freeze() }
}

#[test]
fn every_flipped_bit_of_message_1_leaves_the_server_silent() {
    for suite in [Suite::Classical, Suite::Hybrid] {
        let first = record(suite).first;
        let step = if suite == Suite::Hybrid { 13 } else { 1 };
        // Beyond the first hundred bytes of a hybrid message every thirteenth bit: a curve operation each.
        for bit in (0..first.len() * 8).filter(|bit| *bit < 800 || bit % step == 0) {
            // With another suite byte the server may wait for a longer message 1; the rest of it is made up.
            let mut bytes = flipped(&first, bit).to_vec();
            bytes.resize(2000, 0);
            let mut server = server(binding(), quiet(), 12);
            server.handle(Input::Received(bytes.into()), at(Duration::ZERO));
            assert_stalls(&mut server, 0, &format!("{suite:?}, bit {bit}"));
        }
    }
}

#[test]
fn every_flipped_bit_of_message_2_leaves_the_client_silent() {
    for suite in [Suite::Classical, Suite::Hybrid] {
        let Recorded { first, second, .. } = record(suite);
        let step = if suite == Suite::Hybrid { 13 } else { 1 };
        for bit in (0..second.len() * 8).filter(|bit| *bit < 16 || bit % step == 0) {
            let mut client = client(suite, quiet(), 11);
            client.outbox.clear();
            client.handle(Input::Received(flipped(&second, bit)), at(Duration::ZERO));
            assert_stalls(&mut client, first.len(), &format!("{suite:?}, bit {bit}"));
        }
    }
}

#[test]
fn every_flipped_bit_of_message_3_leaves_the_server_silent() {
    let Recorded { first, second, third } = record(Suite::Classical);
    for bit in 0..(2 + 64) * 8 {
        let mut server = server(binding(), quiet(), 12);
        server.handle(Input::Received(first.clone()), at(Duration::ZERO));
        assert_eq!(server.outbox, second, "the same randomness makes the same answer");
        server.handle(Input::Received(flipped(&third, bit)), at(Duration::ZERO));
        assert_stalls(&mut server, second.len(), &format!("bit {bit}"));
    }
}

#[test]
fn a_handshake_that_is_never_finished_fails_like_every_other() {
    let Recorded { first, second, .. } = record(Suite::Hybrid);
    for len in [0, 1, 2, 3, 100, first.len() - 1] {
        let mut server = server(binding(), quiet(), 12);
        server.handle(Input::Received(first.slice(..len)), at(Duration::ZERO));
        assert_eq!(server.connection.poll_timeout(), Some(at(DEADLINE).instant));
        server.handle(Input::Timeout, at(DEADLINE));
        assert_eq!((server.sent, server.news()), (0, vec![Event::Failed]), "{len} bytes");
    }
    let mut server = server(binding(), quiet(), 12);
    server.handle(Input::Received(first), at(Duration::ZERO));
    server.handle(Input::Timeout, at(DEADLINE));
    assert_eq!((server.sent, server.news()), (second.len(), vec![Event::Failed]));
}

#[test]
fn r19_another_tls_session_or_another_host_fails_the_handshake() {
    let elsewhere = Binding { host: "other.example".to_owned(), ..binding() };
    let in_the_middle = Binding { exporter: [6; 32], ..binding() };
    for binding in [elsewhere, in_the_middle] {
        let mut server = server(binding, quiet(), 12);
        server.handle(Input::Received(record(Suite::Hybrid).first), at(Duration::ZERO));
        assert_stalls(&mut server, 0, "another binding");
    }
}

#[test]
fn a_recorded_session_cannot_be_replayed() {
    for suite in [Suite::Classical, Suite::Hybrid] {
        let Recorded { first, third, .. } = record(suite);
        // Even in the same TLS session, if there were such a thing: the server answers with another ephemeral key.
        let mut again = server(binding(), quiet(), 13);
        again.handle(Input::Received(first.clone()), at(Duration::ZERO));
        let answered = again.sent;
        again.handle(Input::Received(third.clone()), at(Duration::ZERO));
        assert_stalls(&mut again, answered, "replayed");

        let mut elsewhere = server(Binding { exporter: [6; 32], ..binding() }, quiet(), 12);
        elsewhere.handle(Input::Received([first, third].concat().into()), at(Duration::ZERO));
        assert_stalls(&mut elsewhere, 0, "replayed elsewhere");
    }
}

#[test]
fn every_flipped_bit_of_a_frame_ends_the_tunnel_without_a_word() {
    let mut sender = End::with_keys(Role::Client, quiet());
    let stream = sender.open(at(Duration::ZERO));
    sender.send(stream, &b"some text"[..], at(Duration::ZERO));
    sender.handle(Input::Ping, at(Duration::ZERO));
    let wire = sender.outbox.freeze();
    let mut ends = Vec::new();
    for bit in 0..wire.len() * 8 {
        let mut victim = End::with_keys(Role::Server, quiet());
        victim.outbox.clear();
        victim.handle(Input::Received(flipped(&wire, bit)), at(Duration::ZERO));
        // What came whole before the damage counts, and may be answered; what a longer length asks for comes too.
        let before = victim.sent;
        victim.handle(Input::Received(Bytes::from(vec![0; 70_000])), at(Duration::ZERO));
        let events = victim.news();
        let end = events.len() - 2;
        assert_eq!(victim.sent, before, "bit {bit}");
        assert_eq!(events[end + 1], Event::Drained, "bit {bit}");
        ends.push(events[end].clone());
        assert_eq!(victim.connection.poll_timeout(), None);
    }
    let silent = Event::Closed {
        code: ErrorCode::AuthFailed,
        reason: "a frame does not authenticate".to_owned(),
        by: Side::Ours,
    };
    assert!(ends.iter().all(|end| *end == silent), "one end looks like another");
}

#[test]
fn r21_a_reflected_frame_is_refused_since_each_direction_has_its_own_key() {
    let keys = super::pair::keys();
    assert_ne!(keys.client, keys.server);
    let mut pair = Pair::fresh(Suite::Hybrid, &quiet());
    pair.carry();
    pair.client.news();
    let stream = pair.client.open(pair.now);
    pair.client.send(stream, &b"mine"[..], pair.now);
    let own = pair.client.outbox.split().freeze();
    assert_eq!(own[3], Kind::Stream.code());
    let sent = pair.client.sent;
    pair.client.handle(Input::Received(own), pair.now);
    let events = pair.client.news();
    assert!(matches!(
        &events[..],
        [Event::Closed { code: ErrorCode::AuthFailed, by: Side::Ours, .. }, Event::Drained]
    ));
    assert_eq!((pair.client.sent, pair.client.received.len()), (sent, 0));
}

#[test]
fn a_frame_left_out_or_sent_twice_ends_the_tunnel() {
    let mut sender = End::with_keys(Role::Client, quiet());
    sender.outbox.clear();
    let stream = sender.open(at(Duration::ZERO));
    let mut frames = Vec::new();
    for text in ["one", "two"] {
        sender.send(stream, text, at(Duration::ZERO));
        frames.push(sender.outbox.split().freeze());
    }
    // The credit that every end begins with is frame 0, so even the first frame comes too early here.
    let mut victim = End::with_keys(Role::Server, quiet());
    victim.handle(Input::Received(frames[0].clone()), at(Duration::ZERO));
    assert!(matches!(victim.news()[0], Event::Closed { code: ErrorCode::AuthFailed, .. }));

    let mut pair = Pair::with_keys(&quiet());
    let stream = pair.client.open(pair.now);
    pair.client.send(stream, "one", pair.now);
    let frame = pair.client.outbox.split().freeze();
    pair.server.handle(Input::Received(frame.clone()), pair.now);
    assert_eq!(pair.server.news(), [Event::Accepted { stream: 3 }]);
    pair.server.handle(Input::Received(frame), pair.now);
    assert!(matches!(pair.server.news()[0], Event::Closed { code: ErrorCode::AuthFailed, .. }));
    assert_eq!(pair.server.received[&3], b"one");
}
