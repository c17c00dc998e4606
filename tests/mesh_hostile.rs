//! What strangers can send: damaged, forged, replayed or arbitrary frames, straight into one engine.

#[path = "common/bench.rs"]
mod bench;

use std::time::Duration;

use bench::{Bench, START, announce, identity, introduce, know, link, packet, signed, text};
use bytes::Bytes;
use hopline::crypto::Identity;
use hopline::ids::{AttemptId, LinkId, PeerId};
use hopline::link::event::{DeviceAddress, RadioEvent, Role};
use hopline::mesh::error::{DropReason, Refusal};
use hopline::mesh::event::{Command, Event, Input, Reach};
use hopline::mesh::{Config, public_packet};
use hopline::time::UnixMillis;
use hopline::wire::{Announce, Packet, PacketType};
use proptest::prelude::*;

/// The bench's own node says something.
fn flood(text: &str) -> Input {
    let packet = public_packet(&identity(1), text, START).expect("a text that can be said").bytes;
    Input::Command(Command::Flood { attempt: AttemptId(1), packet })
}

fn bring(frame: &[u8]) -> Input {
    Input::Command(Command::Relay { packet: Bytes::copy_from_slice(frame) })
}

#[test]
fn a_damaged_copy_sent_ahead_neither_suppresses_the_true_one_nor_is_relayed() {
    let alice = identity(2);
    let mut bench = Bench::with_links(3);
    introduce(&mut bench, 1, &alice, 0);
    let genuine = text(&alice, "true", 1);
    let mut damaged = genuine.clone();
    *damaged.last_mut().expect("not empty") ^= 1;
    bench.hear(2, &damaged);
    assert_eq!((bench.shown("true"), bench.dropped(DropReason::Signature)), (0, 1));
    bench.hear(1, &genuine);
    bench.pass(Duration::from_millis(500));
    assert_eq!(bench.shown("true"), 1);
    let messages = bench.relayed().into_iter().filter(|(_, frame)| frame[1] == 2).collect::<Vec<_>>();
    assert_eq!(messages.len(), 2, "to the two links that did not bring it");
    assert!(messages.iter().all(|(_, frame)| frame[3..] == genuine[3..]));
}

#[test]
fn a_damaged_copy_cancels_no_relay_and_a_true_copy_does() {
    let alice = identity(2);
    let mut bench = Bench::with_links(3);
    introduce(&mut bench, 1, &alice, 0);
    bench.pass(Duration::from_secs(1));
    bench.written.clear();
    let genuine = text(&alice, "true", 1_000);
    let mut damaged = genuine.clone();
    *damaged.last_mut().expect("not empty") ^= 1;
    bench.hear(1, &genuine);
    bench.hear(2, &damaged);
    bench.hear(3, &genuine);
    bench.pass(Duration::from_millis(500));
    let links: Vec<LinkId> = bench.relayed().into_iter().map(|(link, _)| link).collect();
    assert_eq!(links, [link(2)], "link 3 brought a copy; what link 2 brought was another packet");
}

#[test]
fn a_relayed_frame_differs_from_the_received_one_in_the_ttl_alone() {
    let alice = identity(2);
    let mut bench = Bench::with_links(2);
    let mut handshake = packet(&alice, PacketType::NoiseHandshake, vec![5; 32], 0);
    handshake.recipient = Some(PeerId([9; 8]));
    let mut frame = handshake.encode().expect("it encodes");
    hopline::wire::padding::pad(&mut frame);
    bench.hear(1, &frame);
    bench.pass(Duration::from_millis(500));
    let relayed = bench.relayed();
    assert_eq!(relayed.len(), 1);
    let (_, relayed) = &relayed[0];
    let differing: Vec<usize> = (0..frame.len()).filter(|&at| relayed.get(at) != frame.get(at)).collect();
    assert_eq!((relayed.len(), differing, relayed[2]), (frame.len(), vec![2], 6));
}

