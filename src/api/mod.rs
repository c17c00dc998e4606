//! The `/v1` HTTP and WebSocket interface of a running node, and its client.
//!
//! [`server`] serves it on a Unix socket in the node's home; [`client`] is the one client, and every command of
//! the command line uses it. Both speak the types of [`schema`].

pub mod client;
pub mod error;
mod listener;
mod report;
pub mod schema;
pub mod server;
mod text;

pub use client::Client;
