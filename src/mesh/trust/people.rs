//! What the mesh taught us of people: their pinned keys, how well proven, and whether we are a favourite of theirs.
//!
//! It is kept over a restart. At most [`MAX_PEOPLE`] are; whoever is better proven takes the place of whoever was
//! only announced, and otherwise nobody makes room who was heard within a week: strangers with invented keys push
//! out nobody.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};

use super::level::{Level, Standing};
use super::vouches::Vouches;
use crate::ids::Fingerprint;
use crate::mesh::kept::{Keep, Kept, Shelf};
use crate::mesh::peers::KeyChanged;
use crate::time::UnixMillis;

/// People remembered.
const MAX_PEOPLE: usize = 1_024;
/// Days after which somebody who was not heard makes room.
const QUIET_DAYS: u32 = 7;
/// The version of a value on the shelf.
const VERSION: u8 = 1;
/// What a key on the shelf begins with.
const KEY: u8 = b'p';
/// The longest nickname an announce carries.
const MAX_NICKNAME: usize = 255;

/// How well a person's keys are proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// They were announced: whoever announces first is believed.
    Announced,
    /// A session with the Noise key named the signing key.
    Session,
    /// Our owner took the keys from a card or a code.
    Owner,
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pinned {
    /// It is pinned, or there is no room to keep it.
    Same,
    /// It took the place of one that had only been announced.
    Replaced,
}

/// What an earlier run kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Restored {
    /// The keys of a person, for whoever verifies packets, and whether they were more than announced.
    Person { keys: Keys, proven: bool },
    /// The word of a voucher.
    Word,
}

/// The public keys of a person, and the name they last went by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mesh) struct Keys {
    pub(in crate::mesh) noise_public: [u8; 32],
    pub(in crate::mesh) signing_public: [u8; 32],
    pub(in crate::mesh) nickname: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Person {
    keys: Keys,
    proof: Proof,
    favours_us: bool,
    /// Whether our last notice to them said that they are a favourite.
    told_favourite: bool,
    /// The day since 1970 on which they were last heard.
    heard: u32,
}

/// Everybody, and what was decided about them.
#[derive(Debug, Default)]
pub(in crate::mesh) struct Trust {
    people: BTreeMap<Fingerprint, Person>,
    /// As many as the contact book has, and who left it in this run.
    standings: BTreeMap<Fingerprint, Standing>,
    pub(super) vouches: Vouches,
    changes: Vec<Keep>,
}

impl Trust {
    /// How far somebody is trusted.
    pub(in crate::mesh) fn level(&self, who: Fingerprint, now: UnixMillis) -> Level {
        let standing = self.standing(who);
        let person = self.people.get(&who);
        let vouched = || self.vouchers(who, now).next().is_some();
        match person {
            _ if standing.blocked => Level::Unknown,
            _ if standing.verified => Level::Verified,
            Some(person) if standing.favourite && person.favours_us => Level::Mutual,
            Some(_) | None if vouched() => Level::Vouched,
            Some(Person { proof: Proof::Session | Proof::Owner, .. }) => Level::Proven,
            Some(Person { proof: Proof::Announced, .. }) => Level::Known,
            None => Level::Unknown,
        }
    }

    /// The people our owner verified who vouch for somebody's key.
    pub(super) fn vouchers(&self, who: Fingerprint, now: UnixMillis) -> impl Iterator<Item = Fingerprint> {
        let vouching = self.vouches.vouchers(who, self.keys(who).map(|keys| keys.signing_public), now);
        vouching.filter(|&voucher| self.standing(voucher).verified && !self.is_blocked(voucher))
    }

    /// What our owner decided about somebody.
    pub(in crate::mesh) fn standing(&self, who: Fingerprint) -> Standing {
        self.standings.get(&who).copied().unwrap_or_default()
    }

    /// Whether nothing of this person is shown or stored.
    pub(in crate::mesh) fn is_blocked(&self, who: Fingerprint) -> bool {
        self.standing(who).blocked
    }

    /// Whether the person who signs with this key is blocked.
    pub(in crate::mesh) fn is_blocked_key(&self, signing_public: &[u8; 32]) -> bool {
        let signs_so = |who| self.keys(who).is_some_and(|keys| keys.signing_public == *signing_public);
        self.standings.iter().any(|(&who, standing)| standing.blocked && signs_so(who))
    }

