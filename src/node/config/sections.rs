//! The keys of `config.toml`, section by section: name, default, bounds.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value as Json;

use crate::capabilities::TransportKey;
use crate::config::{
    Document, Fault, Origin, Size, Span, Text, UnknownWord, Value, anything, different, within,
};
use crate::mesh;
use crate::message::{DEFAULT_AGE, MAX_AGE, Requirements};
use crate::node::conditions::{BatterySetting, Settings};
use crate::node::lifecycle;
use crate::node::name::check_nickname;
use crate::router;
use crate::storage::{Bound, Limits};
use crate::transports::betanet::MAX_RELAYS;
use crate::transports::direct;

use super::listen::Listen;
use super::load::Overrides;
use super::policy::RelayPolicy;
use super::radio::{Radio, RadioChoice};
use super::relays::{RelayError, RelayRecord};

/// Bytes that a remembered message may have, on average: many times what people write.
const REMEMBERED_BYTES: usize = 4_096;

/// What a daemon runs with.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The name announced to everyone.
    pub nickname: String,
    /// The BLE mesh.
    pub bitchat: Bitchat,
    /// Mail of others that the mesh carries.
    pub courier: mesh::courier::Limits,
    /// HTX and the mixnet.
    pub betanet: Betanet,
    /// QUIC between contacts.
    pub direct: Direct,
    /// The choice between them.
    pub router: router::Config,
    /// What is known of the machine beforehand.
    pub conditions: Settings,
    /// What waits to be sent.
    pub outbox: Outbox,
    /// Files of others.
    pub files: Files,
    /// What was said.
    pub history: History,
}

impl Config {
    /// How much the database keeps.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        let rows = |bound: Bound, rows: u64| Bound { rows, ..bound };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Limits {
            waiting_for_one: rows(default.waiting_for_one, count(self.outbox.max_per_peer)),
            waiting: rows(default.waiting, count(self.outbox.max_messages)),
            finished: rows(default.finished, self.history.sent),
            public: rows(default.public, self.history.public),
            from_one: rows(default.from_one, self.history.contacts.min(default.from_one.rows)),
            from_contacts: rows(default.from_contacts, self.history.contacts),
            from_strangers: rows(default.from_strangers, self.history.strangers),
            ..default
        }
    }

    /// The settings of the node itself. Reads the records of relays.
    pub fn settings(&self) -> Result<lifecycle::Settings, RelayError> {
        let mesh = mesh::Config {
            hop_limit: self.bitchat.hop_limit,
            policy: self.bitchat.policy.0,
            max_peers: self.bitchat.max_peers,
            courier: self.courier,
            gossip: self.bitchat.gossip(),
            ..mesh::Config::default()
        };
        Ok(lifecycle::Settings {
            nickname: self.nickname.clone(),
            mesh,
            betanet: self.betanet.transport(self.conditions.metered)?,
            direct: self.direct.enabled.then(|| self.direct.transport()),
            router: self.router.clone(),
            conditions: self.conditions,
            usual: Requirements { max_age: self.outbox.max_age, ..Requirements::default() },
            files: self.files.clone(),
        })
    }
}

impl Bitchat {
    fn gossip(&self) -> mesh::gossip::config::Config {
        let default = mesh::gossip::config::Config::default();
        let bytes = self.remember_messages.saturating_mul(REMEMBERED_BYTES);
        let messages =
            mesh::gossip::config::Limit { count: self.remember_messages, bytes, age: self.remember_for };
        let groups = mesh::gossip::config::Limit { age: self.remember_for, ..default.groups };
        mesh::gossip::config::Config { messages, groups, ..default }
    }
}

impl Direct {
    fn transport(&self) -> direct::Config {
        let default = direct::Config::default();
        let bind: Vec<direct::Bind> = self.bind.iter().copied().map(direct::Bind::from).collect();
        direct::Config {
            bind: if bind.is_empty() { default.bind } else { bind },
            advertise: self.advertise.clone(),
            relays: self.relays.iter().map(|relay| relay.0.clone()).collect(),
            mdns: self.mdns,
            ..default
        }
    }
}

/// `[bitchat]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitchat {
    /// Whether the transport runs.
    pub enabled: bool,
    /// Over which radio.
    pub radio: Radio,
    /// Peers remembered at once; the one heard of longest ago is forgotten first.
    pub max_peers: usize,
    /// Hops a message of ours may take: the TTL it leaves with.
    pub hop_limit: u8,
    /// By whose rules the packets of others are passed on.
    pub policy: RelayPolicy,
    /// Public messages remembered for neighbours who missed them.
    pub remember_messages: usize,
    /// How long.
    pub remember_for: Duration,
}

