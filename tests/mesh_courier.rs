//! Mail for who is away: islands and a walker, couriers, prekeys, and who would misuse them.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

mod common;

use std::time::Duration;

use common::{MINUTE, deliver, private_ttls};
use hopline::crypto::courier::{self, OpenWith};
use hopline::ids::{AttemptId, MessageId};
use hopline::mesh::Config;
use hopline::mesh::courier::event::{Command as Courier, Event as CourierEvent};
use hopline::mesh::error::DropReason;
use hopline::mesh::event::{Command, Event};
use hopline::mesh::kept::{Kept, Shelf};
use hopline::mesh::trust::Standing;
use hopline::sim::{Edge, NodeId, Topology, World};
use hopline::time::UnixMillis;
use hopline::wire::{Capabilities, CourierEnvelope};

const FAVOURITE: Standing = Standing { favourite: true, verified: false, blocked: false };
const VERIFIED: Standing = Standing { favourite: false, verified: true, blocked: false };
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Two islands of two, and a walker who is at neither; everybody knows everybody, as contacts do.
struct Islands {
    world: World,
    left: [NodeId; 2],
    right: [NodeId; 2],
    walker: NodeId,
}

impl Islands {
    fn new(seed: u8, capabilities: Capabilities) -> Self {
        let topology: Topology = "a1 a2\nb1 b2\nwalker".parse().unwrap();
        let config = |name: &str| {
            let capabilities = if name == "walker" { Capabilities::HOPLINE } else { capabilities };
            Config { nickname: name.to_owned(), capabilities, ..Config::default() }
        };
        let mut world = World::with_topology([seed; 32], &topology, config);
        let nodes = world.nodes();
        for &node in &nodes {
            for &other in &nodes {
                world.introduce(node, other, FAVOURITE);
            }
        }
        world.run_for(MINUTE);
        let (left, right) = ([nodes[0], nodes[1]], [nodes[2], nodes[3]]);
        Self { world, left, right, walker: nodes[4] }
    }

    /// The walker visits somebody for a minute.
    fn visit(&mut self, node: NodeId) {
        let (walker, there) = (self.world.station(self.walker), self.world.station(node));
        self.world.join(walker, there, Edge::default());
        self.world.run_for(MINUTE);
        self.world.cut(walker, there);
        self.world.run_for(MINUTE);
    }

    fn texts(&self, node: NodeId, text: &str) -> usize {
        private_ttls(&self.world, node, text).len()
    }
}

fn leave_for(world: &mut World, from: NodeId, to: NodeId, id: u8, text: &str) {
    let (to, id) = (world.peer(to), MessageId([id; 16]));
    let (written, text) = (world.clock(from).unix, text.to_owned());
    let expires = written + 24 * HOUR;
    world.command(from, Command::Courier(Courier::Deposit { to, id, text, written, expires }));
}

fn dropped(world: &World, node: NodeId, reason: DropReason) -> u64 {
    world.engine(node).counters().dropped.get(&reason).copied().unwrap_or_default()
}

#[test]
fn a_walker_between_two_islands_carries_all_private_mail_and_each_arrives_once() {
    for (seed, capabilities) in [(1, Capabilities::HOPLINE), (2, Capabilities::NONE)] {
        let mut islands = Islands::new(seed, capabilities);
        let ([a1, a2], [b1, b2]) = (islands.left, islands.right);
        let long = "in two parts ".repeat(30);
        leave_for(&mut islands.world, a1, b1, 1, "from a1");
        leave_for(&mut islands.world, a1, b2, 2, &long);
        leave_for(&mut islands.world, a2, b2, 3, "from a2");
        leave_for(&mut islands.world, b1, a1, 4, "from b1");
        for node in [a1, a2, b1, b2, a1, a2] {
            islands.visit(node);
        }
        for (node, text) in [(b1, "from a1"), (b2, long.as_str()), (b2, "from a2"), (a1, "from b1")] {
            assert_eq!(islands.texts(node, text), 1, "{text}");
        }
        for node in [a1, a2, b1, b2] {
            assert!(
                islands.world.events(islands.walker).all(|event| !matches!(event, Event::PrivateMessage(_))),
                "{node:?}: the courier reads nothing"
            );
        }
        assert_eq!(islands.world.engine(islands.walker).courier_report().carried, 0);
    }
}

