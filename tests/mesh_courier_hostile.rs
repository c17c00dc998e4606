//! Couriers and those who would make them lose mail: links that are bound to somebody else, links that break, strangers.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for what it is about")]

#[path = "common/bench.rs"]
mod bench;
#[path = "common/inside.rs"]
mod inside;

use std::time::Duration;

use bench::{Bench, identity, introduce, link, packet, signed};
use hopline::crypto::Identity;
use hopline::crypto::courier::{self, SealTo};
use hopline::ids::{LinkId, MessageId};
use hopline::link::event::{LinkDownReason, RadioEvent};
use hopline::mesh::Config;
use hopline::mesh::courier::event::Command as Courier;
use hopline::mesh::courier::{Limits, Report};
use hopline::mesh::error::DropReason;
use hopline::mesh::event::{Command, Input, Introduction};
use hopline::mesh::trust::Standing;
use hopline::wire::{Announce, Capabilities, CourierEnvelope, NoisePayload, Packet, PacketType, Received};
use inside::{Inside, at};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const FAVOURITE: Standing = Standing { favourite: true, verified: false, blocked: false };
const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Who leaves mail, for whom it is, and another courier, by their seeds.
const DORA: u8 = 2;
const VERA: u8 = 3;
const CARL: u8 = 4;

/// Makes somebody a favourite of the bench's owner.
fn favour(bench: &mut Bench, seed: u8) {
    let who = identity(seed);
    bench.feed(Input::Command(Command::Know(Introduction {
        noise_public: who.noise_public(),
        signing_public: who.signing_public(),
        nickname: "a favourite".to_owned(),
        standing: FAVOURITE,
    })));
}

/// An announce of somebody who carries mail.
fn announce_courier(who: &Identity, at: u64) -> Vec<u8> {
    let announce = Announce {
        nickname: "a courier".to_owned(),
        noise_public: who.noise_public(),
        signing_public: who.signing_public(),
        neighbours: Vec::new(),
        capabilities: Some(Capabilities::HOPLINE),
        bridge_geohash: None,
    };
    signed(who, packet(who, PacketType::Announce, announce.encode().expect("it encodes"), at))
}

/// Somebody comes over this link, and is asked at once whether the link is theirs.
fn come(bench: &mut Bench, serial: u32, seed: u8) -> Inside {
    let announce = announce_courier(&identity(seed), at(bench));
    Inside::answer(bench, serial, seed, &announce)
}

/// What the apps write to a favourite.
fn favourite_notice() -> NoisePayload {
    NoisePayload::PrivateMessage { id: "1".to_owned(), content: "[FAVORITED]".to_owned() }
}

/// Mail of one person to another.
fn mail(bench: &Bench, from: u8, to: u8, text: &str, copies: u8) -> CourierEnvelope {
    let (recipient, now) = (identity(to).noise_public(), bench.clock().unix);
    let text = NoisePayload::PrivateMessage { id: text.to_owned(), content: text.to_owned() };
    let mut rng = ChaCha20Rng::from_seed([from; 32]);
    let payload = text.encode().expect("it encodes");
    let sealed = courier::seal(&identity(from), SealTo::Static(&recipient), &payload, &mut rng);
    CourierEnvelope {
        tag: courier::tag(&recipient, now.day()),
        expires: now + 24 * HOUR,
        ciphertext: sealed.expect("it can be sealed").into(),
        copies,
        prekey: None,
    }
}

/// Somebody leaves an envelope with the node, over this link.
fn leave(bench: &mut Bench, serial: u32, who: u8, envelope: &CourierEnvelope) {
    bench.pass(Duration::from_millis(1));
    let recipient = Some(bench.engine.peer_id());
    let payload = envelope.encode().expect("it encodes");
    let packet =
        Packet { recipient, ..packet(&identity(who), PacketType::CourierEnvelope, payload, at(bench)) };
    bench.hear(serial, &signed(&identity(who), packet));
}

/// The envelopes that the node sent to somebody, and over which links.
fn envelopes_to(bench: &Bench, who: u8) -> Vec<LinkId> {
    let theirs = |(link, frame): &(LinkId, bytes::Bytes)| {
        let packet = Received::decode(frame).ok()?.into_packet();
        let is_it = packet.packet_type == PacketType::CourierEnvelope
            && packet.recipient == Some(identity(who).peer_id());
        is_it.then_some(*link)
    };
    bench.written.iter().filter_map(theirs).collect()
}

