//! Variable-length integers as QUIC writes them (HTX spec 1, RFC 9000 section 16): the first two bits tell whether
//! 1, 2, 4 or 8 bytes follow as one big-endian number.

use bytes::BufMut;

/// The largest number that can be written: 2^62 - 1.
pub const MAX: u64 = (1 << 62) - 1;
/// The most bytes a number takes.
pub const MAX_LEN: usize = 8;

/// How many bytes the number takes that begins with this byte.
pub const fn len_by_first(first: u8) -> usize {
    1 << (first >> 6)
}

/// How many bytes the shortest form of a number takes; what is above [`MAX`] counts as [`MAX`].
pub const fn len(value: u64) -> usize {
    match value {
        0..=0x3F => 1,
        0x40..=0x3FFF => 2,
        0x4000..=0x3FFF_FFFF => 4,
        _ => MAX_LEN,
    }
}

/// Writes a number in its shortest form; what is above [`MAX`] is written as [`MAX`].
pub fn put(out: &mut impl BufMut, value: u64) {
    let value = value.min(MAX);
    let len = len(value);
    // The two bits are the binary logarithm of the length.
    let bytes = (value << (64 - 8 * len) | u64::from(len.trailing_zeros()) << 62).to_be_bytes();
    out.put_slice(bytes.split_at(len).0);
}

/// Reads a number in front of `bytes`, in whatever length it was written (D-1), with how many bytes it took;
/// `None` when they end before it does.
pub fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let len = len_by_first(*bytes.first()?);
    let value = bytes.get(..len)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    let without_length = u64::MAX >> (64 - 8 * len + 2);
    Some((value & without_length, len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, value);
        out
    }

    #[test]
    fn the_examples_of_rfc_9000_are_read_and_written() {
        let examples: [(u64, &[u8]); 4] = [
            (151_288_809_941_952_652, &[0xC2, 0x19, 0x7C, 0x5E, 0xFF, 0x14, 0xE8, 0x8C]),
            (494_878_333, &[0x9D, 0x7F, 0x3E, 0x7D]),
            (15_293, &[0x7B, 0xBD]),
            (37, &[0x25]),
        ];
        for (value, bytes) in examples {
            assert_eq!(written(value), bytes);
            assert_eq!(read(bytes), Some((value, bytes.len())));
        }
    }

    #[test]
    fn longer_forms_than_needed_are_accepted() {
        for bytes in [&[0x25][..], &[0x40, 0x25], &[0x80, 0, 0, 0x25], &[0xC0, 0, 0, 0, 0, 0, 0, 0x25]] {
            assert_eq!(read(bytes), Some((37, bytes.len())));
        }
    }

    #[test]
    fn every_length_ends_where_the_next_begins() {
        for (value, len) in
            [(0, 1), (63, 1), (64, 2), (16_383, 2), (16_384, 4), ((1 << 30) - 1, 4), (1 << 30, 8)]
        {
            assert_eq!((written(value).len(), super::len(value)), (len, len), "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0..=MAX, tail in proptest::collection::vec(any::<u8>(), 0..4)) {
            let mut bytes = written(value);
            let len = bytes.len();
            prop_assert_eq!(read(&bytes[..len - 1]), None);
            bytes.extend(tail);
            prop_assert_eq!(read(&bytes), Some((value, len)));
        }
    }
}
