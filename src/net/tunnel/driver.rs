//! The task of a tunnel: it owns the machine and the HTTP/2 connection, and moves bytes between them.
//!
//! Nothing here waits for one thing only: each turn looks at everything, feeds the machine one input at a time,
//! drains it after each, and returns when nothing moves any more.

use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use tokio::sync::{mpsc, oneshot, watch};

use super::carrier::Carrier;
use super::handle::{Closed, Closer, OpenError, Opener, Tunnel};
use super::life::Life;
use super::outgoing::Outgoing;
use super::ports::Ports;
use super::request::{FAREWELLS, Farewell, REQUESTS, Request, State};
use crate::clock::{Alarm, Clock};
use crate::htx::error::ErrorCode;
use crate::htx::{Connection, Event, Input, Output, Side, StreamId};
use crate::time::{Instant, Now};

/// Streams of the other end that wait for somebody to accept them: as many as it may have at once.
const ACCEPTED: usize = 256;
/// Those who wait for the answer to one PING. Whoever comes after them gets none.
const PINGS: usize = 64;
/// Turns of everything before other tasks have theirs.
const TURNS: usize = 64;
/// Requests of one kind in one turn.
const PER_TURN: usize = 32;
/// Pieces of the other end's body in one turn: more than a whole HTTP/2 window of them. h2 gives a window back once a
/// third of it was read; read in small portions, the rest of each burst stays taken for another time there and back.
const READS: usize = 128;
/// How long a connection may take to end in good order (spec chapter 5).
const DRAIN: Duration = Duration::from_secs(2);

/// How long what was sent may take to go once nobody holds the tunnel.
const LINGER: Duration = Duration::from_secs(10);

/// What a tunnel is made of.
pub(in crate::net) struct Parts {
    /// The machine, which has not been drained yet.
    pub(in crate::net) machine: Connection,
    /// The connection under it.
    pub(in crate::net) carrier: Carrier,
    /// Our body.
    pub(in crate::net) outgoing: SendStream<Bytes>,
    /// The other end's body.
    pub(in crate::net) incoming: RecvStream,
    /// The keying material of the TLS connection.
    pub(in crate::net) exporter: [u8; 32],
    /// The clock.
    pub(in crate::net) clock: Clock,
    /// Age and pings.
    pub(in crate::net) life: Life,
}

/// A tunnel that was not started, or runs: [`Driver::run`].
pub(in crate::net) struct Driver {
    machine: Connection,
    carrier: Carrier,
    outgoing: Option<Outgoing>,
    incoming: Option<RecvStream>,
    ports: Ports,
    requests: mpsc::Receiver<Request>,
    farewells: mpsc::Receiver<Farewell>,
    state: watch::Sender<State>,
    /// Whom the tunnel is for, until it is established.
    waiting: Option<(oneshot::Sender<Tunnel>, Tunnel)>,
    pings: VecDeque<oneshot::Sender<Duration>>,
    /// Streams that the machine has room for again.
    writable: BTreeSet<StreamId>,
    life: Life,
    clock: Clock,
    alarm: Alarm,
    /// When the last handle was dropped.
    left: Option<Instant>,
    /// When the connection is dropped, in good order or not.
    deadline: Option<Instant>,
}