fn handshakes_to(bench: &Bench, who: u8) -> usize {
    let theirs = |(_, frame): &&(LinkId, bytes::Bytes)| {
        let packet = Received::decode(frame).map(Received::into_packet);
        packet.is_ok_and(|packet| {
            packet.packet_type == PacketType::NoiseHandshake
                && packet.recipient == Some(identity(who).peer_id())
        })
    };
    bench.written.iter().filter(theirs).count()
}

fn report(bench: &Bench) -> Report {
    bench.engine.courier_report()
}

fn link_down(bench: &mut Bench, serial: u32) {
    let down = RadioEvent::LinkDown { link: link(serial), reason: LinkDownReason::Remote };
    bench.feed(Input::Radio(down));
}

/// A node that carries mail for Vera, left over link 1 by Dora.
fn carrying(links: u32) -> Bench {
    let mut bench = Bench::with_links(links);
    favour(&mut bench, DORA);
    introduce(&mut bench, 1, &identity(DORA), 0);
    let envelope = mail(&bench, DORA, VERA, "for vera", 4);
    leave(&mut bench, 1, DORA, &envelope);
    assert_eq!(report(&bench).carried, 1);
    bench
}

#[test]
fn mail_is_not_given_up_on_a_link_that_is_bound_by_a_replayed_announce() {
    let mut bench = carrying(2);
    // A neighbour passes Vera's announce on with its TTL unchanged, and nothing else of hers.
    bench.pass(SECOND);
    introduce(&mut bench, 2, &identity(VERA), 1_001);
    assert_eq!((envelopes_to(&bench, VERA).len(), handshakes_to(&bench, VERA)), (0, 1), "she is asked first");
    for _ in 0..25 {
        bench.pass(MINUTE);
        bench.hear(2, &announce_courier(&identity(VERA), at(&bench)));
    }
    assert_eq!(report(&bench).carried, 1, "nobody proved to be there");
    let copies = report(&bench).counts.handed;
    assert!((2..=3).contains(&copies), "a copy every ten minutes: {copies}");

    // She comes herself.
    bench.pass(2 * MINUTE);
    bench.link_up(3);
    come(&mut bench, 3, VERA);
    assert_eq!(envelopes_to(&bench, VERA), [link(3)]);
    bench.pass(10 * SECOND);
    assert_eq!(report(&bench).carried, 0);
}

#[test]
fn nothing_is_left_or_shared_on_a_link_that_is_bound_by_a_replayed_announce() {
    let mut bench = carrying(2);
    favour(&mut bench, CARL);
    let (vera, id) = (identity(VERA), MessageId([7; 16]));
    bench.feed(Input::Command(Command::Know(Introduction {
        noise_public: vera.noise_public(),
        signing_public: vera.signing_public(),
        nickname: "vera".to_owned(),
        standing: FAVOURITE,
    })));
    let (written, text) = (bench.clock().unix, "our own".to_owned());
    let deposit = Courier::Deposit { to: vera.peer_id(), id, text, written, expires: written + 24 * HOUR };
    bench.feed(Input::Command(Command::Courier(deposit)));
    bench.hear(2, &announce_courier(&identity(CARL), at(&bench)));
    for _ in 0..10 {
        bench.pass(MINUTE);
        bench.hear(2, &announce_courier(&identity(CARL), at(&bench)));
    }
    let counts = report(&bench).counts;
    assert_eq!((counts.deposited, counts.shared, envelopes_to(&bench, CARL).len()), (0, 0, 0));
    assert!(handshakes_to(&bench, CARL) > 0, "he is asked whether he is there");

    bench.pass(2 * MINUTE);
    bench.link_up(3);
    let mut carl = come(&mut bench, 3, CARL);
    carl.say(&mut bench, &favourite_notice());
    bench.pass(10 * SECOND);
    let counts = report(&bench).counts;
    assert_eq!((counts.deposited, counts.shared), (1, 1));
}

#[test]
fn what_was_handed_over_on_a_link_that_broke_is_handed_over_when_it_is_back() {
    let mut bench = carrying(2);
    come(&mut bench, 2, VERA);
    assert_eq!(envelopes_to(&bench, VERA), [link(2)]);
    bench.pass(3 * SECOND);
    link_down(&mut bench, 2);
    bench.pass(2 * SECOND);
    bench.link_up(2);
    come(&mut bench, 2, VERA);
    assert_eq!(envelopes_to(&bench, VERA), [link(2)], "again, before anything was looked through");
    bench.pass(9 * SECOND);
    assert_eq!(report(&bench).carried, 1);
    bench.pass(SECOND);
    assert_eq!(report(&bench).carried, 0, "ten seconds later, whatever else is due");
}

