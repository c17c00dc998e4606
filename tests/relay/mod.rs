//! A relay in this process, and clients of it over loopback.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hopline::clock::Clock;
use hopline::crypto::Identity;
use hopline::net::client::{Client, ClientOptions, Preflight, Target};
use hopline::net::tls::{Roots, certificates_from_pem};
use hopline::net::tunnel::{Emulation, Stream, Tunnel};
use hopline::relay::config::HostName;
use hopline::relay::{self, Config, Relay, Setup, setup};
use hopline::time::UnixMillis;
use hopline::wire::mailbox::{self, Answer, Frames, Request};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything may take; a busy machine may be slow.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
pub(crate) const TOKEN: [u8; 16] = [7; 16];
/// Noon of a day in 2026.
pub(crate) const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

/// A relay's home.
pub(crate) struct House {
    pub(crate) home: TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let wish = setup::Wish {
            host: HostName("relay.test".to_owned()),
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            advertise: Vec::new(),
            certificate: None,
            decoy: None,
            metrics: None,
        };
        setup::make(home.path(), &wish).unwrap();
        Self { home }
    }

    pub(crate) fn config(&self) -> Config {
        Config::load(self.home.path()).unwrap()
    }

    pub(crate) async fn start(&self, config: Config, clock: Clock) -> Relay {
        let setup = Setup { home: self.home.path().to_owned(), config, clock, seed: [3; 32] };
        within(relay::start(setup)).await.unwrap()
    }

    /// The relay's own certificate.
    pub(crate) fn roots(&self) -> Roots {
        roots(self.home.path())
    }

    /// A client that trusts the relay's own certificate.
    pub(crate) fn client(&self, clock: Clock, seed: u8) -> Client {
        client(self.home.path(), clock, seed)
    }

    pub(crate) async fn connect(&self, relay: &Relay, clock: Clock, seed: u8) -> Tunnel {
        let target = Target::new(relay.record().record().clone());
        within(self.client(clock, seed).connect(&target)).await.unwrap()
    }
}

fn roots(home: &Path) -> Roots {
    let pem = std::fs::read(home.join("certificate.pem")).unwrap();
    Roots::Only(certificates_from_pem(&pem).unwrap())
}

/// A client that trusts the certificate that a relay in this home made for itself.
pub(crate) fn client(home: &Path, clock: Clock, seed: u8) -> Client {
    let options = ClientOptions {
        roots: roots(home),
        preflight: Preflight::Strict,
        emulation: Emulation { pings: false, padding: false, lifetime: false },
        ..ClientOptions::new([seed; 32].into())
    };
    Client::new(options, clock).unwrap()
}

/// Whoever owns a mailbox.
pub(crate) struct Owner {
    keys: Identity,
}

impl Owner {
    pub(crate) fn new(seed: u8) -> Self {
        Self { keys: Identity::from_bytes(&[seed; 64]) }
    }

    pub(crate) fn address(&self) -> [u8; 32] {
        mailbox::address(&self.keys.signing_public())
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.keys.signing_public()
    }

    pub(crate) fn create(&self, tunnel: &Tunnel, token: [u8; 16]) -> Request {
        Request::create(self.keys.signing_public(), token, tunnel.exporter(), |bytes| self.keys.sign(bytes))
    }

    pub(crate) fn deposit(&self, envelope: impl Into<Bytes>) -> Request {
        Request::Deposit { address: self.address(), token: TOKEN, envelope: envelope.into() }
    }

    pub(crate) fn fetch(&self, tunnel: &Tunnel, after: u64) -> Request {
        Request::fetch(self.address(), after, tunnel.exporter(), |bytes| self.keys.sign(bytes))
    }

    pub(crate) fn ack(&self, tunnel: &Tunnel, ids: Vec<u64>) -> Request {
        Request::ack(self.address(), ids, tunnel.exporter(), |bytes| self.keys.sign(bytes))
    }
}

/// Asks on a stream of its own.
pub(crate) async fn ask(tunnel: &Tunnel, request: &Request) -> Answer {
    let content = ask_raw(tunnel, request.encode().unwrap()).await;
    Answer::decode(request.op(), &content).unwrap()
}

/// The same for bytes that may be no request; gives the answer's, without their length.
pub(crate) async fn ask_raw(tunnel: &Tunnel, bytes: Bytes) -> Bytes {
    within(async {
        let mut stream = tunnel.open().await.unwrap();
        stream.send(bytes).await.unwrap();
        stream.finish().await.unwrap();
        answer(&mut stream).await
    })
    .await
}

pub(crate) async fn answer(stream: &mut Stream) -> Bytes {
    let mut frames = Frames::default();
    loop {
        if let Some(content) = frames.next_frame().unwrap() {
            return content;
        }
        let piece = stream.receive().await.unwrap().expect("an answer before the end");
        frames.push(&piece);
    }
}

/// What is in a mailbox.
pub(crate) async fn waiting(tunnel: &Tunnel, owner: &Owner) -> Vec<(u64, Bytes)> {
    let answer = ask(tunnel, &owner.fetch(tunnel, 0)).await;
    let Answer::Fetched(page) = answer else { panic!("{answer:?}") };
    page.envelopes
}

/// What plain HTTP/1.1 gives.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// Waits for what must come.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it did not come in a minute")
}
