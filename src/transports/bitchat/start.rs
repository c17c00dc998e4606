//! The start of the transport.

use tokio::sync::{broadcast, mpsc, watch};

use super::driver::{Driver, Ends};
use super::handle::{BitchatHandle, NOTICE_BOUND, QUESTION_BOUND};
use crate::capabilities::{Capabilities, DownReason, Health, TransportKey};
use crate::clock::Clock;
use crate::crypto::Identity;
use crate::mesh::{Config, Engine};
use crate::radio::RadioHandle;
use crate::transports::port::{COMMAND_BOUND, EVENT_BOUND, Transport};

/// Starts it over a radio; `seed` feeds every random choice its engine makes.
pub fn start(
    identity: Identity,
    config: Config,
    seed: [u8; 32],
    radio: RadioHandle,
    clock: Clock,
) -> (Transport, BitchatHandle) {
    let engine = Engine::new(identity, config, seed);
    let (commands, commanded) = mpsc::channel(COMMAND_BOUND);
    let (telling, events) = mpsc::channel(EVENT_BOUND);
    let (health_told, health) = watch::channel(Health::Down(DownReason::Starting));
    let (questions, asked) = mpsc::channel(QUESTION_BOUND);
    let (notices, _) = broadcast::channel(NOTICE_BOUND);
    let handle = BitchatHandle::new(questions, notices.downgrade());
    let ends = Ends { commands: commanded, events: telling, health: health_told, questions: asked, notices };
    let task = tokio::spawn(Driver::new(engine, clock, radio, ends).run());
    let capabilities = Capabilities::BITCHAT;
    (Transport { key: TransportKey::Bitchat, capabilities, health, commands, events, task }, handle)
}
