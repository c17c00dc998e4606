//! Flow control: windows, credit, back-pressure, turns (R29).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use zeroize::Zeroizing;

use super::super::error::ErrorCode;
use super::super::event::{Event, Input, Output, Role};
use super::super::frame::{Kind, MAX_ACCEPTED, MAX_SENT, Reader};
use super::super::sealing::{Opener, RekeyLimits, Sealer};
use super::super::varint;
use super::super::{Connection, TunnelConfig};
use super::pair::{CLIENT_KEY, End, Pair, SERVER_KEY, TRANSCRIPT, at, keys, quiet, rng};
use crate::time::Instant;

const KIB: usize = 1024;

/// Windows as they are before anybody raises them.
fn small() -> TunnelConfig {
    TunnelConfig { stream_window: 0, connection_window: 0, ..quiet() }
}

/// The server's frames, opened: kind, stream and content.
struct Watcher {
    opener: Opener,
    reader: Reader,
}

impl Watcher {
    fn new() -> Self {
        Self {
            opener: Opener::new(Zeroizing::new(SERVER_KEY), TRANSCRIPT, Instant::ZERO),
            reader: Reader::default(),
        }
    }

    fn frames(&mut self, outbox: &mut BytesMut) -> Vec<(Kind, u64, BytesMut)> {
        let mut bytes = outbox.split().freeze();
        std::iter::from_fn(|| self.reader.read(&mut bytes).unwrap())
            .map(|sealed| self.opener.open(sealed).unwrap())
            .map(|(header, content)| (header.kind(), header.stream(), content))
            .collect()
    }

    /// The credit among them.
    fn credit(&mut self, outbox: &mut BytesMut) -> Vec<(u64, u64)> {
        self.frames(outbox)
            .into_iter()
            .filter(|(kind, ..)| *kind == Kind::WindowUpdate)
            .map(|(_, id, content)| (id, varint::read(&content).unwrap().0))
            .collect()
    }
}

/// A client that sends what it likes.
struct Sender(Sealer);

impl Sender {
    fn new() -> Self {
        Self(Sealer::new(Zeroizing::new(CLIENT_KEY), TRANSCRIPT, RekeyLimits::LONGEST, Instant::ZERO))
    }

    fn sends(&mut self, victim: &mut End, stream: u64, len: usize) {
        let mut out = BytesMut::new();
        for start in (0..len).step_by(MAX_ACCEPTED) {
            let content = Bytes::from(vec![7; (len - start).min(MAX_ACCEPTED)]);
            self.0.seal(Kind::Stream, stream, &[content], Instant::ZERO, &mut out).unwrap();
        }
        victim.handle(Input::Received(out.freeze()), at(Duration::ZERO));
    }
}

#[test]
fn r29_65535_bytes_are_taken_and_one_more_is_a_violation_on_a_stream_and_on_the_connection() {
    let mut server = End::with_keys(Role::Server, small());
    server.reads = false;
    let mut sender = Sender::new();
    sender.sends(&mut server, 3, 65_535);
    assert_eq!(server.verdict(), None);
    sender.sends(&mut server, 3, 1);
    assert_eq!(server.verdict(), Some(ErrorCode::FlowControlViolation));
    assert_eq!(server.received[&3].len(), 65_535);

    // The connection's window is full, the second stream's is not.
    let mut server = End::with_keys(Role::Server, small());
    server.reads = false;
    let mut sender = Sender::new();
    sender.sends(&mut server, 3, 40_000);
    sender.sends(&mut server, 5, 25_535);
    assert_eq!(server.verdict(), None);
    sender.sends(&mut server, 5, 1);
    assert_eq!(server.verdict(), Some(ErrorCode::FlowControlViolation));
}

#[test]
fn r29_credit_is_given_when_half_was_consumed_and_not_before() {
    let mut server = End::with_keys(Role::Server, small());
    let mut watcher = Watcher::new();
    server.reads = false;
    Sender::new().sends(&mut server, 3, 65_535);
    assert_eq!(watcher.credit(&mut server.outbox), []);
    server.handle(Input::Consumed { stream: 3, bytes: 32_766 }, at(Duration::ZERO));
    assert_eq!(watcher.credit(&mut server.outbox), []);
    server.handle(Input::Consumed { stream: 3, bytes: 1 }, at(Duration::ZERO));
    assert_eq!(watcher.credit(&mut server.outbox), [(0, 32_767), (3, 32_767)]);
    // More than came cannot be consumed.
    server.handle(Input::Consumed { stream: 3, bytes: 1 << 40 }, at(Duration::ZERO));
    assert_eq!(watcher.credit(&mut server.outbox), [(0, 32_768), (3, 32_768)]);
}

