//! A host with a web site and tunnels behind it, its clients, and those who stand between, all on loopback.
//!
//! The host stands for a relay: it remembers tickets in memory and calls that a disk, and gives back what comes
//! on a stream.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

pub(crate) mod between;
pub(crate) mod hand;
pub(crate) mod visitor;
pub(crate) mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hopline::bucket::Rate;
use hopline::clock::Clock;
use hopline::htx::buckets::BucketsConfig;
use hopline::htx::gate::{Gate, GateConfig, ReplayEntry};
use hopline::htx::handshake::{Classical, Suite};
use hopline::htx::ticket::{Policy, TicketSecret};
use hopline::net::client::{Client, ClientOptions, Preflight, Target};
use hopline::net::decoy::Decoy;
use hopline::net::server::{Arrival, Limits, Server, ServerConfig, Snapshot};
use hopline::net::tls::{Identity, Roots, certificates_from_pem};
use hopline::net::tunnel::{Emulation, Stream, Tunnel};
use hopline::time::UnixMillis;
use hopline::wire::record::NodeRecord;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::sync::mpsc;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// How long anything may take; a busy machine may be slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The host's name.
pub(crate) const HOST: &str = "relay.example";
/// Where tunnels begin.
pub(crate) const TUNNEL_PATH: &str = "/api/stream";
/// What the root page says.
pub(crate) const INDEX: &str = "<!doctype html><title>Tea</title><p>Nothing but tea.</p>\n";
/// When everything happens: 2026-11-27, noon.
pub(crate) const TODAY: UnixMillis = UnixMillis(1_795_780_800_000);

/// What differs between hosts.
pub(crate) struct Wish {
    pub(crate) buckets: BucketsConfig,
    pub(crate) limits: Limits,
    pub(crate) emulation: Emulation,
    pub(crate) clock: Clock,
    pub(crate) identity: Option<Made>,
    pub(crate) decoy: Option<Decoy>,
    pub(crate) remembered: Vec<ReplayEntry>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            buckets: unlimited(),
            limits: Limits { connections_per_ip: 1024, ..Limits::default() },
            emulation: quiet(),
            clock: Clock::starting_at(TODAY),
            identity: None,
            decoy: None,
            remembered: Vec::new(),
        }
    }
}

/// A certificate and who believes it.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) identity: Identity,
    pub(crate) roots: Roots,
    pub(crate) pem: String,
}

impl Made {
    pub(crate) fn for_host(host: &str) -> Self {
        let made = Identity::self_made(host).unwrap();
        let roots = Roots::Only(certificates_from_pem(made.certificate_pem.as_bytes()).unwrap());
        Self { identity: made.identity, roots, pem: made.certificate_pem }
    }
}

/// A running host. What its tunnels' streams bring, they take back.
pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) record: NodeRecord,
    pub(crate) roots: Roots,
    pub(crate) certificate_pem: String,
    pub(crate) clock: Clock,
    pub(crate) site: tempfile::TempDir,
    /// Tickets that were remembered, in order.
    pub(crate) remembered: Arc<std::sync::Mutex<Vec<ReplayEntry>>>,
    disk: tokio::task::JoinHandle<()>,
}

/// No pings, no padding, no age.
pub(crate) const fn quiet() -> Emulation {
    Emulation { pings: false, padding: false, lifetime: false }
}

/// Buckets that never run dry.
pub(crate) fn unlimited() -> BucketsConfig {
    let rate = Rate { burst: u32::MAX, interval: Duration::ZERO };
    BucketsConfig { source: rate, global: rate, ..BucketsConfig::default() }
}

