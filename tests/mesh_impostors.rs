//! What somebody can do who has a session like anybody else: speak for others, bring back what is over, vouch for
//! whom they like. Each is dropped and counted, and changes nothing that is stored.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for what it is about")]

#[path = "common/bench.rs"]
mod bench;
#[path = "common/inside.rs"]
mod inside;

use std::collections::BTreeSet;
use std::time::Duration;

use bench::{Bench, identity, introduce, packet};
use hopline::crypto::{Identity, group};
use hopline::ids::{AttemptId, Fingerprint, GroupId, MessageId};
use hopline::link::event::{DeviceAddress, RadioEvent, Role};
use hopline::mesh::error::DropReason;
use hopline::mesh::event::{Command, Event, Input, Introduction};
use hopline::mesh::groups::Event as Told;
use hopline::mesh::kept::{Keep, Kept, Shelf};
use hopline::mesh::trust::event::{Command as Ask, Event as Trust};
use hopline::mesh::trust::{Level, Standing};
use hopline::time::UnixMillis;
use hopline::wire::{
    Capabilities, GroupEnvelope, GroupKey, GroupState, GroupText, MAX_VOUCHES, Member, NoisePayload,
    PacketType, PeerState, VerifyChallenge, VerifyResponse, Vouch,
};
use inside::{Inside, at};
use zeroize::Zeroizing;

const CREW: GroupId = GroupId([0xC0; 16]);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const VERIFIED: Standing = Standing { favourite: false, verified: true, blocked: false };

/// The node of the bench, and those it meets, by their seeds.
const US: u8 = 1;
const CAROL: u8 = 2;
const DAVE: u8 = 3;
const MALLORY: u8 = 9;

fn member(seed: u8) -> Member {
    let who = identity(seed);
    let nickname = format!("member {seed}");
    Member { fingerprint: who.fingerprint(), signing_public: who.signing_public(), nickname }
}

fn key(epoch: u32) -> GroupKey {
    GroupKey(Zeroizing::new([u8::try_from(epoch).expect("few epochs"); 32]))
}

/// A state of the group, in one's name and signed by another.
fn state(creator: u8, signer: u8, epoch: u32, members: &[u8]) -> GroupState {
    let mut state = GroupState {
        id: CREW,
        name: "crew".to_owned(),
        key: if members.contains(&US) { key(epoch) } else { GroupKey::none() },
        epoch,
        members: members.iter().map(|&seed| member(seed)).collect(),
        creator: identity(creator).fingerprint(),
        signature: [0; 64],
    };
    state.signature = identity(signer).sign(&state.signing_preimage().expect("it encodes"));
    state
}

/// Carol's own word.
fn carols(epoch: u32, members: &[u8]) -> GroupState {
    state(CAROL, CAROL, epoch, members)
}

/// A state as an invitation and as a change.
fn both(state: &GroupState) -> [NoisePayload; 2] {
    let state = Box::new(state.clone());
    [NoisePayload::GroupInvite(state.clone()), NoisePayload::GroupKeyUpdate(state)]
}

/// A message of the group, in one's name and signed by another.
fn message(sender: u8, signer: u8, epoch: u32, text: &str) -> GroupEnvelope {
    let mut inner = GroupText {
        id: format!("id of {text}"),
        sender: identity(sender).signing_public(),
        nickname: format!("member {sender}"),
        sent: bench::START,
        content: text.to_owned(),
        signature: [0; 64],
    };
    inner.signature = identity(signer).sign(&inner.signing_preimage(CREW, epoch));
    let mut nonce = [0; 12];
    nonce.iter_mut().zip(text.bytes()).for_each(|(byte, letter)| *byte = letter);
    let (associated, plaintext) =
        (GroupEnvelope::associated(CREW, epoch), inner.encode().expect("it encodes"));
    let sealed = group::seal(&key(epoch).0, &nonce, &associated, &plaintext).expect("it can be sealed");
    GroupEnvelope { group: CREW, epoch, nonce, ciphertext: sealed.into() }
}

