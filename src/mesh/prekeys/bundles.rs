//! The prekeys of others: the latest bundle of each, and which of its keys we sealed to already.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use rand_core::RngCore;

use super::AHEAD;
use crate::crypto::Verified;
use crate::ids::Fingerprint;
use crate::mesh::error::DropReason;
use crate::mesh::random;
use crate::time::UnixMillis;
use crate::wire::{MAX_PREKEYS, Prekey, PrekeyBundle};

/// How long a bundle is kept.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How old a bundle may be for new mail to be sealed to it.
const SEALED_TO_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long after its owner told it last. A key may have been used by somebody else's mail right then; its owner
/// destroys it 48 h later, and our mail is under way for 24 h and an hour. Beyond that it might never be opened.
const SURE_FOR: Duration = Duration::from_secs((48 - 25) * 60 * 60);
/// Bundles held at once; of people who are no contacts the oldest goes first, a contact's never for one of theirs.
const MAX_BUNDLES: usize = 256;
const VERSION: u8 = 2;

#[derive(Debug)]
struct Held {
    bundle: PrekeyBundle,
    /// When its owner told it last, by the owner's clock.
    told: UnixMillis,
    /// Ids we sealed to: not a second time.
    spent: Vec<u32>,
}

/// The latest bundle of everybody.
#[derive(Debug, Default)]
pub(in crate::mesh) struct Bundles {
    held: BTreeMap<Fingerprint, Held>,
}

impl Bundles {
    /// Takes a bundle that its owner told then; the ones that had to go for it. `is_contact` says whose bundles are
    /// dearer than others'.
    pub(in crate::mesh) fn accept(
        &mut self,
        bundle: Verified<PrekeyBundle>,
        mut told: UnixMillis,
        is_contact: impl Fn(&Fingerprint) -> bool,
        now: UnixMillis,
    ) -> Result<Option<Fingerprint>, DropReason> {
        let bundle = bundle.into_inner();
        let owner = Fingerprint::of(&bundle.noise_public);
        if is_old(&bundle, KEPT_FOR, now) || bundle.generated > now + AHEAD {
            return Err(DropReason::OldBundle);
        }
        let mut spent = Vec::new();
        let mut gone = None;
        if let Some(held) = self.held.get(&owner) {
            if bundle.generated < held.bundle.generated {
                return Err(DropReason::OldBundle);
            }
            let in_both = |id: &u32| bundle.prekeys.iter().any(|prekey| prekey.id == *id);
            spent = held.spent.iter().copied().filter(in_both).collect();
            told = told.max(held.told);
        } else if self.held.len() >= MAX_BUNDLES {
            let oldest =
                self.held.iter().min_by_key(|(whose, held)| (is_contact(whose), held.bundle.generated));
            let &oldest = oldest.map(|(whose, _)| whose).ok_or(DropReason::BundlesFull)?;
            if is_contact(&oldest) && !is_contact(&owner) {
                return Err(DropReason::BundlesFull);
            }
            self.held.remove(&oldest);
            gone = Some(oldest);
        }
        self.held.insert(owner, Held { bundle, told, spent });
        Ok(gone)
    }

    /// A key to seal one message to; the same one never again.
    pub(in crate::mesh) fn take(
        &mut self,
        owner: &Fingerprint,
        now: UnixMillis,
        rng: &mut impl RngCore,
    ) -> Option<Prekey> {
        let fit = |held: &&mut Held| !is_old(&held.bundle, SEALED_TO_FOR, now) && now < held.told + SURE_FOR;
        let held = self.held.get_mut(owner).filter(fit)?;
        let unspent = held.bundle.prekeys.iter().filter(|prekey| !held.spent.contains(&prekey.id));
        let unspent: Vec<Prekey> = unspent.copied().collect();
        let last = u64::try_from(unspent.len().checked_sub(1)?).ok()?;
        // At random, so that two who write at once hardly take the same one.
        let place = usize::try_from(random::within(rng, 0..=last)).ok()?;
        let prekey = *unspent.get(place)?;
        held.spent.push(prekey.id);
        Some(prekey)
    }

    /// Whose bundles are too old to be kept; they are gone from here on.
    pub(in crate::mesh) fn expire(&mut self, now: UnixMillis) -> Vec<Fingerprint> {
        let old =
            |(whose, held): (&Fingerprint, &Held)| is_old(&held.bundle, KEPT_FOR, now).then_some(*whose);
        let gone: Vec<Fingerprint> = self.held.iter().filter_map(old).collect();
        for owner in &gone {
            self.held.remove(owner);
        }
        gone
    }

