//! `hopline outbox`: messages of this node on their way.

use clap::Subcommand;
use serde_json::json;

use crate::api::outbox::{OutboxQuery, OutboxState, OutgoingMessage};
use crate::api::schema::StatusWord;
use crate::clock::wall_clock;
use crate::ids::MessageId;
use crate::time::UnixMillis;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::names::Names;
use crate::cli::words::{printable, span, table};

/// What `outbox` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    deed: Option<Deed>,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// List the messages that wait, and why; this is what `outbox` alone does
    List {
        /// Those that were delivered or given up as well
        #[arg(long)]
        all: bool,
        /// So many at most, the newest [default: 100]
        #[arg(long, value_name = "NUMBER")]
        limit: Option<usize>,
    },
    /// Give up a message that has not arrived yet
    Cancel {
        /// The message's id, as `outbox list` shows it
        #[arg(value_name = "ID")]
        id: MessageId,
    },
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    match arguments.deed {
        None => list(context, OutboxQuery::default()).await,
        Some(Deed::List { all, limit }) => {
            let state = if all { OutboxState::All } else { OutboxState::Waiting };
            list(context, OutboxQuery { state, limit }).await
        }
        Some(Deed::Cancel { id }) => {
            context.client()?.cancel(id).await?;
            context.out.say(&json!({ "cancelled": id.to_string() }), format!("message {id} was given up"))
        }
    }
}

async fn list(context: &Context, query: OutboxQuery) -> Result<(), CliError> {
    let client = context.client()?;
    let report = client.outbox(&query).await?;
    if context.out.is_json() {
        return context.out.object(&report);
    }
    if report.messages.is_empty() {
        return context.out.line("nothing waits");
    }
    let (names, now) = (Names::known(&client).await?, wall_clock());
    let header = ["MESSAGE", "TO", "STATUS", "AGE", "EXPIRES", "WHY"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(header)
        .chain(report.messages.iter().map(|message| row(message, &names, now)))
        .collect();
    context.out.line(table(&rows))
}

fn row(outgoing: &OutgoingMessage, names: &Names, now: UnixMillis) -> Vec<String> {
    let message = &outgoing.message;
    let via = message.via.as_deref().map(|via| format!(" over {via}")).unwrap_or_default();
    let expires = match message.status {
        StatusWord::Queued | StatusWord::Sent if outgoing.waiting => {
            format!("in {}", span(UnixMillis(outgoing.expires_ms).abs_diff(now)))
        }
        StatusWord::Queued
        | StatusWord::Sent
        | StatusWord::Delivered
        | StatusWord::Read
        | StatusWord::Expired
        | StatusWord::Refused => "-".to_owned(),
    };
    vec![
        message.id.to_string(),
        names.of(&message.to),
        format!("{}{via}", message.status.as_str()),
        span(UnixMillis(outgoing.accepted_ms).abs_diff(now)),
        expires,
        printable(message.reason.as_deref().unwrap_or("-")),
    ]
}
