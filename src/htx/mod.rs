//! HTX: a tunnel that looks like ordinary web traffic, one connection at a time, client and server.

#![warn(clippy::indexing_slicing)]

pub mod handshake;
pub mod keys;
