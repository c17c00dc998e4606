//! Worlds beyond a fixed topology with one radio each.

mod common;

use std::time::Duration;

use common::{MINUTE, public_ttls, say, settled, started};
use hopline::mesh::Config;
use hopline::mesh::event::Event;
use hopline::sim::{Edge, Field, Topology, World};

#[test]
fn a_node_with_two_radios_joins_two_domains() {
    let mut world = World::new([1; 32]);
    let mut node = |name: &str| world.add_node(Config { nickname: name.to_owned(), ..Config::default() });
    let (ada, relay, ben) = (node("ada"), node("relay"), node("ben"));
    let second = world.add_station(relay);
    let (at_ada, first, at_ben) = (world.station(ada), world.station(relay), world.station(ben));
    world.join(at_ada, first, Edge::default());
    world.join(second, at_ben, Edge::default());
    // The relay's two radios stand side by side.
    world.join(first, second, Edge::default());
    world.run_for(MINUTE);

    say(&mut world, ada, "across");
    say(&mut world, ben, "and back");
    world.run_for(Duration::from_secs(5));
    assert_eq!(public_ttls(&world, ben, "across"), [6]);
    assert_eq!(public_ttls(&world, ada, "and back"), [6]);
    assert_eq!(world.air().links().count(), 2, "a node does not link to itself");
}

#[test]
fn a_node_comes_back_when_its_adapter_does() {
    let (mut world, nodes) = settled(2, &Topology::chain(2, Edge::default()));
    let station = world.station(nodes[0]);
    world.switch_off(station);
    world.run_for(MINUTE);
    assert_eq!(world.air().links().count(), 0);
    world.switch_on(station);
    world.run_for(Duration::from_secs(30));
    say(&mut world, nodes[1], "welcome back");
    world.run_for(Duration::from_secs(5));
    assert_eq!(public_ttls(&world, nodes[0], "welcome back"), [7]);
}

fn on_the_move(seed: u8) -> World {
    let lonely: Topology = "a\nb\nc\nd\ne\nf".parse().expect("six names are a topology");
    let mut world = started(seed, &lonely);
    let edge = Edge { loss: 0.1, ..Edge::default() };
    world.walk(Field { width: 80.0, height: 80.0, range: 30.0, speed: 1.5, edge });
    world.run_for(10 * MINUTE);
    world
}

#[test]
fn nodes_that_walk_meet_and_part() {
    let world = on_the_move(3);
    let count =
        |wanted: fn(&Event) -> bool| world.records().iter().filter(|record| wanted(&record.event)).count();
    assert!(count(|event| matches!(event, Event::LinkUp { .. })) >= 10);
    assert!(count(|event| matches!(event, Event::LinkDown { .. })) >= 10);
    for node in world.nodes() {
        let met = world.events(node).filter(|event| matches!(event, Event::Peer(_))).count();
        assert!(met > 0, "{node:?} met nobody in ten minutes");
    }
}

#[test]
fn the_same_seed_walks_the_same_ways() {
    let log = |seed| format!("{:?}", on_the_move(seed).records());
    assert_eq!(log(4), log(4));
    assert_ne!(log(4), log(5));
}
