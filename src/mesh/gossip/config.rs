//! How much is remembered for others, and how much is told them.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// How much of one kind of packet is remembered, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many packets.
    pub count: usize,
    /// How many bytes of them. The apps count packets only; ours.
    pub bytes: usize,
    /// Up to which age, by the packet's timestamp.
    pub age: Duration,
}

/// The limits of gossip sync; those of notices are the board's own. Defaults are the iOS app's (spec 3.7) unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Announces, the newest of each author. One is kept beyond its age while something signed by its author is
    /// kept: without it nobody new could verify that. How many there may be is ours.
    pub announces: Limit,
    /// Public messages.
    pub messages: Limit,
    /// Pieces of public packets. The number stands for every link's share together.
    pub fragments: Limit,
    /// Public files.
    pub files: Limit,
    /// Prekey bundles, the newest of each author.
    pub prekeys: Limit,
    /// Messages of groups.
    pub groups: Limit,
    /// Bytes of the filter in our requests; at most 1,024.
    pub filter_bytes: usize,
    /// Requests of one neighbour that are answered in 30 s.
    pub answers: usize,
    /// Bytes sent to one neighbour in answers in 30 s; the packet that goes beyond is the last one. Ours.
    pub answer_bytes: usize,
    /// The same for all neighbours together. Ours.
    pub all_answer_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            announces: Limit { count: 1_024, bytes: MIB, age: 15 * MINUTE },
            messages: Limit { count: 1_000, bytes: 4 * MIB, age: 6 * HOUR },
            fragments: Limit { count: 600, bytes: MIB, age: 15 * MINUTE },
            files: Limit { count: 200, bytes: 16 * MIB, age: 15 * MINUTE },
            prekeys: Limit { count: 200, bytes: MIB, age: 24 * HOUR },
            groups: Limit { count: 200, bytes: MIB, age: 6 * HOUR },
            filter_bytes: 400,
            answers: 8,
            answer_bytes: 256 * KIB,
            all_answer_bytes: MIB,
        }
    }
}
