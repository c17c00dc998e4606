//! From start to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::crypto::Identity;
use crate::htx::gate::{Gate, GateConfig};
use crate::htx::ticket::TicketSecret;
use crate::net::decoy::Decoy;
use crate::net::server::{Arrival, Server, ServerConfig};
use crate::net::tls;
use crate::storage::{self, HomeLock, RelayDatabase};
use crate::time::UnixMillis;
use crate::wire::record::{SignedRecord, TicketKey};

use super::config::{Config, DecoySite};
use super::desk::{self, Desk};
use super::error::RelayError;
use super::metrics::{self, Exporter, Metrics};
use super::record::{Author, RECORD_FILE, write};
use super::rotation::{self, Rotation};
use super::store::{self, TICKETS_BOUND};
use super::tunnel;

/// The name of the file that one process of a home holds.
const LOCK_FILE: &str = "relay.lock";

/// What a relay is made of.
pub struct Setup {
    /// Its home, with its keys and its database.
    pub home: PathBuf,
    /// What it was told.
    pub config: Config,
    /// The time it goes by.
    pub clock: Clock,
    /// Feeds every random choice it makes but its key file.
    pub seed: [u8; 32],
}

/// A relay that runs.
#[derive(Debug)]
pub struct Relay {
    server: Server,
    record: watch::Receiver<SignedRecord>,
    certificate: (PathBuf, PathBuf),
    exporter: Option<Exporter>,
    rotation: JoinHandle<()>,
    tunnels: JoinHandle<()>,
    store: JoinHandle<()>,
    _lock: HomeLock,
}

/// Starts a relay: it listens, and its record is written, when this returns.
pub async fn start(setup: Setup) -> Result<Relay, RelayError> {
    let Setup { home, config, clock, seed } = setup;
    let mut rng = ChaCha20Rng::from_seed(seed);
    let lock = lock(&home)?;
    let keys = storage::load_or_create_relay(&home, &mut rng)?;
    let mut database = RelayDatabase::open(&home, config.mailboxes.clone())?;
    let today = clock.now().unix.day();
    let (secrets, known) = ticket_keys(&mut database, clock.now().unix, &mut rng)?;
    let gate = gate(&config, &database, secrets, clock, draw(&mut rng))?;
    let metrics = Metrics::default();
    let (remember, tickets) = mpsc::channel(TICKETS_BOUND);
    let server = server_config(&config, &keys, gate, remember, draw(&mut rng))?;

    let (server, arrivals) = Server::start(server, clock).await?;
    let author = Author::new(keys, &config, server.addresses())?;
    let record = author.record(rotation::current(&known, today), today)?;
    let file = home.join(RECORD_FILE);
    write(&file, &record)?;
    let exporter = match config.metrics {
        Some(address) => Some(
            metrics::serve(address, metrics.clone(), server.counters())
                .await
                .map_err(|source| RelayError::Metrics { address, source })?,
        ),
        None => None,
    };

    let (store, store_task) = store::start(database, tickets, clock, metrics.clone());
    let (publish, record) = watch::channel(record);
    let (author, gate) = (Arc::new(author), server.gate());
    let rng = ChaCha20Rng::from_seed(draw(&mut rng));
    let rotation = Rotation { clock, store: store.clone(), gate, author, known, file, record: publish, rng };
    let desk = Desk { store, gate: server.gate(), record: record.clone(), metrics, memory: desk::memory() };
    Ok(Relay {
        record,
        certificate: (config.certificate, config.key),
        exporter,
        rotation: tokio::spawn(rotation.run()),
        tunnels: tokio::spawn(serve(arrivals, desk, clock)),
        store: store_task,
        server,
        _lock: lock,
    })
}

impl Relay {
    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Where its numbers are served, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.exporter.as_ref().map(|exporter| exporter.address)
    }

    /// Its newest record.
    pub fn record(&self) -> SignedRecord {
        self.record.borrow().clone()
    }

    /// Waits until there is a newer record.
    pub async fn renewed(&mut self) -> Result<SignedRecord, RelayError> {
        match self.record.changed().await {
            Ok(()) => Ok(self.record.borrow_and_update().clone()),
            // The task that renews it runs as long as this does.
            Err(_ended) => std::future::pending().await,
        }
    }

    /// What its listener counts.
    pub fn counters(&self) -> Arc<crate::net::server::Counters> {
        self.server.counters()
    }

    /// Reads the certificate again; connections from now on are shown the new one.
    pub fn reload_certificate(&self) -> Result<(), RelayError> {
        let (certificate, key) = &self.certificate;
        Ok(self.server.set_certificate(&tls_identity(certificate, key)?)?)
    }

    /// Waits until it has stopped by itself, which it does only when it can keep nothing any more.
    pub async fn stopped(&mut self) -> Result<(), RelayError> {
        (&mut self.store).await.map_err(RelayError::TaskFailed)
    }

    /// Closes every tunnel with a word, finishes what is on its way to the disk, and closes the database.
    pub async fn stop(self) -> Result<(), RelayError> {
        self.rotation.abort();
        // It was aborted.
        self.rotation.await.ok();
        self.server.shutdown().await;
        self.tunnels.await.map_err(RelayError::TaskFailed)?;
        self.store.await.map_err(RelayError::TaskFailed)
    }
}

