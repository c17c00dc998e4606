//! One tunnel from the first byte of its bodies to the last, client or server.
//!
//! A driver gives it what the transport brings and what the users of its streams want ([`Input`]), drains
//! [`Connection::poll_output`], and waits until [`Connection::poll_timeout`]. Everything here is bounded by
//! [`TunnelConfig`]: what waits to be sent by send buffers and [`Input::Transmitted`], what came and is not read by
//! the windows.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use zeroize::Zeroizing;

use super::config::TunnelConfig;
use super::error::ErrorCode;
use super::event::{Event, Input, Output, Role, Side, StreamId};
use super::handshake::{Binding, Classical, HandshakeError, Suite};
use super::keys::TunnelKeys;
use super::opening::{Listener, Opening, Progress};
use super::tunnel::Tunnel;
use crate::time::{Instant, Now};

/// What a client begins with.
#[derive(Debug)]
pub struct ClientSetup {
    /// How the handshake is made.
    pub suite: Suite,
    /// The relay's static key, from its node record.
    pub relay_static: [u8; 32],
    /// The host and the TLS session the tunnel runs in.
    pub binding: Binding,
    /// Everything else.
    pub config: TunnelConfig,
}

/// What a server begins with.
pub struct ServerSetup {
    /// The secret half of the relay's static key.
    pub static_secret: Zeroizing<[u8; 32]>,
    /// The host and the TLS session the tunnel runs in.
    pub binding: Binding,
    /// Until when a handshake without a post-quantum part is accepted.
    pub classical: Classical,
    /// Everything else.
    pub config: TunnelConfig,
}

impl fmt::Debug for ServerSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSetup").field("binding", &self.binding).finish_non_exhaustive()
    }
}

/// One tunnel.
pub struct Connection {
    role: Role,
    config: TunnelConfig,
    rng: ChaCha20Rng,
    state: State,
    events: VecDeque<Event>,
    /// Bytes for our body that were not yet given out: handshake messages, then a chunk of frames at most.
    out: BytesMut,
    /// Bytes given out and not yet taken by the transport.
    ahead: usize,
    /// When the last input came.
    now: Instant,
}

enum State {
    Opening {
        opening: Opening,
        deadline: Instant,
    },
    /// The handshake failed, and nobody is to know when.
    Stalling {
        deadline: Instant,
    },
    Up(Box<Tunnel>),
    Over,
}

impl Connection {
    /// Of a client: its first output is the first handshake message. The randomness is for this tunnel alone.
    pub fn client(setup: ClientSetup, mut rng: ChaCha20Rng, now: Now) -> Result<Self, HandshakeError> {
        let ClientSetup { suite, relay_static, binding, config } = setup;
        let (opening, first) = Opening::begin(suite, &relay_static, &binding, &mut rng)?;
        let mut connection = Self::new(Role::Client, opening, config, rng, now);
        connection.out.extend_from_slice(&first);
        Ok(connection)
    }

    /// Of a server, before anything came. The randomness is for this tunnel alone.
    pub fn server(setup: ServerSetup, rng: ChaCha20Rng, now: Now) -> Self {
        let ServerSetup { static_secret, binding, classical, config } = setup;
        let opening = Opening::listen(Listener { static_secret, binding, classical });
        Self::new(Role::Server, opening, config, rng, now)
    }

    fn new(role: Role, opening: Opening, config: TunnelConfig, rng: ChaCha20Rng, now: Now) -> Self {
        let now = now.instant;
        let state = State::Opening { opening, deadline: now + config.handshake_deadline };
        Self { role, config, rng, state, events: VecDeque::new(), out: BytesMut::new(), ahead: 0, now }
    }

    /// A tunnel whose handshake somebody else made.
    #[cfg(any(test, fuzzing))]
    pub(super) fn established(
        role: Role,
        keys: TunnelKeys,
        config: TunnelConfig,
        rng: ChaCha20Rng,
        now: Now,
    ) -> Self {
        let now = now.instant;
        let (events, out) = (VecDeque::new(), BytesMut::new());
        let mut connection = Self { role, config, rng, state: State::Over, events, out, ahead: 0, now };
        connection.start(keys);
        connection
    }

    /// A stream, without the event.
    #[cfg(test)]
    pub(super) fn open_now(&mut self) -> StreamId {
        self.open();
        match self.events.pop_back() {
            Some(Event::Opened { stream }) => stream,
            other => panic!("a stream was asked for, and there was {other:?}"),
        }
    }

    /// Takes one input; afterwards drain [`Self::poll_output`].
    pub fn handle(&mut self, input: Input, now: Now) {
        self.now = now.instant;
        match input {
            Input::Received(bytes) => self.received(bytes, now),
            Input::Transmitted(bytes) => self.ahead = self.ahead.saturating_sub(bytes),
            Input::Timeout => {}
            Input::Ended => self.ended(),
            Input::Close { code, reason } => self.close(code, &reason),
            Input::Open => self.open(),
            Input::Send { stream, data } => self.send(stream, data),
            Input::Finish { stream } => self.with_open(|tunnel| tunnel.streams.finish(stream)),
            Input::Abandon { stream } => self.with_open(|tunnel| tunnel.streams.abandon(stream)),
            Input::Consumed { stream, bytes } => self.consumed(stream, bytes),
            Input::Rekey => self.with_open(|tunnel| tunnel.rekey(now.instant)),
            Input::Ping => self.with_open(|tunnel| tunnel.pings.ask()),
        }
        self.tick();
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(event) = self.events.pop_front() {
            return Some(Output::Event(event));
        }
        if self.out.is_empty()
            && let State::Up(tunnel) = &mut self.state
        {
            let blocked = self.ahead >= self.config.transmit_ahead;
            tunnel.fill(&mut self.out, blocked, self.now, &mut self.events);
            if tunnel.is_over() {
                self.state = State::Over;
            }
        }
        if self.out.is_empty() {
            return self.events.pop_front().map(Output::Event);
        }
        self.ahead = self.ahead.saturating_add(self.out.len());
        Some(Output::Transmit(std::mem::take(&mut self.out).freeze()))
    }

