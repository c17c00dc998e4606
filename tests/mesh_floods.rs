//! What strangers can send in bulk, replayed, forged or crafted: each kind is bounded, counted, and displaces nothing of
//! those who are known.

#[path = "common/bench.rs"]
mod bench;
#[path = "common/inside.rs"]
mod inside;

use std::collections::BTreeSet;
use std::time::Duration;

use bench::{Bench, START, announce, identity, introduce, know, packet, signed, text};
use bytes::Bytes;
use hopline::crypto::Identity;
use hopline::ids::{AttemptId, MessageId, PeerId};
use hopline::link::event::{DeviceAddress, LinkDownReason, RadioEvent, Role};
use hopline::mesh::error::DropReason;
use hopline::mesh::event::{Command, Event, Input, Reach};
use hopline::mesh::{Config, Engine};
use hopline::time::UnixMillis;
use hopline::wire::{Fragment, Packet, PacketType, Probe, Received, Version, chunk_for, fragments};
use inside::Inside;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// The node of the bench.
fn own() -> PeerId {
    identity(1).peer_id()
}

/// Somebody nobody has heard of, with keys of their own.
fn invented(n: u16) -> Identity {
    let [high, low] = n.to_be_bytes();
    let mut seed = [0xEE; 64];
    seed[..2].copy_from_slice(&[high, low]);
    seed[32..34].copy_from_slice(&[high, low]);
    Identity::from_bytes(&seed)
}

fn to(recipient: PeerId, packet: Packet) -> Vec<u8> {
    Packet { recipient: Some(recipient), ..packet }.encode().expect("it encodes")
}

/// Frames of a type put on a link since the last look.
fn written(bench: &Bench, packet_type: PacketType) -> usize {
    bench.written.iter().filter(|(_, frame)| frame.get(1) == Some(&packet_type.code())).count()
}

/// 400 bytes that nothing makes shorter.
fn noise(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; 400];
    ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

fn settled(links: u32) -> Bench {
    let mut bench = Bench::with_links(links);
    bench.pass(Duration::from_secs(1));
    bench.written.clear();
    bench
}

#[test]
fn a_replayed_packet_is_shown_and_relayed_once_however_often_it_comes() {
    let alice = identity(2);
    let mut bench = settled(3);
    introduce(&mut bench, 1, &alice, 0);
    let genuine = text(&alice, "once", 1);
    for round in 0..50 {
        bench.hear(1 + round % 3, &genuine);
        bench.pass(Duration::from_secs(1));
    }
    assert_eq!((bench.shown("once"), bench.dropped(DropReason::Duplicate)), (1, 49));
    let relayed = bench.relayed().iter().filter(|(_, frame)| frame[1] == PacketType::Message.code()).count();
    assert_eq!(relayed, 2);
}

