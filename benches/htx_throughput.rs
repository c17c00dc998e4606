//! A tunnel beside bare TLS and HTTP/2 of the same libraries, in the same run, in turns.
//!
//! `cargo bench --bench htx_throughput [-- [--megabytes N] [--rounds N] [--rtt MILLISECONDS] [--mbit RATE]]`
//!
//! Four ways for the same bytes, from a client to a server of this process:
//! - *bare*: the body of one POST, with the windows that our server and client have, in DATA frames that fill one
//!   TLS record each;
//! - *sealed*: the same, where the client seals what is in each frame, once, and the server opens it, with
//!   ChaCha20-Poly1305: work that a tunnel cannot avoid;
//! - *tunnel*: one stream of a tunnel; *4 streams*: four of them at once.
//!
//! First over loopback, then over a line of 50 ms (`tools/slow-link`) whose rate is given, then over the same line
//! without a rate, where only the windows hold the bytes up. Then handshakes a second, and memory of idle tunnels.

#![expect(clippy::print_stdout, reason = "a benchmark talks to people")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot run stops")]

#[path = "../tests/htx/mod.rs"]
mod htx;
#[path = "../tools/slow-link/link.rs"]
mod link;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use hopline::htx::error::ErrorCode;
use hopline::net::client::{Client, Preflight};
use hopline::net::server::Limits;
use hopline::net::tunnel::Tunnel;
use link::Line;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use htx::visitor::{connect, tls};
use htx::{HOST, Host, Made, Wish};

/// Bytes of a DATA frame that, with its head, fills one TLS record.
const FRAME: usize = 16 * 1024 - 9;
/// Bytes that are sealed at a time: with their tag, one DATA frame.
const BLOCK: usize = FRAME - 16;

struct Settings {
    megabytes: usize,
    rounds: usize,
    rtt: Duration,
    mbit: f64,
}

fn main() {
    let settings = settings();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(&settings));
}

fn settings() -> Settings {
    let mut settings = Settings { megabytes: 256, rounds: 9, rtt: Duration::from_millis(50), mbit: 100.0 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap().parse::<f64>().unwrap();
        match argument.as_str() {
            "--megabytes" => settings.megabytes = value() as usize,
            "--rounds" => settings.rounds = value() as usize,
            "--rtt" => settings.rtt = Duration::from_secs_f64(value() / 1000.0),
            "--mbit" => settings.mbit = value(),
            // What cargo adds.
            _ => {}
        }
    }
    settings
}

async fn run(settings: &Settings) {
    let (host, mut arrivals) = Host::bare(Wish { limits: wide(), ..Wish::default() }).await;
    tokio::spawn(async move {
        while let Some(arrival) = arrivals.recv().await {
            tokio::spawn(swallow(arrival.tunnel));
        }
    });
    let bare = bare_server().await;
    let size = settings.megabytes * 1_000_000 / BLOCK * BLOCK;
    println!("{size} bytes, {} rounds", settings.rounds);
    compare("loopback", 1, &host, &bare, None, size, settings.rounds).await;

    let line = |rate: Option<f64>| Line { delay: settings.rtt / 2, rate };
    // A few seconds each.
    let capped = ((settings.mbit / 8.0 * 3.0 * 1e6) as usize / BLOCK * BLOCK).min(size);
    let name = format!("{:?} there and back, {} Mbit/s", settings.rtt, settings.mbit);
    let rate = line(Some(settings.mbit * 125_000.0));
    compare(&name, 2, &host, &bare, Some(rate), capped, settings.rounds.min(5)).await;
    let name = format!("{:?} there and back, no rate", settings.rtt);
    compare(&name, 3, &host, &bare, Some(line(None)), size.min(128 * BLOCK * 64), settings.rounds.min(5))
        .await;

    handshakes(&host).await;
    memory(&host).await;
}

fn wide() -> Limits {
    Limits { connections: 4096, connections_per_ip: 4096, tunnels: 4096, ..Limits::default() }
}

