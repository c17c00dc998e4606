//! What the engine does as origin, courier and recipient of mail for who is away.

use std::time::Duration;

use bytes::Bytes;

use super::carried::{Depositor, Digest, HANDING, Taken, check_life};
use super::deposits::{COPIES, Due, MAX_PARTS, Plain, all_alive};
use super::event::{Command, Event};
use super::limits::{LIFETIME, PER_FAVOURITE, PER_VERIFIED, Tier};
use super::report::Report;
use crate::crypto::courier::{self, OpenWith, SealTo};
use crate::ids::{Fingerprint, LinkId, MessageId, PeerId};
use crate::mesh::config::ANSWER_TIMEOUT;
use crate::mesh::egress::{Aim, parts};
use crate::mesh::engine::Engine;
use crate::mesh::error::DropReason;
use crate::mesh::event;
use crate::mesh::kept::{Keep, Kept, Shelf};
use crate::mesh::sessions::Stamp;
use crate::message::NotLeft;
use crate::time::{Instant, Now, UnixMillis};
use crate::wire::{Capabilities, CourierEnvelope, MAX_TEXT_LEN, NoisePayload, Packet, PacketType};

/// How often everything held is looked through.
const PERIOD: Duration = Duration::from_secs(30);
/// How long a courier we meet is given before it gets anything: it may bring the recipient's prekeys.
const SETTLE: Duration = Duration::from_secs(4);

/// What comes before the key of an envelope we carry, and of a text of ours.
mod mark {
    pub(super) const CARRIED: u8 = b'c';
    pub(super) const DEPOSIT: u8 = b'd';
}

impl Engine {
    pub(in crate::mesh) fn courier_command(&mut self, command: Command, now: Now) {
        match command {
            Command::Deposit { to, id, text, written, expires } => {
                self.deposit(to, id, &text, (written, expires), now);
            }
            Command::Recall { id } => self.recall(id),
        }
    }

    /// What is carried, left and opened.
    pub fn courier_report(&self) -> Report {
        Report {
            carried: self.carried.len(),
            waiting: self.deposits.len(),
            prekeys: self.own_prekeys.left(),
            bundles: self.bundles.len(),
            counts: self.courier_counts,
        }
    }

    /// An envelope addressed to us: our mail, or somebody's to be carried. `proven` says whether we know who
    /// signed its packet; our mail proves its sender inside.
    pub(in crate::mesh) fn courier_mail(
        &mut self,
        packet: &Packet,
        proven: bool,
        (link, stamp): (Option<LinkId>, Stamp),
        now: Now,
    ) -> Result<(), DropReason> {
        let envelope = CourierEnvelope::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        let day = now.unix.day();
        if courier::tags_around(&self.identity.noise_public(), day).contains(&envelope.tag) {
            return self.open_mail(&envelope, stamp, now);
        }
        let from = self.depositor(packet.sender, link).filter(|_| proven);
        let from = from.ok_or(DropReason::CourierUntrusted)?;
        self.drop_expired(now.unix);
        let Taken { digest, displaced } =
            self.carried.take(envelope, from, &self.config.courier, now.unix)?;
        if let Some(displaced) = displaced {
            self.counters.drop(DropReason::CourierFull);
            self.forget_carried(displaced);
        }
        self.courier_counts.taken += 1;
        self.keep_carried(digest);
        self.sweep_at(now.instant);
        Ok(())
    }

    /// A peer appeared, or a link is its, or it proved that: its mail is handed over at once.
    pub(in crate::mesh) fn courier_met(&mut self, peer: PeerId, now: Now) {
        self.hand_over(peer, now);
        if self.has_something_for(peer, now) {
            self.leads_to(peer, now);
        }
        if self.carried.len() + self.deposits.len() > 0 {
            self.sweep_at(now.instant + SETTLE);
        }
    }

    /// A link that was a peer's is gone: it may have lost what was handed over last.
    pub(in crate::mesh) fn courier_parted(&mut self, peer: PeerId) {
        if !self.bindings.is_proven(peer) {
            self.carried.parted(peer);
        }
    }

