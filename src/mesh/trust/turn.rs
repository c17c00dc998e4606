//! What the engine does about trust: keys are pinned, favourites told, codes proven, vouches given and taken, and
//! the blocked not heard.

use rand_core::RngCore;

use super::event::{Command, Event, Unverified};
use super::level::{Opinion, Standing};
use super::people::{Keys, Pinned, Proof, Restored};
use super::vouches::{MAX_OF_ONE, is_timely};
use crate::crypto::verify;
use crate::ids::{Fingerprint, MessageId, PeerId};
use crate::mesh::egress::Aim;
use crate::mesh::engine::Engine;
use crate::mesh::error::DropReason;
use crate::mesh::event::{self, Introduction};
use crate::mesh::kept::Kept;
use crate::mesh::peers::{Bond, Peer};
use crate::time::{Now, UnixMillis};
use crate::wire::{
    Capabilities, MAX_VOUCHES, NoisePayload, PeerState, VerifyChallenge, VerifyResponse, Vouch,
};

/// What a private message begins with that makes its reader a favourite (spec 3.6.3).
const FAVOURITE: &str = "[FAVORITED]";
/// What one begins with that unmakes them one.
const NO_FAVOURITE: &str = "[UNFAVORITED]";

/// The most people vouched for at once: as many as one voucher is remembered for.
const VOUCHES_AT_ONCE: usize = MAX_OF_ONE;

/// Whether a private text is a favourite notice, and what it says. It is not meant for people. Behind a colon the apps
/// name a Nostr key.
pub(in crate::mesh) fn favourite_notice(text: &str) -> Option<bool> {
    let is = |notice| text.strip_prefix(notice).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    match (is(FAVOURITE), is(NO_FAVOURITE)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        (false, false) => None,
    }
}

impl Engine {
    /// Does what the node asks about trust.
    pub(in crate::mesh) fn people_command(&mut self, command: Command, now: Now) {
        match command {
            Command::Challenge { noise_public, signing_public, nickname } => {
                let who = Fingerprint::of(&noise_public);
                let claim = Keys { noise_public, signing_public, nickname };
                if let Err(reason) = self.challenge(who, claim, now) {
                    self.emit_trust(Event::NotVerified { fingerprint: who, reason });
                }
            }
            Command::Forget(who) => {
                self.peers.forget(who.peer_id());
                self.decide(who, Standing::default(), now);
            }
        }
    }

    /// How far somebody is trusted, and on whose word.
    pub fn opinion(&self, who: Fingerprint, now: Now) -> Opinion {
        let vouchers = self.trust.vouchers(who, now.unix).collect();
        Opinion { level: self.trust.level(who, now.unix), vouchers }
    }

    /// Takes the keys of a person and what our owner decided about them: both outweigh what was announced.
    pub(in crate::mesh) fn introduce(&mut self, introduction: Introduction, now: Now) {
        let Introduction { noise_public, signing_public, nickname, standing } = introduction;
        let who = Fingerprint::of(&noise_public);
        if who.peer_id() == self.me {
            return;
        }
        let keys = Keys { noise_public, signing_public, nickname };
        // An owner's word is refused by nothing.
        self.trust.pin(&keys, Proof::Owner, now.unix).ok();
        self.put_in_place(who, keys, if standing.blocked { Bond::Met } else { Bond::Contact });
        self.decide(who, standing, now);
        self.show_held(who.peer_id(), now);
    }

    /// Pins the keys of an announce whose signature was verified.
    pub(in crate::mesh) fn pin_announced(&mut self, keys: &Keys, now: Now) -> Result<(), DropReason> {
        self.trust.pin(keys, Proof::Announced, now.unix).map_err(|_| DropReason::KeyChanged)?;
        self.keep_trust();
        Ok(())
    }

