//! `hopline relay` as a person uses it.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod program;
mod relay;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hopline::clock::Clock;
use hopline::net::client::Target;
use hopline::wire::mailbox::Answer;
use hopline::wire::read_record;
use serde_json::Value;

use program::{Bench, Running, stderr, stdout};
use relay::{Owner, TOKEN, ask, client, get, waiting, within};

const INIT: [&str; 8] = ["--home", "r", "relay", "init", "--host", "relay.test", "--listen", "127.0.0.1:0"];

async fn made() -> Bench {
    let bench = Bench::new();
    let object = bench.json(&[&INIT[..], &["--metrics", "127.0.0.1:0"]].concat()).await;
    assert!(object["config"].as_str().unwrap().ends_with("relay.toml"), "{object}");
    bench
}

async fn running(bench: &Bench) -> (Running, Value) {
    let mut running = bench.start(&["--home", "r", "relay"]);
    let ready = running.event("ready", |_| true).await;
    (running, ready)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn init_makes_what_run_needs_and_says_what_to_do_next() {
    let bench = Bench::new();
    let output = bench.run(&INIT).await;
    assert!(output.status.success(), "{}", stderr(&output));
    for said in ["relay run`", "relay record`", "No browser trusts it", "one of your own"] {
        assert!(stdout(&output).contains(said), "{said}: {}", stdout(&output));
    }
    assert_eq!(mode(&bench.path("r")), 0o700);
    for name in ["relay.key", "relay.db", "relay.toml", "certificate.key"] {
        assert_eq!(mode(&bench.path("r").join(name)), 0o600, "{name}");
    }

    let (mut running, ready) = running(&bench).await;
    let link = ready["record"].as_str().unwrap();
    let record = read_record(link.as_bytes()).unwrap();
    assert_eq!(record.record().host, "relay.test");
    let address = ready["addresses"][0].as_str().unwrap();
    assert_eq!(record.record().addresses, [address.parse().unwrap()]);
    assert!(running.signal("TERM", Duration::from_secs(20)).await, "it ends in good order");
}

#[tokio::test]
async fn the_record_can_be_shown_and_written_whether_the_relay_runs_or_not() {
    let bench = made().await;
    let output = bench.run(&["--home", "r", "relay", "record"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("hopline relay run"), "{}", stderr(&output));

    let (mut running, ready) = running(&bench).await;
    let output = bench.run(&["--home", "r", "relay", "record"]).await;
    assert_eq!(stdout(&output).trim(), ready["record"].as_str().unwrap());
    assert!(running.signal("TERM", Duration::from_secs(20)).await);

    let object = bench.json(&["--home", "r", "relay", "record", "--output", "record"]).await;
    assert_eq!(object["link"], ready["record"]);
    assert_eq!(object["id"], ready["id"]);
    let bytes = std::fs::read(bench.path("record")).unwrap();
    let record = read_record(&bytes).unwrap();
    assert_eq!(record.record().id().to_string(), ready["id"].as_str().unwrap());

    let output = bench.run(&["--home", "r", "relay", "record", "--explain"]).await;
    assert!(stdout(&output).contains("keys for 14 days"), "{}", stdout(&output));
}

#[tokio::test]
async fn a_second_init_and_a_second_run_are_refused_and_change_nothing() {
    let bench = made().await;
    let before = std::fs::read(bench.path("r/relay.key")).unwrap();
    let output = bench.run(&INIT).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("there is a relay already"), "{}", stderr(&output));
    assert_eq!(std::fs::read(bench.path("r/relay.key")).unwrap(), before);

    let (mut running, _) = running(&bench).await;
    let output = bench.run(&["--home", "r", "relay", "run"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("another process runs the relay"), "{}", stderr(&output));
    assert!(running.signal("INT", Duration::from_secs(20)).await);
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_said_with_what_to_do() {
    let bench = Bench::new();
    let output = bench.run(&["--home", "r", "relay"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("hopline relay init"), "{}", stderr(&output));

    let everywhere = ["--home", "r", "relay", "init", "--host", "relay.test"];
    let output = bench.run(&everywhere).await;
    assert!(stderr(&output).contains("--advertise"), "{}", stderr(&output));
    assert!(!bench.path("r").exists(), "nothing was begun");

    let bench = made().await;
    let shown = stdout(&bench.run(&["--home", "r", "relay", "check"]).await);
    let row = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(row("relay.host").contains("relay.toml:"), "{shown}");
    assert!(row("mailboxes.idle").contains("30d") && row("mailboxes.idle").ends_with("default"), "{shown}");
    let file = bench.path("r/relay.toml");
    let text = std::fs::read_to_string(&file).unwrap() + "\n[mailboxes]\nsizes = 3\n";
    let line = text.lines().count();
    std::fs::write(&file, text).unwrap();
    let output = bench.run(&["--home", "r", "relay"]).await;
    assert!(
        stderr(&output).contains(&format!("relay.toml:{line}: mailboxes.sizes: this is not known here")),
        "{}",
        stderr(&output)
    );
}

#[tokio::test]
async fn the_numbers_are_served_on_loopback_and_nothing_else_is() {
    let bench = made().await;
    let (mut running, ready) = running(&bench).await;
    let address: SocketAddr = ready["metrics"].as_str().unwrap().parse().unwrap();
    assert!(address.ip().is_loopback());
    let numbers = within(get(address, "/metrics")).await;
    assert!(numbers.starts_with("HTTP/1.1 200 OK"), "{numbers}");
    for name in ["mailboxes 0", "tunnels_open 0", "tickets_admitted_total 0"] {
        assert!(numbers.contains(&format!("\nhopline_relay_{name}\n")), "{name}: {numbers}");
    }
    assert!(within(get(address, "/relay.record")).await.starts_with("HTTP/1.1 404"));
    assert!(running.signal("TERM", Duration::from_secs(20)).await);
}

#[tokio::test]
async fn what_a_killed_relay_said_it_keeps_is_there_when_it_runs_again() {
    let bench = made().await;
    let owner = Owner::new(1);
    let mut kept: Vec<Bytes> = Vec::new();
    for round in 0..3 {
        let (mut running, ready) = running(&bench).await;
        let record = read_record(ready["record"].as_str().unwrap().as_bytes()).unwrap();
        let target = Target::new(record.record().clone());
        let clock = Clock::start();
        let tunnel = within(client(&bench.path("r"), clock, round).connect(&target)).await.unwrap();
        if round == 0 {
            assert_eq!(ask(&tunnel, &owner.create(&tunnel, TOKEN)).await, Answer::Ok);
        }
        let found: Vec<_> =
            waiting(&tunnel, &owner).await.into_iter().map(|(_, envelope)| envelope).collect();
        assert_eq!(found, kept, "each once, in order");
        for number in 0..5 {
            let envelope = format!("envelope {number} of round {round}");
            assert_eq!(ask(&tunnel, &owner.deposit(envelope.clone())).await, Answer::Ok);
            kept.push(envelope.into());
        }
        running.kill().await;
    }
}

#[tokio::test]
async fn sighup_reads_the_certificate_again_and_keeps_the_old_one_if_it_cannot() {
    let bench = made().await;
    let (mut running, _) = running(&bench).await;
    std::fs::write(bench.path("r/certificate.pem"), "no certificate").unwrap();
    running.signal_only("HUP").await;
    // It ends in good order, so the bad certificate did not end it.
    assert!(running.signal("TERM", Duration::from_secs(20)).await);
}
