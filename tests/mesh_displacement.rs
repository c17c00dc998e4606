//! What is stored stays: of a flood by people who do not exist, nothing takes the place of what is known.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for what it is about")]

#[path = "common/bench.rs"]
mod bench;
#[path = "common/inside.rs"]
mod inside;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bench::{Bench, announce, identity, introduce, know, packet, signed, text};
use bytes::Bytes;
use hopline::crypto::Identity;
use hopline::ids::{GroupId, PostId};
use hopline::mesh::Config;
use hopline::mesh::error::DropReason;
use hopline::mesh::event::{Command, Event, Input};
use hopline::mesh::gossip::config::{Config as Gossip, Limit};
use hopline::mesh::groups;
use hopline::mesh::kept::{Keep, Kept, Shelf};
use hopline::mesh::media::event::Event as Media;
use hopline::wire::voice::{VoiceBody, VoicePacket};
use hopline::wire::{
    Board, GroupEnvelope, GroupKey, GroupState, Member, NoisePayload, PacketType, Post, Prekey, PrekeyBundle,
};
use inside::{Inside, at};
use zeroize::Zeroizing;

/// Somebody who does not exist, with keys that do.
fn invented(n: u16) -> Identity {
    let mut seed = [0xEE; 64];
    seed[1..3].copy_from_slice(&n.to_be_bytes());
    seed[32..34].copy_from_slice(&n.to_be_bytes());
    Identity::from_bytes(&seed)
}

/// One of everything that is stored of people who are not in the room.
fn one_of_everything(bench: &mut Bench, serial: u32, who: &Identity) {
    let now = at(bench);
    let made = bench.clock().unix;
    bench.hear(serial, &announce(who, who.signing_public(), now));
    bench.hear(serial, &text(who, "a word", now));
    let prekeys = vec![Prekey { id: 1, public: who.noise_public() }];
    let bundle = PrekeyBundle::signed(who.noise_public(), prekeys, made, |preimage| who.sign(preimage));
    let (first, rest) =
        who.signing_public().split_first_chunk::<16>().map(|(a, b)| (*a, b.to_vec())).expect("32");
    let envelope = GroupEnvelope { group: GroupId(first), epoch: 1, nonce: [7; 12], ciphertext: rest.into() };
    let mut post = Post {
        id: PostId(first),
        geohash: String::new(),
        content: "a notice".to_owned(),
        author: who.signing_public(),
        nickname: "somebody".to_owned(),
        created: made,
        expires: made + Duration::from_secs(6 * 24 * 60 * 60),
        flags: 0,
        signature: [0; 64],
    };
    post.signature = who.sign(&post.signing_preimage());
    for (packet_type, payload) in [
        (PacketType::PrekeyBundle, bundle.and_then(|bundle| bundle.encode())),
        (PacketType::GroupMessage, envelope.encode()),
        (PacketType::BoardPost, Board::Post(post).encode()),
    ] {
        bench.hear(serial, &signed(who, packet(who, packet_type, payload.expect("it encodes"), now)));
    }
}

/// What is on disk.
fn disk(bench: &Bench) -> BTreeMap<(Shelf, Bytes), Bytes> {
    let mut disk = BTreeMap::new();
    for change in &bench.kept {
        match change {
            Keep::Put(Kept { shelf, key, value }) => disk.insert((*shelf, key.clone()), value.clone()),
            Keep::Remove { shelf, key } => disk.remove(&(*shelf, key.clone())),
        };
    }
    disk
}

#[test]
fn whatever_a_thousand_invented_people_send_nothing_of_a_contact_leaves_any_shelf() {
    let few = |limit: Limit| Limit { count: 50, ..limit };
    let Gossip { announces, messages, prekeys, groups, .. } = Gossip::default();
    let (announces, messages, prekeys, groups) = (few(announces), few(messages), few(prekeys), few(groups));
    let gossip = Gossip { announces, messages, prekeys, groups, ..Gossip::default() };
    let mut bench = Bench::new(Config { gossip, ..Config::default() });
    bench.connect(2);
    let bob = identity(2);
    bench.feed(know(&bob));
    bench.feed(Input::Command(Command::Group(groups::Command::Create { name: "ours".to_owned() })));
    one_of_everything(&mut bench, 1, &bob);
    let own = bench.engine.peer_id();
    let mut before = disk(&bench);
    // Our own bundle makes way for our next one.
    before.retain(|(shelf, _), value| *shelf != Shelf::Archive || value[1..9] != own.0);
    let shelves: BTreeSet<Shelf> = before.keys().map(|(shelf, _)| *shelf).collect();
    let of_others = [Shelf::Archive, Shelf::Bundles, Shelf::Groups, Shelf::Board, Shelf::People];
    assert!(of_others.iter().all(|shelf| shelves.contains(shelf)), "{shelves:?}");
    assert_eq!(before.keys().filter(|(shelf, _)| *shelf == Shelf::Archive).count(), 4);

    for n in 0..1_100 {
        one_of_everything(&mut bench, 2, &invented(n));
        bench.pass(Duration::from_millis(20));
    }
    let after = disk(&bench);
    for ((shelf, key), value) in &before {
        assert!(after.contains_key(&(*shelf, key.clone())), "{shelf:?} lost {key:?}: {value:?}");
    }
    let on = |wanted| after.keys().filter(|(shelf, _)| *shelf == wanted).count();
    let counts = of_others.map(on);
    assert!(counts.iter().zip([200, 256, 64, 200, 1_024]).all(|(count, most)| *count <= most), "{counts:?}");
    assert!(bench.dropped(DropReason::BoardFull) > 800);
    assert!(bench.engine.counters().sync.remembered <= 4 * 50 + 600, "and pieces");
}