/// A group's message crosses the mesh in a packet of whoever likes to send it.
fn hear(bench: &mut Bench, serial: u32, carrier: u8, envelope: &GroupEnvelope) {
    bench.pass(Duration::from_millis(1));
    let payload = envelope.encode().expect("it encodes");
    let packet = packet(&identity(carrier), PacketType::GroupMessage, payload, at(bench));
    bench.hear(serial, &packet.encode().expect("it encodes"));
}

fn read(bench: &Bench) -> Vec<(Fingerprint, String)> {
    let said = |event: &Event| {
        let Event::Group(Told::Message(message)) = event else { return None };
        Some((message.sender, message.text.clone()))
    };
    bench.events.iter().filter_map(said).collect()
}

/// What was written down on a shelf.
fn written_down(bench: &Bench, wanted: Shelf) -> usize {
    let on_it = |change: &&Keep| match change {
        Keep::Put(Kept { shelf, .. }) | Keep::Remove { shelf, .. } => *shelf == wanted,
    };
    bench.kept.iter().filter(on_it).count()
}

/// Carol made the node a member of her group, with Dave.
fn in_carols_group() -> (Bench, Inside) {
    let mut bench = Bench::with_links(3);
    let mut carol = Inside::open(&mut bench, 1, CAROL);
    introduce(&mut bench, 2, &identity(DAVE), 0);
    carol.say(&mut bench, &NoisePayload::GroupInvite(Box::new(carols(2, &[CAROL, US, DAVE]))));
    assert_eq!(bench.engine.groups().len(), 1);
    (bench, carol)
}

#[test]
fn a_group_is_changed_by_its_creators_own_hand_alone() {
    let (mut bench, carol) = in_carols_group();
    let dave = Inside::open(&mut bench, 2, DAVE);
    let mallory = Inside::open(&mut bench, 3, MALLORY);
    let mut sessions = [carol, dave, mallory];
    let before = (bench.engine.groups(), written_down(&bench, Shelf::Groups));
    let everybody = [CAROL, US, DAVE, MALLORY];
    let altered = GroupState { epoch: 8, ..carols(7, &everybody) };
    let renamed = GroupState { name: "another".to_owned(), ..carols(7, &everybody) };
    let forged = [
        ("an outsider who calls herself the creator", 2, state(MALLORY, MALLORY, 7, &everybody)),
        ("an outsider who signs for the creator", 2, state(CAROL, MALLORY, 7, &everybody)),
        ("an outsider who brings the creator's own word", 2, carols(7, &everybody)),
        ("a member who calls himself the creator", 1, state(DAVE, DAVE, 7, &everybody)),
        ("a member who signs for the creator", 1, state(CAROL, DAVE, 7, &everybody)),
        ("a member who brings the creator's own word", 1, carols(7, &everybody)),
        ("the creator, with another epoch than she signed", 0, altered),
        ("the creator, with another name than she signed", 0, renamed),
    ];
    for (who, from, state) in forged {
        let counted = bench.dropped(DropReason::GroupForged);
        both(&state).iter().for_each(|payload| sessions[from].say(&mut bench, payload));
        assert_eq!(bench.dropped(DropReason::GroupForged), counted + 2, "{who}");
        assert_eq!((bench.engine.groups(), written_down(&bench, Shelf::Groups)), before, "{who}");
    }
}

