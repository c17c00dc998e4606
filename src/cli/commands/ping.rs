//! `hopline ping`: whether somebody is there, and how far away.

use std::time::Duration;

use crate::api::survey::PingReport;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::printable;

/// Between two pings: the mesh passes on five in ten seconds.
const GAP: Duration = Duration::from_secs(2);

/// What `ping` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A name, a peer id or a fingerprint
    #[arg(value_name = "PEER")]
    peer: String,
    /// How many times to ask, two seconds apart
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let client = context.client()?;
    let mut answered = 0;
    for number in 0..arguments.count {
        if number > 0 {
            tokio::time::sleep(GAP).await;
        }
        let report = client.ping(&arguments.peer).await?;
        answered += u32::from(report.answered);
        context.out.say(&report, line(&arguments.peer, &report))?;
    }
    context.out.tell(format!("{answered} of {} answered", arguments.count))?;
    if answered > 0 { Ok(()) } else { Err(CliError::NoPong(printable(&arguments.peer))) }
}

/// One ping in words.
pub(super) fn line(name: &str, report: &PingReport) -> String {
    let name = printable(name);
    let Some(round_trip) = report.round_trip_ms else {
        return format!("{name} does not answer within 10 s");
    };
    let hops = match report.hops {
        Some(1) => ", 1 hop".to_owned(),
        Some(hops) => format!(", {hops} hops"),
        None => String::new(),
    };
    format!("{name} answers in {round_trip} ms{hops}")
}
