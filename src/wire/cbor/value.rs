//! Values, and maps that know the order of their keys.

use std::collections::BTreeMap;

use bytes::Bytes;

/// What DET-CBOR can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number from 0 on.
    Unsigned(u64),
    /// The number `-1 - n`.
    Negative(u64),
    /// A byte string.
    Bytes(Bytes),
    /// A text.
    Text(String),
    /// Values in a row.
    Array(Vec<Value>),
    /// Values by key.
    Map(Map),
    /// False or true.
    Bool(bool),
    /// Nothing.
    Null,
}

/// The entries of a map, by the encoding of their keys: in the order in which they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map(BTreeMap<Bytes, Value>);

impl Map {
    /// A map with no entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in an entry; what stood under the key before comes out.
    pub fn insert(&mut self, key: impl Into<Value>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(key.into().encode(), value.into())
    }

    /// Takes an entry out.
    pub fn take(&mut self, key: impl Into<Value>) -> Option<Value> {
        self.0.remove(&key.into().encode())
    }

    /// Whether an entry stands under this key.
    pub fn contains(&self, key: impl Into<Value>) -> bool {
        self.0.contains_key(&key.into().encode())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries in the order in which they are written, each key as its encoding.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Value)> {
        self.0.iter()
    }

    pub(super) fn insert_encoded(&mut self, key: Bytes, value: Value) {
        self.0.insert(key, value);
    }

    /// The highest key, as its encoding.
    pub(super) fn last_key(&self) -> Option<&Bytes> {
        self.0.last_key_value().map(|(key, _)| key)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Unsigned(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Unsigned(number.into())
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(&bytes))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}
