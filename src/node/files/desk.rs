//! The task that takes what people ask about files, and what contacts offer.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_core::{OsRng, RngCore};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio::task::JoinSet;

use super::error::FileError;
use super::handle::{FilesHandle, Request};
use super::receiving::Receiving;
use super::record::Shared;
use super::sending::Sending;
use crate::clock::wall_clock;
use crate::ids::{PeerId, TransferId};
use crate::node::config::{FilePolicy, Files};
use crate::node::event::Event;
use crate::node::store::Store;
use crate::storage::{NewTransfer, StoreError, Transfer, TransferKey, TransferStatus, Way};
use crate::transports::direct::DirectHandle;
use crate::transports::direct::files::{Directory, FileOffer, Incoming, Source};
use crate::wire::file::{FileHash, FileName, Offer, Reason};

/// Requests and offers that may wait for the desk.
const BOUND: usize = 16;
/// Files that go to one contact at once: fewer than QUIC lets it have streams.
const MAX_SENDING: usize = 4;
/// Files that come at once.
const MAX_RECEIVING: usize = 8;
/// Offers that are held while a person thinks; a further one is told to come back.
const MAX_HELD: usize = 32;

/// What the desk is made of.
pub(in crate::node) struct Setup {
    pub(in crate::node) store: Store,
    pub(in crate::node) direct: DirectHandle,
    pub(in crate::node) settings: Files,
    pub(in crate::node) events: broadcast::WeakSender<Event>,
}

struct Desk {
    shared: Shared,
    settings: Files,
    requests: mpsc::Receiver<Request>,
    offers: mpsc::Receiver<FileOffer>,
    /// What is on its way, and how to stop it.
    active: BTreeMap<TransferKey, watch::Sender<bool>>,
    /// What a person has to say yes to.
    held: BTreeMap<TransferKey, Incoming>,
    turns: BTreeMap<PeerId, Arc<Semaphore>>,
    connected: watch::Sender<()>,
    /// Each ends with the transfer that it was for, if it was for one.
    tasks: JoinSet<Option<TransferKey>>,
}

/// What is made of an offer.
enum Judgement {
    Take(Transfer),
    Ask(Transfer),
    Have(FileHash),
    Decline(Reason),
}

/// Starts the desk, and goes on with what an earlier run left. It ends with the last handle, and with it every
/// transfer, whose contacts find that it goes on another time.
pub(in crate::node) async fn start(setup: Setup) -> Result<FilesHandle, FileError> {
    let Setup { store, direct, settings, events } = setup;
    let unfinished = store.with(|database| database.resume_transfers()).await?;
    let directory = open_directory(&settings, &unfinished).await?;
    let (requests, requested) = mpsc::channel(BOUND);
    let (offering, offers) = mpsc::channel(BOUND);
    direct.take_files(offering).await;
    let mut desk = Desk {
        shared: Shared { store: store.clone(), direct, directory, events },
        settings,
        requests: requested,
        offers,
        active: BTreeMap::new(),
        held: BTreeMap::new(),
        turns: BTreeMap::new(),
        connected: watch::channel(()).0,
        tasks: JoinSet::new(),
    };
    for transfer in unfinished.into_iter().filter(|transfer| transfer.key.way == Way::Out) {
        desk.send(transfer);
    }
    tokio::spawn(desk.run());
    Ok(FilesHandle { requests, store })
}

/// The directory, without the partial files of transfers that are over.
async fn open_directory(settings: &Files, unfinished: &[Transfer]) -> Result<Directory, FileError> {
    let keys = unfinished.iter().map(|transfer| transfer.key);
    let wanted: Vec<_> = keys.filter(|key| key.way == Way::In).map(|key| (key.peer, key.id)).collect();
    let path = settings.directory.clone();
    let open = move || {
        let directory = Directory::open(&path)?;
        directory.forget_all_but(&wanted)?;
        Ok(directory)
    };
    tokio::task::spawn_blocking(open).await.map_err(|_| crate::node::handle::Stopped)?
}

