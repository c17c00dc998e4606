//! What arrives: checked in a fixed order, acted on, remembered, passed on (spec 4.1).
//!
//! 1. It decodes, and is no longer than packets of its type are.
//! 2. It is not ours.
//! 3. Its clock is right.
//! 4. It is new.
//! 5. Its signature holds, as far as the sender's key is known.
//! 6. Its type's handler accepts it.
//!
//! Only then is its id remembered and is it relayed: a damaged copy, sent ahead, cannot suppress the true one.

use bytes::Bytes;

use super::config::ORIGIN_TTL;
use super::dedup::{Key, Variant};
use super::engine::Engine;
use super::error::DropReason;
use super::event::{Event, Expiry, PublicMessage};
use super::lengths;
use super::peers::{Change, REACHABLE};
use super::reassembly::{Outcome, Source};
use super::routes;
use super::sessions::Stamp;
use super::trust::Keys;
use crate::crypto::Verified;
use crate::ids::{Fingerprint, LinkId, MessageId, PeerId};
use crate::nickname;
use crate::time::Now;
use crate::wire::{Announce, Fragment, Leave, Packet, PacketType, Received, Version};

/// How often a packet may be wrapped in fragments: once by its origin, once by a relay with a shorter MTU.
const MAX_WRAPS: u8 = 2;

/// Which way a packet came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// It was sent to whoever hears it.
    Mesh,
    /// A neighbour sent it as the answer to a request of ours: it may be old, and says nothing about who is on this
    /// mesh.
    Sync,
    /// Another transport brought it: it says nothing about that either, and whoever brought it has lowered its TTL.
    Transport,
}

/// How a packet came to us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Over which link; for a held packet it no longer matters.
    pub(super) link: Option<LinkId>,
    /// The TTL it, or the last of its fragments, arrived with.
    pub(super) ttl: u8,
    /// Over how many fragments.
    pub(super) fragments: u16,
    /// How often it was wrapped in fragments.
    wraps: u8,
    /// Which way.
    pub(super) via: Via,
}

impl Arrival {
    fn whole(ttl: u8) -> Self {
        Self { link: None, ttl, fragments: 0, wraps: 0, via: Via::Mesh }
    }
}

/// What is known of a packet's signature.
enum Authorship {
    /// Signed by the announced key of a known peer.
    Proven,
    /// An announce, signed by the key it announces.
    Introduced(Verified<Announce>),
    /// Not signed; the type does not ask for it.
    Unsigned,
    /// Signed by a key we do not know yet.
    Unknown,
}

impl Engine {
    pub(super) fn frame(&mut self, link: LinkId, frame: &Bytes, now: Now) {
        self.counters.received += 1;
        let result = match Received::decode(frame) {
            Ok(received) => {
                let arrival = Arrival { link: Some(link), ..Arrival::whole(received.packet().ttl) };
                self.packet(received, arrival, now)
            }
            Err(_) => Err(DropReason::Malformed),
        };
        if let Err(reason) = result {
            self.counters.drop(reason);
        }
    }

    /// A public message of somebody else that another transport brought.
    pub(super) fn brought(&mut self, frame: &Bytes, now: Now) {
        let result = match Received::decode(frame) {
            Ok(received) if is_public(received.packet()) => {
                let arrival = Arrival { via: Via::Transport, ..Arrival::whole(received.packet().ttl) };
                self.packet(received, arrival, now)
            }
            Ok(_) => Err(DropReason::Unsupported),
            Err(_) => Err(DropReason::Malformed),
        };
        if let Err(reason) = result {
            self.counters.drop(reason);
        }
    }

    fn packet(&mut self, received: Received, arrival: Arrival, now: Now) -> Result<(), DropReason> {
        let packet = received.packet();
        if !lengths::fits(packet) {
            return Err(DropReason::Payload);
        }
        let answer = self.is_answer(packet, arrival.ttl, arrival.link, now);
        let arrival = if answer { Arrival { via: Via::Sync, ..arrival } } else { arrival };
        if packet.sender == self.me && !answer {
            return Err(DropReason::Own);
        }
        let timely = self.timely(packet, answer, now.unix);
        if arrival.via == Via::Mesh {
            self.compare_clocks(packet, timely, now);
        }
        timely?;
        if packet.sender == self.me {
            return self.own_again(&received, arrival.link, now);
        }
        routes::check(packet)?;
        let key = Key::of(packet);
        if self.dedup.seen(key, packet.timestamp, now) {
            self.heard_again(key, &received, arrival, now);
            return Err(DropReason::Duplicate);
        }
        match self.authorship(&received, arrival.link, now)? {
            Authorship::Unknown => self.unknown_sender(key, received, arrival, now),
            authorship @ (Authorship::Proven | Authorship::Introduced(_) | Authorship::Unsigned) => {
                let proven = !matches!(authorship, Authorship::Unsigned);
                self.act(&received, authorship, arrival, now)?;
                self.dedup.mark(key, now);
                self.remember(&received, proven, arrival.link, now);
                if answer {
                    self.counters.sync.taken += 1;
                }
                self.pass_on(key, &received, arrival, proven, now)
            }
        }
    }

