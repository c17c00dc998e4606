//! The task that owns the router: it waits for requests, transports and the time, and gives each turn to the
//! carrier.

use std::time::Duration;

use bytes::Bytes;
use rand_core::{OsRng, RngCore};
use tokio::sync::{broadcast, mpsc, watch};

use crate::capabilities::{DownReason, Health, Reach, TransportKey};
use crate::clock::{Clock, RELEASE_DATE};
use crate::ids::MessageId;
use crate::mesh;
use crate::message::{Body, MAX_AGE, Recipient, Requirements};
use crate::router::Ask;
use crate::router::event::Input;
use crate::storage::NewReceived;
use crate::transports::betanet::{BetanetHandle, Presence};
use crate::transports::bitchat::BitchatHandle;
use crate::transports::direct::OwnAddresses;
use crate::transports::port;
use crate::wire;

use super::carrier::Carrier;
use super::conditions;
use super::contacts::Met;
use super::error::{NodeError, SendError};
use super::event::Event;
use super::files::FilesHandle;
use super::handle::Request;
use super::people::{DueCard, People};
use super::ports::{News, Ports};
use super::status::{Board, Profile, Status};
use super::store::Store;

/// How much is stored in one go at most, when much comes at once.
const BATCH: usize = 64;
/// How often battery and network are looked at.
const CONDITIONS_EVERY: Duration = Duration::from_secs(30);

/// Everything the driver is made of.
pub(super) struct Driver {
    pub(super) profile: Profile,
    pub(super) clock: Clock,
    pub(super) carrier: Carrier,
    pub(super) store: Store,
    pub(super) ports: Ports,
    pub(super) people: People,
    pub(super) files: Option<FilesHandle>,
    /// Where the direct transport is to be found, when there is one.
    pub(super) own_addresses: Option<watch::Receiver<OwnAddresses>>,
    /// Where mail for us can be left, and which records of relays to keep; when there is betanet.
    pub(super) presence: Option<watch::Receiver<Presence>>,
    pub(super) betanet: Option<BetanetHandle>,
    pub(super) bitchat: BitchatHandle,
    pub(super) board: Board,
    pub(super) mdns: bool,
    pub(super) conditions: conditions::Settings,
    pub(super) mesh_events: broadcast::Receiver<mesh::event::Event>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) events: broadcast::Sender<Event>,
}

/// What woke the driver.
enum Wake {
    Request(Request),
    News(News),
    Mesh(mesh::event::Event),
    /// So many events of the mesh came too fast.
    Missed(u64),
    Moved(OwnAddresses),
    Housed(Presence),
    Conditions,
    Timeout,
}

impl Driver {
    /// Runs until somebody asks to leave, or nobody is left to ask.
    pub(super) async fn run(mut self) -> Result<(), NodeError> {
        self.carrier.restore().await?;
        self.register();
        if let Err(error) = self.people.begin(self.clock.now().unix).await {
            tracing::error!(%error, "our contact card could not be made");
        }
        let mut conditions = tokio::time::interval(CONDITIONS_EVERY);
        loop {
            for event in self.carrier.turn(self.clock.now(), &mut self.ports).await {
                self.publish(event);
            }
            let wake = self.wait(&mut conditions).await;
            if !self.take(wake).await || !self.take_ready().await {
                let keeps = |event| if let port::Event::Keep(change) = event { Some(change) } else { None };
                let last = self.ports.stop().await.into_iter().filter_map(keeps).collect();
                self.carrier.close(last).await;
                return Ok(());
            }
        }
    }

    /// Tells the router which transports there are.
    fn register(&mut self) {
        for (transport, capabilities, health) in self.ports.iter() {
            let capabilities = capabilities.clone();
            self.carrier.input(Input::Register { transport, capabilities });
            self.carrier.input(Input::Health { transport, health });
        }
    }

    async fn wait(&mut self, conditions: &mut tokio::time::Interval) -> Wake {
        let deadline = self.carrier.poll_timeout();
        if self.carrier.waiting() > 0 {
            return Wake::Timeout;
        }
        tokio::select! {
            news = self.ports.next() => Wake::News(news),
            request = self.requests.recv() => Wake::Request(request.unwrap_or(Request::Leave)),
            wake = on_mesh(&mut self.mesh_events) => wake,
            addresses = changed(&mut self.own_addresses) => Wake::Moved(addresses),
            presence = changed(&mut self.presence) => Wake::Housed(presence),
            _ = conditions.tick() => Wake::Conditions,
            () = self.clock.sleep_until(deadline) => Wake::Timeout,
        }
    }

