//! Which members of our groups have still to be told how their group stands.
//!
//! No member says that it has a state; a message under its key is the proof. Until then a member is told again: a few
//! times while it is there, and once more whenever it comes back or a session with it begins.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{Fingerprint, GroupId, PeerId};
use crate::time::Instant;

/// How long after it was told a member is told again.
const AGAIN: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];
/// How often somebody is asked in, before a change of the group is to them a change and no invitation: who left meanwhile is
/// not asked again.
const ASKED: usize = 2;
/// How long a session may take to stand.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a session is asked for before the member has to show itself again.
const MAX_GREETINGS: usize = 3;

/// How far one member is.
#[derive(Debug, Clone, Copy)]
struct Telling {
    /// When it is due; nothing while the member has to show itself first.
    next: Option<Instant>,
    told: usize,
    greeted: usize,
    invitation: bool,
    /// How often it was asked in, whenever it was there.
    asked: usize,
}

/// Whom to tell, once it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) group: GroupId,
    pub(super) to: Fingerprint,
    /// It does not know the group yet.
    pub(super) invitation: bool,
}

/// Everybody who is to be told something. Bounded by the groups and their members.
#[derive(Debug, Default)]
pub(super) struct Tellings {
    waiting: BTreeMap<(GroupId, Fingerprint), Telling>,
}

impl Tellings {
    /// There is something new to tell.
    pub(super) fn tell(&mut self, group: GroupId, to: Fingerprint, invitation: bool, now: Instant) {
        let telling = Telling { next: Some(now), told: 0, greeted: 0, invitation, asked: 0 };
        self.waiting.insert((group, to), telling);
    }

    /// The group changed. Whoever was asked in before, and perhaps never heard of it, is asked in still.
    pub(super) fn changed(&mut self, group: GroupId, to: Fingerprint, now: Instant) {
        let before = self.waiting.get(&(group, to)).copied();
        let before = before.filter(|telling| telling.invitation && telling.asked < ASKED);
        self.tell(group, to, before.is_some(), now);
        if let (Some(before), Some(telling)) = (before, self.waiting.get_mut(&(group, to))) {
            telling.asked = before.asked;
        }
    }

    /// The member proved that it knows.
    pub(super) fn knows(&mut self, group: GroupId, member: Fingerprint) {
        self.waiting.remove(&(group, member));
    }

    /// There is nothing more to tell of this group.
    pub(super) fn forget(&mut self, group: GroupId) {
        self.waiting.retain(|(of, _), _| *of != group);
    }

    /// Whether a member was told what there is to tell.
    pub(super) fn was_told(&self, group: GroupId, member: Fingerprint) -> bool {
        self.waiting.get(&(group, member)).is_none_or(|telling| telling.told > 0)
    }

    /// Somebody is there, or there again: what waits for it is due.
    pub(super) fn met(&mut self, peer: PeerId, now: Instant) {
        for ((_, to), telling) in &mut self.waiting {
            if to.peer_id() == peer {
                *telling = Telling { next: Some(now), told: 0, greeted: 0, ..*telling };
            }
        }
    }

    /// The next one to tell. Who hears us counts as told; who does not, or not yet, is waited for a while.
    pub(super) fn pop_due(&mut self, now: Instant, hears: impl Fn(PeerId) -> bool) -> Option<Due> {
        let due = |telling: &Telling| telling.next.is_some_and(|next| next <= now);
        let (&(group, to), telling) = self.waiting.iter_mut().find(|(_, telling)| due(telling))?;
        if hears(to.peer_id()) {
            telling.next = AGAIN.get(telling.told).map(|&again| now + again);
            telling.told += 1;
            telling.asked += usize::from(telling.invitation);
        } else {
            telling.greeted += 1;
            telling.next = (telling.greeted <= MAX_GREETINGS).then(|| now + PATIENCE);
        }
        Some(Due { group, to, invitation: telling.invitation })
    }

    /// Whether a member was told as often as it is told while it is there.
    pub(super) fn is_done(&self, group: GroupId, member: Fingerprint) -> bool {
        let telling = self.waiting.get(&(group, member));
        telling.is_none_or(|telling| telling.told > AGAIN.len())
    }

    /// Whether a member was asked in often enough to count as one that knows.
    pub(super) fn was_asked(&self, group: GroupId, member: Fingerprint) -> bool {
        let telling = self.waiting.get(&(group, member));
        telling.is_none_or(|telling| telling.asked >= ASKED)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.values().filter_map(|telling| telling.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: GroupId = GroupId([1; 16]);
    const BEN: Fingerprint = Fingerprint([2; 32]);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_member_is_told_three_times_and_again_when_it_comes_back() {
        let mut tellings = Tellings::default();
        tellings.tell(GROUP, BEN, true, at(0));
        let due = Some(Due { group: GROUP, to: BEN, invitation: true });
        for seconds in [0, 10, 70] {
            assert_eq!(tellings.poll_timeout(), Some(at(seconds)));
            assert_eq!(tellings.pop_due(at(seconds), |_| true), due);
        }
        assert_eq!(tellings.poll_timeout(), None);
        assert!(tellings.is_done(GROUP, BEN));
        tellings.met(BEN.peer_id(), at(500));
        assert_eq!(tellings.pop_due(at(500), |_| true), due);
        tellings.knows(GROUP, BEN);
        assert_eq!(tellings.poll_timeout(), None);
    }

    #[test]
    fn an_invitation_stays_one_when_the_group_changes_until_it_was_told_often_enough() {
        let mut tellings = Tellings::default();
        tellings.tell(GROUP, BEN, true, at(0));
        assert!(tellings.pop_due(at(0), |_| true).is_some());
        let mut after_change = |seconds| {
            tellings.changed(GROUP, BEN, at(seconds));
            tellings.met(BEN.peer_id(), at(seconds));
            tellings.pop_due(at(seconds), |_| true).map(|due| due.invitation)
        };
        assert_eq!([5, 8, 100].map(&mut after_change), [Some(true), Some(false), Some(false)]);
    }

    #[test]
    fn somebody_without_a_session_is_greeted_a_few_times_and_then_waited_for() {
        let mut tellings = Tellings::default();
        tellings.tell(GROUP, BEN, false, at(0));
        for turn in 0..=3 {
            assert!(tellings.pop_due(at(turn * 10), |_| false).is_some());
        }
        assert_eq!(tellings.poll_timeout(), None);
        assert!(!tellings.was_told(GROUP, BEN));
        tellings.met(BEN.peer_id(), at(100));
        assert!(tellings.pop_due(at(100), |_| true).is_some());
        assert!(tellings.was_told(GROUP, BEN));
    }
}
