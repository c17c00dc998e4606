//! When to call a contact, and the call.

use std::time::Duration;

use iroh::EndpointAddr;
use iroh::endpoint::{Connection, Endpoint};
use rand_core::{OsRng, RngCore};
use tokio::time::Instant;

use crate::wire::direct::ALPN;

/// The first pause after a call that failed; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a call may ring.
const RING: Duration = Duration::from_secs(10);
/// A connection that lasted this long was worth its call.
const WORTHWHILE: Duration = Duration::from_secs(5);

/// When one contact is called next.
#[derive(Debug)]
pub(super) struct Dialling {
    /// Calls in a row that came to nothing.
    failures: u32,
    due: Instant,
    ringing: bool,
    /// Since when there is a connection.
    connected: Option<Instant>,
}

impl Dialling {
    /// A first call at once.
    pub(super) fn new(now: Instant) -> Self {
        Self { failures: 0, due: now, ringing: false, connected: None }
    }

    /// When the next call is due; `None` while one rings.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.ringing).then_some(self.due)
    }

    /// Somebody wants the contact, or the network has changed: no pause.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.due = self.due.min(now);
    }

    /// A call rings.
    pub(super) fn rings(&mut self) {
        self.ringing = true;
    }

    /// It was answered.
    pub(super) fn answered(&mut self) {
        self.ringing = false;
    }

    /// It came to nothing.
    pub(super) fn failed(&mut self, now: Instant) {
        self.ringing = false;
        self.pause(now);
    }

    /// There is a connection, whoever called.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected.get_or_insert(now);
    }

    /// The last connection is gone.
    pub(super) fn lost(&mut self, now: Instant) {
        if self.connected.take().is_some_and(|since| now.duration_since(since) >= WORTHWHILE) {
            self.failures = 0;
        }
        self.pause(now);
    }

    fn pause(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.due = now + pause(self.failures);
    }
}

/// Between half of the pause and all of it, so that two contacts do not keep calling each other at once.
fn pause(failures: u32) -> Duration {
    let doubled =
        FIRST_PAUSE.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let longest = doubled.min(LONGEST_PAUSE);
    let half = longest / 2;
    let mut drawn = [0; 4];
    // A system without randomness for the moment gets the shortest.
    OsRng.try_fill_bytes(&mut drawn).ok();
    half + half.mul_f64(f64::from(u32::from_be_bytes(drawn)) / f64::from(u32::MAX))
}

/// Calls; `None` when nobody answers who has the right key.
pub(super) async fn call(endpoint: Endpoint, to: EndpointAddr) -> Option<Connection> {
    match tokio::time::timeout(RING, endpoint.connect(to, ALPN)).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a call failed");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        for (failures, longest) in
            [(1, 500), (2, 1000), (6, 16_000), (7, 30_000), (40, 30_000), (u32::MAX, 30_000)]
        {
            let longest = Duration::from_millis(longest);
            let pause = pause(failures);
            assert!(longest / 2 <= pause && pause <= longest, "{pause:?} after {failures} failures");
        }
    }
}
