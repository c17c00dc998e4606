//! Over which links a packet goes (spec 4.4): at most once to each peer, never back where it came from.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::dedup::Key;
use crate::ids::{LinkId, PeerId};
use crate::link::event::Role;

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

/// The links for a packet to everyone: one per peer (where we write rather than notify), unbound ones too,
/// without those that lead to anybody in `has_it`.
pub(super) fn broadcast(
    key: Key,
    candidates: &[Candidate],
    ingress: Option<LinkId>,
    has_it: &[PeerId],
) -> BTreeSet<LinkId> {
    let mut by_peer: BTreeMap<PeerId, Candidate> = BTreeMap::new();
    let mut chosen = BTreeSet::new();
    for &candidate in candidates.iter().filter(|candidate| Some(candidate.link) != ingress) {
        match candidate.peer {
            None => {
                chosen.insert(candidate.link);
            }
            Some(peer) if has_it.contains(&peer) => {}
            Some(peer) => {
                let kept = by_peer.entry(peer).or_insert(candidate);
                if candidate.role < kept.role {
                    *kept = candidate;
                }
            }
        }
    }
    chosen.extend(by_peer.values().map(|candidate| candidate.link));
    subset(key, chosen)
}

/// The links for a packet to one peer: all that are bound to it; when none is, those of a broadcast.
pub(super) fn directed(
    key: Key,
    recipient: PeerId,
    candidates: &[Candidate],
    ingress: Option<LinkId>,
    has_it: &[PeerId],
) -> BTreeSet<LinkId> {
    let bound: BTreeSet<LinkId> =
        candidates.iter().filter(|c| c.peer == Some(recipient)).map(|candidate| candidate.link).collect();
    if bound.is_empty() {
        return broadcast(key, candidates, ingress, has_it);
    }
    bound.into_iter().filter(|&link| Some(link) != ingress).collect()
}

/// The [`FULL_FANOUT`] links with the smallest SHA-256(key, link): copies of one packet choose alike.
fn subset(key: Key, links: BTreeSet<LinkId>) -> BTreeSet<LinkId> {
    if links.len() <= FULL_FANOUT {
        return links;
    }
    let mut ranked: Vec<([u8; 32], LinkId)> = links.into_iter().map(|link| (rank(key, link), link)).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(FULL_FANOUT).map(|(_, link)| link).collect()
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

    fn key() -> Key {
        Key::sample()
    }

    #[test]
    fn a_broadcast_takes_one_link_per_peer_preferring_the_one_we_write_to() {
        let candidates = [
            candidate(1, Role::Peripheral, Some(ALICE)),
            candidate(2, Role::Central, Some(ALICE)),
            candidate(3, Role::Peripheral, None),
        ];
        assert_eq!(broadcast(key(), &candidates, None, &[]), BTreeSet::from([link(2), link(3)]));
    }

    #[test]
    fn a_broadcast_goes_neither_back_nor_to_who_has_it() {
        let candidates = [
            candidate(1, Role::Central, None),
            candidate(2, Role::Central, Some(ALICE)),
            candidate(3, Role::Central, Some(BOB)),
        ];
        assert_eq!(broadcast(key(), &candidates, Some(link(1)), &[ALICE]), BTreeSet::from([link(3)]));
    }

    #[test]
    fn a_directed_packet_takes_all_links_bound_to_its_recipient_and_only_those() {
        let candidates = [
            candidate(1, Role::Central, Some(ALICE)),
            candidate(2, Role::Peripheral, Some(ALICE)),
            candidate(3, Role::Central, Some(BOB)),
        ];
        assert_eq!(directed(key(), ALICE, &candidates, None, &[]), BTreeSet::from([link(1), link(2)]));
        assert_eq!(directed(key(), BOB, &candidates, Some(link(3)), &[]), BTreeSet::new());
    }

    #[test]
    fn a_directed_packet_for_nobody_near_floods() {
        let candidates = [candidate(1, Role::Central, Some(ALICE)), candidate(2, Role::Central, None)];
        assert_eq!(directed(key(), BOB, &candidates, Some(link(1)), &[]), BTreeSet::from([link(2)]));
    }

    #[test]
    fn beyond_eight_links_copies_choose_the_same_eight() {
        let candidates: Vec<Candidate> = (0..20).map(|n| candidate(n, Role::Central, None)).collect();
        let chosen = broadcast(key(), &candidates, None, &[]);
        assert_eq!(chosen.len(), 8);
        assert_eq!(chosen, broadcast(key(), &candidates, None, &[]));
    }
}
