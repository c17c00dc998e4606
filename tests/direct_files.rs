//! Files between two real endpoints over loopback: whole, cut, resumed, spoiled, refused.

#![cfg(feature = "node")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};

use hopline::ids::{PeerId, TransferId};
use hopline::transports::files::{
    Directory, Incoming, Placed, Progress, ReceiveError, SendError, Source, SourceError, send,
};
use hopline::wire::file::{Answer, FileHash, Offer, Reason, STREAM_KIND};
use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt, presets};
use iroh::{Endpoint, RelayMode};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const ALPN: &[u8] = b"hopline-test";
const SENDER: PeerId = PeerId([0xA1; 8]);
const ID: TransferId = TransferId([0x1D; 16]);

/// Two endpoints, the connection between them from both sides, and a place on disk.
struct Pair {
    endpoints: [Endpoint; 2],
    ours: Connection,
    theirs: Connection,
    home: tempfile::TempDir,
}

impl Pair {
    async fn new() -> Self {
        let endpoints = [endpoint().await, endpoint().await];
        let (ours, theirs) = connect(&endpoints).await;
        Self { endpoints, ours, theirs, home: tempfile::tempdir().unwrap() }
    }

    /// A connection after the last one was cut.
    async fn reconnect(&mut self) {
        (self.ours, self.theirs) = connect(&self.endpoints).await;
    }

    fn directory(&self) -> Directory {
        Directory::open(&self.home.path().join("inbox")).unwrap()
    }

    /// A file to send, of bytes that are nowhere the same.
    fn file(&self, name: &str, size: usize) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, noise(size)).unwrap();
        path
    }

    fn partial(&self) -> PathBuf {
        self.directory().partial(SENDER, ID)
    }

    /// Receives the next file that is offered, trusting `synced` bytes of what is there.
    fn receiving(&self, synced: u64) -> JoinHandle<Result<Placed, ReceiveError>> {
        let (connection, directory) = (self.theirs.clone(), self.directory());
        tokio::spawn(async move {
            let incoming = incoming(&connection).await?;
            incoming.receive(&directory, SENDER, synced, &unwatched(), pending()).await
        })
    }

    /// The same, and confirms it.
    fn taking(&self, synced: u64) -> JoinHandle<Result<(PathBuf, FileHash), ReceiveError>> {
        let receiving = self.receiving(synced);
        tokio::spawn(async move {
            let placed = receiving.await.unwrap()?;
            let received = (placed.path.clone(), placed.hash);
            placed.confirm().await?;
            Ok(received)
        })
    }

    async fn send(&self, source: &Source) -> Result<FileHash, SendError> {
        send(&self.ours, ID, source, &unwatched(), pending()).await
    }
}

async fn endpoint() -> Endpoint {
    Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .alpns(vec![ALPN.to_vec()])
        .bind_addr("127.0.0.1:0")
        .unwrap()
        .bind()
        .await
        .unwrap()
}

async fn connect([ours, theirs]: &[Endpoint; 2]) -> (Connection, Connection) {
    let accept = async { theirs.accept().await.unwrap().await.unwrap() };
    let (ours, theirs) = tokio::join!(ours.connect(theirs.addr(), ALPN), accept);
    (ours.unwrap(), theirs)
}

async fn file_stream(connection: &Connection) -> (SendStream, RecvStream) {
    let (send, mut recv) = connection.accept_bi().await.unwrap();
    let mut kind = [0];
    recv.read_exact(&mut kind).await.unwrap();
    assert_eq!(kind, [STREAM_KIND]);
    (send, recv)
}

async fn incoming(connection: &Connection) -> Result<Incoming, ReceiveError> {
    let (send, recv) = file_stream(connection).await;
    Incoming::read(send, recv).await
}

fn unwatched() -> watch::Sender<Progress> {
    watch::channel(Progress::default()).0
}

fn noise(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn hash(bytes: &[u8]) -> FileHash {
    FileHash(blake3::hash(bytes).into())
}

fn names(directory: &Directory) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".partial");
    names.sort();
    names
}

