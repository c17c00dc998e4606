//! HTX: a tunnel that looks like ordinary web traffic, one connection at a time, client and server.
//!
//! [`handshake`] is what a tunnel begins with and [`keys`] what it ends in; [`frame`] is the form of what follows and
//! [`sealing`] its protection. [`record::accept`] says whether what a relay tells about itself counts.

#![warn(clippy::indexing_slicing)]

pub mod error;
pub mod frame;
pub mod handshake;
pub mod keys;
pub mod record;
pub mod sealing;
pub mod varint;
