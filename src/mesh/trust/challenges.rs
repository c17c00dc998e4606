//! Verifications under way: somebody's code was scanned, and they have to prove that its keys are theirs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::people::Keys;
use crate::crypto::verify;
use crate::ids::{Fingerprint, PeerId};
use crate::time::Instant;
use crate::wire::{VerifyChallenge, VerifyResponse};

/// How long the proof may take: a handshake, a question and an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Verifications at once; a person makes them one by one.
const MAX_CHALLENGES: usize = 8;

#[derive(Debug)]
struct Waiting {
    /// The keys of the code that has to be proven.
    claim: Keys,
    nonce: [u8; 16],
    deadline: Instant,
}

/// Everything that was asked and not answered yet.
#[derive(Debug, Default)]
pub(in crate::mesh) struct Challenges {
    waiting: BTreeMap<PeerId, Waiting>,
}

impl Challenges {
    /// Begins one, in the place of an earlier one with the same peer; false when there are too many.
    pub(super) fn begin(&mut self, peer: PeerId, claim: Keys, nonce: [u8; 16], now: Instant) -> bool {
        if !self.waiting.contains_key(&peer) && self.waiting.len() >= MAX_CHALLENGES {
            return false;
        }
        self.waiting.insert(peer, Waiting { claim, nonce, deadline: now + PATIENCE });
        true
    }

    /// What has to be asked of a peer, if anything.
    pub(super) fn of(&self, peer: PeerId) -> Option<VerifyChallenge> {
        let Waiting { claim, nonce, .. } = self.waiting.get(&peer)?;
        Some(VerifyChallenge { noise_public: claim.noise_public, nonce: *nonce })
    }

    /// Takes an answer; what is proven by it. A false one changes nothing.
    pub(super) fn answered(&mut self, peer: PeerId, response: &VerifyResponse) -> Option<Keys> {
        let challenge = self.of(peer).filter(|challenge| *challenge == response.challenge)?;
        let key = self.waiting.get(&peer)?.claim.signing_public;
        verify(&key, &response.signature, [challenge.signing_preimage()], ()).ok()?;
        self.waiting.remove(&peer).map(|waiting| waiting.claim)
    }

    /// The next one that took too long.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Fingerprint> {
        let (&peer, _) = self.waiting.iter().find(|(_, waiting)| waiting.deadline <= now)?;
        self.waiting.remove(&peer).map(|waiting| Fingerprint::of(&waiting.claim.noise_public))
    }

    /// When [`Self::pop_expired`] finds one.
    pub(in crate::mesh) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Identity;

    const PEER: PeerId = PeerId([2; 8]);

    fn ben() -> Identity {
        Identity::from_bytes(&[2; 64])
    }

    fn claim() -> Keys {
        let (noise_public, signing_public) = (ben().noise_public(), ben().signing_public());
        Keys { noise_public, signing_public, nickname: "ben".to_owned() }
    }

    fn answer(challenge: VerifyChallenge, by: &Identity) -> VerifyResponse {
        VerifyResponse { challenge, signature: by.sign(&challenge.signing_preimage()) }
    }

    #[test]
    fn only_the_answer_to_this_question_by_the_owner_of_the_code_counts_and_once() {
        let mut challenges = Challenges::default();
        assert!(challenges.begin(PEER, claim(), [1; 16], Instant::ZERO));
        let old = challenges.of(PEER).unwrap();
        assert!(challenges.begin(PEER, claim(), [2; 16], Instant::ZERO));
        let challenge = challenges.of(PEER).unwrap();
        assert_eq!(challenges.answered(PEER, &answer(old, &ben())), None, "replayed");
        let eve = Identity::from_bytes(&[9; 64]);
        assert_eq!(challenges.answered(PEER, &answer(challenge, &eve)), None, "another's signature");
        assert_eq!(challenges.answered(PeerId([3; 8]), &answer(challenge, &ben())), None, "another peer");
        assert_eq!(challenges.answered(PEER, &answer(challenge, &ben())), Some(claim()));
        assert_eq!(challenges.answered(PEER, &answer(challenge, &ben())), None, "once");
    }

    #[test]
    fn there_are_eight_at_once_for_half_a_minute() {
        let mut challenges = Challenges::default();
        for number in 0..8 {
            assert!(challenges.begin(PeerId([number; 8]), claim(), [0; 16], Instant::ZERO));
        }
        assert!(!challenges.begin(PeerId([8; 8]), claim(), [0; 16], Instant::ZERO));
        let deadline = challenges.poll_timeout().unwrap();
        assert_eq!(challenges.pop_expired(Instant::ZERO), None);
        for _ in 0..8 {
            assert_eq!(challenges.pop_expired(deadline), Some(ben().fingerprint()));
        }
        assert_eq!((challenges.pop_expired(deadline), challenges.poll_timeout()), (None, None));
    }
}