    /// Messages of this sender are on disk.
    pub(in crate::mesh) fn mail_stored(&mut self, sender: PeerId, wire_ids: &[String]) {
        self.opened_mail.stored(sender, wire_ids);
    }

    /// A peer says that it has a text.
    pub(in crate::mesh) fn mail_received(&mut self, by: PeerId, id: MessageId) {
        if self.deposits.is_for(by, id) {
            self.recall(id);
        }
    }

    /// A text is wanted no longer, or has arrived.
    fn recall(&mut self, id: MessageId) {
        if self.deposits.remove(id) {
            self.forget_deposit(id);
        }
    }

    pub(in crate::mesh) fn run_courier(&mut self, now: Now) {
        if self.courier_due.is_none_or(|due| due > now.instant) {
            return;
        }
        self.courier_due = None;
        self.drop_expired(now.unix);
        let neighbours = self.bindings.neighbours();
        for digest in self.carried.settle(|peer| self.bindings.is_proven(peer), now.instant) {
            self.forget_carried(digest);
        }
        let present: Vec<PeerId> =
            self.peers.iter().filter(|(_, peer)| peer.present).map(|(id, _)| id).collect();
        for peer in present {
            self.hand_over(peer, now);
        }
        for courier in neighbours {
            if self.has_something_for(courier, now) && self.leads_to(courier, now) {
                self.leave_deposits(courier, now);
                self.share_with(courier, now);
            }
        }
        if self.carried.len() + self.deposits.len() > 0 {
            self.sweep_at(now.instant + PERIOD);
        }
        if let Some(settled) = self.carried.poll_timeout() {
            self.sweep_at(settled);
        }
    }

    /// Takes back what was kept; false when it is of no use.
    pub(in crate::mesh) fn restore_courier(&mut self, kept: &Kept, now: Now) -> bool {
        self.sweep_at(now.instant);
        let value = kept.value.clone();
        match kept.key.split_first() {
            Some((&mark::CARRIED, _)) => self.carried.restore(value, &self.config.courier, now.unix),
            Some((&mark::DEPOSIT, id)) => {
                let id = id.try_into().map(MessageId);
                id.is_ok_and(|id| self.restore_deposit(id, value, now.unix))
            }
            Some(_) | None => false,
        }
    }

    /// Whoever deposited the text does not know any more that couriers have it.
    fn restore_deposit(&mut self, id: MessageId, value: Bytes, now: UnixMillis) -> bool {
        let couriers = self.deposits.restore(id, value, now);
        if let Some(couriers) = couriers {
            self.emit(event::Event::Courier(Event::Deposited { id, couriers }));
        }
        couriers.is_some()
    }

    fn deposit(
        &mut self,
        to: PeerId,
        id: MessageId,
        text: &str,
        (written, expires): (UnixMillis, UnixMillis),
        now: Now,
    ) {
        if to == self.me || text.is_empty() {
            return;
        }
        let parts: Vec<Vec<u8>> = parts(id, text).iter().filter_map(|part| part.encode().ok()).collect();
        if parts.len() > MAX_PARTS {
            let why = NotLeft::TooLong { len: text.len(), max: MAX_PARTS * MAX_TEXT_LEN };
            return self.emit(event::Event::Courier(Event::NotLeft { id, why }));
        }
        let day_long = expires >= written + LIFETIME;
        // A clock that is not set says nothing of when a day is over: then it begins when the text is sealed.
        let clock_is_set = self.clock_refusal(now).is_none();
        let expires = if clock_is_set { expires.min(now.unix + LIFETIME) } else { expires };
        if let Some((gone, unleft)) = self.deposits.add(id, to, Plain { parts, expires, day_long }) {
            self.forget_deposit(gone);
            if unleft {
                let not_left = Event::NotLeft { id: gone, why: NotLeft::TooMany };
                self.emit(event::Event::Courier(not_left));
            }
        }
        self.sweep_at(now.instant);
    }

    /// How many more envelopes of ours a courier has room for. It counts those it has a share of as ours.
    fn room_with(&self, courier: PeerId) -> usize {
        let mutual = self.peers.get(courier).is_some_and(|peer| {
            self.trust.standing(peer.fingerprint).favourite && self.trust.favours_us(peer.fingerprint)
        });
        let most = if mutual { PER_FAVOURITE } else { PER_VERIFIED };
        most.saturating_sub(self.deposits.left(courier) + self.carried.given_to(courier))
    }

