//! What must hold for an engine whatever it is told, by whomever and whenever: the body of the target `engine` in
//! `fuzz/`.
//!
//! Bytes are read as a course of events: frames of strangers, of people who sign properly and of one with whom a
//! session stands, commands, links that come and go, time that passes or jumps. After each, what the engine asked for
//! is counted, its links are looked at, and its timers have to come to rest.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::course::{Tape, change, template};
use super::orders::Asker;
use crate::crypto::Identity;
use crate::ids::{AdapterId, AttemptId, LinkId, PeerId};
use crate::link::event::{DeviceAddress, LinkDownReason, RadioCommand, RadioEvent, Role};
use crate::mesh::config::Config;
use crate::mesh::engine::Engine;
use crate::mesh::error::Counters;
use crate::mesh::event::{Command, Input, Output};
use crate::mesh::kept::{Kept, Shelf};
use crate::time::{Instant, Now, UnixMillis};
use crate::wire::{Announce, Capabilities, Fragment, Packet, PacketType, Version};

/// Outputs that one input may call for.
const MAX_OUTPUTS: usize = 4_096;
/// Bytes that one input may put on links.
const MAX_BYTES: usize = 4 << 20;
/// How often a timer may be due again at the time it was just served.
const MAX_ROUNDS: usize = 256;
/// Events of one course.
const MAX_STEPS: usize = 400;
/// How often an engine left alone may wake within the minute.
const MAX_WAKES: usize = 10_000;
/// Frames that are remembered for being sent again.
const REMEMBERED: usize = 16;
/// Packets that an engine remembers for others, of all kinds (spec 3.7), notices and what withdraws them among them.
const MAX_REMEMBERED: usize = 1_024 + 1_000 + 600 + 3 * 200 + 400;
/// When every course begins.
const START: UnixMillis = UnixMillis(1_800_000_000_000);
const ADAPTER: AdapterId = AdapterId(0);
/// The link at whose other end a second engine sits.
const FRIEND: u32 = 0;
/// Links that there may be.
const LINKS: u32 = 4;

/// One course of events; what the engine counted on it.
pub fn engine(course: &[u8]) -> Counters {
    let mut trial = Trial::new();
    let mut tape = Tape(course);
    trial.restore(&mut tape);
    for _ in 0..MAX_STEPS {
        if tape.0.is_empty() {
            break;
        }
        trial.step(&mut tape);
    }
    trial.rest();
    trial.engine.counters().clone()
}

struct Trial {
    own: Identity,
    engine: Engine,
    friend: Engine,
    /// Who can sign: the friend, and two whom the engine meets only here.
    signers: [Identity; 3],
    now: Now,
    stamp: u64,
    attempt: u64,
    /// The longest frame of each link that is up.
    links: BTreeMap<LinkId, usize>,
    recent: VecDeque<Bytes>,
}

impl Trial {
    fn new() -> Self {
        let identity = |seed: u8| Identity::from_bytes(&[seed; Identity::LEN]);
        let config =
            |nickname: &str| Config { nickname: nickname.to_owned(), max_peers: 64, ..Config::default() };
        Self {
            own: identity(1),
            engine: Engine::new(identity(1), config("alice"), [1; 32]),
            friend: Engine::new(identity(2), config("bob"), [2; 32]),
            signers: [identity(2), identity(3), identity(4)],
            now: Now { instant: Instant::ZERO, unix: START },
            stamp: START.0,
            attempt: 0,
            links: BTreeMap::new(),
            recent: VecDeque::new(),
        }
    }

    /// What an earlier run is said to have kept, then the links.
    fn restore(&mut self, tape: &mut Tape) {
        let shelves = Shelf::ALL;
        let kept = (0..tape.below(6))
            .filter_map(|_| {
                let (shelf, key, value) = (tape.pick(&shelves)?, tape.bytes(), template(tape));
                Some(Kept { shelf, key, value })
            })
            .collect();
        self.input(Input::Restore(kept));
        self.radio(RadioEvent::AdapterUp { adapter: ADAPTER, address: DeviceAddress([0; 6]) });
        for serial in 0..3 {
            self.link_up(serial, Role::Central, 512);
        }
    }

    fn step(&mut self, tape: &mut Tape) {
        match tape.below(16) {
            0 => self.raw(tape),
            1..=4 => self.packet(tape),
            5 => self.announce(tape),
            6 | 7 => self.secret(tape),
            8 => self.fragment(tape),
            9 | 10 => self.command(tape),
            11 => self.link(tape),
            12 => self.replay(tape),
            13 => {
                let greet = Command::Greet { peer: self.engine.peer_id() };
                self.friend.handle(Input::Command(greet), self.now);
                self.converse();
            }
            14 => {
                self.stamp = START.0.saturating_add(u64::from(tape.number()) * 60_000);
                self.now.unix = UnixMillis(self.stamp);
                self.pass(Duration::from_millis(1));
            }
            _ => self.wait(tape),
        }
    }

