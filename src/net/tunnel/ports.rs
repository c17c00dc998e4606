//! All streams of a tunnel that have a handle, and those who wait for one.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::handle::{Closer, OpenError, Opener};
use super::port::Port;
use super::request::{Farewell, PORTS, Request, State};
use super::stream::Stream;
use crate::htx::{Connection, Input, StreamId};
use crate::time::Now;

/// The streams' ends in the task. It holds no handle on the tunnel itself, or that would never be dropped.
#[derive(Debug)]
pub(super) struct Ports {
    ports: BTreeMap<StreamId, Port>,
    opening: VecDeque<oneshot::Sender<Result<Stream, OpenError>>>,
    accepted: mpsc::Sender<Stream>,
    exporter: [u8; 32],
    requests: mpsc::WeakSender<Request>,
    farewells: mpsc::Sender<Farewell>,
    state: watch::Receiver<State>,
}

impl Ports {
    pub(super) fn new(
        opener: &Opener,
        farewells: mpsc::Sender<Farewell>,
        accepted: mpsc::Sender<Stream>,
    ) -> Self {
        Self {
            ports: BTreeMap::new(),
            opening: VecDeque::new(),
            accepted,
            exporter: opener.exporter,
            requests: opener.requests.downgrade(),
            farewells,
            state: opener.state.clone(),
        }
    }

    /// A handle that closes the tunnel and does not keep it open.
    pub(super) fn closer(&self) -> Closer {
        Closer(self.requests.clone())
    }

    /// No stream has a handle, and nobody waits for one.
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.opening.is_empty()
    }

    /// Somebody wants a stream.
    pub(super) fn open(
        &mut self,
        answer: oneshot::Sender<Result<Stream, OpenError>>,
        machine: &mut Connection,
        now: Now,
    ) {
        if self.ports.len() + self.opening.len() >= PORTS {
            answer.send(Err(OpenError::TooMany)).ok();
            return;
        }
        self.opening.push_back(answer);
        machine.handle(Input::Open, now);
    }

    /// The machine has opened the stream that was asked for first.
    pub(super) fn opened(&mut self, stream: StreamId) {
        if let Some(answer) = self.opening.pop_front()
            && let Some(handle) = self.insert(stream)
        {
            // Where nobody waits any more, the handle is dropped, and that is its farewell.
            answer.send(Ok(handle)).ok();
        }
    }

    /// The machine has refused the stream that was asked for first.
    pub(super) fn open_refused(&mut self) {
        if let Some(answer) = self.opening.pop_front() {
            answer.send(Err(OpenError::TooMany)).ok();
        }
    }

    /// The other end has opened a stream. False when there is no place for it.
    pub(super) fn accept(&mut self, stream: StreamId) -> bool {
        if self.ports.len() >= PORTS {
            return false;
        }
        if let Some(handle) = self.insert(stream) {
            // A stream that nobody accepts is dropped, and that is its farewell.
            self.accepted.try_send(handle).ok();
        }
        true
    }

    /// Bytes for a stream's reader. Tells how many nobody will read.
    pub(super) fn deliver(&mut self, stream: StreamId, data: Bytes) -> usize {
        match self.ports.get_mut(&stream) {
            Some(port) => port.deliver(data),
            None => data.len(),
        }
    }

    /// The other end has finished a stream.
    pub(super) fn end(&mut self, stream: StreamId) {
        if let Some(port) = self.ports.get_mut(&stream) {
            port.end();
        }
    }

    /// The stream's end, while it has one.
    pub(super) fn get(&mut self, stream: StreamId) -> Option<&mut Port> {
        self.ports.get_mut(&stream)
    }

    /// Forgets a stream whose handles are gone and which has nothing left to send. What still comes on it finds
    /// nobody.
    pub(super) fn sweep(&mut self, stream: StreamId) {
        if self.ports.get(&stream).is_some_and(Port::is_forgotten) {
            self.ports.remove(&stream);
        }
    }

    /// The tunnel is over: whoever waits learns it.
    pub(super) fn clear(&mut self) {
        self.ports.clear();
        self.opening.clear();
    }

    fn insert(&mut self, stream: StreamId) -> Option<Stream> {
        // Gone only when every handle is, and then the tunnel is closing.
        let requests = self.requests.upgrade()?;
        let opener = Opener { exporter: self.exporter, requests, state: self.state.clone() };
        let (port, handle) = Port::new(stream, &opener, &self.farewells);
        self.ports.insert(stream, port);
        Some(handle)
    }
}
