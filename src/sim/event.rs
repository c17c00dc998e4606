//! The port of the air: what its users do to it. What its radios say is [`crate::link::event::RadioEvent`].

use super::edge::Edge;
use crate::ids::{AdapterId, PeerId};
use crate::link::event::RadioCommand;

/// One simulated radio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StationId(pub(super) u32);

/// What can happen to the air.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A radio's owner asks something of it.
    Command {
        /// Which radio.
        station: StationId,
        /// What.
        command: RadioCommand,
    },
    /// A radio gets power.
    SwitchOn {
        /// Which.
        station: StationId,
        /// How its owner sees it.
        radio: Radio,
    },
    /// A radio loses power, or its owner dies: its links are gone at once, and for the others soon.
    SwitchOff {
        /// Which.
        station: StationId,
    },
    /// Two radios hear each other from now on, or hear each other differently.
    Join {
        /// The one.
        a: StationId,
        /// The other.
        b: StationId,
        /// How well.
        edge: Edge,
    },
    /// Two radios hear each other no more.
    Cut {
        /// The one.
        a: StationId,
        /// The other.
        b: StationId,
    },
    /// The time given by `poll_timeout` has come.
    Timeout,
}

/// A radio as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Radio {
    /// The owner's name for it.
    pub adapter: AdapterId,
    /// The peer id it advertises in its scan response.
    pub peer: Option<PeerId>,
    /// Its connections are numbered from here on, at least.
    pub first_serial: u32,
}

/// A connection that stands, seen from the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The radio that dialled.
    pub central: StationId,
    /// The radio that was dialled.
    pub peripheral: StationId,
}

/// What crossed the air since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections made.
    pub connections: u64,
    /// Frames that arrived.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that did not arrive.
    pub lost: u64,
}
