//! Many nodes on one air, in virtual time. Of a node there is the engine and the little of [`super::disk`].

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::air::Air;
use super::disk::{Disk, Stored};
use super::edge::Edge;
use super::event::{Input, Radio, StationId};
use super::mobility::{Field, RandomWaypoint};
use super::topology::Topology;
use crate::crypto::Identity;
use crate::ids::{AdapterId, AttemptId, MessageId, PeerId};
use crate::link::event::RadioCommand;
use crate::mesh::error::Refusal;
use crate::mesh::event::{Command, Event, Input as EngineInput, Output as EngineOutput};
use crate::mesh::kept::Kept;
use crate::mesh::trust::Standing;
use crate::mesh::{Config, Engine, media};
use crate::time::{Instant, Now, UnixMillis};

/// What every clock of a world shows at its start: 2027-01-15, a date after any release's build date.
const START: UnixMillis = UnixMillis(1_800_000_000_000);
/// Turns at one instant after which some machine is taken to spin.
const MAX_TURNS_AT_ONCE: u32 = 100_000;

/// One node of a world, numbered in the order in which they were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

/// Something a node told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: Instant,
    /// Which node.
    pub node: NodeId,
    /// What.
    pub event: Event,
}

/// Nodes, their air, and the time.
///
/// ```text
/// world.run_until(|world| …, limit)
///   └─ turn: the clock jumps to the next deadline of the air or of an engine
///        └─ pump: air → engines → air, until nobody has anything to say
/// ```
pub struct World {
    rng: ChaCha12Rng,
    now: Instant,
    turns_at_once: u32,
    air: Air,
    nodes: Vec<Node>,
    /// Whose radio a station is.
    owners: BTreeMap<StationId, NodeId>,
    walkers: Option<RandomWaypoint>,
    records: Vec<Record>,
}

struct Node {
    engine: Engine,
    /// What survives a restart.
    disk: Disk,
    stations: Vec<StationId>,
    /// How far its wall clock is off, in milliseconds.
    clock_error: i64,
}

impl World {
    /// An empty world; `seed` feeds every random choice in it, the nodes' identities included.
    pub fn new(seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let air = Air::new(draw(&mut rng));
        Self {
            rng,
            now: Instant::ZERO,
            turns_at_once: 0,
            air,
            nodes: Vec::new(),
            owners: BTreeMap::new(),
            walkers: None,
            records: Vec::new(),
        }
    }

    /// A world with a node for each of the topology's, in the same order, each configured by its name.
    pub fn with_topology(seed: [u8; 32], topology: &Topology, config: impl Fn(&str) -> Config) -> Self {
        let mut world = Self::new(seed);
        let nodes: Vec<NodeId> = topology.nodes().iter().map(|name| world.add_node(config(name))).collect();
        for (a, b, edge) in topology.edges() {
            if let (Some(&a), Some(&b)) = (nodes.get(a), nodes.get(b)) {
                world.join(world.station(a), world.station(b), edge);
            }
        }
        world
    }

    /// A new node with one radio, out of everybody's range.
    pub fn add_node(&mut self, config: Config) -> NodeId {
        let identity = Identity::generate(&mut self.rng);
        let disk = Disk::new(&identity, config);
        let engine = disk.engine(draw(&mut self.rng));
        let node = NodeId(self.nodes.len());
        self.nodes.push(Node { engine, disk, stations: Vec::new(), clock_error: 0 });
        self.add_station(node);
        node
    }

    /// Kills a node without a word and starts it again with what is on its disk: its identity, which messages it
    /// received, and what its engine kept.
    pub fn restart(&mut self, node: NodeId) {
        let stations = self.node(node).stations.clone();
        for &station in &stations {
            self.switch_off(station);
        }
        let seed = draw(&mut self.rng);
        let entry = self.node_mut(node);
        entry.engine = entry.disk.engine(seed);
        let kept = entry.disk.kept();
        self.drive(node, EngineInput::Restore(kept));
        for station in stations {
            self.switch_on(station);
        }
    }

    /// Every node, in the order in which they were added.
    pub fn nodes(&self) -> Vec<NodeId> {
        (0..self.nodes.len()).map(NodeId).collect()
    }

    /// Another radio for a node.
    pub fn add_station(&mut self, node: NodeId) -> StationId {
        let station = self.air.add_station();
        self.node_mut(node).stations.push(station);
        self.owners.insert(station, node);
        self.switch_on(station);
        station
    }

