//! QUIC between contacts, straight or through a relay they chose: iroh underneath, one connection per contact.
//!
//! [`start`] makes a running transport; [`DirectHandle`] is what the node needs of it beyond the transport
//! port. One task, the driver, owns every contact's state; each connection has a reader, a writer and a
//! pulse, which talk to the driver over a channel.
//!
//! Only contacts are talked with. Whoever else connects is closed before a single byte of theirs is read, and
//! nothing is published anywhere: an endpoint is found by the addresses in a contact card or, when asked for,
//! by mDNS.

mod config;
mod contact;
mod delivery;
mod dial;
mod driver;
mod endpoint;
mod error;
mod handle;
mod health;
mod link;
mod peer;
mod pulse;
mod start;
mod stations;

pub use config::{Bind, Config};
pub use contact::Contact;
pub use error::StartError;
pub use handle::{ConnectionStatus, DirectHandle, OwnAddresses, PathKind};
pub use iroh::RelayUrl;
pub use start::start;
