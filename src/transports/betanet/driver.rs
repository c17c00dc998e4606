//! The task that owns every relay's state and every message's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::config::Config;
use super::contact::Contact;
use super::handle::{Presence, Request};
use super::line::{News, Serial};
use super::mail::{Held, Owed, Refused};
use super::prekeys::Prekeys;
use super::sent::Sent;
use super::station::Station;
use super::streams::Streams;
use crate::capabilities::{DownReason, Health, Reach};
use crate::clock::Clock;
use crate::crypto::Identity;
use crate::htx::paths::Paths;
use crate::ids::{AttemptId, Fingerprint, MessageId, NodeId, PeerId};
use crate::message::Recipient;
use crate::net::client::Client;
use crate::router::event::{Failure, Report};
use crate::time::Now;
use crate::transports::port::{Command, Event};
use crate::wire::letter::Letter;

/// Events the node has not taken, from which on no mailbox is looked into.
const PATIENCE: usize = 256;
/// Events the node has not taken, from which on it may not ask for more.
const MAX_BACKLOG: usize = 4096;
/// News of lines that may wait for the driver.
pub(super) const NEWS_BOUND: usize = 64;
/// How long the lines may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);

/// The driver's ends of the channels to the node.
pub(super) struct Ends {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) health: watch::Sender<Health>,
    pub(super) presence: watch::Sender<Presence>,
}

/// The task that owns every relay's state and every message's.
pub(super) struct Driver {
    pub(super) config: Config,
    pub(super) ends: Ends,
    pub(super) clock: Clock,
    pub(super) client: Client,
    pub(super) identity: Arc<Identity>,
    pub(super) rng: ChaCha20Rng,
    /// What our mailboxes are made of.
    pub(super) secret: Zeroizing<[u8; 32]>,
    pub(super) generation: u32,
    /// Our relays, in the order of preference.
    pub(super) own: Vec<NodeId>,
    pub(super) paths: Paths<NodeId>,
    pub(super) stations: BTreeMap<NodeId, Station>,
    /// Why the last call of each relay of ours came to nothing.
    pub(super) troubles: BTreeMap<NodeId, String>,
    /// Whom we know, and the relay that keeps their mailbox.
    pub(super) people: BTreeMap<PeerId, (Contact, NodeId)>,
    pub(super) blocked: BTreeSet<Fingerprint>,
    pub(super) sent: Sent,
    pub(super) held: Held,
    pub(super) owed: Owed,
    pub(super) refused: Refused,
    pub(super) prekeys: Prekeys,
    /// Changes that the node was to write down.
    pub(super) changes_told: u64,
    /// Those that it has.
    pub(super) changes_kept: u64,
    pub(super) streams: Streams,
    pub(super) in_use: Option<NodeId>,
    pub(super) provider: super::presence::Provider,
    pub(super) told: BTreeMap<PeerId, Reach>,
    pub(super) backlog: VecDeque<Event>,
    pub(super) last_line: Serial,
    pub(super) last_tag: u64,
    pub(super) lines: JoinSet<()>,
    pub(super) telling: mpsc::Sender<News>,
    pub(super) news: mpsc::Receiver<News>,
}

/// What made the driver turn.
enum Turn {
    Command(Option<Command>),
    Request(Request),
    News(News),
    Told,
    Due,
    NodeGone,
}

impl Driver {
    /// Runs until it is told to stop, or the node is gone.
    pub(super) async fn run(mut self) {
        let now = self.clock.now();
        self.begin(now);
        loop {
            let now = self.clock.now();
            self.settle(now);
            let turn = self.turn().await;
            let now = self.clock.now();
            match turn {
                Turn::Command(None | Some(Command::Shutdown)) | Turn::NodeGone => break,
                Turn::Command(Some(command)) => self.command(command, now),
                Turn::Request(request) => self.request(request, now),
                Turn::News(news) => self.line_news(news, now),
                Turn::Told | Turn::Due => {}
            }
            self.work(now);
        }
        self.stop().await;
    }

