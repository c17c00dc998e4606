//! The keys of `relay.toml`, section by section: name, default, bounds.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::bucket::Rate;
use crate::config::{
    ConfigError, Document, Fault, Section, Setting, Size, Span, Text, anything, different, within,
};
use crate::htx::buckets::BucketsConfig;
use crate::net::server::Limits;
use crate::net::tunnel::Emulation;
use crate::storage::{Bound, MailboxLimits};
use crate::wire::record::{DEFAULT_CONTENT_TYPE, DEFAULT_COOKIE_NAME};

use super::error::LoadError;

/// The name of the file in a relay's home.
pub const CONFIG_FILE: &str = "relay.toml";
/// Where tunnels are posted to when nobody says otherwise.
pub const DEFAULT_TUNNEL_PATH: &str = "/api/stream";

/// What a relay runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name in its certificate.
    pub host: HostName,
    /// Where it listens; port 0 takes one that is free.
    pub listen: Vec<SocketAddr>,
    /// Where clients find it; where it listens when this is empty.
    pub advertise: Vec<SocketAddr>,
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// The certificate's private key, PEM.
    pub key: PathBuf,
    /// The path tunnels are posted to.
    pub tunnel_path: TunnelPath,
    /// The content type of both bodies of a tunnel.
    pub content_type: String,
    /// The cookie a ticket or a session stands in.
    pub cookie_name: String,
    /// What everybody else sees.
    pub decoy: DecoySite,
    /// How the tunnels look from outside.
    pub cover: Emulation,
    /// How many at once.
    pub limits: Limits,
    /// How often.
    pub buckets: BucketsConfig,
    /// How much is kept.
    pub mailboxes: MailboxLimits,
    /// Where numbers are served to Prometheus: a loopback address, or nowhere.
    pub metrics: Option<SocketAddr>,
}

/// What visitors see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecoySite {
    /// The files of a folder.
    Folder(PathBuf),
    /// Another web server, asked over HTTP/1.1.
    Upstream {
        /// Where it listens.
        address: SocketAddr,
        /// The host name it is asked for; the relay's own when nothing is said.
        host: Option<String>,
    },
}

impl Config {
    /// Reads `relay.toml` of a home. Paths in it are relative to the home.
    pub fn load(home: &Path) -> Result<Self, LoadError> {
        Self::look(home).map(|(config, _)| config)
    }

    /// The same, with every key and where its value comes from.
    pub fn look(home: &Path) -> Result<(Self, Vec<Setting>), LoadError> {
        let file = home.join(CONFIG_FILE);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LoadError::NoConfig { file });
            }
            Err(source) => return Err(ConfigError::Unreadable { file, source }.into()),
        };
        Self::read(&file, &text, home)
    }

    fn read(file: &Path, text: &str, home: &Path) -> Result<(Self, Vec<Setting>), LoadError> {
        let mut document = Document::parse(file, text, |_| None)?;
        let relay = relay(&mut document);
        let (decoy, cover) = (decoy(&mut document, home), cover(&mut document));
        let (limits, buckets) = limits(&mut document);
        let (mailboxes, metrics) = (mailboxes(&mut document), metrics(&mut document));
        let settings = document.finish()?;
        let missing = |key| LoadError::Missing { file: file.to_owned(), key };
        let config = Self {
            host: relay.host.ok_or_else(|| missing("relay.host"))?,
            listen: relay.listen,
            advertise: relay.advertise,
            certificate: home.join(relay.certificate),
            key: home.join(relay.key),
            tunnel_path: relay.tunnel_path,
            content_type: relay.content_type,
            cookie_name: relay.cookie_name,
            decoy,
            cover,
            limits,
            buckets,
            mailboxes,
            metrics,
        };
        if config.listen.is_empty() {
            return Err(missing("relay.listen"));
        }
        if config.advertise.is_empty() && config.listen.iter().any(|address| address.ip().is_unspecified()) {
            return Err(missing("relay.advertise"));
        }
        Ok((config, settings))
    }
}

/// `[relay]`
struct Relay {
    host: Option<HostName>,
    listen: Vec<SocketAddr>,
    advertise: Vec<SocketAddr>,
    certificate: PathBuf,
    key: PathBuf,
    tunnel_path: TunnelPath,
    content_type: String,
    cookie_name: String,
}

