//! Keys for envelopes (HTX spec 16.1, kind 1): ours, another set for each contact, and those that contacts gave us.
//!
//! A contact gets a set of eight, sealed, whenever a message of theirs was stored and fewer than three of their last
//! set are left. They may have lost it, or it never came: so they get another, once an hour at most, when they write
//! to the static key. Each key opens the envelopes of one message, of that contact alone, and is destroyed when the
//! message is on disk. A relay sees the id, which is random and never in a BitChat bundle: it ties no mailbox to an
//! identity.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::crypto::PrekeySecret;
use crate::ids::PeerId;
use crate::mesh::kept::{Keep, Kept, Shelf};
use crate::time::UnixMillis;
use crate::wire::Prekey;
use crate::wire::letter::MAX_PREKEYS;

/// With fewer than this left of the last set a contact gets a new one.
const REFILL_BELOW: usize = 3;
/// How old the last set is at least when who seems to have none of it gets another.
const PAUSE: Duration = Duration::from_secs(60 * 60);
/// Sets for one contact. Whoever has the newest forgot the others, but mail that was sealed to the one before may
/// still be on its way; the oldest is destroyed first.
const MAX_SETS: usize = 2;
const VERSION: u8 = 2;

/// One of ours.
#[derive(Debug)]
struct OneTime {
    id: u32,
    secret: PrekeySecret,
}

/// Those that were made at once, as far as they are not used.
#[derive(Debug)]
struct Set {
    made: UnixMillis,
    keys: Vec<OneTime>,
}

/// What there is for one contact.
#[derive(Debug, Default)]
struct Pair {
    /// The newest last.
    ours: VecDeque<Set>,
    theirs: VecDeque<Prekey>,
    /// Which giving `theirs` are of.
    giving: u64,
}

/// A key of a contact's that something was sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) prekey: Prekey,
    giving: u64,
}

/// The keys of all contacts.
#[derive(Debug, Default)]
pub(super) struct Prekeys {
    pairs: BTreeMap<PeerId, Pair>,
    /// How often keys were given.
    givings: u64,
    changes: Vec<Keep>,
}

impl Prekeys {
    /// The secret key of this id, and for whom it was made.
    pub(super) fn secret(&self, id: u32) -> Option<(PeerId, PrekeySecret)> {
        self.pairs.iter().find_map(|(peer, pair)| {
            let key = pair.ours.iter().flat_map(|set| &set.keys).find(|key| key.id == id)?;
            Some((*peer, key.secret.clone()))
        })
    }

    /// These keys are of no more use, or must be of none.
    pub(super) fn destroy(&mut self, peer: PeerId, ids: &[u32]) {
        let Some(pair) = self.pairs.get_mut(&peer).filter(|_| !ids.is_empty()) else { return };
        pair.ours.iter_mut().for_each(|set| set.keys.retain(|key| !ids.contains(&key.id)));
        self.changed(peer);
    }

