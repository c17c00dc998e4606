//! How well each transport did for each peer: two exponentially weighted averages and nothing else.
//!
//! One answer in time moves the success towards 1, one that did not come moves it towards 0, each by
//! [`WEIGHT`]; a latency moves by [`WEIGHT`] too. What is lacking to full success counts half after each
//! [`HALF_LIFE`], so that a transport nobody uses any more is not held to its worst hour for ever, and nothing
//! once a way stands anew: what failed was the old one. At most
//! [`RECORDS`] pairs are kept; the one that was used longest ago makes room.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use crate::capabilities::TransportKey;
use crate::ids::PeerId;
use crate::message::MAX_AGE;
use crate::time::{Instant, Now, UnixMillis};

/// The share of the newest sample in an average.
pub const WEIGHT: f64 = 0.125;
/// How long until an old failure counts half.
pub const HALF_LIFE: Duration = Duration::from_secs(2 * 60);
/// The least time between two [`Output::Measured`](super::event::Output::Measured) of the same record.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(30);
/// Pairs of peer and transport that are remembered.
pub const RECORDS: NonZeroUsize = NonZeroUsize::new(4096).expect("4096 is not zero");

/// What was measured of one transport and one peer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    /// To whom.
    pub peer: PeerId,
    /// Over what.
    pub transport: TransportKey,
    /// Share of attempts that were answered in time, exponentially weighted: 0 to 1.
    pub success: f64,
    /// Time from dispatch to receipt, exponentially weighted.
    pub latency: Duration,
    /// Attempts it rests on.
    pub samples: u32,
    /// When it last changed.
    pub updated: UnixMillis,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    /// The receipt came, so long after the dispatch.
    Answered(Duration),
    /// No receipt came in time.
    Missed,
}

#[derive(Debug)]
struct Kept {
    record: Record,
    /// When it was last handed out to be kept.
    reported: Option<Instant>,
}

/// Every record of this router.
#[derive(Debug)]
pub(super) struct Measurements {
    records: LruCache<(PeerId, TransportKey), Kept>,
}

impl Measurements {
    pub(super) fn new() -> Self {
        Self { records: LruCache::new(RECORDS) }
    }

    /// Takes a record of an earlier run, unless this run measured already; nonsense is not taken.
    pub(super) fn remember(&mut self, record: Record) {
        let key = (record.peer, record.transport);
        let is_sane = (0.0..=1.0).contains(&record.success) && record.latency <= MAX_AGE;
        if is_sane && !self.records.contains(&key) {
            self.records.put(key, Kept { record, reported: None });
        }
    }

    /// Adds a sample; `typical` is the latency assumed so far. Returns the record when it is time to keep it.
    pub(super) fn add(
        &mut self,
        peer: PeerId,
        transport: TransportKey,
        typical: Duration,
        sample: Sample,
        now: Now,
    ) -> Option<Record> {
        let fresh = || {
            let record =
                Record { peer, transport, success: 1.0, latency: typical, samples: 0, updated: now.unix };
            Kept { record, reported: None }
        };
        let kept = self.records.get_or_insert_mut((peer, transport), fresh);
        kept.record = moved(faded(kept.record, now.unix), sample, now.unix);
        if kept.reported.is_some_and(|reported| now.instant.since(reported) < REPORT_INTERVAL) {
            return None;
        }
        kept.reported = Some(now.instant);
        Some(kept.record)
    }

    /// A way stands anew: earlier failures say nothing about it.
    pub(super) fn forgive(&mut self, peer: PeerId, transport: TransportKey) {
        if let Some(kept) = self.records.peek_mut(&(peer, transport)) {
            kept.record.success = 1.0;
        }
    }

    /// The record as it counts at this time.
    pub(super) fn get(&self, peer: PeerId, transport: TransportKey, now: UnixMillis) -> Option<Record> {
        self.records.peek(&(peer, transport)).map(|kept| faded(kept.record, now))
    }
}

