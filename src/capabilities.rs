//! What a transport can do, how it is, and whom it reaches: all a decision between transports rests on.
//!
//! The fields are those of the founding document (chapters 3, 4 and 7); sizes are bytes, bandwidth is bits a
//! second.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A way to carry messages, by the name used everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransportKey {
    /// The BLE mesh.
    Bitchat,
    /// HTX and the mixnet.
    Betanet,
    /// QUIC between contacts.
    Direct,
}

/// The text names no transport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a transport is `bitchat`, `betanet` or `direct`, not `{0}`")]
pub struct UnknownTransport(pub String);

impl TransportKey {
    /// Every transport there is.
    pub const ALL: [Self; 3] = [Self::Bitchat, Self::Betanet, Self::Direct];

    /// The word used in configuration, on the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bitchat => "bitchat",
            Self::Betanet => "betanet",
            Self::Direct => "direct",
        }
    }
}

impl fmt::Display for TransportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TransportKey {
    type Err = UnknownTransport;

    /// Reads the key, or the founding document's name for it.
    fn from_str(text: &str) -> Result<Self, UnknownTransport> {
        match text {
            "bitchat" | "ble" => Ok(Self::Bitchat),
            "betanet" | "htx" => Ok(Self::Betanet),
            "direct" | "mesh" => Ok(Self::Direct),
            _ => Err(UnknownTransport(text.to_owned())),
        }
    }
}

/// What a transport does to a battery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BatteryImpact {
    /// Radio or processor wake only for our own messages.
    Low,
    /// Something wakes regularly.
    Medium,
    /// Something is always on.
    High,
}

impl BatteryImpact {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a transport can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Carries a message to one peer.
    pub unicast: bool,
    /// Carries a message to everyone in reach.
    pub broadcast: bool,
    /// Carries a message to several named peers in one go.
    pub multicast: bool,
    /// The longest message to one peer, in bytes.
    pub max_message_size: usize,
    /// The longest message to everyone, in bytes; 0 without broadcast.
    pub max_broadcast_size: usize,
    /// Works with no infrastructure at all.
    pub offline_capable: bool,
    /// Works only with the internet in reach.
    pub needs_internet: bool,
    /// How many nodes a message may cross; 1 means straight to the recipient.
    pub max_hops: u8,
    /// Encrypts a message for its recipient alone.
    pub encryption: bool,
    /// A key stolen later does not open what was carried earlier.
    pub forward_secrecy: bool,
    /// 0 nothing hidden, 1 no names outside the encryption, 2 no addresses either, 3 not who talks with whom.
    pub anonymity_level: u8,
    /// What it does to a battery.
    pub battery_impact: BatteryImpact,
    /// How long a message takes until its receipt is back, before anything was measured.
    pub typical_latency: Duration,
    /// Bits a second for one sender, roughly.
    pub bandwidth: u64,
    /// Small messages to one peer may share one write.
    pub batching: bool,
    /// Tells the sender what arrived. Otherwise a message that was sent is done.
    pub receipts: bool,
    /// Keeps a message for a recipient who is away: a receipt that is late says nothing against it.
    pub keeps: bool,
}

/// The anonymity level that "privacy required" stands for.
pub const PRIVATE: u8 = 3;

impl Capabilities {
    /// The BLE mesh: sizes as in the mesh's own limits (spec 3.6), hops and level as in the founding document.
    pub const BITCHAT: Self = Self {
        unicast: true,
        broadcast: true,
        multicast: true,
        max_message_size: 32 * 252,
        max_broadcast_size: 60_000,
        offline_capable: true,
        needs_internet: false,
        max_hops: 7,
        encryption: true,
        forward_secrecy: true,
        anonymity_level: 1,
        battery_impact: BatteryImpact::Medium,
        typical_latency: Duration::from_secs(2),
        bandwidth: 100_000,
        batching: false,
        receipts: true,
        keeps: false,
    };

    /// HTX to one relay that keeps the recipient's mailbox: the relay sees our address and which mailbox is used.
    /// Size, latency and bandwidth as the founding document states them.
    pub const BETANET: Self = Self {
        unicast: true,
        broadcast: false,
        multicast: false,
        max_message_size: 1 << 20,
        max_broadcast_size: 0,
        offline_capable: false,
        needs_internet: true,
        max_hops: 2,
        encryption: true,
        forward_secrecy: false,
        anonymity_level: 1,
        battery_impact: BatteryImpact::Low,
        typical_latency: Duration::from_millis(500),
        bandwidth: 10_000_000,
        batching: true,
        receipts: true,
        keeps: true,
    };

    /// QUIC between contacts: it needs an IP path, which a LAN is too.
    pub const DIRECT: Self = Self {
        unicast: true,
        broadcast: true,
        multicast: true,
        max_message_size: 1 << 20,
        max_broadcast_size: 60_000,
        offline_capable: false,
        needs_internet: false,
        max_hops: 1,
        encryption: true,
        forward_secrecy: true,
        anonymity_level: 0,
        battery_impact: BatteryImpact::Medium,
        typical_latency: Duration::from_millis(100),
        bandwidth: 100_000_000,
        batching: true,
        receipts: true,
        keeps: false,
    };

    /// The longest message it takes, to one peer or to everyone.
    pub const fn max_size(&self, everyone: bool) -> usize {
        if everyone { self.max_broadcast_size } else { self.max_message_size }
    }
}

/// How a transport is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// It works.
    Up,
    /// It does not.
    Down(DownReason),
}

impl Health {
    /// Whether it works.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Up)
    }
}

/// Why a transport does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DownReason {
    /// It has not come up yet.
    Starting,
    /// The configuration switches it off.
    Disabled,
    /// There is no Bluetooth adapter, or none that works.
    NoAdapter,
    /// The machine has no network address.
    NoNetwork,
    /// No configured relay answers.
    NoRelay,
    /// The configuration names no relay.
    NoRelayConfigured,
    /// It stopped by itself.
    Failed,
    /// The node is stopping.
    Stopping,
}

impl DownReason {
    /// The words used in the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Disabled => "switched off in the configuration",
            Self::NoAdapter => "no adapter",
            Self::NoNetwork => "no network",
            Self::NoRelay => "no relay reachable",
            Self::NoRelayConfigured => "no relay configured",
            Self::Failed => "stopped by itself",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a transport reaches one recipient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// It does not know a way.
    #[default]
    No,
    /// It knows a way it has not tried lately: an address without a connection.
    Perhaps,
    /// It has a way: a connection, a neighbour, a peer heard over the mesh.
    Yes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_founding_documents_names_are_read_and_never_printed() {
        for (alias, key) in
            [("ble", TransportKey::Bitchat), ("htx", TransportKey::Betanet), ("mesh", TransportKey::Direct)]
        {
            assert_eq!(alias.parse(), Ok(key));
            assert_ne!(key.to_string(), alias);
        }
        for key in TransportKey::ALL {
            assert_eq!(key.as_str().parse(), Ok(key));
        }
        assert_eq!("lora".parse::<TransportKey>(), Err(UnknownTransport("lora".to_owned())));
    }
}