/// `[betanet]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Betanet {
    /// Whether the transport runs.
    pub enabled: bool,
    /// The relays of this node, in the order of preference; the first that answers keeps its mailbox.
    pub relays: Vec<RelayRecord>,
    /// A file of certificates that are believed beside those of public authorities.
    pub ca: Option<PathBuf>,
    /// Whether dummy bytes are sent when there is nothing else to send.
    pub idle_padding: bool,
    /// Whether every message takes the way through the mixnet.
    pub privacy_mode: bool,
    /// Hops on that way.
    pub max_hops: u8,
}

/// `[direct]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// Whether the transport runs.
    pub enabled: bool,
    /// The addresses it listens on; none means every address of the machine and a port that is free.
    pub bind: Vec<Listen>,
    /// Addresses told to contacts instead of those the machine has itself: a forwarded port, say.
    pub advertise: Vec<SocketAddr>,
    /// The relays it may be reached through.
    pub relays: Vec<RelayUrl>,
    /// Whether it looks for contacts on the local network by mDNS, and is found there.
    pub mdns: bool,
}

/// `[outbox]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Messages that may wait for one peer.
    pub max_per_peer: usize,
    /// Messages that may wait in all.
    pub max_messages: usize,
    /// The age at which a message expires that says nothing itself.
    pub max_age: Duration,
}

/// `[files]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// From whom files are taken.
    pub accept: FilePolicy,
    /// Where they are put.
    pub directory: PathBuf,
    /// The largest taken, in bytes.
    pub max_size: u64,
    /// Bytes that the files of contacts that came over the mesh may take together; those of strangers may take a quarter as
    /// much beside them.
    pub mesh_quota: u64,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            accept: FilePolicy::Ask,
            directory: PathBuf::from("files"),
            max_size: 4 << 30,
            mesh_quota: 256 << 20,
        }
    }
}

/// `[history]`: how many messages are kept of each kind; the oldest are forgotten first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Ours, once they were delivered or given up.
    pub sent: u64,
    /// Those to everyone.
    pub public: u64,
    /// Private ones from contacts.
    pub contacts: u64,
    /// Private ones from anybody else.
    pub strangers: u64,
}

/// From whom files are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilePolicy {
    /// From contacts, when a person says yes to each.
    Ask,
    /// From every contact.
    Contacts,
    /// From nobody.
    Never,
}

impl Text for FilePolicy {}

impl FromStr for FilePolicy {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "ask" => Ok(Self::Ask),
            "contacts" => Ok(Self::Contacts),
            "never" => Ok(Self::Never),
            _ => Err(UnknownWord { found: text.to_owned(), allowed: &["ask", "contacts", "never"] }),
        }
    }
}

impl fmt::Display for FilePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ask => "ask",
            Self::Contacts => "contacts",
            Self::Never => "never",
        })
    }
}

/// The URL of a relay: `http` or `https`, and a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayUrl(direct::RelayUrl);

impl Text for RelayUrl {}

impl FromStr for RelayUrl {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_host = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
        let url = text.parse().ok().filter(|_| host.is_some_and(is_host));
        url.map(Self).ok_or_else(|| Fault::Relay(text.to_owned()))
    }
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads every section. `remembered` is the nickname of earlier starts, `otherwise` the one used where there is
/// none at all.
pub(super) fn read(
    document: &mut Document<'_>,
    overrides: Overrides,
    remembered: Option<String>,
    otherwise: String,
) -> Config {
    let Overrides { nickname, radio, adapters } = overrides;
    let nickname = node(document, nickname, remembered).unwrap_or(otherwise);
    let bitchat = bitchat(document, radio, Some(adapters).filter(|adapters| !adapters.is_empty()));
    let courier = super::courier::read(document);
    let betanet = betanet(document);
    let direct = direct(document);
    let (router, conditions) = router(document);
    let outbox = outbox(document);
    Config {
        nickname,
        bitchat,
        courier,
        betanet,
        direct,
        router: router::Config { messages: outbox.max_messages, ..router },
        conditions,
        outbox,
        files: files(document),
        history: history(document),
    }
}

fn node(document: &mut Document<'_>, given: Option<String>, remembered: Option<String>) -> Option<String> {
    let mut section = document.section("node");
    let check = |nickname: &String| Ok(check_nickname(nickname).map(drop)?);
    let written = section.optional("nickname", check);
    let (nickname, origin) = match (given, written, remembered) {
        (Some(given), _, _) => (Some(given), Origin::CommandLine),
        (None, Some((written, line)), _) => (check_nickname(&written).ok(), Origin::File { line }),
        (None, None, Some(remembered)) => (Some(remembered), Origin::Remembered),
        (None, None, None) => (None, Origin::Default),
    };
    section.set("nickname", nickname.clone().map_or(Json::Null, Json::from), origin);
    section.end();
    nickname
}

