//! What two honest ends, and one that is not, make of each other: ids, pings, closing, changing keys.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use zeroize::Zeroizing;

use super::super::error::ErrorCode;
use super::super::event::{Event, Input, Role, Side};
use super::super::frame::Kind;
use super::super::handshake::{Classical, Suite};
use super::super::sealing::{RekeyLimits, Sealer};
use super::super::varint;
use super::super::{Connection, ServerSetup, TunnelConfig};
use super::pair::{
    CLIENT_KEY, End, Pair, RELAY_SECRET, SERVER_KEY, TRANSCRIPT, at, binding, client, quiet, rng,
};
use crate::time::{Instant, Now, UnixMillis};

const START: Duration = Duration::ZERO;

/// One end against a peer whose every frame the test makes: it has the keys, but not our manners.
struct Rogue {
    sealer: Sealer,
    victim: End,
}

impl Rogue {
    /// The peer is this.
    fn new(role: Role) -> Self {
        let (key, victim) = match role {
            Role::Client => (CLIENT_KEY, Role::Server),
            Role::Server => (SERVER_KEY, Role::Client),
        };
        let sealer = Sealer::new(Zeroizing::new(key), TRANSCRIPT, RekeyLimits::LONGEST, Instant::ZERO);
        let mut victim = End::with_keys(victim, quiet());
        victim.outbox.clear();
        Self { sealer, victim }
    }

    fn sends(&mut self, kind: Kind, stream: u64, content: &[u8]) {
        let mut out = BytesMut::new();
        let content = Bytes::copy_from_slice(content);
        self.sealer.seal(kind, stream, &[content], Instant::ZERO, &mut out).unwrap();
        self.victim.handle(Input::Received(out.freeze()), at(START));
    }

    fn changes_key(&mut self, now: Now) {
        let mut out = BytesMut::new();
        self.sealer.update_key(now.instant, &mut out).unwrap();
        self.victim.handle(Input::Received(out.freeze()), now);
    }

    fn sends_credit(&mut self, stream: u64, increment: u64) {
        let mut content = Vec::new();
        varint::put(&mut content, increment);
        self.sends(Kind::WindowUpdate, stream, &content);
    }

    fn verdict(&mut self) -> Option<ErrorCode> {
        self.victim.verdict()
    }
}

fn verdict_on(role: Role, frames: &[(Kind, u64, &[u8])]) -> Option<ErrorCode> {
    let mut rogue = Rogue::new(role);
    for &(kind, stream, content) in frames {
        rogue.sends(kind, stream, content);
    }
    rogue.verdict()
}

#[test]
fn both_suites_end_in_a_tunnel_that_carries_data_both_ways() {
    for suite in [Suite::Classical, Suite::Hybrid] {
        let mut pair = Pair::fresh(suite, &quiet());
        pair.carry();
        assert_eq!(pair.client.news(), [Event::Established], "{suite:?}");
        assert_eq!(pair.server.news(), [Event::Established], "{suite:?}");

        let stream = pair.client.open(pair.now);
        assert_eq!(stream, 3);
        pair.client.send(stream, &b"question"[..], pair.now);
        pair.client.finish(stream, pair.now);
        pair.carry();
        assert_eq!(pair.server.news(), [Event::Accepted { stream }, Event::Finished { stream }]);
        assert_eq!(pair.server.received[&stream], b"question");
        pair.server.send(stream, &b"answer"[..], pair.now);
        pair.server.finish(stream, pair.now);
        pair.carry();
        assert_eq!(pair.client.news(), [Event::Finished { stream }]);
        assert_eq!(pair.client.received[&stream], b"answer");

        let stream = pair.server.open(pair.now);
        assert_eq!(stream, 4);
        pair.server.send(stream, &b"push"[..], pair.now);
        pair.carry();
        assert_eq!(pair.client.received[&4], b"push");
    }
}

#[test]
fn r18_a_classical_client_fails_from_2027_on_and_is_told_nothing() {
    let new_year = UnixMillis(1_798_761_600_000);
    for (unix, answered) in [(UnixMillis(new_year.0 - 1), true), (new_year, false)] {
        let now = Now { instant: Instant::ZERO, unix };
        let setup = ServerSetup {
            static_secret: Zeroizing::new(RELAY_SECRET),
            binding: binding(),
            classical: Classical::Until2027,
            config: quiet(),
        };
        let mut server = End::new(Connection::server(setup, rng(12), now));
        let first = client(Suite::Classical, quiet(), 11).outbox.freeze();
        server.handle(Input::Received(first), now);
        assert_eq!(!server.outbox.is_empty(), answered);
    }
}

