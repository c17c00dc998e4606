//! A relay that speaks HTX and keeps to none of its rules: it takes every ticket, reads what it can, answers every
//! PING, and never ends a tunnel. Its settings are others on every connection, and its sessions invite to early data.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use hopline::clock::Clock;
use hopline::htx::frame::{Kind, Reader};
use hopline::htx::handshake::{Binding, Responder, Suite, message_len};
use hopline::htx::sealing::{Opener, RekeyLimits, Sealer};
use hopline::htx::ticket::TicketSecret;
use hopline::net::tls::{Roots, certificates_from_pem};
use hopline::wire::record::NodeRecord;
use http::{Request, Response};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::htx::{HOST, record};
use crate::relay::NOON;

const SECRET: [u8; 32] = [7; 32];

/// A running one.
pub(crate) struct Careless {
    pub(crate) address: SocketAddr,
    pub(crate) record: NodeRecord,
    pub(crate) roots: Roots,
}

impl Careless {
    pub(crate) async fn start() -> Self {
        let made = hopline::net::tls::Identity::self_made(HOST).unwrap();
        let tls = Arc::new(tls(&made.certificate_pem, &made.key_pem));
        let secret = TicketSecret::generate(NOON.day(), &mut ChaCha20Rng::from_seed([1; 32]));
        let mut record = record(*PublicKey::from(&StaticSecret::from(SECRET)).as_bytes(), &secret);
        record.policy = "BN-Ticket: v1; carriers=cookie:1; len=24..64".to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let path = record.tunnel_path.clone();
        tokio::spawn(async move {
            let connections = AtomicUsize::new(0);
            while let Ok((socket, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(TlsAcceptor::from(Arc::clone(&tls)), socket, number, path.clone()));
            }
        });
        let roots = Roots::Only(certificates_from_pem(made.certificate_pem.as_bytes()).unwrap());
        Self { address, record, roots }
    }
}

fn tls(certificate: &str, key: &str) -> rustls::ServerConfig {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.max_early_data_size = 1024;
    config
}

async fn serve(tls: TlsAcceptor, socket: TcpStream, number: usize, path: String) -> Option<()> {
    let socket = tls.accept(socket).await.ok()?;
    let exporter =
        socket.get_ref().1.export_keying_material([0; 32], b"EXPORTER-betanet-htx", Some(b"1.1.0")).ok()?;
    let window = 1_000_000 * (u32::try_from(number).ok()? + 1);
    let handshake = h2::server::Builder::new().initial_window_size(window.min(100_000_000)).handshake(socket);
    let mut connection = handshake.await.ok()?;
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond, path.clone(), exporter));
    }
    Some(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    path: String,
    exporter: [u8; 32],
) -> Option<()> {
    let shown = |name, text: &str| {
        request
            .headers()
            .get(name)
            .is_some_and(|value: &http::HeaderValue| value.to_str().unwrap().contains(text))
    };
    let ticket = shown("cookie", "__Host-sid=")
        || request.uri().query().is_some_and(|query| query.starts_with("bn1="));
    if request.uri().path() != path || !ticket {
        respond.send_response(Response::builder().status(404).body(()).unwrap(), true).ok()?;
        return Some(());
    }
    let response = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let empty = request.body().is_end_stream();
    let outgoing = respond.send_response(response, empty).ok()?;
    if empty {
        return Some(());
    }
    tunnel(request.into_body(), outgoing, exporter).await
}

async fn more(incoming: &mut RecvStream) -> Option<Bytes> {
    let data = incoming.data().await?.ok()?;
    incoming.flow_control().release_capacity(data.len()).ok()?;
    Some(data)
}

async fn exactly(incoming: &mut RecvStream, heard: &mut BytesMut, length: usize) -> Option<BytesMut> {
    while heard.len() < length {
        heard.extend_from_slice(&more(incoming).await?);
    }
    Some(heard.split_to(length))
}

async fn tunnel(mut incoming: RecvStream, mut outgoing: SendStream<Bytes>, exporter: [u8; 32]) -> Option<()> {
    let mut heard = BytesMut::new();
    let suite = match exactly(&mut incoming, &mut heard, 1).await?[0] {
        1 => Suite::Classical,
        _ => Suite::Hybrid,
    };
    let mut first = exactly(&mut incoming, &mut heard, 2 + message_len(suite, 1)).await?;
    first.advance(2);
    let binding = Binding { host: HOST.to_owned(), exporter };
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let Ok((responder, second)) = Responder::new(&SECRET, &binding, suite, &first, &mut rng) else {
        // Silent, as it should be: there must be something it does right for a tunnel to come about.
        while more(&mut incoming).await.is_some() {}
        return None;
    };
    outgoing.send_data(second, false).ok()?;
    let mut third = exactly(&mut incoming, &mut heard, 2 + message_len(suite, 3)).await?;
    third.advance(2);
    let keys = responder.finish(&third).ok()?;
    let now = Clock::start().now().instant;
    let mut sealer = Sealer::new(keys.server, keys.transcript, RekeyLimits::LONGEST, now);
    let mut opener = Opener::new(keys.client, keys.transcript, now);
    let (mut reader, mut unread) = (Reader::default(), heard.freeze());
    loop {
        match reader.read(&mut unread) {
            Ok(Some(sealed)) => {
                if let Ok((header, content)) = opener.open(sealed)
                    && header.kind() == Kind::Ping
                {
                    let mut answer = content;
                    answer[0] = 1;
                    let mut frame = BytesMut::new();
                    sealer.seal(Kind::Ping, 0, &[answer.freeze()], now, &mut frame).ok()?;
                    outgoing.send_data(frame.freeze(), false).ok()?;
                }
            }
            Ok(None) => unread = more(&mut incoming).await?,
            Err(_) => {
                reader = Reader::default();
                unread.clear();
            }
        }
    }
}
