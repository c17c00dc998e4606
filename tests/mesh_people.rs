//! Whom we trust how far: favourites, blocks, verification, vouches, and pinned keys over a restart.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for what it is about")]

mod common;

use std::time::Duration;

use common::{MINUTE, private_ttls, public_ttls, say, settled, statuses, whisper};
use hopline::ids::{Fingerprint, PeerId};
use hopline::mesh::Config;
use hopline::mesh::error::DropReason;
use hopline::mesh::event::{Command, Event, Introduction, PeerInfo};
use hopline::mesh::trust::event::{Command as Ask, Event as Told, Unverified};
use hopline::mesh::trust::{Level, Standing};
use hopline::message::DeliveryStatus::{Delivered, Sent};
use hopline::sim::{Edge, NodeId, Topology, World};
use hopline::time::{Now, UnixMillis};

const FAVOURITE: Standing = Standing { favourite: true, verified: false, blocked: false };
const VERIFIED: Standing = Standing { favourite: false, verified: true, blocked: false };
const BLOCKED: Standing = Standing { favourite: false, verified: false, blocked: true };
const SECONDS: Duration = Duration::from_secs(10);

/// What a node knows of another that it has heard.
fn seen(world: &World, by: NodeId, whom: NodeId) -> PeerInfo {
    let peer = world.peer(whom);
    let now = Now { instant: world.now(), unix: UnixMillis(1_800_000_000_000) + world.now().since_start() };
    let peers = world.engine(by).peers(now);
    peers.into_iter().find(|info| info.id == peer).expect("it was heard")
}

fn level(world: &World, by: NodeId, whom: NodeId) -> Level {
    seen(world, by, whom).trust
}

/// The owner of a node decides something about another.
fn decide(world: &mut World, by: NodeId, whom: NodeId, standing: Standing) {
    let PeerInfo { noise_public, signing_public, nickname, .. } = seen(world, by, whom);
    world.command(by, Command::Know(Introduction { noise_public, signing_public, nickname, standing }));
}

fn told(world: &World, node: NodeId) -> Vec<Told> {
    let people = |event: &Event| if let Event::People(told) = event { Some(told.clone()) } else { None };
    world.events(node).filter_map(people).collect()
}

fn dropped(world: &World, node: NodeId, reason: DropReason) -> u64 {
    world.engine(node).counters().dropped.get(&reason).copied().unwrap_or_default()
}

/// A code of `of` was scanned and checked by `by`.
fn scan(world: &mut World, by: NodeId, of: NodeId) {
    let PeerInfo { noise_public, signing_public, nickname, .. } = seen(world, by, of);
    world.command(by, Command::People(Ask::Challenge { noise_public, signing_public, nickname }));
}

fn favours(world: &World, node: NodeId) -> Vec<(PeerId, bool, bool)> {
    let favour = |told: Told| {
        if let Told::Favoured { peer, by_them, mutual, .. } = told {
            Some((peer, by_them, mutual))
        } else {
            None
        }
    };
    told(world, node).into_iter().filter_map(favour).collect()
}

#[test]
fn a_name_is_kept_in_one_form_however_its_owner_typed_it() {
    let mut world = World::with_topology([9; 32], &Topology::chain(2, Edge::default()), |name| Config {
        nickname: format!("{name} zoe\u{308}\n"),
        ..Config::default()
    });
    world.run_for(MINUTE);
    let nodes = world.nodes();
    let name = seen(&world, nodes[0], nodes[1]).nickname;
    assert!(name.ends_with(" zo\u{eb}"), "{name:?}");
}

#[test]
fn favourites_are_told_both_ways_over_a_relay_and_become_mutual() {
    let (mut world, nodes) = settled(1, &Topology::chain(3, Edge::default()));
    let (ada, ben) = (nodes[0], nodes[2]);
    decide(&mut world, ada, ben, FAVOURITE);
    world.run_for(SECONDS);
    assert_eq!(favours(&world, ben), [(world.peer(ada), true, false)]);
    assert_eq!(level(&world, ada, ben), Level::Proven);
    decide(&mut world, ben, ada, FAVOURITE);
    world.run_for(SECONDS);
    assert_eq!(favours(&world, ada), [(world.peer(ben), true, true)]);
    assert_eq!((level(&world, ada, ben), level(&world, ben, ada)), (Level::Mutual, Level::Mutual));

    world.restart(ada);
    world.run_for(MINUTE);
    assert!(seen(&world, ada, ben).favours_us, "it outlives a restart");
    decide(&mut world, ada, ben, Standing::default());
    world.run_for(SECONDS);
    assert_eq!(favours(&world, ben).last(), Some(&(world.peer(ada), false, false)));
    let chat = |event: &Event| matches!(event, Event::PrivateMessage(_));
    assert!(!nodes.iter().any(|&node| world.events(node).any(chat)), "a notice is no message");
}

#[test]
fn who_was_away_is_told_with_the_next_session() {
    let (mut world, nodes) = settled(2, &Topology::chain(2, Edge::default()));
    world.switch_off(world.station(nodes[1]));
    world.run_for(3 * MINUTE);
    decide(&mut world, nodes[0], nodes[1], FAVOURITE);
    world.run_for(MINUTE);
    assert_eq!(favours(&world, nodes[1]), []);
    world.switch_on(world.station(nodes[1]));
    world.run_for(MINUTE);
    whisper(&mut world, nodes[0], nodes[1], 1, "are you back?");
    world.run_for(SECONDS);
    assert_eq!(favours(&world, nodes[1]), [(world.peer(nodes[0]), true, false)]);
}

