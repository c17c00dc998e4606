//! What strangers can do to gossip sync: filters that claim everything or nothing, answers nobody asked for, floods.

#[path = "common/bench.rs"]
mod bench;

use std::collections::BTreeMap;
use std::time::Duration;

use bench::{Bench, START, announce, identity, introduce, link, packet, signed, text};
use bytes::Bytes;
use hopline::crypto::Identity;
use hopline::ids::{LinkId, PeerId};
use hopline::mesh::Config;
use hopline::mesh::error::DropReason;
use hopline::mesh::gossip::config::Config as Limits;
use hopline::mesh::kept::{Keep, Kept, Shelf};
use hopline::wire::{
    Filter, FilterHash, Fragment, Packet, PacketType, Received, RequestSync, SyncTypes, sync_reply,
};
use proptest::prelude::*;

const MINUTE: u64 = 60_000;
/// Offset of the flags in a frame, and the flag of a sync reply (spec 2.1).
const FLAGS: usize = 11;
const RSR: u8 = 0x10;

/// The same packet as somebody sends it on who was asked for it.
fn as_reply(frame: Vec<u8>) -> Vec<u8> {
    sync_reply(&frame.into()).to_vec()
}

fn request(filter: Filter) -> RequestSync {
    let types = [PacketType::Announce, PacketType::Message, PacketType::Fragment, PacketType::GroupMessage];
    RequestSync { filter, types: Some(SyncTypes::of(types)), since: None, fragment_ids: Vec::new() }
}

fn asks(who: &Identity, request: &RequestSync, at: u64) -> Packet {
    let payload = request.encode().expect("it encodes");
    Packet { ttl: 0, ..packet(who, PacketType::RequestSync, payload, at) }
}

fn nothing() -> RequestSync {
    request(Filter::of(&[], 400).0)
}

/// P 7, M 2, one number: every packet there is comes to it.
fn everything() -> RequestSync {
    let payload = [1, 0, 1, 7, 2, 0, 4, 0, 0, 0, 2, 3, 0, 1, 0];
    request(RequestSync::decode(&Bytes::copy_from_slice(&payload)).expect("a request").filter)
}

/// What the bench sent as replies.
fn replies(bench: &Bench) -> Vec<(LinkId, Bytes)> {
    bench.written.iter().filter(|(_, frame)| frame[FLAGS] & RSR != 0).cloned().collect()
}

fn replied_texts(bench: &Bench) -> Vec<String> {
    let text = |(_, frame): (LinkId, Bytes)| {
        let packet = Received::decode(&frame).ok()?.into_packet();
        let is_text = packet.packet_type == PacketType::Message;
        is_text.then(|| String::from_utf8_lossy(&packet.payload).into_owned())
    };
    replies(bench).into_iter().filter_map(text).collect()
}

fn now(bench: &Bench) -> u64 {
    u64::try_from(bench.now.since_start().as_millis()).expect("a short test")
}

/// A bench whose link 1 leads to alice and link 2 to mallory, a moment after both were asked.
fn between() -> (Bench, Identity, Identity) {
    let mut bench = Bench::with_links(3);
    let (alice, mallory) = (identity(2), identity(9));
    introduce(&mut bench, 1, &alice, 0);
    introduce(&mut bench, 2, &mallory, 0);
    bench.pass(Duration::from_secs(2));
    (bench, alice, mallory)
}

