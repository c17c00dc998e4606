//! Gossip sync: what the mesh said is remembered for a while, and neighbours tell each other what they missed
//! (spec 3.7).
//!
//! `archive` holds the packets, each kind in a `store` of its own; `schedule` says whom to ask and when, `stalled`
//! which trains of fragments miss a piece; `replies` paces and bounds what we send to those who ask. `sync` ties them to
//! the engine.

mod archive;
pub mod config;
mod kind;
mod replies;
mod schedule;
mod stalled;
mod state;
mod store;
mod sync;

pub(super) use state::Gossip;
