//! Why a policy is not understood, and why no ticket can be made.

/// Why a text is not a ticket policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It does not begin with `BN-Ticket: v1`.
    #[error("not a ticket policy of version 1")]
    Version,
    /// A part that is not `name=value`, or that stands there twice.
    #[error("part {part} of the policy is not understood")]
    Part {
        /// Which part, from 0 behind the version.
        part: usize,
    },
    /// A probability that is not a decimal from 0 to 999.
    #[error("the probability of carrier {carrier} is not a decimal number")]
    Probability {
        /// Which carrier, from 0.
        carrier: usize,
    },
    /// No carrier that we know has a probability above zero.
    #[error("the policy allows none of cookie, query and body")]
    NoCarrier,
    /// The range of the padding is not one within 24 to 64.
    #[error("the padding of the policy is not a range within 24..64")]
    Padding,
}

/// Why a ticket cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The record's policy is not understood.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The record has no key that is accepted today: it is too old, or a clock is wrong.
    #[error("the record has no ticket key for day {day}")]
    NoKey {
        /// Today, as Unix seconds divided by 86,400.
        day: u32,
    },
    /// The relay's ticket key is of low order: no secret can be agreed on with it.
    #[error("the relay's ticket key for day {day} is of low order")]
    LowOrder {
        /// The day of the key.
        day: u32,
    },
}
