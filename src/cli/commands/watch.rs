//! `hopline watch`: everything that happens, one line each.

use crate::api::events::EventsQuery;
use crate::api::schema::EventReport;

use crate::cli::context::Context;
use crate::cli::ending::Ending;
use crate::cli::error::CliError;
use crate::cli::words::{self, Place};

/// What `watch` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Begin with the messages received after the one of this number; 0 for all that are kept
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let mut events = context.client()?.events_from(EventsQuery { after: arguments.after }).await?;
    let mut ending = Ending::catch()?;
    loop {
        let event = tokio::select! {
            event = events.next() => event?.ok_or(CliError::DaemonStopped)?,
            () = ending.asked() => return Ok(()),
        };
        context.out.say(&event, line(&event))?;
    }
}

/// The event, and the number to come back with.
fn line(event: &EventReport) -> String {
    let words = words::event(event, Place::Shell);
    if let EventReport::PublicMessage(message)
    | EventReport::PrivateMessage(message)
    | EventReport::GroupMessage(message) = event
    {
        format!("{} {words}", message.number)
    } else {
        words
    }
}