#[test]
fn prekeys_in_anothers_name_or_that_their_owner_did_not_sign_take_nobodys_place() {
    let mut bench = Bench::with_links(2);
    let (bob, mallory) = (identity(2), identity(9));
    bench.feed(know(&bob));
    one_of_everything(&mut bench, 1, &bob);
    introduce(&mut bench, 2, &mallory, 0);
    let before = disk(&bench);
    let made = bench.clock().unix + Duration::from_secs(1);
    let bundle = |of: &Identity, by: &Identity, public: [u8; 32]| {
        let prekeys = vec![Prekey { id: 9, public }];
        let bundle = PrekeyBundle::signed(of.noise_public(), prekeys, made, |preimage| by.sign(preimage));
        bundle.and_then(|bundle| bundle.encode()).expect("it encodes")
    };
    let hear = |bench: &mut Bench, carrier: &Identity, payload: Vec<u8>| {
        bench.hear(2, &signed(carrier, packet(carrier, PacketType::PrekeyBundle, payload, 2)));
    };
    hear(&mut bench, &mallory, bundle(&bob, &mallory, [1; 32]));
    hear(&mut bench, &mallory, bundle(&bob, &bob, [2; 32]));
    assert_eq!(bench.dropped(DropReason::Identity), 2, "not by whom it is about");
    hear(&mut bench, &bob, bundle(&bob, &mallory, [3; 32]));
    assert_eq!(bench.dropped(DropReason::Signature), 1);
    assert_eq!(disk(&bench), before);
}

#[test]
fn words_of_unknown_authors_over_one_link_push_out_none_that_came_over_another() {
    let mut bench = Bench::with_links(2);
    let late = identity(5);
    bench.hear(1, &text(&late, "ahead of my announce", 1));
    for n in 0..300 {
        bench.hear(2, &text(&invented(n), "noise", 1));
    }
    introduce(&mut bench, 1, &late, 2);
    assert_eq!(bench.shown("ahead of my announce"), 1);
    assert_eq!(bench.dropped(DropReason::UnknownSender), 301);
}

#[test]
fn parts_of_messages_of_one_sender_push_out_none_of_anothers() {
    let mut bench = Bench::with_links(2);
    let mut carol = Inside::open(&mut bench, 1, 2);
    let mut mallory = Inside::open(&mut bench, 2, 9);
    let part = |n: u16, index: u8| NoisePayload::PrivateMessage {
        id: format!("00112233-4455-6677-8899-AABBCCDD{n:04X}/{index}.2"),
        content: format!("part {index}; "),
    };
    carol.say(&mut bench, &part(1, 1));
    (0..300).for_each(|n| mallory.say(&mut bench, &part(n, 1)));
    carol.say(&mut bench, &part(1, 2));
    let texts = bench.events.iter().filter_map(|event| match event {
        Event::PrivateMessage(message) => Some(message.text.as_str()),
        _ => None,
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["part 1; part 2; "]);
}

#[test]
fn groups_of_a_stranger_leave_room_for_those_of_contacts() {
    let mut bench = Bench::with_links(2);
    bench.feed(know(&identity(2)));
    let mut carol = Inside::open(&mut bench, 1, 2);
    let mut mallory = Inside::open(&mut bench, 2, 9);
    let member = |who: &Identity| Member {
        fingerprint: who.fingerprint(),
        signing_public: who.signing_public(),
        nickname: String::new(),
    };
    let invite = |bench: &mut Bench, from: &mut Inside, n: u8| {
        let mut state = GroupState {
            id: GroupId([n; 16]),
            name: "come in".to_owned(),
            key: GroupKey(Zeroizing::new([n; 32])),
            epoch: 1,
            members: vec![member(&from.identity), member(&identity(1))],
            creator: from.identity.fingerprint(),
            signature: [0; 64],
        };
        state.signature = from.identity.sign(&state.signing_preimage().expect("it encodes"));
        from.say(bench, &NoisePayload::GroupInvite(Box::new(state)));
    };
    invite(&mut bench, &mut carol, 200);
    (1..=100).for_each(|n| invite(&mut bench, &mut mallory, n));
    assert_eq!((bench.engine.groups().len(), bench.dropped(DropReason::GroupFull)), (33 - 1, 69));
    invite(&mut bench, &mut carol, 201);
    let own = bench.engine.groups().into_iter().filter(|group| group.creator == identity(2).fingerprint());
    assert_eq!(own.count(), 2);
}

#[test]
fn voices_of_invented_people_leave_room_for_a_contacts() {
    let mut bench = Bench::with_links(2);
    let carol = identity(2);
    bench.feed(know(&carol));
    let speak = |bench: &mut Bench, serial: u32, who: &Identity, number: u16| {
        bench.pass(Duration::from_millis(1));
        let body = VoiceBody::Sound(vec![vec![7; 40].into()]);
        let voice = VoicePacket { burst: [7; 8], number, body }.encode().expect("it encodes");
        bench.hear(serial, &signed(who, packet(who, PacketType::VoiceFrame, voice, at(bench))));
    };
    for n in 0..20 {
        introduce(&mut bench, 2, &invented(n), 0);
        speak(&mut bench, 2, &invented(n), 1);
    }
    assert_eq!(bench.dropped(DropReason::Media), 15);
    speak(&mut bench, 1, &carol, 1);
    bench.pass(Duration::from_secs(20));
    let heard = bench.events.iter().filter_map(|event| match event {
        Event::Media(Media::Received(file)) => Some(file.sender),
        _ => None,
    });
    let heard: Vec<_> = heard.collect();
    assert_eq!((heard.len(), heard.contains(&carol.peer_id())), (6, true));
}
