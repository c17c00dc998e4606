//! The vectors of `tests/vectors/htx.json`, which an independent implementation made, through the public door.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use hopline::htx::gate::{Gate, GateConfig, Verdict};
use hopline::htx::ticket::{Carrier, Policy, Presented, TicketSecret, issue};
use hopline::ids::{NodeId, parse_hex};
use hopline::time::{Now, UnixMillis};
use hopline::wire::record::{HTX_PROTOCOL, NodeRecord};
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};
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

/// The generator of the vector's client: its key, its nonce, zeros for the draws of carrier and length, its padding.
struct Scripted(Vec<Vec<u8>>);

impl RngCore for Scripted {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.0.remove(0));
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(buffer);
        Ok(())
    }
}

impl CryptoRng for Scripted {}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(vector[field].as_str().unwrap().as_bytes()).unwrap()
}

fn array<const N: usize>(vector: &Value, field: &str) -> [u8; N] {
    bytes(vector, field).try_into().unwrap()
}

/// The day of hour 487,000.
const TICKET_DAY: u32 = 487_000 / 24;

#[test]
fn r10_a_ticket_is_the_vector_byte_for_byte() {
    let vector = &vectors()["ticket_1_1"];
    let secret =
        TicketSecret::from_parts(array(vector, "ticket_key_id"), TICKET_DAY, &array(vector, "ticket_priv"));
    assert_eq!(secret.public().public, array::<32>(vector, "ticket_pub"));

    let record = NodeRecord {
        signing_public: [0; 32],
        noise_public: [0; 32],
        protocols: vec![HTX_PROTOCOL.to_owned()],
        ticket_keys: vec![secret.public()],
        policy: Policy::default().to_string(),
        cookie_name: "__Host-sid".to_owned(),
        host: "relay.example".to_owned(),
        addresses: vec![],
        tunnel_path: "/".to_owned(),
        content_type: "application/grpc".to_owned(),
        roles: vec![],
        mix_keys: vec![],
        weight: 1,
        as_group: 0,
        expires: u64::MAX,
    };
    let mut script = Scripted(["cli_priv", "nonce32", "pad"].map(|field| bytes(vector, field)).to_vec());
    let hour = vector["hour"].as_u64().unwrap();
    let issued = issue(&record, UnixMillis(hour * 3_600_000), &mut script).unwrap();
    assert_eq!(issued.value, vector["b64url"].as_str().unwrap());
    assert_eq!((issued.carrier, issued.name.as_str()), (Carrier::Cookie, "__Host-sid"));
}

#[test]
fn r10_the_vector_is_admitted_in_its_three_hours_and_in_no_other() {
    let vector = &vectors()["ticket_1_1"];
    let hour = vector["hour"].as_u64().unwrap();
    let cookie = format!("__Host-sid={}", vector["b64url"].as_str().unwrap());
    let presented = Presented { cookie: Some(cookie.as_bytes()), ..Presented::default() };
    for (now, admitted) in
        [(hour - 2, false), (hour - 1, true), (hour, true), (hour + 1, true), (hour + 2, false)]
    {
        let secret = TicketSecret::from_parts(
            array(vector, "ticket_key_id"),
            TICKET_DAY,
            &array(vector, "ticket_priv"),
        );
        let config = GateConfig::new("__Host-sid".to_owned());
        let mut gate = Gate::new(config, [secret], [], ChaCha20Rng::from_seed([0; 32]));
        let now = Now { unix: UnixMillis(now * 3_600_000), ..Now::default() };
        let verdict = gate.check([192, 0, 2, 1].into(), &presented, now);
        assert_eq!(matches!(verdict, Verdict::Admitted { .. }), admitted, "{verdict:?}");
    }
}
