//! One engine, its links held by hand: whatever frames a test likes, straight into it.
#![allow(dead_code, reason = "each test file uses its share")]

use std::time::Duration;

use bytes::Bytes;
use hopline::crypto::Identity;
use hopline::ids::{AdapterId, LinkId, PeerId};
use hopline::link::event::{DeviceAddress, RadioCommand, RadioEvent, Role};
use hopline::mesh::error::DropReason;
use hopline::mesh::event::{Command, Event, Input, Introduction, Output, Reach};
use hopline::mesh::kept::Keep;
use hopline::mesh::trust::Standing;
use hopline::mesh::{Config, Engine};
use hopline::time::{Instant, Now, UnixMillis};
use hopline::wire::{Announce, Packet, PacketType, Version};

/// What the clock shows at the start.
pub(crate) const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// One engine, its links held by hand.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    pub(crate) written: Vec<(LinkId, Bytes)>,
    /// What the engine wants written down.
    pub(crate) kept: Vec<Keep>,
}

pub(crate) fn link(serial: u32) -> LinkId {
    LinkId { adapter: AdapterId(0), serial }
}

pub(crate) fn identity(seed: u8) -> Identity {
    Identity::from_bytes(&[seed; 64])
}

impl Bench {
    /// An engine with this many links, to nobody known yet.
    pub(crate) fn with_links(count: u32) -> Self {
        let mut bench = Self::new(Config::default());
        bench.connect(count);
        bench
    }

    /// An adapter comes up, and this many links.
    pub(crate) fn connect(&mut self, count: u32) {
        let up = RadioEvent::AdapterUp { adapter: AdapterId(0), address: DeviceAddress([0; 6]) };
        self.feed(Input::Radio(up));
        (1..=count).for_each(|serial| self.link_up(serial));
    }

    pub(crate) fn link_up(&mut self, serial: u32) {
        let address = DeviceAddress([0, 0, 0, 0, 0, u8::try_from(serial).expect("few links")]);
        let up = RadioEvent::LinkUp { link: link(serial), address, role: Role::Peripheral, max_frame: 512 };
        self.feed(Input::Radio(up));
    }

    pub(crate) fn new(config: Config) -> Self {
        let engine = Engine::new(identity(1), config, [7; 32]);
        Self { engine, now: Instant::ZERO, events: Vec::new(), written: Vec::new(), kept: Vec::new() }
    }

    pub(crate) fn clock(&self) -> Now {
        Now { instant: self.now, unix: START + self.now.since_start() }
    }

    pub(crate) fn feed(&mut self, input: Input) {
        let now = self.clock();
        self.engine.handle(input, now);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Keep(change) => self.kept.push(change),
                Output::Radio(RadioCommand::Write { link, frame }) => {
                    self.written.push((link, frame));
                    self.engine.handle(Input::Radio(RadioEvent::Written { link }), now);
                }
                Output::Radio(RadioCommand::Connect { .. } | RadioCommand::Disconnect { .. }) => {}
            }
        }
    }

    pub(crate) fn hear(&mut self, serial: u32, frame: &[u8]) {
        let bytes = Bytes::copy_from_slice(frame);
        self.feed(Input::Radio(RadioEvent::Received { link: link(serial), bytes }));
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.engine.poll_timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.feed(Input::Timeout);
        }
        self.now = end;
    }

    pub(crate) fn shown(&self, wanted: &str) -> usize {
        let is_it = |event: &&Event| matches!(event, Event::PublicMessage(message) if message.text == wanted);
        self.events.iter().filter(is_it).count()
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.engine.counters().dropped.get(&reason).copied().unwrap_or(0)
    }

    pub(crate) fn reach(&self, peer: PeerId) -> Option<Reach> {
        self.engine.peers(self.clock()).into_iter().find(|info| info.id == peer).map(|info| info.reach)
    }

    /// The frames of others passed on, and over which links.
    pub(crate) fn relayed(&self) -> Vec<(LinkId, Bytes)> {
        let own = self.engine.peer_id();
        let of_others = |frame: &Bytes| frame.get(14..22) != Some(own.as_bytes().as_slice());
        self.written.iter().filter(|(_, frame)| of_others(frame)).cloned().collect()
    }
}

pub(crate) fn packet(who: &Identity, packet_type: PacketType, payload: impl Into<Bytes>, at: u64) -> Packet {
    Packet {
        version: Version::V1,
        packet_type,
        ttl: 7,
        timestamp: UnixMillis(START.0 + at),
        sender: who.peer_id(),
        recipient: None,
        route: Vec::new(),
        rsr: false,
        payload: payload.into(),
        signature: None,
    }
}

pub(crate) fn signed(who: &Identity, mut packet: Packet) -> Vec<u8> {
    packet.signature = Some(who.sign(&packet.signing_preimage().expect("it encodes")));
    packet.encode().expect("it encodes")
}

/// A text for everyone.
pub(crate) fn text(who: &Identity, text: &str, at: u64) -> Vec<u8> {
    signed(who, packet(who, PacketType::Message, text.to_owned(), at))
}

/// A contact of the bench's node.
pub(crate) fn know(who: &Identity) -> Input {
    Input::Command(Command::Know(Introduction {
        noise_public: who.noise_public(),
        signing_public: who.signing_public(),
        nickname: "a contact".to_owned(),
        standing: Standing::default(),
    }))
}

pub(crate) fn announce(who: &Identity, signing_public: [u8; 32], at: u64) -> Vec<u8> {
    let announce = Announce {
        nickname: "somebody".to_owned(),
        noise_public: who.noise_public(),
        signing_public,
        neighbours: Vec::new(),
        capabilities: None,
        bridge_geohash: None,
    };
    signed(who, packet(who, PacketType::Announce, announce.encode().expect("it encodes"), at))
}

pub(crate) fn introduce(bench: &mut Bench, serial: u32, who: &Identity, at: u64) {
    bench.hear(serial, &announce(who, who.signing_public(), at));
}
