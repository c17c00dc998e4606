//! What a server counts: numbers without names.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$about:meta])+ $name:ident,)+) => {
        /// Counts of one server, raised while it runs.
        #[derive(Debug, Default)]
        pub struct Counters {
            $(pub(in crate::net) $name: Count,)+
        }

        /// What the counts were at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Snapshot {
            $($(#[$about])+ pub $name: u64,)+
        }

        impl Counters {
            /// The counts as they are.
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.get(),)+ }
            }
        }
    };
}

counters! {
    /// Connections that were accepted.
    connections,
    /// Connections that are open.
    connections_open,
    /// Connections that were closed at once, because there were enough.
    connections_refused,
    /// TLS handshakes that failed or took too long.
    handshakes_failed,
    /// Requests, tunnels among them.
    requests,
    /// Requests that were a POST to the tunnel path.
    tunnel_posts,
    /// Tickets that were good.
    tickets_admitted,
    /// POSTs to the tunnel path whose source had no token left.
    tickets_over_budget,
    /// Other POSTs to the tunnel path that were answered by the decoy.
    tickets_refused,
    /// Tunnels that are open.
    tunnels_open,
    /// Tunnels that were established.
    tunnels,
    /// Inner handshakes that failed.
    inner_failed,
}

/// One number.
#[derive(Debug, Default)]
pub(in crate::net) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(in crate::net) fn raise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub(in crate::net) fn lower(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// The number.
    pub(in crate::net) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more while the guard lives.
    pub(in crate::net) fn hold(&self) -> Held<'_> {
        self.raise();
        Held(self)
    }
}

/// See [`Count::hold`].
#[derive(Debug)]
pub(in crate::net) struct Held<'a>(&'a Count);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.lower();
    }
}
