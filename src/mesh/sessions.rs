//! Encrypted sessions, one per peer (spec 3.4, 3.5): who begins, what repeats, what replaces what.
//!
//! A handshake message that was lost is sent again as it was, and one that arrives again is answered as before:
//! both sides end with the same keys whichever copy got through. A standing session stays in use until a new
//! handshake is complete.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand_core::{CryptoRng, RngCore};

use super::budget::Budget;
use super::config::ANSWER_TIMEOUT;
use super::error::DropReason;
use super::handshake_rate::{Asked, HandshakeRate};
use crate::crypto::{
    CipherError, Established, Identity, Initiator, MESSAGE_1_LEN, ReceiveCipher, Refused, Responder,
    SendCipher,
};
use crate::ids::{Fingerprint, PeerId};
use crate::time::{Instant, UnixMillis};
use crate::wire::Capabilities;

/// How long an initiator waits for message 2 (spec 3.4).
const INITIATOR_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a responder waits for message 3 (spec 3.4).
const RESPONDER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a peer may take to prove what it can do, before files leave on its bare word (spec 3.6.11).
const PROOF_PATIENCE: Duration = Duration::from_secs(5);
/// How long a session is used (spec 3.4).
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Peers with a session or a handshake; the one used longest ago goes first.
const MAX_SESSIONS: usize = 1_024;
/// Ciphertexts of one peer kept while its handshake is unfinished (spec 3.4).
const MAX_EARLY: usize = 4;
/// The same of all peers together (spec 3.4).
const MAX_ALL_EARLY: usize = 32;
/// The longest such ciphertext: a file waits for the proof that follows the handshake (spec 3.6.11), and a text is short.
const MAX_EARLY_LEN: usize = 70_000;
/// Challenges of one peer that are answered, in one [`CHALLENGE_SPAN`]: a person scans a code now and then.
const CHALLENGES: usize = 5;
/// Over how long they are counted.
const CHALLENGE_SPAN: Duration = Duration::from_secs(60);
/// Ciphertexts in a row under other keys, after which the peer may hold another session (Android's rule, spec 3.4).
const ESTRANGED: u8 = 3;

/// What a handshake message led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// A handshake message to send to the peer.
    pub(super) reply: Option<Vec<u8>>,
    /// Whether a session was completed by it.
    pub(super) established: bool,
}

/// A handshake message to send again because nothing answered it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Again {
    /// To whom.
    pub(super) peer: PeerId,
    /// The same message as before.
    pub(super) message: Vec<u8>,
}

enum Pending {
    Initiator { handshake: Initiator, message1: Vec<u8> },
    Responder { handshake: Responder, message1: Vec<u8>, message2: Vec<u8> },
}

struct Handshake {
    pending: Pending,
    deadline: Instant,
    repeat: Option<Instant>,
}

struct Live {
    send: SendCipher,
    receive: ReceiveCipher,
    fingerprint: Fingerprint,
    noise_public: [u8; 32],
    /// What the peer proved that it can do, once it has.
    capabilities: Option<Capabilities>,
    since: Instant,
    /// When the peer last proved that it holds the same keys.
    heard: Instant,
    /// Ciphertexts in a row under other keys.
    strange: u8,
    /// What completed it (message 1 for a responder, message 2 for an initiator) and our last word, should the
    /// other side not have heard it.
    completed_by: Vec<u8>,
    last_word: Option<Vec<u8>>,
}

#[derive(Default)]
struct Session {
    live: Option<Live>,
    handshake: Option<Handshake>,
    early: VecDeque<(Vec<u8>, Stamp)>,
    /// Those of all its handshakes: a new one buys no more.
    challenges: Budget,
    used: Instant,
}

/// Every session and every handshake under way.
#[derive(Default)]
pub(super) struct Sessions {
    peers: BTreeMap<PeerId, Session>,
    rate: HandshakeRate,
}

impl Sessions {
    /// Whether messages to this peer can be encrypted.
    pub(super) fn stands(&self, peer: PeerId, now: Instant) -> bool {
        self.live(peer).is_some_and(|live| now.since(live.since) < LIFETIME)
    }

    /// The identity at the other end of a peer's session.
    pub(super) fn fingerprint(&self, peer: PeerId) -> Option<Fingerprint> {
        self.live(peer).map(|live| live.fingerprint)
    }

