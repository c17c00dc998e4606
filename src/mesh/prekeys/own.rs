//! Our own prekeys: eight of them, announced every hour; one that was used leaves the bundle at once and is
//! destroyed two days later, and with it the last way to open what was sealed to it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, Bytes};
use rand_core::{CryptoRng, RngCore};

use super::AHEAD;
use crate::crypto::PrekeySecret;
use crate::time::{Instant, Now, UnixMillis};
use crate::wire::{MAX_PREKEYS, Prekey};

/// With fewer than this left there are new ones.
const REFILL_BELOW: usize = 3;
/// How long a used key is kept: copies of the mail it opened may still be on their way, and other people's mail.
const USED_FOR: Duration = Duration::from_secs(48 * 60 * 60);
/// Used keys kept at once. While there is no room for another set no new keys are made, and mail is sealed to the
/// static key: whoever uses up keys by the dozen takes none away that other people's mail is sealed to.
const MAX_USED: usize = 64;
/// How often the bundle is told everyone.
const PERIOD: Duration = Duration::from_secs(60 * 60);
/// How old the time in a bundle may grow: after seven days nobody would seal to it.
const RENEW: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two tellings, however fast keys are used.
const GAP: Duration = Duration::from_secs(60);
/// How long who just met has for announces, without which nobody takes a bundle, and the disk for new keys.
const SETTLE: Duration = Duration::from_secs(5);
const VERSION: u8 = 1;

/// One key.
#[derive(Debug, Clone)]
struct OneTime {
    id: u32,
    secret: PrekeySecret,
}

/// Our prekeys, and when to tell of them.
#[derive(Debug, Default)]
pub(in crate::mesh) struct OwnPrekeys {
    /// No id below this one is given to another key.
    next_id: u32,
    unused: Vec<OneTime>,
    /// With the time of their use, the longest ago first.
    used: VecDeque<(UnixMillis, OneTime)>,
    generated: UnixMillis,
    /// When to look again.
    tick: Instant,
    /// Whether the bundle is to be told as soon as somebody is there.
    untold: bool,
    /// Not before this.
    quiet_until: Instant,
}

impl OwnPrekeys {
    /// The bundle's keys.
    pub(in crate::mesh) fn entries(&self) -> Vec<Prekey> {
        self.unused.iter().map(|key| Prekey { id: key.id, public: key.secret.public() }).collect()
    }

    /// When the bundle was made.
    pub(in crate::mesh) const fn generated(&self) -> UnixMillis {
        self.generated
    }

    /// How many keys are not used yet.
    pub(in crate::mesh) fn left(&self) -> usize {
        self.unused.len()
    }

    /// The key of this id, used or not, unless it is destroyed.
    pub(in crate::mesh) fn secret(&self, id: u32, now: UnixMillis) -> Option<&PrekeySecret> {
        let used = self.used.iter().filter(|(since, _)| !is_over(*since, now)).map(|(_, key)| key);
        self.unused.iter().chain(used).find(|key| key.id == id).map(|key| &key.secret)
    }

    /// Mail was opened with this key; true when that is its first.
    pub(in crate::mesh) fn use_up(&mut self, id: u32, now: Now) -> bool {
        let Some(place) = self.unused.iter().position(|key| key.id == id) else { return false };
        let key = self.unused.remove(place);
        self.used.push_back((now.unix, key));
        self.renew(now);
        true
    }

    /// What has to be done from time to time: used keys are destroyed, new ones made, the bundle is due again. True
    /// when something changed that is to be kept.
    pub(in crate::mesh) fn run(&mut self, now: Now, rng: &mut (impl RngCore + CryptoRng)) -> bool {
        if now.instant < self.tick {
            return false;
        }
        self.tick = now.instant + PERIOD;
        self.untold = true;
        self.quiet_until = self.quiet_until.max(now.instant + SETTLE);
        self.destroy_used(now.unix) | self.refill(now, rng)
    }

    /// Makes new keys where few are left.
    pub(in crate::mesh) fn refill(&mut self, now: Now, rng: &mut (impl RngCore + CryptoRng)) -> bool {
        let few = self.unused.len() < REFILL_BELOW && self.used.len() + MAX_PREKEYS <= MAX_USED;
        if few {
            // Even if everything that was kept is lost, no id comes again: there is less than a key each second.
            let seconds = u32::try_from(now.unix.0 / 1000).unwrap_or_default();
            self.next_id = self.next_id.max(seconds);
            while self.unused.len() < MAX_PREKEYS && self.next_id < u32::MAX {
                self.unused.push(OneTime { id: self.next_id, secret: PrekeySecret::generate(rng) });
                self.next_id += 1;
            }
            self.quiet_until = self.quiet_until.max(now.instant + SETTLE);
        }
        let stale = self.is_ahead(now.unix) || now.unix.abs_diff(self.generated) >= RENEW;
        if few || stale {
            self.renew(now);
        }
        few || stale
    }

