//! What a server is started with, and what it gives back.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::htx::gate::{Gate, ReplayEntry};
use crate::htx::handshake::Classical;
use crate::net::decoy::Decoy;
use crate::net::tls::{Identity, TlsError};
use crate::net::tunnel::{Emulation, Tunnel};

/// Everything about a server.
pub struct ServerConfig {
    /// Where to listen. Port 0 takes any.
    pub listen: Vec<SocketAddr>,
    /// The certificate of the host, and its key.
    pub identity: Identity,
    /// The web site.
    pub decoy: Decoy,
    /// Who gets a tunnel. The server's own task owns it from here on.
    pub gate: Gate,
    /// Who remembers used tickets on disk.
    pub replay: mpsc::Sender<Commit>,
    /// The private half of the node record's X25519 key.
    pub static_secret: Zeroizing<[u8; 32]>,
    /// Whether suite 0x01 is taken.
    pub classical: Classical,
    /// The host of the node record.
    pub host: String,
    /// The tunnel path of the node record.
    pub tunnel_path: String,
    /// The content type of the node record.
    pub content_type: String,
    /// The cookie name of the node record.
    pub cookie_name: String,
    /// What tunnels do to look like visits.
    pub emulation: Emulation,
    /// How much of everything.
    pub limits: Limits,
    /// Fresh randomness. Where it is the same, so is every tunnel's.
    pub seed: Zeroizing<[u8; 32]>,
}

/// How much of everything a server has, and how long it waits.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections. Those beyond are closed at once.
    pub connections: usize,
    /// Connections from one IPv4 address or one IPv6 /64.
    pub connections_per_ip: usize,
    /// Tunnels. A ticket beyond is answered by the decoy.
    pub tunnels: usize,
    /// For the TLS handshake, and for the head of an HTTP/1.1 request.
    pub handshake: Duration,
    /// For a connection without a request, and for an answer that nobody takes.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_ip: 8,
            tunnels: 512,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(75),
        }
    }
}

/// A ticket that was used: to be brought to disk before its tunnel is accepted.
#[derive(Debug)]
pub struct Commit {
    /// What to remember.
    pub entry: ReplayEntry,
    /// To be answered when it is on disk. Dropped, it refuses the ticket.
    pub done: oneshot::Sender<()>,
}

/// A client came in.
#[derive(Debug)]
pub struct Arrival {
    /// Its tunnel.
    pub tunnel: Tunnel,
    /// Where it came from.
    pub source: SocketAddr,
    /// A name for logs: the hash of the ticket's nonce.
    pub tunnel_id: [u8; 32],
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No address was given.
    #[error("there is no address to listen at")]
    NoAddress,
    /// An address is taken, or not ours.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate or its key is refused.
    #[error(transparent)]
    Tls(#[from] TlsError),
}
