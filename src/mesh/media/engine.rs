//! How files and voice leave and arrive.

use bytes::Bytes;
use rand_core::RngCore;

use super::bursts::{Bursts, Recording, Speaker};
use super::departures::{Departures, Over};
use super::event::{Command, Event, Failure, Received, Secrecy};
use super::ledger::Ledger;
use super::speeches::{Due, Speech, Speeches};
use crate::ids::{AttemptId, PeerId, to_hex};
use crate::mesh::egress::Aim;
use crate::mesh::engine::Engine;
use crate::mesh::error::DropReason;
use crate::mesh::event::Event as MeshEvent;
use crate::time::{Instant, Now, UnixMillis};
use crate::wire::adts::units;
use crate::wire::carrier::NostrCarrier;
use crate::wire::voice::VoicePacket;
use crate::wire::{
    Capabilities, EncodeError, MAX_MEDIA_LEN, MediaFile, MediaType, NoisePayload, Packet, PacketType,
    Version, media_id,
};

/// How old a public voice packet may be (spec 3.10).
const VOICE_AGE: std::time::Duration = std::time::Duration::from_secs(30);
/// After so many pieces of a file people hear how far it is.
const TELL_EVERY: u16 = 16;

/// What the engine keeps of files and voice.
#[derive(Debug, Default)]
pub(in crate::mesh) struct Media {
    departures: Departures,
    ledger: Ledger,
    bursts: Bursts,
    speeches: Speeches,
}

