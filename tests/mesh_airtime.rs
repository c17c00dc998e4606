//! A flood over one link, and a slow link beside it: relays take their share of its time, and what this node says itself
//! is on its way in bounded time. Broadcasts only.

#[path = "common/bench.rs"]
mod bench;

use std::collections::VecDeque;
use std::time::Duration;

use bench::{START, announce, identity, link, packet, signed};
use bytes::Bytes;
use hopline::ids::{AdapterId, AttemptId};
use hopline::link::event::{DeviceAddress, RadioCommand, RadioEvent, Role};
use hopline::mesh::event::{Command, Input, Output};
use hopline::mesh::{Config, Engine, public_packet};
use hopline::time::{Instant, Now};
use hopline::wire::{Packet, PacketType};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// The link over which others flood; its radio is done at once.
const FLOOD: u32 = 1;
/// The slow link: 5 kB/s.
const SLOW: u32 = 2;
const BYTE: Duration = Duration::from_micros(200);
const SECOND: Duration = Duration::from_secs(1);
/// The span over which the shares are counted.
const SPAN: Duration = Duration::from_secs(10);
/// The time of the longest frame, as the shares are counted by the second in which a frame was handed over.
const SLACK: Duration = Duration::from_millis(1_100);

/// A frame in the hands of the slow radio.
#[derive(Clone)]
struct Write {
    done: Instant,
    took: Duration,
    frame: Bytes,
}

/// One engine between the two links.
struct Between {
    engine: Engine,
    now: Instant,
    radio: VecDeque<Write>,
    sent: Vec<Write>,
}

impl Between {
    fn new() -> Self {
        let engine = Engine::new(identity(1), Config::default(), [7; 32]);
        let mut between = Self { engine, now: Instant::ZERO, radio: VecDeque::new(), sent: Vec::new() };
        between.radio_saw(RadioEvent::AdapterUp { adapter: AdapterId(0), address: DeviceAddress([0; 6]) });
        for (serial, byte) in [(FLOOD, 1), (SLOW, 2)] {
            let (link, address) = (link(serial), DeviceAddress([byte; 6]));
            between.radio_saw(RadioEvent::LinkUp { link, address, role: Role::Peripheral, max_frame: 512 });
        }
        for (serial, seed) in [(FLOOD, 2), (SLOW, 3)] {
            let who = identity(seed);
            between.hear(serial, announce(&who, who.signing_public(), 0));
        }
        between
    }

    fn feed(&mut self, input: Input) {
        let now = Now { instant: self.now, unix: START + self.now.since_start() };
        self.engine.handle(input, now);
        while let Some(output) = self.engine.poll_output() {
            let Output::Radio(RadioCommand::Write { link: to, frame }) = output else { continue };
            if to == link(SLOW) {
                let took = BYTE * u32::try_from(frame.len()).expect("short");
                let begin = self.radio.back().map_or(self.now, |last| last.done);
                self.radio.push_back(Write { done: begin + took, took, frame });
            } else {
                self.engine.handle(Input::Radio(RadioEvent::Written { link: to }), now);
            }
        }
    }

    fn radio_saw(&mut self, event: RadioEvent) {
        self.feed(Input::Radio(event));
    }