    /// Gives a courier the texts of ours it may have, as far as their recipients are away and it has room: a whole text
    /// or nothing of it.
    fn leave_deposits(&mut self, courier: PeerId, now: Now) {
        if self.clock_refusal(now).is_some() {
            return;
        }
        for Due { id, to, parts } in self.deposits.for_courier(courier) {
            let fits = parts <= self.room_with(courier);
            if !fits || self.peers.is_present(to) || !self.seal(id, to, now) {
                continue;
            }
            let envelopes = self.deposits.envelopes(id);
            if !all_alive(&envelopes, now.unix) {
                continue;
            }
            let sent = envelopes.iter().filter(|envelope| self.send_envelope(courier, envelope, now)).count();
            self.courier_counts.deposited += u64::try_from(sent).unwrap_or_default();
            // Who has a part of it only is given all of it again at the next meeting.
            if sent < envelopes.len() {
                continue;
            }
            let couriers = self.deposits.left_with(id, courier);
            if let Some(value) = self.deposits.encode(id) {
                self.keep(Keep::Put(Kept { shelf: Shelf::Courier, key: deposit_key(id), value }));
            }
            self.emit(event::Event::Courier(Event::Deposited { id, couriers }));
        }
    }

    /// Seals a text, each part to a prekey of the recipient's, or to its static key where none is left. False when
    /// we do not know the recipient's key.
    fn seal(&mut self, id: MessageId, to: PeerId, now: Now) -> bool {
        let Some(Plain { parts, expires, day_long }) = self.deposits.plain(id) else { return true };
        let Some(peer) = self.peers.get(to) else { return false };
        let (recipient, owner) = (peer.noise_public, peer.fingerprint);
        let expires = expires.min(now.unix + LIFETIME);
        let tag = courier::tag(&recipient, if day_long { sealed_at(expires) } else { expires }.day());
        let mut envelopes = Vec::new();
        for part in parts {
            let prekey = self.bundles.take(&owner, now.unix, &mut self.rng);
            let key = match &prekey {
                Some(prekey) => SealTo::Prekey { id: prekey.id, public: &prekey.public },
                None => SealTo::Static(&recipient),
            };
            let Ok(ciphertext) = courier::seal(&self.identity, key, &part, &mut self.rng) else {
                return false;
            };
            let (ciphertext, prekey) = (ciphertext.into(), prekey.map(|prekey| prekey.id));
            envelopes.push(CourierEnvelope { tag, expires, ciphertext, copies: COPIES, prekey });
        }
        self.deposits.sealed(id, envelopes, expires);
        self.keep_bundle(owner);
        true
    }

    /// Gives another courier half of what we may spread. One place with it stays free for a text of our own.
    fn share_with(&mut self, courier: PeerId, now: Now) {
        let tags = self.tags_of(courier, now);
        for digest in self.carried.shares_for(courier, &tags) {
            if self.room_with(courier) <= 1 {
                return;
            }
            let Some(share) = self.carried.share(digest) else { continue };
            if self.send_envelope(courier, &share, now) {
                self.carried.shared(digest, courier);
                self.courier_counts.shared += 1;
                self.keep_carried(digest);
            }
        }
    }

    /// Hands a peer that is there the mail we carry for it. Where its own link is not proven, it gets a copy.
    fn hand_over(&mut self, peer: PeerId, now: Now) {
        if self.carried.len() == 0 {
            return;
        }
        let tags = self.tags_of(peer, now);
        let theirs = self.carried.due_for(&tags, true, now.instant);
        if theirs.is_empty() {
            return;
        }
        let direct = self.leads_to(peer, now);
        let due = if direct { theirs } else { self.carried.due_for(&tags, false, now.instant) };
        if !direct
            && let Some(answered) = self.bindings.bound_since(peer).map(|since| since + ANSWER_TIMEOUT)
            && answered > now.instant
        {
            return self.sweep_at(answered);
        }
        for digest in due {
            let Some(envelope) = self.carried.envelope(digest) else { continue };
            if self.send_envelope(peer, &envelope, now) {
                self.carried.handed(digest, peer, direct, now.instant);
                self.courier_counts.handed += 1;
                self.sweep_at(now.instant + HANDING);
            }
        }
    }

