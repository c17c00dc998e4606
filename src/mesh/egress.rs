//! What leaves: our own packets made, signed, padded, cut and put on links; those of others passed on.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use rand_core::RngCore;

use super::config::{CLOCK_TOLERANCE, MAX_PRIVATE_TEXT, ORIGIN_TTL, PUBLIC_LIFETIME};
use super::dedup::Key;
use super::engine::Engine;
use super::error::{DropReason, Refusal};
use super::event::Event;
use super::fanout::{Choice, one_per_peer};
use super::handshake_rate::Asked;
use super::outgoing::{Due, Expired, MAX_OUTGOING, Message, Why};
use super::relay::Policy;
use super::train::{BROADCAST_GAP, DIRECTED_GAP, Train};
use crate::ids::{AttemptId, LinkId, MessageId, PeerId};
use crate::link;
use crate::link::event::{LinkCommand, Priority};
use crate::time::{Now, UnixMillis};
use crate::wire::{
    Announce, EncodeError, MAX_NEIGHBOURS, MAX_TEXT_LEN, NoisePayload, Packet, PacketType, PartId, PeerState,
    Received, Version, chunk_for, fragments, padding, split_text,
};

/// Before or after what else waits on a link (spec 1.4).
fn priority_of(packet: &Packet, me: PeerId) -> Priority {
    match (packet.packet_type == PacketType::Fragment, packet.sender == me) {
        (true, _) => Priority::Fragment,
        (false, true) => Priority::Own,
        (false, false) => Priority::Relayed,
    }
}

/// Where a packet of ours goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// To everyone.
    Everyone,
    /// To one peer, over the links bound to it, or over all when none is.
    Peer(PeerId),
    /// To one peer, over all links: an earlier try went unanswered.
    PeerEverywhere(PeerId),
}

impl Engine {
    /// Sends a public packet that the node signed.
    pub(super) fn flood(&mut self, attempt: AttemptId, frame: &Bytes, now: Now) {
        if let Err(reason) = self.try_flood(attempt, frame, now) {
            self.emit(Event::Refused { attempt, reason });
        }
    }

    fn try_flood(&mut self, attempt: AttemptId, frame: &Bytes, now: Now) -> Result<(), Refusal> {
        let received = Received::decode(frame).map_err(|_| Refusal::NotPublic)?;
        let frame = &received.relayed(received.packet().ttl.min(self.config.hop_limit));
        let packet = received.packet();
        let public = packet.packet_type == PacketType::Message && packet.is_broadcast();
        if !public || packet.sender != self.me || packet.signature.is_none() {
            return Err(Refusal::NotPublic);
        }
        if let Some(refusal) = self.clock_refusal(now) {
            return Err(refusal);
        }
        let age = packet.timestamp.abs_diff(now.unix);
        if age > PUBLIC_LIFETIME {
            return Err(Refusal::Stale { age });
        }
        if self.bindings.is_empty() {
            return Err(Refusal::NobodyNear);
        }
        self.last_stamp = self.last_stamp.max(packet.timestamp.min(now.unix));
        let links = self.links_for(packet, Aim::Everyone);
        let full = Refusal::QueueFull { max: super::train::MAX_TRAINS };
        let fragments = self.transmit(packet, frame, links, None, now).ok_or(full)?;
        self.counters.originated += 1;
        self.emit(Event::Sent { attempt, id: MessageId::from(packet.id()), fragments });
        Ok(())
    }

    pub(super) fn send_private(
        &mut self,
        attempt: AttemptId,
        to: PeerId,
        id: MessageId,
        text: &str,
        now: Now,
    ) {
        let refusal = match text.len() {
            0 => Some(Refusal::Empty),
            len if len > MAX_PRIVATE_TEXT => Some(Refusal::TooLong { len, max: MAX_PRIVATE_TEXT }),
            _ => None,
        };
        if let Some(reason) = refusal {
            return self.emit(Event::Refused { attempt, reason });
        }
        self.send_notice(id, Message { attempt, to, payloads: parts(id, text), wants_receipt: true }, now);
    }

