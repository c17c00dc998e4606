//! The task that takes what people ask about files, and what contacts offer.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_core::{OsRng, RngCore};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio::task::JoinSet;

use super::arriving;
use super::error::FileError;
use super::handle::{FilesHandle, Request};
use super::receiving::Receiving;
use super::record::Shared;
use super::sending::Sending;
use super::ways::Ways;
use crate::clock::wall_clock;
use crate::ids::{PeerId, TransferId};
use crate::mesh::media::event::Received;
use crate::node::config::sections::{FilePolicy, Files};
use crate::node::event::Event;
use crate::node::store::Store;
use crate::storage::{NewTransfer, StoreError, Transfer, TransferKey, TransferStatus, Way};
use crate::transports::files::{Directory, FileOffer, Incoming, Source};
use crate::wire::MAX_MEDIA_LEN;
use crate::wire::file::{FileHash, FileName, Offer, Reason};

/// Requests and offers that may wait for the desk.
const BOUND: usize = 16;
/// Files of the mesh that wait for the disk, of a megabyte each.
const MAX_ARRIVED: usize = 8;
/// Files that go to one contact at once: fewer than QUIC lets it have streams.
const MAX_SENDING: usize = 4;
/// Files that come at once.
const MAX_RECEIVING: usize = 8;
/// Offers that are held while a person thinks; a further one is told to come back.
const MAX_HELD: usize = 32;

/// What the desk is made of.
pub(in crate::node) struct Setup {
    pub(in crate::node) store: Store,
    pub(in crate::node) ways: Ways,
    pub(in crate::node) settings: Files,
    pub(in crate::node) events: broadcast::WeakSender<Event>,
}

