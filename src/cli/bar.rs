//! How far a file is, as one line that is written over itself.

use std::time::Duration;

/// The width of the bar itself.
const WIDTH: u64 = 24;
/// Pieces of news closer together than this say nothing of a rate.
const SHORTEST: Duration = Duration::from_millis(100);
/// How much a new measurement counts for in the rate that is shown.
const WEIGHT: f64 = 0.3;

/// A progress bar's memory: how fast it goes.
#[derive(Debug, Default)]
pub(super) struct Bar {
    last: Option<(Duration, u64)>,
    rate: Option<f64>,
}

impl Bar {
    /// The line for this moment, told by a clock that began anywhere.
    pub(super) fn line(&mut self, name: &str, done: u64, size: u64, now: Duration) -> String {
        self.measure(done, now);
        let filled = share(done, size, WIDTH);
        let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect();
        let percent = share(done, size, 100);
        let rate = self.rate.map(|rate| format!("  {}/s", bytes(whole(rate)))).unwrap_or_default();
        let left = self.left(done, size).map(|left| format!("  {left} left")).unwrap_or_default();
        format!("{name}  [{bar}] {percent:3} %  {} of {}{rate}{left}", bytes(done), bytes(size))
    }

    fn measure(&mut self, done: u64, now: Duration) {
        if let Some((then, before)) = self.last.replace((now, done)) {
            let elapsed = now.saturating_sub(then);
            if elapsed >= SHORTEST && done >= before {
                let new = approximate(done - before) / elapsed.as_secs_f64();
                self.rate = Some(self.rate.map_or(new, |rate| rate + WEIGHT * (new - rate)));
            }
        }
    }

    fn left(&self, done: u64, size: u64) -> Option<String> {
        let seconds = approximate(size.saturating_sub(done)) / self.rate.filter(|rate| *rate >= 1.0)?;
        Some(super::words::span(Duration::from_secs(whole(seconds.ceil()))))
    }
}

/// A number of bytes as people say it.
pub(super) fn bytes(bytes: u64) -> String {
    const LARGER: [&str; 4] = ["MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes / 100;
    let mut unit = "kB";
    for larger in LARGER {
        if tenths < 10_000 {
            break;
        }
        (tenths, unit) = (tenths / 1000, larger);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// How much of `whole` belongs to `done` of `size`; all of it when there is nothing to do.
fn share(done: u64, size: u64, whole: u64) -> u64 {
    let share = u128::from(done.min(size)) * u128::from(whole) / u128::from(size.max(1));
    if size == 0 { whole } else { u64::try_from(share).unwrap_or(whole) }
}

/// A rate that people read needs three digits.
fn approximate(number: u64) -> f64 {
    number as f64
}

/// A float that does not fit saturates.
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_far_how_fast_and_how_long() {
        let mut bar = Bar::default();
        let half = Duration::from_millis(500);
        let begun = bar.line("film.mkv", 0, 100_000_000, Duration::ZERO);
        assert_eq!(begun, "film.mkv  [........................]   0 %  0 B of 100.0 MB");
        let later = bar.line("film.mkv", 25_000_000, 100_000_000, half);
        assert_eq!(
            later,
            "film.mkv  [######..................]  25 %  25.0 MB of 100.0 MB  50.0 MB/s  2 s left"
        );
        let done = bar.line("film.mkv", 100_000_000, 100_000_000, half * 3);
        assert!(done.contains("[########################] 100 %"), "{done}");
    }

    #[test]
    fn what_a_try_begins_with_is_not_taken_for_speed() {
        let mut bar = Bar::default();
        bar.line("a", 0, 100_000_000, Duration::ZERO);
        let resumed = bar.line("a", 50_000_000, 100_000_000, Duration::from_millis(1));
        assert!(resumed.ends_with("50.0 MB of 100.0 MB"), "{resumed}");
        let later = bar.line("a", 60_000_000, 100_000_000, Duration::from_millis(501));
        assert!(later.contains("  20.0 MB/s"), "{later}");
    }

    #[test]
    fn an_empty_file_is_there_at_once() {
        assert!(Bar::default().line("a", 0, 0, Duration::ZERO).contains("100 %"));
    }

    #[test]
    fn bytes_are_said_in_round_numbers() {
        let said: Vec<String> =
            [0, 999, 1000, 1_250_000, 999_999_999, 5_000_000_000, u64::MAX].map(bytes).into();
        assert_eq!(said, ["0 B", "999 B", "1.0 kB", "1.2 MB", "999.9 MB", "5.0 GB", "18446.7 PB"]);
    }
}