    /// Takes a message for one peer, and sends it if it can go at once.
    pub(super) fn send_notice(&mut self, id: MessageId, message: Message, now: Now) {
        let attempt = message.attempt;
        let refusal = match message.payloads.as_slice() {
            [] => Some(Refusal::Empty),
            _ if message.to == self.me => Some(Refusal::ToSelf),
            _ if self.bindings.is_empty() => Some(Refusal::NobodyNear),
            _ => self.clock_refusal(now),
        };
        if let Some(reason) = refusal {
            return self.emit(Event::Refused { attempt, reason });
        }
        if !self.outgoing.add(id, message, now.instant) {
            return self.emit(Event::Refused { attempt, reason: Refusal::QueueFull { max: MAX_OUTGOING } });
        }
        self.send_due_private(now);
    }

    /// Says goodbye to everyone.
    pub(super) fn leave(&mut self, now: Now) {
        if let Some(packet) = self.signed(PacketType::Leave, Bytes::new(), now) {
            self.put(&packet, Aim::Everyone, now);
        }
    }

    /// Tells everyone who we are, over every link.
    pub(super) fn announce(&mut self, now: Now) {
        let announce = Announce {
            nickname: self.config.nickname.clone(),
            noise_public: self.identity.noise_public(),
            signing_public: self.identity.signing_public(),
            neighbours: self.bindings.neighbours().into_iter().take(MAX_NEIGHBOURS).collect(),
            capabilities: Some(self.config.capabilities),
            bridge_geohash: None,
        };
        let Ok(payload) = announce.encode() else { return };
        let Some(packet) = self.signed(PacketType::Announce, payload.into(), now) else { return };
        let links = self.bindings.candidates().into_iter().map(|candidate| candidate.link).collect();
        if self.transmit_own(&packet, links, now).is_some()
            && let Ok(frame) = packet.encode()
        {
            self.announcer.announced(frame.into());
        }
    }

    /// Tells who has just come over a new link what everyone was told last.
    pub(super) fn announce_again(&mut self, link: LinkId, frame: Bytes, now: Now) {
        let whole = self.bindings.max_frame(link).is_some_and(|most| frame.len() <= most);
        if whole && self.clock_refusal(now).is_none() {
            let send = LinkCommand::Send { link, frame, priority: Priority::Own };
            self.links.handle(link::Input::Command(send), now);
        }
    }

    pub(super) fn send_due_fragments(&mut self, now: Now) {
        while let Some(due) = self.trains.pop_due(
            now.instant,
            |link| self.links.has_room(link),
            |link| self.airtime.next_piece(link),
        ) {
            for link in due.links {
                if due.onward {
                    self.airtime.piece_went(link, due.frame.len(), now.instant);
                }
                let send = LinkCommand::Send { link, frame: due.frame.clone(), priority: Priority::Fragment };
                self.links.handle(link::Input::Command(send), now);
            }
            if let Some((attempt, to_go)) = due.of {
                self.piece_left(attempt, to_go, now);
            }
        }
        self.end_cut_trains(now);
    }

    /// Whoever waits for a train that no link takes any more hears of it.
    pub(super) fn end_cut_trains(&mut self, now: Now) {
        while let Some(name) = self.trains.pop_cut() {
            match name {
                Some(attempt) => self.file_cut(attempt, now),
                None => self.counters.drop(DropReason::Cut),
            }
        }
    }

    pub(super) fn repeat_handshakes(&mut self, now: Now) {
        while let Some(again) = self.sessions.pop_repeat(now.instant) {
            self.bindings.distrust(again.peer, now.instant);
            self.send_handshake(Aim::PeerEverywhere(again.peer), again.message, now);
        }
        self.sessions.expire(now.instant);
    }

    pub(super) fn send_due_private(&mut self, now: Now) {
        while let Some(due) = self.outgoing.pop_due(now.instant) {
            match due {
                Due::Expired(expired) => self.report_expired(expired),
                Due::Send { to, id, payloads, why } => {
                    if why == Why::Unanswered {
                        self.bindings.distrust(to, now.instant);
                    }
                    self.send_or_greet(to, id, &payloads, why != Why::First, now);
                }
            }
        }
    }

