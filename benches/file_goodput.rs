//! Goodput of a file over direct beside a bare QUIC stream of the same library, in the same run.
//!
//! `cargo bench --bench file_goodput [-- [--megabytes N] [--rounds N] [--megabits N] [--directory DIR]]`
//!
//! Both go between two endpoints of this process, in turns. The bare stream carries the same bytes from memory to
//! nowhere. The file comes from a disk, is hashed on both sides, compared, brought to disk for sure and named: what
//! `hopline file send` does, from the offer until the sender may say "delivered".
//!
//! First over a path of so many megabits a second (1000: a cable at home), then over bare loopback, where nothing but
//! the processors limits the bare stream: there each hash of a file takes from what carries it.
//!
//! A file stands beside the mean of the bare streams before and after it, so that what else the machine does meets
//! both; the median of these ratios is the result. The processor time of each, both ends together, stands beside it:
//! on a busy machine it says more than the clock. What the kernel does for a disk behind a program's back is not in it.

#![expect(clippy::print_stdout, reason = "a benchmark talks to people")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot run stops")]

use std::future::{Future, pending};
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hopline::ids::{PeerId, TransferId};
use hopline::transports::files::{Directory, Incoming, Progress, Source, send};
use iroh::endpoint::{BindOpts, Connection, presets};
use iroh::{Endpoint, EndpointAddr, RelayMode};
use tokio::sync::watch;

const ALPN: &[u8] = b"hopline-bench";
const BARE: u8 = 0x00;
/// The bytes that one write of the bare stream hands over.
const BLOCK: usize = 64 * 1024;

struct Settings {
    size: u64,
    rounds: u32,
    megabits: u32,
    directory: PathBuf,
}

fn main() {
    let settings = settings();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let limited = run(&settings, Some(settings.megabits)).await;
        let unlimited = run(&settings, None).await;
        println!("{limited}\n{unlimited}");
    });
}

fn settings() -> Settings {
    let directory = std::env::temp_dir();
    let mut settings = Settings { size: 100_000_000, rounds: 9, megabits: 1000, directory };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap();
        match argument.as_str() {
            "--megabytes" => settings.size = value().parse::<u64>().unwrap() * 1_000_000,
            "--rounds" => settings.rounds = value().parse().unwrap(),
            "--megabits" => settings.megabits = value().parse().unwrap(),
            "--directory" => settings.directory = value().into(),
            // What cargo adds, and what it was told about other benches.
            _ => {}
        }
    }
    settings
}

/// Runs all rounds over one way; the result in a line.
async fn run(settings: &Settings, megabits: Option<u32>) -> String {
    let home = tempfile::tempdir_in(&settings.directory).unwrap();
    let path = home.path().join("bench.bin");
    let content = noise(settings.size);
    write(&path, &content);
    let inbox = home.path().join("inbox");
    let ends = Ends::bind(megabits).await;
    let Ends { ours, theirs, .. } = &ends;
    let receiver = tokio::spawn(receive(theirs.clone(), inbox.clone()));
    let connection = ours.connect(ends.to_theirs.clone(), ALPN).await.unwrap();

    let way = megabits.map_or("loopback".to_owned(), |megabits| format!("a path of {megabits} Mbit/s"));
    let (size, rounds, place) = (settings.size, settings.rounds, home.path().display());
    println!("{size} bytes over {way}, {rounds} rounds, files in {place}; the machine's load: {}", load());
    // The first of each find the path's width, and are not counted.
    bare(&connection, &content).await;
    file(&connection, &path, 0).await;
    remove_received(&inbox);
    let mut bares = vec![measured(size, bare(&connection, &content)).await];
    let mut files = Vec::new();
    for round in 1..=rounds {
        let file = measured(size, file(&connection, &path, round)).await;
        remove_received(&inbox);
        let after = measured(size, bare(&connection, &content)).await;
        let before = bares[bares.len() - 1];
        println!(
            "round {round}: file {file}, bare {before} and {after}, ratio {:.3}",
            file.beside(before, after)
        );
        files.push(file);
        bares.push(after);
    }
    receiver.abort();
    tokio::join!(ours.close(), theirs.close());
    format!("over {way}: {}", result(&bares, &files))
}

/// One run.
#[derive(Clone, Copy)]
struct Run {
    /// Megabytes a second.
    goodput: f64,
    /// Milliseconds of the processors' time for a megabyte, both ends together.
    processor: f64,
}

impl Run {
    /// The goodput as a part of what two others had.
    fn beside(self, before: Self, after: Self) -> f64 {
        2.0 * self.goodput / (before.goodput + after.goodput)
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} MB/s ({:.2} ms/MB)", self.goodput, self.processor)
    }
}

async fn measured(size: u64, run: impl Future<Output = ()>) -> Run {
    let megabytes = size as f64 / 1e6;
    let (started, before) = (now(), processor_time());
    run.await;
    let elapsed = started.elapsed().as_secs_f64();
    Run { goodput: megabytes / elapsed, processor: 1000.0 * (processor_time() - before) / megabytes }
}

