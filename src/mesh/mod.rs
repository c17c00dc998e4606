//! The BitChat engine: announces, sessions, flooding, fragments and receipts, without a radio or a clock.

mod airtime;
mod announcer;
mod bindings;
pub mod board;
mod board_store;
pub mod config;
pub mod courier;
mod dedup;
pub mod diagnostics;
mod egress;
mod engine;
pub mod error;
pub mod event;
mod fanout;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gossip;
mod handshake_rate;
mod held;
mod incoming;
mod ingress;
pub mod kept;
mod limits;
pub mod media;
mod outgoing;
mod passing;
mod peers;
mod ping;
mod prekeys;
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
pub mod trust;

pub use config::Config;
pub use engine::Engine;
pub use public::{PublicPacket, public_packet};
pub use relay::Policy;
