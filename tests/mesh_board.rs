//! The notice board: who sees a notice, how long, and what strangers can do to it.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{MINUTE, settled};
use hopline::crypto::Identity;
use hopline::ids::{AdapterId, LinkId, PostId};
use hopline::link::event::{DeviceAddress, RadioCommand, RadioEvent, Role};
use hopline::mesh::board::{BoardRefusal, Command as Wish, Event as Told, Notice, Standing};
use hopline::mesh::error::{DropReason, Refusal};
use hopline::mesh::event::{Command, Event, Input, Introduction, Output};
use hopline::mesh::{Config, Engine, trust};
use hopline::sim::{Edge, NodeId, Topology, World};
use hopline::time::{Instant, Now, UnixMillis};
use hopline::wire::{Board, Packet, PacketType, Post, Tombstone, Version};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const START: UnixMillis = UnixMillis(1_800_000_000_000);

fn wish(text: &str, life: Duration) -> Command {
    Command::Board(Wish::Post { text: text.to_owned(), urgent: false, life })
}

fn texts(world: &World, node: NodeId) -> Vec<String> {
    let now = Now { instant: world.now(), unix: START + world.now().since_start() };
    world.engine(node).notices(now).into_iter().map(|notice| notice.text).collect()
}

fn id_of(world: &World, node: NodeId, text: &str) -> PostId {
    let posted = |event: &Event| {
        let Event::Board(Told::Posted(notice)) = event else { return None };
        (notice.text == text).then_some(notice.id)
    };
    world.events(node).find_map(posted).expect("it was put up")
}

#[test]
fn a_notice_is_told_once_to_everyone_stays_when_its_author_goes_and_goes_when_its_time_is_over() {
    let (mut world, nodes) = settled(31, &Topology::ring(5, Edge::default()));
    let life = 30 * MINUTE;
    world.command(nodes[0], wish("water point open", life));
    world.run_for(MINUTE);
    world.switch_off(world.station(nodes[0]));
    for &node in &nodes {
        let told = world.events(node).filter(|event| matches!(event, Event::Board(Told::Posted(_))));
        assert_eq!(told.count(), 1, "{node:?}");
    }
    world.restart(nodes[2]);
    world.run_for(life - 3 * MINUTE);
    for &node in &nodes[1..] {
        assert_eq!(texts(&world, node), ["water point open"], "{node:?}");
    }
    world.run_for(3 * MINUTE);
    for &node in &nodes {
        assert!(texts(&world, node).is_empty(), "{node:?}");
    }
}

#[test]
fn who_comes_after_its_author_went_is_told_of_a_notice_by_somebody_they_never_heard() {
    let (mut world, nodes) = settled(35, &Topology::chain(2, Edge::default()));
    world.command(nodes[0], wish("water point open", DAY));
    world.run_for(MINUTE);
    world.switch_off(world.station(nodes[0]));
    world.run_for(60 * MINUTE);
    let late = world.add_node(Config { nickname: "late".to_owned(), ..Config::default() });
    let station = world.add_station(late);
    world.join(station, world.station(nodes[1]), Edge::default());
    world.run_for(2 * MINUTE);
    assert_eq!(texts(&world, late), ["water point open"]);
    let author = world.peer(nodes[0]);
    assert!(world.engine(late).peers(world.clock(late)).iter().all(|peer| peer.id != author));
}

#[test]
fn only_its_author_withdraws_a_notice_and_then_it_is_gone_everywhere_for_good() {
    let (mut world, nodes) = settled(32, &Topology::chain(4, Edge::default()));
    world.command(nodes[0], wish("lost: a grey cat", DAY));
    world.run_for(MINUTE);
    let id = id_of(&world, nodes[3], "lost: a grey cat");
    world.command(nodes[3], Command::Board(Wish::Remove { id }));
    let refused = Event::Board(Told::Refused(BoardRefusal::NotOurs));
    assert!(world.events(nodes[3]).any(|event| *event == refused));
    world.command(nodes[0], Command::Board(Wish::Remove { id }));
    world.run_for(MINUTE);
    world.restart(nodes[1]);
    world.run_for(MINUTE);
    for &node in &nodes {
        assert!(texts(&world, node).is_empty(), "{node:?}");
    }
    world.command(nodes[0], Command::Board(Wish::Remove { id }));
    let gone = Event::Board(Told::Refused(BoardRefusal::NoSuchPost));
    assert!(world.events(nodes[0]).any(|event| *event == gone));
}

