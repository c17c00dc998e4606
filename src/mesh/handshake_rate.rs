//! How many handshakes are begun or answered (spec 3.4): each costs curve arithmetic, and anybody can ask, under any
//! name. So what strangers ask for is bounded by link as well, and leaves room for the known.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::{LinkId, PeerId};
use crate::time::Instant;

/// Handshakes with one peer in a minute, over one link.
const PER_PEER: usize = 10;
/// Handshakes in a minute with everybody but neighbours.
const GLOBAL: usize = 30;
/// Of these, with strangers.
const STRANGERS: usize = 20;
/// Of these, over one link: with anybody.
const PER_LINK: usize = 15;
/// Of these, over one link with strangers.
const STRANGERS_PER_LINK: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// How well a peer is known that wants a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Anybody.
    Stranger,
    /// A contact, or a peer with whom a session stands, or one we have something for. The name may be borrowed.
    Known,
    /// The neighbour at the other end of the link that asks.
    Neighbour,
}

/// One handshake that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// With whom.
    pub(super) peer: PeerId,
    /// Over which link it was asked for; `None` when we want it ourselves.
    pub(super) link: Option<LinkId>,
    /// How well the peer is known.
    pub(super) standing: Standing,
}

/// The handshakes of the last minute.
#[derive(Debug, Default)]
pub(super) struct HandshakeRate {
    recent: VecDeque<(Instant, Asked)>,
}

impl HandshakeRate {
    /// Whether one more may take place; counts it when it may.
    pub(super) fn allow(&mut self, asked: Asked, now: Instant) -> bool {
        while self.recent.front().is_some_and(|&(at, _)| now.since(at) >= MINUTE) {
            self.recent.pop_front();
        }
        let allowed = self.count(|it| it.peer == asked.peer && it.link == asked.link) < PER_PEER
            && (asked.standing == Standing::Neighbour || self.shared_allows(asked));
        if allowed {
            self.recent.push_back((now, asked));
        }
        allowed
    }

    /// The limits that all but neighbours share.
    fn shared_allows(&self, asked: Asked) -> bool {
        let shared = |it: &Asked| it.standing != Standing::Neighbour;
        let stranger = |it: &Asked| it.standing == Standing::Stranger;
        let over_link = |it: &Asked| it.link == asked.link && asked.link.is_some();
        self.count(shared) < GLOBAL
            && self.count(|it| shared(it) && over_link(it)) < PER_LINK
            && (asked.standing != Standing::Stranger
                || self.count(stranger) < STRANGERS
                    && self.count(|it| stranger(it) && over_link(it)) < STRANGERS_PER_LINK)
    }

    fn count(&self, which: impl Fn(&Asked) -> bool) -> usize {
        self.recent.iter().filter(|(_, asked)| which(asked)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    fn asked(peer: u8, link: Option<u32>, standing: Standing) -> Asked {
        let link = link.map(|serial| LinkId { adapter: AdapterId(0), serial });
        Asked { peer: PeerId([peer; 8]), link, standing }
    }

    /// How many of a flood pass, of so many peers each asking twenty times.
    fn flood(rate: &mut HandshakeRate, peers: u8, link: u32, standing: Standing) -> usize {
        let all = (0..peers).flat_map(|peer| std::iter::repeat_n(peer, 20));
        all.filter(|&peer| rate.allow(asked(peer, Some(link), standing), Instant::ZERO)).count()
    }

    #[test]
    fn ten_with_one_peer_and_thirty_with_all() {
        let mut rate = HandshakeRate::default();
        let begin = |rate: &mut HandshakeRate, peer| {
            (0..20).filter(|_| rate.allow(asked(peer, None, Standing::Known), Instant::ZERO)).count()
        };
        assert_eq!([1, 2, 3, 4].map(|peer| begin(&mut rate, peer)), [10, 10, 10, 0]);
    }

    #[test]
    fn invented_names_lock_out_neither_the_known_nor_the_strangers_of_other_links() {
        let mut rate = HandshakeRate::default();
        assert_eq!(flood(&mut rate, 100, 1, Standing::Stranger), STRANGERS_PER_LINK);
        assert!(rate.allow(asked(200, Some(2), Standing::Stranger), Instant::ZERO));
        assert!(rate.allow(asked(201, Some(2), Standing::Known), Instant::ZERO));
        flood(&mut rate, 100, 3, Standing::Stranger);
        assert!(rate.allow(asked(202, Some(2), Standing::Known), Instant::ZERO));
    }

    #[test]
    fn borrowed_names_lock_out_neither_their_owners_nor_neighbours() {
        let mut rate = HandshakeRate::default();
        assert_eq!(flood(&mut rate, 100, 1, Standing::Known), PER_LINK);
        assert!(rate.allow(asked(0, Some(2), Standing::Known), Instant::ZERO));
        flood(&mut rate, 100, 3, Standing::Known);
        assert!(rate.allow(asked(0, Some(2), Standing::Neighbour), Instant::ZERO));
    }

    #[test]
    fn a_minute_later_all_is_as_before() {
        let mut rate = HandshakeRate::default();
        flood(&mut rate, 100, 1, Standing::Stranger);
        let later = Instant::from_start(MINUTE);
        assert!(rate.allow(asked(5, Some(1), Standing::Stranger), later));
        assert_eq!(rate.recent.len(), 1);
    }
}
