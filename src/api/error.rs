//! Why a request was refused, in three parts: a code for programs, what was wrong, and what to do next.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::schema::{ErrorDetail, ErrorReport};
use crate::mesh::error::Refusal;
use crate::node::error::{NameError, SendError};
use crate::node::handle::Stopped;
use crate::router::error::Reason;

/// What a program can tell refusals apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request is not one of the interface's.
    BadRequest,
    /// There is no such route, or no such message.
    NotFound,
    /// Nobody has that name.
    UnknownPeer,
    /// Several peers have that name.
    AmbiguousName,
    /// The text is empty or too long.
    BadText,
    /// The clock of the node's machine is unset.
    ClockUnset,
    /// The message is for the node itself.
    ToSelf,
    /// Too many listeners, or too many messages waiting.
    Busy,
    /// The message arrived, or was given up, before.
    TooLate,
    /// What was given is no card, or none that can be trusted.
    BadCard,
    /// What was given is no verification code, or none that can be trusted.
    BadCode,
    /// The card gives a known contact another identity key.
    IdentityChanged,
    /// It is somebody else's.
    NotYours,
    /// The person is blocked.
    Blocked,
    /// The person offered a card, and is no contact yet.
    NotAdded,
    /// No transport can carry it as asked.
    Unfit,
    /// The disk did not take it, or not give it.
    Storage,
    /// The node is stopping.
    Stopping,
}

/// What to do about a clock that is unset.
pub(super) const SET_THE_CLOCK: &str =
    "set the date, or wait for the network to do it; `hopline doctor` tells more";
/// What to do about a disk that did not take something.
pub(super) const MEND_THE_DISK: &str =
    "what was stored before is safe; see that the disk has room and can be written to";
/// What to do about somebody who is blocked.
pub(super) const UNBLOCK: &str = "`hopline unblock NAME` lifts that";

/// A refused request.
#[derive(Debug)]
pub(super) struct Rejection {
    pub(super) status: StatusCode,
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

impl Rejection {
    pub(super) fn not_found(message: &str, hint: &'static str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: Code::NotFound,
            message: message.to_owned(),
            hint: Some(hint),
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let detail =
            ErrorDetail { code: self.code, message: self.message, hint: self.hint.map(str::to_owned) };
        (self.status, Json(ErrorReport { error: detail })).into_response()
    }
}

impl From<SendError> for Rejection {
    fn from(error: SendError) -> Self {
        let message = error.to_string();
        let (status, code, hint) = match error {
            SendError::Name(NameError::Unknown { .. }) => (
                StatusCode::NOT_FOUND,
                Code::UnknownPeer,
                Some("`hopline peers` shows who is in reach; a peer id works for somebody who is not"),
            ),
            SendError::Name(NameError::Ambiguous { .. }) => {
                (StatusCode::CONFLICT, Code::AmbiguousName, Some("use the peer id of the one you mean"))
            }
            SendError::Empty => (StatusCode::UNPROCESSABLE_ENTITY, Code::BadText, Some("write something")),
            SendError::Unfit(Reason::TooLong { .. }) | SendError::Public(Refusal::TooLong { .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::BadText, Some("send it as several messages"))
            }
            SendError::Unfit(Reason::PrivateBroadcast) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::Unfit,
                Some("send it to one peer, or without asking for privacy"),
            ),
            SendError::Unfit(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::Unfit,
                Some("`hopline route` explains which transports could take it"),
            ),
            SendError::Public(_) => (StatusCode::UNPROCESSABLE_ENTITY, Code::BadText, None),
            SendError::ToSelf => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::ToSelf,
                Some("`hopline peers` shows who else is here"),
            ),
            SendError::OutboxFull(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Busy,
                Some("`hopline outbox` shows what waits, and can give it up"),
            ),
            SendError::ClockUnset { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::ClockUnset, Some(SET_THE_CLOCK))
            }
            SendError::Random(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, Code::Storage, Some("the daemon's log may say why"))
            }
            SendError::NotStored(_) | SendError::Vanished | SendError::Storage(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, Code::Storage, Some(MEND_THE_DISK))
            }
            SendError::Stopping(stopped) => return stopped.into(),
        };
        Self { status, code, message, hint }
    }
}

impl From<Stopped> for Rejection {
    fn from(stopped: Stopped) -> Self {
        let hint = Some("start it again with `hopline daemon`");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: Code::Stopping,
            message: stopped.to_string(),
            hint,
        }
    }
}

impl From<JsonRejection> for Rejection {
    fn from(rejection: JsonRejection) -> Self {
        let (status, message) = (rejection.status(), rejection.body_text());
        Self { status, code: Code::BadRequest, message, hint: None }
    }
}

impl From<PathRejection> for Rejection {
    fn from(rejection: PathRejection) -> Self {
        let (status, message) = (rejection.status(), rejection.body_text());
        Self { status, code: Code::BadRequest, message, hint: None }
    }
}

impl From<QueryRejection> for Rejection {
    fn from(rejection: QueryRejection) -> Self {
        let (status, message) = (rejection.status(), rejection.body_text());
        Self { status, code: Code::BadRequest, message, hint: None }
    }
}
