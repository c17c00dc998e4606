//! A received packet in words: what `packet decode` prints.

use serde_json::{Value, json};

use crate::ids::{PeerId, to_hex};

use super::error::PayloadError;
use super::{
    Announce, CourierEnvelope, Fragment, Leave, Packet, PacketType, PrekeyBundle, Probe, Received,
    RequestSync, message, noise,
};

/// One JSON object. Hex is lower case, an absent field is `null`, no route is `[]`.
///
/// `payload` has the fields of what this node reads, `{"error": …}` when only the payload does not parse, and is
/// `null` for the types it carries without reading.
pub fn describe(received: &Received) -> Value {
    let packet = received.packet();
    json!({
        "version": packet.version.number(),
        "type": packet.packet_type.to_string(),
        "type_code": packet.packet_type.code(),
        "ttl": packet.ttl,
        "timestamp_ms": packet.timestamp.0,
        "flags": {
            "recipient": packet.recipient.is_some(),
            "signature": packet.signature.is_some(),
            "compressed": received.is_compressed(),
            "route": !packet.route.is_empty(),
            "rsr": packet.rsr,
        },
        "sender": packet.sender.to_string(),
        "recipient": packet.recipient.map(|recipient| recipient.to_string()),
        "route": ids(&packet.route),
        "payload_hex": to_hex(&packet.payload),
        "signature": packet.signature.map(|signature| to_hex(&signature)),
        "payload": payload(packet).unwrap_or_else(|error| json!({ "error": error.to_string() })),
    })
}

fn payload(packet: &Packet) -> Result<Value, PayloadError> {
    let payload = &packet.payload;
    match packet.packet_type {
        PacketType::Announce => Announce::decode(payload).map(|announced| announce(&announced)),
        PacketType::Message => message::text(payload).map(|text| json!({ "text": text })),
        PacketType::Leave => Leave::decode(payload).map(|left| leave(&left)),
        PacketType::NoiseHandshake => handshake(payload.len()),
        PacketType::NoiseEncrypted => {
            let (counter, ciphertext) = noise::transport(payload)?;
            Ok(json!({ "counter": counter, "ciphertext_length": ciphertext.len() }))
        }
        PacketType::Ping | PacketType::Pong => Probe::decode(payload).map(|it| probe(&it)),
        PacketType::Fragment => Fragment::decode(payload).map(|piece| fragment(&piece)),
        PacketType::RequestSync => RequestSync::decode(payload).map(|request| request_sync(&request)),
        PacketType::CourierEnvelope => CourierEnvelope::decode(payload).map(|sealed| envelope(&sealed)),
        PacketType::PrekeyBundle => PrekeyBundle::decode(payload).map(|keys| bundle(&keys)),
        PacketType::FileTransfer
        | PacketType::BoardPost
        | PacketType::GroupMessage
        | PacketType::NostrCarrier
        | PacketType::VoiceFrame
        | PacketType::AnnounceV2
        | PacketType::Unknown(_) => Ok(Value::Null),
    }
}

fn announce(announce: &Announce) -> Value {
    json!({
        "nickname": announce.nickname,
        "noise_public": to_hex(&announce.noise_public),
        "signing_public": to_hex(&announce.signing_public),
        "fingerprint": announce.fingerprint().to_string(),
        "neighbours": ids(&announce.neighbours),
        "capabilities": announce.capabilities.map(|set| set.names().collect::<Vec<_>>()),
        "bridge_geohash": announce.bridge_geohash,
    })
}

fn leave(leave: &Leave) -> Value {
    match leave {
        Leave::Mesh => json!({ "channel": null }),
        Leave::Channel(name) => json!({ "channel": name }),
    }
}

/// The number is a guess: a handshake message does not say which one it is.
fn handshake(length: usize) -> Result<Value, PayloadError> {
    let number = noise::handshake_message(length).ok_or(PayloadError::Size {
        field: "handshake message",
        offset: 0,
        expected: "32, 96 or 64",
        got: length,
    })?;
    Ok(json!({ "message": number, "length": length }))
}

fn fragment(fragment: &Fragment) -> Value {
    json!({
        "id": to_hex(&fragment.id),
        "index": fragment.index,
        "total": fragment.total,
        "original_type": fragment.original_type.to_string(),
        "original_type_code": fragment.original_type.code(),
        "data_length": fragment.data.len(),
    })
}

fn request_sync(request: &RequestSync) -> Value {
    let wanted = request.wanted();
    let types = PacketType::NAMED.iter().filter(|&&named| wanted.contains(named));
    json!({
        "p": request.filter.p(),
        "m": request.filter.m(),
        "packets": request.filter.members().places().len(),
        "types": types.map(ToString::to_string).collect::<Vec<_>>(),
        "since_ms": request.since.map(|since| since.0),
        "fragment_ids": request.fragment_ids.iter().map(|id| to_hex(id)).collect::<Vec<_>>(),
    })
}

fn envelope(envelope: &CourierEnvelope) -> Value {
    json!({
        "tag": to_hex(&envelope.tag),
        "expires_ms": envelope.expires.0,
        "copies": envelope.copies,
        "prekey_id": envelope.prekey,
        "ciphertext_length": envelope.ciphertext.len(),
    })
}

fn bundle(bundle: &PrekeyBundle) -> Value {
    json!({
        "noise_public": to_hex(&bundle.noise_public),
        "prekey_ids": bundle.prekeys.iter().map(|prekey| prekey.id).collect::<Vec<_>>(),
        "generated_ms": bundle.generated.0,
    })
}

fn probe(probe: &Probe) -> Value {
    json!({ "nonce": to_hex(&probe.nonce), "origin_ttl": probe.origin_ttl })
}

fn ids(peers: &[PeerId]) -> Vec<String> {
    peers.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// The golden v1 packet of the Android contract tests, as another type.
    fn golden(packet_type: u8) -> Value {
        let mut frame: [u8; 25] =
            crate::ids::parse_hex("01020701020304050607080000031011121314151617aabbcc").unwrap();
        frame[1] = packet_type;
        describe(&Received::decode(&Bytes::copy_from_slice(&frame)).unwrap())
    }

    #[test]
    fn a_packet_of_an_unknown_type_is_described_without_its_payload() {
        assert_eq!(
            golden(0x7E),
            json!({
                "version": 1, "type": "0x7e", "type_code": 126, "ttl": 7, "timestamp_ms": 0x0102_0304_0506_0708_u64,
                "flags": {
                    "recipient": false, "signature": false, "compressed": false, "route": false, "rsr": false,
                },
                "sender": "1011121314151617", "recipient": null, "route": [], "payload_hex": "aabbcc",
                "signature": null, "payload": null,
            })
        );
    }

    #[test]
    fn a_payload_that_does_not_parse_says_why() {
        assert_eq!(golden(0x02)["payload"], json!({ "error": "payload offset 0: the text is not UTF-8" }));
        assert_eq!(
            golden(0x10)["payload"],
            json!({ "error": "payload offset 0: the handshake message has 3 bytes, not 32, 96 or 64" })
        );
        assert_eq!(
            golden(0x11)["payload"],
            json!({ "error": "payload offset 0: the counter takes 4 bytes, 3 are left" })
        );
    }
}
