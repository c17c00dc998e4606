//! What a tunnel does to look like a long visit and not like a tunnel: pings of HTTP/2 (B-3), and an age (B-8).

use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use zeroize::Zeroizing;

use super::vigil::Vigil;
use crate::htx::TunnelConfig;
use crate::htx::cover::{Lifetime, Pings, lifetime};
use crate::time::Instant;

/// How long the streams of a tunnel that has reached its age may take to end.
const GRACE: Duration = Duration::from_secs(30);

/// Bytes of one stream that may be under way or unread: twice what HTTP/2 lets be under way, because credit comes
/// back in halves.
const STREAM_WINDOW: u64 = 2 << 20;
/// The same for all streams: more, so that one that nobody reads leaves room for others.
const CONNECTION_WINDOW: u64 = 4 << 20;

/// What tunnels do to look like visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emulation {
    /// The client pings by HTTP/2, at drawn times (B-3).
    pub pings: bool,
    /// Both sides send dummy bytes when idle (B-5). Costs about 17 kbit/s; off on metered links.
    pub padding: bool,
    /// The client ends a tunnel at a drawn age or amount (B-8).
    pub lifetime: bool,
}

impl Default for Emulation {
    fn default() -> Self {
        Self { pings: true, padding: true, lifetime: true }
    }
}

impl Emulation {
    /// The machine's share of it.
    pub(in crate::net) fn config(self) -> TunnelConfig {
        let usual = TunnelConfig::default();
        let padding_budget = usual.padding_budget.filter(|_| self.padding);
        TunnelConfig {
            stream_window: STREAM_WINDOW,
            connection_window: CONNECTION_WINDOW,
            padding_budget,
            ..usual
        }
    }
}

/// The age of one tunnel, and its pings.
#[derive(Debug)]
pub(in crate::net) struct Life {
    emulation: Emulation,
    rng: ChaCha20Rng,
    pings: Option<(Pings, Option<PingPong>)>,
    lifetime: Option<Lifetime>,
    /// When it was established.
    begun: Option<Instant>,
    carried: u64,
    /// When it reached its age.
    retired: Option<Instant>,
    vigil: Option<Vigil>,
}

impl Life {
    /// The life of a tunnel that lives as `emulation` says.
    pub(in crate::net) fn new(emulation: Emulation, rng: &mut ChaCha20Rng) -> Self {
        let mut rng = fork(rng);
        let lifetime = emulation.lifetime.then(|| lifetime(&mut rng));
        Self { emulation, rng, pings: None, lifetime, begun: None, carried: 0, retired: None, vigil: None }
    }

    /// The life of a server's tunnel: pings and age are left to the client, as web servers leave them to browsers.
    pub(in crate::net) fn of_server(rng: &mut ChaCha20Rng) -> Self {
        Self::new(Emulation { pings: false, padding: false, lifetime: false }, rng)
    }

    /// The tunnel is established.
    pub(super) fn begin(&mut self, ping_pong: Option<PingPong>, now: Instant) {
        self.begun = Some(now);
        self.vigil = Some(Vigil::new(fork(&mut self.rng), now));
        if self.emulation.pings {
            self.pings = Some((Pings::new(&mut self.rng, now), ping_pong));
        }
    }

    /// So many bytes went either way.
    pub(super) fn carried(&mut self, bytes: usize) {
        self.carried = self.carried.saturating_add(bytes as u64);
    }

    /// The other end has sent something.
    pub(super) fn heard(&mut self, bytes: usize, now: Instant) {
        self.carried(bytes);
        if let Some(vigil) = &mut self.vigil {
            vigil.heard(now);
        }
    }

    /// Whether the other end was silent for so long that it is to be asked.
    pub(super) fn asks(&mut self, now: Instant) -> bool {
        self.vigil.as_mut().is_some_and(|vigil| vigil.asks(now))
    }

    /// Whether a question without an answer means that the other end is gone.
    pub(super) fn is_alone(&self) -> bool {
        self.vigil.as_ref().is_some_and(Vigil::is_gone)
    }

    /// Pings when it is time.
    pub(super) fn ping(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some((pings, Some(ping_pong))) = &mut self.pings else { return };
        // An answer makes room for the next; an error is a connection that is over, which others notice.
        while let Poll::Ready(Ok(_)) = ping_pong.poll_pong(cx) {}
        if pings.next() <= now {
            // Refused only while an earlier one is unanswered: a browser would not ping then either.
            ping_pong.send_ping(Ping::opaque()).ok();
            pings.sent(&mut self.rng, now);
        }
    }

    /// Whether it reaches its age at this moment. True once.
    pub(super) fn retires(&mut self, now: Instant) -> bool {
        let old = self.retired.is_none() && self.age_at().is_some_and(|at| at <= now);
        let worn =
            self.retired.is_none() && self.lifetime.as_ref().is_some_and(|life| self.carried >= life.bytes);
        if old || worn {
            self.retired = Some(now);
        }
        old || worn
    }

    /// Whether it has reached its age and nothing holds it: its streams have ended, or had their grace.
    pub(super) fn is_over(&self, now: Instant, idle: bool) -> bool {
        self.retired.is_some_and(|at| idle || at + GRACE <= now)
    }

    /// When to look again.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let ping = self.pings.as_ref().filter(|(_, handle)| handle.is_some()).map(|(pings, _)| pings.next());
        let age = match self.retired {
            Some(at) => Some(at + GRACE),
            None => self.age_at(),
        };
        let vigil = self.vigil.as_ref().map(Vigil::poll_timeout);
        [ping, age, vigil].into_iter().flatten().min()
    }

    fn age_at(&self) -> Option<Instant> {
        Some(self.begun? + self.lifetime.as_ref()?.age)
    }
}

/// A source of randomness of its own.
fn fork(rng: &mut ChaCha20Rng) -> ChaCha20Rng {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *seed);
    ChaCha20Rng::from_seed(*seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life() -> Life {
        Life::new(Emulation::default(), &mut ChaCha20Rng::from_seed([1; 32]))
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_tunnel_retires_once_between_ten_minutes_and_an_hour_and_is_over_when_idle_or_after_its_grace() {
        let mut life = life();
        assert!(!life.retires(at(100_000)), "its age is that of an established tunnel");
        life.begin(None, at(1000));
        let old = (1000..=1000 + 3600).find(|second| life.retires(at(*second))).unwrap();
        assert!(old >= 1000 + 600);
        assert!(!life.retires(at(old + 1)), "once");
        assert!(life.is_over(at(old), true));
        assert!(!life.is_over(at(old + 29), false));
        assert!(life.is_over(at(old + 30), false));
    }

    #[test]
    fn a_tunnel_that_carried_a_gibibyte_retires() {
        let mut life = life();
        life.begin(None, at(0));
        life.carried((1 << 30) - 1);
        assert!(!life.retires(at(1)));
        life.heard(1, at(1));
        assert!(life.retires(at(1)));
    }

    #[test]
    fn a_tunnel_of_a_server_never_retires() {
        let mut life = Life::of_server(&mut ChaCha20Rng::from_seed([1; 32]));
        life.begin(None, at(0));
        life.carried(1 << 40);
        assert!(!life.retires(at(1_000_000)));
        assert!(!life.is_over(at(1_000_000), true));
    }
}