    /// A signed packet whose key we do not know: it passes once for each of at most four signatures, is relayed
    /// unchecked, and if it is a message, held until its sender's announce comes.
    fn unknown_sender(
        &mut self,
        key: Key,
        received: Received,
        arrival: Arrival,
        now: Now,
    ) -> Result<(), DropReason> {
        let packet = received.packet();
        let Some(signature) = packet.signature else { return Err(DropReason::Unsigned) };
        if packet.packet_type == PacketType::RequestSync {
            return Err(DropReason::SyncRequest);
        }
        if arrival.via == Via::Sync && !proves_itself(packet.packet_type) {
            // It is offered again as long as we do not have it, and perhaps with its author's announce.
            return Err(DropReason::UnknownSender);
        }
        let variant = key.variant(&signature);
        match self.dedup.variant(key, variant, packet.timestamp, now) {
            Variant::New => {}
            Variant::Seen => {
                self.heard_again(variant, &received, arrival, now);
                return Err(DropReason::Duplicate);
            }
            Variant::TooMany => return Err(DropReason::TooManyVariants),
        }
        if proves_itself(packet.packet_type) {
            self.act(&received, Authorship::Unknown, arrival, now)?;
        }
        self.dedup.mark_variant(key, variant, now);
        if arrival.via == Via::Sync {
            self.counters.sync.taken += 1;
        }
        let passed = match self.config.policy.passes_unknown(packet.packet_type) {
            true => self.pass_on(variant, &received, arrival, false, now),
            false => Ok(()),
        };
        if !is_public(packet) {
            return passed;
        }
        if let Err(reason) = passed {
            self.counters.drop(reason);
        }
        self.held.add(received, arrival, now.instant);
        Err(DropReason::UnknownSender)
    }

    /// Checks the signature as far as it can be checked.
    fn authorship(
        &mut self,
        received: &Received,
        link: Option<LinkId>,
        now: Now,
    ) -> Result<Authorship, DropReason> {
        let packet = received.packet();
        if packet.packet_type == PacketType::Announce {
            return self.introduced(received, link, now).map(Authorship::Introduced);
        }
        if packet.signature.is_none() {
            return if must_be_signed(packet) { Err(DropReason::Unsigned) } else { Ok(Authorship::Unsigned) };
        }
        let Some(peer) = self.peers.get(packet.sender) else { return Ok(Authorship::Unknown) };
        let key = peer.signing_public;
        self.vouched_for((), received, &key, link, now).map(|_| Authorship::Proven)
    }

    /// An announce vouches for its own keys; its sender id must belong to them (spec 3.1).
    pub(super) fn introduced(
        &mut self,
        received: &Received,
        link: Option<LinkId>,
        now: Now,
    ) -> Result<Verified<Announce>, DropReason> {
        let packet = received.packet();
        let announce = Announce::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        if packet.signature.is_none() {
            return Err(DropReason::Unsigned);
        }
        if Fingerprint::of(&announce.noise_public).peer_id() != packet.sender {
            return Err(DropReason::Identity);
        }
        let key = announce.signing_public;
        self.vouched_for(announce, received, &key, link, now)
    }

