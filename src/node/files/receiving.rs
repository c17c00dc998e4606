//! One file on its way in, over one stream; after a cut the sender offers it again.

use tokio::sync::watch;
use tokio::time::{Duration, interval};

use super::record::{Cancelled, Shared, until_cancelled};
use crate::storage::{StoreError, Transfer, TransferStatus};
use crate::transports::files::{Incoming, Placed, Progress, ReceiveError};
use crate::wire::file::Reason;

/// How often people see how far it is.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What a transfer's task needs beside what all of them share.
pub(super) struct Receiving {
    pub(super) transfer: Transfer,
    pub(super) incoming: Incoming,
    pub(super) cancelled: Cancelled,
}

impl Receiving {
    /// Receives what is left of the file.
    pub(super) async fn run(self, shared: Shared) {
        let number = self.transfer.number;
        if let Err(error) = self.receive(&shared).await {
            tracing::error!(transfer = number, %error, "what became of a file cannot be stored");
        }
    }

    async fn receive(self, shared: &Shared) -> Result<(), StoreError> {
        let Self { transfer, incoming, cancelled } = self;
        let key = transfer.key;
        shared.set_status(key, TransferStatus::Running, None).await?;
        match carry(shared, &transfer, incoming, cancelled).await {
            Ok(placed) => {
                // The sender learns it when it is written down here, and not before.
                shared.complete(key, placed.hash, Some(placed.path.clone())).await?;
                tracing::info!(transfer = transfer.number, path = %placed.path.display(), "a file is received");
                if let Err(error) = placed.confirm().await {
                    tracing::debug!(%error, "the sender will ask again");
                }
            }
            Err(error) => {
                let status = outcome(&error);
                shared.set_status(key, status, Some(error.to_string())).await?;
                if status.is_finished() {
                    let (directory, number) = (shared.directory.clone(), transfer.number);
                    tokio::task::spawn_blocking(move || {
                        if let Err(error) = directory.forget(key.peer, key.id) {
                            tracing::warn!(transfer = number, %error, "a partial file stays");
                        }
                    });
                }
            }
        }
        Ok(())
    }
}

/// Receives, and writes down how much of it is on disk.
async fn carry(
    shared: &Shared,
    transfer: &Transfer,
    incoming: Incoming,
    cancelled: Cancelled,
) -> Result<Placed, ReceiveError> {
    let key = transfer.key;
    let (progress, mut seen) = watch::channel(Progress { synced: transfer.done, ..Progress::default() });
    let cancelled = until_cancelled(cancelled);
    let receiving = incoming.receive(&shared.directory, key.peer, transfer.done, &progress, cancelled);
    tokio::pin!(receiving);
    let mut ticks = interval(TELL_EVERY);
    let mut synced = transfer.done;
    loop {
        let result = tokio::select! {
            result = &mut receiving => Some(result),
            _ = ticks.tick() => None,
        };
        let now = *seen.borrow();
        if now.synced != synced {
            synced = now.synced;
            if let Err(error) = shared.set_done(key, synced).await {
                // At worst these bytes are carried again.
                tracing::warn!(transfer = transfer.number, %error, "how far a file is cannot be stored");
            }
        }
        if let Some(result) = result {
            return result;
        }
        if seen.has_changed().unwrap_or(false) {
            shared.tell_progress(transfer, *seen.borrow_and_update());
        }
    }
}

/// What a stream that ended makes of the transfer.
fn outcome(error: &ReceiveError) -> TransferStatus {
    if error.is_passing() {
        TransferStatus::Waiting
    } else if matches!(error, ReceiveError::Cancelled | ReceiveError::Stopped(Reason::Cancelled)) {
        TransferStatus::Cancelled
    } else if matches!(error, ReceiveError::Declined(_)) {
        TransferStatus::Declined
    } else {
        TransferStatus::Failed
    }
}
