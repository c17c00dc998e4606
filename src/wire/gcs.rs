//! The filter of a REQUEST_SYNC: which packets somebody has, as a Golomb-coded set (spec 3.7).
//!
//! Every packet id is mapped to a number below M; the sorted numbers are written as differences, each in about
//! P + 2 bits. Of the ids that are not in the set, one in 2^P is taken for one that is.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::ids::PacketId;

/// The precision of our filters: a false-positive rate of 1 %, as both apps have it.
const P: u8 = 7;
/// The most bytes of a filter that a receiver takes.
pub(super) const MAX_FILTER_LEN: usize = 1_024;
/// The highest precision that is understood; the lowest is 1.
pub(super) const MAX_P: u8 = 32;

/// What a packet id comes to before it is mapped into a filter: the same for every filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterHash(u64);

impl FilterHash {
    /// The first 63 bits that matter of SHA-256(packet id).
    pub fn of(id: PacketId) -> Self {
        let digest = Sha256::digest(id.0);
        let first = digest.iter().take(8).fold(0, |value: u64, &byte| value << 8 | u64::from(byte));
        Self(first & !(1 << 63))
    }

    /// Its place in a filter of the range `m`, from 1 on. A range of 0 or 1 has no places but 1.
    fn place(self, m: u32) -> u32 {
        let place = self.0.checked_rem(u64::from(m)).unwrap_or(0);
        u32::try_from(place).unwrap_or(u32::MAX).max(1)
    }
}

/// A set of packet ids, as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    p: u8,
    m: u32,
    bits: Bytes,
}

impl Filter {
    /// The set of as many of these packets, the first first, as `budget` bytes can hold (at most 1,024); and how many
    /// those are.
    ///
    /// M follows from how many are tried first and stays when some have to be left out, as in the iOS app.
    pub fn of(hashes: &[FilterHash], budget: usize) -> (Self, usize) {
        Self::varied(hashes, budget, 0)
    }

    /// The same with an M that is larger by up to a sixteenth, as `variant` says.
    ///
    /// Of one M a filter of the same packets always takes the same others for its own, which would never come. Both apps
    /// read M as it stands in the request.
    pub fn varied(hashes: &[FilterHash], budget: usize, variant: usize) -> (Self, usize) {
        let budget = budget.min(MAX_FILTER_LEN);
        let most = (budget.saturating_mul(8) / (usize::from(P) + 2)).max(1);
        let mut count = hashes.len().min(most);
        let m = (count << P) + variant.checked_rem(count << (P - 4)).unwrap_or(0);
        let m = u32::try_from(m).unwrap_or(u32::MAX).max(1);
        loop {
            let places = hashes.iter().take(count).map(|hash| hash.place(m)).collect();
            let bits = coded(places, P);
            if bits.len() <= budget {
                return (Self { p: P, m, bits }, count);
            }
            count = count * 9 / 10;
        }
    }

    /// A filter that came: P is 1 to 32, M not 0, and there are at most 1,024 bytes of bits.
    pub(super) fn from_parts(p: u8, m: u32, bits: Bytes) -> Self {
        Self { p, m, bits }
    }

    /// How many bits of a difference are written as they are.
    pub fn p(&self) -> u8 {
        self.p
    }

    /// The range of the numbers.
    pub fn m(&self) -> u32 {
        self.m
    }

    /// The coded differences, the last byte filled up with zeros.
    pub fn bits(&self) -> &Bytes {
        &self.bits
    }

    /// Reads the set. It takes one step for each bit, and at most two bytes for each of them, whatever they say:
    /// what is cut off at the end is left out, and so is what lies beyond M.
    pub fn members(&self) -> Members {
        let mut bits = self.bits.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
        let mut places = Vec::new();
        let mut value = 0_u64;
        while let Some(difference) = next_difference(&mut bits, self.p) {
            value = value.saturating_add(difference);
            match u32::try_from(value) {
                Ok(place) if place < self.m => places.push(place),
                _ => break,
            }
        }
        Members { m: self.m, places }
    }
}

/// A filter that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    m: u32,
    /// Rising.
    places: Vec<u32>,
}

impl Members {
    /// Whether a packet is in the set; wrong for one in 2^P of those that are not.
    pub fn contains(&self, hash: FilterHash) -> bool {
        self.places.binary_search(&hash.place(self.m)).is_ok()
    }

    /// The numbers in the set, rising.
    pub fn places(&self) -> &[u32] {
        &self.places
    }
}

/// One coded difference: the quotient in ones, a zero, the low `p` bits; none when the bits end within it.
fn next_difference(bits: &mut impl Iterator<Item = u8>, p: u8) -> Option<u64> {
    let mut coded = 0_u64;
    while bits.next()? == 1 {
        coded = coded.saturating_add(1);
    }
    for _ in 0..p {
        coded = coded << 1 | u64::from(bits.next()?);
    }
    Some(coded.saturating_add(1))
}

