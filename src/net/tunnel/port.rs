//! The task's end of one stream.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::handle::Opener;
use super::request::{CHUNKS, Farewell, PIECES, Piece};
use super::stream::{Receiver, Sender, Stream};
use crate::htx::{Connection, Input, StreamId};
use crate::time::Now;

/// What the task knows of one stream that has a handle, or half of one.
#[derive(Debug)]
pub(super) struct Port {
    stream: StreamId,
    sending: Sending,
    receiving: Receiving,
}

#[derive(Debug)]
struct Sending {
    permits: Arc<Semaphore>,
    /// Permits that were given and did not come back as a chunk.
    given: usize,
    /// Chunks that came.
    chunks: u64,
    /// Chunks the machine has no room for yet.
    held: VecDeque<Bytes>,
    end: End,
    /// The handle is gone after so many chunks.
    gone_after: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// Behind what is held.
    Wanted,
    Finished,
}

#[derive(Debug)]
struct Receiving {
    pieces: mpsc::Sender<Piece>,
    /// Pieces that found no place in the channel. The stream's window bounds them.
    waiting: VecDeque<Piece>,
    /// Where they go when the tunnel is over before the reader took them.
    rest: Option<oneshot::Sender<VecDeque<Piece>>>,
    /// Bytes that the machine gave and that nobody has read.
    unread: usize,
    gone: bool,
}

impl Port {
    /// The two ends of a stream.
    pub(super) fn new(
        stream: StreamId,
        opener: &Opener,
        farewells: &mpsc::Sender<Farewell>,
    ) -> (Self, Stream) {
        let permits = Arc::new(Semaphore::new(CHUNKS));
        let (pieces, taken) = mpsc::channel(PIECES);
        let (rest, left) = oneshot::channel();
        let sender = Sender {
            stream,
            opener: opener.clone(),
            farewells: farewells.clone(),
            permits: Arc::clone(&permits),
            chunks: 0,
        };
        let receiver = Receiver {
            stream,
            opener: opener.clone(),
            farewells: farewells.clone(),
            pieces: taken,
            rest: left,
            left: VecDeque::new(),
            unreported: 0,
            ended: false,
        };
        let sending = Sending {
            permits,
            given: CHUNKS,
            chunks: 0,
            held: VecDeque::new(),
            end: End::Open,
            gone_after: None,
        };
        let receiving =
            Receiving { pieces, waiting: VecDeque::new(), rest: Some(rest), unread: 0, gone: false };
        (Self { stream, sending, receiving }, Stream::new(sender, receiver))
    }

    /// A chunk came from the handle.
    pub(super) fn chunk(&mut self, data: Bytes) {
        let sending = &mut self.sending;
        sending.given = sending.given.saturating_sub(1);
        sending.chunks += 1;
        if sending.end == End::Open {
            sending.held.push_back(data);
        }
    }

    /// The handle finishes.
    pub(super) fn finish(&mut self) {
        if self.sending.end == End::Open {
            self.sending.end = End::Wanted;
        }
    }

    /// The sending handle is gone, after so many chunks.
    pub(super) fn sender_gone(&mut self, chunks: u64) {
        self.sending.gone_after = Some(chunks);
    }

    /// Gives the next chunk, or the end, to the machine; false when there is nothing to give or no room.
    pub(super) fn feed(&mut self, machine: &mut Connection, now: Now) -> bool {
        let stream = self.stream;
        let sending = &mut self.sending;
        if sending.gone_after == Some(sending.chunks) && sending.end == End::Open {
            sending.end = End::Wanted;
        }
        if sending.held.is_empty() {
            if sending.end != End::Wanted {
                return false;
            }
            sending.end = End::Finished;
            machine.handle(Input::Finish { stream }, now);
            return true;
        }
        if machine.room(stream) == 0 {
            return false;
        }
        let Some(data) = sending.held.pop_front() else { return false };
        machine.handle(Input::Send { stream, data }, now);
        true
    }

    /// Lets the handle bring more, where the machine has room.
    pub(super) fn permit(&mut self, machine: &Connection) {
        let sending = &mut self.sending;
        let taken = sending.given + sending.held.len();
        if taken < CHUNKS && machine.room(self.stream) > 0 {
            sending.permits.add_permits(CHUNKS - taken);
            sending.given += CHUNKS - taken;
        }
    }

    /// Bytes came from the other end. Tells how many nobody will read.
    pub(super) fn deliver(&mut self, data: Bytes) -> usize {
        if self.receiving.gone {
            return data.len();
        }
        self.receiving.unread += data.len();
        self.receiving.push(Piece::Data(data));
        0
    }

    /// The other end has finished.
    pub(super) fn end(&mut self) {
        self.receiving.push(Piece::End);
    }

    /// The reader took bytes. Tells how many of them the machine has not heard of.
    pub(super) fn consumed(&mut self, bytes: usize) -> usize {
        let bytes = bytes.min(self.receiving.unread);
        self.receiving.unread -= bytes;
        self.receiving.flush();
        bytes
    }

    /// The receiving handle is gone. Tells how many bytes it left unread.
    pub(super) fn receiver_gone(&mut self) -> usize {
        self.receiving.gone = true;
        self.receiving.waiting.clear();
        std::mem::take(&mut self.receiving.unread)
    }

    /// Both handles are gone and nothing of them waits.
    pub(super) fn is_forgotten(&self) -> bool {
        self.receiving.gone && self.sending.end == End::Finished && self.sending.gone_after.is_some()
    }
}

impl Receiving {
    fn push(&mut self, piece: Piece) {
        self.waiting.push_back(piece);
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(piece) = self.waiting.pop_front() {
            match self.pieces.try_send(piece) {
                Ok(()) => {}
                Err(TrySendError::Full(piece)) => return self.waiting.push_front(piece),
                // Its farewell is on the way.
                Err(TrySendError::Closed(_)) => return self.waiting.clear(),
            }
        }
    }
}

impl Drop for Port {
    /// A handle that waits for room learns that there will be none; a reader still gets what came.
    fn drop(&mut self) {
        self.sending.permits.close();
        if let Some(rest) = self.receiving.rest.take() {
            // Refused where the reader is gone.
            rest.send(std::mem::take(&mut self.receiving.waiting)).ok();
        }
    }
}
