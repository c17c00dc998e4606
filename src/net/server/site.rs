//! What all connections of a server share.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::config::{Arrival, Commit, Limits};
use super::counters::Counters;
use super::gatekeeper::GateHandle;
use crate::clock::Clock;
use crate::htx::handshake::Classical;
use crate::net::decoy::Decoy;
use crate::net::tunnel::Emulation;

/// One server, as its connections see it.
pub(super) struct Site {
    pub(super) decoy: Decoy,
    pub(super) gate: GateHandle,
    pub(super) replay: mpsc::Sender<Commit>,
    pub(super) arrivals: mpsc::Sender<Arrival>,
    pub(super) static_secret: Zeroizing<[u8; 32]>,
    pub(super) classical: Classical,
    pub(super) host: String,
    pub(super) tunnel_path: String,
    pub(super) content_type: String,
    pub(super) cookie_name: String,
    pub(super) emulation: Emulation,
    pub(super) limits: Limits,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Clock,
    /// True when everything is to end.
    pub(super) stopping: watch::Receiver<bool>,
}

impl Site {
    /// Whether there may be one more tunnel.
    pub(super) fn has_room(&self) -> bool {
        self.counters.snapshot().tunnels_open < self.limits.tunnels as u64
    }

    /// Waits until everything is to end.
    pub(super) async fn stop(&self) {
        let mut stopping = self.stopping.clone();
        // An error is a server that is gone.
        stopping.wait_for(|stopping| *stopping).await.ok();
    }
}