    /// What an earlier run knew of people: their packets can be verified before they are heard.
    /// False when the value does not read.
    pub(in crate::mesh) fn restore_person(&mut self, kept: &Kept) -> bool {
        let Some(restored) = self.trust.restore(&kept.key, &kept.value) else { return false };
        if let Restored::Person { keys, proven } = restored {
            let bond = if proven { Bond::Met } else { Bond::Announced };
            self.put_in_place(Fingerprint::of(&keys.noise_public), keys, bond);
        }
        true
    }

    /// A peer proved inside a session what it can do and which key it signs with (spec 3.6.11). It outweighs a key
    /// that was only announced, since the session shows who is there; against a proven one it is refused.
    pub(in crate::mesh) fn peer_state(&mut self, peer: PeerId, state: &PeerState, now: Now) {
        let Some(noise_public) = self.sessions.noise_public(peer) else { return };
        let who = Fingerprint::of(&noise_public);
        let keys = Keys { noise_public, signing_public: state.signing_public, nickname: self.nickname(peer) };
        match self.trust.pin(&keys, Proof::Session, now.unix) {
            Err(_) => return self.counters.drop(DropReason::KeyChanged),
            Ok(Pinned::Replaced) => self.put_in_place(who, keys, Bond::Met),
            Ok(Pinned::Same) => {}
        }
        self.keep_trust();
        if self.sessions.prove(peer, state.capabilities) {
            // The peer may have had no session yet when ours was sent.
            self.send_peer_state(peer, now);
            self.show_person(peer, now);
            self.send_vouches(peer, now);
            self.session_for_files(peer, now);
        }
    }

    /// A session stands: what waited for it is said.
    pub(in crate::mesh) fn greet_person(&mut self, peer: PeerId, now: Now) {
        self.send_favourite_notice(peer, now);
        if let Some(challenge) = self.challenges.of(peer) {
            self.send_inner(Aim::Peer(peer), peer, &NoisePayload::VerifyChallenge(challenge), now);
        }
    }

    /// Whether a payload is not looked at because its sender is blocked. Receipts and proofs say nothing to people.
    pub(in crate::mesh) fn is_shut_out(&self, peer: PeerId, payload: &NoisePayload) -> bool {
        let harmless = matches!(
            payload,
            NoisePayload::PeerState(_) | NoisePayload::Delivered { .. } | NoisePayload::ReadReceipt { .. }
        );
        let blocked = || self.sessions.fingerprint(peer).is_some_and(|who| self.trust.is_blocked(who));
        !harmless && blocked()
    }

    /// Somebody says whether we are a favourite of theirs.
    pub(in crate::mesh) fn favoured(&mut self, who: Fingerprint, by_them: bool, now: Now) {
        let peer = who.peer_id();
        if !self.trust.favoured(who, by_them) {
            return;
        }
        self.keep_trust();
        let mutual = by_them && self.trust.standing(who).favourite;
        let nickname = self.nickname(peer);
        self.emit_trust(Event::Favoured { peer, fingerprint: who, nickname, by_them, mutual });
        self.show_person(peer, now);
    }

    /// Somebody scanned our code: we prove that its keys are ours.
    pub(in crate::mesh) fn challenged(&mut self, peer: PeerId, challenge: VerifyChallenge, now: Now) {
        let ours = challenge.noise_public == self.identity.noise_public();
        if !ours || !self.sessions.may_challenge(peer, now.instant) {
            return self.counters.drop(DropReason::Verification);
        }
        let signature = self.identity.sign(&challenge.signing_preimage());
        let response = NoisePayload::VerifyResponse(VerifyResponse { challenge, signature });
        self.send_inner(Aim::Peer(peer), peer, &response, now);
        if let Some(fingerprint) = self.sessions.fingerprint(peer) {
            self.emit_trust(Event::Challenged { peer, fingerprint, nickname: self.nickname(peer) });
        }
    }

    /// Somebody proves, or does not, that the keys of the code we scanned are theirs.
    pub(in crate::mesh) fn proved(&mut self, peer: PeerId, response: &VerifyResponse) {
        match self.challenges.answered(peer, response) {
            Some(Keys { noise_public, signing_public, nickname }) => {
                self.emit_trust(Event::Verified { noise_public, signing_public, nickname });
            }
            None => self.counters.drop(DropReason::Verification),
        }
    }