#[test]
fn an_older_state_of_a_group_brings_nobody_back_neither_others_nor_us() {
    let (mut bench, mut carol) = in_carols_group();
    carol.say(&mut bench, &NoisePayload::GroupKeyUpdate(Box::new(carols(3, &[CAROL, US]))));
    let before = (bench.engine.groups(), written_down(&bench, Shelf::Groups));
    assert_eq!(before.0[0].members.len(), 2);
    for older in [carols(2, &[CAROL, US, DAVE]), carols(3, &[CAROL, US, DAVE]), carols(1, &[CAROL, DAVE])] {
        both(&older).iter().for_each(|payload| carol.say(&mut bench, payload));
    }
    assert_eq!(bench.dropped(DropReason::GroupStale), 6);
    assert_eq!((bench.engine.groups(), written_down(&bench, Shelf::Groups)), before);

    carol.say(&mut bench, &NoisePayload::GroupKeyUpdate(Box::new(carols(4, &[CAROL, DAVE]))));
    assert!(bench.engine.groups().is_empty());
    both(&carols(3, &[CAROL, US])).iter().for_each(|payload| carol.say(&mut bench, payload));
    assert_eq!(bench.dropped(DropReason::GroupStale), 8);
    assert!(bench.engine.groups().is_empty(), "what we were removed from does not come back");
}

#[test]
fn a_message_of_a_group_is_of_the_member_that_signed_it_and_is_told_once() {
    let (mut bench, mut carol) = in_carols_group();
    let genuine = message(DAVE, DAVE, 2, "of dave");
    for round in 0..20 {
        hear(&mut bench, 1 + round % 3, MALLORY, &genuine);
    }
    let dave = identity(DAVE).fingerprint();
    assert_eq!(
        (read(&bench), bench.dropped(DropReason::Duplicate)),
        (vec![(dave, "of dave".to_owned())], 19)
    );

    // The key was betrayed to somebody who is no member, or a member plays another.
    hear(&mut bench, 3, MALLORY, &message(DAVE, MALLORY, 2, "in dave's name"));
    hear(&mut bench, 3, DAVE, &message(CAROL, DAVE, 2, "in carol's name"));
    hear(&mut bench, 3, MALLORY, &message(MALLORY, MALLORY, 2, "in her own"));
    assert_eq!(bench.dropped(DropReason::GroupForged), 3);
    let damaged = GroupEnvelope { nonce: [0; 12], ..message(DAVE, DAVE, 2, "damaged") };
    hear(&mut bench, 3, DAVE, &damaged);
    assert_eq!(bench.dropped(DropReason::Undecryptable), 1);

    // None of it is read, and all of it goes on: another member may have another key.
    bench.pass(Duration::from_secs(1));
    bench.written.clear();
    let [forged, undecryptable] = [
        message(MALLORY, MALLORY, 2, "and again"),
        GroupEnvelope { nonce: [1; 12], ..message(DAVE, DAVE, 2, "damaged too") },
    ];
    for envelope in [&forged, &undecryptable] {
        hear(&mut bench, 3, MALLORY, envelope);
        hear(&mut bench, 1, MALLORY, envelope);
    }
    bench.pass(Duration::from_secs(1));
    let group_messages = |bench: &Bench| {
        let is_one = |(_, frame): &&(_, bytes::Bytes)| frame.get(1) == Some(&PacketType::GroupMessage.code());
        bench.relayed().iter().filter(is_one).count()
    };
    assert_eq!(group_messages(&bench), 8, "each over the two other links");

    // Dave is removed and goes on: with the old key while it still opens, and after.
    carol.say(&mut bench, &NoisePayload::GroupKeyUpdate(Box::new(carols(3, &[CAROL, US]))));
    hear(&mut bench, 2, DAVE, &message(DAVE, DAVE, 2, "still here"));
    assert_eq!(bench.dropped(DropReason::GroupForged), 6);
    hear(&mut bench, 2, CAROL, &message(CAROL, CAROL, 2, "on its way when he went"));
    bench.pass(Duration::from_secs(11 * 60));
    hear(&mut bench, 2, DAVE, &message(DAVE, DAVE, 2, "and still"));
    assert_eq!(bench.dropped(DropReason::GroupStale), 1);
    assert_eq!(read(&bench).len(), 2, "{:?}", read(&bench));
    bench.pass(Duration::from_secs(1));
    assert_eq!(group_messages(&bench), 8 + 5, "of a key that is over too; carol has her own");
}

