//! The program as a person runs it: in a directory of its own, with a deadline on everything.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use hopline::api::Client;
use hopline::api::client::Events;
use hopline::api::schema::EventReport;
use hopline::ids::PeerId;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long anything may take; a busy machine may be slow.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A directory for homes and sockets.
pub(crate) struct Bench {
    directory: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The program with these arguments, in this directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hopline"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env("HOPLINE_LOG", "warn")
            .env("XDG_DATA_HOME", self.directory.path())
            .kill_on_drop(true);
        command
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).stdin(Stdio::null()).output();
        timeout(DEADLINE, output).await.unwrap_or_else(|_| panic!("{arguments:?} did not end")).unwrap()
    }

    /// Runs the program with `--json` to a good end, and reads what it printed.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat()).await;
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Starts the program with `--json`, to read what it prints as it comes.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(&[&["--json"], arguments].concat()))
    }

    /// Starts the program as it talks to people.
    pub(crate) fn start_for_people(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// The daemon in the home of this name, as programs talk to it.
    pub(crate) fn client(&self, name: &str) -> Client {
        Client::new(self.path(name).join("hopline.sock"))
    }

    /// The same on a machine without Bluetooth, whatever this one has: no bus leads to BlueZ.
    pub(crate) fn start_without_bluetooth(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(&[&["--json"], arguments].concat());
        command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=no-bus-here");
        Running::start(command)
    }

    /// Serves an air for these pairs, one a line.
    pub(crate) async fn air(&self, topology: &str) -> Running {
        std::fs::write(self.path("topology"), topology).unwrap();
        let mut air = self.start(&["air", "air", "--topology", "topology"]);
        air.event("ready", |_| true).await;
        air
    }

    /// Writes the configuration of a home.
    pub(crate) fn configure(&self, name: &str, config: &str) {
        std::fs::create_dir_all(self.path(name)).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(self.path(name).join("config.toml"), config).unwrap();
    }

    /// Runs ada and ben, who have each other's card, in the air's places of these names. Each talks over IP from its
    /// own end alone, and is found at another address; the rest of their configuration is the same.
    pub(crate) async fn friends(
        &self,
        ends: [SocketAddr; 2],
        found: [SocketAddr; 2],
        config: &str,
    ) -> [Daemon; 2] {
        for ((name, bind), advertise) in ["ada", "ben"].into_iter().zip(ends).zip(found) {
            let direct = format!("[direct]\nbind = [\"{bind}/32\"]\nadvertise = [\"{advertise}\"]\n");
            self.configure(name, &format!("{direct}{config}"));
        }
        let daemons = [self.daemon("ada").await, self.daemon("ben").await];
        self.exchange_cards("ada", "ben").await;
        daemons
    }

    /// Each of two running daemons gets the card of the other and adds it.
    pub(crate) async fn exchange_cards(&self, one: &str, other: &str) {
        for (of, to) in [(one, other), (other, one)] {
            let card = self.json(&["--home", of, "contact", "card"]).await;
            let link = card["link"].as_str().unwrap();
            self.json(&["--home", to, "contact", "add", link]).await;
        }
    }

    /// Runs a daemon in a home of the same name, in the air's place of the same name.
    pub(crate) async fn daemon(&self, name: &str) -> Daemon {
        self.daemon_called(name, name).await
    }

    /// The same with another nickname.
    pub(crate) async fn daemon_called(&self, name: &str, nickname: &str) -> Daemon {
        let radio = format!("sim:air#{name}");
        let mut running = self.start(&["--home", name, "daemon", "--radio", &radio, "--nickname", nickname]);
        let ready = running.event("ready", |_| true).await;
        Daemon { running, peer_id: ready["peer_id"].as_str().unwrap().to_owned() }
    }
}

/// A daemon that said it is ready.
pub(crate) struct Daemon {
    pub(crate) running: Running,
    pub(crate) peer_id: String,
}

/// A program that runs; it is killed with this.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { stdin: child.stdin.take(), child, lines }
    }

    /// Reads objects until there is one of this event that fits.
    pub(crate) async fn event(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.object(event, |object| object["event"] == event && fits(object)).await
    }

    /// Reads objects until there is one that fits.
    pub(crate) async fn object(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let read = |line: &str| serde_json::from_str(line).ok().filter(&fits);
        self.pick(what, read, |line| assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}")).await
    }

    /// Reads lines until there is one with this in it.
    pub(crate) async fn line(&mut self, with: &str) -> String {
        self.pick(with, |line| line.contains(with).then(|| line.to_owned()), |_| {}).await
    }

    /// Reads lines until `read` makes something of one; `passed` sees the others.
    async fn pick<T>(&mut self, what: &str, read: impl Fn(&str) -> Option<T>, passed: impl Fn(&str)) -> T {
        let reading = async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("the program ended before `{what}`"));
                match read(&line) {
                    Some(read) => return read,
                    None => passed(&line),
                }
            }
        };
        timeout(DEADLINE, reading).await.unwrap_or_else(|_| panic!("`{what}` did not come"))
    }

    /// Types a line.
    pub(crate) async fn type_line(&mut self, line: &str) {
        self.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Sends a signal.
    pub(crate) async fn signal_only(&mut self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Sends a signal, and says whether the program ended well within this time.
    pub(crate) async fn signal(&mut self, signal: &str, within: Duration) -> bool {
        self.signal_only(signal).await;
        let ended = timeout(within, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("not ended {within:?} after SIG{signal}")).unwrap().success()
    }

    /// Kills the program without a warning (SIGKILL), and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for the end, and says whether it was a good one.
    pub(crate) async fn ended_well(&mut self) -> bool {
        timeout(DEADLINE, self.child.wait()).await.expect("the program did not end").unwrap().success()
    }
}

/// Waits for an event of which `pick` makes something.
pub(crate) async fn event<T>(events: &mut Events, pick: impl Fn(EventReport) -> Option<T>) -> T {
    let waiting = async {
        loop {
            let event = events.next().await.unwrap().expect("the daemon has stopped");
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    };
    timeout(DEADLINE, waiting).await.expect("the event did not come")
}

/// Waits until a daemon knows all of these.
pub(crate) async fn know(client: &Client, wanted: &[&str]) {
    let mut events = client.events().await.unwrap();
    for wanted in wanted {
        let wanted: PeerId = wanted.parse().unwrap();
        if client.peers().await.unwrap().peers.iter().all(|peer| peer.id != wanted) {
            event(&mut events, |event| {
                matches!(event, EventReport::Peer(peer) if peer.id == wanted).then_some(())
            })
            .await;
        }
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
