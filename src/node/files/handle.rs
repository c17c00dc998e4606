//! What the rest of the program asks of the desk.

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::error::FileError;
use crate::ids::PeerId;
use crate::node::handle::Stopped;
use crate::node::store::Store;
use crate::storage::Transfer;
use crate::transports::bitchat::BitchatHandle;
use crate::transports::files::Source;

pub(super) type Answer = oneshot::Sender<Result<Transfer, FileError>>;

/// What the desk is asked.
#[derive(Debug)]
pub(super) enum Request {
    /// A file for somebody with this card, which is empty where there is none.
    Send {
        peer: PeerId,
        card: Vec<u8>,
        source: Source,
        spoken: bool,
        answer: Answer,
    },
    Accept {
        number: u64,
        answer: Answer,
    },
    Cancel {
        number: u64,
        answer: Answer,
    },
    Connected,
}

/// The files of a running node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FilesHandle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) store: Store,
    pub(super) mesh: Option<BitchatHandle>,
}

impl FilesHandle {
    /// Takes on a file for a contact, for somebody whom the mesh reaches, or for everyone there
    /// ([`PeerId::BROADCAST`]): it is on record when this returns, and is carried as soon as can be.
    pub async fn send(&self, peer: PeerId, path: PathBuf) -> Result<Transfer, FileError> {
        self.hand_over(peer, path, false).await
    }

    /// The same for a recording that is spoken live before it is sent, to whomever the mesh reaches.
    pub async fn speak(&self, peer: PeerId, path: PathBuf) -> Result<Transfer, FileError> {
        if !self.mesh_carries(peer).await {
            return Err(FileError::OutOfHearing);
        }
        self.hand_over(peer, path, true).await
    }

    async fn hand_over(&self, peer: PeerId, path: PathBuf, spoken: bool) -> Result<Transfer, FileError> {
        let known = self.store.with(move |database| database.contact_of(peer)).await?;
        match &known {
            Some(contact) if contact.blocked => {
                return Err(FileError::Blocked { name: contact.name.clone() });
            }
            None if !self.mesh_carries(peer).await => return Err(FileError::NotAContact(peer)),
            Some(_) | None => {}
        }
        let source = spawn_blocking(move || Source::look(&path)).await.map_err(|_| Stopped)??;
        let card = known.map(|contact| contact.card).unwrap_or_default();
        self.ask(|answer| Request::Send { peer, card, source, spoken, answer }).await
    }

    /// Whether the mesh is there for somebody who is no contact.
    async fn mesh_carries(&self, peer: PeerId) -> bool {
        match &self.mesh {
            None => false,
            Some(_) if peer == PeerId::BROADCAST => true,
            Some(mesh) => mesh.reaches(peer).await,
        }
    }

    /// Says yes to a file that is offered.
    pub async fn accept(&self, number: u64) -> Result<Transfer, FileError> {
        self.ask(|answer| Request::Accept { number, answer }).await
    }

    /// Gives up a file that is on its way, in whichever direction, or declines one that is offered.
    pub async fn cancel(&self, number: u64) -> Result<Transfer, FileError> {
        self.ask(|answer| Request::Cancel { number, answer }).await
    }

    /// A transfer.
    pub async fn find(&self, number: u64) -> Result<Transfer, FileError> {
        let found = self.store.with(move |database| database.transfer_numbered(number)).await?;
        found.ok_or(FileError::Unknown(number))
    }

    /// The newest so many transfers, newest first.
    pub async fn list(&self, limit: usize) -> Result<Vec<Transfer>, FileError> {
        Ok(self.store.with(move |database| database.transfers(limit)).await?)
    }

    /// A contact is connected: what waits is tried at once.
    pub(in crate::node) fn connected(&self) {
        // When there is no room the desk has enough to do, and what waits is tried within seconds anyway.
        self.requests.try_send(Request::Connected).ok();
    }

    async fn ask(&self, request: impl FnOnce(Answer) -> Request) -> Result<Transfer, FileError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)?
    }
}
