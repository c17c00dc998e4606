//! The envelopes that are carried for others. What finds no room is refused; pushed out is the mail of strangers alone.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use sha2::{Digest as _, Sha256};

use super::limits::{LIFETIME, Limits, SLACK, Tier};
use crate::ids::{LinkId, PeerId};
use crate::mesh::error::DropReason;
use crate::time::{Instant, UnixMillis};
use crate::wire::{CourierEnvelope, MAX_COPIES};

/// How long after it was handed to its recipient's own link an envelope is kept: until then the link may break.
pub(super) const HANDING: Duration = Duration::from_secs(10);
/// How long until it is sent again to a recipient that is there over other nodes only (spec 3.11).
pub(super) const REMOTE_PAUSE: Duration = Duration::from_secs(10 * 60);
const VERSION: u8 = 1;

/// What an envelope is known by: a hash of its ciphertext, whoever brings it and however many copies it has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::mesh) struct Digest(pub(super) [u8; 16]);

impl Digest {
    pub(super) fn of(envelope: &CourierEnvelope) -> Self {
        let mut digest = [0; 16];
        digest.iter_mut().zip(Sha256::digest(&envelope.ciphertext)).for_each(|(byte, hash)| *byte = hash);
        Self(digest)
    }
}

/// Whether an envelope may be taken or opened at this time: it has not expired, and does not want to live for ever.
/// What was taken once is never judged by it again: where a clock was not set yet, all of that seems absurd.
pub(super) fn check_life(envelope: &CourierEnvelope, now: UnixMillis) -> Result<(), DropReason> {
    let absurd = envelope.expires > now + LIFETIME + SLACK;
    if absurd || envelope.expires <= now { Err(DropReason::CourierExpiry) } else { Ok(()) }
}

/// Who leaves an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Depositor {
    pub(super) peer: PeerId,
    pub(super) tier: Tier,
    /// Over which link a stranger left it; nothing after a restart.
    pub(super) link: Option<LinkId>,
}

/// What became of an envelope that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) digest: Digest,
    /// What had to go for it.
    pub(super) displaced: Option<Digest>,
}

#[derive(Debug)]
struct Held {
    envelope: CourierEnvelope,
    from: Depositor,
    /// Its place among all, in the order in which they came.
    order: u64,
    /// The couriers who got a share, [`MAX_COPIES`] at most.
    given: Vec<PeerId>,
    /// Since when it is on its recipient's own link.
    handing: Option<(PeerId, Instant)>,
    /// When it was last sent to its recipient over other nodes.
    remote: Option<Instant>,
}

/// The envelopes.
#[derive(Debug, Default)]
pub(in crate::mesh) struct Carried {
    held: BTreeMap<Digest, Held>,
    orders: u64,
}

impl Carried {
    /// Takes an envelope. What has expired is gone by [`Self::expire`] before. One that is here already is taken again
    /// only for more copies while none was given, or of somebody closer to us.
    pub(super) fn take(
        &mut self,
        envelope: CourierEnvelope,
        from: Depositor,
        limits: &Limits,
        now: UnixMillis,
    ) -> Result<Taken, DropReason> {
        check_life(&envelope, now)?;
        let digest = Digest::of(&envelope);
        let before = self.held.remove(&digest);
        if let Some(mut held) = before {
            let untouched = held.given.is_empty() && held.handing.is_none();
            let copies =
                if untouched { envelope.copies.max(held.envelope.copies) } else { held.envelope.copies };
            let (more, closer) = (copies > held.envelope.copies, from.tier < held.from.tier);
            let room = if closer { self.room_for(&from, limits) } else { Err(DropReason::CourierReplay) };
            held.envelope.copies = copies;
            if room.is_ok() {
                held.from = from;
            }
            self.held.insert(digest, held);
            let displaced = match room {
                Ok(displaced) => displaced,
                Err(_) if more => None,
                Err(_) => return Err(DropReason::CourierReplay),
            };
            displaced.map(|displaced| self.held.remove(&displaced));
            return Ok(Taken { digest, displaced });
        }
        let displaced = self.room_for(&from, limits)?;
        displaced.map(|displaced| self.held.remove(&displaced));
        self.orders += 1;
        let order = self.orders;
        self.held
            .insert(digest, Held { envelope, from, order, given: Vec::new(), handing: None, remote: None });
        Ok(Taken { digest, displaced })
    }

