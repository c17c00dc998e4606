//! Whether, when and with what TTL a packet of somebody else is passed on (spec 4.2), by which [`Policy`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use rand_core::RngCore;

use super::config::ORIGIN_TTL;
use super::dedup::Key;
use super::random;
use crate::ids::{LinkId, PeerId};
use crate::time::Instant;
use crate::wire::{Board, Packet, PacketType};

/// Relays waiting for their jitter at once; a further one is dropped (spec 4.2).
const MAX_PENDING: usize = 512;
/// Those of them that came over one link.
const MAX_PENDING_OF_LINK: usize = MAX_PENDING / 4;
/// Relays waiting for air at once; a further one is dropped.
const MAX_WAITING: usize = 4 * MAX_WAITING_OF_LINK;
/// Those of them that came over one link: as many as the pieces of the longest packet that every app takes (spec 3.8).
const MAX_WAITING_OF_LINK: usize = 256;
/// The longest frame that waits for air: a link of a neighbour carries no longer one (spec 1.4).
pub(super) const LONGEST_WAITING: usize = 512;
/// How long a relay waits for air.
const AIR_PATIENCE: Duration = Duration::from_secs(30);

/// The rules by which a node passes on what is not its own, and chooses links (spec 4.2, 4.4).
///
/// Only these rules differ: what is checked before anything is passed on is the same for all, so that a packet known
/// to be invalid goes no further under any of them. The phones' rules are here so that a mesh of phones, or a mixed
/// one, can be simulated, and to serve where a node shall behave as they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// As the iOS app. TTL 1 goes no further; in a crowd the TTL is lowered further (to 6 from three neighbours on, but
    /// not that of announces and urgent notices; to 5 from six); a random wait that grows with the neighbours; a copy
    /// heard meanwhile, with more than two neighbours, cancels the relay altogether; a full queue is emptied. A
    /// broadcast goes to some of the links: all up to two, else bitlen(n - 1) + 1 of the n we write to and of those we
    /// notify, but fragments to all, and announces over every link.
    Ios,
    /// As the Android app. TTL 1 still goes out, with 0; no wait and so nothing to cancel, but for voice; with more than
    /// ten neighbours and a TTL below 4 a coin is tossed, the more neighbours the less likely; what is signed by
    /// somebody unknown is not passed on when it is a message, file, voice or leave. A broadcast goes over every link,
    /// even two to one peer; a packet to a neighbour over one of its links.
    Android,
    /// Ours. TTL 1 goes no further, no other lowering; the wait of the iOS app; a copy heard meanwhile spares the links
    /// of whoever sent it, and no others; a full queue takes no more. A broadcast goes once to each neighbour, to all of
    /// them up to eight links; a packet to a neighbour over all links to it.
    #[default]
    Hopline,
}

/// How a packet is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hop {
    /// The TTL it leaves with.
    pub(super) ttl: u8,
    /// How long it waits before: neighbours who would all answer at once spread out, and who hears the packet
    /// meanwhile need not be sent it (spec 4.2).
    pub(super) wait: Duration,
}

impl Policy {
    /// Whether, with what TTL and after what wait a packet that came with `ttl` is passed on by a node with `degree`
    /// neighbours.
    ///
    /// A TTL above 7 counts as 7. Sync requests and replies belong to one link only.
    pub(super) fn hop(
        self,
        packet: &Packet,
        ttl: u8,
        (me, degree): (PeerId, usize),
        rng: &mut impl RngCore,
    ) -> Option<Hop> {
        if ends_here(packet, me) || self.is_spent(packet, ttl) {
            return None;
        }
        let ttl = self.limit(packet, degree).min(ttl.min(ORIGIN_TTL)).saturating_sub(1);
        if self == Self::Android && !tossed(ttl, degree, rng) {
            return None;
        }
        let wait = self.jitter_ms(packet, degree);
        Some(Hop { ttl, wait: Duration::from_millis(random::within(rng, wait)) })
    }

    /// Whether this copy of a packet goes no further, and one with another TTL, or without flag 10, would.
    pub(super) fn is_spent(self, packet: &Packet, ttl: u8) -> bool {
        let least = if self == Self::Android { 1 } else { 2 };
        packet.rsr || ttl < least
    }

