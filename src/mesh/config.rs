//! Every tunable of the engine.

use std::time::Duration;

use super::courier::Limits;
use super::gossip;
use super::relay::Policy;
use crate::capabilities;
use crate::link;
use crate::time::UnixMillis;
use crate::wire::Capabilities;

/// What an engine is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name announced to everyone: at most 255 bytes, 15 to look right on every phone (spec 5.1).
    pub nickname: String,
    /// Nothing is sent while the wall clock stands before this: the build date of the release.
    pub clock_floor: UnixMillis,
    /// What this node can do, as it tells everyone (spec 3.1).
    pub capabilities: Capabilities,
    /// Over how many hops our messages may go: at most [`ORIGIN_TTL`]. Announces and goodbyes always go that far.
    pub hop_limit: u8,
    /// By which rules the packets of others are passed on.
    pub policy: Policy,
    /// Peers remembered at once; the one heard of longest ago goes first.
    pub max_peers: usize,
    /// How many packet ids the dedupe remembers, and how surely.
    pub dedup: Dedup,
    /// How much is remembered for neighbours who missed it.
    pub gossip: gossip::config::Config,
    /// How much mail is carried for others.
    pub courier: Limits,
    /// The limits of the link layer.
    pub link: link::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nickname: "anon".to_owned(),
            clock_floor: UnixMillis(0),
            capabilities: Capabilities::HOPLINE,
            hop_limit: ORIGIN_TTL,
            policy: Policy::default(),
            max_peers: 1_024,
            dedup: Dedup::default(),
            gossip: gossip::config::Config::default(),
            courier: Limits::default(),
            link: link::Config::default(),
        }
    }
}

/// The sizes of the dedupe memory.
#[derive(Debug, Clone)]
pub struct Dedup {
    /// Packet ids one Bloom generation holds before it is rotated out early.
    pub generation_ids: usize,
    /// Share of new ids a full generation takes for old ones.
    pub false_positives: f64,
    /// How long a generation lasts when it does not fill up.
    pub rotation: Duration,
    /// Ids the exact set holds; the least recently heard go first.
    pub exact_ids: usize,
}

impl Default for Dedup {
    fn default() -> Self {
        Self {
            generation_ids: 100_000,
            false_positives: 1e-4,
            rotation: Duration::from_secs(24 * 60 * 60),
            exact_ids: 65_536,
        }
    }
}

/// The TTL every packet of ours leaves with (spec 4.2).
pub const ORIGIN_TTL: u8 = 7;
/// How far a packet's timestamp may be off our clock (spec 2.7).
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(120);
/// How long after it was signed a public message may still leave: within the clock tolerance of every receiver,
/// with room for the way.
pub const PUBLIC_LIFETIME: Duration = Duration::from_secs(100);
/// The longest public text, in bytes: the apps' input limit of 60,000 characters (spec 2.7).
pub const MAX_PUBLIC_TEXT: usize = capabilities::Capabilities::BITCHAT.max_broadcast_size;
/// The longest private text, in bytes: 32 parts of 255 (spec 3.6), each at worst 3 bytes short where a character
/// would be cut.
pub const MAX_PRIVATE_TEXT: usize = capabilities::Capabilities::BITCHAT.max_message_size;
/// How long a packet that expects an answer waits before it is sent again on all links.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a link is not taken for a peer's after an answer failed to come over it.
pub const BINDING_DISTRUST: Duration = Duration::from_secs(60);
