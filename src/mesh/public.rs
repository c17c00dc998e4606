//! Public messages: signed once by whoever holds the identity, carried by every transport as the same bytes.

use bytes::Bytes;

use super::config::{MAX_PUBLIC_TEXT, ORIGIN_TTL};
use super::error::Refusal;
use crate::crypto::Identity;
use crate::ids::PacketId;
use crate::time::UnixMillis;
use crate::wire::{Packet, PacketType, Version};

/// A text for everyone, signed and encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicPacket {
    /// Its id; that of the message too.
    pub id: PacketId,
    /// The frame.
    pub bytes: Bytes,
}

/// Signs a text for everyone.
///
/// No two packets of one identity may carry the same `stamp`: several dedupe keys of the apps rest on it (spec 4.3).
pub fn public_packet(identity: &Identity, text: &str, stamp: UnixMillis) -> Result<PublicPacket, Refusal> {
    match text.len() {
        0 => return Err(Refusal::Empty),
        len if len > MAX_PUBLIC_TEXT => return Err(Refusal::TooLong { len, max: MAX_PUBLIC_TEXT }),
        _ => {}
    }
    let mut packet = Packet {
        version: Version::V1,
        packet_type: PacketType::Message,
        ttl: ORIGIN_TTL,
        timestamp: stamp,
        sender: identity.peer_id(),
        recipient: None,
        route: Vec::new(),
        rsr: false,
        payload: Bytes::copy_from_slice(text.as_bytes()),
        signature: None,
    };
    let preimage = packet.signing_preimage().map_err(|_| Refusal::NotPublic)?;
    packet.signature = Some(identity.sign(&preimage));
    let bytes = packet.encode().map_err(|_| Refusal::NotPublic)?;
    Ok(PublicPacket { id: packet.id(), bytes: bytes.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::verify;
    use crate::wire::Received;

    #[test]
    fn a_public_packet_is_signed_by_its_author_and_found_under_its_id() {
        let identity = Identity::from_bytes(&[3; 64]);
        let made = public_packet(&identity, "to all", UnixMillis(1_800_000_000_000)).unwrap();
        let received = Received::decode(&made.bytes).unwrap();
        assert_eq!(received.packet().id(), made.id);
        assert_eq!(received.packet().sender, identity.peer_id());
        let signature = received.packet().signature.unwrap();
        assert!(verify(&identity.signing_public(), &signature, received.signing_preimages(), ()).is_ok());
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let signed = |text: &str| public_packet(&Identity::from_bytes(&[3; 64]), text, UnixMillis(1));
        assert_eq!(signed(""), Err(Refusal::Empty));
        let long = "a".repeat(MAX_PUBLIC_TEXT + 1);
        assert_eq!(signed(&long), Err(Refusal::TooLong { len: MAX_PUBLIC_TEXT + 1, max: MAX_PUBLIC_TEXT }));
        assert!(signed(&"ä".repeat(MAX_PUBLIC_TEXT / 2)).is_ok());
    }
}
