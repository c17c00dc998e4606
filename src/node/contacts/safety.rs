//! A number that two people compare by voice or by sight: the same on both sides, unless somebody stands between.

use sha2::{Digest, Sha512};

use crate::ids::Fingerprint;

const DOMAIN: &[u8] = b"hopline-safety-v1";
/// Digits in a group; a group is made of as many bytes of the hash.
const GROUP: usize = 5;
/// Sixty digits, close to 200 bits.
const GROUPS: usize = 12;

/// The public keys of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PublicKeys {
    pub(super) noise: [u8; 32],
    pub(super) signing: [u8; 32],
}

/// Twelve groups of five digits, whichever side computes them.
pub(super) fn safety_number(one: &PublicKeys, other: &PublicKeys) -> String {
    let mut sides = [one, other];
    sides.sort_by_key(|keys| Fingerprint::of(&keys.noise));
    let hash = sides.iter().fold(Sha512::new_with_prefix(DOMAIN), |hash, keys| {
        hash.chain_update(keys.noise).chain_update(keys.signing)
    });
    let digits =
        |bytes: &[u8]| bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte)) % 100_000;
    let groups: Vec<String> =
        hash.finalize().chunks(GROUP).take(GROUPS).map(|bytes| format!("{:05}", digits(bytes))).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(seed: u8) -> PublicKeys {
        PublicKeys { noise: [seed; 32], signing: [seed + 100; 32] }
    }

    #[test]
    fn both_sides_see_the_same_sixty_digits() {
        let number = safety_number(&keys(1), &keys(2));
        assert_eq!(number, safety_number(&keys(2), &keys(1)));
        assert_eq!(number.split(' ').map(str::len).collect::<Vec<_>>(), [5; 12]);
        assert!(number.chars().all(|digit| digit.is_ascii_digit() || digit == ' '));
    }

    #[test]
    fn either_key_of_either_side_changes_it() {
        let number = safety_number(&keys(1), &keys(2));
        assert_ne!(number, safety_number(&keys(1), &keys(3)));
        assert_ne!(number, safety_number(&keys(1), &PublicKeys { signing: [9; 32], ..keys(2) }));
        assert_ne!(number, safety_number(&PublicKeys { noise: [9; 32], ..keys(1) }, &keys(2)));
    }
}
