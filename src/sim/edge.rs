//! What lies between two radios that hear each other.

use std::time::Duration;

use rand_chacha::ChaCha12Rng;

use super::random::{between, chance};

/// A connection's radios meet this often (BlueZ asks for 30-50 ms, `bluez-rules.md`); what got lost is sent
/// again at the next meeting.
const CONNECTION_INTERVAL: Duration = Duration::from_millis(30);
/// A connection whose radios miss each other for this long is gone (Linux asks for 420 ms).
pub(super) const SUPERVISION_TIMEOUT: Duration = Duration::from_millis(420);
/// The longest attribute value (Bluetooth Core, volume 3, part F, 3.2.9), and so the longest frame (spec 1.4).
const MAX_ATTRIBUTE: usize = 512;
/// What ATT takes of each write and notification.
const ATT_HEADER: usize = 3;

/// The quality of the air between two radios, the same both ways.
///
/// Bluetooth repeats what is lost, so on a living connection frames arrive whole and in order: `loss` costs
/// time, and in the end the connection. Frames are lost when a connection ends with them in flight, and with
/// probability `drop`, as real stacks drop writes without response and notifications when they are pressed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// Probability that one transmission gets lost and is repeated an interval later.
    pub loss: f64,
    /// Probability that a frame silently never comes out at the other end.
    pub drop: f64,
    /// From the last byte sent to its arrival.
    pub latency: Duration,
    /// Up to this much more, at random.
    pub jitter: Duration,
    /// The ATT MTU the two radios agree on.
    pub mtu: u16,
    /// Bytes a second, each way.
    pub rate: u32,
    /// How loud the two hear each other, in dBm.
    pub rssi: i16,
}

impl Default for Edge {
    /// A few metres indoors.
    fn default() -> Self {
        Self {
            loss: 0.02,
            drop: 0.0,
            latency: Duration::from_millis(15),
            jitter: Duration::from_millis(10),
            mtu: 517,
            rate: 40_000,
            rssi: -60,
        }
    }
}

impl Edge {
    /// The longest frame that crosses: min(512, MTU - 3).
    pub fn max_frame(&self) -> usize {
        usize::from(self.mtu).saturating_sub(ATT_HEADER).min(MAX_ATTRIBUTE)
    }

    /// How long a frame of this length is on its way out, repeats included; `None` when the radios miss each
    /// other for so long that the connection breaks.
    pub(super) fn airtime(&self, length: usize, rng: &mut ChaCha12Rng) -> Option<Duration> {
        let mut repeats = Duration::ZERO;
        while chance(self.loss, rng) {
            repeats += CONNECTION_INTERVAL;
            if repeats >= SUPERVISION_TIMEOUT {
                return None;
            }
        }
        let bytes = u32::try_from(length).unwrap_or(u32::MAX);
        Some(repeats + Duration::from_secs(1).saturating_mul(bytes) / self.rate.max(1))
    }

    /// How long the last byte flies.
    pub(super) fn flight(&self, rng: &mut ChaCha12Rng) -> Duration {
        between(self.latency, self.latency + self.jitter, rng)
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_frame_is_min_512_or_mtu_less_3() {
        for (mtu, longest) in [(23, 20), (247, 244), (515, 512), (517, 512)] {
            assert_eq!(Edge { mtu, ..Edge::default() }.max_frame(), longest);
        }
    }

    #[test]
    fn loss_costs_time_and_in_the_end_the_connection() {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let clear = Edge { loss: 0.0, rate: 1000, ..Edge::default() };
        assert_eq!(clear.airtime(500, &mut rng), Some(Duration::from_millis(500)));
        let dead = Edge { loss: 1.0, ..Edge::default() };
        assert_eq!(dead.airtime(500, &mut rng), None);
        let bad = Edge { loss: 0.5, ..clear };
        let spans: Vec<_> = (0..100).filter_map(|_| bad.airtime(500, &mut rng)).collect();
        assert!(spans.iter().any(|&span| span > Duration::from_millis(550)), "{spans:?}");
    }
}