fn relay(document: &mut Document<'_>) -> Relay {
    let mut section = document.section("relay");
    let dialable = |addresses: &Vec<SocketAddr>| {
        different(8)(addresses)?;
        match addresses.iter().find(|address| address.ip().is_unspecified() || address.port() == 0) {
            Some(address) => Err(Fault::NotDialable(address.to_string())),
            None => Ok(()),
        }
    };
    let read = Relay {
        host: given(&mut section, "host"),
        listen: section.key("listen", Vec::new(), different(8)),
        advertise: section.key("advertise", Vec::new(), dialable),
        certificate: section.key("certificate", PathBuf::from("certificate.pem"), anything),
        key: section.key("key", PathBuf::from("certificate.key"), anything),
        tunnel_path: section.key("tunnel_path", TunnelPath::default(), anything),
        content_type: section.key("content_type", DEFAULT_CONTENT_TYPE.to_owned(), media_type),
        cookie_name: section.key("cookie_name", DEFAULT_COOKIE_NAME.to_owned(), token),
    };
    section.end();
    read
}

fn decoy(document: &mut Document<'_>, home: &Path) -> DecoySite {
    let mut section = document.section("decoy");
    let upstream: Option<SocketAddr> = given(&mut section, "upstream");
    let host: Option<HostName> = given(&mut section, "upstream_host");
    let proxied = upstream.is_some();
    let alone = |_: &PathBuf| if proxied { Err(Fault::Either { other: "decoy.upstream" }) } else { Ok(()) };
    let folder = section.key("folder", PathBuf::from("site"), alone);
    section.end();
    match upstream {
        Some(address) => DecoySite::Upstream { address, host: host.map(|host| host.0) },
        None => DecoySite::Folder(home.join(folder)),
    }
}

fn cover(document: &mut Document<'_>) -> Emulation {
    let default = Emulation::default();
    let mut section = document.section("cover");
    let read = Emulation {
        pings: section.key("pings", default.pings, anything),
        padding: section.key("padding", default.padding, anything),
        lifetime: section.key("lifetime", default.lifetime, anything),
    };
    section.end();
    read
}

fn limits(document: &mut Document<'_>) -> (Limits, BucketsConfig) {
    let (limits, buckets) = (Limits::default(), BucketsConfig::default());
    let mut section = document.section("limits");
    let limits = Limits {
        connections: section.number("connections", limits.connections, 8..=65_536),
        connections_per_ip: section.number("connections_per_address", limits.connections_per_ip, 1..=65_536),
        tunnels: section.number("tunnels", limits.tunnels, 1..=65_536),
        ..limits
    };
    let mut rate = |burst, interval, default: Rate| Rate {
        burst: section.number(burst, default.burst, 1..=1_000_000),
        interval: section.key(interval, Span(default.interval), within(MILLISECOND..=HOUR)).0,
    };
    let buckets = BucketsConfig {
        source: rate("source_burst", "source_interval", buckets.source),
        global: rate("global_burst", "global_interval", buckets.global),
        ..buckets
    };
    section.end();
    (limits, buckets)
}

fn mailboxes(document: &mut Document<'_>) -> MailboxLimits {
    let default = MailboxLimits::default();
    let mut section = document.section("mailboxes");
    let age = within(HOUR..=Span(Duration::from_secs(366 * 86_400)));
    let read = MailboxLimits {
        mailboxes: section.number("max", default.mailboxes, 1..=1_000_000),
        bytes: section.key("total", Size(default.bytes), anything).0,
        each: Bound {
            rows: section.number("envelopes", default.each.rows, 1..=1_000_000),
            bytes: section.key("size", Size(default.each.bytes), anything).0,
        },
        envelope_age: section.key("envelope_age", Span(default.envelope_age), &age).0,
        idle: section.key("idle", Span(default.idle), &age).0,
    };
    section.end();
    read
}

fn metrics(document: &mut Document<'_>) -> Option<SocketAddr> {
    let mut section = document.section("metrics");
    let loopback = |address: &SocketAddr| {
        if address.ip().is_loopback() { Ok(()) } else { Err(Fault::NotLoopback(address.to_string())) }
    };
    let read = section.optional("listen", loopback);
    let read = take_down(&mut section, "listen", read);
    section.end();
    read
}

const MILLISECOND: Span = Span(Duration::from_millis(1));
const HOUR: Span = Span(Duration::from_secs(3_600));

/// Reads a key that has no default.
fn given<T: Text>(section: &mut Section<'_, '_>, name: &'static str) -> Option<T> {
    let read = section.optional(name, anything);
    take_down(section, name, read)
}

fn take_down<T: Text>(
    section: &mut Section<'_, '_>,
    name: &'static str,
    read: Option<(T, usize)>,
) -> Option<T> {
    use crate::config::{Origin, Value};
    let (value, origin) = match read {
        Some((value, line)) => (Some(value), Origin::File { line }),
        None => (None, Origin::Default),
    };
    let shown = value.as_ref().map_or(serde_json::Value::Null, Value::shown);
    section.set(name, shown, origin);
    value
}

/// A DNS name, or an IP address, as a certificate has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(pub String);

impl Text for HostName {}

