//! Why something was not done: packets thrown away, and messages refused.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::UnixMillis;

/// Why a packet that arrived was not acted on. Every one is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// The bytes are not a packet.
    Malformed,
    /// Our own packet came back.
    Own,
    /// Its timestamp is more than 120 s off our clock (spec 2.7).
    Clock,
    /// A sync reply nobody asked for (spec 2.7).
    UnrequestedReply,
    /// Heard before.
    Duplicate,
    /// Four copies of one packet with different unknown signatures were let through already.
    TooManyVariants,
    /// The signature does not verify under the sender's key.
    Signature,
    /// The type must be signed and is not.
    Unsigned,
    /// The sender's id does not belong to its announced key.
    Identity,
    /// A known peer announced other keys than before.
    KeyChanged,
    /// The payload of a known type does not parse.
    Payload,
    /// Nothing in this node handles the type.
    Unsupported,
    /// Signed by somebody whose announce was not heard yet; relayed, and held for a while.
    UnknownSender,
    /// A fragment that contradicts the others, or exceeds a limit.
    Fragment,
    /// A handshake message that fits no handshake under way, or fails to verify.
    Handshake,
    /// More handshakes than the limits of spec 3.4.
    HandshakeRate,
    /// A notice that has expired, is dated ahead, or was withdrawn (spec 3.13).
    BoardStale,
    /// A notice for which the board has no place: of its author, or at all.
    BoardFull,
    /// A group's state or message that is not of whom it says: of another than the creator, of no member, or not signed
    /// by either.
    GroupForged,
    /// A group's state of an epoch that is over, or a message under a key that is.
    GroupStale,
    /// An invitation to one group too many.
    GroupFull,
    /// No session, and no group's key, could decrypt it.
    Undecryptable,
    /// The relay queue was full.
    RelayQueueFull,
    /// A file of a type that is not taken, or not what it says; or more voice than is collected.
    Media,
    /// More Nostr events than their sender may send across the mesh.
    NostrBudget,
    /// More packets to pass on, of one link or one sender, than are passed on.
    RelayRate,
    /// Passing it on, over some link at least, would take more of the air than relays may.
    Airtime,
    /// Its route visits a node twice (spec 4.5).
    Route,
    /// More pings than are answered (spec 3.15).
    PingRate,
    /// A pong to no ping of ours.
    UnaskedPong,
    /// The answer to a request of ours, but too old for its kind (spec 2.7, 3.7).
    TooOld,
    /// A sync request that does not come from the neighbour itself (spec 3.7).
    SyncRequest,
    /// More sync requests than are answered (spec 3.7).
    SyncRate,
    /// It is by somebody who is blocked: relayed, and neither shown nor stored.
    Blocked,
    /// A vouch that is false, too old, or by somebody who is not verified here.
    Vouch,
    /// A challenge for other keys than ours, or an answer that proves nothing.
    Verification,
    /// A prekey bundle that is too old, of tomorrow, or older than the one we have.
    OldBundle,
    /// A prekey bundle for which there is no room.
    BundlesFull,
    /// Mail to be carried for somebody we do not trust, or do not know.
    CourierUntrusted,
    /// Mail to be carried beyond what is carried for its depositor, or for all.
    CourierFull,
    /// Courier mail that has expired, or wants to live longer than a day.
    CourierExpiry,
    /// Courier mail that is carried or was opened already.
    CourierReplay,
}

impl DropReason {
    /// The word used in `hopline status` and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Own => "own",
            Self::Clock => "clock",
            Self::UnrequestedReply => "unrequested_reply",
            Self::Duplicate => "duplicate",
            Self::TooManyVariants => "too_many_variants",
            Self::Signature => "signature",
            Self::Unsigned => "unsigned",
            Self::Identity => "identity",
            Self::KeyChanged => "key_changed",
            Self::Payload => "payload",
            Self::Unsupported => "unsupported",
            Self::UnknownSender => "unknown_sender",
            Self::Fragment => "fragment",
            Self::Handshake => "handshake",
            Self::HandshakeRate => "handshake_rate",
            Self::BoardStale => "board_stale",
            Self::BoardFull => "board_full",
            Self::GroupForged => "group_forged",
            Self::GroupStale => "group_stale",
            Self::GroupFull => "group_full",
            Self::Undecryptable => "undecryptable",
            Self::RelayQueueFull => "relay_queue_full",
            Self::Media => "media",
            Self::NostrBudget => "nostr_budget",
            Self::RelayRate => "relay_rate",
            Self::Airtime => "airtime",
            Self::Route => "route",
            Self::PingRate => "ping_rate",
            Self::UnaskedPong => "unasked_pong",
            Self::TooOld => "too_old",
            Self::SyncRequest => "sync_request",
            Self::SyncRate => "sync_rate",
            Self::Blocked => "blocked",
            Self::Vouch => "vouch",
            Self::Verification => "verification",
            Self::OldBundle => "old_bundle",
            Self::BundlesFull => "bundles_full",
            Self::CourierUntrusted => "courier_untrusted",
            Self::CourierFull => "courier_full",
            Self::CourierExpiry => "courier_expiry",
            Self::CourierReplay => "courier_replay",
        }
    }
}

/// Why a message was not accepted for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// There is nothing to say.
    #[error("the text is empty")]
    Empty,
    /// The text exceeds what can be carried.
    #[error("the text has {len} bytes, at most {max} can be sent")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The bytes given are no signed public message of this node.
    #[error("that is no public packet of this node")]
    NotPublic,
    /// The packet was signed so long ago that every node would drop it (spec 2.7).
    #[error("the message was signed {} s ago, and no node takes it any more", age.as_secs())]
    Stale {
        /// How long ago.
        age: Duration,
    },
    /// No link is up.
    #[error("nobody is in range")]
    NobodyNear,
    /// Too many messages wait already.
    #[error("{max} messages wait already")]
    QueueFull {
        /// How many may wait.
        max: usize,
    },
    /// The message is addressed to this node.
    #[error("that is this node itself")]
    ToSelf,
    /// The wall clock is plainly wrong, and every node would drop what we send (spec 2.7).
    #[error("the clock is not set: it says {now} ms, this program was built after {floor} ms")]
    ClockUnset {
        /// What the clock says.
        now: UnixMillis,
        /// What it should say at least.
        floor: UnixMillis,
    },
}

/// What an engine did since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that arrived.
    pub received: u64,
    /// Packets this node made and put on at least one link; one that goes in fragments counts once.
    pub originated: u64,
    /// Packets of ours sent along a route.
    pub routed: u64,
    /// Packets of others passed on.
    pub relayed: u64,
    /// Relays given up because every neighbour was heard to have the packet.
    pub relays_cancelled: u64,
    /// Packets put together again from fragments.
    pub reassembled: u64,
    /// Nostr events that passed.
    pub nostr_events: u64,
    /// What neighbours told each other of what they missed.
    pub sync: SyncCounters,
    /// Packets thrown away, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
}

/// What gossip sync did (spec 3.7).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncCounters {
    /// Packets remembered for others at this moment.
    pub remembered: u64,
    /// Requests of ours.
    pub asked: u64,
    /// Requests of neighbours that were answered.
    pub answered: u64,
    /// Packets sent in those answers.
    pub sent: u64,
    /// Answers given up because of their bytes.
    pub cut_short: u64,
    /// Packets that came as answers to ours, and were new.
    pub taken: u64,
}

impl Counters {
    pub(super) fn drop(&mut self, reason: DropReason) {
        *self.dropped.entry(reason).or_default() += 1;
    }
}
