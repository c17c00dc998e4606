//! One file on its way out: tried until the receiver has it, or does not want it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::{interval, sleep, timeout};

use super::pauses::Pauses;
use super::record::{Cancelled, Shared, until_cancelled};
use super::ways::Carried;
use crate::ids::PeerId;
use crate::mesh::media::event::Failure;
use crate::node::store::Store;
use crate::storage::{StoreError, Transfer, TransferStatus};
use crate::transports::files::{Progress, SendError, Source, Stamp};
use crate::wire::file::Reason;

/// How long a receiver who was cut off is looked for, to be told that a file was cancelled.
const WITHDRAWING: Duration = Duration::from_secs(600);
/// How soon it is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// What fits into the 256 fragments that the Android app takes of one packet (spec 3.8).
const ANDROID_TAKES: u64 = 116_000;
/// How often people see how far it is.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What a transfer's task needs beside what all of them share.
pub(super) struct Sending {
    pub(super) transfer: Transfer,
    /// Whether it is spoken live before.
    pub(super) spoken: bool,
    /// So many files go to one contact at once.
    pub(super) turns: Arc<Semaphore>,
    /// Changes when a contact connects.
    pub(super) connected: watch::Receiver<()>,
    pub(super) cancelled: Cancelled,
    /// Whether the receiver may have heard of it since this process began.
    pub(super) offered: bool,
}

impl Sending {
    /// Tries until it is done.
    pub(super) async fn run(mut self, shared: Shared) {
        if let Err(error) = self.try_until_done(&shared).await {
            tracing::error!(transfer = self.transfer.number, %error, "what became of a file cannot be stored");
        }
        if self.offered && *self.cancelled.borrow() {
            timeout(WITHDRAWING, self.withdraw(&shared)).await.ok();
        }
    }

    async fn try_until_done(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let mut pauses = Pauses::new();
        let mut told = None;
        loop {
            let error = match self.try_once(shared).await {
                Ok(Carried::Unconfirmed) if runs_hopline(&shared.store, self.transfer.key.peer).await? => {
                    SendError::Mesh(Failure::Unanswered)
                }
                Ok(carried) => return self.is_done(shared, carried).await,
                Err(error) => error,
            };
            let Some(pause) = pauses.after(&error) else {
                let said = unanswered(self.transfer.size).to_owned();
                shared.set_status(self.transfer.key, TransferStatus::Failed, Some(said)).await?;
                return Ok(());
            };
            if self.has_failed(shared, &error, &mut told).await? {
                return Ok(());
            }
            tokio::select! {
                () = sleep(pause) => {}
                Ok(()) = self.connected.changed() => pauses.end(),
                // The desk has written it down.
                () = until_cancelled(self.cancelled.clone()) => return Ok(()),
            }
        }
    }

    /// The receiver has it, as far as can be known.
    async fn is_done(&self, shared: &Shared, carried: Carried) -> Result<(), StoreError> {
        let (key, size) = (self.transfer.key, self.transfer.size);
        match carried {
            Carried::Compared(hash) => shared.complete(key, hash, None).await?,
            Carried::Unconfirmed => {
                shared.set_done(key, size).await?;
                let said = unconfirmed(key.peer, size).to_owned();
                shared.set_status(key, TransferStatus::Done, Some(said)).await?
            }
        };
        Ok(())
    }

    /// Writes down how a try failed, unless that is what is `told` already; true when there is no other.
    async fn has_failed(
        &mut self,
        shared: &Shared,
        error: &SendError,
        told: &mut Option<(TransferStatus, String)>,
    ) -> Result<bool, StoreError> {
        let (status, said) = (outcome(error), error.to_string());
        let now = (status, said.clone());
        if told.as_ref() != Some(&now) {
            shared.set_status(self.transfer.key, status, Some(said)).await?;
        }
        let began = !matches!(error, SendError::NotConnected);
        // Nobody wants to hear it twice.
        self.spoken &= !began;
        // A try that began wrote other things down.
        *told = (!began).then_some(now);
        Ok(status.is_finished())
    }