    /// A node's first radio.
    pub fn station(&self, node: NodeId) -> StationId {
        let stations = &self.node(node).stations;
        *stations.first().expect("add_node gives every node a radio")
    }

    /// A node's engine.
    pub fn engine(&self, node: NodeId) -> &Engine {
        &self.node(node).engine
    }

    /// A node's peer id.
    pub fn peer(&self, node: NodeId) -> PeerId {
        self.engine(node).peer_id()
    }

    /// A node's keys, as who steals its disk has them.
    pub fn identity(&self, node: NodeId) -> Identity {
        self.node(node).disk.identity()
    }

    /// What else is on a node's disk.
    pub fn kept(&self, node: NodeId) -> Vec<Kept> {
        self.node(node).disk.kept()
    }

    /// The air.
    pub const fn air(&self) -> &Air {
        &self.air
    }

    /// How long the world has run.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// What the nodes told so far, in order. It grows with the run.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What one node told so far, in order.
    pub fn events(&self, node: NodeId) -> impl Iterator<Item = &Event> {
        self.records.iter().filter(move |record| record.node == node).map(|record| &record.event)
    }

    /// Sets a node's wall clock this many milliseconds off the others'.
    pub fn set_clock_error(&mut self, node: NodeId, millis: i64) {
        self.node_mut(node).clock_error = millis;
    }

    /// Gives a node the keys of another, as its contact card would, and what was decided about it.
    pub fn introduce(&mut self, node: NodeId, other: NodeId, standing: Standing) {
        let introduction = self.node(other).disk.introduction(standing);
        self.command(node, Command::Know(introduction));
    }

    /// Asks something of a node.
    pub fn command(&mut self, node: NodeId, command: Command) {
        self.drive(node, EngineInput::Command(command));
        self.pump();
    }

    /// Lets a node sign a text and flood it to everyone; the message's id.
    pub fn say(&mut self, node: NodeId, attempt: AttemptId, text: &str) -> Result<MessageId, Refusal> {
        let now = self.clock(node).unix;
        let packet = self.node_mut(node).disk.sign(text, now)?;
        self.command(node, Command::Flood { attempt, packet: packet.bytes });
        Ok(packet.id.into())
    }

    /// Whether a node's disk has no room for another message: then it acknowledges none.
    pub fn set_disk_full(&mut self, node: NodeId, full: bool) {
        self.node_mut(node).disk.set_full(full);
    }

    /// Two radios hear each other from now on.
    pub fn join(&mut self, a: StationId, b: StationId, edge: Edge) {
        self.change(Input::Join { a, b, edge });
    }

    /// Two radios hear each other no more.
    pub fn cut(&mut self, a: StationId, b: StationId) {
        self.change(Input::Cut { a, b });
    }

    /// A radio gets power.
    pub fn switch_on(&mut self, station: StationId) {
        let Some(&owner) = self.owners.get(&station) else { return };
        let Some(adapter) = self.adapter(owner, station) else { return };
        let radio = Radio { adapter, peer: Some(self.peer(owner)), first_serial: 0 };
        self.change(Input::SwitchOn { station, radio });
    }

    /// A radio loses power.
    pub fn switch_off(&mut self, station: StationId) {
        self.change(Input::SwitchOff { station });
    }

    /// Lets all nodes walk about from now on, with their first radios.
    pub fn walk(&mut self, field: Field) {
        let stations: Vec<StationId> =
            self.nodes.iter().filter_map(|node| node.stations.first().copied()).collect();
        let seed = draw(&mut self.rng);
        self.walkers = Some(RandomWaypoint::new(field, &stations, seed, self.now));
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.turn(end) {}
    }

    /// Lets time pass until `done`, at most for `limit`; whether it was done.
    pub fn run_until(&mut self, mut done: impl FnMut(&Self) -> bool, limit: Duration) -> bool {
        let end = self.now + limit;
        while !done(self) {
            if !self.turn(end) {
                return false;
            }
        }
        true
    }

