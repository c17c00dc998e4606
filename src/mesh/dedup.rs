//! Has this packet been here before?
//!
//! Two rotating Bloom generations answer "certainly new" at once. On "perhaps seen" an exact, expiring set
//! judges a packet young enough to be in it, so that a false positive never costs a fresh packet.

use std::num::NonZeroUsize;
use std::time::Duration;

use fastbloom::BloomFilter;
use lru::LruCache;
use rand_core::RngCore;
use sha2::{Digest, Sha256};

use super::config;
use crate::time::{Instant, Now, UnixMillis};
use crate::wire::Packet;

/// How long the exact set remembers an id (spec 4.3).
const EXACT_WINDOW: Duration = Duration::from_secs(300);
/// Copies of one packet with different signatures of an unknown key that are let through.
const MAX_VARIANTS: u8 = 4;
/// Packet ids whose variants are counted at once.
const VARIANT_IDS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// What makes two packets the same: the packet id (spec 3.7), and for an unsigned directed packet its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// The key of a packet. A recipient that no signature protects is part of it: otherwise a copy with another
    /// recipient, sent ahead, would suppress the packet.
    pub(super) fn of(packet: &Packet) -> Self {
        let id = packet.id();
        match packet.recipient {
            Some(recipient) if packet.signature.is_none() && !packet.is_broadcast() => {
                Self::hash(&id.0, &recipient.0)
            }
            _ => Self(id.0),
        }
    }

    /// The key of a packet whose signature cannot be checked yet.
    pub(super) fn variant(self, signature: &[u8; 64]) -> Self {
        Self::hash(&self.0, signature)
    }

    /// The bytes, for choices that must fall alike for copies of one packet.
    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn sample() -> Self {
        Self([7; 16])
    }

    fn hash(id: &[u8; 16], rest: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(id).chain_update(rest).finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }
}

/// Whether a signed packet of an unknown sender may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// Neither this packet nor this signature was seen.
    New,
    /// This very copy was seen.
    Seen,
    /// Four other signatures over the same packet passed before.
    TooMany,
}

/// The memory of packets that passed ingress.
pub(super) struct Dedup {
    current: BloomFilter,
    previous: BloomFilter,
    in_current: usize,
    rotated: Instant,
    exact: LruCache<Key, Instant>,
    variants: LruCache<Key, u8>,
    config: config::Dedup,
    bloom_seed: u128,
}

impl Dedup {
    /// An empty memory.
    pub(super) fn new(config: config::Dedup, rng: &mut impl RngCore) -> Self {
        let mut seed = [0; 16];
        rng.fill_bytes(&mut seed);
        let bloom_seed = u128::from_le_bytes(seed);
        Self {
            current: generation(&config, bloom_seed),
            previous: generation(&config, bloom_seed),
            in_current: 0,
            rotated: Instant::ZERO,
            exact: LruCache::new(NonZeroUsize::new(config.exact_ids).unwrap_or(NonZeroUsize::MIN)),
            variants: LruCache::new(VARIANT_IDS),
            config,
            bloom_seed,
        }
    }

    /// Whether a packet with this key and timestamp passed before.
    ///
    /// Only what the Bloom generations may know and the exact set cannot (older than 300 s) is taken for seen on
    /// the generations' word alone; such a packet is a sync reply, which the clock guard lets through only when
    /// it was asked for.
    pub(super) fn seen(&mut self, key: Key, timestamp: UnixMillis, now: Now) -> bool {
        self.rotate(now.instant);
        if !self.current.contains(&key) && !self.previous.contains(&key) {
            return false;
        }
        if timestamp.abs_diff(now.unix) > EXACT_WINDOW {
            return true;
        }
        self.exact.get(&key).is_some_and(|&marked| now.instant.since(marked) <= EXACT_WINDOW)
    }

    /// Remembers a packet that passed ingress.
    pub(super) fn mark(&mut self, key: Key, now: Now) {
        self.rotate(now.instant);
        if !self.current.insert(&key) {
            self.in_current += 1;
        }
        self.exact.put(key, now.instant);
    }

    /// Whether this copy of a packet, signed with a key we do not know, may pass.
    pub(super) fn variant(&mut self, key: Key, variant: Key, timestamp: UnixMillis, now: Now) -> Variant {
        if self.seen(variant, timestamp, now) {
            Variant::Seen
        } else if self.variants.get(&key).is_some_and(|&count| count >= MAX_VARIANTS) {
            Variant::TooMany
        } else {
            Variant::New
        }
    }

