//! Another web server behind ours: every request goes on to it by HTTP/1.1, every answer comes back.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};
use hyper::body::Body as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer::notice;
use super::body::Body;

/// How long the server behind may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What concerns one connection only (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 4] =
    [CONNECTION, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")];
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Where the server behind is.
#[derive(Debug)]
pub(super) struct Upstream {
    /// Its address.
    pub(super) address: SocketAddr,
    /// The host it is asked for; what the visitor asked for when there is none.
    pub(super) host: Option<String>,
}

/// Why the server behind gave no answer.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Socket(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("it took too long")]
    TimedOut(#[from] tokio::time::error::Elapsed),
}

impl Upstream {
    /// Its answer, or ours that there is none.
    pub(super) async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        self.rewrite(&mut request);
        match timeout(PATIENCE, self.ask(request)).await.map_err(Fault::from).flatten() {
            Ok(mut answer) => {
                strip(answer.headers_mut());
                *answer.version_mut() = Version::default();
                answer
            }
            Err(fault) => {
                tracing::debug!(%fault, "the web server behind the decoy does not answer");
                notice(StatusCode::BAD_GATEWAY, false)
            }
        }
    }

    async fn ask(&self, request: Request<Body>) -> Result<Response<Body>, Fault> {
        let socket = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        // Ends with the answer's body, or when that is dropped.
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?.map(Body::from))
    }

    fn rewrite(&self, request: &mut Request<Body>) {
        let named = self.host.clone().or_else(|| request.uri().authority().map(ToString::to_string));
        strip(request.headers_mut());
        join_cookies(request.headers_mut());
        if let Some(host) = named.and_then(|host| HeaderValue::from_str(&host).ok()) {
            request.headers_mut().insert(HOST, host);
        }
        if request.body().size_hint().exact() == Some(0) {
            request.headers_mut().remove(CONTENT_LENGTH);
        }
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(path);
        *request.version_mut() = Version::HTTP_11;
    }
}

/// HTTP/2 may send the cookies in pieces, HTTP/1.1 has one header for them (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<&[u8]> = headers.get_all(COOKIE).into_iter().map(HeaderValue::as_bytes).collect();
    if pieces.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&pieces.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP).chain([&PROXY_CONNECTION]) {
        headers.remove(name);
    }
}