#[test]
fn a_sixth_notice_of_ours_takes_the_place_of_our_oldest_and_says_so() {
    let (mut world, nodes) = settled(33, &Topology::chain(2, Edge::default()));
    for number in 0..6 {
        world.command(nodes[0], wish(&format!("notice {number}"), DAY));
        world.run_for(MINUTE);
    }
    let expected = ["notice 5", "notice 4", "notice 3", "notice 2", "notice 1"];
    assert_eq!(texts(&world, nodes[0]), expected);
    assert_eq!(texts(&world, nodes[1]), expected, "others keep the same five");
    let gave_way =
        |event: &&Event| matches!(event, Event::Board(Told::GaveWay(old)) if old.text == "notice 0");
    assert_eq!(world.events(nodes[0]).filter(gave_way).count(), 1);
}

#[test]
fn when_our_clock_was_set_back_a_sixth_notice_is_the_latest_or_says_why_it_cannot_be() {
    let (mut world, nodes) = settled(36, &Topology::chain(2, Edge::default()));
    let minutes = |minutes: i64| minutes * 60_000;
    world.set_clock_error(nodes[0], minutes(30));
    for number in 0..5 {
        world.command(nodes[0], wish(&format!("notice {number}"), DAY));
        world.run_for(Duration::from_secs(1));
    }
    world.set_clock_error(nodes[0], 0);
    world.command(nodes[0], wish("notice 5", DAY));
    let expected = ["notice 5", "notice 4", "notice 3", "notice 2", "notice 1"];
    assert_eq!(texts(&world, nodes[0]), expected);
    world.run_for(MINUTE);
    assert_eq!(texts(&world, nodes[1]), ["notice 5"], "whose clock is right hears it too");

    world.set_clock_error(nodes[0], minutes(-40));
    world.command(nodes[0], wish("notice 6", DAY));
    let refused = Event::Board(Told::Refused(BoardRefusal::ClockSetBack));
    assert_eq!(world.events(nodes[0]).last(), Some(&refused));
}

#[test]
fn a_notice_that_cannot_be_is_refused_with_the_reason() {
    let (mut world, nodes) = settled(34, &Topology::chain(1, Edge::default()));
    for (text, life, refusal) in [
        ("  ", DAY, BoardRefusal::Message(Refusal::Empty)),
        (&"a".repeat(513), DAY, BoardRefusal::Message(Refusal::TooLong { len: 513, max: 512 })),
        ("short", Duration::from_secs(59), BoardRefusal::Life),
        ("long", 7 * DAY + MINUTE, BoardRefusal::Life),
    ] {
        world.command(nodes[0], wish(text, life));
        assert_eq!(world.events(nodes[0]).last(), Some(&Event::Board(Told::Refused(refusal))));
    }
}

/// One engine with two links, to nobody known.
struct Bench {
    engine: Engine,
    now: Instant,
    written: usize,
    /// What people were told of the board.
    told: usize,
    stamp: u64,
}

fn link(serial: u32) -> LinkId {
    LinkId { adapter: AdapterId(0), serial }
}

fn identity(seed: u8) -> Identity {
    Identity::from_bytes(&[seed; 64])
}

impl Bench {
    fn new() -> Self {
        let engine = Engine::new(identity(1), Config::default(), [7; 32]);
        let mut bench = Self { engine, now: Instant::ZERO, written: 0, told: 0, stamp: 0 };
        let up = RadioEvent::AdapterUp { adapter: AdapterId(0), address: DeviceAddress([0; 6]) };
        bench.feed(Input::Radio(up));
        for serial in 1..=2_u8 {
            let address = DeviceAddress([0, 0, 0, 0, 0, serial]);
            let link = link(serial.into());
            let up = RadioEvent::LinkUp { link, address, role: Role::Peripheral, max_frame: 2_048 };
            bench.feed(Input::Radio(up));
        }
        bench
    }

    fn clock(&self) -> Now {
        Now { instant: self.now, unix: START + self.now.since_start() }
    }

