//! What holds for every packet, every payload and any bytes at all.

use bytes::Bytes;
use hopline::ids::{MessageId, PeerId};
use hopline::time::UnixMillis;
use hopline::wire::{
    Announce, Capabilities, DecodeError, Fragment, Leave, MAX_CARD_LEN, MAX_FRAME_LEN, MAX_NEIGHBOURS,
    MAX_PARTS, MAX_PAYLOAD_LEN, MAX_TEXT_LEN, NoisePayload, Packet, PacketType, PartId, PeerState, Received,
    RequestSync, TTL_OFFSET, Version, fragments, frame_len, json, message, noise, padding, split_text,
};
use proptest::array::{uniform8, uniform32};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn peers(most: usize) -> impl Strategy<Value = Vec<PeerId>> {
    vec(uniform8(any::<u8>()).prop_map(PeerId), 0..=most)
}

/// Noise, text that compresses, and nothing.
fn payload() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        vec(any::<u8>(), 0..600).prop_map(Bytes::from),
        "[a-e ]{0,600}".prop_map(Bytes::from),
        (any::<u8>(), 0..20_000_usize).prop_map(|(byte, len)| vec![byte; len].into()),
    ]
}

prop_compose! {
    fn packet()(
        v2 in any::<bool>(),
        code in any::<u8>(),
        ttl in any::<u8>(),
        timestamp in any::<u64>(),
        sender in uniform8(any::<u8>()),
        recipient in option::of(uniform8(any::<u8>())),
        route in prop_oneof![peers(0), peers(4), peers(255)],
        rsr in any::<bool>(),
        payload in payload(),
        signature in option::of(any::<u8>()),
    ) -> Packet {
        Packet {
            version: if v2 { Version::V2 } else { Version::V1 },
            packet_type: PacketType::from(code),
            ttl,
            timestamp: UnixMillis(timestamp),
            sender: PeerId(sender),
            recipient: recipient.map(PeerId),
            route: if v2 { route } else { vec![] },
            rsr,
            payload,
            signature: signature.map(|byte| [byte; 64]),
        }
    }
}

/// Bytes of strangers: noise, and packets with some of their bytes changed.
fn frame() -> impl Strategy<Value = Bytes> {
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let broken = (packet(), changes, vec(any::<u8>(), 0..20)).prop_map(|(packet, changes, tail)| {
        let mut frame = packet.encode().expect("a generated packet can be written");
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        frame.extend(tail);
        Bytes::from(frame)
    });
    prop_oneof![vec(any::<u8>(), 0..200).prop_map(Bytes::from), broken]
}

fn announce() -> impl Strategy<Value = Announce> {
    (
        "\\PC{0,60}",
        uniform32(any::<u8>()),
        uniform32(any::<u8>()),
        peers(MAX_NEIGHBOURS),
        option::of(capabilities()),
        option::of("[0-9b-z]{1,12}"),
    )
        .prop_map(
            |(nickname, noise_public, signing_public, neighbours, capabilities, bridge_geohash)| Announce {
                nickname,
                noise_public,
                signing_public,
                neighbours,
                capabilities,
                bridge_geohash,
            },
        )
}

fn capabilities() -> impl Strategy<Value = Capabilities> {
    vec(0..64_u32, 0..64).prop_map(Capabilities::of)
}

fn noise_payload() -> impl Strategy<Value = NoisePayload> {
    let id = || "[!-~]{1,63}|\\PC{1,50}";
    prop_oneof![
        (id(), "\\PC{0,60}").prop_map(|(id, content)| NoisePayload::PrivateMessage { id, content }),
        id().prop_map(|id| NoisePayload::ReadReceipt { id }),
        id().prop_map(|id| NoisePayload::Delivered { id }),
        (capabilities(), uniform32(any::<u8>())).prop_map(|(capabilities, signing_public)| {
            NoisePayload::PeerState(PeerState { capabilities, signing_public })
        }),
        vec(any::<u8>(), 1..=MAX_CARD_LEN).prop_map(|card| NoisePayload::Card(card.into())),
    ]
}

fn read(frame: Vec<u8>) -> Result<Packet, DecodeError> {
    Received::decode(&frame.into()).map(Received::into_packet)
}