#[test]
fn a_replayed_ciphertext_is_refused_though_its_packet_looks_new() {
    let mut bench = settled(1);
    let alice = identity(2);
    let mut other = Engine::new(identity(2), Config::default(), [8; 32]);
    let clock = bench.clock();
    let up = RadioEvent::AdapterUp { adapter: bench::link(1).adapter, address: DeviceAddress([9; 6]) };
    other.handle(Input::Radio(up), clock);
    let address = DeviceAddress([8; 6]);
    let up = RadioEvent::LinkUp { link: bench::link(1), address, role: Role::Central, max_frame: 512 };
    other.handle(Input::Radio(up), clock);
    bench.feed(know(&alice));
    let (id, text) = (MessageId([7; 16]), "secret".to_owned());
    other.handle(Input::Command(Command::SendPrivate { attempt: AttemptId(1), to: own(), id, text }), clock);
    let mut ciphertexts = Vec::new();
    let mut carried = 0;
    for _ in 0..20 {
        let clock = bench.clock();
        while let Some(output) = other.poll_output() {
            let hopline::mesh::event::Output::Radio(hopline::link::event::RadioCommand::Write {
                frame, ..
            }) = output
            else {
                continue;
            };
            other.handle(Input::Radio(RadioEvent::Written { link: bench::link(1) }), clock);
            if frame[1] == PacketType::NoiseEncrypted.code() {
                ciphertexts.push(frame.clone());
            }
            bench.hear(1, &frame);
        }
        for (_, frame) in bench.written.split_off(carried) {
            other.handle(Input::Radio(RadioEvent::Received { link: bench::link(1), bytes: frame }), clock);
        }
        carried = bench.written.len();
        bench.pass(Duration::from_millis(100));
        other.handle(Input::Timeout, bench.clock());
    }
    let shown = |bench: &Bench| {
        bench
            .events
            .iter()
            .filter(|event| matches!(event, Event::PrivateMessage(it) if it.text == "secret"))
            .count()
    };
    assert_eq!(shown(&bench), 1);
    for (round, frame) in (1_000..).zip(ciphertexts.iter().cycle().take(40)) {
        let packet = Received::decode(frame).expect("a packet").into_packet();
        let timestamp = UnixMillis(START.0 + round);
        bench.hear(1, &Packet { timestamp, ..packet }.encode().expect("it encodes"));
    }
    assert_eq!((shown(&bench), bench.dropped(DropReason::Undecryptable)), (1, 40));
}

#[test]
fn of_every_signed_type_a_false_signature_and_none_at_all_go_nowhere() {
    let (alice, mallory) = (identity(2), identity(9));
    let broadcast = [
        PacketType::Message,
        PacketType::Leave,
        PacketType::FileTransfer,
        PacketType::BoardPost,
        PacketType::PrekeyBundle,
        PacketType::VoiceFrame,
    ];
    let directed = [PacketType::CourierEnvelope, PacketType::NostrCarrier, PacketType::FileTransfer];
    let types = broadcast.map(|it| (it, None)).into_iter();
    let types = types.chain(directed.map(|it| (it, Some(PeerId([8; 8])))));
    for (packet_type, recipient) in types {
        let mut bench = settled(2);
        introduce(&mut bench, 1, &alice, 0);
        bench.pass(Duration::from_secs(1));
        bench.written.clear();
        let unsigned = Packet { recipient, ..packet(&alice, packet_type, vec![7; 60], 1) };
        bench.hear(1, &signed(&mallory, unsigned.clone()));
        bench.hear(1, &unsigned.encode().expect("it encodes"));
        bench.pass(Duration::from_secs(1));
        let dropped = (bench.dropped(DropReason::Signature), bench.dropped(DropReason::Unsigned));
        assert_eq!(dropped, (1, 1), "{packet_type}");
        assert_eq!(bench.relayed(), [], "{packet_type}");
    }
    let mut bench = settled(2);
    let mut forged = announce(&alice, alice.signing_public(), 0);
    *forged.last_mut().expect("not empty") ^= 1;
    bench.hear(1, &forged);
    bench.pass(Duration::from_secs(1));
    assert_eq!((bench.dropped(DropReason::Signature), bench.relayed().len()), (1, 0));
}

#[test]
fn a_bomb_is_refused_by_what_it_claims_and_a_real_one_is_not_kept() {
    let mut bench = settled(2);
    // A header that claims a payload inflated to the ceiling and beyond, over a few bytes of stream.
    for claimed in [1_179_761_u32, u32::MAX, 1_179_760] {
        let unsigned = packet(&identity(2), PacketType::GroupMessage, vec![0; 4], 0);
        let mut frame = Packet { version: Version::V2, ..unsigned }.encode().expect("it encodes");
        frame[11] |= 0x04;
        let at = frame.len() - 4;
        frame.splice(at.., claimed.to_be_bytes().into_iter().chain([0x03, 0x00, 0, 0]));
        frame[15] = 8;
        bench.hear(1, &frame);
    }
    assert_eq!(bench.dropped(DropReason::Malformed), 3);
    // A megabyte of zeros in about a kilobyte, signed by nobody known.
    let stranger = invented(1);
    let zeros = packet(&stranger, PacketType::Message, vec![0; 1_000_000], 1);
    let bomb = signed(&stranger, Packet { version: Version::V2, ..zeros });
    assert!(bomb.len() < 2_000);
    bench.hear(1, &bomb);
    introduce(&mut bench, 1, &stranger, 2);
    let shown = bench.events.iter().any(|event| matches!(event, Event::PublicMessage(_)));
    assert!(!shown, "what is bigger inside than is worth keeping was not kept");
}

