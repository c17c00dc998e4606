//! The path between two contacts is cut and mended.

#![cfg(feature = "node")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

#[path = "common/path.rs"]
mod path;

mod direct;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use direct::{Node, id};
use hopline::capabilities::Reach;
use hopline::router::event::{Failure, Report};
use hopline::transports::direct::{Bind, Config, Contact, PathKind};
use hopline::transports::port::Command;
use path::Path;
use tokio::time::Instant;

/// Two nodes that have nothing but the path between them, connected.
async fn over_a_path() -> (Node, Node, Path) {
    let confined = |host| {
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
        Config { bind: vec![Bind::confined(address)], ..Config::default() }
    };
    let mut one = Node::start(1, confined(1), Vec::new()).await;
    let mut two = Node::start(2, confined(2), Vec::new()).await;
    let ends = [one.handle.bound().await[0], two.handle.bound().await[0]];
    let path = Path::lay(ends[0], ends[1]).await.unwrap();
    one.handle.set_contacts(vec![Contact { addresses: vec![path.to_second], ..two.contact() }]).await;
    two.handle.set_contacts(vec![Contact { addresses: vec![path.to_first], ..one.contact() }]).await;
    one.reaches(&two, Reach::Yes).await;
    two.reaches(&one, Reach::Yes).await;
    (one, two, path)
}

#[tokio::test]
async fn a_path_in_use_that_is_cut_is_noticed_in_seconds_and_used_again_when_it_is_mended() {
    let (mut one, mut two, path) = over_a_path().await;
    one.send_text(&two, id(1), "can you hear me?").await;
    two.keep().await;
    assert_eq!(one.receipt().await, (two.peer(), id(1), false));
    assert_eq!(one.handle.connections().await[0].path, PathKind::Direct(path.to_second));

    path.set_open(false);
    let cut = Instant::now();
    let attempt = one.send_text(&two, id(2), "and now?").await;
    assert_eq!(one.report(attempt).await, Report::Sent);
    assert_eq!(one.report(attempt).await, Report::Failed(Failure::Broken));
    one.reaches(&two, Reach::Perhaps).await;
    // Three seconds of silence, and a busy machine; iroh alone takes fifteen.
    assert!(cut.elapsed() < Duration::from_secs(10), "it took {:?}", cut.elapsed());
    two.reaches(&one, Reach::Perhaps).await;

    path.set_open(true);
    one.reaches(&two, Reach::Yes).await;
    one.send_text(&two, id(2), "and now?").await;
    assert_eq!(two.keep().await.id, id(2));
    assert_eq!(one.receipt().await, (two.peer(), id(2), false));
    assert_eq!(one.handle.connections().await[0].path, PathKind::Direct(path.to_second));
}

#[tokio::test]
async fn a_path_nobody_uses_is_felt_for_when_it_is_to_be_ready() {
    let (mut one, two, path) = over_a_path().await;
    path.set_open(false);
    let cut = Instant::now();
    assert!(one.transport.send(Command::Warm { peer: two.peer() }).await);
    one.reaches(&two, Reach::Perhaps).await;
    assert!(cut.elapsed() < Duration::from_secs(10), "it took {:?}", cut.elapsed());
}

#[tokio::test]
async fn a_short_cut_breaks_nothing() {
    let (mut one, mut two, path) = over_a_path().await;
    path.set_open(false);
    one.send_text(&two, id(1), "hold on").await;
    // The message, and what asks after it while no answer comes: longer than a moment, shorter than a broken path.
    path.loses(3).await;
    path.set_open(true);
    assert_eq!(two.keep().await.id, id(1));
    assert_eq!(one.receipt().await, (two.peer(), id(1), false));
}
