//! `hopline history`: what was said.

use crate::api::history::{HistoryLine, HistoryQuery};
use crate::clock::wall_clock;
use crate::time::UnixMillis;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::names::Names;
use crate::cli::words::{printable, private, public, span, table, to_group};

/// What `history` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Only what was said with this peer, or to everyone
    #[arg(long, value_name = "PEER")]
    with: Option<String>,
    /// Only what holds this text; upper and lower case are the same
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// So many at most [default: 50]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// The first messages received after the one of this number, instead of the newest
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  hopline history --with ben
  hopline history --search lunch --limit 5
  hopline history --after 4711";

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let Arguments { with, search, limit, after } = arguments;
    let client = context.client()?;
    let report = client.history(&HistoryQuery { with, search, after, limit }).await?;
    if context.out.is_json() {
        return context.out.object(&report);
    }
    if report.lines.is_empty() {
        return context.out.line("nothing was said");
    }
    let (names, now) = (Names::known(&client).await?, wall_clock());
    let rows: Vec<Vec<String>> = report.lines.iter().map(|line| row(line, &names, now)).collect();
    context.out.line(table(&rows))
}

fn row(line: &HistoryLine, names: &Names, now: UnixMillis) -> Vec<String> {
    let ago = |ms: u64| format!("{} ago", span(UnixMillis(ms).abs_diff(now)));
    match line {
        HistoryLine::Received { public: to_everyone, said_ms, message, .. } => {
            let text = match (&message.group, to_everyone) {
                (Some(_), _) => to_group(message),
                (None, true) => public(message),
                (None, false) => private(message),
            };
            vec![message.number.to_string(), ago(*said_ms), text]
        }
        HistoryLine::Sent { text, accepted_ms, message } => {
            let (to, status) = (names.of(&message.to), message.status.as_str());
            let text = format!("[you to {to}, {status}] {}", printable(text));
            vec!["-".to_owned(), ago(*accepted_ms), text]
        }
    }
}
