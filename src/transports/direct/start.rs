//! A running direct transport.

use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::config::Config;
use super::contact::Contact;
use super::driver::{Driver, Ends};
use super::error::StartError;
use super::handle::DirectHandle;
use crate::capabilities::{Capabilities, DownReason, Health, TransportKey};
use crate::transports::port::{COMMAND_BOUND, EVENT_BOUND, Transport};

/// Requests of the handle that may wait.
const REQUEST_BOUND: usize = 16;

/// Opens the sockets and calls every contact. `secret` is the endpoint's key, a subkey of the identity.
pub async fn start(
    config: Config,
    contacts: Vec<Contact>,
    secret: Zeroizing<[u8; 32]>,
) -> Result<(Transport, DirectHandle), StartError> {
    let (command_sender, commands) = mpsc::channel(COMMAND_BOUND);
    let (events, event_receiver) = mpsc::channel(EVENT_BOUND);
    let (request_sender, requests) = mpsc::channel(REQUEST_BOUND);
    let (health, health_receiver) = watch::channel(Health::Down(DownReason::Starting));
    let (own_addresses, address_receiver) = watch::channel(super::OwnAddresses::default());
    let ends = Ends { commands, requests, events, health, own_addresses };
    let driver = Driver::open(config, contacts, secret, ends).await?;
    let transport = Transport {
        key: TransportKey::Direct,
        capabilities: Capabilities::DIRECT,
        health: health_receiver,
        commands: command_sender,
        events: event_receiver,
        task: tokio::spawn(driver.run()),
    };
    Ok((transport, DirectHandle { requests: request_sender, own_addresses: address_receiver }))
}
