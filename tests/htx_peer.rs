//! The second client of `tools/htx-peer`, written from the specification by somebody who had not read ours, visits a
//! relay of this process.

#![cfg(feature = "node")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]
#![expect(clippy::print_stdout, reason = "the client's steps are what the gate shows")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use hopline::clock::Clock;
use hopline::relay::config::HostName;
use hopline::relay::{self, Config, Relay, Setup, setup};
use hopline::time::UnixMillis;
use tokio::process::Command;
use tokio::time::timeout;

/// 2026-12-01, half past noon: suite 0x01 is refused from 2027-01-01 on (R18).
const NOW: UnixMillis = UnixMillis(1_796_128_200_000);
/// It takes 20 s on an idle machine, 12 of them waiting for the end of handshakes that failed.
const DEADLINE: Duration = Duration::from_secs(150);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python with tools/htx-peer/requirements.txt: .ci/run makes it"]
async fn the_second_client_completes_its_visit_by_suite_1() {
    visit("1").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python with tools/htx-peer/requirements.txt: .ci/run makes it"]
async fn the_second_client_completes_its_visit_by_suite_2() {
    visit("2").await;
}

#[tokio::test]
#[ignore = "needs Python with tools/htx-peer/requirements.txt: .ci/run makes it"]
async fn the_second_client_agrees_with_the_vectors() {
    let output = python(&["-m", "unittest"]).await;
    assert!(output.status.success(), "its own tests fail:\n{}", String::from_utf8_lossy(&output.stderr));
}

async fn visit(suite: &str) {
    let home = tempfile::tempdir().unwrap();
    let relay = start(home.path()).await;
    let (record, certificate) = (home.path().join("relay.record"), home.path().join("certificate.pem"));
    let address = relay.addresses()[0].to_string();
    let at = (NOW.0 / 1000).to_string();
    let output = python(&[
        "-m",
        "htx_peer",
        "--record",
        record.to_str().unwrap(),
        "--ca",
        certificate.to_str().unwrap(),
        "--address",
        &address,
        "--suite",
        suite,
        "--at",
        &at,
    ])
    .await;
    relay.stop().await.unwrap();
    let (steps, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{steps}");
    assert!(output.status.success(), "suite {suite}:\n{steps}{complaints}");
}

/// With the limits of any relay: what the client needs of a source's tickets is within the default.
async fn start(home: &Path) -> Relay {
    let wish = setup::Wish {
        host: HostName("relay.test".into()),
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        advertise: Vec::new(),
        certificate: None,
        decoy: None,
        metrics: None,
    };
    setup::make(home, &wish).unwrap();
    let config = Config::load(home).unwrap();
    let clock = Clock::starting_at(NOW);
    relay::start(Setup { home: home.to_owned(), config, clock, seed: [7; 32] }).await.unwrap()
}

async fn python(arguments: &[&str]) -> Output {
    let interpreter = std::env::var_os("HTX_PEER_PYTHON").expect("HTX_PEER_PYTHON names the interpreter");
    let run = Command::new(interpreter)
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/htx-peer"))
        .kill_on_drop(true)
        .output();
    timeout(DEADLINE, run).await.expect("the client comes to an end").unwrap()
}
