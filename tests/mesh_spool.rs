//! What a node keeps for a moment when no link leads on: packets of a session between two others (spec 4.7).

#[path = "common/bench.rs"]
mod bench;
mod common;

use std::time::Duration;

use bench::{Bench, identity, introduce, link, packet};
use bytes::Bytes;
use common::{MINUTE, deliver, private_ttls, settled, whisper};
use hopline::crypto::Identity;
use hopline::link::event::{LinkDownReason, RadioEvent};
use hopline::mesh::error::DropReason;
use hopline::mesh::event::Input;
use hopline::mesh::{Config, Policy};
use hopline::sim::{Edge, Topology};
use hopline::wire::{Packet, PacketType};

/// A node with one link, to Alice.
fn beside_alice(policy: Policy) -> Bench {
    let mut bench = Bench::new(Config { policy, ..Config::default() });
    bench.connect(1);
    introduce(&mut bench, 1, &identity(2), 0);
    bench.pass(Duration::from_secs(1));
    bench.written.clear();
    bench
}

/// A packet of Alice for Bob.
fn for_bob(packet_type: PacketType, number: u64) -> Vec<u8> {
    let alice = identity(2);
    let payload = number.to_be_bytes().to_vec();
    let packet = packet(&alice, packet_type, payload, number);
    Packet { recipient: Some(bob().peer_id()), ..packet }.encode().expect("it encodes")
}

fn bob() -> Identity {
    identity(3)
}

fn comes(bench: &mut Bench, serial: u32, who: &Identity, at: u64) {
    bench.link_up(serial);
    introduce(bench, serial, who, at);
    bench.pass(Duration::from_secs(5));
}

/// How many packets of sessions went over a link.
fn sealed(bench: &Bench, serial: u32) -> usize {
    let of_a_session = [PacketType::NoiseHandshake.code(), PacketType::NoiseEncrypted.code()];
    let frames = bench.relayed().into_iter().filter(|(over, _)| *over == link(serial));
    frames.filter(|(_, frame)| of_a_session.contains(&frame[1])).count()
}

#[test]
fn a_node_between_two_who_are_never_there_together_keeps_what_one_says_to_the_other() {
    for (policy, kept) in [(Policy::Hopline, 2), (Policy::Ios, 2), (Policy::Android, 0)] {
        let mut bench = beside_alice(policy);
        bench.hear(1, &for_bob(PacketType::NoiseHandshake, 1));
        bench.hear(1, &for_bob(PacketType::NoiseEncrypted, 2));
        bench.hear(1, &for_bob(PacketType::Ping, 3));
        bench.pass(Duration::from_secs(30));
        assert_eq!(bench.relayed(), [], "{policy:?}");
        comes(&mut bench, 2, &bob(), 31_000);
        assert_eq!(sealed(&bench, 2), kept, "{policy:?}");
        bench.hear(1, &for_bob(PacketType::NoiseHandshake, 1));
        comes(&mut bench, 3, &identity(4), 37_000);
        assert_eq!((sealed(&bench, 1), sealed(&bench, 2), sealed(&bench, 3)), (0, kept, 0), "{policy:?}");
        let counters = bench.engine.counters();
        let kept = u64::try_from(kept).unwrap();
        assert_eq!((counters.spooled, counters.unspooled), (kept, kept), "{policy:?}");
        let ping = |(_, frame): &(_, Bytes)| frame[1] == PacketType::Ping.code();
        assert!(!bench.relayed().iter().any(ping), "{policy:?}");
    }
}

#[test]
fn what_waits_does_not_go_back_to_who_sent_it_and_not_after_a_minute() {
    let mut bench = beside_alice(Policy::Hopline);
    bench.hear(1, &for_bob(PacketType::NoiseEncrypted, 1));
    bench.pass(Duration::from_secs(30));
    bench.hear(1, &for_bob(PacketType::NoiseEncrypted, 2));
    bench.feed(Input::Radio(RadioEvent::LinkDown { link: link(1), reason: LinkDownReason::Remote }));
    comes(&mut bench, 2, &identity(2), 31_000);
    assert_eq!(sealed(&bench, 2), 0, "that is Alice");
    bench.pass(Duration::from_secs(30));
    comes(&mut bench, 3, &bob(), 66_000);
    assert_eq!(sealed(&bench, 3), 1);
}

#[test]
fn a_flood_is_kept_within_bounds_and_the_rest_of_it_counted() {
    let mut bench = beside_alice(Policy::Hopline);
    let flood = 1_000;
    for number in 0..flood {
        bench.hear(1, &for_bob(PacketType::NoiseEncrypted, 10 * number));
        bench.pass(Duration::from_millis(10));
    }
    comes(&mut bench, 2, &bob(), 11_000);
    let kept = bench.engine.counters().spooled;
    assert_eq!(
        kept,
        flood - bench.dropped(DropReason::RelayRate),
        "what the link may not pass on is not kept"
    );
    let (went, lost) = (sealed(&bench, 2) as u64, bench.dropped(DropReason::SpoolFull));
    assert_eq!(went, 128);
    assert_eq!(went + lost + bench.dropped(DropReason::RelayRate), flood);
}

#[test]
fn a_text_waits_with_a_node_between_for_who_comes_back_half_a_minute_later() {
    let (mut world, nodes) = settled(1, &Topology::chain(3, Edge::default()));
    let [alice, between, bob] = [nodes[0], nodes[1], nodes[2]];
    assert!(deliver(&mut world, alice, bob, 1, "we have a session", MINUTE));
    world.run_for(Duration::from_secs(5));
    let stations = [between, bob].map(|node| world.station(node));
    world.cut(stations[0], stations[1]);
    world.run_for(Duration::from_secs(10));
    whisper(&mut world, alice, bob, 2, "are you there");
    world.run_for(Duration::from_secs(30));
    assert_eq!(private_ttls(&world, bob, "are you there").len(), 0);
    world.join(stations[0], stations[1], Edge::default());
    world.run_for(Duration::from_secs(20));
    assert!(!private_ttls(&world, bob, "are you there").is_empty());
    assert!(world.engine(between).counters().unspooled > 0);
}
