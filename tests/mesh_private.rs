//! Private messages: handshakes, receipts, repetition, restarts.

mod common;

use std::time::Duration;

use common::{MINUTE, deliver, is_delivered, private_ttls, settled, statuses, whisper};
use hopline::ids::{AttemptId, MessageId};
use hopline::mesh::event::{Command, Event, Expiry};
use hopline::message::DeliveryStatus::{Delivered, Expired, Read, Sent};
use hopline::sim::{Edge, Topology, World};
use proptest::prelude::*;

#[test]
fn a_private_message_crosses_a_relay_and_both_receipts_come_back() {
    let (mut world, nodes) = settled(1, &Topology::chain(3, Edge::default()));
    whisper(&mut world, nodes[0], nodes[2], 9, "only for you");
    let arrived = |world: &World| statuses(world, nodes[0], 9).last() == Some(&Delivered);
    assert!(world.run_until(arrived, MINUTE));
    assert_eq!(private_ttls(&world, nodes[2], "only for you"), [6]);
    assert_eq!(private_ttls(&world, nodes[1], "only for you"), [0u8; 0], "the relay cannot read it");

    let sender = world.peer(nodes[0]);
    let read = Command::SendRead {
        attempt: AttemptId(3),
        to: sender,
        id: MessageId([10; 16]),
        wire_ids: vec![MessageId([9; 16]).to_string()],
    };
    world.command(nodes[2], read);
    world.run_for(Duration::from_secs(5));
    assert_eq!(statuses(&world, nodes[0], 9), [Sent, Delivered, Read]);
    assert_eq!(statuses(&world, nodes[2], 10), [Sent], "a read receipt is done when it was sent");
}

#[test]
fn either_side_may_begin_and_both_at_once() {
    let (mut world, nodes) = settled(2, &Topology::chain(2, Edge::default()));
    whisper(&mut world, nodes[0], nodes[1], 1, "from zero");
    whisper(&mut world, nodes[1], nodes[0], 2, "from one");
    world.run_for(MINUTE);
    assert_eq!(private_ttls(&world, nodes[1], "from zero"), [7]);
    assert_eq!(private_ttls(&world, nodes[0], "from one"), [7]);
    assert_eq!(statuses(&world, nodes[0], 1), [Sent, Delivered]);
    assert_eq!(statuses(&world, nodes[1], 2), [Sent, Delivered]);
}

#[test]
fn a_long_text_travels_in_parts_and_arrives_whole() {
    let (mut world, nodes) = settled(3, &Topology::chain(2, Edge::default()));
    let text = "Grüße aus dem Dachgeschoß! ".repeat(100);
    whisper(&mut world, nodes[0], nodes[1], 3, &text);
    world.run_for(MINUTE);
    assert_eq!(private_ttls(&world, nodes[1], &text).len(), 1);
    assert_eq!(statuses(&world, nodes[0], 3), [Sent, Delivered]);
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
    assert_eq!(statuses(&world, nodes[0], 2), [Sent, Delivered]);
}

#[test]
fn after_the_recipient_was_killed_and_restarted_the_next_message_still_arrives_once() {
    message_after_a_restart_of(4, 2);
}

#[test]
fn after_the_sender_was_killed_and_restarted_its_next_message_still_arrives_once() {
    message_after_a_restart_of(5, 0);
}

