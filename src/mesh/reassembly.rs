//! Fragments back into packets, within limits (spec 3.8).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::ids::{LinkId, PeerId};
use crate::time::Instant;
use crate::wire::{Fragment, MAX_PAYLOAD_LEN, PacketType};

/// Packets under assembly at once. When one more comes, one goes of the link that has the most under assembly:
/// strangers' first, then the one that waited longest for a fragment.
const MAX_ASSEMBLIES: usize = 128;
/// Packets of one sender under assembly at once, so that a stranger who floods displaces only itself. Nobody signs pieces:
/// when one more comes, it is again the link with the most of them that pays, with the one that waited longest. A train
/// under way is touched every 20 to 30 ms.
const MAX_PER_SENDER: usize = 16;
/// Fragments of one packet.
const MAX_FRAGMENTS: u16 = 10_000;
/// Bytes of one packet: the payload ceiling and the longest header around it.
const MAX_PACKET_BYTES: usize = MAX_PAYLOAD_LEN + 4_096;
/// What a piece takes beside its data: its place in the map, and an allocation of its own.
const PIECE_OVERHEAD: usize = 128;
/// Bytes that all packets under assembly take; when they are full, the link with the most of them pays in the same way.
const MAX_TOTAL_BYTES: usize = 8 * 1024 * 1024;
/// How long a packet waits for its next fragment.
const IDLE: Duration = Duration::from_secs(30);

/// What became of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Kept; more are missing.
    Waiting,
    /// It was the last one missing.
    Complete {
        /// The original frame.
        frame: Bytes,
        /// How many fragments it was cut into.
        fragments: u16,
    },
    /// It contradicts the others, or a limit was reached.
    Refused,
}

/// Whose fragment it is. The sender is what the fragment claims.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// Who sent it.
    pub(super) sender: PeerId,
    /// The link it came over.
    pub(super) link: Option<LinkId>,
    /// Whether the sender is a contact or has a session with us.
    pub(super) known: bool,
}

#[derive(Debug)]
struct Assembly {
    link: Option<LinkId>,
    known: bool,
    original_type: PacketType,
    total: u16,
    /// Copies: what came is part of a longer frame.
    pieces: BTreeMap<u16, Box<[u8]>>,
    bytes: usize,
    touched: Instant,
}

impl Assembly {
    /// The memory it takes.
    fn held(&self) -> usize {
        self.bytes + self.pieces.len() * PIECE_OVERHEAD
    }
}

/// Every packet under assembly.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    assemblies: BTreeMap<(PeerId, [u8; 8]), Assembly>,
    held: usize,
}

impl Reassembly {
    /// Takes one fragment.
    pub(super) fn insert(&mut self, from: Source, fragment: Fragment, now: Instant) -> Outcome {
        self.expire(now);
        let key = (from.sender, fragment.id);
        if !self.assemblies.contains_key(&key) && !self.open(from, &fragment, now) {
            return Outcome::Refused;
        }
        let Some(assembly) = self.assemblies.get_mut(&key) else { return Outcome::Refused };
        if assembly.total != fragment.total || assembly.original_type != fragment.original_type {
            return Outcome::Refused;
        }
        if let Some(piece) = assembly.pieces.get(&fragment.index) {
            return if **piece == *fragment.data { Outcome::Waiting } else { Outcome::Refused };
        }
        let size = fragment.data.len();
        if assembly.bytes + size > MAX_PACKET_BYTES {
            self.close(key);
            return Outcome::Refused;
        }
        while self.held + size + PIECE_OVERHEAD > MAX_TOTAL_BYTES {
            match self.greediest(|_| true, Assembly::held) {
                Some(other) if other != key => self.close(other),
                Some(_) | None => {
                    self.close(key);
                    return Outcome::Refused;
                }
            };
        }
        let Some(assembly) = self.assemblies.get_mut(&key) else { return Outcome::Refused };
        assembly.bytes += size;
        self.held += size + PIECE_OVERHEAD;
        assembly.touched = now;
        assembly.pieces.insert(fragment.index, Box::from(&*fragment.data));
        if assembly.pieces.len() < usize::from(assembly.total) {
            return Outcome::Waiting;
        }
        self.close(key).map_or(Outcome::Refused, |assembly| Outcome::Complete {
            fragments: assembly.total,
            frame: joined(assembly),
        })
    }

