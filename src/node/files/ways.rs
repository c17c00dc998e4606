//! The transports that carry files: straight where a connection stands, else by the contact's mailbox.

use tokio::sync::{mpsc, watch};

use crate::ids::{PeerId, TransferId};
use crate::transports::betanet::BetanetHandle;
use crate::transports::direct::DirectHandle;
use crate::transports::files::{FileOffer, Progress, SendError, Source};
use crate::wire::file::FileHash;

/// The transports that carry files, as far as they are switched on.
#[derive(Debug, Clone, Default)]
pub(in crate::node) struct Ways {
    pub(in crate::node) direct: Option<DirectHandle>,
    pub(in crate::node) betanet: Option<BetanetHandle>,
}

impl Ways {
    /// Whether there is none.
    pub(in crate::node) const fn is_empty(&self) -> bool {
        self.direct.is_none() && self.betanet.is_none()
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

    /// Carries a file, from where an earlier try was cut, whichever way that one took.
    pub(super) async fn send_file(
        &self,
        peer: PeerId,
        id: TransferId,
        source: &Source,
        progress: &watch::Sender<Progress>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<FileHash, SendError> {
        tokio::pin!(cancelled);
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
}
