//! How much of the air this node takes for others: measured on each link, and bounded.
//!
//! What a frame costs is the time the radio takes for it, as measured by how long the radio took for the frames before.
//! A flood that gets past all counting thus still leaves each link some time for what this node itself has to say.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ids::LinkId;
use crate::time::Instant;

/// Relays are counted over ten slots of a second.
const SLOTS: u64 = 10;
/// Of these ten seconds, how much relays of signed packets may take together with the others.
const PROVEN_SHARE: Duration = Duration::from_secs(9);
/// And how much relays of whatever else may take.
const ANY_SHARE: Duration = Duration::from_secs(8);
/// Of a second, how many milliseconds pieces of trains may take where others have to pass them on: less than [`ANY_SHARE`]
/// leaves those, who have other packets to pass on as well.
const TRAIN_SHARE: u32 = 600;
/// What a link is taken to need for a byte before it was measured, in nanoseconds: 50 kB/s.
const USUAL_PACE: u64 = 20_000;
/// No radio of ours is faster: 250 kB/s.
const FASTEST_PACE: u64 = 4_000;
/// Slower ones are counted as this: 1 kB/s.
const SLOWEST_PACE: u64 = 1_000_000;
/// Frames handed to the radio and not yet answered that are measured, per link; the link layer hands out fewer.
const MAX_UNDERWAY: usize = 64;

#[derive(Debug)]
struct LinkAir {
    /// Nanoseconds a byte takes.
    pace: u64,
    underway: VecDeque<Underway>,
    /// When the radio was last done with a frame.
    done: Instant,
    /// What relays took, by the second.
    spent: VecDeque<(u64, Duration)>,
    /// When the next piece of a train may go.
    next_piece: Instant,
}

/// A frame that the radio has.
#[derive(Debug, Clone, Copy)]
struct Underway {
    bytes: usize,
    handed: Instant,
    /// The radio had no other when it got this one.
    alone: bool,
}

/// The air of every link.
#[derive(Debug, Default)]
pub(super) struct Airtime {
    links: BTreeMap<LinkId, LinkAir>,
}

impl Airtime {
    /// A frame of so many bytes was handed to the radio.
    pub(super) fn handed(&mut self, link: LinkId, bytes: usize, now: Instant) {
        let air = self.links.entry(link).or_insert_with(|| LinkAir::new(now));
        if air.underway.len() < MAX_UNDERWAY {
            let alone = air.underway.is_empty();
            air.underway.push_back(Underway { bytes, handed: now, alone });
        }
    }

    /// The radio is done with the frame handed to it longest ago.
    pub(super) fn written(&mut self, link: LinkId, now: Instant) {
        if let Some(air) = self.links.get_mut(&link)
            && let Some(frame) = air.underway.pop_front()
        {
            let took = now.since(frame.handed.max(air.done));
            air.done = now;
            air.measure(took, frame);
        }
    }

    /// Whether a relay of so many bytes may take its time on a link, counted when it may; else when to ask again.
    pub(super) fn admits(
        &mut self,
        link: LinkId,
        bytes: usize,
        proven: bool,
        now: Instant,
    ) -> Result<(), Instant> {
        let air = self.links.entry(link).or_insert_with(|| LinkAir::new(now));
        let second = now.since_start().as_secs();
        air.spent.retain(|(slot, _)| slot + SLOTS > second);
        let cost = air.cost(bytes);
        let over = (air.spent() + cost).saturating_sub(if proven { PROVEN_SHARE } else { ANY_SHARE });
        if over > Duration::ZERO {
            return Err(Instant::from_start(Duration::from_secs(
                air.has_back(over).unwrap_or(second) + SLOTS,
            )));
        }
        match air.spent.back_mut().filter(|(slot, _)| *slot == second) {
            Some((_, sum)) => *sum += cost,
            None => air.spent.push_back((second, cost)),
        }
        Ok(())
    }

    /// A piece of a train was put on a link.
    pub(super) fn piece_went(&mut self, link: LinkId, bytes: usize, now: Instant) {
        let air = self.links.entry(link).or_insert_with(|| LinkAir::new(now));
        air.next_piece = air.next_piece.max(now) + air.cost(bytes) * 1_000 / TRAIN_SHARE;
    }

    /// When the next piece of a train that relays have to follow may go over a link.
    pub(super) fn next_piece(&self, link: LinkId) -> Instant {
        self.links.get(&link).map_or(Instant::ZERO, |air| air.next_piece)
    }

    /// Forgets a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        self.links.remove(&link);
    }
}

impl LinkAir {
    fn new(now: Instant) -> Self {
        let (underway, spent) = (VecDeque::new(), VecDeque::new());
        Self { pace: USUAL_PACE, underway, done: now, spent, next_piece: now }
    }

