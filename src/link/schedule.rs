//! Whom one adapter dials next, and when (spec 1.5).
//!
//! One attempt at a time, at least half a second apart, the best candidate first. A device that failed is left
//! alone for a while, longer when it did not answer at all.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::Config;
use super::event::{DeviceAddress, LinkDownReason};
use crate::ids::PeerId;
use crate::time::Instant;

/// Strength assumed where the radio knows none: neither first nor last in the queue.
const UNKNOWN_RSSI: i16 = -80;
/// At or below this a time-out costs a longer blackout (spec 1.5).
const WEAK_RSSI: i16 = -90;
/// For this long a time-out costs points (spec 1.5).
const TIMED_OUT_MEMORY: Duration = Duration::from_secs(60);

/// The dialling side of one adapter.
#[derive(Debug)]
pub(super) struct Schedule {
    own_address: DeviceAddress,
    devices: BTreeMap<DeviceAddress, Device>,
    dialling: Option<Attempt>,
    last_attempt: Option<Instant>,
}

/// What is remembered of a device.
#[derive(Debug, Clone)]
pub(super) struct Device {
    /// When it was last heard; `None` when it was not since its last link ended.
    heard: Option<Instant>,
    rssi: Option<i16>,
    /// The peer id it advertises: a hint.
    pub(super) peer: Option<PeerId>,
    not_before: Instant,
    failures: u32,
    timed_out: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    address: DeviceAddress,
    began: Instant,
}

impl Schedule {
    /// For an adapter with this address: nobody is known yet.
    pub(super) fn new(own_address: DeviceAddress) -> Self {
        Self { own_address, devices: BTreeMap::new(), dialling: None, last_attempt: None }
    }

    pub(super) fn own_address(&self) -> DeviceAddress {
        self.own_address
    }

    /// Whether as many devices are remembered as may be.
    pub(super) fn is_full(&self, config: &Config) -> bool {
        self.devices.len() >= config.max_candidates
    }

    /// A device was heard. A new one is not dialled before `jitter` has passed, and its head start if it has one.
    pub(super) fn heard(
        &mut self,
        address: DeviceAddress,
        rssi: Option<i16>,
        peer: Option<PeerId>,
        jitter: Duration,
        config: &Config,
        now: Instant,
    ) {
        let not_before = now + jitter + self.head_start(address, config);
        let device = self.devices.entry(address).or_insert_with(|| Device {
            heard: None,
            rssi,
            peer,
            not_before,
            failures: 0,
            timed_out: None,
        });
        device.heard = Some(now);
        device.rssi = rssi.or(device.rssi);
        device.peer = peer.or(device.peer);
        self.forget_the_worst(config, now);
    }

    /// This device is none to dial.
    pub(super) fn forget(&mut self, address: DeviceAddress) {
        self.devices.remove(&address);
    }

    /// Whether an attempt at this device is under way.
    pub(super) fn is_dialling(&self, address: DeviceAddress) -> bool {
        self.dialling.is_some_and(|attempt| attempt.address == address)
    }

