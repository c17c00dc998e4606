//! Keys for envelopes (HTX spec 16.1, kind 1): ours, another set for each contact, and those that contacts gave us.
//!
//! A contact gets eight, sealed, whenever a message of theirs was stored and fewer than three are left. Each of them
//! opens the envelopes of one message, of that contact alone, and is destroyed when the message is on disk. A relay
//! sees the id, which is random and never in a BitChat bundle: it ties no mailbox to an identity.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, BufMut, Bytes};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::crypto::PrekeySecret;
use crate::ids::{MessageId, PeerId};
use crate::mesh::kept::{Keep, Kept, Shelf};
use crate::wire::Prekey;
use crate::wire::letter::MAX_PREKEYS;

/// With fewer than this left a contact gets new ones.
const REFILL_BELOW: usize = 3;
/// Keys for one contact that nobody used yet: those of the last two sets. The oldest are destroyed first.
const MAX_OURS: usize = 2 * MAX_PREKEYS;
const VERSION: u8 = 1;

type Which = (PeerId, MessageId);

/// One of ours.
#[derive(Debug)]
struct OneTime {
    id: u32,
    secret: PrekeySecret,
}

/// What there is for one contact.
#[derive(Debug, Default)]
struct Pair {
    ours: VecDeque<OneTime>,
    theirs: VecDeque<Prekey>,
}

/// The keys of all contacts.
#[derive(Debug, Default)]
pub(super) struct Prekeys {
    pairs: BTreeMap<PeerId, Pair>,
    /// Messages that are not stored yet, and the keys that opened their envelopes.
    opened: BTreeMap<Which, Vec<u32>>,
}

impl Prekeys {
    /// The secret key of this id, and for whom it was made.
    pub(super) fn secret(&self, id: u32) -> Option<(PeerId, PrekeySecret)> {
        self.pairs.iter().find_map(|(peer, pair)| {
            let key = pair.ours.iter().find(|key| key.id == id)?;
            Some((*peer, key.secret.clone()))
        })
    }

    /// An envelope of this message was opened with this key.
    pub(super) fn opened(&mut self, which: Which, id: u32) {
        let ids = self.opened.entry(which).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }

    /// The message is settled: its keys are destroyed. What is to be kept now.
    pub(super) fn settled(&mut self, which: Which) -> Option<Keep> {
        let ids = self.opened.remove(&which)?;
        self.destroy(which.0, &ids)
    }

    /// These keys are of no more use, or must be of none.
    pub(super) fn destroy(&mut self, peer: PeerId, ids: &[u32]) -> Option<Keep> {
        self.pairs.get_mut(&peer)?.ours.retain(|key| !ids.contains(&key.id));
        self.keep(peer)
    }

    /// New keys for a contact who has few left, to be sent, and what is to be kept.
    pub(super) fn refill(
        &mut self,
        peer: PeerId,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Option<(Vec<Prekey>, Keep)> {
        if self.pairs.get(&peer).is_some_and(|pair| pair.ours.len() >= REFILL_BELOW) {
            return None;
        }
        let mut made = Vec::new();
        while made.len() < MAX_PREKEYS {
            let id = rng.next_u32();
            if self.secret(id).is_none() {
                let secret = PrekeySecret::generate(rng);
                made.push(Prekey { id, public: secret.public() });
                self.pairs.entry(peer).or_default().ours.push_back(OneTime { id, secret });
            }
        }
        let pair = self.pairs.get_mut(&peer)?;
        while pair.ours.len() > MAX_OURS {
            pair.ours.pop_front();
        }
        Some((made, self.keep(peer)?))
    }

    /// A contact gave us keys: they replace those of before.
    pub(super) fn learn(&mut self, peer: PeerId, prekeys: Vec<Prekey>) -> Option<Keep> {
        self.pairs.entry(peer).or_default().theirs = prekeys.into();
        self.keep(peer)
    }

    /// A key to seal one message to, and what is to be kept; never the same key again.
    pub(super) fn take(&mut self, peer: PeerId) -> Option<(Prekey, Keep)> {
        let prekey = self.pairs.get_mut(&peer)?.theirs.pop_front()?;
        Some((prekey, self.keep(peer)?))
    }

    /// How many contacts gave us that are not taken yet.
    pub(super) fn given(&self) -> usize {
        self.pairs.values().map(|pair| pair.theirs.len()).sum()
    }

    /// Only these people are contacts from here on; what has to go.
    pub(super) fn retain(&mut self, contacts: impl Fn(PeerId) -> bool) -> Vec<Keep> {
        let gone: Vec<PeerId> = self.pairs.keys().copied().filter(|peer| !contacts(*peer)).collect();
        self.opened.retain(|(peer, _), _| contacts(*peer));
        for peer in &gone {
            self.pairs.remove(peer);
        }
        gone.into_iter().map(|peer| Keep::Remove { shelf: Shelf::Letters, key: key_of(peer) }).collect()
    }

    /// Takes back what was kept; what cannot be read is not there.
    pub(super) fn restore(&mut self, kept: Vec<Kept>) {
        for Kept { key, value, .. } in kept {
            if let (Ok(peer), Some(pair)) = (key.as_ref().try_into(), decode(value)) {
                self.pairs.insert(PeerId(peer), pair);
            }
        }
    }

    fn keep(&self, peer: PeerId) -> Option<Keep> {
        let Pair { ours, theirs } = self.pairs.get(&peer)?;
        let mut value = vec![VERSION];
        value.put_u8(u8::try_from(ours.len()).ok()?);
        for OneTime { id, secret } in ours {
            value.put_u32(*id);
            value.put_slice(secret.to_bytes().as_slice());
        }
        theirs.iter().for_each(|prekey| prekey.put(&mut value));
        Some(Keep::Put(Kept { shelf: Shelf::Letters, key: key_of(peer), value: value.into() }))
    }
}

fn key_of(peer: PeerId) -> Bytes {
    Bytes::copy_from_slice(peer.as_bytes())
}

fn decode(mut value: Bytes) -> Option<Pair> {
    if value.try_get_u8().ok()? != VERSION {
        return None;
    }
    let count = usize::from(value.try_get_u8().ok()?);
    let mut pair = Pair::default();
    for _ in 0..count.min(MAX_OURS) {
        let id = value.try_get_u32().ok()?;
        let mut secret = Zeroizing::new([0; PrekeySecret::LEN]);
        value.try_copy_to_slice(secret.as_mut_slice()).ok()?;
        pair.ours.push_back(OneTime { id, secret: PrekeySecret::from_bytes(&secret) });
    }
    while value.has_remaining() && pair.theirs.len() < MAX_PREKEYS {
        let id = value.try_get_u32().ok()?;
        let mut public = [0; 32];
        value.try_copy_to_slice(&mut public).ok()?;
        pair.theirs.push_back(Prekey { id, public });
    }
    Some(pair)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const ANN: PeerId = PeerId([1; 8]);
    const BEN: PeerId = PeerId([2; 8]);

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([1; 32])
    }

