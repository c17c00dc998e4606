//! The task that owns every contact's state.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use iroh::EndpointId;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::config::Config;
use super::contact::Contact;
use super::dial;
use super::endpoint::Accepted;
use super::error::StartError;
use super::handle::{ConnectionStatus, OwnAddresses, Request};
use super::health;
use super::link::{Code, Link, LinkReport, Serial, What, close};
use super::peer::{Events, Peer, fail};
use super::pulse::Pulse;
use super::stations::Stations;
use crate::capabilities::{DownReason, Health, Reach};
use crate::ids::{AttemptId, MessageId, PeerId};
use crate::message::{Body, Message, Recipient};
use crate::router::event::{Failure, Report};
use crate::transports::files::{self, Taker};
use crate::transports::port::{Command, Event};
use crate::wire::TTL_OFFSET;
use crate::wire::direct::Frame;

/// Events the node has not taken, from which on no connection is listened to.
const PATIENCE: usize = 256;
/// Events the node has not taken, from which on it may not ask for more.
const MAX_BACKLOG: usize = 4096;
/// Calls that may ring at once.
const MAX_CALLS: usize = 16;
/// Reports of connections that may wait for the driver.
const REPORT_BOUND: usize = 256;
/// Connections that may wait for the driver.
const ACCEPTED_BOUND: usize = 16;

/// The driver's ends of the channels to the node.
pub(super) struct Ends {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) health: watch::Sender<Health>,
    pub(super) own_addresses: watch::Sender<OwnAddresses>,
}

/// The task that owns every contact's state.
pub(super) struct Driver {
    config: Config,
    ends: Ends,
    stations: Stations,
    peers: BTreeMap<PeerId, Peer>,
    everyone: Reach,
    calls: JoinSet<(PeerId, EndpointId, Option<Accepted>)>,
    last_serial: Serial,
    accepted: mpsc::Receiver<Accepted>,
    reporting: mpsc::Sender<LinkReport>,
    reports: mpsc::Receiver<LinkReport>,
    /// Who takes the files that contacts offer.
    files: watch::Sender<Taker>,
    /// Rings when an endpoint sees its surroundings change.
    news: Arc<Notify>,
    /// What the node has not taken yet.
    backlog: Events,
}

/// What made the driver turn.
enum Turn {
    Command(Option<Command>),
    Request(Request),
    Report(LinkReport),
    Accepted(Accepted),
    Called(PeerId, EndpointId, Option<Accepted>),
    Surroundings,
    Told,
    CallDue,
    NodeGone,
}

impl Driver {
    /// Opens the sockets.
    pub(super) async fn open(
        config: Config,
        contacts: Vec<Contact>,
        secret: Zeroizing<[u8; 32]>,
        ends: Ends,
    ) -> Result<Self, StartError> {
        let (accepting, accepted) = mpsc::channel(ACCEPTED_BOUND);
        let (reporting, reports) = mpsc::channel(REPORT_BOUND);
        let news = Arc::new(Notify::new());
        let stations = Stations::open(&config, &secret, accepting, Arc::clone(&news)).await?;
        let mut driver = Self {
            config,
            ends,
            stations,
            peers: BTreeMap::new(),
            everyone: Reach::No,
            calls: JoinSet::new(),
            last_serial: Serial(0),
            accepted,
            reporting,
            reports,
            files: watch::channel(None).0,
            news,
            backlog: Events::new(),
        };
        driver.set_contacts(contacts);
        // Whoever starts us finds at once where we are.
        driver.settle();
        Ok(driver)
    }

    /// Runs until it is told to stop, or the node is gone.
    pub(super) async fn run(mut self) {
        let reason = loop {
            self.settle();
            match self.turn().await {
                Turn::Command(None | Some(Command::Shutdown)) | Turn::NodeGone => break DownReason::Stopping,
                Turn::Command(Some(command)) => self.command(command),
                Turn::Request(request) => {
                    if let Err(error) = self.request(request).await {
                        tracing::error!(%error, "the direct transport cannot change its key");
                        break DownReason::Failed;
                    }
                }
                Turn::Report(report) => self.reported(report),
                Turn::Accepted(accepted) => self.accepted(accepted),
                Turn::Called(peer, endpoint, answer) => self.called(peer, endpoint, answer),
                Turn::Surroundings => self.hurry(),
                Turn::Told | Turn::CallDue => {}
            }
            self.call();
        };
        self.stop(reason).await;
    }

