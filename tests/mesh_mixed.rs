//! Meshes of one kind of node and of all kinds: nodes that relay by the rules of the iOS app, of the Android app and by
//! ours, in one network. A mixed network delivers no worse than any of its kinds alone.
//!
//! Run with `--nocapture` to see the figures.
//! `HOPLINE_MIXED_SEEDS=100 cargo test --release --test mesh_mixed -- --nocapture` runs as many worlds of each sort.

#![expect(clippy::print_stdout, reason = "the figures are what one looks at")]

mod common;

use std::cell::Cell;
use std::time::Duration;

use common::{MINUTE, deliver, private_ttls, public_ttls, say};
use hopline::mesh::{Config, Policy};
use hopline::sim::{Edge, Topology, World};

const KINDS: [Policy; 3] = [Policy::Ios, Policy::Android, Policy::Hopline];
/// Worlds of each sort when nobody says otherwise.
const SEEDS: u8 = 3;
/// Public messages in each world, each from another node.
const MESSAGES: usize = 6;
/// Private messages in each world, to who is far away.
const PRIVATE: usize = 3;
/// Time for a message to cross, and too little for anybody to ask again what they missed.
const CROSSING: Duration = Duration::from_secs(4);
/// Time for neighbours to ask each other for what got lost (spec 3.7), hop by hop.
const CATCHING_UP: Duration = Duration::from_secs(180);

/// What became of the messages of some worlds.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    wanted: usize,
    /// Within [`CROSSING`].
    delivered: usize,
    /// After [`CATCHING_UP`].
    in_the_end: usize,
    /// Private messages that were decrypted, and acknowledged, once each.
    private: usize,
    private_wanted: usize,
    frames: u64,
}

impl Figures {
    /// Of a thousand, at once.
    fn permille(self) -> usize {
        self.delivered * 1000 / self.wanted.max(1)
    }

    /// Of a thousand, in the end.
    fn permille_in_the_end(self) -> usize {
        self.in_the_end * 1000 / self.wanted.max(1)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            wanted: self.wanted + other.wanted,
            delivered: self.delivered + other.delivered,
            in_the_end: self.in_the_end + other.in_the_end,
            private: self.private + other.private,
            private_wanted: self.private_wanted + other.private_wanted,
            frames: self.frames + other.frames,
        }
    }
}

/// Everybody within reach of the TTL hears everybody: how many messages arrived where they should.
fn run(seed: u8, topology: &Topology, policies: &[Policy]) -> Figures {
    let next = Cell::new(0);
    let config = |name: &str| {
        let policy = policies[next.replace(next.get() + 1) % policies.len()];
        Config { nickname: name.to_owned(), policy, ..Config::default() }
    };
    let mut world = World::with_topology([seed; 32], topology, config);
    world.run_for(MINUTE);
    let nodes = world.nodes();
    let mut figures = Figures::default();
    for number in 0..MESSAGES {
        let author = nodes[number * nodes.len() / MESSAGES];
        let text = format!("message {number}");
        let before = world.air().counters().frames;
        say(&mut world, author, &text);
        world.run_for(CROSSING);
        figures.frames += world.air().counters().frames - before;
        for &node in nodes.iter().filter(|&&node| node != author) {
            figures.wanted += 1;
            figures.delivered += public_ttls(&world, node, &text).len();
        }
    }
    world.run_for(CATCHING_UP);
    for number in 0..MESSAGES {
        let text = format!("message {number}");
        figures.in_the_end += nodes.iter().map(|&node| public_ttls(&world, node, &text).len()).sum::<usize>();
    }
    for number in 0..PRIVATE {
        let (from, to) = (nodes[number], nodes[(number + nodes.len() / 2) % nodes.len()]);
        let text = format!("private {number}");
        let id = u8::try_from(100 + number).unwrap_or_default();
        let acknowledged = deliver(&mut world, from, to, id, &text, 2 * MINUTE);
        figures.private_wanted += 1;
        figures.private += usize::from(acknowledged && private_ttls(&world, to, &text).len() == 1);
    }
    figures
}