#[test]
fn a_blocked_member_is_not_heard_in_a_group_and_counted() {
    let (mut bench, _) = in_carols_group();
    know(&mut bench, DAVE, Standing { blocked: true, ..Standing::default() });
    hear(&mut bench, 1, DAVE, &message(DAVE, DAVE, 2, "of dave"));
    assert_eq!((read(&bench), bench.dropped(DropReason::Blocked)), (vec![], 1));
}

#[test]
fn names_in_a_group_are_shown_as_names_are() {
    let mut bench = Bench::with_links(1);
    let mut carol = Inside::open(&mut bench, 1, CAROL);
    let mut state = GroupState { name: "cre\u{1b}[2Jw\n ".to_owned(), ..carols(2, &[CAROL, US]) };
    state.members[0].nickname = "ca\nrol\u{7}".to_owned();
    state.signature = identity(CAROL).sign(&state.signing_preimage().expect("it encodes"));
    carol.say(&mut bench, &NoisePayload::GroupInvite(Box::new(state)));
    let groups = bench.engine.groups();
    let names: Vec<_> =
        groups.iter().flat_map(|group| &group.members).map(|it| it.nickname.as_str()).collect();
    assert_eq!((groups[0].name.as_str(), names), ("cre[2Jw", vec!["carol", "member 1"]));
    hear(&mut bench, 1, CAROL, &message(CAROL, CAROL, 2, "hello"));
    let said = bench.events.iter().find_map(|event| match event {
        Event::Group(Told::Message(message)) => Some((message.name.clone(), message.nickname.clone())),
        _ => None,
    });
    assert_eq!(said, Some(("cre[2Jw".to_owned(), "carol".to_owned())));
}

#[test]
fn a_flood_of_messages_under_keys_to_come_pushes_out_none_of_another_link() {
    let (mut bench, mut carol) = in_carols_group();
    hear(&mut bench, 1, DAVE, &message(DAVE, DAVE, 3, "early"));
    for n in 0..300_u16 {
        let ciphertext = vec![7; if n % 2 == 0 { 40 } else { 20_000 }].into();
        let mut nonce = [0; 12];
        nonce[..2].copy_from_slice(&n.to_be_bytes());
        hear(&mut bench, 3, MALLORY, &GroupEnvelope { group: CREW, epoch: 3, nonce, ciphertext });
    }
    carol.say(&mut bench, &NoisePayload::GroupKeyUpdate(Box::new(carols(3, &[CAROL, US, DAVE]))));
    assert_eq!(read(&bench), [(identity(DAVE).fingerprint(), "early".to_owned())]);
    let tried = bench.dropped(DropReason::Undecryptable);
    assert!((1..200).contains(&tried), "{tried} of the flood were kept");
}

#[test]
fn whoever_makes_us_a_member_and_removes_us_again_and_again_does_not_make_us_forget_what_we_left() {
    let (mut bench, mut carol) = in_carols_group();
    bench.feed(Input::Command(Command::Group(hopline::mesh::groups::Command::Leave { group: CREW })));
    let mut mallory = Inside::open(&mut bench, 3, MALLORY);
    for n in 0..100_u8 {
        for members in [&[MALLORY, US][..], &[MALLORY]] {
            let epoch = if members.contains(&US) { 1 } else { 2 };
            let mut id = [0xFF; 16];
            id[1] = n;
            let mut state = GroupState { id: GroupId(id), ..state(MALLORY, MALLORY, epoch, members) };
            state.signature = mallory.identity.sign(&state.signing_preimage().expect("it encodes"));
            mallory.say(&mut bench, &NoisePayload::GroupInvite(Box::new(state)));
        }
        bench.pass(Duration::from_secs(1));
    }
    assert!(bench.engine.groups().is_empty());
    carol.say(&mut bench, &NoisePayload::GroupKeyUpdate(Box::new(carols(9, &[CAROL, US]))));
    assert_eq!((bench.engine.groups().len(), bench.dropped(DropReason::GroupStale)), (0, 1));
}