    fn send_or_greet(
        &mut self,
        to: PeerId,
        id: MessageId,
        payloads: &[NoisePayload],
        everywhere: bool,
        now: Now,
    ) {
        if !self.sessions.stands(to, now.instant) {
            return self.greet(to, now);
        }
        let aim = if everywhere { Aim::PeerEverywhere(to) } else { Aim::Peer(to) };
        let on_a_link = payloads.iter().filter(|payload| self.send_inner(aim, to, payload, now)).count();
        if on_a_link == payloads.len()
            && let Some(attempt) = self.outgoing.sent(id)
        {
            self.emit(Event::Sent { attempt, id, fragments: 0 });
        }
        if everywhere && self.sessions.is_quiet(to, now.instant) {
            // It may hold another session than we do: the end of a handshake got lost.
            self.greet(to, now);
        }
    }

    /// Begins a handshake, unless one is under way.
    pub(super) fn greet(&mut self, peer: PeerId, now: Now) {
        self.greet_over(None, peer, now);
    }

    /// The same, because of what came over a link.
    pub(super) fn greet_over(&mut self, link: Option<LinkId>, peer: PeerId, now: Now) {
        let asked = Asked { peer, link, standing: self.handshake_standing(peer, link, now) };
        if let Some(message) = self.sessions.begin(asked, &self.identity, now.instant, &mut self.rng) {
            self.send_handshake(Aim::Peer(peer), message, now);
        }
    }

    pub(super) fn send_handshake(&mut self, aim: Aim, message: Vec<u8>, now: Now) {
        let packet = self.unsigned(PacketType::NoiseHandshake, aim, message.into(), now);
        self.put(&packet, aim, now);
    }

    pub(super) fn send_receipt(&mut self, to: PeerId, receipt: NoisePayload, now: Now) {
        if self.sessions.stands(to, now.instant) {
            self.send_inner(Aim::Peer(to), to, &receipt, now);
        } else {
            self.receipts.add(to, receipt);
            // To who is away it goes when they meet again.
            self.warm(to, now);
        }
    }

    /// Proves our capabilities and signing key inside the session (spec 3.6.11).
    pub(super) fn send_peer_state(&mut self, to: PeerId, now: Now) {
        let state = PeerState {
            capabilities: self.config.capabilities,
            signing_public: self.identity.signing_public(),
        };
        self.send_inner(Aim::Peer(to), to, &NoisePayload::PeerState(state), now);
    }

    /// Encrypts and sends one inner payload; whether it was put on a link.
    pub(super) fn send_inner(&mut self, aim: Aim, to: PeerId, payload: &NoisePayload, now: Now) -> bool {
        let Ok(plaintext) = payload.encode() else { return false };
        let Some(sealed) = self.sessions.seal(to, &plaintext, now.instant) else { return false };
        let packet = self.unsigned(PacketType::NoiseEncrypted, aim, sealed.into(), now);
        self.put(&packet, aim, now).is_some()
    }

    pub(super) fn report_expired(&mut self, Expired { attempt, id, reason }: Expired) {
        self.emit(Event::Expired { attempt, id, reason });
    }

    /// Chooses the links for a packet of ours and sends it; the number of fragments, `None` when it went nowhere.
    pub(super) fn put(&mut self, packet: &Packet, aim: Aim, now: Now) -> Option<u16> {
        match aim {
            Aim::PeerEverywhere(peer) => self.routes.unanswered(peer, now.instant),
            Aim::Peer(_) => {
                if let Some((routed, first)) = self.along_route(packet, now) {
                    let links = self.links_for(&routed, Aim::Peer(first));
                    return self.transmit_own(&routed, links, now);
                }
            }
            Aim::Everyone => {}
        }
        let links = self.links_for(packet, aim);
        self.transmit_own(packet, links, now)
    }

