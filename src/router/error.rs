//! Why a message waits, was given up, or cannot be carried at all.

use std::fmt;

use crate::capabilities::{DownReason, TransportKey};
use crate::message::NotLeft;
use crate::router::event::Failure;

/// Why a message is where it is, in words a person can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No transport hides who talks with whom; the message waits for one.
    NoPrivateTransport,
    /// The transport asked for is not there, or does not work.
    PreferredDown {
        /// Which.
        transport: TransportKey,
        /// Why; nothing when this node has no such transport.
        down: Option<DownReason>,
    },
    /// No transport reaches the recipient.
    Unreachable,
    /// No transport reaches the recipient, but couriers on the mesh have sealed copies.
    WithCouriers {
        /// How many.
        couriers: usize,
    },
    /// No transport reaches the recipient, and no courier on the mesh takes a copy either.
    NotWithCouriers(NotLeft),
    /// No transport works.
    AllDown,
    /// Every transport was tried; the last one said this.
    Tried {
        /// Which was last.
        transport: TransportKey,
        /// What it said.
        failure: Failure,
    },
    /// It waits for earlier messages to the same recipient.
    InTurn,
    /// It grew older than it may.
    TooOld,
    /// A text for everyone cannot be private.
    PrivateBroadcast,
    /// No transport takes a message of this size.
    TooLong {
        /// Its size.
        len: usize,
        /// The most any allowed transport takes.
        max: usize,
    },
    /// No transport that takes a message of this size reaches the recipient.
    TooLongForNow {
        /// Its size.
        len: usize,
    },
    /// The transport asked for, and no other, cannot do what else was asked.
    PreferredUnfit {
        /// Which.
        transport: TransportKey,
    },
    /// The message was withdrawn.
    Withdrawn,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrivateTransport => {
                f.write_str("privacy is required, and no transport that hides who talks with whom works")
            }
            Self::PreferredDown { transport, down: Some(down) } => {
                write!(f, "{transport} was asked for, and it does not work: {down}")
            }
            Self::PreferredDown { transport, down: None } => {
                write!(f, "{transport} was asked for, and this node has no such transport")
            }
            Self::Unreachable => f.write_str("no transport reaches the recipient"),
            Self::WithCouriers { couriers: 1 } => {
                f.write_str("nothing reaches the recipient now, but a courier on the mesh has a copy")
            }
            Self::WithCouriers { couriers } => {
                write!(
                    f,
                    "nothing reaches the recipient now, but {couriers} couriers on the mesh have copies"
                )
            }
            Self::NotWithCouriers(NotLeft::TooLong { len, max }) => {
                write!(
                    f,
                    "nothing reaches the recipient now, and couriers take texts of {max} bytes at most: it has {len}"
                )
            }
            Self::NotWithCouriers(NotLeft::TooMany) => {
                f.write_str("nothing reaches the recipient now, and too many other texts wait for couriers")
            }
            Self::AllDown => f.write_str("no transport works"),
            Self::Tried { transport, failure } => {
                write!(f, "everything was tried, {transport} last: {}", failure.as_str())
            }
            Self::InTurn => f.write_str("it waits for earlier messages to the same recipient"),
            Self::TooOld => f.write_str("it grew too old"),
            Self::PrivateBroadcast => f.write_str("a text for everyone cannot be private"),
            Self::TooLong { len, max } => write!(f, "it has {len} bytes, at most {max} can be sent"),
            Self::TooLongForNow { len } => {
                write!(f, "it has {len} bytes, and no transport that takes so many reaches the recipient")
            }
            Self::PreferredUnfit { transport } => {
                write!(f, "{transport} was asked for, and it cannot carry such a message")
            }
            Self::Withdrawn => f.write_str("it was withdrawn"),
        }
    }
}