#[tokio::test]
async fn a_file_arrives_as_it_was_sent() {
    let pair = Pair::new().await;
    let path = pair.file("photo.jpg", 5_000_001);
    let source = Source::look(&path).unwrap();
    let taking = pair.taking(0);
    let sent = pair.send(&source).await.unwrap();
    let (placed, received) = taking.await.unwrap().unwrap();

    assert_eq!(sent, hash(&noise(5_000_001)));
    assert_eq!(received, sent);
    assert_eq!(placed, pair.directory().path().join("photo.jpg"));
    assert!(fs::read(&placed).unwrap() == noise(5_000_001));
    assert!(!pair.partial().exists());
}

#[tokio::test]
async fn an_empty_file_arrives() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("nothing", 0)).unwrap();
    let taking = pair.taking(0);
    assert_eq!(pair.send(&source).await.unwrap(), hash(&[]));
    let (placed, _) = taking.await.unwrap().unwrap();
    assert_eq!(fs::read(placed).unwrap(), [0; 0]);
}

#[tokio::test]
async fn both_sides_see_how_far_it_is() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("film", 3_000_000)).unwrap();
    let (sending, seen) = watch::channel(Progress::default());
    let (connection, directory) = (pair.theirs.clone(), pair.directory());
    let receiving = tokio::spawn(async move {
        let (progress, seen) = watch::channel(Progress::default());
        let incoming = incoming(&connection).await.unwrap();
        let placed = incoming.receive(&directory, SENDER, 0, &progress, pending()).await.unwrap();
        placed.confirm().await.unwrap();
        *seen.borrow()
    });
    send(&pair.ours, ID, &source, &sending, pending()).await.unwrap();
    let end = Progress { total: 3_000_000, resumed: 0, done: 3_000_000, synced: 0 };
    assert_eq!(*seen.borrow(), end);
    assert_eq!(receiving.await.unwrap(), Progress { synced: 3_000_000, ..end });
}

#[tokio::test]
async fn a_cut_file_goes_on_where_it_was_cut() {
    let mut pair = Pair::new().await;
    let size: usize = 60_000_000;
    let source = Source::look(&pair.file("film.mkv", size)).unwrap();

    let receiving = pair.receiving(0);
    let (progress, mut seen) = watch::channel(Progress::default());
    let cut = async {
        seen.wait_for(|progress| progress.done > 20_000_000).await.unwrap();
        pair.ours.close(VarInt::from_u32(1), b"cut");
    };
    let (sent, ()) = tokio::join!(send(&pair.ours, ID, &source, &progress, pending()), cut);
    assert!(sent.unwrap_err().is_passing());
    let error = receiving.await.unwrap().unwrap_err();
    assert!(matches!(error, ReceiveError::Read(_)) && error.is_passing(), "{error}");
    let kept = fs::metadata(pair.partial()).unwrap().len();
    assert!(kept > 1_000_000 && kept < size as u64, "{kept} bytes kept");
    assert_eq!(names(&pair.directory()), [""; 0]);

    pair.reconnect().await;
    let before = pair.ours.stats().udp_tx.bytes;
    let taking = pair.taking(kept);
    let (progress, seen) = watch::channel(Progress::default());
    let sent = send(&pair.ours, ID, &source, &progress, pending()).await.unwrap();
    let (placed, received) = taking.await.unwrap().unwrap();
    assert_eq!(seen.borrow().resumed, kept);
    // What went over the network is the rest, with QUIC's own bytes and what it sent again.
    let carried = pair.ours.stats().udp_tx.bytes - before;
    let rest = size as u64 - kept;
    assert!(carried >= rest && carried < rest + rest / 4 + 1_000_000, "{carried} bytes for {rest}");
    assert_eq!(received, sent);
    assert!(fs::read(placed).unwrap() == noise(size));
}

#[tokio::test]
async fn bytes_that_were_never_brought_to_disk_are_sent_again() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("book.pdf", 2_000_000)).unwrap();
    // As after a power cut: the file has its length, its end was never written.
    let mut partial = noise(2_000_000);
    partial[1_000_000..].fill(0);
    fs::write(pair.partial(), partial).unwrap();

    let taking = pair.taking(1_000_000);
    let (progress, seen) = watch::channel(Progress::default());
    send(&pair.ours, ID, &source, &progress, pending()).await.unwrap();
    assert_eq!(seen.borrow().resumed, 1_000_000);
    let (placed, _) = taking.await.unwrap().unwrap();
    assert!(fs::read(placed).unwrap() == noise(2_000_000));
}

