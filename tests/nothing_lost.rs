//! Two daemons talk while everything breaks: the network path between them and the air are cut and mended, and
//! either process is killed without a warning and started again. Every message that was accepted is in the
//! other's message table, once, and its sender knows it.
//!
//! The air is simulated, by the hub that `hopline air` serves; the path is a forwarder of UDP datagrams on
//! loopback that can be cut. What breaks next is drawn from a seed, and follows the messages, not the clock.
//!
//! `HOPLINE_MESSAGES=10000` makes it long, `HOPLINE_SEED` another; progress goes to standard error.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hopline::api::Client;
use hopline::api::client::Events;
use hopline::api::history::{HistoryLine, HistoryQuery};
use hopline::api::schema::{EventReport, StatusWord};
use hopline::ids::MessageId;
use hopline::radio::simulated::{Control, control};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

#[path = "common/path.rs"]
mod path;
mod program;

use path::Path;
use program::{Bench, Daemon};

/// How long everything may take to arrive after the last thing was mended; a busy machine may be slow.
const SETTLING: Duration = Duration::from_secs(600);
/// The longest run of messages between two things that break.
const CALM: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_comes_twice_whatever_breaks() {
    let messages = number("HOPLINE_MESSAGES", 300);
    let mut world = World::build(number("HOPLINE_SEED", 1)).await;
    for count in 1..=messages {
        world.send(count).await;
        if world.calm == 0 {
            world.break_something().await;
        }
        world.calm -= 1;
        if count % 500 == 0 {
            eprintln!("{count} of {messages} sent; {}", world.tally());
        }
    }
    world.mend_everything().await;
    eprintln!("everything is mended; {}", world.tally());
    for receiver in [1, 0] {
        world.check(1 - receiver, receiver).await;
    }
    eprintln!("{} accepted, all received once and known to be; {}", world.accepted(), world.tally());
}

/// The names of the two, in the air and for their homes.
const NAMES: [&str; 2] = ["ada", "ben"];

struct World {
    bench: Bench,
    _air: program::Running,
    path: Path,
    path_open: bool,
    air_open: bool,
    daemons: [Daemon; 2],
    clients: [Client; 2],
    rng: ChaCha20Rng,
    calm: u32,
    /// What each of them accepted.
    accepted: [BTreeMap<MessageId, String>; 2],
    /// Sent to a process that died before it answered: they may arrive, once.
    uncertain: BTreeSet<String>,
    kills: u32,
    cuts: u32,
}

impl World {
    async fn build(seed: u64) -> Self {
        let bench = Bench::new();
        let air = bench.air("ada ben").await;
        let (path, ends) = Path::between([127, 0, 1, 1], [127, 0, 2, 1]).await.unwrap();
        let daemons = bench.friends(ends, path.found(), "[outbox]\nmax_per_peer = 20000\n").await;
        let clients = NAMES.map(|name| Client::new(bench.path(name).join("hopline.sock")));
        Self {
            bench,
            _air: air,
            path,
            path_open: true,
            air_open: true,
            daemons,
            clients,
            rng: ChaCha20Rng::seed_from_u64(seed),
            calm: 10,
            accepted: Default::default(),
            uncertain: BTreeSet::new(),
            kills: 0,
            cuts: 0,
        }
    }

    /// One of them, by turns, writes to the other.
    async fn send(&mut self, count: u32) {
        let sender = usize::from(count.is_multiple_of(2));
        let text = format!("message {count}");
        let to = self.daemons[1 - sender].peer_id.clone();
        match self.clients[sender].send(&to, &text).await {
            Ok(message) => {
                self.accepted[sender].insert(message.id, text);
            }
            Err(error) => panic!("{} did not accept `{text}`: {error}", NAMES[sender]),
        }
    }

    async fn break_something(&mut self) {
        self.calm = 1 + self.rng.next_u32() % CALM;
        match self.rng.next_u32() % 4 {
            0 => {
                self.path_open = !self.path_open;
                self.path.set_open(self.path_open);
                self.cuts += u32::from(!self.path_open);
            }
            1 => {
                self.air_open = !self.air_open;
                self.set_air(self.air_open).await;
                self.cuts += u32::from(!self.air_open);
            }
            victim => self.kill(usize::from(victim == 3)).await,
        }
    }

