//! How weak a signal is still worth a link (spec 1.5).

use std::time::Duration;

use super::config::Config;

const FLOOR_ALONE: i16 = -95;
const FLOOR_LONG_ALONE: i16 = -100;
const FLOOR_CONNECTED: i16 = -90;
const FLOOR_FULL: i16 = -85;

/// What decides the floor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    /// For how long this node has had no link at all; `None` while it has one.
    pub(super) alone: Option<Duration>,
    /// No further link may be dialled, or no further candidate remembered.
    pub(super) full: bool,
}

/// Whether a device heard this loud is a candidate. A radio that does not know the strength has heard it.
pub(super) fn is_loud_enough(rssi: Option<i16>, situation: Situation, config: &Config) -> bool {
    let floor = match situation {
        Situation { full: true, .. } => FLOOR_FULL,
        Situation { alone: None, .. } => FLOOR_CONNECTED,
        Situation { alone: Some(span), .. } if span >= config.alone_after => FLOOR_LONG_ALONE,
        Situation { alone: Some(_), .. } => FLOOR_ALONE,
    };
    rssi.is_none_or(|rssi| rssi > floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(alone: Option<u64>, full: bool) -> i16 {
        let situation = Situation { alone: alone.map(Duration::from_secs), full };
        (-120..0)
            .rev()
            .find(|&rssi| !is_loud_enough(Some(rssi), situation, &Config::default()))
            .unwrap_or_default()
    }

    #[test]
    fn the_lonelier_the_weaker() {
        assert_eq!(floor(None, true), -85);
        assert_eq!(floor(None, false), -90);
        assert_eq!(floor(Some(0), false), -95);
        assert_eq!(floor(Some(30), false), -100);
    }

    #[test]
    fn an_unknown_strength_is_enough() {
        assert!(is_loud_enough(None, Situation { alone: None, full: true }, &Config::default()));
    }
}