#[test]
fn a_filter_that_claims_nothing_again_and_again_is_answered_within_bounds() {
    let (mut bench, alice, mallory) = between();
    for number in 0..400_u64 {
        let at = now(&bench);
        // Long, and nothing to compress.
        let words: String = (0..40)
            .map(|word: u64| format!("{:x} ", (number * 41 + word).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .collect();
        bench.hear(1, &text(&alice, &words, at + number % 7));
        bench.pass(Duration::from_millis(10));
    }
    bench.written.clear();
    for _ in 0..60 {
        let at = now(&bench);
        bench.hear(2, &signed(&mallory, asks(&mallory, &nothing(), at)));
        bench.pass(Duration::from_millis(500));
    }
    assert_eq!(bench.engine.counters().sync.answered, 8);
    assert_eq!(bench.dropped(DropReason::SyncRate), 52);
    let sent: usize = replies(&bench).iter().map(|(_, frame)| frame.len()).sum();
    let bound = 2 * Limits::default().answer_bytes + 1_000;
    assert!((100_000..bound).contains(&sent), "{sent} bytes of replies in half a minute");
    assert!(replies(&bench).iter().all(|(over, _)| *over == link(2)), "to who asked alone");
    let unpaced = bench.written.iter().filter(|(over, _)| *over == link(2)).count();
    assert!(unpaced < 30_000 / 20 + 100, "{unpaced} frames");
}

#[test]
fn replies_bear_ttl_0_flag_10_and_the_signature_they_came_with() {
    let (mut bench, alice, mallory) = between();
    let said = text(&alice, "as it was", now(&bench));
    bench.hear(1, &said);
    bench.pass(Duration::from_secs(1));
    let at = now(&bench);
    bench.hear(2, &signed(&mallory, asks(&mallory, &nothing(), at)));
    bench.pass(Duration::from_secs(1));
    assert_eq!(replied_texts(&bench), ["as it was"]);
    let (_, reply) = replies(&bench).into_iter().find(|(_, frame)| frame[1] == 2).expect("a reply");
    assert_eq!((reply[2], reply[FLAGS]), (0, said[FLAGS] | RSR));
    assert!(reply[3..FLAGS] == said[3..FLAGS] && reply[FLAGS + 1..] == said[FLAGS + 1..]);
}

#[test]
fn a_filter_that_claims_everything_gets_nothing_and_harms_nobody() {
    let (mut bench, alice, mallory) = between();
    bench.hear(1, &text(&alice, "for bob", now(&bench)));
    let at = now(&bench);
    bench.hear(2, &signed(&mallory, asks(&mallory, &everything(), at)));
    bench.pass(Duration::from_secs(5));
    assert_eq!(replies(&bench), []);
    assert_eq!(bench.engine.counters().sync.answered, 1, "it is seen in the status");
    bench.hear(2, &signed(&mallory, asks(&mallory, &nothing(), at + 1)));
    bench.pass(Duration::from_secs(1));
    assert_eq!(replied_texts(&bench), ["for bob"]);
}

#[test]
fn a_request_is_taken_from_the_neighbour_itself_alone_and_never_relayed() {
    let (mut bench, alice, mallory) = between();
    bench.hear(1, &text(&alice, "something", now(&bench)));
    bench.pass(Duration::from_secs(1));
    bench.written.clear();
    let at = now(&bench);
    let ask = |ttl| Packet { ttl, ..asks(&alice, &nothing(), at + u64::from(ttl)) };
    let elsewhere = Packet { recipient: Some(PeerId([7; 8])), ..ask(0) };
    bench.hear(1, &signed(&alice, ask(7)));
    bench.hear(1, &signed(&alice, elsewhere));
    bench.hear(2, &signed(&alice, ask(0)));
    bench.hear(3, &signed(&mallory, asks(&mallory, &nothing(), at)));
    let stranger = identity(20);
    bench.hear(3, &signed(&stranger, asks(&stranger, &nothing(), at)));
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.dropped(DropReason::SyncRequest), 5);
    assert_eq!(replies(&bench), []);
    let others = bench.relayed();
    assert!(others.iter().all(|(_, frame)| frame[1] != PacketType::RequestSync.code()));
}

#[test]
fn a_request_without_a_signature_is_answered_and_one_with_a_wrong_one_is_not() {
    let (mut bench, alice, mallory) = between();
    bench.hear(1, &text(&alice, "android too", now(&bench)));
    let at = now(&bench);
    bench.hear(2, &signed(&alice, asks(&mallory, &nothing(), at)));
    bench.pass(Duration::from_secs(1));
    assert_eq!((replies(&bench), bench.dropped(DropReason::Signature)), (vec![], 1));
    bench.hear(2, &asks(&mallory, &nothing(), at + 1).encode().expect("it encodes"));
    bench.pass(Duration::from_secs(1));
    assert_eq!(replied_texts(&bench), ["android too"]);
}

#[test]
fn an_answer_is_taken_from_who_was_asked_and_from_nobody_else() {
    let author = identity(3);
    let old = |bench: &Bench, what: &str| {
        let past = packet(&author, PacketType::Message, what.to_owned(), 0);
        let timestamp = hopline::time::UnixMillis(START.0 + now(bench) - 10 * MINUTE);
        as_reply(signed(&author, Packet { timestamp, ..past }))
    };
    let mut bench = Bench::with_links(2);
    introduce(&mut bench, 1, &identity(2), 0);
    introduce(&mut bench, 1, &author, 0);
    let early = old_time(&old(&bench, "early"));
    assert!(early, "ten minutes before the start");
    let frame = old(&bench, "before any request");
    bench.hear(1, &frame);
    assert_eq!(bench.dropped(DropReason::UnrequestedReply), 1);
    bench.pass(Duration::from_secs(2));
    let frame = old(&bench, "over another link");
    bench.hear(2, &frame);
    assert_eq!(bench.dropped(DropReason::UnrequestedReply), 2);
    let frame = old(&bench, "asked for");
    bench.hear(1, &frame);
    assert_eq!((bench.shown("asked for"), bench.engine.counters().sync.taken), (1, 1));
    let mut android = old(&bench, "without flag 10");
    android[FLAGS] &= !RSR;
    bench.hear(1, &android);
    assert_eq!(bench.shown("without flag 10"), 1);
    let mut replayed = old(&bench, "neither ttl 0 nor flag 10");
    replayed[2] = 6;
    replayed[FLAGS] &= !RSR;
    bench.hear(1, &replayed);
    assert_eq!((bench.shown("neither ttl 0 nor flag 10"), bench.dropped(DropReason::Clock)), (0, 1));
    bench.pass(Duration::from_secs(1));
    assert!(bench.relayed().iter().all(|(_, frame)| frame[1] != 2), "answers are not relayed");
}

fn old_time(frame: &[u8]) -> bool {
    let time = frame[3..FLAGS].iter().fold(0_u64, |time, &byte| time << 8 | u64::from(byte));
    time < START.0
}

#[test]
fn old_packets_that_nobody_asked_for_are_dropped() {
    let (mut bench, alice, _) = between();
    let old = text(&alice, "an hour old", 0);
    // Silent links are closed within a minute.
    bench.pass(Duration::from_secs(3_600));
    bench.link_up(3);
    bench.hear(3, &old);
    assert_eq!((bench.shown("an hour old"), bench.dropped(DropReason::Clock)), (0, 1));
    bench.hear(3, &as_reply(old));
    assert_eq!((bench.shown("an hour old"), bench.dropped(DropReason::UnrequestedReply)), (0, 1));
}

#[test]
fn answers_are_checked_like_anything_else() {
    let (mut bench, alice, mallory) = between();
    let stranger = identity(20);
    let at = now(&bench);
    bench.hear(2, &as_reply(signed(&mallory, packet(&alice, PacketType::Message, "forged", at))));
    assert_eq!(bench.dropped(DropReason::Signature), 1);
    for number in 0..500 {
        bench.hear(2, &as_reply(text(&stranger, "who am I?", at + number)));
    }
    assert_eq!(bench.dropped(DropReason::UnknownSender), 500);
    bench.hear(2, &as_reply(announce(&stranger, mallory.signing_public(), at)));
    assert_eq!(bench.dropped(DropReason::Signature), 2);
    let old = |age: u64| Packet {
        timestamp: hopline::time::UnixMillis(START.0 + at - age),
        ..packet(&mallory, PacketType::Message, "old", 0)
    };
    bench.hear(2, &as_reply(signed(&mallory, old(6 * 60 * MINUTE + 1))));
    assert_eq!(bench.dropped(DropReason::TooOld), 1);
    bench.hear(2, &as_reply(signed(&mallory, old(6 * 60 * MINUTE - 1_000))));
    assert_eq!(bench.shown("old"), 1);
    let future = packet(&mallory, PacketType::Message, "from tomorrow", at + 24 * 60 * MINUTE);
    bench.hear(2, &as_reply(signed(&mallory, future)));
    assert_eq!(bench.dropped(DropReason::Clock), 1);
    let left = packet(&alice, PacketType::Leave, Bytes::new(), at);
    bench.hear(2, &as_reply(signed(&alice, left)));
    assert_eq!(bench.dropped(DropReason::UnrequestedReply), 1, "goodbyes are no history");
}

#[test]
fn an_old_announce_says_who_wrote_something_and_not_that_it_is_here() {
    let (mut bench, _, _) = between();
    let gone = identity(20);
    let time = hopline::time::UnixMillis(START.0 - 60 * MINUTE);
    let old =
        Received::decode(&announce(&gone, gone.signing_public(), 0).into()).expect("a frame").into_packet();
    bench.hear(1, &as_reply(signed(&gone, Packet { timestamp: time, signature: None, ..old })));
    let said = Packet { timestamp: time, ..packet(&gone, PacketType::Message, "before I went", 0) };
    bench.hear(1, &as_reply(signed(&gone, said)));
    assert_eq!(bench.shown("before I went"), 1);
    assert_eq!(bench.reach(gone.peer_id()), None);
}

#[test]
fn a_flood_of_verified_messages_displaces_nobody_elses() {
    let (mut bench, alice, mallory) = between();
    bench.hear(1, &text(&alice, "the one that matters", now(&bench)));
    for number in 0..1_200_u64 {
        let at = now(&bench);
        bench.hear(2, &text(&mallory, &format!("noise {number}"), at + number % 50));
        bench.pass(Duration::from_millis(10));
    }
    bench.written.clear();
    let at = now(&bench);
    bench.hear(1, &signed(&alice, asks(&alice, &nothing(), at)));
    bench.pass(Duration::from_secs(25));
    assert!(replied_texts(&bench).contains(&"the one that matters".to_owned()));
    assert_eq!(replied_texts(&bench).len(), 1_000);
}

#[test]
fn a_flood_of_pieces_over_one_link_displaces_none_of_another() {
    let (mut bench, alice, mallory) = between();
    let piece = |of: &Identity, id: u64, at: u64| {
        let data = Bytes::from_static(b"a piece");
        let fragment =
            Fragment { id: id.to_be_bytes(), index: 0, total: 2, original_type: PacketType::Message, data };
        packet(of, PacketType::Fragment, fragment.encode(), at).encode().expect("it encodes")
    };
    let at = now(&bench);
    bench.hear(1, &piece(&alice, 1, at));
    for id in 2..1_500 {
        // In alice's name too: nobody signs pieces.
        bench.hear(2, &piece(if id % 2 == 0 { &alice } else { &mallory }, id, at + id % 100));
    }
    bench.written.clear();
    let named = RequestSync { fragment_ids: vec![1_u64.to_be_bytes()], ..nothing() };
    bench.hear(1, &signed(&alice, asks(&alice, &named, at + 1)));
    bench.pass(Duration::from_secs(5));
    let pieces = replies(&bench).into_iter().filter(|(_, frame)| frame[1] == PacketType::Fragment.code());
    let ids: Vec<Bytes> = pieces.map(|(_, frame)| frame.slice(22..30)).collect();
    assert_eq!(ids, [Bytes::copy_from_slice(&1_u64.to_be_bytes())], "the one that was named");
}

#[test]
fn what_is_cut_here_counts_for_the_link_that_brought_it_whoever_it_claims_to_be_of() {
    let (mut bench, alice, mallory) = between();
    let pieces: Vec<[u8; 8]> = (1..=12_u64).map(u64::to_be_bytes).collect();
    let at = now(&bench);
    for &id in &pieces {
        let data = Bytes::from_static(b"a piece");
        let fragment = Fragment { id, index: 0, total: 2, original_type: PacketType::Message, data };
        let piece = packet(&alice, PacketType::Fragment, fragment.encode(), at);
        bench.hear(1, &piece.encode().expect("it encodes"));
    }
    for n in 0..300_u64 {
        let sender = PeerId((n + (1 << 40)).to_be_bytes());
        let noise: Vec<u8> = (n * 1_200..(n + 1) * 1_200)
            .map(|it| it.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0])
            .collect();
        let at = now(&bench);
        let long = Packet { sender, ..packet(&mallory, PacketType::from(0x7E), noise, at) };
        bench.hear(2, &long.encode().expect("it encodes"));
        bench.pass(Duration::from_millis(50));
    }
    bench.pass(Duration::from_secs(20));
    bench.written.clear();
    let named = RequestSync { fragment_ids: pieces, ..nothing() };
    let at = now(&bench);
    bench.hear(1, &signed(&alice, asks(&alice, &named, at)));
    bench.pass(Duration::from_secs(5));
    let told = replies(&bench).iter().filter(|(_, frame)| frame[1] == PacketType::Fragment.code()).count();
    assert_eq!(told, 12);
}

