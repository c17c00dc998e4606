//! `GET /v1/route`: which way a message would take, and why.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::error::Rejection;
use super::server::Shared;
use super::wishes::Wishes;

/// The size assumed of a message when nobody says one: a short text.
const SHORT_TEXT: usize = 100;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteQuery {
    /// `everyone`, a peer id, a fingerprint or a name.
    pub to: String,
    /// The message's size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Nobody may learn who talks with whom.
    #[serde(default)]
    pub private: bool,
    /// Over all transports at once.
    #[serde(default)]
    pub urgent: bool,
    /// The transport to take first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer: Option<String>,
    /// That transport or none.
    #[serde(default)]
    pub only: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteReport {
    /// The transports that can take it, best first.
    pub transports: Vec<String>,
    /// Why it would wait.
    pub waits: Option<String>,
    /// Why it would not be accepted at all.
    pub refused: Option<String>,
    /// The whole decision, in sentences.
    pub sentences: Vec<String>,
}

pub(super) async fn explain(
    State(shared): State<Shared>,
    query: Result<Query<RouteQuery>, QueryRejection>,
) -> Result<Json<RouteReport>, Rejection> {
    let Query(RouteQuery { to, size, private, urgent, prefer, only }) = query?;
    let wishes = Wishes { private, urgent, max_age_ms: None, prefer, only };
    let requirements = wishes.requirements(shared.node.usual())?;
    let explanation = shared.node.explain(&to, size.unwrap_or(SHORT_TEXT), requirements).await?;
    let name = to.trim();
    Ok(Json(RouteReport {
        transports: explanation.ranking.eligible.iter().map(|choice| choice.transport.to_string()).collect(),
        waits: explanation.ranking.waits().map(|reason| reason.to_string()),
        refused: explanation.refused.as_ref().map(ToString::to_string),
        sentences: explanation.sentences(name.strip_prefix('@').unwrap_or(name)),
    }))
}