#[test]
fn a_flood_of_fragments_of_invented_senders_does_not_keep_a_message_from_being_put_together() {
    let alice = identity(2);
    let mut bench = settled(2);
    introduce(&mut bench, 1, &alice, 0);
    let long = "a long text of alice, with quite a few different words in it; ".repeat(30);
    let frame = Bytes::from(signed(&alice, packet(&alice, PacketType::Message, long.clone(), 1)));
    let wrap = |who: &Identity, fragment: &Fragment| {
        packet(who, PacketType::Fragment, fragment.encode(), 1).encode().expect("it encodes")
    };
    let pieces: Vec<Fragment> =
        fragments(&frame, [7; 8], PacketType::Message, chunk_for(64, 0)).expect("it can be cut").collect();
    let (last, first) = pieces.split_last().expect("some");
    first.iter().for_each(|piece| bench.hear(1, &wrap(&alice, piece)));
    for n in 0..1_000_u16 {
        let data = Bytes::from_static(&[7; 300]);
        let original_type = PacketType::Message;
        let piece = Fragment { id: [3; 8], index: n % 5, total: 9_000, original_type, data };
        bench.hear(2, &wrap(&invented(n), &piece));
    }
    bench.hear(1, &wrap(&alice, last));
    let whole = |event: &&Event| matches!(event, Event::PublicMessage(message) if message.text == long);
    assert_eq!(bench.events.iter().filter(whole).count(), 1);
}

/// A text of somebody in pieces that nobody signed, and what it says.
fn in_pieces(who: &Identity) -> (Vec<Vec<u8>>, String) {
    let long = "a long text of alice, with quite a few different words in it; ".repeat(30);
    let frame = Bytes::from(signed(who, packet(who, PacketType::Message, long.clone(), 1)));
    let pieces = fragments(&frame, [7; 8], PacketType::Message, chunk_for(64, 0)).expect("it can be cut");
    (pieces.map(|piece| wrapped(who, &piece)).collect(), long)
}

fn wrapped(who: &Identity, piece: &Fragment) -> Vec<u8> {
    packet(who, PacketType::Fragment, piece.encode(), 1).encode().expect("it encodes")
}

#[test]
fn pieces_in_a_peers_name_do_not_keep_its_message_from_being_put_together() {
    let alice = identity(2);
    let spoofed = |n: u64| {
        let (id, data) = (n.to_be_bytes(), Bytes::from_static(&[7; 300]));
        wrapped(&alice, &Fragment { id, index: 0, total: 9_000, original_type: PacketType::Message, data })
    };
    // Over another link, and through the same neighbour.
    for serial in [2, 1] {
        let mut bench = settled(2);
        introduce(&mut bench, 1, &alice, 0);
        let (pieces, long) = in_pieces(&alice);
        (0..100).for_each(|n| bench.hear(serial, &spoofed(n)));
        for (n, piece) in (100..).step_by(10).zip(&pieces) {
            bench.hear(1, piece);
            (n..n + 10).for_each(|n| bench.hear(serial, &spoofed(n)));
        }
        assert_eq!(bench.shown(&long), 1, "link {serial}");
    }
}

