//! How often anybody may ask for what costs a relay work: a token each time, from a bucket for where they are and from
//! one for all together (betanet-htx 4, D-10).

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::bucket::{Bucket, Rate};
use crate::time::Instant;

/// The bounds of [`Buckets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketsConfig {
    /// The bucket of one IPv4 /24 or one IPv6 /56.
    pub source: Rate,
    /// The bucket that everybody shares.
    pub global: Rate,
    /// How many sources have a bucket of their own at one time.
    pub sources: usize,
}

impl Default for BucketsConfig {
    /// 60 tokens and one a second for a source, 1,024 and 256 a second for all, 65,536 sources.
    fn default() -> Self {
        Self {
            source: Rate { burst: 60, interval: Duration::from_secs(1) },
            global: Rate { burst: 1024, interval: Duration::from_nanos(1_000_000_000 / 256) },
            sources: 65_536,
        }
    }
}

/// Which bucket had no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Empty {
    /// The source's.
    #[error("the bucket of this source is empty")]
    Source,
    /// The one that everybody shares.
    #[error("the bucket for all sources is empty")]
    Global,
}

/// The buckets of all sources, and one for all of them.
///
/// A bucket that is full again is as good as none, and is forgotten when room is needed. When there are more sources
/// than [`BucketsConfig::sources`] whose buckets are not full, the further ones share one bucket.
#[derive(Debug)]
pub struct Buckets {
    config: BucketsConfig,
    global: Bucket,
    sources: BTreeMap<Source, Bucket>,
    shared: Bucket,
    /// When full buckets were last looked for.
    swept: Instant,
}

/// Looking for full buckets costs a walk over all of them.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Buckets {
    /// Full buckets.
    pub fn new(config: BucketsConfig) -> Self {
        let bucket = Bucket::default();
        Self { config, global: bucket, sources: BTreeMap::new(), shared: bucket, swept: Instant::ZERO }
    }

    /// Takes a token for this source, from both buckets or from none.
    pub fn take(&mut self, source: IpAddr, now: Instant) -> Result<(), Empty> {
        let source = Source::of(source);
        let key = (self.sources.contains_key(&source) || self.make_room(now)).then_some(source);
        let of_source = key.map_or(Some(&self.shared), |key| self.sources.get(&key)).copied();
        let of_source =
            of_source.unwrap_or_default().after_one(self.config.source, now).map_err(|_| Empty::Source)?;
        self.global.take(self.config.global, now).map_err(|_| Empty::Global)?;
        match key {
            Some(key) => drop(self.sources.insert(key, of_source)),
            None => self.shared = of_source,
        }
        Ok(())
    }

    /// Whether another source can have a bucket.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.sources.len() >= self.config.sources && now.since(self.swept) >= SWEEP_EVERY {
            self.swept = now;
            self.sources.retain(|_, bucket| !bucket.is_full(now));
        }
        self.sources.len() < self.config.sources
    }
}

/// What addresses share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    V4([u8; 3]),
    V6([u8; 7]),
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many tokens can be taken before one is refused.
    fn tokens(buckets: &mut Buckets, source: &str, now: Instant) -> usize {
        (0..10_000).take_while(|_| buckets.take(ip(source), now).is_ok()).count()
    }

    #[test]
    fn r15_a_source_has_60_tokens_and_gets_one_a_second() {
        let mut buckets = Buckets::new(BucketsConfig::default());
        assert_eq!(tokens(&mut buckets, "192.0.2.1", at(100)), 60);
        assert_eq!(buckets.take(ip("192.0.2.1"), at(100)), Err(Empty::Source));
        assert_eq!(tokens(&mut buckets, "192.0.2.1", at(101)), 1);
        assert_eq!(tokens(&mut buckets, "192.0.2.1", at(111)), 10);
        assert_eq!(tokens(&mut buckets, "192.0.2.1", at(10_000)), 60, "no more than full");
    }

    #[test]
    fn r15_a_source_is_an_ipv4_24_or_an_ipv6_56() {
        for (same, other) in [
            (["192.0.2.1", "192.0.2.255"], "192.0.3.1"),
            (["2001:db8:1:1::1", "2001:db8:1:ff::9"], "2001:db8:1:100::1"),
            (["::ffff:192.0.2.1", "192.0.2.9"], "::ffff:192.0.3.1"),
        ] {
            let mut buckets = Buckets::new(BucketsConfig::default());
            assert_eq!(tokens(&mut buckets, same[0], at(1)), 60);
            assert_eq!(tokens(&mut buckets, same[1], at(1)), 0, "{same:?}");
            assert_eq!(tokens(&mut buckets, other, at(1)), 60, "{other}");
        }
    }

    #[test]
    fn r15_all_sources_share_one_bucket_beside_their_own() {
        let mut buckets = Buckets::new(BucketsConfig::default());
        let taken = |buckets: &mut Buckets, now| -> usize {
            (0..=255).map(|n| tokens(buckets, &format!("10.0.{n}.1"), now)).sum()
        };
        assert_eq!(taken(&mut buckets, at(1)), 1024);
        assert_eq!(buckets.take(ip("192.0.2.1"), at(1)), Err(Empty::Global));
        assert_eq!(tokens(&mut buckets, "192.0.2.1", at(2)), 60, "what was refused cost the source nothing");
        assert_eq!(taken(&mut buckets, at(2)), 256 - 60);
    }

    #[test]
    fn sources_beyond_the_bound_share_a_bucket_until_others_are_full_again() {
        let config = BucketsConfig { sources: 2, ..BucketsConfig::default() };
        let mut buckets = Buckets::new(config);
        assert_eq!(tokens(&mut buckets, "10.0.1.1", at(1)), 60);
        assert_eq!(buckets.take(ip("10.0.2.1"), at(1)), Ok(()));
        assert_eq!(tokens(&mut buckets, "10.0.3.1", at(1)), 60);
        assert_eq!(tokens(&mut buckets, "10.0.4.1", at(1)), 0, "it shares the bucket of 10.0.3");
        assert_eq!(tokens(&mut buckets, "10.0.1.1", at(1)), 0, "and those before keep theirs");
        assert_eq!(buckets.sources.len(), 2);
        assert_eq!(tokens(&mut buckets, "10.0.4.1", at(3)), 60, "10.0.2 is full again, and forgotten");
        assert_eq!(buckets.sources.len(), 2);
    }
}