    /// Whether a packet of this type is passed on though its sender's key is not known (spec 4.1, 9).
    pub(super) fn passes_unknown(self, packet_type: PacketType) -> bool {
        let judged = matches!(
            packet_type,
            PacketType::Message | PacketType::FileTransfer | PacketType::VoiceFrame | PacketType::Leave
        );
        self != Self::Android || !judged
    }

    /// The TTL a packet counts as having, at most.
    fn limit(self, packet: &Packet, degree: usize) -> u8 {
        let live = packet.packet_type == PacketType::VoiceFrame;
        match self {
            Self::Hopline => ORIGIN_TTL,
            Self::Android if live && degree > 6 => 5,
            Self::Android => ORIGIN_TTL,
            Self::Ios if !packet.is_broadcast() => ORIGIN_TTL,
            Self::Ios if degree >= 6 => 5,
            Self::Ios if live || packet.packet_type == PacketType::Fragment => ORIGIN_TTL,
            Self::Ios if degree >= 3 && !concerns_all(packet) => 6,
            Self::Ios => ORIGIN_TTL,
        }
    }

    fn jitter_ms(self, packet: &Packet, degree: usize) -> RangeInclusive<u64> {
        match (packet.packet_type, packet.is_broadcast()) {
            (PacketType::VoiceFrame, true) => 8..=25,
            _ if self == Self::Android => 0..=0,
            (PacketType::NoiseHandshake, _) => 10..=35,
            (_, false) => 20..=60,
            (PacketType::Fragment, true) => 8..=25,
            (_, true) => match degree {
                0..=2 => 10..=40,
                3..=5 => 60..=150,
                6..=9 => 80..=180,
                _ => 100..=220,
            },
        }
    }
}

/// Whether no copy of a packet goes any further.
pub(super) fn ends_here(packet: &Packet, me: PeerId) -> bool {
    packet.sender == me || packet.recipient == Some(me) || packet.packet_type == PacketType::RequestSync
}

/// What the iOS app lets go further than other broadcasts.
fn concerns_all(packet: &Packet) -> bool {
    let urgent = || matches!(Board::decode(&packet.payload), Ok(Board::Post(post)) if post.is_urgent());
    packet.packet_type == PacketType::Announce || packet.packet_type == PacketType::BoardPost && urgent()
}

/// Android's coin: how likely a packet that leaves with this TTL is passed on in a crowd (spec 4.2).
fn tossed(ttl: u8, degree: usize, rng: &mut impl RngCore) -> bool {
    let percent = match degree {
        _ if ttl >= 4 => 100,
        0..=10 => 100,
        11..=30 => 85,
        31..=50 => 70,
        51..=100 => 55,
        _ => 40,
    };
    random::within(rng, 0..=99) < percent
}

/// One packet about to be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relay {
    /// The bytes as they came, but for the TTL.
    pub(super) frame: Bytes,
    /// The links that do not have it yet.
    pub(super) links: BTreeSet<LinkId>,
    /// The link it came over.
    pub(super) ingress: Option<LinkId>,
    /// Whether its signature verified.
    pub(super) proven: bool,
    /// When its wait is over.
    pub(super) due: Instant,
    /// Since when it has waited for air, if it does.
    pub(super) without_air: Option<Instant>,
}

/// The packets waiting for their jitter, or for air.
#[derive(Debug, Default)]
pub(super) struct Relays {
    pending: BTreeMap<Key, Relay>,
    /// The links they came over take turns: which one had its turn when.
    turns: BTreeMap<Option<LinkId>, u64>,
    turn: u64,
}

impl Relays {
    /// Plans to pass a frame on; false when too many wait, or too many that came over the same link.
    pub(super) fn schedule(&mut self, key: Key, relay: Relay, policy: Policy) -> bool {
        let (all, of_link) = self.beside(&relay);
        if policy == Policy::Hopline && of_link >= MAX_PENDING_OF_LINK {
            return false;
        }
        if all >= MAX_PENDING {
            if policy != Policy::Ios {
                return false;
            }
            self.pending.clear();
        }
        self.pending.insert(key, relay);
        true
    }

