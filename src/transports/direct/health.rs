//! What the endpoint finds around itself, and whether that is enough.

use std::sync::Arc;

use iroh::endpoint::Endpoint;
use iroh::{TransportAddr, Watcher};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::config::Config;
use super::handle::OwnAddresses;
use crate::capabilities::{DownReason, Health};

/// What the endpoint finds around itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// Where it can be reached, as far as it can tell.
    pub(super) found: OwnAddresses,
    /// Whether one of our relays answers.
    pub(super) relay: bool,
}

/// Follows an endpoint's surroundings until it is dropped, and says when they changed.
pub(super) fn follow(
    endpoint: &Endpoint,
    news: Arc<Notify>,
) -> (watch::Receiver<Surroundings>, JoinHandle<()>) {
    let mut addresses = endpoint.watch_addr();
    let mut relays = endpoint.home_relay_status();
    let look = move |addr: iroh::EndpointAddr, relays: Vec<iroh::endpoint::RelayStatus>| {
        let mut found = OwnAddresses::default();
        for address in addr.addrs {
            if let TransportAddr::Ip(address) = address {
                found.addresses.push(address);
            } else if let TransportAddr::Relay(url) = address {
                found.relays.push(url.to_string());
            }
        }
        Surroundings { found, relay: relays.iter().any(iroh::endpoint::RelayStatus::is_connected) }
    };
    let (told, surroundings) = watch::channel(look(addresses.get(), relays.get()));
    let task = tokio::spawn(async move {
        loop {
            let changed = tokio::select! {
                changed = addresses.updated() => changed.is_ok(),
                changed = relays.updated() => changed.is_ok(),
                () = told.closed() => false,
            };
            if !changed {
                return;
            }
            told.send_replace(look(addresses.get(), relays.get()));
            news.notify_one();
        }
    });
    (surroundings, task)
}

/// Whether the transport can carry anything. `other_way`: a contact is connected, or may be without a relay.
pub(super) fn judge(config: &Config, surroundings: &Surroundings, other_way: bool) -> Health {
    let loopback = config.bind.iter().any(|bind| bind.address.ip().is_loopback());
    let network = surroundings.found.addresses.iter().any(|address| !address.ip().is_loopback());
    if !network && !loopback {
        Health::Down(DownReason::NoNetwork)
    } else if !config.relays.is_empty() && !surroundings.relay && !other_way {
        Health::Down(DownReason::NoRelay)
    } else {
        Health::Up
    }
}

/// The addresses for our card: as configured, or else as found.
pub(super) fn for_card(config: &Config, surroundings: &Surroundings) -> OwnAddresses {
    let configured = config.relays.iter().map(ToString::to_string);
    let addresses =
        if config.advertise.is_empty() { &surroundings.found.addresses } else { &config.advertise };
    // The home relay first: it is where we listen. A contact with a card of the others finds us later.
    let mut relays = surroundings.found.relays.clone();
    relays.extend(configured.filter(|url| !surroundings.found.relays.contains(url)));
    OwnAddresses { addresses: addresses.clone(), relays }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str, relay: bool) -> Surroundings {
        let addresses = vec![address.parse().unwrap()];
        Surroundings { found: OwnAddresses { addresses, relays: Vec::new() }, relay }
    }

    #[test]
    fn without_an_address_there_is_no_network() {
        let config = Config::default();
        let down = Health::Down(DownReason::NoNetwork);
        assert_eq!(judge(&config, &Surroundings::default(), true), down);
        assert_eq!(judge(&config, &found("127.0.0.1:7", false), true), down);
        assert_eq!(judge(&config, &found("192.0.2.1:7", false), false), Health::Up);
    }

    #[test]
    fn who_binds_to_loopback_wants_no_network() {
        let bind = vec!["127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()];
        let config = Config { bind, ..Config::default() };
        assert_eq!(judge(&config, &found("127.0.0.1:7", false), false), Health::Up);
    }

    #[test]
    fn a_relay_that_does_not_answer_matters_when_there_is_no_other_way() {
        let relays = vec!["https://relay.example".parse().unwrap()];
        let config = Config { relays, ..Config::default() };
        let down = Health::Down(DownReason::NoRelay);
        assert_eq!(judge(&config, &found("192.0.2.1:7", false), false), down);
        assert_eq!(judge(&config, &found("192.0.2.1:7", false), true), Health::Up);
        assert_eq!(judge(&config, &found("192.0.2.1:7", true), false), Health::Up);
    }

    #[test]
    fn configured_addresses_stand_in_the_card_instead_of_those_found() {
        let advertise = vec!["198.51.100.7:4433".parse().unwrap()];
        let config = Config { advertise: advertise.clone(), ..Config::default() };
        assert_eq!(for_card(&config, &found("192.0.2.1:7", false)).addresses, advertise);
    }
}
