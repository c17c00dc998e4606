//! Radio connections become links that carry whole frames.
//!
//! [`LinkLayer`] stands between the radios and the mesh. It decides whom to dial and when, how many links to
//! keep, what to send first and what to drop; it puts inbound bytes together into frames. It reads no more of
//! a frame than its length, and knows of peers only what the mesh tells it ([`event::LinkCommand::Bind`]).

mod budget;
mod config;
pub mod event;
mod frame;
mod inbox;
mod layer;
mod outbox;
mod schedule;

pub use config::Config;
pub use layer::{Counters, Input, LinkInfo, LinkLayer, Output};
