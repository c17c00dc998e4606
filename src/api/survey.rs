//! `/v1/mesh`: who hears whom, whether somebody is there, and over whom the way goes.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::{Code, Rejection, SET_THE_CLOCK};
use super::server::Shared;
use super::text;
use crate::ids::PeerId;
use crate::mesh::diagnostics::NotPinged;
use crate::mesh::topology::{Edge, Graph, Place};
use crate::node::survey::{Pinged, SurveyError};

/// `GET /v1/mesh/topology`: the mesh as this node was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopologyReport {
    /// This node.
    #[serde(with = "text")]
    pub me: PeerId,
    /// Every node somebody tells of, by id.
    pub nodes: Vec<NodeReport>,
    /// Who hears whom, each pair once.
    pub edges: Vec<EdgeReport>,
}

/// A node of the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Which.
    #[serde(with = "text")]
    pub peer: PeerId,
    /// The name it gave itself; empty when it was not heard.
    pub nickname: String,
    /// How many hops away it is on confirmed edges; nothing when no such way is known.
    pub hops: Option<usize>,
}

/// Two nodes of which at least one says that it hears the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeReport {
    /// The one with the lower id.
    #[serde(with = "text")]
    pub a: PeerId,
    /// The other.
    #[serde(with = "text")]
    pub b: PeerId,
    /// Whether both say so.
    pub confirmed: bool,
}

/// The body of `POST /v1/mesh/ping` and `POST /v1/mesh/trace`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A peer id, a fingerprint or a name.
    pub to: String,
}

/// What became of a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingReport {
    /// Who was asked.
    #[serde(with = "text")]
    pub peer: PeerId,
    /// Whether they answered within ten seconds.
    pub answered: bool,
    /// Over how many hops the answer came, as far as its TTL tells.
    pub hops: Option<u8>,
    /// How long it took there and back, in milliseconds.
    pub round_trip_ms: Option<u64>,
}

/// What became of a ping, and the way as the topology shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceReport {
    /// The ping.
    pub ping: PingReport,
    /// From this node to the peer, both included; nothing when no way is confirmed by both ends of all its edges.
    pub path: Option<Vec<NodeReport>>,
}

pub(super) async fn topology(State(shared): State<Shared>) -> Result<Json<TopologyReport>, Rejection> {
    Ok(Json((&shared.node.topology().await?).into()))
}

pub(super) async fn ping(
    State(shared): State<Shared>,
    body: Result<Json<Target>, JsonRejection>,
) -> Result<Json<PingReport>, Rejection> {
    let Json(Target { to }) = body?;
    Ok(Json(shared.node.ping(&to).await?.into()))
}

pub(super) async fn trace(
    State(shared): State<Shared>,
    body: Result<Json<Target>, JsonRejection>,
) -> Result<Json<TraceReport>, Rejection> {
    let Json(Target { to }) = body?;
    let ping = shared.node.ping(&to).await?;
    let graph = shared.node.topology().await?;
    Ok(Json(TraceReport { ping: ping.into(), path: way(&graph, ping.peer) }))
}

fn way(graph: &Graph, to: PeerId) -> Option<Vec<NodeReport>> {
    let between = graph.path(to)?;
    let peers = [graph.me].into_iter().chain(between).chain([to]);
    let node = |peer| graph.nodes.iter().find(|place| place.peer == peer).map(Into::into);
    peers.map(node).collect()
}

impl From<&Graph> for TopologyReport {
    fn from(graph: &Graph) -> Self {
        Self {
            me: graph.me,
            nodes: graph.nodes.iter().map(Into::into).collect(),
            edges: graph
                .edges
                .iter()
                .map(|&Edge { a, b, confirmed }| EdgeReport { a, b, confirmed })
                .collect(),
        }
    }
}

impl From<&Place> for NodeReport {
    fn from(place: &Place) -> Self {
        Self { peer: place.peer, nickname: place.nickname.clone(), hops: place.hops }
    }
}

impl From<Pinged> for PingReport {
    fn from(pinged: Pinged) -> Self {
        let round_trip = pinged.pong.map(|pong| pong.round_trip.as_millis());
        Self {
            peer: pinged.peer,
            answered: pinged.pong.is_some(),
            hops: pinged.pong.and_then(|pong| pong.hops),
            round_trip_ms: round_trip.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX)),
        }
    }
}

impl From<SurveyError> for Rejection {
    fn from(error: SurveyError) -> Self {
        let message = error.to_string();
        let (status, code, hint) = match error {
            SurveyError::Name(error) => return error.into(),
            SurveyError::Everyone => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::Unfit, "`hopline topology` shows all at once")
            }
            SurveyError::NotPinged(NotPinged::Own) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::ToSelf, "`hopline peers` shows who else is here")
            }
            SurveyError::NotPinged(NotPinged::TooMany) => {
                (StatusCode::TOO_MANY_REQUESTS, Code::Busy, "wait ten seconds")
            }
            SurveyError::NotPinged(NotPinged::NobodyNear) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::Unfit, "`hopline status` shows adapters and links")
            }
            SurveyError::NotPinged(NotPinged::ClockUnset) => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::ClockUnset, SET_THE_CLOCK)
            }
            SurveyError::NoAnswer => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Busy, "try again; the daemon's log may say more")
            }
        };
        Self { status, code, message, hint: Some(hint) }
    }
}