    /// Whether a link leads to this peer, as far as that can be proven: it spoke in its session over it. Where a link is
    /// only bound to it, it is asked to: what stands bound by a replayed announce swallows mail that would be given up.
    fn leads_to(&mut self, peer: PeerId, now: Now) -> bool {
        let proven = self.bindings.is_proven(peer);
        if !proven && self.bindings.is_neighbour(peer) && self.clock_refusal(now).is_none() {
            self.greet(peer, now);
        }
        proven
    }

    /// Whether this courier may have something of ours, or of what we carry.
    fn has_something_for(&self, courier: PeerId, now: Now) -> bool {
        let texts = self.deposits.for_courier(courier);
        let tags = || self.tags_of(courier, now);
        self.is_courier(courier)
            && (texts.iter().any(|text| !self.peers.is_present(text.to))
                || !self.carried.shares_for(courier, &tags()).is_empty())
    }

    /// Opens mail of ours. The envelope is done with once its message is stored: until then it may come again.
    fn open_mail(&mut self, envelope: &CourierEnvelope, stamp: Stamp, now: Now) -> Result<(), DropReason> {
        check_life(envelope, now.unix)?;
        let digest = Digest::of(envelope);
        if self.opened_mail.is_stored(digest) {
            return Err(DropReason::CourierReplay);
        }
        let with = match envelope.prekey {
            None => OpenWith::Static(&self.identity),
            Some(id) => {
                let secret = self.own_prekeys.secret(id, now.unix).ok_or(DropReason::Undecryptable)?;
                OpenWith::Prekey { id, secret }
            }
        };
        let opened = courier::open(with, &envelope.ciphertext);
        let (sender, plaintext) = opened.map_err(|_| DropReason::Undecryptable)?;
        let sender = Fingerprint::of(&sender);
        if sender.peer_id() == self.me {
            return Err(DropReason::Own);
        }
        if let Some(id) = envelope.prekey {
            self.prekey_used(id, now);
        }
        if self.trust.is_blocked(sender) {
            return Err(DropReason::Blocked);
        }
        let plaintext = Bytes::copy_from_slice(&plaintext);
        let Ok(NoisePayload::PrivateMessage { id, content }) = NoisePayload::decode(&plaintext) else {
            return Err(DropReason::Payload);
        };
        self.courier_counts.opened += 1;
        self.opened_mail.opened(digest, sender.peer_id(), id.clone());
        let stamp = Stamp { sent: self.written_at(envelope, stamp), ..stamp };
        self.text_of(sender, id, content, stamp, now);
        Ok(())
    }

    /// The time that is told of mail. What lives a day is as old as its expiry says; what was to live shorter came
    /// here within that, and its own time nobody knows.
    fn written_at(&self, envelope: &CourierEnvelope, stamp: Stamp) -> UnixMillis {
        let sealed = sealed_at(envelope.expires);
        let day_long = envelope.tag == courier::tag(&self.identity.noise_public(), sealed.day());
        if day_long { sealed.min(stamp.sent) } else { stamp.sent }
    }

    fn send_envelope(&mut self, to: PeerId, envelope: &CourierEnvelope, now: Now) -> bool {
        let Ok(payload) = envelope.encode() else { return false };
        self.send_signed(PacketType::CourierEnvelope, Aim::Peer(to), payload.into(), now).is_some()
    }

    /// Whether we carry mail for somebody. For strangers too, when the link is their own.
    fn depositor(&self, peer: PeerId, link: Option<LinkId>) -> Option<Depositor> {
        let known = self.tier(peer).map(|tier| Depositor { peer, tier, link: None });
        let there = link.is_some_and(|link| self.bindings.peer_of(link) == Some(peer));
        let stranger = || {
            let blocked = self.trust.is_blocked(self.peers.get(peer)?.fingerprint);
            let taken = there && !blocked && self.config.courier.per_stranger > 0;
            taken.then_some(Depositor { peer, tier: Tier::Stranger, link })
        };
        known.or_else(stranger)
    }