    /// Somebody vouches for others. Only the word of those counts whom our owner verified.
    pub(in crate::mesh) fn vouched(&mut self, peer: PeerId, vouches: Vec<Vouch>, now: Now) {
        let Some(voucher) = self.sessions.fingerprint(peer) else { return };
        let key = self.trust.keys(voucher).map(|keys| keys.signing_public);
        let Some(key) = key.filter(|_| self.trust.standing(voucher).verified) else {
            return self.counters.drop(DropReason::Vouch);
        };
        let me = self.identity.fingerprint();
        let counts = |vouch: &Vouch| {
            let Vouch { fingerprint, signing_public, made, signature } = vouch;
            let preimage = Vouch::signing_preimage(fingerprint, signing_public, *made);
            ![me, voucher].contains(fingerprint)
                && is_timely(*made, now.unix)
                && verify(&key, signature, [preimage], ()).is_ok()
        };
        let (good, bad): (Vec<_>, Vec<_>) = vouches.into_iter().partition(counts);
        bad.iter().for_each(|_| self.counters.drop(DropReason::Vouch));
        self.trust.vouches.add(voucher, &good);
        self.keep_trust();
        for vouch in good {
            self.show_person(vouch.fingerprint.peer_id(), now);
        }
    }

    /// Verifications that took too long.
    pub(in crate::mesh) fn expire_challenges(&mut self, now: Now) {
        while let Some(fingerprint) = self.challenges.pop_expired(now.instant) {
            self.emit_trust(Event::NotVerified { fingerprint, reason: Unverified::Silence });
        }
    }

    fn challenge(&mut self, who: Fingerprint, claim: Keys, now: Now) -> Result<(), Unverified> {
        let peer = who.peer_id();
        if peer == self.me {
            return Err(Unverified::Own);
        }
        if self.trust.is_blocked(who) {
            return Err(Unverified::Blocked);
        }
        if self.trust.contradicts(who, &claim.signing_public) {
            return Err(Unverified::KeyChanged);
        }
        let mut nonce = [0; 16];
        self.rng.fill_bytes(&mut nonce);
        if !self.challenges.begin(peer, claim, nonce, now.instant) {
            return Err(Unverified::Busy);
        }
        if self.sessions.stands(peer, now.instant) {
            self.greet_person(peer, now);
        } else {
            self.greet(peer, now);
        }
        Ok(())
    }

    fn decide(&mut self, who: Fingerprint, standing: Standing, now: Now) {
        let before = self.trust.decide(who, standing);
        self.keep_trust();
        if before == standing && self.trust.notice_due(who).is_none() {
            return;
        }
        let peer = who.peer_id();
        self.show_person(peer, now);
        if self.sessions.stands(peer, now.instant) {
            self.send_favourite_notice(peer, now);
            self.send_vouches(peer, now);
        } else if self.trust.notice_due(who).is_some() {
            self.warm(peer, now);
        }
    }

    /// Tells a peer whether it is a favourite of ours, if it does not know.
    fn send_favourite_notice(&mut self, peer: PeerId, now: Now) {
        let Some(who) = self.sessions.fingerprint(peer) else { return };
        let Some(favourite) = self.trust.notice_due(who) else { return };
        let mut id = MessageId([0; 16]);
        self.rng.fill_bytes(&mut id.0);
        let content = if favourite { FAVOURITE } else { NO_FAVOURITE }.to_owned();
        let notice = NoisePayload::PrivateMessage { id: id.to_string(), content };
        if self.send_inner(Aim::Peer(peer), peer, &notice, now) {
            self.trust.notice_told(who, favourite);
            self.keep_trust();
        }
    }

