//! Why bytes are not a request or an answer.

use super::answer::Answer;
use super::framing::MAX_FRAME_LEN;
use crate::wire::cbor::{CborError, FieldError};

/// Why bytes are not a request or an answer, or one cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    /// Longer than anybody may send.
    #[error("a frame of {len} bytes, the most is {MAX_FRAME_LEN}")]
    TooLong {
        /// What the length says.
        len: usize,
    },
    /// Not DET-CBOR.
    #[error("not DET-CBOR: {0}")]
    Cbor(#[from] CborError),
    /// A field is missing, is too many, or is not what it should be.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// An operation nobody knows.
    #[error("no operation has the number {0}")]
    UnknownOp(u64),
    /// An operation that this relay does not do.
    #[error("operation {0} is not done here")]
    Unsupported(u64),
    /// A status nobody knows.
    #[error("no status has the number {0}")]
    UnknownStatus(u64),
}

impl MailboxError {
    /// What a relay answers to a request that it could not read.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Unsupported(_) => Answer::Refused,
            Self::TooLong { .. }
            | Self::Cbor(_)
            | Self::Field(_)
            | Self::UnknownOp(_)
            | Self::UnknownStatus(_) => Answer::Malformed,
        }
    }
}
