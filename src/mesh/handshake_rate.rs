//! How many handshakes are begun or answered (spec 3.4): each costs curve arithmetic, and anybody can ask.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::PeerId;
use crate::time::Instant;

/// Handshakes with one peer in a minute.
const PER_PEER: usize = 10;
/// Handshakes with everybody in a minute.
const GLOBAL: usize = 30;
const MINUTE: Duration = Duration::from_secs(60);

/// The handshakes of the last minute.
#[derive(Debug, Default)]
pub(super) struct HandshakeRate {
    recent: VecDeque<(Instant, PeerId)>,
}

impl HandshakeRate {
    /// Whether one more may take place; counts it when it may.
    pub(super) fn allow(&mut self, peer: PeerId, now: Instant) -> bool {
        while self.recent.front().is_some_and(|&(at, _)| now.since(at) >= MINUTE) {
            self.recent.pop_front();
        }
        let with_peer = self.recent.iter().filter(|&&(_, who)| who == peer).count();
        if self.recent.len() >= GLOBAL || with_peer >= PER_PEER {
            return false;
        }
        self.recent.push_back((now, peer));
        true
    }
}
