//! Link layers over the simulated air, in virtual time.

use std::time::Duration;

use bytes::Bytes;
use hopline::ids::{AdapterId, LinkId};
use hopline::link::event::{
    DeviceAddress, LinkCommand, LinkDownReason, LinkEvent, Priority, RadioCommand, RadioEvent, Role,
};
use hopline::link::{self, Config, LinkLayer, Output};
use hopline::sim::event::{Input, Radio};
use hopline::sim::{Air, Edge, StationId, Topology};
use hopline::time::{Instant, Now};

const HCI0: AdapterId = AdapterId(0);

/// Radios whose owners only watch.
struct Bare {
    air: Air,
    now: Instant,
}

impl Bare {
    fn new(topology: &Topology) -> (Self, Vec<StationId>) {
        let mut air = Air::new([9; 32]);
        let stations = air.lay_out(topology, Instant::ZERO);
        let mut bare = Self { air, now: Instant::ZERO };
        for &station in &stations {
            bare.switch_on(station);
        }
        (bare, stations)
    }

    fn switch_on(&mut self, station: StationId) {
        let radio = Radio { adapter: HCI0, peer: None, first_serial: 0 };
        self.air.handle(Input::SwitchOn { station, radio }, self.now);
    }

    fn command(&mut self, station: StationId, command: RadioCommand) {
        self.air.handle(Input::Command { station, command }, self.now);
    }

    fn dial(&mut self, station: StationId, target: StationId) -> DeviceAddress {
        let address = self.air.address(target).expect("every station has an address");
        self.command(station, RadioCommand::Connect { adapter: HCI0, address });
        address
    }

    /// Lets time pass; everything said meanwhile but advertisements.
    fn pass(&mut self, span: Duration) -> Vec<(StationId, RadioEvent)> {
        let end = self.now + span;
        while let Some(due) = self.air.poll_timeout().filter(|&due| due <= end) {
            self.now = due;
            self.air.handle(Input::Timeout, due);
        }
        self.now = end;
        std::iter::from_fn(|| self.air.poll_output())
            .filter(|(_, event)| !matches!(event, RadioEvent::Discovered { .. }))
            .collect()
    }

    /// A link between the two, dialled by the first, and its name on either side.
    fn connect(&mut self, a: StationId, b: StationId) -> (LinkId, LinkId) {
        for _ in 0..20 {
            self.dial(a, b);
            let events = self.pass(Duration::from_secs(1));
            let link_of = |station| {
                events.iter().find_map(|(at, event)| {
                    let RadioEvent::LinkUp { link, .. } = event else { return None };
                    (*at == station).then_some(*link)
                })
            };
            if let (Some(at_a), Some(at_b)) = (link_of(a), link_of(b)) {
                return (at_a, at_b);
            }
        }
        panic!("no attempt succeeded");
    }
}

fn pair(edge: Edge) -> Topology {
    Topology::chain(2, edge)
}

