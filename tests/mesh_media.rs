//! Files, live voice and Nostr events over the mesh.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{MINUTE, private_ttls, public_ttls, say, settled, started, whisper};
use hopline::crypto::Identity;
use hopline::ids::{AdapterId, AttemptId, LinkId, PeerId};
use hopline::link::event::{DeviceAddress, RadioEvent, Role};
use hopline::mesh::error::DropReason;
use hopline::mesh::event::{Command, Event, Input, Output};
use hopline::mesh::media::event::{Command as Ask, Event as Told, Failure, Received, Secrecy};
use hopline::mesh::{Config, Engine};
use hopline::sim::{Edge, NodeId, Topology, World};
use hopline::time::{Instant, Now, UnixMillis};
use hopline::wire::adts::{NotSpeech, header};
use hopline::wire::carrier::{Direction, NostrCarrier};
use hopline::wire::voice::{AAC_LC_16K, VoiceBody, VoicePacket};
use hopline::wire::{
    Announce, Capabilities, MAX_MEDIA_LEN, MediaFile, MediaType, NoisePayload, Packet, PacketType, Version,
};
use proptest::prelude::*;

const ATTEMPT: AttemptId = AttemptId(5);

fn photo(len: usize) -> MediaFile {
    let mut content = vec![0xFF, 0xD8, 0xFF];
    let mut state = 1_u32;
    content.resize_with(len.max(4), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    MediaFile { name: "summer.jpg".into(), mime: "image/jpeg".into(), content: content.into() }
}

fn received(world: &World, node: NodeId) -> Vec<Received> {
    let file = |event: &Event| {
        let Event::Media(Told::Received(file)) = event else { return None };
        Some(file.clone())
    };
    world.events(node).filter_map(file).collect()
}

fn told(world: &World, node: NodeId) -> Vec<Told> {
    let about = |event: &Event| {
        let Event::Media(told) = event else { return None };
        (!matches!(told, Told::Progress { .. } | Told::Received(_))).then(|| told.clone())
    };
    world.events(node).filter_map(about).collect()
}

fn send(world: &mut World, from: NodeId, to: NodeId, file: MediaFile) {
    let to = world.peer(to);
    world.command(from, Command::Media(Ask::ToPeer { attempt: ATTEMPT, to, file }));
}

#[test]
fn a_private_file_of_100_kilobytes_crosses_three_relays_and_is_confirmed() {
    let (mut world, nodes) = settled(1, &Topology::chain(5, Edge::default()));
    let file = photo(100_000);
    send(&mut world, nodes[0], nodes[4], file.clone());
    world.run_for(MINUTE * 2);
    let came = received(&world, nodes[4]);
    assert_eq!(came.len(), 1);
    assert!(came[0].content == file.content && came[0].name == "summer.jpg");
    assert_eq!((came[0].secrecy, came[0].media_type), (Secrecy::Sealed, MediaType::Jpeg));
    assert_eq!(came[0].sender, world.peer(nodes[0]));
    assert_eq!(
        told(&world, nodes[0]),
        [Told::Sent { attempt: ATTEMPT }, Told::Delivered { attempt: ATTEMPT }]
    );
    assert!(nodes[1..4].iter().all(|&relay| received(&world, relay).is_empty()), "relays cannot read it");
    let progress =
        world.events(nodes[0]).filter(|event| matches!(event, Event::Media(Told::Progress { .. })));
    assert!(progress.count() >= 10);
}

/// Links that carry about as much as the emulated ones of the bench.
const SLOW: Edge = Edge {
    loss: 0.0,
    drop: 0.0,
    latency: Duration::from_millis(15),
    jitter: Duration::from_millis(10),
    mtu: 517,
    rate: 8_500,
    rssi: -60,
};

fn dropped(world: &World, node: NodeId, reason: DropReason) -> u64 {
    world.engine(node).counters().dropped.get(&reason).copied().unwrap_or(0)
}

/// A file of 100 kB from one end to the other; `meanwhile` every second.
fn crosses(world: &mut World, nodes: &[NodeId], mut meanwhile: impl FnMut(&mut World, u64)) {
    let [first, .., last] = *nodes else { panic!("a chain has two ends") };
    let file = photo(100_000);
    send(world, first, last, file.clone());
    for second in 0..60 {
        meanwhile(world, second);
        world.run_for(Duration::from_secs(1));
    }
    let drops = nodes.iter().map(|&node| dropped(world, node, DropReason::Airtime));
    assert_eq!(drops.collect::<Vec<_>>(), vec![0; nodes.len()]);
    let came = received(world, last);
    assert_eq!(came.len(), 1);
    assert!(came[0].content == file.content);
    let delivered = [Told::Sent { attempt: ATTEMPT }, Told::Delivered { attempt: ATTEMPT }];
    assert_eq!(told(world, first), delivered);
}

#[test]
fn over_slow_links_a_private_file_of_100_kilobytes_crosses_three_relays_too() {
    for seed in 7..10 {
        let (mut world, nodes) = settled(seed, &Topology::chain(5, SLOW));
        crosses(&mut world, &nodes, |_, _| {});
    }
}

#[test]
fn a_file_leaves_some_of_the_air_where_it_is_passed_on_and_takes_all_of_it_to_a_neighbour() {
    let seconds_to = |place: usize| {
        let (mut world, nodes) = settled(14, &Topology::chain(3, SLOW));
        whisper(&mut world, nodes[0], nodes[place], 1, "before it");
        world.run_for(MINUTE);
        send(&mut world, nodes[0], nodes[place], photo(100_000));
        let since = world.now();
        assert!(world.run_until(|world| told(world, nodes[0]) == [Told::Sent { attempt: ATTEMPT }], MINUTE));
        world.now().since(since).as_secs()
    };
    let (straight, onward) = (seconds_to(1), seconds_to(2));
    assert!((11..=14).contains(&straight) && (18..=25).contains(&onward), "{straight} s, {onward} s");
}

#[test]
fn a_file_crosses_slow_relays_while_everybody_talks() {
    let (mut world, nodes) = settled(10, &Topology::chain(5, SLOW));
    let all = nodes.clone();
    crosses(&mut world, &nodes, |world, second| {
        for (place, &node) in all.iter().enumerate() {
            say(world, node, &format!("{second} {place}: something that everybody should know"));
        }
        whisper(world, all[4], all[1], u8::try_from(second).expect("a minute"), "and only one");
    });
    let heard = public_ttls(&world, nodes[4], "20 0: something that everybody should know");
    assert_eq!(heard.len(), 1);
    assert_eq!(private_ttls(&world, nodes[1], "and only one").len(), 60);
}

#[test]
fn a_file_that_comes_faster_than_it_can_go_on_waits_on_the_way() {
    let mut world = started(11, &Topology::chain(5, SLOW));
    let nodes = world.nodes();
    for (edge, pair) in [Edge::default(), Edge { rate: 6_000, ..SLOW }].into_iter().zip(nodes.windows(2)) {
        let (a, b) = (world.station(pair[0]), world.station(pair[1]));
        world.join(a, b, edge);
    }
    world.run_for(MINUTE);
    crosses(&mut world, &nodes, |_, _| {});
}

#[test]
fn a_long_file_does_not_bar_the_route_it_takes() {
    let (mut world, nodes) = settled(13, &Topology::chain(4, SLOW));
    whisper(&mut world, nodes[0], nodes[3], 1, "before it");
    world.run_for(MINUTE);
    send(&mut world, nodes[0], nodes[3], photo(100_000));
    world.run_for(Duration::from_secs(15));
    let routed = |world: &World| world.engine(nodes[0]).counters().routed;
    let before = routed(&world);
    assert!(before > 0 && received(&world, nodes[3]).is_empty(), "it is on its way, along a route");
    whisper(&mut world, nodes[0], nodes[3], 2, "beside it");
    assert_eq!(routed(&world), before + 1);
}

#[test]
fn large_files_to_one_peer_leave_in_turn_and_all_arrive() {
    let (mut world, nodes) = settled(12, &Topology::chain(3, Edge::default()));
    let to = world.peer(nodes[2]);
    let sizes = [400_000, 400_001, 400_002, 400_003];
    for (number, size) in (1..).zip(sizes) {
        let file = MediaFile { name: format!("{number}.jpg"), ..photo(size) };
        world.command(nodes[0], Command::Media(Ask::ToPeer { attempt: AttemptId(number), to, file }));
    }
    world.run_for(MINUTE * 3);
    assert_eq!(received(&world, nodes[2]).iter().map(|file| file.content.len()).collect::<Vec<_>>(), sizes);
    let delivered =
        told(&world, nodes[0]).iter().filter(|told| matches!(told, Told::Delivered { .. })).count();
    assert_eq!(delivered, 4);
}

#[test]
fn a_public_file_reaches_everyone_once() {
    let (mut world, nodes) = settled(2, &Topology::chain(3, Edge::default()));
    let file = photo(9_000);
    world.command(nodes[0], Command::Media(Ask::ToEveryone { attempt: ATTEMPT, file: file.clone() }));
    world.run_for(MINUTE);
    for &node in &nodes[1..] {
        let came = received(&world, node);
        assert_eq!(came.len(), 1);
        assert!(came[0].content == file.content && came[0].secrecy == Secrecy::Public);
        assert_eq!(came[0].wire_id, None);
    }
    assert_eq!(told(&world, nodes[0]), [Told::Sent { attempt: ATTEMPT }]);
}

#[test]
fn the_largest_file_goes_and_a_larger_one_is_refused_with_its_size() {
    let (mut world, nodes) = settled(3, &Topology::chain(2, Edge::default()));
    send(&mut world, nodes[0], nodes[1], photo(MAX_MEDIA_LEN + 1));
    world.run_for(Duration::from_secs(1));
    let [Told::Failed { reason, .. }] = told(&world, nodes[0])[..] else { panic!("it is refused") };
    assert_eq!(
        reason.to_string(),
        "over BitChat it cannot go: the file has 1048577 bytes, the most is 1048576"
    );
    send(&mut world, nodes[0], nodes[1], photo(MAX_MEDIA_LEN));
    world.run_for(MINUTE * 4);
    assert_eq!(received(&world, nodes[1])[0].content.len(), MAX_MEDIA_LEN);
    assert_eq!(told(&world, nodes[0]).last(), Some(&Told::Delivered { attempt: ATTEMPT }));
}

#[test]
fn who_does_not_take_private_files_is_sent_none() {
    let mut world = started(4, &Topology::chain(1, Edge::default()));
    let station = world.station(world.nodes()[0]);
    let other = world.add_node(Config { capabilities: Capabilities::NONE, ..Config::default() });
    let radio = world.add_station(other);
    world.join(station, radio, Edge::default());
    world.run_for(MINUTE);
    let node = world.nodes()[0];
    send(&mut world, node, other, photo(100));
    world.run_for(Duration::from_secs(1));
    assert_eq!(told(&world, node), [Told::Failed { attempt: ATTEMPT, reason: Failure::NotTaken }]);
}

#[test]
fn a_file_that_cannot_be_stored_is_not_confirmed_and_comes_again() {
    let (mut world, nodes) = settled(5, &Topology::chain(2, Edge::default()));
    let photo = MediaFile { name: "img_00112233-4455-6677-8899-AABBCCDDEEFF.jpg".into(), ..photo(3_000) };
    world.set_disk_full(nodes[1], true);
    send(&mut world, nodes[0], nodes[1], photo.clone());
    world.run_for(MINUTE * 2);
    let unanswered = Told::Failed { attempt: ATTEMPT, reason: Failure::Unanswered };
    assert_eq!(told(&world, nodes[0]).last(), Some(&unanswered));
    world.set_disk_full(nodes[1], false);
    for _ in 0..2 {
        send(&mut world, nodes[0], nodes[1], photo.clone());
        world.run_for(MINUTE);
        assert_eq!(told(&world, nodes[0]).last(), Some(&Told::Delivered { attempt: ATTEMPT }));
    }
    assert_eq!(received(&world, nodes[1]).len(), 2, "once it is stored it is confirmed and not told again");
}

#[test]
fn silence_about_a_file_that_phones_do_not_confirm_is_no_failure_and_bars_no_route() {
    let (mut world, nodes) = settled(15, &Topology::chain(3, Edge::default()));
    world.set_disk_full(nodes[2], true);
    send(&mut world, nodes[0], nodes[2], photo(3_000));
    world.run_for(MINUTE);
    assert_eq!(told(&world, nodes[0]), [Told::Sent { attempt: ATTEMPT }], "it may yet be confirmed");
    world.run_for(MINUTE);
    let unconfirmed = [Told::Sent { attempt: ATTEMPT }, Told::Unconfirmed { attempt: ATTEMPT }];
    assert_eq!(told(&world, nodes[0]), unconfirmed);
    let routed = |world: &World| world.engine(nodes[0]).counters().routed;
    let before = routed(&world);
    whisper(&mut world, nodes[0], nodes[2], 1, "after it");
    assert_eq!(routed(&world), before + 1);
}

#[test]
fn links_that_go_down_on_the_way_are_told_at_once() {
    let (mut world, nodes) = settled(6, &Topology::chain(2, Edge::default()));
    send(&mut world, nodes[0], nodes[1], photo(200_000));
    world.run_for(Duration::from_secs(3));
    let long: String =
        (0..5_000_u64).map(|n| format!("{:x} ", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    world.say(nodes[0], AttemptId(2), &long[..50_000]).expect("it goes");
    world.run_for(Duration::from_millis(100));
    let (a, b) = (world.station(nodes[0]), world.station(nodes[1]));
    world.cut(a, b);
    world.run_for(Duration::from_secs(10));
    assert_eq!(dropped(&world, nodes[0], DropReason::Cut), 1, "the text");
    assert_eq!(told(&world, nodes[0]), [Told::Failed { attempt: ATTEMPT, reason: Failure::Cut }]);
}

/// One engine and somebody who sends it packets by hand.
struct Bench {
    engine: Engine,
    now: Now,
    stranger: Identity,
    files: Vec<Received>,
    writes: usize,
}

impl Bench {
    fn new() -> Self {
        let engine = Engine::new(Identity::from_bytes(&[1; 64]), Config::default(), [7; 32]);
        let now = Now { instant: Instant::ZERO, unix: UnixMillis(1_800_000_000_000) };
        let stranger = Identity::from_bytes(&[9; 64]);
        let mut bench = Self { engine, now, stranger, files: Vec::new(), writes: 0 };
        for serial in [1, 2] {
            let link = LinkId { adapter: AdapterId(0), serial };
            let address = DeviceAddress([u8::try_from(serial).expect("few links"); 6]);
            let up = RadioEvent::LinkUp { link, address, role: Role::Peripheral, max_frame: 512 };
            bench.feed(Input::Radio(up));
        }
        let announce = Announce {
            nickname: "stranger".into(),
            noise_public: bench.stranger.noise_public(),
            signing_public: bench.stranger.signing_public(),
            neighbours: vec![],
            capabilities: None,
            bridge_geohash: None,
        };
        bench.hear(PacketType::Announce, announce.encode().expect("short"), None, true);
        bench
    }

    fn feed(&mut self, input: Input) {
        self.engine.handle(input, self.now);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Event(Event::Media(Told::Received(file))) => self.files.push(file),
                Output::Radio(_) => self.writes += 1,
                Output::Event(_) | Output::Keep(_) => {}
            }
        }
    }

    fn hear(&mut self, packet_type: PacketType, payload: Vec<u8>, to: Option<PeerId>, sign: bool) {
        self.pass(Duration::from_millis(1));
        let mut packet = Packet {
            version: Version::V2,
            packet_type,
            ttl: 7,
            timestamp: self.now.unix,
            sender: self.stranger.peer_id(),
            recipient: to,
            route: vec![],
            rsr: false,
            payload: payload.into(),
            signature: None,
        };
        if sign {
            packet.signature = Some(self.stranger.sign(&packet.signing_preimage().expect("short")));
        }
        let bytes = packet.encode().expect("short").into();
        let link = LinkId { adapter: AdapterId(0), serial: 1 };
        self.feed(Input::Radio(RadioEvent::Received { link, bytes }));
    }

    fn pass(&mut self, span: Duration) {
        self.now = Now { instant: self.now.instant + span, unix: self.now.unix + span };
        self.feed(Input::Timeout);
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.engine.counters().dropped.get(&reason).copied().unwrap_or(0)
    }

    fn relayed(&self) -> u64 {
        self.engine.counters().relayed
    }
}

#[test]
fn a_file_that_is_not_what_it_says_or_not_signed_is_dropped_and_counted() {
    let mut bench = Bench::new();
    let file = |mime: &str, content: &'static [u8]| {
        let (name, content) = ("a.jpg".into(), Bytes::from_static(content));
        MediaFile { name, mime: mime.into(), content }.encode().expect("short")
    };
    bench.hear(PacketType::FileTransfer, file("image/jpeg", b"#!/bin/sh"), None, true);
    bench.hear(PacketType::FileTransfer, file("text/html", b"<html>"), None, true);
    assert_eq!(bench.dropped(DropReason::Media), 2);
    bench.hear(PacketType::FileTransfer, file("application/pdf", b"%PDF"), None, false);
    assert_eq!(bench.dropped(DropReason::Unsigned), 1);
    bench.hear(PacketType::FileTransfer, vec![4, 0, 0], None, true);
    assert_eq!(bench.dropped(DropReason::Payload), 1);
    assert!(bench.files.is_empty());
    let me = bench.engine.peer_id();
    bench.hear(PacketType::FileTransfer, file("application/pdf", b"%PDF"), Some(me), true);
    assert_eq!((bench.files.len(), bench.files[0].secrecy), (1, Secrecy::Open));
}

