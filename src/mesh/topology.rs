//! Who hears whom, as far as their announces tell (spec 3.17).
//!
//! An edge is confirmed when both ends list each other in fresh announces: one end alone can claim anything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::ids::PeerId;
use crate::time::{Instant, UnixMillis};

/// How long a list of neighbours counts (spec 3.17).
const FRESH: Duration = Duration::from_secs(60);
/// Lists kept at once. When they are all fresh no further one is taken, so that invented nodes displace none.
const MAX_CLAIMS: usize = 1_024;

/// The mesh as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// This node.
    pub me: PeerId,
    /// Every node that somebody tells of, by id.
    pub nodes: Vec<Place>,
    /// Who hears whom, each pair once.
    pub edges: Vec<Edge>,
}

/// One node of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub peer: PeerId,
    /// The name it gave itself; empty when it was not heard.
    pub nickname: String,
    /// Over how many hops it is reached on confirmed edges: 0 for this node, 1 for a neighbour.
    pub hops: Option<usize>,
}

/// Two nodes of which at least one says that it hears the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The one with the lower id.
    pub a: PeerId,
    /// The other.
    pub b: PeerId,
    /// Whether both say so.
    pub confirmed: bool,
}

impl Graph {
    /// The nodes between this one and another, on the shortest way over confirmed edges.
    pub fn path(&self, to: PeerId) -> Option<Vec<PeerId>> {
        let mut next: BTreeMap<PeerId, Vec<PeerId>> = BTreeMap::new();
        for edge in self.edges.iter().filter(|edge| edge.confirmed) {
            next.entry(edge.a).or_default().push(edge.b);
            next.entry(edge.b).or_default().push(edge.a);
        }
        shortest(self.me, to, |peer| next.get(&peer).cloned().unwrap_or_default())
    }
}

#[derive(Debug)]
struct Claim {
    neighbours: BTreeSet<PeerId>,
    stamp: UnixMillis,
    heard: Instant,
}

impl Claim {
    fn is_fresh(&self, now: Instant) -> bool {
        now.since(self.heard) < FRESH
    }
}

/// What every node said last of its neighbours.
#[derive(Debug, Default)]
pub(super) struct Topology {
    claims: BTreeMap<PeerId, Claim>,
}

impl Topology {
    /// Takes the list of a verified announce; an older one than the last changes nothing.
    pub(super) fn announced(&mut self, peer: PeerId, neighbours: &[PeerId], stamp: UnixMillis, now: Instant) {
        if !self.claims.contains_key(&peer) && self.claims.len() >= MAX_CLAIMS {
            self.claims.retain(|_, claim| claim.is_fresh(now));
            if self.claims.len() >= MAX_CLAIMS {
                return;
            }
        }
        if self.claims.get(&peer).is_some_and(|claim| stamp <= claim.stamp) {
            return;
        }
        let neighbours = neighbours.iter().copied().filter(|&it| it != peer).collect();
        self.claims.insert(peer, Claim { neighbours, stamp, heard: now });
    }

    /// A peer said goodbye.
    pub(super) fn left(&mut self, peer: PeerId) {
        self.claims.remove(&peer);
    }
}

/// The topology with this node in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// What the others say.
    pub(super) topology: &'a Topology,
    /// This node.
    pub(super) me: PeerId,
    /// The peers it has links to.
    pub(super) own: &'a [PeerId],
    /// When.
    pub(super) now: Instant,
}

impl View<'_> {
    /// The peers between this node and another, on the shortest way over confirmed edges and `usable` peers.
    pub(super) fn path(&self, to: PeerId, usable: impl Fn(PeerId) -> bool) -> Option<Vec<PeerId>> {
        shortest(self.me, to, |peer| {
            self.confirmed(peer).filter(|&other| other == to || usable(other)).collect()
        })
    }

    /// Everything told, with names for those who have one.
    pub(super) fn graph(&self, nickname: impl Fn(PeerId) -> String) -> Graph {
        let mut pairs: BTreeSet<(PeerId, PeerId)> = BTreeSet::new();
        let mut peers = BTreeSet::from([self.me]);
        let fresh = self.topology.claims.iter().filter(|(_, claim)| claim.is_fresh(self.now));
        for peer in fresh.map(|(&peer, _)| peer).chain([self.me]) {
            peers.insert(peer);
            for other in self.listed(peer) {
                peers.insert(other);
                pairs.insert((peer.min(other), peer.max(other)));
            }
        }
        let edges = pairs.into_iter().map(|(a, b)| {
            let confirmed = self.lists(a, b) && self.lists(b, a);
            Edge { a, b, confirmed }
        });
        let distances = distances(self.me, |peer| self.confirmed(peer).collect());
        let nodes = peers.into_iter().map(|peer| Place {
            peer,
            nickname: nickname(peer),
            hops: distances.get(&peer).map(|&(hops, _)| hops),
        });
        Graph { me: self.me, nodes: nodes.collect(), edges: edges.collect() }
    }

    fn confirmed(&self, peer: PeerId) -> impl Iterator<Item = PeerId> {
        self.listed(peer).filter(move |&other| self.lists(other, peer))
    }

    fn fresh(&self, peer: PeerId) -> Option<&Claim> {
        self.topology.claims.get(&peer).filter(|claim| claim.is_fresh(self.now))
    }

    fn listed(&self, peer: PeerId) -> Box<dyn Iterator<Item = PeerId> + '_> {
        if peer == self.me {
            return Box::new(self.own.iter().copied());
        }
        Box::new(self.fresh(peer).into_iter().flat_map(|claim| claim.neighbours.iter().copied()))
    }

    fn lists(&self, peer: PeerId, other: PeerId) -> bool {
        if peer == self.me {
            return self.own.contains(&other);
        }
        self.fresh(peer).is_some_and(|claim| claim.neighbours.contains(&other))
    }
}