/// The envelopes that a node carries, as they are on its disk.
fn carried(world: &World, node: NodeId) -> Vec<CourierEnvelope> {
    let envelope = |kept: Kept| {
        let value =
            (kept.shelf == Shelf::Courier && kept.key.first() == Some(&b'c')).then_some(kept.value)?;
        // A version, a tier, who left it, and those who have a share.
        let given = usize::from(*value.get(10)?);
        CourierEnvelope::decode(&value.slice(11 + 8 * given..)).ok()
    };
    world.kept(node).into_iter().filter_map(envelope).collect()
}

#[test]
fn where_the_walker_walked_before_mail_is_sealed_to_prekeys_and_no_stolen_static_key_opens_it() {
    let mut islands = Islands::new(11, Capabilities::HOPLINE);
    let ([a1, _], [b1, _]) = (islands.left, islands.right);
    for node in [b1, a1] {
        islands.visit(node);
    }
    let prekeys = |islands: &Islands| islands.world.engine(b1).courier_report().prekeys;
    let before = prekeys(&islands);
    leave_for(&mut islands.world, a1, b1, 1, "to a prekey");
    islands.visit(a1);
    let mail = carried(&islands.world, islands.walker);
    assert_eq!((mail.len(), mail[0].prekey.is_some()), (1, true));
    let (writer, reader) = (islands.world.identity(a1), islands.world.identity(b1));
    assert!(
        courier::open(OpenWith::Static(&reader), &mail[0].ciphertext).is_err(),
        "a thief of the static key"
    );
    assert!(courier::open(OpenWith::Static(&writer), &mail[0].ciphertext).is_err(), "nor who wrote it");

    islands.visit(b1);
    assert_eq!(islands.texts(b1, "to a prekey"), 1);
    assert_eq!(prekeys(&islands), before - 1, "it is used up");
    // Its neighbours and the walker know of the same.
    let texts = ["the next", "and the next"];
    for (id, text) in (2..).zip(texts) {
        islands.visit(a1);
        leave_for(&mut islands.world, a1, b1, id, text);
        islands.visit(a1);
        let next = carried(&islands.world, islands.walker);
        assert_eq!(next.len(), 1);
        assert!(next[0].prekey.is_some() && next[0].prekey != mail[0].prekey, "to another");
        islands.visit(b1);
        assert_eq!(islands.texts(b1, text), 1);
    }
    assert_eq!(prekeys(&islands), before - 3);
}

#[test]
fn what_a_courier_brought_and_what_is_sent_when_they_meet_is_shown_once_and_receipted() {
    let mut islands = Islands::new(3, Capabilities::HOPLINE);
    let (a1, b1) = (islands.left[0], islands.right[0]);
    leave_for(&mut islands.world, a1, b1, 1, "twice on its way");
    islands.visit(a1);
    let told = |event: &Event| {
        *event == Event::Courier(CourierEvent::Deposited { id: MessageId([1; 16]), couriers: 1 })
    };
    assert!(islands.world.events(a1).any(told));
    islands.visit(b1);
    assert_eq!(islands.texts(b1, "twice on its way"), 1);
    let receipt = |event: &Event| matches!(event, Event::Receipt { id: MessageId([1, 1, ..]), .. });
    assert!(!islands.world.events(a1).any(receipt), "a courier's taking it is no delivery");

    let (left, right) = (islands.world.station(a1), islands.world.station(b1));
    islands.world.join(left, right, Edge::default());
    islands.world.run_for(MINUTE);
    assert!(islands.world.events(a1).any(receipt), "the receipt waited for the two to meet");
    assert!(deliver(&mut islands.world, a1, b1, 1, "twice on its way", MINUTE));
    assert_eq!(islands.texts(b1, "twice on its way"), 1);
    assert_eq!(islands.world.engine(a1).courier_report().waiting, 0);
}