#[test]
fn a_burst_of_voice_becomes_a_file_and_is_relayed() {
    let mut bench = Bench::new();
    bench.pass(Duration::from_secs(1));
    let relayed = bench.relayed();
    let say = |bench: &mut Bench, number, body| {
        let packet = VoicePacket { burst: [0xAB; 8], number, body };
        bench.hear(PacketType::VoiceFrame, packet.encode().expect("short"), None, true);
    };
    say(&mut bench, 0, VoiceBody::Start { codec: AAC_LC_16K });
    for number in 1..=5 {
        say(&mut bench, number, VoiceBody::Sound(vec![vec![7; 40].into(); 4]));
    }
    say(&mut bench, 6, VoiceBody::End { packets: 5, milliseconds: 1_280 });
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.files.len(), 1);
    assert_eq!(bench.files[0].name, "voice_abababababababab.aac");
    assert_eq!(bench.files[0].content.len(), 5 * 4 * 47);
    assert_eq!((bench.files[0].media_type, bench.files[0].secrecy), (MediaType::Aac, Secrecy::Public));
    assert_eq!(bench.relayed() - relayed, 7);
}

#[test]
fn a_recording_that_comes_before_its_burst_is_over_is_all_that_is_told() {
    let mut bench = Bench::new();
    let sound = VoiceBody::Sound(vec![vec![7; 40].into(); 4]);
    for burst in [0xAB, 0xCD] {
        let packet = VoicePacket { burst: [burst; 8], number: 1, body: sound.clone() };
        bench.hear(PacketType::VoiceFrame, packet.encode().expect("short"), None, true);
    }
    let name = "voice_abababababababab.m4a".into();
    let file = MediaFile { name, mime: "audio/aac".into(), content: recording() };
    bench.hear(PacketType::FileTransfer, file.encode().expect("short"), None, true);
    bench.pass(MINUTE);
    let told: Vec<_> = bench.files.iter().map(|file| (file.name.as_str(), file.live)).collect();
    assert_eq!(told, [("voice_abababababababab.m4a", false), ("voice_cdcdcdcdcdcdcdcd.aac", true)]);
}