#[test]
fn a_frame_put_together_with_more_behind_it_than_padding_is_refused() {
    let alice = identity(2);
    for (behind, shown) in [(255, 1), (256, 0), (100_000, 0)] {
        let mut bench = settled(2);
        introduce(&mut bench, 1, &alice, 0);
        let mut frame = text(&alice, "short", 1);
        frame.resize(frame.len() + behind, 7);
        let pieces = fragments(&frame.into(), [7; 8], PacketType::Message, 400).expect("it can be cut");
        pieces.for_each(|piece| bench.hear(1, &wrapped(&alice, &piece)));
        let refused = bench.dropped(DropReason::Malformed);
        assert_eq!(
            (bench.shown("short"), refused),
            (shown, 1 - u64::try_from(shown).expect("a few")),
            "{behind} bytes behind it"
        );
    }
}

#[test]
fn what_is_longer_than_the_apps_make_it_is_neither_shown_nor_kept_nor_passed_on() {
    let alice = identity(2);
    let long = |text: String| {
        signed(&alice, Packet { version: Version::V2, ..packet(&alice, PacketType::Message, text, 1) })
    };
    let mut bench = settled(2);
    introduce(&mut bench, 1, &alice, 0);
    bench.pass(Duration::from_secs(1));
    bench.written.clear();
    bench.hear(1, &long("a".repeat(60_001)));
    let invented =
        Packet { version: Version::V2, ..packet(&alice, PacketType::GroupMessage, vec![7; 240_001], 1) };
    bench.hear(1, &invented.encode().expect("it encodes"));
    let stranger = invented_text(1);
    bench.hear(1, &stranger);
    bench.pass(Duration::from_secs(1));
    let shown = |bench: &Bench| bench.events.iter().any(|event| matches!(event, Event::PublicMessage(_)));
    assert!(!shown(&bench));
    assert_eq!((bench.dropped(DropReason::Payload), bench.relayed().len()), (3, 0));
    let three_bytes_each = "\u{8a9e}".repeat(60_000);
    bench.hear(1, &long(three_bytes_each.clone()));
    assert_eq!(bench.shown(&three_bytes_each), 1);
}

/// A text one character too long, of somebody nobody has heard of.
fn invented_text(n: u16) -> Vec<u8> {
    let who = invented(n);
    let long = "a".repeat(60_001);
    signed(&who, Packet { version: Version::V2, ..packet(&who, PacketType::Message, long, 1) })
}

/// A text that its author compressed before it was signed, and that some phone passed on as it was before that.
fn inflated_by_a_phone(who: &Identity, said: &str, at: u64) -> Vec<u8> {
    let signed = packet(who, PacketType::Message, said.to_owned(), at);
    let signature = who.sign(&signed.signing_preimage().expect("it encodes"));
    let mut frame = Packet { payload: Bytes::new(), ..signed }.encode().expect("it encodes");
    frame[11] |= 0x02;
    frame[12..14].copy_from_slice(&u16::try_from(said.len()).expect("short").to_be_bytes());
    frame.extend(said.bytes());
    frame.extend(signature);
    frame
}

#[test]
fn false_signatures_over_one_link_cost_only_so_many_tries_and_only_that_link() {
    let (alice, mallory) = (identity(2), identity(9));
    let mut bench = settled(2);
    introduce(&mut bench, 1, &alice, 0);
    let said = |what: &str| format!("{what}: {}", "the same again and ".repeat(20));
    bench.hear(2, &inflated_by_a_phone(&alice, &said("before"), 1));
    assert_eq!(bench.shown(&said("before")), 1);
    for n in 0..100 {
        let forged = packet(&alice, PacketType::Message, said(&n.to_string()), 2);
        bench.hear(2, &signed(&mallory, forged));
    }
    assert_eq!(bench.dropped(DropReason::Signature), 100);
    bench.hear(2, &inflated_by_a_phone(&alice, &said("behind a flood"), 3));
    bench.hear(2, &text(&alice, &said("as it was signed"), 3));
    bench.hear(1, &inflated_by_a_phone(&alice, &said("elsewhere"), 4));
    let shown = ["behind a flood", "as it was signed", "elsewhere"].map(|what| bench.shown(&said(what)));
    assert_eq!(shown, [0, 1, 1]);
    bench.pass(Duration::from_secs(10));
    bench.hear(2, &inflated_by_a_phone(&alice, &said("later"), 10_000));
    assert_eq!(bench.shown(&said("later")), 1);
}