fn clear() -> Edge {
    Edge { loss: 0.0, ..Edge::default() }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn both_sides_of_a_link_hear_of_it() {
    let (mut bare, stations) = Bare::new(&pair(Edge { mtu: 247, ..clear() }));
    let [a, b] = stations[..] else { panic!() };
    bare.pass(millis(0));
    let address = bare.dial(a, b);
    let events = bare.pass(Duration::from_secs(1));
    let own = bare.air.address(a).unwrap();
    let link = LinkId { adapter: HCI0, serial: 1 };
    let up = |address, role| RadioEvent::LinkUp { link, address, role, max_frame: 244 };
    assert_eq!(events, [(a, up(address, Role::Central)), (b, up(own, Role::Peripheral))]);
    assert_eq!(bare.air.links().count(), 1);
}

#[test]
fn frames_arrive_whole_and_in_order_however_lossy_the_air() {
    let (mut bare, stations) = Bare::new(&pair(Edge { loss: 0.3, ..Edge::default() }));
    let [a, b] = stations[..] else { panic!() };
    let (link, _) = bare.connect(a, b);
    let mut events = Vec::new();
    for byte in 0..50u8 {
        bare.command(a, RadioCommand::Write { link, frame: Bytes::from(vec![byte; 100]) });
        events.extend(bare.pass(millis(200)));
    }
    events.extend(bare.pass(Duration::from_secs(2)));
    let arrived: Vec<u8> = events
        .iter()
        .filter_map(|(station, event)| {
            let RadioEvent::Received { bytes, .. } = event else { return None };
            (*station == b).then(|| bytes[0])
        })
        .collect();
    assert_eq!(arrived, (0..50).collect::<Vec<u8>>());
    let written = events.iter().filter(|(_, event)| *event == RadioEvent::Written { link }).count();
    assert_eq!(written, 50);
}

#[test]
fn a_pressed_stack_drops_frames_and_says_nothing() {
    let (mut bare, stations) = Bare::new(&pair(Edge { drop: 1.0, ..clear() }));
    let [a, b] = stations[..] else { panic!() };
    let (link, _) = bare.connect(a, b);
    bare.command(a, RadioCommand::Write { link, frame: Bytes::from_static(&[1; 100]) });
    assert_eq!(bare.pass(Duration::from_secs(1)), [(a, RadioEvent::Written { link })]);
    assert_eq!(bare.air.counters().lost, 1);
}

#[test]
fn a_cut_loses_what_is_in_flight_and_both_sides_notice_later() {
    let (mut bare, stations) = Bare::new(&pair(clear()));
    let [a, b] = stations[..] else { panic!() };
    let (at_a, at_b) = bare.connect(a, b);
    bare.command(a, RadioCommand::Write { link: at_a, frame: Bytes::from_static(&[1; 100]) });
    bare.air.handle(Input::Cut { a, b }, bare.now);
    assert_eq!(bare.pass(millis(419)), []);
    let reason = LinkDownReason::Remote;
    let down = |link| RadioEvent::LinkDown { link, reason };
    assert_eq!(bare.pass(millis(1)), [(a, down(at_a)), (b, down(at_b))]);
    assert_eq!((bare.air.counters().frames, bare.air.counters().lost), (0, 1));
}

#[test]
fn what_was_out_before_the_end_still_arrives() {
    let (mut bare, stations) = Bare::new(&pair(clear()));
    let [a, b] = stations[..] else { panic!() };
    let (at_a, at_b) = bare.connect(a, b);
    let bytes = Bytes::from_static(&[1; 100]);
    bare.command(a, RadioCommand::Write { link: at_a, frame: bytes.clone() });
    assert_eq!(bare.pass(millis(5)), [(a, RadioEvent::Written { link: at_a })]);
    bare.command(a, RadioCommand::Disconnect { link: at_a });
    let down = |link, reason| RadioEvent::LinkDown { link, reason };
    assert_eq!(
        bare.pass(Duration::from_secs(1)),
        [
            (a, down(at_a, LinkDownReason::Closed)),
            (b, RadioEvent::Received { link: at_b, bytes }),
            (b, down(at_b, LinkDownReason::Remote)),
        ]
    );
}

#[test]
fn a_radio_without_power_takes_its_links_down() {
    let (mut bare, stations) = Bare::new(&pair(clear()));
    let [a, b] = stations[..] else { panic!() };
    let (at_a, at_b) = bare.connect(a, b);
    bare.air.handle(Input::SwitchOff { station: a }, bare.now);
    bare.switch_on(a);
    let own = LinkDownReason::AdapterDown;
    assert_eq!(
        bare.pass(Duration::from_secs(1)),
        [
            (a, RadioEvent::LinkDown { link: at_a, reason: own }),
            (a, RadioEvent::AdapterDown { adapter: HCI0 }),
            (a, RadioEvent::AdapterUp { adapter: HCI0, address: bare.air.address(a).unwrap() }),
            (b, RadioEvent::LinkDown { link: at_b, reason: LinkDownReason::Remote }),
        ]
    );
    assert_ne!(bare.connect(a, b).0, at_a, "a link's name is never used twice");
}

#[test]
fn who_is_out_of_range_costs_the_whole_time_out() {
    let (mut bare, stations) = Bare::new(&"a b\nc".parse().unwrap());
    let [a, b, c] = stations[..] else { panic!() };
    bare.pass(millis(0));
    let far = bare.dial(a, c);
    let near = bare.dial(a, b);
    let failed = |address, reason| RadioEvent::ConnectFailed { adapter: HCI0, address, reason };
    assert_eq!(bare.pass(millis(7_999)), [(a, failed(near, LinkDownReason::Failed))], "one at a time");
    assert_eq!(bare.pass(millis(1)), [(a, failed(far, LinkDownReason::TimedOut))]);
}

#[test]
fn two_radios_that_dial_each_other_get_one_link() {
    let (mut bare, stations) = Bare::new(&pair(clear()));
    let [a, b] = stations[..] else { panic!() };
    bare.dial(a, b);
    bare.dial(b, a);
    let events = bare.pass(Duration::from_secs(1));
    let ups = events.iter().filter(|(_, event)| matches!(event, RadioEvent::LinkUp { .. })).count();
    assert_eq!((ups, bare.air.links().count()), (2, 1));
}

/// Link layers that do what they do.
struct Layers {
    air: Air,
    now: Instant,
    nodes: Vec<(StationId, LinkLayer)>,
    log: Vec<(Instant, usize, LinkEvent)>,
}

impl Layers {
    fn new(topology: &Topology, seed: u8) -> Self {
        let mut air = Air::new([seed; 32]);
        let stations = air.lay_out(topology, Instant::ZERO);
        let layer = |number: usize| LinkLayer::new(Config::default(), [number as u8; 32]);
        let nodes = stations.into_iter().enumerate().map(|(number, id)| (id, layer(number))).collect();
        let mut layers = Self { air, now: Instant::ZERO, nodes, log: Vec::new() };
        for index in 0..layers.nodes.len() {
            let station = layers.nodes[index].0;
            let radio = Radio { adapter: HCI0, peer: None, first_serial: 0 };
            layers.air.handle(Input::SwitchOn { station, radio }, Instant::ZERO);
        }
        layers
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.pump();
            let layers = self.nodes.iter().filter_map(|(_, layer)| layer.poll_timeout());
            let Some(due) = layers.chain(self.air.poll_timeout()).min().filter(|&due| due <= end) else {
                break;
            };
            self.now = self.now.max(due);
            self.air.handle(Input::Timeout, self.now);
            for index in 0..self.nodes.len() {
                self.handle(index, link::Input::Timeout);
            }
        }
        self.now = end;
    }

    fn pump(&mut self) {
        while let Some((station, event)) = self.air.poll_output() {
            let index =
                self.nodes.iter().position(|(id, _)| *id == station).expect("only nodes have stations");
            self.handle(index, link::Input::Radio(event));
        }
    }

    fn handle(&mut self, index: usize, input: link::Input) {
        let (station, layer) = &mut self.nodes[index];
        layer.handle(input, Now { instant: self.now, ..Now::default() });
        while let Some(output) = layer.poll_output() {
            match output {
                Output::Event(event) => {
                    // Like every BitChat node, each says something on a new link.
                    if let LinkEvent::Up { link, .. } = event {
                        let frame = Bytes::from([&[1][..], &[0; 21]].concat());
                        let send = LinkCommand::Send { link, frame, priority: Priority::Own };
                        layer.handle(link::Input::Command(send), Now { instant: self.now, ..Now::default() });
                    }
                    self.log.push((self.now, index, event));
                }
                Output::Radio(command) => {
                    self.air.handle(Input::Command { station: *station, command }, self.now);
                }
            }
        }
    }
}