#[test]
fn r29_windows_are_raised_right_after_the_handshake_and_with_each_stream() {
    let mut server = End::with_keys(Role::Server, quiet());
    let mut watcher = Watcher::new();
    assert_eq!(watcher.credit(&mut server.outbox), [(0, (4 << 20) - 65_535)]);
    server.reads = false;
    Sender::new().sends(&mut server, 3, 1);
    assert_eq!(watcher.credit(&mut server.outbox), [(3, (1 << 20) - 65_535)]);
    let stream = server.open(at(Duration::ZERO));
    server.send(stream, &b"x"[..], at(Duration::ZERO));
    let frames = watcher.frames(&mut server.outbox);
    let kinds: Vec<_> = frames.iter().map(|(kind, id, _)| (*kind, *id)).collect();
    assert_eq!(kinds, [(Kind::Stream, 4), (Kind::WindowUpdate, 4)], "a stream is raised once it is known");
}

#[test]
fn r29_a_reader_that_stands_still_stops_its_stream_and_no_other() {
    let mut pair = Pair::with_keys(&quiet());
    pair.server.reads = false;
    let (stalled, lively) = (pair.client.open(pair.now), pair.client.open(pair.now));
    let megabyte = Bytes::from(vec![1; 1 << 20]);
    for _ in 0..3 {
        if pair.client.connection.room(stalled) > 0 {
            pair.client.send(stalled, megabyte.clone(), pair.now);
        }
        pair.carry();
    }
    assert_eq!(pair.server.received[&3].len(), 1 << 20, "the window of the stream");
    assert_eq!(pair.client.connection.room(stalled), 0);

    for number in 1..=20usize {
        pair.client.send(lively, megabyte.slice(..500 * KIB), pair.now);
        pair.carry();
        assert_eq!(pair.server.received[&5].len(), number * 500 * KIB);
        pair.server.handle(Input::Consumed { stream: 5, bytes: 500 * KIB }, pair.now);
        pair.carry();
    }
    pair.client.news();
    pair.server.handle(Input::Consumed { stream: 3, bytes: 1 << 20 }, pair.now);
    pair.carry();
    assert_eq!(pair.server.received[&3].len(), 2 << 20);
}

#[test]
fn r29_streams_with_much_to_say_take_turns_frame_by_frame() {
    let mut server = End::with_keys(Role::Server, quiet());
    let mut watcher = Watcher::new();
    for _ in 0..3 {
        let stream = server.connection.open_now();
        let data = Bytes::from(vec![1; 5 * MAX_SENT / 4]);
        server.connection.handle(Input::Send { stream, data }, at(Duration::ZERO));
    }
    server.handle(Input::Timeout, at(Duration::ZERO));
    let turns: Vec<u64> = watcher
        .frames(&mut server.outbox)
        .into_iter()
        .filter(|(kind, ..)| *kind == Kind::Stream)
        .map(|(_, id, _)| id)
        .collect();
    assert_eq!(turns, [4, 6, 8, 4, 6, 8]);
}

#[test]
fn credit_beyond_the_largest_number_is_a_violation() {
    for (stream, credit) in [(0, varint::MAX), (3, varint::MAX)] {
        let mut server = End::with_keys(Role::Server, quiet());
        let mut sender = Sender::new();
        sender.sends(&mut server, 3, 1);
        let mut content = BytesMut::new();
        varint::put(&mut content, credit);
        let mut out = BytesMut::new();
        sender.0.seal(Kind::WindowUpdate, stream, &[content.freeze()], Instant::ZERO, &mut out).unwrap();
        server.handle(Input::Received(out.freeze()), at(Duration::ZERO));
        assert_eq!(server.verdict(), Some(ErrorCode::FlowControlViolation));
    }
}

#[test]
fn a_writer_stops_at_a_full_buffer_and_is_told_when_half_of_it_is_empty() {
    let mut pair = Pair::with_keys(&quiet());
    pair.server.reads = false;
    let stream = pair.client.open(pair.now);
    let mut written = 0;
    while pair.client.connection.room(stream) > 0 {
        pair.client.send(stream, vec![1; 10 * KIB], pair.now);
        written += 10 * KIB;
        pair.carry();
    }
    assert!((1280 * KIB..1294 * KIB).contains(&written), "{written}");
    assert_eq!(pair.client.news(), []);
    // The window opens by half of itself, and the buffer is emptied into it.
    pair.server.handle(Input::Consumed { stream: 3, bytes: 1 << 19 }, pair.now);
    pair.carry();
    assert_eq!(pair.client.news(), [Event::Writable { stream }]);
    assert_eq!(pair.client.connection.room(stream), 256 * KIB);
}

#[test]
fn data_for_a_full_stream_is_a_mistake_that_does_not_pass_unseen() {
    let mut pair = Pair::with_keys(&quiet());
    let stream = pair.client.open(pair.now);
    for _ in 0..2 {
        let data = Bytes::from(vec![1; 1 << 20]);
        pair.client.handle(Input::Send { stream, data }, pair.now);
    }
    assert_eq!(pair.client.verdict(), Some(ErrorCode::InternalError));
}