#[test]
fn r22_an_idle_tunnel_changes_both_keys_after_an_hour() {
    let mut pair = Pair::with_keys(&quiet());
    assert_eq!(pair.client.connection.poll_timeout(), Some(at(Duration::from_secs(3600)).instant));
    pair.wait(Duration::from_secs(3599));
    assert!(pair.client.outbox.is_empty() && pair.server.outbox.is_empty());
    pair.wait(Duration::from_secs(1));
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.outbox.len(), 20, "a KEY_UPDATE and nothing else");
        assert_eq!(end.outbox[3], Kind::KeyUpdate.code());
    }
    pair.carry();
    let stream = pair.client.open(pair.now);
    pair.client.send(stream, &b"under the new key"[..], pair.now);
    pair.carry();
    assert_eq!(pair.server.received[&stream], b"under the new key");
    assert_eq!(pair.client.connection.poll_timeout(), Some(at(Duration::from_secs(7200)).instant));
}

#[test]
fn r23_a_frame_under_the_old_key_ends_the_tunnel_without_a_word() {
    let mut rogue = Rogue::new(Role::Client);
    let mut old = Sealer::new(Zeroizing::new(CLIENT_KEY), TRANSCRIPT, RekeyLimits::LONGEST, Instant::ZERO);
    rogue.sends(Kind::Stream, 3, b"one");
    rogue.changes_key(at(START));
    rogue.sends(Kind::Stream, 3, b"two");
    rogue.victim.news();
    rogue.victim.outbox.clear();
    let mut out = BytesMut::new();
    for _ in 0..3 {
        out.clear();
        old.seal(Kind::Stream, 3, &[], Instant::ZERO, &mut out).unwrap();
    }
    rogue.victim.handle(Input::Received(out.freeze()), at(START));
    assert_eq!(rogue.verdict(), Some(ErrorCode::AuthFailed));
    assert!(rogue.victim.outbox.is_empty());
    assert_eq!(rogue.victim.received[&3], b"onetwo");
}

#[test]
fn r23_both_ends_may_change_their_keys_at_the_same_time() {
    let mut pair = Pair::with_keys(&quiet());
    let (up, down) = (pair.client.open(pair.now), pair.server.open(pair.now));
    for round in 0..3u64 {
        // Neither has seen the other's KEY_UPDATE when it sends its own, and data on both sides of it.
        for (end, stream) in [(&mut pair.client, up), (&mut pair.server, down)] {
            end.send(stream, vec![1; 100], pair.now);
            end.handle(Input::Rekey, pair.now);
            end.send(stream, vec![2; 100], pair.now);
        }
        pair.carry();
        let expected = [vec![1; 100], vec![2; 100]].concat().repeat(usize::try_from(round).unwrap() + 1);
        assert_eq!(pair.server.received[&up], expected);
        assert_eq!(pair.client.received[&down], expected);
        pair.wait(Duration::from_secs(660));
        pair.carry();
    }
}

#[test]
fn r23_key_updates_that_follow_each_other_too_soon_are_rejected() {
    let mut rogue = Rogue::new(Role::Client);
    rogue.changes_key(at(START));
    assert_eq!(rogue.verdict(), None);
    rogue.changes_key(at(Duration::from_secs(599)));
    assert_eq!(rogue.verdict(), Some(ErrorCode::PolicyRejected));

    let mut rogue = Rogue::new(Role::Client);
    rogue.changes_key(at(START));
    rogue.changes_key(at(Duration::from_secs(600)));
    assert_eq!(rogue.verdict(), None);
}

#[test]
fn a_request_for_a_new_key_waits_until_the_peer_has_to_accept_it() {
    let mut pair = Pair::with_keys(&quiet());
    pair.client.handle(Input::Rekey, pair.now);
    assert_eq!(pair.client.outbox.len(), 20);
    pair.client.handle(Input::Rekey, pair.now);
    assert_eq!(pair.client.outbox.len(), 20, "too soon");
    pair.wait(Duration::from_secs(660));
    pair.client.handle(Input::Rekey, pair.now);
    assert_eq!(pair.client.outbox.len(), 40);
}

