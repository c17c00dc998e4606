//! Simulated radios against the real clock: in one process, and over a hub's socket.

#![cfg(feature = "node")]

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hopline::ids::{AdapterId, LinkId, PeerId};
use hopline::link::event::{LinkDownReason, RadioCommand, RadioEvent, Role};
use hopline::radio::RadioHandle;
use hopline::radio::simulated::{Control, Hub, HubError, JoinError, Refusal, SimulatedAir, control, join};
use hopline::sim::event::Radio;
use hopline::sim::{Air, Edge, Topology};
use hopline::time::Instant;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const HCI0: AdapterId = AdapterId(0);
/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The next event for which `pick` has an answer.
async fn next<T>(radio: &mut RadioHandle, mut pick: impl FnMut(RadioEvent) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = radio.events.recv().await.expect("the radio runs on");
            if let Some(found) = pick(event) {
                return found;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("it happens in time")
}

/// Dials whoever is heard until a link is up.
async fn dial(radio: &mut RadioHandle) -> LinkId {
    let commands = radio.commands.clone();
    let found = async {
        loop {
            match radio.events.recv().await.expect("the radio runs on") {
                RadioEvent::Discovered { adapter, address, .. } => {
                    let connect = RadioCommand::Connect { adapter, address };
                    commands.send(connect).await.expect("the radio runs on");
                }
                RadioEvent::LinkUp { link, role: Role::Central, .. } => return link,
                RadioEvent::AdapterUp { .. }
                | RadioEvent::AdapterDown { .. }
                | RadioEvent::LinkUp { .. }
                | RadioEvent::LinkDown { .. }
                | RadioEvent::ConnectFailed { .. }
                | RadioEvent::Received { .. }
                | RadioEvent::Written { .. } => {}
            }
        }
    };
    timeout(PATIENCE, found).await.expect("a link comes up in time")
}

async fn await_link(radio: &mut RadioHandle) -> LinkId {
    next(radio, |event| {
        let RadioEvent::LinkUp { link, .. } = event else { return None };
        Some(link)
    })
    .await
}

async fn await_down(radio: &mut RadioHandle, link: LinkId) -> LinkDownReason {
    next(radio, |event| {
        let RadioEvent::LinkDown { link: ended, reason } = event else { return None };
        (ended == link).then_some(reason)
    })
    .await
}

/// Sends a frame of the longest kind from one to the other.
async fn send_across(from: &mut RadioHandle, link: LinkId, to: &mut RadioHandle, at: LinkId) {
    let frame = Bytes::from((0..512u32).map(|index| (index % 256) as u8).collect::<Vec<u8>>());
    from.commands.send(RadioCommand::Write { link, frame: frame.clone() }).await.expect("the radio runs on");
    let got = next(to, |event| {
        let RadioEvent::Received { link, bytes } = event else { return None };
        (link == at).then_some(bytes)
    })
    .await;
    assert_eq!(got, frame);
    next(from, |event| (event == RadioEvent::Written { link }).then_some(())).await;
}

#[tokio::test]
async fn two_radios_of_one_process_exchange_frames() {
    let mut air = Air::new([1; 32]);
    let stations = air.lay_out(&Topology::chain(2, Edge::default()), Instant::ZERO);
    let air = SimulatedAir::spawn(air);
    let radio = |peer| Radio { adapter: HCI0, peer: Some(PeerId([peer; 8])), first_serial: 1 };
    let mut a = air.switch_on(stations[0], radio(1)).await.unwrap();
    let mut b = air.switch_on(stations[1], radio(2)).await.unwrap();

    let at_a = dial(&mut a).await;
    let at_b = await_link(&mut b).await;
    send_across(&mut a, at_a, &mut b, at_b).await;
    send_across(&mut b, at_b, &mut a, at_a).await;

    air.cut(stations[0], stations[1]).await.unwrap();
    assert_eq!(await_down(&mut a, at_a).await, LinkDownReason::Remote);
    assert_eq!(await_down(&mut b, at_b).await, LinkDownReason::Remote);
}

#[tokio::test]
async fn a_driver_that_is_gone_takes_its_links_with_it() {
    let mut air = Air::new([2; 32]);
    let stations = air.lay_out(&Topology::chain(2, Edge::default()), Instant::ZERO);
    let air = SimulatedAir::spawn(air);
    let radio = Radio { adapter: HCI0, peer: None, first_serial: 1 };
    let mut a = air.switch_on(stations[0], radio).await.unwrap();
    let mut b = air.switch_on(stations[1], radio).await.unwrap();
    dial(&mut a).await;
    let at_b = await_link(&mut b).await;
    drop(a);
    assert_eq!(await_down(&mut b, at_b).await, LinkDownReason::Remote);
}

async fn start_hub(socket: &Path, topology: &str) -> JoinHandle<Result<(), HubError>> {
    let topology = topology.parse().expect("a topology");
    let hub = Hub::bind(socket, topology, [3; 32]).await.expect("a free path");
    tokio::spawn(hub.run())
}

#[tokio::test]
async fn a_frame_crosses_a_hub_and_a_member_that_dies_is_missed() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("air");
    let hub = start_hub(&socket, "ada ben\n").await;
    let mut ada = join(&socket, Some("ada"), AdapterId(4), Some(PeerId([1; 8]))).await.unwrap();
    let mut ben = join(&socket, None, HCI0, None).await.unwrap();

    let up = next(&mut ada, Some).await;
    assert!(matches!(up, RadioEvent::AdapterUp { adapter: AdapterId(4), .. }));
    let at_ben = dial(&mut ben).await;
    let at_ada = await_link(&mut ada).await;
    assert_eq!(at_ada.adapter, AdapterId(4));
    send_across(&mut ada, at_ada, &mut ben, at_ben).await;
    send_across(&mut ben, at_ben, &mut ada, at_ada).await;

    drop(ben);
    assert_eq!(await_down(&mut ada, at_ada).await, LinkDownReason::Remote);
    hub.abort();
}

