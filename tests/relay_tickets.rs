//! What a relay remembers of tickets, over restarts and for as long as they could be shown again (R13), and its keys.

#![cfg(feature = "node")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use hopline::htx::gate::{Gate, GateConfig, Refusal, Verdict};
use hopline::htx::ticket::{Issued, Presented, TicketSecret, issue};
use hopline::storage::{MailboxLimits, RelayDatabase};
use hopline::time::{Instant, Now, UnixMillis};
use hopline::wire::record::{DEFAULT_COOKIE_NAME, NodeRecord, Role};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Ten minutes before a full hour of a day in 2026.
const START: UnixMillis = UnixMillis(1_795_348_200_000);
const MINUTE: Duration = Duration::from_secs(60);

fn now(unix: UnixMillis) -> Now {
    Now { instant: Instant::from_start(unix.abs_diff(START)), unix }
}

fn open(home: &Path) -> RelayDatabase {
    RelayDatabase::open(home, MailboxLimits::default()).unwrap()
}

/// What a relay does at its start: keys and used tickets come from its disk.
fn gate(database: &RelayDatabase, unix: UnixMillis) -> Gate {
    let used = database.used_tickets(unix).unwrap();
    let secrets = database.ticket_secrets().unwrap();
    let config = GateConfig::new(DEFAULT_COOKIE_NAME.to_owned());
    Gate::new(config, secrets, used, ChaCha20Rng::from_seed([1; 32]))
}

fn check(gate: &mut Gate, ticket: &Issued, unix: UnixMillis) -> Verdict {
    let pair = ticket.pair();
    let presented = Presented { cookie: Some(pair.as_bytes()), ..Presented::default() };
    gate.check(SOURCE, &presented, now(unix))
}

/// A relay with a key for each of three days, and a ticket of it.
fn issued(home: &Path) -> Issued {
    let mut rng = ChaCha20Rng::from_seed([2; 32]);
    let mut database = open(home);
    let today = START.day();
    for day in today..today + 3 {
        database.keep_ticket_secret(&TicketSecret::generate(day, &mut rng)).unwrap();
    }
    let keys = database.ticket_secrets().unwrap();
    let record = NodeRecord {
        signing_public: [1; 32],
        noise_public: [2; 32],
        protocols: vec!["/betanet/htx/1.1.0".to_owned()],
        ticket_keys: keys.iter().map(TicketSecret::public).collect(),
        policy: "BN-Ticket: v1; carriers=cookie:1; len=24..64".to_owned(),
        cookie_name: DEFAULT_COOKIE_NAME.to_owned(),
        host: "relay.test".to_owned(),
        addresses: vec!["192.0.2.7:443".parse().unwrap()],
        tunnel_path: "/t".to_owned(),
        content_type: "application/grpc".to_owned(),
        roles: vec![Role::Entry],
        mix_keys: Vec::new(),
        weight: 1,
        as_group: 0,
        expires: u64::from(today + 3) * 86_400,
    };
    issue(&record, START, &mut rng).unwrap()
}

#[test]
fn r13_a_used_ticket_is_refused_after_every_restart_until_it_would_be_refused_anyway() {
    let home = tempfile::tempdir().unwrap();
    let ticket = issued(home.path());
    let mut database = open(home.path());
    let verdict = check(&mut gate(&database, START), &ticket, START);
    let Verdict::Admitted { remember: Some(used), .. } = verdict else { panic!("{verdict:?}") };
    database.remember_ticket(&used).unwrap();
    drop(database);

    let mut refusals = BTreeSet::new();
    for minutes in 0..200 {
        let unix = START + MINUTE * minutes;
        let mut database = open(home.path());
        database.forget_tickets(unix).unwrap();
        let verdict = check(&mut gate(&database, unix), &ticket, unix);
        let Verdict::Refused(refusal) = verdict else { panic!("shown again after {minutes} minutes") };
        refusals.insert(format!("{refusal:?}"));
        if refusal != Refusal::Replayed {
            assert!(minutes > 60, "it was still good after {minutes} minutes");
        }
    }
    assert!(refusals.len() == 2, "replayed, then too old: {refusals:?}");
    assert!(open(home.path()).used_tickets(START).unwrap().is_empty(), "and is forgotten");
}

#[test]
fn r13_without_the_memory_the_same_ticket_would_be_let_in_again() {
    let home = tempfile::tempdir().unwrap();
    let ticket = issued(home.path());
    for _ in 0..2 {
        let verdict = check(&mut gate(&open(home.path()), START), &ticket, START);
        assert!(matches!(verdict, Verdict::Admitted { .. }), "what the test above would miss: {verdict:?}");
    }
}

#[test]
fn an_erased_key_is_in_no_file_of_the_home() {
    let home = tempfile::tempdir().unwrap();
    issued(home.path());
    let mut database = open(home.path());
    let secrets = database.ticket_secrets().unwrap();
    let first = secrets.first().unwrap();
    let is_there = || {
        std::fs::read_dir(home.path()).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(32).any(|window| window == first.secret())
        })
    };
    assert!(is_there(), "it can be found while it is kept");
    database.erase_ticket_secrets(&[first.id()]).unwrap();
    assert!(!is_there());
    let left: Vec<u32> = database.ticket_secrets().unwrap().iter().map(TicketSecret::day).collect();
    assert_eq!(left, [first.day() + 1, first.day() + 2]);
}
