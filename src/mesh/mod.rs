//! The BitChat engine: announces, sessions, flooding, fragments and receipts, without a radio or a clock.

mod announcer;
mod bindings;
pub mod config;
pub mod courier;
mod dedup;
mod egress;
mod engine;
pub mod error;
pub mod event;
mod fanout;
pub mod gossip;
mod handshake_rate;
mod held;
mod incoming;
mod ingress;
pub mod kept;
mod outgoing;
mod passing;
mod peers;
mod prekeys;
mod private;
mod public;
mod random;
mod reassembly;
mod receipts;
mod relay;
mod sessions;
mod train;
pub mod trust;

pub use config::Config;
pub use engine::Engine;
pub use public::{PublicPacket, public_packet};
pub use relay::Policy;
