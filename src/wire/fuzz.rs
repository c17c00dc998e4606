//! What must hold for any bytes at all: the bodies of the targets in `fuzz/`.

use bytes::Bytes;

use super::carrier::NostrCarrier;
use super::cbor::Value;
use super::letter::Letter;
use super::mailbox::{Answer, Frames, Op, Request};
use super::record::{MAX_RECORD_LEN, SignedRecord};
use super::voice::VoicePacket;
use super::{
    Announce, Board, CourierEnvelope, Fragment, GroupEnvelope, GroupText, Leave, MAX_CARD_LEN,
    MAX_PAYLOAD_LEN, MediaFile, NoisePayload, Packet, PrekeyBundle, Probe, Received, ReceivedCard,
    RequestSync, ScannedCode, body, direct, file, frame_len, json, link, message, noise, read_record,
    record_link,
};

/// Bytes that came over a link.
pub fn packet(frame: &[u8]) {
    let frame = Bytes::copy_from_slice(frame);
    let len = frame_len(&frame);
    let Ok(received) = Received::decode(&frame) else { return };
    let packet = received.packet();
    assert_eq!(len, Ok(Some(received.frame_len())));
    assert!(received.frame_len() <= frame.len() && packet.payload.len() <= MAX_PAYLOAD_LEN);

    let mut relayed = received.relayed(packet.ttl ^ 1).to_vec();
    assert_eq!(Received::decode(&relayed.clone().into()).map(Received::into_packet), Ok(other_ttl(packet)));
    relayed.iter_mut().skip(2).take(1).for_each(|ttl| *ttl ^= 1);
    assert_eq!(relayed, frame, "a relay changes the TTL and nothing else");

    let again = packet.encode().map(Bytes::from).expect("a packet that was read can be written");
    assert_eq!(Received::decode(&again).as_ref().map(Received::packet), Ok(packet));
    assert!((1..=4).contains(&received.signing_preimages().count()));
    assert!(json::describe(&received).is_object());
}

/// Bytes that came in a packet, of whatever type.
pub fn payloads(payload: &[u8]) {
    let payload = Bytes::copy_from_slice(payload);
    if let Ok(announce) = Announce::decode(&payload) {
        let again = announce.encode().map(Bytes::from).expect("an announce that was read can be written");
        assert_eq!(Announce::decode(&again), Ok(announce));
    }
    if let Ok(inner) = NoisePayload::decode(&payload) {
        let again = inner.encode().map(Bytes::from).expect("a payload that was read can be written");
        assert_eq!(NoisePayload::decode(&again), Ok(inner));
    }
    if let Ok(board) = Board::decode(&payload) {
        let again = board.encode().map(Bytes::from).expect("a notice that was read can be written");
        assert_eq!(Board::decode(&again), Ok(board));
    }
    if let Ok(envelope) = GroupEnvelope::decode(&payload) {
        let again = envelope.encode().map(Bytes::from).expect("an envelope that was read can be written");
        assert_eq!(GroupEnvelope::decode(&again), Ok(envelope));
    }
    if let Ok(text) = GroupText::decode(&payload) {
        let again = text.encode().map(Bytes::from).expect("a text that was read can be written");
        assert_eq!(GroupText::decode(&again), Ok(text));
    }
    if let Ok(envelope) = CourierEnvelope::decode(&payload) {
        let again = envelope.encode().map(Bytes::from).expect("an envelope that was read can be written");
        assert_eq!(CourierEnvelope::decode(&again), Ok(envelope));
    }
    if let Ok(bundle) = PrekeyBundle::decode(&payload) {
        let again = bundle.encode().map(Bytes::from).expect("a bundle that was read can be written");
        assert_eq!(PrekeyBundle::decode(&again), Ok(bundle));
    }
    if let Ok(probe) = Probe::decode(&payload) {
        assert!(payload.starts_with(&probe.encode()));
    }
    if let Ok(fragment) = Fragment::decode(&payload) {
        assert_eq!(fragment.encode(), payload);
    }
    if let Ok(request) = RequestSync::decode(&payload) {
        let again = request.encode().map(Bytes::from).expect("a request that was read can be written");
        assert_eq!(RequestSync::decode(&again), Ok(request.clone()));
        let members = request.filter.members();
        let bits = request.filter.bits().len() * 8;
        assert!(members.places().len() <= bits / (usize::from(request.filter.p()) + 1));
    }
    if let Ok(Leave::Channel(name)) = Leave::decode(&payload) {
        assert_eq!(name.as_bytes(), payload);
    }
    if let Ok(text) = message::text(&payload) {
        assert_eq!(text.as_bytes(), payload);
    }
    if let Ok((_, ciphertext)) = noise::transport(&payload) {
        assert!(ciphertext.len() >= noise::TAG_LEN);
    }
    media(&payload);
}