    /// Whether what comes can be taken.
    pub(super) fn may_fetch(&self) -> bool {
        self.backlog.len() < PATIENCE && self.held.has_room()
    }

    /// Waits for the next thing to do.
    async fn turn(&mut self) -> Turn {
        let waiting = self.backlog.len();
        let due = self.poll_timeout();
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
            Some(news) = self.news.recv() => Turn::News(news),
            Some(ended) = self.lines.join_next() => match ended {
                Ok(()) => Turn::Due,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            () = self.clock.sleep_until(due), if due.is_some() => Turn::Due,
        }
    }

    fn command(&mut self, command: Command, now: Now) {
        match command {
            Command::Send { attempt, message } => match message.to {
                Recipient::Peer(peer) => self.send(attempt, peer, &message, now),
                Recipient::Everyone => self.fail(attempt, Failure::Unfit),
            },
            Command::Cancel { attempt, .. } => {
                let cancelled = self.stations.values_mut().find_map(|station| station.cancel(attempt));
                cancelled.iter().for_each(|outgoing| self.never_left(outgoing));
            }
            Command::Warm { peer } => self.warm(peer, now),
            Command::Acknowledge { sender, id, .. } => self.stored(sender, id, Letter::Ack(id), now),
            Command::Decline { sender, id } => self.stored(sender, id, Letter::Declined(id), now),
            Command::Kept { changes } => self.changes_kept = self.changes_kept.saturating_add(changes),
            // Public packets are not for betanet, the mesh alone has couriers; the loop sees to the end.
            Command::Relay(_) | Command::Deposit { .. } | Command::Recall { .. } | Command::Shutdown => {}
        }
    }

    /// Tells that an attempt failed.
    pub(super) fn fail(&mut self, attempt: AttemptId, failure: Failure) {
        self.report(attempt, Report::Failed(failure));
    }

    /// Tells how far an attempt came.
    pub(super) fn report(&mut self, attempt: AttemptId, report: Report) {
        self.backlog.push_back(Event::Report { attempt, report });
    }

    /// Tells that the recipient of a message has it, or has read it.
    pub(super) fn receipt(&mut self, from: PeerId, id: MessageId, read: bool) {
        self.backlog.push_back(Event::Receipt { from, id, read });
    }

    /// Tells the node what has changed: whom we reach, how we are, what to keep.
    fn settle(&mut self, now: Now) {
        self.keep_prekeys();
        let people: Vec<PeerId> = self.people.keys().copied().collect();
        for peer in people {
            let reach = self.reach(peer);
            if self.told.insert(peer, reach).unwrap_or_default() != reach {
                self.backlog.push_back(Event::Reach { to: Recipient::Peer(peer), reach });
            }
        }
        let health = self.health();
        self.tell_health(health);
        self.settle_presence(now);
    }

    fn health(&self) -> Health {
        let mut own = self.own.iter().filter_map(|id| self.stations.get(id));
        if self.own.is_empty() {
            Health::Down(DownReason::NoRelayConfigured)
        } else if own.any(Station::is_reached) {
            Health::Up
        } else if self.troubles.is_empty() {
            Health::Down(DownReason::Starting)
        } else {
            Health::Down(DownReason::NoRelay)
        }
    }

    fn tell_health(&mut self, health: Health) {
        let changed = self.ends.health.send_if_modified(|told| std::mem::replace(told, health) != health);
        if changed {
            self.backlog.push_back(Event::Health(health));
        }
    }

    async fn stop(mut self) {
        self.tell_health(Health::Down(DownReason::Stopping));
        for event in std::mem::take(&mut self.backlog) {
            if self.ends.events.send(event).await.is_err() {
                break;
            }
        }
        // Each line says goodbye when nobody asks it any more.
        self.stations.clear();
        let Self { mut lines, mut news, telling, .. } = self;
        drop(telling);
        let goodbye = async {
            loop {
                tokio::select! {
                    told = news.recv() => if told.is_none() { break },
                    Some(_) = lines.join_next() => {}
                }
            }
        };
        tokio::time::timeout(GOODBYE, goodbye).await.unwrap_or_default();
    }
}
