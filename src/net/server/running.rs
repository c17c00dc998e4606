//! A server that runs.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig as TlsConfig;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::config::{Arrival, ServerConfig, ServerError};
use super::counters::Counters;
use super::gatekeeper::GateHandle;
use super::listener::listen;
use super::site::Site;
use crate::clock::Clock;
use crate::net::tls::{Identity, TlsError, server_config};

/// Tunnels that wait for the relay to take them.
const ARRIVALS: usize = 64;

/// A running server. Dropped, it stops at once; see [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    counters: Arc<Counters>,
    gate: GateHandle,
    tls: watch::Sender<Arc<TlsConfig>>,
    stopping: watch::Sender<bool>,
    /// One task; dropped, it is stopped, and every connection with it.
    listener: JoinSet<()>,
}

impl Server {
    /// Opens the sockets and serves. What comes in with a good ticket comes out of the channel; while nobody
    /// takes it, further tunnels wait.
    pub async fn start(
        config: ServerConfig,
        clock: Clock,
    ) -> Result<(Self, mpsc::Receiver<Arrival>), ServerError> {
        let tls = server_config(&config.identity)?;
        let sockets = bind(&config.listen).await?;
        let addresses = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let (tls, current) = watch::channel(tls);
        let (stopping, watched) = watch::channel(false);
        let (arrive, arrivals) = mpsc::channel(ARRIVALS);
        let gate = GateHandle::start(config.gate, &config.seed, clock);
        let site = Arc::new(Site {
            decoy: config.decoy,
            gate: gate.clone(),
            replay: config.replay,
            arrivals: arrive,
            static_secret: config.static_secret,
            classical: config.classical,
            host: config.host,
            tunnel_path: config.tunnel_path,
            content_type: config.content_type,
            cookie_name: config.cookie_name,
            emulation: config.emulation,
            limits: config.limits,
            counters: Arc::default(),
            clock,
            stopping: watched,
        });
        let counters = Arc::clone(&site.counters);
        let mut listener = JoinSet::new();
        listener.spawn(listen(sockets, site, current));
        Ok((Self { addresses, counters, gate, tls, stopping, listener }, arrivals))
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// The handle on its gate.
    pub fn gate(&self) -> GateHandle {
        self.gate.clone()
    }

    /// Shows another certificate from the next connection on.
    pub fn set_certificate(&self, identity: &Identity) -> Result<(), TlsError> {
        self.tls.send_replace(server_config(identity)?);
        Ok(())
    }

    /// Accepts nothing more, closes every tunnel and says goodbye on every connection. Returns when all are gone;
    /// what does not end within seconds is cut.
    pub async fn shutdown(mut self) {
        self.stopping.send_replace(true);
        while self.listener.join_next().await.is_some() {}
    }
}

async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ServerError> {
    let mut sockets = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let socket = TcpListener::bind(address).await;
        sockets.push(socket.map_err(|source| ServerError::Listen { address, source })?);
    }
    if sockets.is_empty() { Err(ServerError::NoAddress) } else { Ok(sockets) }
}