    /// How many there are.
    pub(in crate::mesh) fn len(&self) -> usize {
        self.held.len()
    }

    /// One bundle, to be kept.
    pub(in crate::mesh) fn encode(&self, owner: &Fingerprint) -> Option<Bytes> {
        let Held { bundle, told, spent } = self.held.get(owner)?;
        let mut value = vec![VERSION];
        value.put_u64(told.0);
        value.put_u8(u8::try_from(spent.len()).ok()?);
        spent.iter().for_each(|id| value.put_u32(*id));
        value.extend(bundle.encode().ok()?);
        Some(value.into())
    }

    /// Takes back what [`Self::encode`] wrote; false when it is none, or none that fits.
    pub(in crate::mesh) fn restore(&mut self, value: Bytes) -> bool {
        match decode(value) {
            Some(held) if self.held.len() < MAX_BUNDLES => {
                self.held.insert(Fingerprint::of(&held.bundle.noise_public), held);
                true
            }
            Some(_) | None => false,
        }
    }
}

fn decode(mut value: Bytes) -> Option<Held> {
    if value.try_get_u8().ok()? != VERSION {
        return None;
    }
    let told = UnixMillis(value.try_get_u64().ok()?);
    let count = usize::from(value.try_get_u8().ok()?);
    let spent: Vec<u32> = (0..count.min(MAX_PREKEYS)).map_while(|_| value.try_get_u32().ok()).collect();
    Some(Held { bundle: PrekeyBundle::decode(&value).ok()?, told, spent })
}