    /// Forgets what waited too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let stale: Vec<_> = self
            .assemblies
            .iter()
            .filter(|(_, assembly)| now.since(assembly.touched) >= IDLE)
            .map(|(&key, _)| key)
            .collect();
        for key in stale {
            self.close(key);
        }
    }

    /// Whether it is within its limits: what a fuzz target asks after each fragment.
    #[cfg(any(test, fuzzing))]
    pub(super) fn is_bounded(&self) -> bool {
        let held: usize = self.assemblies.values().map(Assembly::held).sum();
        self.assemblies.len() <= MAX_ASSEMBLIES && held == self.held && held <= MAX_TOTAL_BYTES
    }

    /// When the next packet will have waited too long.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.assemblies.values().map(|assembly| assembly.touched + IDLE).min()
    }

    fn open(&mut self, from: Source, fragment: &Fragment, now: Instant) -> bool {
        if fragment.total > MAX_FRAGMENTS {
            return false;
        }
        let of_sender = |sender: PeerId| sender == from.sender;
        let greediest = if self.assemblies.keys().filter(|key| of_sender(key.0)).count() >= MAX_PER_SENDER {
            self.greediest(of_sender, |_| 1)
        } else if self.assemblies.len() >= MAX_ASSEMBLIES {
            self.greediest(|_| true, |_| 1)
        } else {
            None
        };
        if let Some(key) = greediest {
            self.close(key);
        }
        let assembly = Assembly {
            link: from.link,
            known: from.known,
            original_type: fragment.original_type,
            total: fragment.total,
            pieces: BTreeMap::new(),
            bytes: 0,
            touched: now,
        };
        self.assemblies.insert((from.sender, fragment.id), assembly);
        true
    }

    /// The assembly to give up, among those of some senders: of the link that has the most of what `weight` counts.
    fn greediest(
        &self,
        among: impl Fn(PeerId) -> bool,
        weight: impl Fn(&Assembly) -> usize,
    ) -> Option<(PeerId, [u8; 8])> {
        let mut by_link: BTreeMap<Option<LinkId>, usize> = BTreeMap::new();
        let those = self.assemblies.iter().filter(|(key, _)| among(key.0));
        for (_, assembly) in those.clone() {
            *by_link.entry(assembly.link).or_default() += weight(assembly);
        }
        let (&link, _) = by_link.iter().max_by_key(|(_, sum)| **sum)?;
        let of_link = those.filter(|(_, assembly)| assembly.link == link);
        of_link.min_by_key(|(_, assembly)| (assembly.known, assembly.touched)).map(|(&key, _)| key)
    }

    fn close(&mut self, key: (PeerId, [u8; 8])) -> Option<Assembly> {
        let assembly = self.assemblies.remove(&key)?;
        self.held -= assembly.held();
        Some(assembly)
    }
}

