//! The two ports of a tunnel: the transport that carries its bytes, and whoever uses its streams.

use std::time::Duration;

use bytes::Bytes;

use super::error::ErrorCode;

/// The name of one stream of a connection. For a stream the peer opened it is the id on the wire; our own are
/// numbered in the order in which they were asked for, while their ids follow the order of their first frames,
/// since the wire wants ids to rise (D-27).
pub type StreamId = u64;

/// Which end of the connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We began the handshake: our streams are odd.
    Client,
    /// We answered it: our streams are even.
    Server,
}

/// Everything that can happen to a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Bytes of the peer's body, cut anywhere.
    Received(Bytes),
    /// The peer's body ended, or the transport broke.
    Ended,
    /// The transport took so many bytes of what it was given as [`Output::Transmit`].
    Transmitted(usize),
    /// A stream of our own is wanted: answered by [`Event::Opened`] or [`Event::OpenRefused`].
    Open,
    /// Data for a stream, while [`super::Connection::room`] is not zero.
    Send {
        /// Which.
        stream: StreamId,
        /// What.
        data: Bytes,
    },
    /// Nothing more will be sent on a stream.
    Finish {
        /// Which.
        stream: StreamId,
    },
    /// Nobody reads or writes a stream any more: it is finished, and what still comes is thrown away.
    Abandon {
        /// Which.
        stream: StreamId,
    },
    /// The reader took so many bytes of [`Event::Data`]. Every byte is to be reported, those of an abandoned or
    /// finished stream too: the window of the connection lives by it.
    Consumed {
        /// Of which stream.
        stream: StreamId,
        /// How many.
        bytes: usize,
    },
    /// Change our key, if the peer has to accept that at this time.
    Rekey,
    /// Ask whether the peer is there: answered by [`Event::Pong`] or [`Event::Unanswered`]. Asked for again
    /// before that, it is the same question.
    Ping,
    /// End the tunnel; what waits to be sent is dropped.
    Close {
        /// What the peer is told.
        code: ErrorCode,
        /// And in words; cut to 256 bytes.
        reason: String,
    },
    /// The time given by `poll_timeout` has come.
    Timeout,
}

/// Everything a tunnel wants done or known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// For our body: some frames, whole.
    Transmit(Bytes),
    /// For whoever uses the tunnel.
    Event(Event),
}

/// What happened in a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done.
    Established,
    /// A stream of our own is open.
    Opened {
        /// Its name.
        stream: StreamId,
    },
    /// Too many streams of our own are open, or the tunnel is not up.
    OpenRefused,
    /// The peer opened a stream.
    Accepted {
        /// Its name.
        stream: StreamId,
    },
    /// Data came.
    Data {
        /// On which stream.
        stream: StreamId,
        /// In order, never empty.
        data: Bytes,
    },
    /// The peer sends nothing more on a stream, whose data was all given.
    Finished {
        /// Which.
        stream: StreamId,
    },
    /// There is room again on a stream whose send buffer was full.
    Writable {
        /// Which.
        stream: StreamId,
    },
    /// The peer answered our PING.
    Pong {
        /// After how long.
        after: Duration,
    },
    /// The peer did not answer our PING in time.
    Unanswered,
    /// The tunnel is over, and no stream lives any more. What is still to be sent comes as [`Output::Transmit`].
    Closed {
        /// Why.
        code: ErrorCode,
        /// What the peer said of it, or what it did wrong.
        reason: String,
        /// Who ended it.
        by: Side,
    },
    /// After [`Event::Closed`]: nothing more will come or go, the connection may be dropped.
    Drained,
    /// The handshake did not come to an end. Nothing is answered, and this is said when its time is up, whatever
    /// was wrong and whenever: nobody outside can tell failures apart.
    Failed,
}

/// One of the two ends, as seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// We.
    Ours,
    /// The peer.
    Theirs,
}
