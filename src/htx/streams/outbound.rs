//! What goes out on one stream.

use std::collections::VecDeque;

use bytes::Bytes;

use super::window::Credit;

/// The sending half of a stream.
#[derive(Debug)]
pub(super) struct Outbound {
    /// Never holds an empty piece: an empty frame is the end (D-23).
    queue: VecDeque<Bytes>,
    queued: usize,
    pub(super) credit: Credit,
    end: End,
    /// Somebody waits for room.
    starved: bool,
}

/// How far the end of a half is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// It follows what is queued.
    Wanted,
    Sent,
}

/// What a stream gives to the next frame.
pub(super) enum Piece {
    /// Data, in order.
    Data(Vec<Bytes>),
    /// The end.
    End,
}

impl Outbound {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::new(), queued: 0, credit: Credit::new(), end: End::Open, starved: false }
    }

    /// How many bytes may be queued before the buffer is full.
    pub(super) fn room(&self, buffer: usize) -> usize {
        if self.end == End::Open { buffer.saturating_sub(self.queued) } else { 0 }
    }

    /// Queues data, whole, as long as there is any room.
    pub(super) fn push(&mut self, data: Bytes, buffer: usize) {
        self.queued = self.queued.saturating_add(data.len());
        self.queue.push_back(data);
        self.starved |= self.queued >= buffer;
    }

    pub(super) fn finish(&mut self) {
        if self.end == End::Open {
            self.end = End::Wanted;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.end == End::Sent
    }

    /// Bytes that wait.
    pub(super) const fn queued(&self) -> usize {
        self.queued
    }

    /// Whether there is something that the credit of this stream lets out.
    pub(super) fn is_ready(&self) -> bool {
        if self.queued > 0 { self.credit.left() > 0 } else { self.end == End::Wanted }
    }

    /// What the next frame is to carry: at most `limit` bytes, or the end.
    pub(super) fn take(&mut self, limit: usize) -> Piece {
        if self.queued == 0 {
            self.end = End::Sent;
            return Piece::End;
        }
        let mut left = limit.min(usize::try_from(self.credit.left()).unwrap_or(usize::MAX));
        let mut pieces = Vec::new();
        while left > 0 {
            let Some(front) = self.queue.front_mut() else { break };
            let took = left.min(front.len());
            pieces.push(front.split_to(took));
            left = left.saturating_sub(took);
            self.queued = self.queued.saturating_sub(took);
            self.credit.spend(took);
            if front.is_empty() {
                self.queue.pop_front();
            }
        }
        Piece::Data(pieces)
    }

    /// Whether somebody who waited may be told of room, once: when half of the buffer is empty.
    pub(super) fn has_become_writable(&mut self, buffer: usize) -> bool {
        let writable = self.starved && self.end == End::Open && self.queued <= buffer / 2;
        self.starved &= !writable;
        writable
    }

    /// Drops what waits, and ends.
    pub(super) fn abandon(&mut self) {
        self.queue.clear();
        self.queued = 0;
        self.finish();
    }
}