fn lock(home: &Path) -> Result<HomeLock, RelayError> {
    let path = home.join(LOCK_FILE);
    let taken = HomeLock::take(&path).map_err(|source| RelayError::Io { path, source })?;
    taken.ok_or_else(|| RelayError::Taken { home: home.to_owned() })
}

/// The ticket keys there are; those that are over are erased, those that are missing are made and kept.
fn ticket_keys(
    database: &mut RelayDatabase,
    now: UnixMillis,
    rng: &mut ChaCha20Rng,
) -> Result<(Vec<TicketSecret>, Vec<TicketKey>), RelayError> {
    let (over, mut secrets): (Vec<_>, Vec<_>) =
        database.ticket_secrets()?.into_iter().partition(|secret| secret.ends() <= now);
    database.erase_ticket_secrets(&over.iter().map(TicketSecret::id).collect::<Vec<_>>())?;
    let publics = |secrets: &[TicketSecret]| secrets.iter().map(TicketSecret::public).collect::<Vec<_>>();
    let made = rotation::missing(&publics(&secrets), now.day(), rng);
    database.transaction(|database| made.iter().try_for_each(|made| database.keep_ticket_secret(made)))?;
    secrets.extend(made);
    let known = publics(&secrets);
    Ok((secrets, known))
}

fn gate(
    config: &Config,
    database: &RelayDatabase,
    secrets: Vec<TicketSecret>,
    clock: Clock,
    seed: [u8; 32],
) -> Result<Gate, RelayError> {
    let gate = GateConfig { buckets: config.buckets, ..GateConfig::new(config.cookie_name.clone()) };
    let remembered = database.used_tickets(clock.now().unix)?;
    Ok(Gate::new(gate, secrets, remembered, ChaCha20Rng::from_seed(seed)))
}

fn server_config(
    config: &Config,
    keys: &Identity,
    gate: Gate,
    replay: mpsc::Sender<crate::net::server::Commit>,
    seed: [u8; 32],
) -> Result<ServerConfig, RelayError> {
    let decoy = match &config.decoy {
        DecoySite::Folder(folder) => Decoy::folder(folder)?,
        DecoySite::Upstream { address, host } => {
            Decoy::upstream(*address, Some(host.clone().unwrap_or_else(|| config.host.0.clone())))
        }
    };
    Ok(ServerConfig {
        listen: config.listen.clone(),
        identity: tls_identity(&config.certificate, &config.key)?,
        decoy,
        gate,
        replay,
        static_secret: Zeroizing::new(*keys.noise_secret()),
        classical: Default::default(),
        host: config.host.0.clone(),
        tunnel_path: config.tunnel_path.0.clone(),
        content_type: config.content_type.clone(),
        cookie_name: config.cookie_name.clone(),
        emulation: config.cover,
        limits: config.limits.clone(),
        seed: Zeroizing::new(seed),
    })
}

fn tls_identity(certificate: &Path, key: &Path) -> Result<tls::Identity, RelayError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|source| RelayError::Io { path: path.to_owned(), source });
    Ok(tls::Identity::from_pem(&read(certificate)?, &Zeroizing::new(read(key)?))?)
}

/// A task for each tunnel. The listener bounds how many there are.
async fn serve(mut arrivals: mpsc::Receiver<Arrival>, desk: Desk, clock: Clock) {
    let mut tunnels = JoinSet::new();
    loop {
        tokio::select! {
            arrival = arrivals.recv() => match arrival {
                Some(arrival) => drop(tunnels.spawn(tunnel::serve(arrival, desk.clone(), clock))),
                None => break,
            },
            Some(_) = tunnels.join_next(), if !tunnels.is_empty() => {}
        }
    }
    while tunnels.join_next().await.is_some() {}
}

fn draw(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}
