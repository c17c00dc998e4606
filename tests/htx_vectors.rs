//! The vectors of `tests/vectors/htx.json`, which an independent implementation made, through the public door.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use hopline::ids::{NodeId, parse_hex};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/htx.json")).unwrap()
}

#[test]
fn r55_a_node_id_is_the_vector() {
    let vector = &vectors()["peer_id"];
    let key = parse_hex(vector["pubkey"].as_str().unwrap()).unwrap();
    assert_eq!(NodeId::of(&key).to_string(), vector["peer_id"].as_str().unwrap());
    assert_eq!(vector["peer_id"].as_str().unwrap().parse(), Ok(NodeId::of(&key)));
}
