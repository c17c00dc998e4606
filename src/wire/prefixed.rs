//! Lengths before contents: a u32, big-endian, that does not count itself.

use core::ops::RangeInclusive;

use bytes::{Buf, Bytes, BytesMut};

/// A length that nobody may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadLength(pub(super) usize);

/// The length as its field says it, where it is within the bounds.
pub(super) fn length_field(len: usize, bounds: &RangeInclusive<usize>) -> Result<u32, BadLength> {
    u32::try_from(len).ok().filter(|_| bounds.contains(&len)).ok_or(BadLength(len))
}

/// The contents of a stream, however its bytes come in pieces.
///
/// It holds one that is not whole and the last piece: never more than the upper bound and a piece, as long as all
/// are taken before the next piece is put in. After an error the stream means nothing.
#[derive(Debug, Default)]
pub(super) struct Prefixed {
    buffer: BytesMut,
}

impl Prefixed {
    /// Puts in the next bytes of the stream.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// Takes out the next content; `None` when more bytes are needed.
    pub(super) fn next(&mut self, bounds: &RangeInclusive<usize>) -> Result<Option<Bytes>, BadLength> {
        let Some(field) = self.buffer.first_chunk() else { return Ok(None) };
        let len = usize::try_from(u32::from_be_bytes(*field)).unwrap_or(usize::MAX);
        length_field(len, bounds)?;
        if self.buffer.len() < len.saturating_add(4) {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(len).freeze()))
    }

    /// Whether no byte is left over.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}
