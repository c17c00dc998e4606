//! Worlds of engines for the mesh tests: the real machines over the simulated air, in virtual time.
//!
//! The world plays the receiving half of a node (it stores, then acknowledges); the outbox is [`deliver`].
#![allow(dead_code, reason = "each test file uses its share")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for what it is about")]

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
    world.say(node, AttemptId(1), text).expect("a text that can be said");
}

/// One attempt of the engine, and no more.
pub(crate) fn whisper(world: &mut World, from: NodeId, to: NodeId, id: u8, text: &str) {
    let (to, id) = (world.peer(to), MessageId([id; 16]));
    let attempt = AttemptId(2);
    world.command(from, Command::SendPrivate { attempt, to, id, text: text.to_owned() });
}

/// Plays the outbox: another attempt whenever one came to nothing, a while later, until the receipt is there.
pub(crate) fn deliver(
    world: &mut World,
    from: NodeId,
    to: NodeId,
    id: u8,
    text: &str,
    limit: Duration,
) -> bool {
    let end = world.now() + limit;
    while world.now() < end && !is_delivered(world, from, id) {
        let before = failures(world, from, id);
        whisper(world, from, to, id, text);
        let over = |world: &World| is_delivered(world, from, id) || failures(world, from, id) > before;
        world.run_until(over, end.since(world.now()));
        world.run_for(Duration::from_secs(1));
    }
    is_delivered(world, from, id)
}

pub(crate) fn is_delivered(world: &World, node: NodeId, id: u8) -> bool {
    statuses(world, node, id).contains(&DeliveryStatus::Delivered)
}

fn failures(world: &World, node: NodeId, id: u8) -> usize {
    let failed = |event: &&Event| match event {
        Event::Expired { id: of, .. } => *of == MessageId([id; 16]),
        Event::Refused { attempt, .. } => *attempt == AttemptId(2),
        _ => false,
    };
    world.events(node).filter(failed).count()
}

/// The TTL of each time a node showed this public text.
pub(crate) fn public_ttls(world: &World, node: NodeId, wanted: &str) -> Vec<u8> {
    let shown = |event: &Event| {
        let Event::PublicMessage(message) = event else { return None };
        (message.text == wanted).then_some(message.ttl)
    };
    world.events(node).filter_map(shown).collect()
}

/// The TTL of each time a node showed this private text.
pub(crate) fn private_ttls(world: &World, node: NodeId, wanted: &str) -> Vec<u8> {
    let shown = |event: &Event| {
        let Event::PrivateMessage(message) = event else { return None };
        (message.text == wanted).then_some(message.ttl)
    };
    world.events(node).filter_map(shown).collect()
}

/// What a node was told became of a message of its own, in order; the same again counts once.
pub(crate) fn statuses(world: &World, node: NodeId, wanted: u8) -> Vec<DeliveryStatus> {
    let told = |event: &Event| {
        let (id, status) = match event {
            Event::Sent { id, .. } => (id, DeliveryStatus::Sent),
            Event::Expired { id, .. } => (id, DeliveryStatus::Expired),
            Event::Receipt { id, read: false, .. } => (id, DeliveryStatus::Delivered),
            Event::Receipt { id, read: true, .. } => (id, DeliveryStatus::Read),
            _ => return None,
        };
        (*id == MessageId([wanted; 16])).then_some(status)
    };
    let mut statuses: Vec<DeliveryStatus> = world.events(node).filter_map(told).collect();
    statuses.dedup();
    statuses
}
