//! HTX: a tunnel that looks like ordinary web traffic, one connection at a time, client and server.
//!
//! [`handshake`] is what a tunnel begins with and [`keys`] what it ends in; [`frame`] is the form of what follows and
//! [`sealing`] its protection. [`cover`] is what a tunnel looks like from outside; [`paths`] chooses among relays;
//! [`record::accept`] says whether what a relay tells about itself counts.

#![warn(clippy::indexing_slicing)]

pub mod cover;
pub mod error;
pub mod frame;
pub mod handshake;
pub mod keys;
pub mod paths;
pub mod record;
pub mod sealing;
pub mod varint;