    /// Whether there is room for one more of this depositor; the one of a stranger that has to go for it.
    fn room_for(&self, from: &Depositor, limits: &Limits) -> Result<Option<Digest>, DropReason> {
        let per_one = match from.tier {
            Tier::Favourite => limits.per_favourite,
            Tier::Verified => limits.per_verified,
            Tier::Stranger => limits.per_stranger,
        };
        let over_link = |other: &Depositor| other.tier == Tier::Stranger && other.link == from.link;
        let is_stranger = from.tier == Tier::Stranger;
        if self.count(|other| other.peer == from.peer) >= per_one
            || is_stranger && self.count(over_link) >= 2 * limits.per_stranger
        {
            return Err(DropReason::CourierFull);
        }
        let lower = self.count(|other| other.tier != Tier::Favourite);
        let lower_full = from.tier != Tier::Favourite && lower >= limits.from_verified;
        if !lower_full && self.held.len() < limits.envelopes {
            return Ok(None);
        }
        let (share, first) = self.largest_crowd().ok_or(DropReason::CourierFull)?;
        let gives_way = !is_stranger || share > self.count(over_link) + 1;
        if gives_way { Ok(Some(first)) } else { Err(DropReason::CourierFull) }
    }

    fn count(&self, which: impl Fn(&Depositor) -> bool) -> usize {
        self.held.values().filter(|held| which(&held.from)).count()
    }

    /// How much strangers left over the link that brought the most of it, and the oldest of that.
    fn largest_crowd(&self) -> Option<(usize, Digest)> {
        let strangers = || self.held.iter().filter(|(_, held)| held.from.tier == Tier::Stranger);
        let mut shares: BTreeMap<Option<LinkId>, usize> = BTreeMap::new();
        for (_, held) in strangers() {
            *shares.entry(held.from.link).or_default() += 1;
        }
        let most = shares.values().max().copied()?;
        let crowd = strangers().filter(|(_, held)| shares.get(&held.from.link) == Some(&most));
        crowd.min_by_key(|(_, held)| held.order).map(|(digest, _)| (most, *digest))
    }

    /// The envelopes for the holder of these tags that are to be handed over at this time. `direct` says whether
    /// it has a link of its own, and proved it.
    pub(super) fn due_for(&self, tags: &[[u8; 16]], direct: bool, now: Instant) -> Vec<Digest> {
        let due = |held: &Held| match direct {
            true => held.handing.is_none(),
            false => held.remote.is_none_or(|last| now.since(last) >= REMOTE_PAUSE),
        };
        let theirs = self.held.iter().filter(|(_, held)| tags.contains(&held.envelope.tag) && due(held));
        theirs.map(|(digest, _)| *digest).collect()
    }

    /// It was handed to its recipient, over its own link or over other nodes.
    pub(super) fn handed(&mut self, digest: Digest, peer: PeerId, direct: bool, now: Instant) {
        if let Some(held) = self.held.get_mut(&digest) {
            if direct {
                held.handing = Some((peer, now));
            } else {
                held.remote = Some(now);
            }
        }
    }

    /// This peer's link broke: what was just handed over is handed over again when it is back.
    pub(super) fn parted(&mut self, peer: PeerId) {
        for held in self.held.values_mut() {
            held.handing = held.handing.filter(|(to, _)| *to != peer);
        }
    }

    /// The envelopes whose recipients still have the link that they were handed over; they are gone from here on.
    /// Where the link broke, they will be handed over again.
    pub(super) fn settle(&mut self, is_linked: impl Fn(PeerId) -> bool, now: Instant) -> Vec<Digest> {
        let mut done = Vec::new();
        for (digest, held) in &mut self.held {
            match held.handing {
                Some((peer, _)) if !is_linked(peer) => held.handing = None,
                Some((_, since)) if now.since(since) >= HANDING => done.push(*digest),
                Some(_) | None => {}
            }
        }
        for digest in &done {
            self.held.remove(digest);
        }
        done
    }

