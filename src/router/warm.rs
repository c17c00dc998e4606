//! Making the likely fallback ready before it is needed.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use crate::capabilities::TransportKey;
use crate::ids::PeerId;
use crate::time::Instant;

/// A way is not made ready more often than this.
pub(super) const INTERVAL: Duration = Duration::from_secs(30);
/// Ways whose last warming is remembered; the one warmed longest ago is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).expect("1024 is not zero");

/// When each way was last made ready.
#[derive(Debug)]
pub(super) struct Warmth {
    last: LruCache<(PeerId, TransportKey), Instant>,
}

impl Warmth {
    pub(super) fn new() -> Self {
        Self { last: LruCache::new(REMEMBERED) }
    }

    /// Whether a way is to be made ready; if so, it counts as done.
    pub(super) fn is_due(&mut self, peer: PeerId, transport: TransportKey, now: Instant) -> bool {
        let way = (peer, transport);
        if self.last.peek(&way).is_some_and(|last| now.since(*last) < INTERVAL) {
            return false;
        }
        self.last.put(way, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_warmed_at_most_every_half_minute() {
        let mut warmth = Warmth::new();
        let mut is_due = |transport, seconds| {
            warmth.is_due(PeerId([1; 8]), transport, Instant::from_start(Duration::from_secs(seconds)))
        };
        assert!(is_due(TransportKey::Bitchat, 0));
        assert!(!is_due(TransportKey::Bitchat, 29));
        assert!(is_due(TransportKey::Direct, 29));
        assert!(is_due(TransportKey::Bitchat, 30));
    }
}