/// Three seconds of sound, as `ffmpeg -ac 1 -ar 16000 -b:a 16k` writes it.
fn recording() -> Bytes {
    let unit = |n: u8| [header(128).as_slice(), &[n; 128]].concat();
    (0..47).flat_map(unit).collect::<Vec<u8>>().into()
}

#[test]
fn a_recording_is_spoken_live_to_everyone_and_follows_as_a_file() {
    let (mut world, nodes) = settled(8, &Topology::chain(3, Edge::default()));
    world
        .command(nodes[0], Command::Media(Ask::Speak { attempt: ATTEMPT, to: None, recording: recording() }));
    world.run_for(Duration::from_secs(2));
    assert!(received(&world, nodes[2]).is_empty(), "it is not over");
    world.run_for(MINUTE);
    for &node in &nodes[1..] {
        let came = received(&world, node);
        assert_eq!(came.len(), 2, "the burst, and the file");
        assert!(came.iter().all(|file| file.content == recording() && file.media_type == MediaType::Aac));
        assert!(came[0].name == came[1].name && came[0].name.starts_with("voice_"), "{}", came[0].name);
        assert_eq!(came[0].secrecy, Secrecy::Public);
    }
    assert_eq!(told(&world, nodes[0]), [Told::Sent { attempt: ATTEMPT }]);
}