#[tokio::test]
async fn a_spoiled_partial_file_is_noticed_before_the_rest_is_sent() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("book.pdf", 2_000_000)).unwrap();
    let mut partial = noise(1_500_000);
    partial[700_000] ^= 1;
    fs::write(pair.partial(), partial).unwrap();

    let taking = pair.taking(1_500_000);
    let (progress, seen) = watch::channel(Progress::default());
    send(&pair.ours, ID, &source, &progress, pending()).await.unwrap();
    assert_eq!(seen.borrow().resumed, 0);
    let (placed, _) = taking.await.unwrap().unwrap();
    assert!(fs::read(placed).unwrap() == noise(2_000_000));
}

#[tokio::test]
async fn a_file_whose_hash_differs_is_sent_once_more_and_then_given_up() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("book.pdf", 100_000)).unwrap();
    let connection = pair.theirs.clone();
    // A receiver whose memory fails: whatever comes, its hash is another.
    let receiver = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut answer, mut stream) = file_stream(&connection).await;
            let offer = read_frame(&mut stream).await;
            assert_eq!(Offer::decode(&offer.into()).unwrap().size, 100_000);
            let resume = Answer::Resume { offset: 0, hash: hash(&[]) };
            write_frame(&mut answer, &resume.encode()).await;
            stream.read_to_end(200_000).await.unwrap();
            write_frame(&mut answer, &hopline::wire::file::Verdict::Corrupt.encode()).await;
        }
    });
    let error = pair.send(&source).await.unwrap_err();
    assert!(matches!(error, SendError::Corrupt) && !error.is_passing(), "{error}");
    receiver.await.unwrap();
}

#[tokio::test]
async fn bytes_that_do_not_match_the_hash_are_thrown_away() {
    let pair = Pair::new().await;
    let receiving = pair.receiving(0);
    let (mut stream, mut answer) = pair.ours.open_bi().await.unwrap();
    stream.write_all(&[STREAM_KIND]).await.unwrap();
    let offer = Offer { id: ID, size: 4, modified: 0, name: "a".to_owned() };
    write_frame(&mut stream, &offer.encode().unwrap()).await;
    read_frame(&mut answer).await;
    write_frame(&mut stream, &0_u64.to_be_bytes()).await;
    stream.write_all(b"four").await.unwrap();
    write_frame(&mut stream, &hash(b"five").0).await;

    assert!(matches!(receiving.await.unwrap(), Err(ReceiveError::Corrupt)));
    assert!(!pair.partial().exists());
    assert_eq!(names(&pair.directory()), [""; 0]);
}

#[tokio::test]
async fn a_file_that_changed_since_it_was_offered_is_not_sent() {
    let mut pair = Pair::new().await;
    let path = pair.file("notes.txt", 1_000_000);
    let source = Source::look(&path).unwrap();
    fs::write(&path, b"other notes").unwrap();

    let receiving = pair.receiving(0);
    let error = pair.send(&source).await.unwrap_err();
    assert!(matches!(error, SendError::Source(SourceError::Changed { .. })), "{error}");
    assert!(!error.is_passing());
    assert!(error.to_string().contains("notes.txt has changed"));
    let error = receiving.await.unwrap().unwrap_err();
    assert!(matches!(error, ReceiveError::Stopped(Reason::Changed)), "{error}");

    fs::remove_file(&path).unwrap();
    pair.reconnect().await;
    let receiving = pair.receiving(0);
    let error = pair.send(&source).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot read"), "{error}");
    assert!(matches!(receiving.await.unwrap(), Err(ReceiveError::Stopped(Reason::Disk))));
}