    /// Kills one of them with a message on its lips, and starts it again.
    async fn kill(&mut self, victim: usize) {
        let text = format!("last words {}", self.kills);
        let to = self.daemons[1 - victim].peer_id.clone();
        let client = self.clients[victim].clone();
        let said = text.clone();
        let speaking = tokio::spawn(async move { client.send(&to, &said).await });
        self.daemons[victim].running.kill().await;
        match speaking.await.unwrap() {
            Ok(message) => {
                self.accepted[victim].insert(message.id, text);
            }
            Err(_) => {
                self.uncertain.insert(text);
            }
        }
        self.daemons[victim] = self.bench.daemon(NAMES[victim]).await;
        self.kills += 1;
    }

    async fn mend_everything(&mut self) {
        self.path.set_open(true);
        self.set_air(true).await;
    }

    async fn set_air(&self, open: bool) {
        let [a, b] = NAMES.map(str::to_owned);
        let deed = if open { Control::Join { a, b } } else { Control::Cut { a, b } };
        control(&self.bench.path("air"), deed).await.unwrap();
    }

    /// Everything one of them accepted is with the other, once, and known to be.
    async fn check(&self, sender: usize, receiver: usize) {
        let patience = tokio::time::timeout(SETTLING, async {
            let received = self.received(receiver, &self.accepted[sender]).await;
            for (id, text) in &self.accepted[sender] {
                assert_eq!(received.get(id), Some(text), "{} has it wrong", NAMES[receiver]);
            }
            let strangers = received.iter().filter(|(id, _)| !self.accepted[sender].contains_key(id));
            for (id, text) in strangers {
                assert!(self.uncertain.contains(text), "nobody sent {id}: {text}");
            }
            self.known(sender).await;
        });
        patience.await.unwrap_or_else(|_| panic!("not everything came to {}", NAMES[receiver]));
    }

    /// The message table of one of them, once it holds all of these.
    async fn received(
        &self,
        receiver: usize,
        wanted: &BTreeMap<MessageId, String>,
    ) -> BTreeMap<MessageId, String> {
        let client = &self.clients[receiver];
        // Before the table is read: nothing that comes meanwhile is missed.
        let mut events = client.events().await.unwrap();
        let mut table = BTreeMap::new();
        let mut last = 0;
        loop {
            let query = HistoryQuery { after: Some(last), limit: Some(500), ..HistoryQuery::default() };
            let page = client.history(&query).await.unwrap().lines;
            for line in &page {
                let HistoryLine::Received { message, .. } = line else { panic!("{line:?} was not received") };
                assert!(message.number > last, "the table is in order");
                last = message.number;
                let twice = table.insert(message.id, message.text.clone());
                assert_eq!(twice, None, "{} is there twice", message.id);
            }
            if page.is_empty() {
                if wanted.keys().all(|id| table.contains_key(id)) {
                    return table;
                }
                until(&mut events, |event| matches!(event, EventReport::PrivateMessage(_))).await;
            }
        }
    }

    /// Waits until one of them knows that all it sent has arrived.
    async fn known(&self, sender: usize) {
        let client = &self.clients[sender];
        let mut events = client.events().await.unwrap();
        for id in self.accepted[sender].keys() {
            loop {
                match client.message(*id).await.unwrap().status {
                    StatusWord::Delivered | StatusWord::Read => break,
                    StatusWord::Queued | StatusWord::Sent => {}
                    given_up @ (StatusWord::Expired | StatusWord::Refused) => {
                        panic!("{id} is {}", given_up.as_str())
                    }
                }
                until(&mut events, |event| matches!(event, EventReport::Status { .. })).await;
            }
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.iter().map(BTreeMap::len).sum()
    }

    fn tally(&self) -> String {
        format!("{} kills, {} cuts", self.kills, self.cuts)
    }
}

/// Waits for an event, or for news that some were missed.
async fn until(events: &mut Events, wanted: impl Fn(&EventReport) -> bool) {
    loop {
        let event = events.next().await.unwrap().expect("the daemon stopped");
        if wanted(&event) || matches!(event, EventReport::Missed { .. }) {
            return;
        }
    }
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> T
where
    T::Err: std::fmt::Debug,
{
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
