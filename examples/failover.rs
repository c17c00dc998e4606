//! Two nodes talk over the direct transport; the network path between them is cut in the middle of the
//! conversation, it goes on over Bluetooth, the path comes back, and the conversation with it.
//!
//! The Bluetooth air is simulated; the network path is a forwarder of UDP datagrams on loopback that loses
//! everything while it is cut. Each second of the conversation is told, and at the end the longest time in which
//! nothing arrived. The program fails when that is a second or more, or when a message is lost or comes twice.
//!
//! `cargo run --release --example failover`
#![expect(clippy::print_stdout, reason = "an example talks to people")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hopline::capabilities::TransportKey;
use hopline::clock::Clock;
use hopline::crypto::Identity;
use hopline::ids::{AdapterId, MessageId};
use hopline::message::Requirements;
use hopline::node::contacts::{ContactAnswer, ContactRequest};
use hopline::node::event::Event;
use hopline::node::handle::{Notice, Subscription};
use hopline::node::lifecycle::{Node, Settings, Setup, start};
use hopline::radio::simulated::SimulatedAir;
use hopline::sim::event::Radio;
use hopline::sim::{Air, Topology};
use hopline::storage::{Database, DeviceKey, Limits};
use hopline::time::Instant;
use hopline::transports::direct;
use hopline::wire::{ReceivedCard, link};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

#[path = "../tests/common/path.rs"]
mod path;
use path::Path;

type Failed = Box<dyn Error>;

/// Between two messages of one node.
const PACE: Duration = Duration::from_millis(50);
/// How long anything may take that has to happen before the story goes on.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest time in which nothing may arrive.
const LONGEST_GAP: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let places = [free_port([127, 0, 1, 1])?, free_port([127, 0, 2, 1])?];
    let path = Path::lay(places[0], places[1]).await?;
    let topology: Topology = "ada ben".parse()?;
    let mut air = Air::new(seed(&mut rng));
    let stations = air.lay_out(&topology, Instant::ZERO);
    let air = SimulatedAir::spawn(air);

    let mut talkers = Vec::new();
    let found = [path.to_first, path.to_second];
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
            seed: seed(&mut rng),
            radio: air.switch_on(stations[index], radio).await?,
            database: Database::in_memory(&DeviceKey::generate(&mut rng), Limits::default())?,
            settings: Settings { direct: Some(direct), ..Settings::named(name) },
        };
        talkers.push(start(setup).await?);
    }
    let [ada, ben] = <[Node; 2]>::try_from(talkers).map_err(|_| "two nodes were started")?;
    befriend(&ada, &ben).await?;
    befriend(&ben, &ada).await?;

    let mut talk = Talk::begin([ada, ben], path)?;
    println!("ada and ben have each other's card; both write every {PACE:?}");
    talk.until("they talk over direct", |talk| talk.all_over(TransportKey::Direct)).await?;
    talk.on_for(Duration::from_secs(3)).await?;
    println!("--- the network path is cut");
    talk.path.set_open(false);
    talk.until("they talk over bitchat", |talk| talk.all_over(TransportKey::Bitchat)).await?;
    talk.on_for(Duration::from_secs(4)).await?;
    println!("--- the network path is mended");
    talk.path.set_open(true);
    talk.until("they talk over direct again", |talk| talk.all_over(TransportKey::Direct)).await?;
    talk.on_for(Duration::from_secs(2)).await?;
    talk.end().await
}

/// `one` gets the card of `other` and adds it.
async fn befriend(one: &Node, other: &Node) -> Result<(), Failed> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < deadline {
        let answer = other.handle().contacts(ContactRequest::OwnCard { addresses: true }).await;
        if let Ok(ContactAnswer::OwnCard(card)) = answer {
            let direct = ReceivedCard::decode(&card)?.card().direct.clone();
            if direct.is_some_and(|direct| !direct.addresses.is_empty()) {
                one.handle().contacts(ContactRequest::Add { link: link(&card), name: None }).await?;
                return Ok(());
            }
        }
        // The card is signed anew once the sockets are open.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err("the card names no address".into())
}

/// A conversation, and what came of it.
struct Talk {
    nodes: [Node; 2],
    events: [Subscription; 2],
    path: Path,
    clock: Clock,
    /// Every message: when it was written, and when and how it arrived.
    sent: BTreeMap<MessageId, Duration>,
    arrivals: [Vec<(Duration, TransportKey)>; 2],
    written: u64,
}

