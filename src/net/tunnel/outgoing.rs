//! Our body: the bytes of the machine on their way into HTTP/2.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::SendStream;

/// Bytes for which HTTP/2 is asked to find room at a time.
const AHEAD: usize = 256 * 1024;
/// The most bytes of one DATA frame: with its head it fills one TLS record. A frame of the usual 16 KiB would
/// leave 9 bytes for a record of their own.
const FRAME: usize = 16 * 1024 - 9;

/// A queue before an HTTP/2 body. The machine bounds it: it makes no more before it hears that these have gone.
#[derive(Debug)]
pub(super) struct Outgoing {
    stream: SendStream<Bytes>,
    queue: VecDeque<Bytes>,
    bytes: usize,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Wanted,
    /// Sent, or the other end wants nothing more.
    Over,
}

impl Outgoing {
    pub(super) fn new(stream: SendStream<Bytes>) -> Self {
        Self { stream, queue: VecDeque::new(), bytes: 0, end: End::Open }
    }

    /// Puts bytes at the end of the queue.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if self.end != End::Over && !bytes.is_empty() {
            self.bytes += bytes.len();
            self.queue.push_back(bytes);
        }
    }

    /// Ends the body, behind what waits.
    pub(super) fn finish(&mut self) {
        if self.end == End::Open {
            self.end = End::Wanted;
        }
    }

    /// Hands over what finds room, and tells how many bytes that was. What the other end does not want counts
    /// as handed over.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> usize {
        let before = self.bytes;
        if !self.queue.is_empty() {
            self.stream.reserve_capacity(self.bytes.min(AHEAD));
        }
        while let Some(chunk) = self.queue.front_mut() {
            let room = match self.stream.capacity() {
                0 => match self.stream.poll_capacity(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Some(Ok(room))) => room,
                    Poll::Ready(Some(Err(_)) | None) => {
                        self.give_up();
                        break;
                    }
                },
                room => room,
            };
            let part = chunk.split_to(room.min(chunk.len()).min(FRAME));
            if chunk.is_empty() {
                self.queue.pop_front();
            }
            self.bytes -= part.len();
            if self.stream.send_data(part, false).is_err() {
                self.give_up();
                break;
            }
        }
        if self.queue.is_empty() && self.end == End::Wanted {
            // Refused where the stream is reset, which ends it as well.
            self.stream.send_data(Bytes::new(), true).ok();
            self.end = End::Over;
        }
        before - self.bytes
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Nothing more will be sent.
    pub(super) fn is_over(&self) -> bool {
        self.end == End::Over
    }

    fn give_up(&mut self) {
        self.queue.clear();
        self.bytes = 0;
        self.end = End::Over;
    }
}