#[tokio::test]
async fn a_name_that_points_elsewhere_stays_in_the_directory() {
    let pair = Pair::new().await;
    for (index, (name, placed)) in
        [("../../etc/passwd", "passwd"), ("/tmp/x", "x"), ("..", "file"), (".bashrc", "bashrc")]
            .into_iter()
            .enumerate()
    {
        let taking = pair.taking(0);
        let (mut stream, mut answer) = pair.ours.open_bi().await.unwrap();
        stream.write_all(&[STREAM_KIND]).await.unwrap();
        let id = TransferId([u8::try_from(index).unwrap(); 16]);
        let offer = Offer { id, size: 4, modified: 0, name: name.to_owned() };
        write_frame(&mut stream, &offer.encode().unwrap()).await;
        read_frame(&mut answer).await;
        write_frame(&mut stream, &0_u64.to_be_bytes()).await;
        stream.write_all(b"evil").await.unwrap();
        write_frame(&mut stream, &hash(b"evil").0).await;
        let (path, _) = taking.await.unwrap().unwrap();
        assert_eq!(path, pair.directory().path().join(placed));
    }
}

#[tokio::test]
async fn a_file_of_the_same_name_is_kept() {
    let pair = Pair::new().await;
    let directory = pair.directory();
    fs::write(directory.path().join("notes.txt"), b"mine").unwrap();
    let source = Source::look(&pair.file("notes.txt", 1000)).unwrap();
    let taking = pair.taking(0);
    pair.send(&source).await.unwrap();
    taking.await.unwrap().unwrap();
    assert_eq!(names(&directory), ["notes (2).txt", "notes.txt"]);
    assert_eq!(fs::read(directory.path().join("notes.txt")).unwrap(), b"mine");
}

#[tokio::test]
async fn a_declined_file_says_why() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("film.mkv", 1_000_000)).unwrap();
    let connection = pair.theirs.clone();
    let declining = tokio::spawn(async move {
        let incoming = incoming(&connection).await.unwrap();
        assert_eq!(incoming.offer().name, "film.mkv");
        assert_eq!(incoming.offer().size, 1_000_000);
        incoming.decline(Reason::NotAccepted).await.unwrap();
    });
    let error = pair.send(&source).await.unwrap_err();
    assert!(matches!(error, SendError::Declined(Reason::NotAccepted)), "{error}");
    declining.await.unwrap();
}

#[tokio::test]
async fn a_file_larger_than_the_disk_is_declined() {
    let pair = Pair::new().await;
    let path = pair.home.path().join("huge");
    // Sparse: it has its size and no bytes.
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let receiving = pair.receiving(0);
    let error = pair.send(&Source::look(&path).unwrap()).await.unwrap_err();
    assert!(matches!(error, SendError::Declined(Reason::NoSpace)), "{error}");
    assert!(matches!(receiving.await.unwrap(), Err(ReceiveError::Declined(Reason::NoSpace))));
}

#[tokio::test]
async fn a_second_stream_of_the_same_transfer_waits_for_the_first() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("film.mkv", 1_000_000)).unwrap();
    let lock = fs::File::create(pair.partial()).unwrap();
    lock.lock().unwrap();
    let receiving = pair.receiving(0);
    let error = pair.send(&source).await.unwrap_err();
    assert!(matches!(error, SendError::Declined(Reason::Busy)) && error.is_passing(), "{error}");
    assert!(receiving.await.unwrap().unwrap_err().is_passing());
}

#[tokio::test]
async fn a_cancelled_file_is_cancelled_on_both_sides() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("film.mkv", 30_000_000)).unwrap();
    let receiving = pair.receiving(0);
    let (progress, mut seen) = watch::channel(Progress::default());
    let cancelled = async {
        seen.wait_for(|progress| progress.done > 1_000_000).await.unwrap();
    };
    let error = send(&pair.ours, ID, &source, &progress, cancelled).await.unwrap_err();
    assert!(matches!(error, SendError::Cancelled), "{error}");
    let error = receiving.await.unwrap().unwrap_err();
    assert!(matches!(error, ReceiveError::Stopped(Reason::Cancelled)), "{error}");
}

