//! What a tunnel shows to those who look on from outside: the same connection as any visit to the same site (spec 3),
//! and a behaviour without a period (spec 9).
//!
//! [`FirstFlight`] reads what a server's HTTP/2 begins with, an [`Observation`] is all that a visit showed, and a
//! [`Baseline`] refuses the connection that shows anything else, before a ticket is sent. [`Pings`], [`IdlePadding`]
//! and [`lifetime`] say when to do what.

mod baseline;
mod cache;
mod first_flight;
mod leaf_key;
mod lifetime;
mod padding;
mod pings;
#[cfg(test)]
mod statistics;
pub(in crate::htx) mod uniform;

pub use baseline::{Baseline, Mismatch, Observation};
pub use cache::Cache;
pub use first_flight::{FirstFlight, MAX_FLIGHT_LEN, MAX_SETTINGS};
pub use leaf_key::LeafKey;
pub use lifetime::{Lifetime, lifetime};
pub use padding::{IdlePadding, MAX_PADDING_LEN};
pub use pings::Pings;
