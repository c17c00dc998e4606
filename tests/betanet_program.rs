//! A relay and two daemons as programs, with nothing but betanet between the daemons: their configuration, the card
//! that names a mailbox, messages and a file, while the relay is killed without a warning (SIGKILL) and started again.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod program;

use std::cell::RefCell;
use std::collections::BTreeSet;

use hopline::api::client::Client;
use hopline::api::schema::EventReport;
use hopline::wire::ReceivedCard;
use serde_json::Value;
use tokio::time::timeout;

use program::{Bench, DEADLINE, Running, stdout};

const MEGABYTES: usize = 10;

struct World {
    bench: Bench,
    relay: Running,
    _daemons: [Running; 2],
}

impl World {
    async fn build() -> Self {
        let bench = Bench::new();
        let init = ["--home", "r", "relay", "init", "--host", "relay.test", "--listen", "127.0.0.1:0"];
        assert!(bench.run(&init).await.status.success());
        let mut relay = bench.start(&["--home", "r", "relay"]);
        let ready = relay.event("ready", |_| true).await;
        // Where it is found again.
        let (toml, address) = (bench.path("r/relay.toml"), ready["addresses"][0].as_str().unwrap());
        let settled = std::fs::read_to_string(&toml).unwrap().replace("127.0.0.1:0", address);
        std::fs::write(&toml, settled).unwrap();
        let config = "[bitchat]\nenabled = false\n[direct]\nenabled = false\n[files]\naccept = \"contacts\"\n\
                      [betanet]\nrelays = [\"../r/relay.record\"]\nca = \"../r/certificate.pem\"\n";
        let mut daemons = Vec::new();
        for name in ["ada", "ben"] {
            bench.configure(name, config);
            let mut daemon = bench.start(&["--home", name, "daemon", "--nickname", name]);
            daemon.event("ready", |_| true).await;
            until_housed(&bench, name).await;
            daemons.push(daemon);
        }
        bench.exchange_cards("ada", "ben").await;
        Self { bench, relay, _daemons: daemons.try_into().ok().unwrap() }
    }

    async fn kill_and_start_the_relay(&mut self) {
        self.relay.kill().await;
        self.relay = self.bench.start(&["--home", "r", "relay"]);
        self.relay.event("ready", |_| true).await;
    }

    async fn send(&self, from: &str, to: &str, text: &str) {
        self.bench.json(&["--home", from, "send", to, text]).await;
    }

    /// Waits until somebody has each of these texts, and tells how often they have it.
    async fn heard(&self, who: &str, texts: &[String]) -> Vec<usize> {
        let mut watch = self.bench.start(&["--home", who, "watch", "--after", "0"]);
        let waiting = RefCell::new(BTreeSet::from_iter(texts));
        watch
            .event("private_message", |message| {
                let mut waiting = waiting.borrow_mut();
                waiting.retain(|text| message["text"] != **text);
                waiting.is_empty()
            })
            .await;
        let history = self.bench.json(&["--home", who, "history", "--limit", "500"]).await.to_string();
        texts.iter().map(|text| history.matches(&format!("\"{text}\"")).count()).collect()
    }
}

/// Waits until somebody's card names a mailbox.
async fn until_housed(bench: &Bench, name: &str) {
    let client = Client::new(bench.path(name).join("hopline.sock"));
    let mut events = client.events().await.unwrap();
    let card = bench.json(&["--home", name, "contact", "card"]).await;
    let card = ReceivedCard::from_link(card["link"].as_str().unwrap()).unwrap();
    if card.card().mailbox.is_some() {
        return;
    }
    let housed = async {
        while !matches!(events.next().await.unwrap().unwrap(), EventReport::OwnCard { mailbox: true }) {}
    };
    timeout(DEADLINE, housed).await.unwrap_or_else(|_| panic!("{name} has no mailbox"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_a_file_arrive_once_though_their_relay_is_killed_in_the_middle() {
    let mut world = World::build().await;
    let status: Value = world.bench.json(&["--home", "ada", "status"]).await;
    assert_eq!(status["betanet"]["relays"][0]["part"], "in_use", "{status}");
    assert_eq!(status["betanet"]["relays"][0]["mailbox"], "on_card", "{status}");
    let shown = stdout(&world.bench.run(&["--home", "ada", "status"]).await);
    assert!(shown.contains("in use; keeps our mailbox"), "{shown}");

    let texts = |of: &str| -> Vec<String> { (0..8).map(|number| format!("{of} {number}")).collect() };
    for (number, (from_ada, from_ben)) in texts("ada").iter().zip(texts("ben")).enumerate() {
        world.send("ada", "ben", from_ada).await;
        world.send("ben", "ada", &from_ben).await;
        if number % 3 == 1 {
            world.kill_and_start_the_relay().await;
        }
    }
    for (who, of) in [("ada", "ben"), ("ben", "ada")] {
        assert_eq!(world.heard(who, &texts(of)).await, [1; 8], "{who}");
    }

    let content: Vec<u8> = {
        let mut bytes = vec![0; MEGABYTES * 1_000_000];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    };
    std::fs::write(world.bench.path("holiday.zip"), &content).unwrap();
    let mut sending = world.bench.start(&["--home", "ada", "file", "send", "ben", "holiday.zip", "--wait"]);
    world.kill_and_start_the_relay().await;
    assert!(sending.ended_well().await);
    let listed = world.bench.json(&["--home", "ben", "file", "list"]).await;
    let files = listed["files"].as_array().unwrap();
    assert_eq!((files.len(), &files[0]["status"]), (1, &"done".into()), "{listed}");
    assert!(std::fs::read(files[0]["path"].as_str().unwrap()).unwrap() == content);
}