/// Everything that reads a payload, whatever the packet's type says.
fn read_all(payload: &Bytes) {
    let read = [
        Announce::decode(payload).is_ok(),
        Fragment::decode(payload).is_ok(),
        Leave::decode(payload).is_ok(),
        NoisePayload::decode(payload).is_ok(),
        RequestSync::decode(payload).is_ok(),
        message::text(payload).is_ok(),
        noise::transport(payload).is_ok(),
    ];
    assert!(!payload.is_empty() || read == [false, false, true, false, false, true, false]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_packet_that_was_written_reads_the_same(packet in packet(), garbage in vec(any::<u8>(), 0..30)) {
        let frame = packet.encode().unwrap();
        let received = Received::decode(&frame.clone().into()).unwrap();
        prop_assert_eq!(received.packet(), &packet);
        prop_assert_eq!(received.frame_len(), frame.len());
        prop_assert_eq!(frame_len(&frame), Ok(Some(frame.len())));

        let mut padded = frame.clone();
        padding::pad(&mut padded);
        prop_assert_eq!(read(padded), Ok(packet.clone()));
        prop_assert_eq!(read([frame, garbage].concat()), Ok(packet));
    }

    #[test]
    fn any_bytes_are_refused_or_bounded(frame in frame()) {
        match Received::decode(&frame) {
            Ok(received) => {
                prop_assert!(received.packet().payload.len() <= MAX_PAYLOAD_LEN);
                prop_assert!(received.frame_len() <= frame.len());
                prop_assert!(received.frame_len() <= MAX_FRAME_LEN);
                prop_assert_eq!(frame_len(&frame), Ok(Some(received.frame_len())));
                prop_assert!(json::describe(&received).is_object());
                prop_assert!((1..=4).contains(&received.signing_preimages().count()));
                read_all(&received.packet().payload);
            }
            Err(error) => prop_assert!(error.to_string().starts_with("offset "), "{}", error),
        }
        read_all(&frame);
    }

    #[test]
    fn a_packet_that_was_read_is_written_with_the_same_meaning(frame in frame()) {
        if let Ok(received) = Received::decode(&frame) {
            let again = Received::decode(&received.packet().encode().unwrap().into()).unwrap();
            prop_assert_eq!(again.packet(), received.packet());
            prop_assert_eq!(again.packet().id(), received.packet().id());
        }
    }

    #[test]
    fn a_relayed_frame_differs_in_byte_2_only(frame in frame(), ttl in any::<u8>()) {
        if let Ok(received) = Received::decode(&frame) {
            let relayed = received.relayed(ttl);
            let mut expected = frame.to_vec();
            expected[TTL_OFFSET] = ttl;
            prop_assert_eq!(&relayed, &expected);
            let again = Received::decode(&relayed).unwrap();
            prop_assert_eq!(again.packet(), &Packet { ttl, ..received.packet().clone() });
        }
    }

    #[test]
    fn what_is_signed_depends_on_neither_ttl_nor_rsr_nor_signature(
        packet in packet(),
        ttl in any::<u8>(),
        rsr in any::<bool>(),
    ) {
        let other = Packet { ttl, rsr, signature: None, ..packet.clone() };
        prop_assert_eq!(packet.signing_preimage(), other.signing_preimage());
        prop_assert_eq!(packet.id(), other.id());
        // A frame of our own is verified with its first preimage.
        let received = Received::decode(&packet.encode().unwrap().into()).unwrap();
        prop_assert_eq!(received.signing_preimages().next(), packet.signing_preimage().ok());
    }

    #[test]
    fn no_truncation_of_a_packet_is_a_packet(packet in packet(), cut in any::<prop::sample::Index>()) {
        let frame = Bytes::from(packet.encode().unwrap());
        let cut = frame.slice(..cut.index(frame.len()));
        prop_assert!(Received::decode(&cut).is_err());
        prop_assert!(matches!(frame_len(&cut), Ok(None)) || frame_len(&cut) == Ok(Some(frame.len())));
    }

    #[test]
    fn an_announce_that_was_written_reads_the_same(announce in announce()) {
        prop_assert_eq!(Announce::decode(&announce.encode().unwrap().into()), Ok(announce));
    }

    #[test]
    fn an_inner_payload_that_was_written_reads_the_same(payload in noise_payload()) {
        prop_assert_eq!(NoisePayload::decode(&payload.encode().unwrap().into()), Ok(payload));
    }

    #[test]
    fn a_leave_that_was_written_reads_the_same(channel in option::of("#\\PC{0,30}")) {
        let leave = channel.map_or(Leave::Mesh, Leave::Channel);
        prop_assert_eq!(Leave::decode(&leave.encode()), Ok(leave));
    }

    #[test]
    fn fragments_that_were_written_read_the_same_and_join(
        frame in vec(any::<u8>(), 1..3000),
        id in uniform8(any::<u8>()),
        code in any::<u8>(),
        chunk in 1..600_usize,
    ) {
        let frame = Bytes::from(frame);
        let pieces = fragments(&frame, id, PacketType::from(code), chunk).unwrap();
        prop_assert_eq!(pieces.len(), frame.len().div_ceil(chunk));
        let mut joined = Vec::new();
        for piece in pieces {
            prop_assert_eq!(Fragment::decode(&piece.encode().into()), Ok(piece.clone()));
            prop_assert!(piece.data.len() <= chunk);
            joined.extend(piece.data);
        }
        prop_assert_eq!(joined, frame);
    }

    #[test]
    fn the_parts_of_a_text_are_the_text(text in "\\PC{0,600}", most in 4..=MAX_TEXT_LEN) {
        let parts = split_text(&text, most);
        prop_assert_eq!(parts.concat(), text.clone());
        prop_assert!(parts.iter().all(|part| part.len() <= most));
        prop_assert!(parts.len() <= 1 || parts.iter().all(|part| !part.is_empty()));
    }

    #[test]
    fn a_part_id_that_was_printed_parses_the_same(id in any::<[u8; 16]>(), count in 2..=MAX_PARTS, index in 1..=MAX_PARTS) {
        if let Ok(part) = PartId::new(MessageId(id), index, count) {
            prop_assert_eq!(part.to_string().parse(), Ok(part));
        } else {
            prop_assert!(index > count);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_largest_payloads_pass_and_larger_ones_do_not(beyond in 0..3_usize, byte in any::<u8>(), v2 in any::<bool>()) {
        let version = if v2 { Version::V2 } else { Version::V1 };
        let max = version.max_payload_len();
        let packet = Packet {
            version,
            packet_type: PacketType::Message,
            ttl: 7,
            timestamp: UnixMillis(0),
            sender: PeerId([0; 8]),
            recipient: None,
            route: vec![],
            rsr: false,
            payload: vec![byte; max + beyond].into(),
            signature: None,
        };
        prop_assert_eq!(packet.encode().is_ok(), beyond == 0);
        if let Ok(frame) = packet.encode() {
            prop_assert_eq!(read(frame), Ok(packet));
        }
    }
}