/// The site's folder: a root page, a robots.txt, and a page in a folder.
pub(crate) fn site() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), INDEX).unwrap();
    std::fs::write(folder.path().join("robots.txt"), "User-agent: *\nAllow: /\n").unwrap();
    std::fs::create_dir(folder.path().join("leaves")).unwrap();
    std::fs::write(folder.path().join("leaves/index.html"), "<p>Green and black.</p>\n").unwrap();
    std::fs::write(folder.path().join("leaves/a page.txt"), "spaced\n").unwrap();
    folder
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::wished(Wish::default()).await
    }

    pub(crate) async fn wished(wish: Wish) -> Self {
        let (host, mut arrivals) = Self::bare(wish).await;
        tokio::spawn(async move {
            while let Some(Arrival { tunnel, .. }) = arrivals.recv().await {
                tokio::spawn(echo(tunnel));
            }
        });
        host
    }

    /// A host whose tunnels are the test's to serve.
    pub(crate) async fn bare(wish: Wish) -> (Self, mpsc::Receiver<Arrival>) {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let made = wish.identity.unwrap_or_else(|| Made::for_host(HOST));
        let static_secret = StaticSecret::from([7; 32]);
        let secret = TicketSecret::generate(wish.clock.now().unix.day(), &mut rng);
        let mut record = record(*PublicKey::from(&static_secret).as_bytes(), &secret);
        let site = site();
        let gate_config = GateConfig { buckets: wish.buckets, ..GateConfig::new(record.cookie_name.clone()) };
        let gate = Gate::new(gate_config, [secret], wish.remembered, ChaCha20Rng::from_seed([2; 32]));
        let (replay, mut commits) = mpsc::channel::<hopline::net::server::Commit>(16);
        let remembered = Arc::new(std::sync::Mutex::new(Vec::new()));
        let entries = Arc::clone(&remembered);
        let disk = tokio::spawn(async move {
            while let Some(commit) = commits.recv().await {
                entries.lock().unwrap().push(commit.entry);
                commit.done.send(()).ok();
            }
        });
        let config = ServerConfig {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            identity: made.identity,
            decoy: wish.decoy.unwrap_or_else(|| Decoy::folder(site.path()).unwrap()),
            gate,
            replay,
            static_secret: Zeroizing::new(static_secret.to_bytes()),
            classical: Classical::default(),
            host: HOST.to_owned(),
            tunnel_path: record.tunnel_path.clone(),
            content_type: record.content_type.clone(),
            cookie_name: record.cookie_name.clone(),
            emulation: wish.emulation,
            limits: wish.limits,
            seed: Zeroizing::new([3; 32]),
        };
        let (server, arrivals) = Server::start(config, wish.clock).await.unwrap();
        record.addresses = server.addresses().to_vec();
        let host = Self {
            server,
            record,
            roots: made.roots,
            certificate_pem: made.pem,
            clock: wish.clock,
            site,
            remembered,
            disk,
        };
        (host, arrivals)
    }

    /// The disk is gone.
    pub(crate) async fn stop_remembering(&mut self) {
        self.disk.abort();
        (&mut self.disk).await.unwrap_err();
    }

    /// Waits until its counts are so.
    pub(crate) async fn until(&self, so: impl FnMut(&Snapshot) -> bool) {
        let mut counts = self.server.counters().watch();
        tokio::time::timeout(PATIENCE, counts.wait_for(so)).await.unwrap().unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    pub(crate) fn target(&self) -> Target {
        Target::new(self.record.clone())
    }

    /// A client that believes the host's certificate.
    pub(crate) fn client(&self, seed: u8) -> Client {
        self.client_with(seed, |_| {})
    }

    pub(crate) fn client_with(&self, seed: u8, change: impl FnOnce(&mut ClientOptions)) -> Client {
        let mut options = options(self.roots.clone(), seed);
        change(&mut options);
        Client::new(options, self.clock).unwrap()
    }
}

/// What clients of these tests are like.
pub(crate) fn options(roots: Roots, seed: u8) -> ClientOptions {
    ClientOptions {
        roots,
        suite: Suite::Hybrid,
        classical: Classical::default(),
        preflight: Preflight::Strict,
        emulation: quiet(),
        seed: Zeroizing::new([seed; 32]),
    }
}

/// A record with tickets for one day and no signature: who uses it here has it from the host itself.
pub(crate) fn record(noise_public: [u8; 32], secret: &TicketSecret) -> NodeRecord {
    NodeRecord {
        signing_public: [9; 32],
        noise_public,
        protocols: vec![hopline::wire::record::HTX_PROTOCOL.to_owned()],
        ticket_keys: vec![secret.public()],
        policy: Policy::default().to_string(),
        cookie_name: hopline::wire::record::DEFAULT_COOKIE_NAME.to_owned(),
        host: HOST.to_owned(),
        addresses: Vec::new(),
        tunnel_path: TUNNEL_PATH.to_owned(),
        content_type: hopline::wire::record::DEFAULT_CONTENT_TYPE.to_owned(),
        roles: Vec::new(),
        mix_keys: Vec::new(),
        weight: 1,
        as_group: 0,
        expires: u64::MAX,
    }
}

/// Gives back what comes, stream by stream.
async fn echo(mut tunnel: Tunnel) {
    while let Some(stream) = tunnel.accept().await {
        tokio::spawn(give_back(stream));
    }
}

async fn give_back(stream: Stream) {
    let (mut sender, mut receiver) = stream.split();
    while let Ok(Some(data)) = receiver.receive().await {
        if sender.send(data).await.is_err() {
            return;
        }
    }
    sender.finish().await.ok();
}

/// Sends bytes on a new stream and compares what comes back.
pub(crate) async fn there_and_back(tunnel: &Tunnel, content: &[u8]) {
    let (mut sender, mut receiver) = tunnel.open().await.unwrap().split();
    let sent = bytes::Bytes::copy_from_slice(content);
    let send = async move {
        sender.send(sent).await.unwrap();
        sender.finish().await.unwrap();
    };
    let receive = async move {
        let mut received = Vec::new();
        while let Some(data) = receiver.receive().await.unwrap() {
            received.extend_from_slice(&data);
        }
        received
    };
    let ((), received) = tokio::time::timeout(PATIENCE, async { tokio::join!(send, receive) }).await.unwrap();
    assert!(received == content, "{} bytes came back of {}", received.len(), content.len());
}

/// Where the certificate is for programs that read files.
pub(crate) fn write_certificate(host: &Host) -> PathBuf {
    let path = host.site.path().join(".certificate.pem");
    std::fs::write(&path, &host.certificate_pem).unwrap();
    path
}
