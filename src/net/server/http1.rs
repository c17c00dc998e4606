//! Visitors who speak HTTP/1.1. There are no tunnels for them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::admission::{admit, concerns};
use super::answer::dated;
use super::site::Site;
use crate::net::decoy::Body;
use crate::net::http2::MAX_HEADERS;
use crate::net::tunnel::Socket;

/// The longest visit.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Serves a connection to its end.
pub(super) async fn serve(site: Arc<Site>, source: SocketAddr, socket: Socket) {
    let service = service_fn(|request| visit(Arc::clone(&site), source, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(site.limits.handshake)
        .max_buf_size(MAX_HEADERS as usize)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let whole = async {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = site.stop() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    // However a visit ends, it ends here.
    timeout(LIMIT, whole).await.ok();
}

async fn visit(
    site: Arc<Site>,
    source: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    site.counters.raise(|counts| &mut counts.requests);
    let (mut parts, incoming) = request.into_parts();
    let mut body = Body::from(incoming);
    if concerns(&site, &parts) {
        // It costs what every such POST costs, and opens nothing.
        admit(&site, source.ip(), &parts, &mut body).await;
    }
    if parts.uri.authority().is_none() {
        parts.uri = absolute(&site, &parts);
    }
    Ok(dated(&site, site.decoy.answer(Request::from_parts(parts, body)).await))
}

/// The whole address of what is asked for, as HTTP/2 gives it.
fn absolute(site: &Site, parts: &http::request::Parts) -> Uri {
    let host =
        parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or(&site.host);
    let mut uri = parts.uri.clone().into_parts();
    if let Ok(authority) = host.parse::<Authority>() {
        uri.scheme = Some(Scheme::HTTPS);
        uri.authority = Some(authority);
        uri.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    }
    Uri::from_parts(uri).unwrap_or_else(|_| parts.uri.clone())
}
