//! A visitor with a TLS and an HTTP/2 library of his own, who sees what browsers do not show.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::SendRequest;
use hopline::net::tls::Roots;
use http::{HeaderMap, Request, StatusCode};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// TLS as the visitor wants it.
pub(crate) fn tls(roots: &Roots, alpn: &[&[u8]]) -> ClientConfig {
    let Roots::Only(certificates) = roots else { panic!("tests have roots of their own") };
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate.clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

/// Connects and shakes hands.
pub(crate) async fn connect(config: ClientConfig, host: &str, address: SocketAddr) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
}

/// What was answered. Headers as they came, without the date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A connection of HTTP/2, with everything that came on it.
pub(crate) struct Visitor {
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) exporter: [u8; 32],
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Visitor {
    pub(crate) async fn arrive(roots: &Roots, host: &str, address: SocketAddr) -> Self {
        let socket = connect(tls(roots, &[b"h2"]), host, address).await;
        let context = Some(&b"1.1.0"[..]);
        let exporter =
            socket.get_ref().1.export_keying_material([0; 32], b"EXPORTER-betanet-htx", context).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Ear { inner: socket, heard: Arc::clone(&heard) };
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(4 * 1024 * 1024)
            .initial_connection_window_size(8 * 1024 * 1024)
            .handshake(ear)
            .await
            .unwrap();
        tokio::spawn(connection);
        Self { requests, exporter, heard }
    }

    /// Asks for something with a whole body.
    pub(crate) async fn ask(&self, request: Request<()>, body: &[u8]) -> Answer {
        let mut requests = self.requests.clone().ready().await.unwrap();
        let (response, mut stream) = requests.send_request(request, body.is_empty()).unwrap();
        if !body.is_empty() {
            // The host may have answered and reset the rest.
            stream.send_data(Bytes::copy_from_slice(body), true).ok();
        }
        answer(response).await
    }

    /// The frames that the host sent about the connection itself, in order: kind, flags, stream, content.
    pub(crate) fn connection_frames(&self) -> Vec<(u8, u8, Vec<u8>)> {
        const SETTINGS: u8 = 4;
        const WINDOW_UPDATE: u8 = 8;
        let heard = self.heard.lock().unwrap();
        let mut rest = &heard[..];
        let mut frames = Vec::new();
        while let Some((head, tail)) = rest.split_at_checked(9) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((content, tail)) = tail.split_at_checked(length) else { break };
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            if stream == 0 && [SETTINGS, WINDOW_UPDATE].contains(&head[3]) {
                frames.push((head[3], head[4], content.to_vec()));
            }
            rest = tail;
        }
        frames
    }
}

/// Waits for a whole answer.
pub(crate) async fn answer(response: h2::client::ResponseFuture) -> Answer {
    let (mut parts, mut incoming) = response.await.unwrap().into_parts();
    let mut body = Vec::new();
    while let Some(data) = incoming.data().await {
        let Ok(data) = data else { break };
        incoming.flow_control().release_capacity(data.len()).unwrap();
        body.extend_from_slice(&data);
    }
    assert!(parts.headers.remove(http::header::DATE).is_some(), "every answer has a date");
    Answer { status: parts.status, headers: parts.headers, body: body.into() }
}

/// A request as visitors make it.
pub(crate) fn request(method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut builder = Request::builder().method(method).uri(format!("https://{host}{path}"));
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap()
}

/// Keeps a copy of what is read.
struct Ear {
    inner: TlsStream<TcpStream>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Ear {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.heard.lock().unwrap().extend_from_slice(&buf.filled()[before..]);
        read
    }
}

impl AsyncWrite for Ear {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