    /// Whom we know well enough to carry their mail, and to leave ours with. A contact is somebody our owner said yes to, as good as verified.
    fn tier(&self, peer: PeerId) -> Option<Tier> {
        let standing = self.trust.standing(self.peers.get(peer)?.fingerprint);
        match (standing.blocked, standing.favourite) {
            (true, _) => None,
            (false, true) => Some(Tier::Favourite),
            (false, false) => (standing.verified || self.peers.is_contact(peer)).then_some(Tier::Verified),
        }
    }

    fn is_courier(&self, peer: PeerId) -> bool {
        let says_so = |bits: Capabilities| bits.contains(Capabilities::PREKEYS);
        self.tier(peer).is_some() && self.peers.get(peer).is_some_and(|peer| says_so(peer.capabilities))
    }

    fn tags_of(&self, peer: PeerId, now: Now) -> Vec<[u8; 16]> {
        let tags = |key: &[u8; 32]| courier::tags_around(key, now.unix.day()).to_vec();
        self.peers.get(peer).map(|peer| tags(&peer.noise_public)).unwrap_or_default()
    }

    fn sweep_at(&mut self, at: Instant) {
        self.courier_due = Some(self.courier_due.map_or(at, |due| due.min(at)));
    }

    fn drop_expired(&mut self, now: UnixMillis) {
        for digest in self.carried.expire(now) {
            self.forget_carried(digest);
        }
        for id in self.deposits.expire(now) {
            self.forget_deposit(id);
        }
    }

    fn keep_carried(&mut self, digest: Digest) {
        if let Some(value) = self.carried.encode(digest) {
            self.keep(Keep::Put(Kept { shelf: Shelf::Courier, key: carried_key(digest), value }));
        }
    }

    fn forget_deposit(&mut self, id: MessageId) {
        self.keep(Keep::Remove { shelf: Shelf::Courier, key: deposit_key(id) });
    }

    fn forget_carried(&mut self, digest: Digest) {
        self.keep(Keep::Remove { shelf: Shelf::Courier, key: carried_key(digest) });
    }
}

/// When mail was sealed that expires then and was to live as long as any may: its tag is of that day. What was to live
/// shorter has the tag of the day on which it expires, which is always another, and is found by it as well.
fn sealed_at(expires: UnixMillis) -> UnixMillis {
    expires - LIFETIME
}

fn carried_key(digest: Digest) -> Bytes {
    [&[mark::CARRIED], digest.0.as_slice()].concat().into()
}

