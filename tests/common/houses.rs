//! Relays and nodes in one process: real ones, over loopback; a relay can be killed and comes back where it was.

#![allow(dead_code, reason = "each user takes a part")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use hopline::clock::Clock;
use hopline::crypto::Identity;
use hopline::net::tls::{Roots, certificates_from_pem};
use hopline::net::tunnel::Emulation;
use hopline::node::config::sections::{FilePolicy, Files};
use hopline::node::contacts::{ContactAnswer, ContactRequest, Form};
use hopline::node::event::Event;
use hopline::node::handle::{Notice, Subscription};
use hopline::node::lifecycle::{Node, Settings, Setup, start};
use hopline::relay::config::HostName;
use hopline::relay::{self, Relay, setup};
use hopline::storage::{Database, DeviceKey, Limits};
use hopline::transports::betanet::{self, Cadence};
use hopline::wire::{ReceivedCard, link};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tempfile::TempDir;

pub(crate) type Failed = Box<dyn Error>;

/// How long anything may take that has to happen before the story goes on.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A relay and its home.
pub(crate) struct House {
    home: TempDir,
    relay: Option<Relay>,
    listen: Vec<SocketAddr>,
    change: fn(&mut relay::Config),
    seed: u8,
}

impl House {
    /// A relay that runs; `change` has the last word on its configuration.
    pub(crate) async fn build(seed: u8, change: fn(&mut relay::Config)) -> Result<Self, Failed> {
        let home = tempfile::tempdir()?;
        let any: SocketAddr = "127.0.0.1:0".parse()?;
        setup::make(
            home.path(),
            &setup::Wish {
                host: HostName("relay.example".to_owned()),
                listen: vec![any],
                advertise: Vec::new(),
                certificate: None,
                decoy: None,
                metrics: None,
            },
        )?;
        let mut house = Self { home, relay: None, listen: vec![any], change, seed };
        house.open().await?;
        Ok(house)
    }

    /// Begins again, where it was and with what it had.
    pub(crate) async fn open(&mut self) -> Result<(), Failed> {
        let mut config = relay::Config::load(self.home.path())?;
        config.listen = self.listen.clone();
        config.cover.padding = false;
        config.buckets.source.burst = 10_000;
        config.limits.connections_per_ip = 64;
        (self.change)(&mut config);
        let home = self.home.path().to_owned();
        let setup = relay::Setup { home, config, clock: Clock::start(), seed: [self.seed; 32] };
        let relay = relay::start(setup).await?;
        self.listen = relay.addresses().to_vec();
        self.relay = Some(relay);
        Ok(())
    }

    /// Ends it.
    pub(crate) async fn close(&mut self) -> Result<(), Failed> {
        if let Some(relay) = self.relay.take() {
            relay.stop().await?;
        }
        Ok(())
    }

    fn roots(&self) -> Result<Roots, Failed> {
        Ok(Roots::Only(certificates_from_pem(&std::fs::read(self.home.path().join("certificate.pem"))?)?))
    }
}

/// Somebody with a home, whose node may come and go.
pub(crate) struct Person {
    name: &'static str,
    seed: u8,
    home: TempDir,
    config: betanet::Config,
    node: Option<Node>,
}

impl Person {
    /// Somebody whose relay this is; the node runs.
    pub(crate) async fn of(name: &'static str, seed: u8, house: &House) -> Result<Self, Failed> {
        let record = house.relay.as_ref().ok_or("the relay does not run")?.record();
        let config = betanet::Config {
            roots: house.roots()?,
            emulation: Emulation { padding: false, ..Emulation::default() },
            cadence: Cadence {
                lively: Duration::from_millis(100),
                quiet: Duration::from_millis(100),
                asleep: Duration::from_millis(300),
            },
            ..betanet::Config::with_relays(vec![record])
        };
        let mut person = Self { name, seed, home: tempfile::tempdir()?, config, node: None };
        person.wake().await?;
        Ok(person)
    }

    /// Somebody with two relays, the first preferred; the node runs.
    pub(crate) async fn of_both(
        name: &'static str,
        seed: u8,
        first: &House,
        second: &House,
    ) -> Result<Self, Failed> {
        let mut person = Self::of(name, seed, first).await?;
        person.config.relays.push(second.relay.as_ref().ok_or("the relay does not run")?.record());
        person.config.patience = Duration::from_secs(1);
        person.believes(second).await?;
        Ok(person)
    }

    /// Believes this relay's certificate too.
    pub(crate) async fn believes(&mut self, house: &House) -> Result<(), Failed> {
        let (Roots::Only(own), Roots::Only(other)) = (self.config.roots.clone(), house.roots()?) else {
            return Err("tests believe what they made themselves".into());
        };
        self.config.roots = Roots::Only([own, other].concat());
        self.sleep().await?;
        self.wake().await
    }

    /// Starts the node.
    pub(crate) async fn wake(&mut self) -> Result<(), Failed> {
        let mut rng = ChaCha20Rng::from_seed([self.seed; 32]);
        let identity = Identity::generate(&mut rng);
        let key = DeviceKey::load_or_create(self.home.path(), &mut rng)?;
        let database = Database::open(self.home.path(), &key, Limits::default())?;
        let files = Files {
            accept: FilePolicy::Contacts,
            directory: self.home.path().join("files"),
            ..Files::default()
        };
        let settings = Settings { betanet: Some(self.config.clone()), files, ..Settings::named(self.name) };
        let seed = hopline::node::lifecycle::random_seed()?;
        self.node = Some(start(Setup { identity, seed, radio: None, database, settings }).await?);
        Ok(())
    }

    /// Stops the node.
    pub(crate) async fn sleep(&mut self) -> Result<(), Failed> {
        if let Some(node) = self.node.take() {
            node.stop().await?;
        }
        Ok(())
    }

    /// Where things of this person are.
    pub(crate) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    pub(crate) fn node(&self) -> &hopline::node::NodeHandle {
        self.node.as_ref().expect("the node runs").handle()
    }

    /// The card, once it names a mailbox.
    pub(crate) async fn card(&self) -> Result<bytes::Bytes, Failed> {
        let mut events = self.node().subscribe()?;
        loop {
            let asked = ContactRequest::OwnCard { form: Form::FULL };
            if let ContactAnswer::OwnCard(card) = self.node().contacts(asked).await?
                && ReceivedCard::decode(&card)?.card().mailbox.is_some()
            {
                return Ok(card);
            }
            wait(&mut events, "a card with a mailbox", |event| {
                matches!(event, Event::OwnCard { mailbox: true }).then_some(())
            })
            .await;
        }
    }

    /// Adds somebody by their card.
    pub(crate) async fn add(&self, other: &Self) -> Result<(), Failed> {
        let link = link(&other.card().await?);
        self.node().contacts(ContactRequest::Add { link, name: None }).await?;
        Ok(())
    }
}

/// Waits for an event of which `pick` makes something.
pub(crate) async fn wait<T>(events: &mut Subscription, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
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
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