    /// Tells the receiver that nothing more comes: the stream may have been cut before it could hear that there.
    async fn withdraw(&self, shared: &Shared) {
        let (source, key) = (self.source(), self.transfer.key);
        loop {
            let (progress, mut answered) = watch::channel(Progress::default());
            let resumed = async move { drop(answered.changed().await) };
            tokio::pin!(resumed);
            let told = shared.ways.by_stream(key.peer, key.id, &source, &progress, resumed).await;
            if !matches!(told, Err(error) if error.is_passing()) {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn source(&self) -> Source {
        let stamp = Stamp { size: self.transfer.size, modified: self.transfer.modified };
        Source::known(self.transfer.path.clone().unwrap_or_default(), stamp)
    }

    async fn try_once(&mut self, shared: &Shared) -> Result<Carried, SendError> {
        let _turn = tokio::select! {
            turn = self.turns.acquire() => turn,
            () = until_cancelled(self.cancelled.clone()) => return Err(SendError::Cancelled),
        };
        let (progress, mut seen) = watch::channel(Progress::default());
        let source = self.source();
        let (peer, id) = (self.transfer.key.peer, self.transfer.key.id);
        let cancelled = until_cancelled(self.cancelled.clone());
        let sending = shared.ways.send_file(peer, id, (&source, self.spoken), &progress, cancelled);
        tokio::pin!(sending);
        let mut ticks = interval(TELL_EVERY);
        let mut running = false;
        loop {
            tokio::select! {
                result = &mut sending => {
                    self.offered |= !matches!(result, Err(SendError::NotConnected));
                    return result;
                }
                _ = ticks.tick() => {}
            }
            if !seen.has_changed().unwrap_or(false) {
                continue;
            }
            let now = *seen.borrow_and_update();
            if !std::mem::replace(&mut running, true)
                && let Err(error) = self.write_down(shared, now.resumed).await
            {
                tracing::warn!(transfer = self.transfer.number, %error, "how far a file is cannot be stored");
            }
            shared.tell_progress(&self.transfer, now);
        }
    }

    /// It is on its way, from where the receiver has it.
    async fn write_down(&self, shared: &Shared, resumed: u64) -> Result<(), StoreError> {
        shared.set_done(self.transfer.key, resumed).await?;
        shared.set_status(self.transfer.key, TransferStatus::Running, None).await?;
        Ok(())
    }
}

/// Whether this program runs at the receiver's, which confirms every file: it made the contact's card.
async fn runs_hopline(store: &Store, peer: PeerId) -> Result<bool, StoreError> {
    let contact = store.with(move |database| database.contact_of(peer)).await?;
    Ok(contact.is_some_and(|contact| !contact.card.is_empty()))
}

/// What is said of a file that nobody confirmed.
fn unconfirmed(peer: PeerId, size: u64) -> &'static str {
    match (peer == PeerId::BROADCAST, size > ANDROID_TAKES) {
        (true, false) => "sent to everyone in reach",
        (true, true) => "sent to everyone in reach; phones with Android take files of up to 116 kB",
        (false, false) => {
            "sent over the mesh, and not confirmed; the phone apps confirm only photos and recordings they made"
        }
        (false, true) => {
            "sent over the mesh, and not confirmed; phones with Android take files of up to 116 kB"
        }
    }
}

/// What is said of a file that its receiver should have confirmed and never did.
const fn unanswered(size: u64) -> &'static str {
    if size > ANDROID_TAKES {
        "it went over the mesh six times, and was never confirmed; phones with Android take up to 116 kB"
    } else {
        "it went over the mesh six times, and was never confirmed"
    }
}

/// What a try that failed makes of the transfer.
fn outcome(error: &SendError) -> TransferStatus {
    if error.is_passing() {
        TransferStatus::Waiting
    } else if matches!(error, SendError::Declined(Reason::Cancelled) | SendError::Cancelled) {
        TransferStatus::Cancelled
    } else if matches!(error, SendError::Declined(_)) {
        TransferStatus::Declined
    } else {
        TransferStatus::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Identity;
    use crate::storage::{Database, DeviceKey, Limits, StoredContact};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[tokio::test]
    async fn whoever_made_a_card_runs_this_program_and_a_phone_need_not_confirm() {
        let key = DeviceKey::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        let store = Store::new(Database::in_memory(&key, Limits::default()).unwrap());
        let [ben, phone, stranger] = [2, 3, 4].map(|seed| Identity::from_bytes(&[seed; 64]));
        for (who, card) in [(&ben, vec![1; 40]), (&phone, Vec::new())] {
            let contact = StoredContact {
                fingerprint: who.fingerprint(),
                noise_public: who.noise_public(),
                signing_public: who.signing_public(),
                name: "somebody".to_owned(),
                serial: 1,
                card,
                added: true,
                verified: false,
                favourite: false,
                blocked: false,
                told: 0,
            };
            store.with(move |database| database.put_contact(&contact)).await.unwrap();
        }
        for (who, owed) in [(ben, true), (phone, false), (stranger, false)] {
            assert_eq!(runs_hopline(&store, who.peer_id()).await.unwrap(), owed);
        }
    }
}