    /// What is there already goes into the same turn: one visit to the disk then stores it all.
    async fn take_ready(&mut self) -> bool {
        while self.carrier.waiting() < BATCH {
            let wake = match self.ports.ready() {
                Some(news) => Wake::News(news),
                None => match self.requests.try_recv() {
                    Ok(request) => Wake::Request(request),
                    Err(_) => return true,
                },
            };
            if !self.take(wake).await {
                return false;
            }
        }
        true
    }

    /// Takes what woke it; false when the node is to leave.
    async fn take(&mut self, wake: Wake) -> bool {
        match wake {
            Wake::Request(Request::Leave) => return false,
            Wake::Request(request) => self.request(request).await,
            Wake::News(News::Event(transport, event)) => self.transport_event(transport, event).await,
            Wake::News(News::Ended(transport)) => self.ended(transport),
            Wake::Mesh(event) => self.publish(Event::Mesh(event)),
            Wake::Missed(count) => self.missed(count).await,
            Wake::Moved(addresses) => {
                let moved = self.people.moved(addresses, self.clock.now().unix).await;
                if let Err(error) = moved {
                    tracing::error!(%error, "our contact card could not be renewed");
                }
                self.send_cards().await;
            }
            Wake::Housed(presence) => self.housed(presence).await,
            Wake::Conditions => self.look_around(),
            Wake::News(News::Handed) | Wake::Timeout => {}
        }
        true
    }
}

/// What the rest of the program asks.
impl Driver {
    async fn request(&mut self, request: Request) {
        let now = self.clock.now();
        // Whoever asked may have gone meanwhile, and that is no error: hence the `ok()`s.
        match request {
            Request::Send { to, text, requirements, answer } => {
                let size = if text.trim().is_empty() { 0 } else { text.len() };
                let ask = Ask { to, size, requirements };
                match self.refusal(&ask) {
                    Some(error) => {
                        answer.send(Err(error)).ok();
                    }
                    None => match random_id() {
                        Ok(id) => self.carrier.accept_text(ask, &text, id, answer, now),
                        Err(error) => {
                            answer.send(Err(error)).ok();
                        }
                    },
                }
            }
            Request::MarkRead { id, answer } => {
                answer.send(self.mark_read(id).await).ok();
            }
            Request::Withdraw { id, answer } => {
                answer.send(self.withdraw(id).await).ok();
            }
            Request::Explain { to, size, requirements, answer } => {
                answer.send(self.carrier.explain(&Ask { to, size, requirements }, now)).ok();
            }
            Request::Contacts { request, answer } => {
                answer.send(self.people.answer(request, now.unix).await).ok();
                self.send_cards().await;
            }
            Request::OwnCode { answer } => {
                answer.send(self.people.own_code(now.unix)).ok();
            }
            Request::Scan { code, answer } => {
                answer.send(self.people.scan(&code, now.unix).await).ok();
            }
            Request::Petnames { answer } => {
                answer.send(self.people.contacts().petnames()).ok();
            }
            Request::Status { answer } => {
                answer.send(self.status().await).ok();
            }
            Request::Leave => {}
        }
    }

    fn refusal(&self, ask: &Ask) -> Option<SendError> {
        let now = self.clock.now().unix;
        if ask.size == 0 {
            Some(SendError::Empty)
        } else if ask.to == Recipient::Peer(self.profile.peer_id) {
            Some(SendError::ToSelf)
        } else if now < RELEASE_DATE {
            Some(SendError::ClockUnset { now, floor: RELEASE_DATE })
        } else {
            None
        }
    }

    async fn mark_read(&mut self, id: MessageId) -> Result<(), SendError> {
        let Some(read) = self.store.with(move |database| database.mark_read(id)).await? else {
            return Ok(());
        };
        let to = Recipient::Peer(read.sender.peer_id());
        let body = Body::Read { of: id, wire_ids: read.wire_ids };
        let requirements = Requirements::default();
        let ask = Ask { to, size: body.size(), requirements };
        self.carrier.accept_own(ask, body, random_id()?, self.clock.now());
        Ok(())
    }