#[test]
fn neighbours_find_each_other_and_nobody_else() {
    let mut layers = Layers::new(&Topology::chain(5, Edge::default()), 1);
    layers.run(Duration::from_secs(30));
    let mut pairs: Vec<_> = layers
        .air
        .links()
        .map(|link| (link.central.min(link.peripheral), link.central.max(link.peripheral)))
        .collect();
    pairs.sort_unstable();
    let expected: Vec<_> = layers.nodes.windows(2).map(|pair| (pair[0].0, pair[1].0)).collect();
    assert_eq!(pairs, expected);
    assert!(layers.nodes.iter().all(|(_, layer)| layer.counters().silent_links == 0));
}

#[test]
fn a_link_returns_soon_after_the_air_does() {
    let mut layers = Layers::new(&pair(Edge::default()), 1);
    layers.run(Duration::from_secs(10));
    let (a, b) = (layers.nodes[0].0, layers.nodes[1].0);
    layers.air.handle(Input::Cut { a, b }, layers.now);
    layers.run(Duration::from_secs(60));
    assert_eq!(layers.air.links().count(), 0);
    layers.air.handle(Input::Join { a, b, edge: Edge::default() }, layers.now);
    layers.run(Duration::from_secs(10));
    assert_eq!(layers.air.links().count(), 1);
}

#[test]
fn a_crowd_stays_within_every_budget() {
    let mut layers = Layers::new(&Topology::full(16, Edge::default()), 2);
    layers.run(Duration::from_secs(120));
    for (_, layer) in &layers.nodes {
        let central = layer.links().filter(|(_, info)| info.role == Role::Central).count();
        let peripheral = layer.links().filter(|(_, info)| info.role == Role::Peripheral).count();
        assert!(central <= 6 && peripheral <= 8, "{central} {peripheral}");
        assert!(central + peripheral >= 1);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut layers = Layers::new(&Topology::grid(3, 3, Edge { loss: 0.2, ..Edge::default() }), seed);
        layers.run(Duration::from_secs(60));
        format!("{:?}", layers.log)
    };
    let first = run(5);
    assert!(first.contains("Frame"));
    assert_eq!(first, run(5));
    assert_ne!(first, run(6));
}