    /// New keys for a contact who has few left, to be sent. `starved`: they wrote as if they had none.
    pub(super) fn refill(
        &mut self,
        peer: PeerId,
        starved: bool,
        now: UnixMillis,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Option<Vec<Prekey>> {
        let lost = |set: &Set| starved && Duration::from_millis(set.made.0.abs_diff(now.0)) >= PAUSE;
        let last = self.pairs.get(&peer).and_then(|pair| pair.ours.back());
        if last.is_some_and(|set| set.keys.len() >= REFILL_BELOW && !lost(set)) {
            return None;
        }
        let (mut keys, mut made) = (Vec::<OneTime>::new(), Vec::new());
        while keys.len() < MAX_PREKEYS {
            let id = rng.next_u32();
            if self.secret(id).is_none() && keys.iter().all(|key| key.id != id) {
                let secret = PrekeySecret::generate(rng);
                made.push(Prekey { id, public: secret.public() });
                keys.push(OneTime { id, secret });
            }
        }
        let pair = self.pairs.entry(peer).or_default();
        pair.ours.push_back(Set { made: now, keys });
        if pair.ours.len() > MAX_SETS {
            pair.ours.pop_front();
        }
        self.changed(peer);
        Some(made)
    }

    /// A contact gave us keys: they replace those of before.
    pub(super) fn learn(&mut self, peer: PeerId, prekeys: Vec<Prekey>) {
        self.givings = self.givings.saturating_add(1);
        let pair = self.pairs.entry(peer).or_default();
        (pair.theirs, pair.giving) = (prekeys.into(), self.givings);
        self.changed(peer);
    }

    /// A key to seal one message to; never the same key again.
    pub(super) fn take(&mut self, peer: PeerId) -> Option<Taken> {
        let pair = self.pairs.get_mut(&peer)?;
        let taken = Taken { prekey: pair.theirs.pop_front()?, giving: pair.giving };
        self.changed(peer);
        Some(taken)
    }

    /// What was sealed to this key never left: another message may have it.
    pub(super) fn give_back(&mut self, peer: PeerId, Taken { prekey, giving }: Taken) {
        if let Some(pair) = self.pairs.get_mut(&peer).filter(|pair| pair.giving == giving) {
            pair.theirs.push_front(prekey);
            self.changed(peer);
        }
    }

    /// How many contacts gave us that are not taken yet.
    pub(super) fn given(&self) -> usize {
        self.pairs.values().map(|pair| pair.theirs.len()).sum()
    }

    /// Only these people are contacts from here on.
    pub(super) fn retain(&mut self, contacts: impl Fn(PeerId) -> bool) {
        for (peer, _) in self.pairs.extract_if(.., |peer, _| !contacts(*peer)) {
            self.changes.push(Keep::Remove { shelf: Shelf::Letters, key: key_of(peer) });
        }
    }

    /// What is to be kept, and no longer kept, since the last time.
    pub(super) fn take_changes(&mut self) -> Vec<Keep> {
        std::mem::take(&mut self.changes)
    }

    /// Takes back what was kept; what cannot be read is not there.
    pub(super) fn restore(&mut self, kept: Vec<Kept>) {
        for Kept { key, value, .. } in kept {
            if let (Ok(peer), Some(pair)) = (key.as_ref().try_into(), decode(value)) {
                self.pairs.insert(PeerId(peer), pair);
            }
        }
    }

    fn changed(&mut self, peer: PeerId) {
        if let Some(value) = self.pairs.get(&peer).and_then(encode) {
            self.changes.push(Keep::Put(Kept { shelf: Shelf::Letters, key: key_of(peer), value }));
        }
    }
}

fn key_of(peer: PeerId) -> Bytes {
    Bytes::copy_from_slice(peer.as_bytes())
}

fn encode(Pair { ours, theirs, .. }: &Pair) -> Option<Bytes> {
    let mut value = vec![VERSION];
    value.put_u8(u8::try_from(ours.len()).ok()?);
    for Set { made, keys } in ours {
        value.put_u64(made.0);
        value.put_u8(u8::try_from(keys.len()).ok()?);
        for OneTime { id, secret } in keys {
            value.put_u32(*id);
            value.put_slice(secret.to_bytes().as_slice());
        }
    }
    theirs.iter().for_each(|prekey| prekey.put(&mut value));
    Some(value.into())
}

fn decode(mut value: Bytes) -> Option<Pair> {
    if value.try_get_u8().ok()? != VERSION {
        return None;
    }
    let sets = usize::from(value.try_get_u8().ok()?).min(MAX_SETS);
    let ours: Option<VecDeque<Set>> = (0..sets).map(|_| decode_set(&mut value)).collect();
    let mut pair = Pair { ours: ours?, ..Pair::default() };
    while value.has_remaining() && pair.theirs.len() < MAX_PREKEYS {
        let id = value.try_get_u32().ok()?;
        let mut public = [0; 32];
        value.try_copy_to_slice(&mut public).ok()?;
        pair.theirs.push_back(Prekey { id, public });
    }
    Some(pair)
}

fn decode_set(value: &mut Bytes) -> Option<Set> {
    let made = UnixMillis(value.try_get_u64().ok()?);
    let count = usize::from(value.try_get_u8().ok()?).min(MAX_PREKEYS);
    let key = |_| {
        let id = value.try_get_u32().ok()?;
        let mut secret = Zeroizing::new([0; PrekeySecret::LEN]);
        value.try_copy_to_slice(secret.as_mut_slice()).ok()?;
        Some(OneTime { id, secret: PrekeySecret::from_bytes(&secret) })
    };
    Some(Set { made, keys: (0..count).map(key).collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const ANN: PeerId = PeerId([1; 8]);
    const BEN: PeerId = PeerId([2; 8]);
    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([1; 32])
    }

    /// The last thing to be kept.
    fn value(prekeys: &mut Prekeys) -> Kept {
        let Some(Keep::Put(kept)) = prekeys.take_changes().pop() else { panic!("nothing to keep") };
        kept
    }

    fn given(ids: std::ops::RangeInclusive<u32>) -> Vec<Prekey> {
        ids.map(|id| Prekey { id, public: [9; 32] }).collect()
    }

    #[test]
    fn each_contact_has_keys_of_its_own_and_new_ones_when_two_are_left() {
        let (mut prekeys, mut rng) = (Prekeys::default(), rng());
        let for_ann = prekeys.refill(ANN, true, NOW, &mut rng).unwrap();
        let for_ben = prekeys.refill(BEN, true, NOW, &mut rng).unwrap();
        assert_eq!((for_ann.len(), for_ben.len()), (8, 8));
        for key in &for_ann {
            assert_eq!(
                prekeys.secret(key.id).map(|(whose, secret)| (whose, secret.public())),
                Some((ANN, key.public))
            );
            assert!(for_ben.iter().all(|other| other.id != key.id && other.public != key.public));
        }
        assert!(prekeys.refill(ANN, false, NOW, &mut rng).is_none());
        let used: Vec<u32> = for_ann[..6].iter().map(|key| key.id).collect();
        prekeys.destroy(ANN, &used);
        assert!(prekeys.refill(ANN, false, NOW, &mut rng).is_some());
        assert!(prekeys.secret(for_ann[7].id).is_some(), "mail sealed to the set before may be on its way");
    }

    #[test]
    fn keys_that_were_lost_on_their_way_never_keep_new_ones_from_being_made() {
        let (mut prekeys, mut rng) = (Prekeys::default(), rng());
        for round in 0..20 {
            let made = prekeys.refill(ANN, false, NOW, &mut rng).unwrap();
            // Two of each set are never used: their envelopes were lost, or the next set came first.
            let used: Vec<u32> = made[2..].iter().map(|key| key.id).collect();
            prekeys.destroy(ANN, &used);
            assert!(prekeys.pairs[&ANN].ours.len() <= MAX_SETS, "{round}");
        }
    }

    #[test]
    fn a_contact_whose_keys_never_came_gets_others_an_hour_later_whatever_the_clock_did() {
        let (mut prekeys, mut rng) = (Prekeys::default(), rng());
        let lost = prekeys.refill(ANN, false, NOW, &mut rng).unwrap();
        assert!(prekeys.refill(ANN, true, UnixMillis((NOW + PAUSE).0 - 1), &mut rng).is_none());
        assert!(prekeys.refill(ANN, false, NOW + PAUSE, &mut rng).is_none(), "who has keys needs none");
        assert!(prekeys.refill(ANN, true, NOW + PAUSE, &mut rng).is_some());
        assert!(prekeys.secret(lost[0].id).is_some());
        assert!(prekeys.refill(ANN, true, NOW, &mut rng).is_some(), "the clock was set back");
        assert!(prekeys.secret(lost[0].id).is_none());
    }

    #[test]
    fn of_a_key_that_was_destroyed_nothing_is_kept() {
        let (mut prekeys, mut rng) = (Prekeys::default(), rng());
        let made = prekeys.refill(ANN, false, NOW, &mut rng).unwrap();
        let secret = prekeys.secret(made[0].id).unwrap().1.to_bytes();
        prekeys.destroy(ANN, &[made[0].id]);
        assert!(prekeys.secret(made[0].id).is_none());
        assert!(!value(&mut prekeys).value.windows(32).any(|window| window == secret.as_slice()));
        prekeys.destroy(ANN, &[]);
        assert_eq!(prekeys.take_changes(), []);
    }

    #[test]
    fn what_a_contact_gave_is_taken_once_each_and_comes_back_after_a_restart() {
        let (mut prekeys, mut rng) = (Prekeys::default(), rng());
        prekeys.learn(BEN, given(1..=3));
        let made = prekeys.refill(BEN, false, NOW, &mut rng).unwrap();
        let first = prekeys.take(BEN).unwrap().prekey;
        let kept = value(&mut prekeys);
        let mut again = Prekeys::default();
        again.restore(vec![kept.clone()]);
        assert!(again.secret(made[0].id).is_some());
        assert!(again.refill(BEN, false, NOW, &mut rng).is_none());
        let rest: Vec<u32> = std::iter::from_fn(|| again.take(BEN)).map(|taken| taken.prekey.id).collect();
        assert_eq!((first.id, rest), (1, vec![2, 3]));
        assert!(again.take(ANN).is_none());
        for len in 0..kept.value.len() {
            Prekeys::default().restore(vec![Kept { value: kept.value.slice(..len), ..kept.clone() }]);
        }
    }

    #[test]
    fn a_key_whose_envelope_never_left_is_taken_again_but_not_out_of_an_old_set() {
        let mut prekeys = Prekeys::default();
        prekeys.learn(BEN, given(1..=2));
        let first = prekeys.take(BEN).unwrap();
        prekeys.give_back(BEN, first);
        assert_eq!(prekeys.take(BEN), Some(first));
        prekeys.learn(BEN, given(5..=5));
        prekeys.give_back(BEN, first);
        assert_eq!(prekeys.take(BEN).unwrap().prekey.id, 5);
        prekeys.give_back(BEN, first);
        assert_eq!(prekeys.take(BEN), None);
    }

    #[test]
    fn who_is_no_contact_any_more_has_no_keys() {
        let (mut prekeys, mut rng) = (Prekeys::default(), rng());
        let made = prekeys.refill(ANN, false, NOW, &mut rng).unwrap();
        prekeys.take_changes();
        prekeys.retain(|peer| peer == BEN);
        let removed = Keep::Remove { shelf: Shelf::Letters, key: key_of(ANN) };
        assert_eq!(prekeys.take_changes(), [removed]);
        assert!(prekeys.secret(made[0].id).is_none());
    }
}
