//! The server's side: one listener, behind which visitors find a web site and ticket holders a tunnel.
//!
//! ```text
//!   listener ── connection ── visitors ── admission ──► gatekeeper (owns the gate)
//!                   │             └────── answer ◄───── decoy
//!                   └── tunnel's task, once a ticket was good ──► Arrival
//! ```

mod admission;
mod answer;
mod config;
mod connection;
mod counters;
mod gatekeeper;
mod http1;
mod listener;
mod running;
mod site;
mod visitors;

pub use config::{Arrival, Commit, Limits, ServerConfig, ServerError};
pub use counters::{Counters, Snapshot};
pub use gatekeeper::GateHandle;
pub use running::Server;
pub(super) use visitors::Visitors;