#[test]
fn a_flood_of_handshakes_under_invented_names_is_bounded_and_locks_out_no_contact() {
    let alice = identity(2);
    let mut bench = settled(2);
    bench.feed(know(&alice));
    let handshake = |who: &Identity, n: u64| {
        let mut message = [9; 32];
        message[..8].copy_from_slice(&n.to_be_bytes());
        to(own(), packet(who, PacketType::NoiseHandshake, message.to_vec(), n))
    };
    for n in 0..500 {
        bench.hear(2, &handshake(&invented(n), n.into()));
    }
    let answered = written(&bench, PacketType::NoiseHandshake);
    assert!(answered <= 2 * 10, "{answered} answers, on two links each at most");
    assert_eq!(bench.dropped(DropReason::HandshakeRate), 490);
    bench.hear(1, &handshake(&alice, 1_000));
    assert!(written(&bench, PacketType::NoiseHandshake) > answered, "a contact is answered all the same");
}

#[test]
fn a_flood_of_pings_gets_five_answers_in_ten_seconds() {
    let alice = identity(2);
    let mut bench = settled(1);
    let ping = |n: u64| {
        let probe = Probe { nonce: n.to_be_bytes(), origin_ttl: 7 };
        to(own(), packet(&alice, PacketType::Ping, probe.encode(), n))
    };
    (0..200).for_each(|n| bench.hear(1, &ping(n)));
    assert_eq!((written(&bench, PacketType::Pong), bench.dropped(DropReason::PingRate)), (5, 195));
    bench.pass(Duration::from_secs(10));
    bench.hear(1, &ping(10_001));
    assert_eq!(written(&bench, PacketType::Pong), 6);
    bench.hear(
        1,
        &to(own(), packet(&alice, PacketType::Pong, Probe { nonce: [1; 8], origin_ttl: 7 }.encode(), 1)),
    );
    assert_eq!(bench.dropped(DropReason::UnaskedPong), 1);
}

#[test]
fn what_one_link_floods_with_is_relayed_within_bounds_and_the_others_are_still_relayed() {
    let (alice, bob) = (identity(2), identity(3));
    let mut bench = settled(3);
    bench.feed(know(&bob));
    introduce(&mut bench, 1, &alice, 0);
    bench.pass(Duration::from_secs(1));
    bench.written.clear();
    for n in 0..3_000_u64 {
        let sender = PeerId((n + (1 << 40)).to_be_bytes());
        let flood = Packet { sender, ..packet(&alice, PacketType::from(0x7E), vec![7; 100], n) };
        bench.hear(2, &flood.encode().expect("it encodes"));
        bench.pass(Duration::from_millis(1));
    }
    let relayed = |bench: &Bench, wanted: u64| {
        bench.relayed().iter().filter(|(_, frame)| frame[3..11] == (START.0 + wanted).to_be_bytes()).count()
    };
    bench.hear(1, &text(&alice, "from another link", 5_001));
    bench.hear(2, &text(&bob, "a contact behind the flood", 5_002));
    bench.pass(Duration::from_secs(1));
    assert_eq!((relayed(&bench, 5_001), relayed(&bench, 5_002)), (2, 2));
    let flooded = bench.relayed().len();
    assert!(flooded <= 2 * (256 + 3 * 150 + 10), "{flooded} frames on two links");
    assert!(bench.dropped(DropReason::RelayRate) > 2_000);
}

#[test]
fn peers_with_a_session_share_their_links_bucket_like_anybody() {
    let mut bench = settled(2);
    let insiders: Vec<Inside> = (20..30).map(|seed| Inside::open(&mut bench, 1, seed)).collect();
    bench.pass(Duration::from_secs(3));
    let (mut sent, before) = (0, bench.engine.counters().relayed);
    for n in 0..100 {
        for insider in &insiders {
            sent += 1;
            bench.hear(1, &text(&insider.identity, &format!("{n}"), inside::at(&bench)));
        }
        bench.pass(Duration::from_millis(5));
    }
    bench.pass(Duration::from_secs(1));
    let relayed = bench.engine.counters().relayed - before;
    assert!(relayed <= 256 + 150, "{relayed} in half a second");
    let refused = bench.dropped(DropReason::RelayRate);
    assert!(refused > sent / 2, "{refused} of {sent}");
}