    /// Whether we are a favourite of theirs.
    pub(in crate::mesh) fn favours_us(&self, who: Fingerprint) -> bool {
        self.people.get(&who).is_some_and(|person| person.favours_us)
    }

    /// The pinned keys of somebody.
    pub(in crate::mesh) fn keys(&self, who: Fingerprint) -> Option<&Keys> {
        self.people.get(&who).map(|person| &person.keys)
    }

    /// Everybody whom our owner verified, but this one, as far as their signing keys are known.
    pub(super) fn verified_but(&self, who: Fingerprint) -> impl Iterator<Item = (Fingerprint, [u8; 32])> {
        let verified = self
            .standings
            .iter()
            .filter(move |(other, standing)| **other != who && standing.verified && !standing.blocked);
        verified.filter_map(|(&other, _)| Some((other, self.keys(other)?.signing_public)))
    }

    /// Takes what our owner decided; what was decided before.
    pub(super) fn decide(&mut self, who: Fingerprint, standing: Standing) -> Standing {
        self.standings.insert(who, standing).unwrap_or_default()
    }

    /// Pins somebody's keys, or finds that others are.
    pub(super) fn pin(&mut self, keys: &Keys, proof: Proof, now: UnixMillis) -> Result<Pinned, KeyChanged> {
        let who = Fingerprint::of(&keys.noise_public);
        let today = now.day();
        let Some(person) = self.people.get(&who) else {
            if self.has_room(proof, today) {
                let person = Person::new(keys.clone(), proof, today);
                self.put(who, person);
            }
            return Ok(Pinned::Same);
        };
        let same = person.keys.signing_public == keys.signing_public;
        let outweighs = proof == Proof::Owner || proof > person.proof && person.proof == Proof::Announced;
        if !same && !outweighs {
            return Err(KeyChanged);
        }
        if same && proof <= person.proof && today <= person.heard {
            // A name that changes with every announce is not worth a write.
            return Ok(Pinned::Same);
        }
        let nickname = shortened(&keys.nickname);
        let proof = if same { proof.max(person.proof) } else { proof };
        let keys = Keys { nickname, ..keys.clone() };
        self.put(who, Person { keys, proof, heard: today.max(person.heard), ..person.clone() });
        Ok(if same { Pinned::Same } else { Pinned::Replaced })
    }

    /// Whether somebody may be told other keys than these.
    pub(super) fn contradicts(&self, who: Fingerprint, signing_public: &[u8; 32]) -> bool {
        let person = self.people.get(&who).filter(|person| person.proof > Proof::Announced);
        person.is_some_and(|person| person.keys.signing_public != *signing_public)
    }

    /// Somebody told us whether we are a favourite of theirs; true when that is news.
    pub(super) fn favoured(&mut self, who: Fingerprint, favours_us: bool) -> bool {
        match self.people.get(&who) {
            Some(person) if person.favours_us != favours_us => {
                self.put(who, Person { favours_us, ..person.clone() });
                true
            }
            Some(_) | None => false,
        }
    }

    /// What a favourite notice to this person has to say, if one is due.
    pub(super) fn notice_due(&self, who: Fingerprint) -> Option<bool> {
        // Before our owner's word is heard again after a restart, nobody is told anything.
        let standing = self.standings.get(&who)?;
        let favourite = standing.favourite && !standing.blocked;
        let person = self.people.get(&who)?;
        (person.told_favourite != favourite).then_some(favourite)
    }

    /// A favourite notice reached this person.
    pub(super) fn notice_told(&mut self, who: Fingerprint, favourite: bool) {
        if let Some(person) = self.people.get(&who) {
            self.put(who, Person { told_favourite: favourite, ..person.clone() });
        }
    }

    /// Takes back what an earlier run kept; nothing when it does not read.
    pub(super) fn restore(&mut self, key: &Bytes, value: &Bytes) -> Option<Restored> {
        if let Some((person, who)) = Person::decode(value).filter(|(_, who)| *key == shelf_key(*who))
            && self.people.len() < MAX_PEOPLE
        {
            let (keys, proven) = (person.keys.clone(), person.proof > Proof::Announced);
            self.people.insert(who, person);
            return Some(Restored::Person { keys, proven });
        }
        self.vouches.restore(key, value).then_some(Restored::Word)
    }