#[test]
fn nothing_more_is_sealed_while_the_transport_is_busy() {
    let mut connection = Connection::established(Role::Client, keys(), quiet(), rng(1), at(Duration::ZERO));
    let stream = connection.open_now();
    // The credit is one window; the transport takes nothing.
    connection.handle(Input::Send { stream, data: Bytes::from(vec![1; 1 << 20]) }, at(Duration::ZERO));
    let mut taken = 0;
    let mut drain = |connection: &mut Connection| {
        let mut largest = 0;
        while let Some(output) = connection.poll_output() {
            if let Output::Transmit(bytes) = output {
                taken += bytes.len();
                largest = largest.max(bytes.len());
            }
        }
        (taken, largest)
    };
    let (first, _) = drain(&mut connection);
    assert!(first > 65_535 && first < 65_535 + 200, "{first}");

    let mut sender = Sealer::new(Zeroizing::new(SERVER_KEY), TRANSCRIPT, RekeyLimits::LONGEST, Instant::ZERO);
    let mut out = BytesMut::new();
    for id in [0, 3] {
        let mut content = BytesMut::new();
        varint::put(&mut content, 1 << 22);
        sender.seal(Kind::WindowUpdate, id, &[content.freeze()], Instant::ZERO, &mut out).unwrap();
    }
    connection.handle(Input::Received(out.freeze()), at(Duration::ZERO));
    let (second, largest) = drain(&mut connection);
    assert!((256 * KIB..(256 + 64 + 16) * KIB).contains(&second), "{second}");
    assert!((64 * KIB..(64 + 16) * KIB).contains(&largest), "chunks are large: {largest}");
    assert_eq!(drain(&mut connection).0, second, "busy");
    connection.handle(Input::Transmitted(second), at(Duration::ZERO));
    assert!(drain(&mut connection).0 > second);
    // A CLOSE does not wait.
    connection.handle(Input::Close { code: ErrorCode::Ok, reason: String::new() }, at(Duration::ZERO));
    let before = taken_by(&mut connection);
    assert_eq!(before, 4 + 2 + 16);
}

fn taken_by(connection: &mut Connection) -> usize {
    std::iter::from_fn(|| connection.poll_output())
        .map(|output| if let Output::Transmit(bytes) = output { bytes.len() } else { 0 })
        .sum()
}

#[test]
fn single_bytes_for_somebody_who_does_not_read_are_put_together() {
    let mut server = End::with_keys(Role::Server, quiet());
    let mut out = BytesMut::new();
    let mut sender = Sender::new();
    for number in 0..10_000u32 {
        let content = Bytes::copy_from_slice(&number.to_be_bytes()[3..]);
        sender.0.seal(Kind::Stream, 3, &[content], Instant::ZERO, &mut out).unwrap();
    }
    server.connection.handle(Input::Received(out.freeze()), at(Duration::ZERO));
    let mut data = Vec::new();
    let mut pieces = 0;
    let mut take = |connection: &mut Connection, data: &mut Vec<u8>| {
        let mut last = 0;
        while let Some(output) = connection.poll_output() {
            if let Output::Event(Event::Data { data: piece, .. }) = output {
                data.extend_from_slice(&piece);
                pieces += 1;
                last += piece.len();
            }
        }
        (last, pieces)
    };
    let (seen, pieces_seen) = take(&mut server.connection, &mut data);
    assert!(pieces_seen <= 11, "{pieces_seen} pieces");
    server.connection.handle(Input::Consumed { stream: 3, bytes: seen }, at(Duration::ZERO));
    take(&mut server.connection, &mut data);
    let expected: Vec<u8> = (0..10_000u32).map(|number| number.to_be_bytes()[3]).collect();
    assert_eq!(data, expected);
}

#[test]
fn an_abandoned_stream_keeps_nothing_from_the_others() {
    let mut pair = Pair::with_keys(&quiet());
    pair.server.reads = false;
    let stream = pair.client.open(pair.now);
    pair.client.send(stream, vec![1; 1000], pair.now);
    pair.carry();
    assert_eq!(pair.server.news(), [Event::Accepted { stream: 3 }]);
    pair.server.handle(Input::Consumed { stream: 3, bytes: 1000 }, pair.now);
    pair.server.handle(Input::Abandon { stream: 3 }, pair.now);
    pair.carry();
    assert_eq!(pair.client.news(), [Event::Finished { stream }]);
    // As much as its window holds still comes, and is thrown away without a word.
    for _ in 0..8 {
        if pair.client.connection.room(stream) > 0 {
            pair.client.send(stream, vec![1; 256 * KIB], pair.now);
        }
        pair.carry();
    }
    assert_eq!((pair.server.news(), pair.server.received[&3].len()), (vec![], 1000));
    // The connection has its whole window for another stream, four times over.
    let other = pair.client.open(pair.now);
    for round in 1..=16usize {
        pair.client.send(other, vec![2; 1 << 20], pair.now);
        pair.carry();
        assert_eq!(pair.server.received[&5].len(), round << 20);
        pair.server.handle(Input::Consumed { stream: 5, bytes: 1 << 20 }, pair.now);
        pair.carry();
    }
    pair.client.handle(Input::Abandon { stream }, pair.now);
    pair.carry();
    assert_eq!(pair.server.news(), [Event::Accepted { stream: 5 }], "its end is nobody's business");
}