#[tokio::test]
async fn a_receiver_that_cancels_tells_the_sender() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("film.mkv", 30_000_000)).unwrap();
    let (connection, directory) = (pair.theirs.clone(), pair.directory());
    let receiving = tokio::spawn(async move {
        let (progress, mut seen) = watch::channel(Progress::default());
        let cancelled = async {
            seen.wait_for(|progress| progress.done > 1_000_000).await.unwrap();
        };
        let incoming = incoming(&connection).await.unwrap();
        incoming.receive(&directory, SENDER, 0, &progress, cancelled).await
    });
    let error = pair.send(&source).await.unwrap_err();
    assert!(matches!(error, SendError::Declined(Reason::Cancelled)), "{error}");
    assert!(matches!(receiving.await.unwrap(), Err(ReceiveError::Cancelled)));
}

#[tokio::test]
async fn a_receiver_that_dies_before_the_file_has_its_name_needs_no_byte_again() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("film.mkv", 3_000_000)).unwrap();
    // All bytes are on disk; the name was not given yet.
    fs::write(pair.partial(), noise(3_000_000)).unwrap();
    let taking = pair.taking(3_000_000);
    let (progress, seen) = watch::channel(Progress::default());
    send(&pair.ours, ID, &source, &progress, pending()).await.unwrap();
    taking.await.unwrap().unwrap();
    assert_eq!(seen.borrow().resumed, 3_000_000);
    assert_eq!(names(&pair.directory()), ["film.mkv"]);
}

#[tokio::test]
async fn a_receiver_that_dies_before_it_is_on_record_does_not_get_the_file_twice() {
    let mut pair = Pair::new().await;
    let source = Source::look(&pair.file("film.mkv", 3_000_000)).unwrap();
    let receiving = pair.receiving(0);
    let die = async {
        let placed = receiving.await.unwrap().unwrap();
        pair.theirs.close(VarInt::from_u32(1), b"killed");
        drop(placed);
    };
    let (sent, ()) = tokio::join!(pair.send(&source), die);
    assert!(sent.unwrap_err().is_passing());
    assert_eq!(names(&pair.directory()), ["film.mkv"]);

    pair.reconnect().await;
    // The record is older than the file: it knows only half of it.
    let taking = pair.taking(1_500_000);
    let (progress, seen) = watch::channel(Progress::default());
    send(&pair.ours, ID, &source, &progress, pending()).await.unwrap();
    taking.await.unwrap().unwrap();
    assert_eq!(seen.borrow().resumed, 3_000_000);
    assert_eq!(names(&pair.directory()), ["film.mkv"]);
    assert!(!pair.partial().exists());
}

#[tokio::test]
async fn a_file_that_is_here_already_is_delivered_at_once() {
    let pair = Pair::new().await;
    let source = Source::look(&pair.file("film.mkv", 3_000_000)).unwrap();
    let connection = pair.theirs.clone();
    let having = tokio::spawn(async move {
        incoming(&connection).await.unwrap().have(hash(&noise(3_000_000))).await.unwrap();
    });
    assert_eq!(pair.send(&source).await.unwrap(), hash(&noise(3_000_000)));
    having.await.unwrap();
}

#[test]
fn only_a_regular_file_can_be_sent() {
    let home = tempfile::tempdir().unwrap();
    let error = Source::look(home.path()).unwrap_err();
    assert!(matches!(error, SourceError::NotAFile { .. }), "{error}");
    let error = Source::look(&home.path().join("missing")).unwrap_err();
    assert!(error.to_string().starts_with("cannot find"), "{error}");
}

async fn write_frame(stream: &mut SendStream, frame: &[u8]) {
    stream.write_all(&u16::try_from(frame.len()).unwrap().to_be_bytes()).await.unwrap();
    stream.write_all(frame).await.unwrap();
}

async fn read_frame(stream: &mut RecvStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).await.unwrap();
    let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut frame).await.unwrap();
    frame
}

/// What the sender names is found by whole paths, however it was named.
#[test]
fn a_source_is_known_by_its_whole_path() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a"), b"a").unwrap();
    fs::create_dir(home.path().join("b")).unwrap();
    let source = Source::look(&home.path().join("b/../a")).unwrap();
    assert_eq!(source.path(), Path::new(&home.path().canonicalize().unwrap().join("a")));
}
