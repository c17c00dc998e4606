//! The entries of `tests/vectors/bitchat.json`.
#![allow(dead_code, reason = "each test file uses its share")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::Value;

pub(crate) static FILE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/bitchat.json")).unwrap());

pub(crate) fn vector(name: &str) -> &'static Value {
    let vectors = FILE["vectors"].as_array().unwrap();
    vectors.iter().find(|vector| vector["name"] == name).unwrap_or_else(|| panic!("no vector {name}"))
}

pub(crate) fn hex(value: &Value) -> Bytes {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// What the entry encodes to.
pub(crate) fn bytes(name: &str) -> Bytes {
    hex(&vector(name)["hex"])
}

/// What is signed in the entry.
pub(crate) fn preimage(name: &str) -> Bytes {
    hex(&vector(name)["signing_preimage_hex"])
}

/// A key of one of the file's identities.
pub(crate) fn key(identity: &str, field: &str) -> [u8; 32] {
    hex(&FILE["identities"][identity][field]).as_ref().try_into().unwrap()
}
