//! What a host with tunnels shows to the world: a web site. Requirements of the specification's chapter 14, by
//! their numbers, against a real server and real clients over loopback.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod htx;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hopline::bucket::Rate;
use hopline::clock::Clock;
use hopline::htx::buckets::BucketsConfig;
use hopline::htx::cover::Mismatch;
use hopline::htx::error::ErrorCode;
use hopline::htx::ticket::{Carrier, issue};
use hopline::net::client::{Client, ConnectError, Preflight};
use hopline::net::probe::{Older, probe};
use hopline::time::UnixMillis;
use hopline::wire::record::NodeRecord;
use http::{Method, StatusCode};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::net::TcpListener;

use htx::between::recorder;
use htx::visitor::{Answer, Visitor, connect, request, tls};
use htx::{HOST, Host, INDEX, Made, PATIENCE, TODAY, TUNNEL_PATH, Wish, options, there_and_back};

#[tokio::test]
async fn a_client_with_a_ticket_gets_a_tunnel_by_each_carrier_and_for_each_size() {
    for carrier in ["cookie:1", "query:1", "body:1"] {
        let mut host = Host::start().await;
        host.record.policy = format!("BN-Ticket: v1; carriers={carrier}; len=24..64");
        let tunnel = host.client(1).connect(&host.target()).await.unwrap();
        for size in [0, 1, 16_384, 70_000, 3_000_000] {
            let content: Vec<u8> = (0..size).map(|i: u32| u8::try_from(i * 31 % 251).unwrap()).collect();
            there_and_back(&tunnel, &content).await;
        }
        tunnel.close(ErrorCode::Ok).await;
        assert_eq!(tunnel.closed().await.code, ErrorCode::Ok);
    }
}

#[tokio::test]
async fn the_host_may_open_streams_too() {
    let (host, mut arrivals) = Host::bare(Wish::default()).await;
    let mut tunnel = host.client(1).connect(&host.target()).await.unwrap();
    let arrival = arrivals.recv().await.unwrap();
    let mut stream = arrival.tunnel.open().await.unwrap();
    stream.send(Bytes::from_static(b"from the host")).await.unwrap();
    stream.finish().await.unwrap();
    let mut taken = tunnel.accept().await.unwrap();
    assert_eq!(taken.receive().await.unwrap().unwrap(), "from the host");
    assert_eq!(taken.receive().await.unwrap(), None);
    drop((arrival, stream));
    assert_eq!(tunnel.closed().await.code, ErrorCode::Ok, "who drops every handle closes");
    assert!(tunnel.accept().await.is_none());
}

#[tokio::test]
async fn what_was_sent_arrives_though_every_handle_was_dropped() {
    let (host, mut arrivals) = Host::bare(Wish::default()).await;
    let tunnel = host.client(1).connect(&host.target()).await.unwrap();
    let mut arrival = arrivals.recv().await.unwrap();
    let mut stream = tunnel.open().await.unwrap();
    let content = Bytes::from(vec![7; 2_000_000]);
    let send = async move {
        stream.send(content).await.unwrap();
        drop((stream, tunnel));
    };
    let receive = async move {
        let mut taken = arrival.tunnel.accept().await.unwrap();
        let mut length = 0;
        while let Some(data) = taken.receive().await.unwrap() {
            length += data.len();
        }
        assert_eq!(length, 2_000_000);
        drop(taken);
        arrival.tunnel.closed().await
    };
    let ((), closed) = tokio::time::timeout(PATIENCE, async { tokio::join!(send, receive) }).await.unwrap();
    assert_eq!(closed.code, ErrorCode::Ok);
}

#[tokio::test]
async fn one_stream_that_nobody_reads_does_not_hold_up_another() {
    let (host, mut arrivals) = Host::bare(Wish::default()).await;
    let tunnel = host.client(1).connect(&host.target()).await.unwrap();
    let mut arrival = arrivals.recv().await.unwrap();
    let mut stalled = tunnel.open().await.unwrap();
    let flood = tokio::spawn(async move {
        stalled.send(Bytes::from(vec![1; 8 * 1024 * 1024])).await.ok();
        stalled
    });
    let unread = arrival.tunnel.accept().await.unwrap();
    let mut second = tunnel.open().await.unwrap();
    second.send(Bytes::from_static(b"past it")).await.unwrap();
    let mut taken = arrival.tunnel.accept().await.unwrap();
    assert_eq!(taken.receive().await.unwrap().unwrap(), "past it");
    assert!(!flood.is_finished(), "eight megabytes fit nowhere while nobody reads");
    drop(unread);
    flood.abort();
}