fn know(bench: &mut Bench, seed: u8, standing: Standing) {
    let who = identity(seed);
    bench.feed(Input::Command(Command::Know(Introduction {
        noise_public: who.noise_public(),
        signing_public: who.signing_public(),
        nickname: format!("contact {seed}"),
        standing,
    })));
}

/// A vouch for somebody, signed by somebody.
fn vouch(signer: u8, about: &Identity, made: UnixMillis) -> Vouch {
    let (fingerprint, signing_public) = (about.fingerprint(), about.signing_public());
    let preimage = Vouch::signing_preimage(&fingerprint, &signing_public, made);
    Vouch { fingerprint, signing_public, made, signature: identity(signer).sign(&preimage) }
}

fn level(bench: &Bench, seed: u8) -> Level {
    let peers = bench.engine.peers(bench.clock());
    peers.iter().find(|info| info.id == identity(seed).peer_id()).expect("it was heard").trust
}

/// Whom they verified: Carol. Everybody else only talks.
fn carol_is_verified() -> (Bench, Inside, Inside) {
    let mut bench = Bench::with_links(3);
    know(&mut bench, CAROL, VERIFIED);
    let carol = Inside::open(&mut bench, 1, CAROL);
    introduce(&mut bench, 2, &identity(DAVE), 0);
    let mallory = Inside::open(&mut bench, 3, MALLORY);
    (bench, carol, mallory)
}

#[test]
fn a_vouch_counts_from_who_made_it_while_it_is_fresh_and_for_others_alone() {
    let (mut bench, mut carol, mut mallory) = carol_is_verified();
    let (now, dave) = (bench.clock().unix, identity(DAVE));
    let before = written_down(&bench, Shelf::People);
    let changed = Vouch { signing_public: [7; 32], ..vouch(CAROL, &dave, now) };
    let false_ones = [
        vouch(MALLORY, &dave, now),
        vouch(CAROL, &dave, UnixMillis(now.0 - 31 * 86_400_000)),
        vouch(CAROL, &dave, now + Duration::from_secs(2 * 60 * 60)),
        vouch(CAROL, &identity(US), now),
        vouch(CAROL, &identity(CAROL), now),
        changed,
    ];
    carol.say(&mut bench, &NoisePayload::Vouches(false_ones.to_vec()));
    assert_eq!(bench.dropped(DropReason::Vouch), 6);
    // Carol's true word out of another mouth, and the word of somebody nobody verified.
    mallory.say(&mut bench, &NoisePayload::Vouches(vec![vouch(CAROL, &dave, now)]));
    mallory.say(&mut bench, &NoisePayload::Vouches(vec![vouch(MALLORY, &dave, now)]));
    assert_eq!(bench.dropped(DropReason::Vouch), 8);
    know(&mut bench, MALLORY, VERIFIED);
    let introduced = written_down(&bench, Shelf::People);
    mallory.say(&mut bench, &NoisePayload::Vouches(vec![vouch(CAROL, &dave, now)]));
    assert_eq!(bench.dropped(DropReason::Vouch), 9);
    assert_eq!(level(&bench, DAVE), Level::Known);
    assert!(introduced <= before + 1 && written_down(&bench, Shelf::People) == introduced, "nothing is kept");

    carol.say(&mut bench, &NoisePayload::Vouches(vec![vouch(CAROL, &dave, now)]));
    assert_eq!(level(&bench, DAVE), Level::Vouched);
    bench.now = bench.now + 31 * DAY;
    let later = at(&bench);
    introduce(&mut bench, 2, &dave, later);
    assert_eq!(level(&bench, DAVE), Level::Known, "a word wears off");
}