#[test]
fn a_courier_that_was_killed_still_has_the_mail() {
    let mut islands = Islands::new(4, Capabilities::HOPLINE);
    let (a1, b1) = (islands.left[0], islands.right[0]);
    leave_for(&mut islands.world, a1, b1, 1, "through a restart");
    islands.visit(a1);
    let walker = islands.walker;
    let told = |world: &World| {
        let told = |event: &Event| if let Event::Courier(told) = event { Some(told.clone()) } else { None };
        world.events(a1).filter_map(told).collect::<Vec<_>>()
    };
    islands.world.restart(walker);
    assert_eq!(islands.world.engine(walker).courier_report().carried, 1);
    let before = told(&islands.world);
    islands.world.restart(a1);
    let again = told(&islands.world).split_off(before.len());
    assert_eq!(again.last(), before.last(), "how many have it is told again");
    islands.world.restart(b1);
    islands.visit(b1);
    assert_eq!(islands.texts(b1, "through a restart"), 1);
}

#[test]
fn mail_expires_after_a_day_wherever_it_is() {
    let mut islands = Islands::new(5, Capabilities::HOPLINE);
    let (a1, b1) = (islands.left[0], islands.right[0]);
    leave_for(&mut islands.world, a1, b1, 1, "too late");
    islands.visit(a1);
    islands.world.run_for(24 * HOUR);
    assert_eq!(islands.world.engine(islands.walker).courier_report().carried, 0);
    assert_eq!(islands.world.engine(a1).courier_report().waiting, 0);
    islands.visit(b1);
    assert_eq!(islands.texts(b1, "too late"), 0);
}

#[test]
fn a_courier_shares_its_copies_with_another_and_whoever_comes_first_hands_over() {
    let mut islands = Islands::new(6, Capabilities::HOPLINE);
    let (a1, a2, b1) = (islands.left[0], islands.left[1], islands.right[0]);
    let (one, two) = (islands.world.station(a1), islands.world.station(a2));
    islands.world.cut(one, two);
    islands.world.run_for(2 * MINUTE);
    leave_for(&mut islands.world, a1, b1, 1, "in two pockets");
    islands.visit(a1);
    islands.visit(a2);
    assert_eq!(islands.world.engine(a2).courier_report().carried, 1);
    assert_eq!(islands.world.engine(islands.walker).courier_report().counts.shared, 1);

    let (two, there) = (islands.world.station(a2), islands.world.station(b1));
    islands.world.join(two, there, Edge::default());
    islands.world.run_for(MINUTE);
    assert_eq!(islands.texts(b1, "in two pockets"), 1);
    islands.visit(b1);
    assert_eq!(islands.texts(b1, "in two pockets"), 1);
    assert_eq!(dropped(&islands.world, b1, DropReason::CourierReplay), 1, "the second one is counted");
}

#[test]
fn mail_is_handed_over_through_other_nodes_too() {
    let mut islands = Islands::new(7, Capabilities::HOPLINE);
    let (a1, [b1, b2]) = (islands.left[0], islands.right);
    leave_for(&mut islands.world, a1, b1, 1, "over b2");
    islands.visit(a1);
    islands.visit(b2);
    assert_eq!(islands.texts(b1, "over b2"), 1);
}

#[test]
fn as_much_is_left_with_a_courier_as_it_keeps_and_the_oldest_first() {
    let topology: Topology = "friend courier\nstranger courier".parse().unwrap();
    let config = |name: &str| Config { nickname: name.to_owned(), ..Config::default() };
    let mut world = World::with_topology([8; 32], &topology, config);
    let absent = world.add_node(config("absent"));
    let [friend, courier, stranger] = <[NodeId; 3]>::try_from(&world.nodes()[..3]).unwrap();
    // The courier and the friend are favourites of each other; the stranger takes it for a courier, unknown to it.
    world.introduce(courier, friend, FAVOURITE);
    world.introduce(friend, courier, FAVOURITE);
    world.introduce(stranger, courier, VERIFIED);
    for node in [friend, stranger] {
        world.introduce(node, absent, VERIFIED);
    }
    world.run_for(MINUTE);
    for id in 1..=20 {
        let text = if id == 4 { "in two parts ".repeat(30) } else { "in one".to_owned() };
        leave_for(&mut world, friend, absent, 21 - id, &text);
        leave_for(&mut world, stranger, absent, 121 - id, "from a stranger");
        world.run_for(Duration::from_millis(1));
    }
    world.run_for(MINUTE);
    let report = world.engine(courier).courier_report();
    assert_eq!((report.carried, report.counts.taken), (7, 7));
    assert_eq!(dropped(&world, courier, DropReason::CourierFull), 0);
    let left = |node| {
        let told = |event: &Event| {
            let Event::Courier(CourierEvent::Deposited { id, couriers: 1 }) = event else { return None };
            Some(id.0[0])
        };
        world.events(node).filter_map(told).collect::<Vec<_>>()
    };
    assert_eq!((left(friend), left(stranger)), (vec![20, 19, 18, 17], vec![120, 119]));
}