    /// Whether the bundle is to be told right now; it counts as told from here on.
    pub(in crate::mesh) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.untold && self.quiet_until <= now;
        if due {
            self.untold = false;
            self.quiet_until = now + GAP;
        }
        due
    }

    /// When there is something to do; `heard` says whether anybody is there to tell.
    pub(in crate::mesh) fn poll_timeout(&self, heard: bool) -> Option<Instant> {
        let tick = (heard || !self.used.is_empty()).then_some(self.tick);
        let telling = (heard && self.untold).then_some(self.quiet_until);
        [tick, telling].into_iter().flatten().min()
    }

    /// Everything, secrets included, to be kept.
    pub(in crate::mesh) fn encode(&self) -> Bytes {
        let mut value = vec![VERSION];
        value.extend(self.next_id.to_be_bytes());
        value.extend(self.generated.0.to_be_bytes());
        let unused = self.unused.iter().map(|key| (UnixMillis(0), key));
        for (since, key) in self.used.iter().map(|(since, key)| (*since, key)).chain(unused) {
            value.extend(since.0.to_be_bytes());
            value.extend(key.id.to_be_bytes());
            value.extend(key.secret.to_bytes().iter());
        }
        value.into()
    }

    /// What [`Self::encode`] wrote.
    pub(in crate::mesh) fn decode(mut value: Bytes) -> Option<Self> {
        if value.try_get_u8().ok()? != VERSION {
            return None;
        }
        let mut own = Self { next_id: value.try_get_u32().ok()?, ..Self::default() };
        own.generated = UnixMillis(value.try_get_u64().ok()?);
        while value.has_remaining() {
            let since = value.try_get_u64().ok()?;
            let id = value.try_get_u32().ok()?;
            let mut secret = zeroize::Zeroizing::new([0; PrekeySecret::LEN]);
            value.try_copy_to_slice(secret.as_mut_slice()).ok()?;
            let key = OneTime { id, secret: PrekeySecret::from_bytes(&secret) };
            if since == 0 { own.unused.push(key) } else { own.used.push_back((UnixMillis(since), key)) }
        }
        (own.unused.len() <= MAX_PREKEYS && own.used.len() <= MAX_USED).then_some(own)
    }

    /// Of two bundles the later one counts, so each one is later than the one before; but for one made while the clock was
    /// so far ahead that nobody took it.
    fn renew(&mut self, now: Now) {
        let before = if self.is_ahead(now.unix) { UnixMillis(0) } else { self.generated };
        self.generated = now.unix.max(UnixMillis(before.0.saturating_add(1)));
        self.untold = true;
    }

    fn is_ahead(&self, now: UnixMillis) -> bool {
        self.generated > now + AHEAD
    }

    fn destroy_used(&mut self, now: UnixMillis) -> bool {
        let mut changed = false;
        for (since, _) in self.used.iter_mut().filter(|(since, _)| *since > now + AHEAD) {
            // The clock was far ahead when it was used: its two days begin now.
            *since = now;
            changed = true;
        }
        let before = self.used.len();
        self.used.retain(|(since, _)| !is_over(*since, now));
        changed || self.used.len() < before
    }
}