    fn feed(&mut self, input: Input) {
        let now = self.clock();
        self.engine.handle(input, now);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Radio(RadioCommand::Write { link, frame }) => {
                    let kind = frame.get(1).copied();
                    self.written += usize::from(kind == Some(PacketType::BoardPost.code()));
                    self.engine.handle(Input::Radio(RadioEvent::Written { link }), now);
                }
                Output::Event(Event::Board(_)) => self.told += 1,
                Output::Radio(_) | Output::Event(_) | Output::Keep(_) => {}
            }
        }
    }

    /// Somebody's packet with this notice in it; what came of it, if it was dropped.
    fn hear(&mut self, carrier: &Identity, board: &Board) -> Option<DropReason> {
        let before = self.engine.counters().dropped.clone();
        self.stamp += 1;
        let mut packet = Packet {
            version: Version::V1,
            packet_type: PacketType::BoardPost,
            ttl: 7,
            timestamp: UnixMillis(self.clock().unix.0 + self.stamp % 1_000),
            sender: carrier.peer_id(),
            recipient: None,
            route: Vec::new(),
            rsr: false,
            payload: Bytes::from(board.encode().expect("it encodes")),
            signature: None,
        };
        packet.signature = Some(carrier.sign(&packet.signing_preimage().expect("it encodes")));
        let bytes = Bytes::from(packet.encode().expect("it encodes"));
        self.feed(Input::Radio(RadioEvent::Received { link: link(1), bytes }));
        let after = &self.engine.counters().dropped;
        after.iter().find(|(reason, count)| before.get(reason) != Some(count)).map(|(reason, _)| *reason)
    }

    /// Lets everything leave that waits; how many board packets did.
    fn relayed(&mut self) -> usize {
        let before = self.written;
        let end = self.now + Duration::from_secs(2);
        while let Some(due) = self.engine.poll_timeout().filter(|&due| due <= end) {
            self.now = due.max(self.now);
            self.feed(Input::Timeout);
        }
        self.now = end;
        self.written - before
    }

    fn notices(&self) -> Vec<Notice> {
        self.engine.notices(self.clock())
    }
}

fn post(author: &Identity, id: [u8; 16], life: Duration) -> Post {
    let mut post = Post {
        id: PostId(id),
        geohash: String::new(),
        content: "bread at the church".to_owned(),
        author: author.signing_public(),
        nickname: "ada".to_owned(),
        created: START,
        expires: START + life,
        flags: 0,
        signature: [0; 64],
    };
    post.signature = author.sign(&post.signing_preimage());
    post
}

