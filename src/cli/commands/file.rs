//! `hopline file`: files to and from contacts, and over the mesh.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueHint};
use serde_json::json;
use tokio::time::Instant;

use crate::api::Client;
use crate::api::client::Events;
use crate::api::files::{DirectionWord, FileReport, FileWord, FilesQuery, NewFile};
use crate::api::schema::EventReport;

use crate::cli::bar::{Bar, bytes};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::names::Names;
use crate::cli::words::{self, Place, printable, table};

/// What `file` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    deed: Deed,
}

const EXAMPLES: &str = "\
Examples:
  hopline file send ben holiday.zip --wait
  hopline file send everyone hello.aac --voice
  hopline file list
  hopline file accept 3
  hopline file cancel 3

A file goes to a contact, to anybody in reach of the mesh, or to everyone there: straight where a \
connection stands (direct), else in pieces to the contact's mailbox (betanet), else over BitChat, whole and of at \
most 1 MiB. Over the first two it goes on where it was cut, also after a restart of either side, and its BLAKE3 hash is compared before it counts as received.";

#[derive(Debug, Subcommand)]
enum Deed {
    /// Send a file
    Send {
        /// A contact or somebody in reach: a name, a peer id, a fingerprint; @ is optional; or `everyone`
        #[arg(value_name = "TO")]
        to: String,
        /// The file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Speak it live over the mesh first: sound in AAC-LC, 16 kHz, mono, up to 24 kbit/s, in ADTS frames (.aac)
        #[arg(long)]
        voice: bool,
        /// Show how far it is, until it arrived
        #[arg(long)]
        wait: bool,
    },
    /// List files on their way, offered, and those that were
    List {
        /// So many at most, the newest [default: 50]
        #[arg(long, value_name = "NUMBER")]
        limit: Option<usize>,
    },
    /// Take a file that a contact offers
    Accept {
        /// The number, as `file list` shows it
        #[arg(value_name = "NUMBER")]
        number: u64,
        /// Show how far it is, until it arrived
        #[arg(long)]
        wait: bool,
    },
    /// Give up a file on its way, or decline one that is offered
    Cancel {
        /// The number, as `file list` shows it
        #[arg(value_name = "NUMBER")]
        number: u64,
    },
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let client = context.client()?;
    match arguments.deed {
        Deed::Send { to, file, voice, wait } => send(context, &client, to, &file, (voice, wait)).await,
        Deed::List { limit } => list(context, &client, limit).await,
        Deed::Accept { number, wait } => {
            let events = if wait { Some(client.events().await?) } else { None };
            let report = client.accept_file(number).await?;
            begun(context, &client, report, events).await
        }
        Deed::Cancel { number } => {
            client.cancel_file(number).await?;
            context.out.say(&json!({ "cancelled": number }), format!("file {number} is given up"))
        }
    }
}

async fn send(
    context: &Context,
    client: &Client,
    to: String,
    file: &Path,
    (voice, wait): (bool, bool),
) -> Result<(), CliError> {
    let failed = |source| CliError::File { file: file.to_owned(), source };
    // The daemon has another working directory.
    let path = std::path::absolute(file).map_err(failed)?;
    let path = path.into_os_string().into_string();
    let path = path.map_err(|_| failed(io::Error::from(io::ErrorKind::InvalidFilename)))?;
    // Before sending: nothing that becomes of it is missed.
    let events = if wait { Some(client.events().await?) } else { None };
    let report = client.send_file(&NewFile { to, path, voice }).await?;
    begun(context, client, report, events).await
}

/// Says what was begun, or follows it to its end.
async fn begun(
    context: &Context,
    client: &Client,
    report: FileReport,
    events: Option<Events>,
) -> Result<(), CliError> {
    match events {
        Some(events) => follow(context, client, report, events).await,
        None => context.out.say(&report, words::file(&report, Place::Shell)),
    }
}

/// Shows how far a file is until nothing more becomes of it.
async fn follow(
    context: &Context,
    client: &Client,
    mut report: FileReport,
    mut events: Events,
) -> Result<(), CliError> {
    let mut screen = Screen::new(context);
    loop {
        screen.show(&report)?;
        match report.status {
            FileWord::Done => return screen.done(&report),
            FileWord::Declined | FileWord::Cancelled | FileWord::Failed => {
                screen.clear()?;
                let reason = report.reason.unwrap_or_default();
                return Err(CliError::FileNotDone { name: report.name, status: report.status, reason });
            }
            FileWord::Offered | FileWord::Waiting | FileWord::Running => {}
        }
        report = next(client, &mut events, report.number).await?;
    }
}

