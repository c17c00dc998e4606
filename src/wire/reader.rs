//! Reading bytes of strangers in order, without an index.

use bytes::{Buf, Bytes};

/// The next field is longer than what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short {
    /// Where the field begins.
    pub(super) offset: usize,
    /// Its length.
    pub(super) needed: usize,
    /// The bytes there are.
    pub(super) left: usize,
}

/// A place in some bytes.
#[derive(Clone)]
pub(super) struct Reader {
    rest: Bytes,
    offset: usize,
}

impl Reader {
    pub(super) fn new(bytes: &Bytes) -> Self {
        Self::at(bytes, 0)
    }

    /// A reader of bytes that begin at `offset` of what errors speak of.
    pub(super) fn at(bytes: &Bytes, offset: usize) -> Self {
        Self { rest: bytes.clone(), offset }
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes, shared rather than copied.
    pub(super) fn take(&mut self, len: usize) -> Result<Bytes, Short> {
        if len > self.rest.len() {
            return Err(Short { offset: self.offset, needed: len, left: self.rest.len() });
        }
        self.offset = self.offset.saturating_add(len);
        Ok(self.rest.split_to(len))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let mut array = [0; N];
        self.take(N)?.copy_to_slice(&mut array);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Short> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Short> {
        self.array().map(u64::from_be_bytes)
    }
}
