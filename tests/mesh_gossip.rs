//! Gossip sync: whoever was away has what was said meanwhile, soon after meeting anybody who was there.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{MINUTE, public_ttls, say, settled, started};
use hopline::mesh::Config;
use hopline::mesh::board;
use hopline::mesh::event::{Command, Event};
use hopline::sim::{Edge, NodeId, Topology, World};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The public texts a node showed.
fn shown(world: &World, node: NodeId) -> Vec<String> {
    let text = |event: &Event| {
        let Event::PublicMessage(message) = event else { return None };
        Some(message.text.clone())
    };
    world.events(node).filter_map(text).collect()
}

fn has_all(world: &World, node: NodeId, texts: &[String]) -> bool {
    let shown: BTreeSet<String> = shown(world, node).into_iter().collect();
    texts.iter().all(|text| shown.contains(text))
}

fn join(world: &mut World, a: NodeId, b: NodeId) {
    let (a, b) = (world.station(a), world.station(b));
    world.join(a, b, Edge::default());
}

fn cut(world: &mut World, a: NodeId, b: NodeId) {
    let (a, b) = (world.station(a), world.station(b));
    world.cut(a, b);
}

/// Lets these nodes say something in turn, evenly over a while; what they said.
fn talk(world: &mut World, nodes: &[NodeId], count: usize, span: Duration) -> Vec<String> {
    let gap = span / u32::try_from(count).expect("few messages");
    let mut texts = Vec::new();
    for (number, &node) in (0..count).zip(nodes.iter().cycle()) {
        let text = format!("{} says {number}", world.peer(node));
        say(world, node, &text);
        texts.push(text);
        world.run_for(gap);
    }
    texts
}

#[test]
fn who_was_away_has_what_was_said_meanwhile_when_it_is_back() {
    let (mut world, nodes) = settled(1, &Topology::chain(3, Edge::default()));
    cut(&mut world, nodes[1], nodes[2]);
    let texts = talk(&mut world, &nodes[..2], 10, 5 * MINUTE);
    assert_eq!(shown(&world, nodes[2]), [""; 0]);
    join(&mut world, nodes[1], nodes[2]);
    assert!(world.run_until(|world| has_all(world, nodes[2], &texts), MINUTE));
    assert!(public_ttls(&world, nodes[2], &texts[0]).iter().all(|&ttl| ttl == 0), "as answers, for it alone");
    world.run_for(5 * MINUTE);
    for &node in &nodes {
        let all = shown(&world, node);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "nobody shows one twice");
    }
}

#[test]
fn two_hundred_messages_of_the_past_hour_are_there_thirty_seconds_after_meeting_who_heard_them() {
    // Three who talk, one who hears them, and one who comes when the talkers are gone for half an hour.
    let config = Config { nickname: "late".to_owned(), ..Config::default() };
    let (mut world, nodes) = settled(2, &Topology::full(4, Edge::default()));
    let late = world.add_node(config);
    let (talkers, witness) = (&nodes[..3], nodes[3]);
    let texts = talk(&mut world, talkers, 200, HOUR / 2);
    for &talker in talkers {
        let station = world.station(talker);
        world.switch_off(station);
    }
    world.run_for(HOUR / 2);
    join(&mut world, witness, late);
    let met = |world: &World| world.events(late).any(|event| matches!(event, Event::Peer(_)));
    assert!(world.run_until(met, 2 * MINUTE));
    assert!(world.run_until(|world| has_all(world, late, &texts), Duration::from_secs(30)));
    let others = |event: &Event| matches!(event, Event::Peer(info) if info.id != world.peer(witness));
    assert!(!world.events(late).any(others), "who is gone is not shown as present");
}

#[test]
fn between_two_islands_one_who_walks_carries_all_that_was_said() {
    let mut world = started(3, &Topology::default());
    let nodes: Vec<NodeId> = (0..7)
        .map(|number| world.add_node(Config { nickname: format!("n{number}"), ..Config::default() }))
        .collect();
    let (west, east, walker) = (&nodes[..3], &nodes[3..6], nodes[6]);
    for island in [west, east] {
        join(&mut world, island[0], island[1]);
        join(&mut world, island[1], island[2]);
    }
    world.run_for(MINUTE);
    let mut texts = talk(&mut world, west, 30, 10 * MINUTE);
    texts.extend(talk(&mut world, east, 30, 10 * MINUTE));
    for island in [west, east, west] {
        join(&mut world, walker, island[0]);
        world.run_for(2 * MINUTE);
        cut(&mut world, walker, island[0]);
        // Half an hour on the way: longer than an announce is told on for its own sake.
        world.run_for(HOUR / 2);
    }
    for &node in &nodes {
        let own = format!("{} says", world.peer(node));
        let of_others: Vec<String> = texts.iter().filter(|text| !text.starts_with(&own)).cloned().collect();
        assert!(has_all(&world, node, &of_others), "{node:?}");
    }
}

