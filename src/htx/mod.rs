//! HTX: a tunnel that looks like ordinary web traffic, one connection at a time, client and server.
//!
//! [`handshake`] is what a tunnel begins with and [`keys`] what it ends in. [`cover`] is what a tunnel looks like from
//! outside; [`paths`] chooses among relays; [`record::accept`] says whether what a relay tells about itself counts,
//! [`ticket::issue`] makes what a client shows it, and a [`gate::Gate`] is where the relay looks at that.

#![warn(clippy::indexing_slicing)]

pub mod buckets;
pub mod cover;
pub mod gate;
pub mod handshake;
pub mod keys;
pub mod paths;
pub mod record;
pub mod ticket;