    fn value(keep: &Keep) -> Kept {
        let Keep::Put(kept) = keep else { panic!("{keep:?}") };
        kept.clone()
    }

    #[test]
    fn each_contact_has_keys_of_its_own_and_new_ones_when_two_are_left() {
        let (mut prekeys, mut rng) = (Prekeys::default(), rng());
        let (for_ann, _) = prekeys.refill(ANN, &mut rng).unwrap();
        let (for_ben, _) = prekeys.refill(BEN, &mut rng).unwrap();
        assert_eq!((for_ann.len(), for_ben.len()), (8, 8));
        for key in &for_ann {
            assert_eq!(
                prekeys.secret(key.id).map(|(whose, secret)| (whose, secret.public())),
                Some((ANN, key.public))
            );
            assert!(for_ben.iter().all(|other| other.id != key.id && other.public != key.public));
        }
        assert!(prekeys.refill(ANN, &mut rng).is_none());
        let used: Vec<u32> = for_ann[..6].iter().map(|key| key.id).collect();
        prekeys.destroy(ANN, &used);
        assert!(prekeys.refill(ANN, &mut rng).is_some());
        assert_eq!(prekeys.pairs[&ANN].ours.len(), 10);
    }

    #[test]
    fn a_key_is_destroyed_when_its_message_is_stored_and_nothing_of_it_is_kept() {
        let (mut prekeys, mut rng, which) = (Prekeys::default(), rng(), (ANN, MessageId([7; 16])));
        let (made, _) = prekeys.refill(ANN, &mut rng).unwrap();
        let secret = prekeys.secret(made[0].id).unwrap().1.to_bytes();
        prekeys.opened(which, made[0].id);
        prekeys.opened(which, made[0].id);
        assert!(prekeys.secret(made[0].id).is_some(), "its envelope may have to be opened again");
        let kept = value(&prekeys.settled(which).unwrap());
        assert!(prekeys.secret(made[0].id).is_none());
        assert!(!kept.value.windows(32).any(|window| window == secret.as_slice()));
        assert!(prekeys.settled(which).is_none());
    }

    #[test]
    fn what_a_contact_gave_is_taken_once_each_and_comes_back_after_a_restart() {
        let (mut prekeys, mut rng) = (Prekeys::default(), rng());
        let given: Vec<Prekey> = (1..=3).map(|id| Prekey { id, public: [9; 32] }).collect();
        prekeys.learn(BEN, given);
        let (made, _) = prekeys.refill(BEN, &mut rng).unwrap();
        let (first, keep) = prekeys.take(BEN).unwrap();
        let mut again = Prekeys::default();
        again.restore(vec![value(&keep)]);
        assert!(again.secret(made[0].id).is_some());
        let rest: Vec<u32> = std::iter::from_fn(|| again.take(BEN)).map(|(prekey, _)| prekey.id).collect();
        assert_eq!((first.id, rest), (1, vec![2, 3]));
        assert!(again.take(ANN).is_none());
        let kept = value(&keep);
        for len in 0..kept.value.len() {
            Prekeys::default().restore(vec![Kept { value: kept.value.slice(..len), ..kept.clone() }]);
        }
    }

    #[test]
    fn who_is_no_contact_any_more_has_no_keys() {
        let (mut prekeys, mut rng) = (Prekeys::default(), rng());
        let (made, _) = prekeys.refill(ANN, &mut rng).unwrap();
        let gone = prekeys.retain(|peer| peer == BEN);
        assert_eq!(gone, [Keep::Remove { shelf: Shelf::Letters, key: key_of(ANN) }]);
        assert!(prekeys.secret(made[0].id).is_none());
    }
}
