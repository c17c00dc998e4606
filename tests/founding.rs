//! The five tests of the founding document (chapter 8), as behaviours of whole nodes: their engines, routers,
//! outboxes and sockets are the real ones; the air is simulated, the network is loopback with a path that can
//! be cut.

#![cfg(feature = "node")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event of many")]

use hopline::capabilities::{Health, TransportKey};
use hopline::ids::MessageId;
use hopline::message::{DeliveryStatus, Preference, Requirements};
use hopline::node::event::Event;
use hopline::node::handle::{Notice, Subscription};
use hopline::sim::Edge;
use tokio::time::timeout;

#[path = "common/pair.rs"]
mod pair;
#[path = "common/path.rs"]
mod path;

use pair::{PATIENCE, Pair};

/// Waits for an event of which `pick` makes something.
async fn wait<T>(events: &mut Subscription, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
    let waiting = async {
        loop {
            match events.next().await.expect("the node stopped") {
                Notice::Event(event) => {
                    if let Some(picked) = pick(&event) {
                        return picked;
                    }
                }
                Notice::Missed(count) => panic!("{count} events were missed"),
            }
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A pair, and what ada is told.
struct Scene {
    pair: Pair,
    at_ada: Subscription,
    at_ben: Subscription,
}

impl Scene {
    async fn open(seed: u64) -> Self {
        let pair = Pair::meet(seed).await.unwrap();
        let [at_ada, at_ben] = [0, 1].map(|node| pair.nodes[node].handle().subscribe().unwrap());
        Self { pair, at_ada, at_ben }
    }

    /// Ada writes to ben.
    async fn write(&self, text: &str, over: Option<TransportKey>) -> MessageId {
        let preference = over.map(|transport| Preference { transport, only: true });
        let requirements = Requirements { preference, ..Requirements::default() };
        let to = self.pair.nodes[1].handle().profile().peer_id.to_string();
        self.pair.nodes[0].handle().send(&to, text.to_owned(), requirements).await.unwrap().envelope.id
    }

    /// Over which transport ben got it, once ada knows that he did.
    async fn arrives(&mut self, id: MessageId) -> TransportKey {
        let via = wait(&mut self.at_ben, "the message", |event| match event {
            Event::Received { message, .. } if message.id == id => Some(message.via),
            _ => None,
        })
        .await;
        wait(&mut self.at_ada, "the receipt", |event| match event {
            Event::Status(told) if told.id == id && told.status == DeliveryStatus::Delivered => Some(()),
            _ => None,
        })
        .await;
        via
    }

    /// Cuts the air between them, or mends it.
    async fn set_air(&self, open: bool) {
        let [ada, ben] = self.pair.stations;
        if open {
            self.pair.air.join(ada, ben, Edge::default()).await.unwrap();
        } else {
            self.pair.air.cut(ada, ben).await.unwrap();
        }
    }
}

#[tokio::test]
async fn both_transports_register_and_say_how_they_are() {
    let mut scene = Scene::open(1).await;
    let first = scene.write("hello", Some(TransportKey::Direct)).await;
    assert_eq!(scene.arrives(first).await, TransportKey::Direct);
    let transports = scene.pair.nodes[0].handle().status().await.unwrap().transports;
    let up = |key| transports.contains(&(key, Health::Up));
    assert!(up(TransportKey::Bitchat) && up(TransportKey::Direct), "{transports:?}");
}

#[tokio::test]
async fn a_message_asked_to_go_over_ble_is_routed_over_ble() {
    let mut scene = Scene::open(2).await;
    let asked = scene.write("over the air", Some(TransportKey::Bitchat)).await;
    assert_eq!(scene.arrives(asked).await, TransportKey::Bitchat);
}

#[tokio::test]
async fn who_goes_offline_talks_on_over_ble_and_back_online_over_direct() {
    let mut scene = Scene::open(3).await;
    let online = scene.write("online", Some(TransportKey::Direct)).await;
    assert_eq!(scene.arrives(online).await, TransportKey::Direct);
    scene.pair.path.set_open(false);
    let offline = scene.write("offline", None).await;
    assert_eq!(scene.arrives(offline).await, TransportKey::Bitchat);
    scene.pair.path.set_open(true);
    let again = scene.write("online again", Some(TransportKey::Direct)).await;
    assert_eq!(scene.arrives(again).await, TransportKey::Direct);
}

#[tokio::test]
async fn a_message_to_somebody_out_of_reach_waits_and_arrives_when_there_is_a_way() {
    let mut scene = Scene::open(4).await;
    scene.set_air(false).await;
    scene.pair.path.set_open(false);
    let stored = scene.write("for later", None).await;
    let entry = scene.pair.nodes[0].handle().sent(stored).await.unwrap().unwrap();
    assert!(entry.status < DeliveryStatus::Delivered);
    scene.pair.path.set_open(true);
    scene.set_air(true).await;
    scene.arrives(stored).await;
}

#[tokio::test]
async fn whichever_transport_breaks_the_other_carries_on() {
    let mut scene = Scene::open(5).await;
    for (path, air, expected) in [
        (false, true, TransportKey::Bitchat),
        (true, false, TransportKey::Direct),
        (false, true, TransportKey::Bitchat),
    ] {
        scene.pair.path.set_open(path);
        scene.set_air(air).await;
        let id = scene.write("whichever way", None).await;
        assert_eq!(scene.arrives(id).await, expected);
    }
}
