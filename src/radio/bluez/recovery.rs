//! What to do when BlueZ or a controller misbehaves: policy only, no call is made here.
//!
//! Every row comes from field reports of BlueZ, bluer, btleplug and others; the symptoms name them. The rest of
//! this room carries the actions out.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_core::RngCore;

use crate::link::event::LinkDownReason;

/// Scan starts that may fail one after the other before the adapter counts as silent.
const SCAN_STRIKES: u32 = 4;

/// Scan starts that may find another scan running. One whose owner was killed runs on for 10.24 s in the kernel.
const BUSY_SCAN_STRIKES: u32 = 20;

/// Unanswered health checks before the adapter counts as silent.
pub(super) const HEALTH_STRIKES: u32 = 3;

/// How an attempt to dial a device failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DialSymptom {
    /// `le-connection-abort-by-local`: the controller gave up, often because of other traffic (bleak #993,
    /// tinygo #206).
    Aborted,
    /// `org.bluez.Error.InProgress`: BlueZ thinks an earlier attempt still runs, for hours if nobody clears it
    /// (bleak-retry-connector #28).
    InProgress,
    /// The connect call did not return in time (btleplug #97).
    Hung,
    /// Connected, but the remote services were not found in time (btleplug #164).
    Unresolved,
    /// Services were found, ours is not among them: another kind of device, or a stale cache (bleak #882).
    NoService,
    /// BlueZ has no such device object, or has it no longer: it must be heard again.
    Unknown,
    /// Anything else.
    Refused,
}

/// What to do about a [`DialSymptom`]. The device is disconnected in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DialAction {
    /// Wait, then dial again.
    Retry(Duration),
    /// Remove the device with all that BlueZ remembers of it, wait until it is heard again, dial again.
    Forget(Duration),
    /// Tell the link layer.
    GiveUp(LinkDownReason),
}

/// The memory of one dialling: how often each symptom was seen.
#[derive(Debug, Default)]
pub(super) struct DialRecovery {
    seen: BTreeMap<DialSymptom, u32>,
}

impl DialRecovery {
    /// The answer to one more failed attempt.
    pub(super) fn next(&mut self, symptom: DialSymptom, rng: &mut impl RngCore) -> DialAction {
        let seen = self.seen.entry(symptom).or_default();
        let attempt = *seen;
        *seen += 1;
        let short = backoff(Duration::from_millis(250), Duration::from_secs(4), attempt, rng);
        match symptom {
            DialSymptom::Aborted if attempt < 5 => DialAction::Retry(short),
            DialSymptom::InProgress if attempt < 2 => DialAction::Forget(short),
            DialSymptom::Unresolved if attempt < 2 => DialAction::Retry(short),
            DialSymptom::NoService | DialSymptom::Unknown if attempt < 1 => DialAction::Forget(short),
            DialSymptom::NoService => DialAction::GiveUp(LinkDownReason::NoService),
            DialSymptom::Hung | DialSymptom::Unresolved => DialAction::GiveUp(LinkDownReason::TimedOut),
            DialSymptom::Unknown => DialAction::GiveUp(LinkDownReason::Remote),
            DialSymptom::Aborted | DialSymptom::InProgress | DialSymptom::Refused => {
                DialAction::GiveUp(LinkDownReason::Failed)
            }
        }
    }
}

/// How an adapter stopped working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AdapterSymptom {
    /// Nobody owns `org.bluez`.
    #[error("bluetoothd is not running")]
    DaemonGone,
    /// BlueZ has no adapter of that name.
    #[error("the adapter is not there")]
    Missing,
    /// Somebody switched it off.
    #[error("the adapter was powered off")]
    PoweredOff,
    /// Our GATT service is no longer registered: bluetoothd was restarted.
    #[error("bluetoothd was restarted")]
    Restarted,
    /// It does not answer, or refuses every scan (`command 0x… tx timeout`; HAOS #1244, raspberrypi/linux #4601).
    #[error("the adapter does not respond")]
    Silent,
    /// We may not talk to BlueZ.
    #[error("access to BlueZ is denied")]
    Denied,
    /// A step of bringing it up failed in another way.
    #[error("the adapter could not be set up")]
    Failed,
}

/// What to do about an [`AdapterSymptom`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdapterAction {
    /// Wait, then bring it up again.
    BringUp(Duration),
    /// Switch it off and on, then bring it up again.
    PowerCycle,
    /// Nothing left that we may do: tell the operator, and look again after a while.
    Report(Duration),
}

/// The memory of one adapter.
#[derive(Debug)]
pub(super) struct AdapterRecovery {
    failures: u32,
    may_cycle: bool,
}

impl AdapterRecovery {
    /// An adapter that was on before us is not ours to switch off: phones take minutes to return.
    pub(super) fn new(was_on: bool) -> Self {
        Self { failures: 0, may_cycle: !was_on }
    }

    /// The adapter has worked for a while: earlier failures no longer count. A power cycle does, for good.
    pub(super) fn healthy(&mut self) {
        self.failures = 0;
    }

