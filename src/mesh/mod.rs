//! The BitChat engine: announces, sessions, flooding, fragments and receipts, without a radio or a clock.

mod airtime;
mod announcer;
mod bindings;
pub mod config;
mod dedup;
pub mod diagnostics;
mod egress;
mod engine;
pub mod error;
pub mod event;
mod fanout;
mod handshake_rate;
mod held;
mod incoming;
mod ingress;
pub mod kept;
mod limits;
mod outgoing;
mod passing;
mod peers;
mod ping;
mod private;
mod public;
mod random;
mod reassembly;
mod receipts;
mod relay;
mod routes;
mod sessions;
pub mod topology;
mod train;

pub use config::Config;
pub use engine::Engine;
pub use public::{PublicPacket, public_packet};
pub use relay::Policy;
