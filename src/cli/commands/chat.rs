//! `hopline chat`: lines typed go out, what comes is printed.

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::api::Client;
use crate::api::client::ClientError;
use crate::api::files::FileWord;
use crate::api::schema::{EventReport, Peer, ReachWord, SentMessage, StatusWord};
use crate::ids::{MessageId, PeerId};
use crate::node::name::EVERYONE;

use super::peers;
use crate::cli::context::Context;
use crate::cli::ending::Ending;
use crate::cli::error::CliError;
use crate::cli::words;

/// Own private messages whose receipts are still shown; the oldest is forgotten first.
const FOLLOWED: usize = 256;

const HELP: &str = "\
a line            goes to everyone in reach, readable by all
@NAME text        goes to one, encrypted; NAME may be a peer id
/msg NAME text    the same
/who              who has been heard
/help             this
/quit             leave the chat; the daemon goes on";

/// What a typed line means.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Nothing,
    Public(&'a str),
    Private {
        to: &'a str,
        text: &'a str,
    },
    Who,
    Help,
    Quit,
    /// Not a command, or one that lacks something.
    Unclear,
}

pub(in crate::cli) async fn run(context: &Context) -> Result<(), CliError> {
    let client = context.client()?;
    let mut events = client.events().await?;
    let status = client.status().await?;
    let object =
        json!({ "event": "ready", "peer_id": status.peer_id.to_string(), "nickname": status.nickname });
    let name = words::printable(&status.nickname);
    context.out.say(&object, format!("you are {name} {}; /help tells what can be typed", status.peer_id))?;

    let mut chat =
        Chat { context, around: around(client.peers().await?.peers), client, followed: VecDeque::new() };
    let mut typed = BufReader::new(tokio::io::stdin()).lines();
    let mut ending = Ending::catch()?;
    loop {
        tokio::select! {
            event = events.next() => chat.show(&event?.ok_or(CliError::DaemonStopped)?).await?,
            line = typed.next_line() => match line.map_err(CliError::Input)? {
                Some(line) if parse(&line) != Line::Quit => chat.act(parse(&line)).await?,
                Some(_) | None => return Ok(()),
            },
            () = ending.asked() => return Ok(()),
        }
    }
}

struct Chat<'a> {
    context: &'a Context,
    client: Client,
    /// Who is in reach, by the name they go by here.
    around: BTreeMap<PeerId, String>,
    /// Own private messages on their way, and for whom.
    followed: VecDeque<(MessageId, String)>,
}

