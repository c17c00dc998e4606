//! A frame that came: its bytes, kept, and the packet they mean (spec 2.2).

use bytes::Bytes;

use crate::ids::PeerId;

use super::compression::{WirePayload, inflate};
use super::error::{DecodeError, Field};
use super::header::{FLAGS_OFFSET, Header, ID_LEN, TTL_OFFSET, flag};
use super::packet::Packet;
use super::reader::Reader;
use super::signing;

/// A packet and the bytes it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    frame: Bytes,
    len: usize,
    packet: Packet,
    payload: WirePayload,
}

impl Received {
    /// Reads a frame. What follows its end (padding, mostly) is kept but has no meaning.
    ///
    /// Spec 2.2 strips padding and tries again when the bytes do not decode as they are. That never helps a
    /// decoder which ignores what follows the frame: if the front part of the bytes decodes, so do all of them.
    pub fn decode(frame: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(frame);
        let header = Header::read(&mut reader)?;
        let packet = read_head(&mut reader, &header)?;
        let payload_offset = reader.offset();
        let payload =
            WirePayload { bytes: read_payload(&mut reader, &header)?, compressed: header.is_compressed() };
        let signature = header.has_signature().then(|| reader.array()).transpose();
        let packet = Packet {
            signature: signature.map_err(|short| short.of(Field::Signature))?,
            payload: decompressed(&payload, &header, payload_offset)?,
            ..packet
        };
        Ok(Self { frame: frame.clone(), len: reader.offset(), packet, payload })
    }

    /// What stands before the payload of a frame: neither that is read, which may take much longer, nor what follows.
    pub fn head(frame: &Bytes) -> Result<Packet, DecodeError> {
        let mut reader = Reader::new(frame);
        let header = Header::read(&mut reader)?;
        read_head(&mut reader, &header)
    }

    /// What the bytes mean.
    pub fn packet(&self) -> &Packet {
        &self.packet
    }

    /// The packet alone, for who does not relay it.
    pub fn into_packet(self) -> Packet {
        self.packet
    }

    /// All the bytes that came, padding included.
    pub fn bytes(&self) -> &Bytes {
        &self.frame
    }

    /// The length of the frame proper: what of [`Self::bytes`] the packet takes, padding not counted.
    pub fn frame_len(&self) -> usize {
        self.len
    }

    /// The frame proper in memory of its own, for who keeps it: what came may be a part of something longer.
    pub fn kept(&self) -> Bytes {
        Bytes::copy_from_slice(self.frame.get(..self.len).unwrap_or_default())
    }

    /// Whether the payload came compressed.
    pub fn is_compressed(&self) -> bool {
        self.payload.compressed
    }

    /// The bytes that came with another TTL: nothing else is ever changed in a packet that is not ours.
    pub fn relayed(&self, ttl: u8) -> Bytes {
        let mut frame = self.frame.to_vec();
        if let Some(byte) = frame.get_mut(TTL_OFFSET) {
            *byte = ttl;
        }
        frame.into()
    }

    /// What the signature may be over, the likeliest first (spec 2.4); each is made only when asked for.
    pub fn signing_preimages(&self) -> impl Iterator<Item = Vec<u8>> {
        signing::preimages(&self.packet, &self.payload)
    }
}

/// A packet without padding as the answer to a sync request: TTL 0 and flag 10, neither of which is signed.
pub fn sync_reply(frame: &Bytes) -> Bytes {
    let mut frame = frame.to_vec();
    if let Some(byte) = frame.get_mut(TTL_OFFSET) {
        *byte = 0;
    }
    if let Some(byte) = frame.get_mut(FLAGS_OFFSET) {
        *byte |= flag::RSR;
    }
    frame.into()
}

fn read_head(reader: &mut Reader, header: &Header) -> Result<Packet, DecodeError> {
    Ok(Packet {
        version: header.version,
        packet_type: header.packet_type,
        ttl: header.ttl,
        timestamp: header.timestamp,
        sender: read_id(reader, Field::Sender)?,
        recipient: header.has_recipient().then(|| read_id(reader, Field::Recipient)).transpose()?,
        route: if header.has_route() { read_route(reader)? } else { Vec::new() },
        rsr: header.is_rsr(),
        payload: Bytes::new(),
        signature: None,
    })
}

fn read_id(reader: &mut Reader, field: Field) -> Result<PeerId, DecodeError> {
    reader.array().map(PeerId).map_err(|short| short.of(field))
}

fn read_route(reader: &mut Reader) -> Result<Vec<PeerId>, DecodeError> {
    let count = reader.u8().map_err(|short| short.of(Field::RouteCount))?;
    let hops = reader.take(usize::from(count) * ID_LEN).map_err(|short| short.of(Field::Route))?;
    let mut hops = Reader::new(&hops);
    (0..count).map(|_| read_id(&mut hops, Field::Route)).collect()
}

fn read_payload(reader: &mut Reader, header: &Header) -> Result<Bytes, DecodeError> {
    reader.take(header.payload_len).map_err(|short| DecodeError::PayloadLength {
        offset: Header::LENGTH_OFFSET,
        declared: header.payload_len,
        left: short.left,
    })
}