    fn links_for(&self, packet: &Packet, aim: Aim) -> BTreeSet<LinkId> {
        let (policy, key, packet_type) = (self.config.policy, Key::of(packet), packet.packet_type);
        let choice = Choice { policy, key, packet_type, ingress: None, has_it: &[] };
        let candidates = self.bindings.candidates();
        match aim {
            Aim::Everyone | Aim::PeerEverywhere(_) => choice.broadcast(&candidates),
            Aim::Peer(peer) => choice.directed(peer, &candidates),
        }
    }

    fn transmit_own(&mut self, packet: &Packet, links: BTreeSet<LinkId>, now: Now) -> Option<u16> {
        if links.is_empty() || self.clock_refusal(now).is_some() {
            return None;
        }
        let mut frame = packet.encode().ok()?;
        if matches!(packet.packet_type, PacketType::NoiseHandshake | PacketType::NoiseEncrypted) {
            padding::pad(&mut frame);
        }
        let fragments = self.transmit(packet, &frame.into(), links, None, now)?;
        self.counters.originated += 1;
        Some(fragments)
    }

    /// Puts a frame on links: whole where it fits, in fragments where it does not (spec 3.8). One of somebody else came
    /// over the link `ingress`.
    pub(super) fn transmit(
        &mut self,
        packet: &Packet,
        frame: &Bytes,
        links: BTreeSet<LinkId>,
        ingress: Option<LinkId>,
        now: Now,
    ) -> Option<u16> {
        let own = packet.sender == self.me;
        if own && packet.is_broadcast() {
            self.remember_own(frame, now);
        }
        let limit = |link: &LinkId| self.bindings.max_frame(*link).unwrap_or(0);
        let (whole, cut): (BTreeSet<LinkId>, BTreeSet<LinkId>) =
            links.into_iter().partition(|link| frame.len() <= limit(link));
        let cut = if packet.is_broadcast() { cut } else { self.once_to_each(cut, &whole) };
        let shortest = cut.iter().map(limit).min();
        for link in whole {
            let priority = priority_of(packet, self.me);
            let send = LinkCommand::Send { link, frame: frame.clone(), priority };
            self.links.handle(link::Input::Command(send), now);
        }
        let Some(shortest) = shortest else { return Some(0) };
        let fragments = self.cut(packet, frame, shortest)?;
        let count = u16::try_from(fragments.len()).ok()?;
        if packet.is_broadcast() {
            for received in fragments.iter().filter_map(|fragment| Received::decode(fragment).ok()) {
                self.remember(&received, own, ingress, now);
            }
        }
        let gap = if packet.is_broadcast() { BROADCAST_GAP } else { DIRECTED_GAP };
        let ends_here = |link: &LinkId| self.bindings.peer_of(*link) == packet.recipient;
        let onward = packet.is_broadcast() || !cut.iter().all(ends_here);
        let train = Train { fragments, links: cut, gap, onward, own };
        self.trains.add(train, now.instant).then_some(count)
    }

    /// Of the links that take only pieces of a packet for one peer, one to each peer, and none to who gets it whole: by our
    /// own rules, which send a frame for one peer over all its links.
    fn once_to_each(&self, cut: BTreeSet<LinkId>, whole: &BTreeSet<LinkId>) -> BTreeSet<LinkId> {
        let policy = self.config.policy;
        if policy != Policy::Hopline {
            return cut;
        }
        let has_it: BTreeSet<PeerId> = whole.iter().filter_map(|&link| self.bindings.peer_of(link)).collect();
        let mut candidates = self.bindings.candidates();
        candidates.retain(|it| cut.contains(&it.link) && !it.peer.is_some_and(|peer| has_it.contains(&peer)));
        one_per_peer(policy, &candidates)
    }

