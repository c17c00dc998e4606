//! The chat at work: it shows what comes, and does what is typed.

use std::collections::{BTreeMap, VecDeque};
use std::io::IsTerminal;
use std::ops::ControlFlow;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::api::Client;
use crate::api::files::FileWord;
use crate::api::schema::{EventReport, Peer, ReachWord, ReceivedMessage, SentMessage, StatusWord};
use crate::ids::{MessageId, PeerId};
use crate::node::name::EVERYONE;

use super::table::{self, Line, Unclear, parse};
use super::{board, group};
use crate::cli::commands::peers;
use crate::cli::context::Context;
use crate::cli::ending::Ending;
use crate::cli::error::CliError;
use crate::cli::names;
use crate::cli::words::{self, Place};

/// Own messages of which it is still told what becomes of them; the oldest is forgotten first.
const FOLLOWED: usize = 256;
/// Clears a terminal, with what was scrolled out of sight, and goes to its upper left corner.
const EMPTY_SCREEN: &str = "\u{1b}[2J\u{1b}[3J\u{1b}[H";

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
                Some(line) => match chat.act(parse(&line)).await? {
                    ControlFlow::Continue(()) => {}
                    ControlFlow::Break(()) => return Ok(()),
                },
                None => return Ok(()),
            },
            () = ending.asked() => return Ok(()),
        }
    }
}

pub(super) struct Chat<'a> {
    pub(super) context: &'a Context,
    pub(super) client: Client,
    /// Who is in reach, by the name they go by here.
    around: BTreeMap<PeerId, String>,
    /// Own messages on their way.
    followed: VecDeque<Followed>,
}

/// A message of ours, and what was told of it.
struct Followed {
    id: MessageId,
    to: String,
    /// Why it waits.
    waits: Option<String>,
}

