//! One connection: TLS, then the HTTP that was agreed on, and a tunnel if one of its requests becomes one.

use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::config::Arrival;
use super::http1;
use super::site::Site;
use super::visitors::{Admitted, Visitors};
use crate::htx::error::ErrorCode;
use crate::htx::handshake::Binding;
use crate::htx::{Connection, ServerSetup};
use crate::net::http2;
use crate::net::tls::{H2, exporter};
use crate::net::tunnel::{Carrier, Closer, Driver, Life, Parts, Socket};

/// How long a connection may take to end in good order.
const DRAIN: Duration = Duration::from_secs(2);

type Http2 = server::Connection<Socket, Bytes>;

/// Serves a connection to its end.
pub(super) async fn serve(site: Arc<Site>, tls: Arc<ServerConfig>, socket: TcpStream, source: SocketAddr) {
    let counters = Arc::clone(&site.counters);
    let _open = counters.hold(|counts| &mut counts.connections_open);
    // Refused only by a socket that is gone.
    socket.set_nodelay(true).ok();
    let handshake = timeout(site.limits.handshake, TlsAcceptor::from(tls).accept(socket)).await;
    let Ok(Ok(socket)) = handshake else {
        return counters.raise(|counts| &mut counts.handshakes_failed);
    };
    let agreed = socket.get_ref().1.alpn_protocol() == Some(H2);
    let socket = TlsStream::Server(socket);
    if agreed { serve_http2(site, socket, source).await } else { http1::serve(site, source, socket).await }
}

async fn serve_http2(site: Arc<Site>, socket: Socket, source: SocketAddr) {
    let Ok(exporter) = exporter(&socket) else { return };
    let handshake = timeout(site.limits.handshake, http2::server().handshake(socket)).await;
    let Ok(Ok(mut connection)) = handshake else {
        return site.counters.raise(|counts| &mut counts.handshakes_failed);
    };
    let mut visitors = Visitors::new(Arc::clone(&site), source);
    if let Some(admitted) = receive(&site, &mut connection, &mut visitors).await {
        carry(&site, Carrier::Server { connection, visitors }, admitted, exporter, source).await;
    }
}

/// What happens on a connection without a tunnel.
enum Visit {
    Asked,
    Admitted(Admitted),
    Over,
}

/// Answers visitors until the connection is over, or until one of them is to have a tunnel.
async fn receive(site: &Site, connection: &mut Http2, visitors: &mut Visitors) -> Option<Admitted> {
    loop {
        let happened = tokio::select! {
            happened = poll_fn(|cx| poll_visit(connection, visitors, cx)) => happened,
            () = tokio::time::sleep(site.limits.idle), if visitors.is_empty() => break,
            () = site.stop() => break,
        };
        match happened {
            Visit::Asked => {}
            Visit::Admitted(admitted) => return Some(admitted),
            Visit::Over => return None,
        }
    }
    connection.graceful_shutdown();
    let end = poll_fn(|cx| match poll_visit(connection, visitors, cx) {
        Poll::Ready(Visit::Over) => Poll::Ready(()),
        // A tunnel comes too late; dropped, it is reset.
        Poll::Ready(Visit::Asked | Visit::Admitted(_)) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Pending => Poll::Pending,
    });
    // In good order or not, the connection ends here.
    timeout(DRAIN, end).await.ok();
    None
}

fn poll_visit(connection: &mut Http2, visitors: &mut Visitors, cx: &mut Context<'_>) -> Poll<Visit> {
    if let Poll::Ready(admitted) = visitors.poll_admitted(cx) {
        return Poll::Ready(Visit::Admitted(admitted));
    }
    if visitors.is_full() {
        return connection.poll_closed(cx).map(|_| Visit::Over);
    }
    match connection.poll_accept(cx) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Some(Ok((request, respond)))) => {
            visitors.serve(request, respond);
            Poll::Ready(Visit::Asked)
        }
        Poll::Ready(Some(Err(_)) | None) => Poll::Ready(Visit::Over),
    }
}

/// Runs a tunnel on the connection, to the end of both.
async fn carry(
    site: &Site,
    carrier: Carrier,
    mut admitted: Admitted,
    exporter: [u8; 32],
    source: SocketAddr,
) {
    let _open = site.counters.hold(|counts| &mut counts.tunnels_open);
    let mut response = Response::new(());
    if let Ok(content_type) = HeaderValue::from_str(&site.content_type) {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    // Refused where the client is gone.
    let Ok(outgoing) = admitted.respond.send_response(response, false) else { return };
    let setup = ServerSetup {
        static_secret: site.static_secret.clone(),
        binding: Binding { host: site.host.clone(), exporter },
        classical: site.classical,
        config: site.emulation.config(),
    };
    let mut rng = ChaCha20Rng::from_seed(*admitted.seed);
    let life = Life::of_server(&mut rng);
    let (driver, handle) = Driver::new(Parts {
        machine: Connection::server(setup, rng, site.clock.now()),
        carrier,
        outgoing,
        incoming: admitted.incoming,
        exporter,
        clock: site.clock,
        life,
    });
    let closer = driver.closer();
    let accompany = async {
        match handle.await {
            Ok(tunnel) => {
                site.counters.raise(|counts| &mut counts.tunnels);
                let arrival = Arrival { tunnel, source, tunnel_id: admitted.tunnel_id };
                // Where nobody takes it, it is dropped, and closes.
                site.arrivals.send(arrival).await.ok();
                stop(site, closer).await;
            }
            Err(_) => site.counters.raise(|counts| &mut counts.inner_failed),
        }
        pending::<()>().await;
    };
    tokio::select! {
        () = driver.run() => {}
        () = accompany => {}
    }
}

async fn stop(site: &Site, closer: Closer) {
    site.stop().await;
    closer.close(ErrorCode::Ok).await;
}
