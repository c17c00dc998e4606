//! No entry of `tests/vectors/bitchat.json` is left out: those of verification, vouching and groups, and a list that
//! fails when an entry has no test.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use std::sync::LazyLock;

use bytes::Bytes;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hopline::ids::{Fingerprint, PeerId, to_hex};
use hopline::time::UnixMillis;
use hopline::wire::{
    GroupEnvelope, GroupState, GroupText, NoisePayload, ScannedCode, VerifyChallenge, VerifyCode,
    VerifyResponse, Vouch,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

static FILE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("vectors/bitchat.json")).unwrap());

/// Where vectors are tested, as text.
const TESTS: [&str; 4] = [
    include_str!("wire_vectors.rs"),
    include_str!("wire_rooms.rs"),
    include_str!("crypto_vectors.rs"),
    include_str!("wire_every_vector.rs"),
];
/// Families of entries that a test goes through by the beginning of their names.
const FAMILIES: [(&str, &str); 2] =
    [("padding_len_", "\"padding_len_\""), ("identity_", "\"identity_{name}\"")];

fn vector(name: &str) -> &'static Value {
    let vectors = FILE["vectors"].as_array().unwrap();
    vectors.iter().find(|vector| vector["name"] == name).unwrap_or_else(|| panic!("no vector {name}"))
}

fn hex(value: &Value) -> Bytes {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn bytes(name: &str) -> Bytes {
    hex(&vector(name)["hex"])
}

fn preimage(name: &str) -> Bytes {
    hex(&vector(name)["signing_preimage_hex"])
}

fn key(identity: &str, field: &str) -> [u8; 32] {
    hex(&FILE["identities"][identity][field]).as_ref().try_into().unwrap()
}

fn signed_by(identity: &str, preimage: &[u8], signature: &[u8; 64]) -> bool {
    let key = VerifyingKey::from_bytes(&key(identity, "sign_public")).unwrap();
    key.verify_strict(preimage, &Signature::from_bytes(signature)).is_ok()
}

#[test]
fn every_vector_has_a_test() {
    let untested: Vec<&str> = FILE["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|vector| vector["name"].as_str().unwrap())
        .filter(|name| {
            let family = FAMILIES.iter().find(|(prefix, _)| name.starts_with(prefix));
            let wanted = family.map_or_else(|| format!("\"{name}\""), |(_, said)| (*said).to_owned());
            !TESTS.iter().any(|test| test.contains(&wanted))
        })
        .collect();
    assert!(untested.is_empty(), "no test speaks of {untested:?}");
    assert!(FILE["vectors"].as_array().unwrap().len() >= 90);
}

#[test]
fn challenges_and_their_answers_read_and_write() {
    let nonce: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let challenge = VerifyChallenge { noise_public: key("bob", "noise_public"), nonce };
    let plaintext = [&[0x10], bytes("verify_challenge_tlv").as_ref()].concat();
    let inner = NoisePayload::VerifyChallenge(challenge);
    assert_eq!(inner.encode().unwrap(), plaintext);
    assert_eq!(NoisePayload::decode(&plaintext.into()), Ok(inner));

    assert_eq!(challenge.signing_preimage(), preimage("verify_response_tlv"));
    let plaintext = [&[0x11], bytes("verify_response_tlv").as_ref()].concat();
    let bob = SigningKey::from_bytes(&key("bob", "sign_seed"));
    let signature = bob.sign(&challenge.signing_preimage()).to_bytes();
    let inner = NoisePayload::VerifyResponse(VerifyResponse { challenge, signature });
    assert_eq!(inner.encode().unwrap(), plaintext);
    assert_eq!(NoisePayload::decode(&plaintext.into()), Ok(inner));
}

#[test]
fn a_verification_code_reads_and_writes() {
    let file = vector("qr_canonical");
    let code = VerifyCode {
        noise_public: key("alice", "noise_public"),
        signing_public: key("alice", "sign_public"),
        nickname: "alice".to_owned(),
        made: 1_750_000_000,
        nonce: std::array::from_fn(|at| u8::try_from(at).unwrap()),
        npub: None,
    };
    assert_eq!(code.signing_preimage().unwrap(), bytes("qr_canonical"));
    let alice = SigningKey::from_bytes(&key("alice", "sign_seed"));
    let text = code.to_text(|preimage| alice.sign(preimage).to_bytes()).unwrap();
    assert_eq!(file["url"], text);
    let scanned = ScannedCode::from_text(&text).unwrap();
    assert_eq!(scanned.code(), &code);
    assert_eq!(scanned.signature().as_slice(), hex(&file["signature_hex"]));
}

#[test]
fn a_list_of_vouches_reads_and_writes() {
    let fingerprint = Fingerprint::of(&key("bob", "noise_public"));
    let (signing_public, made) = (key("bob", "sign_public"), UnixMillis(1_750_000_000_123));
    let signed = Vouch::signing_preimage(&fingerprint, &signing_public, made);
    assert_eq!(signed, preimage("vouch_list_payload"));
    let signature = SigningKey::from_bytes(&key("alice", "sign_seed")).sign(&signed).to_bytes();
    let inner = NoisePayload::Vouches(vec![Vouch { fingerprint, signing_public, made, signature }]);
    let plaintext = [&[0x12], bytes("vouch_list_payload").as_ref()].concat();
    assert_eq!(inner.encode().unwrap(), plaintext);
    assert_eq!(NoisePayload::decode(&plaintext.into()), Ok(inner));
}

#[test]
fn the_state_of_a_group_reads_and_writes() {
    let state = GroupState::decode(&bytes("group_state_payload")).unwrap();
    assert_eq!((state.name.as_str(), state.epoch), ("crew", 1));
    let members: Vec<&str> = state.members.iter().map(|member| member.nickname.as_str()).collect();
    assert_eq!(members, ["alice", "bob"]);
    assert_eq!(state.creator, Fingerprint::of(&key("alice", "noise_public")));
    assert_eq!(state.encode().unwrap().as_slice(), bytes("group_state_payload"));
    assert_eq!(state.signing_preimage().unwrap(), preimage("group_state_payload"));
    assert!(signed_by("alice", &state.signing_preimage().unwrap(), &state.signature));
}

#[test]
fn a_message_for_a_group_reads_opens_and_writes() {
    let envelope = GroupEnvelope::decode(&bytes("group_message_payload")).unwrap();
    assert_eq!(envelope.encode().unwrap(), bytes("group_message_payload"));
    let aad = GroupEnvelope::associated(envelope.group, envelope.epoch);
    let cipher = ChaCha20Poly1305::new(&[0x55; 32].into());
    let sealed = Payload { msg: &envelope.ciphertext, aad: &aad };
    let inner = cipher.decrypt(&envelope.nonce.into(), sealed).unwrap();
    assert_eq!(inner, hex(&vector("group_message_payload")["inputs"]["inner"]));

    let text = GroupText::decode(&inner.clone().into()).unwrap();
    assert_eq!((text.nickname.as_str(), text.content.as_str()), ("alice", "hi group"));
    assert_eq!(text.encode().unwrap(), inner);
    let signed = text.signing_preimage(envelope.group, envelope.epoch);
    assert_eq!(signed, preimage("group_message_payload"));
    assert!(signed_by("alice", &signed, &text.signature));
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
