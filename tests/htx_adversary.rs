//! Those who stand between a client and its relay, and those who come later with what they recorded.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod htx;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hopline::htx::error::ErrorCode;
use hopline::htx::ticket::{Issued, issue};
use hopline::htx::{Event, Input};
use hopline::net::client::ConnectError;
use hopline::net::tls::Roots;
use http::StatusCode;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use htx::between::{Captures, carry, meddler};
use htx::hand::Hand;
use htx::visitor::{Visitor, request, tls};
use htx::{HOST, Host, PATIENCE, TODAY, TUNNEL_PATH, Wish, options, there_and_back};

fn cookie(host: &mut Host, seed: u8) -> String {
    host.record.policy = "BN-Ticket: v1; carriers=cookie:1; len=24..64".to_owned();
    let ticket: Issued = issue(&host.record, TODAY, &mut ChaCha20Rng::from_seed([seed; 32])).unwrap();
    ticket.pair()
}

#[tokio::test]
async fn a_man_in_the_middle_with_a_valid_certificate_cannot_complete_the_inner_handshake() {
    let host = Host::start().await;
    let (between, certificate, plain) = man_in_the_middle(&host).await;
    let Roots::Only(mut believed) = host.roots.clone() else { panic!("tests have roots of their own") };
    believed.push(certificate);
    let options = options(Roots::Only(believed), 1);
    let client = hopline::net::client::Client::new(options, host.clock).unwrap();
    let failed = client.connect(&host.target().at(between)).await.unwrap_err();
    assert!(matches!(failed, ConnectError::Handshake), "{failed}");
    let counted = host.server.counters().snapshot();
    assert_eq!((counted.tickets_admitted > 0, counted.tunnels), (true, 0));
    let plain = plain.lock().unwrap().clone();
    let seen = plain.last().unwrap();
    assert!(seen.to_host.starts_with(b"PRI * HTTP/2.0"), "he did read what was in TLS");
    // The same client at the host itself.
    there_and_back(&client.connect(&host.target()).await.unwrap(), b"nobody between").await;
}

#[tokio::test]
async fn a_recorded_session_is_a_visit_when_it_is_played_again() {
    let mut host = Host::start().await;
    let cookie = cookie(&mut host, 1);
    let recorded = record(&host, &cookie).await;

    let later = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let post = request("POST", HOST, TUNNEL_PATH, &[("cookie", &cookie)]);
    assert_eq!(later.ask(post, &recorded).await.status, StatusCode::METHOD_NOT_ALLOWED);

    // A host that has the same keys and has forgotten everything takes the ticket, and not the handshake.
    let forgetful = Host::wished(Wish::default()).await;
    let visitor = Visitor::arrive(&forgetful.roots, HOST, forgetful.address()).await;
    let mut hand = Hand::enter(visitor, &cookie, forgetful.clock).await;
    hand.sending.send_data(recorded.into(), false).unwrap();
    while hand.hear().await.is_some() {}
    // Message 2 is an answer to message 1, which is right for whoever ends TLS; message 3 is not.
    assert_eq!(forgetful.server.counters().snapshot().tunnels, 0);
    forgetful.until(|counts| counts.inner_failed == 1).await;
}

