//! The BLE mesh as a transport: one task owns a [`crate::mesh::Engine`] and a radio.
//!
//! [`start`] makes it run; [`BitchatHandle`] is what the node needs of it beyond the transport port: who is
//! heard, how the radio is, and what happens on the mesh.

mod board;
mod driver;
mod files;
mod handle;
mod reached;
mod start;
mod translate;

pub use board::{BitchatStatus, RadioCounters};
pub use files::Arrival;
pub use handle::BitchatHandle;
pub use start::start;
