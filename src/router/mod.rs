//! The router: which transport takes which message, and what happens when it does not arrive.

pub mod config;
pub mod error;
pub mod event;
pub mod measured;

pub use config::Config;