#[test]
fn nothing_of_the_blocked_is_shown_and_everything_is_relayed() {
    let (mut world, nodes) = settled(3, &Topology::chain(3, Edge::default()));
    let (eve, ada, ben) = (nodes[0], nodes[1], nodes[2]);
    decide(&mut world, ada, eve, BLOCKED);
    say(&mut world, eve, "to everyone");
    whisper(&mut world, eve, ada, 1, "to you");
    whisper(&mut world, eve, ben, 2, "to ben");
    world.run_for(SECONDS);
    assert_eq!(public_ttls(&world, ada, "to everyone"), [0u8; 0]);
    assert_eq!(private_ttls(&world, ada, "to you"), [0u8; 0]);
    assert_eq!(public_ttls(&world, ben, "to everyone"), [6]);
    assert_eq!(private_ttls(&world, ben, "to ben"), [6]);
    assert_eq!(statuses(&world, eve, 1).first(), Some(&Sent));
    assert!(!statuses(&world, eve, 1).contains(&Delivered), "no receipt either");
    assert!(dropped(&world, ada, DropReason::Blocked) >= 2);
    assert_eq!(level(&world, ada, eve), Level::Unknown);

    decide(&mut world, ada, eve, Standing::default());
    say(&mut world, eve, "again");
    world.run_for(SECONDS);
    assert_eq!(public_ttls(&world, ada, "again"), [7]);
}

#[test]
fn whose_code_was_scanned_proves_it_and_learns_of_that() {
    let (mut world, nodes) = settled(4, &Topology::chain(3, Edge::default()));
    let (ada, ben) = (nodes[0], nodes[2]);
    scan(&mut world, ada, ben);
    world.run_for(SECONDS);
    let PeerInfo { noise_public, signing_public, nickname, .. } = seen(&world, ada, ben);
    let proven = Told::Verified { noise_public, signing_public, nickname };
    assert_eq!(told(&world, ada), [proven]);
    let asked =
        matches!(told(&world, ben).as_slice(), [Told::Challenged { peer, .. }] if *peer == world.peer(ada));
    assert!(asked, "{:?}", told(&world, ben));
}

#[test]
fn a_code_with_another_key_or_of_nobody_near_proves_nothing() {
    let (mut world, nodes) = settled(5, &Topology::chain(2, Edge::default()));
    let (ada, ben) = (nodes[0], nodes[1]);
    let PeerInfo { noise_public, nickname, fingerprint, .. } = seen(&world, ada, ben);
    let false_code = Ask::Challenge { noise_public, signing_public: [7; 32], nickname };
    world.command(ada, Command::People(false_code.clone()));
    world.run_for(MINUTE);
    let silence = Told::NotVerified { fingerprint, reason: Unverified::Silence };
    assert_eq!(told(&world, ada), [silence], "ben's answer fits no such key");
    assert_eq!(dropped(&world, ada, DropReason::Verification), 1);

    world.command(ada, Command::People(false_code));
    let refused = Told::NotVerified { fingerprint, reason: Unverified::KeyChanged };
    assert_eq!(told(&world, ada).last(), Some(&refused), "the session has proven another key since");

    let noise_public = [5; 32];
    let nobody = Ask::Challenge { noise_public, signing_public: [5; 32], nickname: "nobody".to_owned() };
    world.command(ada, Command::People(nobody));
    world.run_for(MINUTE);
    let fingerprint = Fingerprint::of(&noise_public);
    let silence = Told::NotVerified { fingerprint, reason: Unverified::Silence };
    assert_eq!(told(&world, ada).last(), Some(&silence));
}

/// Ada verified Ben and Cem; Ben verified Ada.
#[test]
fn the_word_of_the_verified_is_passed_to_the_verified_and_outlives_a_restart() {
    let (mut world, nodes) = settled(6, &Topology::chain(3, Edge::default()));
    let (ben, ada, cem) = (nodes[0], nodes[1], nodes[2]);
    decide(&mut world, ada, ben, VERIFIED);
    decide(&mut world, ada, cem, VERIFIED);
    decide(&mut world, ben, ada, VERIFIED);
    assert_eq!(level(&world, ben, cem), Level::Known);
    whisper(&mut world, ada, ben, 1, "hello");
    whisper(&mut world, ada, cem, 2, "hello");
    world.run_for(SECONDS);
    assert_eq!(level(&world, ben, cem), Level::Vouched);
    assert_eq!(level(&world, cem, ben), Level::Known, "cem has not verified ada");
    assert_eq!(dropped(&world, cem, DropReason::Vouch), 1);

    world.restart(ben);
    world.run_for(MINUTE);
    assert_eq!(level(&world, ben, cem), Level::Known, "until ben's owner says again who is verified");
    decide(&mut world, ben, ada, VERIFIED);
    assert_eq!(level(&world, ben, cem), Level::Vouched);
    world.run_for(31 * 24 * 60 * MINUTE / 1_000);
    decide(&mut world, ben, ada, BLOCKED);
    assert_eq!(level(&world, ben, cem), Level::Known, "the word of the blocked counts for nothing");
}
