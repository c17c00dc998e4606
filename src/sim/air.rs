//! The one model of the air: radios, who hears whom, and the connections between them.
//!
//! Radios advertise and scan all the time, dial when told to, and lose each other when the air between them is
//! cut. They behave like one BlueZ adapter each: one dial attempt at a time, one connection to a device, and an
//! attempt at a device that is out of range costs its full time-out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::connection::{Connection, End, Side};
use super::edge::{Edge, SUPERVISION_TIMEOUT};
use super::event::{Counters, Input, Link, Radio, StationId};
use super::random::{between, chance};
use super::timeline::Timeline;
use super::topology::Topology;
use crate::ids::LinkId;
use crate::link::event::{DeviceAddress, LinkDownReason, RadioCommand, RadioEvent, Role};
use crate::time::Instant;

/// A radio is heard first after a random part of this, and again and again after that and this more: BlueZ
/// advertises every 1.28 s (`bluez-rules.md`).
const ADVERTISING_INTERVAL: Duration = Duration::from_millis(1280);
/// From the dialling to the subscription, at least.
const CONNECT_LEAST: Duration = Duration::from_millis(200);
/// And at most.
const CONNECT_MOST: Duration = Duration::from_secs(1);
/// How long a radio dials a device that is not there (spec 1.5).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Share of attempts that fail for no visible reason, as `le-connection-abort-by-local` does.
const CONNECT_ABORTED: f64 = 0.03;
/// How far a signal's strength wanders, in dB.
const FADING: i16 = 4;

/// All radios and what is between them.
#[derive(Debug)]
pub struct Air {
    rng: ChaCha12Rng,
    stations: BTreeMap<StationId, Station>,
    edges: BTreeMap<(StationId, StationId), Between>,
    connections: BTreeMap<u64, Connection>,
    timeline: Timeline<Happening>,
    outputs: VecDeque<(StationId, RadioEvent)>,
    counters: Counters,
    /// The next running number, of whatever.
    serial: u64,
}

#[derive(Debug)]
struct Station {
    address: DeviceAddress,
    /// `None` while it has no power.
    radio: Option<Radio>,
    next_link: u32,
    /// The attempt under way.
    dialling: Option<u64>,
}

/// The air between two radios.
#[derive(Debug)]
struct Between {
    edge: Edge,
    /// Which chain of advertisements is the current one; others die out.
    adverts: u64,
}

#[derive(Debug)]
enum Happening {
    /// The one hears the other.
    Advert { listener: StationId, advertiser: StationId, adverts: u64 },
    /// A dial attempt comes to its end.
    Dialled { station: StationId, attempt: u64, address: DeviceAddress, outcome: Result<(), LinkDownReason> },
    /// A frame is out.
    Sent { connection: u64, side: Side },
    /// A frame comes in at this side.
    Arrived { connection: u64, side: Side, sent: Instant, frame: Bytes },
    /// Both sides notice that a connection is dead.
    Supervision { connection: u64 },
}