fn faded(record: Record, now: UnixMillis) -> Record {
    let age = now.0.saturating_sub(record.updated.0);
    let halvings = Duration::from_millis(age).div_duration_f64(HALF_LIFE);
    Record { success: 1.0 - (1.0 - record.success) * 0.5_f64.powf(halvings), ..record }
}

fn moved(record: Record, sample: Sample, now: UnixMillis) -> Record {
    let (success, latency) = match sample {
        // The first latency replaces an assumption; there is nothing to average.
        Sample::Answered(took) if record.samples == 0 => (1.0, took),
        Sample::Answered(took) => {
            let latency = record.latency.mul_f64(1.0 - WEIGHT).saturating_add(took.mul_f64(WEIGHT));
            (record.success + (1.0 - record.success) * WEIGHT, latency)
        }
        Sample::Missed => (record.success * (1.0 - WEIGHT), record.latency),
    };
    Record { success, latency, samples: record.samples.saturating_add(1), updated: now, ..record }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId([7; 8]);
    const DIRECT: TransportKey = TransportKey::Direct;
    const TYPICAL: Duration = Duration::from_millis(100);

    fn at(millis: u64) -> Now {
        Now {
            instant: Instant::from_start(Duration::from_millis(millis)),
            unix: UnixMillis(1_000_000 + millis),
        }
    }

    #[test]
    fn the_first_latency_replaces_the_assumption_and_later_ones_move_it() {
        let mut measured = Measurements::new();
        measured.add(PEER, DIRECT, TYPICAL, Sample::Answered(Duration::from_millis(20)), at(0));
        let record = measured.get(PEER, DIRECT, at(0).unix).unwrap();
        assert_eq!((record.latency, record.success), (Duration::from_millis(20), 1.0));
        measured.add(PEER, DIRECT, TYPICAL, Sample::Answered(Duration::from_millis(100)), at(1));
        let record = measured.get(PEER, DIRECT, at(1).unix).unwrap();
        assert_eq!((record.latency, record.samples), (Duration::from_millis(30), 2));
    }

    #[test]
    fn a_miss_lowers_the_success_and_time_heals_it() {
        let mut measured = Measurements::new();
        measured.add(PEER, DIRECT, TYPICAL, Sample::Missed, at(0));
        assert_eq!(measured.get(PEER, DIRECT, at(0).unix).unwrap().success, 0.875);
        let later = UnixMillis(at(0).unix.0 + 120_000);
        assert_eq!(measured.get(PEER, DIRECT, later).unwrap().success, 0.9375);
    }

    #[test]
    fn a_record_is_handed_out_at_most_every_half_minute() {
        let mut measured = Measurements::new();
        let mut handed_out =
            |millis| measured.add(PEER, DIRECT, TYPICAL, Sample::Missed, at(millis)).is_some();
        assert!(handed_out(0));
        assert!(!handed_out(29_999));
        assert!(handed_out(30_000));
    }

    #[test]
    fn what_an_earlier_run_measured_is_taken_unless_it_is_nonsense_or_stale() {
        let mut measured = Measurements::new();
        let record = Record {
            peer: PEER,
            transport: DIRECT,
            success: 0.5,
            latency: TYPICAL,
            samples: 9,
            updated: at(0).unix,
        };
        measured.remember(Record { success: f64::NAN, ..record });
        assert_eq!(measured.get(PEER, DIRECT, at(0).unix), None);
        measured.remember(record);
        measured.remember(Record { success: 1.0, ..record });
        assert_eq!(measured.get(PEER, DIRECT, at(0).unix), Some(record));
    }

    #[test]
    fn the_pair_used_longest_ago_makes_room() {
        let mut measured = Measurements::new();
        let peer = |number: usize| PeerId(u64::try_from(number).unwrap().to_be_bytes());
        for number in 0..=RECORDS.get() {
            measured.add(peer(number), DIRECT, TYPICAL, Sample::Missed, at(0));
        }
        assert_eq!(measured.get(peer(0), DIRECT, at(0).unix), None);
        assert!(measured.get(peer(1), DIRECT, at(0).unix).is_some());
    }
}
