//! A message as a person knows it, whatever carries it.

use std::fmt;

/// What became of a message we sent, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryStatus {
    /// Accepted; not on the air yet (no neighbour, or no session with the recipient).
    Queued,
    /// Handed to at least one link.
    Sent,
    /// The recipient decrypted it and said so.
    Delivered,
    /// The recipient's conversation was open.
    Read,
    /// Given up: nothing answered in time.
    Expired,
}

impl DeliveryStatus {
    /// The word used in the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
