//! What comes in on one stream.

use bytes::{Bytes, BytesMut};

use super::window::Window;

/// From this size on a piece is passed on as it is; a smaller one may have to wait for others, and is copied so that
/// it does not keep more memory than it is worth. Otherwise a peer that sends single bytes to somebody who does not
/// read would cost a hundred times what its window says.
const WORTH_PASSING: usize = 1024;

/// The receiving half of a stream.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) window: Window,
    /// Small pieces that wait until what was passed on before is read.
    held: BytesMut,
    /// Bytes passed on and not read.
    passed: usize,
    finished: bool,
    abandoned: bool,
}

impl Inbound {
    pub(super) fn new() -> Self {
        Self { window: Window::new(), held: BytesMut::new(), passed: 0, finished: false, abandoned: false }
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.finished
    }

    pub(super) const fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Whether the peer is to be told of room.
    pub(super) const fn is_due(&self) -> bool {
        !self.finished && !self.abandoned && self.window.is_due()
    }

    /// Data came; gives what is to be passed on, if anything.
    pub(super) fn push(&mut self, data: BytesMut) -> [Option<Bytes>; 2] {
        if data.len() >= WORTH_PASSING {
            let before = self.flush();
            self.passed = self.passed.saturating_add(data.len());
            return [before, Some(data.freeze())];
        }
        self.held.extend_from_slice(&data);
        let pass = self.passed == 0 || self.held.len() >= WORTH_PASSING;
        [if pass { self.flush() } else { None }, None]
    }

    /// The reader took some; gives what may be passed on now.
    pub(super) fn consumed(&mut self, bytes: usize) -> Option<Bytes> {
        self.window.consume(bytes as u64);
        self.passed = self.passed.saturating_sub(bytes);
        if self.passed == 0 { self.flush() } else { None }
    }

    /// The peer's end; gives what was held.
    pub(super) fn finish(&mut self) -> Option<Bytes> {
        self.finished = true;
        self.flush()
    }

    /// Nobody reads any more; gives how many bytes nobody was shown.
    pub(super) fn abandon(&mut self) -> usize {
        self.abandoned = true;
        std::mem::take(&mut self.held).len()
    }

    fn flush(&mut self) -> Option<Bytes> {
        if self.held.is_empty() {
            return None;
        }
        self.passed = self.passed.saturating_add(self.held.len());
        Some(std::mem::take(&mut self.held).freeze())
    }
}
