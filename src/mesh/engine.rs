//! The engine: one BitChat node without a radio, a clock or a task.
//!
//! It owns the machines that each keep one part of the state, gives every input to the one it concerns, and
//! drains the link layer within the same turn. What arrives goes through [`super::ingress`], what leaves through
//! [`super::egress`].

use std::collections::VecDeque;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::announcer::Announcer;
use super::bindings::Bindings;
use super::board::Board;
use super::config::Config;
use super::dedup::Dedup;
use super::error::Counters;
use super::event::{Command, Event, Expiry, Input, Introduction, Output, PeerInfo, Reach};
use super::groups::Groups;
use super::held::Held;
use super::incoming::Incoming;
use super::kept::{Keep, Kept, Shelf};
use super::outgoing::{Message, Outgoing};
use super::peers::{Peer, Peers};
use super::reassembly::Reassembly;
use super::receipts::{Receipted, Receipts};
use super::relay::Relays;
use super::sessions::Sessions;
use super::train::Trains;
use crate::crypto::Identity;
use crate::ids::{Fingerprint, PeerId};
use crate::link::event::LinkEvent;
use crate::link::{self, LinkLayer};
use crate::time::{Instant, Now, UnixMillis};
use crate::wire::NoisePayload;

/// One BitChat node.
///
/// Hand it every [`Input`] with the time, then drain [`Self::poll_output`] to `None`, then wait for the next
/// input or for [`Self::poll_timeout`]. The same seed and the same inputs give the same outputs.
pub struct Engine {
    pub(super) identity: Identity,
    pub(super) me: PeerId,
    pub(super) config: Config,
    pub(super) rng: ChaCha20Rng,
    pub(super) links: LinkLayer,
    pub(super) bindings: Bindings,
    pub(super) peers: Peers,
    pub(super) dedup: Dedup,
    pub(super) relays: Relays,
    pub(super) reassembly: Reassembly,
    pub(super) trains: Trains,
    pub(super) held: Held,
    pub(super) sessions: Sessions,
    pub(super) receipts: Receipts,
    pub(super) receipted: Receipted,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
    pub(super) announcer: Announcer,
    pub(super) board: Board,
    pub(super) groups: Groups,
    pub(super) counters: Counters,
    pub(super) last_stamp: UnixMillis,
    pub(super) clock_reported: bool,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// A node that has not started yet; `seed` feeds every random choice it will make.
    pub fn new(identity: Identity, config: Config, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut link_seed = [0; 32];
        rng.fill_bytes(&mut link_seed);
        let me = identity.peer_id();
        let link = link::Config { own_peer: Some(me), ..config.link.clone() };
        Self {
            me,
            identity,
            links: LinkLayer::new(link, link_seed),
            bindings: Bindings::default(),
            peers: Peers::new(config.max_peers),
            dedup: Dedup::new(config.dedup.clone(), &mut rng),
            relays: Relays::default(),
            reassembly: Reassembly::default(),
            trains: Trains::default(),
            held: Held::default(),
            sessions: Sessions::default(),
            receipts: Receipts::default(),
            receipted: Receipted::default(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            announcer: Announcer::default(),
            board: Board::default(),
            groups: Groups::default(),
            counters: Counters::default(),
            last_stamp: UnixMillis(0),
            clock_reported: false,
            config,
            rng,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input; afterwards drain [`Self::poll_output`].
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Radio(event) => self.links.handle(link::Input::Radio(event), now),
            Input::Command(command) => self.command(command, now),
            Input::Restore(kept) => self.restore(kept, now),
            Input::Timeout => {
                self.links.handle(link::Input::Timeout, now);
                self.run_timers(now);
            }
        }
        self.drain_links(now);
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle` with `Input::Timeout`; late or early is safe.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [
            self.links.poll_timeout(),
            self.relays.poll_timeout(),
            self.trains.poll_timeout(),
            self.announcer.poll_timeout(),
            self.board.poll_timeout(),
            self.groups.poll_timeout(),
            self.sessions.poll_timeout(),
            self.outgoing.poll_timeout(),
            self.reassembly.poll_timeout(),
            self.peers.poll_timeout(&self.bindings.neighbours()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Our own id on the mesh.
    pub fn peer_id(&self) -> PeerId {
        self.me
    }

    /// Everybody heard, by peer id.
    pub fn peers(&self, now: Now) -> Vec<PeerInfo> {
        let heard = self.peers.iter().filter(|(_, peer)| peer.was_heard());
        heard.map(|(id, peer)| self.info(id, peer, now)).collect()
    }

    /// What was done since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The links as the link layer knows them.
    pub fn links(&self) -> &LinkLayer {
        &self.links
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn emit_peer(&mut self, id: PeerId, now: Now) {
        if let Some(peer) = self.peers.get(id) {
            let info = self.info(id, peer, now);
            self.emit(Event::Peer(info));
        }
    }

    fn info(&self, id: PeerId, peer: &Peer, now: Now) -> PeerInfo {
        let links = self.bindings.links_of(id);
        let reach = match (links.is_empty(), peer.present) {
            (false, _) => Reach::Direct,
            (true, true) => Reach::Mesh,
            (true, false) => Reach::Gone,
        };
        PeerInfo {
            id,
            fingerprint: peer.fingerprint,
            nickname: peer.nickname.clone(),
            reach,
            links,
            last_seen: peer.last_seen,
            session: self.sessions.stands(id, now.instant),
        }
    }

    fn command(&mut self, command: Command, now: Now) {
        match command {
            Command::Flood { attempt, packet } => self.flood(attempt, &packet, now),
            Command::Relay { packet } => self.brought(&packet, now),
            Command::SendPrivate { attempt, to, id, text } => self.send_private(attempt, to, id, &text, now),
            Command::SendRead { attempt, to, id, wire_ids } => {
                let payloads = wire_ids.into_iter().map(|id| NoisePayload::ReadReceipt { id }).collect();
                self.send_notice(id, Message { attempt, to, payloads, wants_receipt: false }, now);
            }
            Command::SendCard { attempt, to, id, card } => {
                let payloads = vec![NoisePayload::Card(card)];
                self.send_notice(id, Message { attempt, to, payloads, wants_receipt: false }, now);
            }
            Command::Cancel { attempt, id } => self.outgoing.cancel(attempt, id),
            Command::Acknowledge { to, wire_ids } => {
                for id in wire_ids {
                    self.send_receipt(to, NoisePayload::Delivered { id }, now);
                }
            }
            Command::Greet { peer } => self.warm(peer, now),
            Command::Know(introduction) => self.know(introduction, now),
            Command::Group(command) => self.group_command(command, now),
            Command::Board(command) => self.board_command(command, now),
            Command::Leave => self.leave(now),
        }
    }

    /// Each machine takes back what it kept; what none wants any more is no longer kept.
    fn restore(&mut self, kept: Vec<Kept>, now: Now) {
        for Kept { shelf, key, value } in kept {
            match shelf {
                Shelf::Board => self.restore_notice(key, &value, now),
                Shelf::Groups => self.restore_group(key, &value, now),
                Shelf::Archive
                | Shelf::Courier
                | Shelf::Prekeys
                | Shelf::Bundles
                | Shelf::People => self.keep(Keep::Remove { shelf, key }),
            }
        }
    }

    pub(super) fn keep(&mut self, change: Keep) {
        self.outputs.push_back(Output::Keep(change));
    }

    fn warm(&mut self, peer: PeerId, now: Now) {
        let there = self.peers.get(peer).is_some_and(|peer| peer.present);
        if there && !self.sessions.stands(peer, now.instant) && self.clock_refusal(now).is_none() {
            self.greet(peer, now);
        }
    }

    fn know(&mut self, introduction: Introduction, now: Now) {
        let id = Fingerprint::of(&introduction.noise_public).peer_id();
        if id == self.me {
            return;
        }
        if self.peers.know(id, introduction) {
            self.emit(Event::PeerGone { peer: id, left: false });
        }
        self.show_held(id, now);
    }

    pub(super) fn give_up(&mut self, lost: impl Fn(PeerId) -> bool, reason: Expiry) {
        for expired in self.outgoing.give_up(lost, reason) {
            self.report_expired(expired);
        }
    }

    fn drain_links(&mut self, now: Now) {
        while let Some(output) = self.links.poll_output() {
            match output {
                link::Output::Radio(command) => self.outputs.push_back(Output::Radio(command)),
                link::Output::Event(event) => self.link_event(event, now),
            }
        }
    }

    fn link_event(&mut self, event: LinkEvent, now: Now) {
        match event {
            LinkEvent::Up { link, role, max_frame } => {
                self.bindings.up(link, role, max_frame);
                self.announcer.link_up(role, now.instant);
                self.emit(Event::LinkUp { link });
            }
            LinkEvent::Down { link, .. } => {
                self.relays.link_down(link);
                self.trains.link_down(link);
                let peer = self.bindings.down(link);
                if self.bindings.is_empty() {
                    self.announcer.alone();
                }
                self.emit(Event::LinkDown { link });
                if self.bindings.is_empty() {
                    self.give_up(|_| true, Expiry::Alone);
                }
                if let Some(peer) = peer {
                    self.emit_peer(peer, now);
                }
            }
            LinkEvent::Frame { link, frame } => self.frame(link, &frame, now),
            LinkEvent::Adapter { adapter, up } => self.emit(Event::Adapter { adapter, up }),
        }
    }

    fn run_timers(&mut self, now: Now) {
        self.send_due_relays(now);
        self.send_due_fragments(now);
        if self.announcer.due(self.peers.present(), now.instant, &mut self.rng) {
            self.announce(now);
        }
        self.repeat_handshakes(now);
        self.send_due_private(now);
        self.reassembly.expire(now.instant);
        self.sweep_board(now);
        self.run_groups(now);
        let neighbours = self.bindings.neighbours();
        while let Some(peer) = self.peers.pop_silent(&neighbours, now.instant) {
            self.emit(Event::PeerGone { peer, left: false });
        }
    }
}
