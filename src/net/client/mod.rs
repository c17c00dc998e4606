//! The client's side: a visit to a web site that ends in a tunnel.
//!
//! One connection looks at the site first, a second one must look the same ([`crate::htx::cover`]); only then is
//! a ticket shown on it.

mod attempts;
mod connect;
mod error;
mod options;
mod preflight;
mod ticket;

pub use connect::Client;
pub use error::{ClientError, ConnectError};
pub use options::{ClientOptions, Preflight, Target};
pub(super) use preflight::{look, observation};
pub(super) use ticket::enter;
