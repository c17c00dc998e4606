//! The fields of a map whose keys are numbers, taken out one after the other.

use bytes::Bytes;

use super::error::FieldError;
use super::value::{Map, Value};

/// A map that is being read.
pub(in crate::wire) struct Fields(Map);

impl Fields {
    /// The fields of this value, if it is a map.
    pub(in crate::wire) fn of(value: Value, what: &'static str) -> Result<Self, FieldError> {
        match value {
            Value::Map(map) => Ok(Self(map)),
            Value::Unsigned(_)
            | Value::Negative(_)
            | Value::Bytes(_)
            | Value::Text(_)
            | Value::Array(_)
            | Value::Bool(_)
            | Value::Null => Err(FieldError::Kind { field: what, expected: "a map" }),
        }
    }

    /// What stands under a key.
    pub(in crate::wire) fn value(&mut self, key: u64, field: &'static str) -> Result<Value, FieldError> {
        self.0.take(key).ok_or(FieldError::Missing { field })
    }

    pub(in crate::wire) fn number(&mut self, key: u64, field: &'static str) -> Result<u64, FieldError> {
        number(self.value(key, field)?, field)
    }

    pub(in crate::wire) fn array<const N: usize>(
        &mut self,
        key: u64,
        field: &'static str,
    ) -> Result<[u8; N], FieldError> {
        array(self.value(key, field)?, field)
    }

    /// A text, whatever its length: as long as the bytes it came in, at most.
    pub(in crate::wire) fn text(&mut self, key: u64, field: &'static str) -> Result<String, FieldError> {
        text(self.value(key, field)?, field)
    }

    pub(in crate::wire) fn list(
        &mut self,
        key: u64,
        field: &'static str,
        most: usize,
    ) -> Result<Vec<Value>, FieldError> {
        list(self.value(key, field)?, field, most)
    }

    /// Whether anything stands under a key.
    pub(in crate::wire) fn has(&self, key: u64) -> bool {
        self.0.contains(key)
    }

    /// Whether all fields were taken.
    pub(in crate::wire) fn end(self) -> Result<(), FieldError> {
        match self.0.len() {
            0 => Ok(()),
            count => Err(FieldError::Unknown { count }),
        }
    }
}

pub(in crate::wire) fn number(value: Value, field: &'static str) -> Result<u64, FieldError> {
    if let Value::Unsigned(number) = value { Ok(number) } else { Err(kind(field, "a number")) }
}

pub(in crate::wire) fn bytes(value: Value, field: &'static str, most: usize) -> Result<Bytes, FieldError> {
    let Value::Bytes(bytes) = value else { return Err(kind(field, "a byte string")) };
    match bytes.len() {
        len if len > most => Err(FieldError::Length { field, len, least: 0, most }),
        _ => Ok(bytes),
    }
}

pub(in crate::wire) fn text(value: Value, field: &'static str) -> Result<String, FieldError> {
    if let Value::Text(text) = value { Ok(text) } else { Err(kind(field, "a text")) }
}

pub(in crate::wire) fn array<const N: usize>(
    value: Value,
    field: &'static str,
) -> Result<[u8; N], FieldError> {
    let Value::Bytes(bytes) = value else { return Err(kind(field, "a byte string")) };
    let len = bytes.len();
    bytes.as_ref().try_into().map_err(|_| FieldError::Length { field, len, least: N, most: N })
}

pub(in crate::wire) fn list(
    value: Value,
    field: &'static str,
    most: usize,
) -> Result<Vec<Value>, FieldError> {
    let Value::Array(items) = value else { return Err(kind(field, "an array")) };
    within(field, items.len(), most)?;
    Ok(items)
}

/// Whether there are no more of something than there may be.
pub(in crate::wire) fn within(field: &'static str, count: usize, most: usize) -> Result<(), FieldError> {
    if count > most { Err(FieldError::Count { field, count, most }) } else { Ok(()) }
}

/// An array of exactly so many values.
pub(in crate::wire) fn tuple<const N: usize>(
    value: Value,
    field: &'static str,
) -> Result<[Value; N], FieldError> {
    let Value::Array(items) = value else { return Err(kind(field, "an array")) };
    let count = items.len();
    items.try_into().map_err(|_| FieldError::Count { field, count, most: N })
}

fn kind(field: &'static str, expected: &'static str) -> FieldError {
    FieldError::Kind { field, expected }
}