#[tokio::test]
async fn a_host_that_restarts_with_its_memory_takes_no_ticket_twice() {
    let mut host = Host::start().await;
    let cookie = cookie(&mut host, 2);
    record(&host, &cookie).await;
    let remembered = host.remembered.lock().unwrap().clone();
    let again = Host::wished(Wish { remembered, ..Wish::default() }).await;
    let visitor = Visitor::arrive(&again.roots, HOST, again.address()).await;
    let post = request("POST", HOST, TUNNEL_PATH, &[("cookie", &cookie)]);
    assert_eq!(visitor.ask(post, b"").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_flipped_bit_of_a_handshake_message_is_answered_by_silence() {
    let mut host = Host::start().await;
    // Message 1 is 1 + 2 + 1232 bytes, message 3 is 2 + 64.
    let mut attempts = Vec::new();
    for (seed, message, byte) in
        [(1, 0, 3), (2, 0, 700), (3, 0, 1234), (4, 1, 2), (5, 1, 40), (6, 1, 65), (7, 0, 0), (8, 0, 2)]
    {
        let cookie = cookie(&mut host, 10 + seed);
        let visitor = Visitor::arrive(&host.roots, HOST, host.address()).await;
        let mut hand = Hand::enter(visitor, &cookie, host.clock).await;
        let record = host.record.clone();
        attempts.push(tokio::spawn(async move {
            hand.begin(&record, seed);
            let mut number = 0;
            let mut flip = |bytes: &mut Vec<u8>| {
                if number == message {
                    bytes[byte] ^= 1;
                }
                number += 1;
            };
            hand.handle(None, &mut flip);
            while let Some(data) = hand.hear().await {
                hand.handle(Some(Input::Received(data)), &mut flip);
            }
            // 1088 + 48 and a length is message 2, which a good message 1 gets.
            (message, byte, hand.received.len())
        }));
    }
    for attempt in attempts {
        let (message, byte, received) = tokio::time::timeout(PATIENCE, attempt).await.unwrap().unwrap();
        let expected = if message == 0 { 0 } else { 2 + 1088 + 48 };
        assert_eq!(received, expected, "bit of byte {byte} of message {}", 2 * message + 1);
    }
    host.until(|counts| counts.inner_failed == 8).await;
    assert_eq!(host.server.counters().snapshot().tunnels, 0);
}

#[tokio::test]
async fn a_flipped_bit_of_a_frame_ends_the_tunnel_without_a_word() {
    let mut host = Host::start().await;
    for (seed, byte) in (20_u8..).zip([0, 2, 3, 4, 5, 20, 100, 114]) {
        let cookie = cookie(&mut host, seed);
        let visitor = Visitor::arrive(&host.roots, HOST, host.address()).await;
        let mut hand = Hand::enter(visitor, &cookie, host.clock).await;
        hand.begin(&host.record, seed);
        hand.shake().await;
        // Raised windows come and go before.
        let events = hand.handle(Some(Input::Open), &mut |_| {});
        let stream = events
            .iter()
            .find_map(|event| if let Event::Opened { stream } = event { Some(*stream) } else { None })
            .unwrap();
        let mut flipped = false;
        let data = Bytes::from(vec![0x5a; 100]);
        hand.handle(Some(Input::Send { stream, data }), &mut |bytes| {
            // 3 of length, type, stream id, 100 of data, tag 16.
            assert!(bytes.len() >= 115, "{}", bytes.len());
            bytes[byte] ^= 1;
            flipped = true;
        });
        assert!(flipped);
        // A length that grew is waited for.
        hand.handle(None, &mut |_| {});
        if byte < 3 {
            hand.sending.send_data(vec![0; 66_000].into(), false).unwrap();
        }
        let before = hand.received.len();
        let end = async { while hand.hear().await.is_some() {} };
        tokio::time::timeout(PATIENCE, end).await.unwrap();
        // What it had sent by then: its raised windows at most. No CLOSE, no reason, nothing of the data.
        assert!(hand.received.len() - before < 64, "byte {byte}: {} bytes", hand.received.len() - before);
    }
    host.until(|counts| counts.tunnels_open == 0).await;
}

#[tokio::test]
async fn a_flipped_bit_on_the_wire_ends_the_tunnel() {
    let host = Host::start().await;
    let armed = Arc::new(AtomicBool::new(false));
    let trigger = Arc::clone(&armed);
    let (between, _) = meddler(
        host.address(),
        Arc::new(move |_, piece| {
            if trigger.load(Ordering::SeqCst)
                && let Some(last) = piece.last_mut()
            {
                *last ^= 1;
            }
            true
        }),
    )
    .await;
    let tunnel = host.client(1).connect(&host.target().at(between)).await.unwrap();
    there_and_back(&tunnel, b"in order").await;
    armed.store(true, Ordering::SeqCst);
    let mut stream = tunnel.open().await.unwrap();
    stream.send(Bytes::from_static(b"changed on its way")).await.unwrap();
    let closed = tokio::time::timeout(PATIENCE, tunnel.closed()).await.unwrap();
    assert_eq!(closed.code, ErrorCode::CUT_OFF);
    assert!(stream.receive().await.is_err());
}

/// A session with its ticket, to the end of the handshake and a little further; what the client sent in its body.
async fn record(host: &Host, cookie: &str) -> Vec<u8> {
    let visitor = Visitor::arrive(&host.roots, HOST, host.address()).await;
    let mut hand = Hand::enter(visitor, cookie, host.clock).await;
    hand.begin(&host.record, 9);
    hand.shake().await;
    host.until(|counts| counts.tunnels == 1).await;
    hand.sent
}

/// Ends the client's TLS with a certificate for the host, and begins another to the host itself. What he reads in
/// between, he records.
async fn man_in_the_middle(host: &Host) -> (std::net::SocketAddr, CertificateDer<'static>, Captures) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut server =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec()];
    let (acceptor, connector) =
        (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(tls(&host.roots, &[b"h2"]))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, behind) = (listener.local_addr().unwrap(), host.address());
    let captures = Captures::default();
    let plain = Arc::clone(&captures);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let client = acceptor.accept(socket).await.unwrap();
            let socket = TcpStream::connect(behind).await.unwrap();
            let host = connector.connect(ServerName::try_from(HOST).unwrap(), socket).await.unwrap();
            let number = {
                let mut captures = captures.lock().unwrap();
                captures.push(htx::between::Capture::default());
                captures.len() - 1
            };
            carry(client, host, number, Arc::clone(&captures), Arc::new(|_, _| true));
        }
    });
    (address, certificate.der().clone(), plain)
}
