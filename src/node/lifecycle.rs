//! From start to stop.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::clock::{Clock, RELEASE_DATE};
use crate::crypto::Identity;
use crate::mesh::kept::{Kept, Shelf};
use crate::message::Requirements;
use crate::radio::RadioHandle;
use crate::router::Router;
use crate::storage::Database;
use crate::transports::betanet::BetanetHandle;
use crate::transports::port::Transport;
use crate::transports::{betanet, bitchat, direct};
use crate::{mesh, router};

use super::carrier::Carrier;
use super::driver::Driver;
use super::error::NodeError;
use super::event::Event;
use super::handle::{EVENT_BOUND, NodeHandle, REQUEST_BOUND};
use super::people::{self, People, Told};
use super::ports::Ports;
use super::public::PublicText;
use super::status::{Board, Profile};
use super::store::Store;
use super::{conditions, config, files};

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
    /// Feeds every random choice its machines make.
    pub seed: [u8; 32],
    /// What it talks through in the air; nothing when the mesh is switched off.
    pub radio: Option<RadioHandle>,
    /// What it keeps.
    pub database: Database,
    /// Its settings.
    pub settings: Settings,
}

/// The settings of a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name it announces.
    pub nickname: String,
    /// The BLE mesh; what the node knows better, its name and clock, is left out.
    pub mesh: mesh::Config,
    /// Mail through relays; nothing when it is switched off.
    pub betanet: Option<betanet::Config>,
    /// QUIC between contacts; nothing when it is switched off.
    pub direct: Option<direct::Config>,
    /// How it chooses between its transports.
    pub router: router::Config,
    /// What is not to be asked of the machine.
    pub conditions: conditions::Settings,
    /// What a message asks of its way when nobody says otherwise.
    pub usual: Requirements,
    /// What it does with files.
    pub files: config::sections::Files,
}

impl Settings {
    /// A node of this name that talks through the air alone.
    pub fn named(nickname: &str) -> Self {
        Self {
            nickname: nickname.to_owned(),
            mesh: mesh::Config::default(),
            betanet: None,
            direct: None,
            router: router::Config::default(),
            conditions: conditions::Settings::default(),
            usual: Requirements::default(),
            files: config::sections::Files::default(),
        }
    }
}

/// Starts a node.
pub async fn start(setup: Setup) -> Result<Node, NodeError> {
    let Setup { identity, seed, radio, database, settings } = setup;
    let mut rng = ChaCha20Rng::from_seed(seed);
    let (router_seed, mesh_seed, betanet_seed) = (rng.next_u64(), draw(&mut rng), draw(&mut rng));
    let clock = Clock::start();
    let store = Store::new(database);
    let identity = Arc::new(identity);
    let profile = Profile::new(&identity, &settings.nickname);
    let contacts = people::load(&store, &identity).await?;

    let mesh =
        mesh::Config { nickname: settings.nickname.clone(), clock_floor: RELEASE_DATE, ..settings.mesh };
    let (letters, kept) = kept(&store).await?;
    let has_radio = radio.is_some();
    let (transport, bitchat) =
        bitchat::start(Identity::clone(&identity), mesh, mesh_seed, kept, radio, clock);
    let mesh_events = bitchat.subscribe().ok_or(NodeError::MeshEnded)?;
    let mut ports = Ports::default();
    ports.add(transport);
    let (mut betanet, mut mailbox) = (None, None);
    if let Some(config) = settings.betanet {
        mailbox = people::mailbox(&store, &config.relays).await?;
        let generation = contacts.generation();
        let setup = Mail { config, generation, letters, seed: betanet_seed, clock };
        let (transport, handle) = start_betanet(setup, &identity, &store).await?;
        handle.set_people(people::addressees(&contacts), people::blocked(&contacts)).await;
        ports.add(transport);
        betanet = Some(handle);
    }
    let mdns = settings.direct.as_ref().is_some_and(|direct| direct.mdns);
    let mut direct = None;
    if let Some(config) = settings.direct {
        let secret = identity.direct_secret(contacts.generation());
        let (transport, handle) = direct::start(config, people::reachable(&contacts), secret).await?;
        ports.add(transport);
        direct = Some(handle);
    }

    let (requests, requested) = mpsc::channel(REQUEST_BOUND);
    let (events, _) = broadcast::channel(EVENT_BOUND);
    let mesh = Some(bitchat.clone()).filter(|_| has_radio);
    let ways = files::Ways { direct: direct.clone(), betanet: betanet.clone(), mesh };
    let files = start_files(ways, &store, &events, settings.files).await?;
    let handle = NodeHandle {
        profile: profile.clone(),
        requests,
        events: events.downgrade(),
        store: store.clone(),
        bitchat: bitchat.clone(),
        files: files.clone(),
        usual: settings.usual,
    };
    let signer = PublicText::new(Arc::clone(&identity));
    let driver = Driver {
        profile,
        clock,
        carrier: Carrier::new(Router::new(settings.router, router_seed), store.clone(), signer),
        ports,
        own_addresses: direct.as_ref().map(|direct| direct.own_addresses.clone()),
        presence: betanet.as_ref().map(|betanet| betanet.presence.clone()),
        betanet: betanet.clone(),
        files,
        people: People::new(
            (identity, settings.nickname),
            contacts,
            store.clone(),
            (Told { bitchat: bitchat.clone(), direct, betanet }, mailbox),
        ),
        store,
        bitchat,
        board: Board::default(),
        mdns,
        conditions: settings.conditions,
        mesh_events,
        requests: requested,
        events,
    };
    Ok(Node { handle, task: tokio::spawn(driver.run()) })
}

/// What earlier runs kept: of betanet, and of the mesh.
async fn kept(store: &Store) -> Result<(Vec<Kept>, Vec<Kept>), NodeError> {
    let (kept, damaged) = store.with(|database| database.kept()).await?;
    damaged.iter().for_each(|damaged| tracing::error!(%damaged, "something kept is lost"));
    Ok(kept.into_iter().partition(|kept| kept.shelf == Shelf::Letters))
}

/// The desk for files; none when no transport carries them.
async fn start_files(
    ways: files::Ways,
    store: &Store,
    events: &broadcast::Sender<Event>,
    settings: config::sections::Files,
) -> Result<Option<files::FilesHandle>, NodeError> {
    if ways.is_empty() {
        return Ok(None);
    }
    let (store, events) = (store.clone(), events.downgrade());
    Ok(Some(files::start(files::Setup { store, ways, settings, events }).await?))
}

/// What betanet is told at its start.
struct Mail {
    config: betanet::Config,
    generation: u32,
    letters: Vec<Kept>,
    seed: [u8; 32],
    clock: Clock,
}

async fn start_betanet(
    mail: Mail,
    identity: &Arc<Identity>,
    store: &Store,
) -> Result<(Transport, BetanetHandle), NodeError> {
    let Mail { config, generation, letters, seed, clock } = mail;
    let kept = store.with(|database| Ok((database.mailbox_secret()?, database.relays()?))).await?;
    let (secret, records) = kept;
    Ok(betanet::start(betanet::Setup {
        config,
        identity: Arc::clone(identity),
        secret,
        generation,
        records: records.into_iter().map(Into::into).collect(),
        kept: letters,
        clock,
        seed,
    })?)
}

fn draw(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
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