impl FromStr for HostName {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let wrong = || Fault::Form { found: text.to_owned(), wanted: "a host name like `www.example.org`" };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if text.len() > 253 || !text.split('.').all(label) {
            return Err(wrong());
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An absolute path without a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelPath(pub String);

impl Text for TunnelPath {}

impl Default for TunnelPath {
    fn default() -> Self {
        Self(DEFAULT_TUNNEL_PATH.to_owned())
    }
}

impl FromStr for TunnelPath {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        if text.len() > 256 || !text.starts_with('/') || !text.bytes().all(plain) {
            return Err(Fault::Form { found: text.to_owned(), wanted: "a path like `/api/stream`" });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TunnelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Two tokens and a slash.
#[expect(clippy::ptr_arg, reason = "a check is given the value as it is kept")]
fn media_type(text: &String) -> Result<(), Fault> {
    match text.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) && text.len() <= 128 => Ok(()),
        Some(_) | None => {
            Err(Fault::Form { found: text.clone(), wanted: "a media type like `application/grpc`" })
        }
    }
}

#[expect(clippy::ptr_arg, reason = "a check is given the value as it is kept")]
fn token(text: &String) -> Result<(), Fault> {
    if is_token(text) && text.len() <= 64 {
        return Ok(());
    }
    Err(Fault::Form { found: text.clone(), wanted: "the name of a cookie like `__Host-sid`" })
}

/// RFC 9110 5.6.2.
fn is_token(text: &str) -> bool {
    let is_mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[relay]\nhost = \"www.example.org\"\nlisten = [\"127.0.0.1:0\"]\n";

    fn read(text: &str) -> Result<Config, LoadError> {
        Config::read(Path::new("c"), text, Path::new("/home")).map(|(config, _)| config)
    }

    fn errors(text: &str) -> Vec<String> {
        let error = read(text).unwrap_err().to_string();
        error.lines().map(|line| line.strip_prefix("c:").unwrap_or(line).trim_start().to_owned()).collect()
    }

    #[test]
    fn a_host_and_an_address_are_enough_and_paths_are_inside_the_home() {
        let config = read(LEAST).unwrap();
        assert_eq!(config.certificate, Path::new("/home/certificate.pem"));
        assert_eq!(config.decoy, DecoySite::Folder(PathBuf::from("/home/site")));
        assert_eq!(config.mailboxes, MailboxLimits::default());
        assert_eq!((config.metrics, config.advertise.len()), (None, 0));
    }

    #[test]
    fn what_has_no_default_is_asked_for() {
        assert_eq!(errors("[relay]\nlisten = [\"127.0.0.1:0\"]\n"), ["relay.host is missing"]);
        assert_eq!(errors("[relay]\nhost = \"a.example\"\n"), ["relay.listen is missing"]);
        let everywhere = "[relay]\nhost = \"a.example\"\nlisten = [\"0.0.0.0:443\"]\n";
        assert_eq!(errors(everywhere), ["relay.advertise is missing"], "clients cannot dial 0.0.0.0");
        read(&format!("{everywhere}advertise = [\"192.0.2.7:443\"]\n")).unwrap();
    }

    #[test]
    fn every_problem_is_named_with_its_line_and_what_is_allowed() {
        let text = "\
[relay]
host = \"-www.example.org\"
tunnel_path = \"stream\"
cookie_name = \"a b\"
content_type = \"grpc\"
advertise = [\"0.0.0.0:1\"]
[decoy]
upstream = \"127.0.0.1:80\"
folder = \"site\"
[metrics]
listen = \"192.0.2.1:9464\"
[mailboxes]
idle = \"1min\"
";
        assert_eq!(
            errors(text),
            [
                "2: relay.host: `-www.example.org` is not a host name like `www.example.org`",
                "3: relay.tunnel_path: `stream` is not a path like `/api/stream`",
                "4: relay.cookie_name: `a b` is not the name of a cookie like `__Host-sid`",
                "5: relay.content_type: `grpc` is not a media type like `application/grpc`",
                "6: relay.advertise: `0.0.0.0:1` cannot be dialled: an advertised address names one host and a port",
                "9: decoy.folder: this cannot stand beside `decoy.upstream`: one of the two is served",
                "11: metrics.listen: `192.0.2.1:9464` is not a loopback address, and the numbers are for this machine",
                "13: mailboxes.idle: 1min is not between 1h and 366d",
            ]
        );
    }

    #[test]
    fn a_decoy_can_be_another_web_server() {
        let config = read(&format!("{LEAST}[decoy]\nupstream = \"127.0.0.1:80\"\n")).unwrap();
        let address = "127.0.0.1:80".parse().unwrap();
        assert_eq!(config.decoy, DecoySite::Upstream { address, host: None });
    }
}