    /// When to call `handle` with [`Input::Timeout`]; late or early is safe.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Opening { deadline, .. } | State::Stalling { deadline } => Some(*deadline),
            State::Up(tunnel) => tunnel.next_timeout(),
            State::Over => None,
        }
    }

    /// How many bytes may be queued on a stream before its buffer is full. While it is not zero, one
    /// [`Input::Send`] of any length is taken; zero too when the stream is not open.
    pub fn room(&self, stream: StreamId) -> usize {
        match &self.state {
            State::Up(tunnel) => tunnel.room(stream),
            State::Opening { .. } | State::Stalling { .. } | State::Over => 0,
        }
    }

    /// Bytes that wait on all streams, for credit or for the transport.
    pub fn queued(&self) -> usize {
        match &self.state {
            State::Up(tunnel) => tunnel.streams.queued(),
            State::Opening { .. } | State::Stalling { .. } | State::Over => 0,
        }
    }

    fn received(&mut self, mut bytes: Bytes, now: Now) {
        while !bytes.is_empty() {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Opening { opening, deadline } => {
                    let progress = opening.receive(&mut bytes, &mut self.rng, now.unix);
                    self.progress(progress, deadline);
                }
                State::Up(mut tunnel) => {
                    tunnel.received(std::mem::take(&mut bytes), self.now, &mut self.events);
                    self.state = State::Up(tunnel);
                }
                idle @ (State::Stalling { .. } | State::Over) => {
                    self.state = idle;
                    return;
                }
            }
        }
    }

    fn progress(&mut self, progress: Result<Progress, HandshakeError>, deadline: Instant) {
        match progress {
            Ok(Progress::Pending(opening, to_send)) => {
                self.out.extend_from_slice(&to_send);
                self.state = State::Opening { opening, deadline };
            }
            Ok(Progress::Done(keys, to_send)) => {
                self.out.extend_from_slice(&to_send);
                self.start(keys);
                self.events.push_back(Event::Established);
            }
            Err(_) => self.state = State::Stalling { deadline },
        }
    }

    fn start(&mut self, keys: TunnelKeys) {
        let mut seed = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(seed.as_mut_slice());
        let rng = ChaCha20Rng::from_seed(*seed);
        let tunnel = Tunnel::new(self.role, keys, self.config.clone(), rng, self.now);
        self.state = State::Up(Box::new(tunnel));
    }

    fn ended(&mut self) {
        match &mut self.state {
            State::Up(tunnel) => tunnel.ended(&mut self.events),
            State::Opening { deadline, .. } => self.state = State::Stalling { deadline: *deadline },
            State::Stalling { .. } | State::Over => {}
        }
    }

    fn close(&mut self, code: ErrorCode, reason: &str) {
        match &mut self.state {
            State::Up(tunnel) => tunnel.close(code, reason, self.now, &mut self.events),
            State::Opening { .. } | State::Stalling { .. } => {
                self.state = State::Over;
                let closed = Event::Closed { code, reason: reason.to_owned(), by: Side::Ours };
                self.events.extend([closed, Event::Drained]);
            }
            State::Over => {}
        }
    }

    fn open(&mut self) {
        let opened = match &mut self.state {
            State::Up(tunnel) if tunnel.is_open() => tunnel.streams.open(),
            State::Up(_) | State::Opening { .. } | State::Stalling { .. } | State::Over => None,
        };
        self.events.push_back(opened.map_or(Event::OpenRefused, |stream| Event::Opened { stream }));
    }

    fn send(&mut self, stream: StreamId, data: Bytes) {
        let mut overfull = false;
        self.with_open(|tunnel| overfull = !tunnel.streams.send(stream, data));
        if overfull {
            self.close(ErrorCode::InternalError, "data for a stream without room");
        }
    }

    fn consumed(&mut self, stream: StreamId, bytes: usize) {
        if let State::Up(tunnel) = &mut self.state
            && tunnel.is_open()
        {
            tunnel.streams.consumed(stream, bytes, &mut self.events);
        }
    }

    fn with_open(&mut self, act: impl FnOnce(&mut Tunnel)) {
        if let State::Up(tunnel) = &mut self.state
            && tunnel.is_open()
        {
            act(tunnel);
        }
    }

    fn tick(&mut self) {
        match &mut self.state {
            State::Up(tunnel) => tunnel.tick(self.now, &mut self.events),
            State::Opening { deadline, .. } | State::Stalling { deadline } if self.now >= *deadline => {
                self.state = State::Over;
                self.events.push_back(Event::Failed);
            }
            State::Opening { .. } | State::Stalling { .. } | State::Over => {}
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("ahead", &self.ahead)
            .finish_non_exhaustive()
    }
}