impl Driver {
    /// A tunnel to be run, and where its handle comes once the handshake is done. No handle comes where the
    /// handshake fails.
    pub(in crate::net) fn new(parts: Parts) -> (Self, oneshot::Receiver<Tunnel>) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let (farewell, farewells) = mpsc::channel(FAREWELLS);
        let (accept, accepted) = mpsc::channel(ACCEPTED);
        let (state, watched) = watch::channel(State::default());
        let (established, handle) = oneshot::channel();
        let opener = Opener { exporter: parts.exporter, requests: sender, state: watched };
        let ports = Ports::new(&opener, farewell, accept);
        let driver = Self {
            machine: parts.machine,
            carrier: parts.carrier,
            outgoing: Some(Outgoing::new(parts.outgoing)),
            incoming: Some(parts.incoming),
            ports,
            requests,
            farewells,
            state,
            waiting: Some((established, Tunnel { opener, accepted })),
            pings: VecDeque::new(),
            writable: BTreeSet::new(),
            life: parts.life,
            clock: parts.clock,
            alarm: Alarm::new(parts.clock),
            left: None,
            deadline: None,
        };
        (driver, handle)
    }

    /// Can close the tunnel without keeping it open.
    pub(in crate::net) fn closer(&self) -> Closer {
        self.ports.closer()
    }

    /// Runs the tunnel until its connection is over.
    pub(in crate::net) async fn run(mut self) {
        self.drain(self.clock.now());
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            let now = self.clock.now();
            let mut moved = self.hear(cx, now);
            moved |= self.read(cx, now);
            moved |= self.tick(cx, now);
            while let Some(stream) = self.writable.pop_first() {
                self.feed(stream, now);
            }
            moved |= self.write(cx, now);
            self.let_go();
            if self.carrier.poll(cx).is_ready() {
                self.cut(now);
                return Poll::Ready(());
            }
            if self.deadline.is_some_and(|at| at <= now.instant) {
                return Poll::Ready(());
            }
            if !moved {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes what the handles say.
    fn hear(&mut self, cx: &mut Context<'_>, now: Now) -> bool {
        let mut moved = false;
        for _ in 0..PER_TURN {
            let Poll::Ready(request) = self.requests.poll_recv(cx) else { break };
            match request {
                Some(request) => self.obey(request, now),
                // Nobody has a handle any more.
                None => {
                    self.leave(now);
                    break;
                }
            }
            moved = true;
        }
        for _ in 0..PER_TURN {
            let Poll::Ready(Some(farewell)) = self.farewells.poll_recv(cx) else { break };
            self.part(farewell, now);
            moved = true;
        }
        moved
    }

    /// Closes the tunnel that nobody holds, once what was sent has gone; what does not go in time is dropped.
    fn leave(&mut self, now: Now) {
        let since = *self.left.get_or_insert(now.instant);
        if !self.machine_closed() && (self.is_idle() || since + LINGER <= now.instant) {
            self.close(ErrorCode::Ok, now);
        }
    }

    /// No stream has a handle, and everything that was sent has gone.
    fn is_idle(&self) -> bool {
        self.ports.is_empty()
            && self.machine.queued() == 0
            && self.outgoing.as_ref().is_none_or(Outgoing::is_empty)
    }

    fn obey(&mut self, request: Request, now: Now) {
        match request {
            // Dropped, they tell those who asked.
            Request::Open(_) | Request::Ping(_) if self.machine_closed() => {}
            Request::Open(answer) if self.state.borrow().retired => {
                answer.send(Err(OpenError::Retired)).ok();
            }
            Request::Open(answer) => self.ports.open(answer, &mut self.machine, now),
            Request::Send { stream, data } => {
                if let Some(port) = self.ports.get(stream) {
                    port.chunk(data);
                }
                self.feed(stream, now);
            }
            Request::Finish(stream) => {
                if let Some(port) = self.ports.get(stream) {
                    port.finish();
                }
                self.feed(stream, now);
            }
            Request::Consumed { stream, bytes } => {
                let bytes = self.ports.get(stream).map_or(0, |port| port.consumed(bytes));
                self.consumed(stream, bytes, now);
            }
            Request::Ping(_) if self.pings.len() >= PINGS => {}
            Request::Ping(answer) => {
                self.pings.push_back(answer);
                if self.pings.len() == 1 {
                    self.machine.handle(Input::Ping, now);
                }
            }
            Request::Close(code) => self.close(code, now),
        }
        self.drain(now);
    }

    fn part(&mut self, farewell: Farewell, now: Now) {
        let stream = match farewell {
            Farewell::Sender { stream, chunks } => {
                if let Some(port) = self.ports.get(stream) {
                    port.sender_gone(chunks);
                }
                stream
            }
            Farewell::Receiver(stream) => {
                let bytes = self.ports.get(stream).map_or(0, |port| port.receiver_gone());
                self.consumed(stream, bytes, now);
                stream
            }
        };
        self.feed(stream, now);
    }

    /// Gives the machine what a stream's handle brought, as far as it has room.
    fn feed(&mut self, stream: StreamId, now: Now) {
        while self.ports.get(stream).is_some_and(|port| port.feed(&mut self.machine, now)) {
            self.drain(now);
        }
        if let Some(port) = self.ports.get(stream) {
            port.permit(&self.machine);
        }
        self.ports.sweep(stream);
    }

    fn consumed(&mut self, stream: StreamId, bytes: usize, now: Now) {
        if bytes > 0 {
            self.machine.handle(Input::Consumed { stream, bytes }, now);
            self.drain(now);
        }
    }

    /// Takes what came from the other end.
    fn read(&mut self, cx: &mut Context<'_>, now: Now) -> bool {
        let mut moved = false;
        for _ in 0..READS {
            let Some(incoming) = self.incoming.as_mut() else { break };
            let Poll::Ready(data) = incoming.poll_data(cx) else { break };
            moved = true;
            match data {
                Some(Ok(data)) => {
                    // The machine has its own flow control, which bounds what it keeps. Refused only where the
                    // stream is over.
                    incoming.flow_control().release_capacity(data.len()).ok();
                    self.life.heard(data.len(), now.instant);
                    self.machine.handle(Input::Received(data), now);
                }
                Some(Err(_)) | None => {
                    self.incoming = None;
                    self.machine.handle(Input::Ended, now);
                }
            }
            self.drain(now);
        }
        moved
    }

    /// Hands over what the machine made.
    fn write(&mut self, cx: &mut Context<'_>, now: Now) -> bool {
        let sent = self.outgoing.as_mut().map_or(0, |outgoing| outgoing.advance(cx));
        if sent > 0 {
            self.life.carried(sent);
            self.machine.handle(Input::Transmitted(sent), now);
            self.drain(now);
        }
        sent > 0
    }

    /// Does what is due.
    fn tick(&mut self, cx: &mut Context<'_>, now: Now) -> bool {
        if self.machine.poll_timeout().is_some_and(|at| at <= now.instant) {
            self.machine.handle(Input::Timeout, now);
            self.drain(now);
        }
        let age = if self.machine_closed() { None } else { self.grow_old(cx, now) };
        let linger = self.left.map(|at| at + LINGER).filter(|_| !self.machine_closed());
        let next = [self.machine.poll_timeout(), age, linger, self.deadline];
        self.alarm.poll(next.into_iter().flatten().min(), cx).is_ready()
    }

    /// Pings, retires and closes when it is time; tells when to look again.
    fn grow_old(&mut self, cx: &mut Context<'_>, now: Now) -> Option<Instant> {
        self.life.ping(cx, now.instant);
        if self.life.asks(now.instant) {
            self.machine.handle(Input::Ping, now);
            self.drain(now);
        }
        if self.life.retires(now.instant) {
            self.state.send_modify(|state| state.retired = true);
        }
        if self.life.is_over(now.instant, self.is_idle()) {
            self.close(ErrorCode::Ok, now);
        }
        self.life.poll_timeout()
    }

    /// Takes everything that the machine has to say.
    fn drain(&mut self, now: Now) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Transmit(bytes) => {
                    if let Some(outgoing) = &mut self.outgoing {
                        outgoing.push(bytes);
                    }
                }
                Output::Event(event) => self.happened(event, now),
            }
        }
    }

    fn happened(&mut self, event: Event, now: Now) {
        match event {
            Event::Established => self.established(now),
            Event::Opened { stream } => self.ports.opened(stream),
            Event::OpenRefused => self.ports.open_refused(),
            Event::Accepted { stream } => {
                if !self.ports.accept(stream) {
                    self.machine.handle(Input::Abandon { stream }, now);
                }
            }
            Event::Data { stream, data } => {
                let unread = self.ports.deliver(stream, data);
                if unread > 0 {
                    self.machine.handle(Input::Consumed { stream, bytes: unread }, now);
                }
            }
            Event::Finished { stream } => self.ports.end(stream),
            Event::Writable { stream } => {
                self.writable.insert(stream);
            }
            Event::Pong { after } => self.pings.drain(..).for_each(|answer| {
                answer.send(after).ok();
            }),
            Event::Unanswered => {
                self.pings.clear();
                if self.life.is_alone() {
                    self.machine.handle(Input::Ended, now);
                }
            }
            Event::Closed { code, by, .. } => self.closed(Closed { code, by }),
            Event::Drained | Event::Failed => self.end(now),
        }
    }

    fn established(&mut self, now: Now) {
        self.life.begin(self.carrier.ping_pong(), now.instant);
        if let Some((waiting, tunnel)) = self.waiting.take() {
            // Where nobody waits any more, the handle is dropped, and the tunnel closes.
            waiting.send(tunnel).ok();
        }
    }

    fn close(&mut self, code: ErrorCode, now: Now) {
        self.machine.handle(Input::Close { code, reason: String::new() }, now);
        self.drain(now);
    }

    fn machine_closed(&self) -> bool {
        self.state.borrow().closed.is_some()
    }

    fn closed(&mut self, closed: Closed) {
        self.state.send_modify(|state| {
            state.closed.get_or_insert(closed);
        });
        self.ports.clear();
        self.pings.clear();
        self.waiting = None;
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.finish();
        }
    }

    /// The machine is done: the connection ends as one does that has nothing more to carry.
    fn end(&mut self, now: Now) {
        self.closed(Closed { code: ErrorCode::AuthFailed, by: Side::Ours });
        self.carrier.go_away();
        self.deadline.get_or_insert(now.instant + DRAIN);
    }

    /// Drops both bodies once ours has ended, so that the connection can end too.
    fn let_go(&mut self) {
        if self.deadline.is_some() && self.outgoing.as_ref().is_some_and(Outgoing::is_over) {
            self.outgoing = None;
            self.incoming = None;
        }
    }

    /// The connection is gone.
    fn cut(&mut self, now: Now) {
        self.machine.handle(Input::Ended, now);
        self.drain(now);
        self.closed(Closed { code: ErrorCode::CUT_OFF, by: Side::Theirs });
    }
}