    /// When [`Self::settle`] next has something to say.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.held.values().filter_map(|held| Some(held.handing?.1 + HANDING)).min()
    }

    /// The envelopes that this courier, whose own mail has these tags, may have a share of. The mail of strangers is not
    /// spread: it would take up what our couriers keep for us.
    pub(super) fn shares_for(&self, courier: PeerId, tags: &[[u8; 16]]) -> Vec<Digest> {
        let may = |held: &Held| {
            held.envelope.copies > 1
                && held.handing.is_none()
                && held.from.tier != Tier::Stranger
                && held.from.peer != courier
                && !held.given.contains(&courier)
                && !tags.contains(&held.envelope.tag)
        };
        self.held.iter().filter(|(_, held)| may(held)).map(|(digest, _)| *digest).collect()
    }

    /// Half the copies, for another courier.
    pub(super) fn share(&self, digest: Digest) -> Option<CourierEnvelope> {
        let envelope = &self.held.get(&digest)?.envelope;
        Some(CourierEnvelope { copies: envelope.copies / 2, ..envelope.clone() })
    }

    /// That courier has its share: the other half stays.
    pub(super) fn shared(&mut self, digest: Digest, courier: PeerId) {
        if let Some(held) = self.held.get_mut(&digest) {
            held.envelope.copies -= held.envelope.copies / 2;
            held.given.push(courier);
        }
    }

    /// How many of those that are here a courier has a share of.
    pub(super) fn given_to(&self, courier: PeerId) -> usize {
        self.held.values().filter(|held| held.given.contains(&courier)).count()
    }

    /// An envelope as it is handed over.
    pub(super) fn envelope(&self, digest: Digest) -> Option<CourierEnvelope> {
        self.held.get(&digest).map(|held| held.envelope.clone())
    }

    /// The envelopes whose time is over; they are gone from here on.
    pub(super) fn expire(&mut self, now: UnixMillis) -> Vec<Digest> {
        let old = self.held.iter().filter(|(_, held)| held.envelope.expires <= now);
        let gone: Vec<Digest> = old.map(|(digest, _)| *digest).collect();
        for digest in &gone {
            self.held.remove(digest);
        }
        gone
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// One envelope, to be kept.
    pub(super) fn encode(&self, digest: Digest) -> Option<Bytes> {
        let Held { envelope, from, given, .. } = self.held.get(&digest)?;
        let tier = match from.tier {
            Tier::Favourite => 0,
            Tier::Verified => 1,
            Tier::Stranger => 2,
        };
        let mut value = vec![VERSION, tier];
        value.put_slice(from.peer.as_bytes());
        value.put_u8(u8::try_from(given.len()).ok()?);
        given.iter().for_each(|courier| value.put_slice(courier.as_bytes()));
        value.extend(envelope.encode().ok()?);
        Some(value.into())
    }

    /// Takes back what [`Self::encode`] wrote; false when it is none, or of no use any more.
    pub(super) fn restore(&mut self, value: Bytes, limits: &Limits, now: UnixMillis) -> bool {
        let Some(mut held) = decode(value) else { return false };
        self.orders += 1;
        held.order = self.orders;
        let fits = self.held.len() < limits.envelopes && held.envelope.expires > now;
        if fits {
            self.held.insert(Digest::of(&held.envelope), held);
        }
        fits
    }
}

fn decode(mut value: Bytes) -> Option<Held> {
    if value.try_get_u8().ok()? != VERSION {
        return None;
    }
    let tier = match value.try_get_u8().ok()? {
        0 => Tier::Favourite,
        1 => Tier::Verified,
        _ => Tier::Stranger,
    };
    let from = Depositor { peer: peer(&mut value)?, tier, link: None };
    let count = value.try_get_u8().ok()?;
    let given: Option<Vec<PeerId>> = (0..count.min(MAX_COPIES)).map(|_| peer(&mut value)).collect();
    let envelope = CourierEnvelope::decode(&value).ok()?;
    Some(Held { envelope, from, order: 0, given: given?, handing: None, remote: None })
}