    fn act(
        &mut self,
        received: &Received,
        authorship: Authorship,
        arrival: Arrival,
        now: Now,
    ) -> Result<(), DropReason> {
        let packet = received.packet();
        if let Authorship::Introduced(announce) = authorship {
            return self.announced(received, announce, arrival, now);
        }
        let proven = matches!(authorship, Authorship::Proven);
        if proven && arrival.via == Via::Mesh && self.peers.heard(packet.sender, now) {
            self.emit_peer(packet.sender, now);
        }
        if proven && packet.version == Version::V2 {
            self.routes.speaks_v2(packet.sender);
        }
        let for_me = packet.recipient == Some(self.me);
        let stamp = Stamp { sent: packet.timestamp, ttl: arrival.ttl, fragments: arrival.fragments };
        #[expect(clippy::wildcard_enum_match_arm, reason = "every other type is relayed unparsed")]
        match packet.packet_type {
            PacketType::Message if packet.is_broadcast() => self.public_message(received, arrival),
            PacketType::Leave => self.left(received),
            PacketType::NoiseHandshake if for_me => {
                self.handshake(packet.sender, &packet.payload, arrival.link, now)
            }
            PacketType::NoiseEncrypted if for_me => self.encrypted(packet, arrival.link, stamp, now),
            PacketType::Ping if for_me => self.pinged(packet, arrival.link, now),
            PacketType::Pong if for_me => self.ponged(packet, arrival.ttl, now),
            PacketType::Fragment if for_me || packet.is_broadcast() => self.fragment(received, arrival, now),
            PacketType::GroupMessage if packet.is_broadcast() => self.group_packet(packet, arrival.ttl, now),
            PacketType::FileTransfer if for_me || packet.is_broadcast() => self.open_file(packet),
            PacketType::VoiceFrame if packet.is_broadcast() => self.open_voice(packet, now),
            PacketType::NostrCarrier if !for_me => self.nostr_carrier(packet),
            PacketType::BoardPost if packet.is_broadcast() => self.board_packet(received, now),
            PacketType::RequestSync => self.sync_requested(packet, arrival.link, now),
            PacketType::CourierEnvelope if for_me => {
                self.courier_mail(packet, proven, (arrival.link, stamp), now)
            }
            PacketType::PrekeyBundle if packet.is_broadcast() => self.prekey_bundle(packet, now),
            _ if for_me => Err(DropReason::Unsupported),
            _ => Ok(()),
        }
    }

    fn announced(
        &mut self,
        received: &Received,
        announce: Verified<Announce>,
        arrival: Arrival,
        now: Now,
    ) -> Result<(), DropReason> {
        let packet = received.packet();
        let neighbours = announce.neighbours.clone();
        let (sender, introduction) = (packet.sender, (packet.id(), packet.timestamp));
        let keys = Keys {
            noise_public: announce.noise_public,
            signing_public: announce.signing_public,
            nickname: nickname::received(&announce.nickname),
        };
        self.pin_announced(&keys, now)?;
        if arrival.via == Via::Sync && packet.timestamp + REACHABLE < now.unix {
            self.peers.introduced(sender, announce, packet.timestamp).map_err(|_| DropReason::KeyChanged)?;
            self.show_held(sender, now);
            return Ok(());
        }
        let change = self
            .peers
            .announced(sender, announce, introduction, arrival.link, now)
            .map_err(|_| DropReason::KeyChanged)?;
        self.topology.announced(sender, &neighbours, packet.timestamp, now.instant);
        let bound = arrival.link.is_some_and(|link| self.bind(link, sender, link, arrival, now));
        if change != Change::Refreshed || bound {
            self.emit_peer(sender, now);
        }
        if change == Change::Appeared {
            self.announcer.met_somebody(now.instant, &mut self.rng);
            self.outgoing.wake(sender, now.instant);
            self.met_member(sender, now);
            self.show_held(sender, now);
            if self.receipts.wait_for(sender) {
                self.warm(sender, now);
            }
        }
        if change == Change::Appeared || bound {
            self.courier_met(sender, now);
        }
        Ok(())
    }

    /// TTL 7 says "from the neighbour itself"; only a whole announce can say so (spec 1.6).
    pub(super) fn bind(
        &mut self,
        link: LinkId,
        peer: PeerId,
        first_heard: LinkId,
        arrival: Arrival,
        now: Now,
    ) -> bool {
        let direct = arrival.ttl == ORIGIN_TTL && arrival.fragments == 0;
        let bound = direct && self.bindings.bind(link, peer, first_heard, now.instant);
        if bound {
            self.gossip.met(peer, now);
            self.send_spooled(now);
            let bind = crate::link::event::LinkCommand::Bind { link, peer };
            self.links.handle(crate::link::Input::Command(bind), now);
        }
        bound
    }

    pub(super) fn show_held(&mut self, sender: PeerId, now: Now) {
        for held in self.held.take(sender, now.instant) {
            let key = Key::of(held.received.packet());
            let arrival = Arrival { link: None, ..held.arrival };
            let shown = match self.authorship(&held.received, held.arrival.link, now) {
                Ok(Authorship::Proven) => self.public_message(&held.received, arrival),
                Ok(_) => Err(DropReason::UnknownSender),
                Err(reason) => Err(reason),
            };
            match shown {
                Ok(()) => {
                    self.dedup.mark(key, now);
                    self.remember(&held.received, true, None, now);
                }
                Err(reason) => self.counters.drop(reason),
            }
        }
    }