/// Each kind alone, and all three mixed, each at each place once.
fn compare(name: &str, topology: &Topology, seeds: std::ops::RangeInclusive<u8>) -> ([Figures; 3], Figures) {
    let all = |policies: &[Policy]| {
        seeds.clone().map(|seed| run(seed, topology, policies)).fold(Figures::default(), Figures::plus)
    };
    let single = KINDS.map(|kind| all(&[kind]));
    let [a, b, c] = KINDS;
    let mixed = [[a, b, c], [b, c, a], [c, a, b]].map(|order| all(&order));
    let mixed = mixed.into_iter().fold(Figures::default(), Figures::plus);
    for (kind, figures) in KINDS.map(|kind| format!("{kind:?}")).iter().zip(single) {
        tell(name, kind, figures);
    }
    tell(name, "mixed", mixed);
    (single, mixed)
}

fn tell(topology: &str, kind: &str, figures: Figures) {
    let Figures { wanted, delivered, in_the_end, private, private_wanted, frames } = figures;
    let share = figures.permille();
    let each = frames * 10 / u64::try_from(wanted.max(1)).unwrap_or(u64::MAX);
    println!(
        "{topology:>8} {kind:>8}: {delivered} of {wanted} ({}.{} %) at once with {}.{} frames each, {in_the_end} in the end; \
         {private} of {private_wanted} private",
        share / 10,
        share % 10,
        each / 10,
        each % 10
    );
}

/// Frames get lost outright, and connections stutter.
fn lossy() -> Edge {
    Edge { loss: 0.1, drop: 0.08, ..Edge::default() }
}

/// Sparse, dense, and as long as the TTL reaches.
///
/// What counts is what arrives in the end: of a thousand one is allowed for. What crosses at once are a few dozen floods
/// of each kind, one lost frame of which can cost everybody behind it: that much is chance.
#[test]
fn a_mixed_mesh_delivers_no_worse_than_any_of_its_kinds() {
    let chance = 60;
    let seeds = std::env::var("HOPLINE_MIXED_SEEDS").map_or(SEEDS, |seeds| seeds.parse().expect("up to 255"));
    let topologies = [
        ("chain", Topology::chain(8, lossy())),
        ("ring", Topology::ring(10, lossy())),
        ("grid", Topology::grid(4, 3, lossy())),
        ("crowd", Topology::full(9, lossy())),
    ];
    let compared: Vec<_> = std::thread::scope(|scope| {
        let running =
            topologies.iter().map(|(name, topology)| scope.spawn(move || compare(name, topology, 1..=seeds)));
        let running: Vec<_> = running.collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let best = |single: [Figures; 3], share: fn(Figures) -> usize| single.map(share).into_iter().max();
    let (mut singles, mut mixed) = ([Figures::default(); 3], Figures::default());
    for ((name, _), (single, of_all)) in topologies.iter().zip(compared) {
        let most = best(single, Figures::permille_in_the_end).unwrap_or_default();
        assert!(of_all.permille_in_the_end() + 1 >= most, "{name}: {single:?}, mixed {of_all:?}");
        assert_eq!(of_all.private, of_all.private_wanted, "{name}: {single:?}, mixed {of_all:?}");
        for (sum, figures) in singles.iter_mut().zip(single) {
            *sum = sum.plus(figures);
        }
        mixed = mixed.plus(of_all);
    }
    for (kind, figures) in KINDS.map(|kind| format!("{kind:?}")).iter().zip(singles) {
        tell("all", kind, figures);
    }
    tell("all", "mixed", mixed);
    let most = best(singles, Figures::permille).unwrap_or_default();
    assert!(mixed.permille() + chance >= most, "{singles:?}, mixed {mixed:?}");
}