    async fn withdraw(&mut self, id: MessageId) -> Result<bool, SendError> {
        let now = self.clock.now().unix;
        let withdrawn = self.store.with(move |database| database.withdraw(id, now)).await?;
        if withdrawn {
            self.carrier.input(Input::Withdraw(id));
        }
        Ok(withdrawn)
    }
}

impl Driver {
    async fn status(&mut self) -> Status {
        let now = self.clock.now();
        Status {
            profile: self.profile.clone(),
            uptime: now.instant.since_start(),
            unix: now.unix,
            clock_unset: now.unix < RELEASE_DATE,
            betanet: match &self.betanet {
                Some(betanet) => Some(betanet.status().await),
                None => None,
            },
            transports: self.ports.iter().map(|(transport, _, health)| (transport, health)).collect(),
            mdns: self.mdns,
            conditions: self.board.conditions,
            messages: self.board.messages,
            bitchat: self.bitchat.status().await.unwrap_or_default(),
            connections: self.people.connections().await,
        }
    }
}

/// What the transports tell.
impl Driver {
    async fn transport_event(&mut self, transport: TransportKey, event: port::Event) {
        match event {
            port::Event::Health(health) => {
                self.carrier.input(Input::Health { transport, health });
                if transport == TransportKey::Betanet {
                    self.look_around();
                }
                self.publish(Event::Transport { transport, health });
            }
            port::Event::Reach { to, reach } => {
                self.carrier.input(Input::Reach { transport, to, reach });
                if let Recipient::Peer(peer) = to {
                    self.people.reach_changed(transport, peer, reach);
                    if transport != TransportKey::Bitchat && reach == Reach::Yes {
                        self.files.iter().for_each(FilesHandle::connected);
                    }
                    self.send_cards().await;
                }
            }
            port::Event::Deposited { id, couriers } => {
                self.carrier.input(Input::Deposited { id, couriers });
            }
            port::Event::NotDeposited { id, why } => self.carrier.input(Input::NotDeposited { id, why }),
            port::Event::Report { attempt, report } => self.carrier.input(Input::Report { attempt, report }),
            port::Event::Receipt { from, id, read } => self.carrier.receipt(transport, from, id, read),
            port::Event::Received(received) => self.received(transport, received).await,
            port::Event::Verified { noise_public, signing_public, nickname } => {
                self.verified(Met { noise_public, signing_public, nickname }).await;
            }
            port::Event::Keep(change) => self.carrier.keep(transport, change),
            port::Event::Heard { packet } => {
                // What came over direct was lowered by who sent it.
                let lowered =
                    if transport == TransportKey::Bitchat { one_hop_less(&packet) } else { Some(packet) };
                if let Some(packet) = lowered {
                    self.ports.command_others(transport, || port::Command::Relay(packet.clone()));
                }
            }
        }
    }

    /// Tells the router what the machine is like. A tunnel to a relay is a way to the internet, whatever the table
    /// of routes says: a relay may be where no default route leads.
    fn look_around(&mut self) {
        let mut conditions = conditions::conditions(self.conditions);
        let mut transports = self.ports.iter();
        conditions.internet |=
            transports.any(|(key, _, health)| key == TransportKey::Betanet && health.is_up());
        drop(transports);
        self.board.conditions = conditions;
        self.carrier.input(Input::Conditions(conditions));
    }

    async fn received(&mut self, transport: TransportKey, received: port::Received) {
        let port::Received { sender, nickname, public, room, id, body, sent, wire_ids, ttl, fragments } =
            received;
        match body {
            Body::Text(text) => {
                let (via, received) = (transport, self.clock.now().unix);
                let nickname = self.people.name_of(sender, nickname);
                let new = NewReceived {
                    sender,
                    nickname,
                    public,
                    room,
                    id,
                    text,
                    sent,
                    received,
                    via,
                    wire_ids,
                    ttl,
                };
                self.carrier.receive(new, fragments);
            }
            Body::Card(card) => {
                match self.people.received(&card, sender, self.clock.now().unix).await {
                    Ok(event) => event.into_iter().for_each(|event| self.publish(Event::Contact(event))),
                    Err(error) => {
                        tracing::warn!(%error, sender = %sender.peer_id(), "a contact card was refused");
                        error.event().into_iter().for_each(|event| self.publish(Event::Contact(event)));
                    }
                }
                let sender = sender.peer_id();
                self.ports.command(transport, port::Command::Acknowledge { sender, id, wire_ids });
            }
            // Public packets come as `Heard`, read receipts as `Receipt`.
            Body::Public(_) | Body::Read { .. } => {}
        }
    }

