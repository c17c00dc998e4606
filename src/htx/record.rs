//! Whether a node record counts: signed, not expired, of the relay that was meant, and of a version we speak
//! (betanet-htx 11; R39, R55).

use bytes::Bytes;

use crate::crypto::{SignatureError, Verified, verify};
use crate::ids::NodeId;
use crate::time::UnixMillis;
use crate::wire::record::{HTX_PROTOCOL, RecordError, SignedRecord};

/// The relay that is meant: what a configuration or a contact's card says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Its id, and so its signing key.
    pub node: NodeId,
    /// The X25519 key it must prove to hold, if it is told.
    pub noise_public: Option<[u8; 32]>,
}

/// Why a node record does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordRefused {
    /// No record.
    #[error("no node record: {0}")]
    Decode(#[from] RecordError),
    /// Not signed by the key it names.
    #[error("the record's signature: {0}")]
    Signature(#[from] SignatureError),
    /// Its time is over.
    #[error("the record expired at Unix second {expires}")]
    Expired {
        /// Its expiry.
        expires: u64,
    },
    /// It does not list HTX 1.1; HTX 1.0 is not spoken.
    #[error("the record does not list {HTX_PROTOCOL}")]
    Protocol,
    /// The record of another node than was meant.
    #[error("the record is of node {actual}, not {expected}")]
    Node {
        /// Who was meant.
        expected: NodeId,
        /// Whose it is.
        actual: NodeId,
    },
    /// The node's, but with another X25519 key than the pin's.
    #[error("the record names another Noise key than was pinned")]
    NoiseKey,
}

/// Reads a record and checks all that can be checked of it, against a pin where there is one.
pub fn accept(
    bytes: &Bytes,
    pin: Option<&Pin>,
    now: UnixMillis,
) -> Result<Verified<SignedRecord>, RecordRefused> {
    let signed = SignedRecord::decode(bytes)?;
    if let Some(pin) = pin {
        check_pin(pin, &signed)?;
    }
    let record = signed.record();
    if !record.protocols.iter().any(|protocol| protocol == HTX_PROTOCOL) {
        return Err(RecordRefused::Protocol);
    }
    if now.0 / 1000 >= record.expires {
        return Err(RecordRefused::Expired { expires: record.expires });
    }
    let (key, signature, preimage) = (record.signing_public, *signed.signature(), signed.preimage());
    verify(&key, &signature, [preimage], signed).map_err(|(_, error)| error.into())
}

fn check_pin(pin: &Pin, signed: &SignedRecord) -> Result<(), RecordRefused> {
    let record = signed.record();
    if record.id() != pin.node {
        return Err(RecordRefused::Node { expected: pin.node, actual: record.id() });
    }
    match pin.noise_public {
        Some(pinned) if pinned != record.noise_public => Err(RecordRefused::NoiseKey),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
pub(in crate::htx) mod tests {
    use super::*;
    use crate::crypto::Identity;
    use crate::wire::record::{NodeRecord, Role};

    pub(in crate::htx) fn relay() -> Identity {
        Identity::from_bytes(&[7; 64])
    }

    /// A record that expires at second 2,000,000,000 and has no ticket key.
    pub(in crate::htx) fn record() -> NodeRecord {
        NodeRecord {
            signing_public: relay().signing_public(),
            noise_public: [2; 32],
            protocols: vec![HTX_PROTOCOL.to_owned()],
            ticket_keys: Vec::new(),
            policy: "BN-Ticket: v1; carriers=cookie:0.5,query:0.3,body:0.2; len=24..64".to_owned(),
            cookie_name: "__Host-sid".to_owned(),
            host: "relay.example".to_owned(),
            addresses: vec![core::net::SocketAddr::from(([192, 0, 2, 1], 443))],
            tunnel_path: "/api/events".to_owned(),
            content_type: "application/grpc".to_owned(),
            roles: vec![Role::Entry, Role::Provider],
            mix_keys: Vec::new(),
            weight: 1,
            as_group: 0,
            expires: 2_000_000_000,
        }
    }

    const BEFORE: UnixMillis = UnixMillis(1_999_999_999_999);

    fn signed(change: impl FnOnce(&mut NodeRecord)) -> Bytes {
        let mut record = record();
        change(&mut record);
        record.encode(|preimage| relay().sign(preimage)).unwrap().bytes().clone()
    }

    fn pin() -> Pin {
        Pin { node: record().id(), noise_public: Some([2; 32]) }
    }

    #[test]
    fn r55_a_signed_record_of_the_relay_that_was_meant_is_accepted() {
        let accepted = accept(&signed(|_| {}), Some(&pin()), BEFORE).unwrap();
        assert_eq!(accepted.record(), &record());
        assert!(accept(&signed(|_| {}), None, BEFORE).is_ok());
    }

    #[test]
    fn r55_no_byte_of_a_record_can_be_changed() {
        let bytes = signed(|_| {});
        for at in 0..bytes.len() {
            for bit in [0x01, 0x80] {
                let mut changed = bytes.to_vec();
                changed[at] ^= bit;
                assert!(accept(&changed.into(), None, BEFORE).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn r55_a_record_signed_by_another_or_over_another_domain_is_refused() {
        let other = Identity::from_bytes(&[8; 64]);
        let by_other = record().encode(|preimage| other.sign(preimage)).unwrap();
        let mismatch = Err(RecordRefused::Signature(SignatureError::Mismatch));
        assert_eq!(accept(by_other.bytes(), None, BEFORE), mismatch);
        let no_domain = record().encode(|preimage| relay().sign(&preimage[b"bn-node-v1".len()..])).unwrap();
        assert_eq!(accept(no_domain.bytes(), None, BEFORE), mismatch);
    }

    #[test]
    fn r55_a_record_counts_until_the_second_it_expires_in() {
        let bytes = signed(|_| {});
        assert!(accept(&bytes, None, BEFORE).is_ok());
        let refused = accept(&bytes, None, UnixMillis(2_000_000_000_000));
        assert_eq!(refused, Err(RecordRefused::Expired { expires: 2_000_000_000 }));
    }

    #[test]
    fn r55_a_pin_names_the_node_and_its_noise_key() {
        let bytes = signed(|_| {});
        let other = NodeId::of(&[9; 32]);
        assert_eq!(
            accept(&bytes, Some(&Pin { node: other, ..pin() }), BEFORE),
            Err(RecordRefused::Node { expected: other, actual: record().id() })
        );
        assert_eq!(
            accept(&bytes, Some(&Pin { noise_public: Some([3; 32]), ..pin() }), BEFORE),
            Err(RecordRefused::NoiseKey)
        );
        assert!(accept(&bytes, Some(&Pin { noise_public: None, ..pin() }), BEFORE).is_ok());
    }

    #[test]
    fn r39_a_record_lists_htx_1_1_and_one_that_lists_1_0_only_is_refused() {
        let protocols = |protocols: &[&str]| {
            let bytes = signed(|record| {
                record.protocols = protocols.iter().map(|&protocol| protocol.to_owned()).collect();
            });
            accept(&bytes, None, BEFORE).map(drop)
        };
        assert_eq!(HTX_PROTOCOL, "/betanet/htx/1.1.0");
        assert_eq!(protocols(&["/betanet/htx/1.1.0"]), Ok(()));
        assert_eq!(protocols(&["/betanet/htxquic/1.1.0", "/betanet/htx/1.1.0"]), Ok(()));
        assert_eq!(protocols(&["/betanet/htx/1.0.0"]), Err(RecordRefused::Protocol));
        assert_eq!(protocols(&["/betanet/htxquic/1.1.0"]), Err(RecordRefused::Protocol), "no TLS");
        assert_eq!(protocols(&["/betanet/htx/1.1.00"]), Err(RecordRefused::Protocol));
        assert_eq!(protocols(&[]), Err(RecordRefused::Protocol));
    }
}