    fn hear(&mut self, serial: u32, frame: Vec<u8>) {
        self.radio_saw(RadioEvent::Received { link: link(serial), bytes: frame.into() });
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let timer = self.engine.poll_timeout().map(|due| due.max(self.now));
            let radio = self.radio.front().map(|write| write.done);
            let Some(due) = timer.into_iter().chain(radio).min().filter(|&due| due <= end) else { break };
            self.now = due;
            if radio == Some(due) {
                self.sent.extend(self.radio.pop_front());
                self.radio_saw(RadioEvent::Written { link: link(SLOW) });
            } else {
                self.feed(Input::Timeout);
            }
        }
        self.now = end;
    }

    /// A flood for so long, of 150 packets in a second: more than ten times what the slow link carries.
    fn flooded(&mut self, span: Duration, flood: &mut impl FnMut(u64) -> Vec<u8>) {
        let end = self.now + span;
        while self.now < end {
            let at = u64::try_from(self.now.since_start().as_millis()).expect("a short run");
            self.hear(FLOOD, flood(at));
            self.pass(Duration::from_micros(6_667));
        }
    }

    /// The most that what others sent took of the slow link in one span from this time on.
    fn most_of_others(&self, from: Instant) -> Duration {
        let own = *self.engine.peer_id().as_bytes();
        let others: Vec<&Write> =
            self.sent.iter().filter(|write| write.frame.get(14..22) != Some(own.as_slice())).collect();
        let taken = |last: &&Write| -> Duration {
            let within = |write: &&&Write| write.done <= last.done && write.done + SPAN > last.done;
            others.iter().filter(within).map(|write| write.took).sum()
        };
        others.iter().filter(|write| write.done > from).map(taken).max().unwrap_or_default()
    }

    /// Says something in the midst of a flood; how long until it was over the slow link.
    fn say(&mut self, text: &str, flood: &mut impl FnMut(u64) -> Vec<u8>) -> Option<Duration> {
        let begin = self.now;
        let packet =
            public_packet(&identity(1), text, START + begin.since_start()).expect("it can be said").bytes;
        self.feed(Input::Command(Command::Flood { attempt: AttemptId(1), packet }));
        self.flooded(Duration::from_millis(5_300), flood);
        let said = |write: &&Write| write.frame.windows(text.len()).any(|part| part == text.as_bytes());
        self.sent.iter().find(said).map(|write| write.done.since(begin))
    }
}

/// 380 bytes that nothing makes shorter.
fn noise(at: u64) -> Packet {
    let mut bytes = vec![0; 380];
    ChaCha20Rng::seed_from_u64(at).fill_bytes(&mut bytes);
    packet(&identity(2), PacketType::from(0x7E), bytes, at)
}

fn unsigned(at: u64) -> Vec<u8> {
    noise(at).encode().expect("it encodes")
}

fn by_a_neighbour(at: u64) -> Vec<u8> {
    signed(&identity(2), noise(at))
}

/// What relays of a flood take, once it is known how slow the link is.
fn relays_take(mut flood: impl FnMut(u64) -> Vec<u8>) -> Duration {
    let mut between = Between::new();
    between.pass(SECOND);
    for _ in 0..60 {
        // Two packets: how long one takes that is alone only tells how soon the radio answers.
        between.flooded(Duration::from_millis(10), &mut flood);
        between.pass(Duration::from_millis(200));
    }
    let begin = between.now;
    between.flooded(3 * SPAN, &mut flood);
    between.most_of_others(begin)
}

#[test]
fn a_flood_that_nobody_signed_takes_eight_of_ten_seconds_of_a_slow_link_and_a_signed_one_nine() {
    let within = |took: Duration, share: Duration| (share - SECOND..=share + SLACK).contains(&took);
    let (unproven, proven) = (relays_take(unsigned), relays_take(by_a_neighbour));
    assert!(within(unproven, 8 * SECOND), "{unproven:?}");
    assert!(within(proven, 9 * SECOND), "{proven:?}");
}

#[test]
fn what_this_node_says_leaves_within_a_second_whatever_it_is_flooded_with() {
    for mut flood in [unsigned, by_a_neighbour] {
        let mut between = Between::new();
        between.pass(SECOND);
        // All that a link may bring at once, while nobody knows how slow the other one is.
        (0..256).for_each(|at| between.hear(FLOOD, flood(at)));
        between.flooded(SECOND / 2, &mut flood);
        let relayed = between.engine.counters().relayed;
        assert!(relayed > 100 && between.sent.len() < 10, "{relayed} packets of others wait for the radio");
        // At whatever point of the span it is said.
        for round in 0..6 {
            let text = format!("thing {round} of our own");
            let took = between.say(&text, &mut flood);
            assert!(took.is_some_and(|took| took <= SECOND), "{text}: {took:?}");
        }
    }
}
