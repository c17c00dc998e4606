//! A relay as its clients meet it: mailboxes, tickets, the record, what it counts and what it says (spec 16.2).

#![cfg(feature = "node")]

mod relay;
#[path = "htx/visitor.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "a part of it is used here; an unwrap in a test is an assertion"
)]
mod visitor;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use hopline::clock::Clock;
use hopline::htx::ticket::{TicketSecret, issue};
use hopline::ids::NodeId;
use hopline::storage::{Bound, MailboxLimits, RelayDatabase};
use hopline::time::UnixMillis;
use hopline::wire::mailbox::{Answer, MAX_ENVELOPE_LEN, MAX_FRAME_LEN, Request};
use hopline::wire::read_record;
use hopline::wire::record::SignedRecord;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use visitor::{Visitor, request};

use relay::{House, NOON, Owner, TOKEN, ask, ask_raw, get, waiting, within};

/// What every refusal looks like: the map {0: 1}.
const REFUSED: &[u8] = &[0xa1, 0, 1];
const MALFORMED: &[u8] = &[0xa1, 0, 2];

fn clock() -> Clock {
    Clock::starting_at(NOON)
}

#[tokio::test]
async fn an_envelope_goes_from_one_tunnel_to_the_mailbox_of_another_and_is_deleted_when_acknowledged() {
    let house = House::new();
    let relay = house.start(house.config(), clock()).await;
    let (ben, ada) = (house.connect(&relay, clock(), 1).await, house.connect(&relay, clock(), 2).await);
    let owner = Owner::new(1);
    assert_eq!(ask(&ben, &owner.create(&ben, TOKEN)).await, Answer::Ok);
    assert_eq!(waiting(&ben, &owner).await, []);

    let sealed = [Bytes::from(vec![1; 300]), Bytes::from(vec![2; MAX_ENVELOPE_LEN])];
    for envelope in &sealed {
        assert_eq!(ask(&ada, &owner.deposit(envelope.clone())).await, Answer::Ok);
    }
    let Answer::Fetched(first) = ask(&ben, &owner.fetch(&ben, 0)).await else { panic!() };
    assert_eq!(first.envelopes.len(), 1, "both are more than an answer carries");
    assert_eq!(first.envelopes[0].1, sealed[0]);
    let Answer::Fetched(second) = ask(&ben, &owner.fetch(&ben, first.next)).await else { panic!() };
    assert_eq!(second.envelopes[0].1, sealed[1]);
    assert_eq!(second.next, second.envelopes[0].0);

    assert_eq!(ask(&ben, &owner.ack(&ben, vec![first.envelopes[0].0])).await, Answer::Ok);
    assert_eq!(waiting(&ben, &owner).await, second.envelopes);
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn every_refusal_is_the_same_three_bytes() {
    let house = House::new();
    let each = Bound { rows: 1, bytes: 1 << 20 };
    let mut config = house.config();
    config.mailboxes = MailboxLimits { mailboxes: 1, each, ..MailboxLimits::default() };
    let relay = house.start(config, clock()).await;
    let tunnel = house.connect(&relay, clock(), 1).await;
    let (owner, stranger) = (Owner::new(1), Owner::new(2));
    assert_eq!(ask(&tunnel, &owner.create(&tunnel, TOKEN)).await, Answer::Ok);
    assert_eq!(ask(&tunnel, &owner.deposit("first")).await, Answer::Ok);

    let other = house.connect(&relay, clock(), 2).await;
    let with_token =
        |token| Request::Deposit { address: owner.address(), token, envelope: Bytes::from_static(b"x") };
    let unsigned = Request::Fetch { address: owner.address(), after: 0, signature: [7; 64] };
    let packet = Bytes::from_static(&[0, 0, 0, 6, 0xa2, 0, 5, 1, 0x41, 0]);
    let refused: [(&str, Bytes); 10] = [
        ("an unknown address", stranger.deposit("x").encode().unwrap()),
        ("a wrong token", with_token([8; 16]).encode().unwrap()),
        ("a full mailbox", owner.deposit("second").encode().unwrap()),
        ("a full relay", stranger.create(&tunnel, TOKEN).encode().unwrap()),
        ("fetching from an unknown address", stranger.fetch(&tunnel, 0).encode().unwrap()),
        ("a wrong signature", unsigned.encode().unwrap()),
        ("a signature of another tunnel", owner.fetch(&other, 0).encode().unwrap()),
        ("acknowledging for another tunnel", owner.ack(&other, vec![1]).encode().unwrap()),
        ("a packet for a mix", packet),
        ("the record of another node", Request::Record(Some(NodeId([9; 34]))).encode().unwrap()),
    ];
    for (what, request) in refused {
        assert_eq!(ask_raw(&tunnel, request).await, REFUSED, "{what}");
    }
    assert_eq!(waiting(&tunnel, &owner).await.len(), 1, "nothing was evicted");
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn what_is_no_request_is_answered_as_malformed_and_the_tunnel_goes_on() {
    let house = House::new();
    let relay = house.start(house.config(), clock()).await;
    let tunnel = house.connect(&relay, clock(), 1).await;
    let too_long = u32::try_from(MAX_FRAME_LEN + 1).unwrap().to_be_bytes();
    for bytes in [&[0, 0, 0, 1, 0xff][..], &[0, 0, 0, 3, 0xa1, 0, 0x18][..], &too_long[..], &[0, 0, 0, 0][..]]
    {
        assert_eq!(ask_raw(&tunnel, Bytes::copy_from_slice(bytes)).await, MALFORMED, "{bytes:02x?}");
    }
    assert_eq!(ask(&tunnel, &Request::Echo([5; 8])).await, Answer::Echoed([5; 8]));
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn more_requests_than_the_bucket_holds_are_all_answered_only_later() {
    let house = House::new();
    let relay = house.start(house.config(), clock()).await;
    let tunnel = house.connect(&relay, clock(), 1).await;
    for number in 0..130_u64 {
        let bytes = number.to_be_bytes();
        assert_eq!(ask(&tunnel, &Request::Echo(bytes)).await, Answer::Echoed(bytes));
    }
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn a_mailbox_costs_a_token_of_the_source() {
    let house = House::new();
    let mut config = house.config();
    config.buckets.source.burst = 3;
    config.buckets.source.interval = Duration::from_secs(3_600);
    let relay = house.start(config, clock()).await;
    let tunnel = house.connect(&relay, clock(), 1).await;
    let mut answers = Vec::new();
    for seed in 1..=4 {
        answers.push(ask(&tunnel, &Owner::new(seed).create(&tunnel, TOKEN)).await);
    }
    let made = answers.iter().filter(|answer| **answer == Answer::Ok).count();
    assert!((1..=2).contains(&made), "the tunnel cost one or two of three: {answers:?}");
    assert!(answers[made..].iter().all(|answer| *answer == Answer::Refused), "{answers:?}");
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn the_record_inside_the_tunnel_is_the_one_outside() {
    let house = House::new();
    let relay = house.start(house.config(), clock()).await;
    let tunnel = house.connect(&relay, clock(), 1).await;
    let Answer::Record(bytes) = ask(&tunnel, &Request::Record(None)).await else { panic!() };
    assert_eq!(&bytes, relay.record().bytes());
    let node = relay.record().record().id();
    assert_eq!(ask(&tunnel, &Request::Record(Some(node))).await, Answer::Record(bytes.clone()));

    let record = SignedRecord::decode(&bytes).unwrap();
    let days: Vec<u32> = record.record().ticket_keys.iter().map(|key| key.day).collect();
    let today = u32::try_from(NOON.0 / 86_400_000).unwrap();
    assert_eq!(days, (today..today + 14).collect::<Vec<_>>(), "today and the next 13 days");
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn a_visitor_of_the_site_finds_the_site_and_nothing_of_the_relay() {
    let house = House::new();
    let relay = house.start(house.config(), clock()).await;
    let (roots, host) = (house.roots(), "relay.test");
    let visitor = within(Visitor::arrive(&roots, host, relay.addresses()[0])).await;
    let page = within(visitor.ask(request("GET", host, "/", &[]), &[])).await;
    assert_eq!(page.status, 200);
    assert!(String::from_utf8_lossy(&page.body).contains("<h1>relay.test</h1>"));
    let nowhere = within(visitor.ask(request("GET", host, "/nowhere", &[]), &[])).await;
    assert_eq!(nowhere.status, 404);
    let record = relay.record();
    for path in ["/relay.record", "/relay.toml", "/relay.key", "/../relay.record", "/%2e%2e/relay.record"] {
        let answer = within(visitor.ask(request("GET", host, path, &[]), &[])).await;
        assert_eq!(answer, nowhere, "{path}");
    }
    let posted = within(visitor.ask(request("POST", host, "/api/stream", &[]), b"bn1=AAAA")).await;
    let elsewhere = within(visitor.ask(request("POST", host, "/nowhere", &[]), b"bn1=AAAA")).await;
    assert_eq!(posted, elsewhere, "the tunnel path is a path like any other");
    let key = record.record().noise_public;
    assert!(!posted.body.windows(32).any(|window| window == key));
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn a_restart_keeps_mailboxes_keys_and_what_waits() {
    let house = House::new();
    let relay = house.start(house.config(), clock()).await;
    let owner = Owner::new(1);
    let tunnel = house.connect(&relay, clock(), 1).await;
    assert_eq!(ask(&tunnel, &owner.create(&tunnel, TOKEN)).await, Answer::Ok);
    assert_eq!(ask(&tunnel, &owner.deposit("kept")).await, Answer::Ok);
    let before = relay.record();
    within(relay.stop()).await.unwrap();
    within(tunnel.closed()).await;

    let relay = house.start(house.config(), clock()).await;
    let after = relay.record();
    assert_eq!(after.record().ticket_keys, before.record().ticket_keys);
    assert_eq!(after.record().noise_public, before.record().noise_public);
    assert_eq!(after.record().id(), before.record().id());
    let tunnel = house.connect(&relay, clock(), 2).await;
    assert_eq!(waiting(&tunnel, &owner).await[0].1, "kept");
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn a_relay_that_was_off_for_long_has_erased_its_old_keys_and_shows_new_ones() {
    let house = House::new();
    let relay = house.start(house.config(), clock()).await;
    let before = relay.record();
    within(relay.stop()).await.unwrap();
    let later = NOON + Duration::from_secs(20 * 86_400);
    let relay = house.start(house.config(), Clock::starting_at(later)).await;
    let after = relay.record();
    within(relay.stop()).await.unwrap();

    let today = later.day();
    let days: Vec<u32> = after.record().ticket_keys.iter().map(|key| key.day).collect();
    assert_eq!(days, (today..today + 14).collect::<Vec<_>>());
    let database = RelayDatabase::open(house.home.path(), MailboxLimits::default()).unwrap();
    let kept = database.ticket_secrets().unwrap();
    let is_old = |secret: &TicketSecret| before.record().ticket_keys.contains(&secret.public());
    assert_eq!((kept.len(), kept.iter().any(is_old)), (14, false));
}

#[tokio::test]
async fn the_numbers_tell_how_much_and_not_who() {
    let house = House::new();
    let mut config = house.config();
    config.metrics = Some("127.0.0.1:0".parse().unwrap());
    let relay = house.start(config, clock()).await;
    let tunnel = house.connect(&relay, clock(), 1).await;
    let owner = Owner::new(1);
    assert_eq!(ask(&tunnel, &owner.create(&tunnel, TOKEN)).await, Answer::Ok);
    assert_eq!(ask(&tunnel, &owner.deposit("12345")).await, Answer::Ok);
    assert_eq!(ask(&tunnel, &Owner::new(2).deposit("x")).await, Answer::Refused);

    let text = within(get(relay.metrics_address().unwrap(), "/metrics")).await;
    for line in [
        r#"requests_total{op="deposit",answer="ok"} 1"#,
        r#"requests_total{op="deposit",answer="refused"} 1"#,
        r#"refusals_total{why="no_mailbox"} 1"#,
        "mailboxes 1",
        "envelopes 1",
        "envelope_bytes 5",
        "tickets_admitted_total 1",
        "tunnels_open 1",
    ] {
        assert!(text.contains(&format!("\nhopline_relay_{line}\n")), "{line}: {text}");
    }
    let labels: BTreeSet<&str> =
        text.split(['{', ',']).filter_map(|part| part.split_once("=\"")).map(|(label, _)| label).collect();
    assert_eq!(labels, BTreeSet::from(["answer", "op", "why"]), "no label that could name somebody");
    assert!(!text.contains("127.0.0.1"));
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn r13_a_ticket_that_was_used_before_a_restart_is_answered_after_it_as_any_visitor_is() {
    let house = House::new();
    let relay = house.start(house.config(), clock()).await;
    let mut record = relay.record().record().clone();
    record.policy = "BN-Ticket: v1; carriers=cookie:1; len=24..64".to_owned();
    let ticket = issue(&record, NOON, &mut ChaCha20Rng::from_seed([1; 32])).unwrap().pair();
    let post = |cookie: Option<&str>| {
        let headers: Vec<(&str, &str)> = cookie.map(|cookie| ("cookie", cookie)).into_iter().collect();
        request("POST", "relay.test", &record.tunnel_path, &headers)
    };
    let visitor = within(Visitor::arrive(&house.roots(), "relay.test", relay.addresses()[0])).await;
    let mut requests = within(visitor.requests.clone().ready()).await.unwrap();
    let (response, _body) = requests.send_request(post(Some(&ticket)), false).unwrap();
    assert_eq!(within(response).await.unwrap().status(), 200, "the first time it opens");
    within(relay.stop()).await.unwrap();

    let relay = house.start(house.config(), clock()).await;
    let visitor = within(Visitor::arrive(&house.roots(), "relay.test", relay.addresses()[0])).await;
    let again = within(visitor.ask(post(Some(&ticket)), b"x")).await;
    assert_eq!(again, within(visitor.ask(post(None), b"x")).await);
    assert_ne!(again.status, 200);
    within(relay.stop()).await.unwrap();
}

#[tokio::test]
async fn a_new_day_brings_a_record_with_a_key_for_one_more_day() {
    let house = House::new();
    let day = 86_400_000;
    let almost = Clock::starting_at(UnixMillis(NOON.0 / day * day + day - 1_500));
    let mut relay = house.start(house.config(), almost).await;
    let days =
        |record: &SignedRecord| record.record().ticket_keys.iter().map(|key| key.day).collect::<Vec<_>>();
    let before = days(&relay.record());
    let renewed = within(relay.renewed()).await.unwrap();
    assert_eq!(days(&renewed)[..13], before[1..]);
    assert_eq!(days(&renewed).last(), before.last().map(|day| day + 1).as_ref());
    let tunnel = house.connect(&relay, almost, 1).await;
    let Answer::Record(bytes) = ask(&tunnel, &Request::Record(None)).await else { panic!() };
    assert_eq!(&bytes, renewed.bytes(), "and it is let in by the new day's key");
    let file = std::fs::read(house.home.path().join("relay.record")).unwrap();
    assert_eq!(read_record(&file).unwrap().bytes(), &bytes);
    within(relay.stop()).await.unwrap();
}