#[test]
fn r25_frames_that_authenticate_and_mean_nothing_are_malformed() {
    let malformed: [(Kind, u64, &[u8]); 10] = [
        (Kind::Unknown(5), 0, b""),
        (Kind::Unknown(255), 0, b"anything"),
        (Kind::KeyUpdate, 0, b"x"),
        (Kind::WindowUpdate, 0, b""),
        (Kind::WindowUpdate, 0, &[0x40]),
        (Kind::WindowUpdate, 0, &[1, 1]),
        (Kind::Ping, 0, &[0; 8]),
        (Kind::Ping, 0, &[2; 9]),
        (Kind::Ping, 0, &[0; 9 + 3073]),
        (Kind::Close, 0, &[0]),
    ];
    for frame in malformed {
        assert_eq!(verdict_on(Role::Client, &[frame]), Some(ErrorCode::MalformedFrame), "{frame:?}");
    }
    let long_reason = [&[0, 0][..], &[b'x'; 257]].concat();
    for content in [&long_reason[..], &[0, 0, 0xFF]] {
        let verdict = verdict_on(Role::Client, &[(Kind::Close, 0, content)]);
        assert_eq!(verdict, Some(ErrorCode::MalformedFrame));
    }
}

#[test]
fn r28_ids_have_their_openers_parity_rise_and_leave_out_1_and_2() {
    let data = |id| (Kind::Stream, id, &b"x"[..]);
    let malformed = Some(ErrorCode::MalformedFrame);
    let reserved = Some(ErrorCode::UnsupportedFeature);
    for (role, ids, verdict) in [
        (Role::Client, &[3, 5, 5, 3, 9][..], None),
        (Role::Client, &[4], malformed),
        (Role::Client, &[5, 3], malformed),
        (Role::Client, &[1], reserved),
        (Role::Client, &[2], reserved),
        (Role::Server, &[4, 6, 6, 4, 10], None),
        (Role::Server, &[3], malformed),
        (Role::Server, &[6, 4], malformed),
        (Role::Server, &[1], reserved),
        (Role::Server, &[2], reserved),
    ] {
        let frames: Vec<_> = ids.iter().map(|&id| data(id)).collect();
        assert_eq!(verdict_on(role, &frames), verdict, "{role:?} opens {ids:?}");
    }
}

#[test]
fn r28_our_ids_rise_on_the_wire_in_whatever_order_streams_are_first_used() {
    let mut pair = Pair::with_keys(&quiet());
    let names = [pair.client.open(pair.now), pair.client.open(pair.now), pair.client.open(pair.now)];
    for (name, text) in [(names[2], "first"), (names[0], "second"), (names[1], "third")] {
        pair.client.send(name, text, pair.now);
    }
    pair.carry();
    let received: Vec<_> = pair.server.received.iter().map(|(&id, data)| (id, &data[..])).collect();
    assert_eq!(received, [(3, &b"first"[..]), (5, b"second"), (7, b"third")]);
    for id in [3, 5, 7] {
        pair.server.send(id, format!("answer {id}"), pair.now);
    }
    pair.carry();
    assert_eq!(pair.client.received[&names[2]], b"answer 3");
    assert_eq!(pair.client.received[&names[0]], b"answer 5");
    assert_eq!(pair.client.received[&names[1]], b"answer 7");
}

#[test]
fn r25_data_after_the_end_of_a_stream_is_malformed() {
    let frames: [(Kind, u64, &[u8]); 3] =
        [(Kind::Stream, 3, b"x"), (Kind::Stream, 3, b""), (Kind::Stream, 3, b"y")];
    assert_eq!(verdict_on(Role::Client, &frames), Some(ErrorCode::MalformedFrame));
    let twice_ended: [(Kind, u64, &[u8]); 2] = [(Kind::Stream, 3, b""), (Kind::Stream, 3, b"")];
    assert_eq!(verdict_on(Role::Client, &twice_ended), Some(ErrorCode::MalformedFrame));

    // Also when both halves are over and the stream is forgotten.
    let mut rogue = Rogue::new(Role::Client);
    rogue.sends(Kind::Stream, 3, b"");
    rogue.victim.finish(3, at(START));
    rogue.sends_credit(3, 10);
    assert_eq!(rogue.verdict(), None, "late credit means nothing");
    rogue.sends(Kind::Stream, 3, b"x");
    assert_eq!(rogue.verdict(), Some(ErrorCode::MalformedFrame));
}

#[test]
fn padding_on_stream_0_is_thrown_away() {
    let frames: [(Kind, u64, &[u8]); 3] =
        [(Kind::Stream, 0, &[0; 3072]), (Kind::Stream, 0, b""), (Kind::Stream, 0, b"x")];
    let mut rogue = Rogue::new(Role::Client);
    for (kind, stream, content) in frames {
        rogue.sends(kind, stream, content);
    }
    assert_eq!(rogue.victim.news(), []);
    assert!(rogue.victim.outbox.is_empty() && rogue.victim.received.is_empty());
}

