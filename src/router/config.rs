//! Every tunable of the router.

use std::time::Duration;

use crate::capabilities::TransportKey;

/// What a router is told at its start.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Which transport is preferred when a message asks for nothing. One further down has to be
    /// [`PLACE`](crate::router::selection::PLACE) times faster for each place; unless [`Self::adaptive`], speed
    /// does not count, and the list decides.
    pub priority: Vec<TransportKey>,
    /// Whether a message that failed over one transport goes to the next.
    pub failover: bool,
    /// The longest wait for a receipt before the next transport is tried, whatever was measured.
    pub failover_timeout: Duration,
    /// The shortest.
    pub failover_floor: Duration,
    /// Tries over each transport before the message rests; a transport that gives up is not tried again.
    pub attempts: u8,
    /// Whether the time a message takes, as measured or promised, moves the ranking.
    pub adaptive: bool,
    /// Whether the likely fallback is made ready before it is needed.
    pub warm_up: bool,
    /// The first pause of a message that nobody took; it doubles up to [`Self::longest_pause`].
    pub first_pause: Duration,
    /// The longest pause between two rounds.
    pub longest_pause: Duration,
    /// Messages a router holds; one more is left in the outbox until there is room.
    pub messages: usize,
    /// Attempts under way to one peer over one transport; further messages wait their turn. Urgent messages
    /// have as much again; a transport that was silent to a peer gets one message of it at a time.
    pub window: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            priority: vec![TransportKey::Betanet, TransportKey::Bitchat, TransportKey::Direct],
            failover: true,
            failover_timeout: Duration::from_secs(10),
            failover_floor: Duration::from_millis(250),
            attempts: 3,
            adaptive: true,
            warm_up: true,
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(120),
            messages: 20_000,
            window: 64,
        }
    }
}
