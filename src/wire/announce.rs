//! ANNOUNCE: who is here (spec 3.1).

use bytes::Bytes;

use crate::ids::{Fingerprint, PeerId};

use super::capabilities::Capabilities;
use super::error::{EncodeError, PayloadError};
use super::header::ID_LEN;
use super::reader::Reader;
use super::tlv::{self, Tlv, at_most};

/// The most neighbours an announce names.
pub const MAX_NEIGHBOURS: usize = 10;

/// The most characters (of base 32, so bytes) of a bridge cell.
const MAX_GEOHASH_LEN: usize = 12;

mod tag {
    pub(super) const NICKNAME: u8 = 0x01;
    pub(super) const NOISE_PUBLIC: u8 = 0x02;
    pub(super) const SIGNING_PUBLIC: u8 = 0x03;
    pub(super) const NEIGHBOURS: u8 = 0x04;
    pub(super) const CAPABILITIES: u8 = 0x05;
    pub(super) const BRIDGE_GEOHASH: u8 = 0x06;
}

/// What a node tells everyone about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// The name it wants to be shown with: neither unique nor proven.
    pub nickname: String,
    /// Its Noise static key (X25519): its identity.
    pub noise_public: [u8; 32],
    /// The Ed25519 key its packets are signed with.
    pub signing_public: [u8; 32],
    /// The peers it has links to, at most [`MAX_NEIGHBOURS`].
    pub neighbours: Vec<PeerId>,
    /// What it says it can do.
    pub capabilities: Option<Capabilities>,
    /// The cell it bridges to the internet: 1 to 12 characters.
    pub bridge_geohash: Option<String>,
}

impl Announce {
    /// The payload, its fields in the order of the iOS app; no field for no neighbours.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut payload = Vec::new();
        tlv::put(&mut payload, tag::NICKNAME, "nickname", self.nickname.as_bytes())?;
        tlv::put(&mut payload, tag::NOISE_PUBLIC, "Noise key", &self.noise_public)?;
        tlv::put(&mut payload, tag::SIGNING_PUBLIC, "signing key", &self.signing_public)?;
        if !self.neighbours.is_empty() {
            let ids: Vec<u8> = self.neighbours.iter().flat_map(|neighbour| neighbour.0).collect();
            at_most("neighbours", ids.len(), MAX_NEIGHBOURS * ID_LEN)?;
            tlv::put(&mut payload, tag::NEIGHBOURS, "neighbours", &ids)?;
        }
        if let Some(capabilities) = self.capabilities {
            tlv::put(&mut payload, tag::CAPABILITIES, "capabilities", &capabilities.encode())?;
        }
        if let Some(geohash) = &self.bridge_geohash {
            if geohash.is_empty() {
                return Err(EncodeError::Empty { field: "bridge geohash" });
            }
            at_most("bridge geohash", geohash.len(), MAX_GEOHASH_LEN)?;
            tlv::put(&mut payload, tag::BRIDGE_GEOHASH, "bridge geohash", geohash.as_bytes())?;
        }
        Ok(payload)
    }

    /// Reads the fields in any order, without those it does not know.
    ///
    /// Of a field that comes twice the last one counts, as in both apps: an announce that one node believes and
    /// another does not would split the mesh. So optional fields are not refused either: neighbours beyond
    /// [`MAX_NEIGHBOURS`] and a partial id are cut off, a malformed geohash is no geohash.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let (mut nickname, mut noise_public, mut signing_public) = (None, None, None);
        let (mut neighbours, mut capabilities, mut bridge_geohash) = (Vec::new(), None, None);
        let mut reader = Reader::new(payload);
        while let Some(field) = Tlv::read(&mut reader)? {
            match field.tag {
                tag::NICKNAME => nickname = Some(field.text("nickname")?),
                tag::NOISE_PUBLIC => noise_public = Some(field.array("Noise key", "32")?),
                tag::SIGNING_PUBLIC => signing_public = Some(field.array("signing key", "32")?),
                tag::NEIGHBOURS => neighbours = peer_ids(&field.value),
                tag::CAPABILITIES => capabilities = Some(Capabilities::decode(&field.value)),
                tag::BRIDGE_GEOHASH => bridge_geohash = geohash(&field.value),
                _ => {}
            }
        }
        Ok(Self {
            nickname: nickname.ok_or(PayloadError::Missing { field: "nickname" })?,
            noise_public: noise_public.ok_or(PayloadError::Missing { field: "Noise key" })?,
            signing_public: signing_public.ok_or(PayloadError::Missing { field: "signing key" })?,
            neighbours,
            capabilities,
            bridge_geohash,
        })
    }

    /// The identity it claims; its peer id must be the packet's sender.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.noise_public)
    }
}

