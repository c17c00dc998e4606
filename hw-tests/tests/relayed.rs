//! Two contacts that know of each other nothing but a relay. It needs no radio.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

#[path = "../../tests/direct/mod.rs"]
mod direct;

use std::net::{Ipv4Addr, SocketAddr};

use direct::{Node, id};
use hopline::capabilities::{DownReason, Health, Reach};
use hopline::transports::direct::{Bind, Config, Contact, PathKind, RelayUrl};
use hopline::transports::port::Event;
use iroh_relay::server::{RelayConfig, Server, ServerConfig};

/// A node that begins no flow to anybody at another address: all it has is the relay.
fn confined(host: u8, relay: &RelayUrl) -> Config {
    let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
    Config { bind: vec![Bind::confined(address)], relays: vec![relay.clone()], ..Config::default() }
}

/// A card that says nothing but the relay.
fn by_relay(node: &Node, relay: &RelayUrl) -> Contact {
    Contact { addresses: Vec::new(), relays: vec![relay.to_string()], ..node.contact() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_know_only_a_relay_talk_through_it() {
    let mut config = ServerConfig::default();
    config.relay = Some(RelayConfig::new((Ipv4Addr::LOCALHOST, 0)));
    let server = Server::spawn(config).await.unwrap();
    let relay: RelayUrl = format!("http://{}", server.http_addr().unwrap()).parse().unwrap();

    let mut one = Node::start(1, confined(1, &relay), Vec::new()).await;
    let mut two = Node::start(2, confined(2, &relay), Vec::new()).await;
    for node in [&mut one, &mut two] {
        node.next(|event| (event == Event::Health(Health::Up)).then_some(())).await;
    }
    one.handle.set_contacts(vec![by_relay(&two, &relay)]).await;
    two.handle.set_contacts(vec![by_relay(&one, &relay)]).await;
    one.reaches(&two, Reach::Yes).await;
    two.reaches(&one, Reach::Yes).await;

    one.send_text(&two, id(1), "through the relay").await;
    assert_eq!(two.keep().await.id, id(1));
    assert_eq!(one.receipt().await, (two.peer(), id(1), false));
    let connections = one.handle.connections().await;
    assert!(
        matches!(&connections[0].path, PathKind::Relayed(url) if *url == relay.to_string()),
        "{connections:?}"
    );

    // Without it there is no way left, and whoever asks hears why.
    server.shutdown().await.unwrap();
    one.next(|event| (event == Event::Health(Health::Down(DownReason::NoRelay))).then_some(())).await;
}
