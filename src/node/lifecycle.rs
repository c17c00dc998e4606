//! From start to stop.

use std::io;

use rand_core::{OsRng, RngCore};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::crypto::Identity;
use crate::mesh::{Config, Engine};
use crate::radio::RadioHandle;

use super::clock::{RELEASE_DATE, wall_clock};
use super::contacts::{Contacts, Own};
use super::driver::Driver;
use super::error::NodeError;
use super::handle::{EVENT_BOUND, NodeHandle, REQUEST_BOUND};
use super::status::Profile;

/// A node that runs.
#[derive(Debug)]
pub struct Node {
    handle: NodeHandle,
    task: JoinHandle<Result<(), NodeError>>,
}

/// Starts a node over a radio; `seed` feeds every random choice its engine makes.
pub fn start(identity: Identity, nickname: String, seed: [u8; 32], radio: RadioHandle) -> Node {
    let profile = Profile {
        peer_id: identity.peer_id(),
        fingerprint: identity.fingerprint(),
        nickname: nickname.clone(),
    };
    let mut contacts = Contacts::load(&identity, Own::default(), []);
    match contacts.renew(&identity, &nickname, None, wall_clock()) {
        Ok(change) => contacts.apply(change),
        Err(error) => tracing::error!(%error),
    }
    let config = Config { nickname, clock_floor: RELEASE_DATE, ..Config::default() };
    let engine = Engine::new(identity, config, seed);
    let (requests, requested) = mpsc::channel(REQUEST_BOUND);
    let (events, _) = broadcast::channel(EVENT_BOUND);
    let handle = NodeHandle::new(profile.clone(), requests, events.downgrade());
    let driver = Driver::new(profile, engine, contacts, radio, requested, events);
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

/// Fresh randomness for an engine.
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