    /// Puts a relay back for the links that have no time for it; false when it waited for too long, or too many do.
    pub(super) fn wait(&mut self, key: Key, relay: Relay, now: Instant) -> bool {
        let since = relay.without_air.unwrap_or(now);
        let relay = Relay { without_air: Some(since), ..relay };
        let (all, of_link) = self.beside(&relay);
        let full = all >= MAX_WAITING || of_link >= MAX_WAITING_OF_LINK;
        if full || relay.frame.len() > LONGEST_WAITING || now.since(since) >= AIR_PATIENCE {
            return false;
        }
        self.pending.insert(key, relay);
        true
    }

    /// How many wait for the same as this one, and how many of them came over the same link.
    fn beside(&self, relay: &Relay) -> (usize, usize) {
        let for_air = relay.without_air.is_some();
        let beside = self.pending.values().filter(|other| other.without_air.is_some() == for_air);
        let of_link = beside.clone().filter(|it| it.ingress == relay.ingress && it.ingress.is_some());
        (beside.count(), of_link.count())
    }

    /// A copy arrived over `heard`: those links have the packet. True when nobody is left to send it to.
    ///
    /// Only the very same bytes count (the TTL aside): a copy somebody altered cancels nothing.
    pub(super) fn heard_again(
        &mut self,
        key: Key,
        frame: &[u8],
        heard: &BTreeSet<LinkId>,
        (policy, degree): (Policy, usize),
    ) -> bool {
        let Some(relay) = self.pending.get_mut(&key) else { return false };
        if !same_but_ttl(&relay.frame, frame) {
            return false;
        }
        match policy {
            Policy::Hopline => relay.links.retain(|link| !heard.contains(link)),
            Policy::Ios if degree > 2 => relay.links.clear(),
            Policy::Ios | Policy::Android => {}
        }
        let done = relay.links.is_empty();
        if done {
            self.pending.remove(&key);
        }
        done
    }

    /// Whether a packet waits to be passed on.
    pub(super) fn waits(&self, key: Key) -> bool {
        self.pending.contains_key(&key)
    }

    /// Forgets a link that is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        self.turns.remove(&Some(link));
        self.pending.retain(|_, relay| {
            relay.ingress = relay.ingress.filter(|ingress| *ingress != link);
            relay.links.remove(&link);
            !relay.links.is_empty()
        });
    }

    /// The next relay whose time has come, of the link whose turn it is: pieces after what is whole, and else the one that
    /// waits the longest.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Key, Relay)> {
        let due = self.pending.iter().filter(|(_, relay)| relay.due <= now);
        let (&key, _) = due.min_by_key(|(_, relay)| {
            let piece = relay.frame.get(1) == Some(&PacketType::Fragment.code());
            (self.turns.get(&relay.ingress), piece, relay.without_air.unwrap_or(relay.due))
        })?;
        let (key, relay) = self.pending.remove_entry(&key)?;
        self.turn += 1;
        self.turns.insert(relay.ingress, self.turn);
        Some((key, relay))
    }

    /// When the next relay is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pending.values().map(|relay| relay.due).min()
    }
}

