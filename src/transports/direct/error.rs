//! Why the direct transport does not start.

use std::net::SocketAddr;

use iroh::endpoint::{BindError, EndpointError, InvalidSocketAddr};

/// Why the direct transport does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No socket is configured.
    #[error("the direct transport has no address to bind to")]
    NoAddress,
    /// Two sockets for the same destinations, or a prefix that cannot be.
    #[error("cannot bind to {address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What is wrong with it.
        source: InvalidSocketAddr,
    },
    /// A socket cannot be opened: its port is taken, or the address is not ours.
    #[error("cannot open the direct transport's sockets: {0}")]
    Bind(#[from] BindError),
    /// mDNS cannot join its multicast group.
    #[error("cannot start mDNS: {0}")]
    Mdns(#[from] iroh::address_lookup::AddressLookupBuilderError),
    /// The endpoint was closed while it was set up.
    #[error(transparent)]
    Closed(#[from] EndpointError),
}
