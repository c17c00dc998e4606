//! The fixed part of a packet, and how long a frame is (spec 2.1).

use bytes::Bytes;

use crate::time::UnixMillis;

use super::error::{DecodeError, Field};
use super::packet_type::PacketType;
use super::reader::{Reader, Short};

/// Where the TTL stands: the one byte a relay changes.
pub const TTL_OFFSET: usize = 2;
/// The most a payload may have, compressed or not: iOS's ceiling (spec 2.2).
pub const MAX_PAYLOAD_LEN: usize = 1_179_760;
/// The shortest frame: a v1 header and a sender.
pub const MIN_FRAME_LEN: usize = 22;
/// The longest frame: a v2 header, both ids, 255 hops, the largest payload, a signature.
pub const MAX_FRAME_LEN: usize =
    16 + ID_LEN + ID_LEN + 1 + MAX_HOPS * ID_LEN + MAX_PAYLOAD_LEN + SIGNATURE_LEN;
/// The length of an Ed25519 signature.
pub const SIGNATURE_LEN: usize = 64;

/// The length of a peer id.
pub(super) const ID_LEN: usize = 8;
/// The most hops a count byte can say.
pub(super) const MAX_HOPS: usize = 255;
/// Where the flags stand.
pub(super) const FLAGS_OFFSET: usize = 11;
/// The payload length (and the original size) follows version, type, TTL, timestamp and flags.
const LENGTH_OFFSET: usize = 12;

/// The flags byte (spec 2.1). Bits 20, 40 and 80 are ignored and never set.
pub(super) mod flag {
    pub(in crate::wire) const RECIPIENT: u8 = 0x01;
    pub(in crate::wire) const SIGNATURE: u8 = 0x02;
    pub(in crate::wire) const COMPRESSED: u8 = 0x04;
    /// Version 2 only: in version 1 the bit says nothing.
    pub(in crate::wire) const ROUTE: u8 = 0x08;
    /// The packet answers a REQUEST_SYNC.
    pub(in crate::wire) const RSR: u8 = 0x10;
}

/// The two layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Sizes of 16 bits, no route.
    V1,
    /// Sizes of 32 bits, a route if wanted.
    V2,
}

impl Version {
    /// The first byte of a frame.
    pub const fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// The bytes before the sender.
    pub const fn header_len(self) -> usize {
        match self {
            Self::V1 => 14,
            Self::V2 => 16,
        }
    }

    /// The most that the payload part of a frame may have.
    pub const fn max_payload_len(self) -> usize {
        match self {
            Self::V1 => 0xFFFF,
            Self::V2 => MAX_PAYLOAD_LEN,
        }
    }

    /// The bytes that write a payload length or an original size.
    pub(super) fn size_bytes(self, size: usize) -> Option<Vec<u8>> {
        match self {
            Self::V1 => Some(u16::try_from(size).ok()?.to_be_bytes().to_vec()),
            Self::V2 => Some(u32::try_from(size).ok()?.to_be_bytes().to_vec()),
        }
    }

    /// Reads a payload length or an original size, and holds it against the ceiling.
    pub(super) fn read_size(self, reader: &mut Reader, field: Field) -> Result<usize, DecodeError> {
        let offset = reader.offset();
        let declared = match self {
            Self::V1 => reader.u16().map(usize::from),
            Self::V2 => reader.u32().map(|size| usize::try_from(size).unwrap_or(usize::MAX)),
        }
        .map_err(|short| short.of(field))?;
        if declared > MAX_PAYLOAD_LEN {
            return Err(DecodeError::TooLong { offset, declared, max: MAX_PAYLOAD_LEN });
        }
        Ok(declared)
    }

    fn from_number(version: u8) -> Result<Self, DecodeError> {
        match version {
            1 => Ok(Self::V1),
            2 => Ok(Self::V2),
            version => Err(DecodeError::Version { version }),
        }
    }
}

/// Version to payload length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) version: Version,
    pub(super) packet_type: PacketType,
    pub(super) ttl: u8,
    pub(super) timestamp: UnixMillis,
    flags: u8,
    pub(super) payload_len: usize,
}

impl Header {
    /// Where the payload length stands.
    pub(super) const LENGTH_OFFSET: usize = LENGTH_OFFSET;

