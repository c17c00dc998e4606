//! `hopline packet decode`, on the vectors.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod program;

use std::process::Stdio;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use program::{Bench, stderr, stdout};

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("vectors/bitchat.json")).unwrap());

fn vector(name: &str) -> String {
    let vectors = VECTORS["vectors"].as_array().unwrap();
    let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
    vector["hex"].as_str().unwrap().to_owned()
}

fn signing_key(who: &str) -> String {
    VECTORS["identities"][who]["sign_public"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_packet_is_printed_with_every_field() {
    let bench = Bench::new();
    let object = bench.json(&["packet", "decode", &vector("v1_packet_golden")]).await;
    assert_eq!(object["version"], 1);
    assert_eq!(object["type"], "message");
    assert_eq!(object["type_code"], 2);
    assert_eq!(object["ttl"], 7);
    assert_eq!(object["sender"], "1011121314151617");
    assert_eq!(object["recipient"], Value::Null);
    assert_eq!(object["route"], json!([]));
    assert_eq!(object["payload_hex"], "aabbcc");
    assert_eq!(object["signature"], Value::Null);
    assert!(object["payload"]["error"].is_string());
    let flags =
        json!({ "recipient": false, "signature": false, "compressed": false, "route": false, "rsr": false });
    assert_eq!(object["flags"], flags);
    assert!(object.get("signature_valid").is_none());
}

#[tokio::test]
async fn a_signature_is_checked_with_the_key_given_and_over_compressed_text_too() {
    let bench = Bench::new();
    for name in ["announce_alice_ios_min", "public_message_compressed_zlib5", "public_message_short_relayed"]
    {
        for (who, holds) in [("alice", true), ("bob", false)] {
            let arguments = ["packet", "decode", &vector(name), "--verify", &signing_key(who)];
            assert_eq!(bench.json(&arguments).await["signature_valid"], holds, "{name} by {who}");
        }
    }
}

#[tokio::test]
async fn bad_input_ends_with_one_line_that_names_offset_and_reason() {
    let bench = Bench::new();
    for (input, reason) in [
        ("01020z", "error: offset 2: character 5 is not a hex digit\n"),
        ("010", "error: offset 1: the last byte has one hex digit\n"),
        ("0102", "error: offset 0: the header takes 14 bytes, 2 are left\n"),
        ("ff02070102030405060708000003", "error: offset 0: version 255, only 1 and 2 are known\n"),
    ] {
        let output = bench.run(&["packet", "decode", input]).await;
        assert_eq!(output.status.code(), Some(1), "{input}");
        assert_eq!(stderr(&output), reason);
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn lines_give_one_object_each_and_a_bad_one_does_not_stop_them() {
    let bench = Bench::new();
    let mut command = bench.command(&["packet", "decode", "-", "--verify", &signing_key("alice")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input = format!("{}\nnonsense\n{}", vector("public_message_short"), vector("leave").to_uppercase());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let objects: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [message, error, leave] = objects.as_slice() else { panic!("{objects:?}") };
    assert_eq!((&message["type"], &message["signature_valid"]), (&json!("message"), &json!(true)));
    assert_eq!(*error, json!({ "error": "offset 0: character 0 is not a hex digit" }));
    assert_eq!((&leave["type"], &leave["signature_valid"]), (&json!("leave"), &json!(true)));
}
