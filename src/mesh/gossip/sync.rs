//! Gossip sync at work: packets are remembered, neighbours asked, their requests answered, their answers taken.

use std::collections::VecDeque;

use bytes::Bytes;

use super::kind::Kind;
use super::replies::Next;
use crate::ids::{LinkId, PacketId, PeerId};
use crate::link;
use crate::link::event::{LinkCommand, Priority};
use crate::mesh::config::CLOCK_TOLERANCE;
use crate::mesh::dedup::Key;
use crate::mesh::egress::Aim;
use crate::mesh::engine::Engine;
use crate::mesh::error::DropReason;
use crate::mesh::kept::Kept;
use crate::time::{Now, UnixMillis};
use crate::wire::{Filter, FilterHash, Packet, PacketType, Received, RequestSync, SyncTypes, sync_reply};

/// Whose share unsigned packets take that came over a link which leads to nobody known.
const NOBODY: PeerId = PeerId([0; 8]);

impl Engine {
    /// Remembers a packet that passed every check, if it is of a kind that is told on: for everyone, and signed by who
    /// it says, or of a kind that is never signed.
    pub(in crate::mesh) fn remember(
        &mut self,
        received: &Received,
        proven: bool,
        link: Option<LinkId>,
        now: Now,
    ) {
        let kind = Kind::of(received.packet().packet_type).filter(|&kind| kind != Kind::Board);
        let Some(kind) = kind else { return };
        let share = match (proven, kind.must_be_proven()) {
            (true, _) => received.packet().sender,
            (false, false) => link.and_then(|link| self.bindings.peer_of(link)).unwrap_or(NOBODY),
            (false, true) => return,
        };
        let (me, peers) = (self.me, &self.peers);
        let known = |peer| peer == me || peers.is_contact(peer);
        self.gossip.archive.remember(received, share, known, now.unix);
        self.write_archive();
    }

    /// Remembers a packet of ours.
    pub(in crate::mesh) fn remember_own(&mut self, frame: &Bytes, now: Now) {
        if let Ok(received) = Received::decode(frame) {
            self.remember(&received, true, None, now);
        }
    }

    /// Takes back a packet that an earlier run remembered. It was shown then.
    /// False when it is of no use any more.
    pub(in crate::mesh) fn restore_packet(&mut self, kept: &Kept, now: Now) -> bool {
        let Some(received) = self.gossip.archive.restore(kept, now.unix) else { return false };
        self.dedup.mark(Key::of(received.packet()), now);
        if received.packet().packet_type == PacketType::Announce
            && let Ok(announce) = self.introduced(&received, None, now)
        {
            let packet = received.packet();
            if self.peers.introduced(packet.sender, announce, packet.timestamp).is_err() {
                self.counters.drop(DropReason::KeyChanged);
            }
        }
        self.write_archive();
        true
    }

    /// Whether a packet answers a request of ours: a neighbour we asked in the last 30 s sent it for nobody else.
    ///
    /// The Android app does not set flag 10, so TTL 0 will do for what is old; it relays with TTL 0 too.
    pub(in crate::mesh) fn is_answer(
        &self,
        packet: &Packet,
        ttl: u8,
        link: Option<LinkId>,
        now: Now,
    ) -> bool {
        let peer = link.and_then(|link| self.bindings.peer_of(link));
        Kind::of(packet.packet_type).is_some()
            && (packet.rsr || (ttl == 0 && packet.timestamp.abs_diff(now.unix) > CLOCK_TOLERANCE))
            && peer.is_some_and(|peer| self.gossip.schedule.answers(peer, now.instant))
    }

    /// Whether the time a packet bears is one to take it at: the present, or for an answer a past that is still told of.
    pub(in crate::mesh) fn timely(
        &self,
        packet: &Packet,
        answer: bool,
        now: UnixMillis,
    ) -> Result<(), DropReason> {
        if packet.rsr && !answer {
            return Err(DropReason::UnrequestedReply);
        }
        if packet.timestamp.abs_diff(now) <= CLOCK_TOLERANCE {
            return Ok(());
        }
        let kind = Kind::of(packet.packet_type).filter(|_| answer && packet.timestamp < now);
        let kind = kind.ok_or(DropReason::Clock)?;
        let limits = &self.config.gossip;
        let age = match kind {
            // An old announce introduces what its author said before it went, and a train of fragments may carry that.
            Kind::Announce | Kind::Fragment => kind.limit(limits).age.max(limits.messages.age),
            Kind::Message | Kind::Group | Kind::Board | Kind::Prekey | Kind::File => kind.limit(limits).age,
        };
        if packet.timestamp + age <= now { Err(DropReason::TooOld) } else { Ok(()) }
    }

