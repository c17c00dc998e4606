//! The `/v1` HTTP and WebSocket interface of a running node, and its client.
//!
//! [`server`] serves it on a Unix socket in the node's home; [`client`] is the one client, and every command of
//! the command line uses it. Both speak the types of [`schema`], and of the routes that have a file of their own.

pub mod betanet;
pub mod board;
pub mod client;
pub mod contacts;
pub mod counters;
pub mod courier;
pub mod error;
pub mod events;
pub mod files;
pub mod groups;
pub mod history;
mod listener;
pub mod outbox;
pub mod people;
mod report;
pub mod route;
pub mod schema;
pub mod server;
pub mod survey;
pub mod sync;
mod text;
pub mod wishes;

pub use client::Client;