/// Whether a key that was used then is to be destroyed.
fn is_over(since: UnixMillis, now: UnixMillis) -> bool {
    since + USED_FOR <= now
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const START: u64 = 1_800_000_000_000;

    fn at(seconds: u64) -> Now {
        Now {
            instant: Instant::from_start(Duration::from_secs(seconds)),
            unix: UnixMillis(START + seconds * 1000),
        }
    }

    fn own() -> (OwnPrekeys, ChaCha20Rng) {
        let (mut own, mut rng) = (OwnPrekeys::default(), ChaCha20Rng::from_seed([1; 32]));
        assert!(own.run(at(0), &mut rng));
        (own, rng)
    }

    #[test]
    fn there_are_eight_and_with_two_left_there_are_eight_again_under_new_ids() {
        let (mut own, mut rng) = own();
        let first: Vec<u32> = own.entries().iter().map(|key| key.id).collect();
        assert_eq!(first.len(), 8);
        for (used, id) in first[..6].iter().enumerate() {
            assert!(!own.refill(at(1), &mut rng), "{used} used");
            let before = own.generated();
            assert!(own.use_up(*id, at(1)) && !own.use_up(*id, at(2)));
            assert!(own.generated() > before, "the bundle without it replaces the one with it");
        }
        assert!(own.refill(at(2), &mut rng));
        assert_eq!(own.left(), 8);
        let second: Vec<u32> = own.entries().iter().map(|key| key.id).collect();
        assert_eq!(second[..2], first[6..]);
        assert!(second[2..].iter().all(|id| !first.contains(id)));
    }

    #[test]
    fn a_used_key_opens_for_two_days_and_is_then_destroyed() {
        let (mut own, mut rng) = own();
        let id = own.entries()[0].id;
        own.use_up(id, at(0));
        assert!(own.secret(id, at(172_799).unix).is_some());
        assert!(own.secret(id, at(172_800).unix).is_none());
        assert!(own.poll_timeout(false).unwrap() <= at(172_800).instant);
        let secret = own.used[0].1.secret.to_bytes();
        let holds = |own: &OwnPrekeys| own.encode().windows(32).any(|window| window == secret.as_slice());
        assert!(holds(&own));
        own.run(at(172_800), &mut rng);
        assert!(!holds(&own), "nothing of it is kept");
        assert_eq!(own.used.len(), 0);
    }

    #[test]
    fn used_keys_are_bounded_and_none_is_destroyed_for_others() {
        let (mut own, mut rng) = own();
        let first = own.entries()[0].id;
        let mut uses = 0;
        while let Some(Prekey { id, .. }) = own.entries().first() {
            own.use_up(*id, at(1));
            own.refill(at(1), &mut rng);
            uses += 1;
            assert!(uses <= MAX_USED);
        }
        assert!(uses > MAX_USED - MAX_PREKEYS);
        assert_eq!(OwnPrekeys::decode(own.encode()).unwrap().used.len(), uses);
        let almost = at(2 * 24 * 3600);
        assert!(own.secret(first, almost.unix).is_some(), "other people's mail may be sealed to it");
        assert!(own.run(at(2 * 24 * 3600 + 1), &mut rng));
        assert_eq!((own.left(), own.used.len()), (MAX_PREKEYS, 0));
    }

    #[test]
    fn it_is_told_every_hour_and_after_a_use_but_not_more_than_once_a_minute() {
        let (mut own, mut rng) = own();
        assert!(!own.is_due(at(4).instant) && own.is_due(at(5).instant) && !own.is_due(at(5).instant));
        let id = own.entries()[0].id;
        own.use_up(id, at(10));
        assert_eq!(own.poll_timeout(true), Some(at(65).instant));
        assert!(!own.is_due(at(64).instant) && own.is_due(at(65).instant));
        assert_eq!(own.poll_timeout(true), Some(at(3600).instant));
        assert!(!own.run(at(3600), &mut rng), "nothing changed");
        assert!(own.is_due(at(3605).instant));
    }

    #[test]
    fn a_bundle_gets_a_new_time_once_a_day() {
        let (mut own, mut rng) = own();
        let made = own.generated();
        own.run(at(86_399), &mut rng);
        assert_eq!(own.generated(), made);
        own.run(at(86_399 + 3_600), &mut rng);
        assert!(own.generated() > made);
    }

    #[test]
    fn what_was_made_and_used_under_a_clock_far_ahead_counts_from_when_the_clock_is_right() {
        let (mut own, mut rng) = (OwnPrekeys::default(), ChaCha20Rng::from_seed([1; 32]));
        let year = 365 * 24 * 3600;
        let ahead = Now { instant: at(0).instant, ..at(year) };
        own.run(ahead, &mut rng);
        let id = own.entries()[0].id;
        own.use_up(id, ahead);

        assert!(own.run(at(3600), &mut rng));
        assert_eq!(own.generated(), at(3600).unix, "others refuse what is made later than now");
        assert!(own.secret(id, at(3600 + 172_799).unix).is_some());
        assert!(own.secret(id, at(3600 + 172_800).unix).is_none());
        assert!(!own.run(at(7200), &mut rng), "and that was all");
    }

    #[test]
    fn new_keys_have_time_to_reach_the_disk_before_they_are_told() {
        let (mut own, mut rng) = own();
        assert!(own.is_due(at(5).instant));
        for Prekey { id, .. } in own.entries().into_iter().take(6) {
            own.use_up(id, at(100));
        }
        assert!(own.refill(at(100), &mut rng));
        assert!(!own.is_due(at(104).instant) && own.is_due(at(105).instant));
    }

    #[test]
    fn what_was_kept_comes_back_and_what_was_lost_gives_no_id_twice() {
        let (mut own, mut rng) = own();
        let ids: Vec<u32> = own.entries().iter().map(|key| key.id).collect();
        own.use_up(ids[3], at(5));
        let again = OwnPrekeys::decode(own.encode()).unwrap();
        assert_eq!(again.entries(), own.entries());
        assert!(again.secret(ids[3], at(6).unix).is_some());
        let mut lost = OwnPrekeys::default();
        lost.run(at(100), &mut rng);
        assert!(lost.entries().iter().all(|key| !ids.contains(&key.id)));
        for len in 0..own.encode().len() {
            OwnPrekeys::decode(own.encode().slice(..len));
        }
    }
}