fn bitchat(
    document: &mut Document<'_>,
    radio: Option<RadioChoice>,
    adapters: Option<Vec<String>>,
) -> Bitchat {
    let default = mesh::gossip::config::Config::default().messages;
    let mut section = document.section("bitchat");
    let read = Bitchat {
        enabled: section.key("enabled", true, anything),
        radio: section.given("radio", radio, RadioChoice::Bluez, anything).with(section.given(
            "adapters",
            adapters,
            Vec::new(),
            different(8),
        )),
        max_peers: section.number("max_peers", 1_024, 8..=65_536),
        hop_limit: section.number("hop_limit", 7, 1..=7),
        policy: section.key("policy", RelayPolicy::default(), anything),
        remember_messages: section.number("remember_messages", default.count, 0..=100_000),
        remember_for: section.key("remember_for", Span(default.age), within(seconds(60)..=Span(MAX_AGE))).0,
    };
    section.end();
    read
}

fn betanet(document: &mut Document<'_>) -> Betanet {
    let mut section = document.section("betanet");
    let enabled = section.key("enabled", true, anything);
    let relays = section.key("relays", Vec::new(), different(MAX_RELAYS));
    let ca: Option<(PathBuf, usize)> = section.optional("ca", anything);
    let origin = ca.as_ref().map_or(Origin::Default, |(_, line)| Origin::File { line: *line });
    let ca = ca.map(|(path, _)| path);
    section.set("ca", ca.as_ref().map_or(Json::Null, |path| path.shown()), origin);
    let read = Betanet {
        enabled,
        relays,
        ca,
        idle_padding: section.key("idle_padding", true, anything),
        privacy_mode: section.key("privacy_mode", true, anything),
        max_hops: section.number("max_hops", 5, 1..=5),
    };
    section.end();
    read
}

fn direct(document: &mut Document<'_>) -> Direct {
    let dialable = |addresses: &Vec<SocketAddr>| {
        different(8)(addresses)?;
        match addresses.iter().find(|address| address.ip().is_unspecified() || address.port() == 0) {
            Some(address) => Err(Fault::NotDialable(address.to_string())),
            None => Ok(()),
        }
    };
    let mut section = document.section("direct");
    let read = Direct {
        enabled: section.key("enabled", true, anything),
        bind: section.key("bind", Vec::new(), different(8)),
        advertise: section.key("advertise", Vec::new(), dialable),
        relays: section.key("relays", Vec::new(), different(8)),
        mdns: section.key("mdns", false, anything),
    };
    section.end();
    read
}

fn router(document: &mut Document<'_>) -> (router::Config, Settings) {
    let default = router::Config::default();
    let mut section = document.section("router");
    let mut priority = section.optional("priority", different(TransportKey::ALL.len()));
    let origin = priority.as_ref().map_or(Origin::Default, |(_, line)| Origin::File { line: *line });
    let mut ranking = priority.take().map(|(listed, _)| listed).unwrap_or_default();
    // A transport that is not listed is the last resort, not forbidden.
    ranking.extend(
        default
            .priority
            .iter()
            .filter(|transport| !ranking.contains(*transport))
            .copied()
            .collect::<Vec<_>>(),
    );
    section.set("priority", ranking.shown(), origin);
    let timeout = Span(default.failover_timeout);
    let read = router::Config {
        priority: ranking,
        failover: section.key("failover", default.failover, anything),
        failover_timeout: section.key("failover_timeout", timeout, within(seconds(1)..=seconds(600))).0,
        attempts: section.number("attempts", default.attempts, 1..=20),
        adaptive: section.key("adaptive", default.adaptive, anything),
        warm_up: section.key("warm_up", default.warm_up, anything),
        ..default
    };
    let conditions = Settings {
        metered: section.key("metered", false, anything),
        battery: section.key("battery", BatterySetting::Auto, anything),
    };
    section.end();
    (read, conditions)
}

fn outbox(document: &mut Document<'_>) -> Outbox {
    let most = router::Config::default().messages;
    let mut section = document.section("outbox");
    let max_messages = section.number("max_messages", most, 1..=1_000_000);
    let read = Outbox {
        max_per_peer: section.number("max_per_peer", max_messages.min(2_000), 1..=max_messages),
        max_messages,
        max_age: section.key("max_age", Span(DEFAULT_AGE), within(seconds(60)..=Span(MAX_AGE))).0,
    };
    section.end();
    read
}

fn files(document: &mut Document<'_>) -> Files {
    let mut section = document.section("files");
    let read = Files {
        accept: section.key("accept", FilePolicy::Ask, anything),
        directory: section.key("directory", PathBuf::from("files"), anything),
        max_size: section.key("max_size", Size(4 << 30), anything).0,
        mesh_quota: section.key("mesh_quota", Size(256 << 20), anything).0,
    };
    section.end();
    read
}

fn history(document: &mut Document<'_>) -> History {
    let mut section = document.section("history");
    let range = 100..=10_000_000;
    let read = History {
        sent: section.number("sent", 50_000, range.clone()),
        public: section.number("public", 20_000, range.clone()),
        contacts: section.number("contacts", 200_000, range.clone()),
        strangers: section.number("strangers", 20_000, range),
    };
    section.end();
    read
}

const fn seconds(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}