impl Desk {
    async fn run(mut self) {
        loop {
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(request) => self.request(request).await,
                    None => return,
                },
                Some(offer) = self.offers.recv() => self.offered(offer).await,
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(Some(key)) => {
                        self.active.remove(&key);
                    }
                    Ok(None) => {}
                    Err(error) => tracing::error!(%error, "a file's task failed"),
                },
            }
        }
    }

    async fn request(&mut self, request: Request) {
        // Whoever asked may have gone meanwhile, and that is no error: hence the `ok()`s.
        match request {
            Request::Send { peer, source, answer } => {
                answer.send(self.take_on(peer, &source).await).ok();
            }
            Request::Accept { number, answer } => {
                answer.send(self.accept(number).await).ok();
            }
            Request::Cancel { number, answer } => {
                answer.send(self.cancel(number).await).ok();
            }
            Request::Connected => {
                self.connected.send_replace(());
            }
        }
    }

    async fn take_on(&mut self, peer: PeerId, source: &Source) -> Result<Transfer, FileError> {
        let mut id = TransferId([0; 16]);
        OsRng.try_fill_bytes(&mut id.0).map_err(FileError::Random)?;
        let new = NewTransfer {
            key: TransferKey { way: Way::Out, peer, id },
            name: source.name().as_str().to_owned(),
            path: Some(source.path().to_owned()),
            size: source.stamp().size,
            modified: source.stamp().modified,
            status: TransferStatus::Waiting,
        };
        let transfer = self.begin(new).await?.ok_or(FileError::TooMany)?;
        self.send(transfer.clone());
        Ok(transfer)
    }

    async fn begin(&self, new: NewTransfer) -> Result<Option<Transfer>, StoreError> {
        let begun =
            self.shared.store.with(move |database| database.begin_transfer(&new, wall_clock())).await?;
        if let Some(transfer) = &begun {
            self.shared.tell(transfer.clone());
        }
        Ok(begun)
    }

    fn send(&mut self, transfer: Transfer) {
        let key = transfer.key;
        let turns = self.turns.entry(key.peer).or_insert_with(|| Arc::new(Semaphore::new(MAX_SENDING)));
        let (cancel, cancelled) = watch::channel(false);
        let (turns, connected) = (Arc::clone(turns), self.connected.subscribe());
        let sending = Sending { transfer, turns, connected, cancelled };
        self.active.insert(key, cancel);
        let shared = self.shared.clone();
        self.tasks.spawn(async move {
            sending.run(shared).await;
            Some(key)
        });
    }

    fn receive(&mut self, transfer: Transfer, incoming: Incoming) {
        let key = transfer.key;
        let (cancel, cancelled) = watch::channel(false);
        self.active.insert(key, cancel);
        let (shared, receiving) = (self.shared.clone(), Receiving { transfer, incoming, cancelled });
        self.tasks.spawn(async move {
            receiving.run(shared).await;
            Some(key)
        });
    }

    async fn offered(&mut self, FileOffer { peer, incoming }: FileOffer) {
        let key = TransferKey { way: Way::In, peer, id: incoming.offer().id };
        let judged = self.judge(key, incoming.offer()).await;
        match judged {
            Ok(Judgement::Take(transfer)) => self.receive(transfer, incoming),
            Ok(Judgement::Ask(transfer)) => {
                tracing::info!(transfer = transfer.number, %peer, name = %transfer.name, "a file is offered");
                self.held.insert(key, incoming);
            }
            Ok(Judgement::Have(hash)) => self.answer(async move { incoming.have(hash).await }),
            Ok(Judgement::Decline(reason)) => self.answer(async move { incoming.decline(reason).await }),
            Err(error) => {
                tracing::error!(%error, "an offered file cannot be stored");
                self.answer(async move { incoming.decline(Reason::Disk).await });
            }
        }
    }

    /// Says something to a sender, who may be slow to listen.
    fn answer<E: std::fmt::Display>(&mut self, answer: impl Future<Output = Result<(), E>> + Send + 'static) {
        self.tasks.spawn(async move {
            if let Err(error) = answer.await {
                tracing::debug!(%error, "a sender did not wait for the answer");
            }
            None
        });
    }

    async fn judge(&self, key: TransferKey, offer: &Offer) -> Result<Judgement, StoreError> {
        let receiving = self.active.keys().filter(|key| key.way == Way::In).count();
        if self.active.contains_key(&key) || receiving >= MAX_RECEIVING {
            return Ok(Judgement::Decline(Reason::Busy));
        }
        if let Some(known) = self.shared.store.with(move |database| database.transfer(key)).await? {
            return Ok(self.judge_known(known, offer));
        }
        let status = match self.settings.accept {
            FilePolicy::Never => return Ok(Judgement::Decline(Reason::NotAccepted)),
            _ if offer.size > self.settings.max_size => return Ok(Judgement::Decline(Reason::TooLarge)),
            FilePolicy::Ask if self.held.len() >= MAX_HELD => return Ok(Judgement::Decline(Reason::Busy)),
            FilePolicy::Ask => TransferStatus::Offered,
            FilePolicy::Contacts => TransferStatus::Waiting,
        };
        let name = FileName::tame(&offer.name).as_str().to_owned();
        let new = NewTransfer { key, name, path: None, size: offer.size, modified: offer.modified, status };
        Ok(match self.begin(new).await? {
            Some(transfer) => self.judge_known(transfer, offer),
            None => Judgement::Decline(Reason::Busy),
        })
    }

    fn judge_known(&self, known: Transfer, offer: &Offer) -> Judgement {
        if (known.size, known.modified) != (offer.size, offer.modified) {
            return Judgement::Decline(Reason::Changed);
        }
        match known.status {
            TransferStatus::Waiting | TransferStatus::Running => Judgement::Take(known),
            TransferStatus::Offered if self.held.len() < MAX_HELD || self.held.contains_key(&known.key) => {
                Judgement::Ask(known)
            }
            TransferStatus::Offered => Judgement::Decline(Reason::Busy),
            TransferStatus::Done => known.hash.map_or(Judgement::Decline(Reason::Protocol), Judgement::Have),
            TransferStatus::Declined => Judgement::Decline(Reason::NotAccepted),
            TransferStatus::Cancelled => Judgement::Decline(Reason::Cancelled),
            TransferStatus::Failed => Judgement::Decline(Reason::Protocol),
        }
    }

    async fn accept(&mut self, number: u64) -> Result<Transfer, FileError> {
        let Transfer { key, status, .. } = self.find(number).await?;
        if status != TransferStatus::Offered {
            return Err(FileError::NotOffered { number, status });
        }
        let accepted = self.shared.set_status(key, TransferStatus::Waiting, None).await?;
        let transfer = accepted.ok_or(FileError::Unknown(number))?;
        // Where its stream is gone, the sender offers it again.
        if let Some(incoming) = self.held.remove(&key) {
            self.receive(transfer.clone(), incoming);
        }
        Ok(transfer)
    }

    async fn cancel(&mut self, number: u64) -> Result<Transfer, FileError> {
        let Transfer { key, status, .. } = self.find(number).await?;
        if status.is_finished() {
            return Err(FileError::Finished { number, status });
        }
        let offered = status == TransferStatus::Offered;
        let status = if offered { TransferStatus::Declined } else { TransferStatus::Cancelled };
        let changed = self.shared.set_status(key, status, None).await?;
        let transfer = changed.ok_or(FileError::Unknown(number))?;
        if let Some(active) = self.active.get(&key) {
            active.send_replace(true);
        } else if key.way == Way::In {
            let directory = self.shared.directory.clone();
            let forget = move || directory.forget(key.peer, key.id);
            tokio::task::spawn_blocking(forget).await.map_err(|_| crate::node::handle::Stopped)??;
        }
        if let Some(incoming) = self.held.remove(&key) {
            self.answer(async move { incoming.decline(Reason::NotAccepted).await });
        }
        Ok(transfer)
    }

    async fn find(&self, number: u64) -> Result<Transfer, FileError> {
        let found = self.shared.store.with(move |database| database.transfer_numbered(number)).await?;
        found.ok_or(FileError::Unknown(number))
    }
}