#[test]
fn a_piece_that_contradicts_the_others_does_not_keep_a_node_from_asking_for_what_is_missing() {
    let (mut bench, alice, _) = between();
    let piece = |index, total| {
        let data = Bytes::from_static(b"a piece");
        let fragment = Fragment { id: [9; 8], index, total, original_type: PacketType::Message, data };
        let at = START.0 + u64::from(total);
        Packet {
            timestamp: hopline::time::UnixMillis(at),
            ..packet(&alice, PacketType::Fragment, fragment.encode(), 0)
        }
    };
    bench.hear(1, &piece(0, 3).encode().expect("it encodes"));
    bench.hear(2, &piece(1, 5).encode().expect("it encodes"));
    assert_eq!(bench.dropped(DropReason::Fragment), 1);
    bench.written.clear();
    bench.pass(Duration::from_secs(6));
    assert!(asked_for(&bench, [9; 8]));
}

/// Whether the bench asked a neighbour for the pieces of this train.
fn asked_for(bench: &Bench, train: [u8; 8]) -> bool {
    let mut cut: BTreeMap<[u8; 8], Vec<u8>> = BTreeMap::new();
    let mut packets = Vec::new();
    for (_, frame) in &bench.written {
        let packet = Received::decode(frame).expect("a packet").into_packet();
        if packet.packet_type != PacketType::Fragment {
            packets.push(packet);
        } else if packet.sender == bench.engine.peer_id() {
            let piece = Fragment::decode(&packet.payload).expect("a piece");
            cut.entry(piece.id).or_default().extend(&piece.data);
        }
    }
    packets.extend(
        cut.into_values().filter_map(|frame| Some(Received::decode(&frame.into()).ok()?.into_packet())),
    );
    packets.iter().filter(|packet| packet.packet_type == PacketType::RequestSync).any(|packet| {
        RequestSync::decode(&packet.payload).is_ok_and(|request| request.fragment_ids.contains(&train))
    })
}

