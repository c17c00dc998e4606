//! The machine: radio events and mesh commands in, radio commands and link events out.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::budget::{Situation, is_loud_enough};
use super::config::Config;
use super::event::{
    DeviceAddress, LinkCommand, LinkDownReason, LinkEvent, Priority, RadioCommand, RadioEvent, Role,
};
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::schedule::{Device, Schedule};
use crate::ids::{AdapterId, LinkId, PeerId};
use crate::time::{Instant, Now};

/// Everything that can happen to the link layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A radio saw something.
    Radio(RadioEvent),
    /// The mesh asks for something.
    Command(LinkCommand),
    /// The time given by `poll_timeout` has come.
    Timeout,
}

/// Everything the link layer wants done or known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// For a radio.
    Radio(RadioCommand),
    /// For the mesh.
    Event(LinkEvent),
}

/// What is known of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkInfo {
    /// Our side of it.
    pub role: Role,
    /// The longest frame it carries, in bytes.
    pub max_frame: usize,
    /// The device at the other end.
    pub address: DeviceAddress,
    /// The peer the mesh bound it to.
    pub peer: Option<PeerId>,
    /// When it came up.
    pub since: Instant,
    /// Whether anything ever arrived on it.
    pub heard: bool,
}

/// What happened since the start, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames handed to a radio.
    pub frames_sent: u64,
    /// Whole frames that arrived.
    pub frames_received: u64,
    /// Frames dropped because too much waited on their link.
    pub dropped_full: u64,
    /// Frames dropped because their link was gone.
    pub dropped_no_link: u64,
    /// Frames dropped because they were longer than their link carries.
    pub dropped_too_long: u64,
    /// Received bytes that belonged to no frame.
    pub garbage_bytes: u64,
    /// Attempts to dial.
    pub dialled: u64,
    /// Attempts that came to nothing.
    pub dial_failures: u64,
    /// Inbound links closed because there were too many.
    pub refused_links: u64,
    /// Links closed because nothing ever arrived on them.
    pub silent_links: u64,
    /// Links closed because a newer one in the same role leads to the same peer.
    pub retired_links: u64,
}

/// All links of one node, over all its adapters.
#[derive(Debug)]
pub struct LinkLayer {
    config: Config,
    rng: ChaCha12Rng,
    /// The adapters that are up.
    adapters: BTreeMap<AdapterId, Schedule>,
    links: BTreeMap<LinkId, Link>,
    /// Since when there has been no link; `None` while there is one.
    alone_since: Option<Instant>,
    /// When a second link to a peer was last closed; entries older than the cool-down are dropped.
    retired: BTreeMap<PeerId, Instant>,
    outputs: VecDeque<Output>,
    counters: Counters,
}

#[derive(Debug)]
struct Link {
    info: LinkInfo,
    inbox: Inbox,
    outbox: Outbox,
}