    /// What is to be kept from here on, in order.
    pub(super) fn take_changes(&mut self) -> Vec<Keep> {
        let mut changes = std::mem::take(&mut self.changes);
        changes.extend(self.vouches.take_changes());
        changes
    }

    /// Whether there is room for one more; whoever has to go is gone then.
    fn has_room(&mut self, proof: Proof, today: u32) -> bool {
        if self.people.len() < MAX_PEOPLE {
            return true;
        }
        let decided = |who: &Fingerprint| self.standing(*who) != Standing::default();
        let others = self.people.iter().filter(|(who, _)| !decided(who));
        let least = others.min_by_key(|(_, person)| (person.proof, person.heard));
        let Some((&who, person)) = least else { return false };
        if person.proof >= proof && today.saturating_sub(person.heard) < QUIET_DAYS {
            return false;
        }
        self.people.remove(&who);
        self.changes.push(Keep::Remove { shelf: Shelf::People, key: shelf_key(who) });
        true
    }

    fn put(&mut self, who: Fingerprint, person: Person) {
        if self.people.get(&who) == Some(&person) {
            return;
        }
        let (shelf, key, value) = (Shelf::People, shelf_key(who), person.encode());
        self.people.insert(who, person);
        self.changes.push(Keep::Put(Kept { shelf, key, value }));
    }
}

impl Person {
    fn new(keys: Keys, proof: Proof, heard: u32) -> Self {
        let keys = Keys { nickname: shortened(&keys.nickname), ..keys };
        Self { keys, proof, favours_us: false, told_favourite: false, heard }
    }

    fn encode(&self) -> Bytes {
        let proof = match self.proof {
            Proof::Announced => 0,
            Proof::Session => 1,
            Proof::Owner => 2,
        };
        let flags = u8::from(self.favours_us) | u8::from(self.told_favourite) << 1;
        let mut value = vec![VERSION, proof, flags];
        value.extend(self.heard.to_be_bytes());
        value.extend(self.keys.noise_public);
        value.extend(self.keys.signing_public);
        value.extend(self.keys.nickname.as_bytes());
        value.into()
    }

    fn decode(value: &Bytes) -> Option<(Self, Fingerprint)> {
        let mut value = value.clone();
        if value.try_get_u8() != Ok(VERSION) {
            return None;
        }
        let proof = match value.try_get_u8().ok()? {
            0 => Proof::Announced,
            1 => Proof::Session,
            2 => Proof::Owner,
            _ => return None,
        };
        let (flags, heard) = (value.try_get_u8().ok()?, value.try_get_u32().ok()?);
        let (mut noise_public, mut signing_public) = ([0; 32], [0; 32]);
        value.try_copy_to_slice(&mut noise_public).ok()?;
        value.try_copy_to_slice(&mut signing_public).ok()?;
        let nickname = String::from_utf8(value.to_vec()).ok().filter(|name| name.len() <= MAX_NICKNAME)?;
        let keys = Keys { noise_public, signing_public, nickname };
        let (favours_us, told_favourite) = (flags & 1 != 0, flags & 2 != 0);
        Some((Self { keys, proof, favours_us, told_favourite, heard }, Fingerprint::of(&noise_public)))
    }
}

fn shelf_key(who: Fingerprint) -> Bytes {
    [&[KEY], who.0.as_slice()].concat().into()
}

