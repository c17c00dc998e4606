//! Private messages: handshakes, receipts, repetition, restarts.

mod common;

use std::time::Duration;

use common::{MINUTE, private_ttls, settled, statuses, whisper};
use hopline::ids::MessageId;
use hopline::mesh::event::{Command, Event};
use hopline::message::DeliveryStatus::{Delivered, Expired, Queued, Read, Sent};
use hopline::sim::{Edge, Topology};
use proptest::prelude::*;

#[test]
fn a_private_message_crosses_a_relay_and_both_receipts_come_back() {
    let (mut world, nodes) = settled(1, &Topology::chain(3, Edge::default()));
    whisper(&mut world, nodes[0], nodes[2], 9, "only for you");
    let arrived = |world: &hopline::sim::World| statuses(world, nodes[0], 9).last() == Some(&Delivered);
    assert!(world.run_until(arrived, MINUTE));
    assert_eq!(private_ttls(&world, nodes[2], "only for you"), [6]);
    assert_eq!(private_ttls(&world, nodes[1], "only for you"), [0u8; 0], "the relay cannot read it");

    let sender = world.peer(nodes[0]);
    world.command(nodes[2], Command::MarkRead { sender, id: MessageId([9; 16]) });
    world.run_for(Duration::from_secs(5));
    assert_eq!(statuses(&world, nodes[0], 9), [Queued, Sent, Delivered, Read]);
}

#[test]
fn either_side_may_begin_and_both_at_once() {
    let (mut world, nodes) = settled(2, &Topology::chain(2, Edge::default()));
    whisper(&mut world, nodes[0], nodes[1], 1, "from zero");
    whisper(&mut world, nodes[1], nodes[0], 2, "from one");
    world.run_for(MINUTE);
    assert_eq!(private_ttls(&world, nodes[1], "from zero"), [7]);
    assert_eq!(private_ttls(&world, nodes[0], "from one"), [7]);
    assert_eq!(statuses(&world, nodes[0], 1), [Queued, Sent, Delivered]);
    assert_eq!(statuses(&world, nodes[1], 2), [Queued, Sent, Delivered]);
}

#[test]
fn a_long_text_travels_in_parts_and_arrives_whole() {
    let (mut world, nodes) = settled(3, &Topology::chain(2, Edge::default()));
    let text = "Grüße aus dem Dachgeschoß! ".repeat(100);
    whisper(&mut world, nodes[0], nodes[1], 3, &text);
    world.run_for(MINUTE);
    assert_eq!(private_ttls(&world, nodes[1], &text).len(), 1);
    assert_eq!(statuses(&world, nodes[0], 3), [Queued, Sent, Delivered]);
}

/// A message before, one end killed and started again without its session, a message after.
fn message_after_a_restart_of(seed: u8, killed: usize) {
    let (mut world, nodes) = settled(seed, &Topology::chain(3, Edge::default()));
    whisper(&mut world, nodes[0], nodes[2], 1, "before");
    world.run_for(MINUTE);
    world.restart(nodes[killed]);
    world.run_for(Duration::from_secs(20));
    whisper(&mut world, nodes[0], nodes[2], 2, "after");
    world.run_for(MINUTE);
    assert_eq!(private_ttls(&world, nodes[2], "after"), [6]);
    assert_eq!(statuses(&world, nodes[0], 2), [Queued, Sent, Delivered]);
}

#[test]
fn after_the_recipient_was_killed_and_restarted_the_next_message_still_arrives_once() {
    message_after_a_restart_of(4, 2);
}

#[test]
fn after_the_sender_was_killed_and_restarted_its_next_message_still_arrives_once() {
    message_after_a_restart_of(5, 0);
}

#[test]
fn a_message_to_nobody_expires_and_says_so() {
    let (mut world, nodes) = settled(6, &Topology::chain(2, Edge::default()));
    let (to, id) = (hopline::ids::PeerId([0xEE; 8]), MessageId([7; 16]));
    let attempt = hopline::ids::AttemptId(7);
    world.command(nodes[0], Command::SendPrivate { attempt, to, id, text: "hello?".to_owned() });
    world.run_for(3 * MINUTE);
    assert_eq!(statuses(&world, nodes[0], 7), [Queued, Expired]);
}

#[test]
fn who_leaves_says_goodbye() {
    let (mut world, nodes) = settled(7, &Topology::chain(3, Edge::default()));
    let leaver = world.peer(nodes[0]);
    world.command(nodes[0], Command::Leave);
    world.run_for(Duration::from_secs(2));
    for &node in &nodes[1..] {
        let told = world.events(node).any(|event| *event == Event::PeerGone { peer: leaver, left: true });
        assert!(told, "{node:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn links_that_break_at_any_time_cost_no_message_and_show_none_twice(
        seed in any::<u8>(),
        cuts in proptest::collection::vec((0_u64..40, 1_u64..8), 0..4),
    ) {
        let (mut world, nodes) = settled(seed, &Topology::ring(4, Edge::default()));
        whisper(&mut world, nodes[0], nodes[2], 1, "through it all");
        let (a, b) = (world.station(nodes[0]), world.station(nodes[1]));
        for (wait, broken) in cuts {
            world.run_for(Duration::from_millis(wait * 100));
            world.cut(a, b);
            world.run_for(Duration::from_secs(broken));
            world.join(a, b, Edge::default());
        }
        world.run_for(2 * MINUTE);
        prop_assert_eq!(private_ttls(&world, nodes[2], "through it all").len(), 1);
        prop_assert_eq!(statuses(&world, nodes[0], 1), [Queued, Sent, Delivered]);
    }
}
