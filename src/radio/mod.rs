//! Radios: what turns [`crate::link::event`] into connections, writes and notifications.
//!
//! Every radio is a task (or several) behind one [`RadioHandle`]. It decides nothing; the link layer does.

#[cfg(feature = "bluez")]
pub mod bluez;
pub mod handle;
pub mod simulated;

pub use handle::{RadioHandle, RadioPort, absent, channel};