impl Media {
    /// When something is over.
    pub(in crate::mesh) fn poll_timeout(&self) -> Option<Instant> {
        let Self { departures, bursts, speeches, ledger: _ } = self;
        [departures.poll_timeout(), bursts.poll_timeout(), speeches.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Engine {
    pub(in crate::mesh) fn media_command(&mut self, command: Command, now: Now) {
        match command {
            Command::ToEveryone { attempt, file } => {
                if let Err(reason) = self.file_to_everyone(attempt, file, now) {
                    self.file_failed(attempt, reason);
                }
            }
            Command::ToPeer { attempt, to, file } => {
                if let Err(reason) = self.file_to_peer(attempt, to, file, now) {
                    self.file_failed(attempt, reason);
                }
            }
            Command::Speak { attempt, to, recording } => {
                if let Err(reason) = self.speak(attempt, to, recording, now) {
                    self.file_failed(attempt, reason);
                }
            }
            Command::Cancel { attempt } => {
                if let Some((to, packet)) = self.media.speeches.cancel(attempt) {
                    self.say(to, packet, now);
                }
                self.media.departures.remove(attempt);
                self.trains.cancel(attempt);
                self.next_files(now);
            }
        }
    }

    /// What is over: files that went nowhere, bursts that fell silent.
    pub(in crate::mesh) fn media_timers(&mut self, now: Now) {
        while let Some((attempt, over)) = self.media.departures.pop_over(now.instant) {
            self.trains.cancel(attempt);
            let told = match over {
                Over::Failed(reason) => Event::Failed { attempt, reason },
                Over::Unanswered(peer) => {
                    self.routes.bar(peer, now.instant);
                    Event::Failed { attempt, reason: Failure::Unanswered }
                }
                Over::Unconfirmed => Event::Unconfirmed { attempt },
                Over::NotYet => Event::Progress { attempt, left: 0, pieces: 0 },
            };
            self.tell_media(told);
        }
        self.next_files(now);
        while let Some(recording) = self.media.bursts.pop_over(now.instant) {
            self.recorded(recording);
        }
        while let Some(due) = self.media.speeches.pop_due(now.instant) {
            self.go_on_speaking(due, now);
        }
    }

    fn go_on_speaking(&mut self, due: Due, now: Now) {
        match due {
            Due::Say { attempt, to, packet, packets } => {
                let left = packet.number;
                self.say(to, packet, now);
                if left % TELL_EVERY == 0 {
                    self.tell_media(Event::Progress { attempt, left, pieces: packets });
                }
            }
            Due::Said { attempt, to: None, recording } => {
                self.media_command(Command::ToEveryone { attempt, file: recording }, now);
            }
            Due::Said { attempt, to: Some(to), recording } => {
                self.media_command(Command::ToPeer { attempt, to, file: recording }, now);
            }
            Due::Unheard { attempt } => self.file_failed(attempt, Failure::NoSession),
        }
    }

    /// A packet of live voice leaves, if it can: the next will not wait for it.
    fn say(&mut self, to: Option<PeerId>, packet: VoicePacket, now: Now) {
        match to {
            Some(to) => {
                self.send_inner(Aim::Peer(to), to, &NoisePayload::Voice(packet), now);
            }
            None => {
                if let Ok(payload) = packet.encode() {
                    self.send_signed(PacketType::VoiceFrame, Aim::Everyone, payload.into(), now);
                }
            }
        }
    }

    /// A session with this peer stands: the files and recordings that waited for it leave, files when the peer has proven
    /// in it that it takes them.
    pub(in crate::mesh) fn session_for_files(&mut self, peer: PeerId, now: Now) {
        let proof_due = self.sessions.proof_due(peer, now.instant);
        self.media.departures.session(peer, proof_due, now.instant);
        self.media.speeches.begin(Some(peer), now.instant);
        self.next_files(now);
    }

    /// The files whose turn it is leave.
    fn next_files(&mut self, now: Now) {
        while let Some((attempt, to, file)) = self.media.departures.next() {
            if let Err(reason) = self.depart(attempt, to, file, now) {
                self.file_failed(attempt, reason);
            }
        }
    }

    /// A piece of a file left, and so many are still to go.
    pub(in crate::mesh) fn piece_left(&mut self, attempt: AttemptId, to_go: usize, now: Now) {
        let Some(pieces) = self.media.departures.piece(attempt, now.instant) else { return };
        let left = pieces.saturating_sub(u16::try_from(to_go).unwrap_or(u16::MAX));
        if to_go == 0 || left % TELL_EVERY == 0 {
            self.tell_media(Event::Progress { attempt, left, pieces });
        }
        if to_go == 0 {
            self.file_gone(attempt, now);
        }
    }

    /// Whether a receipt is for a file of ours.
    pub(in crate::mesh) fn file_receipt(&mut self, from: PeerId, wire_id: &str) -> bool {
        let Some(attempt) = self.media.departures.delivered(from, wire_id) else { return false };
        self.tell_media(Event::Delivered { attempt });
        true
    }

    /// The node has stored what it now acknowledges.
    pub(in crate::mesh) fn file_stored(&mut self, sender: PeerId, wire_id: &str) {
        self.media.ledger.stored(sender, wire_id);
    }

    /// A file in a packet of its own.
    pub(in crate::mesh) fn open_file(&mut self, packet: &Packet) -> Result<(), DropReason> {
        let file = MediaFile::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        let media_type = file.media_type().map_err(|_| DropReason::Media)?;
        let secrecy = if packet.is_broadcast() { Secrecy::Public } else { Secrecy::Open };
        let author = self.peers.get(packet.sender).ok_or(DropReason::UnknownSender)?;
        if self.trust.is_blocked(author.fingerprint) {
            self.counters.drop(DropReason::Blocked);
            return Ok(());
        }
        let received = Received {
            sender: packet.sender,
            fingerprint: author.fingerprint,
            nickname: author.nickname.clone(),
            secrecy,
            media_type,
            name: file.name,
            content: file.content,
            sent: packet.timestamp,
            wire_id: None,
            live: false,
        };
        self.file_came(received);
        Ok(())
    }

    /// A file in a session.
    pub(in crate::mesh) fn sealed_file(
        &mut self,
        sender: PeerId,
        file: MediaFile,
        sent: UnixMillis,
        now: Now,
    ) -> Result<(), DropReason> {
        let media_type = file.media_type().map_err(|_| DropReason::Media)?;
        let fingerprint = self.sessions.fingerprint(sender).ok_or(DropReason::UnknownSender)?;
        if self.trust.is_blocked(fingerprint) {
            return Err(DropReason::Blocked);
        }
        let id = media_id(sender, self.me, &file.name);
        if self.media.ledger.came(sender, &id, &file.content) {
            self.send_receipt(sender, NoisePayload::Delivered { id }, now);
            return Ok(());
        }
        let nickname = self.nickname(sender);
        self.file_came(Received {
            sender,
            fingerprint,
            nickname,
            secrecy: Secrecy::Sealed,
            media_type,
            name: file.name,
            content: file.content,
            sent,
            wire_id: Some(id),
            live: false,
        });
        Ok(())
    }

    /// A file came whole. Of a burst whose recording it is, nothing more need be collected.
    fn file_came(&mut self, received: Received) {
        if let Some(burst) = received.burst() {
            self.media.bursts.forget((received.sender, burst, received.secrecy == Secrecy::Sealed));
        }
        self.tell_media(Event::Received(received));
    }

    /// A packet of live voice for everyone. What is more than we collect others may have room for.
    pub(in crate::mesh) fn open_voice(&mut self, packet: &Packet, now: Now) -> Result<(), DropReason> {
        let voice = VoicePacket::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        if packet.timestamp.abs_diff(now.unix) > VOICE_AGE {
            return Err(DropReason::Clock);
        }
        if let Err(reason) = self.heard_voice(packet.sender, false, voice, packet.timestamp, now) {
            self.counters.drop(reason);
        }
        Ok(())
    }

    /// A packet of live voice, for everyone or in a session.
    pub(in crate::mesh) fn heard_voice(
        &mut self,
        sender: PeerId,
        sealed: bool,
        voice: VoicePacket,
        sent: UnixMillis,
        now: Now,
    ) -> Result<(), DropReason> {
        let from = Speaker { peer: sender, sealed, contact: self.peers.is_contact(sender) };
        let taken = self.media.bursts.take(from, voice, sent, now.instant);
        self.media_timers(now);
        taken.map_err(|_| DropReason::Media)
    }

    /// A Nostr event that crosses this mesh, and is never opened: how many are too many its gateway says.
    pub(in crate::mesh) fn nostr_carrier(&mut self, packet: &Packet) -> Result<(), DropReason> {
        let carrier = NostrCarrier::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        let uplink = carrier.direction.is_uplink();
        if uplink && packet.signature.is_none() {
            return Err(DropReason::Unsigned);
        }
        if uplink == packet.is_broadcast() {
            return Err(DropReason::Payload);
        }
        self.counters.nostr_events += 1;
        Ok(())
    }

    fn file_to_everyone(&mut self, attempt: AttemptId, file: MediaFile, now: Now) -> Result<(), Failure> {
        file.encode().map_err(Failure::Unfit)?;
        self.may_leave(now)?;
        if !self.media.departures.leave(attempt, file, now.instant) {
            return Err(Failure::Busy);
        }
        self.next_files(now);
        Ok(())
    }

    fn file_to_peer(
        &mut self,
        attempt: AttemptId,
        to: PeerId,
        file: MediaFile,
        now: Now,
    ) -> Result<(), Failure> {
        let len = file.content.len();
        if !(1..=MAX_MEDIA_LEN).contains(&len) {
            return Err(Failure::Unfit(EncodeError::TooLong { field: "file", len, max: MAX_MEDIA_LEN }));
        }
        if to == self.me {
            return Err(Failure::ToSelf);
        }
        self.may_leave(now)?;
        if !self.can(to, Capabilities::PRIVATE_MEDIA) {
            return Err(Failure::NotTaken);
        }
        let id = media_id(self.me, to, &file.name);
        if !self.media.departures.wait(attempt, to, id, file, now.instant) {
            return Err(Failure::Busy);
        }
        if self.sessions.stands(to, now.instant) {
            self.session_for_files(to, now);
        } else {
            self.greet(to, now);
        }
        Ok(())
    }

    fn speak(
        &mut self,
        attempt: AttemptId,
        to: Option<PeerId>,
        recording: Bytes,
        now: Now,
    ) -> Result<(), Failure> {
        let units = units(&recording).map_err(Failure::NotSpeech)?;
        self.may_leave(now)?;
        match to {
            Some(to) if to == self.me => return Err(Failure::ToSelf),
            Some(to) if !self.can(to, Capabilities::PRIVATE_MEDIA) => return Err(Failure::NotTaken),
            Some(_) | None => {}
        }
        let mut burst = [0; 8];
        self.rng.fill_bytes(&mut burst);
        if !self.media.speeches.add(attempt, Speech { to, burst, recording }, &units, now.instant) {
            return Err(Failure::Busy);
        }
        match to {
            Some(to) if !self.sessions.stands(to, now.instant) => self.greet(to, now),
            Some(_) | None => self.media.speeches.begin(to, now.instant),
        }
        Ok(())
    }

    fn may_leave(&mut self, now: Now) -> Result<(), Failure> {
        if self.clock_refusal(now).is_some() {
            return Err(Failure::ClockUnset);
        }
        if self.bindings.is_empty() { Err(Failure::NobodyNear) } else { Ok(()) }
    }

    fn depart(
        &mut self,
        attempt: AttemptId,
        to: Option<PeerId>,
        file: MediaFile,
        now: Now,
    ) -> Result<(), Failure> {
        self.may_leave(now)?;
        let Some(to) = to else {
            let packet = self.signed_file(file.encode().map_err(Failure::Unfit)?.into(), now)?;
            return self.put_file(attempt, &packet, Aim::Everyone, now);
        };
        let plaintext = NoisePayload::File(file).encode().map_err(Failure::Unfit)?;
        if !self.can(to, Capabilities::PRIVATE_MEDIA) {
            return Err(Failure::NotTaken);
        }
        let sealed = self.sessions.seal(to, &plaintext, now.instant).ok_or(Failure::NoSession)?;
        let aim = Aim::Peer(to);
        let mut packet = self.unsigned(PacketType::NoiseEncrypted, aim, sealed.into(), now);
        packet.version = Version::V2;
        self.put_file(attempt, &packet, aim, now)
    }

    fn signed_file(&mut self, payload: Bytes, now: Now) -> Result<Packet, Failure> {
        let packet = self.unsigned(PacketType::FileTransfer, Aim::Everyone, payload, now);
        self.sign(Packet { version: Version::V2, ..packet }).map_err(Failure::Unfit)
    }

    fn put_file(&mut self, attempt: AttemptId, packet: &Packet, aim: Aim, now: Now) -> Result<(), Failure> {
        match self.put(packet, aim, now) {
            None => Err(Failure::Busy),
            Some(0) => {
                self.file_gone(attempt, now);
                Ok(())
            }
            Some(pieces) => {
                self.media.departures.moving(attempt, pieces, now.instant);
                self.trains.name_last(attempt);
                Ok(())
            }
        }
    }

    fn file_gone(&mut self, attempt: AttemptId, now: Now) {
        let to = self.media.departures.recipient(attempt);
        self.tell_media(Event::Sent { attempt });
        let confirmed = to.is_some_and(|to| self.can(to, Capabilities::PRIVATE_MEDIA_RECEIPTS));
        self.media.departures.gone(attempt, confirmed, now.instant);
        if to.is_some() && !confirmed {
            self.tell_media(Event::Unconfirmed { attempt });
        }
    }

    /// No link takes what is left of a file.
    pub(in crate::mesh) fn file_cut(&mut self, attempt: AttemptId, now: Now) {
        self.file_failed(attempt, Failure::Cut);
        self.next_files(now);
    }

    fn file_failed(&mut self, attempt: AttemptId, reason: Failure) {
        self.media.departures.remove(attempt);
        self.tell_media(Event::Failed { attempt, reason });
    }

    fn recorded(&mut self, recording: Recording) {
        let (sender, burst, sealed) = recording.key;
        let Some(author) = self.peers.get(sender) else { return };
        if self.trust.is_blocked(author.fingerprint) {
            return self.counters.drop(DropReason::Blocked);
        }
        let received = Received {
            sender,
            fingerprint: author.fingerprint,
            nickname: author.nickname.clone(),
            secrecy: if sealed { Secrecy::Sealed } else { Secrecy::Public },
            media_type: MediaType::Aac,
            name: format!("voice_{}.aac", to_hex(&burst)),
            content: recording.stream,
            sent: recording.sent,
            wire_id: None,
            live: true,
        };
        self.tell_media(Event::Received(received));
    }

    /// What a peer proved that it can do, or announces as long as it has proven nothing.
    fn can(&self, peer: PeerId, bit: u32) -> bool {
        let announced = || self.peers.get(peer).map(|peer| peer.capabilities);
        self.sessions.capabilities(peer).or_else(announced).is_some_and(|can| can.contains(bit))
    }

    fn tell_media(&mut self, event: Event) {
        self.emit(MeshEvent::Media(event));
    }
}
