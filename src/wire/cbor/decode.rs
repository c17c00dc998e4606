//! Bytes of strangers to values.

use bytes::Bytes;

use super::error::CborError;
use super::value::{Map, Value};
use super::{major, simple};
use crate::wire::reader::{Reader, Short};

/// How deep arrays and maps may stand in one another.
pub const MAX_DEPTH: usize = 8;
/// How many items, keys and values included, one value may be made of.
pub const MAX_ITEMS: usize = 16_384;

impl Value {
    /// Reads the value that these bytes are, to the last of them.
    pub fn decode(bytes: &Bytes) -> Result<Self, CborError> {
        let mut decoder = Decoder { bytes, reader: Reader::new(bytes), items: MAX_ITEMS };
        let value = decoder.value(0)?;
        match decoder.reader.left() {
            0 => Ok(value),
            left => Err(CborError::Trailing { offset: decoder.reader.offset(), left }),
        }
    }
}

struct Decoder<'a> {
    bytes: &'a Bytes,
    reader: Reader,
    /// How many more items may come.
    items: usize,
}

/// The beginning of an item.
struct Head {
    offset: usize,
    initial: u8,
    major: u8,
    argument: u64,
}

impl Decoder<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, CborError> {
        let head = self.head()?;
        match head.major {
            major::UNSIGNED => Ok(Value::Unsigned(head.argument)),
            major::NEGATIVE => Ok(Value::Negative(head.argument)),
            major::BYTES => Ok(Value::Bytes(self.string(&head)?)),
            major::TEXT => self.text(&head),
            major::ARRAY => self.array(&head, depth),
            major::MAP => self.map(&head, depth),
            major::SIMPLE => simple_value(&head),
            _ => Err(CborError::Forbidden { offset: head.offset, initial: head.initial }),
        }
    }

    fn head(&mut self) -> Result<Head, CborError> {
        let offset = self.reader.offset();
        self.items = self.items.checked_sub(1).ok_or(CborError::Items { offset })?;
        let initial = self.reader.u8()?;
        let (argument, least) = match initial & 0x1F {
            small @ 0..=23 => (u64::from(small), 0),
            24 => (self.reader.u8()?.into(), 24),
            25 => (self.reader.u16()?.into(), 1 << 8),
            26 => (self.reader.u32()?.into(), 1 << 16),
            27 => (self.reader.u64()?, 1 << 32),
            _ => return Err(CborError::Indefinite { offset, initial }),
        };
        let head = Head { offset, initial, major: initial >> 5, argument };
        // Behind major type 7 the longer arguments are floats.
        if argument < least && head.major != major::SIMPLE {
            return Err(CborError::NotShortest { offset, value: argument });
        }
        Ok(head)
    }

    fn string(&mut self, head: &Head) -> Result<Bytes, CborError> {
        let (offset, left) = (self.reader.offset(), self.reader.left());
        let len = usize::try_from(head.argument).map_err(|_| CborError::Truncated {
            offset,
            needed: head.argument,
            left,
        })?;
        Ok(self.reader.take(len)?)
    }

    fn text(&mut self, head: &Head) -> Result<Value, CborError> {
        let start = self.reader.offset();
        let bytes = self.string(head)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| CborError::NotUtf8 { offset: start.saturating_add(error.valid_up_to()) })?;
        Ok(Value::Text(text.to_owned()))
    }

    fn array(&mut self, head: &Head, depth: usize) -> Result<Value, CborError> {
        let len = self.announced(head, 1, depth)?;
        let mut items = Vec::with_capacity(len);
        for _ in 0..len {
            items.push(self.value(depth.saturating_add(1))?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, head: &Head, depth: usize) -> Result<Value, CborError> {
        let len = self.announced(head, 2, depth)?;
        let mut map = Map::new();
        for _ in 0..len {
            let offset = self.reader.offset();
            self.value(depth.saturating_add(1))?;
            let key = self.bytes.slice(offset..self.reader.offset());
            match map.last_key() {
                Some(last) if *last == key => return Err(CborError::DuplicateKey { offset }),
                Some(last) if *last > key => return Err(CborError::KeyOrder { offset }),
                Some(_) | None => {}
            }
            let value = self.value(depth.saturating_add(1))?;
            map.insert_encoded(key, value);
        }
        Ok(Value::Map(map))
    }

    /// How often something comes that is of so many items, if that many can still come.
    fn announced(&mut self, head: &Head, each: usize, depth: usize) -> Result<usize, CborError> {
        if depth >= MAX_DEPTH {
            return Err(CborError::Depth { offset: head.offset });
        }
        let len = usize::try_from(head.argument).unwrap_or(usize::MAX);
        if len.saturating_mul(each) > self.items {
            return Err(CborError::Items { offset: head.offset });
        }
        Ok(len)
    }
}

fn simple_value(head: &Head) -> Result<Value, CborError> {
    match head.initial & 0x1F {
        simple::FALSE => Ok(Value::Bool(false)),
        simple::TRUE => Ok(Value::Bool(true)),
        simple::NULL => Ok(Value::Null),
        _ => Err(CborError::Forbidden { offset: head.offset, initial: head.initial }),
    }
}

impl From<Short> for CborError {
    fn from(short: Short) -> Self {
        let needed = u64::try_from(short.needed).unwrap_or(u64::MAX);
        Self::Truncated { offset: short.offset, needed, left: short.left }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Bytes {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().into()
    }

    fn map(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
        let mut map = Map::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map.into()
    }

    fn numbers(numbers: impl IntoIterator<Item = u64>) -> Value {
        Value::Array(numbers.into_iter().map(Value::from).collect())
    }

    /// The examples of RFC 8949, appendix A, that DET-CBOR can say.
    fn examples() -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::from(text);
        vec![
            ("00", 0_u64.into()),
            ("01", 1_u64.into()),
            ("0a", 10_u64.into()),
            ("17", 23_u64.into()),
            ("1818", 24_u64.into()),
            ("1819", 25_u64.into()),
            ("1864", 100_u64.into()),
            ("1903e8", 1000_u64.into()),
            ("1a000f4240", 1_000_000_u64.into()),
            ("1b000000e8d4a51000", 1_000_000_000_000_u64.into()),
            ("1bffffffffffffffff", u64::MAX.into()),
            ("3bffffffffffffffff", Value::Negative(u64::MAX)),
            ("20", Value::Negative(0)),
            ("29", Value::Negative(9)),
            ("3863", Value::Negative(99)),
            ("3903e7", Value::Negative(999)),
            ("f4", false.into()),
            ("f5", true.into()),
            ("f6", Value::Null),
            ("40", Bytes::new().into()),
            ("4401020304", [1, 2, 3, 4].into()),
            ("60", text("")),
            ("6161", text("a")),
            ("6449455446", text("IETF")),
            ("62225c", text("\"\\")),
            ("62c3bc", text("\u{fc}")),
            ("63e6b0b4", text("\u{6c34}")),
            ("64f0908591", text("\u{10151}")),
            ("80", numbers([])),
            ("83010203", numbers([1, 2, 3])),
            ("8301820203820405", Value::Array(vec![1_u64.into(), numbers([2, 3]), numbers([4, 5])])),
            ("98190102030405060708090a0b0c0d0e0f101112131415161718181819", numbers(1..=25)),
            ("a0", map([])),
            ("a201020304", map([(1_u64.into(), 2_u64.into()), (3_u64.into(), 4_u64.into())])),
            ("a26161016162820203", map([(text("a"), 1_u64.into()), (text("b"), numbers([2, 3]))])),
            ("826161a161626163", Value::Array(vec![text("a"), map([(text("b"), text("c"))])])),
            (
                "a56161614161626142616361436164614461656145",
                map(["a", "b", "c", "d", "e"].map(|key| (text(key), text(&key.to_uppercase())))),
            ),
        ]
    }

    #[test]
    fn r54_the_examples_of_the_rfc_read_and_write_as_they_stand_there() {
        for (hex, value) in examples() {
            assert_eq!(Value::decode(&bytes(hex)), Ok(value.clone()), "{hex}");
            assert_eq!(value.encode(), bytes(hex), "{hex}");
        }
    }

    #[test]
    fn r54_keys_stand_in_the_order_of_their_bytes() {
        // RFC 8949, 4.2.1, has these keys in this order; false takes the place of the RFC's.
        let ordered = bytes("a80a001864002000617a006261610081186400812000f400");
        let value = Value::decode(&ordered).unwrap();
        assert_eq!(value.encode(), ordered);
        assert_eq!(Value::decode(&bytes("a21864000a00")), Err(CborError::KeyOrder { offset: 4 }));
        assert_eq!(Value::decode(&bytes("a2616200616100")), Err(CborError::KeyOrder { offset: 4 }));
    }

    #[test]
    fn r54_what_breaks_a_rule_is_refused() {
        let refused = |hex: &str| Value::decode(&bytes(hex)).unwrap_err();
        for (hex, value) in [
            ("1817", 23),
            ("1900ff", 255),
            ("1a0000ffff", 65_535),
            ("1b00000000ffffffff", 0xFFFF_FFFF),
            ("3800", 0),
            ("5801ff", 1),
            ("780161", 1),
            ("980100", 1),
            ("b8010000", 1),
        ] {
            assert_eq!(refused(hex), CborError::NotShortest { offset: 0, value }, "{hex}");
        }
        for (hex, initial) in [
            ("5f4101ff", 0x5F),
            ("7f6161ff", 0x7F),
            ("9f01ff", 0x9F),
            ("bf0101ff", 0xBF),
            ("ff", 0xFF),
            ("1c", 0x1C),
        ] {
            assert_eq!(refused(hex), CborError::Indefinite { offset: 0, initial }, "{hex}");
        }
        for (hex, initial) in [
            ("f93c00", 0xF9),
            ("fa47c35000", 0xFA),
            ("fb3ff199999999999a", 0xFB),
            ("c11a514b67b0", 0xC1),
            ("f7", 0xF7),
            ("f0", 0xF0),
            ("f8ff", 0xF8),
        ] {
            assert_eq!(refused(hex), CborError::Forbidden { offset: 0, initial }, "{hex}");
        }
        assert_eq!(refused("a201000100"), CborError::DuplicateKey { offset: 3 });
        assert_eq!(refused("0000"), CborError::Trailing { offset: 1, left: 1 });
        assert_eq!(refused("6361c328"), CborError::NotUtf8 { offset: 2 });
        assert_eq!(refused(""), CborError::Truncated { offset: 0, needed: 1, left: 0 });
        assert_eq!(refused("4201"), CborError::Truncated { offset: 1, needed: 2, left: 1 });
        assert_eq!(refused("8201"), CborError::Truncated { offset: 2, needed: 1, left: 0 });
        assert_eq!(
            refused("5bffffffffffffffff"),
            CborError::Truncated { offset: 9, needed: u64::MAX, left: 0 },
            "a length nobody has costs nothing"
        );
    }

    #[test]
    fn r54_depth_and_items_are_bounded() {
        let nested = |depth: usize| Value::decode(&[vec![0x81; depth], vec![0]].concat().into());
        assert!(nested(MAX_DEPTH).is_ok());
        assert_eq!(nested(MAX_DEPTH + 1), Err(CborError::Depth { offset: MAX_DEPTH }));

        let long = |items: u16| {
            let head = [&[0x99][..], &items.to_be_bytes()].concat();
            Value::decode(&[head, vec![0; items.into()]].concat().into())
        };
        let most = u16::try_from(MAX_ITEMS - 1).unwrap();
        assert!(long(most).is_ok());
        assert_eq!(long(most + 1), Err(CborError::Items { offset: 0 }));
        let announced = Value::decode(&bytes("9bffffffffffffffff"));
        assert_eq!(announced, Err(CborError::Items { offset: 0 }), "a count nobody sends costs nothing");
        assert_eq!(Value::decode(&bytes("bb8000000000000000")), Err(CborError::Items { offset: 0 }));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(Value::Unsigned),
            (0_u64..300).prop_map(Value::Unsigned),
            any::<u64>().prop_map(Value::Negative),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Value::Bytes(bytes.into())),
            "\\PC{0,40}".prop_map(Value::Text),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
                proptest::collection::vec((inner.clone(), inner), 0..8).prop_map(map),
            ]
        })
    }

    proptest! {
        #[test]
        fn r54_a_value_reads_as_it_was_written(value in value()) {
            prop_assert_eq!(Value::decode(&value.encode()), Ok(value));
        }

        #[test]
        fn r54_bytes_that_read_are_the_one_encoding(
            value in value(),
            at in any::<prop::sample::Index>(),
            with in any::<u8>(),
        ) {
            let mut bytes = value.encode().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = with;
            let bytes = Bytes::from(bytes);
            if let Ok(value) = Value::decode(&bytes) {
                prop_assert_eq!(value.encode(), bytes);
            }
        }
    }
}
