//! The BitChat engine: announces, sessions, flooding, fragments and receipts, without a radio or a clock.

pub mod config;
mod engine;
pub mod event;

pub use config::Config;
pub use engine::Engine;