#[test]
fn everybody_whom_we_verified_is_vouched_for_however_many_they_are() {
    let mut bench = Bench::with_links(0);
    // Sixteen vouches in one frame.
    let (address, role) = (DeviceAddress([0, 0, 0, 0, 0, 1]), Role::Peripheral);
    bench.feed(Input::Radio(RadioEvent::LinkUp { link: bench::link(1), address, role, max_frame: 8_192 }));
    let people: Vec<u8> = (10..50).collect();
    people.iter().for_each(|&seed| know(&mut bench, seed, VERIFIED));
    know(&mut bench, CAROL, VERIFIED);
    let mut carol = Inside::open(&mut bench, 1, CAROL);
    let (capabilities, signing_public) = (Capabilities::HOPLINE, carol.identity.signing_public());
    carol.say(&mut bench, &NoisePayload::PeerState(PeerState { capabilities, signing_public }));
    bench.pass(Duration::from_secs(10));
    let vouches = |payload| match payload {
        NoisePayload::Vouches(vouches) => vouches,
        _ => Vec::new(),
    };
    let about: BTreeSet<_> =
        carol.told(&bench).into_iter().flat_map(vouches).map(|vouch| vouch.fingerprint).collect();
    let verified = people.iter().map(|&seed| identity(seed).fingerprint());
    assert_eq!(about, verified.collect());
}

#[test]
fn a_flood_of_vouches_pushes_out_the_vouchers_own_and_nobody_elses() {
    let (mut bench, mut carol, mut mallory) = carol_is_verified();
    know(&mut bench, MALLORY, VERIFIED);
    let now = bench.clock().unix;
    carol.say(&mut bench, &NoisePayload::Vouches(vec![vouch(CAROL, &identity(DAVE), now)]));
    for round in 0..8_u8 {
        let about = |n| {
            let mut seed = [n; 64];
            seed[1] = 100 + round;
            Identity::from_bytes(&seed)
        };
        let list: Vec<Vouch> = (0..16).map(|n| vouch(MALLORY, &about(n), now)).collect();
        assert_eq!(list.len(), MAX_VOUCHES);
        mallory.say(&mut bench, &NoisePayload::Vouches(list));
    }
    assert_eq!(level(&bench, DAVE), Level::Vouched);
    let whose = identity(MALLORY).fingerprint();
    let kept = bench.kept.iter().filter_map(|change| match change {
        Keep::Put(Kept { shelf: Shelf::People, key, value }) if key[1..] == whose.0 && key[0] == b'v' => {
            Some(value.len())
        }
        Keep::Put(_) | Keep::Remove { .. } => None,
    });
    assert_eq!(kept.last(), Some(1 + 64 * (32 + 32 + 8)), "the latest 64");
}

#[test]
fn a_proof_counts_for_the_question_that_was_asked_and_of_the_keys_it_was_asked_about() {
    let (mut bench, mut carol, mut mallory) = carol_is_verified();
    let who = identity(CAROL);
    let (noise_public, signing_public) = (who.noise_public(), who.signing_public());
    let nickname = "carol".to_owned();
    carol.told(&bench);
    bench.feed(Input::Command(Command::People(Ask::Challenge { noise_public, signing_public, nickname })));
    let asked = carol.told(&bench).into_iter().find_map(|payload| match payload {
        NoisePayload::VerifyChallenge(challenge) => Some(challenge),
        _ => None,
    });
    let challenge = asked.expect("carol is asked");
    let answer = |challenge: VerifyChallenge, signer: u8| {
        let signature = identity(signer).sign(&challenge.signing_preimage());
        NoisePayload::VerifyResponse(VerifyResponse { challenge, signature })
    };
    let proven = |bench: &Bench| {
        let verified = |event: &&Event| matches!(event, Event::People(Trust::Verified { .. }));
        bench.events.iter().filter(verified).count()
    };
    mallory.say(&mut bench, &answer(challenge, CAROL));
    mallory.say(&mut bench, &answer(challenge, MALLORY));
    carol.say(&mut bench, &answer(challenge, MALLORY));
    carol.say(&mut bench, &answer(VerifyChallenge { nonce: [0; 16], ..challenge }, CAROL));
    carol.say(&mut bench, &answer(VerifyChallenge { noise_public: [0; 32], ..challenge }, CAROL));
    assert_eq!((bench.dropped(DropReason::Verification), proven(&bench)), (5, 0));
    carol.say(&mut bench, &answer(challenge, CAROL));
    carol.say(&mut bench, &answer(challenge, CAROL));
    assert_eq!((bench.dropped(DropReason::Verification), proven(&bench)), (6, 1), "and once");
}