    /// Somebody proved the keys of a code that our owner scanned.
    async fn verified(&mut self, met: Met) {
        match self.people.verified(met, self.clock.now().unix).await {
            Ok(event) => self.publish(Event::Contact(event)),
            Err(error) => tracing::warn!(%error, "a proven code could not be written down"),
        }
        self.send_cards().await;
    }

    /// Our newest card goes to whoever may have it, can be reached, and has not got it yet.
    async fn send_cards(&mut self) {
        let due = match self.people.due().await {
            Ok(due) => due,
            Err(error) => return tracing::error!(%error, "our contact card could not be sent"),
        };
        for DueCard { peer, card } in due {
            let body = Body::Card(card);
            let requirements = Requirements { max_age: MAX_AGE, ..Requirements::default() };
            let ask = Ask { to: Recipient::Peer(peer), size: body.size(), requirements };
            match random_id() {
                Ok(id) => self.carrier.accept_own(ask, body, id, self.clock.now()),
                Err(error) => tracing::error!(%error, "our contact card could not be sent"),
            }
        }
    }

    /// Mail for us can be left elsewhere, or there are newer records of relays.
    async fn housed(&mut self, presence: Presence) {
        let Presence { mailbox, records } = presence;
        let kept = self.store.with(move |database| {
            database.transaction(|database| {
                records.iter().try_for_each(|new| database.put_relay(new.node, &new.record, new.expires))
            })
        });
        if let Err(error) = kept.await {
            // They are told again by the relays.
            tracing::warn!(%error, "the records of relays could not be kept");
        }
        let is_named = mailbox.is_some();
        match self.people.housed(mailbox, self.clock.now().unix).await {
            Ok(true) => self.publish(Event::OwnCard { mailbox: is_named }),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "our contact card could not be renewed"),
        }
        self.send_cards().await;
    }

    /// Events of the mesh are lost, and whoever listens is told so. Who is there is told once more; groups and notices
    /// are read where they are wanted.
    async fn missed(&mut self, count: u64) {
        tracing::warn!(count, "events of the mesh came while the node was busy, and are lost");
        self.publish(Event::Missed(count));
        for peer in self.bitchat.peers().await.unwrap_or_default() {
            self.publish(Event::Mesh(mesh::event::Event::Peer(peer)));
        }
    }

    fn ended(&mut self, transport: TransportKey) {
        let health = Health::Down(DownReason::Failed);
        tracing::error!(%transport, "a transport ended by itself");
        self.carrier.input(Input::Health { transport, health });
        self.publish(Event::Transport { transport, health });
    }

    fn publish(&mut self, event: Event) {
        self.board.event(&event, self.profile.fingerprint);
        // Nobody may be listening, and that is no error.
        self.events.send(event).ok();
    }
}

/// The packet with its TTL lowered; nothing when this was its last hop.
fn one_hop_less(packet: &Bytes) -> Option<Bytes> {
    let received = wire::Received::decode(packet).ok()?;
    let ttl = received.packet().ttl.checked_sub(1).filter(|ttl| *ttl > 0)?;
    Some(received.relayed(ttl))
}

fn random_id() -> Result<MessageId, SendError> {
    let mut id = MessageId([0; 16]);
    OsRng.try_fill_bytes(&mut id.0).map_err(SendError::Random)?;
    Ok(id)
}

/// Waits for what happens on the mesh; for ever once it has stopped.
async fn on_mesh(events: &mut broadcast::Receiver<mesh::event::Event>) -> Wake {
    match events.recv().await {
        Ok(event) => Wake::Mesh(event),
        Err(broadcast::error::RecvError::Lagged(count)) => Wake::Missed(count),
        Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
    }
}