    /// Time passes: to the next timer, or as long as it pleases.
    fn wait(&mut self, tape: &mut Tape) {
        let due = self.engine.poll_timeout().map(|due| due.since(self.now.instant)).unwrap_or_default();
        let spans = [due, Duration::from_millis(20), Duration::from_secs(1), Duration::from_secs(6)];
        let longer = [10, 30, 61, 301, 3_600, 86_400, 2_600_000].map(Duration::from_secs);
        let span = tape.pick(&[spans.as_slice(), &longer].concat()).unwrap_or_default();
        self.pass(span);
    }

    fn pass(&mut self, span: Duration) {
        self.now = Now { instant: self.now.instant + span, unix: self.now.unix + span };
        self.input(Input::Timeout);
        self.friend.handle(Input::Timeout, self.now);
        self.converse();
    }

    /// Bytes that mean nothing, or what the course makes of them.
    fn raw(&mut self, tape: &mut Tape) {
        let (link, bytes) = (tape.byte(), tape.bytes());
        self.arrive(link, bytes);
    }

    /// A packet that is made properly, as far as its payload goes.
    fn packet(&mut self, tape: &mut Tape) {
        let link = tape.byte();
        let signer = tape.byte();
        let manner = tape.byte();
        let packet_type = tape.pick(PacketType::NAMED).unwrap_or(PacketType::Unknown(0x7E));
        let others = [self.engine.peer_id(), self.friend.peer_id(), PeerId::BROADCAST, PeerId([9; 8])];
        let packet = Packet {
            version: if manner & 1 == 0 { Version::V1 } else { Version::V2 },
            packet_type,
            ttl: tape.below(9),
            timestamp: self.next_stamp(tape),
            sender: self.signer(signer).peer_id(),
            recipient: if manner & 2 == 0 { None } else { tape.pick(&others) },
            route: if manner & 5 == 5 { tape.pick(&others).into_iter().collect() } else { Vec::new() },
            rsr: manner & 0x18 == 0x18,
            payload: template(tape),
            signature: None,
        };
        let frame = if manner & 0xE0 == 0xE0 { packet.encode().ok() } else { self.signed(signer, packet) };
        self.arrive(link, frame.unwrap_or_default().into());
    }

    fn announce(&mut self, tape: &mut Tape) {
        let (link, seed) = (tape.byte(), tape.byte());
        let stranger = Identity::from_bytes(&[seed; Identity::LEN]);
        let announce = Announce {
            nickname: "x".repeat(usize::from(tape.byte())),
            noise_public: stranger.noise_public(),
            signing_public: stranger.signing_public(),
            neighbours: vec![self.engine.peer_id(), self.friend.peer_id()],
            capabilities: Some(Capabilities::of([u32::from(tape.below(12)), 8])),
            bridge_geohash: None,
        };
        let mut packet = self.plain(PacketType::Announce, announce.encode().unwrap_or_default().into(), tape);
        packet.sender = stranger.peer_id();
        packet.signature = packet.signing_preimage().ok().map(|preimage| stranger.sign(&preimage));
        self.arrive(link, packet.encode().unwrap_or_default().into());
    }

    /// Something that the friend says in its session, if there is one.
    fn secret(&mut self, tape: &mut Tape) {
        const INNER: [u8; 14] = [1, 2, 3, 6, 7, 8, 9, 0x10, 0x11, 0x12, 0x20, 0x21, 0x70, 0x7E];
        let inner = tape.pick(&INNER).unwrap_or_default();
        let plaintext = [&[inner], template(tape).as_ref()].concat();
        let me = self.engine.peer_id();
        let sealed = self.friend.sessions.seal(me, &plaintext, self.now.instant);
        let payload = sealed.map_or_else(|| template(tape), Bytes::from);
        let mut packet = self.plain(PacketType::NoiseEncrypted, payload, tape);
        packet.recipient = Some(me);
        self.arrive(0, packet.encode().unwrap_or_default().into());
    }

