//! How long an attempt is waited for, how long a message rests when everything was tried, and which ways are
//! not trusted for the moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_core::RngCore;

use super::config::Config;
use crate::capabilities::TransportKey;
use crate::ids::PeerId;
use crate::message::MAX_AGE;
use crate::time::Instant;

/// An attempt is overdue after so many times the expected latency, and the floor on top.
const PATIENCE: u32 = 4;
/// The same where another way stands ready: however slow this one was measured, waiting costs more.
const PATIENCE_WITH_FALLBACK: u32 = 2;
/// How long a way that was silent is distrusted at most: if nobody tried it again, nothing would ever be heard.
const DISTRUST: Duration = Duration::from_secs(60);

/// What the deadline of an attempt rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expectation {
    /// What the transport promises.
    pub(super) typical: Duration,
    /// What it kept so far.
    pub(super) measured: Option<Duration>,
    /// Whether another way, known to stand, could take the message.
    pub(super) fallback: bool,
    /// Tries over this transport before this one, in this round.
    pub(super) tries: u8,
}

/// How long to wait for the receipt of an attempt before something else is tried.
///
/// Four times the latency and the floor, within floor and timeout. Where a fallback stands, not longer than
/// that rule gives for the typical latency, or twice the measured one. A repeated try over the same transport
/// waits twice as long each time, beyond the timeout too where there is no fallback: whoever was too impatient
/// once should not be so again.
pub(super) fn patience(config: &Config, expected: Expectation) -> Duration {
    let rule = |latency: Duration| latency.saturating_mul(PATIENCE).saturating_add(config.failover_floor);
    let usual = rule(expected.measured.unwrap_or(expected.typical));
    let patience = match expected.measured {
        Some(measured) if expected.fallback => {
            usual.min(rule(expected.typical).max(measured.saturating_mul(PATIENCE_WITH_FALLBACK)))
        }
        Some(_) | None => usual,
    };
    let longest = config.failover_timeout.max(config.failover_floor);
    let doublings = u32::from(expected.tries).min(8);
    let doubled = patience.clamp(config.failover_floor, longest).saturating_mul(1 << doublings);
    if expected.fallback { doubled.min(longest) } else { doubled }
}

/// The pause after `previous`: twice as long, up to the longest.
pub(super) fn next_pause(config: &Config, previous: Option<Duration>) -> Duration {
    previous.map_or(config.first_pause, |pause| pause.saturating_mul(2)).min(config.longest_pause)
}

/// A pause made longer or shorter by up to a quarter, so that nodes that lost each other at the same time do
/// not call at the same time.
pub(super) fn jittered(pause: Duration, rng: &mut impl RngCore) -> Duration {
    pause.min(MAX_AGE).mul_f64(0.75 + f64::from(rng.next_u32()) / f64::from(u32::MAX) / 2.0)
}

/// The ways on which an answer was due and nothing was heard since. One break is one failure, however many
/// messages were under way: who enters a way here learns whether it was trusted until then.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    since: BTreeMap<(PeerId, TransportKey), Instant>,
    by_age: BTreeSet<(Instant, PeerId, TransportKey)>,
}

impl Suspects {
    /// Distrusts a way; true when it was trusted until now.
    pub(super) fn suspect(&mut self, peer: PeerId, transport: TransportKey, now: Instant) -> bool {
        let trusted = !self.clear(peer, transport);
        self.since.insert((peer, transport), now);
        self.by_age.insert((now, peer, transport));
        trusted
    }

    /// Something was heard; true when the way was distrusted.
    pub(super) fn clear(&mut self, peer: PeerId, transport: TransportKey) -> bool {
        let Some(since) = self.since.remove(&(peer, transport)) else { return false };
        self.by_age.remove(&(since, peer, transport));
        true
    }

    pub(super) fn contains(&self, peer: PeerId, transport: TransportKey) -> bool {
        self.since.contains_key(&(peer, transport))
    }

    /// Forgives the ways that were distrusted long enough.
    pub(super) fn forgive(&mut self, now: Instant) {
        while let Some(&(since, peer, transport)) = self.by_age.first()
            && now.since(since) >= DISTRUST
        {
            self.clear(peer, transport);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::Capabilities;

    fn waits(typical: Duration, measured: Option<u64>, fallback: bool, tries: u8) -> u128 {
        let measured = measured.map(Duration::from_millis);
        patience(&Config::default(), Expectation { typical, measured, fallback, tries }).as_millis()
    }

    #[test]
    fn direct_gives_way_to_a_standing_fallback_well_within_a_second() {
        let typical = Capabilities::DIRECT.typical_latency;
        assert_eq!(waits(typical, None, true, 0), 650);
        assert_eq!(waits(typical, Some(20), true, 0), 330);
        assert_eq!(waits(typical, Some(200), true, 0), 650);
        assert_eq!(waits(typical, Some(200), false, 0), 1050);
        // Measured far slower than promised: waiting less than it takes would send everything twice.
        assert_eq!(waits(typical, Some(1000), true, 0), 2000);
    }

    #[test]
    fn the_timeout_bounds_the_wait_and_a_repeated_try_waits_longer() {
        let typical = Capabilities::BITCHAT.typical_latency;
        assert_eq!(waits(typical, None, false, 0), 8250);
        assert_eq!(waits(typical, Some(60_000), false, 0), 10_000);
        assert_eq!(waits(typical, Some(60_000), false, 1), 20_000);
        assert_eq!(waits(typical, Some(0), false, 0), 250);
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let config = Config::default();
        let mut pause = next_pause(&config, None);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pauses.push(pause.as_secs());
            pause = next_pause(&config, Some(pause));
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 120, 120]);
    }

    #[test]
    fn a_break_counts_once_and_is_forgiven_after_a_minute() {
        let (peer, transport) = (PeerId([1; 8]), TransportKey::Direct);
        let at = |seconds| Instant::from_start(Duration::from_secs(seconds));
        let mut suspects = Suspects::default();
        assert!(suspects.suspect(peer, transport, at(0)));
        assert!(!suspects.suspect(peer, transport, at(1)));
        suspects.forgive(at(60));
        assert!(suspects.contains(peer, transport), "it was silent again at 1 s");
        suspects.forgive(at(61));
        assert!(!suspects.contains(peer, transport));
    }
}
