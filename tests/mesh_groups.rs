//! Private groups: who reads what, who may change them, and what outsiders can do.

mod common;

use std::time::Duration;

use common::{MINUTE, settled};
use hopline::crypto::Identity;
use hopline::ids::{Fingerprint, GroupId};
use hopline::mesh::error::DropReason;
use hopline::mesh::event::{Command, Event};
use hopline::mesh::groups::{Command as Wish, Event as Told, GroupInfo, GroupRefusal, News};
use hopline::sim::{Edge, NodeId, Topology, World};

fn ask(world: &mut World, node: NodeId, wish: Wish) {
    world.command(node, Command::Group(wish));
}

fn fingerprint(world: &World, node: NodeId) -> Fingerprint {
    let of = |event: &Event| {
        let Event::Peer(info) = event else { return None };
        (info.id == world.peer(node)).then_some(info.fingerprint)
    };
    world.records().iter().find_map(|record| of(&record.event)).expect("somebody heard it")
}

fn create(world: &mut World, node: NodeId, name: &str) -> GroupId {
    ask(world, node, Wish::Create { name: name.to_owned() });
    world.engine(node).groups().last().expect("it was made").id
}

fn invite(world: &mut World, from: NodeId, group: GroupId, whom: NodeId) {
    let peer = world.peer(whom);
    ask(world, from, Wish::Invite { group, peer });
    world.run_for(MINUTE);
}

fn speak(world: &mut World, from: NodeId, group: GroupId, text: &str) {
    ask(world, from, Wish::Say { group, text: text.to_owned() });
    world.run_for(Duration::from_secs(10));
}

/// What a node read in groups, by whom.
fn read(world: &World, node: NodeId) -> Vec<(Fingerprint, String)> {
    let said = |event: &Event| {
        let Event::Group(Told::Message(message)) = event else { return None };
        Some((message.sender, message.text.clone()))
    };
    world.events(node).filter_map(said).collect()
}

fn texts(world: &World, node: NodeId) -> Vec<String> {
    read(world, node).into_iter().map(|(_, text)| text).collect()
}

fn group(world: &World, node: NodeId, id: GroupId) -> Option<GroupInfo> {
    world.engine(node).groups().into_iter().find(|group| group.id == id)
}

fn refused(world: &World, node: NodeId) -> Option<GroupRefusal> {
    world
        .events(node)
        .filter_map(|event| {
            let Event::Group(Told::Refused(refusal)) = event else { return None };
            Some(*refusal)
        })
        .last()
}

fn dropped(world: &World, node: NodeId, reason: DropReason) -> u64 {
    world.engine(node).counters().dropped.get(&reason).copied().unwrap_or(0)
}

#[test]
fn members_read_each_other_over_somebody_who_is_none_and_reads_nothing() {
    let (mut world, nodes) = settled(41, &Topology::chain(4, Edge::default()));
    let crew = create(&mut world, nodes[0], "crew");
    invite(&mut world, nodes[0], crew, nodes[2]);
    invite(&mut world, nodes[0], crew, nodes[3]);
    speak(&mut world, nodes[3], crew, "at the well");
    let author = fingerprint(&world, nodes[3]);
    for node in [nodes[0], nodes[2], nodes[3]] {
        assert_eq!(read(&world, node), [(author, "at the well".to_owned())], "{node:?}");
        let info = group(&world, node, crew).expect("a member has it");
        assert_eq!((info.name.as_str(), info.members.len(), info.epoch), ("crew", 3, 3));
    }
    assert!(read(&world, nodes[1]).is_empty(), "it carried everything");
    assert!(world.engine(nodes[1]).groups().is_empty());
    assert!(world.engine(nodes[1]).counters().relayed > 0);
}