#[tokio::test]
async fn a_stopping_host_closes_its_tunnels_and_frees_its_port() {
    let host = Host::start().await;
    let tunnel = host.client(1).connect(&host.target()).await.unwrap();
    there_and_back(&tunnel, b"before").await;
    let address = host.address();
    host.server.shutdown().await;
    let closed = tokio::time::timeout(PATIENCE, tunnel.closed()).await.unwrap();
    assert_eq!(closed.code, ErrorCode::Ok);
    TcpListener::bind(address).await.unwrap();
}

#[tokio::test]
async fn r01_tls_below_1_3_is_refused() {
    let host = Host::start().await;
    let report = probe(HOST, host.address(), &host.roots).await.unwrap();
    assert_eq!(report.older.unwrap(), Older::Refused(70), "protocol_version");
    assert_eq!(report.tls.unwrap().version, 0x0304);
}

#[tokio::test]
async fn r03_the_client_offers_what_browsers_offer_and_takes_a_tunnel_only_over_what_the_preflight_got() {
    let host = Host::start().await;
    let (between, captures) = recorder(host.address()).await;
    let tunnel = host.client(1).connect(&host.target().at(between)).await.unwrap();
    drop(tunnel);
    let hellos: Vec<Vec<u8>> = captures.lock().unwrap().iter().map(|seen| seen.to_host.clone()).collect();
    assert_eq!(hellos.len(), 2, "the pre-flight, then the tunnel");
    for hello in hellos {
        let alpn = extensions(&hello).into_iter().find(|(kind, _)| *kind == 16).unwrap().1;
        assert_eq!(alpn, b"\x00\x0c\x02h2\x08http/1.1");
    }
    // A host that has HTTP/2 for the first visitor only.
    let stage = Stage::open(|number, script| {
        if number > 0 {
            script.alpn = b"http/1.1";
        }
    })
    .await;
    let refused = stage.client().connect(&stage.target()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::OriginMismatch(Mismatch::Alpn)), "{refused}");
    assert_eq!(stage.posts(), 0, "no ticket was shown");
}

#[tokio::test]
async fn r04_a_host_that_changes_between_the_preflight_and_the_tunnel_is_shown_no_ticket() {
    type Change = fn(&mut Script);
    let changes: [(&str, Change); 6] = [
        ("a value of SETTINGS", |script| script.window = 70_000),
        ("one setting more", |script| script.max_streams = Some(100)),
        ("the window of the connection", |script| script.connection_window = 2_000_000),
        ("the cipher", |script| script.cipher = rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
        ("the group", |script| script.group = rustls::NamedGroup::secp256r1),
        ("the kind of key", |script| script.ed25519 = true),
    ];
    for (what, change) in changes {
        let stage = Stage::open(move |number, script| {
            if number > 0 {
                change(script);
            }
        })
        .await;
        let refused = stage.client().connect(&stage.target()).await.unwrap_err();
        assert!(matches!(refused, ConnectError::OriginMismatch(_)), "{what}: {refused}");
        assert_eq!(refused.code().unwrap().number(), 0x8001);
        assert_eq!(stage.posts(), 0, "{what} differs, and a ticket was shown");
        assert_eq!(stage.connections(), 2, "one look, one tunnel that was not");
    }
    // The same host, unchanged, is shown one.
    let stage = Stage::open(|_, _| {}).await;
    let refused = stage.client().connect(&stage.target()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Refused(StatusCode::METHOD_NOT_ALLOWED)), "{refused}");
    assert!(stage.posts() > 0);
}

