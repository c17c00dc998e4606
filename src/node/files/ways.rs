//! The transports that carry files: straight where a connection stands, else by the contact's mailbox, else over the mesh
//! to whoever is in its reach.

use std::pin::Pin;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::ids::{PeerId, TransferId};
use crate::mesh::media::event::Received;
use crate::transports::betanet::BetanetHandle;
use crate::transports::bitchat::{Arrival, BitchatHandle};
use crate::transports::direct::DirectHandle;
use crate::transports::files::{FileOffer, Progress, SendError, Source};
use crate::wire::file::FileHash;
use crate::wire::{Card, ReceivedCard};

/// The transports that carry files, as far as they are switched on.
#[derive(Debug, Clone, Default)]
pub(in crate::node) struct Ways {
    pub(in crate::node) direct: Option<DirectHandle>,
    pub(in crate::node) betanet: Option<BetanetHandle>,
    pub(in crate::node) mesh: Option<BitchatHandle>,
}

/// What is known of a file that went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// The receiver has it, and this is its hash.
    Compared(FileHash),
    /// It went over the mesh, to everyone or to somebody who does not say that it came: most apps confirm few files.
    Unconfirmed,
}

impl Ways {
    /// Whether there is none.
    pub(in crate::node) const fn is_empty(&self) -> bool {
        self.direct.is_none() && self.betanet.is_none() && self.mesh.is_none()
    }

    /// Whether a contact with this card can be sent files other than over the mesh; one without a card cannot.
    pub(super) fn go_beyond_mesh(&self, card: &[u8]) -> bool {
        let Ok(received) = ReceivedCard::decode(&Bytes::copy_from_slice(card)) else { return false };
        let Card { direct, mailbox, .. } = received.card();
        self.direct.is_some() && direct.is_some() || self.betanet.is_some() && mailbox.is_some()
    }

    /// Has the files that contacts offer handed to `taker`.
    pub(super) async fn take_files(&self, taker: mpsc::Sender<FileOffer>) {
        if let Some(direct) = &self.direct {
            direct.take_files(taker.clone()).await;
        }
        if let Some(betanet) = &self.betanet {
            betanet.take_files(taker).await;
        }
    }

    /// Has the files that come over the mesh handed to `taker`.
    pub(super) async fn take_from_mesh(&self, taker: mpsc::Sender<Received>) {
        if let Some(mesh) = &self.mesh {
            mesh.take_files(taker).await;
        }
    }

    /// Carries a file, from where an earlier try was cut, whichever way that one took. One that is spoken takes the mesh.
    pub(super) async fn send_file(
        &self,
        peer: PeerId,
        id: TransferId,
        (source, spoken): (&Source, bool),
        progress: &watch::Sender<Progress>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Carried, SendError> {
        tokio::pin!(cancelled);
        if peer == PeerId::BROADCAST || spoken {
            let to = Some(peer).filter(|&peer| peer != PeerId::BROADCAST);
            return self.over_mesh(to, (source, spoken), progress, cancelled).await;
        }
        match self.by_stream(peer, id, source, progress, cancelled.as_mut()).await {
            Err(SendError::NotConnected) => {
                self.over_mesh(Some(peer), (source, false), progress, cancelled).await
            }
            sent => sent.map(Carried::Compared),
        }
    }

    /// The same by those ways only on which both ends talk about it.
    pub(super) async fn by_stream(
        &self,
        peer: PeerId,
        id: TransferId,
        source: &Source,
        progress: &watch::Sender<Progress>,
        mut cancelled: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<FileHash, SendError> {
        if let Some(direct) = &self.direct {
            match direct.send_file(peer, id, source, progress, cancelled.as_mut()).await {
                Err(SendError::NotConnected) => {}
                sent => return sent,
            }
        }
        match &self.betanet {
            Some(betanet) => betanet.send_file(peer, id, source, progress, cancelled).await,
            None => Err(SendError::NotConnected),
        }
    }

    async fn over_mesh(
        &self,
        to: Option<PeerId>,
        source: (&Source, bool),
        progress: &watch::Sender<Progress>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Carried, SendError> {
        let mesh = self.mesh.as_ref().ok_or(SendError::NotConnected)?;
        match mesh.send_file(to, source, progress, cancelled).await {
            Ok(Arrival::Confirmed(hash)) => Ok(Carried::Compared(hash)),
            Ok(Arrival::Unknown) => Ok(Carried::Unconfirmed),
            Err(SendError::TooLargeForMesh { size, .. }) => {
                let waits = to.is_some() && (self.direct.is_some() || self.betanet.is_some());
                Err(SendError::TooLargeForMesh { size, waits })
            }
            Err(error) => Err(error),
        }
    }
}
