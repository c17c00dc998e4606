//! REQUEST_SYNC: a filter of the packets somebody has, for a neighbour to send the others (spec 3.7).

use bytes::Bytes;

use super::capabilities::{bits_of, shortest};
use super::error::{EncodeError, PayloadError};
use super::gcs::{Filter, MAX_FILTER_LEN, MAX_P};
use super::packet_type::PacketType;
use super::reader::Reader;
use super::tlv::{self, Tlv};
use crate::ids::{parse_hex, to_hex};
use crate::time::UnixMillis;

/// The most fragment ids a request names.
pub const MAX_FRAGMENT_IDS: usize = 60;

mod tag {
    pub(super) const P: u8 = 0x01;
    pub(super) const M: u8 = 0x02;
    pub(super) const FILTER: u8 = 0x03;
    pub(super) const TYPES: u8 = 0x04;
    pub(super) const SINCE: u8 = 0x05;
    pub(super) const FRAGMENT_IDS: u8 = 0x06;
}

/// A set of packet types, as a bit field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SyncTypes(u64);

impl SyncTypes {
    /// Bit 0 first. Not all of them are ever synced.
    const BITS: [PacketType; 11] = [
        PacketType::Announce,
        PacketType::Message,
        PacketType::Leave,
        PacketType::NoiseHandshake,
        PacketType::NoiseEncrypted,
        PacketType::Fragment,
        PacketType::RequestSync,
        PacketType::FileTransfer,
        PacketType::BoardPost,
        PacketType::PrekeyBundle,
        PacketType::GroupMessage,
    ];

    /// The set of these types; one that has no bit is left out.
    pub fn of(types: impl IntoIterator<Item = PacketType>) -> Self {
        Self(types.into_iter().filter_map(Self::bit).fold(0, |set, bit| set | bit))
    }

    /// Whether a type is in it.
    pub fn contains(self, packet_type: PacketType) -> bool {
        Self::bit(packet_type).is_some_and(|bit| self.0 & bit != 0)
    }

    fn bit(packet_type: PacketType) -> Option<u64> {
        Self::BITS.iter().position(|named| *named == packet_type).map(|bit| 1 << bit)
    }

    /// As sent: little-endian, as many bytes as the highest bit needs, at least one.
    pub fn encode(self) -> Vec<u8> {
        shortest(self.0)
    }

    fn read(field: &Tlv) -> Result<Self, PayloadError> {
        let got = field.value.len();
        if got == 0 || got > 8 {
            return Err(PayloadError::Size { field: "types", offset: field.offset, expected: "1 to 8", got });
        }
        Ok(Self(bits_of(&field.value)))
    }
}

/// What somebody asks a neighbour for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSync {
    /// The packets it has.
    pub filter: Filter,
    /// The types it wants; see [`Self::wanted`].
    pub types: Option<SyncTypes>,
    /// The filter does not cover what is older than this: it is not wanted.
    pub since: Option<UnixMillis>,
    /// The fragment trains it misses a piece of, at most [`MAX_FRAGMENT_IDS`].
    pub fragment_ids: Vec<[u8; 8]>,
}

impl RequestSync {
    /// The types it wants: announces and messages when it does not say, as the Android app never does.
    pub fn wanted(&self) -> SyncTypes {
        self.types.unwrap_or_else(|| SyncTypes::of([PacketType::Announce, PacketType::Message]))
    }

    /// The payload, its fields in the order of their types.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut payload = Vec::new();
        tlv::put_wide(&mut payload, tag::P, "P", &[self.filter.p()])?;
        tlv::put_wide(&mut payload, tag::M, "M", &self.filter.m().to_be_bytes())?;
        tlv::put_wide(&mut payload, tag::FILTER, "filter", self.filter.bits())?;
        if let Some(types) = self.types {
            tlv::put_wide(&mut payload, tag::TYPES, "types", &types.encode())?;
        }
        if let Some(since) = self.since {
            tlv::put_wide(&mut payload, tag::SINCE, "since", &since.0.to_be_bytes())?;
        }
        let count = self.fragment_ids.len();
        if count > MAX_FRAGMENT_IDS {
            return Err(EncodeError::TooMany { field: "fragment ids", count, max: MAX_FRAGMENT_IDS });
        }
        if count > 0 {
            let ids: Vec<String> = self.fragment_ids.iter().map(|id| to_hex(id)).collect();
            let text = ids.join(",");
            tlv::put_wide(&mut payload, tag::FRAGMENT_IDS, "fragment ids", text.as_bytes())?;
        }
        Ok(payload)
    }

    /// Reads the fields in any order, without those it does not know.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let (mut p, mut m, mut bits) = (None, None, None);
        let (mut types, mut since, mut fragment_ids) = (None, None, None);
        let mut reader = Reader::new(payload);
        while let Some(field) = Tlv::read_wide(&mut reader)? {
            match field.tag {
                tag::P => field.store(&mut p, precision(&field)?, "P")?,
                tag::M => field.store(&mut m, range(&field)?, "M")?,
                tag::FILTER => field.store(&mut bits, filter_bits(&field)?, "filter")?,
                tag::TYPES => field.store(&mut types, SyncTypes::read(&field)?, "types")?,
                tag::SINCE => {
                    let time = UnixMillis(u64::from_be_bytes(field.array("since", "8")?));
                    field.store(&mut since, time, "since")?;
                }
                tag::FRAGMENT_IDS => field.store(&mut fragment_ids, ids(&field)?, "fragment ids")?,
                _ => {}
            }
        }
        let missing = |field| PayloadError::Missing { field };
        let filter = Filter::from_parts(
            p.ok_or(missing("P"))?,
            m.ok_or(missing("M"))?,
            bits.ok_or(missing("filter"))?,
        );
        Ok(Self { filter, types, since, fragment_ids: fragment_ids.unwrap_or_default() })
    }
}

