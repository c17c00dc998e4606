//! The two ports of the link layer: radios below, the mesh above.
//!
//! A radio turns [`RadioCommand`]s into GATT operations and reports [`RadioEvent`]s. It decides nothing: whom
//! to connect to, what to send first and when to give up is the link layer's.

use bytes::Bytes;

use crate::ids::{AdapterId, LinkId, PeerId};

/// Where a device can be reached, as its radio knows it: a Bluetooth device address, or a simulated radio's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceAddress(pub [u8; 6]);

impl std::fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

/// Which side of a GATT connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// We dialled and subscribed: we write, they notify.
    Central,
    /// They dialled and subscribed: they write, we notify.
    Peripheral,
}

/// Why a link, or an attempt at one, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LinkDownReason {
    /// We asked for it.
    #[error("closed by this node")]
    Closed,
    /// The other side left, or went out of range.
    #[error("the other side is gone")]
    Remote,
    /// An operation did not finish in time.
    #[error("timed out")]
    TimedOut,
    /// The device has no BitChat service or characteristic.
    #[error("no BitChat service there")]
    NoService,
    /// The adapter disappeared or was powered off.
    #[error("the adapter is down")]
    AdapterDown,
    /// The radio refused or failed the operation.
    #[error("the radio failed")]
    Failed,
}

/// What a radio saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RadioEvent {
    /// The adapter is powered, advertises and scans.
    AdapterUp {
        /// Which.
        adapter: AdapterId,
        /// Its own address.
        address: DeviceAddress,
    },
    /// The adapter stopped working; every link on it is gone (each is reported down first).
    AdapterDown {
        /// Which.
        adapter: AdapterId,
    },
    /// A device that advertises the BitChat service was heard.
    Discovered {
        /// The adapter that heard it.
        adapter: AdapterId,
        /// Where it can be dialled.
        address: DeviceAddress,
        /// Signal strength in dBm, when the radio knows it.
        rssi: Option<i16>,
        /// The peer id in its scan response, when it sends one (spec 1.2). A hint, never proof.
        peer: Option<PeerId>,
    },
    /// A link carries frames: connected, MTU agreed, notifications subscribed.
    LinkUp {
        /// Its name from here on.
        link: LinkId,
        /// The device at the other end.
        address: DeviceAddress,
        /// Our side of it.
        role: Role,
        /// The longest frame it carries: min(512, ATT MTU - 3) bytes.
        max_frame: usize,
    },
    /// A link that was up is gone.
    LinkDown {
        /// Which.
        link: LinkId,
        /// Why.
        reason: LinkDownReason,
    },
    /// A [`RadioCommand::Connect`] came to nothing.
    ConnectFailed {
        /// The adapter that tried.
        adapter: AdapterId,
        /// Whom it dialled.
        address: DeviceAddress,
        /// Why.
        reason: LinkDownReason,
    },
    /// One write or one notification arrived.
    Received {
        /// On which link.
        link: LinkId,
        /// The bytes as they came.
        bytes: Bytes,
    },
    /// One [`RadioCommand::Write`] was taken by the radio: there is room for another.
    Written {
        /// On which link.
        link: LinkId,
    },
}

/// What a radio is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RadioCommand {
    /// Dial a discovered device; answered by `LinkUp` or `ConnectFailed`.
    Connect {
        /// The adapter to dial with.
        adapter: AdapterId,
        /// Whom to dial.
        address: DeviceAddress,
    },
    /// Close a link; answered by `LinkDown`.
    Disconnect {
        /// Which.
        link: LinkId,
    },
    /// Send one frame in one write or one notification; answered by `Written` or `LinkDown`.
    Write {
        /// On which link.
        link: LinkId,
        /// At most the link's `max_frame` bytes.
        frame: Bytes,
    },
}

/// What waits longest when a link is busy: the later in this list, the later it goes (spec 1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// What this node says itself: announces, handshakes, messages, receipts.
    Own,
    /// What it passes on for others.
    Relayed,
    /// Fragments, whosever.
    Fragment,
}

/// What the mesh asks of the link layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkCommand {
    /// Send one frame.
    Send {
        /// On which link.
        link: LinkId,
        /// What.
        frame: Bytes,
        /// Before or after what else waits.
        priority: Priority,
    },
    /// This link leads to this peer: used to avoid second links in the same role and needless dialling.
    Bind {
        /// Which.
        link: LinkId,
        /// To whom.
        peer: PeerId,
    },
}

/// What the link layer tells the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// A link carries frames.
    Up {
        /// Its name.
        link: LinkId,
        /// Our side of it.
        role: Role,
        /// The longest frame it carries, in bytes.
        max_frame: usize,
    },
    /// A link is gone, with whatever waited on it.
    Down {
        /// Which.
        link: LinkId,
        /// Why.
        reason: LinkDownReason,
    },
    /// A whole frame arrived.
    Frame {
        /// On which link.
        link: LinkId,
        /// The bytes as they came.
        frame: Bytes,
    },
    /// An adapter came up or went down.
    Adapter {
        /// Which.
        adapter: AdapterId,
        /// Whether it works.
        up: bool,
    },
}
