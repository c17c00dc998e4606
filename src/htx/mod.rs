//! HTX: a tunnel that looks like ordinary web traffic, one connection at a time, client and server.
//!
//! [`Connection`] is one tunnel. [`handshake`] is what it begins with and [`keys`] what that ends in; [`frame`] is the
//! form of what follows and [`sealing`] its protection. [`cover`] is what a tunnel looks like from outside; [`paths`]
//! chooses among relays; [`record::accept`] says whether what a relay tells about itself counts, [`ticket::issue`]
//! makes what a client shows it, and a [`gate::Gate`] is where the relay looks at that.

#![warn(clippy::indexing_slicing)]

pub mod buckets;
mod config;
mod connection;
pub mod cover;
pub mod error;
mod event;
pub mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gate;
pub mod handshake;
pub mod keys;
mod opening;
pub mod paths;
mod pings;
pub mod record;
pub mod sealing;
mod streams;
pub mod ticket;
#[cfg(test)]
mod trials;
mod tunnel;
pub mod varint;

pub use config::TunnelConfig;
pub use connection::{ClientSetup, Connection, ServerSetup};
pub use event::{Event, Input, Output, Role, Side, StreamId};
