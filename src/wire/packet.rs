//! One BitChat packet as a value, and how it is written (spec 2.1).

use bytes::{BufMut, Bytes};
use sha2::{Digest, Sha256};

use crate::ids::{PacketId, PeerId};
use crate::time::UnixMillis;

use super::compression::WirePayload;
use super::error::EncodeError;
use super::header::{ID_LEN, MAX_HOPS, MAX_PAYLOAD_LEN, SIGNATURE_LEN, Version, flag};
use super::packet_type::PacketType;

/// One BitChat packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The layout.
    pub version: Version,
    /// What the payload is.
    pub packet_type: PacketType,
    /// How many hops it may still make, and this one.
    pub ttl: u8,
    /// When it was made, by its sender's clock.
    pub timestamp: UnixMillis,
    /// Who made it.
    pub sender: PeerId,
    /// For whom it is; see [`Self::is_broadcast`].
    pub recipient: Option<PeerId>,
    /// The hops between sender and recipient, if the sender chose them; version 2 only.
    pub route: Vec<PeerId>,
    /// Whether it answers a REQUEST_SYNC.
    pub rsr: bool,
    /// What it carries, decompressed.
    pub payload: Bytes,
    /// The sender's Ed25519 signature over the [signing preimage](Self::signing_preimage).
    pub signature: Option<[u8; SIGNATURE_LEN]>,
}

impl Packet {
    /// The frame, unpadded; the payload is compressed where the rule of spec 2.3 says so.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        self.frame(&WirePayload::by_rule(self.version, &self.payload))
    }

    /// The packet's name on the mesh (spec 3.7): TTL, flags, recipient, route and signature are not in it.
    pub fn id(&self) -> PacketId {
        let digest = Sha256::new()
            .chain_update([self.packet_type.code()])
            .chain_update(self.sender.as_bytes())
            .chain_update(self.timestamp.0.to_be_bytes())
            .chain_update(&self.payload)
            .finalize();
        let mut id = [0; 16];
        id.iter_mut().zip(digest).for_each(|(byte, digest)| *byte = digest);
        PacketId(id)
    }

    /// Whether it is for everyone: no recipient, or Android's eight FF bytes (spec 2.6).
    pub fn is_broadcast(&self) -> bool {
        self.recipient.is_none_or(|recipient| recipient == PeerId::BROADCAST)
    }

    /// The frame around a payload that is already in its wire form.
    pub(super) fn frame(&self, payload: &WirePayload) -> Result<Vec<u8>, EncodeError> {
        let mut frame = Vec::with_capacity(self.frame_len(payload));
        frame.put_u8(self.version.number());
        frame.put_u8(self.packet_type.code());
        frame.put_u8(self.ttl);
        frame.put_u64(self.timestamp.0);
        frame.put_u8(self.flags(payload));
        frame.extend(self.payload_len(payload)?);
        frame.extend(self.sender.as_bytes());
        if let Some(recipient) = &self.recipient {
            frame.extend(recipient.as_bytes());
        }
        if !self.route.is_empty() {
            frame.put_u8(self.hop_count()?);
            frame.extend(self.route.iter().flat_map(|hop| hop.0));
        }
        frame.extend(&payload.bytes);
        if let Some(signature) = &self.signature {
            frame.extend(signature);
        }
        Ok(frame)
    }

    fn frame_len(&self, payload: &WirePayload) -> usize {
        self.version.header_len() + ID_LEN * (3 + self.route.len()) + payload.bytes.len() + SIGNATURE_LEN
    }

    fn flags(&self, payload: &WirePayload) -> u8 {
        [
            (self.recipient.is_some(), flag::RECIPIENT),
            (self.signature.is_some(), flag::SIGNATURE),
            (payload.compressed, flag::COMPRESSED),
            (!self.route.is_empty(), flag::ROUTE),
            (self.rsr, flag::RSR),
        ]
        .into_iter()
        .filter(|(set, _)| *set)
        .fold(0, |flags, (_, bit)| flags | bit)
    }

    fn payload_len(&self, payload: &WirePayload) -> Result<Vec<u8>, EncodeError> {
        // A receiver holds both sizes against its ceiling: the one on the wire and the one it inflates to.
        for (len, max) in
            [(payload.bytes.len(), self.version.max_payload_len()), (self.payload.len(), MAX_PAYLOAD_LEN)]
        {
            if len > max {
                return Err(EncodeError::TooLong { field: "payload", len, max });
            }
        }
        let len = payload.bytes.len();
        let too_long = EncodeError::TooLong { field: "payload", len, max: self.version.max_payload_len() };
        self.version.size_bytes(len).ok_or(too_long)
    }

    fn hop_count(&self) -> Result<u8, EncodeError> {
        if self.version == Version::V1 {
            return Err(EncodeError::RouteInV1);
        }
        let len = self.route.len();
        u8::try_from(len).map_err(|_| EncodeError::TooLong { field: "route", len, max: MAX_HOPS })
    }
}
