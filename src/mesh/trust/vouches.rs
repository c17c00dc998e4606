//! What the people whom we verified say of others (spec 3.6.5).
//!
//! A vouch counts for 30 days, and only as long as we trust the voucher. Of each voucher the latest
//! [`MAX_OF_ONE`] are kept, of at most [`MAX_VOUCHERS`].

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, Bytes};

use crate::ids::Fingerprint;
use crate::mesh::kept::{Keep, Kept, Shelf};
use crate::time::UnixMillis;
use crate::wire::Vouch;

/// How long a vouch counts.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How far a voucher's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(60 * 60);
/// Vouches kept of one voucher; the oldest go first.
pub(super) const MAX_OF_ONE: usize = 64;
/// Vouchers whose word is kept. They are people our owner verified by hand, so a further one is an odd case.
const MAX_VOUCHERS: usize = 256;
const VERSION: u8 = 1;
const KEY: u8 = b'v';

/// For whom a voucher speaks: their signing key, and since when.
type Word = BTreeMap<Fingerprint, ([u8; 32], UnixMillis)>;

/// Everybody's word.
#[derive(Debug, Default)]
pub(super) struct Vouches {
    of: BTreeMap<Fingerprint, Word>,
    changes: Vec<Keep>,
}

/// Whether a vouch of this age counts.
pub(super) fn is_timely(made: UnixMillis, now: UnixMillis) -> bool {
    made <= now + SKEW && now <= made + LIFETIME
}

impl Vouches {
    /// Takes vouches whose signatures and times were checked.
    pub(super) fn add(&mut self, voucher: Fingerprint, vouches: &[Vouch]) {
        if vouches.is_empty() || !self.of.contains_key(&voucher) && self.of.len() >= MAX_VOUCHERS {
            return;
        }
        let word = self.of.entry(voucher).or_default();
        for vouch in vouches {
            word.insert(vouch.fingerprint, (vouch.signing_public, vouch.made));
        }
        while word.len() > MAX_OF_ONE {
            let oldest = word.iter().min_by_key(|(_, (_, made))| *made).map(|(&who, _)| who);
            oldest.map(|oldest| word.remove(&oldest));
        }
        let (shelf, key, value) = (Shelf::People, shelf_key(voucher), encode(word));
        self.changes.push(Keep::Put(Kept { shelf, key, value }));
    }

    /// Who vouches for this person with this key; with any, where none is known. Whoever asks knows whom to trust.
    pub(super) fn vouchers(
        &self,
        who: Fingerprint,
        signing_public: Option<[u8; 32]>,
        now: UnixMillis,
    ) -> impl Iterator<Item = Fingerprint> {
        let counts = move |(key, made): &([u8; 32], UnixMillis)| {
            is_timely(*made, now) && signing_public.is_none_or(|known| known == *key)
        };
        let vouching = self.of.iter().filter(move |(_, word)| word.get(&who).is_some_and(counts));
        vouching.map(|(&voucher, _)| voucher)
    }

    /// Takes back what an earlier run kept; whether it read.
    pub(super) fn restore(&mut self, key: &Bytes, value: &Bytes) -> bool {
        let voucher = key.strip_prefix(&[KEY]).and_then(|voucher| voucher.try_into().ok()).map(Fingerprint);
        match (voucher, decode(value)) {
            (Some(voucher), Some(word)) if self.of.len() < MAX_VOUCHERS => {
                self.of.insert(voucher, word);
                true
            }
            _ => false,
        }
    }

    pub(super) fn take_changes(&mut self) -> Vec<Keep> {
        std::mem::take(&mut self.changes)
    }
}

fn shelf_key(voucher: Fingerprint) -> Bytes {
    [&[KEY], voucher.0.as_slice()].concat().into()
}

fn encode(word: &Word) -> Bytes {
    let mut value = vec![VERSION];
    for (who, (signing_public, made)) in word {
        value.extend(who.0);
        value.extend(signing_public);
        value.extend(made.0.to_be_bytes());
    }
    value.into()
}

fn decode(value: &Bytes) -> Option<Word> {
    let mut value = value.clone();
    if value.try_get_u8() != Ok(VERSION) {
        return None;
    }
    let mut word = Word::new();
    while value.has_remaining() {
        let (mut who, mut signing_public) = ([0; 32], [0; 32]);
        value.try_copy_to_slice(&mut who).ok()?;
        value.try_copy_to_slice(&mut signing_public).ok()?;
        word.insert(Fingerprint(who), (signing_public, UnixMillis(value.try_get_u64().ok()?)));
    }
    (word.len() <= MAX_OF_ONE).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const ADA: Fingerprint = Fingerprint([1; 32]);
    const BEN: Fingerprint = Fingerprint([2; 32]);

    fn vouch(who: Fingerprint, made: UnixMillis) -> Vouch {
        Vouch { fingerprint: who, signing_public: [7; 32], made, signature: [0; 64] }
    }

    #[test]
    fn a_vouch_counts_for_30_days_and_for_that_key_alone() {
        let mut vouches = Vouches::default();
        vouches.add(ADA, &[vouch(BEN, NOW)]);
        let vouchers = |key, now| vouches.vouchers(BEN, key, now).collect::<Vec<_>>();
        assert_eq!((vouchers(Some([7; 32]), NOW), vouchers(None, NOW + LIFETIME)), (vec![ADA], vec![ADA]));
        assert_eq!(vouchers(Some([8; 32]), NOW), []);
        assert_eq!(vouchers(None, NOW + LIFETIME + Duration::from_millis(1)), []);
        assert!(is_timely(NOW + SKEW, NOW) && !is_timely(NOW + SKEW + Duration::from_millis(1), NOW));
    }

    #[test]
    fn the_latest_64_of_a_voucher_outlive_a_restart() {
        let mut vouches = Vouches::default();
        for number in 0..70_u8 {
            let made = UnixMillis(NOW.0 + u64::from(number));
            vouches.add(ADA, &[vouch(Fingerprint([number; 32]), made)]);
        }
        let Some(Keep::Put(Kept { key, value, .. })) = vouches.take_changes().pop() else { panic!("kept") };
        let mut again = Vouches::default();
        assert!(again.restore(&key, &value));
        assert_eq!(again.of, vouches.of);
        let vouched = |number| again.vouchers(Fingerprint([number; 32]), None, NOW).next().is_some();
        assert!(!vouched(5) && vouched(6) && vouched(69));
        assert!(!again.restore(&key, &value.slice(..40)));
    }
}