    /// The Noise key at the other end of a peer's session.
    pub(super) fn noise_public(&self, peer: PeerId) -> Option<[u8; 32]> {
        self.live(peer).map(|live| live.noise_public)
    }

    /// What a peer proved that it can do in this session; the only thing that security may rest on (spec 3.6.11).
    pub(super) fn capabilities(&self, peer: PeerId) -> Option<Capabilities> {
        self.live(peer)?.capabilities
    }

    /// Until when to wait for a peer to prove what it can do; `None` when it has, or had its time.
    pub(super) fn proof_due(&self, peer: PeerId, now: Instant) -> Option<Instant> {
        let live = self.live(peer).filter(|live| live.capabilities.is_none())?;
        Some(live.since + PROOF_PATIENCE).filter(|&due| due > now)
    }

    /// A peer proved what it can do; true the first time in a session.
    pub(super) fn prove(&mut self, peer: PeerId, capabilities: Capabilities) -> bool {
        let live = self.peers.get_mut(&peer).and_then(|session| session.live.as_mut());
        live.is_some_and(|live| live.capabilities.replace(capabilities).is_none())
    }

    /// Whether one more challenge of a peer is answered, and told to people; counts it when it is.
    pub(super) fn may_challenge(&mut self, peer: PeerId, now: Instant) -> bool {
        let session = self.peers.get_mut(&peer).filter(|session| session.live.is_some());
        session.is_some_and(|session| session.challenges.spend(CHALLENGES, CHALLENGE_SPAN, now))
    }

