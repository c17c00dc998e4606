//! Every tunable of the link layer.

use std::time::Duration;

use crate::ids::PeerId;

/// How many links, how long, how much. Defaults are the phones' (spec 1.4, 1.5, 1.6) unless said otherwise.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node's peer id: two adapters of one node hear each other, and must not dial.
    pub own_peer: Option<PeerId>,
    /// Links we dialled, per adapter.
    pub max_outgoing: usize,
    /// Links others dialled, per adapter; a further one is closed at once. Ours: common controllers carry seven
    /// to ten links in all (`bluez-rules.md`), so the two limits together stay near that.
    pub max_incoming: usize,
    /// Between two attempts to dial with one adapter.
    pub connect_gap: Duration,
    /// How long an attempt may stay unanswered. A radio gives up by itself, sooner, and says so; this frees the
    /// adapter should that answer never come.
    pub connect_patience: Duration,
    /// A freshly heard device is dialled after a random part of this, so that two nodes that hear each other at
    /// the same time rarely dial at the same time. Ours.
    pub dial_jitter: Duration,
    /// Of two adapters the one with the lower address dials first; the other one waits this much longer. Enough for
    /// [`Self::dial_jitter`] and one advertising interval of BlueZ, 1.28 s. Ours.
    pub head_start: Duration,
    /// How long a device is a candidate after it was last heard. Ours: kernels report a device seldom.
    pub candidate_lifetime: Duration,
    /// Devices remembered per adapter; the worst is forgotten first.
    pub max_candidates: usize,
    /// Before a device is dialled again in any case.
    pub retry_same_device: Duration,
    /// Before a device is dialled again after an attempt timed out.
    pub blackout_after_timeout: Duration,
    /// The same for a device heard at -90 dBm or less.
    pub blackout_after_weak_timeout: Duration,
    /// Before a device is dialled again after an error.
    pub blackout_after_error: Duration,
    /// With no link for this long, weaker devices are tried as well.
    pub alone_after: Duration,
    /// A link on which nothing at all arrives for this long after it came up is dead: every BitChat node
    /// announces itself on a new link within seconds (spec 1.3).
    pub silence: Duration,
    /// Between two closings of a second link in the same role to one peer.
    pub retire_cooldown: Duration,
    /// Bytes that may wait to be sent on one link.
    pub outbox_bytes: usize,
    /// Frames that may wait to be sent on one link.
    pub outbox_frames: usize,
    /// Writes handed to the radio and not yet answered, per link: enough to keep it busy, few enough that an
    /// urgent frame does not wait behind a train of fragments.
    pub write_window: usize,
    /// With this many frames waiting on a link, a train of fragments pauses.
    pub train_backlog: usize,
    /// Age at which an incomplete inbound frame is given up.
    pub incomplete_frame: Duration,
    /// Bytes of an incomplete inbound frame. Ours: at Bluetooth's 1-2 Mbit/s no longer frame could arrive
    /// within [`Self::incomplete_frame`].
    pub inbox_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            own_peer: None,
            max_outgoing: 6,
            max_incoming: 8,
            connect_gap: Duration::from_millis(500),
            connect_patience: Duration::from_secs(60),
            dial_jitter: Duration::from_millis(500),
            head_start: Duration::from_secs(2),
            candidate_lifetime: Duration::from_secs(60),
            max_candidates: 100,
            retry_same_device: Duration::from_secs(2),
            blackout_after_timeout: Duration::from_secs(15),
            blackout_after_weak_timeout: Duration::from_secs(30),
            blackout_after_error: Duration::from_secs(3),
            alone_after: Duration::from_secs(30),
            silence: Duration::from_secs(20),
            retire_cooldown: Duration::from_secs(60),
            outbox_bytes: 1_000_000,
            outbox_frames: 256,
            write_window: 4,
            train_backlog: 8,
            incomplete_frame: Duration::from_millis(250),
            inbox_bytes: 65_536,
        }
    }
}