    fn cost(&self, bytes: usize) -> Duration {
        Duration::from_nanos(self.pace.saturating_mul(u64::try_from(bytes).unwrap_or(u64::MAX)))
    }

    fn spent(&self) -> Duration {
        self.spent.iter().map(|(_, cost)| *cost).sum()
    }

    /// The second after whose end so much of what was spent is spent no longer; `None` when it is more than that.
    fn has_back(&self, wanted: Duration) -> Option<u64> {
        let mut back = Duration::ZERO;
        self.spent.iter().find_map(|&(slot, cost)| {
            back += cost;
            (back >= wanted).then_some(slot)
        })
    }

    /// An eighth of the way to what was measured. How long a frame took alone says how soon the radio answers, and so
    /// only that it is no slower: more of them may be on their way in that time.
    fn measure(&mut self, took: Duration, frame: Underway) {
        let bytes = u64::try_from(frame.bytes).unwrap_or(u64::MAX).max(1);
        let pace = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / bytes;
        if !frame.alone || pace < self.pace {
            self.pace = (self.pace * 7 + pace.clamp(FASTEST_PACE, SLOWEST_PACE)) / 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    const LINK: LinkId = LinkId { adapter: AdapterId(0), serial: 1 };

    fn at(millis: u64) -> Instant {
        Instant::from_start(Duration::from_millis(millis))
    }

    /// Relays of 500 bytes admitted at one time.
    fn relays(air: &mut Airtime, proven: bool, now: Instant) -> usize {
        (0..100_000).take_while(|_| air.admits(LINK, 500, proven, now).is_ok()).count()
    }

    #[test]
    fn relays_take_most_of_the_air_but_not_all_and_unsigned_ones_less() {
        let mut air = Airtime::default();
        assert_eq!(relays(&mut air, false, at(0)), 800, "8 s at 50 kB/s");
        assert_eq!(relays(&mut air, true, at(500)), 100);
        assert_eq!(relays(&mut air, true, at(9_999)), 0);
        assert_eq!(relays(&mut air, false, at(10_000)), 800);
    }

    #[test]
    fn who_is_refused_is_told_when_to_ask_again() {
        let mut air = Airtime::default();
        relays(&mut air, false, at(0));
        relays(&mut air, true, at(2_500));
        let ask = |air: &mut Airtime, bytes, millis| air.admits(LINK, bytes, false, at(millis));
        assert_eq!(ask(&mut air, 500, 3_000), Err(at(10_000)));
        assert_eq!(ask(&mut air, 1_000_000, 3_000), Err(at(13_000)), "it never has so much");
        assert_eq!(ask(&mut air, 500, 10_000), Ok(()));
        relays(&mut air, false, at(10_000));
        assert_eq!(ask(&mut air, 500, 11_000), Err(at(12_000)));
    }

    #[test]
    fn pieces_of_trains_leave_some_of_the_air() {
        let mut air = Airtime::default();
        assert_eq!(air.next_piece(LINK), Instant::ZERO);
        air.piece_went(LINK, 450, at(1_000));
        assert_eq!(air.next_piece(LINK), at(1_015), "450 bytes take 9 ms at 50 kB/s");
        air.piece_went(LINK, 450, at(1_010));
        assert_eq!(air.next_piece(LINK), at(1_030));
    }

    #[test]
    fn the_pace_is_that_of_the_radio() {
        let mut air = Airtime::default();
        air.handed(LINK, 500, at(0));
        for n in 0..100 {
            // 500 bytes in 100 ms: 5 kB/s, two frames at the radio all the time.
            air.handed(LINK, 500, at(n * 100));
            air.written(LINK, at(n * 100 + 100));
        }
        let admitted = relays(&mut air, false, at(60_000));
        assert!((78..=82).contains(&admitted), "{admitted}");
    }

    #[test]
    fn a_radio_that_answers_late_is_not_taken_to_be_slow() {
        let mut air = Airtime::default();
        for n in 0..100 {
            // 100 ms for one frame, and as long for four.
            air.handed(LINK, 500, at(n * 200));
            air.written(LINK, at(n * 200 + 100));
        }
        assert_eq!(relays(&mut air, false, at(60_000)), 800, "as before anything was measured");
        for n in 400..500 {
            (0..4).for_each(|_| air.handed(LINK, 500, at(n * 200)));
            (0..4).for_each(|_| air.written(LINK, at(n * 200 + 100)));
        }
        assert!(relays(&mut air, false, at(200_000)) > 800);
    }

    #[test]
    fn a_radio_that_answers_at_once_is_not_taken_to_be_infinitely_fast() {
        let mut air = Airtime::default();
        for _ in 0..100 {
            air.handed(LINK, 500, at(0));
            air.written(LINK, at(0));
        }
        let admitted = relays(&mut air, false, at(1));
        assert!((3_950..=4_000).contains(&admitted), "{admitted}");
    }
}