    /// Message 1 of a new handshake, unless one is under way or the limits forbid it.
    pub(super) fn begin(
        &mut self,
        asked: Asked,
        identity: &Identity,
        now: Instant,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Option<Vec<u8>> {
        let peer = asked.peer;
        let under_way = self.peers.get(&peer).is_some_and(|session| session.handshake.is_some());
        if under_way || !self.rate.allow(asked, now) {
            return None;
        }
        let (handshake, message1) = Initiator::new(identity, rng).ok()?;
        let pending = Pending::Initiator { handshake, message1: message1.clone() };
        self.session(peer, now).handshake = Some(Handshake::new(pending, INITIATOR_TIMEOUT, now));
        Some(message1)
    }

    /// Takes a handshake message. 32 bytes are message 1, whatever else is going on; the rest depends on what
    /// is awaited (spec 3.4).
    pub(super) fn handshake(
        &mut self,
        asked: Asked,
        message: &[u8],
        identity: &Identity,
        now: Instant,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Step, DropReason> {
        let peer = asked.peer;
        if message.len() == MESSAGE_1_LEN {
            return self.respond(asked, message, identity, now, rng);
        }
        let session = self.peers.get_mut(&peer).ok_or(DropReason::Handshake)?;
        if let Some(live) = &session.live
            && live.completed_by == message
        {
            return Ok(Step { reply: live.last_word.clone(), established: false });
        }
        let handshake = session.handshake.take().ok_or(DropReason::Handshake)?;
        match handshake.advance(peer, message, identity) {
            Ok((live, reply)) => {
                session.live = Some(Live { since: now, heard: now, ..live });
                session.used = now;
                Ok(Step { reply, established: true })
            }
            Err(unchanged) => {
                session.handshake = Some(unchanged);
                Err(DropReason::Handshake)
            }
        }
    }

    /// Whether a peer said nothing in its session for as long as an answer takes.
    pub(super) fn is_quiet(&self, peer: PeerId, now: Instant) -> bool {
        self.live(peer).is_some_and(|live| now.since(live.heard) >= ANSWER_TIMEOUT)
    }

    /// Encrypts one inner payload; `None` without a session.
    pub(super) fn seal(&mut self, peer: PeerId, plaintext: &[u8], now: Instant) -> Option<Vec<u8>> {
        if !self.stands(peer, now) {
            return None;
        }
        let session = self.peers.get_mut(&peer)?;
        session.used = now;
        session.live.as_mut()?.send.seal(plaintext).ok()
    }

    /// Decrypts one inner payload. What arrives before its handshake is complete is kept for a moment.
    pub(super) fn open(
        &mut self,
        peer: PeerId,
        payload: &[u8],
        stamp: Stamp,
        now: Instant,
    ) -> Result<Vec<u8>, Unopened> {
        let Some(session) = self.peers.get_mut(&peer) else { return Err(Unopened::NoSession) };
        let refused = match session.live.as_mut().map(|live| live.open(payload, now)) {
            Some(Ok(plaintext)) => {
                session.used = now;
                return Ok(plaintext);
            }
            Some(Err(refused)) => refused,
            None => Unopened::NoSession,
        };
        if session.handshake.is_none() {
            return Err(refused);
        }
        self.keep_early(peer, payload, stamp);
        Err(Unopened::Early)
    }

    fn keep_early(&mut self, peer: PeerId, payload: &[u8], stamp: Stamp) {
        let all: usize = self.peers.values().map(|session| session.early.len()).sum();
        let Some(session) = self.peers.get_mut(&peer) else { return };
        if all < MAX_ALL_EARLY && session.early.len() < MAX_EARLY && payload.len() <= MAX_EARLY_LEN {
            session.early.push_back((payload.to_vec(), stamp));
        }
    }

    /// What arrived before its handshake was complete.
    pub(super) fn take_early(&mut self, peer: PeerId) -> VecDeque<(Vec<u8>, Stamp)> {
        self.peers.get_mut(&peer).map(|session| std::mem::take(&mut session.early)).unwrap_or_default()
    }

    /// A peer is gone for good: so are its keys.
    pub(super) fn end(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// The next handshake message that nothing answered; each is repeated once.
    pub(super) fn pop_repeat(&mut self, now: Instant) -> Option<Again> {
        let due = |handshake: &Handshake| handshake.repeat.is_some_and(|repeat| repeat <= now);
        self.peers.iter_mut().find_map(|(&peer, session)| {
            let handshake = session.handshake.as_mut().filter(|handshake| due(handshake))?;
            handshake.repeat = None;
            let message = match &handshake.pending {
                Pending::Initiator { message1, .. } => message1.clone(),
                Pending::Responder { message2, .. } => message2.clone(),
            };
            Some(Again { peer, message })
        })
    }

    /// Gives up handshakes that took too long.
    pub(super) fn expire(&mut self, now: Instant) {
        for session in self.peers.values_mut() {
            if session.handshake.as_ref().is_some_and(|handshake| handshake.deadline <= now) {
                session.handshake = None;
                session.early.clear();
            }
        }
        self.peers.retain(|_, session| session.live.is_some() || session.handshake.is_some());
    }

    /// When something is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.peers
            .values()
            .filter_map(|session| session.handshake.as_ref())
            .map(|handshake| handshake.repeat.map_or(handshake.deadline, |at| at.min(handshake.deadline)))
            .min()
    }

    fn respond(
        &mut self,
        asked: Asked,
        message1: &[u8],
        identity: &Identity,
        now: Instant,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Step, DropReason> {
        let peer = asked.peer;
        match self.peers.get(&peer).and_then(|session| session.handshake.as_ref()).map(|h| &h.pending) {
            Some(Pending::Responder { message1: answered, message2, .. }) if answered == message1 => {
                return Ok(Step { reply: Some(message2.clone()), established: false });
            }
            Some(Pending::Initiator { .. }) if identity.peer_id() < peer => return Ok(Step::default()),
            Some(Pending::Initiator { .. } | Pending::Responder { .. }) | None => {}
        }
        if self.live(peer).is_some_and(|live| live.completed_by == message1) {
            return Ok(Step::default());
        }
        if !self.rate.allow(asked, now) {
            return Err(DropReason::HandshakeRate);
        }
        let (handshake, message2) =
            Responder::new(identity, message1, rng).map_err(|_| DropReason::Handshake)?;
        let pending =
            Pending::Responder { handshake, message1: message1.to_vec(), message2: message2.clone() };
        self.session(peer, now).handshake = Some(Handshake::new(pending, RESPONDER_TIMEOUT, now));
        Ok(Step { reply: Some(message2), established: false })
    }

    fn live(&self, peer: PeerId) -> Option<&Live> {
        self.peers.get(&peer)?.live.as_ref()
    }

    fn session(&mut self, peer: PeerId, now: Instant) -> &mut Session {
        if !self.peers.contains_key(&peer) && self.peers.len() >= MAX_SESSIONS {
            let oldest = self.peers.iter().min_by_key(|(_, session)| session.used).map(|(&peer, _)| peer);
            if let Some(oldest) = oldest {
                self.peers.remove(&oldest);
            }
        }
        let session = self.peers.entry(peer).or_default();
        session.used = now;
        session
    }
}

/// When and from how far a ciphertext came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The packet's timestamp.
    pub(super) sent: UnixMillis,
    /// The TTL it arrived with.
    pub(super) ttl: u8,
    /// Over how many fragments it came.
    pub(super) fragments: u16,
}

/// Why a ciphertext gave no plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unopened {
    /// There is no session and no handshake with this peer.
    NoSession,
    /// A handshake is under way; the ciphertext is kept until it is complete, if there is room.
    Early,
    /// The session refused it: damaged, replayed, or made under other keys.
    Refused,
    /// The same, and so it was with those before it: perhaps the peer holds another session.
    Estranged,
}

impl Handshake {
    fn new(pending: Pending, timeout: Duration, now: Instant) -> Self {
        Self { pending, deadline: now + timeout, repeat: Some(now + ANSWER_TIMEOUT) }
    }