#[test]
fn the_257th_stream_is_refused_on_both_sides_and_one_that_is_over_makes_room() {
    let mut pair = Pair::with_keys(&quiet());
    let names: Vec<_> = (0..256).map(|_| pair.client.open(pair.now)).collect();
    pair.client.handle(Input::Open, pair.now);
    assert_eq!(pair.client.news(), [Event::OpenRefused]);
    for &name in &names {
        pair.client.finish(name, pair.now);
    }
    pair.carry();
    pair.server.finish(3, pair.now);
    pair.carry();
    pair.client.news();
    assert_eq!(pair.client.open(pair.now), names[255] + 2);

    let mut rogue = Rogue::new(Role::Client);
    for number in 0..256 {
        rogue.sends(Kind::Stream, 3 + 2 * number, b"x");
    }
    assert_eq!(rogue.verdict(), None);
    rogue.sends(Kind::Stream, 3 + 2 * 256, b"x");
    assert_eq!(rogue.verdict(), Some(ErrorCode::PolicyRejected));
}

#[test]
fn r30_a_ping_is_answered_at_once_and_the_answer_is_not() {
    let mut pair = Pair::with_keys(&quiet());
    pair.client.handle(Input::Ping, pair.now);
    let asked = pair.client.outbox.len();
    pair.wait(Duration::from_millis(70));
    assert_eq!((asked, pair.client.outbox.len()), (4 + 9 + 16, asked), "one question at a time");
    pair.carry();
    assert_eq!(pair.client.news(), [Event::Pong { after: Duration::from_millis(70) }]);
    assert_eq!((pair.client.sent, pair.server.news()), (asked + first_credit(), vec![]));
    pair.wait(Duration::from_secs(10));
    assert_eq!((pair.client.news(), pair.server.news()), (vec![], vec![]));

    // An answer nobody asked for is not answered either.
    let mut rogue = Rogue::new(Role::Server);
    rogue.sends(Kind::Ping, 0, &[1; 9]);
    rogue.sends(Kind::Ping, 0, &[&[0; 9][..], &[0; 3072]].concat());
    assert_eq!((rogue.victim.news(), rogue.victim.outbox.len()), (vec![], 4 + 9 + 16));
}

/// What every end sends first: the connection's window is raised.
fn first_credit() -> usize {
    4 + 1 + 4 + 16
}

#[test]
fn r30_a_ping_without_an_answer_is_given_up_after_5_s() {
    let mut pair = Pair::with_keys(&quiet());
    pair.client.handle(Input::Ping, pair.now);
    assert_eq!(pair.client.connection.poll_timeout(), Some(at(Duration::from_secs(5)).instant));
    pair.wait(Duration::from_millis(4999));
    assert_eq!(pair.client.news(), []);
    pair.wait(Duration::from_millis(1));
    assert_eq!(pair.client.news(), [Event::Unanswered]);
}

#[test]
fn a_flood_of_pings_costs_no_more_answers_than_questions_and_a_bounded_memory() {
    let mut rogue = Rogue::new(Role::Client);
    let mut out = BytesMut::new();
    for _ in 0..1000 {
        let content = Bytes::from_static(&[0; 9]);
        rogue.sealer.seal(Kind::Ping, 0, &[content], Instant::ZERO, &mut out).unwrap();
    }
    let flood = out.len();
    rogue.victim.handle(Input::Received(out.freeze()), at(START));
    assert_eq!(rogue.victim.outbox.len(), 16 * (4 + 9 + 16));
    assert!(rogue.victim.outbox.len() < flood);
}

#[test]
fn r31_a_close_is_answered_by_a_close_and_nothing_after_it_counts() {
    let mut pair = Pair::with_keys(&quiet());
    let stream = pair.server.open(pair.now);
    pair.server.send(stream, &b"before"[..], pair.now);
    pair.client
        .handle(Input::Close { code: ErrorCode::PolicyRejected, reason: "enough".to_owned() }, pair.now);
    let closed = |by| Event::Closed { code: ErrorCode::PolicyRejected, reason: "enough".to_owned(), by };
    assert_eq!(pair.client.news(), [closed(Side::Ours)]);
    assert_eq!(pair.client.outbox[3], Kind::Close.code());
    pair.carry();
    assert_eq!(pair.server.news(), [closed(Side::Theirs)]);
    assert!(pair.client.received.is_empty(), "what was under way is not given to anybody");

    // Two seconds later both are gone, and say nothing in between.
    let sent = (pair.client.sent, pair.server.sent);
    for end in [&mut pair.client, &mut pair.server] {
        end.handle(Input::Send { stream, data: Bytes::from_static(b"after") }, pair.now);
        end.handle(Input::Ping, pair.now);
        end.handle(Input::Open, pair.now);
        assert_eq!(end.news(), [Event::OpenRefused]);
        assert_eq!(end.connection.poll_timeout(), Some(at(Duration::from_secs(2)).instant));
    }
    pair.wait(Duration::from_millis(1999));
    assert_eq!((pair.client.news(), pair.server.news()), (vec![], vec![]));
    pair.wait(Duration::from_millis(1));
    assert_eq!((pair.client.news(), pair.server.news()), (vec![Event::Drained], vec![Event::Drained]));
    assert_eq!((pair.client.sent, pair.server.sent), sent);
    assert_eq!(pair.client.connection.poll_timeout(), None);
}