    /// Vouches for everybody whom our owner verified, to somebody verified who takes vouches; where they are too many,
    /// each time for others of them.
    fn send_vouches(&mut self, peer: PeerId, now: Now) {
        let Some(who) = self.sessions.fingerprint(peer) else { return };
        let takes = self.sessions.capabilities(peer).is_some_and(|set| set.contains(Capabilities::VOUCH));
        let standing = self.trust.standing(who);
        if !takes || !standing.verified || standing.blocked {
            return;
        }
        let vouch = |(fingerprint, signing_public): (Fingerprint, [u8; 32])| {
            let made: UnixMillis = now.unix;
            let preimage = Vouch::signing_preimage(&fingerprint, &signing_public, made);
            Vouch { fingerprint, signing_public, made, signature: self.identity.sign(&preimage) }
        };
        let mut verified: Vec<_> = self.trust.verified_but(who).collect();
        if verified.len() > VOUCHES_AT_ONCE {
            let first = self.rng.next_u64() % u64::try_from(verified.len()).unwrap_or(u64::MAX);
            verified.rotate_left(usize::try_from(first).unwrap_or_default());
            verified.truncate(VOUCHES_AT_ONCE);
        }
        let vouches: Vec<Vouch> = verified.into_iter().map(vouch).collect();
        for vouches in vouches.chunks(MAX_VOUCHES) {
            self.send_inner(Aim::Peer(peer), peer, &NoisePayload::Vouches(vouches.to_vec()), now);
        }
    }

    /// Gives a peer these keys, whatever it announced.
    fn put_in_place(&mut self, who: Fingerprint, keys: Keys, bond: Bond) {
        let peer = who.peer_id();
        if self.peers.know(peer, keys, bond) {
            self.emit(event::Event::PeerGone { peer, left: false });
        }
    }

    /// Tells what is known of a peer, if it was heard.
    fn show_person(&mut self, peer: PeerId, now: Now) {
        if self.peers.get(peer).is_some_and(Peer::was_heard) {
            self.emit_peer(peer, now);
        }
    }

    fn keep_trust(&mut self) {
        let changes = self.trust.take_changes();
        self.keep_all(changes);
    }

    fn emit_trust(&mut self, event: Event) {
        self.emit(event::Event::People(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Identity;
    use crate::mesh::Config;
    use crate::mesh::event::Input;
    use crate::mesh::kept::Keep;
    use crate::mesh::trust::people::Trust;
    use crate::time::Instant;

    #[test]
    fn who_was_only_announced_comes_back_as_the_stranger_it_was_and_who_was_met_as_met() {
        let now = Now { instant: Instant::ZERO, unix: UnixMillis(1_800_000_000_000) };
        let mut trust = Trust::default();
        let people = [Proof::Announced, Proof::Session, Proof::Owner].map(|proof| {
            let identity = Identity::from_bytes(&[proof as u8 + 1; 64]);
            let (noise_public, signing_public) = (identity.noise_public(), identity.signing_public());
            let keys = Keys { noise_public, signing_public, nickname: String::new() };
            trust.pin(&keys, proof, now.unix).unwrap();
            identity.peer_id()
        });
        let kept = trust.take_changes().into_iter().map(|change| match change {
            Keep::Put(kept) => kept,
            Keep::Remove { .. } => panic!("nobody had to go"),
        });
        let mut engine = Engine::new(Identity::from_bytes(&[9; 64]), Config::default(), [9; 32]);
        engine.handle(Input::Restore(kept.collect()), now);
        let strangers = people.map(|peer| engine.peers.get(peer).map(Peer::is_stranger));
        assert_eq!(strangers, [Some(true), Some(false), Some(false)]);
    }

    #[test]
    fn a_favourite_notice_is_the_apps_words_alone_or_with_a_nostr_key() {
        for (text, said) in [
            ("[FAVORITED]", Some(true)),
            ("[FAVORITED]:npub1qqq", Some(true)),
            ("[UNFAVORITED]", Some(false)),
            ("[UNFAVORITED]:npub1qqq", Some(false)),
            ("[FAVORITED] is what the app writes", None),
            ("he wrote [FAVORITED]", None),
        ] {
            assert_eq!(favourite_notice(text), said, "{text}");
        }
    }
}
