//! HTX: a tunnel that looks like ordinary web traffic, one connection at a time, client and server.
//!
//! [`record::accept`] says whether what a relay tells about itself counts, [`ticket::issue`] makes what a client shows
//! it, and a [`gate::Gate`] is where the relay looks at that.

#![warn(clippy::indexing_slicing)]

pub mod buckets;
pub mod gate;
pub mod record;
pub mod ticket;