#[test]
fn who_was_removed_is_told_so_and_reads_nothing_that_follows() {
    let (mut world, nodes) = settled(42, &Topology::full(3, Edge::default()));
    let crew = create(&mut world, nodes[0], "crew");
    invite(&mut world, nodes[0], crew, nodes[1]);
    invite(&mut world, nodes[0], crew, nodes[2]);
    speak(&mut world, nodes[0], crew, "before");
    let member = fingerprint(&world, nodes[2]);
    ask(&mut world, nodes[0], Wish::Remove { group: crew, member });
    world.run_for(2 * MINUTE);
    speak(&mut world, nodes[0], crew, "after");
    speak(&mut world, nodes[1], crew, "me too");
    assert_eq!(texts(&world, nodes[2]), ["before"]);
    assert_eq!(texts(&world, nodes[1]), ["before", "after", "me too"]);
    assert_eq!(group(&world, nodes[2], crew), None);
    let expelled = |event: &Event| matches!(event, Event::Group(Told::Changed { news: News::Expelled, .. }));
    assert_eq!(world.events(nodes[2]).filter(|event| expelled(event)).count(), 1);
}

#[test]
fn a_removed_member_that_was_away_cannot_make_itself_heard_with_the_old_key() {
    let (mut world, nodes) = settled(43, &Topology::full(3, Edge::default()));
    let crew = create(&mut world, nodes[0], "crew");
    invite(&mut world, nodes[0], crew, nodes[1]);
    invite(&mut world, nodes[0], crew, nodes[2]);
    let away = world.station(nodes[2]);
    world.switch_off(away);
    world.run_for(2 * MINUTE);
    let member = fingerprint(&world, nodes[2]);
    ask(&mut world, nodes[0], Wish::Remove { group: crew, member });
    world.run_for(MINUTE);
    world.switch_on(away);
    ask(&mut world, nodes[2], Wish::Say { group: crew, text: "still here".to_owned() });
    world.run_for(2 * MINUTE);
    assert!(!texts(&world, nodes[1]).contains(&"still here".to_owned()));
    assert_eq!(group(&world, nodes[2], crew), None, "it was told when it came back");
}

#[test]
fn a_member_that_was_away_when_the_key_changed_is_told_when_it_comes_back_and_so_after_a_restart_of_both() {
    let (mut world, nodes) = settled(44, &Topology::full(3, Edge::default()));
    let crew = create(&mut world, nodes[0], "crew");
    invite(&mut world, nodes[0], crew, nodes[1]);
    let away = world.station(nodes[1]);
    world.switch_off(away);
    world.run_for(2 * MINUTE);
    invite(&mut world, nodes[0], crew, nodes[2]);
    world.restart(nodes[0]);
    world.run_for(MINUTE);
    world.restart(nodes[1]);
    world.run_for(2 * MINUTE);
    let epochs: Vec<_> =
        nodes.iter().map(|&node| group(&world, node, crew).map(|group| group.epoch)).collect();
    assert_eq!(epochs, [Some(3), Some(3), Some(3)]);
    speak(&mut world, nodes[2], crew, "welcome back");
    assert_eq!(texts(&world, nodes[1]), ["welcome back"]);
}

#[test]
fn what_comes_before_its_key_is_read_when_the_key_comes_and_so_after_a_restart() {
    let (mut world, nodes) = settled(45, &Topology::full(3, Edge::default()));
    let crew = create(&mut world, nodes[0], "crew");
    invite(&mut world, nodes[0], crew, nodes[1]);
    let (creator, away) = (world.station(nodes[0]), world.station(nodes[1]));
    world.switch_off(away);
    world.run_for(2 * MINUTE);
    invite(&mut world, nodes[0], crew, nodes[2]);
    world.switch_off(creator);
    world.run_for(2 * MINUTE);
    world.switch_on(away);
    world.run_for(MINUTE);
    speak(&mut world, nodes[2], crew, "early");
    assert!(texts(&world, nodes[1]).is_empty());
    world.restart(nodes[1]);
    world.run_for(MINUTE);
    world.switch_on(creator);
    world.run_for(2 * MINUTE);
    assert_eq!(texts(&world, nodes[1]), ["early"]);
}

#[test]
fn what_comes_before_the_invitation_is_read_once_when_it_comes_and_nothing_said_before_it_was_made() {
    let (mut world, nodes) = settled(47, &Topology::full(3, Edge::default()));
    let crew = create(&mut world, nodes[0], "crew");
    invite(&mut world, nodes[0], crew, nodes[1]);
    speak(&mut world, nodes[1], crew, "among us");
    let late = world.station(nodes[2]);
    world.switch_off(late);
    let peer = world.peer(nodes[2]);
    ask(&mut world, nodes[0], Wish::Invite { group: crew, peer });
    world.run_for(MINUTE);
    let creator = world.station(nodes[0]);
    world.switch_off(creator);
    speak(&mut world, nodes[1], crew, "welcome");
    world.switch_on(late);
    world.run_for(2 * MINUTE);
    assert!(texts(&world, nodes[2]).is_empty());
    world.switch_on(creator);
    world.run_for(3 * MINUTE);
    assert_eq!(texts(&world, nodes[2]), ["welcome"]);
}

