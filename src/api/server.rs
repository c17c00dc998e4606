//! The routes, and the socket they are served on.

use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use tokio::sync::Semaphore;

use super::error::{Code, Rejection};
use super::listener::{OwnerSocket, bind};
use super::schema::{NewMessage, PeerList, SentMessage, StatusReport};
use super::{board, contacts, events, files, groups, history, outbox, people, route, survey};
use crate::ids::MessageId;
use crate::node::NodeHandle;

/// The longest request body: the longest public text with every character escaped, and a name.
const BODY_LIMIT: usize = 6 * crate::mesh::config::MAX_PUBLIC_TEXT + 4096;
/// Event streams served at once; a further one is refused.
pub(super) const SUBSCRIBERS: usize = 32;

/// The interface of one node, ready to be served.
pub struct Server {
    socket: OwnerSocket,
    routes: Router,
}

impl Server {
    /// Listens on a Unix socket of mode 0600. The caller holds the home's lock.
    pub fn bind(path: &FilePath, node: NodeHandle) -> io::Result<Self> {
        Ok(Self { socket: bind(path)?, routes: routes(node) })
    }

    /// Serves until it is dropped.
    pub async fn run(self) -> io::Result<()> {
        axum::serve(self.socket, self.routes).await
    }
}

/// What every route is given.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) node: NodeHandle,
    /// A permit for each event stream.
    pub(super) room: Arc<Semaphore>,
}

/// The routes of the interface, wherever they are served.
fn routes(node: NodeHandle) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/peers", get(peers))
        .route("/v1/messages", post(send))
        .route("/v1/messages/{id}", get(message))
        .route("/v1/messages/{id}/read", post(mark_read))
        .route("/v1/route", get(route::explain))
        .route("/v1/outbox", get(outbox::list))
        .route("/v1/outbox/{id}", delete(outbox::cancel))
        .route("/v1/files", get(files::list).post(files::send))
        .route("/v1/files/{number}", get(files::show).delete(files::cancel))
        .route("/v1/files/{number}/accept", post(files::accept))
        .route("/v1/groups", get(groups::list).post(groups::create))
        .route("/v1/groups/{id}", delete(groups::leave))
        .route("/v1/groups/{id}/members", post(groups::invite))
        .route("/v1/groups/{id}/members/{fingerprint}", delete(groups::remove))
        .route("/v1/groups/{id}/messages", post(groups::say))
        .route("/v1/board", get(board::list).post(board::post))
        .route("/v1/board/{id}", delete(board::remove))
        .route("/v1/history", get(history::history))
        .route("/v1/contacts", get(contacts::list).post(contacts::add))
        .route("/v1/contacts/card", get(contacts::card))
        .route(
            "/v1/contacts/{fingerprint}",
            get(contacts::get).patch(contacts::edit).delete(contacts::remove),
        )
        .route("/v1/verification", get(people::code).post(people::scan))
        .route("/v1/mesh/topology", get(survey::topology))
        .route("/v1/mesh/ping", post(survey::ping))
        .route("/v1/mesh/trace", post(survey::trace))
        .route("/v1/events", get(events::events))
        .fallback(|| async {
            Rejection::not_found("there is no such route", "the interface begins at /v1/status")
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Shared { node, room: Arc::new(Semaphore::new(SUBSCRIBERS)) })
}

async fn status(State(shared): State<Shared>) -> Result<Json<StatusReport>, Rejection> {
    Ok(Json(StatusReport::new(&shared.node.status().await?)))
}

async fn peers(State(shared): State<Shared>) -> Result<Json<PeerList>, Rejection> {
    let peers = shared.node.peers().await?;
    Ok(Json(PeerList { peers: peers.into_iter().map(Into::into).collect() }))
}

async fn send(
    State(shared): State<Shared>,
    body: Result<Json<NewMessage>, JsonRejection>,
) -> Result<(StatusCode, Json<SentMessage>), Rejection> {
    let Json(message) = body?;
    let requirements = message.requirements.requirements(shared.node.usual())?;
    let sent = shared.node.send(&message.to, message.text, requirements).await?;
    Ok((StatusCode::CREATED, Json((&sent).into())))
}

async fn message(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<SentMessage>, Rejection> {
    let id = message_id(id)?;
    let found = shared.node.sent(id).await?;
    let hint = "`hopline outbox` shows what waits, `hopline history` what was sent";
    found
        .map(|sent| Json((&sent).into()))
        .ok_or_else(|| Rejection::not_found("there is no such message", hint))
}

async fn mark_read(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Rejection> {
    shared.node.mark_read(message_id(id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn message_id(id: Result<Path<String>, PathRejection>) -> Result<MessageId, Rejection> {
    let Path(id) = id?;
    id.parse().map_err(|error| Rejection {
        status: StatusCode::BAD_REQUEST,
        code: Code::BadRequest,
        message: format!("`{id}` is no message id: {error}"),
        hint: None,
    })
}
