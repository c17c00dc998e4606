//! Both ends of one tunnel, and the bytes between them. A simulation of the transport: it loses nothing, and carries
//! bytes when it is told to.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::super::TunnelConfig;
use super::super::connection::{ClientSetup, Connection, ServerSetup};
use super::super::error::ErrorCode;
use super::super::event::{Event, Input, Output, Role, Side, StreamId};
use super::super::handshake::{Binding, Classical, Suite};
use super::super::keys::TunnelKeys;
use crate::time::{Instant, Now, UnixMillis};

pub(super) const RELAY_SECRET: [u8; 32] = [0x42; 32];
pub(super) const CLIENT_KEY: [u8; 32] = [1; 32];
pub(super) const SERVER_KEY: [u8; 32] = [2; 32];
pub(super) const TRANSCRIPT: [u8; 32] = [3; 32];

/// 2026-11-27, as far as anybody in these tests knows.
const TODAY: u64 = 1_795_737_600_000;

pub(super) fn at(elapsed: Duration) -> Now {
    let millis = u64::try_from(elapsed.as_millis()).unwrap();
    Now { instant: Instant::from_start(elapsed), unix: UnixMillis(TODAY + millis) }
}

pub(super) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub(super) fn keys() -> TunnelKeys {
    TunnelKeys {
        client: Zeroizing::new(CLIENT_KEY),
        server: Zeroizing::new(SERVER_KEY),
        transcript: TRANSCRIPT,
    }
}

pub(super) fn binding() -> Binding {
    Binding { host: "relay.example".to_owned(), exporter: [5; 32] }
}

/// No padding: what is sent was asked for.
pub(super) fn quiet() -> TunnelConfig {
    TunnelConfig { padding_budget: None, ..TunnelConfig::default() }
}

pub(super) fn client(suite: Suite, config: TunnelConfig, seed: u8) -> End {
    let relay_static = PublicKey::from(&StaticSecret::from(RELAY_SECRET)).to_bytes();
    let setup = ClientSetup { suite, relay_static, binding: binding(), config };
    End::new(Connection::client(setup, rng(seed), at(Duration::ZERO)).unwrap())
}

pub(super) fn server(binding: Binding, config: TunnelConfig, seed: u8) -> End {
    let static_secret = Zeroizing::new(RELAY_SECRET);
    let setup = ServerSetup { static_secret, binding, classical: Classical::Always, config };
    End::new(Connection::server(setup, rng(seed), at(Duration::ZERO)))
}

/// One end and what came of it.
pub(super) struct End {
    pub(super) connection: Connection,
    pub(super) events: Vec<Event>,
    /// Sent, and not yet carried.
    pub(super) outbox: BytesMut,
    /// What came on each stream.
    pub(super) received: BTreeMap<StreamId, Vec<u8>>,
    /// Data is consumed as it comes.
    pub(super) reads: bool,
    /// Bytes given out, over all.
    pub(super) sent: usize,
}

impl End {
    pub(super) fn new(connection: Connection) -> Self {
        let mut end = Self {
            connection,
            events: Vec::new(),
            outbox: BytesMut::new(),
            received: BTreeMap::new(),
            reads: true,
            sent: 0,
        };
        end.drain(at(Duration::ZERO));
        end
    }

    pub(super) fn with_keys(role: Role, config: TunnelConfig) -> Self {
        let seed = if role == Role::Client { 11 } else { 12 };
        Self::new(Connection::established(role, keys(), config, rng(seed), at(Duration::ZERO)))
    }

    /// One input, and everything that follows from it.
    pub(super) fn handle(&mut self, input: Input, now: Now) {
        self.connection.handle(input, now);
        self.drain(now);
    }

    fn drain(&mut self, now: Now) {
        while let Some(output) = self.connection.poll_output() {
            match output {
                Output::Transmit(bytes) => {
                    assert!(!bytes.is_empty());
                    self.outbox.extend_from_slice(&bytes);
                    self.sent += bytes.len();
                    self.connection.handle(Input::Transmitted(bytes.len()), now);
                }
                Output::Event(Event::Data { stream, data }) => {
                    assert!(!data.is_empty());
                    self.received.entry(stream).or_default().extend_from_slice(&data);
                    if self.reads {
                        self.connection.handle(Input::Consumed { stream, bytes: data.len() }, now);
                    }
                }
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// The events since the last time.
    pub(super) fn news(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// What this end closed with since the last time, if it did.
    pub(super) fn verdict(&mut self) -> Option<ErrorCode> {
        self.news().into_iter().find_map(|event| {
            if let Event::Closed { code, by: Side::Ours, .. } = event { Some(code) } else { None }
        })
    }

    pub(super) fn open(&mut self, now: Now) -> StreamId {
        self.handle(Input::Open, now);
        match self.events.pop() {
            Some(Event::Opened { stream }) => stream,
            other => panic!("a stream was asked for, and there was {other:?}"),
        }
    }

    pub(super) fn send(&mut self, stream: StreamId, data: impl Into<Bytes>, now: Now) {
        assert!(self.connection.room(stream) > 0, "no room on stream {stream}");
        self.handle(Input::Send { stream, data: data.into() }, now);
    }

    pub(super) fn finish(&mut self, stream: StreamId, now: Now) {
        self.handle(Input::Finish { stream }, now);
    }
}

pub(super) struct Pair {
    pub(super) client: End,
    pub(super) server: End,
    pub(super) now: Now,
}

impl Pair {
    /// Up, with keys that everybody knows.
    pub(super) fn with_keys(config: &TunnelConfig) -> Self {
        let client = End::with_keys(Role::Client, config.clone());
        let server = End::with_keys(Role::Server, config.clone());
        let mut pair = Self { client, server, now: at(Duration::ZERO) };
        pair.carry();
        pair
    }

    /// Before its handshake.
    pub(super) fn fresh(suite: Suite, config: &TunnelConfig) -> Self {
        let (client, server) = (client(suite, config.clone(), 11), server(binding(), config.clone(), 12));
        Self { client, server, now: at(Duration::ZERO) }
    }

    /// Carries everything there is, until there is nothing more.
    pub(super) fn carry(&mut self) {
        while !self.client.outbox.is_empty() || !self.server.outbox.is_empty() {
            let up = self.client.outbox.split().freeze();
            self.server.handle(Input::Received(up), self.now);
            let down = self.server.outbox.split().freeze();
            self.client.handle(Input::Received(down), self.now);
        }
    }

    /// Lets time pass, and both ends know.
    pub(super) fn wait(&mut self, span: Duration) {
        self.now = Now { instant: self.now.instant + span, unix: self.now.unix + span };
        self.client.handle(Input::Timeout, self.now);
        self.server.handle(Input::Timeout, self.now);
    }
}
