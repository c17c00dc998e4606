//! The receiver's end of a file's stream.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::block::Block;
use super::directory::{Directory, remove};
use super::error::ReceiveError;
use super::partial::Partial;
use super::pipe::{Inlet, Outlet};
use super::progress::Progress;
use super::span::Span;
use super::{HASHING, PULSE, READ_AHEAD, STALL, frames};
use crate::ids::PeerId;
use crate::wire::file::{Answer, End, FileHash, FileName, Offer, Reason, Start, Verdict};

/// A file that is offered; it is declined when this is dropped.
#[derive(Debug)]
pub struct Incoming {
    send: Outlet,
    recv: Inlet,
    offer: Offer,
}

/// A file that is whole, verified and on disk under its name, which its sender does not know yet.
#[derive(Debug)]
pub struct Placed {
    /// Where.
    pub path: PathBuf,
    /// Its hash.
    pub hash: FileHash,
    partial: PathBuf,
    send: Outlet,
}

impl Incoming {
    /// Reads the offer from a stream whose kind byte was read.
    pub async fn read(send: impl Into<Outlet>, recv: impl Into<Inlet>) -> Result<Self, ReceiveError> {
        let (send, mut recv) = (send.into(), recv.into());
        let frame = frames::read(&mut recv, STALL).await?;
        Ok(Self { send, recv, offer: Offer::decode(&frame)? })
    }

    /// What is offered.
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Says no.
    pub async fn decline(mut self, reason: Reason) -> Result<(), ReceiveError> {
        self.answer(Answer::Declined(reason)).await
    }

    /// Says that it is here already.
    pub async fn have(mut self, hash: FileHash) -> Result<(), ReceiveError> {
        self.answer(Answer::Have { hash }).await
    }

