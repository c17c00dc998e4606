//! Flooding: how far a public message goes, and that nobody shows it twice.

mod common;

use std::time::Duration;

use common::{MINUTE, public_ttls, say, settled, started};
use hopline::ids::AttemptId;
use hopline::mesh::error::{DropReason, Refusal};
use hopline::mesh::event::{Event, Reach};
use hopline::sim::{Edge, Topology, World};
use proptest::prelude::*;

#[test]
fn in_a_chain_of_nine_a_message_floods_to_the_seventh_hop_and_only_sync_brings_it_to_the_eighth() {
    let (mut world, nodes) = settled(1, &Topology::chain(9, Edge::default()));
    let before = world.engine(nodes[8]).counters().received;
    say(&mut world, nodes[0], "seven hops");
    world.run_for(Duration::from_secs(5));
    for (hop, &node) in nodes.iter().enumerate().take(8).skip(1) {
        let ttl = 8 - u8::try_from(hop).unwrap();
        assert_eq!(public_ttls(&world, node, "seven hops"), [ttl], "hop {hop}");
    }
    world.run_for(MINUTE);
    assert_eq!(public_ttls(&world, nodes[8], "seven hops"), [0], "as the answer to its request");
    let heard = world.engine(nodes[8]).counters().dropped.get(&DropReason::UnknownSender);
    assert_eq!(heard, None, "it was not flooded there");
    assert!(world.engine(nodes[8]).counters().received >= before);
}

#[test]
fn in_a_ring_of_nine_everybody_shows_a_message_once() {
    let (mut world, nodes) = settled(2, &Topology::ring(9, Edge::default()));
    say(&mut world, nodes[0], "round and round");
    world.run_for(MINUTE);
    for &node in &nodes[1..] {
        assert_eq!(public_ttls(&world, node, "round and round").len(), 1, "{node:?}");
    }
    assert_eq!(public_ttls(&world, nodes[0], "round and round"), [0u8; 0], "not even its author, as news");
}

#[test]
fn in_a_full_mesh_everybody_shows_it_once_and_most_relays_are_saved() {
    let (mut world, nodes) = settled(3, &Topology::full(6, Edge::default()));
    say(&mut world, nodes[0], "hello all");
    world.run_for(Duration::from_secs(5));
    for &node in &nodes[1..] {
        assert_eq!(public_ttls(&world, node, "hello all").len(), 1, "{node:?}");
    }
    let cancelled: u64 = nodes.iter().map(|&node| world.engine(node).counters().relays_cancelled).sum();
    assert!(cancelled > 0);
}

#[test]
fn a_message_written_alone_is_refused_and_heard_when_it_is_sent_again_with_somebody_there() {
    let topology = Topology::chain(2, Edge::default());
    let mut world = started(4, &topology);
    let nodes = world.nodes();
    let (a, b) = (world.station(nodes[0]), world.station(nodes[1]));
    world.cut(a, b);
    world.run_for(Duration::from_secs(20));
    say(&mut world, nodes[0], "anybody there?");
    let refused = Event::Refused { attempt: AttemptId(1), reason: Refusal::NobodyNear };
    assert!(world.events(nodes[0]).any(|event| *event == refused));
    world.join(a, b, Edge::default());
    let linked = |world: &World| world.events(nodes[0]).any(|event| matches!(event, Event::LinkUp { .. }));
    assert!(world.run_until(linked, MINUTE));
    // Ahead of the announce, which makes the other side able to check it.
    say(&mut world, nodes[0], "anybody there?");
    assert!(world.run_until(|world| !public_ttls(world, nodes[1], "anybody there?").is_empty(), MINUTE));
}

#[test]
fn a_packet_from_a_clock_that_is_two_minutes_off_is_dropped() {
    let mut world = started(5, &Topology::chain(2, Edge::default()));
    let nodes = world.nodes();
    world.set_clock_error(nodes[0], 121_000);
    world.run_for(MINUTE);
    assert!(world.engine(nodes[1]).counters().dropped[&DropReason::Clock] > 0);
    let told = world.events(nodes[1]).any(|event| matches!(event, Event::Peer(_)));
    assert!(!told, "its announces count for nothing");
}

#[test]
fn who_alone_has_another_time_than_two_others_is_told_so_once_and_they_are_not() {
    let topology: Topology = "pi ada\npi ben\nada ben\n".parse().expect("a topology");
    let mut world = started(9, &topology);
    let nodes = world.nodes();
    world.set_clock_error(nodes[0], -600_000);
    world.run_for(5 * MINUTE);
    let told = |world: &World, node: usize| {
        let off =
            |event: &Event| if let Event::ClockOff { ahead_ms } = event { Some(*ahead_ms) } else { None };
        world.events(nodes[node]).filter_map(off).collect::<Vec<_>>()
    };
    let doubt = |world: &World, node: usize| world.engine(nodes[node]).clock_doubt(world.clock(nodes[node]));
    let [behind] = told(&world, 0)[..] else { panic!("once: {:?}", told(&world, 0)) };
    assert!((-605_000..=-599_000).contains(&behind), "{behind}");
    assert!(doubt(&world, 0).is_some());
    for other in [1, 2] {
        assert_eq!((told(&world, other), doubt(&world, other)), (Vec::new(), None));
    }
    world.set_clock_error(nodes[0], 0);
    world.run_for(MINUTE);
    assert_eq!((told(&world, 0).len(), doubt(&world, 0)), (1, None));
}

#[test]
fn who_sets_a_clock_back_that_was_far_ahead_is_heard_at_once() {
    let mut world = started(8, &Topology::chain(2, Edge::default()));
    let nodes = world.nodes();
    world.set_clock_error(nodes[0], 3_600_000);
    world.run_for(MINUTE);
    world.set_clock_error(nodes[0], 0);
    world.run_for(MINUTE);
    say(&mut world, nodes[0], "what time is it?");
    world.run_for(Duration::from_secs(5));
    assert_eq!(public_ttls(&world, nodes[1], "what time is it?"), [7]);
}

#[test]
fn a_neighbour_is_direct_and_the_one_behind_it_is_reached_over_the_mesh() {
    let (world, nodes) = settled(6, &Topology::chain(3, Edge::default()));
    let reach = |from: usize, to: usize| {
        let now = hopline::time::Now { instant: world.now(), ..Default::default() };
        let peers = world.engine(nodes[from]).peers(now);
        peers.iter().find(|peer| peer.id == world.peer(nodes[to])).map(|peer| peer.reach)
    };
    assert_eq!(reach(0, 1), Some(Reach::Direct));
    assert_eq!(reach(0, 2), Some(Reach::Mesh));
    assert_eq!(reach(1, 0), Some(Reach::Direct));
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let run = || {
        let (mut world, nodes) = settled(7, &Topology::ring(5, Edge::default()));
        say(&mut world, nodes[0], "again");
        world.run_for(MINUTE);
        format!("{:?}", world.records())
    };
    assert_eq!(run(), run());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn on_a_lossy_grid_everybody_within_seven_hops_shows_a_message_once(seed in any::<u8>()) {
        let edge = Edge { loss: 0.05, ..Edge::default() };
        let (mut world, nodes) = settled(seed, &Topology::grid(3, 3, edge));
        say(&mut world, nodes[0], "grid");
        world.run_for(MINUTE);
        for &node in &nodes[1..] {
            prop_assert_eq!(public_ttls(&world, node, "grid").len(), 1, "{:?}", node);
        }
    }
}
