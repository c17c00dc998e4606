//! `hopline send`: one message.

use std::time::Duration;

use clap::ValueEnum;

use crate::api::Client;
use crate::api::client::Events;
use crate::api::schema::{EventReport, SentMessage, StatusWord};
use crate::config::Span;
use crate::node::name::EVERYONE;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::way::Way;

/// What `send` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// everyone, or a nickname, a peer id, a fingerprint; @ is optional
    #[arg(value_name = "TO")]
    to: String,
    /// What to say
    #[arg(value_name = "TEXT")]
    text: String,
    #[command(flatten)]
    way: Way,
    /// How long it may take before it is given up, like 10min or 2h, at most 7d
    /// [default: as the configuration says, 24h]
    #[arg(long, value_name = "SPAN")]
    max_age: Option<Span>,
    /// Wait until the message came so far
    #[arg(long, value_name = "STATUS")]
    wait: Option<Wait>,
    /// Give up waiting after so many seconds; the message stays queued
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "wait")]
    timeout: u64,
}

const EXAMPLES: &str = "\
Examples:
  hopline send everyone 'good morning'
  hopline send @ben 'see you at 8' --wait delivered
  hopline send ben 'come at once' --urgent --max-age 10min
  hopline send ben 'only over the air' --only bitchat
  hopline send 1a92f23852dc908d 'it is me' --wait read --timeout 600";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wait {
    /// Handed to at least one neighbour
    Sent,
    /// The recipient has it
    Delivered,
    /// The recipient has seen it
    Read,
}

impl Wait {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => StatusWord::Sent.as_str(),
            Self::Delivered => StatusWord::Delivered.as_str(),
            Self::Read => StatusWord::Read.as_str(),
        }
    }

    /// Whether a message that came so far came far enough.
    const fn is_met_by(self, status: StatusWord) -> bool {
        match status {
            StatusWord::Queued | StatusWord::Expired | StatusWord::Refused => false,
            StatusWord::Sent => matches!(self, Self::Sent),
            StatusWord::Delivered => matches!(self, Self::Sent | Self::Delivered),
            StatusWord::Read => true,
        }
    }
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let client = context.client()?;
    let wishes = arguments.way.wishes(arguments.max_age);
    let Some(wanted) = arguments.wait else {
        let message = client.send_as(&arguments.to, &arguments.text, wishes).await?;
        return report(context, &message);
    };
    // Before sending: nothing that becomes of the message is missed.
    let events = client.events().await?;
    if is_everyone(&arguments.to) && wanted != Wait::Sent {
        return Err(CliError::NoReceipts(wanted.as_str()));
    }
    let mut message = client.send_as(&arguments.to, &arguments.text, wishes).await?;
    let patience = Duration::from_secs(arguments.timeout);
    let reached = tokio::time::timeout(patience, follow(&client, events, &mut message, wanted)).await;
    match reached {
        Ok(Ok(())) => report(context, &message),
        Ok(Err(error)) => Err(error),
        Err(_elapsed) => Err(CliError::NotReached {
            reached: message.status,
            wanted: wanted.as_str(),
            seconds: arguments.timeout,
        }),
    }
}

/// Keeps `message` up to date until it came as far as wanted.
async fn follow(
    client: &Client,
    mut events: Events,
    message: &mut SentMessage,
    wanted: Wait,
) -> Result<(), CliError> {
    while !wanted.is_met_by(message.status) {
        if matches!(message.status, StatusWord::Expired | StatusWord::Refused) {
            return Err(CliError::GivenUp(message.reason.clone().unwrap_or("nothing answered".to_owned())));
        }
        match events.next().await?.ok_or(CliError::DaemonStopped)? {
            EventReport::Status { id, status, via, reason } if id == message.id => {
                message.status = status;
                message.via = via;
                message.reason = reason;
            }
            EventReport::Missed { .. } => *message = client.message(message.id).await?,
            EventReport::Adapter { .. }
            | EventReport::LinkUp { .. }
            | EventReport::LinkDown { .. }
            | EventReport::Peer(_)
            | EventReport::PeerGone { .. }
            | EventReport::Session { .. }
            | EventReport::PublicMessage(_)
            | EventReport::PrivateMessage(_)
            | EventReport::Status { .. }
            | EventReport::File(_)
            | EventReport::Transport(_)
            | EventReport::Board(_)
            | EventReport::Group(_)
            | EventReport::GroupMessage(_)
            | EventReport::Contact(_)
            | EventReport::OwnCard { .. }
            | EventReport::Person(_)
            | EventReport::ClockUnset
            | EventReport::ClockOff { .. } => {}
        }
    }
    Ok(())
}

fn report(context: &Context, message: &SentMessage) -> Result<(), CliError> {
    let via = message.via.as_deref().map(|via| format!(" over {via}")).unwrap_or_default();
    let reason = message.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    context.out.say(message, format!("{}{via}{reason}: message {}", message.status.as_str(), message.id))
}

fn is_everyone(to: &str) -> bool {
    let to = to.trim();
    to.strip_prefix('@').unwrap_or(to) == EVERYONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_later_includes_what_comes_earlier() {
        assert!(Wait::Sent.is_met_by(StatusWord::Read));
        assert!(Wait::Delivered.is_met_by(StatusWord::Delivered));
        assert!(!Wait::Read.is_met_by(StatusWord::Delivered));
        assert!(!Wait::Sent.is_met_by(StatusWord::Expired));
    }
}
