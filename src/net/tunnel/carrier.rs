//! The HTTP/2 connection under a tunnel, at whichever end of it we are.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{PingPong, client, server};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::net::server::Visitors;
use crate::net::tee::Tee;

/// TLS over TCP.
pub(in crate::net) type Socket = TlsStream<TcpStream>;

/// A connection that has to be polled for anything to happen on it.
pub(in crate::net) enum Carrier {
    /// We dialled.
    Client {
        /// The connection.
        connection: client::Connection<Tee<Socket>, Bytes>,
        /// Holding it keeps the connection open.
        requests: Option<SendRequest<Bytes>>,
    },
    /// We were dialled, and serve what else is asked on this connection.
    Server {
        /// The connection.
        connection: server::Connection<Socket, Bytes>,
        /// Those who ask.
        visitors: Visitors,
    },
}

impl Carrier {
    /// Moves bytes. Ready when the connection is over; not to be called after that.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Client { connection, .. } => Pin::new(connection).poll(cx).map(|_| ()),
            Self::Server { connection, visitors } => loop {
                // None of them becomes a tunnel on a connection that carries one.
                if visitors.poll_admitted(cx).is_pending() && visitors.is_full() {
                    return connection.poll_closed(cx).map(|_| ());
                }
                match connection.poll_accept(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok((request, respond)))) => visitors.serve(request, respond),
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                }
            },
        }
    }

    /// Says that nothing more is wanted on this connection; it is over when its streams are.
    pub(super) fn go_away(&mut self) {
        match self {
            // Without a handle on it, the connection says GOAWAY once its streams are gone.
            Self::Client { requests, .. } => *requests = None,
            Self::Server { connection, .. } => connection.graceful_shutdown(),
        }
    }

    /// The handle for HTTP/2's own PING; there is one.
    pub(super) fn ping_pong(&mut self) -> Option<PingPong> {
        match self {
            Self::Client { connection, .. } => connection.ping_pong(),
            Self::Server { connection, .. } => connection.ping_pong(),
        }
    }
}
