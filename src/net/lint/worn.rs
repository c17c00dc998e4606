//! Tickets that are not as they should be, each wrong in one way.

use data_encoding::BASE64URL_NOPAD;

/// Bytes in front of the padding: version 1, client key 32, key id 8, nonce 32, ticket 32.
const FIXED_LEN: usize = 105;
const KEY: std::ops::Range<usize> = 1..33;
const KEY_ID: std::ops::Range<usize> = 33..41;
const PROOF: std::ops::Range<usize> = 73..105;

/// A ticket with its padding cut or stretched to this length.
pub(super) fn padded(value: &str, padding: usize) -> String {
    changed(value, |bytes| bytes.resize(FIXED_LEN + padding, 0))
}

/// A ticket of another version.
pub(super) fn of_version(value: &str, version: u8) -> String {
    changed(value, |bytes| {
        if let Some(first) = bytes.first_mut() {
            *first = version;
        }
    })
}

/// A ticket whose client key is of low order.
pub(super) fn low_order(value: &str) -> String {
    changed(value, |bytes| bytes.get_mut(KEY).unwrap_or_default().fill(0))
}

/// A ticket for a key that there is not.
pub(super) fn of_no_key(value: &str) -> String {
    changed(value, |bytes| {
        bytes.get_mut(KEY_ID).unwrap_or_default().iter_mut().for_each(|byte| *byte ^= 0xA5)
    })
}

/// A ticket made by somebody who knows the public keys only.
pub(super) fn unproven(value: &str) -> String {
    changed(value, |bytes| bytes.get_mut(PROOF).unwrap_or_default().iter_mut().for_each(|byte| *byte ^= 0xA5))
}

/// A ticket that is no base64url.
pub(super) fn garbled(value: &str) -> String {
    value.chars().enumerate().map(|(at, character)| if at == 50 { '*' } else { character }).collect()
}

fn changed(value: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    // Our own ticket; were it unreadable, nothing would be what is refused.
    let mut bytes = BASE64URL_NOPAD.decode(value.as_bytes()).unwrap_or_default();
    change(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_wrong_in_one_way_and_right_in_all_others() {
        let bytes: Vec<u8> = (0..129).collect();
        let value = BASE64URL_NOPAD.encode(&bytes);
        let read = |text: String| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        assert_eq!(read(padded(&value, 23)), bytes[..128]);
        assert_eq!(read(padded(&value, 65)).len(), 170);
        assert_eq!(read(of_version(&value, 2))[1..], bytes[1..]);
        let low = read(low_order(&value));
        assert_eq!((&low[..1], &low[1..33], &low[33..]), (&bytes[..1], &[0; 32][..], &bytes[33..]));
        let other = read(of_no_key(&value));
        assert_eq!((&other[..33], &other[41..]), (&bytes[..33], &bytes[41..]));
        assert!(other[33..41].iter().zip(&bytes[33..41]).all(|(new, old)| new != old));
        assert!(BASE64URL_NOPAD.decode(garbled(&value).as_bytes()).is_err());
    }
}
