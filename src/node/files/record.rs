//! What is known of a transfer: on disk first, then told to whoever listens.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use crate::clock::wall_clock;
use crate::node::event::Event;
use crate::node::store::Store;
use crate::storage::{StoreError, Transfer, TransferKey, TransferStatus};
use crate::transports::files::{Directory, Progress};
use crate::wire::file::FileHash;

use super::ways::Ways;

/// What each transfer's task has.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) ways: Ways,
    pub(super) directory: Directory,
    pub(super) events: broadcast::WeakSender<Event>,
}

/// Becomes true when a person cancels.
pub(super) type Cancelled = watch::Receiver<bool>;

impl Shared {
    /// Writes down how far a transfer came, and tells it. What is finished stays as it is.
    pub(super) async fn set_status(
        &self,
        key: TransferKey,
        status: TransferStatus,
        reason: Option<String>,
    ) -> Result<Option<Transfer>, StoreError> {
        let set = move |database: &mut crate::storage::Database| {
            database.set_transfer_status(key, status, reason.as_deref(), wall_clock())
        };
        self.tell_changed(self.store.with(set).await?)
    }

    /// Writes down that a file is received, here or there.
    pub(super) async fn complete(
        &self,
        key: TransferKey,
        hash: FileHash,
        path: Option<std::path::PathBuf>,
    ) -> Result<Option<Transfer>, StoreError> {
        let complete = move |database: &mut crate::storage::Database| {
            database.complete_transfer(key, hash, path.as_deref(), wall_clock())
        };
        self.tell_changed(self.store.with(complete).await?)
    }

    /// Writes down how many bytes need not be carried again.
    pub(super) async fn set_done(&self, key: TransferKey, done: u64) -> Result<(), StoreError> {
        self.store.with(move |database| database.set_transfer_done(key, done)).await
    }

    /// Tells how far the bytes are, which is not worth a visit to the disk each time.
    pub(super) fn tell_progress(&self, transfer: &Transfer, progress: Progress) {
        let status = TransferStatus::Running;
        self.tell(Transfer { done: progress.done, status, reason: None, ..transfer.clone() });
    }

    pub(super) fn tell(&self, transfer: Transfer) {
        if let Some(events) = self.events.upgrade() {
            // Nobody may be listening, and that is no error.
            events.send(Event::File(Arc::new(transfer))).ok();
        }
    }

    fn tell_changed(&self, changed: Option<Transfer>) -> Result<Option<Transfer>, StoreError> {
        if let Some(transfer) = &changed {
            self.tell(transfer.clone());
        }
        Ok(changed)
    }
}

/// Waits until a person cancels; for ever when nobody can any more.
pub(super) async fn until_cancelled(mut cancelled: Cancelled) {
    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending().await
    }
}
