//! How well each transport did for each peer.

use std::time::Duration;

use crate::capabilities::TransportKey;
use crate::ids::PeerId;
use crate::time::UnixMillis;

/// What was measured of one transport and one peer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    /// To whom.
    pub peer: PeerId,
    /// Over what.
    pub transport: TransportKey,
    /// Share of attempts that were answered in time, exponentially weighted: 0 to 1.
    pub success: f64,
    /// Time from dispatch to receipt, exponentially weighted.
    pub latency: Duration,
    /// Attempts it rests on.
    pub samples: u32,
    /// When it last changed.
    pub updated: UnixMillis,
}