/// How far everybody is that can be reached, and over whom.
fn distances(
    from: PeerId,
    next: impl Fn(PeerId) -> Vec<PeerId>,
) -> BTreeMap<PeerId, (usize, Option<PeerId>)> {
    let mut found = BTreeMap::from([(from, (0, None))]);
    let mut queue = VecDeque::from([(from, 0)]);
    while let Some((peer, hops)) = queue.pop_front() {
        for other in next(peer) {
            if let std::collections::btree_map::Entry::Vacant(entry) = found.entry(other) {
                entry.insert((hops + 1, Some(peer)));
                queue.push_back((other, hops + 1));
            }
        }
    }
    found
}

/// The peers between two others, neither of them included.
fn shortest(from: PeerId, to: PeerId, next: impl Fn(PeerId) -> Vec<PeerId>) -> Option<Vec<PeerId>> {
    let found = distances(from, next);
    let mut path = Vec::new();
    let mut last = found.get(&to)?.1;
    while let Some(peer) = last.filter(|&peer| peer != from) {
        path.push(peer);
        last = found.get(&peer)?.1;
    }
    path.reverse();
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId([n; 8])
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    /// Everybody's list, by number.
    fn told(lists: &[(u8, &[u8])]) -> Topology {
        let mut topology = Topology::default();
        for (who, list) in lists {
            let list: Vec<PeerId> = list.iter().copied().map(peer).collect();
            topology.announced(peer(*who), &list, UnixMillis(1), at(0));
        }
        topology
    }

    fn path(topology: &Topology, own: &[u8], to: u8, seconds: u64) -> Option<Vec<PeerId>> {
        let own: Vec<PeerId> = own.iter().copied().map(peer).collect();
        View { topology, me: peer(1), own: &own, now: at(seconds) }.path(peer(to), |_| true)
    }

    #[test]
    fn only_edges_that_both_ends_list_are_used() {
        let topology = told(&[(2, &[1, 3]), (3, &[2, 4]), (4, &[3]), (5, &[4, 1])]);
        assert_eq!(path(&topology, &[2], 4, 0), Some(vec![peer(2), peer(3)]));
        assert_eq!(path(&topology, &[2], 5, 0), None, "4 does not list 5, and we do not");
        assert_eq!(path(&topology, &[], 4, 0), None, "we have no link to 2");
        assert_eq!(path(&topology, &[2], 2, 0), Some(vec![]));
    }

    #[test]
    fn a_list_counts_for_a_minute() {
        let topology = told(&[(2, &[1, 3]), (3, &[2])]);
        assert_eq!(path(&topology, &[2], 3, 59), Some(vec![peer(2)]));
        assert_eq!(path(&topology, &[2], 3, 60), None);
    }

    #[test]
    fn an_old_list_does_not_replace_a_newer_one() {
        let mut topology = told(&[(2, &[1, 3]), (3, &[2])]);
        topology.announced(peer(2), &[], UnixMillis(1), at(5));
        assert_eq!(path(&topology, &[2], 3, 59), Some(vec![peer(2)]));
        topology.announced(peer(2), &[], UnixMillis(2), at(5));
        assert_eq!(path(&topology, &[2], 3, 59), None);
    }

    #[test]
    fn a_thousand_invented_nodes_displace_nobody() {
        let mut topology = told(&[(2, &[1, 3]), (3, &[2])]);
        for n in 0..5_000_u64 {
            let invented = PeerId((n + (1 << 40)).to_be_bytes());
            topology.announced(invented, &[peer(1)], UnixMillis(1), at(1));
        }
        assert_eq!(topology.claims.len(), MAX_CLAIMS);
        assert_eq!(path(&topology, &[2], 3, 2), Some(vec![peer(2)]));
        topology.announced(peer(9), &[], UnixMillis(1), at(70));
        assert!(topology.claims.contains_key(&peer(9)), "there is room when the others are stale");
    }

    #[test]
    fn the_graph_tells_what_is_confirmed_and_how_far_everybody_is() {
        let topology = told(&[(2, &[1, 3]), (3, &[2, 4])]);
        let own = [peer(2)];
        let view = View { topology: &topology, me: peer(1), own: &own, now: at(0) };
        let graph = view.graph(|peer| format!("{peer}"));
        let edges: Vec<(u8, u8, bool)> =
            graph.edges.iter().map(|edge| (edge.a.0[0], edge.b.0[0], edge.confirmed)).collect();
        assert_eq!(edges, [(1, 2, true), (2, 3, true), (3, 4, false)]);
        let hops: Vec<Option<usize>> = graph.nodes.iter().map(|node| node.hops).collect();
        assert_eq!(hops, [Some(0), Some(1), Some(2), None]);
        assert_eq!(graph.path(peer(3)), Some(vec![peer(2)]));
        assert_eq!(graph.path(peer(4)), None);
    }
}
