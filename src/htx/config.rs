//! Every tunable of a tunnel.

use std::time::Duration;

use super::sealing::RekeyLimits;

/// How much, how many, how long. Defaults are the specification's (spec 7 to 9) unless said otherwise.
#[derive(Debug, Clone)]
pub struct TunnelConfig {
    /// Bytes the peer may send on one stream before we have read them; at least 65,535, with which every stream
    /// begins.
    pub stream_window: u64,
    /// The same over all streams.
    pub connection_window: u64,
    /// Streams either side may have open; a further one of the peer's ends the tunnel, of ours it is refused.
    pub max_streams: usize,
    /// Bytes that may wait to be sent on one stream; when they are reached, a writer waits. Ours.
    pub send_buffer: usize,
    /// Bytes sealed at a time for the transport, give or take a frame. Ours.
    pub transmit_chunk: usize,
    /// Bytes handed to the transport and not yet taken by it, beyond which nothing more is sealed. Ours.
    pub transmit_ahead: usize,
    /// How long one key of ours is used; brought within what the specification allows.
    pub rekey: RekeyLimits,
    /// Idle padding (B-5), as bytes an hour it may cost; `None` switches it off. Ours: what the drawn times and
    /// sizes come to over an hour in which nothing else is sent.
    pub padding_budget: Option<u64>,
    /// A handshake that is not over by then has failed.
    pub handshake_deadline: Duration,
    /// How long a PING may go unanswered.
    pub ping_deadline: Duration,
    /// How long after a CLOSE the tunnel is kept.
    pub drain: Duration,
}

impl Default for TunnelConfig {
    fn default() -> Self {
        Self {
            stream_window: 1 << 20,
            connection_window: 4 << 20,
            max_streams: 256,
            send_buffer: 256 << 10,
            transmit_chunk: 64 << 10,
            transmit_ahead: 256 << 10,
            rekey: RekeyLimits::LONGEST,
            padding_budget: Some(8 << 20),
            handshake_deadline: Duration::from_secs(10),
            ping_deadline: Duration::from_secs(5),
            drain: Duration::from_secs(2),
        }
    }
}