/// The last message of a new handshake is lost, so that each end has a session with the other, but not the same.
fn message_between_two_sessions(seed: u8, from: usize) {
    let (mut world, nodes) = settled(seed, &Topology::chain(2, Edge::default()));
    assert!(deliver(&mut world, nodes[0], nodes[1], 1, "while it was one session", MINUTE));
    world.restart(nodes[0]);
    world.run_for(Duration::from_secs(20));
    let (peer, stations) = (world.peer(nodes[1]), (world.station(nodes[0]), world.station(nodes[1])));
    world.command(nodes[0], Command::Greet { peer });
    let sessions =
        |world: &World| world.events(nodes[0]).filter(|event| **event == Event::Session { peer }).count();
    assert!(world.run_until(|world| sessions(world) == 2, MINUTE));
    world.cut(stations.0, stations.1);
    world.run_for(MINUTE);
    world.join(stations.0, stations.1, Edge::default());
    world.run_for(Duration::from_secs(20));
    assert_eq!(sessions(&world), 2, "nothing has told them yet");
    whisper(&mut world, nodes[from], nodes[1 - from], 2, "between two sessions");
    world.run_for(Duration::from_secs(14));
    assert_eq!(statuses(&world, nodes[from], 2), [Sent, Delivered]);
    assert_eq!(private_ttls(&world, nodes[1 - from], "between two sessions").len(), 1);
}

#[test]
fn when_the_two_ends_hold_different_sessions_a_message_of_either_still_arrives_at_the_first_attempt() {
    message_between_two_sessions(15, 0);
    message_between_two_sessions(15, 1);
}