    /// Whether any attempt is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.dialling.is_some()
    }

    /// Begins an attempt at the best device that is due and `wanted`, if the adapter is free to.
    pub(super) fn dial(
        &mut self,
        wanted: impl Fn(DeviceAddress, &Device) -> bool,
        config: &Config,
        now: Instant,
    ) -> Option<DeviceAddress> {
        let address = self
            .due(&wanted, config)
            .filter(|&(_, _, due)| due <= now)
            .max_by_key(|&(address, device, _)| (device.score(now), address))
            .map(|(address, _, _)| address)?;
        self.dialling = Some(Attempt { address, began: now });
        self.last_attempt = Some(now);
        if let Some(device) = self.devices.get_mut(&address) {
            device.not_before = now + config.retry_same_device;
        }
        Some(address)
    }

    /// The device answered: past failures are forgiven.
    pub(super) fn connected(&mut self, address: DeviceAddress) {
        if self.is_dialling(address) {
            self.dialling = None;
        }
        self.devices.remove(&address);
    }

    /// The attempt at this device came to nothing.
    pub(super) fn failed(
        &mut self,
        address: DeviceAddress,
        reason: LinkDownReason,
        config: &Config,
        now: Instant,
    ) {
        if self.is_dialling(address) {
            self.dialling = None;
        }
        let head_start = self.head_start(address, config);
        let Some(device) = self.devices.get_mut(&address) else { return };
        device.failures = device.failures.saturating_add(1);
        if reason == LinkDownReason::TimedOut {
            device.timed_out = Some(now);
        }
        device.not_before = now + device.blackout(reason, config) + head_start;
    }

    /// A link to this device ended. It is dialled again when it is heard again, but not at once.
    pub(super) fn disconnected(
        &mut self,
        address: DeviceAddress,
        reason: LinkDownReason,
        config: &Config,
        now: Instant,
    ) {
        let head_start = self.head_start(address, config);
        let device = self.devices.entry(address).or_insert(Device {
            heard: None,
            rssi: None,
            peer: None,
            not_before: now,
            failures: 0,
            timed_out: None,
        });
        device.heard = None;
        device.not_before = now + device.blackout(reason, config) + head_start;
        self.forget_the_worst(config, now);
    }

    /// Lets go of an attempt that was never answered, and of devices not heard for long.
    pub(super) fn expire(&mut self, config: &Config, now: Instant) -> Option<DeviceAddress> {
        self.devices.retain(|_, device| now < device.expiry(config));
        let attempt = self.dialling.filter(|attempt| now.since(attempt.began) >= config.connect_patience)?;
        self.failed(attempt.address, LinkDownReason::TimedOut, config, now);
        Some(attempt.address)
    }

    /// When [`Self::dial`] or [`Self::expire`] has something to do.
    pub(super) fn next_timeout(
        &self,
        wanted: impl Fn(DeviceAddress, &Device) -> bool,
        config: &Config,
    ) -> Option<Instant> {
        match self.dialling {
            Some(attempt) => Some(attempt.began + config.connect_patience),
            None => self.due(&wanted, config).map(|(_, _, due)| due).min(),
        }
    }

    /// How long this device may dial us before we dial it. It hears and loses us when we hear and lose it, and an
    /// adapter that dials does not advertise: of two that dial each other at once neither gets through.
    fn head_start(&self, address: DeviceAddress, config: &Config) -> Duration {
        if address < self.own_address { config.head_start } else { Duration::ZERO }
    }

    fn forget_the_worst(&mut self, config: &Config, now: Instant) {
        if self.devices.len() > config.max_candidates {
            let worst =
                self.devices.iter().min_by_key(|(_, device)| device.score(now)).map(|(&worst, _)| worst);
            worst.map(|worst| self.devices.remove(&worst));
        }
    }

    /// Every device that may be dialled, with the time from which on; none while an attempt is under way.
    fn due<'a>(
        &'a self,
        wanted: &'a impl Fn(DeviceAddress, &Device) -> bool,
        config: &'a Config,
    ) -> impl Iterator<Item = (DeviceAddress, &'a Device, Instant)> {
        let free_at = match (self.dialling, self.last_attempt) {
            (Some(_), _) => None,
            (None, Some(last)) => Some(last + config.connect_gap),
            (None, None) => Some(Instant::ZERO),
        };
        free_at.into_iter().flat_map(move |free_at| {
            self.devices
                .iter()
                .map(move |(&address, device)| (address, device, device.not_before.max(free_at)))
                .filter(|&(address, device, due)| {
                    device.heard.is_some() && due < device.expiry(config) && wanted(address, device)
                })
        })
    }
}

impl Device {
    /// iOS's order of candidates: 1000 + 2(rssi + 100) - 10 a second of age - min(20, 2^min(4, failures)) - 10
    /// after a recent time-out (spec 1.5).
    fn score(&self, now: Instant) -> i64 {
        let Some(heard) = self.heard else { return i64::MIN };
        let age = i64::try_from(now.since(heard).as_secs()).unwrap_or(i64::MAX / 100);
        let failures = if self.failures == 0 { 0 } else { 1 << self.failures.min(4) };
        let timed_out = self.timed_out.is_some_and(|at| now.since(at) < TIMED_OUT_MEMORY);
        1000 + 2 * (i64::from(self.rssi.unwrap_or(UNKNOWN_RSSI)) + 100)
            - 10 * age
            - failures
            - if timed_out { 10 } else { 0 }
    }

    fn blackout(&self, reason: LinkDownReason, config: &Config) -> Duration {
        match reason {
            LinkDownReason::TimedOut | LinkDownReason::NoService => {
                if self.rssi.is_some_and(|rssi| rssi <= WEAK_RSSI) {
                    config.blackout_after_weak_timeout
                } else {
                    config.blackout_after_timeout
                }
            }
            LinkDownReason::Closed
            | LinkDownReason::Remote
            | LinkDownReason::AdapterDown
            | LinkDownReason::Failed => config.blackout_after_error,
        }
    }