    /// A piece of something, of few ids, so that pieces meet.
    fn fragment(&mut self, tape: &mut Tape) {
        let total = tape.pick(&[1, 2, 3, 300, 10_000]).unwrap_or(1);
        let fragment = Fragment {
            id: [tape.below(4); 8],
            index: tape.number() % total,
            total,
            original_type: tape.pick(PacketType::NAMED).unwrap_or(PacketType::Message),
            data: if tape.byte() & 1 == 0 { template(tape) } else { vec![tape.byte(); 469].into() },
        };
        let link = tape.byte();
        let packet = self.plain(PacketType::Fragment, fragment.encode().into(), tape);
        self.arrive(link, packet.encode().unwrap_or_default().into());
    }

    fn command(&mut self, tape: &mut Tape) {
        self.attempt += 1;
        let attempt = AttemptId(self.attempt);
        let peers = [self.friend.peer_id(), self.engine.peer_id(), self.signers[1].peer_id(), PeerId([9; 8])];
        let to = tape.pick(&peers).unwrap_or(PeerId([9; 8]));
        let (engine, identity, now) = (&self.engine, &self.own, self.now);
        let command = Asker { engine, identity, attempt, to, now }.order(tape);
        self.input(Input::Command(command));
        self.converse();
    }

    fn link(&mut self, tape: &mut Tape) {
        let serial = u32::from(tape.byte()) % LINKS;
        let link = LinkId { adapter: ADAPTER, serial };
        let address = DeviceAddress([tape.below(8); 6]);
        match tape.below(6) {
            0 => self.link_down(link),
            1 => {
                let role = if tape.byte() & 1 == 0 { Role::Central } else { Role::Peripheral };
                let max_frame = tape.pick(&[512, 180, 20, 0]).unwrap_or(512);
                if !self.links.contains_key(&link) {
                    self.link_up(serial, role, max_frame);
                }
            }
            2 => {
                self.radio(RadioEvent::Discovered { adapter: ADAPTER, address, rssi: Some(-60), peer: None })
            }
            3 => {
                let reason = LinkDownReason::TimedOut;
                self.radio(RadioEvent::ConnectFailed { adapter: ADAPTER, address, reason });
            }
            4 => {
                for link in self.links.clone().into_keys() {
                    self.link_down(link);
                }
                self.radio(RadioEvent::AdapterDown { adapter: ADAPTER });
            }
            _ => self.radio(RadioEvent::AdapterUp { adapter: ADAPTER, address }),
        }
        self.converse();
    }

    /// A frame comes again, on whatever link, and not always as it was.
    fn replay(&mut self, tape: &mut Tape) {
        let index = usize::from(tape.byte()).checked_rem(self.recent.len());
        let Some(frame) = index.and_then(|index| self.recent.get(index)) else { return };
        let mut frame = frame.to_vec();
        if tape.byte() & 1 == 1 {
            change(&mut frame, tape);
        }
        self.arrive(tape.byte(), frame.into());
    }

    fn signer(&self, number: u8) -> &Identity {
        let [friend, second, third] = &self.signers;
        match number % 3 {
            0 => friend,
            1 => second,
            _ => third,
        }
    }

    fn signed(&self, signer: u8, mut packet: Packet) -> Option<Vec<u8>> {
        packet.signature = Some(self.signer(signer).sign(&packet.signing_preimage().ok()?));
        packet.encode().ok()
    }

    /// A packet of the friend's, not signed.
    fn plain(&mut self, packet_type: PacketType, payload: Bytes, tape: &mut Tape) -> Packet {
        Packet {
            version: if payload.len() > 60_000 { Version::V2 } else { Version::V1 },
            packet_type,
            ttl: 7,
            timestamp: self.next_stamp(tape),
            sender: self.friend.peer_id(),
            recipient: None,
            route: Vec::new(),
            rsr: false,
            payload,
            signature: None,
        }
    }

    /// Mostly about now, and never the same twice; sometimes from another day.
    fn next_stamp(&mut self, tape: &mut Tape) -> UnixMillis {
        self.stamp = self.stamp.max(self.now.unix.0).saturating_add(1);
        match tape.below(8) {
            0 => UnixMillis(self.stamp.saturating_sub(u64::from(tape.number()) * 10_000)),
            _ => UnixMillis(self.stamp.min(self.now.unix.0.saturating_add(1_000))),
        }
    }

    fn arrive(&mut self, link: u8, bytes: Bytes) {
        let link = LinkId { adapter: ADAPTER, serial: u32::from(link) % LINKS };
        if self.recent.len() >= REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(bytes.clone());
        self.radio(RadioEvent::Received { link, bytes });
        self.converse();
    }