#[test]
fn what_a_flooded_link_may_no_longer_pass_on_is_passed_on_when_it_comes_over_another() {
    // Of 200 packets too many wait, and 300 are too many.
    for (flood, reason) in [(200, DropReason::RelayQueueFull), (300, DropReason::RelayRate)] {
        passed_on_over_another(flood, reason);
    }
}

fn passed_on_over_another(flood: u64, reason: DropReason) {
    let alice = identity(2);
    let mut bench = settled(4);
    introduce(&mut bench, 1, &alice, 0);
    for n in 0..flood {
        let sender = PeerId((n + (1 << 40)).to_be_bytes());
        let flood = Packet { sender, ..packet(&alice, PacketType::from(0x7E), vec![7; 100], n) };
        bench.hear(2, &flood.encode().expect("it encodes"));
    }
    let said = text(&alice, "behind the flood", 5_001);
    let before = bench.dropped(reason);
    bench.hear(2, &said);
    assert_eq!(bench.dropped(reason), before + 1);
    let mut altered = said.clone();
    *altered.last_mut().expect("not empty") ^= 1;
    bench.hear(3, &altered);
    let mut spent = said.clone();
    spent[2] = 1;
    bench.hear(3, &spent);
    bench.pass(Duration::from_secs(1));
    let relayed = |bench: &Bench| {
        let frames = bench.relayed().into_iter();
        let mut links: Vec<_> = frames
            .filter(|(_, frame)| frame[3..11] == (START.0 + 5_001).to_be_bytes())
            .map(|(link, _)| link)
            .collect();
        links.sort_unstable();
        links
    };
    assert_eq!(relayed(&bench), []);
    bench.hear(3, &said);
    bench.hear(3, &said);
    bench.pass(Duration::from_secs(1));
    assert_eq!(relayed(&bench), [bench::link(4)], "once, to who neither wrote nor sent it");
    assert_eq!(bench.shown("behind the flood"), 1);
}

#[test]
fn packets_that_are_too_long_for_the_next_link_leave_room_for_our_own() {
    let alice = identity(2);
    let mut bench = settled(2);
    let (address, role) = (DeviceAddress([0, 0, 0, 0, 0, 3]), Role::Peripheral);
    bench.feed(Input::Radio(RadioEvent::LinkUp { link: bench::link(3), address, role, max_frame: 150 }));
    bench.pass(Duration::from_secs(1));
    for n in 0..100_u64 {
        let sender = PeerId((n + (1 << 40)).to_be_bytes());
        let flood = Packet { sender, ..packet(&alice, PacketType::from(0x7E), noise(n), n) };
        bench.hear(2, &flood.encode().expect("it encodes"));
    }
    for n in 1..=16 {
        bench.pass(Duration::from_millis(10));
        let long = text(&identity(1), &hopline::ids::to_hex(&noise(n)), n);
        bench.feed(Input::Command(Command::Flood { attempt: AttemptId(n), packet: long.into() }));
    }
    let sent = |event: &&Event| matches!(event, Event::Sent { fragments: 2.., .. });
    assert_eq!(bench.events.iter().filter(sent).count(), 16);
    assert!(bench.dropped(DropReason::RelayQueueFull) > 0, "more than can leave in pieces");
    let (before, events) = (bench.engine.counters().originated, bench.events.len());
    for n in 17..=60 {
        let long = text(&identity(1), &hopline::ids::to_hex(&noise(n)), n);
        bench.feed(Input::Command(Command::Flood { attempt: AttemptId(n), packet: long.into() }));
    }
    let left = bench.events[events..].iter().filter(sent).count();
    assert!(left < 44, "{left} of 44 found a place");
    assert_eq!(bench.engine.counters().originated - before, left as u64);
}

