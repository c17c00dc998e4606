//! DET-CBOR: the one encoding of a value that node records and mailbox requests use (betanet-htx O-13; RFC 8949,
//! 4.2.1).
//!
//! Lengths are definite, numbers as short as they can be, the keys of a map in the order of their bytes and
//! never twice; there are no floats, no tags and no simple values but false, true and null. What breaks a rule
//! is refused, so that a value has one encoding and a signature over it can be checked from the value.
//! Nesting and the number of items are bounded, and byte strings share the bytes they came in: what a stranger
//! sends cannot grow beyond a small multiple of itself.

mod decode;
mod encode;
mod error;
pub(super) mod fields;
mod value;

pub use decode::{MAX_DEPTH, MAX_ITEMS};
pub use error::{CborError, FieldError};
pub(super) use fields::Fields;
pub use value::{Map, Value};

/// The major types of RFC 8949, 3.1.
mod major {
    pub(super) const UNSIGNED: u8 = 0;
    pub(super) const NEGATIVE: u8 = 1;
    pub(super) const BYTES: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const ARRAY: u8 = 4;
    pub(super) const MAP: u8 = 5;
    pub(super) const SIMPLE: u8 = 7;
}

/// The simple values that are spoken.
mod simple {
    pub(super) const FALSE: u8 = 20;
    pub(super) const TRUE: u8 = 21;
    pub(super) const NULL: u8 = 22;
}