    pub(super) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let (offset, left) = (reader.offset(), reader.left());
        let short = |needed| DecodeError::Truncated { field: Field::Header, offset, needed, left };
        let number = reader.u8().map_err(|_| short(Version::V1.header_len()))?;
        let version = Version::from_number(number)?;
        if left < version.header_len() {
            return Err(short(version.header_len()));
        }
        let of_header = |error: Short| error.of(Field::Header);
        Ok(Self {
            version,
            packet_type: reader.u8().map_err(of_header)?.into(),
            ttl: reader.u8().map_err(of_header)?,
            timestamp: UnixMillis(reader.u64().map_err(of_header)?),
            flags: reader.u8().map_err(of_header)?,
            payload_len: version.read_size(reader, Field::Header)?,
        })
    }

    pub(super) fn has_recipient(&self) -> bool {
        self.flags & flag::RECIPIENT != 0
    }

    pub(super) fn has_signature(&self) -> bool {
        self.flags & flag::SIGNATURE != 0
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.flags & flag::COMPRESSED != 0
    }

    pub(super) fn has_route(&self) -> bool {
        self.version == Version::V2 && self.flags & flag::ROUTE != 0
    }

    pub(super) fn is_rsr(&self) -> bool {
        self.flags & flag::RSR != 0
    }
}

/// How long the frame is that begins with these bytes, padding not counted.
///
/// `Ok(None)` when it takes more bytes to tell: no more than [`MIN_FRAME_LEN`] + 11 of them are looked at.
pub fn frame_len(prefix: &[u8]) -> Result<Option<usize>, DecodeError> {
    // A header, both ids, the hop count: what follows has no say in the length.
    let looked_at = prefix.len().min(Version::V2.header_len() + 2 * ID_LEN + 1);
    let mut reader = Reader::new(&Bytes::copy_from_slice(prefix.get(..looked_at).unwrap_or(prefix)));
    let header = match Header::read(&mut reader) {
        Ok(header) => header,
        Err(DecodeError::Truncated { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let ids = if header.has_recipient() { 2 * ID_LEN } else { ID_LEN };
    let mut len = header.version.header_len() + ids + header.payload_len;
    if header.has_signature() {
        len += SIGNATURE_LEN;
    }
    if header.has_route() {
        let Ok(hops) = reader.take(ids).and_then(|_| reader.u8()) else {
            return Ok(None);
        };
        len += 1 + usize::from(hops) * ID_LEN;
    }
    Ok(Some(len))
}

impl Short {
    pub(super) fn of(self, field: Field) -> DecodeError {
        DecodeError::Truncated { field, offset: self.offset, needed: self.needed, left: self.left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: u8, flags: u8, size: &[u8]) -> Vec<u8> {
        [&[version, 2, 7], [0; 8].as_slice(), &[flags], size].concat()
    }

    #[test]
    fn the_length_of_a_frame_is_known_from_its_header() {
        assert_eq!(frame_len(&header(1, 0, &[0, 3])), Ok(Some(14 + 8 + 3)));
        assert_eq!(frame_len(&header(1, 0x03, &[1, 0])), Ok(Some(14 + 8 + 8 + 256 + 64)));
        assert_eq!(frame_len(&header(1, 0x08, &[0, 3])), Ok(Some(14 + 8 + 3)));
        assert_eq!(frame_len(&header(2, 0, &[0, 1, 0, 0])), Ok(Some(16 + 8 + 65_536)));
    }

    #[test]
    fn the_length_of_a_routed_frame_needs_its_hop_count() {
        let mut frame = header(2, 0x09, &[0, 0, 0, 3]);
        frame.extend([0xAA; 16]);
        assert_eq!(frame_len(&frame), Ok(None));
        frame.push(2);
        assert_eq!(frame_len(&frame), Ok(Some(16 + 16 + 1 + 16 + 3)));
    }

    #[test]
    fn a_short_prefix_is_not_an_error_and_a_wrong_one_is() {
        assert_eq!(frame_len(&[]), Ok(None));
        assert_eq!(frame_len(&header(1, 0, &[0])), Ok(None));
        assert_eq!(frame_len(&[3]), Err(DecodeError::Version { version: 3 }));
        assert!(matches!(frame_len(&header(2, 0, &[0xFF; 4])), Err(DecodeError::TooLong { .. })));
    }
}