    fn public_message(&mut self, received: &Received, arrival: Arrival) -> Result<(), DropReason> {
        let packet = received.packet();
        let text = std::str::from_utf8(&packet.payload).map_err(|_| DropReason::Payload)?.to_owned();
        let author = self.peers.get(packet.sender).ok_or(DropReason::UnknownSender)?;
        if self.trust.is_blocked(author.fingerprint) {
            // Relayed all the same: a block is nobody's business but ours (spec 5.5).
            self.counters.drop(DropReason::Blocked);
            return Ok(());
        }
        self.emit(Event::PublicMessage(PublicMessage {
            id: MessageId::from(packet.id()),
            sender: packet.sender,
            fingerprint: author.fingerprint,
            nickname: author.nickname.clone(),
            text,
            sent: packet.timestamp,
            ttl: arrival.ttl,
            fragments: arrival.fragments,
            packet: received.relayed(arrival.ttl),
            brought: arrival.via == Via::Transport,
        }));
        Ok(())
    }

    fn left(&mut self, received: &Received) -> Result<(), DropReason> {
        let packet = received.packet();
        match Leave::decode(&packet.payload).map_err(|_| DropReason::Payload)? {
            Leave::Channel(_) => return Ok(()),
            Leave::Mesh => {}
        }
        let peer = packet.sender;
        self.sessions.end(peer);
        self.topology.left(peer);
        if self.peers.left(peer) {
            self.emit(Event::PeerGone { peer, left: true });
        }
        self.give_up(|to| to == peer, Expiry::Left);
        Ok(())
    }

    fn fragment(&mut self, received: &Received, arrival: Arrival, now: Now) -> Result<(), DropReason> {
        let packet = received.packet();
        if arrival.wraps >= MAX_WRAPS {
            return Err(DropReason::Fragment);
        }
        let fragment = Fragment::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        let known = self.is_friend(packet.sender, now);
        let from = Source { sender: packet.sender, link: arrival.link, known };
        let train = fragment.id;
        let outcome = self.reassembly.insert(from, fragment, now.instant);
        match outcome {
            Outcome::Waiting if packet.is_broadcast() => {
                self.gossip.piece_is_missing(packet.sender, train, arrival.link, now);
                Ok(())
            }
            Outcome::Waiting => Ok(()),
            Outcome::Refused => Err(DropReason::Fragment),
            Outcome::Complete { frame, fragments } => {
                self.gossip.train_is_whole(packet.sender, train);
                self.counters.reassembled += 1;
                let wraps = arrival.wraps + 1;
                let rebuilt =
                    self.rebuilt(packet.sender, &frame, Arrival { fragments, wraps, ..arrival }, now);
                if let Err(reason) = rebuilt {
                    self.counters.drop(reason);
                }
                Ok(())
            }
        }
    }

    /// A packet put together from fragments is checked like any other, but never relayed: its fragments were.
    fn rebuilt(
        &mut self,
        sender: PeerId,
        frame: &Bytes,
        arrival: Arrival,
        now: Now,
    ) -> Result<(), DropReason> {
        let received = Received::decode(frame).map_err(|_| DropReason::Malformed)?;
        if received.packet().sender != sender {
            return Err(DropReason::Identity);
        }
        if !lengths::is_padding(frame.len() - received.frame_len()) {
            return Err(DropReason::Malformed);
        }
        self.packet(received, arrival, now)
    }

    pub(super) fn nickname(&self, peer: PeerId) -> String {
        self.peers.get(peer).map(|peer| peer.nickname.clone()).unwrap_or_default()
    }
}

/// Types that authenticate themselves inside, or whose content does once it is put together: a signature under
/// an unknown key says nothing about them.
fn proves_itself(packet_type: PacketType) -> bool {
    matches!(
        packet_type,
        PacketType::NoiseHandshake
            | PacketType::NoiseEncrypted
            | PacketType::Fragment
            | PacketType::BoardPost
            | PacketType::GroupMessage
            | PacketType::CourierEnvelope
    )
}

/// Types that nobody sends unsigned (spec 2.6).
fn must_be_signed(packet: &Packet) -> bool {
    let uplink = packet.packet_type == PacketType::NostrCarrier && !packet.is_broadcast();
    uplink
        || matches!(
            packet.packet_type,
            PacketType::Message
                | PacketType::Leave
                | PacketType::CourierEnvelope
                | PacketType::FileTransfer
                | PacketType::BoardPost
                | PacketType::PrekeyBundle
                | PacketType::VoiceFrame
        )
}

/// A text for everyone.
fn is_public(packet: &Packet) -> bool {
    packet.packet_type == PacketType::Message && packet.is_broadcast()
}
