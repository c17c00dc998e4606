//! `GET /v1/history`: what was said, by others and by this node.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::error::Rejection;
use super::schema::{ReceivedMessage, SentMessage};
use super::server::Shared;
use crate::storage::{Line, Lines};

/// Messages shown when nobody says how many.
const USUAL: usize = 50;
/// The most shown at once.
const MOST: usize = 10_000;

/// Which messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Only what was said with this peer in private, or to everyone: a name as in `POST /v1/messages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// Only what holds this text, in upper or lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// The first messages received after the one of this number, instead of the newest of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryReport {
    /// Oldest first.
    pub lines: Vec<HistoryLine>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "direction", rename_all = "snake_case")]
pub enum HistoryLine {
    /// Somebody else wrote it.
    Received {
        /// To everyone, or to this node.
        public: bool,
        /// Whether it was read here.
        read: bool,
        /// When it was said; its place among the others.
        said_ms: u64,
        /// When it came.
        received_ms: u64,
        /// The message.
        #[serde(flatten)]
        message: ReceivedMessage,
    },
    /// This node wrote it.
    Sent {
        /// What it says.
        text: String,
        /// When it was accepted.
        accepted_ms: u64,
        /// What became of it.
        #[serde(flatten)]
        message: SentMessage,
    },
}

impl From<&Line> for HistoryLine {
    fn from(line: &Line) -> Self {
        match line {
            Line::Received(entry) => Self::Received {
                public: entry.public,
                read: entry.read,
                said_ms: entry.said().0,
                received_ms: entry.received.0,
                message: ReceivedMessage::new(entry, 0),
            },
            Line::Sent { entry, .. } => Self::Sent {
                text: line.text().map_or_else(|unsealed| format!("({unsealed})"), str::to_owned),
                accepted_ms: entry.accepted.0,
                message: entry.into(),
            },
        }
    }
}

pub(super) async fn history(
    State(shared): State<Shared>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<HistoryReport>, Rejection> {
    let Query(HistoryQuery { with, search, after, limit }) = query?;
    let with = match with {
        Some(name) => Some(shared.node.resolve(&name).await?),
        None => None,
    };
    let wanted = Lines { with, text: search, after, limit: limit.unwrap_or(USUAL).min(MOST) };
    let lines = shared.node.history(wanted).await?;
    Ok(Json(HistoryReport { lines: lines.iter().map(Into::into).collect() }))
}