    /// Remembers a copy that passed with an unchecked signature; the packet itself stays unmarked, so that a
    /// forged copy cannot suppress the genuine one.
    pub(super) fn mark_variant(&mut self, key: Key, variant: Key, now: Now) {
        self.mark(variant, now);
        let count = self.variants.get(&key).copied().unwrap_or(0);
        self.variants.put(key, count.saturating_add(1));
    }

    fn rotate(&mut self, now: Instant) {
        let full = self.in_current >= self.config.generation_ids;
        if full || now.since(self.rotated) >= self.config.rotation {
            let fresh = generation(&self.config, self.bloom_seed);
            self.previous = std::mem::replace(&mut self.current, fresh);
            self.in_current = 0;
            self.rotated = now;
        }
    }
}

fn generation(config: &config::Dedup, seed: u128) -> BloomFilter {
    BloomFilter::with_false_pos(config.false_positives).seed(&seed).expected_items(config.generation_ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn dedup(generation_ids: usize) -> Dedup {
        let config = config::Dedup { generation_ids, ..config::Dedup::default() };
        Dedup::new(config, &mut ChaCha20Rng::seed_from_u64(1))
    }

    fn key(n: u32) -> Key {
        Key::hash(&[0; 16], &n.to_be_bytes())
    }

    fn at(seconds: u64) -> Now {
        let elapsed = Duration::from_secs(seconds);
        Now { instant: Instant::from_start(elapsed), unix: UnixMillis(1_750_000_000_000) + elapsed }
    }

    #[test]
    fn a_marked_packet_is_seen_and_another_is_not() {
        let mut dedup = dedup(1_000);
        dedup.mark(key(1), at(0));
        assert!(dedup.seen(key(1), at(0).unix, at(1)));
        assert!(!dedup.seen(key(2), at(0).unix, at(1)));
    }

    #[test]
    fn a_false_positive_never_costs_a_fresh_packet() {
        let mut dedup = dedup(10);
        for n in 0..9 {
            dedup.mark(key(n), at(0));
        }
        for n in 100..20_100 {
            let guessed = dedup.current.contains(&key(n));
            assert!(!dedup.seen(key(n), at(0).unix, at(1)), "key {n}, in the Bloom filter: {guessed}");
        }
        assert!((100..20_100).any(|n| dedup.current.contains(&key(n))), "the filter had a false positive");
    }

    #[test]
    fn the_default_generation_keeps_its_promise_of_one_in_ten_thousand() {
        let mut dedup = dedup(100_000);
        for n in 0..99_999 {
            dedup.mark(key(n), at(0));
        }
        let wrong = (200_000..400_000).filter(|&n| dedup.current.contains(&key(n))).count();
        assert!(wrong <= 40, "{wrong} of 200,000; 20 are expected");
    }

    #[test]
    fn an_old_packet_is_judged_by_the_generations_and_forgotten_after_two_rotations() {
        let mut dedup = dedup(1_000);
        let day = 24 * 60 * 60;
        dedup.mark(key(1), at(0));
        assert!(dedup.seen(key(1), at(0).unix, at(3_600)), "older than 300 s, in the current generation");
        assert!(dedup.seen(key(1), at(0).unix, at(day)), "in the previous generation");
        assert!(!dedup.seen(key(1), at(0).unix, at(2 * day)));
    }

    #[test]
    fn a_full_generation_rotates_early_and_the_previous_one_still_answers() {
        let mut dedup = dedup(10);
        for n in 0..15 {
            dedup.mark(key(n), at(0));
        }
        assert!((0..15).all(|n| dedup.seen(key(n), at(0).unix, at(1))));
    }

    #[test]
    fn four_unknown_signatures_pass_and_never_suppress_the_packet_itself() {
        let mut dedup = dedup(1_000);
        let id = key(1);
        for forged in 0..4 {
            let variant = id.variant(&[forged; 64]);
            assert_eq!(dedup.variant(id, variant, at(0).unix, at(0)), Variant::New);
            dedup.mark_variant(id, variant, at(0));
            assert_eq!(dedup.variant(id, variant, at(0).unix, at(0)), Variant::Seen);
        }
        assert_eq!(dedup.variant(id, id.variant(&[9; 64]), at(0).unix, at(0)), Variant::TooMany);
        assert!(!dedup.seen(id, at(0).unix, at(0)));
    }
}
