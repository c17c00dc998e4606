//! The relay: an HTX server that looks like a web site, and keeps mailboxes for those who know better.
//!
//! [`start`] begins it in a home that [`setup::make`] prepared. One task owns the database; the listener and each of
//! its tunnels are tasks of [`crate::net`], and each tunnel has one here that answers its requests (spec 16.2).
//! `docs/relay.md` tells people how to run one, and what it sees.

pub mod config;
mod desk;
pub mod error;
mod lifecycle;
mod mail;
mod metrics;
mod record;
mod rotation;
pub mod setup;
mod store;
mod tunnel;

pub use config::Config;
pub use error::RelayError;
pub use lifecycle::{Relay, Setup, start};
pub use record::RECORD_FILE;