    /// Waits for the next thing to do.
    async fn turn(&mut self) -> Turn {
        let waiting = self.backlog.len();
        let due = self.next_call();
        tokio::select! {
            permit = self.ends.events.reserve(), if waiting > 0 => match (permit, self.backlog.pop_front()) {
                (Ok(permit), Some(event)) => {
                    permit.send(event);
                    Turn::Told
                }
                (Ok(_), None) => Turn::Told,
                (Err(_), _) => Turn::NodeGone,
            },
            command = self.ends.commands.recv(), if waiting < MAX_BACKLOG => Turn::Command(command),
            Some(request) = self.ends.requests.recv() => Turn::Request(request),
            Some(report) = self.reports.recv(), if waiting < PATIENCE => Turn::Report(report),
            Some(accepted) = self.accepted.recv() => Turn::Accepted(accepted),
            Some(called) = self.calls.join_next() => match called {
                Ok((peer, endpoint, answer)) => Turn::Called(peer, endpoint, answer),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            () = self.news.notified() => Turn::Surroundings,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Turn::CallDue,
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Send { attempt, message } => match message.to {
                Recipient::Peer(peer) => self.send(attempt, peer, &message),
                Recipient::Everyone => self.send_to_everyone(attempt, &message),
            },
            Command::Cancel { attempt, id } => {
                for peer in self.peers.values_mut() {
                    peer.cancel(attempt, id);
                }
            }
            Command::Warm { peer } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.dialling.hurry(Instant::now());
                    peer.feel();
                }
            }
            Command::Acknowledge { sender, id, .. } => self.answer(sender, id, &Frame::Ack(id)),
            Command::Decline { sender, id } => self.answer(sender, id, &Frame::Declined(id)),
            Command::Relay(packet) => {
                self.tell_everyone(packet);
            }
            // The mesh alone has couriers; the loop has seen to the end.
            Command::Deposit { .. } | Command::Recall { .. } | Command::Kept { .. } | Command::Shutdown => {}
        }
    }

    fn send(&mut self, attempt: AttemptId, to: PeerId, message: &Message) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return fail(attempt, Failure::Unreachable, &mut self.backlog);
        };
        peer.dialling.hurry(Instant::now());
        peer.send(attempt, message, peer.is_findable(&self.config), &mut self.backlog);
    }

    /// A public packet leaves with its TTL lowered: it is relayed, and nothing else in it may be changed.
    fn send_to_everyone(&mut self, attempt: AttemptId, message: &Message) {
        let Body::Public(packet) = &message.body else {
            return fail(attempt, Failure::Unfit, &mut self.backlog);
        };
        let mut packet = packet.to_vec();
        if let Some(ttl) = packet.get_mut(TTL_OFFSET) {
            *ttl = ttl.saturating_sub(1);
        }
        if self.tell_everyone(packet.into()) {
            self.backlog.push_back(Event::Report { attempt, report: Report::Sent });
        } else {
            fail(attempt, Failure::Unreachable, &mut self.backlog);
        }
    }

    /// Sends a packet to every contact that is connected; false when it left for none.
    fn tell_everyone(&self, packet: Bytes) -> bool {
        let Ok(frame) = Frame::Public(packet).encode() else { return false };
        // Each is told, whoever was told before.
        self.peers.values().filter(|peer| peer.tell(frame.clone())).count() > 0
    }

    fn answer(&mut self, sender: PeerId, id: MessageId, answer: &Frame) {
        if let Some(peer) = self.peers.get_mut(&sender) {
            peer.answer(id, answer);
        }
    }

    async fn request(&mut self, request: Request) -> Result<(), StartError> {
        match request {
            // Who asked and does not wait for the answer does not miss it.
            Request::Contacts(contacts, done) => {
                self.set_contacts(contacts);
                done.send(()).unwrap_or_default();
            }
            Request::Secret { current, previous, done } => {
                self.set_keys(&current, previous.as_deref()).await?;
                done.send(()).unwrap_or_default();
            }
            Request::Bound(answer) => {
                let bound = self.stations.iter().flat_map(|station| station.endpoint.bound_sockets());
                answer.send(bound.collect()).unwrap_or_default();
            }
            Request::Connections(answer) => answer.send(self.connections()).unwrap_or_default(),
            Request::Connection { peer, answer } => {
                let link = self.peers.get(&peer).and_then(Peer::best);
                // A file is about to go over it.
                if let Some(link) = link {
                    link.feel();
                }
                answer.send(link.map(|link| link.connection.clone())).ok();
            }
            Request::Files(taker) => {
                self.files.send_replace(Some(taker));
            }
            Request::NetworkChange => {
                for station in self.stations.iter() {
                    station.endpoint.network_change().await;
                }
                self.hurry();
            }
        }
        Ok(())
    }

    fn set_contacts(&mut self, contacts: Vec<Contact>) {
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.peers);
        for contact in contacts {
            let peer = match before.remove(&contact.peer) {
                Some(mut peer) => {
                    peer.update(contact, now, &mut self.backlog);
                    peer
                }
                None => Peer::new(contact, now),
            };
            self.peers.insert(peer.contact.peer, peer);
        }
        for (id, mut peer) in before {
            peer.leave(None, Code::Stranger, now, &mut self.backlog);
            if peer.told != Reach::No {
                self.backlog.push_back(Event::Reach { to: Recipient::Peer(id), reach: Reach::No });
            }
        }
    }

    async fn set_keys(&mut self, current: &[u8; 32], previous: Option<&[u8; 32]>) -> Result<(), StartError> {
        let useless = self.stations.take_useless(&self.config, current, previous);
        // Whatever holds a connection of an endpoint keeps its sockets open.
        self.hang_up().await;
        for station in useless {
            for peer in self.peers.values_mut() {
                peer.leave(Some(station.endpoint.id()), Code::Bye, Instant::now(), &mut self.backlog);
            }
            station.close().await;
        }
        self.hang_up().await;
        self.stations.open_missing(&self.config, current, previous).await?;
        self.hurry();
        Ok(())
    }

    /// Gives up every call that rings, and every connection that nobody has looked at.
    async fn hang_up(&mut self) {
        self.calls.shutdown().await;
        for peer in self.peers.values_mut() {
            peer.dialling.answered();
        }
        while let Ok((_, connection)) = self.accepted.try_recv() {
            close(&connection, Code::Bye);
        }
    }

    fn connections(&self) -> Vec<ConnectionStatus> {
        self.peers.values().filter_map(|peer| Some(peer.best()?.status(peer.contact.peer))).collect()
    }

    fn reported(&mut self, LinkReport { peer, link, what }: LinkReport) {
        let Some(peer) = self.peers.get_mut(&peer) else { return };
        let now = Instant::now();
        match what {
            What::Ready => peer.ready(link, now, &mut self.backlog),
            What::Frame(frame, room) => peer.heard(frame, room, &mut self.backlog),
            What::Written(attempt) => {
                self.backlog.push_back(Event::Report { attempt, report: Report::Sent });
            }
            What::Ended => peer.ended(link),
            What::Closed(error) => peer.closed(link, &error, now, &mut self.backlog),
        }
    }

    /// Somebody connected. Who is no contact is closed before anything of it is read.
    fn accepted(&mut self, (ours, connection): Accepted) {
        let remote = connection.remote_id();
        let peer = self.peers.values().find(|peer| peer.endpoint == Some(remote));
        match peer.map(|peer| peer.contact.peer) {
            Some(peer) => self.add_link(peer, (ours, connection)),
            None => {
                tracing::info!(endpoint = %remote.fmt_short(), "a stranger was turned away");
                close(&connection, Code::Stranger);
            }
        }
    }

    fn called(&mut self, id: PeerId, endpoint: EndpointId, answer: Option<Accepted>) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.endpoint == Some(endpoint)) else {
            if let Some((_, connection)) = answer {
                close(&connection, Code::Bye);
            }
            return;
        };
        match answer {
            Some(accepted) => {
                peer.dialling.answered();
                self.add_link(id, accepted);
            }
            None => peer.unanswered_call(Instant::now(), &mut self.backlog),
        }
    }

    fn add_link(&mut self, id: PeerId, accepted: Accepted) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        self.last_serial = Serial(self.last_serial.0.saturating_add(1));
        let pulse = Pulse { interval: self.config.keep_alive, silence: self.config.silence };
        let link = Link::start(accepted, (id, self.last_serial), pulse, peer.room(), &self.reporting);
        tokio::spawn(files::listen(link.connection.clone(), id, self.files.subscribe(), link.activity()));
        peer.add(link);
    }

    /// When the next call is due.
    fn next_call(&self) -> Option<Instant> {
        let peers = self.peers.values().filter(|_| self.calls.len() < MAX_CALLS);
        peers.filter_map(|peer| peer.call_due(&self.config)).min()
    }

    /// Calls whoever is due.
    fn call(&mut self) {
        let now = Instant::now();
        for (&id, peer) in &mut self.peers {
            if self.calls.len() >= MAX_CALLS || peer.call_due(&self.config).is_none_or(|due| due > now) {
                continue;
            }
            let Some(to) = peer.contact.whereabouts(self.config.uses_relays()) else { continue };
            let Some(endpoint) = self.stations.to_call_with(peer.turned_away).cloned() else { continue };
            let (ours, remote) = (endpoint.id(), to.id);
            peer.dialling.rings();
            self.calls.spawn(async move {
                let answer = dial::call(endpoint, to).await;
                (id, remote, answer.map(|connection| (ours, connection)))
            });
        }
    }

    /// The network changed, or we did: whoever is not connected is called without a pause.
    fn hurry(&mut self) {
        let now = Instant::now();
        for peer in self.peers.values_mut() {
            peer.dialling.hurry(now);
        }
    }

    /// Tells the node what has changed: whom we reach, and how we are.
    fn settle(&mut self) {
        let mut everyone = Reach::No;
        let mut other_way = self.config.mdns;
        for (id, peer) in &mut self.peers {
            let reach = peer.reach(&self.config);
            if reach == Reach::Yes {
                everyone = Reach::Yes;
            }
            other_way |= reach == Reach::Yes || !peer.contact.addresses.is_empty();
            if peer.told != reach {
                peer.told = reach;
                self.backlog.push_back(Event::Reach { to: Recipient::Peer(*id), reach });
            }
        }
        if self.everyone != everyone {
            self.everyone = everyone;
            self.backlog.push_back(Event::Reach { to: Recipient::Everyone, reach: everyone });
        }
        if let Some(station) = self.stations.current() {
            let surroundings = station.surroundings.borrow();
            let health = health::judge(&self.config, &surroundings, other_way);
            let own = health::for_card(&self.config, &surroundings);
            drop(surroundings);
            self.ends.own_addresses.send_if_modified(|told| replace(told, own));
            self.tell_health(health);
        }
    }

    fn tell_health(&mut self, health: Health) {
        if self.ends.health.send_if_modified(|told| replace(told, health)) {
            self.backlog.push_back(Event::Health(health));
        }
    }

    async fn stop(mut self, reason: DownReason) {
        self.tell_health(Health::Down(reason));
        for peer in self.peers.values_mut() {
            peer.leave(None, Code::Bye, Instant::now(), &mut self.backlog);
        }
        for event in std::mem::take(&mut self.backlog) {
            if self.ends.events.send(event).await.is_err() {
                break;
            }
        }
        self.calls.shutdown().await;
        self.stations.close().await;
    }
}

/// Puts a new value in the place of the old; false when it is the same.
fn replace<T: PartialEq>(told: &mut T, value: T) -> bool {
    let changed = *told != value;
    *told = value;
    changed
}
