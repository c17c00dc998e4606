//! The notice board and private groups on the wire: the vectors of `tests/vectors/bitchat.json`, both ways.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

#[path = "common/vectors.rs"]
mod vectors;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use hopline::crypto::group::{open, seal};
use hopline::ids::{Fingerprint, GroupId};
use hopline::wire::{Board, GroupEnvelope, GroupState, GroupText, NoisePayload};
use vectors::{bytes, hex, key, preimage, vector};

/// Alice's signing key: what stands in the file is hers.
fn alice() -> SigningKey {
    SigningKey::from_bytes(&key("alice", "sign_seed"))
}

/// Read, written again, and signed as the file says.
fn board(name: &str) -> Board {
    let board = Board::decode(&bytes(name)).unwrap();
    assert_eq!(board.encode().unwrap(), bytes(name), "{name}");
    assert_eq!(board.signing_preimage(), preimage(name), "{name}");
    assert_eq!(*board.author(), alice().verifying_key().to_bytes());
    assert_eq!(*board.signature(), alice().sign(&board.signing_preimage()).to_bytes());
    board
}

#[test]
fn a_post_and_its_withdrawal_are_read_and_written() {
    let inputs = &vector("board_post_payload")["inputs"];
    let Board::Post(post) = board("board_post_payload") else { panic!("a post") };
    assert_eq!((post.content.as_str(), post.geohash.as_str()), ("water point open", "u33dc1"));
    assert_eq!((post.nickname.as_str(), post.is_urgent()), ("alice", true));
    assert_eq!(inputs["created"], post.created.0);
    assert_eq!(inputs["expires"], post.expires.0);
    let Board::Tombstone(tombstone) = board("board_tombstone_payload") else { panic!("a tombstone") };
    assert_eq!((tombstone.id, tombstone.author), (post.id, post.author));
    assert_eq!(vector("board_tombstone_payload")["inputs"]["deleted_at"], tombstone.deleted.0);
}

#[test]
fn a_groups_state_is_read_and_written_and_signed_by_its_creator() {
    let name = "group_state_payload";
    let state = GroupState::decode(&bytes(name)).unwrap();
    assert_eq!(state.encode().unwrap().as_slice(), bytes(name));
    assert_eq!((state.name.as_str(), state.epoch, state.members.len()), ("crew", 1, 2));
    let members: Vec<&str> = state.members.iter().map(|member| member.nickname.as_str()).collect();
    assert_eq!(members, ["alice", "bob"]);
    assert_eq!(state.members[0].fingerprint, state.creator);
    assert_eq!(state.creator, Fingerprint::of(&key("alice", "noise_public")));
    assert_eq!(state.signing_preimage().unwrap(), preimage(name));
    assert_eq!(state.signature, alice().sign(&preimage(name)).to_bytes());
    for inner in [6_u8, 7] {
        let plaintext = Bytes::from([&[inner], bytes(name).as_ref()].concat());
        let payload = NoisePayload::decode(&plaintext).unwrap();
        assert_eq!(payload.encode().unwrap(), plaintext);
    }
}

#[test]
fn a_groups_message_is_opened_and_sealed() {
    let name = "group_message_payload";
    let envelope = GroupEnvelope::decode(&bytes(name)).unwrap();
    assert_eq!(envelope.encode().unwrap(), bytes(name));
    assert_eq!(
        envelope.group,
        GroupId(hex(&"404142434445464748494a4b4c4d4e4f".into()).as_ref().try_into().unwrap())
    );
    let associated = GroupEnvelope::associated(envelope.group, envelope.epoch);
    let plaintext = open(&[0x55; 32], &envelope.nonce, &associated, &envelope.ciphertext).unwrap();
    assert_eq!(plaintext, hex(&vector(name)["inputs"]["inner"]));
    assert_eq!(seal(&[0x55; 32], &envelope.nonce, &associated, &plaintext).unwrap(), envelope.ciphertext);
    let text = GroupText::decode(&plaintext.clone().into()).unwrap();
    assert_eq!(text.encode().unwrap(), plaintext);
    assert_eq!((text.id.as_str(), text.content.as_str()), ("m-1", "hi group"));
    assert_eq!(text.nickname, "alice");
    assert_eq!(text.signing_preimage(envelope.group, envelope.epoch), preimage(name));
    assert_eq!(text.signature, alice().sign(&preimage(name)).to_bytes());
}