    fn link_up(&mut self, serial: u32, role: Role, max_frame: usize) {
        let link = LinkId { adapter: ADAPTER, serial };
        self.links.insert(link, max_frame);
        let address = DeviceAddress([u8::try_from(serial).unwrap_or_default() + 1; 6]);
        if serial == FRIEND {
            let other = if role == Role::Central { Role::Peripheral } else { Role::Central };
            let up = RadioEvent::LinkUp { link, address, role: other, max_frame };
            self.friend.handle(Input::Radio(up), self.now);
        }
        self.radio(RadioEvent::LinkUp { link, address, role, max_frame });
        self.converse();
    }

    fn link_down(&mut self, link: LinkId) {
        self.links.remove(&link);
        let reason = LinkDownReason::Remote;
        self.radio(RadioEvent::LinkDown { link, reason });
        self.friend.handle(Input::Radio(RadioEvent::LinkDown { link, reason }), self.now);
    }

    fn radio(&mut self, event: RadioEvent) {
        self.input(Input::Radio(event));
    }

    /// The one thing that everything comes down to: an input, and what the engine makes of it.
    fn input(&mut self, input: Input) {
        self.engine.handle(input, self.now);
        self.drain();
        self.settle();
    }

    /// Does what the engine wants until it wants nothing more, as the shell does: what is written makes room for more.
    fn drain(&mut self) {
        let (mut outputs, mut bytes) = (0, 0);
        while let Some(output) = self.engine.poll_output() {
            outputs += 1;
            if let Output::Radio(RadioCommand::Write { link, frame }) = output {
                bytes += frame.len();
                self.write(link, frame);
            }
        }
        assert!(outputs <= MAX_OUTPUTS, "{outputs} outputs for one input");
        assert!(bytes <= MAX_BYTES, "{bytes} bytes for one input");
    }

    fn write(&mut self, link: LinkId, frame: Bytes) {
        let fits = self.links.get(&link).is_some_and(|&most| frame.len() <= most);
        assert!(fits, "a frame for no link");
        if link.serial == FRIEND {
            self.friend.handle(Input::Radio(RadioEvent::Received { link, bytes: frame }), self.now);
        }
        self.engine.handle(Input::Radio(RadioEvent::Written { link }), self.now);
    }

    /// A timer that was served is due later, or not at all.
    fn settle(&mut self) {
        let mut rounds = 0;
        while self.engine.poll_timeout().is_some_and(|due| due <= self.now.instant) {
            rounds += 1;
            assert!(rounds <= MAX_ROUNDS, "a timer spins");
            self.engine.handle(Input::Timeout, self.now);
            self.drain();
        }
    }

    /// What the friend has to say comes over its link, and is answered.
    fn converse(&mut self) {
        for _ in 0..64 {
            let Some(output) = self.friend.poll_output() else { return };
            if let Output::Radio(RadioCommand::Write { link, frame }) = output {
                self.friend.handle(Input::Radio(RadioEvent::Written { link }), self.now);
                self.radio(RadioEvent::Received { link, bytes: frame });
            }
        }
        while self.friend.poll_output().is_some() {}
    }

    /// Left alone for a minute, it wakes now and then.
    fn rest(&mut self) {
        let end = self.now.instant + Duration::from_secs(60);
        let mut wakes = 0;
        while let Some(due) = self.engine.poll_timeout().filter(|&due| due < end) {
            wakes += 1;
            assert!(wakes <= MAX_WAKES, "{wakes} timers within a minute");
            let span = due.since(self.now.instant);
            self.now = Now { instant: self.now.instant + span, unix: self.now.unix + span };
            self.input(Input::Timeout);
            while self.friend.poll_output().is_some() {}
        }
        assert!(self.engine.reassembly.is_bounded(), "more fragments than it may hold");
        assert!(self.engine.peers(self.now).len() <= 64, "more peers than it may remember");
        assert!(self.engine.gossip.remembered() <= MAX_REMEMBERED, "more packets than it may remember");
        assert!(self.engine.courier_report().carried <= 40, "more mail than it may carry");
        assert!(self.engine.groups().len() <= 64, "more groups than it may be in");
        assert!(self.engine.notices(self.now).len() <= 200, "more notices than may stand");
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    /// The seed of each is its number, so that a failure can be seen again.
    const COURSES: u64 = 60;

    #[test]
    fn an_engine_bears_whatever_comes() {
        let (mut received, mut relayed, mut reassembled) = (0, 0, 0);
        for seed in 0..COURSES {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let mut course = vec![0; 4_000];
            rng.fill_bytes(&mut course);
            crate::mesh::fuzz::reassembly(&course);
            let counted = super::engine(&course);
            received += counted.received;
            relayed += counted.relayed;
            reassembled += counted.reassembled;
        }
        assert!(received > 20 * COURSES && relayed > 0 && reassembled > 0, "the courses lead nowhere");
    }
}
