//! The BitChat engine: announces, sessions, flooding, fragments and receipts, without a radio or a clock.

mod announcer;
mod bindings;
pub mod board;
mod board_store;
pub mod config;
mod dedup;
mod egress;
mod engine;
pub mod error;
pub mod event;
mod fanout;
mod group_store;
mod group_telling;
pub mod groups;
mod handshake_rate;
mod held;
mod incoming;
mod ingress;
pub mod kept;
mod outgoing;
mod peers;
mod private;
mod public;
mod random;
mod reassembly;
mod receipts;
mod relay;
mod sessions;
mod train;

pub use config::Config;
pub use engine::Engine;
pub use public::{PublicPacket, public_packet};
