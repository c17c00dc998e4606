//! Which counters of a session were received: a sliding window of 1,024 (spec 3.5).
//!
//! The window holds one mark for each of the last 1,024 counters up to the highest received, in a ring:
//! counter `c` has the mark at `c mod 1024`, and moving up clears the marks that come into view.

use super::error::CipherError;

/// Counters remembered behind, and with, the highest (spec 3.5).
const WINDOW: u32 = 1024;
const WORD_BITS: u32 = u64::BITS;
const WORDS: usize = (WINDOW / WORD_BITS) as usize;

/// The counters received so far, as far as they are remembered.
#[derive(Debug, Clone)]
pub(super) struct ReplayWindow {
    highest: Option<u32>,
    marks: [u64; WORDS],
}

impl ReplayWindow {
    /// Nothing received.
    pub(super) const fn new() -> Self {
        Self { highest: None, marks: [0; WORDS] }
    }

    /// Whether a message with this counter may be taken. Changes nothing: the counter is not proven yet.
    pub(super) fn check(&self, counter: u32) -> Result<(), CipherError> {
        let Some(highest) = self.highest else { return Ok(()) };
        match highest.checked_sub(counter) {
            None => Ok(()),
            Some(age) if age >= WINDOW => Err(CipherError::Stale { counter, highest }),
            Some(_) if self.is_marked(counter) => Err(CipherError::Replayed { counter }),
            Some(_) => Ok(()),
        }
    }

    /// Remembers a counter that [`Self::check`] let pass and whose tag verified.
    pub(super) fn mark(&mut self, counter: u32) {
        match self.highest {
            None => self.highest = Some(counter),
            Some(highest) if counter > highest => {
                self.clear_above(highest, counter);
                self.highest = Some(counter);
            }
            Some(_) => {}
        }
        let (word, bit) = slot(counter);
        if let Some(word) = self.marks.get_mut(word) {
            *word |= bit;
        }
    }

    fn is_marked(&self, counter: u32) -> bool {
        let (word, bit) = slot(counter);
        self.marks.get(word).is_some_and(|word| word & bit != 0)
    }

    fn clear_above(&mut self, highest: u32, counter: u32) {
        if counter - highest >= WINDOW {
            self.marks = [0; WORDS];
            return;
        }
        for skipped in highest + 1..=counter {
            let (word, bit) = slot(skipped);
            if let Some(word) = self.marks.get_mut(word) {
                *word &= !bit;
            }
        }
    }
}

/// Where a counter's mark is: the word, and the bit in it.
fn slot(counter: u32) -> (usize, u64) {
    let place = counter % WINDOW;
    ((place / WORD_BITS) as usize, 1 << (place % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What the window stands for: every counter ever taken, and the rule for old ones.
    #[derive(Default)]
    struct Model {
        taken: BTreeSet<u32>,
    }

    impl Model {
        fn take(&mut self, counter: u32) -> Result<(), CipherError> {
            if let Some(&highest) = self.taken.last()
                && highest.saturating_sub(counter) >= 1024
            {
                return Err(CipherError::Stale { counter, highest });
            }
            if self.taken.insert(counter) { Ok(()) } else { Err(CipherError::Replayed { counter }) }
        }
    }

    fn take(window: &mut ReplayWindow, counter: u32) -> Result<(), CipherError> {
        window.check(counter)?;
        window.mark(counter);
        Ok(())
    }

    #[test]
    fn a_counter_1023_behind_is_taken_once_and_one_1024_behind_is_not() {
        let mut window = ReplayWindow::new();
        take(&mut window, 5000).unwrap();
        assert_eq!(take(&mut window, 5000 - 1023), Ok(()));
        assert_eq!(take(&mut window, 5000 - 1023), Err(CipherError::Replayed { counter: 3977 }));
        assert_eq!(take(&mut window, 5000 - 1024), Err(CipherError::Stale { counter: 3976, highest: 5000 }));
    }

    #[test]
    fn a_mark_is_forgotten_when_its_place_is_needed_again() {
        let mut window = ReplayWindow::new();
        take(&mut window, 7).unwrap();
        take(&mut window, 7 + 1023).unwrap();
        assert_eq!(take(&mut window, 7), Err(CipherError::Replayed { counter: 7 }));
        assert_eq!(take(&mut window, 7 + 1024), Ok(()));
    }

    #[test]
    fn the_last_counter_of_all_is_taken_once() {
        let mut window = ReplayWindow::new();
        assert_eq!(take(&mut window, u32::MAX), Ok(()));
        assert_eq!(take(&mut window, u32::MAX), Err(CipherError::Replayed { counter: u32::MAX }));
        assert_eq!(take(&mut window, u32::MAX - 1), Ok(()));
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set_of_all_counters(
            base in prop_oneof![Just(0), Just(u32::MAX - 6000), any::<u32>()],
            steps in proptest::collection::vec(prop_oneof![0..40u32, 0..1100u32, 0..6000u32], 1..400),
        ) {
            let mut window = ReplayWindow::new();
            let mut model = Model::default();
            for step in steps {
                let counter = base.saturating_add(step);
                prop_assert_eq!(take(&mut window, counter), model.take(counter));
            }
        }

        #[test]
        fn counters_within_the_window_are_taken_once_in_any_order(
            order in Just((0..1024).collect::<Vec<u32>>()).prop_shuffle(),
            base in 0..u32::MAX - 1024,
        ) {
            let mut window = ReplayWindow::new();
            for offset in &order {
                prop_assert_eq!(take(&mut window, base + offset), Ok(()));
            }
            for offset in &order {
                prop_assert_eq!(
                    take(&mut window, base + offset),
                    Err(CipherError::Replayed { counter: base + offset })
                );
            }
        }
    }
}
