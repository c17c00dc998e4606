//! What becomes of a request.

use super::replay::ReplayEntry;
use super::sessions::SessionCookie;
use crate::htx::buckets::Empty;

/// What becomes of a POST to the tunnel path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It opens a tunnel.
    Admitted {
        /// What must be on disk before the tunnel is accepted; nothing for a session, whose ticket is there already.
        remember: Option<ReplayEntry>,
        /// What the tunnel is called in logs.
        tunnel: [u8; 32],
    },
    /// It was a form with a ticket: the answer sets a cookie of the record's name, which the request that opens the
    /// tunnel shows within 30 seconds.
    Session {
        /// What must be on disk before the answer goes out.
        remember: ReplayEntry,
        /// The cookie's value.
        cookie: SessionCookie,
        /// What the tunnel will be called in logs.
        tunnel: [u8; 32],
    },
    /// It is answered as the decoy answers.
    Refused(Refusal),
}

/// Why a request was refused: for counters of the relay, and never to be told by any answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The bucket of its source is empty.
    SourceBucket,
    /// The bucket for all is empty.
    GlobalBucket,
    /// It shows nothing that looks like a ticket: a visitor.
    NoTicket,
    /// What looked like a ticket does not parse.
    Malformed,
    /// Its key is none of ours, or none of this day's.
    UnknownKey,
    /// The client's key is of low order.
    LowOrder,
    /// The ticket is not one of this hour, the one before or the one after.
    Mismatch,
    /// The ticket was used.
    Replayed,
    /// The replay memory is full: it takes no new ticket until the oldest hour is over, and forgets none for it.
    MemoryFull,
    /// The clock went back to an hour whose tickets are forgotten.
    Forgotten,
    /// As many sessions wait for their tunnel as may.
    SessionsFull,
    /// No such session waits, or no longer.
    UnknownSession,
}

impl From<Empty> for Refusal {
    fn from(empty: Empty) -> Self {
        match empty {
            Empty::Source => Self::SourceBucket,
            Empty::Global => Self::GlobalBucket,
        }
    }
}