#[test]
fn a_message_that_overtakes_its_authors_announce_is_shown_when_that_comes() {
    let alice = identity(2);
    let mut bench = Bench::with_links(2);
    bench.hear(1, &text(&alice, "early", 0));
    assert_eq!(bench.shown("early"), 0);
    introduce(&mut bench, 1, &alice, 1);
    assert_eq!(bench.shown("early"), 1);
    bench.hear(2, &text(&alice, "early", 0));
    assert_eq!(bench.shown("early"), 1);
}

#[test]
fn a_message_for_one_peer_is_passed_on_and_shown_to_nobody_else() {
    let (alice, bob) = (identity(2), identity(3));
    let mut bench = Bench::with_links(2);
    introduce(&mut bench, 1, &alice, 0);
    bench.pass(Duration::from_secs(1));
    let to_ben = |author, text: &'static str, millis| {
        let mut packet = packet(author, PacketType::Message, text, millis);
        packet.recipient = Some(PeerId([9; 8]));
        signed(author, packet)
    };
    bench.written.clear();
    bench.hear(1, &to_ben(&alice, "not for you", 1_000));
    bench.hear(1, &to_ben(&bob, "nor is this", 1_001));
    introduce(&mut bench, 1, &bob, 1_002);
    bench.pass(Duration::from_millis(500));
    assert_eq!((bench.shown("not for you"), bench.shown("nor is this")), (0, 0));
    assert_eq!(bench.relayed().iter().filter(|(_, frame)| frame[1] == 2).count(), 2);
}

#[test]
fn forged_signatures_of_an_unknown_author_cannot_keep_the_true_message_out() {
    let alice = identity(2);
    let mut bench = Bench::with_links(2);
    let genuine = text(&alice, "true", 0);
    for forgery in 0..10 {
        let mut forged = genuine.clone();
        *forged.last_mut().expect("not empty") = forgery;
        bench.hear(2, &forged);
    }
    assert!(bench.dropped(DropReason::TooManyVariants) > 0);
    introduce(&mut bench, 1, &alice, 1);
    bench.hear(1, &genuine);
    assert_eq!(bench.shown("true"), 1);
}

#[test]
fn a_known_peer_cannot_change_its_signing_key() {
    let (alice, mallory) = (identity(2), identity(9));
    let mut bench = Bench::with_links(1);
    introduce(&mut bench, 1, &alice, 0);
    let mut forged = packet(&alice, PacketType::Announce, Bytes::new(), 5);
    let announce = Announce {
        nickname: "alice".to_owned(),
        noise_public: alice.noise_public(),
        signing_public: mallory.signing_public(),
        neighbours: Vec::new(),
        capabilities: None,
        bridge_geohash: None,
    };
    forged.payload = announce.encode().expect("it encodes").into();
    bench.hear(1, &signed(&mallory, forged));
    assert_eq!(bench.dropped(DropReason::KeyChanged), 1);
    bench.hear(1, &text(&alice, "still alice", 6));
    assert_eq!(bench.shown("still alice"), 1);
}

#[test]
fn a_neighbour_who_replays_an_announce_at_ttl_7_does_not_become_that_peer() {
    let alice = identity(2);
    let mut bench = Bench::with_links(2);
    let mut relayed = announce(&alice, alice.signing_public(), 0);
    relayed[2] = 6;
    bench.hear(1, &relayed);
    assert_eq!(bench.reach(alice.peer_id()), Some(Reach::Mesh));
    relayed[2] = 7;
    bench.hear(2, &relayed);
    assert_eq!(bench.reach(alice.peer_id()), Some(Reach::Mesh), "the announce had been heard before");
}

#[test]
fn a_copy_for_another_recipient_does_not_suppress_an_unsigned_packet() {
    let (alice, bob) = (identity(2), PeerId([9; 8]));
    let mut bench = Bench::with_links(2);
    let to = |recipient| {
        let mut handshake = packet(&alice, PacketType::NoiseHandshake, vec![5; 32], 0);
        handshake.recipient = Some(recipient);
        handshake.encode().expect("it encodes")
    };
    bench.hear(1, &to(PeerId([8; 8])));
    bench.hear(1, &to(bob));
    bench.pass(Duration::from_millis(500));
    assert_eq!(bench.relayed().len(), 2);
}

