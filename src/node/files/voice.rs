//! What was heard live and its recording are one thing said: the recording takes the place of the other (spec 3.10).

use std::fs;
use std::path::Path;

use super::record::Shared;
use crate::storage::{StoreError, TransferKey, TransferStatus};
use crate::wire::file::FileHash;

/// The recording of a burst is stored: what was heard of it live goes, unless it is no longer what was stored then.
pub(super) async fn replace(shared: &Shared, live: TransferKey) -> Result<(), StoreError> {
    let Some(heard) = shared.store.with(move |database| database.transfer(live)).await? else {
        return Ok(());
    };
    let (TransferStatus::Done, Some(path), Some(hash)) = (heard.status, heard.path, heard.hash) else {
        return Ok(());
    };
    let number = heard.number;
    let removed = tokio::task::spawn_blocking(move || remove(&path, heard.size, hash)).await;
    if matches!(removed, Ok(true)) {
        shared.store.with(move |database| database.forget_transfer(live)).await?;
        tracing::info!(transfer = number, "the recording of a live voice took its place");
    }
    Ok(())
}

/// Removes a file that has these bytes; whether it is gone. Waits for the disk.
fn remove(path: &Path, size: u64, hash: FileHash) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return !path.exists() };
    let same = metadata.is_file()
        && metadata.len() == size
        && fs::read(path).is_ok_and(|content| FileHash(blake3::hash(&content).into()) == hash);
    same && fs::remove_file(path).is_ok()
}
