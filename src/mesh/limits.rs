//! How much of what others send is passed on: by link and by sender.
//!
//! Whoever sends can invent senders, with keys and announces of their own. So all that comes over a link shares the
//! link's bucket, whatever it claims; a sender whose signature verified has a bucket of its own besides, so that one
//! loud node leaves something for the others; and only contacts, whose keys this node's owner chose to know, do not depend
//! on what else comes over their link. A session is no such choice: anybody gets one for a handshake.

use std::collections::BTreeMap;

use crate::bucket::{Bucket, Rate};
use crate::ids::{LinkId, PeerId};
use crate::time::Instant;

/// Packets of one link passed on: a few trains of fragments at the apps' pace.
const LINK: Rate = Rate::per_second(150, 256);
/// Signed packets of one sender passed on: more than a live voice needs.
const SENDER: Rate = Rate::per_second(40, 128);
/// Senders with a bucket of their own at once; the others have their link's.
const MAX_SENDERS: usize = 1_024;

/// Who a packet to be passed on is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// It is signed by a contact.
    Contact(PeerId),
    /// It is signed by a key that was announced: anybody can announce any number.
    Verified(PeerId),
    /// It is not signed, or by an unknown key.
    Anybody,
}

/// The buckets of every link and of the senders heard lately.
#[derive(Debug, Default)]
pub(super) struct Limits {
    links: BTreeMap<LinkId, Bucket>,
    senders: BTreeMap<PeerId, Bucket>,
    /// What the senders share that have none of their own.
    others: Bucket,
}

impl Limits {
    /// Whether a packet that came over this link may be passed on; counts it when it may.
    pub(super) fn admits(&mut self, link: LinkId, from: From, now: Instant) -> bool {
        match from {
            From::Contact(peer) => self.of_sender(peer, now).take(SENDER, now).is_ok(),
            From::Verified(peer) => {
                let Ok(after) = self.of_sender(peer, now).after_one(SENDER, now) else { return false };
                let allowed = self.of_link(link).take(LINK, now).is_ok();
                if allowed {
                    *self.of_sender(peer, now) = after;
                }
                allowed
            }
            From::Anybody => self.of_link(link).take(LINK, now).is_ok(),
        }
    }

    /// Forgets a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    fn of_link(&mut self, link: LinkId) -> &mut Bucket {
        self.links.entry(link).or_default()
    }

    /// A sender's bucket; the common one when too many have one of their own that is not full again.
    fn of_sender(&mut self, peer: PeerId, now: Instant) -> &mut Bucket {
        if !self.senders.contains_key(&peer) && self.senders.len() >= MAX_SENDERS {
            self.senders.retain(|_, bucket| !bucket.is_full(now));
        }
        let own = self.senders.contains_key(&peer) || self.senders.len() < MAX_SENDERS;
        if own { self.senders.entry(peer).or_default() } else { &mut self.others }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::AdapterId;

    const ALICE: PeerId = PeerId([1; 8]);

    fn link(serial: u32) -> LinkId {
        LinkId { adapter: AdapterId(0), serial }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_start(Duration::from_millis(millis))
    }

    fn invented(n: u32) -> PeerId {
        PeerId(u64::from(n + 1_000_000).to_be_bytes())
    }

    #[test]
    fn invented_senders_buy_nothing_beyond_their_link() {
        let mut limits = Limits::default();
        let verified = (0..2_000).filter(|&n| limits.admits(link(1), From::Verified(invented(n)), at(0)));
        assert_eq!(verified.count(), 256);
        assert!(!limits.admits(link(1), From::Anybody, at(0)));
        assert!(limits.admits(link(2), From::Anybody, at(0)), "another link is another matter");
        assert!(limits.senders.len() <= MAX_SENDERS);
    }

    #[test]
    fn a_contact_is_heard_through_a_flood_over_the_same_link() {
        let mut limits = Limits::default();
        while limits.admits(link(1), From::Anybody, at(0)) {}
        assert!(limits.admits(link(1), From::Contact(ALICE), at(0)));
        let more = (0..1_000).filter(|_| limits.admits(link(1), From::Contact(ALICE), at(0))).count();
        assert_eq!(more, 127, "within bounds of its own");
    }

    #[test]
    fn one_loud_sender_leaves_room_for_the_others_of_its_link() {
        let mut limits = Limits::default();
        let loud = (0..1_000).filter(|_| limits.admits(link(1), From::Verified(ALICE), at(0))).count();
        assert_eq!(loud, 128);
        assert!(limits.admits(link(1), From::Anybody, at(0)));
    }

    #[test]
    fn a_contact_without_a_bucket_of_its_own_shares_one_with_the_others() {
        let mut limits = Limits::default();
        for n in 0..2_000 {
            limits.admits(link(n), From::Verified(invented(n)), at(0));
        }
        let contacts = [invented(5_000), invented(5_001)];
        let passed = (0..1_000).filter(|n| limits.admits(link(1), From::Contact(contacts[n % 2]), at(0)));
        assert!(passed.count() <= 128, "within the bounds of one sender");
        assert!(limits.admits(link(1), From::Contact(contacts[0]), at(1_000)), "and it comes back");
    }

    #[test]
    fn what_its_link_refuses_costs_a_sender_nothing() {
        let mut limits = Limits::default();
        while limits.admits(link(1), From::Anybody, at(0)) {}
        assert!((0..1_000).all(|_| !limits.admits(link(1), From::Verified(ALICE), at(0))));
        let passed = (0..1_000).filter(|_| limits.admits(link(2), From::Verified(ALICE), at(0))).count();
        assert_eq!(passed, 128);
    }

    #[test]
    fn what_was_spent_comes_back_with_time() {
        let mut limits = Limits::default();
        while limits.admits(link(1), From::Anybody, at(0)) {}
        let mut again =
            |millis| (0..1_000).filter(|_| limits.admits(link(1), From::Anybody, at(millis))).count();
        assert_eq!((again(1_000), again(1_000), again(60_000)), (150, 0, 256));
    }
}
