//! Messages longer than a link can carry at once.

mod common;

use common::{MINUTE, private_ttls, public_ttls, say, settled, whisper};
use hopline::mesh::event::Event;
use hopline::sim::{Edge, NodeId, Topology, World};

/// Text that deflate shortens by a quarter at most: 64 symbols, drawn from a seeded generator.
fn random_base64(len: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(ALPHABET[usize::try_from(state >> 58).expect("six bits")])
    })
    .take(len)
    .collect()
}

fn fragments_of(world: &World, node: NodeId, wanted: &str) -> Vec<u16> {
    let shown = |event: &Event| {
        let Event::PublicMessage(message) = event else { return None };
        (message.text == wanted).then_some(message.fragments)
    };
    world.events(node).filter_map(shown).collect()
}

#[test]
fn thirty_two_kibibytes_cross_a_relay_in_at_least_fifty_fragments() {
    let (mut world, nodes) = settled(1, &Topology::chain(3, Edge::default()));
    let text = random_base64(32 * 1024);
    say(&mut world, nodes[0], &text);
    world.run_for(MINUTE);
    let fragments = fragments_of(&world, nodes[2], &text);
    assert!(matches!(fragments.as_slice(), [count] if *count >= 50), "{fragments:?}");
    assert_eq!(public_ttls(&world, nodes[2], &text), [6], "the fragments' own TTL tells the hops");
}

#[test]
fn a_relay_passes_long_frames_on_over_a_link_with_a_short_mtu() {
    let mut text = String::from("edges 0 and 1 differ");
    text.push_str(&random_base64(3_000));
    let (mut world, nodes) = settled(2, &Topology::chain(3, Edge::default()));
    let (b, c) = (world.station(nodes[1]), world.station(nodes[2]));
    world.cut(b, c);
    world.join(b, c, Edge { mtu: 185, ..Edge::default() });
    world.run_for(MINUTE);
    say(&mut world, nodes[0], &text);
    whisper(&mut world, nodes[0], nodes[2], 1, "short MTU");
    world.run_for(MINUTE);
    assert_eq!(public_ttls(&world, nodes[2], &text).len(), 1);
    assert_eq!(private_ttls(&world, nodes[2], "short MTU").len(), 1);
}

#[test]
fn two_long_messages_at_once_both_arrive() {
    let (mut world, nodes) = settled(3, &Topology::chain(2, Edge::default()));
    let (one, two) = (random_base64(20_000), random_base64(21_000));
    say(&mut world, nodes[0], &one);
    say(&mut world, nodes[1], &two);
    say(&mut world, nodes[0], &two);
    world.run_for(MINUTE);
    assert_eq!(public_ttls(&world, nodes[1], &one).len(), 1);
    assert_eq!(public_ttls(&world, nodes[1], &two).len(), 1);
    assert_eq!(public_ttls(&world, nodes[0], &two).len(), 1);
}
