//! A process that is killed while it writes loses nothing that it was told is stored.

#![cfg(feature = "node")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use hopline::capabilities::TransportKey;
use hopline::ids::{Fingerprint, MessageId, PeerId};
use hopline::message::{Body, Message, Recipient, Requirements};
use hopline::storage::{Acceptance, Database, DeviceKey, Limits, NewEntry, NewReceived, Reception};
use hopline::time::UnixMillis;
use rand_core::OsRng;

/// Set for the process that writes and is killed.
const HOME: &str = "HOPLINE_KILLED_HOME";
/// How many pairs each writer has confirmed when it is killed; it writes on until the signal takes effect.
const KILLED_AFTER: [usize; 6] = [1, 60, 2, 25, 9, 40];

#[test]
fn what_a_killed_process_said_is_stored_is_there_once() {
    if let Some(home) = env::var_os(HOME) {
        return write_until_killed(Path::new(&home));
    }
    let home = tempfile::tempdir().unwrap();
    let mut confirmed = 0;
    for pairs in KILLED_AFTER {
        confirmed = confirmed.max(kill_after(home.path(), pairs));
        let mut database = open(home.path());
        let received = database.after(0, 1_000).unwrap();
        let ids: Vec<MessageId> = received.iter().map(|entry| entry.id).collect();
        let expected: Vec<MessageId> = (1..=ids.len()).map(id).collect();
        assert_eq!(ids, expected, "each once, none left out");
        assert!(ids.len() >= confirmed, "{confirmed} were confirmed, {} are there", ids.len());
        assert!(received.iter().all(|entry| entry.text.is_ok()));

        let waiting: Vec<MessageId> =
            database.pending().unwrap().iter().map(|entry| entry.envelope.id).collect();
        assert_eq!(waiting, expected, "both halves of a transaction, or none");
        assert_eq!(database.receive(&received_message(confirmed)).unwrap(), Reception::Duplicate);
        assert_eq!(database.accept(&own_message(confirmed), UnixMillis(0)).unwrap(), Acceptance::Known);
    }
}

/// Starts a writer, kills it after it confirmed so many pairs, and gives the last number it confirmed.
fn kill_after(home: &Path, pairs: usize) -> usize {
    let mut writer = Command::new(env::current_exe().unwrap())
        .args(["--exact", "what_a_killed_process_said_is_stored_is_there_once", "--nocapture"])
        .env(HOME, home)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut numbers =
        lines.filter_map(|line| line.rsplit_once("stored ").map(|(_, number)| number.to_owned()));
    let last = numbers.by_ref().nth(pairs - 1).expect("the writer ended by itself");
    writer.kill().unwrap();
    writer.wait().unwrap();
    // What it confirmed between that line and its end counts too.
    numbers.last().unwrap_or(last).parse().unwrap()
}

fn write_until_killed(home: &Path) {
    let mut database = open(home);
    let known = database.after(0, 1_000).unwrap().len();
    let mut confirmations = io::stdout();
    for number in known + 1.. {
        let stored = database.transaction(|database| {
            let accepted = database.accept(&own_message(number), UnixMillis(0))?;
            Ok::<_, hopline::storage::StoreError>((accepted, database.receive(&received_message(number))?))
        });
        assert!(matches!(stored.unwrap(), (Acceptance::Accepted, Reception::Stored(_))));
        writeln!(confirmations, "stored {number}").unwrap();
    }
}

fn open(home: &Path) -> Database {
    let key = DeviceKey::load_or_create(home, &mut OsRng).unwrap();
    Database::open(home, &key, Limits::default()).unwrap()
}

fn id(number: usize) -> MessageId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    MessageId(id)
}

fn own_message(number: usize) -> NewEntry {
    let body = Body::Text(format!("message {number}"));
    let to = Recipient::Peer(PeerId([7; 8]));
    let message = Message { id: id(number), to, body, sent: UnixMillis(0) };
    NewEntry { message, requirements: Requirements::default(), expires: UnixMillis(1) }
}

fn received_message(number: usize) -> NewReceived {
    NewReceived {
        sender: Fingerprint([7; 32]),
        nickname: "ada".to_owned(),
        public: false,
        room: None,
        id: id(number),
        text: format!("message {number}"),
        sent: UnixMillis(0),
        received: UnixMillis(0),
        via: TransportKey::Bitchat,
        wire_ids: Vec::new(),
        ttl: 0,
    }
}
