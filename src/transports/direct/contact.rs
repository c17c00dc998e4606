//! Whom the direct transport talks with.

use std::net::SocketAddr;

use iroh::{EndpointAddr, EndpointId, RelayUrl, TransportAddr};

use crate::ids::{Fingerprint, PeerId};

/// What a contact's card says about reaching it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Its peer id.
    pub peer: PeerId,
    /// Its identity.
    pub fingerprint: Fingerprint,
    /// The public key of its endpoint: the subkey its card names.
    pub endpoint: [u8; 32],
    /// Where it was last reachable.
    pub addresses: Vec<SocketAddr>,
    /// Relays it can be reached at.
    pub relays: Vec<String>,
}

impl Contact {
    /// Its endpoint's key; `None` when the card names no point of the curve.
    pub(super) fn endpoint_id(&self) -> Option<EndpointId> {
        EndpointId::from_bytes(&self.endpoint).ok()
    }

    /// All its card says about where its endpoint is; relays are left out unless we use relays ourselves.
    pub(super) fn whereabouts(&self, with_relays: bool) -> Option<EndpointAddr> {
        let addresses = self.addresses.iter().copied().map(TransportAddr::Ip);
        let relays = self.relays.iter().filter(|_| with_relays);
        let relays = relays.filter_map(|url| url.parse::<RelayUrl>().ok()).map(TransportAddr::Relay);
        Some(EndpointAddr::from_parts(self.endpoint_id()?, addresses.chain(relays)))
    }
}