    /// Completes the handshake, or gives it back as it was.
    #[expect(clippy::result_large_err, reason = "the error is the state, moved back to where it came from")]
    fn advance(
        self,
        peer: PeerId,
        message: &[u8],
        identity: &Identity,
    ) -> Result<(Live, Option<Vec<u8>>), Self> {
        let Self { pending, deadline, repeat } = self;
        match pending {
            Pending::Initiator { handshake, message1 } => match handshake.finish(identity, peer, message) {
                Ok((message3, established)) => {
                    Ok((Live::new(established, message, Some(message3.clone())), Some(message3)))
                }
                Err(Refused { handshake, .. }) => {
                    Err(Self { pending: Pending::Initiator { handshake, message1 }, deadline, repeat })
                }
            },
            Pending::Responder { handshake, message1, message2 } => {
                match handshake.finish(identity, peer, message) {
                    Ok(established) => Ok((Live::new(established, &message1, None), None)),
                    Err(Refused { handshake, .. }) => Err(Self {
                        pending: Pending::Responder { handshake, message1, message2 },
                        deadline,
                        repeat,
                    }),
                }
            }
        }
    }
}

impl Live {
    fn new(established: Established, completed_by: &[u8], last_word: Option<Vec<u8>>) -> Self {
        let fingerprint = established.remote_fingerprint();
        let Established { send, receive, remote_static, .. } = established;
        Self {
            send,
            receive,
            fingerprint,
            noise_public: remote_static,
            capabilities: None,
            since: Instant::ZERO,
            heard: Instant::ZERO,
            strange: 0,
            completed_by: completed_by.to_vec(),
            last_word,
        }
    }