/// The differences of these numbers, coded.
fn coded(mut places: Vec<u32>, p: u8) -> Bytes {
    places.sort_unstable();
    places.dedup();
    let mut bits = BitWriter::default();
    let mut previous = 0_u32;
    for place in places {
        let coded = u64::from(place.saturating_sub(previous).saturating_sub(1));
        (0..coded >> p).for_each(|_| bits.push(true));
        bits.push(false);
        (0..p).rev().for_each(|bit| bits.push(coded >> bit & 1 == 1));
        previous = place;
    }
    bits.bytes.into()
}

/// Bits into bytes, the highest bit first.
#[derive(Debug, Default)]
struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken; 0 or 8 when it is full.
    taken: u32,
}

impl BitWriter {
    fn push(&mut self, bit: bool) {
        if self.taken.is_multiple_of(8) {
            self.bytes.push(0);
            self.taken = 0;
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.taken);
        }
        self.taken += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_filter_takes_for_its_own_the_next_does_not() {
        let hashes: Vec<FilterHash> = (0..8).map(|byte| FilterHash::of(PacketId([byte; 16]))).collect();
        let claims = |variant, hash| Filter::varied(&hashes, 400, variant).0.members().contains(hash);
        let others = (8..=255).map(|byte| FilterHash::of(PacketId([byte; 16])));
        let mistaken: Vec<FilterHash> = others.filter(|&hash| claims(0, hash)).collect();
        assert!(!mistaken.is_empty());
        for hash in mistaken {
            assert!((1..64).filter(|&variant| claims(variant, hash)).count() < 8);
        }
        assert!((0..64).all(|variant| hashes.iter().all(|&hash| claims(variant, hash))));
    }
    use proptest::prelude::*;

    fn hashes(range: std::ops::Range<u32>) -> Vec<FilterHash> {
        let id = |n: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            PacketId(id)
        };
        range.map(|n| FilterHash::of(id(n))).collect()
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_found(count in 0_u32..1_200, budget in 1_usize..1_100) {
            let all = hashes(0..count);
            let (filter, covered) = Filter::of(&all, budget);
            prop_assert!(filter.bits().len() <= budget.min(MAX_FILTER_LEN));
            let members = filter.members();
            prop_assert!(all.iter().take(covered).all(|&hash| members.contains(hash)));
            prop_assert!(covered == all.len() || covered * 10 >= budget.min(MAX_FILTER_LEN) * 8 / 9 * 7);
        }

        #[test]
        fn numbers_of_any_precision_come_back(
            p in 1..=MAX_P, places in proptest::collection::btree_set(1_u32..20_000, 0..50),
        ) {
            let places: Vec<u32> = places.into_iter().collect();
            let last = places.last().copied().unwrap_or(0);
            let filter = Filter::from_parts(p, last + 1, coded(places.clone(), p));
            let members = filter.members();
            prop_assert_eq!(members.places(), &places[..]);
        }

        #[test]
        fn any_bits_are_read_in_bounds(
            p in 1..=MAX_P, m in 1_u32.., bits in proptest::collection::vec(any::<u8>(), 0..=MAX_FILTER_LEN),
        ) {
            let members = Filter::from_parts(p, m, bits.clone().into()).members();
            prop_assert!(members.places().len() <= bits.len() * 8 / (usize::from(p) + 1));
            prop_assert!(members.places().is_sorted_by(|a, b| a < b));
            prop_assert!(members.places().iter().all(|&place| 0 < place && place < m));
        }
    }

    #[test]
    fn one_in_a_hundred_of_the_others_is_taken_for_a_member() {
        let (filter, covered) = Filter::of(&hashes(0..355), 400);
        assert!(covered >= 319, "{covered}");
        let members = filter.members();
        let strangers = hashes(100_000..200_000);
        let wrong = strangers.iter().filter(|&&hash| members.contains(hash)).count();
        // 1 in 128 is expected: 781 of 100,000, give or take 28.
        assert!((600..=1_000).contains(&wrong), "{wrong} of 100,000");
    }

    #[test]
    fn an_empty_filter_has_no_bits_and_no_members() {
        let (filter, covered) = Filter::of(&[], 400);
        assert_eq!((filter.p(), filter.m(), filter.bits().len(), covered), (7, 1, 0, 0));
        assert!(!hashes(0..100).iter().any(|&hash| filter.members().contains(hash)));
        let full = Filter::from_parts(1, 1, Bytes::from_static(&[0; 1_024]));
        assert_eq!(full.members().places(), [0_u32; 0], "nothing lies below 1");
    }

    #[test]
    fn a_filter_that_claims_everything_is_read_in_one_pass() {
        let ones = Filter::from_parts(32, u32::MAX, Bytes::from_static(&[0xFF; 1_024]));
        assert_eq!(ones.members().places(), [0_u32; 0]);
        let all = Filter::from_parts(1, u32::MAX, Bytes::from_static(&[0; 1_024]));
        assert_eq!(all.members().places().len(), 4_096);
        let two = Filter::from_parts(7, 2, Bytes::from_static(&[0]));
        assert!(hashes(0..1_000).iter().all(|&hash| two.members().contains(hash)));
    }
}