impl Talk {
    fn begin(nodes: [Node; 2], path: Path) -> Result<Self, Failed> {
        let events = [nodes[0].handle().subscribe()?, nodes[1].handle().subscribe()?];
        let arrivals = [Vec::new(), Vec::new()];
        Ok(Self { nodes, events, path, clock: Clock::start(), sent: BTreeMap::new(), arrivals, written: 0 })
    }

    fn now(&self) -> Duration {
        self.clock.now().instant.since_start()
    }

    /// Talks on until something holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<(), Failed> {
        let since = self.now();
        while !holds(self) {
            if self.now() - since > PATIENCE {
                return Err(format!("waited {PATIENCE:?} in vain: {what}").into());
            }
            self.on_for(PACE).await?;
        }
        println!("{:6.2} s  {what}", self.now().as_secs_f64());
        Ok(())
    }

    /// Talks on for a while: both write at their pace, and what arrives is noted.
    async fn on_for(&mut self, span: Duration) -> Result<(), Failed> {
        let until = self.now() + span;
        while self.now() < until {
            self.written += 1;
            for writer in [0, 1] {
                let to = self.nodes[1 - writer].handle().profile().peer_id.to_string();
                let text = format!("line {}", self.written);
                let now = self.now();
                let accepted = self.nodes[writer].handle().send(&to, text, Requirements::default()).await?;
                self.sent.insert(accepted.envelope.id, now);
            }
            let next = self.now() + PACE;
            while self.listen(next.saturating_sub(self.now())).await? {}
        }
        Ok(())
    }

    /// Notes the next arrival; false when nothing came in time.
    async fn listen(&mut self, patience: Duration) -> Result<bool, Failed> {
        let [at_ada, at_ben] = &mut self.events;
        let (reader, notice) = tokio::select! {
            notice = at_ada.next() => (0, notice),
            notice = at_ben.next() => (1, notice),
            () = tokio::time::sleep(patience) => return Ok(false),
        };
        match notice {
            Some(Notice::Event(Event::Received { message, .. })) => {
                let written = self.sent.remove(&message.id);
                written.ok_or_else(|| format!("{} came twice, or was never sent", message.id))?;
                let now = self.now();
                self.arrivals[reader].push((now, message.via));
                Ok(true)
            }
            Some(Notice::Event(_)) => Ok(true),
            Some(Notice::Missed(count)) => Err(format!("{count} events were missed").into()),
            None => Err("a node has stopped".into()),
        }
    }

    /// Whether the last second's messages came over this transport alone, both ways.
    fn all_over(&self, transport: TransportKey) -> bool {
        let since = self.now().saturating_sub(Duration::from_secs(1));
        self.arrivals.iter().all(|arrivals| {
            let mut late = arrivals.iter().filter(|(at, _)| *at >= since).peekable();
            late.peek().is_some() && late.all(|(_, via)| *via == transport)
        })
    }

    /// Waits for what is still under way, and tells what was counted.
    async fn end(mut self) -> Result<(), Failed> {
        let mut gap = Duration::ZERO;
        for arrivals in &self.arrivals {
            let pauses = arrivals.windows(2).map(|pair| pair[1].0 - pair[0].0);
            gap = gap.max(pauses.max().unwrap_or_default());
        }
        while !self.sent.is_empty() {
            if !self.listen(PATIENCE).await? {
                return Err(format!("{} messages were lost", self.sent.len()).into());
            }
        }
        let over = |transport| {
            self.arrivals.iter().flatten().filter(|(_, via)| *via == transport).count()
        };
        println!(
            "{} messages, each received once: {} over direct, {} over bitchat",
            self.written * 2,
            over(TransportKey::Direct),
            over(TransportKey::Bitchat)
        );
        println!("the longest time in which nothing arrived: {:.0} ms", gap.as_secs_f64() * 1000.0);
        for node in self.nodes {
            node.stop().await?;
        }
        if gap >= LONGEST_GAP { Err(format!("that is not under {LONGEST_GAP:?}").into()) } else { Ok(()) }
    }
}

fn free_port(address: [u8; 4]) -> Result<SocketAddr, Failed> {
    Ok(UdpSocket::bind((std::net::Ipv4Addr::from(address), 0))?.local_addr()?)
}

fn seed(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}