#[test]
fn what_was_heard_is_told_on_after_a_restart() {
    let (mut world, nodes) = settled(4, &Topology::chain(2, Edge::default()));
    let late = world.add_node(Config::default());
    let texts = talk(&mut world, &nodes[..1], 20, 10 * MINUTE);
    let station = world.station(nodes[0]);
    world.switch_off(station);
    world.run_for(20 * MINUTE);
    world.restart(nodes[1]);
    assert_eq!(world.engine(nodes[1]).counters().sync.sent, 0);
    let before = shown(&world, nodes[1]).len();
    join(&mut world, nodes[1], late);
    assert!(world.run_until(|world| has_all(world, late, &texts), MINUTE));
    assert_eq!(shown(&world, nodes[1]).len(), before, "nothing is shown again");
}

#[test]
fn notices_reach_who_was_away_when_their_author_is_gone() {
    let (mut world, nodes) = settled(9, &Topology::chain(2, Edge::default()));
    let late = world.add_node(Config::default());
    for text in ["water at the school", "bread at noon"] {
        let post = board::Command::Post { text: text.to_owned(), urgent: false, life: 24 * HOUR };
        world.command(nodes[0], Command::Board(post));
        world.run_for(MINUTE);
    }
    let station = world.station(nodes[0]);
    world.switch_off(station);
    world.run_for(3 * HOUR);
    join(&mut world, nodes[1], late);
    let notices = |world: &World| world.engine(late).board_packets(world.clock(late)).count();
    assert!(world.run_until(|world| notices(world) == 2, MINUTE));
}

#[test]
fn what_is_older_than_six_hours_is_told_to_nobody_not_even_after_a_restart() {
    let (mut world, nodes) = settled(5, &Topology::chain(2, Edge::default()));
    let late = world.add_node(Config::default());
    talk(&mut world, &nodes[..1], 3, 3 * MINUTE);
    world.restart(nodes[1]);
    world.run_for(6 * HOUR);
    world.restart(nodes[1]);
    join(&mut world, nodes[1], late);
    world.run_for(2 * MINUTE);
    assert_eq!(shown(&world, late), [""; 0]);
}

#[test]
fn clocks_that_differ_within_the_tolerance_do_not_matter() {
    let (mut world, nodes) = settled(6, &Topology::chain(2, Edge::default()));
    let late = world.add_node(Config::default());
    world.set_clock_error(nodes[0], 90_000);
    world.set_clock_error(late, -25_000);
    world.run_for(MINUTE);
    let texts = talk(&mut world, &nodes[..1], 10, 10 * MINUTE);
    join(&mut world, nodes[1], late);
    assert!(world.run_until(|world| has_all(world, late, &texts), MINUTE));
}

#[test]
fn a_long_text_that_lost_a_piece_is_whole_again_without_being_said_again() {
    let topology = Topology::chain(2, Edge { drop: 0.12, ..Edge::default() });
    let (mut world, nodes) = settled(7, &topology);
    // Four pieces, at least.
    let words = (0..100_u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    let text: String = words.collect();
    say(&mut world, nodes[0], &text);
    let whole = |world: &World| !public_ttls(world, nodes[1], &text).is_empty();
    assert!(world.run_until(whole, MINUTE));
}

#[test]
fn a_network_in_which_everybody_has_everything_is_quiet() {
    let (mut world, nodes) = settled(8, &Topology::full(4, Edge::default()));
    talk(&mut world, &nodes, 40, 10 * MINUTE);
    world.run_for(MINUTE);
    let sent = |world: &World| nodes.iter().map(|&node| world.engine(node).counters().sync.sent).sum::<u64>();
    let before = sent(&world);
    world.run_for(10 * MINUTE);
    // What a request crosses with, an announce on its way, is told twice at times.
    assert!(sent(&world) - before < 200, "{} packets", sent(&world) - before);
}
