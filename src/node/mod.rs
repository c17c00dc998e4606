//! The running node: one task that owns one [`crate::mesh::Engine`], a radio, a clock and a home on disk.
//!
//! [`lifecycle::start`] begins it and gives a [`NodeHandle`], which is all that anybody else holds. Nobody but
//! this room spawns tasks that outlive a call.

pub mod config;
mod driver;
pub mod error;
pub mod handle;
pub mod home;
pub mod lifecycle;
pub mod name;
pub mod radio;
mod sent;
pub mod status;

pub use crate::clock;

pub use handle::NodeHandle;
pub use sent::SentMessage;