impl Air {
    /// An empty air; `seed` feeds every random choice.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            rng: ChaCha12Rng::from_seed(seed),
            stations: BTreeMap::new(),
            edges: BTreeMap::new(),
            connections: BTreeMap::new(),
            timeline: Timeline::new(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            serial: 0,
        }
    }

    /// A new radio, without power yet and out of everybody's range.
    pub fn add_station(&mut self) -> StationId {
        let number = u32::try_from(self.stations.len()).unwrap_or(u32::MAX);
        let [a, b, c, d] = number.to_be_bytes();
        // The two high bits set: a static random address (Bluetooth Core, volume 6, part B, 1.3.2.1).
        let address = DeviceAddress([0xC0, 0x5A, a, b, c, d]);
        let station = Station { address, radio: None, next_link: 1, dialling: None };
        self.stations.insert(StationId(number), station);
        StationId(number)
    }

    /// A radio for every node of a topology, in its order, joined as it says.
    pub fn lay_out(&mut self, topology: &Topology, now: Instant) -> Vec<StationId> {
        let stations: Vec<StationId> = topology.nodes().iter().map(|_| self.add_station()).collect();
        for (a, b, edge) in topology.edges() {
            if let (Some(&a), Some(&b)) = (stations.get(a), stations.get(b)) {
                self.join(a, b, edge, now);
            }
        }
        stations
    }

    /// The address under which others hear a radio.
    pub fn address(&self, station: StationId) -> Option<DeviceAddress> {
        self.stations.get(&station).map(|station| station.address)
    }

    /// The connections that stand.
    pub fn links(&self) -> impl Iterator<Item = Link> {
        self.connections.values().filter(|connection| connection.is_alive()).map(|connection| Link {
            central: connection.central.station,
            peripheral: connection.peripheral.station,
        })
    }

    /// What crossed the air since the start.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes one input; afterwards drain [`Self::poll_output`].
    pub fn handle(&mut self, input: Input, now: Instant) {
        while let Some((at, happening)) = self.timeline.pop_due(now) {
            self.happen(happening, at);
        }
        match input {
            Input::Command { station, command } => self.command(station, command, now),
            Input::SwitchOn { station, radio } => self.switch_on(station, radio, now),
            Input::SwitchOff { station } => self.switch_off(station, now),
            Input::Join { a, b, edge } => self.join(a, b, edge, now),
            Input::Cut { a, b } => self.cut(a, b, now),
            Input::Timeout => {}
        }
    }

    /// The next thing a radio tells its owner, until `None`.
    pub fn poll_output(&mut self) -> Option<(StationId, RadioEvent)> {
        self.outputs.pop_front()
    }

    /// When to call `handle` with `Input::Timeout`; late or early is safe.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeline.next_at()
    }

    fn switch_on(&mut self, id: StationId, radio: Radio, now: Instant) {
        let Some(station) = self.stations.get_mut(&id).filter(|station| station.radio.is_none()) else {
            return;
        };
        station.radio = Some(radio);
        station.next_link = station.next_link.max(radio.first_serial);
        let up = RadioEvent::AdapterUp { adapter: radio.adapter, address: station.address };
        self.tell(id, up);
        let neighbours: Vec<(StationId, StationId)> =
            self.edges.keys().copied().filter(|&(a, b)| a == id || b == id).collect();
        for (a, b) in neighbours {
            self.start_adverts(a, b, now);
        }
    }

    fn switch_off(&mut self, id: StationId, now: Instant) {
        let Some(radio) = self.stations.get(&id).and_then(|station| station.radio) else { return };
        for (connection, side) in self.connections_of(id) {
            if self.connections.get(&connection).is_some_and(|it| !it.end(side).left) {
                self.leave(connection, side, LinkDownReason::AdapterDown, now);
            }
        }
        self.tell(id, RadioEvent::AdapterDown { adapter: radio.adapter });
        if let Some(station) = self.stations.get_mut(&id) {
            station.radio = None;
            station.dialling = None;
        }
    }

    fn join(&mut self, a: StationId, b: StationId, edge: Edge, now: Instant) {
        if a == b {
            return;
        }
        let fresh = match self.edges.get_mut(&ordered(a, b)) {
            Some(between) => {
                between.edge = edge;
                false
            }
            None => {
                self.edges.insert(ordered(a, b), Between { edge, adverts: 0 });
                true
            }
        };
        if fresh {
            self.start_adverts(a, b, now);
        }
    }

    fn cut(&mut self, a: StationId, b: StationId, now: Instant) {
        self.edges.remove(&ordered(a, b));
        let broken: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.joins(a, b))
            .map(|(&id, _)| id)
            .collect();
        for connection in broken {
            self.fall_silent(connection, now);
        }
    }

    fn command(&mut self, id: StationId, command: RadioCommand, now: Instant) {
        match command {
            RadioCommand::Connect { adapter: _, address } => self.dial(id, address, now),
            RadioCommand::Disconnect { link } => {
                if let Some((connection, side)) = self.find(id, link) {
                    self.leave(connection, side, LinkDownReason::Closed, now);
                }
            }
            RadioCommand::Write { link, frame } => {
                if let Some((connection, side)) = self.find(id, link) {
                    self.write(connection, side, frame, now);
                }
            }
        }
    }

    fn dial(&mut self, id: StationId, address: DeviceAddress, now: Instant) {
        let attempt = self.next_serial();
        let target = self.station_at(address);
        let edge = target.and_then(|target| self.edge(id, target)).map(|edge| edge.loss);
        let Some(station) = self.stations.get_mut(&id) else { return };
        let Some(radio) = station.radio else { return };
        if station.dialling.is_some() {
            let reason = LinkDownReason::Failed;
            self.tell(id, RadioEvent::ConnectFailed { adapter: radio.adapter, address, reason });
            return;
        }
        station.dialling = Some(attempt);
        let (after, outcome) = match edge {
            None => (CONNECT_TIMEOUT, Err(LinkDownReason::TimedOut)),
            Some(loss) => {
                let span = between(CONNECT_LEAST, CONNECT_MOST, &mut self.rng);
                let aborted = chance(CONNECT_ABORTED.max(loss), &mut self.rng);
                (span, if aborted { Err(LinkDownReason::Failed) } else { Ok(()) })
            }
        };
        self.timeline.plan(now + after, Happening::Dialled { station: id, attempt, address, outcome });
    }

    fn write(&mut self, id: u64, side: Side, frame: Bytes, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id).filter(|connection| connection.is_alive())
        else {
            return;
        };
        let pair = ordered(connection.central.station, connection.peripheral.station);
        let Some(edge) = self.edges.get(&pair).map(|between| between.edge) else { return };
        let end = connection.end_mut(side);
        if end.is_pressed() {
            self.counters.lost += 1;
            let (station, link) = (end.station, end.link);
            self.tell(station, RadioEvent::Written { link });
            return;
        }
        let Some(airtime) = edge.airtime(frame.len(), &mut self.rng) else {
            self.counters.lost += 1;
            self.fall_silent(id, now);
            return;
        };
        let (sent, arrived) = end.transmit(airtime, edge.flight(&mut self.rng), now);
        self.timeline.plan(sent, Happening::Sent { connection: id, side });
        if frame.len() > edge.max_frame() || chance(edge.drop, &mut self.rng) {
            self.counters.lost += 1;
        } else {
            let side = side.other();
            self.timeline.plan(arrived, Happening::Arrived { connection: id, side, sent, frame });
        }
    }

    fn happen(&mut self, happening: Happening, now: Instant) {
        match happening {
            Happening::Advert { listener, advertiser, adverts } => {
                self.advertise(listener, advertiser, adverts, now);
            }
            Happening::Dialled { station, attempt, address, outcome } => {
                self.dialled(station, attempt, address, outcome);
            }
            Happening::Sent { connection, side } => {
                let Some(connection) = self.connections.get_mut(&connection).filter(|it| it.is_alive())
                else {
                    return;
                };
                let end = connection.end_mut(side);
                end.sent();
                let (station, link) = (end.station, end.link);
                self.tell(station, RadioEvent::Written { link });
            }
            Happening::Arrived { connection, side, sent, frame } => {
                let Some(end) = self
                    .connections
                    .get(&connection)
                    .filter(|it| it.carries(sent, side))
                    .map(|it| it.end(side))
                else {
                    self.counters.lost += 1;
                    return;
                };
                self.counters.frames += 1;
                self.counters.bytes += u64::try_from(frame.len()).unwrap_or(u64::MAX);
                let (station, link) = (end.station, end.link);
                self.tell(station, RadioEvent::Received { link, bytes: frame });
            }
            Happening::Supervision { connection } => {
                let Some(gone) = self.connections.remove(&connection) else { return };
                for end in [gone.central, gone.peripheral].into_iter().filter(|end| !end.left) {
                    let reason = LinkDownReason::Remote;
                    self.tell(end.station, RadioEvent::LinkDown { link: end.link, reason });
                }
            }
        }
    }

    /// Begins a chain of advertisements each way, and lets older chains between the two die out.
    fn start_adverts(&mut self, a: StationId, b: StationId, now: Instant) {
        let adverts = self.next_serial();
        let Some(between) = self.edges.get_mut(&ordered(a, b)) else { return };
        between.adverts = adverts;
        for (listener, advertiser) in [(a, b), (b, a)] {
            self.plan_advert(listener, advertiser, adverts, Duration::ZERO, now);
        }
    }

    fn plan_advert(
        &mut self,
        listener: StationId,
        advertiser: StationId,
        adverts: u64,
        least: Duration,
        now: Instant,
    ) {
        let after = between(least, least + ADVERTISING_INTERVAL, &mut self.rng);
        self.timeline.plan(now + after, Happening::Advert { listener, advertiser, adverts });
    }

    fn advertise(&mut self, listener: StationId, advertiser: StationId, adverts: u64, now: Instant) {
        let Some(edge) = self
            .edges
            .get(&ordered(listener, advertiser))
            .filter(|between| between.adverts == adverts)
            .map(|between| between.edge)
        else {
            return;
        };
        let (Some(ear), Some(voice)) = (self.radio(listener), self.radio(advertiser)) else { return };
        if !self.are_connected(listener, advertiser)
            && let Some(address) = self.address(advertiser)
        {
            let rssi = Some(edge.rssi.saturating_add(self.fading()));
            let (adapter, peer) = (ear.adapter, voice.peer);
            self.tell(listener, RadioEvent::Discovered { adapter, address, rssi, peer });
        }
        self.plan_advert(listener, advertiser, adverts, ADVERTISING_INTERVAL, now);
    }

    fn dialled(
        &mut self,
        id: StationId,
        attempt: u64,
        address: DeviceAddress,
        outcome: Result<(), LinkDownReason>,
    ) {
        let Some(station) = self.stations.get_mut(&id).filter(|it| it.dialling == Some(attempt)) else {
            return;
        };
        station.dialling = None;
        let Some(Radio { adapter, .. }) = station.radio else { return };
        let connected = outcome.and_then(|()| self.connect(id, address));
        if let Err(reason) = connected {
            self.tell(id, RadioEvent::ConnectFailed { adapter, address, reason });
        }
    }

    fn connect(&mut self, id: StationId, address: DeviceAddress) -> Result<(), LinkDownReason> {
        let target = self.station_at(address).ok_or(LinkDownReason::TimedOut)?;
        let edge = self.edge(id, target).ok_or(LinkDownReason::TimedOut)?;
        if self.are_connected(id, target) {
            return Err(LinkDownReason::Failed);
        }
        let central = self.next_link(id).ok_or(LinkDownReason::AdapterDown)?;
        let peripheral = self.next_link(target).ok_or(LinkDownReason::TimedOut)?;
        let own = self.address(id).ok_or(LinkDownReason::AdapterDown)?;
        let connection = Connection {
            central: End::new(id, central),
            peripheral: End::new(target, peripheral),
            silent_since: None,
        };
        let number = self.next_serial();
        self.connections.insert(number, connection);
        self.counters.connections += 1;
        let max_frame = edge.max_frame();
        self.tell(id, RadioEvent::LinkUp { link: central, address, role: Role::Central, max_frame });
        let role = Role::Peripheral;
        self.tell(target, RadioEvent::LinkUp { link: peripheral, address: own, role, max_frame });
        Ok(())
    }

    /// One side ends a connection at once; the other notices when the supervision timeout has passed.
    fn leave(&mut self, id: u64, side: Side, reason: LinkDownReason, now: Instant) {
        self.fall_silent(id, now);
        let Some(end) = self.connections.get_mut(&id).map(|connection| connection.end_mut(side)) else {
            return;
        };
        end.left = true;
        let (station, link) = (end.station, end.link);
        self.tell(station, RadioEvent::LinkDown { link, reason });
    }

    /// Nothing passes any more; both sides notice later.
    fn fall_silent(&mut self, id: u64, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id).filter(|connection| connection.is_alive()) {
            connection.silent_since = Some(now);
            self.timeline.plan(now + SUPERVISION_TIMEOUT, Happening::Supervision { connection: id });
        }
    }

    fn tell(&mut self, station: StationId, event: RadioEvent) {
        if self.radio(station).is_some() {
            self.outputs.push_back((station, event));
        }
    }

    fn radio(&self, station: StationId) -> Option<Radio> {
        self.stations.get(&station).and_then(|station| station.radio)
    }

    fn edge(&self, a: StationId, b: StationId) -> Option<Edge> {
        self.edges.get(&ordered(a, b)).map(|between| between.edge)
    }

    /// The radio that answers under this address.
    fn station_at(&self, address: DeviceAddress) -> Option<StationId> {
        let powered = self.stations.iter().filter(|(_, station)| station.radio.is_some());
        powered.into_iter().find(|(_, station)| station.address == address).map(|(&id, _)| id)
    }

    fn are_connected(&self, a: StationId, b: StationId) -> bool {
        self.connections.values().any(|connection| connection.joins(a, b))
    }

    /// Every connection this radio has a part in, and on which side.
    fn connections_of(&self, station: StationId) -> Vec<(u64, Side)> {
        self.connections
            .iter()
            .filter_map(|(&id, connection)| connection.side_of(station).map(|side| (id, side)))
            .collect()
    }

    fn find(&self, station: StationId, link: LinkId) -> Option<(u64, Side)> {
        self.connections.iter().find_map(|(&id, connection)| {
            let side = connection.side_of(station)?;
            let end = connection.end(side);
            (end.link == link && !end.left).then_some((id, side))
        })
    }

    fn next_link(&mut self, id: StationId) -> Option<LinkId> {
        let station = self.stations.get_mut(&id)?;
        let link = LinkId { adapter: station.radio?.adapter, serial: station.next_link };
        station.next_link = station.next_link.saturating_add(1);
        Some(link)
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn fading(&mut self) -> i16 {
        let span = u32::from(FADING.unsigned_abs()) * 2 + 1;
        i16::try_from(self.rng.next_u32() % span).unwrap_or(FADING) - FADING
    }
}

fn ordered(a: StationId, b: StationId) -> (StationId, StationId) {
    (a.min(b), a.max(b))
}