fn decompressed(payload: &WirePayload, header: &Header, offset: usize) -> Result<Bytes, DecodeError> {
    if !payload.compressed {
        return Ok(payload.bytes.clone());
    }
    let mut reader = Reader::at(&payload.bytes, offset);
    let declared = header.version.read_size(&mut reader, Field::OriginalSize)?;
    let stream = reader.take(reader.left()).map_err(|short| short.of(Field::OriginalSize))?;
    inflate(&stream, declared).map_err(|reason| DecodeError::Inflate { offset, reason })
}

#[cfg(test)]
mod tests {
    use super::super::error::InflateError;
    use super::*;
    use crate::ids::parse_hex;

    /// The golden v1 packet of the Android contract tests.
    fn golden() -> Vec<u8> {
        parse_hex::<25>("01020701020304050607080000031011121314151617aabbcc").unwrap().to_vec()
    }

    fn error_of(frame: Vec<u8>) -> String {
        Received::decode(&frame.into()).unwrap_err().to_string()
    }

    #[test]
    fn what_follows_the_frame_is_kept_and_means_nothing() {
        let mut padded = golden();
        padded.extend([3; 3]);
        let received = Received::decode(&padded.clone().into()).unwrap();
        assert_eq!(received.packet(), Received::decode(&golden().into()).unwrap().packet());
        assert_eq!(received.frame_len(), 25);
        assert_eq!(*received.bytes(), padded);
        assert_eq!(received.relayed(6).len(), padded.len());
        assert_eq!(received.kept(), golden());
        assert!(!received.bytes().as_ptr_range().contains(&received.kept().as_ptr()));
    }

    #[test]
    fn errors_name_the_offset_and_the_numbers() {
        assert_eq!(error_of(vec![]), "offset 0: the header takes 14 bytes, 0 are left");
        assert_eq!(error_of(golden()[..9].to_vec()), "offset 0: the header takes 14 bytes, 9 are left");
        assert_eq!(error_of(golden()[..20].to_vec()), "offset 14: the sender takes 8 bytes, 6 are left");
        assert_eq!(error_of(golden()[..24].to_vec()), "offset 12: payload length says 3 bytes, 2 are left");
        let mut unknown = golden();
        unknown[0] = 3;
        assert_eq!(error_of(unknown), "offset 0: version 3, only 1 and 2 are known");
        let mut signed = golden();
        signed[11] = flag::SIGNATURE;
        assert_eq!(error_of(signed), "offset 25: the signature takes 64 bytes, 0 are left");
    }

    #[test]
    fn a_payload_beyond_the_ceiling_is_refused_by_its_length_alone() {
        let mut frame = golden();
        frame[0] = 2;
        frame.splice(12..14, [0xFF; 4]);
        assert_eq!(
            Received::decode(&frame.into()),
            Err(DecodeError::TooLong { offset: 12, declared: 0xFFFF_FFFF, max: 1_179_760 })
        );
    }

    #[test]
    fn a_compressed_payload_has_a_size_and_a_stream() {
        let mut frame = golden();
        frame[11] = flag::COMPRESSED;
        let error = Received::decode(&frame.clone().into()).unwrap_err();
        assert_eq!(
            error,
            DecodeError::Inflate {
                offset: 22,
                reason: InflateError::Stream { compressed: 1, declared: 0xAABB }
            }
        );
        frame[13] = 1;
        assert_eq!(error_of(frame), "offset 22: the original size takes 2 bytes, 1 are left");
    }

    #[test]
    fn a_head_says_what_the_packet_says_but_for_payload_and_signature() {
        let mut frame = golden();
        frame[11] = flag::RECIPIENT | flag::SIGNATURE | flag::RSR;
        frame.extend([8; 8 + 64]);
        let frame = frame.into();
        let whole = Received::decode(&frame).unwrap().into_packet();
        assert!(whole.signature.is_some() && !whole.payload.is_empty());
        let head = Received::head(&frame);
        assert_eq!(head, Ok(Packet { payload: Bytes::new(), signature: None, ..whole }));
        assert!(Received::head(&frame.slice(..20)).is_err());
    }

    #[test]
    fn version_1_has_no_route_whatever_its_flags_say() {
        let mut frame = golden();
        frame[11] = flag::ROUTE | 0xE0;
        let received = Received::decode(&frame.into()).unwrap();
        assert_eq!(received.packet(), Received::decode(&golden().into()).unwrap().packet());
        assert_eq!(received.relayed(6)[11], flag::ROUTE | 0xE0);
    }

    #[test]
    fn a_route_of_no_hops_is_no_route() {
        let mut frame = golden();
        frame[0] = 2;
        frame[11] = flag::ROUTE;
        frame.splice(12..14, [0, 0, 0, 3]);
        frame.insert(24, 0);
        let received = Received::decode(&frame.into()).unwrap();
        assert!(received.packet().route.is_empty());
        assert_eq!(received.packet().payload, [0xAA, 0xBB, 0xCC].as_slice());
    }
}
