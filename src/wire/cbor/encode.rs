//! Values to bytes.

use bytes::{BufMut, Bytes, BytesMut};

use super::value::Value;
use super::{major, simple};

impl Value {
    /// The one encoding of this value.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        put(&mut out, self);
        out.freeze()
    }
}

fn put(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Unsigned(number) => put_head(out, major::UNSIGNED, *number),
        Value::Negative(number) => put_head(out, major::NEGATIVE, *number),
        Value::Bytes(bytes) => {
            put_head(out, major::BYTES, length(bytes.len()));
            out.put_slice(bytes);
        }
        Value::Text(text) => {
            put_head(out, major::TEXT, length(text.len()));
            out.put_slice(text.as_bytes());
        }
        Value::Array(items) => {
            put_head(out, major::ARRAY, length(items.len()));
            for item in items {
                put(out, item);
            }
        }
        Value::Map(map) => {
            put_head(out, major::MAP, length(map.len()));
            for (key, value) in map.iter() {
                out.put_slice(key);
                put(out, value);
            }
        }
        Value::Bool(false) => put_head(out, major::SIMPLE, simple::FALSE.into()),
        Value::Bool(true) => put_head(out, major::SIMPLE, simple::TRUE.into()),
        Value::Null => put_head(out, major::SIMPLE, simple::NULL.into()),
    }
}

/// The major type and its argument, in the fewest bytes.
fn put_head(out: &mut BytesMut, major: u8, argument: u64) {
    let major = major << 5;
    if let Ok(byte) = u8::try_from(argument) {
        if byte < 24 {
            out.put_u8(major | byte);
        } else {
            out.put_u8(major | 24);
            out.put_u8(byte);
        }
    } else if let Ok(short) = u16::try_from(argument) {
        out.put_u8(major | 25);
        out.put_u16(short);
    } else if let Ok(word) = u32::try_from(argument) {
        out.put_u8(major | 26);
        out.put_u32(word);
    } else {
        out.put_u8(major | 27);
        out.put_u64(argument);
    }
}

/// A length in memory, which 64 bits hold on every machine there is.
fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