#[test]
fn mail_to_a_prekey_uses_it_up_and_the_next_goes_to_another() {
    let topology = Topology::full(3, Edge::default());
    let config = |name: &str| Config { nickname: name.to_owned(), ..Config::default() };
    let mut world = World::with_topology([9; 32], &topology, config);
    let [writer, courier, reader] = <[NodeId; 3]>::try_from(world.nodes()).unwrap();
    for (node, other) in [(writer, courier), (courier, writer), (writer, reader), (courier, reader)] {
        world.introduce(node, other, VERIFIED);
    }
    world.run_for(MINUTE);
    assert_eq!(world.engine(writer).courier_report().bundles, 2);
    let stations = [writer, courier, reader].map(|node| world.station(node));
    for round in 1..=3 {
        world.cut(stations[2], stations[0]);
        world.cut(stations[2], stations[1]);
        world.run_for(2 * MINUTE);
        let text = format!("round {round}");
        leave_for(&mut world, writer, reader, round, &text);
        world.run_for(MINUTE);
        assert_eq!(world.engine(reader).courier_report().prekeys, 9 - usize::from(round));
        world.join(stations[2], stations[1], Edge::default());
        world.run_for(MINUTE);
        assert_eq!(private_ttls(&world, reader, &text).len(), 1);
        assert_eq!(world.engine(reader).courier_report().prekeys, 8 - usize::from(round));
    }
    let attempts = |event: &Event| matches!(event, Event::Sent { attempt: AttemptId(_), .. });
    assert!(!world.events(writer).any(attempts), "nothing of it is an attempt");
}

#[test]
fn a_text_left_while_the_clock_is_not_set_goes_to_a_courier_once_it_is() {
    let topology = Topology::full(3, Edge::default());
    let floor = UnixMillis(1_800_000_000_000);
    let config = |name: &str| Config { nickname: name.to_owned(), clock_floor: floor, ..Config::default() };
    let mut world = World::with_topology([10; 32], &topology, config);
    let [writer, courier, reader] = <[NodeId; 3]>::try_from(world.nodes()).unwrap();
    for (node, other) in [(writer, courier), (courier, writer), (writer, reader), (courier, reader)] {
        world.introduce(node, other, VERIFIED);
    }
    world.run_for(MINUTE);
    let stations = [writer, courier, reader].map(|node| world.station(node));
    world.cut(stations[2], stations[0]);
    world.cut(stations[2], stations[1]);
    world.run_for(2 * MINUTE);

    let (to, text) = (world.peer(reader), "from 1970".to_owned());
    let written = world.clock(writer).unix;
    let expires = written + 7 * 24 * HOUR;
    world.set_clock_error(writer, -1_800_000_000_000);
    let deposit = Courier::Deposit { to, id: MessageId([1; 16]), text, written, expires };
    world.command(writer, Command::Courier(deposit));
    world.run_for(MINUTE);
    assert_eq!(world.engine(courier).courier_report().carried, 0, "nothing leaves by a wrong clock");
    world.set_clock_error(writer, 0);
    world.run_for(MINUTE);
    assert_eq!(world.engine(courier).courier_report().carried, 1);
    assert_eq!(dropped(&world, courier, DropReason::CourierExpiry), 0);
    world.join(stations[2], stations[1], Edge::default());
    world.run_for(MINUTE);
    assert_eq!(private_ttls(&world, reader, "from 1970").len(), 1);
}
