//! HTX: a tunnel that looks like ordinary web traffic, one connection at a time, client and server.
//!
//! [`record::accept`] says whether what a relay tells about itself counts.

#![warn(clippy::indexing_slicing)]

pub mod record;
