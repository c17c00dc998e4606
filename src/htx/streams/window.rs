//! Flow control: how much may come, and how much may go (HTX spec 8).

use super::super::error::Violation;
use super::super::varint;

/// What every window holds at first.
pub(super) const INITIAL: u64 = 65_535;

/// How much the peer may send, on a stream or on the connection.
#[derive(Debug)]
pub(super) struct Window {
    /// What it holds when everything was read and reported.
    size: u64,
    /// What the peer may still send.
    open: u64,
    /// What was read, but not yet reported to the peer.
    unreported: u64,
}

impl Window {
    pub(super) const fn new() -> Self {
        Self { size: INITIAL, open: INITIAL, unreported: 0 }
    }

    /// Makes it larger; it never becomes smaller.
    pub(super) fn raise(&mut self, size: u64) {
        let more = size.min(varint::MAX).saturating_sub(self.size);
        self.size = self.size.saturating_add(more);
        self.unreported = self.unreported.saturating_add(more);
    }

    /// Data came; an error is how much of it was too much.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), u64> {
        self.open = self.open.checked_sub(bytes).ok_or(bytes.saturating_sub(self.open))?;
        Ok(())
    }

    /// Data was read. Nobody reads more than came.
    pub(super) fn consume(&mut self, bytes: u64) {
        self.unreported = self.unreported.saturating_add(bytes.min(self.unread()));
    }

    /// What came and was not read.
    pub(super) const fn unread(&self) -> u64 {
        self.size.saturating_sub(self.open).saturating_sub(self.unreported)
    }

    /// Whether so much was read that the peer is to be told: half of it all.
    pub(super) const fn is_due(&self) -> bool {
        self.unreported > 0 && self.unreported >= self.size / 2
    }

    /// The increment to report, once.
    pub(super) fn report(&mut self) -> u64 {
        let increment = std::mem::take(&mut self.unreported);
        self.open = self.open.saturating_add(increment);
        increment
    }
}

/// How much we may send, on a stream or on the connection.
#[derive(Debug)]
pub(super) struct Credit(u64);

impl Credit {
    pub(super) const fn new() -> Self {
        Self(INITIAL)
    }

    pub(super) const fn left(&self) -> u64 {
        self.0
    }

    pub(super) fn spend(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes as u64);
    }

    /// The peer gave more.
    pub(super) fn add(&mut self, increment: u64, stream: u64) -> Result<(), Violation> {
        self.0 = self
            .0
            .checked_add(increment)
            .filter(|&credit| credit <= varint::MAX)
            .ok_or(Violation::Credit { id: stream })?;
        Ok(())
    }
}