#[test]
fn invented_peers_push_out_neither_contacts_nor_those_of_other_links() {
    let (alice, bob) = (identity(2), identity(3));
    let mut bench = Bench::new(Config { max_peers: 40, ..Config::default() });
    bench.connect(2);
    bench.pass(Duration::from_secs(1));
    bench.feed(know(&bob));
    introduce(&mut bench, 1, &alice, 0);
    bench.written.clear();
    for n in 0..200 {
        let who = invented(n);
        let mut frame = announce(&who, who.signing_public(), 1);
        frame[2] = 5;
        bench.hear(2, &frame);
        bench.pass(Duration::from_millis(50));
    }
    assert!(bench.engine.peers(bench.clock()).len() <= 40);
    assert_eq!(bench.reach(alice.peer_id()), Some(Reach::Direct));
    bench.hear(2, &text(&bob, "of a contact", 2));
    bench.hear(1, &text(&alice, "of a neighbour", 3));
    assert_eq!((bench.shown("of a contact"), bench.shown("of a neighbour")), (1, 1));
    let announces = bench
        .written
        .iter()
        .filter(|(_, frame)| frame[1] == 1 && frame.get(14..22) == Some(own().as_bytes().as_slice()));
    assert!(announces.count() <= 2 * 10, "we do not answer each of them");
}

#[test]
fn a_neighbour_who_comes_and_goes_every_second_makes_us_announce_no_more_often_than_need_be() {
    let mut bench = settled(1);
    let ours = |bench: &Bench| {
        let is_ours = |frame: &Bytes| frame[1] == 1 && frame.get(14..22) == Some(own().as_bytes().as_slice());
        bench.written.iter().filter(|(_, frame)| is_ours(frame)).cloned().collect::<Vec<_>>()
    };
    for serial in 2..62 {
        bench.link_up(serial);
        bench.pass(Duration::from_millis(900));
        bench.feed(Input::Radio(RadioEvent::LinkDown {
            link: bench::link(serial),
            reason: LinkDownReason::Remote,
        }));
        bench.pass(Duration::from_millis(100));
        introduce(&mut bench, 1, &identity(2), u64::from(serial) * 1_000);
    }
    let announced = ours(&bench);
    let links: BTreeSet<_> = announced.iter().map(|(link, _)| *link).collect();
    assert_eq!(links.len(), 61, "each new link gets one");
    let different: BTreeSet<_> = announced.iter().map(|(_, frame)| frame.clone()).collect();
    let over_the_first = announced.iter().filter(|(link, _)| *link == bench::link(1)).count();
    assert!(different.len() <= 18 && over_the_first <= 18, "{} announces, {over_the_first}", different.len());
}

#[test]
fn a_route_that_turns_back_on_itself_is_followed_by_nobody() {
    let (alice, bob) = (identity(2), identity(3));
    let mut bench = settled(3);
    introduce(&mut bench, 1, &alice, 0);
    introduce(&mut bench, 2, &bob, 0);
    bench.pass(Duration::from_secs(1));
    bench.written.clear();
    let sealed = packet(&alice, PacketType::NoiseEncrypted, vec![7; 40], 1);
    let routed = |route: Vec<PeerId>| {
        signed(
            &alice,
            Packet { version: Version::V2, recipient: Some(PeerId([8; 8])), route, ..sealed.clone() },
        )
    };
    bench.hear(1, &routed(vec![own(), bob.peer_id(), own()]));
    bench.pass(Duration::from_secs(1));
    assert_eq!((bench.dropped(DropReason::Route), bench.relayed().len()), (1, 0));
    bench.hear(1, &routed(vec![own(), bob.peer_id()]));
    bench.pass(Duration::from_secs(1));
    let onward: Vec<_> = bench.relayed().into_iter().map(|(link, _)| link).collect();
    assert_eq!(onward, [bench::link(2)], "to the next hop and to nobody else");
}
