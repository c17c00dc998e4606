//! What handles say to the task of their tunnel, and what it says to them.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::handle::{Closed, OpenError};
use super::stream::Stream;
use crate::htx::StreamId;
use crate::htx::error::ErrorCode;

/// Requests that wait for the task of a tunnel.
pub(super) const REQUESTS: usize = 64;
/// Streams that have a handle, at most: more than the machine runs at once, for those that ended unread.
pub(super) const PORTS: usize = 1024;
/// Every half of every stream says farewell once.
pub(super) const FAREWELLS: usize = 2 * PORTS;
/// Chunks of one stream that may be on their way to the machine.
pub(super) const CHUNKS: usize = 4;
/// The longest of them, in bytes.
pub(super) const CHUNK: usize = 64 * 1024;
/// Pieces that wait for the reader of one stream before they wait in the task.
pub(super) const PIECES: usize = 32;

/// What is asked of the task.
#[derive(Debug)]
pub(super) enum Request {
    /// A stream.
    Open(oneshot::Sender<Result<Stream, OpenError>>),
    /// A chunk for a stream; there was a permit for it.
    Send { stream: StreamId, data: Bytes },
    /// The end of our direction.
    Finish(StreamId),
    /// So many bytes were read.
    Consumed { stream: StreamId, bytes: usize },
    /// How long the other end takes to answer.
    Ping(oneshot::Sender<Duration>),
    /// The end of the tunnel.
    Close(ErrorCode),
}

/// A half of a stream was dropped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Farewell {
    /// The sending half, after so many chunks.
    Sender { stream: StreamId, chunks: u64 },
    /// The receiving half.
    Receiver(StreamId),
}

/// What a reader gets.
#[derive(Debug)]
pub(super) enum Piece {
    /// Bytes, never none.
    Data(Bytes),
    /// The other end has finished.
    End,
}

/// How the tunnel fares, watched by its handles.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// It takes no new streams and will close.
    pub(super) retired: bool,
    /// It is over.
    pub(super) closed: Option<Closed>,
}