impl Followed {
    /// What became of it, where that is news.
    fn news(&mut self, status: StatusWord, reason: Option<&str>) -> Option<String> {
        let Self { to, waits, .. } = self;
        let to_all = to == EVERYONE;
        match status {
            StatusWord::Queued if waits.as_deref() == reason => None,
            StatusWord::Queued => {
                *waits = reason.map(str::to_owned);
                reason.map(|reason| format!("* not sent to {to} yet: {reason}"))
            }
            StatusWord::Sent => None,
            // Nobody speaks for everyone.
            StatusWord::Delivered | StatusWord::Read if to_all => None,
            StatusWord::Delivered => Some(format!("* {to} has your message")),
            StatusWord::Read => Some(format!("* {to} has read your message")),
            StatusWord::Expired | StatusWord::Refused if to_all => {
                Some("* your message to everyone was given up".to_owned())
            }
            StatusWord::Expired | StatusWord::Refused => {
                Some(format!("* {to} does not answer: your message was given up"))
            }
        }
    }
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
                out.tell(words::private(&self.named(message)))?;
                let read = self.client.mark_read(message.id).await;
                self.or_say("", read.map_err(CliError::from))?;
            }
            EventReport::PublicMessage(message) => out.tell(words::public(&self.named(message)))?,
            EventReport::Status { id, status, reason, .. } => {
                let followed = self.followed.iter_mut().find(|followed| followed.id == *id);
                if let Some(text) = followed.and_then(|ours| ours.news(*status, reason.as_deref())) {
                    out.tell(text)?;
                }
            }
            EventReport::Peer(peer) => {
                if peer.reach == ReachWord::Gone {
                    self.around.remove(&peer.id);
                } else if self.around.insert(peer.id, name_of(peer)).is_none() && !peer.blocked {
                    out.tell(words::event(event, Place::Chat))?;
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
            | EventReport::Group(_)
            | EventReport::GroupMessage(_)
            | EventReport::Contact(_)
            | EventReport::OwnCard { .. }
            | EventReport::File(_)
            | EventReport::Person(_)
            | EventReport::ClockUnset
            | EventReport::ClockOff { .. }
            | EventReport::Missed { .. } => out.tell(words::event(event, Place::Chat))?,
        }
        Ok(())
    }

    /// A message under a name that nobody else has here.
    fn named(&self, message: &ReceivedMessage) -> ReceivedMessage {
        let others = self.around.iter().map(|(&id, name)| (id, name.as_str()));
        ReceivedMessage {
            nickname: names::shown(message.sender, &message.nickname, others),
            ..message.clone()
        }
    }

    /// Does what was typed; the chat goes on, or not.
    async fn act(&mut self, line: Result<Line<'_>, Unclear>) -> Result<ControlFlow<()>, CliError> {
        let undone = line.as_ref().map_or("", |line| line.undone());
        let done = match line {
            Ok(Line::Quit) => return Ok(ControlFlow::Break(())),
            Ok(line) => self.fulfil(line).await,
            Err(unclear) => Err(unclear.into()),
        };
        self.or_say(undone, done)?;
        Ok(ControlFlow::Continue(()))
    }

    async fn fulfil(&mut self, line: Line<'_>) -> Result<(), CliError> {
        match line {
            Line::Nothing | Line::Quit => Ok(()),
            Line::Public(text) => self.send(EVERYONE, text).await,
            Line::Private { to, text } => self.send(to, text).await,
            Line::Board(wish) => board::act(self.context, &self.client, wish).await,
            Line::Group(wish) => group::act(self.context, &self.client, wish).await,
            Line::Who => peers::run(self.context, Place::Chat).await,
            Line::File { to, path } => self.file(to, path).await,
            Line::Accept(number) => self.accept(number).await,
            Line::Decide { name, decision } => self.decide(name, decision).await,
            Line::Verify(what) => self.verify(what).await,
            Line::Ping(name) => self.ping(name).await,
            Line::Trace(name) => self.trace(name).await,
            Line::Topology => self.topology().await,
            Line::Clear => self.clear(),
            Line::Help => self.context.out.say(&json!({ "help": table::help() }), table::help()),
        }
    }

    /// What was refused is told, and the chat goes on; what could not be asked for ends it.
    fn or_say(&self, undone: &str, done: Result<(), CliError>) -> Result<(), CliError> {
        let error = match done {
            Err(error) if error.code().is_some() => error,
            Ok(()) | Err(_) => return done,
        };
        let hint = error.hint().map(|hint| format!(" ({})", Place::Chat.says(&hint))).unwrap_or_default();
        let text = format!("* {undone}{}{hint}", words::printable(&error.to_string()));
        self.context.out.say(&error.object(), text)
    }

    /// Empties the screen; what was said stays in the history.
    fn clear(&self) -> Result<(), CliError> {
        if std::io::stdout().is_terminal() { self.context.out.tell(EMPTY_SCREEN) } else { Ok(()) }
    }

    async fn send(&mut self, to: &str, text: &str) -> Result<(), CliError> {
        let message = self.client.send(to, text).await?;
        self.follow(to, &message);
        Ok(())
    }

    fn follow(&mut self, to: &str, message: &SentMessage) {
        let to = if message.to == EVERYONE { EVERYONE.to_owned() } else { words::printable(to) };
        self.followed.push_back(Followed { id: message.id, to, waits: None });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(to: &str) -> Followed {
        Followed { id: MessageId([1; 16]), to: to.to_owned(), waits: None }
    }

    #[test]
    fn that_a_message_waits_is_told_once_for_each_reason() {
        let mut ours = followed("ben");
        let told = [
            (StatusWord::Queued, None),
            (StatusWord::Queued, Some("nobody near")),
            (StatusWord::Queued, Some("nobody near")),
            (StatusWord::Sent, None),
            (StatusWord::Queued, Some("no answer")),
            (StatusWord::Delivered, None),
        ]
        .map(|(status, reason)| ours.news(status, reason).unwrap_or_default());
        let waits = ["* not sent to ben yet: nobody near", "* not sent to ben yet: no answer"];
        assert_eq!(told, ["", waits[0], "", "", waits[1], "* ben has your message"]);
    }

    #[test]
    fn nobody_is_said_to_have_what_was_said_to_everyone() {
        let mut ours = followed(EVERYONE);
        assert_eq!(ours.news(StatusWord::Delivered, None), None);
        let given_up = ours.news(StatusWord::Expired, Some("it grew too old"));
        assert_eq!(given_up.as_deref(), Some("* your message to everyone was given up"));
    }
}