#[test]
fn a_recording_is_spoken_to_one_and_nobody_else_hears_it() {
    let (mut world, nodes) = settled(9, &Topology::chain(3, Edge::default()));
    let to = Some(world.peer(nodes[2]));
    world.command(nodes[0], Command::Media(Ask::Speak { attempt: ATTEMPT, to, recording: recording() }));
    world.run_for(MINUTE);
    let came = received(&world, nodes[2]);
    assert_eq!(came.len(), 2, "the burst, and the file");
    assert!(came.iter().all(|file| file.content == recording() && file.secrecy == Secrecy::Sealed));
    assert!(received(&world, nodes[1]).is_empty());
    assert_eq!(
        told(&world, nodes[0]),
        [Told::Sent { attempt: ATTEMPT }, Told::Delivered { attempt: ATTEMPT }]
    );
}

#[test]
fn what_is_no_speech_is_refused_with_the_reason() {
    let (mut world, nodes) = settled(10, &Topology::chain(2, Edge::default()));
    let recording = Bytes::from_static(b"RIFF....WAVE");
    world.command(nodes[0], Command::Media(Ask::Speak { attempt: ATTEMPT, to: None, recording }));
    let reason = Failure::NotSpeech(NotSpeech::Frame(0));
    assert_eq!(told(&world, nodes[0]), [Told::Failed { attempt: ATTEMPT, reason }]);
}

