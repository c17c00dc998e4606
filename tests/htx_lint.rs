//! `htx lint` and `htx probe` against a relay, a web site that is none, and a relay that keeps to no rule.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod htx;
mod htx_careless;
mod program;
mod relay;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use hopline::clock::Clock;
use hopline::crypto::Identity;
use hopline::htx::ticket::TicketSecret;
use hopline::net::decoy::Decoy;
use hopline::net::lint::{Line, Subject, Verdict, lint};
use hopline::net::tls::Roots;
use hopline::time::UnixMillis;
use hopline::wire::record::{NodeRecord, SignedRecord};
use hopline::wire::record_link;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use htx::{HOST, Host, Wish};
use htx_careless::Careless;
use program::{Bench, stderr};
use relay::{House, NOON};

/// Everything that one visit with a record can show.
const SHOWN: [u8; 28] = [
    1, 3, 4, 6, 9, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21, 22, 23, 25, 27, 28, 29, 30, 31, 34, 36, 39, 54, 55,
];

/// A time at which no hour changes for a while.
fn twenty_past() -> Clock {
    Clock::starting_at(NOON + Duration::from_secs(1200))
}

fn signed(record: &NodeRecord) -> SignedRecord {
    let keys = Identity::from_bytes(&[5; 64]);
    let record = NodeRecord { signing_public: keys.signing_public(), ..record.clone() };
    record.encode(|preimage| keys.sign(preimage)).unwrap()
}

async fn linted(
    host: &str,
    address: SocketAddr,
    record: Option<SignedRecord>,
    roots: &Roots,
    clock: Clock,
) -> Vec<Line> {
    let subject = Subject { host: host.to_owned(), address, record };
    lint(&subject, roots, clock, Zeroizing::new([8; 32])).await.unwrap()
}

fn with(verdict: Verdict, lines: &[Line]) -> Vec<u8> {
    lines.iter().filter(|line| line.finding.verdict == verdict).map(|line| line.number).collect()
}

fn because(lines: &[Line], number: u8) -> &str {
    &lines.iter().find(|line| line.number == number).unwrap().finding.because
}

#[tokio::test]
async fn a_relay_meets_everything_that_one_visit_can_show() {
    let house = House::new();
    let clock = twenty_past();
    let relay = house.start(house.config(), clock).await;
    let (record, address) = (relay.record(), relay.addresses()[0]);
    let lines = linted("relay.test", address, Some(record), &house.roots(), clock).await;
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), (1..=55).collect::<Vec<_>>());
    let failed: Vec<_> = lines.iter().filter(|line| line.finding.verdict == Verdict::NotMet).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(with(Verdict::Met, &lines), SHOWN);
    assert!(lines.iter().all(|line| !line.finding.because.is_empty()));
    relay.stop().await.unwrap();
}

