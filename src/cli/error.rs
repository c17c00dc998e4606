//! How a command fails: what was wrong, what to do next, and the exit status.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::api::client::ClientError;
use crate::api::error::Code;
use crate::api::files::FileWord;
use crate::api::schema::StatusWord;
use crate::config::ConfigError;
use crate::htx::record::RecordRefused;
use crate::net::tls::TlsError;
use crate::net::{self, VisitError};
use crate::node::config::LoadError;
use crate::node::error::{HomeError, NodeError};
use crate::relay;
use crate::storage::{KeyFileError, OpenError, WipeError};
use crate::wire::RecordLinkError;

use super::commands::chat::Unclear;
use super::commands::demo::DemoError;

use crate::node::radio::RadioError;
use crate::radio::simulated::{HubError, JoinError};
use crate::sim::topology::TopologyError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// Whoever read the output has gone; that is how `| head` ends a program.
    #[error("the output is closed")]
    OutputClosed,
    #[error("the output cannot be written: {0}")]
    Output(io::Error),
    #[error("the input cannot be read: {0}")]
    Input(io::Error),
    #[error("HOPLINE_LOG=`{0}` is not a log filter")]
    LogFilter(String),
    #[error("the runtime cannot start: {0}")]
    Runtime(io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(transparent)]
    Config(#[from] LoadError),
    #[error("{count} {things} of {file} cannot be used", things = if *.count == 1 { "line" } else { "lines" }, file = .file.display())]
    BadConfig { file: PathBuf, count: usize },
    #[error(transparent)]
    Identity(#[from] KeyFileError),
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error(transparent)]
    Radio(#[from] RadioError),
    #[error(transparent)]
    Air(#[from] HubError),
    #[error(transparent)]
    Control(#[from] JoinError),
    #[error("{file}: {source}", file = .file.display())]
    TopologyFile { file: PathBuf, source: io::Error },
    #[error("{file}, {source}", file = .file.display())]
    Topology { file: PathBuf, source: TopologyError },
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    RelayConfig(#[from] relay::error::LoadError),
    #[error(transparent)]
    RelaySetup(#[from] relay::error::SetupError),
    #[error(transparent)]
    Relay(#[from] relay::RelayError),
    #[error("the clock of this machine is not set, and tickets count by the hour")]
    ClockUnset,
    #[error("the relay has stopped")]
    RelayStopped,
    #[error("there is no record: {file}: {source}", file = .file.display())]
    NoRecord { file: PathBuf, source: io::Error },
    #[error("{file} is no record: {source}", file = .file.display())]
    BadRecord { file: PathBuf, source: RecordLinkError },
    #[error("the record in {file} does not count: {source}", file = .file.display())]
    StaleRecord { file: PathBuf, source: RecordRefused },
    #[error("the socket {socket} cannot be used: {source}", socket = .socket.display())]
    Socket { socket: PathBuf, source: io::Error },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the daemon has stopped")]
    DaemonStopped,
    #[error("a public message has no receipts: nobody says that it was {0}")]
    NoReceipts(&'static str),
    #[error("the message is {reached}, and was not {wanted} within {seconds} s{}", because(reason.as_deref()), reached = .reached.as_str())]
    NotReached { reached: StatusWord, wanted: &'static str, seconds: u64, reason: Option<String> },
    #[error("the message was given up: {0}")]
    GivenUp(String),
    #[error("{0} does not answer")]
    NoPong(String),
    #[error("{file}: {source}", file = .file.display())]
    File { file: PathBuf, source: io::Error },
    #[error("{name} is {}: {reason}", .status.as_str())]
    FileNotDone { name: String, status: FileWord, reason: String },
    #[error("nobody called `{0}` is a contact, and nobody of that name offered a card")]
    NoContact(String),
    #[error("{} people called `{name}` offered a card: {}", fingerprints.len(), fingerprints.join(", "))]
    ManyOffers { name: String, fingerprints: Vec<String> },
    #[error(transparent)]
    Room(#[from] RoomError),
    #[error("nobody called `{0}` is a contact, or was heard on the mesh")]
    NoPerson(String),
    #[error("several people heard on the mesh are called `{name}`: {}", names.join(", "))]
    ManyPeople { name: String, names: Vec<String> },
    #[error(transparent)]
    Wipe(#[from] WipeError),
    #[error("a daemon is running in {home}: it would write what is being destroyed", home = .home.display())]
    StillRunning { home: PathBuf },
    #[error("nobody can be asked here whether the home is to be destroyed")]
    NotConfirmed,
    #[error("your code was not scanned within five minutes")]
    NotScanned,
    #[error("{name} is not verified: {reason}")]
    NotProven { name: String, reason: String },
    #[error("that does not fit into a QR code")]
    NoQrCode,
    #[error("{0} of the findings keep Bluetooth from working")]
    Missing(usize),
    #[error("{0}")]
    Packet(String),
    #[error("{file}: {source}", file = .file.display())]
    Certificates { file: PathBuf, source: TlsError },
    #[error("the address of {host} is not known: {source}")]
    UnknownHost { host: String, source: io::Error },
    #[error("{host} cannot be looked at: {source}")]
    Unreachable { host: String, source: VisitError },
    #[error(transparent)]
    HtxClient(#[from] net::client::ClientError),
    #[error("layers that are not as they should be: {0}")]
    BadLayers(usize),
    #[error("requirements that are not met: {0}")]
    NotMet(usize),
    #[error(transparent)]
    Unclear(#[from] Unclear),
}

impl CliError {
    /// Tells the person, and gives the exit status.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        if matches!(self, Self::OutputClosed) {
            return ExitCode::SUCCESS;
        }
        let text = if json {
            format!("{}\n", self.object())
        } else {
            let hint = self.hint().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
            format!("error: {self}\n{hint}")
        };
        // Where standard error is closed there is nobody left to tell.
        io::stderr().write_all(text.as_bytes()).ok();
        ExitCode::from(self.status())
    }

    /// What programs are told.
    pub(super) fn object(&self) -> serde_json::Value {
        json!({ "error": { "code": self.code(), "message": self.to_string(), "hint": self.hint() } })
    }

    fn status(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::LogFilter(_) | Self::NoReceipts(_) | Self::NotConfirmed => 2,
            Self::Client(ClientError::NoDaemon { .. }) => 3,
            Self::NotReached { .. }
            | Self::GivenUp(_)
            | Self::FileNotDone { .. }
            | Self::NotScanned
            | Self::NotProven { .. } => 4,
            Self::Output(_)
            | Self::Input(_)
            | Self::Runtime(_)
            | Self::Signals(_)
            | Self::Home(_)
            | Self::Config(_)
            | Self::BadConfig { .. }
            | Self::Identity(_)
            | Self::Database(_)
            | Self::Radio(_)
            | Self::Air(_)
            | Self::Control(_)
            | Self::TopologyFile { .. }
            | Self::Topology { .. }
            | Self::Demo(_)
            | Self::Node(_)
            | Self::RelayConfig(_)
            | Self::RelaySetup(_)
            | Self::Relay(_)
            | Self::ClockUnset
            | Self::RelayStopped
            | Self::NoRecord { .. }
            | Self::BadRecord { .. }
            | Self::StaleRecord { .. }
            | Self::Socket { .. }
            | Self::Client(_)
            | Self::DaemonStopped
            | Self::NoPong(_)
            | Self::NoContact(_)
            | Self::ManyOffers { .. }
            | Self::Room(_)
            | Self::NoPerson(_)
            | Self::ManyPeople { .. }
            | Self::Wipe(_)
            | Self::StillRunning { .. }
            | Self::NoQrCode
            | Self::Missing(_)
            | Self::File { .. }
            | Self::Packet(_)
            | Self::Certificates { .. }
            | Self::UnknownHost { .. }
            | Self::Unreachable { .. }
            | Self::HtxClient(_)
            | Self::BadLayers(_)
            | Self::NotMet(_)
            | Self::Unclear(_) => 1,
        }
    }

    /// What programs can tell it apart by, where somebody asked for something that is not to be had: nothing is wrong
    /// with the daemon or the terminal then.
    #[expect(clippy::wildcard_enum_match_arm, reason = "of many kinds, these are refusals")]
    pub(super) fn code(&self) -> Option<Code> {
        Some(match self {
            Self::Client(ClientError::Refused(detail)) => detail.code,
            Self::NoContact(_) | Self::NoPerson(_) => Code::UnknownPeer,
            Self::ManyOffers { .. } | Self::ManyPeople { .. } => Code::AmbiguousName,
            Self::Room(
                RoomError::ManyNotices(_) | RoomError::ManyGroups { .. } | RoomError::ManyMembers(_),
            ) => Code::AmbiguousName,
            Self::Room(RoomError::NoNotice(_) | RoomError::NoGroup(_) | RoomError::NoMember(_)) => {
                Code::NotFound
            }
            Self::NoQrCode => Code::Unfit,
            Self::Unclear(_) => Code::BadRequest,
            _ => return None,
        })
    }

    /// What to do next where it is about people, or about the end of a node.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`hint` has every kind, and asks here about these")]
    fn hint_about_people(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoPerson(_) => {
                "`hopline peers` shows who was heard, `hopline contact list` who is a contact"
            }
            Self::ManyPeople { .. } => "use the name with the digits, or the peer id, of the one you mean",
            Self::Wipe(WipeError::NotAHome { .. }) => "say which home with --home DIR; nothing was touched",
            Self::Wipe(WipeError::Io { .. }) => {
                "put that right and run `hopline wipe` again: it goes on from there"
            }
            Self::StillRunning { .. } => "stop it first: ctrl-c where it runs, or SIGTERM; then wipe again",
            Self::NotConfirmed => "say so with --yes",
            Self::NotScanned => "show a new one with the same command",
            Self::NotProven { .. } => {
                "see that both nodes are in reach (`hopline peers`), and scan a code made a moment ago"
            }
            _ => return None,
        })
    }

    /// What to do next.
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Client(ClientError::NoDaemon { .. }) => {
                "start one with `hopline daemon` (and the same --home, if you use one)"
            }
            Self::Client(ClientError::Refused(detail)) => return detail.hint.clone(),
            Self::Radio(RadioError::Simulated(JoinError::NoHub { .. })) => {
                "serve one with `hopline air PATH --topology FILE`"
            }
            Self::Radio(RadioError::Simulated(_)) => "`hopline air` said at its start which nodes it has",
            Self::Radio(_) => {
                "`hopline doctor` tells what is missing and what to do; `hopline demo` needs no Bluetooth"
            }
            Self::Config(LoadError::File(ConfigError::Faulty { .. })) => {
                "change these lines; `hopline config check` says when the file is fine"
            }
            Self::Home(HomeError::Unknown) => "say where with --home DIR",
            Self::Home(HomeError::Taken { .. }) => {
                "use it with `hopline chat` or `hopline send`, or run another node with --home DIR"
            }
            Self::Home(HomeError::Io { .. }) => "check who owns it, or choose another with --home DIR",
            Self::Socket { .. } => "a socket's path can have 107 bytes; choose a shorter --home",
            Self::LogFilter(_) => "for example HOPLINE_LOG=hopline=debug",
            Self::NoReceipts(_) => "use --wait sent",
            Self::NotReached { reached, .. } => after_waiting(*reached),
            Self::GivenUp(_) => "`hopline peers` shows who is in reach",
            Self::FileNotDone { .. } => {
                "`hopline file list` shows every file; send it again when that is put right"
            }
            Self::RelayConfig(error) => return error.hint().map(str::to_owned),
            Self::RelaySetup(error) => return error.hint().map(str::to_owned),
            Self::NoRecord { .. } | Self::StaleRecord { .. } => {
                "a relay writes its record when it runs: `hopline relay run`"
            }
            Self::ClockUnset => "set it, or let a time service do so: `timedatectl`",
            Self::RelayStopped => "its log says why",
            Self::DaemonStopped => "its log says why; start it again with `hopline daemon`",
            Self::NoPong(_) => "`hopline peers` shows who was heard; apps without diagnostics never answer",
            Self::NoContact(_) => "`hopline contact list` shows everybody",
            Self::ManyOffers { .. } => "use the fingerprint of the one you mean",
            Self::NoPerson(_)
            | Self::ManyPeople { .. }
            | Self::Wipe(_)
            | Self::StillRunning { .. }
            | Self::NotConfirmed
            | Self::NotScanned
            | Self::NotProven { .. } => return self.hint_about_people().map(str::to_owned),
            Self::UnknownHost { .. } => "check the name, or give --address IP:PORT",
            Self::Unreachable { .. } => "`hopline htx probe` tells layer by layer how far it gets",
            Self::Room(error) => error.hint(),
            Self::Unclear(unclear) => return Some(unclear.hint()),
            Self::NoQrCode => "pass the link on as text; or --no-mailbox and --no-addresses make it shorter",
            Self::Missing(_) => "each finding above says what to do",
            Self::Control(JoinError::NoHub { .. }) => "serve one with `hopline air PATH --topology FILE`",
            Self::Topology { .. } => "`hopline air --help` shows what a topology looks like",
            Self::OutputClosed
            | Self::Output(_)
            | Self::Input(_)
            | Self::Runtime(_)
            | Self::Signals(_)
            | Self::Config(_)
            | Self::BadConfig { .. }
            | Self::Identity(_)
            | Self::Database(_)
            | Self::Air(_)
            | Self::Control(_)
            | Self::TopologyFile { .. }
            | Self::Demo(_)
            | Self::Node(_)
            | Self::Relay(_)
            | Self::BadRecord { .. }
            | Self::Client(_)
            | Self::File { .. }
            | Self::Packet(_)
            | Self::Certificates { .. }
            | Self::HtxClient(_)
            | Self::BadLayers(_)
            | Self::NotMet(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// Where to look for a message that did not come as far as somebody waited for.
const fn after_waiting(reached: StatusWord) -> &'static str {
    match reached {
        StatusWord::Queued | StatusWord::Sent => {
            "the daemon goes on trying; `hopline outbox` shows what waits and why"
        }
        StatusWord::Delivered | StatusWord::Read | StatusWord::Expired | StatusWord::Refused => {
            "`hopline history` shows how far it came"
        }
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// A notice, a group or a member that a name does not lead to.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoomError {
    #[error("no notice has an id that begins with `{0}`")]
    NoNotice(String),
    #[error("several notices of yours have an id that begins with `{0}`")]
    ManyNotices(String),
    #[error("you are in no group called `{0}`")]
    NoGroup(String),
    #[error("several groups are called `{name}`: {}", ids.join(", "))]
    ManyGroups { name: String, ids: Vec<String> },
    #[error("nobody in the group is called `{0}`")]
    NoMember(String),
    #[error("several members are called `{0}`")]
    ManyMembers(String),
}

impl RoomError {
    /// What to do next.
    fn hint(&self) -> &'static str {
        match self {
            Self::NoGroup(_) | Self::NoMember(_) => {
                "`hopline group list` shows your groups and who is in them"
            }
            Self::ManyGroups { .. } => "use the beginning of the id of the one you mean",
            Self::ManyMembers(_) => "use the beginning of the peer id; `hopline --json group list` shows it",
            Self::NoNotice(_) => "`hopline board` shows the notices that stand",
            Self::ManyNotices(_) => "give more of it; `hopline --json board` shows ids whole",
        }
    }
}