    fn open(&mut self, payload: &[u8], now: Instant) -> Result<Vec<u8>, Unopened> {
        match self.receive.open(payload) {
            Ok(plaintext) => {
                (self.heard, self.strange) = (now, 0);
                Ok(plaintext)
            }
            Err(CipherError::Authentication) if self.strange + 1 >= ESTRANGED => {
                self.strange = 0;
                Err(Unopened::Estranged)
            }
            Err(CipherError::Authentication) => {
                self.strange += 1;
                Err(Unopened::Refused)
            }
            Err(_) => Err(Unopened::Refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::handshake_rate::Standing;
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    struct Side {
        identity: Identity,
        sessions: Sessions,
        rng: ChaCha20Rng,
    }

    const STAMP: Stamp = Stamp { sent: UnixMillis(0), ttl: 7, fragments: 0 };

    impl Side {
        fn new(seed: u8) -> Self {
            Self {
                identity: Identity::from_bytes(&[seed; 64]),
                sessions: Sessions::default(),
                rng: ChaCha20Rng::seed_from_u64(seed.into()),
            }
        }

        fn id(&self) -> PeerId {
            self.identity.peer_id()
        }

        fn begin(&mut self, peer: PeerId, seconds: u64) -> Option<Vec<u8>> {
            self.sessions.begin(known(peer), &self.identity, at(seconds), &mut self.rng)
        }

        fn take(&mut self, peer: PeerId, message: &[u8], seconds: u64) -> Result<Step, DropReason> {
            self.sessions.handshake(known(peer), message, &self.identity, at(seconds), &mut self.rng)
        }

        fn reply(&mut self, peer: PeerId, message: &[u8], seconds: u64) -> Vec<u8> {
            self.take(peer, message, seconds).unwrap().reply.unwrap()
        }

        fn says(&mut self, text: &[u8], to: &mut Side, seconds: u64) -> bool {
            let sealed = self.sessions.seal(to.id(), text, at(seconds)).unwrap();
            to.sessions.open(self.id(), &sealed, STAMP, at(seconds)) == Ok(text.to_vec())
        }
    }

    fn known(peer: PeerId) -> Asked {
        Asked { peer, link: None, standing: Standing::Known }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    /// The two sides, the one with the lower peer id first.
    fn low_and_high() -> (Side, Side) {
        let (a, b) = (Side::new(1), Side::new(2));
        if a.id() < b.id() { (a, b) } else { (b, a) }
    }

    fn joined() -> (Side, Side) {
        let (mut low, mut high) = low_and_high();
        let message1 = low.begin(high.id(), 0).unwrap();
        let message2 = high.reply(low.id(), &message1, 0);
        let message3 = low.reply(high.id(), &message2, 0);
        assert_eq!(high.take(low.id(), &message3, 0), Ok(Step { reply: None, established: true }));
        (low, high)
    }

    #[test]
    fn three_messages_make_a_session_for_both_directions() {
        let (mut low, mut high) = joined();
        assert!(low.says(b"hello", &mut high, 1));
        assert!(high.says(b"hello back", &mut low, 1));
    }

    #[test]
    fn challenges_are_counted_over_all_handshakes_of_a_peer() {
        let (mut low, mut high) = joined();
        let answered = |side: &mut Side, peer, seconds| {
            (0..9).filter(|_| side.sessions.may_challenge(peer, at(seconds))).count()
        };
        assert_eq!(answered(&mut high, low.id(), 0), CHALLENGES);
        let message1 = low.begin(high.id(), 9).unwrap();
        let message2 = high.reply(low.id(), &message1, 9);
        let message3 = low.reply(high.id(), &message2, 9);
        assert!(high.take(low.id(), &message3, 9).unwrap().established);
        assert_eq!(answered(&mut high, low.id(), 9), 0);
        assert_eq!(answered(&mut high, low.id(), 60), CHALLENGES);
        assert!(!low.sessions.may_challenge(PeerId([9; 8]), at(0)));
    }

    #[test]
    fn when_both_begin_the_lower_id_stays_initiator() {
        let (mut low, mut high) = low_and_high();
        let of_low = low.begin(high.id(), 0).unwrap();
        let of_high = high.begin(low.id(), 0).unwrap();
        assert_eq!(low.take(high.id(), &of_high, 0), Ok(Step::default()));
        let message2 = high.reply(low.id(), &of_low, 0);
        let message3 = low.reply(high.id(), &message2, 0);
        assert!(high.take(low.id(), &message3, 0).unwrap().established);
        assert!(high.says(b"one session", &mut low, 1));
    }

    #[test]
    fn every_handshake_message_may_be_lost_once_and_repeated() {
        let (mut low, mut high) = low_and_high();
        let lost = low.begin(high.id(), 0).unwrap();
        let again = low.sessions.pop_repeat(at(5)).unwrap();
        assert_eq!((again.peer, &again.message), (high.id(), &lost));

        let lost = high.reply(low.id(), &again.message, 5);
        let again = high.sessions.pop_repeat(at(10)).unwrap();
        assert_eq!(again.message, lost);

        let lost = low.reply(high.id(), &again.message, 10);
        assert_eq!(low.reply(high.id(), &again.message, 11), lost, "message 2 again: message 3 again");
        assert!(high.take(low.id(), &lost, 11).unwrap().established);
        assert!(low.says(b"hello", &mut high, 12));
    }

    #[test]
    fn a_repeated_message_1_is_answered_with_the_same_message_2() {
        let (mut low, mut high) = low_and_high();
        let message1 = low.begin(high.id(), 0).unwrap();
        let answer = high.reply(low.id(), &message1, 0);
        assert_eq!(high.reply(low.id(), &message1, 1), answer);
    }

    #[test]
    fn a_late_copy_of_message_1_does_not_disturb_the_session_it_led_to() {
        let (mut low, mut high) = low_and_high();
        let message1 = low.begin(high.id(), 0).unwrap();
        let message2 = high.reply(low.id(), &message1, 0);
        let message3 = low.reply(high.id(), &message2, 0);
        high.take(low.id(), &message3, 0).unwrap();
        assert_eq!(high.take(low.id(), &message1, 1), Ok(Step::default()));
        assert!(low.says(b"still here", &mut high, 2));
    }

    #[test]
    fn a_standing_session_is_used_until_the_new_handshake_is_complete() {
        let (mut low, mut high) = joined();
        low.sessions.end(high.id());
        let message1 = low.begin(high.id(), 10).unwrap();
        let message2 = high.reply(low.id(), &message1, 10);
        assert!(high.sessions.stands(low.id(), at(10)));
        let message3 = low.reply(high.id(), &message2, 10);
        assert!(high.take(low.id(), &message3, 10).unwrap().established);
        assert!(high.says(b"new keys", &mut low, 11));
    }

    #[test]
    fn a_stranger_cannot_end_a_handshake_under_way() {
        let (mut low, mut high) = low_and_high();
        let mut mallory = Side::new(9);
        let message1 = low.begin(high.id(), 0).unwrap();
        let forged = mallory.reply(low.id(), &message1, 0);
        assert_eq!(low.take(high.id(), &forged, 0), Err(DropReason::Handshake));
        let message2 = high.reply(low.id(), &message1, 0);
        assert!(low.take(high.id(), &message2, 0).unwrap().established);
    }

    #[test]
    fn ciphertexts_that_overtake_message_3_are_kept_within_a_bound() {
        let (mut low, mut high) = low_and_high();
        let message1 = low.begin(high.id(), 0).unwrap();
        let message2 = high.reply(low.id(), &message1, 0);
        let message3 = low.reply(high.id(), &message2, 0);
        for n in 0..10 {
            let sealed = low.sessions.seal(high.id(), &[n], at(0)).unwrap();
            assert_eq!(high.sessions.open(low.id(), &sealed, STAMP, at(0)), Err(Unopened::Early));
        }
        high.take(low.id(), &message3, 0).unwrap();
        let early = high.sessions.take_early(low.id());
        assert_eq!(early.len(), MAX_EARLY);
        let opened: Vec<_> =
            early.iter().map(|(sealed, stamp)| high.sessions.open(low.id(), sealed, *stamp, at(0))).collect();
        assert_eq!(opened, [Ok(vec![0]), Ok(vec![1]), Ok(vec![2]), Ok(vec![3])]);
    }

    #[test]
    fn ciphertexts_of_many_handshakes_are_bounded_together_and_each_in_length() {
        let mut ada = Side::new(1);
        let others: Vec<Side> = (2..22).map(Side::new).collect();
        for mut other in others {
            let message1 = other.begin(ada.id(), 0).unwrap();
            ada.reply(other.id(), &message1, 0);
            for payload in [vec![0; MAX_EARLY_LEN + 1], vec![0; 40], vec![1; 40], vec![2; 40]] {
                assert_eq!(ada.sessions.open(other.id(), &payload, STAMP, at(0)), Err(Unopened::Early));
            }
        }
        let kept: Vec<usize> = ada.sessions.peers.values().map(|session| session.early.len()).collect();
        assert_eq!((kept.iter().sum(), kept.iter().max()), (MAX_ALL_EARLY, Some(&3)));
    }

    #[test]
    fn an_unanswered_handshake_is_given_up_after_ten_seconds() {
        let (mut low, high) = low_and_high();
        low.begin(high.id(), 0).unwrap();
        assert_eq!(low.begin(high.id(), 9), None, "one at a time");
        low.sessions.expire(at(10));
        assert!(low.begin(high.id(), 10).is_some());
    }

    #[test]
    fn ten_handshakes_a_minute_with_one_peer_and_thirty_with_all() {
        let mut node = Side::new(1);
        let mut answered = Vec::new();
        for stranger in 10..14 {
            let mut stranger = Side::new(stranger);
            let asks = (0..12).filter(|round| {
                stranger.sessions.end(node.id());
                let message1 = stranger.begin(node.id(), round * 100).unwrap();
                node.take(stranger.id(), &message1, 1).is_ok()
            });
            answered.push(asks.count());
        }
        assert_eq!(answered, [10, 10, 10, 0]);
    }
}
