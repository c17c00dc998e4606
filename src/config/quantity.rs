//! Spans of time and sizes as people write them: `10s`, `24h`, `100MB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time, written as a whole number and a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A number of bytes, written as a whole number with or without a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// The text is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a span of time is a whole number and ms, s, min, h or d, like `10s` or `24h`; `{0}` is not")]
pub struct NoSpan(pub String);

/// The text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a size is a whole number of bytes, or one with kB, MB, GB, KiB, MiB or GiB, like `100MB`; `{0}` is not"
)]
pub struct NoSize(pub String);

/// Milliseconds in each unit, the largest first.
const SPANS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
/// Bytes in each unit, the largest first.
const SIZES: [(&str, u64); 6] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
];

impl FromStr for Span {
    type Err = NoSpan;

    fn from_str(text: &str) -> Result<Self, NoSpan> {
        measured(text, &SPANS)
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(|| NoSpan(text.to_owned()))
    }
}

impl fmt::Display for Span {
    /// In the largest unit that keeps the number whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        match whole(ms, &SPANS) {
            Some((number, unit)) => write!(f, "{number}{unit}"),
            None => f.write_str("0s"),
        }
    }
}

impl FromStr for Size {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<Self, NoSize> {
        let size = text.parse().ok().or_else(|| measured(text, &SIZES));
        size.map(Self).ok_or_else(|| NoSize(text.to_owned()))
    }
}

impl fmt::Display for Size {
    /// In the largest unit that keeps the number whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match whole(self.0, &SIZES) {
            Some((number, unit)) => write!(f, "{number}{unit}"),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A number and one of these units, multiplied; `None` where it is neither, or too much.
fn measured(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The number in the first unit that divides it.
fn whole(number: u64, units: &[(&'static str, u64)]) -> Option<(u64, &'static str)> {
    let fits = |(_, factor): &&(&str, u64)| number >= *factor && number.is_multiple_of(*factor);
    units.iter().find(fits).map(|(name, factor)| (number / factor, *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_it_prints() {
        for text in ["250ms", "10s", "90s", "5min", "25h", "7d", "0s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("24h".parse::<Span>().unwrap().to_string(), "1d");
        for text in ["", "10", "h", "-1s", "1.5h", "10 s", "10S", "99999999999999999999d", "999999999999999d"]
        {
            assert_eq!(text.parse::<Span>(), Err(NoSpan(text.to_owned())));
        }
    }

    #[test]
    fn a_size_reads_as_it_prints() {
        for text in ["0", "999", "1kB", "4KiB", "100MB", "2GiB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("1048576".parse::<Size>().unwrap().to_string(), "1MiB");
        for text in ["", "MB", "1 MB", "1mb", "-1", "1.5GB", "99999999999999999999"] {
            assert_eq!(text.parse::<Size>(), Err(NoSize(text.to_owned())));
        }
    }
}
