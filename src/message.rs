//! A message as a person knows it, whatever carries it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::capabilities::TransportKey;
use crate::ids::{GroupId, MessageId, PeerId};
use crate::time::UnixMillis;

/// For whom a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// Whoever is in reach.
    Everyone,
    /// One identity.
    Peer(PeerId),
}

/// One message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id: the same over every transport and at every try.
    pub id: MessageId,
    /// For whom.
    pub to: Recipient,
    /// What it says.
    pub body: Body,
    /// When it was written, by the sender's clock.
    pub sent: UnixMillis,
}

/// Why a text is left with no courier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLeft {
    /// It has more parts than a courier takes.
    TooLong {
        /// Its bytes.
        len: usize,
        /// How many fit, where no character is cut.
        max: usize,
    },
    /// Too many texts wait for couriers; this one expires first.
    TooMany,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A text for one peer.
    Text(String),
    /// A text for everyone: its signed BitChat packet, which every transport carries as it is.
    Public(Bytes),
    /// The recipient's message was read here.
    Read {
        /// Which.
        of: MessageId,
        /// The ids it has on the BitChat wire, one for each part.
        wire_ids: Vec<String>,
    },
    /// Our contact card, signed and encoded.
    Card(Bytes),
}

impl Body {
    /// Bytes a transport has to carry, its own framing left out.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Public(packet) => packet.len(),
            Self::Read { wire_ids, .. } => 16 + wire_ids.iter().map(String::len).sum::<usize>(),
            Self::Card(card) => card.len(),
        }
    }

    /// Whether the recipient's receipt is waited for. Otherwise a message that was sent is done.
    pub const fn wants_receipt(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// What a message asks of the way it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirements {
    /// Nobody may learn who talks with whom: anonymity level 3, or it waits.
    pub private: bool,
    /// Over all transports at once.
    pub urgent: bool,
    /// How long it may take: at most [`MAX_AGE`].
    pub max_age: Duration,
    /// A transport asked for by name.
    pub preference: Option<Preference>,
}

/// The age at which an undelivered message expires when nobody says otherwise.
pub const DEFAULT_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// The highest age that can be asked for.
pub const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Default for Requirements {
    fn default() -> Self {
        Self { private: false, urgent: false, max_age: DEFAULT_AGE, preference: None }
    }
}

/// A transport asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preference {
    /// Which.
    pub transport: TransportKey,
    /// This one or none; otherwise this one first.
    pub only: bool,
}

/// What became of a message we sent, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryStatus {
    /// Accepted; not on its way yet.
    Queued,
    /// Handed to a transport that put it on its way.
    Sent,
    /// The recipient decrypted and stored it, and said so.
    Delivered,
    /// The recipient's conversation was open.
    Read,
    /// Given up: it grew too old.
    Expired,
    /// Given up: it cannot be carried.
    Refused,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Sent, Self::Delivered, Self::Read, Self::Expired, Self::Refused];

    /// The word used in the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A private group that something was said to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLabel {
    /// Which.
    pub id: GroupId,
    /// What it was called then.
    pub name: String,
}