/// Whether two copies of a packet differ in the TTL at most: that is byte 2 (spec 2.1).
pub(super) fn same_but_ttl(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).enumerate().all(|(offset, (x, y))| x == y || offset == 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PostId;
    use crate::time::UnixMillis;
    use crate::wire::{Post, Version};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const ME: PeerId = PeerId([1; 8]);
    const POLICIES: [Policy; 3] = [Policy::Ios, Policy::Android, Policy::Hopline];

    fn packet(packet_type: PacketType, ttl: u8, recipient: Option<PeerId>) -> Packet {
        Packet {
            version: Version::V1,
            packet_type,
            ttl,
            timestamp: UnixMillis(1),
            sender: PeerId([2; 8]),
            recipient,
            route: Vec::new(),
            rsr: false,
            payload: Bytes::new(),
            signature: None,
        }
    }

    fn relay(ingress: Option<LinkId>) -> Relay {
        let frame = Bytes::from_static(&[1, 2, 7, 4]);
        Relay { frame, links: BTreeSet::new(), ingress, proven: false, due: Instant::ZERO, without_air: None }
    }

    fn ttl_out(policy: Policy, packet: &Packet, degree: usize) -> Option<u8> {
        policy.hop(packet, packet.ttl, (ME, degree), &mut ChaCha20Rng::seed_from_u64(1)).map(|hop| hop.ttl)
    }

    #[test]
    fn own_packets_and_those_for_us_and_those_of_one_link_go_no_further() {
        for policy in POLICIES {
            let own = Packet { sender: ME, ..packet(PacketType::Message, 7, None) };
            let reply = Packet { rsr: true, ..packet(PacketType::Message, 7, None) };
            let for_us = packet(PacketType::NoiseEncrypted, 7, Some(ME));
            for packet in [own, reply, for_us, packet(PacketType::RequestSync, 7, None)] {
                assert_eq!(ttl_out(policy, &packet, 4), None, "{policy:?} {packet:?}");
            }
            assert_eq!(ttl_out(policy, &packet(PacketType::Message, 200, None), 1), Some(6));
            assert_eq!(ttl_out(policy, &packet(PacketType::Message, 0, None), 1), None);
        }
        assert_eq!(ttl_out(Policy::Android, &packet(PacketType::Message, 1, None), 1), Some(0));
        assert_eq!(ttl_out(Policy::Ios, &packet(PacketType::Message, 1, None), 1), None);
        assert_eq!(ttl_out(Policy::Hopline, &packet(PacketType::Message, 1, None), 1), None);
    }

    #[test]
    fn in_a_crowd_ios_lowers_the_ttl_of_broadcasts() {
        let out = |packet_type, recipient, degree| {
            ttl_out(Policy::Ios, &packet(packet_type, 7, recipient), degree).unwrap_or_default()
        };
        let degrees = [2, 3, 5, 6, 20];
        let of = |packet_type| degrees.map(|degree| out(packet_type, None, degree));
        assert_eq!(of(PacketType::Message), [6, 5, 5, 4, 4]);
        assert_eq!(of(PacketType::Announce), [6, 6, 6, 4, 4]);
        assert_eq!(of(PacketType::Fragment), [6, 6, 6, 4, 4]);
        assert_eq!(
            degrees.map(|degree| out(PacketType::NoiseEncrypted, Some(PeerId([9; 8])), degree)),
            [6; 5]
        );
    }

    #[test]
    fn in_a_crowd_an_urgent_notice_goes_as_far_on_ios_as_an_announce() {
        let degrees = [2, 3, 5, 6];
        let out = |urgent| {
            let post = Post {
                id: PostId([1; 16]),
                geohash: String::new(),
                content: "the bridge is down".to_owned(),
                author: [2; 32],
                nickname: "ada".to_owned(),
                created: UnixMillis(1),
                expires: UnixMillis(2),
                flags: Post::flags(urgent),
                signature: [3; 64],
            };
            let payload = Board::Post(post).encode().unwrap().into();
            let packet = Packet { payload, ..packet(PacketType::BoardPost, 7, None) };
            degrees.map(|degree| ttl_out(Policy::Ios, &packet, degree).unwrap_or_default())
        };
        assert_eq!(out(true), [6, 6, 6, 4]);
        assert_eq!(out(false), [6, 5, 5, 4]);
    }

    #[test]
    fn in_a_crowd_android_tosses_a_coin_for_what_is_nearly_spent() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut passed = |ttl, degree| {
            let packet = packet(PacketType::Message, ttl, None);
            (0..1_000)
                .filter(|_| Policy::Android.hop(&packet, packet.ttl, (ME, degree), &mut rng).is_some())
                .count()
        };
        assert_eq!((passed(7, 200), passed(5, 200), passed(2, 10)), (1_000, 1_000, 1_000));
        for (degree, percent) in [(11, 85_usize), (31, 70), (51, 55), (101, 40)] {
            assert!(passed(2, degree).abs_diff(percent * 10) < 60, "{degree} neighbours");
        }
    }

    #[test]
    fn a_copy_cancels_one_link_here_the_whole_relay_on_ios_and_nothing_on_android() {
        let link = |serial| LinkId { adapter: crate::ids::AdapterId(0), serial };
        let left = |policy, degree| {
            let mut relays = Relays::default();
            let links = BTreeSet::from([link(1), link(2)]);
            assert!(relays.schedule(Key::sample(), Relay { links, ..relay(None) }, policy));
            relays.heard_again(Key::sample(), &[1, 2, 6, 4], &BTreeSet::from([link(1)]), (policy, degree));
            relays.pop_due(Instant::ZERO).map_or(0, |(_, relay)| relay.links.len())
        };
        assert_eq!(POLICIES.map(|policy| left(policy, 3)), [0, 2, 1]);
        assert_eq!(POLICIES.map(|policy| left(policy, 2)), [2, 2, 1]);
    }

    #[test]
    fn a_full_queue_takes_no_more_here_and_is_emptied_on_ios() {
        let waiting = |policy| {
            let mut relays = Relays::default();
            fill(&mut relays, None, policy);
            relays.pending.len()
        };
        assert_eq!(POLICIES.map(waiting), [1, MAX_PENDING, MAX_PENDING]);
    }

    #[test]
    fn one_link_cannot_fill_the_queue() {
        let mut relays = Relays::default();
        let link = LinkId { adapter: crate::ids::AdapterId(0), serial: 1 };
        fill(&mut relays, Some(link), Policy::Hopline);
        assert_eq!(relays.pending.len(), MAX_PENDING_OF_LINK);
        assert!(relays.schedule(Key::sample(), relay(None), Policy::Hopline));
    }

    #[test]
    fn a_train_waits_for_air_in_its_order_behind_what_is_whole_and_not_for_ever() {
        let at = |millis| Instant::from_start(Duration::from_millis(millis));
        let link = LinkId { adapter: crate::ids::AdapterId(0), serial: 1 };
        let key =
            |n: u16| Key::sample().variant(&[n.to_be_bytes()[0]; 64]).variant(&[n.to_be_bytes()[1]; 64]);
        let piece = |n: u16| {
            let [high, low] = n.to_be_bytes();
            let frame = Bytes::copy_from_slice(&[1, PacketType::Fragment.code(), high, low]);
            Relay { frame, due: at(100_000), ..relay(Some(link)) }
        };
        let mut relays = Relays::default();
        let taken = (0..300).filter(|&n| relays.wait(key(n), piece(n), at(n.into()))).count();
        assert_eq!(taken, MAX_WAITING_OF_LINK);
        let whole = Relay { due: at(100_000), ..relay(None) };
        assert!(relays.wait(Key::sample(), whole.clone(), at(400)), "those of other links have their places");
        assert!(relays.schedule(key(999), relay(Some(link)), Policy::Hopline), "what is new has its own");
        assert_eq!(relays.pop_due(at(0)).map(|(key, _)| key), Some(key(999)));

        assert_eq!(relays.pop_due(at(99_999)), None);
        let next = |relays: &mut Relays| relays.pop_due(at(100_000)).expect("one that waits");
        assert_eq!(next(&mut relays).1.frame, whole.frame, "the links take turns");
        let whole = Relay { ingress: Some(link), ..whole };
        assert!(!relays.wait(Key::sample(), whole.clone(), at(500)));
        assert_eq!(next(&mut relays).0, key(0));
        assert!(relays.wait(Key::sample(), whole.clone(), at(500)), "there is a place again");
        assert_eq!(next(&mut relays).1.frame, whole.frame);
        for n in 1..256 {
            assert_eq!(next(&mut relays).0, key(n));
        }
        let waited = Relay { without_air: Some(at(0)), ..piece(0) };
        assert!(relays.wait(key(0), waited.clone(), at(29_999)) && !relays.wait(key(0), waited, at(30_000)));
        assert!(!relays.wait(key(1), Relay { frame: vec![0; 513].into(), ..piece(1) }, at(0)));
    }

    /// One relay more than the queue holds.
    fn fill(relays: &mut Relays, ingress: Option<LinkId>, policy: Policy) {
        for n in 0..=u16::try_from(MAX_PENDING).unwrap() {
            let [high, low] = n.to_be_bytes();
            relays.schedule(Key::sample().variant(&[high; 64]).variant(&[low; 64]), relay(ingress), policy);
        }
    }
}
