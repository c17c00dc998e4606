//! From start to stop.

use std::io;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::clock::{Clock, RELEASE_DATE};
use crate::crypto::Identity;
use crate::message::Requirements;
use crate::radio::RadioHandle;
use crate::router::Router;
use crate::storage::Database;
use crate::transports::bitchat;
use crate::{mesh, router};

use super::carrier::Carrier;
use super::conditions;
use super::driver::Driver;
use super::error::NodeError;
use super::handle::{EVENT_BOUND, NodeHandle, REQUEST_BOUND};
use super::ports::Ports;
use super::public::PublicText;
use super::status::{Board, Profile};
use super::store::Store;

/// A node that runs.
#[derive(Debug)]
pub struct Node {
    handle: NodeHandle,
    task: JoinHandle<Result<(), NodeError>>,
}

/// What a node is made of.
#[derive(Debug)]
pub struct Setup {
    /// Who it is.
    pub identity: Identity,
    /// The name it announces.
    pub nickname: String,
    /// Feeds every random choice its machines make.
    pub seed: [u8; 32],
    /// What it talks through.
    pub radio: RadioHandle,
    /// What it keeps.
    pub database: Database,
    /// How it chooses between its transports.
    pub router: router::Config,
    /// What the configuration says about the machine.
    pub conditions: conditions::Settings,
    /// What a message asks of its way when nobody says otherwise.
    pub usual: Requirements,
}

impl Setup {
    /// A node with one radio, and defaults for everything else.
    pub fn new(
        identity: Identity,
        nickname: String,
        seed: [u8; 32],
        radio: RadioHandle,
        database: Database,
    ) -> Self {
        let (router, conditions) = (router::Config::default(), conditions::Settings::default());
        let usual = Requirements::default();
        Self { identity, nickname, seed, radio, database, router, conditions, usual }
    }
}

/// Starts a node.
pub fn start(setup: Setup) -> Node {
    let Setup { identity, nickname, seed, radio, database, router, conditions, usual } = setup;
    let profile = Profile {
        peer_id: identity.peer_id(),
        fingerprint: identity.fingerprint(),
        nickname: nickname.clone(),
    };
    let mut rng = ChaCha20Rng::from_seed(seed);
    let router_seed = rng.next_u64();
    let mut mesh_seed = [0; 32];
    rng.fill_bytes(&mut mesh_seed);
    let clock = Clock::start();
    let mesh = mesh::Config { nickname, clock_floor: RELEASE_DATE, ..mesh::Config::default() };
    let signer = PublicText::new(Arc::new(identity.clone()));
    let (transport, bitchat) = bitchat::start(identity, mesh, mesh_seed, radio, clock);
    let mesh_events = bitchat.subscribe();
    let mut ports = Ports::default();
    ports.add(transport);

    let store = Store::new(database);
    let (requests, requested) = mpsc::channel(REQUEST_BOUND);
    let (events, _) = broadcast::channel(EVENT_BOUND);
    let handle = NodeHandle {
        profile: profile.clone(),
        requests,
        events: events.downgrade(),
        store: store.clone(),
        bitchat: bitchat.clone(),
        usual,
    };
    let carrier = Carrier::new(Router::new(router, router_seed), store.clone(), signer);
    let driver = Driver {
        profile,
        clock,
        carrier,
        store,
        ports,
        bitchat,
        board: Board::default(),
        conditions,
        mesh_events,
        requests: requested,
        events,
    };
    Node { handle, task: tokio::spawn(driver.run()) }
}

impl Node {
    /// What the rest of the program uses.
    pub fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// Waits until the node has stopped, for whatever reason.
    pub async fn stopped(&mut self) -> Result<(), NodeError> {
        (&mut self.task).await.map_err(NodeError::TaskFailed)?
    }

    /// Says goodbye, and waits until the node has stopped.
    pub async fn stop(mut self) -> Result<(), NodeError> {
        // A node that has stopped already has nothing to say.
        self.handle.leave().await.ok();
        self.stopped().await
    }
}

/// Fresh randomness for a node.
pub fn random_seed() -> Result<[u8; 32], NodeError> {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).map_err(NodeError::Random)?;
    Ok(seed)
}

/// Waits until this process is asked to end: SIGTERM, or ctrl-c.
pub async fn asked_to_end() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}
