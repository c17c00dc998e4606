//! What arrives between two peers: handshakes, and what is inside a session.

use bytes::Bytes;

use super::egress::Aim;
use super::engine::Engine;
use super::error::DropReason;
use super::event::{Event, PrivateMessage};
use super::handshake_rate::{Asked, Standing};
use super::incoming::Whole;
use super::sessions::{Stamp, Unopened};
use super::trust::favourite_notice;
use crate::ids::{Fingerprint, LinkId, PeerId};
use crate::time::Now;
use crate::wire::{NoisePayload, Packet};

impl Engine {
    pub(super) fn handshake(
        &mut self,
        peer: PeerId,
        message: &[u8],
        link: Option<LinkId>,
        now: Now,
    ) -> Result<(), DropReason> {
        let asked = Asked { peer, link, standing: self.handshake_standing(peer, link, now) };
        let step = self.sessions.handshake(asked, message, &self.identity, now.instant, &mut self.rng)?;
        if let Some(reply) = step.reply {
            self.send_handshake(Aim::Peer(peer), reply, now);
        }
        if step.established {
            self.session_stands(peer, now);
            self.spoke_over(link, peer, now);
        }
        Ok(())
    }

    /// A link brought what only this peer can have made.
    fn spoke_over(&mut self, link: Option<LinkId>, peer: PeerId, now: Now) {
        if link.is_some_and(|link| self.bindings.prove(link, peer)) {
            self.courier_met(peer, now);
        }
    }

    /// How well a peer is known that wants a handshake, or with whom we want one.
    pub(super) fn handshake_standing(&self, peer: PeerId, link: Option<LinkId>, now: Now) -> Standing {
        let bound = self.bindings.links_of(peer);
        if link.is_some_and(|link| bound.contains(&link)) {
            return Standing::Neighbour;
        }
        let near = link.is_none() && !bound.is_empty();
        if near || self.is_friend(peer, now) || self.outgoing.waits_for(peer) {
            return Standing::Known;
        }
        Standing::Stranger
    }

    /// A contact, or somebody with whom a session stands.
    pub(super) fn is_friend(&self, peer: PeerId, now: Now) -> bool {
        self.peers.is_contact(peer) || self.sessions.stands(peer, now.instant)
    }

    fn session_stands(&mut self, peer: PeerId, now: Now) {
        self.send_peer_state(peer, now);
        self.peers.met(peer);
        self.emit(Event::Session { peer });
        self.emit_peer(peer, now);
        self.greet_person(peer, now);
        for receipt in self.receipts.take(peer) {
            self.send_receipt(peer, receipt, now);
        }
        self.outgoing.wake(peer, now.instant);
        self.met_member(peer, now);
        self.send_due_private(now);
        self.session_for_files(peer, now);
        for (payload, packet) in self.sessions.take_early(peer) {
            if let Ok(plaintext) = self.sessions.open(peer, &payload, packet, now.instant) {
                self.inner(peer, plaintext, packet, now);
            }
        }
    }

    pub(super) fn encrypted(
        &mut self,
        packet: &Packet,
        link: Option<LinkId>,
        stamp: Stamp,
        now: Now,
    ) -> Result<(), DropReason> {
        let peer = packet.sender;
        match self.sessions.open(peer, &packet.payload, stamp, now.instant) {
            Ok(plaintext) => {
                self.inner(peer, plaintext, stamp, now);
                self.spoke_over(link, peer, now);
                Ok(())
            }
            Err(Unopened::Early) => Ok(()),
            Err(Unopened::Refused) => Err(DropReason::Undecryptable),
            Err(Unopened::NoSession | Unopened::Estranged) => {
                self.greet_over(link, peer, now);
                Err(DropReason::Undecryptable)
            }
        }
    }