struct Desk {
    shared: Shared,
    settings: Files,
    requests: mpsc::Receiver<Request>,
    offers: mpsc::Receiver<FileOffer>,
    /// What came over the mesh.
    arrived: mpsc::Receiver<Received>,
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
    let Setup { store, ways, settings, events } = setup;
    let unfinished = store.with(|database| database.resume_transfers()).await?;
    let directory = open_directory(&settings, &unfinished).await?;
    let (requests, requested) = mpsc::channel(BOUND);
    let (offering, offers) = mpsc::channel(BOUND);
    ways.take_files(offering).await;
    let (arriving, arrived) = mpsc::channel(MAX_ARRIVED);
    ways.take_from_mesh(arriving).await;
    let mesh = ways.mesh.clone();
    let mut desk = Desk {
        shared: Shared { store: store.clone(), ways, directory, events },
        settings,
        requests: requested,
        offers,
        arrived,
        active: BTreeMap::new(),
        held: BTreeMap::new(),
        turns: BTreeMap::new(),
        connected: watch::channel(()).0,
        tasks: JoinSet::new(),
    };
    for transfer in unfinished.into_iter().filter(|transfer| transfer.key.way == Way::Out) {
        desk.send(transfer, false);
    }
    tokio::spawn(desk.run());
    Ok(FilesHandle { requests, store, mesh })
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
                Some(received) = self.arrived.recv() => self.arrived(received).await,
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
            Request::Send { peer, card, source, spoken, answer } => {
                answer.send(self.take_on(peer, &card, (&source, spoken)).await).ok();
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

    /// It is stored before the next: where there is room is asked once for each.
    async fn arrived(&mut self, received: Received) {
        if self.settings.accept == FilePolicy::Never {
            return;
        }
        let size = received.content.len() as u64;
        if size > self.settings.max_size {
            return;
        }
        if let Err(error) = arriving::keep(&self.shared, &received, self.settings.mesh_quota).await {
            return tracing::warn!(sender = %received.sender, %error, "a file of the mesh is not kept");
        }
        if let (Some(mesh), Some(wire_id)) = (&self.shared.ways.mesh, received.wire_id) {
            mesh.acknowledge_file(received.sender, wire_id).await;
        }
    }

    async fn take_on(
        &mut self,
        peer: PeerId,
        card: &[u8],
        (source, spoken): (&Source, bool),
    ) -> Result<Transfer, FileError> {
        let size = source.stamp().size;
        if !(1..=MAX_MEDIA_LEN as u64).contains(&size) && !self.shared.ways.go_beyond_mesh(card) {
            return Err(if size == 0 {
                FileError::EmptyForMesh
            } else {
                FileError::TooLargeForMesh { size }
            });
        }
        let mut id = TransferId([0; 16]);
        OsRng.try_fill_bytes(&mut id.0).map_err(FileError::Random)?;
        let new = NewTransfer {
            key: TransferKey { way: Way::Out, peer, id },
            name: source.name().as_str().to_owned(),
            path: Some(source.path().to_owned()),
            size,
            modified: source.stamp().modified,
            status: TransferStatus::Waiting,
        };
        let transfer = self.begin(new).await?.ok_or(FileError::TooMany)?;
        self.send(transfer.clone(), spoken);
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

    fn send(&mut self, transfer: Transfer, spoken: bool) {
        let key = transfer.key;
        let turns = self.turns.entry(key.peer).or_insert_with(|| Arc::new(Semaphore::new(MAX_SENDING)));
        let (cancel, cancelled) = watch::channel(false);
        let (turns, connected) = (Arc::clone(turns), self.connected.subscribe());
        let sending = Sending { transfer, spoken, turns, connected, cancelled, offered: false };
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
        let accept = self.settings.accept;
        if accept != FilePolicy::Never && offer.size > self.settings.max_size {
            return Ok(Judgement::Decline(Reason::TooLarge));
        }
        let status = match accept {
            FilePolicy::Never => return Ok(Judgement::Decline(Reason::NotAccepted)),
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use iroh::SecretKey;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use tokio::time::timeout;

    use super::*;
    use crate::capabilities::Reach;
    use crate::crypto::Identity;
    use crate::message::Recipient;
    use crate::storage::{Database, DeviceKey, Limits, StoredContact};
    use crate::transports::direct::{self, Bind, Contact, DirectHandle};
    use crate::transports::port;
    use crate::wire::{Card, DirectAddress};

    /// How long anything may take; a busy machine may be slow.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A node's part that has to do with files, over a real direct transport on loopback.
    struct Node {
        identity: Identity,
        transport: port::Transport,
        direct: DirectHandle,
        home: tempfile::TempDir,
        store: Store,
        events: broadcast::Sender<Event>,
        seen: broadcast::Receiver<Event>,
        files: FilesHandle,
    }

    impl Node {
        async fn start(number: u8, accept: FilePolicy) -> Self {
            let identity = Identity::from_bytes(&[number; Identity::LEN]);
            let bind = vec![Bind::from("127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap())];
            let config = direct::Config { bind, ..direct::Config::default() };
            let (transport, direct) =
                direct::start(config, Vec::new(), identity.direct_secret(0)).await.unwrap();
            let key = DeviceKey::generate(&mut ChaCha20Rng::from_seed([number; 32]));
            let store = Store::new(Database::in_memory(&key, Limits::default()).unwrap());
            let home = tempfile::tempdir().unwrap();
            let (events, seen) = broadcast::channel(10_000);
            let files = desk(&store, &direct, home.path(), accept, &events).await;
            Self { identity, transport, direct, home, store, events, seen, files }
        }

        /// Two nodes that are each other's contacts and connected.
        async fn pair(accept: FilePolicy) -> (Self, Self) {
            let (mut one, mut two) = (Self::start(1, accept).await, Self::start(2, accept).await);
            one.befriend(&two).await;
            two.befriend(&one).await;
            one.reaches(&two).await;
            two.reaches(&one).await;
            (one, two)
        }

        async fn befriend(&self, other: &Self) {
            self.keep(&other.identity, other.card()).await;
            let own = other.direct.own_addresses.borrow().clone();
            let contact = Contact {
                peer: other.peer(),
                fingerprint: other.identity.fingerprint(),
                endpoint: *SecretKey::from_bytes(&other.identity.direct_secret(0)).public().as_bytes(),
                addresses: own.addresses,
                relays: own.relays,
            };
            self.direct.set_contacts(vec![contact]).await;
        }

        /// A contact's row in the book.
        async fn keep(&self, other: &Identity, card: Vec<u8>) {
            let stored = StoredContact {
                fingerprint: other.fingerprint(),
                noise_public: [0; 32],
                signing_public: [0; 32],
                name: "ben".to_owned(),
                serial: 1,
                card,
                added: true,
                verified: false,
                favourite: false,
                blocked: false,
                told: 0,
            };
            self.store.with(move |database| database.put_contact(&stored)).await.unwrap();
        }

        fn card(&self) -> Vec<u8> {
            let (noise, signing) = (self.identity.noise_public(), self.identity.signing_public());
            let key = *SecretKey::from_bytes(&self.identity.direct_secret(0)).public().as_bytes();
            let direct = DirectAddress { generation: 0, key, addresses: Vec::new(), relays: Vec::new() };
            let card = Card::new(1, "ben".to_owned(), noise, signing, Some(direct));
            card.encode(|preimage| self.identity.sign(preimage)).unwrap().to_vec()
        }

        /// Waits until the other is connected, and tells the desk as the driver does.
        async fn reaches(&mut self, other: &Self) {
            let to = Recipient::Peer(other.peer());
            let reached = port::Event::Reach { to, reach: Reach::Yes };
            let connected = async { while self.transport.receive().await.unwrap() != reached {} };
            timeout(PATIENCE, connected).await.unwrap();
            self.files.connected();
        }

        fn peer(&self) -> PeerId {
            self.identity.peer_id()
        }

        fn file(&self, name: &str, size: usize) -> PathBuf {
            let path = self.home.path().join(name);
            std::fs::write(&path, noise(size)).unwrap();
            path
        }

        /// The next news of a file that comes so far.
        async fn sees(&mut self, status: TransferStatus) -> Transfer {
            let seen = async {
                loop {
                    if let Event::File(transfer) = self.seen.recv().await.unwrap()
                        && transfer.status == status
                    {
                        return (*transfer).clone();
                    }
                }
            };
            timeout(PATIENCE, seen).await.expect("it happens in time")
        }

        /// What a process that dies and begins again does to files.
        async fn restart(&mut self, accept: FilePolicy) {
            let (requests, store) = (mpsc::channel(1).0, self.store.clone());
            self.files = FilesHandle { requests, store, mesh: None };
            self.files = desk(&self.store, &self.direct, self.home.path(), accept, &self.events).await;
        }
    }

    async fn desk(
        store: &Store,
        direct: &DirectHandle,
        home: &Path,
        accept: FilePolicy,
        events: &broadcast::Sender<Event>,
    ) -> FilesHandle {
        let directory = home.join("files");
        let settings = Files { accept, directory, max_size: 100_000_000, mesh_quota: 1 << 20 };
        let ways = Ways { direct: Some(direct.clone()), betanet: None, mesh: None };
        let (store, events) = (store.clone(), events.downgrade());
        start(Setup { store, ways, settings, events }).await.unwrap()
    }

    fn noise(size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[tokio::test]
    async fn a_file_goes_from_home_to_home_and_both_write_it_down() {
        let (mut ada, mut ben) = Node::pair(FilePolicy::Contacts).await;
        let path = ada.file("photo.jpg", 3_000_000);
        let begun = ada.files.send(ben.peer(), path).await.unwrap();
        let received = ben.sees(TransferStatus::Done).await;
        let sent = ada.sees(TransferStatus::Done).await;
        assert_eq!((sent.number, sent.done), (begun.number, 3_000_000));
        assert_eq!(received.hash, sent.hash);
        assert!(std::fs::read(received.path.unwrap()).unwrap() == noise(3_000_000));
        assert_eq!(ada.files.list(10).await.unwrap()[0].status, TransferStatus::Done);
        assert_eq!(ben.files.list(10).await.unwrap()[0].status, TransferStatus::Done);
    }

    #[tokio::test]
    async fn a_person_is_asked_first() {
        let (mut ada, mut ben) = Node::pair(FilePolicy::Ask).await;
        ada.files.send(ben.peer(), ada.file("photo.jpg", 100_000)).await.unwrap();
        let offered = ben.sees(TransferStatus::Offered).await;
        assert_eq!((offered.name.as_str(), offered.size), ("photo.jpg", 100_000));
        ben.files.accept(offered.number).await.unwrap();
        ben.sees(TransferStatus::Done).await;
        ada.sees(TransferStatus::Done).await;
        let error = ben.files.accept(offered.number).await.unwrap_err();
        assert!(matches!(error, FileError::NotOffered { .. }), "{error}");
    }

    #[tokio::test]
    async fn who_says_no_is_understood() {
        let (mut ada, mut ben) = Node::pair(FilePolicy::Ask).await;
        ada.files.send(ben.peer(), ada.file("photo.jpg", 100_000)).await.unwrap();
        let offered = ben.sees(TransferStatus::Offered).await;
        ben.files.cancel(offered.number).await.unwrap();
        ada.sees(TransferStatus::Declined).await;

        ben.restart(FilePolicy::Never).await;
        ada.files.send(ben.peer(), ada.file("again.jpg", 100_000)).await.unwrap();
        ada.sees(TransferStatus::Declined).await;
    }

    #[tokio::test]
    async fn a_file_that_is_too_large_is_declined_by_its_size() {
        let (mut ada, ben) = Node::pair(FilePolicy::Contacts).await;
        let path = ada.home.path().join("huge");
        std::fs::File::create(&path).unwrap().set_len(100_000_001).unwrap();
        ada.files.send(ben.peer(), path).await.unwrap();
        let declined = ada.sees(TransferStatus::Declined).await;
        assert!(declined.reason.unwrap().contains("larger than the receiver takes"));
    }

    #[tokio::test]
    async fn a_file_for_somebody_who_is_away_waits_and_goes_by_itself() {
        let mut ada = Node::start(1, FilePolicy::Contacts).await;
        let mut ben = Node::start(2, FilePolicy::Contacts).await;
        // Ben does not know Ada yet, so there is no connection.
        ada.befriend(&ben).await;
        ada.files.send(ben.peer(), ada.file("photo.jpg", 100_000)).await.unwrap();
        let waiting = ada.sees(TransferStatus::Waiting).await;
        assert_eq!(waiting.reason, None);
        let waiting = ada.sees(TransferStatus::Waiting).await;
        assert_eq!(waiting.reason.as_deref(), Some("not connected"));
        ben.befriend(&ada).await;
        ada.reaches(&ben).await;
        ben.sees(TransferStatus::Done).await;
        ada.sees(TransferStatus::Done).await;
    }

    #[tokio::test]
    async fn a_sender_that_dies_goes_on_in_its_next_run() {
        let (mut ada, mut ben) = Node::pair(FilePolicy::Contacts).await;
        let path = ada.file("film.mkv", 60_000_000);
        let begun = ada.files.send(ben.peer(), path).await.unwrap();
        ben.sees(TransferStatus::Running).await;
        ada.restart(FilePolicy::Contacts).await;
        let received = ben.sees(TransferStatus::Done).await;
        let sent = ada.sees(TransferStatus::Done).await;
        assert_eq!((sent.number, sent.hash), (begun.number, received.hash));
        assert!(std::fs::read(received.path.unwrap()).unwrap() == noise(60_000_000));
        assert_eq!(ben.files.list(10).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_receiver_that_dies_goes_on_in_its_next_run() {
        let (mut ada, mut ben) = Node::pair(FilePolicy::Contacts).await;
        ada.files.send(ben.peer(), ada.file("film.mkv", 60_000_000)).await.unwrap();
        ben.sees(TransferStatus::Running).await;
        ben.restart(FilePolicy::Contacts).await;
        let received = ben.sees(TransferStatus::Done).await;
        ada.sees(TransferStatus::Done).await;
        assert!(std::fs::read(received.path.unwrap()).unwrap() == noise(60_000_000));
        assert_eq!(ben.files.list(10).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_is_cancelled_is_over_on_both_sides() {
        let (ada, mut ben) = Node::pair(FilePolicy::Contacts).await;
        let begun = ada.files.send(ben.peer(), ada.file("film.mkv", 60_000_000)).await.unwrap();
        ben.sees(TransferStatus::Running).await;
        let cancelled = ada.files.cancel(begun.number).await.unwrap();
        assert_eq!(cancelled.status, TransferStatus::Cancelled);
        ben.sees(TransferStatus::Cancelled).await;
        let error = ada.files.cancel(begun.number).await.unwrap_err();
        assert!(matches!(error, FileError::Finished { .. }), "{error}");
        let error = ada.files.cancel(77).await.unwrap_err();
        assert!(matches!(error, FileError::Unknown(77)), "{error}");
    }

    #[tokio::test]
    async fn what_is_cancelled_while_the_stream_is_cut_is_over_on_both_sides() {
        let (mut ada, mut ben) = Node::pair(FilePolicy::Contacts).await;
        let begun = ada.files.send(ben.peer(), ada.file("film.mkv", 60_000_000)).await.unwrap();
        ben.sees(TransferStatus::Running).await;
        ada.direct.set_contacts(Vec::new()).await;
        ben.sees(TransferStatus::Waiting).await;
        ada.files.cancel(begun.number).await.unwrap();
        ada.befriend(&ben).await;
        ada.reaches(&ben).await;
        ben.sees(TransferStatus::Cancelled).await;
    }

    #[tokio::test]
    async fn what_the_mesh_alone_could_carry_and_cannot_is_refused_at_once() {
        let ada = Node::start(1, FilePolicy::Contacts).await;
        let phone = Identity::from_bytes(&[9; Identity::LEN]);
        ada.keep(&phone, Vec::new()).await;
        let file = ada.file("film.mp4", MAX_MEDIA_LEN + 1);
        let error = ada.files.send(phone.peer_id(), file).await.unwrap_err();
        assert!(matches!(error, FileError::TooLargeForMesh { size: 1_048_577 }), "{error}");
        let error = ada.files.send(phone.peer_id(), ada.file("nothing", 0)).await.unwrap_err();
        assert!(matches!(error, FileError::EmptyForMesh), "{error}");
        assert!(ada.files.list(10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn only_contacts_are_sent_files() {
        let ada = Node::start(1, FilePolicy::Contacts).await;
        let error = ada.files.send(PeerId([9; 8]), ada.file("a", 1)).await.unwrap_err();
        assert!(matches!(error, FileError::NotAContact(_)), "{error}");
    }
}
