//! Type, length, value: one byte of type; a length of one byte, or of two in the payloads of spec 3.7 and from 3.11 on.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::error::{EncodeError, PayloadError};
use super::reader::{Reader, Short};

/// The most a one-byte length can say.
pub(super) const MAX_VALUE_LEN: usize = 255;

/// One field of a payload.
pub(super) struct Tlv {
    pub(super) tag: u8,
    /// Where the type byte stands in the payload.
    pub(super) offset: usize,
    /// Where the value does.
    value_offset: usize,
    pub(super) value: Bytes,
}

impl Tlv {
    /// The next field with a length of one byte, if the payload has one more.
    pub(super) fn read(reader: &mut Reader) -> Result<Option<Self>, PayloadError> {
        Self::read_with(reader, |_, reader| reader.u8().map(usize::from))
    }

    /// The next field with a length of two bytes, if the payload has one more.
    pub(super) fn read_wide(reader: &mut Reader) -> Result<Option<Self>, PayloadError> {
        Self::read_with(reader, |_, reader| reader.u16().map(usize::from))
    }

    /// The next field, whose type tells how its length is read.
    pub(super) fn read_with(
        reader: &mut Reader,
        length: impl FnOnce(u8, &mut Reader) -> Result<usize, Short>,
    ) -> Result<Option<Self>, PayloadError> {
        let offset = reader.offset();
        if reader.left() == 0 {
            return Ok(None);
        }
        let tag = reader.u8().map_err(|short| short.of_payload("TLV type"))?;
        let len = length(tag, reader).map_err(|short| short.of_payload("TLV length"))?;
        let value_offset = reader.offset();
        let value = reader.take(len).map_err(|short| short.of_payload("TLV value"))?;
        Ok(Some(Self { tag, offset, value_offset, value }))
    }

    /// A reader of the value, whose errors speak of the payload.
    pub(super) fn reader(&self) -> Reader {
        Reader::at(&self.value, self.value_offset)
    }

    /// The value of a field that has exactly `N` bytes; `expected` is that number in words.
    pub(super) fn array<const N: usize>(
        &self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<[u8; N], PayloadError> {
        let got = self.value.len();
        self.value.as_ref().try_into().map_err(|_| PayloadError::Size {
            field,
            offset: self.offset,
            expected,
            got,
        })
    }

    /// The value of a field that is text.
    pub(super) fn text(&self, field: &'static str) -> Result<String, PayloadError> {
        text(&self.value, field, self.value_offset).map(str::to_owned)
    }

    /// The same, where the text has so many bytes; `expected` is that number in words.
    pub(super) fn bounded_text(
        &self,
        field: &'static str,
        bounds: RangeInclusive<usize>,
        expected: &'static str,
    ) -> Result<String, PayloadError> {
        let got = self.value.len();
        if !bounds.contains(&got) {
            return Err(PayloadError::Size { field, offset: self.offset, expected, got });
        }
        self.text(field)
    }

    /// The same, for a field that may be there only once.
    pub(super) fn store<T>(
        &self,
        slot: &mut Option<T>,
        value: T,
        field: &'static str,
    ) -> Result<(), PayloadError> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(PayloadError::Repeated { field, offset: self.offset }),
        }
    }
}

/// What a field has to say, if it was there.
pub(super) fn need<T>(value: Option<T>, field: &'static str) -> Result<T, PayloadError> {
    value.ok_or(PayloadError::Missing { field })
}

/// That a value to be written is not longer than its receivers take.
pub(super) fn at_most(field: &'static str, len: usize, max: usize) -> Result<(), EncodeError> {
    if len > max { Err(EncodeError::TooLong { field, len, max }) } else { Ok(()) }
}

/// The number of entries of a list, as one byte.
pub(super) fn count(field: &'static str, count: usize, max: usize) -> Result<u8, EncodeError> {
    let fits = u8::try_from(count).ok().filter(|_| count <= max);
    fits.ok_or(EncodeError::TooMany { field, count, max })
}

/// Writes one field.
pub(super) fn put(
    payload: &mut Vec<u8>,
    tag: u8,
    field: &'static str,
    value: &[u8],
) -> Result<(), EncodeError> {
    let len = u8::try_from(value.len()).map_err(|_| EncodeError::TooLong {
        field,
        len: value.len(),
        max: MAX_VALUE_LEN,
    })?;
    payload.extend([tag, len]);
    payload.extend(value);
    Ok(())
}

/// Writes one field with a length of two bytes.
pub(super) fn put_wide(
    payload: &mut Vec<u8>,
    tag: u8,
    field: &'static str,
    value: &[u8],
) -> Result<(), EncodeError> {
    let max = usize::from(u16::MAX);
    let len =
        u16::try_from(value.len()).map_err(|_| EncodeError::TooLong { field, len: value.len(), max })?;
    payload.push(tag);
    payload.extend(len.to_be_bytes());
    payload.extend(value);
    Ok(())
}

/// Bytes that have to be UTF-8 and begin at `offset` of the payload.
pub(super) fn text<'a>(bytes: &'a [u8], field: &'static str, offset: usize) -> Result<&'a str, PayloadError> {
    std::str::from_utf8(bytes)
        .map_err(|error| PayloadError::NotUtf8 { field, offset: offset.saturating_add(error.valid_up_to()) })
}

impl Short {
    pub(super) fn of_payload(self, field: &'static str) -> PayloadError {
        PayloadError::Truncated { field, offset: self.offset, needed: self.needed, left: self.left }
    }
}
