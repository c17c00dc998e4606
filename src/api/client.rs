//! The one client of the interface.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;

use super::board::{BoardReport, NewNotice, PostedReport};
use super::contacts::{CardQuery, CardReport, ContactList, ContactPatch, ContactReport, NewContact};
use super::events::EventsQuery;
use super::files::{FileReport, FilesQuery, FilesReport, NewFile};
use super::groups::{GroupReport, GroupsReport, NewGroup, NewGroupText, NewMember, SaidReport};
use super::history::{HistoryQuery, HistoryReport};
use super::outbox::{OutboxQuery, OutboxReport};
use super::people::{CodeReport, ScanReport};
use super::route::{RouteQuery, RouteReport};
use super::schema::{ErrorDetail, ErrorReport, EventReport, NewMessage, PeerList, SentMessage, StatusReport};
use super::survey::{PingReport, Target, TopologyReport, TraceReport};
use super::wishes::Wishes;
use crate::ids::{Fingerprint, GroupId, MessageId, PostId};

/// The longest answer taken: every peer a node can know, and then some.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;
/// The name a request on a Unix socket must give, though nobody asks.
const HOST: &str = "localhost";

/// Talks to the daemon of one home.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// A request got no answer, or a refusal.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no daemon answers at {socket}", socket = .socket.display())]
    NoDaemon {
        /// The socket tried.
        socket: PathBuf,
    },
    /// The socket cannot be used.
    #[error("{socket}: {source}", socket = .socket.display())]
    Socket {
        /// The socket tried.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon refused, and said why.
    #[error("{}", .0.message)]
    Refused(ErrorDetail),
    /// The conversation broke off.
    #[error("the daemon did not answer")]
    Http(#[from] hyper::Error),
    /// The answer is too long, or broke off.
    #[error("the daemon's answer could not be read")]
    Answer,
    /// The answer is not what this version expects.
    #[error("the daemon answered {status} with something else than expected; is it of another version?")]
    Unexpected {
        /// The HTTP status.
        status: StatusCode,
    },
    /// The event stream broke.
    #[error("the event stream broke")]
    Events(#[from] Box<tungstenite::Error>),
}

impl Client {
    /// A client of the daemon that listens at `socket`.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// How the node is.
    pub async fn status(&self) -> Result<StatusReport, ClientError> {
        self.get("/v1/status").await
    }

    /// Everybody known.
    pub async fn peers(&self) -> Result<PeerList, ClientError> {
        self.get("/v1/peers").await
    }

    /// Sends a text that asks nothing of its way.
    pub async fn send(&self, to: &str, text: &str) -> Result<SentMessage, ClientError> {
        self.send_as(to, text, Wishes::default()).await
    }

    /// Sends a text.
    pub async fn send_as(
        &self,
        to: &str,
        text: &str,
        requirements: Wishes,
    ) -> Result<SentMessage, ClientError> {
        let message = NewMessage { to: to.to_owned(), text: text.to_owned(), requirements };
        self.post("/v1/messages", &message).await
    }

    /// What became of a message.
    pub async fn message(&self, id: MessageId) -> Result<SentMessage, ClientError> {
        self.get(&format!("/v1/messages/{id}")).await
    }

    /// Tells the sender of a private message that it was seen.
    pub async fn mark_read(&self, id: MessageId) -> Result<(), ClientError> {
        self.command(Method::POST, &format!("/v1/messages/{id}/read")).await
    }

    /// Which way a message would take, and why.
    pub async fn route(&self, query: &RouteQuery) -> Result<RouteReport, ClientError> {
        self.get(&path("/v1/route", query)?).await
    }

    /// Who hears whom.
    pub async fn topology(&self) -> Result<TopologyReport, ClientError> {
        self.get("/v1/mesh/topology").await
    }

    /// Whether somebody is there; waits for the answer, at most ten seconds.
    pub async fn ping(&self, to: &str) -> Result<PingReport, ClientError> {
        self.post("/v1/mesh/ping", &Target { to: to.to_owned() }).await
    }

    /// Whether somebody is there, and the way as the topology shows it.
    pub async fn trace(&self, to: &str) -> Result<TraceReport, ClientError> {
        self.post("/v1/mesh/trace", &Target { to: to.to_owned() }).await
    }

    /// Messages of this node, how far they came.
    pub async fn outbox(&self, query: &OutboxQuery) -> Result<OutboxReport, ClientError> {
        self.get(&path("/v1/outbox", query)?).await
    }

    /// Gives up a message that waits.
    pub async fn cancel(&self, id: MessageId) -> Result<(), ClientError> {
        self.command(Method::DELETE, &format!("/v1/outbox/{id}")).await
    }

    /// Takes on a file for a contact.
    pub async fn send_file(&self, file: &NewFile) -> Result<FileReport, ClientError> {
        self.post("/v1/files", file).await
    }

    /// Files on their way, and what became of those that were.
    pub async fn files(&self, query: &FilesQuery) -> Result<FilesReport, ClientError> {
        self.get(&path("/v1/files", query)?).await
    }

    /// A file on its way, or what became of it.
    pub async fn file(&self, number: u64) -> Result<FileReport, ClientError> {
        self.get(&format!("/v1/files/{number}")).await
    }

    /// Says yes to a file that is offered.
    pub async fn accept_file(&self, number: u64) -> Result<FileReport, ClientError> {
        let (status, bytes) =
            self.exchange(Method::POST, &format!("/v1/files/{number}/accept"), Bytes::new()).await?;
        parse(status, &bytes)
    }

    /// Gives up a file.
    pub async fn cancel_file(&self, number: u64) -> Result<(), ClientError> {
        self.command(Method::DELETE, &format!("/v1/files/{number}")).await
    }

    /// The groups this node is in.
    pub async fn groups(&self) -> Result<GroupsReport, ClientError> {
        self.get("/v1/groups").await
    }

    /// Makes a group.
    pub async fn create_group(&self, name: &str) -> Result<GroupReport, ClientError> {
        self.post("/v1/groups", &NewGroup { name: name.to_owned() }).await
    }

    /// Makes somebody a member of a group of this node.
    pub async fn invite(&self, group: GroupId, peer: &str) -> Result<GroupReport, ClientError> {
        self.post(&format!("/v1/groups/{group}/members"), &NewMember { peer: peer.to_owned() }).await
    }

    /// Ends a membership.
    pub async fn remove_member(&self, group: GroupId, member: Fingerprint) -> Result<(), ClientError> {
        self.command(Method::DELETE, &format!("/v1/groups/{group}/members/{member}")).await
    }

    /// Leaves a group.
    pub async fn leave_group(&self, group: GroupId) -> Result<(), ClientError> {
        self.command(Method::DELETE, &format!("/v1/groups/{group}")).await
    }

    /// Says something to a group.
    pub async fn say_to_group(&self, group: GroupId, text: &str) -> Result<SaidReport, ClientError> {
        self.post(&format!("/v1/groups/{group}/messages"), &NewGroupText { text: text.to_owned() }).await
    }

    /// The notices that stand.
    pub async fn board(&self) -> Result<BoardReport, ClientError> {
        self.get("/v1/board").await
    }

    /// Puts up a notice.
    pub async fn post_notice(&self, notice: &NewNotice) -> Result<PostedReport, ClientError> {
        self.post("/v1/board", notice).await
    }

    /// Withdraws a notice of this node.
    pub async fn remove_notice(&self, id: PostId) -> Result<(), ClientError> {
        self.command(Method::DELETE, &format!("/v1/board/{id}")).await
    }

    /// What was said.
    pub async fn history(&self, query: &HistoryQuery) -> Result<HistoryReport, ClientError> {
        self.get(&path("/v1/history", query)?).await
    }

    /// Contacts, blocked people and offers.
    pub async fn contacts(&self) -> Result<ContactList, ClientError> {
        self.get("/v1/contacts").await
    }

    /// This node's own card.
    pub async fn card(&self, query: CardQuery) -> Result<CardReport, ClientError> {
        self.get(&path("/v1/contacts/card", &query)?).await
    }

    /// Adds a contact.
    pub async fn add_contact(&self, contact: &NewContact) -> Result<ContactReport, ClientError> {
        self.post("/v1/contacts", contact).await
    }

    /// Decides something about a person.
    pub async fn edit_contact(
        &self,
        fingerprint: Fingerprint,
        patch: &ContactPatch,
    ) -> Result<ContactReport, ClientError> {
        let path = format!("/v1/contacts/{fingerprint}");
        let (status, bytes) = self.exchange(Method::PATCH, &path, body(patch)?).await?;
        parse(status, &bytes)
    }

    /// Knows a person no more.
    pub async fn remove_contact(&self, fingerprint: Fingerprint) -> Result<(), ClientError> {
        self.command(Method::DELETE, &format!("/v1/contacts/{fingerprint}")).await
    }

    /// This node's verification code.
    pub async fn code(&self) -> Result<CodeReport, ClientError> {
        self.get("/v1/verification").await
    }

    /// Begins to verify whoever a code is of.
    pub async fn scan(&self, code: &CodeReport) -> Result<ScanReport, ClientError> {
        self.post("/v1/verification", code).await
    }

    /// A contact, or somebody heard on the mesh.
    pub async fn contact(&self, fingerprint: Fingerprint) -> Result<ContactReport, ClientError> {
        self.get(&format!("/v1/contacts/{fingerprint}")).await
    }

    /// Every event from here on.
    pub async fn events(&self) -> Result<Events, ClientError> {
        self.events_from(EventsQuery::default()).await
    }

    /// Every event, after the stored messages that are asked for.
    pub async fn events_from(&self, query: EventsQuery) -> Result<Events, ClientError> {
        let stream = connect(&self.socket).await?;
        let url = format!("ws://{HOST}{}", path("/v1/events", &query)?);
        let (socket, _answer) =
            tokio_tungstenite::client_async(url, stream).await.map_err(handshake_refusal)?;
        Ok(Events { socket })
    }

    /// Asks for something that has no answer but yes or no.
    async fn command(&self, method: Method, path: &str) -> Result<(), ClientError> {
        let (status, bytes) = self.exchange(method, path, Bytes::new()).await?;
        match status {
            StatusCode::NO_CONTENT => Ok(()),
            other => Err(refusal(other, &bytes)),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let (status, bytes) = self.exchange(Method::GET, path, Bytes::new()).await?;
        parse(status, &bytes)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, value: &impl Serialize) -> Result<T, ClientError> {
        let (status, bytes) = self.exchange(Method::POST, path, body(value)?).await?;
        parse(status, &bytes)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let stream = connect(&self.socket).await?;
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, HOST)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|_| ClientError::Answer)?;
        let exchange = async {
            let answer = requests.send_request(request).await?;
            let status = answer.status();
            let collected = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
            Ok((status, collected.map_err(|_| ClientError::Answer)?.to_bytes()))
        };
        tokio::pin!(exchange);
        tokio::pin!(connection);
        tokio::select! {
            answer = &mut exchange => answer,
            // The connection may end once the answer is in.
            ended = &mut connection => { ended?; exchange.await }
        }
    }
}

/// The events of a node, as they come.
#[derive(Debug)]
pub struct Events {
    socket: WebSocketStream<UnixStream>,
}

impl Events {
    /// Waits for the next event; `None` when the daemon has stopped.
    pub async fn next(&mut self) -> Result<Option<EventReport>, ClientError> {
        use tungstenite::error::ProtocolError;
        loop {
            let message = match self.socket.next().await {
                None => return Ok(None),
                // A daemon that ends says no goodbye.
                Some(Err(
                    tungstenite::Error::ConnectionClosed
                    | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                )) => return Ok(None),
                Some(Err(error)) => return Err(Box::new(error).into()),
                Some(Ok(message)) => message,
            };
            match message {
                tungstenite::Message::Text(text) => {
                    let event = serde_json::from_str(&text);
                    return event
                        .map(Some)
                        .map_err(|_| ClientError::Unexpected { status: StatusCode::SWITCHING_PROTOCOLS });
                }
                tungstenite::Message::Close(_) => return Ok(None),
                tungstenite::Message::Binary(_)
                | tungstenite::Message::Ping(_)
                | tungstenite::Message::Pong(_)
                | tungstenite::Message::Frame(_) => {}
            }
        }
    }
}

async fn connect(socket: &Path) -> Result<UnixStream, ClientError> {
    UnixStream::connect(socket).await.map_err(|source| {
        let socket = socket.to_owned();
        if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
            return ClientError::NoDaemon { socket };
        }
        ClientError::Socket { socket, source }
    })
}

fn path(route: &str, query: &impl Serialize) -> Result<String, ClientError> {
    let query = serde_urlencoded::to_string(query).map_err(|_| ClientError::Answer)?;
    Ok(format!("{route}?{query}"))
}

fn body(value: &impl Serialize) -> Result<Bytes, ClientError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|_| ClientError::Answer)
}

fn parse<T: DeserializeOwned>(status: StatusCode, bytes: &Bytes) -> Result<T, ClientError> {
    if !status.is_success() {
        return Err(refusal(status, bytes));
    }
    serde_json::from_slice(bytes).map_err(|_| ClientError::Unexpected { status })
}

fn refusal(status: StatusCode, bytes: &[u8]) -> ClientError {
    match serde_json::from_slice::<ErrorReport>(bytes) {
        Ok(report) => ClientError::Refused(report.error),
        Err(_) => ClientError::Unexpected { status },
    }
}

fn handshake_refusal(error: tungstenite::Error) -> ClientError {
    if let tungstenite::Error::Http(answer) = &error {
        return refusal(answer.status(), answer.body().as_deref().unwrap_or_default());
    }
    Box::new(error).into()
}