#[tokio::test]
async fn r04_the_preflight_is_a_get_of_what_browsers_fetch_and_is_remembered_only_where_wished() {
    let stage = Stage::open(|_, _| {}).await;
    let strict = stage.client();
    for _ in 0..2 {
        strict.connect(&stage.target()).await.unwrap_err();
    }
    assert_eq!(stage.connections(), 4, "each tunnel has its own look");
    let paths = stage.gets();
    assert_eq!(paths.len(), 2);
    assert!(paths.iter().all(|path| ["/robots.txt", "/favicon.ico"].contains(&path.as_str())), "{paths:?}");

    let stage = Stage::open(|_, _| {}).await;
    let cached = stage.client_with(Preflight::Cached);
    for _ in 0..2 {
        cached.connect(&stage.target()).await.unwrap_err();
    }
    assert_eq!(stage.connections(), 3, "one look for both");
}

#[tokio::test]
async fn r06_no_early_data_is_offered_or_taken_and_no_session_is_resumed() {
    const EARLY_DATA: u16 = 42;
    const PRE_SHARED_KEY: u16 = 41;
    let host = Host::start().await;
    let (between, captures) = recorder(host.address()).await;
    let client = host.client(1);
    for _ in 0..3 {
        let tunnel = client.connect(&host.target().at(between)).await.unwrap();
        there_and_back(&tunnel, b"x").await;
    }
    let captures = captures.lock().unwrap().clone();
    assert_eq!(captures.len(), 6);
    for capture in captures {
        let kinds: BTreeSet<u16> = extensions(&capture.to_host).into_iter().map(|(kind, _)| kind).collect();
        assert!(kinds.contains(&43), "a hello of TLS 1.3 was read: {kinds:?}");
        assert!(!kinds.contains(&EARLY_DATA) && !kinds.contains(&PRE_SHARED_KEY), "{kinds:?}");
    }
    // A visitor who would send early data is not invited to.
    let mut eager = tls(&host.roots, &[b"http/1.1"]);
    eager.enable_early_data = true;
    for _ in 0..2 {
        let mut socket = connect(eager.clone(), HOST, host.address()).await;
        let early = socket.get_ref().1.is_early_data_accepted();
        assert!(!early);
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        socket
            .write_all(b"GET / HTTP/1.1\r\nhost: relay.example\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(INDEX), "{answer}");
    }
}

/// Every kind of POST to the tunnel path that is no good ticket.
fn bad_tickets(record: &NodeRecord, now: UnixMillis) -> Vec<(&'static str, Post)> {
    let mut rng = ChaCha20Rng::from_seed([77; 32]);
    let mut value = |at: UnixMillis| issue(record, at, &mut rng).unwrap().value;
    let cookie = |value: &str| Post::with_cookie(&format!("{}={value}", record.cookie_name));
    let hours = |count: u64| UnixMillis(now.0 - count * 3_600_000);
    let good = value(now);
    let mut flipped = good.clone().into_bytes();
    flipped[100] = if flipped[100] == b'A' { b'B' } else { b'A' };
    let mut versioned = good.clone().into_bytes();
    versioned[0] = b'B';
    vec![
        ("a ticket of two hours ago", cookie(&value(hours(2)))),
        ("a changed ticket", cookie(std::str::from_utf8(&flipped).unwrap())),
        ("another version", cookie(std::str::from_utf8(&versioned).unwrap())),
        ("no base64", cookie(&good.replace(|c: char| c.is_ascii_digit(), "!"))),
        ("half a ticket", cookie(&good[..good.len() / 2])),
        (
            "a ticket and more",
            cookie(&format!("{good}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ),
        ("an empty cookie", cookie("")),
        ("a session nobody has", cookie("AAAAAAAAAAAAAAAAAAAAAA")),
        ("nonsense in the query", Post { path: format!("{TUNNEL_PATH}?bn1=nonsense"), ..Post::default() }),
        ("nonsense in a form", Post::with_form("bn1=nonsense")),
        ("an empty form", Post::with_form("bn1=")),
        ("a long form", Post::with_form(&"a".repeat(4000))),
    ]
}

#[derive(Debug, Clone)]
struct Post {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Default for Post {
    fn default() -> Self {
        Self { path: TUNNEL_PATH.to_owned(), headers: Vec::new(), body: Vec::new() }
    }
}

impl Post {
    fn with_cookie(cookie: &str) -> Self {
        Self { headers: vec![("cookie", cookie.to_owned())], ..Self::default() }
    }

    fn with_form(form: &str) -> Self {
        let form_type = "application/x-www-form-urlencoded".to_owned();
        Self { headers: vec![("content-type", form_type)], body: form.as_bytes().to_vec(), ..Self::default() }
    }

    async fn send(&self, visitor: &Visitor) -> Answer {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        visitor.ask(request("POST", HOST, &self.path, &headers), &self.body).await
    }
}

#[tokio::test]
async fn r09_a_ticket_that_is_not_taken_is_answered_as_a_visit_is() {
    let host = Host::start().await;
    let visitor = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let plain = Post::default().send(&visitor).await;
    assert_eq!(plain.status, StatusCode::METHOD_NOT_ALLOWED);
    for (what, post) in bad_tickets(&host.record, TODAY) {
        assert_eq!(post.send(&visitor).await, plain, "{what}");
    }
    assert_eq!(host.server.counters().snapshot().tickets_admitted, 0);
    // A good one, and the same again.
    let mut rng = ChaCha20Rng::from_seed([78; 32]);
    let good = issue(&host.record, TODAY, &mut rng).unwrap().value;
    let post = Post::with_cookie(&format!("{}={good}", host.record.cookie_name));
    let first = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let mut requests = first.requests.clone().ready().await.unwrap();
    let tunnel = request("POST", HOST, TUNNEL_PATH, &[("cookie", &post.headers[0].1)]);
    let (response, body) = requests.send_request(tunnel, false).unwrap();
    assert_eq!(response.await.unwrap().status(), StatusCode::OK);
    assert_eq!(host.remembered.lock().unwrap().len(), 1, "it was remembered before it was accepted");
    assert_eq!(post.send(&visitor).await, plain, "a ticket that was used");
    drop(body);
    // The other pages know of no ticket.
    let root = visitor.ask(request("GET", HOST, "/", &[("cookie", &post.headers[0].1)]), b"").await;
    assert_eq!((root.status, &root.body[..]), (StatusCode::OK, INDEX.as_bytes()));
}

#[tokio::test]
async fn r09_a_ticket_that_cannot_be_remembered_is_answered_as_a_visit_is() {
    let (mut host, _arrivals) = Host::bare(Wish::default()).await;
    host.record.policy = "BN-Ticket: v1; carriers=cookie:1; len=24..64".to_owned();
    let visitor = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let plain = Post::default().send(&visitor).await;
    host.stop_remembering().await;
    let mut rng = ChaCha20Rng::from_seed([79; 32]);
    let good = issue(&host.record, TODAY, &mut rng).unwrap();
    assert_eq!(good.carrier, Carrier::Cookie);
    assert_eq!(Post::with_cookie(&good.pair()).send(&visitor).await, plain);
}

#[tokio::test]
async fn r09_with_another_web_server_behind_it_the_answers_are_that_servers() {
    let behind = upstream().await;
    let decoy = hopline::net::decoy::Decoy::upstream(behind, None);
    let host = Host::wished(Wish { decoy: Some(decoy), ..Wish::default() }).await;
    let visitor = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let plain = Post::default().send(&visitor).await;
    assert_eq!((plain.status, &plain.body[..]), (StatusCode::IM_A_TEAPOT, &b"POST relay.example"[..]));
    for (what, post) in bad_tickets(&host.record, TODAY) {
        assert_eq!(post.send(&visitor).await, plain, "{what}");
    }
    let tunnel = host.client(1).connect(&host.target()).await.unwrap();
    there_and_back(&tunnel, b"beside it").await;
}

#[tokio::test]
async fn every_post_to_the_tunnel_path_costs_a_token_and_one_curve_operation_and_without_a_token_none() {
    const TOKENS: u32 = 20;
    let source = Rate { burst: TOKENS, interval: Duration::from_secs(3600) };
    let global = Rate { burst: 1000, interval: Duration::from_secs(3600) };
    let buckets = BucketsConfig { source, global, ..BucketsConfig::default() };
    let host = Host::wished(Wish { buckets, ..Wish::default() }).await;
    let visitor = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let mut posts = bad_tickets(&host.record, TODAY);
    posts.push(("nothing at all", Post::default()));
    let mut rng = ChaCha20Rng::from_seed([80; 32]);
    for _ in 0..2 {
        let good = issue(&host.record, TODAY, &mut rng).unwrap().value;
        posts.push(("a good ticket in a form", Post::with_form(&format!("bn1={good}"))));
    }
    let gate = host.server.gate();
    for (done, (what, post)) in (0..).zip(&posts) {
        assert_eq!(gate.curve_operations().await, done);
        post.send(&visitor).await;
        assert_eq!(gate.curve_operations().await, done + 1, "{what}");
    }
    // Neither do visits cost anything,
    for path in ["/", "/robots.txt", "/nowhere"] {
        visitor.ask(request("GET", HOST, path, &[]), b"").await;
    }
    visitor.ask(request("POST", HOST, "/", &[]), b"").await;
    visitor.ask(request("GET", HOST, TUNNEL_PATH, &[]), b"").await;
    let done = u64::try_from(posts.len()).unwrap();
    assert_eq!(gate.curve_operations().await, done);
    // nor do posts when the bucket is empty.
    let left = u64::from(TOKENS) - done;
    let good = issue(&host.record, TODAY, &mut rng).unwrap().value;
    for _ in 0..left {
        Post::default().send(&visitor).await;
    }
    let plain = Post::default().send(&visitor).await;
    let refused = Post::with_cookie(&format!("{}={good}", host.record.cookie_name)).send(&visitor).await;
    assert_eq!(refused, plain, "a good ticket, and no token");
    assert_eq!(gate.curve_operations().await, u64::from(TOKENS));
    assert_eq!(host.server.counters().snapshot().tickets_over_budget, 2);
}

#[tokio::test]
async fn r34_visitors_and_tunnels_are_told_the_same_settings() {
    let host = Host::start().await;
    let guest = Visitor::arrive(&host.roots, HOST, host.address()).await;
    guest.ask(request("GET", HOST, "/", &[]), b"").await;
    let holder = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let mut rng = ChaCha20Rng::from_seed([81; 32]);
    let good = issue(&host.record, TODAY, &mut rng).unwrap().value;
    let cookie = format!("{}={good}", host.record.cookie_name);
    let mut requests = holder.requests.clone().ready().await.unwrap();
    let post = request("POST", HOST, TUNNEL_PATH, &[("cookie", &cookie)]);
    let (response, _body) = requests.send_request(post, false).unwrap();
    assert_eq!(response.await.unwrap().status(), StatusCode::OK);
    let frames = guest.connection_frames();
    assert!(frames.len() >= 3, "SETTINGS, their ACK of ours, WINDOW_UPDATE: {frames:?}");
    assert_eq!(holder.connection_frames(), frames);
}

#[tokio::test]
async fn r36_nothing_but_tls_records_crosses_the_wire() {
    let host = Host::start().await;
    let (between, captures) = recorder(host.address()).await;
    let tunnel = host.client(1).connect(&host.target().at(between)).await.unwrap();
    there_and_back(&tunnel, &[0xf1; 200_000]).await;
    tunnel.close(ErrorCode::Ok).await;
    host.server.shutdown().await;
    let captures = captures.lock().unwrap().clone();
    assert_eq!(captures.len(), 2);
    for capture in captures {
        for (direction, bytes) in [("to the host", &capture.to_host), ("to the client", &capture.to_client)] {
            // The header that HTX 1.0 put before its packets would be 0xf1 where a record begins.
            let records = records(bytes);
            assert!(records.len() > 3, "{direction}: {} records", records.len());
            assert_eq!(records[0].0, 22, "{direction}: it begins with a handshake");
            assert!(records.iter().all(|(kind, _)| [20, 21, 22, 23].contains(kind)), "{direction}");
        }
    }
}

#[tokio::test]
async fn the_site_has_an_index_pages_with_their_types_and_nothing_outside_its_folder() {
    let host = Host::start().await;
    std::fs::write(host.site.path().parent().unwrap().join("hopline-outside.txt"), "outside").unwrap();
    let visitor = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let get = |path: &'static str| visitor.ask(request("GET", HOST, path, &[]), b"");
    let root = get("/").await;
    assert_eq!((root.status, &root.body[..]), (StatusCode::OK, INDEX.as_bytes()));
    assert_eq!(root.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(root.headers["content-length"], INDEX.len().to_string());
    assert_eq!(get("/robots.txt").await.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(get("/leaves/").await.body, "<p>Green and black.</p>\n");
    assert_eq!(get("/leaves").await.headers["location"], "/leaves/");
    assert_eq!(get("/leaves/a%20page.txt?x=y").await.body, "spaced\n");
    for path in [
        "/nowhere",
        "/../hopline-outside.txt",
        "/%2e%2e/hopline-outside.txt",
        "/leaves/..%2f..%2fhopline-outside.txt",
        "/%00",
        "/%f",
        "//etc/passwd",
    ] {
        assert_eq!(get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let head = visitor.ask(request("HEAD", HOST, "/", &[]), b"").await;
    assert_eq!((head.headers, head.body.len()), (root.headers.clone(), 0));
    let tag = root.headers["etag"].to_str().unwrap();
    let again = visitor.ask(request("GET", HOST, "/", &[("if-none-match", tag)]), b"").await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let changed = visitor.ask(request("GET", HOST, "/", &[("if-none-match", "\"another\"")]), b"").await;
    assert_eq!(changed.status, StatusCode::OK);
    let since = root.headers["last-modified"].to_str().unwrap();
    let again = visitor.ask(request("GET", HOST, "/", &[("if-modified-since", since)]), b"").await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn more_connections_than_one_source_may_have_are_closed() {
    let limits = hopline::net::server::Limits { connections_per_ip: 2, ..Default::default() };
    let host = Host::wished(Wish { limits, ..Wish::default() }).await;
    let first = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let _second = Visitor::arrive(&host.roots, HOST, host.address()).await;
    assert!(probe(HOST, host.address(), &host.roots).await.unwrap().tls.is_err(), "a third");
    assert_eq!(host.server.counters().snapshot().connections_open, 2);
    drop(first);
    host.until(|counts| counts.connections_open == 1).await;
    let report = probe(HOST, host.address(), &host.roots).await.unwrap();
    assert!(report.tls.is_ok(), "once the first has gone, there is room");
    assert_eq!(report.visits.len(), 6);
    assert!(report.visits.iter().all(|visited| visited.answer.is_ok()), "{report}");
}

#[tokio::test]
async fn three_refusals_and_the_relay_is_left_alone() {
    let stage = Stage::open(|_, _| {}).await;
    let client = stage.client();
    for _ in 0..3 {
        let refused = client.connect(&stage.target()).await.unwrap_err();
        assert!(matches!(refused, ConnectError::Refused(_)), "{refused}");
    }
    let connections = stage.connections();
    assert!(matches!(client.connect(&stage.target()).await, Err(ConnectError::Resting { .. })));
    assert_eq!(stage.connections(), connections, "not even a look");
}

/// The extensions of a client hello that begins a capture: RFC 8446, 4.1.2.
fn extensions(capture: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let (kind, hello) = &records(capture)[0];
    assert_eq!((*kind, hello[0]), (22, 1), "a client hello");
    let number = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    let mut at = 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + number(at);
    at += 1 + usize::from(hello[at]);
    let end = at + 2 + number(at);
    at += 2;
    let mut found = Vec::new();
    while at < end {
        let length = number(at + 2);
        found.push((u16::try_from(number(at)).unwrap(), hello[at + 4..at + 4 + length].to_vec()));
        at += 4 + length;
    }
    found
}

/// Takes a capture apart into TLS records; what is none fails the test.
fn records(capture: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = capture;
    let mut records = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(5) {
        assert_eq!(head[1], 3, "the version of a record");
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        assert!(length <= 16_384 + 256, "the length of a record");
        // The last one may have been cut.
        let (content, tail) = tail.split_at(length.min(tail.len()));
        records.push((head[0], content.to_vec()));
        rest = tail;
    }
    records
}

/// A web server that speaks HTTP/1.1 and says what it was asked.
async fn upstream() -> std::net::SocketAddr {
    use hyper::body::Incoming;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: http::Request<Incoming>| async move {
                let host = request.headers()["host"].to_str().unwrap().to_owned();
                let text = format!("{} {host}", request.method());
                let mut answer = http::Response::new(http_body_util::Full::new(Bytes::from(text)));
                if request.method() == Method::POST {
                    *answer.status_mut() = StatusCode::IM_A_TEAPOT;
                }
                Ok::<_, std::convert::Infallible>(answer)
            });
            let socket = hyper_util::rt::TokioIo::new(socket);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(socket, service));
        }
    });
    address
}

/// How a host of the stage plays one connection.
#[derive(Debug, Clone)]
struct Script {
    alpn: &'static [u8],
    cipher: rustls::CipherSuite,
    group: rustls::NamedGroup,
    ed25519: bool,
    window: u32,
    connection_window: u32,
    max_streams: Option<u32>,
}

/// A host made of TLS and HTTP/2 libraries, which may be another one for each connection. It is no relay: it
/// answers every GET with a page and everything else with 405.
struct Stage {
    address: std::net::SocketAddr,
    made: Made,
    record: NodeRecord,
    connections: Arc<AtomicUsize>,
    asked: Arc<std::sync::Mutex<Vec<(Method, String)>>>,
}

impl Stage {
    async fn open(direct: impl Fn(usize, &mut Script) + Send + Sync + 'static) -> Self {
        let host = Host::start().await;
        let (record, made) = (host.record.clone(), [stage_identity(false), stage_identity(true)]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (count, asked_of) = (Arc::clone(&connections), Arc::clone(&asked));
        let roots = made.iter().map(|made| made.0.clone()).collect();
        let keys = made.map(|made| made.1);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let mut script = Script {
                    alpn: b"h2",
                    cipher: rustls::CipherSuite::TLS13_AES_128_GCM_SHA256,
                    group: rustls::NamedGroup::X25519,
                    ed25519: false,
                    window: 65_536,
                    connection_window: 1_000_000,
                    max_streams: None,
                };
                direct(count.fetch_add(1, Ordering::SeqCst), &mut script);
                let key = Arc::clone(&keys[usize::from(script.ed25519)]);
                tokio::spawn(play(socket, script, key, Arc::clone(&asked_of)));
            }
        });
        let made = Made { roots: hopline::net::tls::Roots::Only(roots), ..Made::for_host(HOST) };
        Self { address, made, record, connections, asked }
    }

    fn client(&self) -> Client {
        self.client_with(Preflight::Strict)
    }

    fn client_with(&self, preflight: Preflight) -> Client {
        let options =
            hopline::net::client::ClientOptions { preflight, ..options(self.made.roots.clone(), 5) };
        Client::new(options, Clock::starting_at(TODAY)).unwrap()
    }

    fn target(&self) -> hopline::net::client::Target {
        hopline::net::client::Target::new(self.record.clone()).at(self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn posts(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|(method, _)| *method == Method::POST).count()
    }

    fn gets(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(method, _)| *method == Method::GET).map(|(_, path)| path.clone()).collect()
    }
}

type Certificate = rustls::pki_types::CertificateDer<'static>;

fn stage_identity(ed25519: bool) -> (Certificate, Arc<rustls::sign::CertifiedKey>) {
    let algorithm = if ed25519 { &rcgen::PKCS_ED25519 } else { &rcgen::PKCS_ECDSA_P256_SHA256 };
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let certificate = rcgen::CertificateParams::new([HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
    let der = certificate.der().clone();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let certified = rustls::sign::CertifiedKey::from_der(vec![der.clone()], private, &provider).unwrap();
    (der, Arc::new(certified))
}

async fn play(
    socket: tokio::net::TcpStream,
    script: Script,
    key: Arc<rustls::sign::CertifiedKey>,
    asked: Arc<std::sync::Mutex<Vec<(Method, String)>>>,
) {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == script.cipher);
    provider.kx_groups.retain(|group| group.name() == script.group);
    let resolver = rustls::sign::SingleCertAndKey::from(key);
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![script.alpn.to_vec()];
    let Ok(socket) = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(socket).await else { return };
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(script.window).initial_connection_window_size(script.connection_window);
    if let Some(max) = script.max_streams {
        builder.max_concurrent_streams(max);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(socket).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let method = request.method().clone();
        asked.lock().unwrap().push((method.clone(), request.uri().path().to_owned()));
        let mut response = http::Response::new(());
        if method != Method::GET {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        }
        if let Ok(mut body) = respond.send_response(response, false) {
            body.send_data(Bytes::from_static(b"page"), true).ok();
        }
    }
}