#[test]
fn r31_frames_after_a_close_are_ignored_whatever_they_say() {
    let mut rogue = Rogue::new(Role::Client);
    rogue.sends(Kind::Close, 0, b"\0\0bye");
    let closed = Event::Closed { code: ErrorCode::Ok, reason: "bye".to_owned(), by: Side::Theirs };
    assert_eq!(rogue.victim.news(), [closed]);
    let answer = rogue.victim.outbox.len();
    assert_eq!(answer, 4 + 2 + 16);
    rogue.sends(Kind::Stream, 3, b"x");
    rogue.sends(Kind::Stream, 4, b"x");
    rogue.sends(Kind::Unknown(77), 0, b"x");
    rogue.sends(Kind::Ping, 0, &[0; 9]);
    rogue.sends(Kind::Close, 0, b"\0\x01again");
    assert_eq!((rogue.victim.news(), rogue.victim.outbox.len()), (vec![], answer));
    rogue.victim.handle(Input::Ended, at(START));
    assert_eq!(rogue.victim.news(), [Event::Drained]);
}

#[test]
fn an_end_without_a_close_is_told_apart_from_a_close() {
    let mut pair = Pair::with_keys(&quiet());
    pair.server.handle(Input::Ended, pair.now);
    let events = pair.server.news();
    let [Event::Closed { code: ErrorCode::CUT_OFF, by: Side::Theirs, .. }, Event::Drained] = &events[..]
    else {
        panic!("{events:?}")
    };
}

#[test]
fn a_close_that_is_owed_goes_out_even_if_the_peers_body_ended() {
    let mut rogue = Rogue::new(Role::Client);
    let mut out = BytesMut::new();
    rogue.sealer.seal(Kind::Close, 0, &[Bytes::from_static(&[0, 0])], Instant::ZERO, &mut out).unwrap();
    // Both inputs before any output is asked for.
    rogue.victim.connection.handle(Input::Received(out.freeze()), at(START));
    rogue.victim.handle(Input::Ended, at(START));
    assert_eq!(rogue.victim.outbox.len(), 4 + 2 + 16);
    assert_eq!(rogue.victim.news().last(), Some(&Event::Drained));
}

#[test]
fn a_reason_is_cut_to_256_bytes_at_a_character() {
    let mut pair = Pair::with_keys(&quiet());
    let reason = format!("{}é", "x".repeat(255));
    pair.client.handle(Input::Close { code: ErrorCode::Ok, reason }, pair.now);
    pair.carry();
    let expected = Event::Closed { code: ErrorCode::Ok, reason: "x".repeat(255), by: Side::Theirs };
    assert_eq!(pair.server.news(), [expected]);
}

#[test]
fn r33_an_idle_end_pads_within_its_times_and_sizes_and_a_busy_or_metered_one_does_not() {
    let config = TunnelConfig::default();
    let mut end = End::with_keys(Role::Client, config);
    end.outbox.clear();
    let mut now = at(START);
    for _ in 0..1000 {
        let next = end.connection.poll_timeout().unwrap();
        let idle = next.since(now.instant);
        assert!(Duration::from_millis(200) <= idle && idle <= Duration::from_millis(1200), "{idle:?}");
        now = at(next.since_start());
        end.handle(Input::Timeout, now);
        let len = end.outbox.split().len();
        assert!((4 + 1 + 16..=4 + 1 + 16 + 3072).contains(&len), "{len} bytes");
    }
    // Every frame puts it off.
    let due = end.connection.poll_timeout().unwrap();
    end.handle(Input::Ping, Now { instant: due - Duration::from_millis(1), ..now });
    assert!(end.connection.poll_timeout().unwrap() > due);

    let mut metered = End::with_keys(Role::Client, quiet());
    metered.outbox.clear();
    metered.handle(Input::Timeout, at(Duration::from_secs(60)));
    assert!(metered.outbox.is_empty());
}
