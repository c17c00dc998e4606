//! `hopline trace`: over whom the way to somebody goes.

use crate::api::survey::{NodeReport, TraceReport};

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::printable;

use super::ping;

/// What `trace` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A name, a peer id or a fingerprint
    #[arg(value_name = "PEER")]
    peer: String,
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let report = context.client()?.trace(&arguments.peer).await?;
    context.out.say(&report, text(&arguments.peer, &report))
}

/// A ping and a way in words.
pub(super) fn text(name: &str, report: &TraceReport) -> String {
    let way = match &report.path {
        Some(path) => {
            let names: Vec<String> = path.iter().map(title).collect();
            format!("shortest way that both ends of every link announce:\n  {}", names.join(" - "))
        }
        None => "no way is known on which both ends of every link announce each other".to_owned(),
    };
    format!("{}\n{way}", ping::line(name, &report.ping))
}

/// What a node is called; its id when its name was not heard.
pub(super) fn title(node: &NodeReport) -> String {
    if node.nickname.is_empty() { node.peer.to_string() } else { printable(&node.nickname) }
}
