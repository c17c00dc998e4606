//! What we send to neighbours that asked: paced, and bounded in answers and bytes, whatever their filters say.
//!
//! An answer costs as many bytes as the archive holds when the filter claims nothing; so what counts against a neighbour
//! is what was really sent, and against all of them together too, because identities cost nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::config::Config;
use super::kind::Kind;
use crate::ids::{LinkId, PacketId, PeerId};
use crate::mesh::budget::Budget;
use crate::time::Instant;

/// The span in which answers and bytes are counted (spec 3.7).
const WINDOW: Duration = Duration::from_secs(30);
/// Between two packets of one answer.
const GAP: Duration = Duration::from_millis(20);
/// What was sent so lately is not sent again: it may still be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(10);
/// Neighbours whose answers are counted at once; the one answered longest ago goes first.
const MAX_NEIGHBOURS: usize = 64;

/// The next thing to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// A remembered packet.
    Packet(Kind, PacketId),
    /// A piece of one that was too long for the link.
    Piece(Bytes),
}

/// Bytes that may be sent: as many as fit in at the start, refilled within [`WINDOW`]. The last packet may go beyond
/// what is left, and is paid off.
#[derive(Debug)]
struct Allowance {
    most: usize,
    spent: usize,
    counted: Instant,
}

impl Allowance {
    fn new(most: usize, now: Instant) -> Self {
        Self { most, spent: 0, counted: now }
    }

    fn is_left(&mut self, now: Instant) -> bool {
        let passed = now.since(self.counted).as_millis();
        let most = u128::try_from(self.most).unwrap_or(u128::MAX);
        let refill = passed.saturating_mul(most) / WINDOW.as_millis();
        if refill > 0 {
            self.spent = self.spent.saturating_sub(usize::try_from(refill).unwrap_or(usize::MAX));
            self.counted = now;
        }
        self.spent < self.most
    }

    fn spend(&mut self, bytes: usize) {
        self.spent = self.spent.saturating_add(bytes);
    }
}

#[derive(Debug)]
struct Neighbour {
    answered: Budget,
    allowance: Allowance,
    /// What was sent lately.
    sent: BTreeMap<PacketId, Instant>,
    link: LinkId,
    queue: VecDeque<(Kind, PacketId)>,
    pieces: VecDeque<Bytes>,
    due: Instant,
}

/// Everybody who asked lately.
#[derive(Debug)]
pub(super) struct Replies {
    answers: usize,
    answer_bytes: usize,
    all: Allowance,
    neighbours: BTreeMap<PeerId, Neighbour>,
}

impl Replies {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            answers: config.answers,
            answer_bytes: config.answer_bytes,
            all: Allowance::new(config.all_answer_bytes, Instant::ZERO),
            neighbours: BTreeMap::new(),
        }
    }

    /// Whether one more request of this neighbour is answered; counts it when it is.
    pub(super) fn allow(&mut self, peer: PeerId, link: LinkId, now: Instant) -> bool {
        if !self.neighbours.contains_key(&peer) {
            self.make_room();
        }
        let neighbour = self.neighbours.entry(peer).or_insert_with(|| Neighbour {
            answered: Budget::default(),
            allowance: Allowance::new(self.answer_bytes, now),
            sent: BTreeMap::new(),
            link,
            queue: VecDeque::new(),
            pieces: VecDeque::new(),
            due: now,
        });
        neighbour.answered.spend(self.answers, WINDOW, now)
    }

    /// Begins an answer, in the place of what is left of the one before: the neighbour has just said what it has.
    pub(super) fn begin(&mut self, peer: PeerId, link: LinkId, wanted: Vec<(Kind, PacketId)>, now: Instant) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        neighbour.sent.retain(|_, at| now.since(*at) < ON_ITS_WAY);
        neighbour.queue =
            wanted.into_iter().filter(|(_, packet)| !neighbour.sent.contains_key(packet)).collect();
        if neighbour.link != link {
            neighbour.pieces.clear();
        }
        neighbour.link = link;
        neighbour.due = neighbour.due.max(now);
    }

    /// The next packet or piece that is due, for whom and over which link. A link without room is waited for.
    pub(super) fn pop_due(
        &mut self,
        now: Instant,
        has_room: impl Fn(LinkId) -> bool,
    ) -> Option<(PeerId, LinkId, Next)> {
        for (&peer, neighbour) in self.neighbours.iter_mut().filter(|(_, neighbour)| neighbour.due <= now) {
            if neighbour.is_done() {
                continue;
            }
            neighbour.due = now + GAP;
            if !has_room(neighbour.link) {
                continue;
            }
            if let Some(piece) = neighbour.pieces.pop_front() {
                return Some((peer, neighbour.link, Next::Piece(piece)));
            }
            if let Some((kind, packet)) = neighbour.queue.pop_front() {
                return Some((peer, neighbour.link, Next::Packet(kind, packet)));
            }
        }
        None
    }

    /// Whether this neighbour may be sent another packet. If not, what is left of its answer is given up: it will ask
    /// again.
    pub(super) fn may_send(&mut self, peer: PeerId, now: Instant) -> bool {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return false };
        let may = neighbour.allowance.is_left(now) && self.all.is_left(now);
        if !may {
            neighbour.queue.clear();
        }
        may
    }

    /// A packet of so many bytes is sent to a neighbour, in these pieces when it does not go whole.
    pub(super) fn sent(
        &mut self,
        peer: PeerId,
        packet: PacketId,
        bytes: usize,
        pieces: VecDeque<Bytes>,
        now: Instant,
    ) {
        self.all.spend(bytes);
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.allowance.spend(bytes);
            neighbour.sent.insert(packet, now);
            neighbour.pieces = pieces;
        }
    }

    /// Forgets what was to go over a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        for neighbour in self.neighbours.values_mut().filter(|neighbour| neighbour.link == link) {
            neighbour.queue.clear();
            neighbour.pieces.clear();
            neighbour.sent.clear();
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.neighbours.values().filter(|neighbour| !neighbour.is_done()).map(|neighbour| neighbour.due).min()
    }

    fn make_room(&mut self) {
        if self.neighbours.len() >= MAX_NEIGHBOURS {
            let last = |neighbour: &Neighbour| neighbour.answered.last();
            let oldest = self.neighbours.iter().min_by_key(|(_, neighbour)| last(neighbour));
            if let Some(oldest) = oldest.map(|(&peer, _)| peer) {
                self.neighbours.remove(&oldest);
            }
        }
    }
}