fn is_old(bundle: &PrekeyBundle, age: Duration, now: UnixMillis) -> bool {
    bundle.generated + age <= now
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::crypto::{Identity, verify};

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn bundle(owner: &Identity, generated: UnixMillis, ids: &[u32]) -> Verified<PrekeyBundle> {
        let prekeys = ids.iter().map(|&id| Prekey { id, public: [7; 32] }).collect();
        let sign = |preimage: &[u8]| owner.sign(preimage);
        let bundle = PrekeyBundle::signed(owner.noise_public(), prekeys, generated, sign).unwrap();
        let (key, signature) = (owner.signing_public(), bundle.signature);
        verify(&key, &signature, [bundle.signing_preimage().unwrap()], bundle).unwrap()
    }

    fn owner(number: u16) -> Identity {
        let mut bytes = [3; 64];
        bytes[1..3].copy_from_slice(&number.to_be_bytes());
        Identity::from_bytes(&bytes)
    }

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([1; 32])
    }

    fn nobody(_: &Fingerprint) -> bool {
        false
    }

    #[test]
    fn every_key_is_taken_once_however_often_its_bundle_comes_again() {
        let (mut bundles, mut rng, ann) = (Bundles::default(), rng(), owner(1));
        bundles.accept(bundle(&ann, NOW, &[1, 2, 3]), NOW, nobody, NOW).unwrap();
        let mut taken: Vec<u32> = Vec::new();
        while let Some(prekey) = bundles.take(&ann.fingerprint(), NOW, &mut rng) {
            taken.push(prekey.id);
            bundles.accept(bundle(&ann, NOW, &[1, 2, 3]), NOW, nobody, NOW).unwrap();
        }
        taken.sort_unstable();
        assert_eq!(taken, [1, 2, 3]);
        let later = UnixMillis(NOW.0 + 1);
        bundles.accept(bundle(&ann, later, &[3, 4]), NOW, nobody, NOW).unwrap();
        assert_eq!(bundles.take(&ann.fingerprint(), NOW, &mut rng).unwrap().id, 4);
        assert_eq!(bundles.take(&ann.fingerprint(), NOW, &mut rng), None);
    }

    #[test]
    fn an_older_bundle_is_refused_and_the_newer_one_stays() {
        let (mut bundles, ann) = (Bundles::default(), owner(1));
        bundles.accept(bundle(&ann, NOW, &[9]), NOW, nobody, NOW).unwrap();
        let older = UnixMillis(NOW.0 - 1);
        let refused = bundles.accept(bundle(&ann, older, &[1]), NOW, nobody, NOW);
        assert_eq!(refused, Err(DropReason::OldBundle));
        assert_eq!(bundles.take(&ann.fingerprint(), NOW, &mut rng()).unwrap().id, 9);
        let tomorrow = bundle(&ann, NOW + DAY, &[1]);
        assert_eq!(bundles.accept(tomorrow, NOW, nobody, NOW), Err(DropReason::OldBundle), "from the future");
    }

    #[test]
    fn mail_is_sealed_to_a_bundle_for_seven_days_while_it_is_told_and_it_is_kept_for_thirty() {
        let (mut bundles, ann) = (Bundles::default(), owner(1));
        bundles.accept(bundle(&ann, NOW, &[1, 2]), NOW, nobody, NOW).unwrap();
        let almost = UnixMillis((NOW + 7 * DAY).0 - 1);
        bundles.accept(bundle(&ann, NOW, &[1, 2]), almost, nobody, almost).unwrap();
        assert!(bundles.take(&ann.fingerprint(), almost, &mut rng()).is_some());
        assert_eq!(bundles.take(&ann.fingerprint(), NOW + 7 * DAY, &mut rng()), None);
        assert_eq!(bundles.expire(NOW + 29 * DAY), []);
        assert_eq!(bundles.expire(NOW + 30 * DAY), [ann.fingerprint()]);
        assert_eq!(
            bundles.accept(bundle(&ann, NOW, &[1]), NOW, nobody, NOW + 30 * DAY),
            Err(DropReason::OldBundle)
        );
    }

    #[test]
    fn a_key_that_its_owner_may_have_destroyed_before_our_mail_comes_is_not_sealed_to() {
        let (mut bundles, ann) = (Bundles::default(), owner(1));
        bundles.accept(bundle(&ann, NOW, &[1, 2]), NOW, nobody, NOW).unwrap();
        let hours = |hours: u32| NOW + hours * Duration::from_secs(60 * 60);
        assert_eq!(bundles.take(&ann.fingerprint(), hours(23), &mut rng()), None);
        assert!(bundles.take(&ann.fingerprint(), UnixMillis(hours(23).0 - 1), &mut rng()).is_some());
        // Told again, it is as good as new; an old telling that comes late changes nothing.
        for told in [hours(23), NOW] {
            bundles.accept(bundle(&ann, NOW, &[1, 2]), told, nobody, hours(23)).unwrap();
        }
        let mut again = Bundles::default();
        assert!(again.restore(bundles.encode(&ann.fingerprint()).unwrap()));
        assert!(again.take(&ann.fingerprint(), hours(45), &mut rng()).is_some());
    }

    #[test]
    fn strangers_push_out_strangers_and_never_a_contact() {
        let (mut bundles, friend) = (Bundles::default(), owner(1));
        let is_friend = |whose: &Fingerprint| *whose == friend.fingerprint();
        bundles.accept(bundle(&friend, UnixMillis(NOW.0 - 9), &[1]), NOW, is_friend, NOW).unwrap();
        for number in 2..400 {
            bundles.accept(bundle(&owner(number), NOW, &[1]), NOW, is_friend, NOW).unwrap();
        }
        assert_eq!(bundles.len(), MAX_BUNDLES);
        assert!(bundles.take(&friend.fingerprint(), NOW, &mut rng()).is_some());
        let everybody = |_: &Fingerprint| true;
        assert!(bundles.accept(bundle(&owner(900), NOW, &[1]), NOW, everybody, NOW).is_ok());
        let all_but_her = |whose: &Fingerprint| *whose != owner(901).fingerprint();
        let refused = bundles.accept(bundle(&owner(901), NOW, &[1]), NOW, all_but_her, NOW);
        assert_eq!(refused, Err(DropReason::BundlesFull));
    }

    #[test]
    fn a_bundle_comes_back_with_what_was_spent() {
        let (mut bundles, ann) = (Bundles::default(), owner(1));
        bundles.accept(bundle(&ann, NOW, &[1, 2]), NOW, nobody, NOW).unwrap();
        let first = bundles.take(&ann.fingerprint(), NOW, &mut rng()).unwrap();
        let value = bundles.encode(&ann.fingerprint()).unwrap();
        let mut again = Bundles::default();
        assert!(again.restore(value.clone()));
        assert_ne!(again.take(&ann.fingerprint(), NOW, &mut rng()).unwrap().id, first.id);
        assert_eq!(again.take(&ann.fingerprint(), NOW, &mut rng()), None);
        for len in 0..value.len() {
            assert!(!Bundles::default().restore(value.slice(..len)), "{len} bytes");
        }
    }
}