    /// A packet of ours comes back as the answer to a request: we lost it, it seems.
    pub(in crate::mesh) fn own_again(
        &mut self,
        received: &Received,
        link: Option<LinkId>,
        now: Now,
    ) -> Result<(), DropReason> {
        let packet = received.packet();
        let kind = Kind::of(packet.packet_type).ok_or(DropReason::Own)?;
        if kind.must_be_proven() {
            let key = self.identity.signing_public();
            self.vouched_for((), received, &key, link, now)?;
        }
        self.remember(received, kind.must_be_proven(), None, now);
        Ok(())
    }

    /// A neighbour asks for what it missed.
    ///
    /// A request is taken only from the neighbour itself: with TTL 0, over a link bound to its sender. A signature must
    /// fit, but there need not be one: the Android app does not sign, and the answer goes over this link alone.
    pub(in crate::mesh) fn sync_requested(
        &mut self,
        packet: &Packet,
        link: Option<LinkId>,
        now: Now,
    ) -> Result<(), DropReason> {
        let peer = packet.sender;
        let to_us = packet.is_broadcast() || packet.recipient == Some(self.me);
        let link = link.filter(|&link| self.bindings.peer_of(link) == Some(peer));
        let link = link.filter(|_| to_us && packet.ttl == 0).ok_or(DropReason::SyncRequest)?;
        let request = RequestSync::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        if self.clock_refusal(now).is_some() {
            return Err(DropReason::Clock);
        }
        if !self.gossip.replies.allow(peer, link, now.instant) {
            return Err(DropReason::SyncRate);
        }
        self.counters.sync.answered += 1;
        if request.wanted().contains(PacketType::BoardPost) {
            self.gossip.archive.show_board(self.board.frames(now.unix), now.unix);
        }
        let (me, peers) = (self.me, &self.peers);
        let is_here = |peer| peer == me || peers.is_present(peer);
        let missing = self.gossip.archive.missing(&request, is_here, now.unix);
        self.gossip.replies.begin(peer, link, missing, now.instant);
        self.send_replies(now);
        Ok(())
    }

    /// Asks, answers and forgets what is due.
    pub(in crate::mesh) fn run_gossip(&mut self, now: Now) {
        if self.gossip.sweep_due(now.instant) {
            self.gossip.archive.sweep(now.unix);
            self.write_archive();
        }
        self.send_replies(now);
        while let Some((peer, kinds)) =
            self.gossip.schedule.pop_due(now.instant, |peer| self.bindings.is_neighbour(peer))
        {
            self.ask(peer, &kinds, now);
        }
        let trains = self.gossip.stalled.pop_due(now.instant);
        if !trains.is_empty() {
            for peer in self.bindings.neighbours() {
                self.ask_for_fragments(peer, &trains, now);
            }
        }
    }

    fn ask(&mut self, peer: PeerId, kinds: &[Kind], now: Now) {
        if kinds.contains(&Kind::Board) {
            self.gossip.archive.show_board(self.board.frames(now.unix), now.unix);
        }
        let held = self.gossip.archive.newest_first(kinds);
        let hashes: Vec<FilterHash> = held.iter().map(|&(_, hash)| hash).collect();
        let (filter, covered) = self.filter(&hashes);
        let since = held.get(..covered).and_then(<[_]>::last).filter(|_| covered < held.len());
        let types = Some(SyncTypes::of(kinds.iter().map(|kind| kind.packet_type())));
        let since = since.map(|&(sent, _)| sent);
        self.request(peer, RequestSync { filter, types, since, fragment_ids: Vec::new() }, now);
    }