#[test]
fn a_sync_request_and_a_packet_with_ttl_1_or_0_go_no_further() {
    let alice = identity(2);
    let mut bench = Bench::with_links(2);
    for (ttl, packet_type) in
        [(7, PacketType::RequestSync), (1, PacketType::Message), (0, PacketType::Message)]
    {
        let mut sent = packet(&alice, packet_type, vec![ttl; 20], u64::from(ttl));
        sent.ttl = ttl;
        bench.hear(1, &signed(&alice, sent));
    }
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.relayed(), []);
}

/// Neither the TTL nor flag 10 is signed.
#[test]
fn a_copy_that_goes_no_further_does_not_keep_the_true_packet_from_being_passed_on() {
    let (alice, stranger) = (identity(2), identity(20));
    let known = text(&alice, "onward", 2_000);
    let unknown = text(&stranger, "of a stranger", 2_000);
    let sealed = packet(&stranger, PacketType::NoiseEncrypted, vec![7; 40], 2_000);
    let sealed = Packet { recipient: Some(PeerId([8; 8])), ..sealed }.encode().expect("it encodes");
    let spent = |frame: &Vec<u8>, ttl| [&frame[..2], &[ttl], &frame[3..]].concat();
    let reply = |frame: &Vec<u8>| [&frame[..11], &[frame[11] | 0x10], &frame[12..]].concat();
    for (genuine, copy) in [
        (&known, spent(&known, 1)),
        (&known, spent(&known, 0)),
        (&known, reply(&known)),
        (&unknown, spent(&unknown, 1)),
        (&sealed, spent(&sealed, 1)),
    ] {
        let mut bench = Bench::with_links(4);
        introduce(&mut bench, 1, &alice, 0);
        introduce(&mut bench, 2, &identity(9), 0);
        bench.pass(Duration::from_secs(2));
        bench.written.clear();
        bench.hear(2, &copy);
        bench.pass(Duration::from_millis(500));
        assert_eq!(bench.relayed(), []);
        for _ in 0..2 {
            bench.hear(1, genuine);
            bench.pass(Duration::from_millis(500));
            let mut onward = bench.relayed();
            onward.sort_unstable();
            let sent = [link(3), link(4)].map(|link| (link, Bytes::from(spent(genuine, 6))));
            assert_eq!(onward, sent, "once, to who did not send it");
        }
    }
}

#[test]
fn a_copy_that_goes_not_far_does_not_keep_the_true_packet_from_going_further() {
    let alice = identity(2);
    let genuine = text(&alice, "far away", 2_000);
    let with = |ttl| [&genuine[..2], &[ttl], &genuine[3..]].concat();
    // While the copy waits to be passed on, and after that.
    for wait in [1, 500] {
        let mut bench = Bench::with_links(4);
        introduce(&mut bench, 1, &alice, 0);
        introduce(&mut bench, 2, &identity(9), 0);
        bench.pass(Duration::from_secs(2));
        bench.written.clear();
        bench.hear(2, &with(2));
        bench.pass(Duration::from_millis(wait));
        let near = bench.relayed();
        assert!(near.iter().all(|(_, frame)| frame[2] == 1));
        assert_eq!(near.len(), if wait == 500 { 2 } else { 0 });
        for ttl in [6, 7, 3] {
            bench.hear(1, &with(ttl));
            bench.pass(Duration::from_millis(500));
            let mut far = bench.relayed().split_off(near.len());
            far.sort_unstable();
            assert_eq!(far, [link(3), link(4)].map(|link| (link, Bytes::from(with(5)))), "once");
        }
        assert_eq!(bench.shown("far away"), 1);
    }
}