    fn expiry(&self, config: &Config) -> Instant {
        self.heard.map_or(self.not_before, |heard| heard + config.candidate_lifetime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: DeviceAddress = DeviceAddress([0; 6]);
    const A: DeviceAddress = DeviceAddress([0xA; 6]);
    const B: DeviceAddress = DeviceAddress([0xB; 6]);

    fn at(ms: u64) -> Instant {
        Instant::from_start(Duration::from_millis(ms))
    }

    fn hear(schedule: &mut Schedule, address: DeviceAddress, rssi: i16, ms: u64) {
        schedule.heard(address, Some(rssi), None, Duration::ZERO, &Config::default(), at(ms));
    }

    fn dial(schedule: &mut Schedule, ms: u64) -> Option<DeviceAddress> {
        schedule.dial(|_, _| true, &Config::default(), at(ms))
    }

    fn timeout(schedule: &Schedule) -> Option<Instant> {
        schedule.next_timeout(|_, _| true, &Config::default())
    }

    #[test]
    fn the_loudest_device_goes_first_and_alone() {
        let mut schedule = Schedule::new(OWN);
        hear(&mut schedule, A, -80, 0);
        hear(&mut schedule, B, -60, 0);
        assert_eq!(dial(&mut schedule, 0), Some(B));
        assert_eq!(dial(&mut schedule, 1000), None);
        schedule.connected(B);
        assert_eq!(dial(&mut schedule, 1000), Some(A));
    }

    #[test]
    fn attempts_are_half_a_second_apart() {
        let mut schedule = Schedule::new(OWN);
        hear(&mut schedule, A, -60, 0);
        hear(&mut schedule, B, -60, 0);
        dial(&mut schedule, 0);
        schedule.connected(B);
        assert_eq!(timeout(&schedule), Some(at(500)));
        assert_eq!(dial(&mut schedule, 499), None);
        assert_eq!(dial(&mut schedule, 500), Some(A));
    }

    #[test]
    fn a_device_that_timed_out_is_left_alone_for_fifteen_seconds() {
        let mut schedule = Schedule::new(OWN);
        hear(&mut schedule, A, -60, 0);
        dial(&mut schedule, 0);
        schedule.failed(A, LinkDownReason::TimedOut, &Config::default(), at(8_000));
        hear(&mut schedule, A, -60, 20_000);
        assert_eq!(dial(&mut schedule, 22_999), None);
        assert_eq!(dial(&mut schedule, 23_000), Some(A));
        schedule.failed(A, LinkDownReason::Failed, &Config::default(), at(24_000));
        assert_eq!(timeout(&schedule), Some(at(27_000)));
    }

    #[test]
    fn of_two_adapters_the_one_with_the_lower_address_dials_first_every_time() {
        let (mut lower, mut higher) = (Schedule::new(A), Schedule::new(B));
        hear(&mut lower, B, -60, 0);
        hear(&mut higher, A, -60, 0);
        assert_eq!((timeout(&lower), timeout(&higher)), (Some(at(0)), Some(at(2_000))));
        lower.failed(B, LinkDownReason::TimedOut, &Config::default(), at(4_000));
        higher.failed(A, LinkDownReason::TimedOut, &Config::default(), at(4_000));
        assert_eq!((timeout(&lower), timeout(&higher)), (Some(at(19_000)), Some(at(21_000))));
        lower.disconnected(B, LinkDownReason::Remote, &Config::default(), at(30_000));
        higher.disconnected(A, LinkDownReason::Remote, &Config::default(), at(30_000));
        hear(&mut lower, B, -60, 31_000);
        hear(&mut higher, A, -60, 31_000);
        assert_eq!((timeout(&lower), timeout(&higher)), (Some(at(33_000)), Some(at(35_000))));
    }

    #[test]
    fn an_unanswered_attempt_frees_the_adapter_in_the_end() {
        let mut schedule = Schedule::new(OWN);
        hear(&mut schedule, A, -60, 0);
        dial(&mut schedule, 0);
        assert_eq!(timeout(&schedule), Some(at(60_000)));
        hear(&mut schedule, A, -60, 50_000);
        assert_eq!(schedule.expire(&Config::default(), at(60_000)), Some(A));
        assert_eq!(timeout(&schedule), Some(at(75_000)));
    }

    #[test]
    fn a_device_not_heard_for_a_minute_is_forgotten() {
        let mut schedule = Schedule::new(OWN);
        hear(&mut schedule, A, -60, 0);
        assert_eq!(schedule.expire(&Config::default(), at(60_000)), None);
        assert_eq!((dial(&mut schedule, 60_000), timeout(&schedule)), (None, None));
    }

    #[test]
    fn a_device_whose_link_ended_must_be_heard_again() {
        let mut schedule = Schedule::new(OWN);
        schedule.disconnected(A, LinkDownReason::Remote, &Config::default(), at(0));
        assert_eq!((dial(&mut schedule, 4_000), timeout(&schedule)), (None, None));
        schedule.disconnected(A, LinkDownReason::Remote, &Config::default(), at(5_000));
        hear(&mut schedule, A, -60, 6_000);
        assert_eq!((dial(&mut schedule, 7_999), dial(&mut schedule, 8_000)), (None, Some(A)));
    }

    #[test]
    fn the_worst_of_too_many_is_forgotten() {
        let mut schedule = Schedule::new(OWN);
        for number in 0..=100u8 {
            hear(&mut schedule, DeviceAddress([number; 6]), -50 - i16::from(number % 40), 0);
        }
        assert_eq!(schedule.devices.len(), 100);
        assert!(!schedule.devices.contains_key(&DeviceAddress([39; 6])));
    }

    #[test]
    fn a_failure_moves_a_device_down_the_queue() {
        let mut schedule = Schedule::new(OWN);
        hear(&mut schedule, A, -60, 0);
        hear(&mut schedule, B, -61, 0);
        assert_eq!(dial(&mut schedule, 0), Some(A));
        schedule.failed(A, LinkDownReason::Failed, &Config::default(), at(100));
        assert_eq!(dial(&mut schedule, 4_000), Some(B));
    }
}
