//! What a relay writes into its log while it is used: codes and hashes, nobody's key, id or address (R53).

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod relay;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use hopline::clock::Clock;
use hopline::wire::mailbox::{Answer, Request};
use tracing_subscriber::EnvFilter;

use relay::{House, NOON, Owner, TOKEN, ask, ask_raw, waiting, within};

/// The hash of a tunnel, as it is shown.
const SHOWN: usize = 16;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The only test of this file: the log is the process's.
#[tokio::test]
async fn r53_the_log_of_a_session_holds_no_key_no_id_and_no_address() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("hopline=trace"))
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let clock = Clock::starting_at(NOON);
    let house = House::new();
    let relay = house.start(house.config(), clock).await;
    let tunnel = house.connect(&relay, clock, 1).await;
    let owner = Owner::new(1);
    assert_eq!(ask(&tunnel, &owner.create(&tunnel, TOKEN)).await, Answer::Ok);
    assert_eq!(ask(&tunnel, &owner.deposit(vec![0x5e; 2_000])).await, Answer::Ok);
    let ids: Vec<u64> = waiting(&tunnel, &owner).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ask(&tunnel, &owner.ack(&tunnel, ids)).await, Answer::Ok);
    assert_eq!(ask(&tunnel, &Owner::new(2).deposit("x")).await, Answer::Refused);
    ask_raw(&tunnel, vec![0, 0, 0, 1, 0xff].into()).await;
    assert!(matches!(ask(&tunnel, &Request::Record(None)).await, Answer::Record(_)));
    let record = relay.record();
    let port = relay.addresses()[0].port().to_string();
    let exporter = *tunnel.exporter();
    within(relay.stop()).await.unwrap();
    within(tunnel.closed()).await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("opened") && text.contains("closed"), "the log was read: {text}");
    let record = record.record();
    let mut secrets: Vec<(&str, Vec<u8>)> = vec![
        ("a mailbox's address", owner.address().to_vec()),
        ("a mailbox's key", owner.public().to_vec()),
        ("a deposit token", TOKEN.to_vec()),
        ("the exporter", exporter.to_vec()),
        ("the relay's signing key", record.signing_public.to_vec()),
        ("the relay's Noise key", record.noise_public.to_vec()),
        ("the relay's id", record.id().0.to_vec()),
        ("an envelope", vec![0x5e; 16]),
    ];
    secrets.extend(record.ticket_keys.iter().map(|key| ("a ticket key", key.public.to_vec())));
    secrets.extend(record.ticket_keys.iter().map(|key| ("a ticket key's id", key.id.to_vec())));
    for (what, bytes) in secrets {
        let list: Vec<String> = bytes.iter().take(6).map(u8::to_string).collect();
        for written in [
            HEXLOWER.encode(&bytes[..6]),
            HEXUPPER.encode(&bytes[..6]),
            BASE64.encode(&bytes[..6]),
            BASE64URL_NOPAD.encode(&bytes[..6]),
            list.join(", "),
        ] {
            assert!(!text.contains(&written), "{what}, {written}: {text}");
        }
    }
    assert!(!text.contains("127.0.0.1") && !text.contains(&format!(":{port}")), "an address: {text}");
    for line in text.lines() {
        // The time in front is no secret.
        let said = line.split_once(' ').map_or(line, |(_, said)| said);
        let is_code = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let word = said.split(|c: char| !is_code(c)).max_by_key(|word| word.len()).unwrap_or_default();
        let digits = said.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max().unwrap_or_default();
        assert!(digits <= SHOWN && word.len() <= 32, "{line}");
    }
}