fn peer_ids(value: &[u8]) -> Vec<PeerId> {
    value.chunks_exact(ID_LEN).take(MAX_NEIGHBOURS).filter_map(|id| id.try_into().ok().map(PeerId)).collect()
}

fn geohash(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    (1..=MAX_GEOHASH_LEN).contains(&text.len()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Announce {
        Announce {
            nickname: "alice".into(),
            noise_public: [1; 32],
            signing_public: [2; 32],
            neighbours: vec![],
            capabilities: None,
            bridge_geohash: None,
        }
    }

    fn with_field(tag: u8, value: &[u8]) -> Result<Announce, PayloadError> {
        let mut payload = alice().encode().unwrap();
        tlv::put(&mut payload, tag, "test", value).unwrap();
        Announce::decode(&payload.into())
    }

    #[test]
    fn the_last_of_two_equal_fields_counts() {
        assert_eq!(with_field(tag::NICKNAME, b"bob").unwrap().nickname, "bob");
    }

    #[test]
    fn unknown_fields_are_skipped_and_optional_ones_never_fatal() {
        assert_eq!(with_field(0x7F, b"?").unwrap(), alice());
        assert_eq!(with_field(tag::NEIGHBOURS, &[]).unwrap(), alice());
        assert_eq!(with_field(tag::NEIGHBOURS, &[7; 12]).unwrap().neighbours, [PeerId([7; 8])]);
        assert_eq!(with_field(tag::NEIGHBOURS, &[7; 248]).unwrap().neighbours.len(), MAX_NEIGHBOURS);
        assert_eq!(with_field(tag::BRIDGE_GEOHASH, b"u33dc").unwrap().bridge_geohash.unwrap(), "u33dc");
        assert_eq!(with_field(tag::BRIDGE_GEOHASH, &[b'u'; 13]).unwrap().bridge_geohash, None);
    }

    #[test]
    fn required_fields_are_required_and_whole() {
        assert_eq!(Announce::decode(&Bytes::new()), Err(PayloadError::Missing { field: "nickname" }));
        let error = with_field(tag::NOISE_PUBLIC, &[1; 31]).unwrap_err();
        assert_eq!(error.to_string(), "payload offset 75: the Noise key has 31 bytes, not 32");
        let error = with_field(tag::NICKNAME, b"al\xFFce").unwrap_err();
        assert_eq!(error.to_string(), "payload offset 79: the nickname is not UTF-8");
        let cut = alice().encode().unwrap().split_off(1);
        assert!(matches!(Announce::decode(&cut.into()), Err(PayloadError::Truncated { .. })));
    }

    #[test]
    fn what_no_receiver_would_read_is_not_written() {
        let crowded = Announce { neighbours: vec![PeerId([7; 8]); 11], ..alice() };
        assert_eq!(crowded.encode(), Err(EncodeError::TooLong { field: "neighbours", len: 88, max: 80 }));
        let named = Announce { nickname: "a".repeat(256), ..alice() };
        assert_eq!(named.encode(), Err(EncodeError::TooLong { field: "nickname", len: 256, max: 255 }));
        let nowhere = Announce { bridge_geohash: Some(String::new()), ..alice() };
        assert_eq!(nowhere.encode(), Err(EncodeError::Empty { field: "bridge geohash" }));
    }
}
