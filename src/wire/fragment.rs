//! FRAGMENT: a piece of an encoded frame that is too big for a link (spec 3.8).

use bytes::{BufMut, Bytes};

use super::error::PayloadError;
use super::header::{ID_LEN, Version};
use super::packet_type::PacketType;
use super::reader::Reader;

/// The most fragments a frame may come in: iOS's limit. Android takes no more than 256.
pub const MAX_FRAGMENTS: usize = 10_000;

/// The bytes before the data.
const HEADER_LEN: usize = 13;
/// What both apps carry at most in a fragment.
const MAX_CHUNK: usize = 469;
/// Smaller chunks are not worth their headers (spec 1.4).
const MIN_CHUNK: usize = 64;
/// What the apps leave free beside a route.
const ROUTED_RESERVE: usize = 16;

/// A piece of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Random, the same in all fragments of a frame.
    pub id: [u8; 8],
    /// Which piece, from 0; less than `total`.
    pub index: u16,
    /// How many pieces there are.
    pub total: u16,
    /// The type of the packet that was cut. A hint: the packet itself has the say.
    pub original_type: PacketType,
    /// The piece, not empty.
    pub data: Bytes,
}

impl Fragment {
    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(HEADER_LEN + self.data.len());
        payload.extend(self.id);
        payload.put_u16(self.index);
        payload.put_u16(self.total);
        payload.put_u8(self.original_type.code());
        payload.extend(&self.data);
        payload
    }

    /// Reads a payload; the piece is shared with it.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let id = reader.array().map_err(|short| short.of_payload("fragment id"))?;
        let at_index = reader.offset();
        let index = reader.u16().map_err(|short| short.of_payload("fragment index"))?;
        let at_total = reader.offset();
        let total = reader.u16().map_err(|short| short.of_payload("fragment total"))?;
        let original_type = reader.u8().map_err(|short| short.of_payload("original type"))?.into();
        if total == 0 || usize::from(total) > MAX_FRAGMENTS {
            return Err(PayloadError::Value {
                field: "fragment total",
                offset: at_total,
                value: total.into(),
            });
        }
        if index >= total {
            return Err(PayloadError::Value {
                field: "fragment index",
                offset: at_index,
                value: index.into(),
            });
        }
        // A piece of nothing would only take a place in someone's memory.
        let needed = reader.left().max(1);
        let data = reader.take(needed).map_err(|short| short.of_payload("fragment data"))?;
        Ok(Self { id, index, total, original_type, data })
    }
}

/// Why a frame cannot be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// There is nothing to cut, or the pieces would be empty.
    #[error("a frame of {frame} bytes cannot be cut into pieces of {chunk}")]
    Nothing {
        /// The length of the frame.
        frame: usize,
        /// The length of the pieces.
        chunk: usize,
    },
    /// More pieces than a receiver takes.
    #[error("{count} fragments, the most is {MAX_FRAGMENTS}")]
    TooMany {
        /// How many it would take.
        count: usize,
    },
}

/// Cuts an encoded frame into fragments that carry `chunk` bytes each, the last one what is left.
pub fn fragments(
    frame: &Bytes,
    id: [u8; 8],
    original_type: PacketType,
    chunk: usize,
) -> Result<Fragments, FragmentError> {
    if frame.is_empty() || chunk == 0 {
        return Err(FragmentError::Nothing { frame: frame.len(), chunk });
    }
    let count = frame.len().div_ceil(chunk);
    let too_many = FragmentError::TooMany { count };
    if count > MAX_FRAGMENTS {
        return Err(too_many);
    }
    let total = u16::try_from(count).map_err(|_| too_many)?;
    Ok(Fragments { rest: frame.clone(), id, next: 0, total, original_type, chunk })
}

