//! The routes, and the socket they are served on.

use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{Code, Rejection};
use super::listener::{OwnerSocket, bind};
use super::schema::{EventReport, NewMessage, PeerList, SentMessage, StatusReport};
use crate::ids::MessageId;
use crate::message::Requirements;
use crate::node::NodeHandle;
use crate::node::handle::Subscription;

/// The longest request body: the longest public text with every character escaped, and a name.
const BODY_LIMIT: usize = 6 * crate::mesh::config::MAX_PUBLIC_TEXT + 4096;
/// Event streams served at once; a further one is refused.
const SUBSCRIBERS: usize = 32;

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

#[derive(Clone)]
struct Shared {
    node: NodeHandle,
    room: Arc<Semaphore>,
}

/// The routes of the interface, wherever they are served.
fn routes(node: NodeHandle) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/peers", get(peers))
        .route("/v1/messages", post(send))
        .route("/v1/messages/{id}", get(message))
        .route("/v1/messages/{id}/read", post(mark_read))
        .route("/v1/events", get(events))
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
    let sent = shared.node.send(&message.to, message.text, Requirements::default()).await?;
    Ok((StatusCode::CREATED, Json((&sent).into())))
}

async fn message(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<SentMessage>, Rejection> {
    let id = message_id(id)?;
    let found = shared.node.sent(id).await?;
    let hint = "`hopline outbox` lists the messages this node sent";
    found.map(|sent| Json((&sent).into())).ok_or_else(|| Rejection::not_found("there is no such message", hint))
}

async fn mark_read(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Rejection> {
    shared.node.mark_read(message_id(id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn events(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Result<Response, Rejection> {
    let permit = Arc::clone(&shared.room).try_acquire_owned().map_err(|_| Rejection {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: Code::Busy,
        message: format!("{SUBSCRIBERS} programs listen to the events of this node already"),
        hint: Some("end one of them"),
    })?;
    // Before the answer: whoever has it misses nothing that it causes from then on.
    let subscription = shared.node.subscribe()?;
    Ok(upgrade.on_upgrade(|socket| forward(socket, subscription, permit)).into_response())
}

/// Sends every event until the node or the listener is gone.
async fn forward(mut socket: WebSocket, mut events: Subscription, _permit: OwnedSemaphorePermit) {
    loop {
        let sent = tokio::select! {
            notice = events.next() => {
                let Some(notice) = notice else { return };
                let Some(report) = EventReport::new(notice) else { continue };
                match serde_json::to_string(&report) {
                    Ok(text) => socket.send(Message::Text(text.into())).await,
                    Err(error) => {
                        tracing::error!(%error, "an event could not be written as JSON");
                        return;
                    }
                }
            }
            heard = socket.recv() => match heard {
                // The library answers pings; nothing else is expected of a listener.
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(error),
                None => return,
            },
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a listener is gone");
            return;
        }
    }
}

fn message_id(id: Result<Path<String>, PathRejection>) -> Result<MessageId, Rejection> {
    let Path(id) = id?;
    id.parse().map_err(|error| Rejection {
        status: StatusCode::BAD_REQUEST,
        code: Code::BadRequest,
        message: format!("`{id}` is no message id: {error}"),
        hint: None,
    })
}
