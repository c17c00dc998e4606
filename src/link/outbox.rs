//! What waits to be sent on one link: urgent frames first, a few at a time in the radio's hands.

use std::collections::VecDeque;

use bytes::Bytes;

use super::config::Config;
use super::event::Priority;

/// The sending side of one link.
///
/// When it is full, the newest frame of the lowest priority goes: a waiting fragment makes room for an urgent
/// frame, never the other way round, and among equals the one that comes last is refused.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    high: VecDeque<Bytes>,
    fragments: VecDeque<Bytes>,
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
            let victim = match priority {
                Priority::High => self.fragments.pop_back(),
                Priority::Fragment => None,
            };
            match victim {
                Some(victim) => self.bytes -= victim.len(),
                None => return dropped,
            }
        }
        self.bytes += frame.len();
        match priority {
            Priority::High => self.high.push_back(frame),
            Priority::Fragment => self.fragments.push_back(frame),
        }
        dropped
    }

    /// The next frame for the radio, while it may have another.
    pub(super) fn next(&mut self, config: &Config) -> Option<Bytes> {
        if self.in_flight >= config.write_window {
            return None;
        }
        let frame = self.high.pop_front().or_else(|| self.fragments.pop_front())?;
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
        self.high.len() + self.fragments.len()
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
    fn urgent_frames_overtake_fragments() {
        let mut outbox = Outbox::default();
        outbox.push(frame(1), Priority::Fragment, &small());
        outbox.push(frame(2), Priority::High, &small());
        outbox.push(frame(3), Priority::High, &small());
        assert_eq!(drain(&mut outbox), [2, 3, 1]);
    }

    #[test]
    fn an_urgent_frame_takes_the_place_of_the_newest_fragment() {
        let mut outbox = Outbox::default();
        for byte in [1, 2, 3] {
            assert_eq!(outbox.push(frame(byte), Priority::Fragment, &small()), 0);
        }
        assert_eq!(outbox.push(frame(4), Priority::Fragment, &small()), 1);
        assert_eq!(outbox.push(frame(5), Priority::High, &small()), 1);
        assert_eq!(drain(&mut outbox), [5, 1, 2]);
    }

    #[test]
    fn an_urgent_frame_is_refused_when_only_urgent_ones_wait() {
        let mut outbox = Outbox::default();
        for byte in [1, 2, 3] {
            outbox.push(frame(byte), Priority::High, &small());
        }
        assert_eq!(outbox.push(frame(4), Priority::High, &small()), 1);
        assert_eq!(drain(&mut outbox), [1, 2, 3]);
    }

    #[test]
    fn the_cap_counts_bytes_too() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(Bytes::from(vec![1; 201]), Priority::High, &small()), 0);
        assert_eq!(outbox.push(frame(2), Priority::High, &small()), 1);
        assert_eq!(drain(&mut outbox), [1]);
        assert_eq!(outbox.push(frame(3), Priority::High, &small()), 0);
    }

    #[test]
    fn the_radio_holds_a_few_frames_only() {
        let config = Config { write_window: 2, ..Config::default() };
        let mut outbox = Outbox::default();
        for byte in 0..4 {
            outbox.push(frame(byte), Priority::High, &config);
        }
        assert!(outbox.next(&config).is_some() && outbox.next(&config).is_some());
        assert_eq!(outbox.next(&config), None);
        outbox.written();
        assert_eq!(outbox.next(&config), Some(frame(2)));
    }
}
