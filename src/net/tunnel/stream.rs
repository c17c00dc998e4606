//! The handle on one stream, and its two halves.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::handle::{Closed, Opener};
use super::request::{CHUNK, Farewell, Piece, Request};
use crate::htx::StreamId;

/// Bytes that were read before the task hears of them, unless nothing else waits.
const REPORT: usize = 64 * 1024;

/// One stream of a tunnel: bytes both ways, each way with its own end.
#[derive(Debug)]
pub struct Stream {
    sender: Sender,
    receiver: Receiver,
}

impl Stream {
    pub(super) fn new(sender: Sender, receiver: Receiver) -> Self {
        Self { sender, receiver }
    }

    /// Its name within the tunnel.
    pub fn id(&self) -> StreamId {
        self.sender.stream
    }

    /// See [`Sender::send`].
    pub async fn send(&mut self, data: Bytes) -> Result<(), Closed> {
        self.sender.send(data).await
    }

    /// See [`Sender::finish`].
    pub async fn finish(&mut self) -> Result<(), Closed> {
        self.sender.finish().await
    }

    /// See [`Receiver::receive`].
    pub async fn receive(&mut self) -> Result<Option<Bytes>, Closed> {
        self.receiver.receive().await
    }

    /// Takes the stream apart, for two tasks.
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }
}

/// The half that sends. Dropped, it finishes its direction.
#[derive(Debug)]
pub struct Sender {
    pub(super) stream: StreamId,
    pub(super) opener: Opener,
    pub(super) farewells: mpsc::Sender<Farewell>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) chunks: u64,
}

impl Sender {
    /// Its stream's name within the tunnel.
    pub fn id(&self) -> StreamId {
        self.stream
    }

    /// Sends bytes, and waits while the other end does not take them. Where it is cancelled, a first part of
    /// the bytes may have gone.
    pub async fn send(&mut self, mut data: Bytes) -> Result<(), Closed> {
        while !data.is_empty() {
            let permit = match self.permits.acquire().await {
                Ok(permit) => permit,
                Err(_) => return Err(self.opener.closed().await),
            };
            let Ok(slot) = self.opener.requests.reserve().await else {
                return Err(self.opener.closed().await);
            };
            permit.forget();
            let chunk = data.split_to(data.len().min(CHUNK));
            slot.send(Request::Send { stream: self.stream, data: chunk });
            self.chunks += 1;
        }
        Ok(())
    }

    /// Ends this direction. What was sent before still goes.
    pub async fn finish(&mut self) -> Result<(), Closed> {
        match self.opener.requests.send(Request::Finish(self.stream)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.opener.closed().await),
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // There is room for every half's farewell; nobody is there to hear it when the tunnel is over.
        self.farewells.try_send(Farewell::Sender { stream: self.stream, chunks: self.chunks }).ok();
    }
}

/// The half that receives. Dropped, what still comes is thrown away.
#[derive(Debug)]
pub struct Receiver {
    pub(super) stream: StreamId,
    pub(super) opener: Opener,
    pub(super) farewells: mpsc::Sender<Farewell>,
    pub(super) pieces: mpsc::Receiver<Piece>,
    /// What came and found no place among the pieces before the tunnel was over.
    pub(super) rest: oneshot::Receiver<VecDeque<Piece>>,
    pub(super) left: VecDeque<Piece>,
    pub(super) unreported: usize,
    pub(super) ended: bool,
}

impl Receiver {
    /// Its stream's name within the tunnel.
    pub fn id(&self) -> StreamId {
        self.stream
    }

    /// The next bytes; `None` when the other end has finished. An error when the tunnel was over before that.
    /// Cancel-safe.
    pub async fn receive(&mut self) -> Result<Option<Bytes>, Closed> {
        if self.ended {
            return Ok(None);
        }
        if self.due() {
            // An error shows in what is received next.
            self.opener.requests.reserve().await.map(|slot| slot.send(self.consumed())).ok();
            self.unreported = 0;
        }
        match self.next().await {
            Some(Piece::Data(data)) => {
                self.unreported += data.len();
                self.report();
                Ok(Some(data))
            }
            Some(Piece::End) => {
                self.ended = true;
                Ok(None)
            }
            None => Err(self.opener.closed().await),
        }
    }

    async fn next(&mut self) -> Option<Piece> {
        if let Some(piece) = self.pieces.recv().await {
            return Some(piece);
        }
        if let Ok(rest) = self.rest.try_recv() {
            self.left = rest;
        }
        self.left.pop_front()
    }

    fn due(&self) -> bool {
        self.unreported >= REPORT || (self.unreported > 0 && self.pieces.is_empty())
    }

    /// Without waiting: what cannot be said now is said before the next bytes are taken.
    fn report(&mut self) {
        if self.due() && self.opener.requests.try_send(self.consumed()).is_ok() {
            self.unreported = 0;
        }
    }

    fn consumed(&self) -> Request {
        Request::Consumed { stream: self.stream, bytes: self.unreported }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // See the other half.
        self.farewells.try_send(Farewell::Receiver(self.stream)).ok();
    }
}
