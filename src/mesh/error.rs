//! Why something was not done: packets thrown away, and messages refused.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::UnixMillis;

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// Why a packet that arrived was not acted on. Every one is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DropReason {
            $($(#[$doc])* $variant,)*
        }

        impl DropReason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word used in `hopline status` and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

drop_reasons! {
    /// The bytes are not a packet.
    Malformed = "malformed",
    /// Our own packet came back.
    Own = "own",
    /// Its timestamp is more than 120 s off our clock (spec 2.7).
    Clock = "clock",
    /// A sync reply nobody asked for (spec 2.7).
    UnrequestedReply = "unrequested_reply",
    /// Heard before.
    Duplicate = "duplicate",
    /// Four copies of one packet with different unknown signatures were let through already.
    TooManyVariants = "too_many_variants",
    /// The signature does not verify under the sender's key.
    Signature = "signature",
    /// The type must be signed and is not.
    Unsigned = "unsigned",
    /// The sender's id does not belong to its announced key.
    Identity = "identity",
    /// A known peer announced other keys than before.
    KeyChanged = "key_changed",
    /// The payload of a known type does not parse.
    Payload = "payload",
    /// Nothing in this node handles the type.
    Unsupported = "unsupported",
    /// Signed by somebody whose announce was not heard yet; relayed, and held for a while.
    UnknownSender = "unknown_sender",
    /// A fragment that contradicts the others, or exceeds a limit.
    Fragment = "fragment",
    /// A handshake message that fits no handshake under way, or fails to verify.
    Handshake = "handshake",
    /// More handshakes than the limits of spec 3.4.
    HandshakeRate = "handshake_rate",
    /// A notice that has expired, is dated ahead, or was withdrawn (spec 3.13).
    BoardStale = "board_stale",
    /// A notice for which the board has no place: of its author, or at all.
    BoardFull = "board_full",
    /// A group's state or message that is not of whom it says: of another than the creator, of no member, or not signed
    /// by either.
    GroupForged = "group_forged",
    /// A group's state of an epoch that is over, or a message under a key that is.
    GroupStale = "group_stale",
    /// An invitation to one group too many.
    GroupFull = "group_full",
    /// No session, and no group's key, could decrypt it.
    Undecryptable = "undecryptable",
    /// The relay queue was full.
    RelayQueueFull = "relay_queue_full",
    /// No link led on, and there was no room to keep it until one does.
    SpoolFull = "spool_full",
    /// A file of a type that is not taken, or not what it says; or more voice than is collected.
    Media = "media",
    /// More packets to pass on, of one link or one sender, than are passed on.
    RelayRate = "relay_rate",
    /// Passing it on, over some link at least, would take more of the air than relays may.
    Airtime = "airtime",
    /// Its links took no more of it, or went down, before all its pieces had left.
    Cut = "cut",
    /// Its route visits a node twice (spec 4.5).
    Route = "route",
    /// More pings than are answered (spec 3.15).
    PingRate = "ping_rate",
    /// A pong to no ping of ours.
    UnaskedPong = "unasked_pong",
    /// The answer to a request of ours, but too old for its kind (spec 2.7, 3.7).
    TooOld = "too_old",
    /// A sync request that does not come from the neighbour itself (spec 3.7).
    SyncRequest = "sync_request",
    /// More sync requests than are answered (spec 3.7).
    SyncRate = "sync_rate",
    /// It is by somebody who is blocked: relayed, and not shown.
    Blocked = "blocked",
    /// A vouch that is false, too old, or by somebody who is not verified here.
    Vouch = "vouch",
    /// A challenge for other keys than ours, or one too many; or an answer that proves nothing.
    Verification = "verification",
    /// A prekey bundle that is too old, of tomorrow, or older than the one we have.
    OldBundle = "old_bundle",
    /// A prekey bundle for which there is no room.
    BundlesFull = "bundles_full",
    /// Mail to be carried for somebody we do not trust, or do not know.
    CourierUntrusted = "courier_untrusted",
    /// Mail to be carried beyond what is carried for its depositor, or for all; a stranger's may make room.
    CourierFull = "courier_full",
    /// Courier mail that has expired, or wants to live longer than a day.
    CourierExpiry = "courier_expiry",
    /// Courier mail that is carried or was opened already.
    CourierReplay = "courier_replay",
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
    /// Packets of others for one peer that were kept, since no link led on.
    pub spooled: u64,
    /// Of these, those that went when one did.
    pub unspooled: u64,
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
