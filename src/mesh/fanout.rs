//! Over which links a packet goes (spec 4.4): never back where it came from, and by our own rules at most once to
//! each peer, but for what is for one peer and fits in one frame.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::dedup::Key;
use super::relay::Policy;
use crate::ids::{LinkId, PeerId};
use crate::link::event::Role;
use crate::wire::PacketType;

/// Up to so many links every broadcast goes over all of them; beyond, over a subset of this size.
const FULL_FANOUT: usize = 8;

/// A link as the choice sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Which.
    pub(super) link: LinkId,
    /// Our side of it.
    pub(super) role: Role,
    /// The peer it is bound to.
    pub(super) peer: Option<PeerId>,
}

/// What is chosen for: a packet, and who has it already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'a> {
    /// By whose rules.
    pub(super) policy: Policy,
    /// The packet's key, so that copies of one packet choose alike.
    pub(super) key: Key,
    /// The packet's type.
    pub(super) packet_type: PacketType,
    /// The link it came over.
    pub(super) ingress: Option<LinkId>,
    /// Whoever needs no copy.
    pub(super) has_it: &'a [PeerId],
}

impl Choice<'_> {
    /// The links for a packet to everyone, unbound ones too, without those that lead to anybody who has it: one per
    /// peer (where we write rather than notify), or what the phones would take.
    pub(super) fn broadcast(&self, candidates: &[Candidate]) -> BTreeSet<LinkId> {
        let allowed: Vec<Candidate> =
            candidates.iter().filter(|candidate| self.allows(candidate)).copied().collect();
        let all = || allowed.iter().map(|candidate| candidate.link).collect();
        match (self.policy, self.packet_type) {
            (Policy::Android, _) | (Policy::Ios, PacketType::Announce) => all(),
            (Policy::Ios, PacketType::Fragment | PacketType::RequestSync) => self.one_per_peer(&allowed),
            (Policy::Ios, _) => self.ios_subsets(&allowed),
            (Policy::Hopline, _) => smallest(self.key, self.one_per_peer(&allowed), FULL_FANOUT),
        }
    }

    /// The links for a packet to one peer: those bound to it, and one of them for a piece of a packet; when none is, those
    /// of a broadcast.
    pub(super) fn directed(&self, recipient: PeerId, candidates: &[Candidate]) -> BTreeSet<LinkId> {
        let bound = |candidate: &&Candidate| candidate.peer == Some(recipient);
        let bound: Vec<Candidate> = candidates.iter().filter(bound).copied().collect();
        if bound.is_empty() {
            return match self.policy {
                Policy::Hopline => self.broadcast(candidates),
                Policy::Ios | Policy::Android => {
                    candidates.iter().filter(|candidate| self.allows(candidate)).map(|it| it.link).collect()
                }
            };
        }
        let bound = match (self.policy, self.packet_type) {
            (Policy::Hopline, PacketType::Fragment) | (Policy::Ios | Policy::Android, _) => {
                self.one_per_peer(&bound)
            }
            (Policy::Hopline, _) => bound.into_iter().map(|candidate| candidate.link).collect(),
        };
        bound.into_iter().filter(|&link| Some(link) != self.ingress).collect()
    }

    fn allows(&self, candidate: &Candidate) -> bool {
        Some(candidate.link) != self.ingress && candidate.peer.is_none_or(|peer| !self.has_it.contains(&peer))
    }

    fn one_per_peer(&self, candidates: &[Candidate]) -> BTreeSet<LinkId> {
        one_per_peer(self.policy, candidates)
    }

    /// Of the links we write to and of those we notify, some each.
    fn ios_subsets(&self, allowed: &[Candidate]) -> BTreeSet<LinkId> {
        let chosen = self.one_per_peer(allowed);
        let of_role = |role| {
            let links =
                allowed.iter().filter(|it| it.role == role && chosen.contains(&it.link)).map(|it| it.link);
            let links: BTreeSet<LinkId> = links.collect();
            let count = ios_subset(links.len());
            smallest(self.key, links, count)
        };
        of_role(Role::Central).into_iter().chain(of_role(Role::Peripheral)).collect()
    }
}

/// How many of n links the iOS app takes: all up to two, else min(n, bitlen(n - 1) + 1).
fn ios_subset(links: usize) -> usize {
    match links {
        0..=2 => links,
        _ => {
            let bits = usize::BITS - (links - 1).leading_zeros();
            links.min(usize::try_from(bits).map_or(links, |bits| bits + 1))
        }
    }
}

/// One link for each peer, and every link that leads to nobody known. Of a peer's links it is the one we write to, if there
/// is one; by the rules of Android the one we notify (spec 1.6).
pub(super) fn one_per_peer(policy: Policy, candidates: &[Candidate]) -> BTreeSet<LinkId> {
    let preferred = match policy {
        Policy::Ios | Policy::Hopline => Role::Central,
        Policy::Android => Role::Peripheral,
    };
    let mut by_peer: BTreeMap<PeerId, Candidate> = BTreeMap::new();
    let mut chosen = BTreeSet::new();
    for &candidate in candidates {
        let Some(peer) = candidate.peer else {
            chosen.insert(candidate.link);
            continue;
        };
        let kept = by_peer.entry(peer).or_insert(candidate);
        if candidate.role == preferred && kept.role != preferred {
            *kept = candidate;
        }
    }
    chosen.extend(by_peer.values().map(|candidate| candidate.link));
    chosen
}

