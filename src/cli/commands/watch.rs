//! `hopline watch`: everything that happens, one line each.

use crate::node::lifecycle::asked_to_end;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words;

pub(in crate::cli) async fn run(context: &Context) -> Result<(), CliError> {
    let mut events = context.client()?.events().await?;
    let ended = asked_to_end();
    tokio::pin!(ended);
    loop {
        let event = tokio::select! {
            event = events.next() => event?.ok_or(CliError::DaemonStopped)?,
            asked = &mut ended => return asked.map_err(CliError::Signals),
        };
        context.out.say(&event, words::event(&event))?;
    }
}