#[test]
fn a_message_to_nobody_expires_and_says_so() {
    let (mut world, nodes) = settled(6, &Topology::chain(2, Edge::default()));
    let (to, id) = (hopline::ids::PeerId([0xEE; 8]), MessageId([7; 16]));
    let attempt = AttemptId(7);
    world.command(nodes[0], Command::SendPrivate { attempt, to, id, text: "hello?".to_owned() });
    world.run_for(Duration::from_secs(16));
    assert_eq!(statuses(&world, nodes[0], 7), [Expired]);
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

#[test]
fn no_receipt_comes_before_the_message_is_stored() {
    let (mut world, nodes) = settled(8, &Topology::chain(2, Edge::default()));
    world.set_disk_full(nodes[1], true);
    for text in ["short".to_owned(), "in several parts ".repeat(40)] {
        whisper(&mut world, nodes[0], nodes[1], 1, &text);
        world.run_for(Duration::from_secs(20));
        assert_eq!(statuses(&world, nodes[0], 1), [Sent, Expired]);
        let silence = |event: &Event| matches!(event, Event::Expired { reason: Expiry::Silence, .. });
        assert!(world.events(nodes[0]).any(silence));
        world.set_disk_full(nodes[1], false);
        assert!(deliver(&mut world, nodes[0], nodes[1], 2, &text, MINUTE));
        assert_eq!(private_ttls(&world, nodes[1], &text).len(), 1);
        world = settled(8, &Topology::chain(2, Edge::default())).0;
        world.set_disk_full(nodes[1], true);
    }
}

#[test]
fn a_message_sent_again_is_acknowledged_again_and_shown_once() {
    let (mut world, nodes) = settled(9, &Topology::chain(2, Edge::default()));
    for (id, text) in [(1, "short".to_owned()), (2, "in several parts ".repeat(40))] {
        let receipts = |world: &World| {
            let receipt = |event: &&Event| matches!(event, Event::Receipt { id: of, .. } if of.0 == [id; 16]);
            world.events(nodes[0]).filter(receipt).count()
        };
        for sent in 1..=3 {
            // As after a loss of everything its receiver had in memory.
            world.restart(nodes[1]);
            world.run_for(Duration::from_secs(20));
            whisper(&mut world, nodes[0], nodes[1], id, &text);
            world.run_for(Duration::from_secs(20));
            assert!(receipts(&world) >= sent, "attempt {sent}");
        }
        assert_eq!(private_ttls(&world, nodes[1], &text).len(), 1);
    }
}

#[test]
fn a_read_receipt_in_parts_for_a_message_of_an_earlier_run_is_told() {
    let (mut world, nodes) = settled(10, &Topology::chain(2, Edge::default()));
    assert!(deliver(&mut world, nodes[0], nodes[1], 1, "in several parts ".repeat(20).as_str(), MINUTE));
    world.restart(nodes[0]);
    world.run_for(Duration::from_secs(20));
    let uuid = MessageId([1; 16]);
    let read = Command::SendRead {
        attempt: AttemptId(3),
        to: world.peer(nodes[0]),
        id: MessageId([3; 16]),
        wire_ids: vec![format!("{uuid}/1.2"), format!("{uuid}/2.2")],
    };
    world.command(nodes[1], read);
    world.run_for(Duration::from_secs(20));
    let told = Event::Receipt { from: world.peer(nodes[1]), id: uuid, read: true };
    assert!(world.events(nodes[0]).any(|event| *event == told));
}

#[test]
fn after_a_cancel_nothing_is_sent_again_and_the_late_receipt_is_told() {
    let (mut world, nodes) = settled(11, &Topology::chain(2, Edge::default()));
    assert!(deliver(&mut world, nodes[0], nodes[1], 1, "a session stands", MINUTE));
    whisper(&mut world, nodes[0], nodes[1], 2, "on its way");
    assert_eq!(statuses(&world, nodes[0], 2), [Sent]);
    world.command(nodes[0], Command::Cancel { attempt: AttemptId(2), id: MessageId([2; 16]) });
    world.run_for(MINUTE);
    assert_eq!(statuses(&world, nodes[0], 2), [Sent, Delivered]);

    let to = world.peer(nodes[1]);
    let stations = (world.station(nodes[0]), world.station(nodes[1]));
    whisper(&mut world, nodes[0], nodes[1], 3, "given up at once");
    world.command(nodes[0], Command::Cancel { attempt: AttemptId(2), id: MessageId([3; 16]) });
    world.cut(stations.0, stations.1);
    world.run_for(MINUTE);
    let expired = |event: &Event| matches!(event, Event::Expired { id, .. } if id.0 == [3; 16]);
    assert!(!world.events(nodes[0]).any(expired), "{to}: nobody asks any more");
}

#[test]
fn when_the_last_link_goes_what_was_on_its_way_is_given_up_at_once() {
    let (mut world, nodes) = settled(12, &Topology::chain(2, Edge::default()));
    world.set_disk_full(nodes[1], true);
    whisper(&mut world, nodes[0], nodes[1], 1, "too late");
    let station = world.station(nodes[0]);
    world.switch_off(station);
    let alone = |event: &Event| matches!(event, Event::Expired { reason: Expiry::Alone, .. });
    assert!(world.events(nodes[0]).any(alone));
    assert!(!is_delivered(&world, nodes[0], 1));
}

#[test]
fn a_greeting_makes_a_session_before_there_is_anything_to_say() {
    let (mut world, nodes) = settled(13, &Topology::chain(3, Edge::default()));
    let peer = world.peer(nodes[2]);
    world.command(nodes[0], Command::Greet { peer });
    world.run_for(Duration::from_secs(3));
    assert!(world.events(nodes[0]).any(|event| *event == Event::Session { peer }));
    whisper(&mut world, nodes[0], nodes[2], 1, "at once");
    assert_eq!(statuses(&world, nodes[0], 1), [Sent]);
}

#[test]
fn a_card_crosses_inside_a_session() {
    let (mut world, nodes) = settled(14, &Topology::chain(3, Edge::default()));
    let card = bytes::Bytes::from_static(&[0xCA; 700]);
    let (to, id) = (world.peer(nodes[2]), MessageId([5; 16]));
    world.command(nodes[0], Command::SendCard { attempt: AttemptId(5), to, id, card: card.clone() });
    world.run_for(Duration::from_secs(10));
    assert_eq!(statuses(&world, nodes[0], 5), [Sent]);
    let sender = world.peer(nodes[0]);
    let came = |event: &Event| matches!(event, Event::Card { sender: from, card: came, .. } if (*from, came) == (sender, &card));
    assert!(world.events(nodes[2]).any(came));
    assert!(!world.events(nodes[1]).any(came), "the relay cannot read it");
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
        prop_assert!(deliver(&mut world, nodes[0], nodes[2], 1, "through it all", 2 * MINUTE));
        world.run_for(MINUTE);
        prop_assert_eq!(private_ttls(&world, nodes[2], "through it all").len(), 1);
    }
}
