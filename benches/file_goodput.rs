//! Goodput of a file over direct beside a bare QUIC stream of the same library, in the same run.
//!
//! `cargo bench --bench file_goodput [-- [--megabytes N] [--rounds N] [--directory DIR]]`
//!
//! Both go between two endpoints of this process over loopback, in turns. The bare stream carries zeroes from
//! memory to nowhere. The file comes from a disk, is hashed on both sides, compared, brought to disk for sure and
//! named: what `hopline file send` does, from the offer until the sender may say "delivered".
//!
//! The processor time of each stands beside it, both ends together: on a machine that is busy with other things it
//! says more than the clock.

#![expect(clippy::print_stdout, reason = "a benchmark talks to people")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot run stops")]

use std::future::pending;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hopline::ids::{PeerId, TransferId};
use hopline::transports::direct::files::{Directory, Incoming, Progress, Source, send};
use iroh::endpoint::{Connection, presets};
use iroh::{Endpoint, RelayMode};
use tokio::sync::watch;

const ALPN: &[u8] = b"hopline-bench";
const BARE: u8 = 0x00;
/// The bytes that one write of the bare stream hands over.
const BLOCK: usize = 64 * 1024;

struct Settings {
    size: u64,
    rounds: u32,
    directory: PathBuf,
}

fn main() {
    let settings = settings();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(&settings));
}

fn settings() -> Settings {
    let mut settings = Settings { size: 100_000_000, rounds: 9, directory: std::env::temp_dir() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap();
        match argument.as_str() {
            "--megabytes" => settings.size = value().parse::<u64>().unwrap() * 1_000_000,
            "--rounds" => settings.rounds = value().parse().unwrap(),
            "--directory" => settings.directory = value().into(),
            // What cargo adds, and what it was told about other benches.
            _ => {}
        }
    }
    settings
}

async fn run(settings: &Settings) {
    let home = tempfile::tempdir_in(&settings.directory).unwrap();
    let path = home.path().join("bench.bin");
    write_noise(&path, settings.size);
    let (ours, theirs) = (bind().await, bind().await);
    let inbox = home.path().join("inbox");
    let receiver = tokio::spawn(receive(theirs.clone(), inbox.clone()));
    let connection = ours.connect(theirs.addr(), ALPN).await.unwrap();

    println!(
        "{} bytes over loopback, {} rounds, files in {}",
        settings.size,
        settings.rounds,
        home.path().display()
    );
    let (mut bares, mut files, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first round finds the path's width, and is not counted.
    for round in 0..=settings.rounds {
        let before = processor_time();
        let bare = goodput(settings.size, bare(&connection, settings.size).await);
        let between = processor_time();
        let file = goodput(settings.size, file(&connection, &path, round).await);
        let (bare_cpu, file_cpu) = (between - before, processor_time() - between);
        remove_received(&inbox);
        if round > 0 {
            println!(
                "round {round}: bare {bare:7.1} MB/s ({bare_cpu:.2} s CPU), file {file:7.1} MB/s ({file_cpu:.2} s CPU), \
                 ratio {:.3}",
                file / bare
            );
            bares.push(bare);
            files.push(file);
            ratios.push(file / bare);
        }
    }
    let (bare, file, ratio) = (median(bares), median(files), median(ratios));
    println!("median:  bare {bare:7.1} MB/s, file {file:7.1} MB/s, ratio {ratio:.3}");
    receiver.abort();
    tokio::join!(ours.close(), theirs.close());
}

async fn bind() -> Endpoint {
    Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .alpns(vec![ALPN.to_vec()])
        .bind_addr("127.0.0.1:0")
        .unwrap()
        .bind()
        .await
        .unwrap()
}

async fn receive(endpoint: Endpoint, inbox: PathBuf) {
    let directory = Directory::open(&inbox).unwrap();
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    while let Ok((mut answer, mut stream)) = connection.accept_bi().await {
        let mut kind = [0];
        stream.read_exact(&mut kind).await.unwrap();
        if kind == [BARE] {
            let mut buffer = vec![0; BLOCK];
            while stream.read(&mut buffer).await.unwrap().is_some() {}
            answer.write_all(&[BARE]).await.unwrap();
            answer.finish().unwrap();
        } else {
            let incoming = Incoming::read(answer, stream).await.unwrap();
            let (progress, _) = watch::channel(Progress::default());
            let placed = incoming.receive(&directory, PeerId([7; 8]), 0, &progress, pending()).await.unwrap();
            placed.confirm().await.unwrap();
        }
    }
}

async fn bare(connection: &Connection, size: u64) -> Duration {
    let started = now();
    let block = bytes::Bytes::from(vec![0; BLOCK]);
    let (mut stream, mut answer) = connection.open_bi().await.unwrap();
    stream.write_all(&[BARE]).await.unwrap();
    let mut left = usize::try_from(size).unwrap();
    while left > 0 {
        let length = left.min(BLOCK);
        stream.write_chunk(block.slice(..length)).await.unwrap();
        left -= length;
    }
    stream.finish().unwrap();
    assert_eq!(answer.read_to_end(1).await.unwrap(), [BARE]);
    started.elapsed()
}

async fn file(connection: &Connection, path: &Path, round: u32) -> Duration {
    let started = now();
    let source = Source::look(path).unwrap();
    let (progress, _) = watch::channel(Progress::default());
    let mut id = TransferId([0; 16]);
    id.0[..4].copy_from_slice(&round.to_be_bytes());
    send(connection, id, &source, &progress, pending()).await.unwrap();
    started.elapsed()
}

fn remove_received(inbox: &Path) {
    for entry in std::fs::read_dir(inbox).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// Bytes that no disk and no stream can make fewer.
fn write_noise(path: &Path, size: u64) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut noise = blake3::Hasher::new().finalize_xof();
    let mut block = vec![0; BLOCK];
    let mut left = usize::try_from(size).unwrap();
    while left > 0 {
        let length = left.min(BLOCK);
        noise.fill(&mut block);
        file.write_all(&block[..length]).unwrap();
        left -= length;
    }
    file.sync_all().unwrap();
}

/// What this process has used so far, in seconds: proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}

fn goodput(size: u64, elapsed: Duration) -> f64 {
    size as f64 / 1e6 / elapsed.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}
