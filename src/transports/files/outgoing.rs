//! The sender's end of a file's stream.

use std::future::Future;
use std::pin::Pin;

use iroh::endpoint::Connection;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::error::SendError;
use super::pipe::{Inlet, Outlet, Way};
use super::progress::Progress;
use super::source::{Reading, Source};
use super::{HASHING, READ_AHEAD, STALL, frames};
use crate::ids::TransferId;
use crate::wire::file::{Answer, End, FileHash, Offer, Reason, STREAM_KIND, Start, Verdict};

/// Carries a file to whom the connection leads, from where an earlier try of the same `id` was cut, and gives its
/// hash once the receiver has compared it and has the file on disk.
///
/// When the receiver finds another hash at the end, the whole file is sent once more.
pub async fn send(
    connection: &Connection,
    id: TransferId,
    source: &Source,
    progress: &watch::Sender<Progress>,
    cancelled: impl Future<Output = ()>,
) -> Result<FileHash, SendError> {
    send_over(&Way::Quic(connection), id, source, progress, cancelled).await
}

/// The same whichever way it goes.
pub async fn send_over(
    way: &Way<'_>,
    id: TransferId,
    source: &Source,
    progress: &watch::Sender<Progress>,
    cancelled: impl Future<Output = ()>,
) -> Result<FileHash, SendError> {
    tokio::pin!(cancelled);
    match try_once(way.open().await?, id, source, progress, cancelled.as_mut()).await {
        Err(SendError::Corrupt) => try_once(way.open().await?, id, source, progress, cancelled).await,
        result => result,
    }
}

async fn try_once(
    (send, recv): (Outlet, Inlet),
    id: TransferId,
    source: &Source,
    progress: &watch::Sender<Progress>,
    cancelled: Pin<&mut impl Future<Output = ()>>,
) -> Result<FileHash, SendError> {
    let mut outgoing = Outgoing { send, recv, source, progress };
    let result = tokio::select! {
        result = outgoing.run(id) => result,
        () = cancelled => Err(SendError::Cancelled),
    };
    if let Err(error) = &result {
        outgoing.send.reset(error.reason().map_or(0, Reason::code));
    }
    result
}

struct Outgoing<'a> {
    send: Outlet,
    recv: Inlet,
    source: &'a Source,
    progress: &'a watch::Sender<Progress>,
}

impl Outgoing<'_> {
    async fn run(&mut self, id: TransferId) -> Result<FileHash, SendError> {
        let reading = match self.offer(id).await? {
            Answer::Have { hash } => return Ok(hash),
            Answer::Declined(reason) => return Err(SendError::Declined(reason)),
            Answer::Resume { offset, hash } => {
                let source = self.source.clone();
                spawn_blocking(move || source.open_at(offset, hash))
                    .await
                    .map_err(|_| SendError::Reader)??
            }
        };
        let total = self.source.stamp().size;
        let resumed = reading.offset();
        self.progress.send_replace(Progress { total, resumed, done: resumed, synced: 0 });
        frames::write(&mut self.send, &Start { offset: resumed }.encode()).await?;

        let hash = self.blocks(reading).await?;
        frames::write(&mut self.send, &End { hash }.encode()).await?;
        // Megabytes may still be on their way, over a slow link for long; the verdict is due after them.
        self.send.drain().await?;
        self.verdict(hash).await
    }

    async fn offer(&mut self, id: TransferId) -> Result<Answer, SendError> {
        let stamp = self.source.stamp();
        let name = self.source.name().as_str().to_owned();
        let offer = Offer { id, size: stamp.size, modified: stamp.modified, name };
        frames::write_first(&mut self.send, STREAM_KIND, &offer.encode()?).await?;
        let thinking = self.recv.thinking();
        Ok(Answer::decode(&frames::read(&mut self.recv, thinking).await?)?)
    }

    /// Sends what is left of the file.
    async fn blocks(&mut self, reading: Reading) -> Result<FileHash, SendError> {
        let (sender, mut blocks) = mpsc::channel(READ_AHEAD);
        let reader = spawn_blocking(move || reading.run(&sender));
        while let Some(block) = blocks.recv().await {
            let length = block.len() as u64;
            timeout(STALL, self.send.write_block(block)).await.map_err(|_| SendError::Stalled)??;
            self.progress.send_modify(|progress| progress.done = progress.done.saturating_add(length));
        }
        reader.await.map_err(|_| SendError::Reader)??.ok_or(SendError::Reader)
    }

    async fn verdict(&mut self, hash: FileHash) -> Result<FileHash, SendError> {
        match Verdict::decode(&frames::read(&mut self.recv, HASHING).await?)? {
            Verdict::Done => Ok(hash),
            Verdict::Corrupt => Err(SendError::Corrupt),
            Verdict::Declined(reason) => Err(SendError::Declined(reason)),
        }
    }
}
