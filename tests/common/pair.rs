//! Two nodes on one simulated air, with a network path between them that can be cut.

#![allow(dead_code, reason = "each user takes a part")]

use std::error::Error;
use std::time::Duration;

use hopline::crypto::Identity;
use hopline::ids::AdapterId;
use hopline::node::contacts::{ContactAnswer, ContactRequest, Form};
use hopline::node::lifecycle::{Node, Settings, Setup, start};
use hopline::radio::simulated::SimulatedAir;
use hopline::sim::event::{Radio, StationId};
use hopline::sim::{Air, Topology};
use hopline::storage::{Database, DeviceKey, Limits};
use hopline::time::Instant;
use hopline::transports::direct;
use hopline::wire::{ReceivedCard, link};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::path::Path;

pub(crate) type Failed = Box<dyn Error>;

/// How long anything may take that has to happen before the story goes on.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Ada and ben, who have each other's card.
pub(crate) struct Pair {
    pub(crate) nodes: [Node; 2],
    pub(crate) path: Path,
    pub(crate) air: SimulatedAir,
    pub(crate) stations: [StationId; 2],
}

impl Pair {
    /// Starts both; the seed makes their keys and the air's whims.
    pub(crate) async fn meet(seed: u64) -> Result<Self, Failed> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (path, places) = Path::between([127, 0, 1, 1], [127, 0, 2, 1]).await?;
        let topology: Topology = "ada ben".parse()?;
        let mut air = Air::new(draw(&mut rng));
        let stations = air.lay_out(&topology, Instant::ZERO);
        let stations = <[StationId; 2]>::try_from(stations).map_err(|_| "the topology names two nodes")?;
        let air = SimulatedAir::spawn(air);

        let mut nodes = Vec::new();
        let found = path.found();
        for (index, name) in ["ada", "ben"].into_iter().enumerate() {
            let identity = Identity::generate(&mut rng);
            let radio = Radio { adapter: AdapterId(0), peer: Some(identity.peer_id()), first_serial: 1 };
            let direct = direct::Config {
                bind: vec![direct::Bind::confined(places[index])],
                advertise: vec![found[index]],
                ..direct::Config::default()
            };
            let setup = Setup {
                identity,
                seed: draw(&mut rng),
                radio: Some(air.switch_on(stations[index], radio).await?),
                database: Database::in_memory(&DeviceKey::generate(&mut rng), Limits::default())?,
                settings: Settings { direct: Some(direct), ..Settings::named(name) },
            };
            nodes.push(start(setup).await?);
        }
        let nodes = <[Node; 2]>::try_from(nodes).map_err(|_| "two nodes were started")?;
        befriend(&nodes[0], &nodes[1]).await?;
        befriend(&nodes[1], &nodes[0]).await?;
        Ok(Self { nodes, path, air, stations })
    }
}

/// `one` gets the card of `other` and adds it.
async fn befriend(one: &Node, other: &Node) -> Result<(), Failed> {
    let has_address = async {
        loop {
            let answer = other.handle().contacts(ContactRequest::OwnCard { form: Form::FULL }).await;
            if let Ok(ContactAnswer::OwnCard(card)) = answer {
                let direct = ReceivedCard::decode(&card)?.card().direct.clone();
                if direct.is_some_and(|direct| !direct.addresses.is_empty()) {
                    return Ok::<_, Failed>(card);
                }
            }
            // The card is signed anew once the sockets are open; nothing tells when.
            tokio::task::yield_now().await;
        }
    };
    let card =
        tokio::time::timeout(PATIENCE, has_address).await.map_err(|_| "the card names no address")??;
    one.handle().contacts(ContactRequest::Add { link: link(&card), name: None }).await?;
    Ok(())
}

fn draw(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}
