//! What waits to be sent on one link: our own frames first, a few at a time in the radio's hands.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

use bytes::Bytes;

use super::config::Config;
use super::event::Priority;

/// The sending side of one link.
///
/// When it is full, the newest frame of the lowest priority goes: a waiting fragment makes room for a whole frame, and
/// one of others for one of ours, never the other way round; among equals the one that comes last is refused. So
/// whatever is passed on, what this node says itself waits for no more than the radio has in its hands.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queues: BTreeMap<Priority, VecDeque<Bytes>>,
    bytes: usize,
    /// Writes the radio has and has not answered.
    in_flight: usize,
}

impl Outbox {
    /// Puts a frame behind those of its priority, and says how many frames were dropped for it (or instead).
    pub(super) fn push(&mut self, frame: Bytes, priority: Priority, config: &Config) -> u64 {
        let mut dropped = 0;
        while !self.fits(&frame, config) {
            dropped += 1;
            let mut lower = self.queues.range_mut((Excluded(priority), Unbounded)).rev();
            match lower.find_map(|(_, queue)| queue.pop_back()) {
                Some(victim) => self.bytes -= victim.len(),
                None => return dropped,
            }
        }
        self.bytes += frame.len();
        self.queues.entry(priority).or_default().push_back(frame);
        dropped
    }

    /// The next frame for the radio, while it may have another.
    pub(super) fn next(&mut self, config: &Config) -> Option<Bytes> {
        if self.in_flight >= config.write_window {
            return None;
        }
        let frame = self.queues.values_mut().find_map(VecDeque::pop_front)?;
        self.bytes -= frame.len();
        self.in_flight += 1;
        Some(frame)
    }

    /// The radio took one write.
    pub(super) fn written(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Frames that wait here.
    pub(super) fn waiting(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    fn fits(&self, frame: &Bytes, config: &Config) -> bool {
        self.waiting() < config.outbox_frames && self.bytes + frame.len() <= config.outbox_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(byte: u8) -> Bytes {
        Bytes::from(vec![byte; 100])
    }

    fn small() -> Config {
        Config { outbox_frames: 3, outbox_bytes: 300, write_window: 10, ..Config::default() }
    }

    fn drain(outbox: &mut Outbox) -> Vec<u8> {
        std::iter::from_fn(|| outbox.next(&small())).map(|frame| frame[0]).collect()
    }

    #[test]
    fn our_own_frames_overtake_those_of_others_and_both_overtake_fragments() {
        let mut outbox = Outbox::default();
        outbox.push(frame(1), Priority::Fragment, &small());
        outbox.push(frame(2), Priority::Relayed, &small());
        outbox.push(frame(3), Priority::Own, &small());
        assert_eq!(drain(&mut outbox), [3, 2, 1]);
    }

    #[test]
    fn a_whole_frame_takes_the_place_of_the_newest_fragment() {
        let mut outbox = Outbox::default();
        for byte in [1, 2, 3] {
            assert_eq!(outbox.push(frame(byte), Priority::Fragment, &small()), 0);
        }
        assert_eq!(outbox.push(frame(4), Priority::Fragment, &small()), 1);
        assert_eq!(outbox.push(frame(5), Priority::Relayed, &small()), 1);
        assert_eq!(outbox.push(frame(6), Priority::Own, &small()), 1);
        assert_eq!(drain(&mut outbox), [6, 5, 1]);
    }

    #[test]
    fn a_frame_of_ours_takes_the_place_of_the_newest_of_others() {
        let mut outbox = Outbox::default();
        for byte in [1, 2, 3] {
            outbox.push(frame(byte), Priority::Relayed, &small());
        }
        assert_eq!(outbox.push(frame(4), Priority::Own, &small()), 1);
        assert_eq!(outbox.push(frame(5), Priority::Relayed, &small()), 1);
        assert_eq!(drain(&mut outbox), [4, 1, 2]);
    }

    #[test]
    fn a_frame_of_ours_is_refused_when_only_such_wait() {
        let mut outbox = Outbox::default();
        for byte in [1, 2, 3] {
            outbox.push(frame(byte), Priority::Own, &small());
        }
        assert_eq!(outbox.push(frame(4), Priority::Own, &small()), 1);
        assert_eq!(drain(&mut outbox), [1, 2, 3]);
    }

    #[test]
    fn the_cap_counts_bytes_too() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(Bytes::from(vec![1; 201]), Priority::Own, &small()), 0);
        assert_eq!(outbox.push(frame(2), Priority::Own, &small()), 1);
        assert_eq!(drain(&mut outbox), [1]);
        assert_eq!(outbox.push(frame(3), Priority::Own, &small()), 0);
    }

    #[test]
    fn the_radio_holds_a_few_frames_only() {
        let config = Config { write_window: 2, ..Config::default() };
        let mut outbox = Outbox::default();
        for byte in 0..4 {
            outbox.push(frame(byte), Priority::Own, &config);
        }
        assert!(outbox.next(&config).is_some() && outbox.next(&config).is_some());
        assert_eq!(outbox.next(&config), None);
        outbox.written();
        assert_eq!(outbox.next(&config), Some(frame(2)));
    }
}
