//! What a tunnel does as time goes by: its pings, its age, and what it makes of silence. Real clients and a real
//! server over loopback, in the runtime's time, which stands while bytes are on their way and goes on when it is told.

mod htx;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use hopline::htx::Side;
use hopline::htx::error::ErrorCode;
use hopline::net::tunnel::{Closed, Emulation, OpenError, Tunnel};
use tokio::time::Instant;

use htx::between::recorder;
use htx::wire::Wire;
use htx::{Host, quiet, there_and_back};

const SECOND: Duration = Duration::from_secs(1);
/// A minute of silence, three until somebody looks, twice at worst, and the patience for a PING.
const MOST_SECONDS: u32 = 370;
/// What TLS makes of a PING of HTTP/2, and of nothing else in a tunnel: 17 bytes, their type and their tag.
const PING_RECORD: usize = 17 + 1 + 16;

/// The runtime's time, in a test's hand.
struct Time {
    /// The runtime has its time leap by itself only while no thread of its pool works.
    _held: std::sync::mpsc::Sender<()>,
}

impl Time {
    /// Stops it.
    fn stop() -> Self {
        tokio::time::pause();
        let (held, released) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || released.recv().ok());
        Self { _held: held }
    }

    /// Lets so much of it pass, and every task do what is due.
    async fn pass(&self, time: Duration) {
        tokio::time::advance(time).await;
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets a second pass, and then what was sent there and back.
    async fn pass_a_second(&self, tunnel: &Tunnel) {
        self.pass(SECOND).await;
        assert!(tunnel.opener().ping().await.is_some());
    }

    /// Lets seconds pass until the tunnel is over.
    async fn pass_until_closed(&self, tunnel: &Tunnel) -> Closed {
        for _ in 0..MOST_SECONDS {
            tokio::select! {
                biased;
                closed = tunnel.closed() => return closed,
                () = self.pass(SECOND) => {}
            }
        }
        panic!("it is not over after {MOST_SECONDS} s");
    }
}

/// How many records of TLS carry a PING.
fn pings(mut wire: &[u8]) -> usize {
    let mut count = 0;
    while let Some(([_, _, _, high, low], rest)) = wire.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        count += usize::from(length == PING_RECORD);
        wire = rest.get(length..).unwrap_or_default();
    }
    count
}

#[tokio::test]
async fn b03_a_tunnel_pings_by_http2_at_drawn_times_and_is_answered() {
    let time = Time::stop();
    let host = Host::start().await;
    let (between, captures) = recorder(host.address()).await;
    let client = host.client_with(1, |options| options.emulation = Emulation { pings: true, ..quiet() });
    let tunnel = client.connect(&host.target().at(between)).await.unwrap();
    there_and_back(&tunnel, b"it stands").await;
    let sent = || pings(&captures.lock().unwrap().last().unwrap().to_host);
    assert_eq!(sent(), 0);
    let (mut gaps, mut last) = (Vec::new(), 0);
    for second in 1..=1800_u64 {
        time.pass_a_second(&tunnel).await;
        if sent() > gaps.len() {
            gaps.push(second - last);
            last = second;
        }
        assert_eq!(sent(), gaps.len(), "one at a time");
    }
    // Each of the two seconds a gap lies between may be one too late.
    assert!(gaps.iter().all(|gap| (8..=67).contains(gap)), "{gaps:?}");
    assert!(
        gaps.len() >= 1800 / 67 && BTreeSet::from_iter(&gaps).len() > gaps.len() / 3,
        "no beat: {gaps:?}"
    );
    assert_eq!(pings(&captures.lock().unwrap().last().unwrap().to_client), gaps.len(), "each is answered");
}

#[tokio::test]
async fn b08_a_tunnel_of_age_takes_no_new_streams_carries_the_open_one_to_its_end_and_another_takes_its_place()
 {
    let time = Time::stop();
    let host = Host::start().await;
    let client = host.client_with(1, |options| options.emulation = Emulation { lifetime: true, ..quiet() });
    let tunnel = client.connect(&host.target()).await.unwrap();
    let begun = Instant::now();
    let (mut sender, mut receiver) = tunnel.open().await.unwrap().split();
    sender.send(Bytes::from_static(b"before, ")).await.unwrap();
    loop {
        time.pass_a_second(&tunnel).await;
        match tunnel.open().await {
            Ok(_) => {}
            Err(refused) => break assert_eq!(refused, OpenError::Retired),
        }
    }
    let age = begun.elapsed();
    assert!(age >= SECOND * 600 && age <= SECOND * 3601, "{age:?}");
    tunnel.retired().await;
    let next = client.connect(&host.target()).await.unwrap();
    there_and_back(&next, b"in the next one").await;
    sender.send(Bytes::from_static(b"and after")).await.unwrap();
    sender.finish().await.unwrap();
    let mut received = Vec::new();
    while let Some(data) = receiver.receive().await.unwrap() {
        received.extend_from_slice(&data);
    }
    assert_eq!(received, b"before, and after");
    drop((sender, receiver));
    assert_eq!(time.pass_until_closed(&tunnel).await, Closed { code: ErrorCode::Ok, by: Side::Ours });
    host.until(|counts| counts.tunnels == 2 && counts.tunnels_open == 1).await;
    there_and_back(&next, b"still there").await;
}

#[tokio::test]
async fn a_tunnel_on_which_nothing_comes_is_given_up_by_both_sides_and_another_is_taken() {
    let time = Time::stop();
    let host = Host::start().await;
    let wire = Wire::to(host.address()).await;
    let tunnel = host.client(1).connect(&host.target().at(wire.address)).await.unwrap();
    there_and_back(&tunnel, b"it stands").await;
    // Whoever answers when asked is kept, however silent.
    for _ in 0..20 {
        time.pass(SECOND * 180).await;
        there_and_back(&tunnel, b"behind the answers").await;
    }
    wire.be_silent(true);
    let since = Instant::now();
    assert_eq!(time.pass_until_closed(&tunnel).await.code, ErrorCode::CUT_OFF);
    assert!(since.elapsed() >= SECOND * 60);
    for _ in 0..MOST_SECONDS {
        time.pass(SECOND).await;
    }
    host.until(|counts| counts.tunnels_open == 0).await;
    wire.be_silent(false);
    let next = host.client(2).connect(&host.target().at(wire.address)).await.unwrap();
    there_and_back(&next, b"another").await;
}