impl Neighbour {
    fn is_done(&self) -> bool {
        self.queue.is_empty() && self.pieces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    const ALICE: PeerId = PeerId([1; 8]);
    const LINK: LinkId = LinkId { adapter: AdapterId(0), serial: 1 };

    fn at(millis: u64) -> Instant {
        Instant::from_start(Duration::from_millis(millis))
    }

    fn wanted(count: u8) -> Vec<(Kind, PacketId)> {
        (0..count).map(|n| (Kind::Message, PacketId([n; 16]))).collect()
    }

    /// Sends what is due until `end`; how many packets.
    fn send(replies: &mut Replies, bytes: usize, from: u64, end: u64) -> usize {
        let mut sent = 0;
        for millis in from..end {
            while let Some((peer, _, Next::Packet(_, packet))) = replies.pop_due(at(millis), |_| true) {
                if replies.may_send(peer, at(millis)) {
                    replies.sent(peer, packet, bytes, VecDeque::new(), at(millis));
                    sent += 1;
                }
            }
        }
        sent
    }

    #[test]
    fn eight_requests_are_answered_in_thirty_seconds() {
        let mut replies = Replies::new(&Config::default());
        let answered = (0..29).filter(|&second| replies.allow(ALICE, LINK, at(second * 1_000))).count();
        assert_eq!(answered, 8);
        assert!(replies.allow(ALICE, LINK, at(30_000)));
        assert!(!replies.allow(ALICE, LINK, at(30_500)));
        assert!(replies.allow(PeerId([2; 8]), LINK, at(30_500)), "another neighbour");
    }

    #[test]
    fn an_answer_is_paced_and_not_repeated_at_once() {
        let mut replies = Replies::new(&Config::default());
        assert!(replies.allow(ALICE, LINK, at(0)));
        replies.begin(ALICE, LINK, wanted(100), at(0));
        assert_eq!(send(&mut replies, 100, 0, 1_000), 50);
        replies.begin(ALICE, LINK, wanted(100), at(1_000));
        assert_eq!(send(&mut replies, 100, 1_000, 9_000), 50, "only what was not sent before");
        replies.begin(ALICE, LINK, wanted(10), at(10_500));
        assert_eq!(send(&mut replies, 100, 10_500, 11_000), 10, "it was lost, it seems");
    }

    #[test]
    fn bytes_are_bounded_for_one_and_for_all() {
        let config = Config { answer_bytes: 1_000, all_answer_bytes: 1_500, ..Config::default() };
        let mut replies = Replies::new(&config);
        for peer in [ALICE, PeerId([2; 8]), PeerId([3; 8])] {
            assert!(replies.allow(peer, LINK, at(0)));
            replies.begin(peer, LINK, wanted(100), at(0));
        }
        let sent = send(&mut replies, 300, 0, 3_000);
        assert!((5..=8).contains(&sent), "{sent} packets of 300 bytes");
        assert_eq!(replies.poll_timeout(), None, "the rest was given up");
    }

    #[test]
    fn a_link_without_room_is_waited_for_and_one_that_is_gone_is_not() {
        let mut replies = Replies::new(&Config::default());
        assert!(replies.allow(ALICE, LINK, at(0)));
        replies.begin(ALICE, LINK, wanted(2), at(0));
        assert_eq!(replies.pop_due(at(0), |_| false), None);
        assert_eq!(replies.poll_timeout(), Some(at(20)));
        replies.link_down(LINK);
        assert_eq!(replies.poll_timeout(), None);
    }

    #[test]
    fn pieces_go_before_the_next_packet() {
        let mut replies = Replies::new(&Config::default());
        assert!(replies.allow(ALICE, LINK, at(0)));
        replies.begin(ALICE, LINK, wanted(2), at(0));
        assert!(matches!(replies.pop_due(at(0), |_| true), Some((_, _, Next::Packet(..)))));
        replies.sent(ALICE, PacketId([0; 16]), 10, VecDeque::from([Bytes::from_static(b"1")]), at(0));
        let piece = Next::Piece(Bytes::from_static(b"1"));
        assert_eq!(replies.pop_due(at(20), |_| true), Some((ALICE, LINK, piece)));
        assert!(matches!(replies.pop_due(at(40), |_| true), Some((_, _, Next::Packet(..)))));
    }
}
