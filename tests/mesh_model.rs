//! A model of a few nodes and of what happens to them, held against the real engines, step by step.
//!
//! Each run draws its steps from a seed: nodes come, go, walk to others, are killed and started again, their clocks
//! jump, their links break, and meanwhile they talk. After every step what the engines told is held against what
//! the model knows to be true. In the end everybody is brought together, and everything public that was ever said
//! has to be everywhere.
//!
//! `HOPLINE_MODEL_RUNS=20000 cargo test --release --test mesh_model -- --nocapture` runs as many seeds,
//! `HOPLINE_MODEL_FIRST=5632 HOPLINE_MODEL_RUNS=1` the one that a failure named.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for what it is about")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hopline::ids::{AttemptId, MessageId, PeerId};
use hopline::mesh::Config;
use hopline::mesh::event::{Command, Event, PrivateMessage, PublicMessage, Reach};
use hopline::sim::{Edge, NodeId, World};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// Runs when nobody says otherwise.
const RUNS: u64 = 60;
/// Steps of one run.
const STEPS: u32 = 24;
/// How far a clock may be off, in milliseconds.
const SKEW: u64 = 120_000;
/// How long everybody is together in the end.
const REUNION: Duration = Duration::from_secs(240);

#[test]
fn whatever_happens_nothing_false_is_told_and_in_the_end_everybody_knows_everything() {
    let told = |name, usual| std::env::var(name).map_or(usual, |told| told.parse().expect("a number"));
    let (first, runs) = (told("HOPLINE_MODEL_FIRST", 0), told("HOPLINE_MODEL_RUNS", RUNS));
    let seeds = AtomicU64::new(first);
    let work = || {
        let mut totals = Totals::default();
        loop {
            let seed = seeds.fetch_add(1, Ordering::Relaxed);
            if seed >= first + runs {
                return totals;
            }
            totals.add(&lived(seed));
            if seed.is_multiple_of(1_000) {
                println!("up to seed {seed}");
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let totals = std::thread::scope(|scope| {
        let working: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let done = working.into_iter().map(|worker| worker.join().expect("no run fails"));
        done.fold(Totals::default(), Totals::plus)
    });
    println!("{runs} runs: {totals:?}");
    assert!(totals.public > runs && totals.private > runs / 4, "hardly anything was said: {totals:?}");
}

/// A run from its first step to the reunion.
fn lived(seed: u64) -> Model {
    let mut model = Model::new(seed);
    for _ in 0..STEPS {
        model.step();
        model.check();
    }
    model.reunite();
    model
}

/// What the runs came to, to see that they were about something.
#[derive(Debug, Default)]
struct Totals {
    public: u64,
    private: u64,
    restarts: u64,
    minutes: u64,
}

impl Totals {
    fn plus(self, other: Self) -> Self {
        Self {
            public: self.public + other.public,
            private: self.private + other.private,
            restarts: self.restarts + other.restarts,
            minutes: self.minutes + other.minutes,
        }
    }

    fn add(&mut self, model: &Model) {
        let count = |length: usize| u64::try_from(length).expect("a small number");
        self.public += count(model.shown.len());
        self.private += count(model.delivered.len());
        self.restarts += model.lives.iter().map(|life| u64::from(*life)).sum::<u64>();
        self.minutes += model.world.now().since_start().as_secs() / 60;
    }
}

/// What is true of the nodes, beside the nodes.
struct Model {
    seed: u64,
    rng: ChaCha8Rng,
    world: World,
    nodes: Vec<NodeId>,
    edges: BTreeSet<(usize, usize)>,
    on: Vec<bool>,
    /// How often each was started again.
    lives: Vec<u32>,
    /// Everything that was said to everyone, and by whom.
    said: BTreeMap<MessageId, (usize, String)>,
    /// Everything that was said to one, by whom, and to whom.
    whispered: BTreeMap<MessageId, (usize, usize, String)>,
    /// Which public messages were on a link at least.
    sent: BTreeSet<MessageId>,
    /// What each node showed in each of its lives.
    shown: BTreeSet<(usize, u32, MessageId)>,
    /// Private messages of which a node was told that nobody answered.
    expired: BTreeSet<MessageId>,
    /// Private messages that their recipient decrypted.
    delivered: BTreeSet<MessageId>,
    /// Records that were checked.
    checked: usize,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut world_seed = [0; 32];
        rng.fill_bytes(&mut world_seed);
        let mut world = World::new(world_seed);
        let count = 3 + pick(&mut rng, 3);
        let nodes: Vec<NodeId> = (0..count)
            .map(|number| world.add_node(Config { nickname: format!("node {number}"), ..Config::default() }))
            .collect();
        let (on, lives) = (vec![true; count], vec![0; count]);
        let mut model = Self {
            seed,
            rng,
            world,
            nodes,
            edges: BTreeSet::new(),
            on,
            lives,
            said: BTreeMap::new(),
            whispered: BTreeMap::new(),
            sent: BTreeSet::new(),
            shown: BTreeSet::new(),
            expired: BTreeSet::new(),
            delivered: BTreeSet::new(),
            checked: 0,
        };
        (1..count).for_each(|node| model.join(node - 1, node));
        model.pass(30);
        model
    }

    /// One thing happens, and some time passes.
    fn step(&mut self) {
        let (a, b) = self.two();
        match pick(&mut self.rng, 12) {
            0 => self.join(a, b),
            1 => self.cut(a, b),
            2 => self.walk(a, b),
            3 => self.switch(a),
            4 => self.restart(a),
            5 => {
                let off = i64::try_from(self.rng.next_u64() % (2 * SKEW + 1)).expect("it is small");
                self.world.set_clock_error(self.nodes[a], off - i64::try_from(SKEW).expect("it is small"));
            }
            6 => self.world.command(self.nodes[a], Command::Leave),
            7..=9 => self.say(a),
            _ => self.whisper(a, b),
        }
        let seconds = pick(&mut self.rng, 40);
        self.pass(u64::try_from(seconds).expect("it is small"));
    }

    fn join(&mut self, a: usize, b: usize) {
        let quality = match pick(&mut self.rng, 3) {
            0 => Edge { loss: 0.1, drop: 0.02, ..Edge::default() },
            1 => Edge { mtu: 185, ..Edge::default() },
            _ => Edge::default(),
        };
        if self.edges.insert((a.min(b), a.max(b))) {
            self.world.join(self.world.station(self.nodes[a]), self.world.station(self.nodes[b]), quality);
        }
    }

    fn cut(&mut self, a: usize, b: usize) {
        if self.edges.remove(&(a.min(b), a.max(b))) {
            self.world.cut(self.world.station(self.nodes[a]), self.world.station(self.nodes[b]));
        }
    }

    /// Away from everybody, and to one other.
    fn walk(&mut self, a: usize, b: usize) {
        (0..self.nodes.len()).filter(|&other| other != a).for_each(|other| self.cut(a, other));
        self.join(a, b);
    }

    fn switch(&mut self, node: usize) {
        let station = self.world.station(self.nodes[node]);
        self.on[node] = !self.on[node];
        if self.on[node] { self.world.switch_on(station) } else { self.world.switch_off(station) }
    }

    fn restart(&mut self, node: usize) {
        // What it told before is checked as what its earlier life told.
        self.check();
        self.world.restart(self.nodes[node]);
        self.lives[node] += 1;
        self.on[node] = true;
    }

    fn say(&mut self, node: usize) {
        let text = format!("message {} of node {node}", self.said.len());
        let attempt = AttemptId(u64::try_from(self.said.len()).expect("it is small"));
        let id = self.world.say(self.nodes[node], attempt, &text).expect("a text that can be said");
        self.said.insert(id, (node, text));
    }

    fn whisper(&mut self, from: usize, to: usize) {
        let mut id = MessageId([0; 16]);
        self.rng.fill_bytes(&mut id.0);
        let text = format!("message {} from node {from} to node {to}", self.whispered.len());
        self.whispered.insert(id, (from, to, text));
        self.send(id);
    }

    fn send(&mut self, id: MessageId) {
        let (from, to, text) = self.whispered[&id].clone();
        let (attempt, to) = (AttemptId(1_000_000), self.world.peer(self.nodes[to]));
        self.world.command(self.nodes[from], Command::SendPrivate { attempt, to, id, text });
    }

    fn pass(&mut self, seconds: u64) {
        self.world.run_for(Duration::from_secs(seconds));
    }

    /// Holds what was told since the last time against what is true.
    fn check(&mut self) {
        let told: Vec<(usize, Event)> = self.world.records()[self.checked..]
            .iter()
            .map(|record| (self.number(record.node), record.event.clone()))
            .collect();
        self.checked += told.len();
        for (node, event) in told {
            match event {
                Event::PublicMessage(message) => self.shows(node, &message),
                Event::PrivateMessage(message) => self.decrypts(node, &message),
                Event::Receipt { from, id, .. } => self.hears_of(node, from, id),
                Event::Sent { id, .. } if self.said.contains_key(&id) => {
                    self.sent.insert(id);
                }
                Event::Expired { id, .. } => {
                    self.expired.insert(id);
                }
                Event::Peer(peer) => {
                    let known = self.nodes.iter().any(|&other| self.world.peer(other) == peer.id);
                    assert!(known && peer.id != self.peer(node), "{}: a peer that does not exist", self.seed);
                    assert_eq!(peer.reach == Reach::Direct, !peer.links.is_empty(), "{}", self.seed);
                }
                _ => {}
            }
        }
    }

    fn shows(&mut self, node: usize, message: &PublicMessage) {
        let (author, text) = self.said.get(&message.id).expect("a message that nobody wrote was shown");
        assert_eq!((&message.text, message.sender), (text, self.peer(*author)), "{}", self.seed);
        if *author == node {
            // Its own words come back to it after a restart alone.
            return;
        }
        let news = self.shown.insert((node, self.lives[node], message.id));
        assert!(news, "{}: node {node} showed {text:?} twice", self.seed);
    }

    fn decrypts(&mut self, node: usize, message: &PrivateMessage) {
        let (from, to, text) =
            self.whispered.get(&message.id).expect("a message that nobody wrote was shown");
        let true_one = (*to, self.peer(*from), text);
        assert_eq!((node, message.sender, &message.text), true_one, "{}", self.seed);
        assert!(self.delivered.insert(message.id), "{}: {text:?} was delivered twice", self.seed);
    }

    fn hears_of(&mut self, node: usize, from: PeerId, id: MessageId) {
        let (author, to, text) = self.whispered.get(&id).expect("a receipt for a message that nobody wrote");
        assert_eq!((node, from), (*author, self.peer(*to)), "{}: a receipt of somebody else", self.seed);
        assert!(self.delivered.contains(&id), "{}: a receipt for {text:?}, which is not there", self.seed);
    }

    /// Everybody is on, right about the time, and near the next: then all is said to all.
    fn reunite(&mut self) {
        for node in 0..self.nodes.len() {
            self.world.set_clock_error(self.nodes[node], 0);
            if !self.on[node] {
                self.switch(node);
            }
            if node > 0 {
                self.cut(node - 1, node);
                let (before, after) = (self.nodes[node - 1], self.nodes[node]);
                self.world.join(self.world.station(before), self.world.station(after), Edge::default());
                self.edges.insert((node - 1, node));
            }
        }
        self.world.run_for(REUNION);
        self.check();
        let before = self.whispered.len();
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|&to| to != from) {
                self.whisper(from, to);
            }
        }
        self.pass(60);
        self.check();
        let after = self.whispered.len() - before;
        let all = self.nodes.len() * (self.nodes.len() - 1);
        assert_eq!(after, all);
        // Links that lose frames can lose both tries of an engine; it says so, and a node's outbox sends again.
        let again = self.late(before).map(|(id, _)| id).filter(|id| self.expired.contains(id));
        again.collect::<Vec<_>>().into_iter().for_each(|id| self.send(id));
        self.pass(60);
        self.check();
        let late: Vec<_> = self.late(before).collect();
        assert!(late.is_empty(), "{}: not delivered after everybody met: {late:?}", self.seed);
        for id in &self.sent {
            let (author, text) = &self.said[id];
            for node in (0..self.nodes.len()).filter(|node| node != author) {
                let there = (0..=self.lives[node]).any(|life| self.shown.contains(&(node, life, *id)));
                assert!(there, "{}: node {node} never heard {text:?}", self.seed);
            }
        }
    }

    /// What was whispered from this number on and is not there.
    fn late(&self, first: usize) -> impl Iterator<Item = (MessageId, &str)> {
        let late = self.whispered.iter().filter(|(id, _)| !self.delivered.contains(*id));
        late.map(|(&id, (_, _, text))| (id, text.as_str())).filter(move |(_, text)| number_of(text) >= first)
    }

    fn peer(&self, node: usize) -> PeerId {
        self.world.peer(self.nodes[node])
    }

    fn number(&self, node: NodeId) -> usize {
        self.nodes.iter().position(|&other| other == node).expect("a node of this world")
    }

    fn two(&mut self) -> (usize, usize) {
        let a = pick(&mut self.rng, self.nodes.len());
        let b = (a + 1 + pick(&mut self.rng, self.nodes.len() - 1)) % self.nodes.len();
        (a, b)
    }
}

/// Which whispered message a text is.
fn number_of(text: &str) -> usize {
    text.split(' ').nth(1).and_then(|number| number.parse().ok()).expect("a text of the model")
}

fn pick(rng: &mut ChaCha8Rng, below: usize) -> usize {
    usize::try_from(rng.next_u32()).expect("at least 32 bits") % below
}
