//! What the direct transport is told once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use iroh::RelayUrl;

/// Settings of the direct transport. The default publishes nothing, uses no relay and asks no multicast group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The UDP sockets to open.
    pub bind: Vec<Bind>,
    /// The addresses for our contact card; when empty, those that are found.
    pub advertise: Vec<SocketAddr>,
    /// Relays we may be reached at. Without one, no relay is used at all, a contact's neither.
    pub relays: Vec<RelayUrl>,
    /// Whether contacts are looked for on the local network by mDNS, which tells it that we are here.
    pub mdns: bool,
    /// How often a connection in use is felt for.
    pub keep_alive: Duration,
    /// After how much silence a connection in use counts as broken.
    pub silence: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let any = |ip: IpAddr| SocketAddr::new(ip, 0);
        Self {
            bind: vec![
                Bind { required: false, ..Bind::from(any(Ipv4Addr::UNSPECIFIED.into())) },
                Bind { required: false, ..Bind::from(any(Ipv6Addr::UNSPECIFIED.into())) },
            ],
            advertise: Vec::new(),
            relays: Vec::new(),
            mdns: false,
            keep_alive: Duration::from_secs(1),
            silence: Duration::from_secs(3),
        }
    }
}

impl Config {
    /// Whether a socket has a port of its own choice.
    pub(super) fn has_fixed_port(&self) -> bool {
        self.bind.iter().any(|bind| bind.address.port() != 0)
    }

    /// Whether relays are used.
    pub(super) fn uses_relays(&self) -> bool {
        !self.relays.is_empty()
    }

    /// The same, with whatever ports are free.
    pub(super) fn on_any_port(&self) -> Self {
        let mut config = self.clone();
        for bind in &mut config.bind {
            bind.address.set_port(0);
        }
        config
    }
}

/// One UDP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind {
    /// Where; port 0 for any that is free.
    pub address: SocketAddr,
    /// Datagrams that nobody asked for go only to addresses that share this many leading bits with ours.
    /// 0 means anywhere; with all bits, no path but through this very address can come about, however many
    /// candidates for hole punching the other side names.
    pub prefix: u8,
    /// Whether the transport cannot start without it.
    pub required: bool,
}

impl From<SocketAddr> for Bind {
    fn from(address: SocketAddr) -> Self {
        Self { address, prefix: 0, required: true }
    }
}

impl Bind {
    /// A socket that begins no flow but to its own IP address: for tests that decide which way datagrams go.
    pub fn confined(address: SocketAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix, required: true }
    }
}