/// What somebody leaves of their own, so many times; how many envelopes were taken.
fn leaves(bench: &mut Bench, serial: u32, who: u8, times: usize) -> u64 {
    let before = report(bench).counts.taken;
    for number in 0..times {
        let envelope = mail(bench, who, VERA, &format!("{number} of {who}"), 4);
        leave(bench, serial, who, &envelope);
    }
    report(bench).counts.taken - before
}

#[test]
fn a_stranger_has_two_places_with_a_link_of_its_own_and_full_links_keep_nobody_out() {
    let mut bench = Bench::with_links(1);
    // One link, and another name on it every minute.
    let mut taken = 0;
    for name in 10..20 {
        bench.hear(1, &announce_courier(&identity(name), at(&bench)));
        taken += leaves(&mut bench, 1, name, 4);
        bench.pass(MINUTE);
    }
    assert_eq!(taken, 4);
    // Heard over somebody else, whose link is not theirs.
    bench.link_up(2);
    bench.hear(2, &announce_courier(&identity(20), at(&bench)));
    bench.hear(2, &announce_courier(&identity(21), at(&bench)));
    let untrusted = bench.dropped(DropReason::CourierUntrusted);
    assert_eq!(leaves(&mut bench, 2, 21, 2), 0);
    assert_eq!(bench.dropped(DropReason::CourierUntrusted), untrusted + 2);
    // A new link for every four fills what is for strangers, and then whoever comes and has left less gets in.
    for serial in 3..9 {
        bench.link_up(serial);
        for name in 0..2 {
            let name = 30 + 2 * u8::try_from(serial).expect("few links") + name;
            bench.hear(serial, &announce_courier(&identity(name), at(&bench)));
            leaves(&mut bench, serial, name, 2);
            bench.pass(MINUTE + SECOND);
        }
    }
    assert_eq!(report(&bench).carried, 20);
    (1..8).for_each(|serial| link_down(&mut bench, serial));
    bench.link_up(9);
    bench.hear(9, &announce_courier(&identity(60), at(&bench)));
    assert_eq!(leaves(&mut bench, 9, 60, 2), 2);
    assert_eq!(report(&bench).carried, 20);
    // A contact is no stranger, and a favourite has more.
    favour(&mut bench, DORA);
    assert_eq!(leaves(&mut bench, 9, DORA, 6), 5);
    assert_eq!(report(&bench).carried, 25);
}

#[test]
fn nobody_who_is_blocked_is_a_stranger_and_no_stranger_is_one_where_none_is_wanted() {
    let mut bench = Bench::with_links(1);
    introduce(&mut bench, 1, &identity(10), 0);
    let who = identity(10);
    bench.feed(Input::Command(Command::Know(Introduction {
        noise_public: who.noise_public(),
        signing_public: who.signing_public(),
        nickname: "a nuisance".to_owned(),
        standing: Standing { favourite: false, verified: false, blocked: true },
    })));
    assert_eq!(leaves(&mut bench, 1, 10, 2), 0);

    let none = Limits { per_stranger: 0, ..Limits::default() };
    let mut bench = Bench::new(Config { courier: none, ..Config::default() });
    bench.connect(1);
    introduce(&mut bench, 1, &identity(10), 0);
    assert_eq!(leaves(&mut bench, 1, 10, 2), 0);
    assert_eq!(bench.dropped(DropReason::CourierUntrusted), 2);
}

#[test]
fn the_larger_budget_of_copies_is_taken_whichever_envelope_comes_first() {
    let mut bench = Bench::with_links(2);
    for (serial, who) in [(1, DORA), (2, CARL)] {
        favour(&mut bench, who);
        introduce(&mut bench, serial, &identity(who), 0);
    }
    let whole = mail(&bench, DORA, VERA, "for vera", 4);
    leave(&mut bench, 2, CARL, &CourierEnvelope { copies: 1, ..whole.clone() });
    leave(&mut bench, 1, DORA, &whole);
    assert_eq!((report(&bench).carried, bench.dropped(DropReason::CourierReplay)), (1, 0));
    leave(&mut bench, 2, CARL, &CourierEnvelope { copies: 2, ..whole });
    assert_eq!(bench.dropped(DropReason::CourierReplay), 1);
}
