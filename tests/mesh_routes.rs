//! Pings, the map of the mesh, and private messages along source routes instead of everywhere.

mod common;

use std::time::Duration;

use common::{MINUTE, deliver, private_ttls};
use hopline::mesh::Config;
use hopline::mesh::diagnostics::{Command, Event, NotPinged};
use hopline::mesh::event;
use hopline::mesh::topology::Graph;
use hopline::sim::{Edge, NodeId, Topology, World};
use hopline::wire::Capabilities;

/// A world in which everybody has met whom they can meet, and all speak version 2 or none says so.
fn settled(seed: u8, topology: &Topology, version_2: bool) -> (World, Vec<NodeId>) {
    let capabilities = Capabilities::of(version_2.then_some(Capabilities::PRIVATE_MEDIA));
    let config = |name: &str| Config { nickname: name.to_owned(), capabilities, ..Config::default() };
    let mut world = World::with_topology([seed; 32], topology, config);
    world.run_for(MINUTE);
    let nodes = world.nodes();
    (world, nodes)
}

fn diagnosed(world: &World, node: NodeId) -> Vec<Event> {
    let diagnosed = |event: &event::Event| {
        let event::Event::Diagnostics(event) = event else { return None };
        Some(event.clone())
    };
    world.events(node).filter_map(diagnosed).collect()
}

fn map(world: &World, node: NodeId) -> Graph {
    world.engine(node).topology(world.clock(node))
}

fn ping(world: &mut World, from: NodeId, to: NodeId, nonce: u8) {
    let peer = world.peer(to);
    world.command(from, event::Command::Diagnostics(Command::Ping { peer, nonce: [nonce; 8] }));
}

fn routed(world: &World, nodes: &[NodeId]) -> u64 {
    nodes.iter().map(|&node| world.engine(node).counters().routed).sum()
}

/// The frames it takes to carry one message over a session that stands already, announces not counted.
fn frames_of_a_message(version_2: bool) -> (u64, u64) {
    // Two rows of five: a flood goes to both, a route along one.
    let (mut world, nodes) = settled(1, &Topology::grid(5, 2, Edge::default()), version_2);
    let (from, to) = (nodes[0], nodes[4]);
    assert!(deliver(&mut world, from, to, 1, "first", MINUTE));
    world.run_for(Duration::from_secs(2));
    let before: u64 = nodes.iter().map(|&node| world.engine(node).counters().relayed).sum();
    assert!(deliver(&mut world, from, to, 2, "second", Duration::from_secs(3)));
    assert_eq!(private_ttls(&world, to, "second").len(), 1);
    let after: u64 = nodes.iter().map(|&node| world.engine(node).counters().relayed).sum();
    (after - before, routed(&world, &nodes))
}

#[test]
fn a_routed_message_takes_fewer_transmissions_than_a_flood() {
    let (flooded, none) = frames_of_a_message(false);
    let (along_a_route, routes) = frames_of_a_message(true);
    assert_eq!(none, 0, "nobody was seen to speak version 2");
    assert!(routes >= 2, "the message and its receipt, at least");
    assert!(along_a_route < flooded, "{along_a_route} relays along a route, {flooded} flooding");
}

#[test]
fn in_a_line_of_five_a_routed_message_crosses_and_is_heard_by_nobody_beside_its_way() {
    let (mut world, nodes) = settled(2, &Topology::chain(5, Edge::default()), true);
    assert!(deliver(&mut world, nodes[1], nodes[4], 1, "first", MINUTE));
    world.run_for(Duration::from_secs(2));
    let heard = world.engine(nodes[0]).counters().received;
    assert!(deliver(&mut world, nodes[1], nodes[4], 2, "along the line", Duration::from_secs(3)));
    assert!(routed(&world, &nodes) >= 2);
    assert_eq!(private_ttls(&world, nodes[4], "along the line"), [5], "over three hops");
    let announces = 4;
    assert!(world.engine(nodes[0]).counters().received <= heard + announces);
}

#[test]
fn when_a_hop_dies_the_flood_takes_over() {
    let (mut world, nodes) = settled(3, &Topology::grid(5, 2, Edge::default()), true);
    let (from, to) = (nodes[0], nodes[4]);
    assert!(deliver(&mut world, from, to, 1, "first", MINUTE));
    let path = map(&world, from).path(world.peer(to)).expect("a path");
    assert_eq!(path.len(), 3);
    let middle = nodes.iter().copied().find(|&node| world.peer(node) == path[1]).expect("one of them");
    let before = world.engine(from).counters().routed;
    world.switch_off(world.station(middle));
    assert!(deliver(&mut world, from, to, 2, "around it", MINUTE));
    assert!(world.engine(from).counters().routed > before, "the route was tried");
    assert_eq!(private_ttls(&world, to, "around it").len(), 1);
}

#[test]
fn everybody_sees_the_same_map() {
    let (world, nodes) = settled(4, &Topology::chain(5, Edge::default()), true);
    for &node in &nodes {
        let graph = map(&world, node);
        assert_eq!((graph.nodes.len(), graph.edges.len()), (5, 4), "{node:?}");
        assert!(graph.edges.iter().all(|edge| edge.confirmed), "{:?}", graph.edges);
    }
    let graph = map(&world, nodes[0]);
    let way: Vec<_> = [1, 2, 3].map(|n| world.peer(nodes[n])).into();
    assert_eq!(graph.path(world.peer(nodes[4])), Some(way));
    let hops =
        |n: usize| graph.nodes.iter().find(|it| it.peer == world.peer(nodes[n])).and_then(|it| it.hops);
    assert_eq!([0, 1, 2, 3, 4].map(hops), [Some(0), Some(1), Some(2), Some(3), Some(4)]);
}

#[test]
fn a_ping_tells_the_hops_and_one_into_the_void_is_lost() {
    let (mut world, nodes) = settled(5, &Topology::chain(5, Edge::default()), true);
    for (nonce, to) in [(1, 1), (2, 2), (3, 4)] {
        ping(&mut world, nodes[0], nodes[to], nonce);
    }
    let own = nodes[0];
    ping(&mut world, own, own, 4);
    world.run_for(Duration::from_secs(2));
    let hops = |nonce: u8| {
        diagnosed(&world, own).into_iter().find_map(|event| {
            let Event::Pong { nonce: of, hops, .. } = event else { return None };
            (of == [nonce; 8]).then_some(hops)
        })
    };
    assert_eq!([1, 2, 3].map(hops), [Some(Some(1)), Some(Some(2)), Some(Some(4))]);
    let (peer, nonce, reason) = (world.peer(own), [4; 8], NotPinged::Own);
    assert!(diagnosed(&world, own).contains(&Event::PingRefused { peer, nonce, reason }));

    world.switch_off(world.station(nodes[4]));
    ping(&mut world, own, nodes[4], 5);
    world.run_for(Duration::from_secs(10));
    assert!(diagnosed(&world, own).contains(&Event::PingLost { peer: world.peer(nodes[4]), nonce: [5; 8] }));
}