fn joined(assembly: Assembly) -> Bytes {
    let mut frame = BytesMut::with_capacity(assembly.bytes);
    for piece in assembly.pieces.into_values() {
        frame.extend_from_slice(&piece);
    }
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fragments;
    use proptest::prelude::*;

    const ALICE: PeerId = PeerId([1; 8]);
    const MALLORY: PeerId = PeerId([9; 8]);

    fn of(sender: PeerId) -> Source {
        over(1, sender)
    }

    fn over(serial: u32, sender: PeerId) -> Source {
        let link = LinkId { adapter: crate::ids::AdapterId(0), serial };
        Source { sender, link: Some(link), known: false }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn cut(frame: &[u8], id: u8) -> Vec<Fragment> {
        fragments(&Bytes::copy_from_slice(frame), [id; 8], PacketType::Message, 100).unwrap().collect()
    }

    fn piece(id: u64, index: u16, total: u16, data: &'static [u8]) -> Fragment {
        let (id, data) = (id.to_be_bytes(), Bytes::from_static(data));
        Fragment { id, index, total, original_type: PacketType::Message, data }
    }

    proptest! {
        #[test]
        fn fragments_in_any_order_and_repeated_give_the_frame_once(
            frame in proptest::collection::vec(any::<u8>(), 1..3_000),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let pieces = cut(&frame, 1);
            let repeated = order.iter().map(|index| index.get(&pieces).clone()).collect::<Vec<_>>();
            let mut reassembly = Reassembly::default();
            let mut complete = Vec::new();
            for piece in repeated.into_iter().chain(pieces.clone()) {
                if let Outcome::Complete { frame, fragments } = reassembly.insert(of(ALICE), piece, at(0)) {
                    complete.push((frame, usize::from(fragments)));
                    break;
                }
            }
            prop_assert_eq!(complete, [(Bytes::from(frame), pieces.len())]);
            prop_assert_eq!(reassembly.held, 0);
        }
    }

    #[test]
    fn two_senders_may_use_the_same_fragment_id() {
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.insert(of(ALICE), piece(1, 0, 2, b"al"), at(0)), Outcome::Waiting);
        assert_eq!(reassembly.insert(of(MALLORY), piece(1, 1, 2, b"ory"), at(0)), Outcome::Waiting);
        let complete = reassembly.insert(of(ALICE), piece(1, 1, 2, b"ice"), at(0));
        assert_eq!(complete, Outcome::Complete { frame: Bytes::from_static(b"alice"), fragments: 2 });
    }

    #[test]
    fn a_fragment_that_contradicts_the_others_is_refused_and_harms_nothing() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(of(ALICE), piece(1, 0, 2, b"al"), at(0));
        assert_eq!(reassembly.insert(of(ALICE), piece(1, 0, 2, b"xx"), at(0)), Outcome::Refused);
        assert_eq!(reassembly.insert(of(ALICE), piece(1, 1, 3, b"xx"), at(0)), Outcome::Refused);
        let complete = reassembly.insert(of(ALICE), piece(1, 1, 2, b"ice"), at(0));
        assert_eq!(complete, Outcome::Complete { frame: Bytes::from_static(b"alice"), fragments: 2 });
    }

    #[test]
    fn a_sender_who_floods_displaces_only_itself() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(of(ALICE), piece(0, 0, 2, b"al"), at(0));
        for id in 0..1_000 {
            reassembly.insert(of(MALLORY), piece(id, 0, 9_999, b"x"), at(1));
        }
        assert_eq!(reassembly.assemblies.len(), 1 + MAX_PER_SENDER);
        assert!(matches!(
            reassembly.insert(of(ALICE), piece(0, 1, 2, b"ice"), at(1)),
            Outcome::Complete { .. }
        ));
    }

    #[test]
    fn memory_stays_bounded_whatever_many_senders_claim() {
        let mut reassembly = Reassembly::default();
        let kilobytes: &'static [u8] = &[7; 60_000];
        for sender in 0..200_u8 {
            for index in 0..30 {
                reassembly.insert(of(PeerId([sender; 8])), piece(1, index, 9_999, kilobytes), at(0));
            }
        }
        assert!(reassembly.is_bounded());
    }

    #[test]
    fn pieces_of_one_byte_count_for_what_they_take() {
        let mut reassembly = Reassembly::default();
        for sender in 0..9 {
            for index in 0..9_998 {
                reassembly.insert(of(PeerId([sender; 8])), piece(1, index, 9_999, b"x"), at(0));
            }
        }
        let pieces: usize = reassembly.assemblies.values().map(|assembly| assembly.pieces.len()).sum();
        assert!(reassembly.is_bounded() && pieces <= MAX_TOTAL_BYTES / PIECE_OVERHEAD, "{pieces} pieces");
    }

    #[test]
    fn in_the_name_of_one_sender_a_link_displaces_first_its_own_and_then_what_nothing_comes_of() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(over(1, ALICE), piece(1_000, 0, 5, b"a"), at(0));
        (0..100).for_each(|id| drop(reassembly.insert(over(2, ALICE), piece(id, 0, 9_999, b"x"), at(1))));
        for index in 1..4 {
            let touched = at(2 * u64::from(index));
            let next = reassembly.insert(over(1, ALICE), piece(1_000, index, 5, b"a"), touched);
            assert_eq!(next, Outcome::Waiting);
            for id in 0..5 {
                let spoofed = piece(100 * u64::from(index) + id, 0, 9_999, b"x");
                reassembly.insert(over(1, ALICE), spoofed, at(2 * u64::from(index) + 1));
            }
        }
        assert_eq!(reassembly.assemblies.len(), MAX_PER_SENDER);
        let last = reassembly.insert(over(1, ALICE), piece(1_000, 4, 5, b"a"), at(9));
        assert!(matches!(last, Outcome::Complete { .. }));
    }

    #[test]
    fn what_waits_thirty_seconds_for_a_fragment_is_forgotten() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(of(ALICE), piece(1, 0, 2, b"al"), at(0));
        assert_eq!(reassembly.poll_timeout(), Some(at(30)));
        reassembly.expire(at(30));
        assert_eq!(reassembly.poll_timeout(), None);
        assert_eq!(reassembly.held, 0);
    }

    #[test]
    fn invented_senders_of_one_link_displace_nobody_of_another() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(over(1, ALICE), piece(0, 0, 2, b"al"), at(0));
        let invented = |n: u64| over(2, PeerId(n.to_be_bytes()));
        for n in 0..1_000 {
            reassembly.insert(invented(n), piece(n, 0, 9_999, &[7; 60_000]), at(1));
        }
        assert!(reassembly.is_bounded());
        let last = reassembly.insert(over(1, ALICE), piece(0, 1, 2, b"ice"), at(2));
        assert!(matches!(last, Outcome::Complete { .. }));
    }

    #[test]
    fn of_one_link_strangers_go_before_who_is_known() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(Source { known: true, ..of(ALICE) }, piece(0, 0, 2, b"al"), at(0));
        for n in 0..1_000_u64 {
            reassembly.insert(of(PeerId(n.to_be_bytes())), piece(n, 0, 9_999, b"x"), at(1));
        }
        assert!(matches!(
            reassembly.insert(of(ALICE), piece(0, 1, 2, b"ice"), at(2)),
            Outcome::Complete { .. }
        ));
    }
}