/// All ways over one line, in turns; the first round is not counted.
async fn compare(
    name: &str,
    seed: u8,
    host: &Host,
    bare: &Bare,
    line: Option<Line>,
    size: usize,
    rounds: usize,
) {
    let (to_host, to_bare) = match line {
        Some(line) => (stretch(host.address(), line).await, stretch(bare.address, line).await),
        None => (host.address(), bare.address),
    };
    let tunnel = host.client(seed).connect(&host.target().at(to_host)).await.unwrap();
    let plain = BareClient::connect(bare, to_bare).await;
    let mut found: [(&str, Vec<f64>, Vec<f64>); 4] =
        ["bare", "sealed", "tunnel", "4 streams"].map(|name| (name, Vec::new(), Vec::new()));
    for round in 0..=rounds {
        for (way, (_, rates, cpus)) in found.iter_mut().enumerate() {
            let (started, before) = (now(), processor_time());
            match way {
                0 => plain.send(size, false).await,
                1 => plain.send(size, true).await,
                2 => through(&tunnel, size, 1).await,
                _ => through(&tunnel, size, 4).await,
            }
            if round > 0 {
                rates.push(size as f64 / 1e6 / started.elapsed().as_secs_f64());
                cpus.push(processor_time() - before);
            }
        }
    }
    println!("\n{name}, {size} bytes a round; medians:");
    let rates: Vec<f64> = found.iter().map(|(_, rates, _)| median(rates.clone())).collect();
    for ((name, _, cpus), rate) in found.iter().zip(&rates) {
        println!(
            "  {name:10} {rate:7.1} MB/s  ({:.2} s of processor)  of bare {:.3}  of sealed {:.3}",
            median(cpus.clone()),
            rate / rates[0],
            rate / rates[1],
        );
    }
    tunnel.close(ErrorCode::Ok).await;
}

async fn stretch(target: SocketAddr, line: Line) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(link::run(listener, target, line));
    address
}

async fn swallow(mut tunnel: Tunnel) {
    while let Some(mut stream) = tunnel.accept().await {
        tokio::spawn(async move {
            while let Ok(Some(_)) = stream.receive().await {}
            stream.send(Bytes::from_static(b"!")).await.ok();
            stream.finish().await.ok();
        });
    }
}

async fn through(tunnel: &Tunnel, size: usize, streams: usize) {
    let block = Bytes::from(vec![0x5a; 256 * 1024]);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..streams {
        let (opener, block) = (tunnel.opener(), block.clone());
        tasks.spawn(async move {
            let mut stream = opener.open().await.unwrap();
            let mut left = size / streams;
            while left > 0 {
                let piece = block.slice(..left.min(block.len()));
                left -= piece.len();
                stream.send(piece).await.unwrap();
            }
            stream.finish().await.unwrap();
            assert_eq!(stream.receive().await.unwrap().unwrap(), "!");
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// A server of TLS and HTTP/2 and nothing else.
struct Bare {
    address: SocketAddr,
    made: Made,
}

async fn bare_server() -> Bare {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).unwrap();
            let socket = acceptor.accept(socket).await.unwrap();
            tokio::spawn(serve(socket));
        }
    });
    let roots = hopline::net::tls::Roots::Only(vec![certificate.der().clone()]);
    Bare { address, made: Made { roots, ..Made::for_host(HOST) } }
}

async fn serve(socket: tokio_rustls::server::TlsStream<tokio::net::TcpStream>) {
    let mut builder = h2::server::Builder::new();
    // As in src/net/http2.rs.
    builder
        .initial_window_size(1024 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_send_buffer_size(256 * 1024);
    let mut connection = builder.handshake::<_, Bytes>(socket).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::spawn(async move {
            let sealed = request.uri().path() == "/sealed";
            take(request.into_body(), sealed).await;
            let mut body = respond.send_response(http::Response::new(()), false).unwrap();
            body.send_data(Bytes::from_static(b"!"), true).unwrap();
        });
    }
}