    /// What else we have is in the filter too, for the Android app, which does not see what it is asked for.
    fn ask_for_fragments(&mut self, peer: PeerId, trains: &[[u8; 8]], now: Now) {
        let archive = &self.gossip.archive;
        let pieces = archive.newest_first(&[Kind::Fragment]);
        let others = archive.newest_first(&[Kind::Announce, Kind::Message]);
        let hashes: Vec<FilterHash> = pieces.into_iter().chain(others).map(|(_, hash)| hash).collect();
        let (filter, _) = self.filter(&hashes);
        let types = Some(SyncTypes::of([PacketType::Fragment]));
        self.request(peer, RequestSync { filter, types, since: None, fragment_ids: trains.to_vec() }, now);
    }

    /// Another variant with every request.
    fn filter(&self, hashes: &[FilterHash]) -> (Filter, usize) {
        let variant = usize::try_from(self.counters.sync.asked).unwrap_or_default();
        Filter::varied(hashes, self.gossip.filter_bytes, variant)
    }

    fn request(&mut self, peer: PeerId, request: RequestSync, now: Now) {
        let Ok(payload) = request.encode() else { return };
        let aim = Aim::Peer(peer);
        let packet = self.unsigned(PacketType::RequestSync, aim, payload.into(), now);
        let Ok(packet) = self.sign(Packet { ttl: 0, ..packet }) else { return };
        if self.put(&packet, aim, now).is_some() {
            self.gossip.schedule.asked(peer, now.instant);
            self.counters.sync.asked += 1;
        }
    }

    fn send_replies(&mut self, now: Now) {
        while let Some((peer, link, next)) =
            self.gossip.replies.pop_due(now.instant, |link| self.links.has_room(link))
        {
            let frame = match next {
                Next::Piece(piece) => Some(piece),
                Next::Packet(kind, id) => self.reply(peer, link, (kind, id), now),
            };
            if let Some(frame) = frame {
                // Behind what is said now.
                let send = LinkCommand::Send { link, frame, priority: Priority::Fragment };
                self.links.handle(link::Input::Command(send), now);
            }
        }
    }

    /// A remembered packet as a reply, or the first piece of it.
    fn reply(&mut self, peer: PeerId, link: LinkId, (kind, id): (Kind, PacketId), now: Now) -> Option<Bytes> {
        if !self.gossip.replies.may_send(peer, now.instant) {
            self.counters.sync.cut_short += 1;
            return None;
        }
        let frame = sync_reply(self.gossip.archive.frame(kind, id)?);
        let limit = self.bindings.max_frame(link)?;
        let mut pieces = VecDeque::from([frame.clone()]);
        if frame.len() > limit {
            pieces = self.cut(Received::decode(&frame).ok()?.packet(), &frame, limit)?;
        }
        let bytes = pieces.iter().map(Bytes::len).sum();
        let first = pieces.pop_front();
        self.gossip.replies.sent(peer, id, bytes, pieces, now.instant);
        self.counters.sync.sent += 1;
        first
    }

    fn write_archive(&mut self) {
        self.counters.sync.remembered = u64::try_from(self.gossip.archive.len()).unwrap_or(u64::MAX);
        let changes = self.gossip.archive.take_changes();
        self.keep_all(changes);
    }
}

impl super::Gossip {
    /// What is remembered of what was said to groups, in the order in which it was said.
    pub(in crate::mesh) fn group_messages(&self) -> Vec<Packet> {
        let mut frames = self.archive.frames(Kind::Group);
        frames.sort_by_key(|(sent, _)| *sent);
        let packet = |(_, frame): (UnixMillis, &Bytes)| Some(Received::decode(frame).ok()?.packet().clone());
        frames.into_iter().filter_map(packet).collect()
    }

    /// A link was bound to a peer: it is asked soon for what we missed.
    pub(in crate::mesh) fn met(&mut self, peer: PeerId, now: Now) {
        self.schedule.met(peer, now.instant);
    }

    /// A link is gone.
    pub(in crate::mesh) fn link_down(&mut self, link: LinkId) {
        self.replies.link_down(link);
    }

    /// A piece of a train to everyone came over a link, and others are missing.
    pub(in crate::mesh) fn piece_is_missing(
        &mut self,
        author: PeerId,
        train: [u8; 8],
        link: Option<LinkId>,
        now: Now,
    ) {
        self.stalled.waits(author, train, link, now.instant);
    }

    /// The last piece of a train came.
    pub(in crate::mesh) fn train_is_whole(&mut self, author: PeerId, train: [u8; 8]) {
        self.stalled.over(author, train);
    }
}
