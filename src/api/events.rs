//! `GET /v1/events`: everything that happens, over a WebSocket, and what happened before.
//!
//! With `?after=N` the stored messages after number N come first. The subscription begins before they are read,
//! so that none falls between; those that were read are left out when they come again.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::error::{Code, Rejection};
use super::schema::EventReport;
use super::server::{SUBSCRIBERS, Shared};
use crate::node::NodeHandle;
use crate::node::error::SendError;
use crate::node::event::Event;
use crate::node::handle::{Notice, Subscription};

/// Stored messages read at once.
const PAGE: usize = 64;

/// Where to begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// With the stored messages after the one of this number; 0 for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

pub(super) async fn events(
    State(shared): State<Shared>,
    query: Result<Query<EventsQuery>, QueryRejection>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Rejection> {
    let Query(EventsQuery { after }) = query?;
    let permit = Arc::clone(&shared.room).try_acquire_owned().map_err(|_| Rejection {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: Code::Busy,
        message: format!("{SUBSCRIBERS} programs listen to the events of this node already"),
        hint: Some("end one of them"),
    })?;
    // Before the answer: whoever has it misses nothing that it causes from then on.
    let feed = Feed::new(shared.node.subscribe()?, shared.node, after);
    Ok(upgrade.on_upgrade(|socket| forward(socket, feed, permit)).into_response())
}

/// Sends every event until the node or the listener is gone.
async fn forward(mut socket: WebSocket, mut feed: Feed, _permit: OwnedSemaphorePermit) {
    loop {
        let sent = tokio::select! {
            report = feed.next() => match report {
                Ok(Some(report)) => match serde_json::to_string(&report) {
                    Ok(text) => socket.send(Message::Text(text.into())).await,
                    Err(error) => {
                        tracing::error!(%error, "an event could not be written as JSON");
                        return;
                    }
                },
                Ok(None) => return,
                // A listener that would miss messages without knowing it is better told to come again.
                Err(error) => {
                    tracing::error!(%error, "stored messages could not be read for a listener");
                    return;
                }
            },
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

/// The stored messages that were asked for, then events as they come.
struct Feed {
    events: Subscription,
    node: NodeHandle,
    /// The highest number given out; nothing when messages are taken as they come.
    reached: Option<u64>,
    /// Whether the table may hold messages after that which will not come as events.
    behind: bool,
    /// Read from the table, and not given out yet.
    stored: VecDeque<EventReport>,
}

impl Feed {
    fn new(events: Subscription, node: NodeHandle, after: Option<u64>) -> Self {
        Self { events, node, reached: after, behind: after.is_some(), stored: VecDeque::new() }
    }

    /// The next report; nothing when the node has stopped. Nothing is lost when this is dropped while it waits.
    async fn next(&mut self) -> Result<Option<EventReport>, SendError> {
        loop {
            if let Some(report) = self.stored.pop_front() {
                return Ok(Some(report));
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            let Some(notice) = self.events.next().await else { return Ok(None) };
            if let Some(report) = self.take(notice) {
                return Ok(Some(report));
            }
        }
    }

    /// Reads the next stored messages.
    async fn catch_up(&mut self) -> Result<(), SendError> {
        let reached = self.reached.unwrap_or(0);
        let page = self.node.messages_after(reached, PAGE).await?;
        match page.last() {
            Some(last) => self.reached = Some(last.number),
            None => self.behind = false,
        }
        self.stored.extend(page.iter().map(|message| EventReport::received(message, 0)));
        Ok(())
    }

    /// What is told of a notice: not a message that was told already.
    fn take(&mut self, notice: Notice) -> Option<EventReport> {
        match (&notice, self.reached) {
            (Notice::Event(Event::Received { message, .. }), Some(reached)) => {
                if message.number <= reached {
                    return None;
                }
                self.reached = Some(message.number);
            }
            (Notice::Missed(_), Some(_)) => self.behind = true,
            (Notice::Event(_) | Notice::Missed(_), _) => {}
        }
        EventReport::new(notice)
    }
}