fn result(bares: &[Run], files: &[Run]) -> String {
    let ratios = files.iter().zip(bares.windows(2)).map(|(file, bare)| file.beside(bare[0], bare[1]));
    let ratios = sorted(ratios.collect());
    let goodput = |runs: &[Run]| sorted(runs.iter().map(|run| run.goodput).collect());
    let processor = |runs: &[Run]| runs.iter().map(|run| run.processor).sum::<f64>() / runs.len() as f64;
    let (bare, file) = (goodput(bares), goodput(files));
    let (bare_processor, file_processor) = (processor(bares), processor(files));
    format!(
        "bare {:.1} MB/s, file {:.1} MB/s, ratio {:.3} (medians; half of the ratios between {:.3} and {:.3}); \
         processor time {bare_processor:.2} and {file_processor:.2} ms/MB, ratio {:.2}; the machine's load: {}",
        median(&bare),
        median(&file),
        median(&ratios),
        ratios[ratios.len() / 4],
        ratios[ratios.len() - 1 - ratios.len() / 4],
        file_processor / bare_processor,
        load()
    )
}

/// Two endpoints, and where the first finds the second.
struct Ends {
    ours: Endpoint,
    theirs: Endpoint,
    to_theirs: EndpointAddr,
}

impl Ends {
    async fn bind(megabits: Option<u32>) -> Self {
        let Some(megabits) = megabits else {
            let (ours, theirs) = (bind([127, 0, 0, 1], 8).await, bind([127, 0, 0, 1], 8).await);
            let to_theirs = theirs.addr();
            return Self { ours, theirs, to_theirs };
        };
        // Each sends from its own address to the same alone: there is no way but over the path.
        let (ours, theirs) = (bind([127, 0, 5, 1], 32).await, bind([127, 0, 6, 1], 32).await);
        let [first, second] = [&ours, &theirs].map(|end| end.bound_sockets()[0]);
        let to_theirs = EndpointAddr::new(theirs.id()).with_ip_addr(lay(first, second, megabits));
        Self { ours, theirs, to_theirs }
    }
}

async fn bind(address: [u8; 4], prefix: u8) -> Endpoint {
    Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .alpns(vec![ALPN.to_vec()])
        .clear_ip_transports()
        .bind_addr_with_opts(SocketAddr::from((address, 0)), BindOpts::default().set_prefix_len(prefix))
        .unwrap()
        .bind()
        .await
        .unwrap()
}

/// Lays a path between two ends that carries so many megabits a second in each direction, and loses what comes faster than
/// its queue can hold, as paths do: the queue is the socket's. Says where the first end finds the second.
fn lay(first: SocketAddr, second: SocketAddr, megabits: u32) -> SocketAddr {
    let [near_first, near_second] = [first, second].map(|end| UdpSocket::bind((end.ip(), 0)).unwrap());
    let found = near_first.local_addr().unwrap();
    let way = |from: &UdpSocket, out: &UdpSocket, to| {
        let (from, out) = (from.try_clone().unwrap(), out.try_clone().unwrap());
        tokio::task::spawn_blocking(move || forward(&from, &out, to, megabits));
    };
    way(&near_first, &near_second, second);
    way(&near_second, &near_first, first);
    found
}

fn forward(from: &UdpSocket, out: &UdpSocket, to: SocketAddr, megabits: u32) {
    // How much the clock of a sleeping thread may be late.
    const SLACK: Duration = Duration::from_micros(200);
    from.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut datagram = vec![0; 65_536];
    let mut free = now();
    // Nothing comes for so long when both ends are gone. An end may be gone before the other.
    while let Ok((length, _)) = from.recv_from(&mut datagram) {
        out.send_to(&datagram[..length], to).ok();
        let arrived = now();
        free = free.max(arrived) + Duration::from_nanos(8000 * length as u64 / u64::from(megabits));
        if free > arrived + SLACK {
            std::thread::sleep(free - arrived);
        }
    }
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

async fn bare(connection: &Connection, content: &Bytes) {
    let (mut stream, mut answer) = connection.open_bi().await.unwrap();
    stream.write_all(&[BARE]).await.unwrap();
    for from in (0..content.len()).step_by(BLOCK) {
        stream.write_chunk(content.slice(from..content.len().min(from + BLOCK))).await.unwrap();
    }
    stream.finish().unwrap();
    assert_eq!(answer.read_to_end(1).await.unwrap(), [BARE]);
}

async fn file(connection: &Connection, path: &Path, round: u32) {
    let source = Source::look(path).unwrap();
    let (progress, _) = watch::channel(Progress::default());
    let mut id = TransferId([0; 16]);
    id.0[..4].copy_from_slice(&round.to_be_bytes());
    send(connection, id, &source, &progress, pending()).await.unwrap();
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
fn noise(size: u64) -> Bytes {
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes.into()
}

fn write(path: &Path, content: &[u8]) {
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(content).unwrap();
    file.sync_all().unwrap();
}

/// What this process has used so far, in seconds: proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}

/// How many wanted to run in the last minute, five and fifteen: proc_loadavg(5).
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}
