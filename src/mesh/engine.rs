//! The engine: one BitChat node without a radio, a clock or a task.
//!
//! It owns the machines that each keep one part of the state, gives every input to the one it concerns, and
//! drains the link layer within the same turn. What arrives goes through [`super::ingress`], what leaves through
//! [`super::egress`].

use std::collections::VecDeque;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::airtime::Airtime;
use super::announcer::Announcer;
use super::bindings::Bindings;
use super::board::Board;
use super::clocks::Clocks;
use super::config::Config;
use super::courier::{Carried, Counts, Deposits, OpenedMail};
use super::dedup::Dedup;
use super::error::Counters;
use super::event::{Command, Event, Expiry, Input, Output, PeerInfo, Reach};
use super::forgeries::Forgeries;
use super::gossip::Gossip;
use super::groups::Groups;
use super::held::Held;
use super::incoming::Incoming;
use super::kept::{Keep, Kept, Shelf};
use super::limits::Limits;
use super::media::Media;
use super::outgoing::{Message, Outgoing};
use super::peers::{Peer, Peers};
use super::ping::Pings;
use super::prekeys::{Bundles, OwnPrekeys};
use super::reassembly::Reassembly;
use super::receipts::{Receipted, Receipts};
use super::refused::Refused;
use super::relay::Relays;
use super::routes::Routes;
use super::sessions::Sessions;
use super::spool::Spool;
use super::topology::Topology;
use super::train::Trains;
use super::trust::{Challenges, Trust};
use crate::crypto::Identity;
use crate::ids::PeerId;
use crate::link::event::{LinkEvent, RadioCommand, RadioEvent};
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
    pub(super) spool: Spool,
    pub(super) refused: Refused,
    pub(super) reassembly: Reassembly,
    pub(super) trains: Trains,
    pub(super) held: Held,
    pub(super) sessions: Sessions,
    pub(super) receipts: Receipts,
    pub(super) receipted: Receipted,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
    pub(super) announcer: Announcer,
    pub(super) media: Media,
    pub(super) topology: Topology,
    pub(super) routes: Routes,
    pub(super) pings: Pings,
    pub(super) limits: Limits,
    pub(super) forgeries: Forgeries,
    pub(super) airtime: Airtime,
    pub(super) board: Board,
    pub(super) groups: Groups,
    pub(super) gossip: Gossip,
    pub(super) trust: Trust,
    pub(super) challenges: Challenges,
    pub(super) own_prekeys: OwnPrekeys,
    pub(super) bundles: Bundles,
    pub(super) carried: Carried,
    pub(super) deposits: Deposits,
    pub(super) opened_mail: OpenedMail,
    pub(super) courier_counts: Counts,
    /// When everything carried and deposited is looked through again.
    pub(super) courier_due: Option<Instant>,
    pub(super) counters: Counters,
    pub(super) last_stamp: UnixMillis,
    pub(super) clock_reported: bool,
    pub(super) clocks: Clocks,
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
            spool: Spool::default(),
            refused: Refused::default(),
            reassembly: Reassembly::default(),
            trains: Trains::default(),
            held: Held::default(),
            sessions: Sessions::default(),
            receipts: Receipts::default(),
            receipted: Receipted::default(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            announcer: Announcer::default(),
            media: Media::default(),
            topology: Topology::default(),
            routes: Routes::default(),
            pings: Pings::default(),
            limits: Limits::default(),
            forgeries: Forgeries::default(),
            airtime: Airtime::default(),
            board: Board::default(),
            groups: Groups::default(),
            gossip: Gossip::new(config.gossip.clone()),
            trust: Trust::default(),
            challenges: Challenges::default(),
            own_prekeys: OwnPrekeys::default(),
            bundles: Bundles::default(),
            carried: Carried::default(),
            deposits: Deposits::default(),
            opened_mail: OpenedMail::default(),
            courier_counts: Counts::default(),
            courier_due: None,
            counters: Counters::default(),
            last_stamp: UnixMillis(0),
            clock_reported: false,
            clocks: Clocks::default(),
            config,
            rng,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input; afterwards drain [`Self::poll_output`].
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Radio(event) => {
                if let RadioEvent::Written { link } = event {
                    self.airtime.written(link, now.instant);
                }
                self.links.handle(link::Input::Radio(event), now);
            }
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
            self.trains.poll_timeout(|link| self.airtime.next_piece(link)),
            self.announcer.poll_timeout(),
            self.board.poll_timeout(),
            self.groups.poll_timeout(),
            self.challenges.poll_timeout(),
            self.sessions.poll_timeout(),
            self.outgoing.poll_timeout(),
            self.reassembly.poll_timeout(),
            self.media.poll_timeout(),
            self.routes.poll_timeout(),
            self.pings.poll_timeout(),
            self.gossip.poll_timeout(),
            self.courier_due,
            self.prekeys_timeout(),
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
            noise_public: peer.noise_public,
            signing_public: peer.signing_public,
            trust: self.trust.level(peer.fingerprint, now.unix),
            standing: self.trust.standing(peer.fingerprint),
            favours_us: self.trust.favours_us(peer.fingerprint),
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
                self.mail_stored(to, &wire_ids);
                for id in wire_ids {
                    self.file_stored(to, &id);
                    self.send_receipt(to, NoisePayload::Delivered { id }, now);
                }
            }
            Command::Greet { peer } => self.warm(peer, now),
            Command::Group(command) => self.group_command(command, now),
            Command::Diagnostics(command) => self.diagnose(command, now),
            Command::Board(command) => self.board_command(command, now),
            Command::Know(introduction) => self.introduce(introduction, now),
            Command::People(command) => self.people_command(command, now),
            Command::Courier(command) => self.courier_command(command, now),
            Command::Media(command) => self.media_command(command, now),
            Command::Leave => self.leave(now),
        }
    }

    /// Each machine takes back what it kept; what none wants any more is no longer kept.
    fn restore(&mut self, kept: Vec<Kept>, now: Now) {
        for kept in kept {
            let taken = match kept.shelf {
                Shelf::Prekeys | Shelf::Bundles => self.restore_prekeys(&kept),
                Shelf::Board => self.restore_notice(&kept, now),
                Shelf::Courier => self.restore_courier(&kept, now),
                Shelf::Archive => self.restore_packet(&kept, now),
                Shelf::People => self.restore_person(&kept),
                Shelf::Groups => self.restore_group(&kept, now),
                Shelf::Letters => false,
            };
            if !taken {
                let Kept { shelf, key, .. } = kept;
                self.keep(Keep::Remove { shelf, key });
            }
        }
    }

    pub(super) fn keep(&mut self, change: Keep) {
        self.outputs.push_back(Output::Keep(change));
    }

    pub(super) fn keep_all(&mut self, changes: Vec<Keep>) {
        self.outputs.extend(changes.into_iter().map(Output::Keep));
    }

    pub(super) fn warm(&mut self, peer: PeerId, now: Now) {
        let there = self.peers.is_present(peer);
        if there && !self.sessions.stands(peer, now.instant) && self.clock_refusal(now).is_none() {
            self.greet(peer, now);
        }
    }

    pub(super) fn give_up(&mut self, lost: impl Fn(PeerId) -> bool, reason: Expiry) {
        for expired in self.outgoing.give_up(lost, reason) {
            self.report_expired(expired);
        }
    }

    fn drain_links(&mut self, now: Now) {
        while let Some(output) = self.links.poll_output() {
            match output {
                link::Output::Radio(command) => {
                    if let RadioCommand::Write { link, frame } = &command {
                        self.airtime.handed(*link, frame.len(), now.instant);
                    }
                    self.outputs.push_back(Output::Radio(command));
                }
                link::Output::Event(event) => self.link_event(event, now),
            }
        }
    }

    fn link_event(&mut self, event: LinkEvent, now: Now) {
        match event {
            LinkEvent::Up { link, role, max_frame } => {
                self.bindings.up(link, role, max_frame);
                self.announcer.link_up(link, role, now.instant);
                self.emit(Event::LinkUp { link });
            }
            LinkEvent::Down { link, .. } => {
                self.relays.link_down(link);
                self.trains.link_down(link);
                self.pings.link_down(link);
                self.limits.link_down(link);
                self.forgeries.link_down(link);
                self.airtime.link_down(link);
                self.announcer.link_down(link);
                self.gossip.link_down(link);
                let peer = self.bindings.down(link);
                if self.bindings.is_empty() {
                    self.announcer.alone();
                }
                self.emit(Event::LinkDown { link });
                if self.bindings.is_empty() {
                    self.give_up(|_| true, Expiry::Alone);
                }
                self.end_cut_trains(now);
                if let Some(peer) = peer {
                    self.courier_parted(peer);
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
        if self.announcer.due(self.peers.any_present(), now.instant, &mut self.rng) {
            self.announce(now);
        }
        while let Some((link, frame)) = self.announcer.pop_repeat(now.instant) {
            self.announce_again(link, frame, now);
        }
        self.repeat_handshakes(now);
        self.expire_challenges(now);
        self.send_due_private(now);
        self.reassembly.expire(now.instant);
        self.media_timers(now);
        self.routes.expire(now.instant);
        self.give_up_pings(now);
        self.sweep_board(now);
        self.run_groups(now);
        self.run_gossip(now);
        self.run_prekeys(now);
        self.run_courier(now);
        let neighbours = self.bindings.neighbours();
        while let Some(peer) = self.peers.pop_silent(&neighbours, now.instant) {
            self.emit(Event::PeerGone { peer, left: false });
        }
    }
}