    /// The encoded fragment packets of a frame: of the same sender, time, TTL and recipient (spec 3.8).
    pub(super) fn cut(&mut self, packet: &Packet, frame: &Bytes, limit: usize) -> Option<VecDeque<Bytes>> {
        let mut id = [0; 8];
        self.rng.fill_bytes(&mut id);
        let chunk = chunk_for(limit, packet.route.len());
        fragments(frame, id, packet.packet_type, chunk)
            .ok()?
            .map(|fragment| {
                let packet = Packet {
                    packet_type: PacketType::Fragment,
                    version: if packet.route.is_empty() { Version::V1 } else { Version::V2 },
                    payload: fragment.encode().into(),
                    signature: None,
                    ..packet.clone()
                };
                packet.encode().ok().map(Bytes::from)
            })
            .collect()
    }

    /// Signs a packet of ours and sends it; the number of fragments, `None` when it went nowhere.
    pub(super) fn send_signed(
        &mut self,
        packet_type: PacketType,
        aim: Aim,
        payload: Bytes,
        now: Now,
    ) -> Option<u16> {
        let packet = self.signed_to(packet_type, aim, payload, now)?;
        self.put(&packet, aim, now)
    }

    pub(super) fn signed(&mut self, packet_type: PacketType, payload: Bytes, now: Now) -> Option<Packet> {
        self.signed_to(packet_type, Aim::Everyone, payload, now)
    }

    fn signed_to(&mut self, packet_type: PacketType, aim: Aim, payload: Bytes, now: Now) -> Option<Packet> {
        let packet = self.unsigned(packet_type, aim, payload, now);
        self.sign(packet).ok()
    }

    /// A packet of ours with its signature.
    pub(super) fn sign(&self, mut packet: Packet) -> Result<Packet, EncodeError> {
        packet.signature = Some(self.identity.sign(&packet.signing_preimage()?));
        Ok(packet)
    }

    pub(super) fn unsigned(&mut self, packet_type: PacketType, aim: Aim, payload: Bytes, now: Now) -> Packet {
        Packet {
            version: Version::V1,
            packet_type,
            ttl: self.first_ttl(packet_type),
            timestamp: self.stamp(now),
            sender: self.me,
            recipient: match aim {
                Aim::Everyone => None,
                Aim::Peer(peer) | Aim::PeerEverywhere(peer) => Some(peer),
            },
            route: Vec::new(),
            rsr: false,
            payload,
            signature: None,
        }
    }

    /// A link is bound by an announce with the full TTL alone, so that one is not shortened.
    fn first_ttl(&self, packet_type: PacketType) -> u8 {
        if matches!(packet_type, PacketType::Announce | PacketType::Leave) {
            return ORIGIN_TTL;
        }
        self.config.hop_limit.clamp(1, ORIGIN_TTL)
    }

    /// A timestamp of ours, never the same twice: several dedupe keys of the apps rest on it (spec 4.3, 9). Where a clock
    /// was set back so far that nobody would take the next one, it begins again.
    fn stamp(&mut self, now: Now) -> UnixMillis {
        let next = UnixMillis(self.last_stamp.0.saturating_add(1));
        self.last_stamp = if next > now.unix + CLOCK_TOLERANCE { now.unix } else { now.unix.max(next) };
        self.last_stamp
    }

    pub(super) fn clock_refusal(&mut self, now: Now) -> Option<Refusal> {
        let floor = self.config.clock_floor;
        if now.unix >= floor {
            self.clock_reported = false;
            return None;
        }
        if !std::mem::replace(&mut self.clock_reported, true) {
            self.emit(Event::ClockUnset);
        }
        Some(Refusal::ClockUnset { now: now.unix, floor })
    }
}

/// A private text in parts, each with the id it has on the wire: the UUID itself when there is but one.
pub(super) fn parts(id: MessageId, text: &str) -> Vec<NoisePayload> {
    let part = |id: String, content: &str| NoisePayload::PrivateMessage { id, content: content.to_owned() };
    let pieces = split_text(text, MAX_TEXT_LEN);
    if let [whole] = pieces.as_slice() {
        return vec![part(id.to_string(), whole)];
    }
    let count = u16::try_from(pieces.len()).unwrap_or(u16::MAX);
    (1..=count)
        .zip(pieces)
        .filter_map(|(index, piece)| Some(part(PartId::new(id, index, count).ok()?.to_string(), piece)))
        .collect()
}