#[test]
fn a_flood_of_challenges_is_answered_and_told_five_times_a_minute() {
    let (mut bench, mut carol, mut mallory) = carol_is_verified();
    let challenge = |n: u8| {
        let noise_public = identity(US).noise_public();
        NoisePayload::VerifyChallenge(VerifyChallenge { noise_public, nonce: [n; 16] })
    };
    let other = VerifyChallenge { noise_public: identity(DAVE).noise_public(), nonce: [1; 16] };
    mallory.say(&mut bench, &NoisePayload::VerifyChallenge(other));
    assert_eq!(bench.dropped(DropReason::Verification), 1, "these are not our keys");
    mallory.told(&bench);
    carol.told(&bench);
    (0..100).for_each(|n| mallory.say(&mut bench, &challenge(n)));
    carol.say(&mut bench, &challenge(200));
    let answers = |told: Vec<NoisePayload>| {
        told.iter().filter(|payload| matches!(payload, NoisePayload::VerifyResponse(_))).count()
    };
    assert_eq!((answers(mallory.told(&bench)), answers(carol.told(&bench))), (5, 1));
    let told = |event: &&Event| matches!(event, Event::People(Trust::Challenged { .. }));
    assert_eq!(bench.events.iter().filter(told).count(), 6);
    assert_eq!(bench.dropped(DropReason::Verification), 96);
    bench.pass(Duration::from_secs(60));
    mallory.say(&mut bench, &challenge(201));
    assert_eq!(answers(mallory.told(&bench)), 1);
}

#[test]
fn ciphertexts_under_other_keys_end_no_session_and_bring_ten_handshakes_a_minute() {
    let mut bench = Bench::with_links(3);
    let mut before = Inside::open(&mut bench, 1, CAROL);
    bench.pass(Duration::from_secs(1));
    let mut after = Inside::open(&mut bench, 1, CAROL);
    bench.written.clear();
    let greetings = |bench: &Bench| {
        let of_type = |frame: &[u8]| frame.get(1) == Some(&PacketType::NoiseHandshake.code());
        bench.written.iter().filter(|(_, frame)| of_type(frame)).count()
    };
    let words = NoisePayload::ReadReceipt { id: "1".to_owned() };
    (0..2).for_each(|_| before.say(&mut bench, &words));
    after.say(&mut bench, &words);
    (0..2).for_each(|_| before.say(&mut bench, &words));
    assert_eq!((bench.dropped(DropReason::Undecryptable), greetings(&bench)), (4, 0), "not three in a row");
    before.say(&mut bench, &words);
    assert_eq!(greetings(&bench), 1, "carol may have lost the session we have");

    for _ in 0..60 {
        (0..20).for_each(|_| before.say(&mut bench, &words));
        bench.pass(Duration::from_secs(1));
    }
    assert!(greetings(&bench) <= 2 * 10, "each goes again once: {}", greetings(&bench));
    bench.pass(Duration::from_secs(30));

    let refused = bench.dropped(DropReason::Undecryptable);
    after.say(&mut bench, &words);
    assert_eq!(bench.dropped(DropReason::Undecryptable), refused);
    let (to, id, text) = (identity(CAROL).peer_id(), MessageId([7; 16]), "still here".to_owned());
    bench.feed(Input::Command(Command::SendPrivate { attempt: AttemptId(1), to, id, text }));
    let said = NoisePayload::PrivateMessage { id: id.to_string(), content: "still here".to_owned() };
    assert!(after.told(&bench).contains(&said));
}