impl Chat<'_> {
    /// Prints an event; a private message that is printed is read.
    async fn show(&mut self, event: &EventReport) -> Result<(), CliError> {
        let out = &self.context.out;
        if out.is_json() {
            out.object(event)?;
        }
        match event {
            EventReport::PrivateMessage(message) => {
                out.tell(words::private(message))?;
                self.client.mark_read(message.id).await?;
            }
            EventReport::Status { id, status, .. } => {
                if let Some(text) = self.receipt(*id, *status) {
                    out.tell(text)?;
                }
            }
            EventReport::Peer(peer) => {
                if peer.reach == ReachWord::Gone {
                    self.around.remove(&peer.id);
                } else if self.around.insert(peer.id, name_of(peer)).is_none() {
                    out.tell(words::event(event))?;
                }
            }
            EventReport::PeerGone { peer, left } => {
                if let Some(name) = self.around.remove(peer) {
                    out.tell(format!("* {name} {}", if *left { "has left" } else { "is out of reach" }))?;
                }
            }
            // Links are the daemon's business, not the conversation's.
            EventReport::File(file) if file.status == FileWord::Running => {}
            EventReport::LinkUp { .. }
            | EventReport::LinkDown { .. }
            | EventReport::Session { .. }
            | EventReport::Transport(_) => {}
            EventReport::Adapter { .. }
            | EventReport::Board(_)
            | EventReport::Contact(_)
            | EventReport::File(_)
            | EventReport::PublicMessage(_)
            | EventReport::ClockUnset
            | EventReport::Missed { .. } => out.tell(words::event(event))?,
        }
        Ok(())
    }

    fn receipt(&self, id: MessageId, status: StatusWord) -> Option<String> {
        let (_, name) = self.followed.iter().find(|(followed, _)| *followed == id)?;
        match status {
            StatusWord::Queued | StatusWord::Sent => None,
            StatusWord::Delivered => Some(format!("* {name} has your message")),
            StatusWord::Read => Some(format!("* {name} has read your message")),
            StatusWord::Expired | StatusWord::Refused => {
                Some(format!("* {name} does not answer: your message was given up"))
            }
        }
    }

    async fn act(&mut self, line: Line<'_>) -> Result<(), CliError> {
        match line {
            Line::Nothing | Line::Quit => Ok(()),
            Line::Public(text) => self.send(EVERYONE, text).await,
            Line::Private { to, text } => self.send(to, text).await,
            Line::Who => peers::run(self.context).await,
            Line::Help => self.context.out.line(HELP),
            Line::Unclear => self.context.out.tell("* that is not a command; /help tells what can be typed"),
        }
    }

    async fn send(&mut self, to: &str, text: &str) -> Result<(), CliError> {
        match self.client.send(to, text).await {
            Ok(message) => {
                self.follow(to, &message);
                if message.to == EVERYONE && message.status == StatusWord::Queued {
                    self.context.out.tell("* nobody in reach yet: the message waits")?;
                }
                Ok(())
            }
            Err(ClientError::Refused(detail)) => {
                let hint = detail.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                let text = format!("* not sent: {}{hint}", words::printable(&detail.message));
                self.context.out.say(&crate::api::schema::ErrorReport { error: detail }, text)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn follow(&mut self, to: &str, message: &SentMessage) {
        if message.to == EVERYONE {
            return;
        }
        self.followed.push_back((message.id, words::printable(to)));
        if self.followed.len() > FOLLOWED {
            self.followed.pop_front();
        }
    }
}

fn around(peers: Vec<Peer>) -> BTreeMap<PeerId, String> {
    let here = peers.iter().filter(|peer| peer.reach != ReachWord::Gone);
    here.map(|peer| (peer.id, name_of(peer))).collect()
}

fn name_of(peer: &Peer) -> String {
    words::printable(&peer.nickname)
}

fn parse(line: &str) -> Line<'_> {
    let line = line.trim();
    if line.is_empty() {
        return Line::Nothing;
    }
    if let Some(rest) = line.strip_prefix('@') {
        return private(rest);
    }
    let Some(command) = line.strip_prefix('/') else {
        return Line::Public(line);
    };
    match command.split_once(char::is_whitespace) {
        Some(("msg", rest)) => private(rest.trim_start()),
        None if command == "who" => Line::Who,
        None if command == "help" => Line::Help,
        None if command == "quit" => Line::Quit,
        Some(_) | None => Line::Unclear,
    }
}

fn private(rest: &str) -> Line<'_> {
    match rest.split_once(char::is_whitespace) {
        Some((to, text)) if !to.is_empty() && !text.trim().is_empty() => {
            Line::Private { to, text: text.trim() }
        }
        Some(_) | None => Line::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_to_everyone_unless_it_says_otherwise() {
        assert_eq!(parse(" good morning "), Line::Public("good morning"));
        assert_eq!(parse("@ben see you"), Line::Private { to: "ben", text: "see you" });
        assert_eq!(parse("/msg ben  see you "), Line::Private { to: "ben", text: "see you" });
        assert_eq!(parse("/who"), Line::Who);
        assert_eq!(parse("  "), Line::Nothing);
    }

    #[test]
    fn half_a_private_line_is_never_sent_to_everyone() {
        for line in ["@ben", "@ ben hello", "@", "/msg ben", "/msg", "/dance", "/who me"] {
            assert_eq!(parse(line), Line::Unclear, "{line}");
        }
    }
}
