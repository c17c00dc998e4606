//! How a client goes about it, and where it goes.

use std::net::SocketAddr;

use zeroize::Zeroizing;

use crate::htx::handshake::{Classical, Suite};
use crate::net::tls::Roots;
use crate::net::tunnel::Emulation;
use crate::wire::record::NodeRecord;

/// How a client goes about it.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Which certificates are believed.
    pub roots: Roots,
    /// The suite of the inner handshake. There is no falling back to another.
    pub suite: Suite,
    /// When suite 0x01 may still be used.
    pub classical: Classical,
    /// When the web site is looked at.
    pub preflight: Preflight,
    /// What tunnels do to look like visits.
    pub emulation: Emulation,
    /// Fresh randomness. Where it is the same, so is everything that is drawn.
    pub seed: Zeroizing<[u8; 32]>,
}

impl ClientOptions {
    /// The usual way, with fresh randomness that is handed in.
    pub fn new(seed: Zeroizing<[u8; 32]>) -> Self {
        Self {
            roots: Roots::Public,
            suite: Suite::default(),
            classical: Classical::default(),
            preflight: Preflight::Cached,
            emulation: Emulation::default(),
            seed,
        }
    }
}

/// When the web site is looked at (O-8, D-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// Right before each tunnel.
    Strict,
    /// Within the last 24 hours; looked at again in the background when half of that is over.
    Cached,
}

/// A relay to connect to.
#[derive(Debug, Clone)]
pub struct Target {
    pub(super) record: NodeRecord,
    pub(super) addresses: Vec<SocketAddr>,
}

impl Target {
    /// The relay of a node record, at the addresses that stand in it. Whether the record is signed and in date
    /// is for the caller to know.
    pub fn new(record: NodeRecord) -> Self {
        let addresses = record.addresses.clone();
        Self { record, addresses }
    }

    /// The same relay at another address.
    pub fn at(self, address: SocketAddr) -> Self {
        Self { addresses: vec![address], ..self }
    }
}