async fn take(mut body: RecvStream, sealed: bool) {
    let key = key();
    let (mut gathered, mut number) = (BytesMut::new(), 0_u64);
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        if sealed {
            gathered.extend_from_slice(&data);
            while gathered.len() >= FRAME {
                let mut block = gathered.split_to(FRAME);
                key.open_in_place(nonce(number), Aad::empty(), &mut block).unwrap();
                number += 1;
            }
        }
    }
}

struct BareClient(h2::client::SendRequest<Bytes>);

impl BareClient {
    async fn connect(bare: &Bare, address: SocketAddr) -> Self {
        let socket = connect(tls(&bare.made.roots, &[b"h2"]), HOST, address).await;
        socket.get_ref().0.set_nodelay(true).unwrap();
        let mut builder = h2::client::Builder::new();
        builder.max_send_buffer_size(256 * 1024);
        let (requests, connection) = builder.handshake(socket).await.unwrap();
        tokio::spawn(connection);
        Self(requests)
    }

    async fn send(&self, size: usize, sealed: bool) {
        let path = if sealed { "/sealed" } else { "/bare" };
        let request = http::Request::post(format!("https://{HOST}{path}")).body(()).unwrap();
        let mut requests = self.0.clone().ready().await.unwrap();
        let (response, stream) = requests.send_request(request, false).unwrap();
        pour(stream, size, sealed).await;
        let mut body = response.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "!");
    }
}

async fn pour(mut stream: SendStream<Bytes>, size: usize, sealed: bool) {
    let key = key();
    let block = Bytes::from(vec![0x5a; FRAME]);
    let (mut left, mut number) = (size, 0);
    while left > 0 {
        let mut piece = block.slice(..left.min(if sealed { BLOCK } else { FRAME }));
        left -= piece.len();
        if sealed {
            let mut sealing = BytesMut::with_capacity(FRAME);
            sealing.extend_from_slice(&piece);
            let tag = key.seal_in_place_separate_tag(nonce(number), Aad::empty(), &mut sealing).unwrap();
            sealing.extend_from_slice(tag.as_ref());
            piece = sealing.freeze();
            number += 1;
        }
        while !piece.is_empty() {
            stream.reserve_capacity(piece.len());
            let room = match stream.capacity() {
                0 => std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap(),
                room => room,
            };
            stream.send_data(piece.split_to(room.min(piece.len())), false).unwrap();
        }
    }
    stream.send_data(Bytes::new(), true).unwrap();
}

fn key() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).unwrap())
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// Whole tunnels, one after the other: TLS, ticket, hybrid handshake. The look before is made once.
async fn handshakes(host: &Host) {
    let client = host.client_with(4, |options| options.preflight = Preflight::Cached);
    drop(client.connect(&host.target()).await.unwrap());
    let (started, before) = (now(), processor_time());
    let mut count = 0_u32;
    while started.elapsed() < Duration::from_secs(5) {
        drop(client.connect(&host.target()).await.unwrap());
        count += 1;
    }
    let (took, processor) = (started.elapsed().as_secs_f64(), processor_time() - before);
    println!(
        "\nhandshakes, one at a time: {:.1} a second, {:.1} ms of processor each, both ends",
        f64::from(count) / took,
        processor * 1000.0 / f64::from(count),
    );
}

async fn memory(host: &Host) {
    const TUNNELS: usize = 300;
    let client = host.client_with(5, |options| options.preflight = Preflight::Cached);
    let warm = open(&client, host, 20).await;
    let before = resident();
    let tunnels = open(&client, host, TUNNELS).await;
    let each = resident().saturating_sub(before) / TUNNELS;
    println!("memory of an idle tunnel, both ends: {each} bytes ({TUNNELS} of them)");
    drop((warm, tunnels));
}

async fn open(client: &Client, host: &Host, count: usize) -> Vec<Tunnel> {
    let mut tunnels = Vec::new();
    for _ in 0..count {
        tunnels.push(client.connect(&host.target()).await.unwrap());
    }
    tunnels
}

/// What this process has in memory, in bytes: proc_pid_statm(5), field 2, in pages of 4096.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// What this process has used so far, in seconds: proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}
