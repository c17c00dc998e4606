//! TLS and HTTP/2 around a tunnel, and the web site that everyone else sees.
//!
//! [`client::Client::connect`] and [`server::Server::start`] make [`tunnel::Tunnel`]s: on one side by visiting a
//! web site and showing a ticket, on the other by being that web site and knowing a ticket when it comes.
//! [`probe`] tells what a host shows to a plain visitor, and [`lint`] holds a relay against the requirements.

pub mod client;
mod date;
pub mod decoy;
mod http2;
pub mod lint;
pub mod probe;
pub mod server;
mod session;
mod tee;
pub mod tls;
pub mod tunnel;

pub use session::{Answer, Step, VisitError};