    /// The answer to one more failure.
    pub(super) fn next(&mut self, symptom: AdapterSymptom, rng: &mut impl RngCore) -> AdapterAction {
        let attempt = self.failures;
        self.failures = self.failures.saturating_add(1);
        match symptom {
            AdapterSymptom::DaemonGone
            | AdapterSymptom::Missing
            | AdapterSymptom::Restarted
            | AdapterSymptom::Failed => AdapterAction::BringUp(backoff(
                Duration::from_millis(500),
                Duration::from_secs(8),
                attempt,
                rng,
            )),
            // Whoever switched it off may be about to switch it on; if not, we insist, ever more slowly.
            AdapterSymptom::PoweredOff => AdapterAction::BringUp(backoff(
                Duration::from_secs(4),
                Duration::from_secs(300),
                attempt,
                rng,
            )),
            AdapterSymptom::Silent if self.may_cycle => {
                self.may_cycle = false;
                AdapterAction::PowerCycle
            }
            AdapterSymptom::Silent | AdapterSymptom::Denied => {
                AdapterAction::Report(backoff(Duration::from_secs(10), Duration::from_secs(60), attempt, rng))
            }
        }
    }
}

/// Why the adapter does not advertise for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdvertSymptom {
    /// `Maximum advertisements reached`: a crashed run or another program holds the instances (bluez_inc #8).
    Exhausted,
    /// BlueZ counts no active instance: lost after connections (bluez #12, #644).
    Lost,
    /// Anything else.
    Refused,
}

/// How long to wait before advertising again, after `attempt` failures in a row.
pub(super) fn readvertise(symptom: AdvertSymptom, attempt: u32, rng: &mut impl RngCore) -> Duration {
    match symptom {
        AdvertSymptom::Exhausted => backoff(Duration::from_secs(1), Duration::from_secs(30), attempt, rng),
        AdvertSymptom::Lost => Duration::ZERO,
        AdvertSymptom::Refused => backoff(Duration::from_millis(500), Duration::from_secs(30), attempt, rng),
    }
}

/// How a scan did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanSymptom {
    /// `org.bluez.Error.InProgress`: another one runs, perhaps of a bluetoothd that was killed.
    Busy,
    /// Refused in another way, or not answered.
    Refused,
}

/// The memory of scans that did not start.
#[derive(Debug, Default)]
pub(super) struct ScanRecovery {
    busy: u32,
    refused: u32,
}

impl ScanRecovery {
    /// Whether scans are refused though none runs.
    pub(super) fn is_refused(&self) -> bool {
        self.refused > 0
    }

    /// A scan started.
    pub(super) fn started(&mut self) {
        *self = Self::default();
    }

    /// How long to wait before the next one; none if the adapter must be taken for silent.
    pub(super) fn next(&mut self, symptom: ScanSymptom, rng: &mut impl RngCore) -> Option<Duration> {
        let (strikes, bound, cap) = match symptom {
            ScanSymptom::Busy => (&mut self.busy, BUSY_SCAN_STRIKES, Duration::from_secs(1)),
            ScanSymptom::Refused => (&mut self.refused, SCAN_STRIKES, Duration::from_secs(4)),
        };
        let attempt = *strikes;
        *strikes += 1;
        (*strikes < bound).then(|| backoff(Duration::from_millis(500), cap, attempt, rng))
    }
}