/// Waits until something else is true of a transport; for ever when there is none.
async fn changed<T: Clone>(watched: &mut Option<watch::Receiver<T>>) -> T {
    if let Some(watched) = watched
        && watched.changed().await.is_ok()
    {
        return watched.borrow_and_update().clone();
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::clock::wall_clock;
    use crate::crypto::Identity;
    use crate::ids::{AdapterId, LinkId};
    use crate::link::event::{DeviceAddress, LinkDownReason, RadioEvent, Role};
    use crate::node::config::sections::Files;
    use crate::node::lifecycle::{Settings, Setup, start};
    use crate::radio::channel;
    use crate::storage::{Database, DeviceKey, Limits};
    use crate::wire::{Announce, Packet, PacketType, Version};

    const ADAPTER: AdapterId = AdapterId(0);
    /// Far longer than anything takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn link_up(serial: u32) -> RadioEvent {
        let link = LinkId { adapter: ADAPTER, serial };
        RadioEvent::LinkUp { link, address: DeviceAddress([1; 6]), role: Role::Peripheral, max_frame: 512 }
    }

    fn announce(who: &Identity) -> Bytes {
        let announce = Announce {
            nickname: "ben".to_owned(),
            noise_public: who.noise_public(),
            signing_public: who.signing_public(),
            neighbours: Vec::new(),
            capabilities: None,
            bridge_geohash: None,
        };
        let mut packet = Packet {
            version: Version::V1,
            packet_type: PacketType::Announce,
            ttl: 7,
            timestamp: wall_clock(),
            sender: who.peer_id(),
            recipient: None,
            route: Vec::new(),
            rsr: false,
            payload: announce.encode().unwrap().into(),
            signature: None,
        };
        packet.signature = Some(who.sign(&packet.signing_preimage().unwrap()));
        packet.encode().unwrap().into()
    }

    #[tokio::test]
    async fn whoever_listens_is_told_that_news_of_the_mesh_is_lost_and_then_who_is_there() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let home = tempfile::tempdir().unwrap();
        let (radio, port) = channel(8);
        let files = Files { directory: home.path().join("files"), ..Files::default() };
        let node = start(Setup {
            identity: Identity::generate(&mut rng),
            seed: [1; 32],
            radio: Some(radio),
            database: Database::in_memory(&DeviceKey::generate(&mut rng), Limits::default()).unwrap(),
            settings: Settings { files, ..Settings::named("ada") },
        });
        let node = node.await.unwrap();
        let mut events = node.handle().events.upgrade().unwrap().subscribe();
        let ben = Identity::generate(&mut rng);
        let link = LinkId { adapter: ADAPTER, serial: 0 };
        for event in [
            RadioEvent::AdapterUp { adapter: ADAPTER, address: DeviceAddress([0; 6]) },
            link_up(0),
            RadioEvent::Received { link, bytes: announce(&ben) },
        ] {
            port.events.send(event).await.unwrap();
        }
        let is_ben = |event: &Event| matches!(event, Event::Mesh(mesh::event::Event::Peer(peer)) if peer.id == ben.peer_id());
        let here = async { while !is_ben(&events.recv().await.unwrap()) {} };
        tokio::time::timeout(PATIENCE, here).await.expect("ben is here");

        // The disk stands still, and the driver with it as soon as it wants something of it.
        let (go, wait) = std::sync::mpsc::channel();
        let store = node.handle().store.clone();
        let standing = tokio::spawn(async move { store.with(move |_| Ok(wait.recv())).await });
        let handle = node.handle().clone();
        let sending = tokio::spawn(async move {
            handle.send("everyone", "hello".to_owned(), Requirements::default()).await
        });
        let listening = async {
            while !matches!(events.recv().await.unwrap(), Event::Missed(_)) {}
            while !is_ben(&events.recv().await.unwrap()) {}
        };
        let blocked = async {
            for serial in 1..1_000 {
                let link = LinkId { adapter: ADAPTER, serial };
                port.events.send(link_up(serial)).await.unwrap();
                let reason = LinkDownReason::Remote;
                port.events.send(RadioEvent::LinkDown { link, reason }).await.unwrap();
            }
            go.send(()).unwrap();
        };
        let both = async { tokio::join!(listening, blocked) };
        tokio::time::timeout(PATIENCE, both).await.expect("they are told");
        standing.await.unwrap().unwrap().unwrap();
        sending.await.unwrap().unwrap();
        node.stop().await.unwrap();
    }
}
