//! The handles on a whole tunnel.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::request::{Request, State};
use super::stream::Stream;
use crate::htx::Side;
use crate::htx::error::ErrorCode;

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tunnel is closed ({code}) by {}", match by { Side::Ours => "this side", Side::Theirs => "the other side" })]
pub struct Closed {
    /// Why.
    pub code: ErrorCode,
    /// Who closed it.
    pub by: Side,
}

/// Why no stream was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The tunnel is over.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// Its time is up: it carries its streams to their end and takes no new ones.
    #[error("the tunnel has reached its age and takes no new streams")]
    Retired,
    /// As many streams as one tunnel may have are open.
    #[error("the tunnel has as many streams as it may have")]
    TooMany,
}

/// A running tunnel. When it and every [`Opener`] and [`Stream`] of it are dropped, it closes.
#[derive(Debug)]
pub struct Tunnel {
    pub(super) opener: Opener,
    pub(super) accepted: mpsc::Receiver<Stream>,
}

impl Tunnel {
    /// The keying material of the TLS connection, which signatures inside the tunnel are bound to (spec 16.2).
    pub fn exporter(&self) -> &[u8; 32] {
        self.opener.exporter()
    }

    /// A handle for those who open streams.
    pub fn opener(&self) -> Opener {
        self.opener.clone()
    }

    /// The next stream that the other end opens; `None` when the tunnel is over. Cancel-safe.
    pub async fn accept(&mut self) -> Option<Stream> {
        self.accepted.recv().await
    }

    /// See [`Opener::open`].
    pub async fn open(&self) -> Result<Stream, OpenError> {
        self.opener.open().await
    }

    /// See [`Opener::close`].
    pub async fn close(&self, code: ErrorCode) {
        self.opener.close(code).await;
    }

    /// See [`Opener::closed`].
    pub async fn closed(&self) -> Closed {
        self.opener.closed().await
    }

    /// See [`Opener::retired`].
    pub async fn retired(&self) {
        self.opener.retired().await;
    }
}

/// Opens streams in a tunnel. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Opener {
    pub(super) exporter: [u8; 32],
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) state: watch::Receiver<State>,
}

impl Opener {
    /// See [`Tunnel::exporter`].
    pub fn exporter(&self) -> &[u8; 32] {
        &self.exporter
    }

    /// Opens a stream. The other end learns of it with its first bytes.
    pub async fn open(&self) -> Result<Stream, OpenError> {
        let (answer, opened) = oneshot::channel();
        if self.requests.send(Request::Open(answer)).await.is_err() {
            return Err(self.closed().await.into());
        }
        match opened.await {
            Ok(answer) => answer,
            Err(_) => Err(self.closed().await.into()),
        }
    }

    /// How long the other end takes to answer a PING of HTX; `None` when the tunnel is over, or when five
    /// seconds were not enough.
    pub async fn ping(&self) -> Option<Duration> {
        let (answer, pong) = oneshot::channel();
        self.requests.send(Request::Ping(answer)).await.ok()?;
        pong.await.ok()
    }

    /// Closes the tunnel and waits until it is closed: what was sent before and has not left is dropped.
    pub async fn close(&self, code: ErrorCode) {
        // Refused only where it is closed already.
        self.requests.send(Request::Close(code)).await.ok();
        self.closed().await;
    }

    /// Waits until the tunnel is over, and tells how it ended; also long after.
    pub async fn closed(&self) -> Closed {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| state.closed.is_some()).await;
        // A task that is gone without a word was stopped with the runtime.
        ended
            .ok()
            .and_then(|state| state.closed)
            .unwrap_or(Closed { code: ErrorCode::InternalError, by: Side::Ours })
    }

    /// Waits until the tunnel takes no new streams because it has reached its age (B-8), or because it is over.
    pub async fn retired(&self) {
        let mut state = self.state.clone();
        // An error is a tunnel that is over.
        state.wait_for(|state| state.retired || state.closed.is_some()).await.ok();
    }
}

/// Can close a tunnel without keeping it open.
#[derive(Debug, Clone)]
pub(in crate::net) struct Closer(pub(super) mpsc::WeakSender<Request>);

impl Closer {
    /// Asks for the tunnel's end.
    pub(in crate::net) async fn close(&self, code: ErrorCode) {
        if let Some(requests) = self.0.upgrade() {
            // Refused only where it is closed already.
            requests.send(Request::Close(code)).await.ok();
        }
    }
}