/// `first` doubled `attempt` times, at most `cap`, and up to a quarter more, so that nodes that failed together
/// do not try again together.
fn backoff(first: Duration, cap: Duration, attempt: u32, rng: &mut impl RngCore) -> Duration {
    let plain = first.saturating_mul(1 << attempt.min(16)).min(cap);
    let quarter = u64::try_from(plain.as_millis() / 4).unwrap_or(u64::MAX);
    plain + Duration::from_millis(rng.next_u64() % quarter.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(7)
    }

    fn dial(symptom: DialSymptom, times: usize) -> Vec<DialAction> {
        let (mut recovery, mut rng) = (DialRecovery::default(), rng());
        (0..times).map(|_| recovery.next(symptom, &mut rng)).collect()
    }

    #[test]
    fn an_aborted_connection_is_retried_five_times() {
        let actions = dial(DialSymptom::Aborted, 6);
        assert!(actions[..5].iter().all(|action| matches!(action, DialAction::Retry(_))));
        assert_eq!(actions[5], DialAction::GiveUp(LinkDownReason::Failed));
    }

    #[test]
    fn an_attempt_stuck_in_progress_is_cleared_by_forgetting_the_device() {
        let actions = dial(DialSymptom::InProgress, 3);
        assert!(actions[..2].iter().all(|action| matches!(action, DialAction::Forget(_))));
        assert_eq!(actions[2], DialAction::GiveUp(LinkDownReason::Failed));
    }

    #[test]
    fn unresolved_services_are_retried_and_then_time_out() {
        let actions = dial(DialSymptom::Unresolved, 3);
        assert!(actions[..2].iter().all(|action| matches!(action, DialAction::Retry(_))));
        assert_eq!(actions[2], DialAction::GiveUp(LinkDownReason::TimedOut));
    }

    #[test]
    fn a_missing_service_is_blamed_on_the_cache_once() {
        let actions = dial(DialSymptom::NoService, 2);
        assert!(matches!(actions[0], DialAction::Forget(_)));
        assert_eq!(actions[1], DialAction::GiveUp(LinkDownReason::NoService));
    }

    #[test]
    fn a_hanging_connect_is_not_retried_here() {
        assert_eq!(dial(DialSymptom::Hung, 1), [DialAction::GiveUp(LinkDownReason::TimedOut)]);
        assert_eq!(dial(DialSymptom::Refused, 1), [DialAction::GiveUp(LinkDownReason::Failed)]);
    }

    #[test]
    fn a_device_that_bluez_does_not_know_is_listened_for_once() {
        let actions = dial(DialSymptom::Unknown, 2);
        assert!(matches!(actions[0], DialAction::Forget(_)));
        assert_eq!(actions[1], DialAction::GiveUp(LinkDownReason::Remote));
    }

    #[test]
    fn one_symptom_does_not_use_up_the_retries_of_another() {
        let (mut recovery, mut rng) = (DialRecovery::default(), rng());
        for _ in 0..5 {
            recovery.next(DialSymptom::Aborted, &mut rng);
        }
        assert!(matches!(recovery.next(DialSymptom::Unresolved, &mut rng), DialAction::Retry(_)));
    }

    #[test]
    fn an_adapter_that_was_on_before_us_is_never_power_cycled() {
        let (mut recovery, mut rng) = (AdapterRecovery::new(true), rng());
        for _ in 0..4 {
            assert!(matches!(recovery.next(AdapterSymptom::Silent, &mut rng), AdapterAction::Report(_)));
        }
    }

    #[test]
    fn a_silent_adapter_that_we_switched_on_is_power_cycled_once() {
        let (mut recovery, mut rng) = (AdapterRecovery::new(false), rng());
        assert_eq!(recovery.next(AdapterSymptom::Silent, &mut rng), AdapterAction::PowerCycle);
        recovery.healthy();
        assert!(matches!(recovery.next(AdapterSymptom::Silent, &mut rng), AdapterAction::Report(_)));
    }

    #[test]
    fn a_restarted_daemon_is_awaited_with_growing_pauses_that_start_over_once_it_worked() {
        let (mut recovery, mut rng) = (AdapterRecovery::new(true), rng());
        let mut pause = |recovery: &mut AdapterRecovery| {
            let action = recovery.next(AdapterSymptom::Restarted, &mut rng);
            let AdapterAction::BringUp(pause) = action else { panic!("{action:?}") };
            pause
        };
        let pauses: Vec<Duration> = (0..8).map(|_| pause(&mut recovery)).collect();
        assert!(pauses[0] < Duration::from_secs(1));
        assert!(pauses[1] > pauses[0]);
        assert!(pauses[7] >= Duration::from_secs(8) && pauses[7] <= Duration::from_secs(10));
        recovery.healthy();
        assert!(pause(&mut recovery) < Duration::from_secs(1));
    }

    #[test]
    fn a_power_switch_is_respected_for_some_seconds() {
        let (mut recovery, mut rng) = (AdapterRecovery::new(true), rng());
        let AdapterAction::BringUp(pause) = recovery.next(AdapterSymptom::PoweredOff, &mut rng) else {
            panic!("not brought up again");
        };
        assert!(pause >= Duration::from_secs(4) && pause <= Duration::from_secs(5));
    }

    #[test]
    fn a_lost_advertisement_returns_at_once_and_a_full_controller_gets_time() {
        let mut rng = rng();
        assert_eq!(readvertise(AdvertSymptom::Lost, 3, &mut rng), Duration::ZERO);
        assert!(readvertise(AdvertSymptom::Exhausted, 0, &mut rng) >= Duration::from_secs(1));
        assert!(readvertise(AdvertSymptom::Exhausted, 99, &mut rng) <= Duration::from_millis(37_500));
        assert!(readvertise(AdvertSymptom::Refused, 0, &mut rng) < Duration::from_secs(1));
    }

    #[test]
    fn an_adapter_that_refuses_every_scan_is_silent() {
        let (mut scans, mut rng) = (ScanRecovery::default(), rng());
        for _ in 1..SCAN_STRIKES {
            assert!(scans.next(ScanSymptom::Refused, &mut rng).is_some());
        }
        assert_eq!(scans.next(ScanSymptom::Refused, &mut rng), None);
        scans.started();
        assert!(!scans.is_refused());
        assert!(scans.next(ScanSymptom::Refused, &mut rng).is_some());
    }

    #[test]
    fn a_scan_left_over_in_the_kernel_is_waited_out() {
        let (mut scans, mut rng) = (ScanRecovery::default(), rng());
        let pauses = std::iter::from_fn(|| scans.next(ScanSymptom::Busy, &mut rng));
        assert!(pauses.sum::<Duration>() > Duration::from_millis(10_240));
    }
}