    fn inner(&mut self, peer: PeerId, plaintext: Vec<u8>, stamp: Stamp, now: Now) {
        self.routes.answered(peer);
        if self.peers.heard(peer, now) {
            self.emit_peer(peer, now);
        }
        let plaintext = Bytes::from(plaintext);
        match NoisePayload::decode(&plaintext) {
            Ok(payload) if self.is_shut_out(peer, &payload) => self.counters.drop(DropReason::Blocked),
            Ok(NoisePayload::PrivateMessage { id, content }) => {
                self.private_message(peer, id, content, stamp, now);
            }
            Ok(NoisePayload::Delivered { id }) => self.receipt(peer, &id, false),
            Ok(NoisePayload::ReadReceipt { id }) => self.receipt(peer, &id, true),
            Ok(NoisePayload::Card(card)) => self.card(peer, card, stamp),
            Ok(NoisePayload::GroupInvite(state)) => self.group_state(peer, *state, true, now),
            Ok(NoisePayload::GroupKeyUpdate(state)) => self.group_state(peer, *state, false, now),
            Ok(NoisePayload::Voice(voice)) => {
                let heard = self.heard_voice(peer, true, voice, stamp.sent, now);
                self.count_refused(heard);
            }
            Ok(NoisePayload::File(file)) => {
                let taken = self.sealed_file(peer, file, stamp.sent, now);
                self.count_refused(taken);
            }
            Ok(NoisePayload::PeerState(state)) => self.peer_state(peer, &state, now),
            Ok(NoisePayload::VerifyChallenge(challenge)) => self.challenged(peer, challenge, now),
            Ok(NoisePayload::VerifyResponse(response)) => self.proved(peer, &response),
            Ok(NoisePayload::Vouches(vouches)) => self.vouched(peer, vouches, now),
            Err(_) => self.counters.drop(DropReason::Payload),
        }
    }

    fn count_refused(&mut self, done: Result<(), DropReason>) {
        if let Err(reason) = done {
            self.counters.drop(reason);
        }
    }

    fn private_message(&mut self, peer: PeerId, wire_id: String, text: String, stamp: Stamp, now: Now) {
        if let Some(fingerprint) = self.sessions.fingerprint(peer) {
            self.text_of(fingerprint, wire_id, text, stamp, now);
        }
    }

    /// A text whose sender is proven: by a session, or by the seal of courier mail.
    pub(super) fn text_of(
        &mut self,
        fingerprint: Fingerprint,
        wire_id: String,
        text: String,
        stamp: Stamp,
        now: Now,
    ) {
        if self.trust.is_blocked(fingerprint) {
            return self.counters.drop(DropReason::Blocked);
        }
        let peer = fingerprint.peer_id();
        let Some(whole) = self.incoming.accept(fingerprint, wire_id, text, now.instant) else { return };
        let Whole { id, text, wire_ids } = whole;
        if let Some(favourite) = favourite_notice(&text) {
            // There is nothing in it to be stored in the inbox.
            self.favoured(fingerprint, favourite, now);
            for id in wire_ids {
                self.send_receipt(peer, NoisePayload::Delivered { id }, now);
            }
            return;
        }
        let nickname = self.nickname(peer);
        let Stamp { sent, ttl, fragments } = stamp;
        self.emit(Event::PrivateMessage(PrivateMessage {
            id,
            sender: peer,
            fingerprint,
            nickname,
            text,
            sent,
            ttl,
            fragments,
            wire_ids,
        }));
    }

    fn receipt(&mut self, from: PeerId, wire_id: &str, read: bool) {
        if self.file_receipt(from, wire_id) {
            return;
        }
        if let Some(id) = self.receipted.accept(from, wire_id, read) {
            self.outgoing.delivered(from, id);
            self.mail_received(from, id);
            self.emit(Event::Receipt { from, id, read });
        }
    }

    fn card(&mut self, sender: PeerId, card: Bytes, stamp: Stamp) {
        if let Some(fingerprint) = self.sessions.fingerprint(sender) {
            self.emit(Event::Card { sender, fingerprint, card, sent: stamp.sent });
        }
    }
}