    /// Takes it: goes on with what is there of it, of which `synced` bytes can be trusted, compares the hash, and
    /// gives it its name.
    ///
    /// What came so far is kept when this fails, but for [`ReceiveError::Corrupt`].
    pub async fn receive(
        mut self,
        directory: &Directory,
        sender: PeerId,
        synced: u64,
        progress: &watch::Sender<Progress>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Placed, ReceiveError> {
        let result = tokio::select! {
            result = self.run(directory, sender, synced, progress) => result,
            () = cancelled => Err(ReceiveError::Cancelled),
        };
        match result {
            Ok((path, hash)) => {
                let partial = directory.partial(sender, self.offer.id);
                Ok(Placed { path, hash, partial, send: self.send })
            }
            Err(error) => {
                self.end(&error).await;
                Err(error)
            }
        }
    }

    async fn run(
        &mut self,
        directory: &Directory,
        sender: PeerId,
        synced: u64,
        progress: &watch::Sender<Progress>,
    ) -> Result<(PathBuf, FileHash), ReceiveError> {
        let partial = self.open(directory, sender, synced).await?;
        let answer = Answer::Resume { offset: partial.offset(), hash: partial.hash() };
        frames::write(&mut self.send, &answer.encode()).await.map_err(ReceiveError::Write)?;
        let partial = self.begin(partial).await?;

        let resumed = partial.offset();
        let total = self.offer.size;
        progress.send_replace(Progress { total, resumed, done: resumed, synced: resumed });
        let partial = self.blocks(partial, progress).await?;
        let end = End::decode(&frames::read(&mut self.recv, HASHING).await?)?;
        let hash = partial.hash();
        // Held until the file is placed: its lock goes with it.
        let directory = directory.clone();
        let path = directory.partial(sender, self.offer.id);
        let name = FileName::tame(&self.offer.name);
        blocking(move || {
            let _locked = partial;
            if hash != end.hash {
                remove(&path)?;
                return Err(ReceiveError::Corrupt);
            }
            Ok((directory.place(&path, &name)?, hash))
        })
        .await
    }

    async fn open(
        &self,
        directory: &Directory,
        sender: PeerId,
        synced: u64,
    ) -> Result<Partial, ReceiveError> {
        let directory = directory.clone();
        let Offer { id, size, .. } = self.offer;
        blocking(move || {
            let partial = Partial::open(&directory.partial(sender, id), synced)?;
            let partial = if partial.offset() > size { partial.begin_anew()? } else { partial };
            if !directory.has_room_for(size - partial.offset())? {
                return Err(ReceiveError::Declined(Reason::NoSpace));
            }
            Ok(partial)
        })
        .await
    }

    /// Where the sender begins.
    async fn begin(&mut self, partial: Partial) -> Result<Partial, ReceiveError> {
        let start = Start::decode(&frames::read(&mut self.recv, HASHING).await?)?;
        match start.offset {
            offset if offset == partial.offset() => Ok(partial),
            0 => blocking(move || partial.begin_anew()).await,
            got => Err(ReceiveError::Offset { asked: partial.offset(), got }),
        }
    }

    /// Receives what is left of the file. Whatever ends it, what came is on disk afterwards.
    async fn blocks(
        &mut self,
        partial: Partial,
        progress: &watch::Sender<Progress>,
    ) -> Result<Partial, ReceiveError> {
        let span = Span { offset: partial.offset(), end: self.offer.size };
        let (full, blocks) = mpsc::channel(READ_AHEAD);
        let (empty, emptied) = mpsc::channel(READ_AHEAD);
        let (sync, syncing) = partial.syncing(progress.clone())?;
        let syncing = spawn_blocking(move || syncing.run());
        let writing = progress.clone();
        let writer = spawn_blocking(move || partial.run(blocks, &empty, &sync, &writing));

        let read = self.fill(span, &full, emptied).await;
        drop(full);
        let partial = writer.await.map_err(|_| ReceiveError::Writer)??;
        syncing.await.map_err(|_| ReceiveError::Writer)??;
        read.map(|()| partial)
    }

    /// Reads this part of the file from the stream into blocks.
    async fn fill(
        &mut self,
        mut span: Span,
        full: &mpsc::Sender<Block>,
        mut emptied: mpsc::Receiver<Block>,
    ) -> Result<(), ReceiveError> {
        let mut silent = Duration::ZERO;
        while let Some(length) = span.block() {
            let mut block = emptied.try_recv().unwrap_or_else(|_| Block::new());
            let room = block.room().get_mut(..length).unwrap_or_default();
            let (filled, result) = self.fill_block(room).await;
            block.filled(filled);
            span.advance(filled);
            silent = if filled > 0 { Duration::ZERO } else { silent.saturating_add(PULSE) };
            // Nobody takes it when the disk failed, which the writer will say.
            let taken = full.send(block).await;
            result?;
            if taken.is_err() {
                return Ok(());
            }
            if silent >= STALL {
                return Err(ReceiveError::Stalled);
            }
        }
        Ok(())
    }

    /// How many bytes of a block came while it was worth waiting, and what happened then.
    async fn fill_block(&mut self, room: &mut [u8]) -> (usize, Result<(), ReceiveError>) {
        let mut filled = 0;
        let filling = async {
            while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                filled +=
                    self.recv.read(rest).await.map_err(ReceiveError::of_read)?.ok_or(ReceiveError::Ended)?;
            }
            Ok(())
        };
        let result = timeout(PULSE, filling).await.unwrap_or(Ok(()));
        (filled, result)
    }

    async fn answer(&mut self, answer: Answer) -> Result<(), ReceiveError> {
        frames::write(&mut self.send, &answer.encode()).await.map_err(ReceiveError::Write)?;
        // It was finished already when the connection is gone.
        self.send.finish().await.ok();
        Ok(())
    }

    /// Tells the sender why it ends here, if the stream is still there to do so.
    async fn end(&mut self, error: &ReceiveError) {
        let last = match error.reason() {
            Some(reason) => Verdict::Declined(reason).encode(),
            None if matches!(error, ReceiveError::Corrupt) => Verdict::Corrupt.encode(),
            None => return,
        };
        frames::write(&mut self.send, &last).await.ok();
        self.send.finish().await.ok();
        if let Some(reason) = error.reason() {
            self.recv.stop(reason.code());
        }
    }
}

impl Placed {
    /// Tells the sender that the file is received: it is on record here.
    pub async fn confirm(mut self) -> Result<(), ReceiveError> {
        let partial = self.partial;
        blocking(move || Ok(remove(&partial)?)).await?;
        frames::write(&mut self.send, &Verdict::Done.encode()).await.map_err(ReceiveError::Write)?;
        self.send.finish().await.ok();
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReceiveError> + Send + 'static,
) -> Result<T, ReceiveError> {
    spawn_blocking(work).await.map_err(|_| ReceiveError::Writer)?
}