#[tokio::test]
async fn a_hub_knows_its_nodes_and_each_is_one_member() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("air");
    let hub = start_hub(&socket, "ada ben\n").await;
    let ada = join(&socket, Some("ada"), HCI0, None).await.unwrap();
    let refusal = |result: Result<RadioHandle, JoinError>| match result {
        Err(JoinError::Refused(refusal)) => refusal,
        Ok(_) | Err(JoinError::NoHub { .. } | JoinError::NoAnswer { .. }) => panic!("not refused"),
    };
    let taken = join(&socket, Some("ada"), HCI0, None).await;
    assert_eq!(refusal(taken), Refusal::Taken("ada".to_owned()));
    let unknown = join(&socket, Some("eve"), HCI0, None).await;
    assert_eq!(refusal(unknown), Refusal::Unknown("eve".to_owned()));
    let ben = join(&socket, None, HCI0, None).await.unwrap();
    assert_eq!(refusal(join(&socket, None, HCI0, None).await), Refusal::Full);

    drop((ada, ben));
    let mut attempts = 0;
    while let Err(error) = join(&socket, Some("ada"), HCI0, None).await {
        attempts += 1;
        assert!(attempts < 1000, "{error}");
        tokio::task::yield_now().await;
    }
    hub.abort();
}

#[tokio::test]
async fn the_air_is_cut_and_joined_from_outside() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("air");
    let hub = start_hub(&socket, "ada ben\n").await;
    let mut ada = join(&socket, Some("ada"), HCI0, None).await.unwrap();
    let mut ben = join(&socket, Some("ben"), HCI0, None).await.unwrap();
    let at_ada = dial(&mut ada).await;
    await_link(&mut ben).await;

    let (a, b) = ("ada".to_owned(), "ben".to_owned());
    control(&socket, Control::Cut { a: a.clone(), b: b.clone() }).await.unwrap();
    assert_eq!(await_down(&mut ada, at_ada).await, LinkDownReason::Remote);
    control(&socket, Control::Join { a: a.clone(), b }).await.unwrap();
    assert_ne!(dial(&mut ada).await, at_ada);
    let stranger = control(&socket, Control::Cut { a, b: "eve".to_owned() }).await;
    assert_eq!(stranger.unwrap_err().to_string(), "the air has no node called `eve`");
    hub.abort();
}

#[tokio::test]
async fn a_member_returns_when_the_hub_does() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("air");
    let hub = start_hub(&socket, "ada ben\n").await;
    let mut ada = join(&socket, Some("ada"), HCI0, None).await.unwrap();
    let mut ben = join(&socket, Some("ben"), HCI0, None).await.unwrap();
    let first = dial(&mut ada).await;
    await_link(&mut ben).await;

    hub.abort();
    assert_eq!(await_down(&mut ada, first).await, LinkDownReason::AdapterDown);
    next(&mut ada, |event| (event == RadioEvent::AdapterDown { adapter: HCI0 }).then_some(())).await;
    assert!(!socket.exists(), "a hub takes its socket with it");

    let hub = start_hub(&socket, "ada ben\n").await;
    next(&mut ada, |event| matches!(event, RadioEvent::AdapterUp { adapter: HCI0, .. }).then_some(())).await;
    let second = dial(&mut ada).await;
    assert!(second.serial > first.serial, "a link's name is never used twice");
    hub.abort();
}

#[tokio::test]
async fn a_hub_replaces_a_dead_socket_and_not_a_live_one() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("air");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let hub = start_hub(&socket, "ada\n").await;
    let second = Hub::bind(&socket, Topology::default(), [4; 32]).await;
    assert!(matches!(second, Err(HubError::InUse(path)) if path == socket));
    hub.abort();
}

#[tokio::test]
async fn no_hub_is_an_error_that_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("air");
    let error = join(&socket, None, HCI0, None).await.unwrap_err().to_string();
    assert!(error.starts_with("no air is served on "), "{error}");
}
