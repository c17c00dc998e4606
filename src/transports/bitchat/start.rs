//! A running BLE mesh.

use tokio::sync::{broadcast, mpsc, watch};

use super::driver::{Driver, Ends};
use super::handle::{BitchatHandle, EVENT_BOUND, QUESTION_BOUND};
use crate::capabilities::{Capabilities, DownReason, Health, TransportKey};
use crate::clock::Clock;
use crate::crypto::Identity;
use crate::mesh::kept::Kept;
use crate::mesh::{Config, Engine};
use crate::radio::{self, RadioHandle};
use crate::transports::port::{self, COMMAND_BOUND, Transport};

/// Starts the mesh over a radio; `seed` feeds every random choice its engine makes, and `kept` is what earlier runs
/// of it kept.
/// Without a radio the mesh is switched off, and still verifies what other transports bring.
pub fn start(
    identity: Identity,
    config: Config,
    seed: [u8; 32],
    kept: Vec<Kept>,
    radio: Option<RadioHandle>,
    clock: Clock,
) -> (Transport, BitchatHandle) {
    let (radio, down) = match radio {
        Some(radio) => (radio, DownReason::Starting),
        None => (radio::absent(), DownReason::Disabled),
    };
    let engine = Engine::new(identity, config, seed);
    let (commands, commanded) = mpsc::channel(COMMAND_BOUND);
    let (told, events) = mpsc::channel(port::EVENT_BOUND);
    let (questions, asked) = mpsc::channel(QUESTION_BOUND);
    let (health, watched) = watch::channel(Health::Down(down));
    let (mesh_events, _) = broadcast::channel(EVENT_BOUND);
    let handle = BitchatHandle { questions, events: mesh_events.downgrade() };
    let ends = Ends { commands: commanded, events: told, questions: asked, health, mesh_events };
    let transport = Transport {
        key: TransportKey::Bitchat,
        capabilities: Capabilities::BITCHAT,
        health: watched,
        commands,
        events,
        task: tokio::spawn(Driver::new(engine, clock, radio, ends).run(kept)),
    };
    (transport, handle)
}
