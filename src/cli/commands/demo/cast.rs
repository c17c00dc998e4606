//! The three nodes of the demo, their air, and waiting for what they tell.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::crypto::Identity;
use crate::ids::{AdapterId, PeerId};
use crate::node::NodeHandle;
use crate::node::event::Event;
use crate::node::handle::{Notice, Subscription};
use crate::node::lifecycle::{Node, Settings, Setup, start};
use crate::radio::simulated::SimulatedAir;
use crate::sim::event::Radio;
use crate::sim::{Air, Topology};
use crate::storage::{Database, DeviceKey, Limits};
use crate::time::Instant;

use super::error::DemoError;

/// In a line: the ends do not hear each other.
const TOPOLOGY: &str = "ada ben\nben cy";
/// How long anything may take. Everything has far less to do; a busy machine may be slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// The nodes of the demo.
pub(super) struct Cast {
    pub(super) ada: Player,
    pub(super) ben: Player,
    pub(super) cy: Player,
}

/// One node, and what it told so far.
pub(super) struct Player {
    pub(super) name: &'static str,
    pub(super) id: PeerId,
    node: Node,
    events: Subscription,
    /// Told, and not asked for yet. The demo ends before it could grow large.
    told: Vec<Event>,
}

impl Cast {
    /// Starts the nodes; the seed makes their identities and the air's whims.
    pub(super) async fn assemble(rng: &mut ChaCha20Rng) -> Result<Self, DemoError> {
        let topology: Topology = TOPOLOGY.parse()?;
        let mut air = Air::new(draw(rng));
        let stations = air.lay_out(&topology, Instant::ZERO);
        let air = SimulatedAir::spawn(air);
        let mut players = Vec::new();
        for (name, station) in ["ada", "ben", "cy"].into_iter().zip(stations) {
            let identity = Identity::generate(rng);
            let id = identity.peer_id();
            let radio = Radio { adapter: AdapterId(0), peer: Some(id), first_serial: 1 };
            let handle = air.switch_on(station, radio).await?;
            let database = Database::in_memory(&DeviceKey::generate(rng), Limits::default())?;
            let settings = Settings::named(name);
            let node =
                start(Setup { identity, seed: draw(rng), radio: Some(handle), database, settings }).await?;
            let events = node.handle().subscribe()?;
            players.push(Player { name, id, node, events, told: Vec::new() });
        }
        let [ada, ben, cy] =
            <[Player; 3]>::try_from(players).unwrap_or_else(|_| unreachable!("the topology has three nodes"));
        Ok(Self { ada, ben, cy })
    }

    /// All three say goodbye.
    pub(super) async fn leave(self) -> Result<(), DemoError> {
        for player in [self.ada, self.ben, self.cy] {
            player.node.stop().await?;
        }
        Ok(())
    }
}

impl Player {
    /// Its node.
    pub(super) fn handle(&self) -> &NodeHandle {
        self.node.handle()
    }

    /// Waits for the first event, told already or yet to come, of which `pick` makes something.
    pub(super) async fn wait_for<T>(
        &mut self,
        what: &'static str,
        pick: impl Fn(&Event) -> Option<T>,
    ) -> Result<T, DemoError> {
        let waiting = async {
            loop {
                let found = self.told.iter().enumerate().find_map(|(at, event)| Some((at, pick(event)?)));
                if let Some((at, picked)) = found {
                    self.told.remove(at);
                    return Ok(picked);
                }
                match self.events.next().await {
                    Some(Notice::Event(event)) => self.told.push(event),
                    Some(Notice::Missed(count)) => return Err(DemoError::Missed { node: self.name, count }),
                    None => return Err(crate::node::handle::Stopped.into()),
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or(Err(DemoError::InVain {
            node: self.name,
            what,
            seconds: PATIENCE.as_secs(),
        }))
    }
}

fn draw(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}

/// The randomness of a demo.
pub(super) fn seeded(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}