fn shortened(nickname: &str) -> String {
    if nickname.len() <= MAX_NICKNAME { nickname.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn keys(noise: u8, signing: u8) -> Keys {
        Keys { noise_public: [noise; 32], signing_public: [signing; 32], nickname: format!("p{noise}") }
    }

    fn who(noise: u8) -> Fingerprint {
        Fingerprint::of(&[noise; 32])
    }

    fn again(trust: &mut Trust) -> Trust {
        let mut next = Trust::default();
        for change in trust.take_changes() {
            if let Keep::Put(Kept { key, value, .. }) = change {
                assert!(next.restore(&key, &value).is_some());
            }
        }
        assert_eq!(next.take_changes(), []);
        next
    }

    #[test]
    fn a_proven_key_takes_the_place_of_an_announced_one_and_of_no_other() {
        let mut trust = Trust::default();
        assert_eq!(trust.pin(&keys(1, 66), Proof::Announced, NOW), Ok(Pinned::Same));
        assert_eq!(trust.pin(&keys(1, 67), Proof::Announced, NOW), Err(KeyChanged));
        assert!(!trust.contradicts(who(1), &[67; 32]));
        assert_eq!(trust.pin(&keys(1, 1), Proof::Session, NOW), Ok(Pinned::Replaced));
        assert_eq!(trust.pin(&keys(1, 66), Proof::Session, NOW), Err(KeyChanged));
        assert!(trust.contradicts(who(1), &[66; 32]));
        let mut trust = again(&mut trust);
        assert_eq!(trust.pin(&keys(1, 66), Proof::Announced, NOW), Err(KeyChanged));
        assert_eq!(trust.level(who(1), NOW), Level::Proven);
        assert_eq!(trust.pin(&keys(1, 5), Proof::Owner, NOW), Ok(Pinned::Replaced), "our owner's word");
    }

    #[test]
    fn the_levels_rise_in_their_order() {
        let mut trust = Trust::default();
        let mut levels = vec![trust.level(who(1), NOW)];
        let mut step = |trust: &mut Trust, standing: Standing| {
            trust.decide(who(1), standing);
            levels.push(trust.level(who(1), NOW));
        };
        trust.pin(&keys(1, 1), Proof::Announced, NOW).unwrap();
        step(&mut trust, Standing::default());
        trust.pin(&keys(1, 1), Proof::Session, NOW).unwrap();
        step(&mut trust, Standing { favourite: true, ..Standing::default() });
        assert!(trust.favoured(who(1), true));
        step(&mut trust, Standing { favourite: true, ..Standing::default() });
        step(&mut trust, Standing { favourite: true, verified: true, blocked: false });
        step(&mut trust, Standing { favourite: true, verified: true, blocked: true });
        use Level::{Known, Mutual, Proven, Unknown, Verified};
        assert_eq!(levels, [Unknown, Known, Proven, Mutual, Verified, Unknown]);
    }

    #[test]
    fn a_favourite_is_told_once_until_that_changes() {
        let mut trust = Trust::default();
        trust.pin(&keys(1, 1), Proof::Announced, NOW).unwrap();
        assert_eq!(trust.notice_due(who(1)), None);
        let favourite = Standing { favourite: true, ..Standing::default() };
        assert_eq!(trust.decide(who(1), favourite), Standing::default());
        assert_eq!(trust.decide(who(1), favourite), favourite);
        assert_eq!(trust.notice_due(who(1)), Some(true));
        trust.notice_told(who(1), true);
        assert_eq!(trust.notice_due(who(1)), None);
        let mut trust = again(&mut trust);
        assert_eq!(trust.notice_due(who(1)), None, "nothing was decided in this run yet");
        trust.decide(who(1), Standing::default());
        assert_eq!(trust.notice_due(who(1)), Some(false));
        trust.decide(who(1), Standing { blocked: true, ..favourite });
        assert_eq!(trust.notice_due(who(1)), Some(false), "who is blocked is no favourite");
    }

    #[test]
    fn invented_keys_push_out_nobody_and_proven_people_come_before_announced_ones() {
        let mut trust = Trust::default();
        let numbered = |number: u16, proof, trust: &mut Trust, now| {
            let mut noise_public = [0; 32];
            noise_public.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
            trust.pin(&Keys { noise_public, ..keys(0, 1) }, proof, now).unwrap();
            Fingerprint::of(&noise_public)
        };
        for number in 0..1_024 {
            numbered(number, Proof::Announced, &mut trust, NOW);
        }
        let late = numbered(2_000, Proof::Announced, &mut trust, NOW);
        assert_eq!(trust.level(late, NOW), Level::Unknown);
        let proven = numbered(2_001, Proof::Session, &mut trust, NOW);
        assert_eq!((trust.level(proven, NOW), trust.people.len()), (Level::Proven, MAX_PEOPLE));
        let week = NOW + Duration::from_secs(7 * 24 * 60 * 60);
        let fresh = numbered(2_002, Proof::Announced, &mut trust, week);
        assert_eq!((trust.level(fresh, week), trust.people.len()), (Level::Known, MAX_PEOPLE));
    }

    #[test]
    fn what_does_not_read_is_refused() {
        let mut trust = Trust::default();
        for (key, value) in [(b"p".as_slice(), b"\x01\x00".as_slice()), (b"", b""), (b"v1", b"\x07")] {
            let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            assert_eq!(trust.restore(&key, &value), None);
        }
    }
}
