//! A file between two daemons, as people send it, whose network path is cut and whose receiver is killed in the
//! middle of it. Nobody does anything then: it goes on where it was, and its hash is compared.
//!
//! `HOPLINE_FILE_MEGABYTES=100` makes the file so long; what happened goes to standard error.

#![cfg(feature = "node")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::time::Duration;

use hopline::api::Client;
use hopline::api::client::Events;
use hopline::api::files::{FileReport, FileWord};
use hopline::api::schema::EventReport;
use hopline::transports::files::SYNC_STEP;
use tokio::time::Instant;

#[path = "common/path.rs"]
mod path;
mod program;

use path::Path;
use program::{Bench, Daemon, Running, stdout};

/// How long anything may take; a busy machine may be slow.
const PATIENCE: Duration = Duration::from_secs(240);
/// How soon a silent cut is noticed; QUIC itself would take 15 s.
const NOTICED: Duration = Duration::from_secs(10);
/// The least length of the file: what a receiver has brought to disk for sure, and as much again.
const LEAST: u64 = 2 * SYNC_STEP;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_goes_on_after_a_cut_and_after_its_receiver_was_killed() {
    let mut world = World::build().await;
    let size = size();
    let content = noise(size);
    std::fs::write(world.bench.path("holiday.zip"), &content).unwrap();
    // More than is brought to disk for sure by then, less than the file.
    world.path.cut_after(size / 2 + SYNC_STEP / 2);
    let mut seen_by_ada = world.clients[0].events().await.unwrap();
    let ben = world.daemons[1].peer_id.as_str();
    let mut sending = world.bench.start(&["--home", "ada", "file", "send", ben, "holiday.zip", "--wait"]);

    let (number, silence) = tokio::join!(world.some_on_disk(), silence_until_noticed(&mut seen_by_ada));
    let on_disk = world.clients[1].file(number).await.unwrap().done;
    assert!((SYNC_STEP..size).contains(&on_disk), "{on_disk}");
    eprintln!("cut with {on_disk} of {size} bytes on disk for sure; noticed after {silence:?}");
    assert!(silence < NOTICED, "noticed after {silence:?}");

    world.daemons[1].running.kill().await;
    eprintln!("the receiver was killed, and is started again");
    world.path.set_open(true);
    world.daemons[1] = world.bench.daemon("ben").await;
    let mut events = world.clients[1].events().await.unwrap();
    let received = loop {
        let report = world.clients[1].file(number).await.unwrap();
        assert!(report.done >= on_disk, "it began anew at {}", report.done);
        if report.status == FileWord::Done {
            break report;
        }
        news(&mut events).await;
    };
    assert!(sending.ended_well().await);
    let status = world.bench.json(&["--home", "ada", "status"]).await;
    let connection = &status["connections"][0];
    assert_eq!(
        (&connection["peer"], &connection["path"], &connection["through"]),
        (
            &world.daemons[1].peer_id.as_str().into(),
            &"straight".into(),
            &world.path.to_second.to_string().into()
        )
    );

    let hash = blake3::hash(&content).to_hex();
    assert!(std::fs::read(received.path.unwrap()).unwrap() == content);
    for (name, path) in [("ada", "out"), ("ben", "in")] {
        let listed = world.bench.json(&["--home", name, "file", "list"]).await;
        let files = listed["files"].as_array().unwrap();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!((&files[0]["status"], &files[0]["direction"]), (&"done".into(), &path.into()));
        assert_eq!(files[0]["hash"], hash.as_str());
        let table = stdout(&world.bench.run(&["--home", name, "file", "list"]).await);
        assert!(table.contains("holiday.zip") && table.contains("done"), "{table}");
    }
    eprintln!("it went on and is whole; its BLAKE3 hash, on both sides: {hash}");
}

struct World {
    bench: Bench,
    _air: Running,
    path: Path,
    daemons: [Daemon; 2],
    clients: [Client; 2],
}

impl World {
    /// Ada and Ben, each other's contacts, on a path between addresses they are confined to.
    async fn build() -> Self {
        let bench = Bench::new();
        let air = bench.air("ada ben").await;
        let (path, ends) = Path::between([127, 0, 3, 1], [127, 0, 4, 1]).await.unwrap();
        let daemons = bench.friends(ends, path.found(), "[files]\naccept = \"contacts\"\n").await;
        let clients = ["ada", "ben"].map(|name| Client::new(bench.path(name).join("hopline.sock")));
        Self { bench, _air: air, path, daemons, clients }
    }

    /// Waits until some of the file is on Ben's disk for sure: its number.
    async fn some_on_disk(&self) -> u64 {
        let client = &self.clients[1];
        let mut events = client.events().await.unwrap();
        loop {
            let files = client.files(&Default::default()).await.unwrap().files;
            if let Some(file) = files.first().filter(|file| file.done > 0) {
                return file.number;
            }
            news(&mut events).await;
        }
    }
}

/// How long the last of a file's progress was ago when its sender noticed that it does not go on.
async fn silence_until_noticed(events: &mut Events) -> Duration {
    let mut last = None;
    loop {
        match (news(events).await.map(|report| report.status), last) {
            (Some(FileWord::Running), _) => last = Some(Instant::now()),
            (Some(FileWord::Waiting), Some(last)) => return last.elapsed(),
            (Some(FileWord::Done), _) => panic!("it was not cut"),
            (_, _) => {}
        }
    }
}

/// Waits for news of a file, or for news that some were missed.
async fn news(events: &mut Events) -> Option<FileReport> {
    let waiting = async {
        loop {
            let event = events.next().await.unwrap().expect("the daemon stopped");
            if let EventReport::File(report) = event {
                return Some(report);
            }
            if matches!(event, EventReport::Missed { .. }) {
                return None;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("no news of the file")
}

/// How long the file is.
fn size() -> u64 {
    let megabytes = std::env::var("HOPLINE_FILE_MEGABYTES").map_or(0, |text| text.parse::<u64>().unwrap());
    LEAST.max(megabytes * 1_000_000)
}

/// Bytes that no stream can make fewer.
fn noise(size: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}