/// The next peer id of a kept value.
pub(super) fn peer(value: &mut Bytes) -> Option<PeerId> {
    let mut id = [0; 8];
    value.try_copy_to_slice(&mut id).ok()?;
    Some(PeerId(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const HOUR: Duration = Duration::from_secs(60 * 60);
    const ANN: PeerId = PeerId([1; 8]);
    const BEN: PeerId = PeerId([2; 8]);
    const CAT: PeerId = PeerId([3; 8]);

    fn envelope(number: u16) -> CourierEnvelope {
        CourierEnvelope {
            tag: [7; 16],
            expires: NOW + LIFETIME,
            ciphertext: Bytes::copy_from_slice(&number.to_be_bytes()),
            copies: 4,
            prekey: None,
        }
    }

    fn take(carried: &mut Carried, number: u16, from: PeerId, tier: Tier) -> Result<Digest, DropReason> {
        let from = Depositor { peer: from, tier, link: None };
        carried.take(envelope(number), from, &Limits::default(), NOW).map(|taken| taken.digest)
    }

    const CONTACT: Depositor = Depositor { peer: ANN, tier: Tier::Favourite, link: None };

    /// What one of many strangers leaves over a link.
    fn left_by(carried: &mut Carried, number: u16, link: u32) -> Result<Taken, DropReason> {
        let link = Some(LinkId { adapter: AdapterId(0), serial: link });
        let peer = PeerId([9, 9, 9, 9, 9, 9, number.to_be_bytes()[0], number.to_be_bytes()[1]]);
        carried.take(
            envelope(number),
            Depositor { peer, tier: Tier::Stranger, link },
            &Limits::default(),
            NOW,
        )
    }

    fn person(number: u8) -> PeerId {
        PeerId([number; 8])
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn five_of_a_favourite_two_of_the_verified_and_none_twice() {
        let mut carried = Carried::default();
        for (from, tier, most) in [(ANN, Tier::Favourite, 5), (BEN, Tier::Verified, 2)] {
            let base = u16::from(from.0[0]) * 100;
            for number in base..base + most {
                assert!(take(&mut carried, number, from, tier).is_ok());
                assert_eq!(take(&mut carried, number, CAT, tier), Err(DropReason::CourierReplay));
            }
            assert_eq!(take(&mut carried, base + most, from, tier), Err(DropReason::CourierFull));
        }
        assert_eq!(carried.len(), 7);
    }

    #[test]
    fn forty_in_all_and_twenty_of_them_of_the_verified_and_nothing_of_theirs_is_pushed_out() {
        let mut carried = Carried::default();
        for number in 0..20 {
            assert!(
                take(&mut carried, number, person(10 + u8::try_from(number).unwrap() / 2), Tier::Verified)
                    .is_ok()
            );
        }
        assert_eq!(take(&mut carried, 20, person(99), Tier::Verified), Err(DropReason::CourierFull));
        for number in 100..120 {
            assert!(
                take(&mut carried, number, person(u8::try_from(number).unwrap()), Tier::Favourite).is_ok()
            );
        }
        assert_eq!(take(&mut carried, 120, CAT, Tier::Favourite), Err(DropReason::CourierFull));
        for number in (0..20).chain(100..120) {
            assert!(carried.envelope(Digest::of(&envelope(number))).is_some());
        }
    }

    #[test]
    fn strangers_have_four_places_a_link_and_make_room_for_contacts_and_for_who_left_less() {
        let mut carried = Carried::default();
        for number in 0..24 {
            let (link, fits) = (u32::from(number / 6), number % 6 < 4);
            assert_eq!(left_by(&mut carried, number, link).is_ok(), fits, "{number}");
        }
        for number in 24..28 {
            assert_eq!(left_by(&mut carried, number, 4).unwrap().displaced, None);
        }
        let digest = |number| Digest::of(&envelope(number));
        // Twenty of them, four from each link: another link gets what the first had, as long as it has less.
        assert_eq!(left_by(&mut carried, 30, 5).unwrap().displaced, Some(digest(0)));
        assert_eq!(left_by(&mut carried, 31, 5).unwrap().displaced, Some(digest(6)));
        assert_eq!(left_by(&mut carried, 32, 5).unwrap().displaced, Some(digest(12)));
        assert_eq!(left_by(&mut carried, 33, 5), Err(DropReason::CourierFull));
        // Whoever our owner knows comes first, until no stranger is left.
        for number in 100..120 {
            let known = person(u8::try_from(number).unwrap());
            assert!(take(&mut carried, number, known, Tier::Verified).is_ok(), "{number}");
            assert_eq!(carried.len(), 20);
        }
        assert_eq!(left_by(&mut carried, 40, 9), Err(DropReason::CourierFull));
        assert_eq!(take(&mut carried, 120, BEN, Tier::Verified), Err(DropReason::CourierFull));
    }

    #[test]
    fn an_envelope_that_is_here_is_taken_again_for_more_copies_or_of_somebody_closer() {
        let mut carried = Carried::default();
        let with = |copies| CourierEnvelope { copies, ..envelope(1) };
        let stranger = Depositor { peer: CAT, tier: Tier::Stranger, link: None };
        let limits = Limits::default();
        let digest = carried.take(with(1), stranger, &limits, NOW).unwrap().digest;
        assert_eq!(carried.take(with(4), stranger, &limits, NOW), Ok(Taken { digest, displaced: None }));
        assert_eq!(carried.take(with(4), stranger, &limits, NOW), Err(DropReason::CourierReplay));
        assert_eq!(carried.shares_for(BEN, &[]), [], "what a stranger left is not spread");
        assert_eq!(carried.take(with(1), CONTACT, &limits, NOW), Ok(Taken { digest, displaced: None }));
        assert_eq!((carried.envelope(digest).unwrap().copies, carried.len()), (4, 1));
        assert_eq!(carried.shares_for(BEN, &[]), [digest]);
        carried.shared(digest, BEN);
        assert_eq!(
            carried.take(with(8), CONTACT, &limits, NOW),
            Err(DropReason::CourierReplay),
            "some were given"
        );
    }

    #[test]
    fn a_life_of_more_than_a_day_and_an_hour_is_refused_and_the_dead_make_room() {
        let mut carried = Carried::default();
        let mut takes = |expires: UnixMillis, now: UnixMillis| {
            let envelope = CourierEnvelope { expires, ..envelope(1) };
            carried.take(envelope, CONTACT, &Limits::default(), now).map(|_| ())
        };
        let longest = NOW + LIFETIME + SLACK;
        for absurd in [UnixMillis(longest.0 + 1), UnixMillis(u64::MAX), NOW, UnixMillis(0)] {
            assert_eq!(takes(absurd, NOW), Err(DropReason::CourierExpiry));
        }
        assert_eq!(takes(longest, NOW), Ok(()));
        for number in 2..6 {
            assert!(take(&mut carried, number, ANN, Tier::Favourite).is_ok());
        }
        let later = NOW + 24 * HOUR;
        assert_eq!(carried.expire(later).len(), 4);
        let fresh = CourierEnvelope { expires: later + HOUR, ..envelope(9) };
        assert!(carried.take(fresh, CONTACT, &Limits::default(), later).is_ok());
        assert_eq!(carried.expire(later + HOUR).len(), 2);
        assert_eq!(carried.len(), 0);
    }

    #[test]
    fn copies_halve_with_every_courier_until_one_is_left() {
        let mut carried = Carried::default();
        let digest = take(&mut carried, 1, ANN, Tier::Favourite).unwrap();
        assert_eq!(carried.shares_for(ANN, &[]), [], "not back to where it came from");
        assert_eq!(carried.shares_for(BEN, &[[7; 16]]), [], "its recipient gets it whole");
        for (courier, given, left) in [(BEN, 2, 2), (CAT, 1, 1)] {
            assert_eq!(carried.shares_for(courier, &[]), [digest]);
            assert_eq!(carried.share(digest).unwrap().copies, given);
            carried.shared(digest, courier);
            assert_eq!(carried.envelope(digest).unwrap().copies, left);
            assert_eq!(carried.shares_for(courier, &[]), [], "once");
        }
        assert_eq!(carried.shares_for(person(9), &[]), [], "the last one is for the recipient");
    }

    #[test]
    fn what_was_handed_over_goes_when_the_link_held_and_stays_when_it_broke() {
        let mut carried = Carried::default();
        let digest = take(&mut carried, 1, ANN, Tier::Favourite).unwrap();
        let tags = [[7; 16]];
        assert_eq!(carried.due_for(&tags, true, at(0)), [digest]);
        carried.handed(digest, BEN, true, at(0));
        assert_eq!(carried.due_for(&tags, true, at(1)), []);
        assert_eq!(carried.settle(|_| false, at(2)), []);
        assert_eq!(carried.due_for(&tags, true, at(3)), [digest], "the link broke");
        carried.handed(digest, BEN, true, at(3));
        carried.parted(CAT);
        assert_eq!(carried.due_for(&tags, true, at(4)), []);
        carried.parted(BEN);
        assert_eq!((carried.due_for(&tags, true, at(4)), carried.poll_timeout()), (vec![digest], None));
        carried.handed(digest, BEN, true, at(5));
        assert_eq!(carried.poll_timeout(), Some(at(15)));
        assert_eq!(carried.settle(|peer| peer == BEN, at(14)), []);
        assert_eq!(carried.settle(|peer| peer == BEN, at(15)), [digest]);
        assert_eq!(carried.len(), 0);
    }

    #[test]
    fn over_other_nodes_it_is_sent_every_ten_minutes() {
        let mut carried = Carried::default();
        let digest = take(&mut carried, 1, ANN, Tier::Favourite).unwrap();
        carried.handed(digest, BEN, false, at(0));
        assert_eq!(carried.due_for(&[[7; 16]], false, at(599)), []);
        assert_eq!(carried.due_for(&[[7; 16]], true, at(1)), [digest], "a link of its own is another matter");
        assert_eq!(carried.due_for(&[[7; 16]], false, at(600)), [digest]);
        assert_eq!(carried.due_for(&[[8; 16]], false, at(600)), []);
    }

    #[test]
    fn a_clock_that_is_behind_costs_no_envelope_that_was_taken() {
        let mut carried = Carried::default();
        let digest = take(&mut carried, 1, ANN, Tier::Favourite).unwrap();
        for behind in [UnixMillis(0), UnixMillis(NOW.0 - 30 * 24 * 3_600_000)] {
            assert_eq!(carried.expire(behind), []);
            let mut again = Carried::default();
            assert!(again.restore(carried.encode(digest).unwrap(), &Limits::default(), behind));
        }
        assert_eq!(carried.expire(NOW + LIFETIME), [digest]);
    }

    #[test]
    fn an_envelope_comes_back_with_its_copies_and_couriers() {
        let mut carried = Carried::default();
        let digest = take(&mut carried, 1, ANN, Tier::Verified).unwrap();
        carried.shared(digest, BEN);
        let value = carried.encode(digest).unwrap();
        let (mut again, limits) = (Carried::default(), Limits::default());
        assert!(again.restore(value.clone(), &limits, NOW));
        assert_eq!(again.envelope(digest), carried.envelope(digest));
        assert_eq!(again.shares_for(BEN, &[]), []);
        assert_eq!(again.shares_for(CAT, &[]), [digest]);
        assert!(!Carried::default().restore(value.clone(), &limits, NOW + LIFETIME), "expired");
        for len in 0..value.len() {
            Carried::default().restore(value.slice(..len), &limits, NOW);
        }
    }
}
