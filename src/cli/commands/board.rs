//! `hopline board`: the notices that stand, putting one up, and withdrawing one.

use clap::Subcommand;
use serde_json::json;

use crate::api::Client;
use crate::api::board::{NewNotice, NoticeReport, PostedReport, StandingWord};
use crate::clock::wall_clock;
use crate::config::Span;
use crate::ids::PostId;
use crate::time::UnixMillis;

use crate::cli::context::Context;
use crate::cli::error::{CliError, RoomError};
use crate::cli::words::{Place, printable, span, table};

/// Of an id, what is shown: enough to tell 200 notices apart.
const SHOWN: usize = 8;

/// What `board` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    deed: Option<Deed>,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Show the notices that stand; this is what `board` alone does
    List,
    /// Put up a notice: it stands for a day, readable by all, whether you are there or not
    Post {
        /// What it says, 512 bytes at most
        #[arg(value_name = "TEXT")]
        text: String,
        /// Mark it as urgent: shown first
        #[arg(long)]
        urgent: bool,
        /// How long it stands: 90min, 12h, up to 7d [default: 24h]
        #[arg(long = "for", value_name = "TIME")]
        life: Option<Span>,
    },
    /// Withdraw a notice of yours, here and wherever it has come to
    Remove {
        /// Its id, as `board` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let client = context.client()?;
    match arguments.deed {
        None | Some(Deed::List) => list(context, &client, Place::Shell).await,
        Some(Deed::Post { text, urgent, life }) => {
            let life_ms = life.map(|Span(life)| u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
            post(context, &client, &NewNotice { text, urgent, life_ms }).await
        }
        Some(Deed::Remove { id }) => remove(context, &client, &id).await,
    }
}

/// Shows what stands.
pub(super) async fn list(context: &Context, client: &Client, place: Place) -> Result<(), CliError> {
    let report = client.board().await?;
    if context.out.is_json() {
        return context.out.object(&report);
    }
    if report.notices.is_empty() {
        return context
            .out
            .line(place.says("the board is empty; `hopline board post TEXT` puts up a notice"));
    }
    let now = wall_clock();
    let header = ["NOTICE", "FROM", "AGE", "ENDS", "TEXT"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> =
        std::iter::once(header).chain(report.notices.iter().map(|notice| row(notice, now))).collect();
    context.out.line(table(&rows))
}

/// Puts up a notice.
pub(super) async fn post(context: &Context, client: &Client, new: &NewNotice) -> Result<(), CliError> {
    let report = client.post_notice(new).await?;
    let PostedReport { notice, gave_way } = &report;
    let ends = span(UnixMillis(notice.expires_ms).abs_diff(UnixMillis(notice.created_ms)));
    let mut text = format!("notice {} stands for {ends}", short(notice.id));
    if let Some(old) = gave_way {
        let old = printable(&old.text);
        text.push_str(&format!("; five of one author stand, so your oldest one went: {old}"));
    }
    context.out.say(&report, text)
}

/// Withdraws the notice of ours whose id begins so. Others choose their ids: one that begins alike changes nothing.
pub(super) async fn remove(context: &Context, client: &Client, id: &str) -> Result<(), CliError> {
    let id = find(client, id).await?;
    client.remove_notice(id).await?;
    context.out.say(&json!({ "removed": id.to_string() }), format!("notice {} is withdrawn", short(id)))
}

async fn find(client: &Client, wanted: &str) -> Result<PostId, CliError> {
    let wanted = wanted.to_ascii_lowercase();
    let report = client.board().await?;
    let begins = |notice: &&NoticeReport| !wanted.is_empty() && notice.id.to_string().starts_with(&wanted);
    let found: Vec<&NoticeReport> = report.notices.iter().filter(begins).collect();
    let ours: Vec<PostId> =
        found.iter().filter(|notice| notice.standing == StandingWord::Own).map(|notice| notice.id).collect();
    match (ours.as_slice(), found.first()) {
        ([id], _) => Ok(*id),
        // The daemon says that it is not ours to withdraw.
        ([], Some(notice)) => Ok(notice.id),
        ([], None) => Err(RoomError::NoNotice(wanted).into()),
        (_, _) => Err(RoomError::ManyNotices(wanted).into()),
    }
}

fn row(notice: &NoticeReport, now: UnixMillis) -> Vec<String> {
    let urgent = if notice.urgent { "URGENT: " } else { "" };
    let place = if notice.geohash.is_empty() { String::new() } else { format!(" (at {})", notice.geohash) };
    vec![
        short(notice.id),
        author(notice),
        span(UnixMillis(notice.created_ms).abs_diff(now)),
        format!("in {}", span(UnixMillis(notice.expires_ms).abs_diff(now))),
        format!("{urgent}{}{place}", printable(&notice.text)),
    ]
}

/// Who wrote it: of a stranger the beginning of the key as well, because anybody can take a name.
pub(in crate::cli) fn author(notice: &NoticeReport) -> String {
    let name = printable(&notice.nickname);
    match notice.standing {
        StandingWord::Own => "you".to_owned(),
        StandingWord::Known => name,
        StandingWord::Stranger => {
            let id = notice.fingerprint.as_ref().unwrap_or(&notice.author);
            format!("{name}#{}", id.chars().take(4).collect::<String>())
        }
    }
}

/// The front of an id.
pub(in crate::cli) fn short(id: PostId) -> String {
    id.to_string().chars().take(SHOWN).collect()
}
