//! Why a tunnel ends: the numbers that cross the wire, and what leads to them.

use std::fmt;

/// The number in a CLOSE frame (HTX spec 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 0: nothing is wrong.
    Ok,
    /// 1.
    VersionNegotiationFailed,
    /// 2: something did not authenticate.
    AuthFailed,
    /// 3.
    PathInvalid,
    /// 4.
    Replay,
    /// 5: more data than there was credit for.
    FlowControlViolation,
    /// 6.
    OldKeyFrame,
    /// 7: a frame that means nothing, or not at this place.
    MalformedFrame,
    /// 8: a mistake of the side that closes.
    InternalError,
    /// 9: allowed by the format, but not by the rules.
    PolicyRejected,
    /// 10: reserved for something this side cannot do.
    UnsupportedFeature,
    /// Any other number; from 0x8000 on they are private.
    Other(u16),
}

impl ErrorCode {
    /// Told by this side to itself, never sent: the peer's body ended without a CLOSE.
    pub const CUT_OFF: Self = Self::Other(0x8010);

    /// As it is sent.
    pub const fn number(self) -> u16 {
        match self {
            Self::Ok => 0,
            Self::VersionNegotiationFailed => 1,
            Self::AuthFailed => 2,
            Self::PathInvalid => 3,
            Self::Replay => 4,
            Self::FlowControlViolation => 5,
            Self::OldKeyFrame => 6,
            Self::MalformedFrame => 7,
            Self::InternalError => 8,
            Self::PolicyRejected => 9,
            Self::UnsupportedFeature => 10,
            Self::Other(number) => number,
        }
    }

    /// As it was sent; every number has a meaning or is [`Self::Other`].
    pub const fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::VersionNegotiationFailed,
            2 => Self::AuthFailed,
            3 => Self::PathInvalid,
            4 => Self::Replay,
            5 => Self::FlowControlViolation,
            6 => Self::OldKeyFrame,
            7 => Self::MalformedFrame,
            8 => Self::InternalError,
            9 => Self::PolicyRejected,
            10 => Self::UnsupportedFeature,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::Ok => "OK",
            Self::VersionNegotiationFailed => "VERSION_NEGOTIATION_FAILED",
            Self::AuthFailed => "AUTH_FAILED",
            Self::PathInvalid => "PATH_INVALID",
            Self::Replay => "REPLAY",
            Self::FlowControlViolation => "FLOW_CONTROL_VIOLATION",
            Self::OldKeyFrame => "OLD_KEY_FRAME",
            Self::MalformedFrame => "MALFORMED_FRAME",
            Self::InternalError => "INTERNAL_ERROR",
            Self::PolicyRejected => "POLICY_REJECTED",
            Self::UnsupportedFeature => "UNSUPPORTED_FEATURE",
            Self::CUT_OFF => "CUT_OFF",
            Self::Other(number) => return write!(f, "0x{number:04X}"),
        };
        f.write_str(name)
    }
}

/// What a peer did, in frames that authenticated, that ends the tunnel with a CLOSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A frame type this wire does not have.
    #[error("frame of unknown type {code}")]
    UnknownType {
        /// The type.
        code: u8,
    },
    /// The content of a frame does not have the form its type asks for.
    #[error("malformed {frame} frame")]
    Content {
        /// The name of the type.
        frame: &'static str,
    },
    /// A stream of ours that we never opened, or one that is over.
    #[error("frame for stream {id}, which is not open")]
    NotOpen {
        /// The stream.
        id: u64,
    },
    /// A stream id kept for the capability or the gateway stream (D-27).
    #[error("stream {id} is reserved")]
    Reserved {
        /// The stream.
        id: u64,
    },
    /// Data after the end of a stream.
    #[error("data on stream {id} after its end")]
    AfterEnd {
        /// The stream.
        id: u64,
    },
    /// More streams than may be open at once.
    #[error("more than {limit} streams")]
    TooManyStreams {
        /// How many may be.
        limit: usize,
    },
    /// More data than there was credit for, on a stream or on the connection (stream 0).
    #[error("{excess} bytes beyond the window of stream {id}")]
    Overrun {
        /// The stream; 0 for the connection.
        id: u64,
        /// Bytes too many.
        excess: u64,
    },
    /// Credit beyond the largest number there is, on a stream or on the connection (stream 0).
    #[error("too much credit for stream {id}")]
    Credit {
        /// The stream; 0 for the connection.
        id: u64,
    },
    /// A KEY_UPDATE too soon after the one before (spec 7).
    #[error("key changed again after {frames} frames")]
    HastyKeyUpdate {
        /// Frames since the one before.
        frames: u64,
    },
}

impl Violation {
    /// What the peer is told.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownType { .. }
            | Self::Content { .. }
            | Self::NotOpen { .. }
            | Self::AfterEnd { .. } => ErrorCode::MalformedFrame,
            Self::Reserved { .. } => ErrorCode::UnsupportedFeature,
            Self::TooManyStreams { .. } | Self::HastyKeyUpdate { .. } => ErrorCode::PolicyRejected,
            Self::Overrun { .. } | Self::Credit { .. } => ErrorCode::FlowControlViolation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_the_wire() {
        for number in 0..=u16::MAX {
            assert_eq!(ErrorCode::from_number(number).number(), number);
        }
    }

    #[test]
    fn codes_are_printed_as_the_specification_names_them() {
        assert_eq!(ErrorCode::from_number(5).to_string(), "FLOW_CONTROL_VIOLATION");
        assert_eq!(ErrorCode::from_number(0x8001).to_string(), "0x8001");
    }
}
