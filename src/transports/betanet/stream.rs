//! A stream of bytes made of letters, for two nodes that have nothing but each other's mailbox.
//!
//! The relay's word that a letter is on its disk is what the next one waits for, so letters lie in a mailbox in
//! their order, and none is lost. The reader says how far it is; a writer is never more than [`WINDOW`] ahead of it,
//! which is an eighth of what a mailbox holds.

use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::handle::Request;
use super::job::Left;
use crate::ids::PeerId;
use crate::wire::letter::{Letter, MAX_PIECE_LEN, StreamId};

/// How far a writer may be ahead of the reader, in bytes.
pub const WINDOW: u64 = 8 << 20;
/// After how many bytes a reader says how far it is.
const TELL_AFTER: u64 = 1 << 20;
/// How long after a letter that could not be left it is tried again; longer each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often it is tried before the stream is given up: some two minutes.
const TRIES: u32 = 30;

/// Why a stream ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The other side broke it off, for this reason in the numbers of `wire::file::Reason`, or for none.
    #[error("the other side broke it off with code {0}")]
    Off(u8),
    /// The transport stopped, or the mailbox takes nothing for too long.
    #[error("no mail is carried")]
    Gone,
}

/// What the driver tells a writer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    /// Bytes that the other side's reader took.
    pub(super) taken: u64,
    pub(super) broken: Option<Broken>,
}

/// What the driver hands a reader.
#[derive(Debug)]
pub(super) enum Part {
    Bytes(Bytes),
    End,
    Broken(u8),
}

/// The half that is written to. When both halves are dropped before their end the other side is told.
#[derive(Debug)]
pub struct Outlet {
    to: PeerId,
    stream: StreamId,
    requests: mpsc::Sender<Request>,
    flow: watch::Receiver<Flow>,
    buffer: Vec<u8>,
    number: u64,
    sent: u64,
    finished: bool,
}

/// The half that is read from.
#[derive(Debug)]
pub struct Inlet {
    from: PeerId,
    stream: StreamId,
    requests: mpsc::Sender<Request>,
    parts: mpsc::Receiver<Part>,
    current: Bytes,
    taken: u64,
    told: u64,
    ended: bool,
}

impl Outlet {
    pub(super) fn new(
        to: PeerId,
        stream: StreamId,
        requests: mpsc::Sender<Request>,
        flow: watch::Receiver<Flow>,
    ) -> Self {
        Self { to, stream, requests, flow, buffer: Vec::new(), number: 0, sent: 0, finished: false }
    }

    /// Writes bytes; they leave when they fill a letter, or at [`Self::flush`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= MAX_PIECE_LEN {
            self.leave_piece().await?;
        }
        Ok(())
    }

    /// Lets what was written leave.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        if self.buffer.is_empty() { Ok(()) } else { self.leave_piece().await }
    }

    /// Says that nothing more comes; once.
    pub async fn finish(&mut self) -> Result<(), Broken> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        self.flush().await?;
        self.leave(Letter::Finish { stream: self.stream, number: self.number }).await
    }

    /// Waits until the other side's reader has everything, but for the last bytes, of which it need not tell.
    pub async fn drained(&mut self) -> Result<(), Broken> {
        let sent = self.sent;
        self.wait_until(|taken| sent.saturating_sub(taken) < TELL_AFTER).await
    }

    /// Breaks the stream off, for a reason in the numbers of `wire::file::Reason`, or for none.
    pub fn reset(&mut self, code: u8) {
        say(&self.requests, self.to, Letter::Broken { stream: self.stream, code });
    }

    async fn leave_piece(&mut self) -> Result<(), Broken> {
        let len = self.buffer.len().min(MAX_PIECE_LEN);
        let next = self.sent.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        self.wait_until(|taken| next.saturating_sub(taken) <= WINDOW).await?;
        let piece = self.buffer.get(..len).map(Bytes::copy_from_slice).unwrap_or_default();
        self.leave(Letter::Piece { stream: self.stream, number: self.number, bytes: piece }).await?;
        self.buffer.drain(..len);
        self.number = self.number.saturating_add(1);
        self.sent = next;
        Ok(())
    }

    async fn wait_until(&mut self, is_far: impl Fn(u64) -> bool) -> Result<(), Broken> {
        let settled = self.flow.wait_for(|flow| flow.broken.is_some() || is_far(flow.taken)).await;
        match settled.map(|flow| flow.broken) {
            Ok(None) => Ok(()),
            Ok(Some(broken)) => Err(broken),
            Err(_) => Err(Broken::Gone),
        }
    }

    async fn leave(&self, letter: Letter) -> Result<(), Broken> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            let (done, answered) = oneshot::channel();
            let request = Request::Leave { peer: self.to, letter: letter.clone(), done };
            self.requests.send(request).await.map_err(|_| Broken::Gone)?;
            match answered.await {
                Ok(Left::There) => return Ok(()),
                // Full, or out of reach: another time.
                Ok(Left::Refused | Left::Broken) => {}
                Err(_) => return Err(Broken::Gone),
            }
            if let Some(broken) = self.flow.borrow().broken {
                return Err(broken);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(Broken::Gone)
    }
}

impl Inlet {
    pub(super) fn new(
        from: PeerId,
        stream: StreamId,
        requests: mpsc::Sender<Request>,
        parts: mpsc::Receiver<Part>,
    ) -> Self {
        let (current, taken, told, ended) = (Bytes::new(), 0, 0, false);
        Self { from, stream, requests, parts, current, taken, told, ended }
    }

    /// Reads what there is, waiting for some; `None` at the end.
    pub async fn read(&mut self, into: &mut [u8]) -> Result<Option<usize>, Broken> {
        while self.current.is_empty() && !self.ended {
            match self.parts.recv().await {
                Some(Part::Bytes(bytes)) => self.current = bytes,
                Some(Part::End) => {
                    self.ended = true;
                    self.tell();
                }
                Some(Part::Broken(code)) => return Err(Broken::Off(code)),
                None => return Err(Broken::Gone),
            }
        }
        if self.current.is_empty() {
            return Ok(None);
        }
        let len = self.current.len().min(into.len());
        self.current.copy_to_slice(into.get_mut(..len).unwrap_or_default());
        self.taken = self.taken.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        if self.taken.saturating_sub(self.told) >= TELL_AFTER {
            self.tell();
        }
        Ok(Some(len))
    }

    /// Wants no more of it.
    pub fn stop(&mut self, code: u8) {
        say(&self.requests, self.from, Letter::Broken { stream: self.stream, code });
    }

    fn tell(&mut self) {
        // What could not be told now is told with the next piece.
        if self.told < self.taken
            && say(&self.requests, self.from, Letter::Taken { stream: self.stream, bytes: self.taken })
        {
            self.told = self.taken;
        }
    }
}

/// Has a letter left, sooner or later; false when there is no room to ask for it.
fn say(requests: &mpsc::Sender<Request>, peer: PeerId, letter: Letter) -> bool {
    requests.try_send(Request::Say { peer, letter }).is_ok()
}