#[test]
fn a_flood_of_voice_is_bounded_and_counted_and_passed_on_as_far_as_its_link_may() {
    let mut bench = Bench::new();
    bench.pass(Duration::from_secs(1));
    let relayed = bench.relayed();
    for burst in 0..12 {
        for number in 1..=100 {
            let body = VoiceBody::Sound(vec![vec![7; 190].into()]);
            let packet = VoicePacket { burst: [burst; 8], number, body };
            bench.hear(PacketType::VoiceFrame, packet.encode().expect("short"), None, true);
        }
    }
    assert!(bench.dropped(DropReason::Media) > 600);
    bench.pass(MINUTE);
    assert_eq!(bench.files.len(), 3, "one speaker has three places");
    let refused = bench.dropped(DropReason::RelayRate)
        + bench.dropped(DropReason::RelayQueueFull)
        + bench.dropped(DropReason::Airtime);
    assert_eq!(bench.relayed() - relayed + refused, 1_200, "what we do not keep others may hear");
}

#[test]
fn nostr_events_are_relayed_and_nobody_can_use_up_what_another_may_send() {
    let mut bench = Bench::new();
    bench.pass(Duration::from_secs(1));
    let before = bench.relayed();
    let gateway = PeerId([0xAA; 8]);
    let event = |number: u8| {
        let event = Bytes::from(vec![b'0' + number % 10; 20 + usize::from(number)]);
        let carrier = NostrCarrier { direction: Direction::ToGateway, geohash: "u33dc".into(), event };
        carrier.encode().expect("short")
    };
    for number in 0..30 {
        bench.hear(PacketType::NostrCarrier, event(number), Some(gateway), true);
    }
    bench.pass(Duration::from_secs(1));
    assert_eq!((bench.engine.counters().nostr_events, bench.relayed() - before), (30, 30));
    bench.hear(PacketType::NostrCarrier, event(31), Some(gateway), false);
    assert_eq!(bench.dropped(DropReason::Unsigned), 1);
    bench.hear(PacketType::NostrCarrier, event(32), Some(gateway), true);
    let down = |number: u8| {
        let event = Bytes::from(vec![b'a' + number % 20; 60 + usize::from(number)]);
        let carrier = NostrCarrier { direction: Direction::FromGateway, geohash: "u33dc".into(), event };
        carrier.encode().expect("short")
    };
    for number in 0..40 {
        bench.hear(PacketType::NostrCarrier, down(number), None, false);
    }
    bench.pass(Duration::from_secs(1));
    assert_eq!((bench.engine.counters().nostr_events, bench.relayed() - before), (71, 71));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_name_of_whatever_kind_stays_a_name(name in ".{0,200}") {
        let file = MediaFile { name, mime: "application/pdf".into(), content: Bytes::from_static(b"%PDF") };
        let inner = NoisePayload::File(file.clone());
        let again = NoisePayload::decode(&inner.encode().expect("short").into());
        prop_assert_eq!(again, Ok(inner));
        let tame = hopline::wire::file::FileName::tame(&file.name);
        prop_assert!(!tame.as_str().contains(['/', '\\']) && !tame.as_str().starts_with('.') && !tame.as_str().is_empty());
    }
}
