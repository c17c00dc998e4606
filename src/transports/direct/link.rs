//! One connection to one contact: a writer, a reader and a pulse, which report to the driver.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::{Connection, ConnectionError, RecvStream, VarInt};
use iroh::{EndpointId, TransportAddr};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::delivery::Outgoing;
use super::endpoint::Accepted;
use super::handle::{ConnectionStatus, PathKind};
use super::pulse::{self, Pulse};
use crate::ids::{AttemptId, PeerId};
use crate::wire::direct::{Frame, FrameError, Frames};

/// Frames that may wait for one writer.
const QUEUE_BOUND: usize = 1024;
/// Frames that leave in one write, at most.
const BATCH: usize = 128;
/// Bytes taken from a stream in one go, at most.
const PIECE: usize = 64 * 1024;
/// How long the other side may take to say that it listens.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// What a short message counts for in the room there is for messages nobody has stored yet.
const MIN_ROOM: usize = 512;
/// How long a message may wait for such room until the connection is given up.
const ROOM_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that was replaced may take to hand over what is still in it.
const LINGER: Duration = Duration::from_secs(2);

/// Why a connection is closed: the application's error code in QUIC's close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The node stops, or takes another endpoint key.
    Bye,
    /// The other side is no contact of ours.
    Stranger,
    /// There is another connection.
    Redundant,
    /// The other side speaks no sense.
    Protocol,
    /// Nothing was heard for too long.
    Silence,
    /// The messages it brings are not stored fast enough.
    Full,
}

impl Code {
    fn number(self) -> VarInt {
        VarInt::from_u32(match self {
            Self::Bye => 0,
            Self::Stranger => 1,
            Self::Redundant => 2,
            Self::Protocol => 3,
            Self::Silence => 4,
            Self::Full => 5,
        })
    }

    /// Whether the other side closed with this code.
    pub(super) fn is_in(self, error: &ConnectionError) -> bool {
        matches!(error, ConnectionError::ApplicationClosed(close) if close.error_code == self.number())
    }
}

/// Closes a connection.
pub(super) fn close(connection: &Connection, code: Code) {
    connection.close(code.number(), b"");
}

/// A connection's running number, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Serial(pub(super) u64);

/// What happened on a connection.
#[derive(Debug)]
pub(super) struct LinkReport {
    /// To whom it leads.
    pub(super) peer: PeerId,
    /// Which.
    pub(super) link: Serial,
    /// What.
    pub(super) what: What,
}

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum What {
    /// The other side knows us and listens.
    Ready,
    /// It said something; a message holds the room it takes until it is answered.
    Frame(Frame, Option<OwnedSemaphorePermit>),
    /// A message was handed to QUIC.
    Written(AttemptId),
    /// The other side says no more on it, and said everything.
    Ended,
    /// It is no more.
    Closed(ConnectionError),
}

/// One connection, as the driver holds it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) serial: Serial,
    pub(super) connection: Connection,
    /// Which endpoint of ours it belongs to.
    pub(super) ours: EndpointId,
    /// Whether we are the one of the two who decides which of several connections stays.
    pub(super) we_decide: bool,
    /// Whether the other side listens.
    pub(super) ready: bool,
    /// Whether it has said everything.
    pub(super) ended: bool,
    /// `None` when there is a better connection.
    queue: Option<mpsc::Sender<Outgoing>>,
    activity: Arc<Notify>,
}

impl Link {
    /// Starts to write, to read and to feel the pulse.
    pub(super) fn start(
        (ours, connection): Accepted,
        (peer, serial): (PeerId, Serial),
        pulse: Pulse,
        room: Arc<Semaphore>,
        reports: &mpsc::Sender<LinkReport>,
    ) -> Self {
        let (queue, queued) = mpsc::channel(QUEUE_BOUND);
        let activity = Arc::new(Notify::new());
        let we_decide = ours < connection.remote_id();
        let ears = Ears {
            connection: connection.clone(),
            reporter: Reporter { peer, link: serial, reports: reports.clone() },
            activity: Arc::clone(&activity),
        };
        tokio::spawn(write(ears.clone(), queued));
        tokio::spawn(listen(ears.clone(), room));
        tokio::spawn(async move {
            let error = pulse::watch(&ears.connection, pulse, &ears.activity).await;
            ears.reporter.tell(What::Closed(error)).await;
        });
        Self { serial, connection, ours, we_decide, ready: false, ended: false, queue: Some(queue), activity }
    }

    /// Whether messages may be sent over it.
    pub(super) fn is_usable(&self) -> bool {
        self.ready && self.queue.is_some()
    }

    /// Whether it was replaced and the other side said all it had to say on it.
    pub(super) fn is_spent(&self) -> bool {
        self.ended && self.queue.is_none()
    }

    /// Queues a frame; false when the queue is full.
    pub(super) fn send(&self, frame: Outgoing) -> bool {
        self.feel();
        self.queue.as_ref().is_some_and(|queue| queue.try_send(frame).is_ok())
    }

    /// Makes sure that it lives: for a minute its pulse is felt.
    pub(super) fn feel(&self) {
        self.activity.notify_one();
    }

    /// What is notified when it is used.
    pub(super) fn activity(&self) -> Arc<Notify> {
        Arc::clone(&self.activity)
    }