#[test]
fn who_left_is_not_brought_back_by_a_change_and_is_by_an_invitation() {
    let (mut world, nodes) = settled(46, &Topology::full(3, Edge::default()));
    let crew = create(&mut world, nodes[0], "crew");
    invite(&mut world, nodes[0], crew, nodes[1]);
    ask(&mut world, nodes[1], Wish::Leave { group: crew });
    invite(&mut world, nodes[0], crew, nodes[2]);
    world.restart(nodes[1]);
    world.run_for(2 * MINUTE);
    assert_eq!(group(&world, nodes[1], crew), None);
    assert!(dropped(&world, nodes[1], DropReason::GroupStale) > 0);
    let member = fingerprint(&world, nodes[1]);
    ask(&mut world, nodes[0], Wish::Remove { group: crew, member });
    world.run_for(MINUTE);
    invite(&mut world, nodes[0], crew, nodes[1]);
    assert_eq!(group(&world, nodes[1], crew).map(|group| group.members.len()), Some(3));
}

#[test]
fn an_absent_member_who_left_and_is_asked_again_comes_back_though_the_group_changed_and_its_creator_restarted()
 {
    for restart in [false, true] {
        let (mut world, nodes) = settled(48, &Topology::full(3, Edge::default()));
        let crew = create(&mut world, nodes[0], "crew");
        invite(&mut world, nodes[0], crew, nodes[1]);
        ask(&mut world, nodes[1], Wish::Leave { group: crew });
        let away = world.station(nodes[1]);
        let member = fingerprint(&world, nodes[1]);
        world.switch_off(away);
        world.run_for(2 * MINUTE);
        ask(&mut world, nodes[0], Wish::Remove { group: crew, member });
        invite(&mut world, nodes[0], crew, nodes[1]);
        invite(&mut world, nodes[0], crew, nodes[2]);
        if restart {
            world.restart(nodes[0]);
            world.run_for(MINUTE);
        }
        world.switch_on(away);
        world.run_for(2 * MINUTE);
        let members = group(&world, nodes[1], crew).map(|group| group.members.len());
        assert_eq!(members, Some(3), "restart: {restart}");
    }
}

#[test]
fn only_the_creator_changes_a_group_and_nothing_that_cannot_be_is_done() {
    let (mut world, nodes) = settled(47, &Topology::full(3, Edge::default()));
    let crew = create(&mut world, nodes[0], "crew");
    invite(&mut world, nodes[0], crew, nodes[1]);
    let (peer, own) = (world.peer(nodes[2]), fingerprint(&world, nodes[0]));
    ask(&mut world, nodes[1], Wish::Invite { group: crew, peer });
    assert_eq!(refused(&world, nodes[1]), Some(GroupRefusal::NotOurs));
    let member = world.peer(nodes[1]);
    for (wish, refusal) in [
        (Wish::Invite { group: crew, peer: member }, GroupRefusal::AlreadyMember),
        (Wish::Remove { group: crew, member: own }, GroupRefusal::CreatorStays),
        (Wish::Remove { group: crew, member: Fingerprint([9; 32]) }, GroupRefusal::NoSuchMember),
        (Wish::Leave { group: GroupId([9; 16]) }, GroupRefusal::NoSuchGroup),
        (Wish::Create { name: "x".repeat(41) }, GroupRefusal::Name),
        (Wish::Create { name: " ".to_owned() }, GroupRefusal::Name),
        (
            Wish::Invite { group: crew, peer: Identity::from_bytes(&[7; 64]).peer_id() },
            GroupRefusal::UnknownPeer,
        ),
    ] {
        ask(&mut world, nodes[0], wish.clone());
        assert_eq!(refused(&world, nodes[0]), Some(refusal), "{wish:?}");
    }
}
