//! What was seen of which site, for a day at most (spec 3, O-8): a visit right before every tunnel would be a
//! fingerprint of its own (D-6).

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::time::Duration;

use rand_core::RngCore;

use super::baseline::{Baseline, Observation};
use super::uniform;
use crate::time::Instant;

/// How long a visit counts.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// When it is time for another visit.
const EARLIEST_REFRESH: Duration = Duration::from_secs(8 * 60 * 60);
const LATEST_REFRESH: Duration = Duration::from_secs(20 * 60 * 60);
/// The most sites that are remembered; the one visited longest ago is forgotten for another.
const MAX_SITES: usize = 64;

/// The sites that were visited, by host name and address.
#[derive(Debug, Default)]
pub struct Cache {
    sites: BTreeMap<(String, IpAddr), Site>,
}

#[derive(Debug)]
struct Site {
    baseline: Baseline,
    visited: Instant,
    refresh: Instant,
}

impl Cache {
    /// Nothing visited.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a tunnel to this site has to show, if it was visited in the last 24 hours.
    pub fn get(&self, host: &str, address: IpAddr, now: Instant) -> Option<&Baseline> {
        self.site(host, address, now).map(|site| &site.baseline)
    }

    /// Whether it is time to visit the site again, or for the first time; each time drawn between 8 and 20 hours.
    pub fn refresh_due(&self, host: &str, address: IpAddr, now: Instant) -> bool {
        self.site(host, address, now).is_none_or(|site| site.refresh <= now)
    }

    /// The site was visited. An earlier visit that still counts tells what varies.
    pub fn record(
        &mut self,
        host: &str,
        address: IpAddr,
        observation: Observation,
        rng: &mut (impl RngCore + ?Sized),
        now: Instant,
    ) {
        self.sites.retain(|_, site| now.since(site.visited) < MAX_AGE);
        let refresh = now + uniform::time(rng, EARLIEST_REFRESH..=LATEST_REFRESH);
        let key = (host.to_owned(), address);
        let baseline = match self.sites.remove(&key) {
            Some(mut site) => {
                site.baseline.add(observation);
                site.baseline
            }
            None => Baseline::new(observation),
        };
        if self.sites.len() >= MAX_SITES {
            let oldest = self.sites.iter().min_by_key(|(_, site)| site.visited).map(|(key, _)| key.clone());
            oldest.map(|oldest| self.sites.remove(&oldest));
        }
        self.sites.insert(key, Site { baseline, visited: now, refresh });
    }

    /// What was seen of this site does not count any more.
    pub fn forget(&mut self, host: &str, address: IpAddr) {
        self.sites.remove(&(host.to_owned(), address));
    }

    fn site(&self, host: &str, address: IpAddr, now: Instant) -> Option<&Site> {
        self.sites.get(&(host.to_owned(), address)).filter(|site| now.since(site.visited) < MAX_AGE)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::leaf_key::LeafKey;
    use super::*;

    const HOST: &str = "relay.example";
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));

    fn visit(window: u32) -> Observation {
        Observation {
            alpn: b"h2".to_vec(),
            version: 0x0304,
            cipher: 0x1301,
            group: 29,
            leaf_key: LeafKey::Ed25519,
            settings: vec![(4, window)],
            window_update: None,
            alt_svc: None,
        }
    }

    fn at(hours: f64) -> Instant {
        Instant::from_start(Duration::from_secs_f64(hours * 3600.0))
    }

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([1; 32])
    }

    #[test]
    fn a_visit_counts_for_a_day_and_for_its_own_host_and_address() {
        let mut cache = Cache::new();
        cache.record(HOST, HERE, visit(1), &mut rng(), at(0.0));
        assert!(cache.get(HOST, HERE, at(23.999)).is_some());
        assert!(cache.get(HOST, HERE, at(24.0)).is_none());
        assert!(cache.get(HOST, THERE, at(1.0)).is_none());
        assert!(cache.get("other.example", HERE, at(1.0)).is_none());
        cache.forget(HOST, HERE);
        assert!(cache.get(HOST, HERE, at(1.0)).is_none());
    }

    #[test]
    fn two_visits_within_a_day_tell_what_varies_and_two_further_apart_do_not() {
        for (hours, tolerant) in [(23.0, true), (25.0, false)] {
            let mut cache = Cache::new();
            cache.record(HOST, HERE, visit(900), &mut rng(), at(0.0));
            cache.record(HOST, HERE, visit(1000), &mut rng(), at(hours));
            let baseline = cache.get(HOST, HERE, at(hours)).unwrap();
            assert_eq!(baseline.compare(&visit(1100)).is_ok(), tolerant);
        }
    }

    #[test]
    fn another_visit_is_due_between_8_and_20_hours_later_and_not_always_at_the_same_time() {
        let mut rng = rng();
        let mut due = Vec::new();
        for _ in 0..100 {
            let mut cache = Cache::new();
            assert!(cache.refresh_due(HOST, HERE, at(0.0)));
            cache.record(HOST, HERE, visit(1), &mut rng, at(0.0));
            let first = (0..=24).find(|&hour| cache.refresh_due(HOST, HERE, at(f64::from(hour)))).unwrap();
            assert!((8..=20).contains(&first), "{first}");
            due.push(first);
        }
        due.sort_unstable();
        due.dedup();
        assert!(due.len() > 8, "{due:?}");
    }

    #[test]
    fn the_site_visited_longest_ago_is_forgotten_for_one_too_many() {
        let mut cache = Cache::new();
        for number in 0..=MAX_SITES {
            let minutes = f64::from(u32::try_from(number).unwrap());
            cache.record(&format!("{number}.example"), HERE, visit(1), &mut rng(), at(minutes / 60.0));
        }
        assert_eq!(cache.sites.len(), MAX_SITES);
        assert!(cache.get("0.example", HERE, at(2.0)).is_none());
        assert!(cache.get("1.example", HERE, at(2.0)).is_some());
    }
}