/// The only piece that will ever come of a train of somebody who does not exist.
fn lone_piece(n: u64, at: u64) -> Vec<u8> {
    let data = Bytes::from_static(b"a piece");
    let fragment =
        Fragment { id: n.to_be_bytes(), index: 0, total: 2, original_type: PacketType::Message, data };
    let sender = PeerId((n + (1 << 40)).to_be_bytes());
    let piece = Packet { sender, ..packet(&identity(20), PacketType::Fragment, fragment.encode(), at) };
    piece.encode().expect("it encodes")
}

#[test]
fn trains_that_were_only_begun_cost_no_neighbour_more_requests_than_it_answers() {
    let (mut bench, alice, _) = between();
    let mut asked = Vec::new();
    for n in 0..60 {
        bench.written.clear();
        let at = now(&bench);
        bench.hear(2, &lone_piece(n, at));
        bench.hear(1, &text(&alice, "still here", at));
        bench.pass(Duration::from_secs(3));
        let request =
            |(over, frame): &&(LinkId, Bytes)| *over == link(1) && frame[1] == PacketType::RequestSync.code();
        asked.push(bench.written.iter().filter(request).count());
    }
    let most = asked.windows(10).map(|half_a_minute| half_a_minute.iter().sum::<usize>()).max();
    assert!(most.is_some_and(|most| (4..=7).contains(&most)), "{asked:?}");
}