    /// Which way it leads, and how fast.
    pub(super) fn status(&self, peer: PeerId) -> ConnectionStatus {
        let paths = self.connection.paths();
        let path = paths.iter().find(iroh::endpoint::Path::is_selected).or_else(|| paths.iter().next());
        let (kind, round_trip) = path
            .map_or((PathKind::Unknown, Duration::ZERO), |path| (kind_of(path.remote_addr()), path.rtt()));
        ConnectionStatus { peer, path: kind, round_trip }
    }

    /// Writes what is queued and no more: there is a better connection.
    pub(super) fn retire(&mut self) {
        self.queue = None;
    }

    /// Closes it when the other side does not in good time.
    pub(super) fn close_after_linger(&self) {
        let connection = self.connection.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = connection.closed() => {}
                () = tokio::time::sleep(LINGER) => close(&connection, Code::Redundant),
            }
        });
    }
}

/// What each task of a connection has.
#[derive(Clone)]
struct Ears {
    connection: Connection,
    reporter: Reporter,
    activity: Arc<Notify>,
}

#[derive(Clone)]
struct Reporter {
    peer: PeerId,
    link: Serial,
    reports: mpsc::Sender<LinkReport>,
}

impl Reporter {
    async fn tell(&self, what: What) {
        let report = LinkReport { peer: self.peer, link: self.link, what };
        // When nobody listens, the driver has stopped and closed the connection.
        self.reports.send(report).await.ok();
    }
}

/// Writes what is queued, as much at once as there is. A failure closes the connection, which the pulse sees.
async fn write(ears: Ears, mut queue: mpsc::Receiver<Outgoing>) {
    let Ok(mut stream) = ears.connection.open_uni().await else { return };
    let Ok(hello) = Frame::Hello.encode() else { return };
    if stream.write_chunk(hello).await.is_err() {
        return;
    }
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut chunks: Vec<Bytes> = batch.iter().map(|outgoing| outgoing.bytes.clone()).collect();
        if stream.write_all_chunks(&mut chunks).await.is_err() {
            return;
        }
        for attempt in batch.drain(..).filter_map(|outgoing| outgoing.attempt) {
            ears.reporter.tell(What::Written(attempt)).await;
        }
    }
    // Both fail only when the connection is gone.
    stream.finish().ok();
    stream.stopped().await.ok();
}

/// Why a reader stops.
enum Stop {
    Close(Code),
    Lost,
}

impl From<FrameError> for Stop {
    fn from(error: FrameError) -> Self {
        tracing::warn!(%error, "a contact speaks another language");
        Self::Close(Code::Protocol)
    }
}

/// Reads until the end, or until the connection is not worth it.
async fn listen(ears: Ears, room: Arc<Semaphore>) {
    match read(&ears, &room).await {
        Ok(()) => ears.reporter.tell(What::Ended).await,
        Err(Stop::Close(code)) => close(&ears.connection, code),
        Err(Stop::Lost) => {}
    }
}

async fn read(ears: &Ears, room: &Arc<Semaphore>) -> Result<(), Stop> {
    let mut frames = Frames::default();
    let hello = async {
        let mut stream = ears.connection.accept_uni().await.map_err(|_| Stop::Lost)?;
        let first = next(&mut stream, &mut frames).await?;
        Ok::<_, Stop>((stream, first))
    };
    let (mut stream, first) =
        tokio::time::timeout(HELLO_TIMEOUT, hello).await.map_err(|_| Stop::Close(Code::Protocol))??;
    if first != Some(Frame::Hello) {
        return Err(Stop::Close(Code::Protocol));
    }
    ears.reporter.tell(What::Ready).await;
    while let Some(frame) = next(&mut stream, &mut frames).await? {
        let room = room_for(&frame, room).await?;
        ears.activity.notify_one();
        ears.reporter.tell(What::Frame(frame, room)).await;
    }
    Ok(())
}

/// The next frame of a stream; `None` at its end.
async fn next(stream: &mut RecvStream, frames: &mut Frames) -> Result<Option<Frame>, Stop> {
    loop {
        if let Some(frame) = frames.next_frame()? {
            return Ok(Some(frame));
        }
        match stream.read_chunk(PIECE).await {
            Ok(Some(piece)) => frames.push(&piece),
            Ok(None) => return Ok(None),
            Err(_) => return Err(Stop::Lost),
        }
    }
}

/// Waits for room to hold a message until it is stored. While it waits nothing is read, and QUIC's flow
/// control stops the sender.
async fn room_for(frame: &Frame, room: &Arc<Semaphore>) -> Result<Option<OwnedSemaphorePermit>, Stop> {
    let len = match frame {
        Frame::Message { body, .. } => body.len(),
        Frame::Hello | Frame::Ack(_) | Frame::Declined(_) | Frame::Public(_) => return Ok(None),
    };
    let permits = u32::try_from(len.max(MIN_ROOM)).unwrap_or(u32::MAX);
    match tokio::time::timeout(ROOM_TIMEOUT, Arc::clone(room).acquire_many_owned(permits)).await {
        Ok(Ok(permit)) => Ok(Some(permit)),
        Ok(Err(_)) | Err(_) => Err(Stop::Close(Code::Full)),
    }
}

fn kind_of(address: &TransportAddr) -> PathKind {
    if let TransportAddr::Ip(address) = address {
        PathKind::Direct(*address)
    } else if let TransportAddr::Relay(url) = address {
        PathKind::Relayed(url.to_string())
    } else {
        PathKind::Unknown
    }
}