fn precision(field: &Tlv) -> Result<u8, PayloadError> {
    let [p] = field.array("P", "1")?;
    let value = PayloadError::Value { field: "P", offset: field.reader().offset(), value: p.into() };
    if (1..=MAX_P).contains(&p) { Ok(p) } else { Err(value) }
}

fn range(field: &Tlv) -> Result<u32, PayloadError> {
    match u32::from_be_bytes(field.array("M", "4")?) {
        0 => Err(PayloadError::Value { field: "M", offset: field.reader().offset(), value: 0 }),
        m => Ok(m),
    }
}

fn filter_bits(field: &Tlv) -> Result<Bytes, PayloadError> {
    let got = field.value.len();
    let size = PayloadError::Size { field: "filter", offset: field.offset, expected: "up to 1,024", got };
    if got <= MAX_FILTER_LEN { Ok(field.value.clone()) } else { Err(size) }
}

/// Comma-separated, 16 hex digits each.
fn ids(field: &Tlv) -> Result<Vec<[u8; 8]>, PayloadError> {
    const FIELD: &str = "fragment ids";
    let text = field.text(FIELD)?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let got = text.len();
    let size = PayloadError::Size { field: FIELD, offset: field.offset, expected: "up to 60 times 16", got };
    let ids: Vec<[u8; 8]> = text
        .split(',')
        .take(MAX_FRAGMENT_IDS + 1)
        .map(|id| parse_hex(id).map_err(|_| size))
        .collect::<Result<_, _>>()?;
    if ids.len() <= MAX_FRAGMENT_IDS { Ok(ids) } else { Err(size) }
}

#[cfg(test)]
mod tests {
    use super::super::gcs::FilterHash;
    use super::*;
    use crate::ids::PacketId;
    use proptest::prelude::*;

    fn request() -> RequestSync {
        RequestSync {
            filter: Filter::of(&[FilterHash::of(PacketId([1; 16]))], 400).0,
            types: Some(SyncTypes::of([PacketType::Fragment])),
            since: Some(UnixMillis(1_750_000_000_000)),
            fragment_ids: vec![[1; 8], [0xAB; 8]],
        }
    }

    fn error_of(payload: &[u8]) -> String {
        RequestSync::decode(&Bytes::copy_from_slice(payload)).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn a_request_comes_back_as_it_was(
            count in 0_u8..100,
            types in proptest::option::of(any::<u64>().prop_map(SyncTypes)),
            since in proptest::option::of(any::<u64>().prop_map(UnixMillis)),
            fragment_ids in proptest::collection::vec(any::<[u8; 8]>(), 0..=MAX_FRAGMENT_IDS),
        ) {
            let hashes: Vec<FilterHash> = (0..count).map(|n| FilterHash::of(PacketId([n; 16]))).collect();
            let request = RequestSync { filter: Filter::of(&hashes, 400).0, types, since, fragment_ids };
            let payload = request.encode().unwrap().into();
            prop_assert_eq!(RequestSync::decode(&payload), Ok(request));
        }
    }

    #[test]
    fn every_field_has_bounds() {
        let fields: &[(&[u8], &str)] = &[
            (&[1, 0, 1, 0], "payload offset 3: the P is 0"),
            (&[1, 0, 1, 33], "payload offset 3: the P is 33"),
            (&[1, 0, 2, 7, 7], "payload offset 0: the P has 2 bytes, not 1"),
            (&[2, 0, 4, 0, 0, 0, 0], "payload offset 3: the M is 0"),
            (&[4, 0, 0], "payload offset 0: the types has 0 bytes, not 1 to 8"),
            (&[4, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1], "payload offset 0: the types has 9 bytes, not 1 to 8"),
            (&[5, 0, 1, 1], "payload offset 0: the since has 1 bytes, not 8"),
            (&[1, 0, 1, 7, 1, 0, 1, 7], "payload offset 4: a second P"),
            (&[3, 1, 0, 1], "payload offset 3: the TLV value takes 256 bytes, 1 are left"),
            (b"\x06\0\x03abc", "payload offset 0: the fragment ids has 3 bytes, not up to 60 times 16"),
        ];
        for (payload, message) in fields {
            assert_eq!(error_of(payload), *message);
        }
        let long = [[3, 4, 1].as_slice(), &[0; 1_025]].concat();
        assert_eq!(error_of(&long), "payload offset 0: the filter has 1025 bytes, not up to 1,024");
        assert_eq!(error_of(&[2, 0, 4, 0, 0, 0, 1, 3, 0, 0]), "the P is missing");
    }

    #[test]
    fn sixty_fragments_can_be_named_and_no_more() {
        let named = |count| RequestSync { fragment_ids: vec![[7; 8]; count], ..request() };
        let too_many = EncodeError::TooMany { field: "fragment ids", count: 61, max: 60 };
        assert_eq!(named(61).encode(), Err(too_many));
        let mut payload = named(60).encode().unwrap();
        assert!(RequestSync::decode(&payload.clone().into()).is_ok());
        let ids = payload.len() - (60 * 17 - 1);
        payload[ids - 2..ids].copy_from_slice(&(61_u16 * 17 - 1).to_be_bytes());
        payload.extend(b",0707070707070707");
        assert!(RequestSync::decode(&payload.into()).is_err());
    }

    #[test]
    fn fields_of_later_versions_are_passed_over() {
        let mut payload = request().encode().unwrap();
        payload.extend([0x7F, 0, 2, 1, 2]);
        assert_eq!(RequestSync::decode(&payload.into()), Ok(request()));
    }
}
