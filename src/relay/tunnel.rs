//! One tunnel: its streams, each with one request and its answer.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bucket::{Bucket, Rate};
use crate::clock::Clock;
use crate::ids::to_hex;
use crate::net::server::Arrival;
use crate::net::tunnel::Stream;
use crate::wire::mailbox::{Frames, MailboxError};

use super::desk::{Asker, Desk};

/// Streams of one tunnel that are served at once; further ones wait where they are.
const STREAMS: usize = 8;
/// How long the other side may let us wait for its next bytes, or for room for ours.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes given to a stream in one piece.
const PIECE: usize = 64 << 10;
/// How often one tunnel may ask (betanet-htx 11).
const REQUESTS: Rate = Rate::per_second(20, 100);
/// The part of a tunnel's hash that logs show.
const SHOWN: usize = 8;

/// Serves a tunnel until it is over. `clock` is for the bucket alone.
pub(super) async fn serve(arrival: Arrival, desk: Desk, clock: Clock) {
    let Arrival { mut tunnel, source, tunnel_id } = arrival;
    let name = to_hex(tunnel_id.first_chunk::<SHOWN>().map_or(&[], |shown| shown));
    tracing::info!(tunnel = %name, "opened");
    let asker = Asker { source: source.ip(), exporter: *tunnel.exporter() };
    let (mut bucket, mut streams) = (Bucket::default(), JoinSet::new());
    loop {
        tokio::select! {
            accepted = tunnel.accept(), if streams.len() < STREAMS => {
                let Some(stream) = accepted else { break };
                while let Err(later) = bucket.take(REQUESTS, clock.now().instant) {
                    clock.sleep_until(Some(later)).await;
                }
                streams.spawn(request(stream, desk.clone(), asker));
            }
            Some(_) = streams.join_next(), if !streams.is_empty() => {}
        }
    }
    let closed = tunnel.closed().await;
    tracing::info!(tunnel = %name, code = %closed.code, "closed");
}

/// Reads one request and answers it. What the other side breaks off needs no answer.
async fn request(mut stream: Stream, desk: Desk, asker: Asker) {
    let Some((content, held)) = read(&mut stream, &desk).await else { return };
    let (answer, _room) = match content {
        Content::Request(content) => desk.answer(&content, asker).await,
        Content::Refused => (desk.no_room(), None),
        Content::Unreadable(error) => (error.answer(), None),
    };
    drop(held);
    match answer.encode() {
        Ok(bytes) => drop(write(&mut stream, bytes).await),
        Err(error) => tracing::error!(%error, "an answer could not be written"),
    }
}

enum Content {
    Request(Bytes),
    /// There is no room for it.
    Refused,
    /// Its length is none.
    Unreadable(MailboxError),
}

/// What came on a stream, with the room it takes; nothing when it ended or stood still before a whole request was there.
async fn read(stream: &mut Stream, desk: &Desk) -> Option<(Content, Option<OwnedSemaphorePermit>)> {
    let (mut frames, mut held) = (Frames::default(), desk.room(0)?);
    loop {
        let piece = timeout(PATIENCE, stream.receive()).await.ok()?.ok()??;
        match desk.room(piece.len()) {
            Some(room) => held.merge(room),
            None => return Some((Content::Refused, None)),
        }
        frames.push(&piece);
        match frames.next_frame() {
            Ok(None) => {}
            Ok(Some(content)) => return Some((Content::Request(content), Some(held))),
            Err(error) => return Some((Content::Unreadable(error), None)),
        }
    }
}

/// Gives an answer away, as fast as it is taken.
async fn write(stream: &mut Stream, mut bytes: Bytes) -> Option<()> {
    while !bytes.is_empty() {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        timeout(PATIENCE, stream.send(piece)).await.ok()?.ok()?;
    }
    stream.finish().await.ok()
}
