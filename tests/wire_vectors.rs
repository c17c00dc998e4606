//! The vectors of `tests/vectors/bitchat.json`: made by an independent implementation, checked against the
//! Android app's own classes. Read in both directions where both exist.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

#[path = "common/vectors.rs"]
mod vectors;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use hopline::ids::{Fingerprint, PacketId, PeerId, to_hex};
use hopline::time::UnixMillis;
use hopline::wire::carrier::{Direction, NostrCarrier};
use hopline::wire::voice::{AAC_LC_16K, VoiceBody, VoicePacket};
use hopline::wire::{
    Announce, Capabilities, CourierEnvelope, Filter, FilterHash, Fragment, Leave, MediaFile, MediaType,
    NoisePayload, Packet, PacketType, PeerState, PrekeyBundle, Probe, Received, RequestSync, ScannedCode,
    SyncTypes, VerifyChallenge, VerifyCode, VerifyResponse, Version, Vouch, fragments, frame_len, json,
    media_id, message, noise, padding,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vectors::{FILE, bytes, hex, key, preimage, vector};

/// The packets that are whole frames in the file: all of them must decode.
const FRAMES: [&str; 28] = [
    "announce_alice_ios_min",
    "announce_bob_android_neighbours",
    "announce_alice_neighbours_ios",
    "public_message_short",
    "public_message_short_relayed",
    "public_message_short_rsr",
    "public_message_short_android",
    "public_message_compressed_zlib5",
    "public_message_compressed_zlib6",
    "leave",
    "noise_handshake_packet_1_padded",
    "noise_handshake_packet_2_padded",
    "noise_handshake_packet_3_padded",
    "noise_encrypted_packet_padded",
    "noise_encrypted_packet_signed_padded",
    "v2_routed_signed_noise",
    "fragment_source_frame",
    "fragment_469_0",
    "fragment_469_1",
    "fragment_462_0",
    "fragment_462_1",
    "request_sync_unicast",
    "request_sync_broadcast_empty",
    "file_transfer_public_v2",
    "ping",
    "pong",
    "v1_packet_golden",
    "v2_routed_signed_golden",
];

/// The public messages of the file were made at this time, with TTL 7.
const TIME: UnixMillis = UnixMillis(1_750_000_000_123);

fn received(name: &str) -> Received {
    Received::decode(&bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn peer(identity: &str) -> PeerId {
    FILE["identities"][identity]["peer_id"].as_str().unwrap().parse().unwrap()
}

fn identity_of(sender: PeerId) -> &'static str {
    ["alice", "bob", "carol"].into_iter().find(|name| peer(name) == sender).unwrap()
}

fn sign(packet: &mut Packet) {
    let key = SigningKey::from_bytes(&key(identity_of(packet.sender), "sign_seed"));
    packet.signature = Some(key.sign(&packet.signing_preimage().unwrap()).to_bytes());
}

fn public_message(sender: &str, text: &str) -> Packet {
    Packet {
        version: Version::V1,
        packet_type: PacketType::Message,
        ttl: 7,
        timestamp: TIME,
        sender: peer(sender),
        recipient: None,
        route: vec![],
        rsr: false,
        payload: Bytes::copy_from_slice(text.as_bytes()),
        signature: None,
    }
}

/// How many preimages it takes until the signature fits; `None` when none does.
fn verify(received: &Received) -> Option<usize> {
    let packet = received.packet();
    let key = VerifyingKey::from_bytes(&key(identity_of(packet.sender), "sign_public")).unwrap();
    let signature = packet.signature?.into();
    received.signing_preimages().position(|preimage| key.verify_strict(&preimage, &signature).is_ok())
}

#[test]
fn identities_hash_to_their_peer_ids() {
    for name in ["alice", "bob", "carol"] {
        let fingerprint = Fingerprint::of(&key(name, "noise_public"));
        assert_eq!(FILE["identities"][name]["fingerprint"], fingerprint.to_string());
        assert_eq!(fingerprint.peer_id(), peer(name));
        assert_eq!(bytes(&format!("identity_{name}")).as_ref(), peer(name).as_bytes());
    }
}

#[test]
fn capabilities_are_little_endian_and_minimal() {
    for name in ["caps_ios_default", "caps_android_default", "caps_relay_none"] {
        let bits: Vec<u32> = serde_json::from_value(vector(name)["inputs"]["bits"].clone()).unwrap();
        let set = Capabilities::of(bits.iter().copied());
        assert_eq!(set.encode(), bytes(name), "{name}");
        assert_eq!(Capabilities::decode(&bytes(name)).bits().collect::<Vec<_>>(), bits, "{name}");
    }
}

#[test]
fn every_frame_of_the_file_decodes_to_its_length_and_encodes_to_its_bytes() {
    for name in FRAMES {
        let received = received(name);
        let frame = received.bytes().slice(..received.frame_len());
        assert_eq!(frame_len(&frame), Ok(Some(frame.len())), "{name}");
        let again = received.packet().encode().unwrap();
        // A compressed payload may have other bytes; what it says may not.
        if received.is_compressed() {
            let again = Received::decode(&again.into()).unwrap();
            assert_eq!(again.packet(), received.packet(), "{name}");
        } else {
            assert_eq!(again, frame, "{name}");
        }
        if let Some(payload) = vector(name).get("payload_hex") {
            assert_eq!(received.packet().payload, hex(payload), "{name}");
        }
    }
}

#[test]
fn signing_preimages_are_those_of_the_file_and_the_signatures_fit() {
    let signed = FRAMES.into_iter().filter(|&name| name != "v2_routed_signed_golden");
    let mut preimages = 0;
    for name in signed {
        let received = received(name);
        if let Some(preimage) = vector(name).get("signing_preimage_hex").filter(|hex| hex.is_string()) {
            assert_eq!(received.signing_preimages().next().unwrap(), hex(preimage), "{name}");
            preimages += 1;
        }
        if received.packet().signature.is_some() {
            assert_eq!(verify(&received), Some(0), "{name}");
        }
    }
    assert!(preimages >= 10, "only {preimages} preimages were compared");
}

#[test]
fn a_wrong_signature_fits_no_preimage() {
    for name in ["public_message_short", "public_message_compressed_zlib5", "announce_alice_ios_min"] {
        let mut frame = bytes(name).to_vec();
        let last = frame.len() - 1;
        frame[last] ^= 1;
        assert_eq!(verify(&Received::decode(&frame.into()).unwrap()), None, "{name}");
    }
}

#[test]
fn signed_packets_are_written_to_the_byte() {
    let mut short = public_message("alice", "hello mesh");
    sign(&mut short);
    assert_eq!(short.encode().unwrap(), bytes("public_message_short"));

    let mut android = Packet { recipient: Some(PeerId::BROADCAST), ..short.clone() };
    sign(&mut android);
    assert_eq!(android.encode().unwrap(), bytes("public_message_short_android"));

    let mut leave = Packet { packet_type: PacketType::Leave, payload: Leave::Mesh.encode().into(), ..short };
    sign(&mut leave);
    assert_eq!(leave.encode().unwrap(), bytes("leave"));

    let text = vector("public_message_compressed_zlib6")["inputs"]["text"].as_str().unwrap();
    let mut long = public_message("alice", text);
    sign(&mut long);
    assert_eq!(long.encode().unwrap(), bytes("public_message_compressed_zlib6"));
}

/// Phones verify over bytes that they compress again: only stock zlib's encoder makes theirs (Android's surely,
/// Apple's mostly). Another DEFLATE encoder decodes everything here and fails this test.
#[test]
fn compressed_bytes_are_those_of_stock_zlib() {
    for name in
        ["public_message_compressed_zlib5", "public_message_compressed_zlib6", "fragment_source_frame"]
    {
        assert_eq!(received(name).packet().encode().unwrap(), bytes(name), "{name}");
    }
}

#[test]
fn a_relay_and_a_sync_reply_leave_the_signature_valid() {
    let base = received("public_message_short");
    assert_eq!(base.relayed(6), bytes("public_message_short_relayed"));
    let reply = Packet { ttl: 0, rsr: true, ..base.packet().clone() };
    assert_eq!(reply.encode().unwrap(), bytes("public_message_short_rsr"));
    for name in ["public_message_short_relayed", "public_message_short_rsr"] {
        assert_eq!(received(name).packet().id(), base.packet().id(), "{name}");
    }
}

#[test]
fn a_payload_that_a_relay_compressed_again_still_verifies() {
    // Made by hand: the message as its sender signed it (zlib 6), and as a relay might rewrite it.
    let signed = received("public_message_compressed_zlib6");
    let stored = stored_deflate(&signed.packet().payload);
    let payload = [&180_u16.to_be_bytes(), stored.as_slice()].concat();
    let frame = rewritten(&signed, 0x06, &payload);
    assert_eq!(frame.packet(), signed.packet());
    assert_eq!(verify(&frame), Some(1), "zlib 5 makes the same bytes here, and is tried first");

    let plain = rewritten(&signed, 0x02, &signed.packet().payload);
    assert_eq!(verify(&plain), Some(1), "compressible, but sent plain");
}

/// A sender that signs its long text uncompressed, and a relay that compresses it.
#[test]
fn a_payload_signed_plain_and_compressed_on_the_way_still_verifies() {
    let long = received("public_message_compressed_zlib6");
    let mut preimages = long.signing_preimages();
    let plain = preimages.by_ref().last().unwrap();
    let key = SigningKey::from_bytes(&key("alice", "sign_seed"));
    let packet = Packet { signature: Some(key.sign(&plain).to_bytes()), ..long.packet().clone() };
    let received = Received::decode(&packet.encode().unwrap().into()).unwrap();
    assert!(received.is_compressed());
    assert_eq!(verify(&received), Some(1), "as it came, then plain: all levels agree on this text");
}

/// DEFLATE of one stored block: valid, and never what zlib makes of text.
fn stored_deflate(payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap();
    [&[1], len.to_le_bytes().as_slice(), &(!len).to_le_bytes(), payload].concat()
}

/// The same v1 packet around other payload bytes.
fn rewritten(signed: &Received, flags: u8, payload: &[u8]) -> Received {
    let frame = signed.bytes();
    let size = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let signature = &signed.packet().signature.unwrap();
    let parts = [&frame[..11], &[flags], &size, &frame[14..22], payload, signature].concat();
    Received::decode(&parts.into()).unwrap()
}

#[test]
fn announces_read_and_write() {
    let fields = |name| Announce::decode(&received(name).packet().payload).unwrap();
    let alice = Announce {
        nickname: "alice".into(),
        noise_public: key("alice", "noise_public"),
        signing_public: key("alice", "sign_public"),
        neighbours: vec![],
        capabilities: Some(Capabilities::of([0, 3, 5, 8, 9])),
        bridge_geohash: None,
    };
    assert_eq!(fields("announce_alice_ios_min"), alice);
    assert_eq!(alice.encode().unwrap(), hex(&vector("announce_alice_ios_min")["payload_hex"]));

    let crowded = Announce {
        neighbours: vec![peer("bob"), peer("carol")],
        capabilities: Some(Capabilities::NONE),
        ..alice
    };
    assert_eq!(fields("announce_alice_neighbours_ios"), crowded);
    assert_eq!(crowded.encode().unwrap(), hex(&vector("announce_alice_neighbours_ios")["payload_hex"]));

    let bob = fields("announce_bob_android_neighbours");
    assert_eq!(bob.nickname, "bob");
    assert_eq!(bob.neighbours, [peer("alice"), peer("carol")]);
    assert_eq!(bob.fingerprint().peer_id(), peer("bob"));

    let golden = Announce::decode(&bytes("announce_tlv_golden")).unwrap();
    assert_eq!((golden.noise_public, golden.signing_public), ([0x11; 32], [0x22; 32]));
    // Without the unknown field that the vector ends with.
    assert_eq!(
        golden.encode().unwrap(),
        bytes("announce_tlv_golden").slice(..bytes("announce_tlv_golden").len() - 4)
    );
}

#[test]
fn texts_and_goodbyes_read() {
    for name in ["public_message_short", "public_message_compressed_zlib5", "public_message_compressed_zlib6"]
    {
        assert_eq!(vector(name)["inputs"]["text"], message::text(&received(name).packet().payload).unwrap());
    }
    assert_eq!(Leave::decode(&received("leave").packet().payload), Ok(Leave::Mesh));
}

#[test]
fn inner_payloads_read_and_write() {
    let id = || "9F1D2C3B-0A1B-4C2D-8E3F-112233445566".to_owned();
    let payloads = [
        (
            "noise_typed_private_message",
            NoisePayload::PrivateMessage { id: "m1".into(), content: "hi".into() },
        ),
        ("noise_typed_delivered", NoisePayload::Delivered { id: id() }),
        ("noise_typed_read", NoisePayload::ReadReceipt { id: id() }),
        (
            "noise_typed_peer_state",
            NoisePayload::PeerState(PeerState {
                capabilities: Capabilities::of([0, 3, 5, 8, 9]),
                signing_public: key("alice", "sign_public"),
            }),
        ),
    ];
    for (name, payload) in payloads {
        assert_eq!(payload.encode().unwrap(), bytes(name), "{name}");
        assert_eq!(NoisePayload::decode(&bytes(name)), Ok(payload), "{name}");
    }
    let typed = [&[1], bytes("private_message_tlv").as_ref()].concat();
    assert_eq!(typed, bytes("noise_typed_private_message"));
}

#[test]
fn files_read_and_write() {
    let file = |name: &str, mime: &str, content: &'static [u8]| MediaFile {
        name: name.into(),
        mime: mime.into(),
        content: Bytes::from_static(content),
    };
    let golden = file("a", "m", b"\xde\xad");
    assert_eq!(golden.encode().unwrap(), bytes("file_tlv_golden"));
    assert_eq!(MediaFile::decode(&bytes("file_tlv_golden")), Ok(golden));

    let private = NoisePayload::File(file("a.txt", "text/plain", &[1, 2, 3]));
    assert_eq!(private.encode().unwrap(), bytes("private_file_typed_golden"));
    assert_eq!(NoisePayload::decode(&bytes("private_file_typed_golden")), Ok(private));

    let public = file("t.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n");
    assert_eq!(MediaFile::decode(&received("file_transfer_public_v2").packet().payload), Ok(public.clone()));
    assert_eq!(public.media_type(), Ok(MediaType::Pdf));
    let mut packet = Packet {
        version: Version::V2,
        packet_type: PacketType::FileTransfer,
        payload: public.encode().unwrap().into(),
        ..public_message("alice", "")
    };
    sign(&mut packet);
    assert_eq!(packet.encode().unwrap(), bytes("file_transfer_public_v2"));

    let id = media_id(peer("alice"), peer("bob"), "voice_00112233aabbccdd.m4a");
    assert_eq!(vector("private_media_id")["text"], id);
    assert_eq!(id.as_bytes(), bytes("private_media_id"));
}

#[test]
fn voice_reads_and_writes() {
    let units = vec![Bytes::from_static(b"\xaa\xbb\xcc"), Bytes::from_static(b"\xdd")];
    for (name, number, body) in [
        ("voice_start", 0, VoiceBody::Start { codec: AAC_LC_16K }),
        ("voice_data", 1, VoiceBody::Sound(units)),
        ("voice_end", 2, VoiceBody::End { packets: 1, milliseconds: 128 }),
        ("voice_cancel", 2, VoiceBody::Canceled),
    ] {
        let packet = VoicePacket { burst: *b"\x00\x11\x22\x33\xaa\xbb\xcc\xdd", number, body };
        assert_eq!(packet.encode().unwrap(), bytes(name), "{name}");
        assert_eq!(VoicePacket::decode(&bytes(name)), Ok(packet.clone()), "{name}");
        let private = NoisePayload::Voice(packet);
        let plaintext = [&[8], bytes(name).as_ref()].concat();
        assert_eq!(private.encode().unwrap(), plaintext, "{name}");
        assert_eq!(NoisePayload::decode(&plaintext.into()), Ok(private), "{name}");
    }
}

#[test]
fn nostr_events_are_carried() {
    let carrier = NostrCarrier {
        direction: Direction::FromGateway,
        geohash: "u33dc".into(),
        event: Bytes::from_static(b"{\"kind\":20000}"),
    };
    assert_eq!(carrier.encode().unwrap(), bytes("nostr_carrier_payload"));
    assert_eq!(NostrCarrier::decode(&bytes("nostr_carrier_payload")), Ok(carrier));
}

#[test]
fn courier_envelopes_read_and_write() {
    let sealed = |name: &str, copies| CourierEnvelope {
        tag: bytes("courier_tag_bob").as_ref().try_into().unwrap(),
        expires: UnixMillis(vector(name)["inputs"]["expiry_ms"].as_u64().unwrap()),
        ciphertext: bytes("courier_ciphertext"),
        copies,
        prekey: None,
    };
    for (name, copies) in [("courier_envelope_1copy", 1), ("courier_envelope_4copies", 4)] {
        let envelope = sealed(name, copies);
        assert_eq!(CourierEnvelope::decode(&bytes(name)), Ok(envelope.clone()));
        assert_eq!(envelope.encode().unwrap(), bytes(name));
    }
}

#[test]
fn a_prekey_bundle_reads_writes_and_verifies() {
    let bundle = PrekeyBundle::decode(&bytes("prekey_bundle")).unwrap();
    assert_eq!((bundle.noise_public, bundle.generated), (key("alice", "noise_public"), TIME));
    assert_eq!(bundle.prekeys.iter().map(|prekey| prekey.id).collect::<Vec<_>>(), [7]);
    assert_eq!(bundle.encode().unwrap(), bytes("prekey_bundle"));
    let signed = bundle.signing_preimage().unwrap();
    assert_eq!(signed, preimage("prekey_bundle"));
    let signer = SigningKey::from_bytes(&key("alice", "sign_seed"));
    let (noise_public, prekeys) = (bundle.noise_public, bundle.prekeys.clone());
    let sign = |preimage: &[u8]| signer.sign(preimage).to_bytes();
    assert_eq!(PrekeyBundle::signed(noise_public, prekeys, TIME, sign), Ok(bundle));
}

#[test]
fn noise_packets_are_padded_to_a_block() {
    let names = [
        "noise_handshake_packet_1_padded",
        "noise_handshake_packet_2_padded",
        "noise_handshake_packet_3_padded",
        "noise_encrypted_packet_padded",
        "noise_encrypted_packet_signed_padded",
    ];
    for name in names {
        let received = received(name);
        assert_eq!(vector(name)["unpadded_length"], received.frame_len(), "{name}");
        let mut frame = received.packet().encode().unwrap();
        padding::pad(&mut frame);
        assert_eq!(frame, bytes(name), "{name}");
        assert_eq!(vector(name)["padded_length"], frame.len(), "{name}");
    }
    for (number, name) in (1..).zip(&names[..3]) {
        assert_eq!(noise::handshake_message(received(name).packet().payload.len()), Some(number));
    }
    let (counter, ciphertext) = noise::transport(&received(names[3]).packet().payload).unwrap();
    assert_eq!((counter, ciphertext), (0, bytes("noise_transport_0").slice(4..)));
}

#[test]
fn the_padding_table_holds() {
    let table = FILE["vectors"].as_array().unwrap().iter();
    let mut rows = 0;
    for row in table.filter(|row| row["name"].as_str().unwrap().starts_with("padding_len_")) {
        let len = usize::try_from(row["inputs"]["length"].as_u64().unwrap()).unwrap();
        let mut frame = vec![0; len];
        padding::pad(&mut frame);
        assert_eq!(row["padded_length"], frame.len(), "{len}");
        match row["pad_byte"].as_u64() {
            Some(byte) => assert!(frame[len..].iter().all(|&pad| u64::from(pad) == byte), "{len}"),
            None => assert_eq!(frame.len(), len),
        }
        rows += 1;
    }
    assert_eq!(rows, 12);
}

#[test]
fn a_route_is_part_of_what_is_signed() {
    let routed = received("v2_routed_signed_noise");
    assert_eq!(routed.packet().route, [peer("carol")]);
    assert_eq!(verify(&routed), Some(0));
    let elsewhere = Packet { route: vec![peer("alice")], ..routed.packet().clone() };
    assert_eq!(verify(&Received::decode(&elsewhere.encode().unwrap().into()).unwrap()), None);

    let golden = received("v2_routed_signed_golden");
    assert_eq!((golden.packet().ttl, golden.packet().timestamp), (5, UnixMillis(42)));
    assert_eq!(golden.packet().route.len(), 2);
    assert_eq!(golden.packet().signature, Some([0x5A; 64]));
}

#[test]
fn fragments_are_cut_and_joined() {
    let source = bytes("fragment_source_frame");
    let id = *b"\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7";
    for chunk in [469, 462] {
        let mut joined = Vec::new();
        for piece in fragments(&source, id, PacketType::Message, chunk).unwrap() {
            let name = format!("fragment_{chunk}_{}", piece.index);
            let packet = Packet {
                packet_type: PacketType::Fragment,
                payload: piece.encode().into(),
                signature: None,
                ..received("fragment_source_frame").into_packet()
            };
            assert_eq!(packet.encode().unwrap(), bytes(&name), "{name}");
            assert_eq!(Fragment::decode(&received(&name).packet().payload), Ok(piece.clone()), "{name}");
            joined.extend(piece.data);
        }
        assert_eq!(joined, source);
    }
    let golden = Fragment {
        id: [0, 1, 2, 3, 4, 5, 6, 7],
        index: 1,
        total: 3,
        original_type: PacketType::Message,
        data: Bytes::from_static(b"\xaa\xbb"),
    };
    assert_eq!(golden.encode(), bytes("fragment_header_golden"));
    assert_eq!(Fragment::decode(&bytes("fragment_header_golden")), Ok(golden));
}

#[test]
fn packet_ids_and_the_dedup_text_of_ios_agree() {
    for (name, base) in [
        ("packet_id_public_message_short", "public_message_short"),
        ("packet_id_announce_alice", "announce_alice_ios_min"),
    ] {
        assert_eq!(received(base).packet().id().as_bytes(), bytes(name).as_ref(), "{name}");
    }
    // Our own key is the packet id; this is what iOS makes of the same fields.
    let packet = received("public_message_short").into_packet();
    let payload_hash = to_hex(&Sha256::digest(&packet.payload)[..4]);
    let dedup =
        format!("{}-{}-{}-{payload_hash}", packet.sender, packet.timestamp, packet.packet_type.code());
    assert_eq!(vector("ios_dedup_id")["text"], dedup);
}

/// A filter as a request carries it.
fn filter(p: u8, m: u64, bits: &Bytes) -> Filter {
    let m = u32::try_from(m).unwrap().to_be_bytes();
    let len = u16::try_from(bits.len()).unwrap().to_be_bytes();
    let payload = [&[1, 0, 1, p, 2, 0, 4], m.as_slice(), &[3], &len, bits].concat();
    RequestSync::decode(&payload.into()).unwrap().filter
}

fn packet_id(value: &Value) -> PacketId {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn filters_are_coded_and_read() {
    for name in ["gcs_20", "gcs_2"] {
        let entry = vector(name);
        let ids = entry["inputs"]["ids"].as_array().unwrap();
        let hashes: Vec<FilterHash> = ids.iter().map(|id| FilterHash::of(packet_id(id))).collect();
        let made = Filter::of(&hashes, 400);
        assert_eq!(made, (filter(7, entry["M"].as_u64().unwrap(), &bytes(name)), ids.len()), "{name}");
        let members = made.0.members();
        assert_eq!(json!(members.places()), entry["values"], "{name}");
        assert!(hashes.iter().all(|&hash| members.contains(hash)));
    }
}

#[test]
fn an_overfull_filter_covers_what_fits() {
    let id = |n: u32| {
        let digest = Sha256::digest(n.to_be_bytes());
        FilterHash::of(PacketId(digest[..16].try_into().unwrap()))
    };
    let hashes: Vec<FilterHash> = (0..500).map(id).collect();
    for name in ["gcs_500_ios", "gcs_500_android"] {
        let entry = vector(name);
        let (made, covered) = Filter::of(&hashes, 400);
        assert_eq!(made, filter(7, entry["M"].as_u64().unwrap(), &bytes(name)), "{name}");
        assert_eq!(entry["count"], made.members().places().len());
        assert_eq!(covered, 355);
    }
}

#[test]
fn sync_requests_are_written_and_read() {
    let ids = ["packet_id_announce_alice", "packet_id_public_message_short"];
    let hashes = ids.map(|name| FilterHash::of(PacketId(bytes(name).as_ref().try_into().unwrap())));
    for (name, recipient, hashes) in
        [("request_sync_unicast", Some("bob"), &hashes[..]), ("request_sync_broadcast_empty", None, &[])]
    {
        let request = RequestSync {
            filter: Filter::of(hashes, 400).0,
            types: Some(SyncTypes::of([PacketType::Announce, PacketType::Message])),
            since: None,
            fragment_ids: Vec::new(),
        };
        let mut packet = Packet {
            packet_type: PacketType::RequestSync,
            ttl: 0,
            recipient: recipient.map(peer),
            payload: request.encode().unwrap().into(),
            ..public_message("alice", "")
        };
        assert_eq!(packet.payload, hex(&vector(name)["payload_hex"]), "{name}");
        sign(&mut packet);
        assert_eq!(packet.encode().unwrap(), bytes(name), "{name}");
        assert_eq!(verify(&received(name)), Some(0), "{name}");
        assert_eq!(RequestSync::decode(&received(name).packet().payload), Ok(request), "{name}");
    }
    let golden = RequestSync::decode(&bytes("request_sync_golden")).unwrap();
    assert_eq!(
        (golden.filter.p(), golden.filter.m(), &golden.filter.bits()[..]),
        (19, 0x0102_0304, &[0xAA, 0xBB][..])
    );
    assert_eq!(golden.wanted(), SyncTypes::of([PacketType::Announce, PacketType::Message]));
    assert_eq!(golden.encode().unwrap(), bytes("request_sync_golden"));
}

#[test]
fn types_of_a_sync_request_are_bits() {
    use PacketType::{Announce, BoardPost, FileTransfer, Fragment, GroupMessage, Message, PrekeyBundle};
    let all = SyncTypes::of([Announce, Message, GroupMessage]);
    assert_eq!(all.encode(), bytes("sync_types_bitfields"));
    for (of, coded) in [
        (vec![Announce, Message], &[3][..]),
        (vec![Fragment], &[0x20]),
        (vec![FileTransfer], &[0x80]),
        (vec![BoardPost], &[0, 1]),
        (vec![PrekeyBundle], &[0, 2]),
    ] {
        assert_eq!(SyncTypes::of(of).encode(), coded);
    }
}

#[test]
fn a_ping_and_its_pong_carry_the_same_nonce() {
    let probe = Probe { nonce: [1, 2, 3, 4, 5, 6, 7, 8], origin_ttl: 7 };
    for name in ["ping", "pong"] {
        assert_eq!(Probe::decode(&received(name).packet().payload), Ok(probe), "{name}");
        assert_eq!(to_hex(&probe.encode()), vector(name)["payload_hex"], "{name}");
    }
}

#[test]
fn a_described_packet_has_its_fields() {
    let routed = json::describe(&received("v2_routed_signed_noise"));
    assert_eq!(routed["type"], "noiseEncrypted");
    assert_eq!(routed["route"], json!([peer("carol").to_string()]));
    assert_eq!(routed["recipient"], peer("bob").to_string());
    assert_eq!(
        routed["flags"],
        json!({ "recipient": true, "signature": true, "compressed": false, "route": true, "rsr": false })
    );
    assert_eq!(routed["payload"], json!({ "counter": 0, "ciphertext_length": 25 }));

    let announce = json::describe(&received("announce_bob_android_neighbours"));
    assert_eq!(announce["payload"]["nickname"], "bob");
    assert_eq!(announce["payload"]["capabilities"], json!(["privateMedia"]));
    assert_eq!(announce["payload"]["neighbours"][0], peer("alice").to_string());
    assert_eq!(announce["recipient"], Value::Null);

    let compressed = json::describe(&received("public_message_compressed_zlib5"));
    assert_eq!(compressed["flags"]["compressed"], true);
    assert_eq!(compressed["payload_hex"], vector("public_message_compressed_zlib5")["payload_hex"]);

    assert_eq!(json::describe(&received("noise_handshake_packet_2_padded"))["payload"]["message"], 2);
    assert_eq!(json::describe(&received("leave"))["payload"], json!({ "channel": null }));
    let fragment = json::describe(&received("fragment_469_1"));
    assert_eq!(fragment["payload"]["original_type"], "message");
    let asked = json::describe(&received("request_sync_unicast"));
    assert_eq!(
        asked["payload"],
        json!({
            "p": 7, "m": 256, "packets": 2, "types": ["announce", "message"], "since_ms": null, "fragment_ids": []
        })
    );
    let ping = json!({ "nonce": "0102030405060708", "origin_ttl": 7 });
    assert_eq!(json::describe(&received("ping"))["payload"], ping);
}

#[test]
fn verification_reads_and_writes_and_its_signatures_fit() {
    let challenge = VerifyChallenge {
        noise_public: key("bob", "noise_public"),
        nonce: *b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
    };
    let payload = NoisePayload::VerifyChallenge(challenge);
    let typed = [&[0x10], bytes("verify_challenge_tlv").as_ref()].concat();
    assert_eq!(payload.encode().unwrap(), typed);
    assert_eq!(NoisePayload::decode(&typed.into()), Ok(payload));

    let signed = challenge.signing_preimage();
    assert_eq!(signed, preimage("verify_response_tlv"));
    let signature = SigningKey::from_bytes(&key("bob", "sign_seed")).sign(&signed).to_bytes();
    let payload = NoisePayload::VerifyResponse(VerifyResponse { challenge, signature });
    let typed = [&[0x11], bytes("verify_response_tlv").as_ref()].concat();
    assert_eq!(payload.encode().unwrap(), typed);
    assert_eq!(NoisePayload::decode(&typed.into()), Ok(payload));
}

#[test]
fn a_verification_code_is_the_apps() {
    let wanted = vector("qr_canonical");
    let code = VerifyCode {
        noise_public: key("alice", "noise_public"),
        signing_public: key("alice", "sign_public"),
        nickname: "alice".to_owned(),
        made: 1_750_000_000,
        nonce: *b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
        npub: None,
    };
    assert_eq!(code.signing_preimage().unwrap(), bytes("qr_canonical"));
    let sign = |preimage: &[u8]| SigningKey::from_bytes(&key("alice", "sign_seed")).sign(preimage).to_bytes();
    let url = wanted["url"].as_str().unwrap();
    assert_eq!(code.to_text(sign).unwrap(), url);
    let scanned = ScannedCode::from_text(url).unwrap();
    assert_eq!(
        (scanned.code(), scanned.signature().as_slice()),
        (&code, hex(&wanted["signature_hex"]).as_ref())
    );
}

#[test]
fn a_list_of_vouches_reads_and_writes() {
    let fingerprint = Fingerprint::of(&key("bob", "noise_public"));
    let signing_public = key("bob", "sign_public");
    let signed = Vouch::signing_preimage(&fingerprint, &signing_public, TIME);
    assert_eq!(signed, preimage("vouch_list_payload"));
    let signature = SigningKey::from_bytes(&key("alice", "sign_seed")).sign(&signed).to_bytes();
    let payload = NoisePayload::Vouches(vec![Vouch { fingerprint, signing_public, made: TIME, signature }]);
    let typed = [&[0x12], bytes("vouch_list_payload").as_ref()].concat();
    assert_eq!(payload.encode().unwrap(), typed);
    assert_eq!(NoisePayload::decode(&typed.into()), Ok(payload));
}

/// Our own message id is the packet's; this is what iOS makes of the same fields.
#[test]
fn the_message_id_of_ios_rests_on_fields_that_we_have() {
    let file = vector("mesh_stable_message_id");
    let sender: PeerId = file["inputs"]["sender"].as_str().unwrap().parse().unwrap();
    let sent = UnixMillis(file["inputs"]["ts"].as_u64().unwrap());
    let text = file["inputs"]["text"].as_str().unwrap();
    let digest = Sha256::digest(format!("{sender}|{sent}|{}", text.trim()));
    assert_eq!(to_hex(&digest[..16]), to_hex(&bytes("mesh_stable_message_id")));
}