#[test]
fn trains_begun_over_one_link_do_not_keep_a_node_from_asking_for_what_is_missing_of_anothers() {
    let (mut bench, alice, _) = between();
    let at = now(&bench);
    (0..300).for_each(|n| bench.hear(2, &lone_piece(n, at + n % 50)));
    let data = Bytes::from_static(b"a piece");
    let fragment = Fragment { id: [9; 8], index: 0, total: 2, original_type: PacketType::Message, data };
    let piece = packet(&alice, PacketType::Fragment, fragment.encode(), at);
    bench.hear(1, &piece.encode().expect("it encodes"));
    (300..600).for_each(|n| bench.hear(2, &lone_piece(n, at + n % 50)));
    bench.pass(Duration::from_secs(6));
    assert!(asked_for(&bench, [9; 8]));
}

#[test]
fn private_mail_and_what_nobody_signed_are_not_told_on() {
    let (mut bench, alice, mallory) = between();
    let at = now(&bench);
    let directed = |packet_type| Packet {
        recipient: Some(PeerId([7; 8])),
        ..packet(&alice, packet_type, vec![7; 120], at)
    };
    for packet_type in [PacketType::NoiseEncrypted, PacketType::CourierEnvelope, PacketType::Message] {
        bench.hear(1, &signed(&alice, directed(packet_type)));
    }
    for packet_type in [PacketType::FileTransfer, PacketType::PrekeyBundle] {
        bench.hear(1, &packet(&alice, packet_type, vec![7; 120], at).encode().expect("it encodes"));
    }
    bench.pass(Duration::from_secs(1));
    bench.written.clear();
    let types = (0..=255).map(PacketType::from);
    let all = RequestSync { types: Some(SyncTypes::of(types)), ..nothing() };
    let at = now(&bench);
    bench.hear(2, &signed(&mallory, asks(&mallory, &all, at)));
    bench.pass(Duration::from_secs(3));
    assert!(replies(&bench).iter().all(|(_, frame)| frame[1] == PacketType::Announce.code()));
}