fn media(payload: &Bytes) {
    if let Ok(file) = MediaFile::decode(payload) {
        let again = file.encode().map(Bytes::from).expect("a file that was read can be written");
        assert_eq!(MediaFile::decode(&again), Ok(file));
    }
    if let Ok(voice) = VoicePacket::decode(payload) {
        assert_eq!(voice.encode().as_ref(), Ok(&payload.to_vec()), "a voice packet has one encoding");
    }
    if let Ok(carrier) = NostrCarrier::decode(payload) {
        let again = carrier.encode().map(Bytes::from).expect("a carrier that was read can be written");
        assert_eq!(NostrCarrier::decode(&again), Ok(carrier));
    }
}

/// A text that somebody scanned or pasted as a verification code.
pub fn verify_code(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(scanned) = ScannedCode::from_text(text) else { return };
    if let Ok(again) = scanned.code().to_text(|_| *scanned.signature()) {
        assert_eq!(ScannedCode::from_text(&again), Ok(scanned));
    }
}

/// Bytes that came as a contact card, and the same bytes as a text that somebody pasted.
pub fn card(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(received) = ReceivedCard::from_link(text)
    {
        assert_eq!(ReceivedCard::from_link(&link(received.bytes())), Ok(received));
    }
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(received) = ReceivedCard::decode(&bytes) {
        assert!(bytes.len() <= MAX_CARD_LEN);
        let mut preimage = Vec::new();
        let again = received.card().encode(|signed| {
            preimage = signed.to_vec();
            *received.signature()
        });
        assert_eq!(again, Ok(bytes), "a card has one encoding");
        assert_eq!(received.signing_preimage(), preimage);
    }
}

/// Bytes that came as DET-CBOR.
pub fn cbor(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(value) = Value::decode(&bytes) {
        assert_eq!(value.encode(), bytes, "a value has one encoding");
    }
}

/// Bytes that came as a node record.
pub fn record(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(signed) = SignedRecord::decode(&bytes) else { return };
    assert!(bytes.len() <= MAX_RECORD_LEN && signed.bytes() == &bytes);
    let again =
        signed.record().encode(|_| *signed.signature()).expect("a record that was read can be written");
    assert_eq!(again.record(), signed.record());
    assert_eq!(read_record(record_link(&bytes).as_bytes()), Ok(signed));
}

/// The same, of a file that somebody was given: a record's bytes, or a link.
pub fn record_file(content: &[u8]) {
    if let Ok(signed) = read_record(content) {
        assert_eq!(read_record(signed.bytes()), Ok(signed));
    }
}

/// Bytes that a contact sent: on a stream of its own, in a sealed envelope, for a file.
pub fn contact(bytes: &[u8]) {
    let mut frames = direct::Frames::default();
    frames.push(bytes);
    while let Ok(Some(frame)) = frames.next_frame() {
        let mut again = direct::Frames::default();
        again.push(&frame.encode().expect("a frame that was read can be written"));
        assert_eq!(again.next_frame(), Ok(Some(frame)));
    }
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(letter) = Letter::decode(&bytes) {
        assert_eq!(letter.encode(), bytes, "a letter has one encoding");
    }
    if let Ok(read) = body::decode(&bytes) {
        let again = body::encode(&read).map(Bytes::from).expect("a body that was read can be written");
        assert_eq!(body::decode(&again), Ok(read));
    }
    if let Ok(offer) = file::Offer::decode(&bytes) {
        assert_eq!(offer.encode().as_ref(), Ok(&bytes.to_vec()), "an offer has one encoding");
    }
    if let Ok(answer) = file::Answer::decode(&bytes) {
        assert!(bytes.starts_with(&answer.encode()));
    }
    if let Ok(verdict) = file::Verdict::decode(&bytes) {
        assert!(bytes.starts_with(&verdict.encode()));
    }
}

/// Bytes that came on a stream for the relay's services, and as what a relay answers.
pub fn mailbox(bytes: &[u8]) {
    let mut frames = Frames::default();
    frames.push(bytes);
    while let Ok(Some(content)) = frames.next_frame() {
        request(&content);
        for op in [Op::Create, Op::Deposit, Op::Fetch, Op::Ack, Op::Echo, Op::Record] {
            answer(op, &content);
        }
    }
    request(&Bytes::copy_from_slice(bytes));
}

fn request(content: &Bytes) {
    let Ok(request) = Request::decode(content) else { return };
    let again = request.encode().expect("a request that was read can be written");
    assert_eq!(again.slice(4..), content, "a request has one encoding");
    assert_eq!(request.preimage(&[0; 32]).is_some(), request.signature().is_some());
}

fn answer(op: Op, content: &Bytes) {
    let Ok(answer) = Answer::decode(op, content) else { return };
    let again = answer.encode().expect("an answer that was read can be written");
    assert_eq!(again.slice(4..), content, "an answer has one encoding");
}

fn other_ttl(packet: &Packet) -> Packet {
    Packet { ttl: packet.ttl ^ 1, ..packet.clone() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_targets_hold_for_noise(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::packet(&bytes);
            super::payloads(&bytes);
            super::card(&bytes);
            super::verify_code(&bytes);
            super::cbor(&bytes);
            super::record(&bytes);
            super::record_file(&bytes);
            super::contact(&bytes);
            super::mailbox(&bytes);
        }
    }
}