/// So many links with the smallest SHA-256(key, link): copies of one packet choose alike.
fn smallest(key: Key, links: BTreeSet<LinkId>, count: usize) -> BTreeSet<LinkId> {
    if links.len() <= count {
        return links;
    }
    let mut ranked: Vec<([u8; 32], LinkId)> = links.into_iter().map(|link| (rank(key, link), link)).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(count).map(|(_, link)| link).collect()
}

fn rank(key: Key, link: LinkId) -> [u8; 32] {
    Sha256::new()
        .chain_update(key.as_bytes())
        .chain_update([link.adapter.0])
        .chain_update(link.serial.to_be_bytes())
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    const ALICE: PeerId = PeerId([1; 8]);
    const BOB: PeerId = PeerId([2; 8]);

    fn link(serial: u32) -> LinkId {
        LinkId { adapter: AdapterId(0), serial }
    }

    fn candidate(serial: u32, role: Role, peer: Option<PeerId>) -> Candidate {
        Candidate { link: link(serial), role, peer }
    }

    fn choice(ingress: Option<LinkId>, has_it: &[PeerId]) -> Choice<'_> {
        let (policy, packet_type) = (Policy::Hopline, PacketType::Message);
        Choice { policy, key: Key::sample(), packet_type, ingress, has_it }
    }

    #[test]
    fn a_broadcast_takes_one_link_per_peer_preferring_the_one_we_write_to() {
        let candidates = [
            candidate(1, Role::Peripheral, Some(ALICE)),
            candidate(2, Role::Central, Some(ALICE)),
            candidate(3, Role::Peripheral, None),
        ];
        assert_eq!(choice(None, &[]).broadcast(&candidates), BTreeSet::from([link(2), link(3)]));
        let android = Choice { policy: Policy::Android, ..choice(None, &[]) };
        assert_eq!(android.broadcast(&candidates), BTreeSet::from([link(1), link(2), link(3)]));
    }

    #[test]
    fn a_broadcast_goes_neither_back_nor_to_who_has_it() {
        let candidates = [
            candidate(1, Role::Central, None),
            candidate(2, Role::Central, Some(ALICE)),
            candidate(3, Role::Central, Some(BOB)),
        ];
        for policy in [Policy::Ios, Policy::Android, Policy::Hopline] {
            let choice = Choice { policy, ..choice(Some(link(1)), &[ALICE]) };
            assert_eq!(choice.broadcast(&candidates), BTreeSet::from([link(3)]), "{policy:?}");
        }
    }

    #[test]
    fn a_directed_packet_takes_all_links_bound_to_its_recipient_and_only_those() {
        let candidates = [
            candidate(1, Role::Central, Some(ALICE)),
            candidate(2, Role::Peripheral, Some(ALICE)),
            candidate(3, Role::Central, Some(BOB)),
        ];
        assert_eq!(choice(None, &[]).directed(ALICE, &candidates), BTreeSet::from([link(1), link(2)]));
        assert_eq!(choice(Some(link(3)), &[]).directed(BOB, &candidates), BTreeSet::new());
        let by = |policy| Choice { policy, ..choice(None, &[]) };
        assert_eq!(by(Policy::Ios).directed(ALICE, &candidates), BTreeSet::from([link(1)]));
        assert_eq!(by(Policy::Android).directed(ALICE, &candidates), BTreeSet::from([link(2)]));
        let piece = Choice { packet_type: PacketType::Fragment, ..choice(None, &[]) };
        assert_eq!(piece.directed(ALICE, &candidates), BTreeSet::from([link(1)]));
    }

    #[test]
    fn a_directed_packet_for_nobody_near_floods() {
        let candidates = [candidate(1, Role::Central, Some(ALICE)), candidate(2, Role::Central, None)];
        assert_eq!(choice(Some(link(1)), &[]).directed(BOB, &candidates), BTreeSet::from([link(2)]));
    }

    #[test]
    fn beyond_eight_links_copies_choose_the_same_eight() {
        let candidates: Vec<Candidate> = (0..20).map(|n| candidate(n, Role::Central, None)).collect();
        let chosen = choice(None, &[]).broadcast(&candidates);
        assert_eq!(chosen.len(), 8);
        assert_eq!(chosen, choice(None, &[]).broadcast(&candidates));
    }

    #[test]
    fn ios_takes_some_of_the_links_it_writes_to_and_some_of_those_it_notifies() {
        assert_eq!([0, 1, 2, 3, 4, 5, 8, 9, 16, 17].map(ios_subset), [0, 1, 2, 3, 3, 4, 4, 5, 5, 6]);
        let candidates: Vec<Candidate> = (0..16)
            .map(|n| candidate(n, if n < 8 { Role::Central } else { Role::Peripheral }, None))
            .collect();
        let of = |packet_type| Choice { policy: Policy::Ios, packet_type, ..choice(None, &[]) };
        let chosen = of(PacketType::Message).broadcast(&candidates);
        assert_eq!(chosen.iter().filter(|link| link.serial < 8).count(), 4);
        assert_eq!(chosen.len(), 8);
        assert_eq!(of(PacketType::Announce).broadcast(&candidates).len(), 16);
        assert_eq!(of(PacketType::Fragment).broadcast(&candidates).len(), 16);
    }
}
