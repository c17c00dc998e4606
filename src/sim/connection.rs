//! One GATT connection between two radios: two lanes, each first in, first out.

use std::time::Duration;

use super::event::StationId;
use crate::ids::LinkId;
use crate::time::Instant;

/// Frames one side may have underway; a stack that is pressed harder drops the rest.
const LANE_BOUND: usize = 64;

/// Which side of a connection: the one that dialled, or the one that was dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Central,
    Peripheral,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Central => Self::Peripheral,
            Self::Peripheral => Self::Central,
        }
    }
}

/// One side of a connection.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) station: StationId,
    pub(super) link: LinkId,
    /// When the last frame this side sent is out.
    free_at: Instant,
    /// When the last frame this side sent arrives.
    last_arrival: Instant,
    in_flight: usize,
    /// This side knows already that the connection is over.
    pub(super) left: bool,
}

impl End {
    pub(super) const fn new(station: StationId, link: LinkId) -> Self {
        Self { station, link, free_at: Instant::ZERO, last_arrival: Instant::ZERO, in_flight: 0, left: false }
    }

    pub(super) const fn is_pressed(&self) -> bool {
        self.in_flight >= LANE_BOUND
    }

    /// Puts a frame on its way behind the others: when it is out, and when it arrives.
    pub(super) fn transmit(
        &mut self,
        airtime: Duration,
        flight: Duration,
        now: Instant,
    ) -> (Instant, Instant) {
        self.free_at = self.free_at.max(now) + airtime;
        self.last_arrival = self.last_arrival.max(self.free_at + flight);
        self.in_flight += 1;
        (self.free_at, self.last_arrival)
    }

    pub(super) const fn sent(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

/// A connection, from its LinkUp to its LinkDown.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) central: End,
    pub(super) peripheral: End,
    /// When the radios met last: nothing passes after that, and the supervision timeout tells both sides.
    pub(super) silent_since: Option<Instant>,
}

impl Connection {
    pub(super) const fn is_alive(&self) -> bool {
        self.silent_since.is_none()
    }

    /// Whether what was out at that time comes in at this side: it crossed before the radios parted.
    pub(super) fn carries(&self, sent: Instant, side: Side) -> bool {
        !self.end(side).left && self.silent_since.is_none_or(|silent| sent <= silent)
    }

    pub(super) const fn end(&self, side: Side) -> &End {
        match side {
            Side::Central => &self.central,
            Side::Peripheral => &self.peripheral,
        }
    }

    pub(super) const fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Central => &mut self.central,
            Side::Peripheral => &mut self.peripheral,
        }
    }

    pub(super) fn joins(&self, a: StationId, b: StationId) -> bool {
        let ends = [self.central.station, self.peripheral.station];
        ends == [a, b] || ends == [b, a]
    }

    /// The side this station is on.
    pub(super) fn side_of(&self, station: StationId) -> Option<Side> {
        if self.central.station == station {
            Some(Side::Central)
        } else if self.peripheral.station == station {
            Some(Side::Peripheral)
        } else {
            None
        }
    }
}
