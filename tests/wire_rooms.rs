//! The notice board and private groups on the wire: the vectors of `tests/vectors/bitchat.json`, both ways.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use std::sync::LazyLock;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use hopline::wire::Board;
use serde_json::Value;

static FILE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("vectors/bitchat.json")).unwrap());

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

/// Alice's signing key: what stands in the file is hers.
fn alice() -> SigningKey {
    SigningKey::from_bytes(&hex(&FILE["identities"]["alice"]["sign_seed"]).as_ref().try_into().unwrap())
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