/// The next news of this file.
async fn next(client: &Client, events: &mut Events, number: u64) -> Result<FileReport, CliError> {
    loop {
        let event = events.next().await?.ok_or(CliError::DaemonStopped)?;
        if let EventReport::File(report) = event {
            if report.number == number {
                return Ok(report);
            }
        } else if let EventReport::Missed { .. } = event {
            return Ok(client.file(number).await?);
        }
    }
}

/// Where progress is shown: a bar on a terminal, a line now and then elsewhere, an object for each piece of news to
/// programs.
struct Screen<'a> {
    context: &'a Context,
    terminal: bool,
    started: Instant,
    bar: Bar,
    said: Option<(FileWord, u64)>,
    line: Option<String>,
}

impl<'a> Screen<'a> {
    fn new(context: &'a Context) -> Self {
        let terminal = !context.out.is_json() && io::stderr().is_terminal();
        Self { context, terminal, started: Instant::now(), bar: Bar::default(), said: None, line: None }
    }

    fn show(&mut self, report: &FileReport) -> Result<(), CliError> {
        if self.context.out.is_json() {
            return self.context.out.object(report);
        }
        if self.terminal {
            return match report.status {
                FileWord::Running => {
                    let name = printable(&report.name);
                    draw(&self.bar.line(&name, report.done, report.size, self.started.elapsed()))
                }
                FileWord::Offered | FileWord::Waiting => self.say(report),
                // The end says it.
                FileWord::Done | FileWord::Declined | FileWord::Cancelled | FileWord::Failed => Ok(()),
            };
        }
        let tenths = report.done.saturating_mul(10).checked_div(report.size).unwrap_or(10);
        let now = (report.status, tenths);
        if self.said.replace(now) == Some(now) || report.status == FileWord::Done {
            return Ok(());
        }
        self.context.out.line(words::file(report, Place::Shell))
    }

    /// Says on a terminal what is not a bar, once, above it: such a line may be longer than the terminal is wide, and
    /// could not be written over.
    fn say(&mut self, report: &FileReport) -> Result<(), CliError> {
        let line = words::file(report, Place::Shell);
        if self.line.as_ref() == Some(&line) {
            return Ok(());
        }
        draw(&format!("{line}\r\n"))?;
        self.line = Some(line);
        Ok(())
    }

    fn done(&self, report: &FileReport) -> Result<(), CliError> {
        self.clear()?;
        if self.context.out.is_json() {
            Ok(())
        } else {
            self.context.out.line(words::file(report, Place::Shell))
        }
    }

    fn clear(&self) -> Result<(), CliError> {
        if self.terminal { draw("") } else { Ok(()) }
    }
}

/// Writes over the line that is there.
fn draw(line: &str) -> Result<(), CliError> {
    let mut screen = io::stderr().lock();
    write!(screen, "\r\x1b[2K{line}").and_then(|()| screen.flush()).map_err(CliError::Output)
}

async fn list(context: &Context, client: &Client, limit: Option<usize>) -> Result<(), CliError> {
    let report = client.files(&FilesQuery { limit }).await?;
    if context.out.is_json() {
        return context.out.object(&report);
    }
    if report.files.is_empty() {
        return context.out.line("no files yet");
    }
    let names = Names::known(client).await?;
    let header = ["FILE", "NAME", "", "PEER", "SIZE", "STATUS", "WHY OR WHERE"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> =
        std::iter::once(header).chain(report.files.iter().map(|file| row(file, &names))).collect();
    context.out.line(table(&rows))
}

fn row(file: &FileReport, names: &Names) -> Vec<String> {
    let way = match file.direction {
        DirectionWord::Out => "to",
        DirectionWord::In => "from",
    };
    let status = match file.status {
        FileWord::Running | FileWord::Waiting => {
            format!("{}, {} there", file.status.as_str(), bytes(file.done))
        }
        FileWord::Offered | FileWord::Done | FileWord::Declined | FileWord::Cancelled | FileWord::Failed => {
            file.status.as_str().to_owned()
        }
    };
    let why = file.reason.as_deref().or(file.path.as_deref()).unwrap_or("-");
    vec![
        file.number.to_string(),
        printable(&file.name),
        way.to_owned(),
        names.of(&words::file_peer(file)),
        bytes(file.size),
        status,
        printable(why),
    ]
}
