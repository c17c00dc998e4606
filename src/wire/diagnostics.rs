//! PING and PONG: whether a peer is there, and how many hops away (spec 3.15).

use super::error::PayloadError;
use super::reader::Reader;

/// What a PING carries, and the PONG that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Random in a PING; a PONG repeats that of the PING it answers.
    pub nonce: [u8; 8],
    /// The TTL this packet was sent with, each of the two its own.
    pub origin_ttl: u8,
}

impl Probe {
    /// The payload: nine bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = self.nonce.to_vec();
        payload.push(self.origin_ttl);
        payload
    }

    /// Reads a payload; what follows the nine bytes has no meaning.
    pub fn decode(payload: &bytes::Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let nonce = reader.array().map_err(|short| short.of_payload("nonce"))?;
        let origin_ttl = reader.u8().map_err(|short| short.of_payload("origin TTL"))?;
        Ok(Self { nonce, origin_ttl })
    }

    /// Over how many hops a packet came that arrived with this TTL: 1 from a neighbour. `None` when the two TTLs
    /// cannot both be true. Neither is signed.
    pub fn hops(&self, received_ttl: u8) -> Option<u8> {
        self.origin_ttl.checked_sub(received_ttl)?.checked_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_relay_on_the_way_is_a_hop_more() {
        let probe = Probe { nonce: [1; 8], origin_ttl: 7 };
        assert_eq!([7, 6, 1, 0].map(|ttl| probe.hops(ttl)), [Some(1), Some(2), Some(7), Some(8)]);
        assert_eq!(probe.hops(8), None);
        assert_eq!(Probe { origin_ttl: 255, ..probe }.hops(0), None);
    }

    #[test]
    fn a_short_payload_is_refused() {
        assert!(Probe::decode(&vec![0; 8].into()).is_err());
        assert_eq!(Probe::decode(&vec![7; 12].into()), Ok(Probe { nonce: [7; 8], origin_ttl: 7 }));
    }
}
