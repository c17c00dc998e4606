//! Worlds of engines for the mesh tests: the real machines over the simulated air, in virtual time.
#![allow(dead_code, reason = "each test file uses its share")]

use std::time::Duration;

use hopline::ids::{AttemptId, MessageId};
use hopline::mesh::Config;
use hopline::mesh::event::{Command, Event};
use hopline::message::DeliveryStatus;
use hopline::sim::{NodeId, Topology, World};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A world in which everybody has met whom they can meet.
pub(crate) fn settled(seed: u8, topology: &Topology) -> (World, Vec<NodeId>) {
    let mut world = started(seed, topology);
    world.run_for(MINUTE);
    let nodes = world.nodes();
    (world, nodes)
}

pub(crate) fn started(seed: u8, topology: &Topology) -> World {
    let config = |name: &str| Config { nickname: name.to_owned(), ..Config::default() };
    World::with_topology([seed; 32], topology, config)
}

pub(crate) fn say(world: &mut World, node: NodeId, text: &str) {
    world.command(node, Command::SendPublic { attempt: AttemptId(1), text: text.to_owned() });
}

pub(crate) fn whisper(world: &mut World, from: NodeId, to: NodeId, id: u8, text: &str) {
    let (to, id) = (world.peer(to), MessageId([id; 16]));
    let attempt = AttemptId(2);
    world.command(from, Command::SendPrivate { attempt, to, id, text: text.to_owned() });
}

/// The TTL of each time a node showed this public text.
pub(crate) fn public_ttls(world: &World, node: NodeId, wanted: &str) -> Vec<u8> {
    let shown = |event: &Event| {
        let Event::PublicMessage { text, ttl, .. } = event else { return None };
        (text == wanted).then_some(*ttl)
    };
    world.events(node).filter_map(shown).collect()
}

/// The TTL of each time a node showed this private text.
pub(crate) fn private_ttls(world: &World, node: NodeId, wanted: &str) -> Vec<u8> {
    let shown = |event: &Event| {
        let Event::PrivateMessage { text, ttl, .. } = event else { return None };
        (text == wanted).then_some(*ttl)
    };
    world.events(node).filter_map(shown).collect()
}

/// What a node was told became of a message of its own, in order.
pub(crate) fn statuses(world: &World, node: NodeId, wanted: u8) -> Vec<DeliveryStatus> {
    let told = |event: &Event| {
        let Event::Status { id, status, .. } = event else { return None };
        (*id == MessageId([wanted; 16])).then_some(*status)
    };
    world.events(node).filter_map(told).collect()
}
