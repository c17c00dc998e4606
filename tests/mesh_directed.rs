//! What goes to one peer: over which of its links, and when.

#[path = "common/bench.rs"]
mod bench;
#[path = "common/inside.rs"]
mod inside;

use std::time::Duration;

use bench::{Bench, identity, introduce, link, packet, signed};
use bytes::Bytes;
use hopline::ids::{AttemptId, LinkId, MessageId, PeerId};
use hopline::link::event::{DeviceAddress, RadioEvent, Role};
use hopline::mesh::event::{Command, Event, Input, Reach};
use hopline::mesh::media::event::{Command as Ask, Event as Told, Failure};
use hopline::wire::{Announce, Capabilities, MediaFile, NoisePayload, Packet, PacketType, PeerState};
use inside::{Inside, at};

const CAROL: u8 = 2;
const DAVE: u8 = 3;
const SECOND: Duration = Duration::from_secs(1);

fn up(bench: &mut Bench, serial: u32, role: Role) {
    let address = DeviceAddress([0, 0, 0, 0, 0, u8::try_from(serial).expect("few links")]);
    bench.feed(Input::Radio(RadioEvent::LinkUp { link: link(serial), address, role, max_frame: 512 }));
}

/// Over which links packets of a type were written, each as often as they were.
fn links_of(bench: &Bench, packet_type: PacketType) -> Vec<LinkId> {
    let of_type = |(_, frame): &&(LinkId, Bytes)| frame.get(1) == Some(&packet_type.code());
    bench.written.iter().filter(of_type).map(|(link, _)| *link).collect()
}

/// Says in an announce that somebody takes and confirms private files.
fn takes_files(bench: &mut Bench, serial: u32, seed: u8) {
    bench.pass(Duration::from_millis(1));
    let who = identity(seed);
    let announce = Announce {
        nickname: "somebody".to_owned(),
        noise_public: who.noise_public(),
        signing_public: who.signing_public(),
        neighbours: Vec::new(),
        capabilities: Some(Capabilities::HOPLINE),
        bridge_geohash: None,
    };
    let payload = announce.encode().expect("it encodes");
    bench.hear(serial, &signed(&who, packet(&who, PacketType::Announce, payload, at(bench))));
}

fn send_file(bench: &mut Bench, to: PeerId) {
    let content: Vec<u8> = (0..4_000_u32).map(|n| n.wrapping_mul(0x9E37_79B9).to_be_bytes()[0]).collect();
    let file =
        MediaFile { name: "a.bin".into(), mime: "application/octet-stream".into(), content: content.into() };
    bench.feed(Input::Command(Command::Media(Ask::ToPeer { attempt: AttemptId(1), to, file })));
}

fn proves(carol: &mut Inside, bench: &mut Bench, capabilities: Capabilities) {
    let signing_public = carol.identity.signing_public();
    carol.say(bench, &NoisePayload::PeerState(PeerState { capabilities, signing_public }));
}

#[test]
fn to_a_peer_linked_both_ways_whole_frames_go_over_both_links_and_pieces_over_the_one_we_write_to() {
    let mut bench = Bench::with_links(0);
    for (serial, role) in [(1, Role::Peripheral), (2, Role::Central), (3, Role::Central)] {
        up(&mut bench, serial, role);
    }
    let mut carol = Inside::open(&mut bench, 1, CAROL);
    let to = carol.identity.peer_id();
    takes_files(&mut bench, 2, CAROL);
    proves(&mut carol, &mut bench, Capabilities::HOPLINE);
    bench.pass(SECOND);
    bench.written.clear();

    let (id, text) = (MessageId([7; 16]), "short".to_owned());
    bench.feed(Input::Command(Command::SendPrivate { attempt: AttemptId(2), to, id, text }));
    assert_eq!(links_of(&bench, PacketType::NoiseEncrypted), [link(1), link(2)]);

    send_file(&mut bench, to);
    bench.pass(2 * SECOND);
    let pieces = links_of(&bench, PacketType::Fragment);
    assert!(pieces.len() >= 9 && pieces.iter().all(|&over| over == link(2)), "{pieces:?}");

    // A piece of somebody else's, and a packet too long for the links that came whole over a longer one.
    let now = at(&bench);
    introduce(&mut bench, 3, &identity(DAVE), now);
    bench.pass(SECOND);
    bench.written.clear();
    let piece = packet(&identity(DAVE), PacketType::Fragment, vec![7; 40], at(&bench));
    let long = packet(&identity(DAVE), PacketType::NoiseEncrypted, noise(700), at(&bench));
    for packet in [piece, long] {
        bench.hear(3, &Packet { recipient: Some(to), ..packet }.encode().expect("it encodes"));
    }
    bench.pass(SECOND);
    let pieces = links_of(&bench, PacketType::Fragment);
    assert!(pieces.len() >= 3 && pieces.iter().all(|&over| over == link(2)), "{pieces:?}");
}

/// Bytes that nothing makes shorter.
fn noise(len: u32) -> Vec<u8> {
    (0..len).map(|n| n.wrapping_mul(0x9E37_79B9).rotate_left(n).to_be_bytes()[1]).collect()
}

#[test]
fn a_private_file_waits_until_its_recipient_has_proven_that_it_takes_files_or_five_seconds() {
    let begun = || {
        let mut bench = Bench::with_links(1);
        let carol = Inside::open(&mut bench, 1, CAROL);
        takes_files(&mut bench, 1, CAROL);
        send_file(&mut bench, carol.identity.peer_id());
        bench.pass(4 * SECOND);
        assert_eq!(links_of(&bench, PacketType::Fragment), []);
        (bench, carol)
    };
    let (mut silent, _) = begun();
    silent.pass(2 * SECOND);
    assert!(!links_of(&silent, PacketType::Fragment).is_empty(), "on what it announced");

    let (mut bench, mut carol) = begun();
    proves(&mut carol, &mut bench, Capabilities::HOPLINE);
    bench.pass(Duration::from_millis(100));
    assert!(!links_of(&bench, PacketType::Fragment).is_empty());

    let (mut bench, mut carol) = begun();
    proves(&mut carol, &mut bench, Capabilities::NONE);
    bench.pass(10 * SECOND);
    assert_eq!(links_of(&bench, PacketType::Fragment), []);
    let failed = Event::Media(Told::Failed { attempt: AttemptId(1), reason: Failure::NotTaken });
    assert!(bench.events.contains(&failed));
}

#[test]
fn what_goes_again_because_a_new_session_stands_blames_no_link() {
    let mut bench = Bench::with_links(2);
    let carol = Inside::open(&mut bench, 1, CAROL);
    let (to, card) = (carol.identity.peer_id(), Bytes::from_static(b"a card"));
    let (attempt, id) = (AttemptId(1), MessageId([1; 16]));
    bench.feed(Input::Command(Command::SendCard { attempt, to, id, card: card.clone() }));
    bench.pass(SECOND);
    let mut again = Inside::open(&mut bench, 1, CAROL);
    assert!(again.told(&bench).contains(&NoisePayload::Card(card)), "the first session may have lost it");
    assert_eq!(bench.reach(to), Some(Reach::Direct));
}
