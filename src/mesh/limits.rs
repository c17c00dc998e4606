//! How much of what others send is passed on: by link and by sender.
//!
//! Whoever sends can invent senders, with keys and announces of their own. So all that comes over a link shares the
//! link's bucket, whatever it claims; a sender whose signature verified has a bucket of its own besides, so that one
//! loud node leaves something for the others; and only friends, whose packets are signed by keys that this node chose to
//! know or has a session with, do not depend on what else comes over their link.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{LinkId, PeerId};
use crate::time::Instant;

/// Packets of one link passed on in a second, in the long run: a few trains of fragments at the apps' pace.
const LINK_RATE: u32 = 150;
/// Packets of one link passed on at once, after a silence.
const LINK_BURST: u32 = 256;
/// Signed packets of one sender in a second: more than a live voice needs.
const SENDER_RATE: u32 = 40;
/// Signed packets of one sender at once.
const SENDER_BURST: u32 = 128;
/// Senders with a bucket of their own at once; the others have their link's.
const MAX_SENDERS: usize = 1_024;

/// Who a packet to be passed on is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// It is signed by a contact, or by a peer with whom a session stands.
    Friend(PeerId),
    /// It is signed by a key that was announced: anybody can announce any number.
    Verified(PeerId),
    /// It is not signed, or by an unknown key.
    Anybody,
}

/// Tokens, each worth one packet.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// In millionths of a packet.
    tokens: u64,
    filled: Instant,
}

impl Bucket {
    const PACKET: u64 = 1_000_000;

    fn full(burst: u32, now: Instant) -> Self {
        Self { tokens: u64::from(burst) * Self::PACKET, filled: now }
    }

    fn fill(&mut self, rate: u32, burst: u32, now: Instant) {
        let span = now.since(self.filled).min(Duration::from_secs(60));
        let earned = u64::try_from(span.as_micros()).unwrap_or(0).saturating_mul(u64::from(rate));
        self.tokens = self.tokens.saturating_add(earned).min(u64::from(burst) * Self::PACKET);
        self.filled = now;
    }

    const fn has_one(&self) -> bool {
        self.tokens >= Self::PACKET
    }

    fn take(&mut self) -> bool {
        let enough = self.has_one();
        if enough {
            self.tokens -= Self::PACKET;
        }
        enough
    }
}

/// The buckets of every link and of the senders heard lately.
#[derive(Debug, Default)]
pub(super) struct Limits {
    links: BTreeMap<LinkId, Bucket>,
    senders: BTreeMap<PeerId, Bucket>,
    /// What the senders share that have none of their own.
    others: Option<Bucket>,
}

impl Limits {
    /// Whether a packet that came over this link may be passed on; counts it when it may.
    pub(super) fn admits(&mut self, link: LinkId, from: From, now: Instant) -> bool {
        match from {
            From::Friend(peer) => self.of_sender(peer, now).take(),
            From::Verified(peer) => {
                let allowed = self.of_sender(peer, now).has_one() && self.of_link(link, now).take();
                allowed && self.of_sender(peer, now).take()
            }
            From::Anybody => self.of_link(link, now).take(),
        }
    }

    /// Forgets a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    fn of_link(&mut self, link: LinkId, now: Instant) -> &mut Bucket {
        let bucket = self.links.entry(link).or_insert_with(|| Bucket::full(LINK_BURST, now));
        bucket.fill(LINK_RATE, LINK_BURST, now);
        bucket
    }

    /// A sender's bucket; the common one when too many have one of their own that is not full again.
    fn of_sender(&mut self, peer: PeerId, now: Instant) -> &mut Bucket {
        if !self.senders.contains_key(&peer) && self.senders.len() >= MAX_SENDERS {
            let refill = Duration::from_secs(u64::from(SENDER_BURST / SENDER_RATE) + 1);
            self.senders.retain(|_, bucket| now.since(bucket.filled) < refill);
        }
        let own = self.senders.contains_key(&peer) || self.senders.len() < MAX_SENDERS;
        let full = || Bucket::full(SENDER_BURST, now);
        let bucket = if own {
            self.senders.entry(peer).or_insert_with(full)
        } else {
            self.others.get_or_insert_with(full)
        };
        bucket.fill(SENDER_RATE, SENDER_BURST, now);
        bucket
    }
}

#[cfg(test)]
mod tests {
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
    fn a_friend_is_heard_through_a_flood_over_the_same_link() {
        let mut limits = Limits::default();
        while limits.admits(link(1), From::Anybody, at(0)) {}
        assert!(limits.admits(link(1), From::Friend(ALICE), at(0)));
        let more = (0..1_000).filter(|_| limits.admits(link(1), From::Friend(ALICE), at(0))).count();
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
    fn a_friend_without_a_bucket_of_its_own_shares_one_with_the_others() {
        let mut limits = Limits::default();
        for n in 0..2_000 {
            limits.admits(link(n), From::Verified(invented(n)), at(0));
        }
        let friends = [invented(5_000), invented(5_001)];
        let passed = (0..1_000).filter(|n| limits.admits(link(1), From::Friend(friends[n % 2]), at(0)));
        assert!(passed.count() <= 128, "within the bounds of one sender");
        assert!(limits.admits(link(1), From::Friend(friends[0]), at(1_000)), "and it comes back");
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