fn deposit_key(id: MessageId) -> Bytes {
    [&[mark::DEPOSIT], id.0.as_slice()].concat().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::crypto::Identity;
    use crate::ids::AdapterId;
    use crate::link::event::{DeviceAddress, RadioEvent, Role};
    use crate::mesh::Config;
    use crate::mesh::event::{Input, Introduction, Output};
    use crate::mesh::train::{MAX_TRAINS, Train, Trains};
    use crate::mesh::trust::Standing;
    use crate::wire::{Packet, Version};

    const DAY: u64 = 24 * 60 * 60;
    const START: u64 = 1_800_000_000_000;

    fn at(seconds: u64) -> Now {
        Now {
            instant: Instant::from_start(Duration::from_secs(seconds)),
            unix: UnixMillis(START + seconds * 1000),
        }
    }

    fn identity(number: u8) -> Identity {
        Identity::from_bytes(&[number; 64])
    }

    /// A node, and what it keeps.
    struct Node {
        engine: Engine,
        disk: BTreeMap<(Shelf, Bytes), Bytes>,
    }

    impl Node {
        fn new(number: u8) -> Self {
            let engine = Engine::new(identity(number), Config::default(), [number; 32]);
            Self { engine, disk: BTreeMap::new() }
        }

        /// Somebody with everything that another node has at this time: its keys and its disk.
        fn thief_of(victim: &mut Self, number: u8, now: Now) -> Self {
            victim.drain();
            let mut thief = Self::new(number);
            let kept = |((shelf, key), value): (&(Shelf, Bytes), &Bytes)| Kept {
                shelf: *shelf,
                key: key.clone(),
                value: value.clone(),
            };
            thief.engine.handle(Input::Restore(victim.disk.iter().map(kept).collect()), now);
            thief
        }

        fn drain(&mut self) -> Vec<event::Event> {
            let mut events = Vec::new();
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::Keep(Keep::Put(Kept { shelf, key, value })) => {
                        self.disk.insert((shelf, key), value);
                    }
                    Output::Keep(Keep::Remove { shelf, key }) => {
                        self.disk.remove(&(shelf, key));
                    }
                    Output::Event(event) => events.push(event),
                    Output::Radio(_) => {}
                }
            }
            events
        }

        fn takes(&mut self, envelope: &CourierEnvelope, from: u8, now: Now) -> Result<(), DropReason> {
            self.takes_payload(envelope.encode().unwrap(), from, now)
        }

        fn takes_payload(&mut self, payload: Vec<u8>, from: u8, now: Now) -> Result<(), DropReason> {
            let packet = Packet {
                version: Version::V1,
                packet_type: PacketType::CourierEnvelope,
                ttl: 7,
                timestamp: now.unix,
                sender: identity(from).peer_id(),
                recipient: Some(self.engine.peer_id()),
                route: Vec::new(),
                rsr: false,
                payload: payload.into(),
                signature: None,
            };
            let stamp = Stamp { sent: now.unix, ttl: 7, fragments: 0 };
            self.engine.courier_mail(&packet, true, (None, stamp), now)
        }

        /// How often a text came out.
        fn texts(&mut self) -> usize {
            let text = |event: &&event::Event| matches!(event, event::Event::PrivateMessage(_));
            self.drain().iter().filter(text).count()
        }
    }

    /// Mail of one person to another, sealed to a prekey where there is one.
    fn mail(from: u8, to: &Identity, prekey: Option<(u32, [u8; 32])>, now: Now) -> CourierEnvelope {
        let text = NoisePayload::PrivateMessage { id: "7".to_owned(), content: "hello".to_owned() };
        let recipient = to.noise_public();
        let key = match &prekey {
            Some((id, public)) => SealTo::Prekey { id: *id, public },
            None => SealTo::Static(&recipient),
        };
        let mut rng = ChaCha20Rng::from_seed([from; 32]);
        let sealed = courier::seal(&identity(from), key, &text.encode().unwrap(), &mut rng).unwrap();
        CourierEnvelope {
            tag: courier::tag(&recipient, now.unix.day()),
            expires: now.unix + LIFETIME,
            ciphertext: sealed.into(),
            copies: COPIES,
            prekey: prekey.map(|(id, _)| id),
        }
    }

    #[test]
    fn a_stolen_static_key_does_not_open_mail_to_a_used_prekey() {
        let mut reader = Node::new(2);
        reader.engine.own_prekeys.run(at(0), &mut reader.engine.rng);
        let prekey = reader.engine.own_prekeys.entries()[0];
        let envelope = mail(1, &identity(2), Some((prekey.id, prekey.public)), at(0));
        assert_eq!(reader.takes(&envelope, 9, at(0)), Ok(()));
        assert_eq!(reader.texts(), 1);

        // While the used key is kept, a thief of everything can open the mail; afterwards nobody can.
        assert_eq!(Node::thief_of(&mut reader, 2, at(DAY - 1)).takes(&envelope, 9, at(DAY - 1)), Ok(()));
        reader.engine.handle(Input::Timeout, at(2 * DAY));
        let mut later = CourierEnvelope { expires: at(3 * DAY).unix, ..envelope };
        later.tag = courier::tag(&identity(2).noise_public(), at(2 * DAY).unix.day());
        let mut thief = Node::thief_of(&mut reader, 2, at(2 * DAY));
        assert!(thief.engine.own_prekeys.left() > 0, "the other prekeys are there");
        assert_eq!(thief.takes(&later, 9, at(2 * DAY)), Err(DropReason::Undecryptable));
        later.prekey = None;
        assert_eq!(thief.takes(&later, 9, at(2 * DAY)), Err(DropReason::Undecryptable), "nor as static mail");
        assert_eq!(thief.texts(), 0);
    }

    #[test]
    fn two_who_sealed_to_the_same_prekey_are_both_read_for_two_days() {
        let mut reader = Node::new(2);
        reader.engine.own_prekeys.run(at(0), &mut reader.engine.rng);
        let prekey = reader.engine.own_prekeys.entries()[0];
        for (from, now) in [(1, at(0)), (3, at(2 * DAY - 1))] {
            let envelope = mail(from, &identity(2), Some((prekey.id, prekey.public)), now);
            assert_eq!(reader.takes(&envelope, 9, now), Ok(()));
            assert_eq!(reader.texts(), 1);
        }
    }

    #[test]
    fn what_expired_while_more_came_is_gone_from_the_disk_too() {
        let mut courier = Node::new(2);
        know(&mut courier, 1);
        for (author, now) in [(1, at(0)), (4, at(DAY))] {
            assert_eq!(courier.takes(&mail(author, &identity(3), None, now), 1, now), Ok(()));
            courier.drain();
            let carried = courier.disk.keys().filter(|(shelf, _)| *shelf == Shelf::Courier);
            assert_eq!(carried.count(), 1);
        }
    }

    #[test]
    fn mail_that_comes_again_is_shown_again_until_it_is_stored_and_then_counted() {
        let mut reader = Node::new(2);
        let envelope = mail(1, &identity(2), None, at(0));
        for _ in 0..2 {
            assert_eq!(reader.takes(&envelope, 9, at(1)), Ok(()));
            assert_eq!(reader.texts(), 1);
        }
        reader.engine.mail_stored(identity(1).peer_id(), &["7".to_owned()]);
        let by_another = CourierEnvelope { copies: 1, ..envelope };
        assert_eq!(reader.takes(&by_another, 8, at(2)), Err(DropReason::CourierReplay));
        assert_eq!(reader.texts(), 0);
    }

    /// Makes somebody a favourite of a node's owner.
    fn know(node: &mut Node, number: u8) {
        let (noise_public, signing_public) =
            (identity(number).noise_public(), identity(number).signing_public());
        let introduction = Introduction {
            noise_public,
            signing_public,
            nickname: String::new(),
            standing: Standing { favourite: true, ..Standing::default() },
        };
        node.engine.handle(Input::Command(event::Command::Know(introduction)), at(0));
    }

    #[test]
    fn a_courier_who_got_only_a_part_of_a_text_does_not_count_as_having_it() {
        let mut node = Node::new(1);
        know(&mut node, 2);
        know(&mut node, 3);
        let link = LinkId { adapter: AdapterId(0), serial: 1 };
        let up =
            RadioEvent::LinkUp { link, address: DeviceAddress([1; 6]), role: Role::Central, max_frame: 180 };
        node.engine.handle(Input::Radio(up), at(0));
        let train = || Train {
            fragments: [Bytes::from_static(b"piece")].into(),
            links: [link].into(),
            gap: Duration::from_secs(60),
            onward: false,
            own: true,
        };
        // There is room for one more, and the text has two parts.
        for _ in 1..MAX_TRAINS {
            assert!(node.engine.trains.add(train(), at(0).instant));
        }
        let id = MessageId([7; 16]);
        let (to, courier) = (identity(3).peer_id(), identity(2).peer_id());
        let (written, expires) = (at(0).unix, at(DAY).unix);
        let deposit = Command::Deposit { to, id, text: "long ".repeat(80), written, expires };
        node.engine.courier_command(deposit, at(0));
        node.engine.leave_deposits(courier, at(0));
        let left =
            |events: Vec<event::Event>| events.iter().any(|event| matches!(event, event::Event::Courier(_)));
        assert!(!left(node.drain()));
        node.engine.trains = Trains::default();
        node.engine.leave_deposits(courier, at(1));
        assert!(left(node.drain()));
    }

    #[test]
    fn a_text_is_told_with_its_time_or_when_it_was_to_live_shorter_with_that_of_its_coming() {
        // At 8 in the morning, and shortly before midnight.
        for start in [0, 16 * 3600 - 60] {
            for (age, deposited, opened, told) in [
                (DAY, 0, 20 * 3600, 0),
                (DAY, 5 * 3600, 20 * 3600, 0),
                (7 * DAY, 3 * DAY, 3 * DAY + 20 * 3600, 3 * DAY),
                (600, 0, 300, 300),
                (600, 5, 59, 59),
                (DAY - 1, 0, 20 * 3600, 20 * 3600),
            ] {
                let (mut writer, mut reader) = (Node::new(1), Node::new(3));
                know(&mut writer, 3);
                let (to, id, text) = (identity(3).peer_id(), MessageId([7; 16]), "hello".to_owned());
                let (written, expires) = (at(start).unix, at(start + age).unix);
                let now = at(start + deposited);
                writer.engine.courier_command(Command::Deposit { to, id, text, written, expires }, now);
                assert!(writer.engine.seal(id, to, now));
                let [envelope] = <[_; 1]>::try_from(writer.engine.deposits.envelopes(id)).unwrap();
                assert_eq!(reader.takes(&envelope, 9, at(start + opened)), Ok(()));
                let sent = |event| {
                    if let event::Event::PrivateMessage(text) = event { Some(text.sent) } else { None }
                };
                let sent: Vec<UnixMillis> = reader.drain().into_iter().filter_map(sent).collect();
                assert_eq!(sent, [at(start + told).unix], "{age} {deposited} {opened}");
            }
        }
    }

    #[test]
    fn a_text_that_no_courier_takes_is_said_to_be_left_with_none() {
        let mut node = Node::new(1);
        let mut told = |number, text: &str| {
            let (to, id, text) = (identity(3).peer_id(), MessageId([number; 16]), text.to_owned());
            let (written, expires) = (at(0).unix, at(DAY + u64::from(number)).unix);
            node.engine.courier_command(Command::Deposit { to, id, text, written, expires }, at(0));
            node.drain()
        };
        let not_left =
            |number, why| [event::Event::Courier(Event::NotLeft { id: MessageId([number; 16]), why })];
        assert_eq!(told(200, &"x".repeat(1_020)), []);
        let why = NotLeft::TooLong { len: 1_021, max: 1_020 };
        assert_eq!(told(201, &"x".repeat(1_021)), not_left(201, why));
        for number in 1..100 {
            assert_eq!(told(number, "one of many"), []);
        }
        assert_eq!(
            told(100, "one too many"),
            not_left(200, NotLeft::TooMany),
            "the first that came, and all expire at once"
        );
    }

    #[test]
    fn absurd_copies_and_lives_are_refused_by_carrier_and_recipient() {
        for mut node in [Node::new(2), Node::new(3)] {
            know(&mut node, 1);
            let envelope = mail(1, &identity(2), None, at(0));
            for expires in [UnixMillis(u64::MAX), at(0).unix, UnixMillis(0), at(25 * 3600 + 1).unix] {
                let absurd = CourierEnvelope { expires, ..envelope.clone() };
                assert_eq!(node.takes(&absurd, 1, at(0)), Err(DropReason::CourierExpiry));
            }
            for copies in [0, 9, 255] {
                let mut payload = CourierEnvelope { copies: 2, ..envelope.clone() }.encode().unwrap();
                *payload.last_mut().unwrap() = copies;
                assert_eq!(node.takes_payload(payload, 1, at(0)), Err(DropReason::Payload));
            }
            assert_eq!((node.texts(), node.engine.carried.len()), (0, 0));
            assert_eq!(node.takes(&envelope, 1, at(0)), Ok(()));
        }
    }

    #[test]
    fn mail_in_our_own_name_and_mail_with_something_else_inside_is_refused() {
        let mut reader = Node::new(2);
        let own = mail(2, &identity(2), None, at(0));
        assert_eq!(reader.takes(&own, 9, at(0)), Err(DropReason::Own));
        let receipt = NoisePayload::Delivered { id: "7".to_owned() }.encode().unwrap();
        let recipient = identity(2).noise_public();
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let sealed = courier::seal(&identity(1), SealTo::Static(&recipient), &receipt, &mut rng).unwrap();
        let other = CourierEnvelope { ciphertext: sealed.into(), ..own };
        assert_eq!(reader.takes(&other, 9, at(0)), Err(DropReason::Payload));
        assert_eq!(reader.texts(), 0);
    }
}
