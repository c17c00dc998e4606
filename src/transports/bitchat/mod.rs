//! The BLE mesh as a transport: one task that owns a [`crate::mesh::Engine`] and its radio.
//!
//! Upwards it speaks [`super::port`]. What only this transport has (peers, links, adapters) is asked through the
//! [`BitchatHandle`], and followed by its [`Notice`]s.

mod driver;
mod handle;
mod notice;
mod reached;
mod start;
mod status;
mod translate;

pub use handle::{BitchatHandle, Stopped};
pub use notice::Notice;
pub use start::start;
pub use status::{RadioCounters, Status};
