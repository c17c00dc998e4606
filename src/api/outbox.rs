//! `/v1/outbox`: messages of this node, how far they came, and giving them up.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::{Code, Rejection};
use super::schema::SentMessage;
use super::server::{Shared, message_id};
use super::wishes::Wishes;
use crate::storage::{OutboxEntry, OutboxFilter};

/// Messages listed when nobody says how many.
const USUAL: usize = 100;
/// The most listed at once.
const MOST: usize = 10_000;

/// `GET /v1/outbox`: which messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboxQuery {
    /// In which state; by default those that wait.
    #[serde(default)]
    pub state: OutboxState,
    /// How many at most: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// In which state a message of ours is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxState {
    /// Still to be carried, or its receipt to come.
    #[default]
    Waiting,
    /// Delivered, or given up.
    Finished,
    /// Any.
    All,
}

/// The answer to `GET /v1/outbox`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxReport {
    /// Newest first.
    pub messages: Vec<OutgoingMessage>,
}

/// A message of this node, all but what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMessage {
    /// How far it came.
    #[serde(flatten)]
    pub message: SentMessage,
    /// `text`, `public`, `read` (a receipt) or `card`.
    pub kind: String,
    /// Bytes to carry.
    pub size: usize,
    /// What it asks of its way.
    pub requirements: Wishes,
    /// Whether it is still to be carried, or its receipt to come.
    pub waiting: bool,
    /// When it was accepted.
    pub accepted_ms: u64,
    /// When it expires, unless it arrived.
    pub expires_ms: u64,
    /// When its status, its way or its reason last changed.
    pub changed_ms: u64,
}

impl From<&OutboxEntry> for OutgoingMessage {
    fn from(entry: &OutboxEntry) -> Self {
        Self {
            message: entry.into(),
            kind: entry.kind.as_str().to_owned(),
            size: entry.envelope.size,
            requirements: (&entry.envelope.requirements).into(),
            waiting: entry.waiting,
            accepted_ms: entry.accepted.0,
            expires_ms: entry.envelope.expires.0,
            changed_ms: entry.changed.0,
        }
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    query: Result<Query<OutboxQuery>, QueryRejection>,
) -> Result<Json<OutboxReport>, Rejection> {
    let Query(OutboxQuery { state, limit }) = query?;
    let filter = match state {
        OutboxState::Waiting => OutboxFilter::Waiting,
        OutboxState::Finished => OutboxFilter::Finished,
        OutboxState::All => OutboxFilter::All,
    };
    let entries = shared.node.outbox(filter, limit.unwrap_or(USUAL).min(MOST)).await?;
    Ok(Json(OutboxReport { messages: entries.iter().map(Into::into).collect() }))
}

/// `DELETE /v1/outbox/{id}`: the message is given up, unless it arrived already.
pub(super) async fn cancel(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Rejection> {
    let id = message_id(id)?;
    if shared.node.withdraw(id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    match shared.node.sent(id).await? {
        None => Err(Rejection::not_found(
            "there is no such message",
            "`hopline outbox` shows what waits, `hopline history` what was sent",
        )),
        Some(entry) => Err(Rejection {
            status: StatusCode::CONFLICT,
            code: Code::TooLate,
            message: format!("the message is {} already", entry.status),
            hint: None,
        }),
    }
}