#[test]
fn our_own_words_come_back_when_we_lost_them_and_are_told_on() {
    let (mut bench, _, mallory) = between();
    let me = identity(1);
    let lost = Packet {
        timestamp: hopline::time::UnixMillis(START.0 - 10 * MINUTE),
        ..packet(&me, PacketType::Message, "mine", 0)
    };
    bench.hear(2, &signed(&mallory, lost.clone()));
    assert_eq!(bench.dropped(DropReason::Own), 1);
    bench.hear(1, &as_reply(signed(&mallory, lost.clone())));
    assert_eq!(bench.dropped(DropReason::Signature), 1);
    bench.hear(1, &as_reply(signed(&me, lost)));
    let at = now(&bench);
    bench.hear(2, &signed(&mallory, asks(&mallory, &nothing(), at)));
    bench.pass(Duration::from_secs(1));
    assert_eq!(replied_texts(&bench), ["mine"]);
    assert_eq!(bench.shown("mine"), 0, "it is in the outbox");
}

#[test]
fn a_request_covers_what_is_remembered_and_asks_for_all_at_first() {
    let (bench, alice, _) = between();
    let asked = bench.written.iter().find_map(|(over, frame)| {
        let packet = Received::decode(frame).ok()?.into_packet();
        (*over == link(1) && packet.packet_type == PacketType::RequestSync).then_some(packet)
    });
    let asked = asked.expect("a request");
    assert_eq!((asked.ttl, asked.recipient, asked.signature.is_some()), (0, Some(alice.peer_id()), true));
    let request = RequestSync::decode(&asked.payload).expect("a request");
    assert_eq!(request.types.map(SyncTypes::encode), Some(vec![0b1010_0011, 0b111]));
    let hers = Received::decode(&announce(&alice, alice.signing_public(), 0).into()).expect("a frame");
    assert!(request.filter.members().contains(FilterHash::of(hers.packet().id())));
}

#[test]
fn a_node_whose_limits_are_nothing_remembers_nothing_and_answers_nobody() {
    let mut limits = Limits { answers: 0, ..Limits::default() };
    (limits.messages.count, limits.prekeys.count) = (0, 0);
    let mut bench = Bench::new(Config { gossip: limits, ..Config::default() });
    bench.connect(2);
    let (alice, mallory) = (identity(2), identity(9));
    introduce(&mut bench, 1, &alice, 0);
    introduce(&mut bench, 2, &mallory, 0);
    bench.hear(1, &text(&alice, "gone with the wind", 1));
    bench.hear(2, &signed(&mallory, asks(&mallory, &nothing(), 2)));
    bench.pass(Duration::from_secs(30));
    assert_eq!((replies(&bench), bench.dropped(DropReason::SyncRate)), (vec![], 1));
    let ours = |change: &Keep| matches!(change, Keep::Put(Kept { shelf: Shelf::Archive, .. }));
    assert!(!bench.kept.iter().any(ours));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_request_is_refused_or_answered_in_bounds(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..20),
        p in any::<u8>(), m in any::<u32>(), bits in proptest::collection::vec(any::<u8>(), 0..1_100),
    ) {
        let (mut bench, alice, mallory) = between();
        bench.hear(1, &text(&alice, "something", now(&bench)));
        bench.written.clear();
        let len = u16::try_from(bits.len()).expect("short").to_be_bytes();
        let shaped = [&[1, 0, 1, p, 2, 0, 4], m.to_be_bytes().as_slice(), &[3], &len, &bits].concat();
        for (payload, at) in payloads.into_iter().chain([shaped]).zip(now(&bench)..) {
            let ask = Packet { ttl: 0, ..packet(&mallory, PacketType::RequestSync, payload, at) };
            bench.hear(2, &signed(&mallory, ask));
        }
        bench.pass(Duration::from_secs(1));
        prop_assert!(replies(&bench).len() <= 4, "three announces and a text");
    }
}
