//! `hopline route`: which way a message would take, and why.

use crate::api::route::{RouteQuery, RouteReport};
use crate::api::wishes::Wishes;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::way::Way;
use crate::cli::words::printable;

/// What `route` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// everyone, or a name, a peer id, a fingerprint; @ is optional
    #[arg(value_name = "TO")]
    to: String,
    #[command(flatten)]
    way: Way,
    /// The message's size in bytes [default: that of a short text]
    #[arg(long, value_name = "BYTES")]
    size: Option<usize>,
    /// Say why, transport by transport
    #[arg(long)]
    explain: bool,
}

const EXAMPLES: &str = "\
Examples:
  hopline route ben
  hopline route ben --private --explain
  hopline route everyone --size 20000 --explain";

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let Wishes { private, urgent, prefer, only, .. } = arguments.way.wishes(None);
    let query = RouteQuery { to: arguments.to, size: arguments.size, private, urgent, prefer, only };
    let report = context.client()?.route(&query).await?;
    let text = if arguments.explain { explained(&report) } else { verdict(&report) };
    context.out.say(&report, text)
}

fn explained(report: &RouteReport) -> String {
    let sentences: Vec<String> = report.sentences.iter().map(|sentence| printable(sentence)).collect();
    sentences.join("\n")
}

fn verdict(report: &RouteReport) -> String {
    if let Some(reason) = &report.refused {
        return format!("it is not accepted: {}", printable(reason));
    }
    match &report.waits {
        Some(reason) => format!("it waits: {}", printable(reason)),
        None => report.transports.join(", then "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_one_line() {
        let report = |transports: &[&str], waits: Option<&str>, refused: Option<&str>| RouteReport {
            transports: transports.iter().map(|&transport| transport.to_owned()).collect(),
            waits: waits.map(str::to_owned),
            refused: refused.map(str::to_owned),
            sentences: Vec::new(),
        };
        assert_eq!(verdict(&report(&["direct", "bitchat"], None, None)), "direct, then bitchat");
        assert_eq!(verdict(&report(&[], Some("no transport works"), None)), "it waits: no transport works");
        assert_eq!(verdict(&report(&[], Some("x"), Some("too long"))), "it is not accepted: too long");
    }
}
