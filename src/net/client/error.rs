//! Why there is no tunnel.

use http::StatusCode;

use crate::htx::cover::Mismatch;
use crate::htx::error::ErrorCode;
use crate::htx::handshake::HandshakeError;
use crate::htx::ticket::IssueError;
use crate::net::session::{Step, VisitError};
use crate::net::tls::TlsError;
use crate::time::Instant;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The roots are refused.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The record names no address.
    #[error("the relay has no address")]
    NoAddress,
    /// The suite of the inner handshake may not be used any more.
    #[error(transparent)]
    Suite(HandshakeError),
    /// The look at the web site came to nothing.
    #[error("the web site cannot be looked at: {0}")]
    Preflight(VisitError),
    /// The second visit does not show what the first did: no ticket was sent (0x8001, O-7).
    #[error("the web site looks different the second time, so no ticket was shown: {0}")]
    OriginMismatch(Mismatch),
    /// The visit that was to become a tunnel failed.
    #[error(transparent)]
    Visit(#[from] VisitError),
    /// No ticket can be made from the record.
    #[error("no ticket can be made: {0}")]
    Ticket(#[from] IssueError),
    /// The relay answered as the web site it is (0x8002): the ticket was not taken.
    #[error("the ticket was not taken: the web site answered {0}")]
    Refused(StatusCode),
    /// The relay has refused three tickets within ten minutes.
    #[error("the relay has refused too many tickets; it is left alone for now")]
    Resting {
        /// When the next one may be shown.
        until: Instant,
    },
    /// The inner handshake failed: this is not the relay of the record, or somebody is between.
    #[error("the handshake inside the tunnel failed")]
    Handshake,
}

impl ConnectError {
    /// The number of the error, where the specification has one (chapter 8).
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::OriginMismatch(_) => Some(ErrorCode::from_number(0x8001)),
            Self::Refused(_) => Some(ErrorCode::from_number(0x8002)),
            Self::Handshake => Some(ErrorCode::AuthFailed),
            Self::NoAddress
            | Self::Suite(_)
            | Self::Preflight(_)
            | Self::Visit(_)
            | Self::Ticket(_)
            | Self::Resting { .. } => None,
        }
    }

    /// Whether another address of the same relay may do better.
    pub(super) fn is_local(&self) -> bool {
        let (Self::Preflight(error) | Self::Visit(error)) = self else { return false };
        matches!(error, VisitError::Connect(_) | VisitError::TimedOut(Step::Connect))
    }
}