fn numbered(number: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

#[test]
fn a_notice_of_somebody_never_heard_stands_and_goes_on_once_however_it_is_wrapped() {
    let mut bench = Bench::new();
    let board = Board::Post(post(&identity(9), [1; 16], DAY));
    assert_eq!(bench.hear(&identity(9), &board), None);
    assert_eq!(bench.notices().len(), 1);
    assert_eq!(bench.relayed(), 1, "to the other link");
    for carrier in 10..40 {
        assert_eq!(bench.hear(&identity(carrier), &board), Some(DropReason::Duplicate));
    }
    assert_eq!(bench.relayed(), 0, "wrapped in other packets it is amplified by nobody");
}

#[test]
fn a_blocked_authors_notices_are_kept_and_passed_on_and_not_shown() {
    let mut bench = Bench::new();
    let mallory = identity(9);
    let introduction = |blocked| Introduction {
        noise_public: mallory.noise_public(),
        signing_public: mallory.signing_public(),
        nickname: "mallory".to_owned(),
        standing: trust::Standing { blocked, ..trust::Standing::default() },
    };
    bench.feed(Input::Command(Command::Know(introduction(true))));
    let board = Board::Post(post(&mallory, [1; 16], DAY));
    assert_eq!(bench.hear(&mallory, &board), Some(DropReason::Blocked));
    assert_eq!((bench.notices().len(), bench.told, bench.relayed()), (0, 0, 1));
    assert_eq!(bench.engine.board_packets(bench.clock()).count(), 1);
    let mut withdrawal = Tombstone {
        id: PostId([2; 16]),
        author: mallory.signing_public(),
        deleted: START,
        signature: [0; 64],
    };
    withdrawal.signature = mallory.sign(&withdrawal.signing_preimage());
    assert_eq!(bench.hear(&mallory, &Board::Post(post(&mallory, [2; 16], DAY))), Some(DropReason::Blocked));
    assert_eq!(bench.hear(&mallory, &Board::Tombstone(withdrawal)), Some(DropReason::Blocked));
    assert_eq!(bench.told, 0);
    bench.feed(Input::Command(Command::Know(introduction(false))));
    assert_eq!(bench.notices().iter().map(|notice| notice.id).collect::<Vec<_>>(), [PostId([1; 16])]);
}

#[test]
fn what_is_forged_over_or_withdrawn_neither_stands_nor_goes_on() {
    let mut bench = Bench::new();
    let (ada, mallory) = (identity(9), identity(10));
    let mut forged = post(&ada, [1; 16], DAY);
    forged.signature = mallory.sign(&forged.signing_preimage());
    assert_eq!(bench.hear(&ada, &Board::Post(forged)), Some(DropReason::Signature));
    let mut changed = post(&ada, [1; 16], DAY);
    changed.flags = 1;
    assert_eq!(bench.hear(&ada, &Board::Post(changed)), Some(DropReason::Signature), "urgency is signed");
    let mut withdrawal =
        Tombstone { id: PostId([2; 16]), author: ada.signing_public(), deleted: START, signature: [0; 64] };
    withdrawal.signature = mallory.sign(&withdrawal.signing_preimage());
    let refused = bench.hear(&mallory, &Board::Tombstone(withdrawal.clone()));
    assert_eq!(refused, Some(DropReason::Signature));
    assert_eq!(bench.relayed(), 0);

    withdrawal.signature = ada.sign(&withdrawal.signing_preimage());
    assert_eq!(bench.hear(&ada, &Board::Tombstone(withdrawal)), None, "it may come before the post");
    assert_eq!(bench.relayed(), 1);
    let stale = bench.hear(&ada, &Board::Post(post(&ada, [2; 16], DAY)));
    assert_eq!(stale, Some(DropReason::BoardStale));
    assert!(bench.notices().is_empty());
    assert_eq!(bench.relayed(), 0);
}

#[test]
fn a_flood_of_notices_under_invented_keys_displaces_nothing_known_and_is_counted_and_passed_on_unkept() {
    let mut bench = Bench::new();
    let contact = identity(2);
    bench.feed(Input::Command(Command::Know(Introduction {
        noise_public: contact.noise_public(),
        signing_public: contact.signing_public(),
        nickname: "carol".to_owned(),
        standing: trust::Standing::default(),
    })));
    bench.feed(Input::Command(wish("ours", DAY)));
    assert_eq!(bench.hear(&contact, &Board::Post(post(&contact, [7; 16], DAY))), None);
    assert_eq!(bench.hear(&identity(3), &Board::Post(post(&identity(3), [8; 16], DAY))), None);
    let mut full = 0;
    for number in 0..300_u32 {
        let mut key = [4; 64];
        key[32..36].copy_from_slice(&number.to_be_bytes());
        let invented = Identity::from_bytes(&key);
        let board = Board::Post(post(&invented, numbered(number), 7 * DAY));
        full += usize::from(bench.hear(&invented, &board) == Some(DropReason::BoardFull));
    }
    let notices = bench.notices();
    assert_eq!((notices.len(), full), (200, 103));
    let standing = |standing| notices.iter().filter(|notice| notice.standing == standing).count();
    assert_eq!((standing(Standing::Own), standing(Standing::Known)), (1, 1));
    assert!(notices.iter().any(|notice| notice.id == PostId([8; 16])), "nor the stranger who came first");
    bench.relayed();
    let invented = identity(200);
    let late = bench.hear(&invented, &Board::Post(post(&invented, [9; 16], 7 * DAY)));
    assert_eq!((late, bench.relayed()), (Some(DropReason::BoardFull), 1), "another board may have a place");
    assert_eq!(
        bench.hear(&contact, &Board::Post(post(&contact, [10; 16], DAY))),
        None,
        "a contact finds a place"
    );
    assert_eq!(bench.notices().len(), 200);
}
