//! Whether this machine's clock seems to be wrong.
//!
//! What is more than two minutes off is dropped (spec 2.7), so a node whose clock is wrong is deaf and unheard, and
//! nobody says so. It can notice: for a minute nothing it hears is of its time, and others' announces agree with each
//! other on another. Nothing is verified here, and senders can be invented: it is told to people, and changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::Engine;
use super::error::DropReason;
use super::event::Event;
use crate::ids::PeerId;
use crate::time::{Instant, Now};
use crate::wire::{Packet, PacketType};

/// Others who have to agree: two outvote us.
const OTHERS: usize = 2;
/// How far their times may lie apart.
const AGREE: Duration = Duration::from_secs(120);
/// How long nothing of our time may have come.
const DEAF: Duration = Duration::from_secs(60);
/// How long an announce counts; the apps wait up to 38 s for the next.
const FRESH: Duration = Duration::from_secs(120);
/// Others whose times are kept; the oldest goes first.
const MAX_OTHERS: usize = 16;
/// How long the doubt outlives the last announce that gave rise to it.
const OUTLIVES: Duration = Duration::from_secs(300);
/// When the same is told again at the earliest.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// What others' announces say of our clock.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// How far ahead of each we are, in milliseconds, and when it was heard.
    others: BTreeMap<PeerId, (i64, Instant)>,
    /// Since when nothing was of our time.
    deaf: Option<Instant>,
    doubt: Option<(i64, Instant)>,
    told: Option<Instant>,
}

impl Clocks {
    /// Something came that is of our time.
    fn agrees(&mut self) {
        self.others.clear();
        self.deaf = None;
        self.doubt = None;
    }

    /// An announce came of which we are so many milliseconds ahead; whether that is to be told.
    fn differs(&mut self, sender: PeerId, ahead: i64, now: Instant) -> bool {
        let deaf = *self.deaf.get_or_insert(now);
        self.others.retain(|_, (_, heard)| now.since(*heard) < FRESH);
        if self.others.len() >= MAX_OTHERS && !self.others.contains_key(&sender) {
            let oldest = self.others.iter().min_by_key(|(_, (_, heard))| *heard).map(|(&other, _)| other);
            oldest.map(|other| self.others.remove(&other));
        }
        self.others.insert(sender, (ahead, now));
        let agree = |&&(other, _): &&(i64, Instant)| Duration::from_millis(other.abs_diff(ahead)) <= AGREE;
        if now.since(deaf) < DEAF || self.others.values().filter(agree).count() < OTHERS {
            return false;
        }
        self.doubt = Some((ahead, now));
        let tell = self.told.is_none_or(|told| now.since(told) >= AGAIN);
        if tell {
            self.told = Some(now);
        }
        tell
    }

    fn doubt(&self, now: Instant) -> Option<i64> {
        self.doubt.filter(|(_, heard)| now.since(*heard) < OUTLIVES).map(|(ahead, _)| ahead)
    }
}

impl Engine {
    /// By how many milliseconds this machine's clock seems to be ahead of everybody's; negative where it is behind.
    pub fn clock_doubt(&self, now: Now) -> Option<i64> {
        self.clocks.doubt(now.instant)
    }

    /// Takes note of whether a packet that was just sent is of our time.
    pub(super) fn compare_clocks(&mut self, packet: &Packet, timely: Result<(), DropReason>, now: Now) {
        match timely {
            Ok(()) => self.clocks.agrees(),
            // A clock that is plainly unset is told of already.
            Err(DropReason::Clock)
                if packet.packet_type == PacketType::Announce && now.unix >= self.config.clock_floor =>
            {
                let (Ok(ours), Ok(theirs)) = (i64::try_from(now.unix.0), i64::try_from(packet.timestamp.0))
                else {
                    return;
                };
                let ahead = ours.saturating_sub(theirs);
                if self.clocks.differs(packet.sender, ahead, now.instant) {
                    self.emit(Event::ClockOff { ahead_ms: ahead });
                }
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_MINUTES: i64 = 600_000;

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    /// Whether anything is told when these announce themselves every 20 s for two minutes, each so far off.
    fn told(offs: &[i64]) -> bool {
        let mut clocks = Clocks::default();
        let mut told = 0;
        for second in (0..120).step_by(20) {
            for (sender, ahead) in (1..).zip(offs) {
                told += usize::from(clocks.differs(PeerId([sender; 8]), *ahead, at(second)));
            }
        }
        assert!(told <= 1, "it is told once");
        assert_eq!(told == 1, clocks.doubt(at(120)).is_some());
        told == 1
    }

    #[test]
    fn two_who_agree_outvote_us_and_one_does_not() {
        assert!(told(&[TEN_MINUTES, TEN_MINUTES + 119_000]));
        assert!(told(&[-TEN_MINUTES, -TEN_MINUTES]));
        assert!(told(&[9 * TEN_MINUTES, TEN_MINUTES, -TEN_MINUTES, TEN_MINUTES]));
        assert!(!told(&[TEN_MINUTES]));
        assert!(!told(&[TEN_MINUTES, -TEN_MINUTES]));
        assert!(!told(&[TEN_MINUTES, TEN_MINUTES + 121_000]));
    }

    #[test]
    fn whoever_is_of_our_time_ends_the_doubt_and_it_is_told_again_after_an_hour_at_the_earliest() {
        let mut clocks = Clocks::default();
        let hear = |clocks: &mut Clocks, second: u64| {
            let told = [1, 2].map(|sender| clocks.differs(PeerId([sender; 8]), TEN_MINUTES, at(second)));
            told.contains(&true)
        };
        assert!(!hear(&mut clocks, 0) && !hear(&mut clocks, 59));
        clocks.agrees();
        assert!(!hear(&mut clocks, 61) && !hear(&mut clocks, 120));
        assert!(hear(&mut clocks, 121));
        assert_eq!(clocks.doubt(at(121)), Some(TEN_MINUTES));
        clocks.agrees();
        assert_eq!(clocks.doubt(at(121)), None);
        assert!(!hear(&mut clocks, 200) && !hear(&mut clocks, 260));
        assert_eq!(clocks.doubt(at(260)), Some(TEN_MINUTES));
        assert_eq!(clocks.doubt(at(560)), None, "it is a while ago");
        assert!(hear(&mut clocks, 121 + 3_600));
    }

    #[test]
    fn invented_senders_take_no_room_without_end() {
        let mut clocks = Clocks::default();
        for number in 0..200 {
            clocks.differs(PeerId([number; 8]), i64::from(number) * TEN_MINUTES, at(u64::from(number) / 2));
        }
        assert_eq!(clocks.others.len(), MAX_OTHERS);
    }
}