    /// The clock jumps to the next deadline, and what was due happens; false when none comes before `end`.
    fn turn(&mut self, end: Instant) -> bool {
        let Some(due) = self.next_deadline().map(|due| due.max(self.now)).filter(|&due| due <= end) else {
            self.now = self.now.max(end);
            return false;
        };
        self.turns_at_once = if due == self.now { self.turns_at_once + 1 } else { 0 };
        assert!(self.turns_at_once < MAX_TURNS_AT_ONCE, "a machine asks for the present again and again");
        self.now = due;

        let steps = self.walkers.as_mut().map_or_else(Vec::new, |walkers| walkers.step(due));
        for step in steps {
            self.air.handle(step, due);
        }
        self.air.handle(Input::Timeout, due);
        self.pump();
        for index in 0..self.nodes.len() {
            let node = NodeId(index);
            if self.engine(node).poll_timeout().is_some_and(|timeout| timeout <= due) {
                self.drive(node, EngineInput::Timeout);
            }
        }
        self.pump();
        true
    }

    fn next_deadline(&self) -> Option<Instant> {
        let engines = self.nodes.iter().filter_map(|node| node.engine.poll_timeout());
        let walkers = self.walkers.as_ref().map(RandomWaypoint::poll_timeout);
        engines.chain(walkers).chain(self.air.poll_timeout()).min()
    }

    fn change(&mut self, input: Input) {
        self.air.handle(input, self.now);
        self.pump();
    }

    /// Carries what the radios say to their nodes, until none has anything to say.
    fn pump(&mut self) {
        while let Some((station, event)) = self.air.poll_output() {
            if let Some(&owner) = self.owners.get(&station) {
                self.drive(owner, EngineInput::Radio(event));
            }
        }
    }

    /// One turn of one engine, drained to the end.
    fn drive(&mut self, node: NodeId, input: EngineInput) {
        let clock = self.clock(node);
        self.node_mut(node).engine.handle(input, clock);
        while let Some(output) = self.node_mut(node).engine.poll_output() {
            match output {
                EngineOutput::Event(event) => self.told(node, event),
                EngineOutput::Keep(change) => self.node_mut(node).disk.keep(change),
                EngineOutput::Radio(command) => {
                    let adapter = usize::from(adapter_of(&command).0);
                    if let Some(&station) = self.node(node).stations.get(adapter) {
                        self.air.handle(Input::Command { station, command }, self.now);
                    }
                }
            }
        }
    }

    /// Takes down what an engine told. A private message is stored first and acknowledged then; one that was there
    /// already is acknowledged again and told no second time. A file is acknowledged as soon as there is room.
    fn told(&mut self, node: NodeId, event: Event) {
        if let Event::PrivateMessage(message) = &event {
            let stored = self.node_mut(node).disk.store(message);
            if stored != Stored::Not {
                let clock = self.clock(node);
                let (to, wire_ids) = (message.sender, message.wire_ids.clone());
                let acknowledge = EngineInput::Command(Command::Acknowledge { to, wire_ids });
                self.node_mut(node).engine.handle(acknowledge, clock);
            }
            if stored != Stored::New {
                return;
            }
        }
        if let Event::Media(media::event::Event::Received(file)) = &event
            && let Some(wire_id) = &file.wire_id
            && !self.node(node).disk.is_full()
        {
            let clock = self.clock(node);
            let acknowledge = Command::Acknowledge { to: file.sender, wire_ids: vec![wire_id.clone()] };
            self.node_mut(node).engine.handle(EngineInput::Command(acknowledge), clock);
        }
        self.records.push(Record { at: self.now, node, event });
    }

    /// What a node's clocks show.
    pub fn clock(&self, node: NodeId) -> Now {
        let UnixMillis(right) = START + self.now.since_start();
        let unix = UnixMillis(right.saturating_add_signed(self.node(node).clock_error));
        Now { instant: self.now, unix }
    }

    fn adapter(&self, node: NodeId, station: StationId) -> Option<AdapterId> {
        let index = self.node(node).stations.iter().position(|&own| own == station)?;
        u8::try_from(index).ok().map(AdapterId)
    }

    fn node(&self, node: NodeId) -> &Node {
        self.nodes.get(node.0).expect("a NodeId comes from add_node of the same world")
    }

    fn node_mut(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(node.0).expect("a NodeId comes from add_node of the same world")
    }
}

fn adapter_of(command: &RadioCommand) -> AdapterId {
    match *command {
        RadioCommand::Connect { adapter, .. } => adapter,
        RadioCommand::Disconnect { link } | RadioCommand::Write { link, .. } => link.adapter,
    }
}

fn draw(rng: &mut ChaCha12Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}