#[test]
fn a_link_that_leads_to_one_peer_is_not_taken_over_in_the_name_of_another_who_has_a_link() {
    let (bob, mallory) = (identity(3), identity(9));
    let mut bench = Bench::with_links(2);
    introduce(&mut bench, 1, &bob, 0);
    introduce(&mut bench, 2, &mallory, 0);
    for second in [20, 40, 61] {
        bench.pass(Duration::from_secs(second) - bench.now.since_start());
        let at = second * 1_000;
        introduce(&mut bench, 2, &mallory, at);
        // A new announce of bob's, heard elsewhere: as if it came from bob, whose other link would be given up for this.
        introduce(&mut bench, 2, &bob, at + 1);
    }
    let links = |who: &Identity| {
        let found = bench.engine.peers(bench.clock()).into_iter().find(|info| info.id == who.peer_id());
        found.map(|info| info.links).unwrap_or_default()
    };
    assert_eq!((links(&bob), links(&mallory)), (vec![link(1)], vec![link(2)]));
}

#[test]
fn our_own_packets_that_come_back_are_dropped() {
    let mut bench = Bench::with_links(2);
    bench.feed(flood("mine"));
    let (_, frame) = bench.written.last().expect("it was sent").clone();
    bench.hear(2, &frame);
    assert_eq!(bench.dropped(DropReason::Own), 1);
    assert_eq!(bench.shown("mine"), 0);
}

#[test]
fn before_its_build_date_a_node_sends_nothing_and_says_why() {
    let floor = UnixMillis(START.0 + 1);
    let mut bench = Bench::new(Config { clock_floor: floor, ..Config::default() });
    let address = DeviceAddress([1; 6]);
    let up = RadioEvent::LinkUp { link: link(1), address, role: Role::Central, max_frame: 512 };
    bench.feed(Input::Radio(up));
    bench.feed(flood("hello"));
    assert_eq!(bench.written, []);
    assert!(bench.events.contains(&Event::ClockUnset));
    let reason = Refusal::ClockUnset { now: START, floor };
    assert!(bench.events.contains(&Event::Refused { attempt: AttemptId(1), reason }));
}

#[test]
fn only_our_own_fresh_public_messages_are_flooded() {
    let alice = identity(2);
    let mut bench = Bench::with_links(1);
    bench.pass(Duration::from_secs(200));
    let stale = Refusal::Stale { age: Duration::from_secs(200) };
    let mut unsigned = packet(&identity(1), PacketType::Message, "unsigned", 0);
    unsigned.timestamp = bench.clock().unix;
    for (frame, reason) in [
        (text(&alice, "not ours", 200_000), Refusal::NotPublic),
        (unsigned.encode().expect("it encodes"), Refusal::NotPublic),
        (b"no packet".to_vec(), Refusal::NotPublic),
        (text(&identity(1), "long ago", 0), stale),
    ] {
        bench.events.clear();
        let packet = Bytes::from(frame);
        bench.feed(Input::Command(Command::Flood { attempt: AttemptId(1), packet }));
        assert_eq!(bench.events, [Event::Refused { attempt: AttemptId(1), reason }]);
    }
}

#[test]
fn what_another_transport_brings_is_shown_and_relayed_and_says_nothing_of_who_is_here() {
    let alice = identity(2);
    let mut bench = Bench::with_links(2);
    bench.pass(Duration::from_secs(1));
    bench.feed(know(&alice));
    let mut frame = text(&alice, "from afar", 0);
    frame[2] = 5;
    bench.feed(bring(&frame));
    bench.hear(1, &frame);
    bench.pass(Duration::from_millis(500));
    assert_eq!(bench.shown("from afar"), 1);
    let relayed: Vec<u8> = bench.relayed().iter().map(|(_, frame)| frame[2]).collect();
    assert_eq!(relayed, [5], "over the link that did not have it, with the TTL it was brought with");
    assert_eq!(bench.reach(alice.peer_id()), None);
    let brought = |event: &Event| matches!(event, Event::PublicMessage(message) if message.brought);
    assert!(bench.events.iter().any(brought));
}

