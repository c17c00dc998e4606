//! Our side of a TLS and HTTP/2 connection to a web site, and plain requests on it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{Connection, SendRequest};
use http::header::{ACCEPT, ACCEPT_LANGUAGE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

use super::http2;
use super::tee::Tee;
use super::tls::{H2, TlsError, exporter, server_name};
use super::tunnel::Socket;
use crate::htx::cover::FirstFlight;

/// How long each step of a visit may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// The longest answer that is kept, in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// What kind of browser we say we are. Our TLS says otherwise: this build does not claim to be one.
const BROWSER: HeaderValue = HeaderValue::from_static(
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
);

/// Why a visit came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// No TCP connection.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The TLS handshake failed: the certificate, the version, or the line.
    #[error("no TLS connection: {0}")]
    Handshake(io::Error),
    /// Something about TLS on our side.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The host does not speak HTTP/2.
    #[error("the host does not speak HTTP/2")]
    NoHttp2,
    /// The HTTP/2 connection failed.
    #[error("HTTP/2: {0}")]
    Http2(#[from] h2::Error),
    /// The host closed the connection.
    #[error("the host closed the connection")]
    Over,
    /// The host and path make no address.
    #[error("no address can be made of the host and the path")]
    Address,
    /// A step took too long.
    #[error("{0} took too long")]
    TimedOut(Step),
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A TCP connection.
    Connect,
    /// A TLS connection.
    Handshake,
    /// The settings of HTTP/2.
    Settings,
    /// An answer.
    Answer,
    /// The handshake inside the tunnel.
    InnerHandshake,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "the TCP connection",
            Self::Handshake => "the TLS handshake",
            Self::Settings => "the settings of HTTP/2",
            Self::Answer => "the answer",
            Self::InnerHandshake => "the handshake inside the tunnel",
        })
    }
}

/// What a TLS handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) alpn: Vec<u8>,
    pub(super) version: u16,
    pub(super) cipher: u16,
    pub(super) group: u16,
    pub(super) leaf: Option<CertificateDer<'static>>,
}

/// Connects and shakes hands.
pub(super) async fn dial(
    tls: &Arc<ClientConfig>,
    host: &str,
    address: SocketAddr,
) -> Result<(Socket, Agreed), VisitError> {
    let name = server_name(host)?;
    let connect = timeout(PATIENCE, TcpStream::connect(address)).await;
    let socket = connect.map_err(|_| VisitError::TimedOut(Step::Connect))?.map_err(VisitError::Connect)?;
    // Refused only by a socket that is gone.
    socket.set_nodelay(true).ok();
    let handshake = timeout(PATIENCE, TlsConnector::from(Arc::clone(tls)).connect(name, socket)).await;
    let socket =
        handshake.map_err(|_| VisitError::TimedOut(Step::Handshake))?.map_err(VisitError::Handshake)?;
    let state = socket.get_ref().1;
    let agreed = Agreed {
        alpn: state.alpn_protocol().unwrap_or_default().to_vec(),
        version: state.protocol_version().map_or(0, u16::from),
        cipher: state.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite())),
        group: state.negotiated_key_exchange_group().map_or(0, |group| u16::from(group.name())),
        leaf: state.peer_certificates().and_then(<[_]>::first).map(|leaf| leaf.clone().into_owned()),
    };
    Ok((TlsStream::Client(socket), agreed))
}

/// An HTTP/2 connection that moves only while something is awaited on it.
pub(super) struct Session {
    pub(super) requests: SendRequest<Bytes>,
    pub(super) connection: Connection<Tee<Socket>, Bytes>,
    pub(super) exporter: [u8; 32],
    flight: watch::Receiver<FirstFlight>,
}

/// What a web site says.
#[derive(Debug, Clone)]
pub struct Answer {
    /// How it went.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, cut at 256 KiB.
    pub body: Bytes,
}

impl Session {
    /// Says the preface and our settings.
    pub(super) async fn begin(socket: Socket, agreed: &Agreed) -> Result<Self, VisitError> {
        if agreed.alpn != H2 {
            return Err(VisitError::NoHttp2);
        }
        let exporter = exporter(&socket)?;
        let (tee, flight) = Tee::new(socket);
        let handshake = timeout(PATIENCE, http2::client().handshake(tee)).await;
        let (requests, connection) = handshake.map_err(|_| VisitError::TimedOut(Step::Settings))??;
        Ok(Self { requests, connection, exporter, flight })
    }

    /// What the host has said first, so far.
    pub(super) fn flight(&self) -> FirstFlight {
        self.flight.borrow().clone()
    }

    /// Waits until what the host says first is as it should be; tells whether it came to that in time.
    pub(super) async fn flight_where(
        &mut self,
        patience: Duration,
        wanted: impl FnMut(&FirstFlight) -> bool,
    ) -> Result<bool, VisitError> {
        let mut flight = self.flight.clone();
        let wait =
            async move { timeout(patience, flight.wait_for(wanted)).await.is_ok_and(|seen| seen.is_ok()) };
        alongside(&mut self.connection, wait).await
    }

    /// Asks for something, as browsers do, and waits for the whole answer.
    pub(super) async fn ask(
        &mut self,
        request: Request<()>,
        body: Option<Bytes>,
    ) -> Result<Answer, VisitError> {
        let mut requests = self.requests.clone();
        let ask = timeout(PATIENCE, async move {
            poll_fn(|cx| requests.poll_ready(cx)).await?;
            let (response, mut stream) = requests.send_request(request, body.is_none())?;
            if let Some(body) = body {
                stream.send_data(body, true)?;
            }
            let (parts, mut incoming) = response.await?.into_parts();
            let mut body = BytesMut::new();
            while let Some(data) = incoming.data().await {
                let data = data?;
                incoming.flow_control().release_capacity(data.len())?;
                body.extend_from_slice(
                    data.get(..data.len().min(MAX_ANSWER - body.len())).unwrap_or_default(),
                );
                if body.len() == MAX_ANSWER {
                    break;
                }
            }
            Ok(Answer { status: parts.status, headers: parts.headers, body: body.freeze() })
        });
        let answer = alongside(&mut self.connection, ask).await?;
        answer.map_err(|_| VisitError::TimedOut(Step::Answer))?
    }

    /// Ends the connection in good order.
    pub(super) async fn end(self) {
        drop(self.requests);
        // Whether the host has heard it is nothing to us.
        timeout(GOODBYE, self.connection).await.ok();
    }
}

/// Does something on a connection while the connection moves.
pub(super) async fn alongside<T>(
    connection: &mut Connection<Tee<Socket>, Bytes>,
    work: impl Future<Output = T>,
) -> Result<T, VisitError> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        ended = connection => Err(ended.err().map_or(VisitError::Over, VisitError::from)),
    }
}

/// A request for a path of a host, with the headers that browsers send.
pub(super) fn request(method: Method, authority: &str, path: &str) -> Result<Request<()>, VisitError> {
    let uri = Uri::builder().scheme("https").authority(authority).path_and_query(path).build();
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri.map_err(|_| VisitError::Address)?;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, BROWSER);
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static("en-US,en;q=0.9"));
    Ok(request)
}

/// The host as requests name it: with its port where that is not the usual one.
pub(super) fn authority(host: &str, address: SocketAddr) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match address.port() {
        443 => host,
        port => format!("{host}:{port}"),
    }
}