#[tokio::test]
async fn in_2027_the_same_relay_refuses_the_classical_suite_and_that_is_met() {
    let house = House::new();
    // 2027-03-01 12:20.
    let clock = Clock::starting_at(UnixMillis(1_803_903_600_000));
    let relay = house.start(house.config(), clock).await;
    let (record, address) = (relay.record(), relay.addresses()[0]);
    let lines = linted("relay.test", address, Some(record), &house.roots(), clock).await;
    assert_eq!(with(Verdict::NotMet, &lines), [0; 0], "{lines:#?}");
    let met = with(Verdict::Met, &lines);
    assert!(met.contains(&18) && !met.contains(&16), "{met:?}");
    relay.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_record_only_what_any_visitor_sees_is_looked_at() {
    let host = Host::start().await;
    let lines = linted(HOST, host.address(), None, &host.roots, host.clock).await;
    assert_eq!(with(Verdict::Met, &lines), [1, 3, 4, 6]);
    assert_eq!(with(Verdict::NotMet, &lines), [0; 0]);
    assert!(because(&lines, 9).contains("--record"));
}

#[tokio::test]
async fn a_web_site_that_does_not_know_the_ticket_fails_at_the_door_and_nothing_else_is_said_of_it() {
    let host = Host::wished(Wish { clock: twenty_past(), ..Wish::default() }).await;
    let other = TicketSecret::generate(host.clock.now().unix.day(), &mut ChaCha20Rng::from_seed([9; 32]));
    let record = NodeRecord { ticket_keys: vec![other.public()], ..host.record.clone() };
    let lines = linted(HOST, host.address(), Some(signed(&record)), &host.roots, host.clock).await;
    let failed = with(Verdict::NotMet, &lines);
    assert_eq!(failed, [11, 55], "{lines:#?}");
    assert!(because(&lines, 11).contains("405"), "{}", because(&lines, 11));
    assert!([10, 13, 14, 30].iter().all(|number| because(&lines, *number).contains("R11")));
}

#[tokio::test]
async fn a_failed_ticket_that_is_answered_otherwise_than_a_visit_is_found_out() {
    let decoy = Some(Decoy::upstream(suspicious().await, None));
    let host = Host::wished(Wish { decoy, clock: twenty_past(), ..Wish::default() }).await;
    let lines = linted(HOST, host.address(), Some(signed(&host.record)), &host.roots, host.clock).await;
    assert_eq!(with(Verdict::NotMet, &lines), [9, 10, 12, 13, 14], "{lines:#?}");
    assert!(because(&lines, 9).contains("answered 403 Forbidden, a visit 404"), "{}", because(&lines, 9));
}

/// A web server that takes offence at a cookie of the relay's name.
async fn suspicious() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service =
                hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                    let cookie = request.headers().get("cookie").map(|cookie| cookie.as_bytes().to_vec());
                    let status = match cookie {
                        Some(cookie) if cookie.starts_with(b"__Host-sid") => 403,
                        Some(_) | None => 404,
                    };
                    let answer = http::Response::builder().status(status).body(String::from("no\n")).unwrap();
                    Ok::<_, Infallible>(answer)
                });
            let socket = hyper_util::rt::TokioIo::new(socket);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(socket, service));
        }
    });
    address
}

#[tokio::test]
async fn a_relay_that_keeps_to_no_rule_is_told_each_of_them() {
    let careless = Careless::start().await;
    let mut record = careless.record.clone();
    record.protocols.push("/betanet/htx/1.0.0".to_owned());
    let clock = twenty_past();
    let lines = linted(HOST, careless.address, Some(signed(&record)), &careless.roots, clock).await;
    let broken = [4, 6, 9, 10, 12, 13, 14, 21, 22, 23, 25, 27, 28, 29, 30, 31, 34, 39];
    assert_eq!(with(Verdict::NotMet, &lines), broken, "{lines:#?}");
}

#[tokio::test]
async fn the_commands_tell_a_person_and_a_program_about_a_relay() {
    let (house, bench) = (House::new(), Bench::new());
    let relay = house.start(house.config(), Clock::start()).await;
    let ca = house.home.path().join("certificate.pem");
    let (ca, link) = (ca.to_str().unwrap(), record_link(relay.record().bytes()));
    let file = bench.path("my.record");
    std::fs::write(&file, relay.record().bytes()).unwrap();

    let probed = bench.run(&["htx", "probe", "--record", &link, "--ca", ca]).await;
    let text = String::from_utf8(probed.stdout.clone()).unwrap();
    assert!(probed.status.success(), "{text}{}", stderr(&probed));
    for said in ["tls         good", "tls 1.2     good    refused", "tunnel      good", "relay of the record"]
    {
        assert!(text.contains(said), "{said} in:\n{text}");
    }
    let object = bench.json(&["htx", "probe", "--record", file.to_str().unwrap(), "--ca", ca]).await;
    assert_eq!(object["good"], true);

    // Its certificate is believed by nobody who was not given it.
    let unknown =
        bench.run(&["htx", "probe", "relay.test", "--address", &relay.addresses()[0].to_string()]).await;
    assert_eq!(unknown.status.code(), Some(1));
    let text = String::from_utf8(unknown.stdout).unwrap();
    assert!(text.contains("tls         BAD") && text.contains("--ca"), "{text}");

    let linted = bench.run(&["htx", "lint", "--record", file.to_str().unwrap(), "--ca", ca]).await;
    let text = String::from_utf8(linted.stdout.clone()).unwrap();
    assert!(linted.status.success(), "{text}{}", stderr(&linted));
    for number in 1..=55 {
        let begin = format!("R{number:<4}");
        let line = text.lines().find(|line| line.starts_with(&begin)).unwrap();
        let verdict = line.strip_prefix(&begin).unwrap();
        assert!(verdict.starts_with("met ") || verdict.starts_with("not applicable "), "{line}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.contains(", 0 not met, "), "{text}");
    relay.stop().await.unwrap();
}