#[test]
fn what_is_brought_of_a_stranger_waits_for_an_introduction() {
    let (alice, bob) = (identity(2), identity(3));
    let mut bench = Bench::with_links(1);
    bench.feed(bring(&text(&alice, "by contact", 0)));
    bench.feed(bring(&text(&bob, "by announce", 0)));
    assert_eq!((bench.shown("by contact"), bench.shown("by announce")), (0, 0));
    bench.feed(know(&alice));
    introduce(&mut bench, 1, &bob, 1);
    assert_eq!((bench.shown("by contact"), bench.shown("by announce")), (1, 1));
}

#[test]
fn only_public_messages_can_be_brought() {
    let alice = identity(2);
    let mut bench = Bench::with_links(1);
    let mut directed = packet(&alice, PacketType::NoiseHandshake, vec![5; 32], 0);
    directed.recipient = Some(identity(1).peer_id());
    bench.feed(bring(&directed.encode().expect("it encodes")));
    bench.feed(bring(&announce(&alice, alice.signing_public(), 0)));
    assert_eq!((bench.dropped(DropReason::Unsupported), bench.reach(alice.peer_id())), (2, None));
}

#[test]
fn an_announce_under_a_contacts_id_with_other_keys_is_refused_whichever_came_first() {
    let (alice, mallory) = (identity(2), identity(9));
    for contact_first in [true, false] {
        let mut bench = Bench::with_links(1);
        let mut forged = packet(&alice, PacketType::Announce, Bytes::new(), 5);
        let announced = Announce {
            nickname: "alice".to_owned(),
            noise_public: alice.noise_public(),
            signing_public: mallory.signing_public(),
            neighbours: Vec::new(),
            capabilities: None,
            bridge_geohash: None,
        };
        forged.payload = announced.encode().expect("it encodes").into();
        let forged = signed(&mallory, forged);
        if contact_first {
            bench.feed(know(&alice));
            bench.hear(1, &forged);
        } else {
            bench.hear(1, &forged);
            bench.feed(know(&alice));
        }
        assert_eq!(bench.reach(alice.peer_id()), None, "contact first: {contact_first}");
        introduce(&mut bench, 1, &alice, 6);
        bench.hear(1, &text(&alice, "the true one", 7));
        assert_eq!(bench.shown("the true one"), 1);
    }
}

proptest! {
    #[test]
    fn any_frames_at_any_time_neither_panic_nor_multiply(
        frames in proptest::collection::vec(hostile_frame(), 1..60),
    ) {
        let mut bench = Bench::with_links(3);
        bench.pass(Duration::from_secs(3));
        bench.written.clear();
        let (mut heard, mut count) = (0, 0);
        for (serial, wait, frame) in frames {
            heard += frame.len();
            count += 1;
            bench.hear(serial, &frame);
            bench.pass(Duration::from_millis(wait));
        }
        bench.pass(Duration::from_secs(30));
        let sent: usize = bench.relayed().iter().map(|(_, frame)| frame.len()).sum();
        prop_assert!(sent <= 2 * heard, "each packet goes to the two other links at most");
        let own = bench.written.len() - bench.relayed().len();
        prop_assert!(own <= 3 * (60 + 4 * count), "announces and answers only: {own}");
    }
}

/// A frame of arbitrary bytes, or a sound packet of a random type with arbitrary content.
fn hostile_frame() -> impl Strategy<Value = (u32, u64, Vec<u8>)> {
    let content = proptest::collection::vec(any::<u8>(), 0..120);
    let sound = (any::<u8>(), any::<u8>(), 2..5_u8, content.clone(), any::<bool>(), any::<bool>()).prop_map(
        |(code, ttl, author, payload, to_us, sign)| {
            let who = identity(author);
            let mut sent = packet(&who, PacketType::from(code), payload, u64::from(ttl));
            sent.ttl = ttl;
            sent.recipient = to_us.then(|| identity(1).peer_id());
            if sign { signed(&who, sent) } else { sent.encode().expect("it encodes") }
        },
    );
    (1..4_u32, 0..3_000_u64, prop_oneof![content, sound])
}