impl LinkLayer {
    /// A layer without adapters; `seed` feeds every random choice it will make.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            rng: ChaCha12Rng::from_seed(seed),
            adapters: BTreeMap::new(),
            links: BTreeMap::new(),
            alone_since: Some(Instant::ZERO),
            retired: BTreeMap::new(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes one input; afterwards drain [`Self::poll_output`].
    pub fn handle(&mut self, input: Input, now: Now) {
        let now = now.instant;
        match input {
            Input::Radio(event) => self.handle_radio(event, now),
            Input::Command(LinkCommand::Send { link, frame, priority }) => self.send(link, frame, priority),
            Input::Command(LinkCommand::Bind { link, peer }) => self.bind(link, peer, now),
            Input::Timeout => {}
        }
        self.close_silent_links(now);
        self.dial(now);
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle` with `Input::Timeout`; late or early is safe.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let silence = self
            .links
            .values()
            .filter(|link| !link.info.heard)
            .map(|link| link.info.since + self.config.silence)
            .min();
        let dialling = self
            .adapters
            .iter()
            .filter(|&(&adapter, schedule)| schedule.is_busy() || self.may_dial(adapter))
            .filter_map(|(_, schedule)| {
                schedule.next_timeout(|address, device| is_wanted(&self.links, address, device), &self.config)
            })
            .min();
        [silence, dialling].into_iter().flatten().min()
    }

    /// Whether a train of fragments may put another one on this link; ask again after every turn.
    pub fn has_room(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|link| link.outbox.waiting() < self.config.train_backlog)
    }

    /// Every link that is up, in the order of their names.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, &LinkInfo)> {
        self.links.iter().map(|(&id, link)| (id, &link.info))
    }

    /// What happened since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn handle_radio(&mut self, event: RadioEvent, now: Instant) {
        match event {
            RadioEvent::AdapterUp { adapter, address } => self.adapter_up(adapter, address),
            RadioEvent::AdapterDown { adapter } => self.adapter_down(adapter, now),
            RadioEvent::Discovered { adapter, address, rssi, peer } => {
                self.discovered(adapter, address, rssi, peer, now);
            }
            RadioEvent::LinkUp { link, address, role, max_frame } => {
                self.link_up(link, address, role, max_frame, now);
            }
            RadioEvent::LinkDown { link, reason } => self.link_down(link, reason, now),
            RadioEvent::ConnectFailed { adapter, address, reason } => {
                if let Some(schedule) = self.adapters.get_mut(&adapter) {
                    self.counters.dial_failures += u64::from(schedule.is_dialling(address));
                    schedule.failed(address, reason, &self.config, now);
                }
            }
            RadioEvent::Received { link, bytes } => self.received(link, bytes, now),
            RadioEvent::Written { link: id } => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.outbox.written();
                    self.flush(id);
                }
            }
        }
    }

    fn adapter_up(&mut self, adapter: AdapterId, address: DeviceAddress) {
        // A sister adapter may have heard this one a moment before it was told to be up.
        self.adapters.values_mut().for_each(|sister| sister.forget(address));
        if let Entry::Vacant(vacant) = self.adapters.entry(adapter) {
            vacant.insert(Schedule::new(address));
            self.outputs.push_back(Output::Event(LinkEvent::Adapter { adapter, up: true }));
        }
    }

    fn adapter_down(&mut self, adapter: AdapterId, now: Instant) {
        let lost: Vec<LinkId> = self.links.keys().copied().filter(|link| link.adapter == adapter).collect();
        for link in lost {
            self.link_down(link, LinkDownReason::AdapterDown, now);
        }
        if self.adapters.remove(&adapter).is_some() {
            self.outputs.push_back(Output::Event(LinkEvent::Adapter { adapter, up: false }));
        }
    }

    fn discovered(
        &mut self,
        adapter: AdapterId,
        address: DeviceAddress,
        rssi: Option<i16>,
        peer: Option<PeerId>,
        now: Instant,
    ) {
        let is_own_adapter = self.adapters.values().any(|schedule| schedule.own_address() == address);
        if is_own_adapter || (peer.is_some() && peer == self.config.own_peer) {
            return;
        }
        let budget_spent = !self.may_dial(adapter);
        let Some(schedule) = self.adapters.get_mut(&adapter) else { return };
        let situation = Situation {
            alone: self.alone_since.map(|since| now.since(since)),
            full: budget_spent || schedule.is_full(&self.config),
        };
        if is_loud_enough(rssi, situation, &self.config) {
            let jitter = random_part(self.config.dial_jitter, &mut self.rng);
            schedule.heard(address, rssi, peer, jitter, &self.config, now);
        }
    }

    fn link_up(&mut self, id: LinkId, address: DeviceAddress, role: Role, max_frame: usize, now: Instant) {
        if role == Role::Central
            && let Some(schedule) = self.adapters.get_mut(&id.adapter)
        {
            schedule.connected(address);
        }
        if role == Role::Peripheral && self.count(id.adapter, role) >= self.config.max_incoming {
            self.counters.refused_links += 1;
            self.outputs.push_back(Output::Radio(RadioCommand::Disconnect { link: id }));
            return;
        }
        let info = LinkInfo { role, max_frame, address, peer: None, since: now, heard: false };
        self.links.insert(id, Link { info, inbox: Inbox::default(), outbox: Outbox::default() });
        self.alone_since = None;
        self.outputs.push_back(Output::Event(LinkEvent::Up { link: id, role, max_frame }));
    }

    fn link_down(&mut self, id: LinkId, reason: LinkDownReason, now: Instant) {
        let Some(link) = self.links.remove(&id) else { return };
        if self.links.is_empty() {
            self.alone_since = Some(now);
        }
        if let Some(schedule) = self.adapters.get_mut(&id.adapter) {
            schedule.disconnected(link.info.address, reason, &self.config, now);
        }
        self.outputs.push_back(Output::Event(LinkEvent::Down { link: id, reason }));
    }

    fn received(&mut self, id: LinkId, bytes: Bytes, now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.info.heard = true;
        let arrival = link.inbox.accept(bytes, &self.config, now);
        self.counters.garbage_bytes += count(arrival.skipped);
        self.counters.frames_received += count(arrival.frames.len());
        let frames = arrival.frames.into_iter();
        self.outputs.extend(frames.map(|frame| Output::Event(LinkEvent::Frame { link: id, frame })));
    }

    fn send(&mut self, id: LinkId, frame: Bytes, priority: Priority) {
        let Some(link) = self.links.get_mut(&id) else {
            self.counters.dropped_no_link += 1;
            return;
        };
        if frame.len() > link.info.max_frame {
            self.counters.dropped_too_long += 1;
            return;
        }
        self.counters.dropped_full += link.outbox.push(frame, priority, &self.config);
        self.flush(id);
    }

    /// Hands the radio what it may have of a link's outbox.
    fn flush(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        while let Some(frame) = link.outbox.next(&self.config) {
            self.counters.frames_sent += 1;
            self.outputs.push_back(Output::Radio(RadioCommand::Write { link: id, frame }));
        }
    }

    /// Of two links in the same role to one peer the newer stays (spec 1.6).
    fn bind(&mut self, id: LinkId, peer: PeerId, now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.info.peer = Some(peer);
        let role = link.info.role;
        let mut twins: Vec<(Instant, LinkId)> = self
            .links
            .iter()
            .filter(|(_, link)| link.info.peer == Some(peer) && link.info.role == role)
            .map(|(&id, link)| (link.info.since, id))
            .collect();
        twins.sort_unstable();
        twins.pop();
        self.retired.retain(|_, &mut at| now.since(at) < self.config.retire_cooldown);
        if twins.is_empty() || self.retired.contains_key(&peer) {
            return;
        }
        self.retired.insert(peer, now);
        for (_, twin) in twins {
            self.counters.retired_links += 1;
            self.close(twin, LinkDownReason::Closed, now);
        }
    }

    fn close_silent_links(&mut self, now: Instant) {
        let silent: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| !link.info.heard && now.since(link.info.since) >= self.config.silence)
            .map(|(&id, _)| id)
            .collect();
        for id in silent {
            self.counters.silent_links += 1;
            self.close(id, LinkDownReason::TimedOut, now);
        }
    }

    /// Ends a link here and now; what the radio still reports of it is ignored.
    fn close(&mut self, id: LinkId, reason: LinkDownReason, now: Instant) {
        self.outputs.push_back(Output::Radio(RadioCommand::Disconnect { link: id }));
        self.link_down(id, reason, now);
    }

    fn dial(&mut self, now: Instant) {
        let adapters: Vec<AdapterId> = self.adapters.keys().copied().collect();
        for adapter in adapters {
            let may_dial = self.may_dial(adapter);
            let Some(schedule) = self.adapters.get_mut(&adapter) else { continue };
            if schedule.expire(&self.config, now).is_some() {
                self.counters.dial_failures += 1;
            }
            if !may_dial {
                continue;
            }
            let wanted = |address, device: &Device| is_wanted(&self.links, address, device);
            if let Some(address) = schedule.dial(wanted, &self.config, now) {
                self.counters.dialled += 1;
                self.outputs.push_back(Output::Radio(RadioCommand::Connect { adapter, address }));
            }
        }
    }

    fn may_dial(&self, adapter: AdapterId) -> bool {
        self.count(adapter, Role::Central) < self.config.max_outgoing
    }

    fn count(&self, adapter: AdapterId, role: Role) -> usize {
        self.links.iter().filter(|(id, link)| id.adapter == adapter && link.info.role == role).count()
    }
}

/// Whether a link to this device would be new: not to a device or a peer some link leads to already. One
/// controller cannot connect twice to the same device, and phones that are linked twice drop writes
/// (`bluez-rules.md`).
fn is_wanted(links: &BTreeMap<LinkId, Link>, address: DeviceAddress, device: &Device) -> bool {
    !links
        .values()
        .any(|link| link.info.address == address || (device.peer.is_some() && link.info.peer == device.peer))
}

fn random_part(span: Duration, rng: &mut ChaCha12Rng) -> Duration {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rng.next_u64() % micros.saturating_add(1).max(1))
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::frame::tests::frame;

    const HCI0: AdapterId = AdapterId(0);
    const OWN: DeviceAddress = DeviceAddress([0; 6]);
    const BOB: PeerId = PeerId([0xB; 8]);

    fn address(number: u8) -> DeviceAddress {
        DeviceAddress([number; 6])
    }

    fn link(serial: u32) -> LinkId {
        LinkId { adapter: HCI0, serial }
    }

    /// A layer on a clock of its own.
    struct Bench {
        layer: LinkLayer,
        now: Now,
    }

    impl Bench {
        fn new(config: Config) -> Self {
            let mut bench = Self { layer: LinkLayer::new(config, [7; 32]), now: Now::default() };
            let up = bench.radio(RadioEvent::AdapterUp { adapter: HCI0, address: OWN });
            assert_eq!(up, [Output::Event(LinkEvent::Adapter { adapter: HCI0, up: true })]);
            bench
        }

        fn handle(&mut self, input: Input) -> Vec<Output> {
            self.layer.handle(input, self.now);
            std::iter::from_fn(|| self.layer.poll_output()).collect()
        }

        fn radio(&mut self, event: RadioEvent) -> Vec<Output> {
            self.handle(Input::Radio(event))
        }

        fn command(&mut self, command: LinkCommand) -> Vec<Output> {
            self.handle(Input::Command(command))
        }

        fn hear(&mut self, number: u8, peer: Option<PeerId>) -> Vec<Output> {
            let (adapter, address) = (HCI0, address(number));
            self.radio(RadioEvent::Discovered { adapter, address, rssi: Some(-60), peer })
        }

        fn link_up(&mut self, serial: u32, number: u8, role: Role) -> Vec<Output> {
            let (link, address) = (link(serial), address(number));
            self.radio(RadioEvent::LinkUp { link, address, role, max_frame: 512 })
        }

        fn receive(&mut self, serial: u32, bytes: &[u8]) -> Vec<Output> {
            self.radio(RadioEvent::Received { link: link(serial), bytes: Bytes::copy_from_slice(bytes) })
        }

        /// Lets time pass, with a timeout whenever the layer asked for one.
        fn pass(&mut self, span: Duration) -> Vec<Output> {
            let end = self.now.instant + span;
            let mut outputs = Vec::new();
            while let Some(due) = self.layer.poll_timeout().filter(|&due| due <= end) {
                self.now.instant = due.max(self.now.instant);
                outputs.extend(self.handle(Input::Timeout));
                assert!(self.layer.poll_timeout() != Some(due), "a timeout that does not move spins");
            }
            self.now.instant = end;
            outputs
        }
    }

    fn connect(number: u8) -> Output {
        Output::Radio(RadioCommand::Connect { adapter: HCI0, address: address(number) })
    }

    fn down(serial: u32, reason: LinkDownReason) -> Output {
        Output::Event(LinkEvent::Down { link: link(serial), reason })
    }

    fn disconnect(serial: u32) -> Output {
        Output::Radio(RadioCommand::Disconnect { link: link(serial) })
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_device_that_is_heard_is_dialled_within_half_a_second() {
        let mut bench = Bench::new(Config::default());
        assert_eq!(bench.hear(1, None), []);
        assert_eq!(bench.pass(Duration::from_millis(501)), [connect(1)]);
        let up = LinkEvent::Up { link: link(1), role: Role::Central, max_frame: 512 };
        assert_eq!(bench.link_up(1, 1, Role::Central), [Output::Event(up)]);
    }

    #[test]
    fn a_device_that_dials_us_first_is_not_dialled() {
        let mut bench = Bench::new(Config::default());
        bench.hear(1, None);
        bench.link_up(1, 1, Role::Peripheral);
        bench.receive(1, &frame(0, 5));
        assert_eq!(bench.pass(secs(30)), []);
    }

    #[test]
    fn a_peer_that_is_linked_is_not_dialled_under_another_address() {
        let mut bench = Bench::new(Config::default());
        bench.link_up(1, 1, Role::Central);
        bench.receive(1, &frame(0, 5));
        bench.command(LinkCommand::Bind { link: link(1), peer: BOB });
        bench.hear(2, Some(BOB));
        assert_eq!(bench.pass(secs(30)), []);
    }

    #[test]
    fn a_node_does_not_dial_itself() {
        let mut bench = Bench::new(Config { own_peer: Some(BOB), ..Config::default() });
        bench.hear(2, Some(BOB));
        assert_eq!(bench.pass(secs(30)), []);
    }

    #[test]
    fn two_adapters_of_one_node_do_not_dial_each_other() {
        let mut bench = Bench::new(Config::default());
        bench.hear(1, None);
        bench.radio(RadioEvent::AdapterUp { adapter: AdapterId(1), address: address(1) });
        bench.hear(1, None);
        assert_eq!(bench.pass(secs(30)), []);
    }

    #[test]
    fn an_adapter_dials_no_more_than_its_budget() {
        let mut bench = Bench::new(Config::default());
        for number in 1..=8 {
            bench.hear(number, None);
        }
        let mut outputs = VecDeque::from(bench.pass(secs(1)));
        let mut dialled = 0;
        while let Some(output) = outputs.pop_front() {
            if let Output::Radio(RadioCommand::Connect { address, .. }) = output {
                dialled += 1;
                outputs.extend(bench.link_up(dialled, address.0[0], Role::Central));
                outputs.extend(bench.receive(dialled, &frame(0, 5)));
                outputs.extend(bench.pass(secs(1)));
            }
        }
        assert_eq!(dialled, 6);
        bench.radio(RadioEvent::LinkDown { link: link(1), reason: LinkDownReason::Remote });
        bench.pass(secs(1));
        assert_eq!(bench.layer.counters().dialled, 7);
    }

    #[test]
    fn too_many_inbound_links_are_refused() {
        let mut bench = Bench::new(Config { max_incoming: 1, ..Config::default() });
        bench.link_up(1, 1, Role::Peripheral);
        assert_eq!(bench.link_up(2, 2, Role::Peripheral), [disconnect(2)]);
        assert_eq!(bench.layer.counters().refused_links, 1);
    }

    #[test]
    fn the_radio_gets_a_window_of_frames_and_the_rest_as_it_answers() {
        let mut bench = Bench::new(Config { write_window: 2, ..Config::default() });
        bench.link_up(1, 1, Role::Central);
        let mut writes = Vec::new();
        for byte in 0..4u8 {
            let frame = Bytes::from(vec![byte; 30]);
            let priority = if byte < 3 { Priority::Fragment } else { Priority::Own };
            writes.extend(bench.command(LinkCommand::Send { link: link(1), frame, priority }));
        }
        assert_eq!(writes.len(), 2);
        for _ in 0..4 {
            writes.extend(bench.radio(RadioEvent::Written { link: link(1) }));
        }
        let order: Vec<u8> = writes
            .iter()
            .filter_map(|output| match output {
                Output::Radio(RadioCommand::Write { frame, .. }) => frame.first().copied(),
                Output::Radio(RadioCommand::Connect { .. } | RadioCommand::Disconnect { .. })
                | Output::Event(_) => None,
            })
            .collect();
        assert_eq!(order, [0, 1, 3, 2]);
    }

    #[test]
    fn a_train_pauses_while_frames_wait() {
        let config = Config { write_window: 1, train_backlog: 2, ..Config::default() };
        let mut bench = Bench::new(config);
        assert!(!bench.layer.has_room(link(1)));
        bench.link_up(1, 1, Role::Central);
        let send = || LinkCommand::Send {
            link: link(1),
            frame: Bytes::from_static(b"fragment"),
            priority: Priority::Fragment,
        };
        for room in [true, true, false] {
            bench.command(send());
            assert_eq!(bench.layer.has_room(link(1)), room);
        }
        bench.radio(RadioEvent::Written { link: link(1) });
        assert!(bench.layer.has_room(link(1)));
    }

    #[test]
    fn what_a_link_cannot_carry_is_counted() {
        let mut bench = Bench::new(Config::default());
        bench.link_up(1, 1, Role::Central);
        for (serial, length) in [(1, 513), (9, 10)] {
            let frame = Bytes::from(vec![0; length]);
            let send = LinkCommand::Send { link: link(serial), frame, priority: Priority::Own };
            assert_eq!(bench.command(send), []);
        }
        let counters = bench.layer.counters();
        assert_eq!((counters.dropped_too_long, counters.dropped_no_link), (1, 1));
    }

    #[test]
    fn a_link_that_stays_silent_is_closed() {
        let mut bench = Bench::new(Config::default());
        bench.link_up(1, 1, Role::Central);
        bench.link_up(2, 2, Role::Peripheral);
        bench.receive(2, &frame(0, 5));
        assert_eq!(bench.pass(secs(20)), [disconnect(1), down(1, LinkDownReason::TimedOut)]);
        assert_eq!(bench.layer.links().count(), 1);
        let late = RadioEvent::LinkDown { link: link(1), reason: LinkDownReason::Closed };
        assert_eq!(bench.radio(late), []);
    }

    #[test]
    fn of_two_links_in_one_role_the_newer_stays() {
        let mut bench = Bench::new(Config::default());
        for (serial, role) in [(1, Role::Central), (2, Role::Peripheral), (3, Role::Central)] {
            bench.pass(secs(1));
            bench.link_up(serial, serial as u8, role);
            bench.receive(serial, &frame(0, 5));
        }
        let bind = |serial| LinkCommand::Bind { link: link(serial), peer: BOB };
        assert_eq!(bench.command(bind(3)), []);
        assert_eq!(bench.command(bind(2)), []);
        assert_eq!(bench.command(bind(1)), [disconnect(1), down(1, LinkDownReason::Closed)]);
        bench.link_up(4, 4, Role::Central);
        bench.receive(4, &frame(0, 5));
        assert_eq!(bench.command(bind(4)), [], "once a minute");
        bench.pass(secs(60));
        assert_eq!(bench.command(bind(4)), [disconnect(3), down(3, LinkDownReason::Closed)]);
    }

    #[test]
    fn an_adapter_takes_its_links_and_candidates_down_with_it() {
        let mut bench = Bench::new(Config::default());
        bench.link_up(1, 1, Role::Central);
        bench.hear(2, None);
        let adapter_down = Output::Event(LinkEvent::Adapter { adapter: HCI0, up: false });
        assert_eq!(
            bench.radio(RadioEvent::AdapterDown { adapter: HCI0 }),
            [down(1, LinkDownReason::AdapterDown), adapter_down]
        );
        assert_eq!(bench.pass(secs(60)), []);
    }

    #[test]
    fn frames_come_out_whole() {
        let mut bench = Bench::new(Config::default());
        bench.link_up(1, 1, Role::Central);
        let whole = frame(2, 40);
        assert_eq!(bench.receive(1, &whole[..50]), []);
        let event = LinkEvent::Frame { link: link(1), frame: Bytes::from(whole.clone()) };
        assert_eq!(bench.receive(1, &whole[50..]), [Output::Event(event)]);
        assert_eq!(bench.layer.counters().frames_received, 1);
    }
}
