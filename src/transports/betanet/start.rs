//! A running betanet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::config::{Config, MAX_RELAYS};
use super::driver::{Driver, Ends, NEWS_BOUND};
use super::handle::{BetanetHandle, Presence};
use super::line::Serial;
use super::lodging::Lodging;
use super::mail::{Held, Owed, Refused};
use super::prekeys::Prekeys;
use super::presence::Provider;
use super::sent::Sent;
use super::station::Station;
use super::streams::Streams;
use crate::capabilities::{Capabilities, DownReason, Health, TransportKey};
use crate::clock::Clock;
use crate::crypto::{Identity, MailboxKey};
use crate::htx::paths::{self, Paths};
use crate::htx::record::accept;
use crate::ids::NodeId;
use crate::mesh::kept::Kept;
use crate::net::client::{Client, ClientError, ClientOptions};
use crate::time::Now;
use crate::transports::port::{COMMAND_BOUND, EVENT_BOUND, Transport};
use crate::wire::record::SignedRecord;

/// Requests of the handle that may wait.
const REQUEST_BOUND: usize = 16;

/// What betanet is made of.
#[derive(Debug)]
pub struct Setup {
    /// Its settings.
    pub config: Config,
    /// Who we are: envelopes are sealed by it and opened with it. Nothing of it is shown to a relay.
    pub identity: Arc<Identity>,
    /// What our mailboxes are made of: nothing of it comes from the identity.
    pub secret: Zeroizing<[u8; 32]>,
    /// The generation of deposit tokens.
    pub generation: u32,
    /// The records that an earlier run kept, signed.
    pub records: Vec<Bytes>,
    /// What earlier runs kept: prekeys.
    pub kept: Vec<Kept>,
    /// The clock of the node.
    pub clock: Clock,
    /// Feeds every random choice.
    pub seed: [u8; 32],
}

/// Calls our relays; the people are handed in by the handle.
pub fn start(setup: Setup) -> Result<(Transport, BetanetHandle), ClientError> {
    let Setup { mut config, identity, secret, generation, records, kept, clock, seed } = setup;
    let mut prekeys = Prekeys::default();
    prekeys.restore(kept);
    let mut rng = ChaCha20Rng::from_seed(seed);
    let client = client(&config, &mut rng, clock)?;
    let now = clock.now();
    config.relays.truncate(MAX_RELAYS);
    let (own, stations) = stations(&config, &records, &secret, generation, now);
    let paths = Paths::new(paths::Config::default(), ChaCha20Rng::seed_from_u64(rng.next_u64()));

    let (command_sender, commands) = mpsc::channel(COMMAND_BOUND);
    let (events, event_receiver) = mpsc::channel(EVENT_BOUND);
    let (request_sender, requests) = mpsc::channel(REQUEST_BOUND);
    let (health, health_receiver) = watch::channel(Health::Down(DownReason::Starting));
    let (presence, presence_receiver) = watch::channel(Presence::default());
    let (telling, news) = mpsc::channel(NEWS_BOUND);
    let driver = Driver {
        config,
        ends: Ends { commands, requests, events, health, presence },
        clock,
        client,
        identity,
        rng,
        secret,
        generation,
        own,
        paths,
        stations,
        troubles: BTreeMap::new(),
        people: BTreeMap::new(),
        blocked: BTreeSet::new(),
        sent: Sent::default(),
        held: Held::default(),
        owed: Owed::default(),
        refused: Refused::default(),
        prekeys,
        changes_told: 0,
        changes_kept: 0,
        streams: Streams::new(request_sender.downgrade()),
        in_use: None,
        provider: Provider::default(),
        told: BTreeMap::new(),
        backlog: VecDeque::new(),
        last_line: Serial(0),
        last_tag: 0,
        lines: JoinSet::new(),
        telling,
        news,
    };
    let transport = Transport {
        key: TransportKey::Betanet,
        capabilities: Capabilities::BETANET,
        health: health_receiver,
        commands: command_sender,
        events: event_receiver,
        task: tokio::spawn(driver.run()),
    };
    Ok((transport, BetanetHandle { requests: request_sender, presence: presence_receiver }))
}

/// What calls relays. The inner handshake is the hybrid one, and no other.
fn client(config: &Config, rng: &mut ChaCha20Rng, clock: Clock) -> Result<Client, ClientError> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(seed.as_mut_slice());
    let options = ClientOptions {
        roots: config.roots.clone(),
        preflight: config.preflight,
        emulation: config.emulation,
        ..ClientOptions::new(seed)
    };
    Client::new(options, clock)
}

/// Our relays and those of others, each by the newest record there is of it.
fn stations(
    config: &Config,
    records: &[Bytes],
    secret: &[u8; 32],
    generation: u32,
    now: Now,
) -> (Vec<NodeId>, BTreeMap<NodeId, Station>) {
    let mut newest: BTreeMap<NodeId, SignedRecord> = BTreeMap::new();
    let kept = records.iter().filter_map(|record| accept(record, None, now.unix).ok());
    let kept: Vec<SignedRecord> = kept.map(|record| SignedRecord::clone(&record)).collect();
    for record in config.relays.iter().chain(&kept) {
        let known = newest.entry(record.record().id()).or_insert_with(|| record.clone());
        if known.record().expires < record.record().expires {
            *known = record.clone();
        }
    }
    let mut own: Vec<NodeId> = Vec::new();
    for id in config.relays.iter().map(|record| record.record().id()) {
        if !own.contains(&id) {
            own.push(id);
        }
    }
    let station = |(id, record): (NodeId, SignedRecord)| {
        let key = own.contains(&id).then(|| MailboxKey::derive(secret, &id, generation));
        let lodging = key.map(|key| Lodging::new(key, now.instant));
        (id, Station::new(record, lodging, now.instant))
    };
    let stations = newest.into_iter().map(station).collect();
    (own, stations)
}