/// How many bytes of a frame a fragment may carry so that it crosses a link with this limit whole, to a
/// recipient, through this many hops of a route.
///
/// Never less than 64: a link that takes no more than 106 bytes cannot carry fragments (spec 1.4).
pub fn chunk_for(limit: usize, hops: usize) -> usize {
    // iOS counts 42 for a fragment without a route, which is one too few for one with a recipient.
    let overhead = if hops == 0 {
        Version::V1.header_len() + 2 * ID_LEN + HEADER_LEN
    } else {
        let route = hops.saturating_mul(ID_LEN).saturating_add(1);
        (Version::V2.header_len() + 2 * ID_LEN + HEADER_LEN + ROUTED_RESERVE).saturating_add(route)
    };
    limit.saturating_sub(overhead).clamp(MIN_CHUNK, MAX_CHUNK)
}

/// The fragments of a frame, in order.
#[derive(Debug, Clone)]
pub struct Fragments {
    rest: Bytes,
    id: [u8; 8],
    next: u16,
    total: u16,
    original_type: PacketType,
    chunk: usize,
}

impl Iterator for Fragments {
    type Item = Fragment;

    fn next(&mut self) -> Option<Fragment> {
        if self.rest.is_empty() {
            return None;
        }
        let data = self.rest.split_to(self.chunk.min(self.rest.len()));
        let index = self.next;
        self.next = self.next.saturating_add(1);
        Some(Fragment { id: self.id, index, total: self.total, original_type: self.original_type, data })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.len().div_ceil(self.chunk);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Fragments {}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(index: u16, total: u16, data: &[u8]) -> Bytes {
        [[9; 8].as_slice(), &index.to_be_bytes(), &total.to_be_bytes(), &[2], data].concat().into()
    }

    #[test]
    fn a_fragment_is_one_of_its_total_and_carries_something() {
        assert!(Fragment::decode(&payload(2, 3, b"x")).is_ok());
        assert!(Fragment::decode(&payload(9_999, 10_000, b"x")).is_ok());
        let error = |index, total, data: &[u8]| {
            Fragment::decode(&payload(index, total, data)).unwrap_err().to_string()
        };
        assert_eq!(error(0, 0, b"x"), "payload offset 10: the fragment total is 0");
        assert_eq!(error(0, 10_001, b"x"), "payload offset 10: the fragment total is 10001");
        assert_eq!(error(3, 3, b"x"), "payload offset 8: the fragment index is 3");
        assert_eq!(error(0, 1, b""), "payload offset 13: the fragment data takes 1 bytes, 0 are left");
    }

    #[test]
    fn the_pieces_make_the_frame_again() {
        let frame = Bytes::from((0..=255).collect::<Vec<u8>>());
        let pieces = fragments(&frame, [1; 8], PacketType::Message, 100).unwrap();
        assert_eq!(pieces.len(), 3);
        let pieces: Vec<_> = pieces.collect();
        assert!(pieces.iter().zip(0..).all(|(piece, index)| piece.index == index && piece.total == 3));
        assert_eq!(pieces.iter().flat_map(|piece| piece.data.to_vec()).collect::<Vec<_>>(), frame);
    }

    #[test]
    fn a_frame_that_takes_too_many_pieces_is_refused() {
        let frame = Bytes::from(vec![0; 10_001]);
        let cut = |chunk| fragments(&frame, [1; 8], PacketType::Message, chunk);
        assert_eq!(cut(1).unwrap_err(), FragmentError::TooMany { count: 10_001 });
        assert_eq!(cut(0).unwrap_err(), FragmentError::Nothing { frame: 10_001, chunk: 0 });
        assert_eq!(cut(2).unwrap().len(), 5_001);
    }

    #[test]
    fn a_chunk_fills_a_link_and_no_more() {
        assert_eq!(chunk_for(512, 0), 469);
        assert_eq!(chunk_for(182, 0), 139);
        assert_eq!(chunk_for(23, 0), 64);
        assert_eq!(chunk_for(512, 1), 512 - 70);
        assert_eq!(chunk_for(512, 255), 64);
        assert_eq!(chunk_for(usize::MAX, usize::MAX), 64);
    }
}
