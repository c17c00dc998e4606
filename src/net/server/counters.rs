//! What a server counts: numbers without names.

use tokio::sync::watch;

/// What the counts were at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Connections that were accepted.
    pub connections: u64,
    /// Connections that are open.
    pub connections_open: u64,
    /// Connections that were closed at once, because there were enough.
    pub connections_refused: u64,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: u64,
    /// Requests, tunnels among them.
    pub requests: u64,
    /// Requests that were a POST to the tunnel path.
    pub tunnel_posts: u64,
    /// Tickets that were good.
    pub tickets_admitted: u64,
    /// POSTs to the tunnel path whose source had no token left.
    pub tickets_over_budget: u64,
    /// Other POSTs to the tunnel path that were answered by the decoy.
    pub tickets_refused: u64,
    /// Tunnels that are open.
    pub tunnels_open: u64,
    /// Tunnels that were established.
    pub tunnels: u64,
    /// Inner handshakes that failed.
    pub inner_failed: u64,
}

/// Names one of the counts.
type Which = fn(&mut Snapshot) -> &mut u64;

/// Counts of one server, raised while it runs.
#[derive(Debug, Default)]
pub struct Counters(watch::Sender<Snapshot>);

impl Counters {
    /// The counts as they are.
    pub fn snapshot(&self) -> Snapshot {
        *self.0.borrow()
    }

    /// The counts, watched.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.0.subscribe()
    }

    /// One more.
    pub(in crate::net) fn raise(&self, which: Which) {
        self.0.send_modify(|counts| *which(counts) += 1);
    }

    /// One more while the guard lives.
    pub(in crate::net) fn hold(&self, which: Which) -> Held<'_> {
        self.raise(which);
        Held { counters: self, which }
    }
}

/// See [`Counters::hold`].
#[derive(Debug)]
pub(in crate::net) struct Held<'a> {
    counters: &'a Counters,
    which: Which,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.counters.0.send_modify(|counts| *(self.which)(counts) -= 1);
    }
}
