//! The commands of the chat: a row says how one is typed, what it does and how its line is read.

use super::{board, group};
use crate::cli::commands::person::Decision;
use crate::cli::words;

/// What a typed line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Nothing,
    Public(&'a str),
    Private { to: &'a str, text: &'a str },
    Board(board::Wish<'a>),
    Group(group::Wish<'a>),
    Who,
    File { to: &'a str, path: &'a str },
    Accept(u64),
    Decide { name: &'a str, decision: Decision },
    Verify(&'a str),
    Ping(&'a str),
    Trace(&'a str),
    Topology,
    Clear,
    Help,
    Quit,
}

impl Line<'_> {
    /// What the error begins with when it is not done.
    pub(super) fn undone(self) -> &'static str {
        let says = matches!(
            self,
            Line::Public(_) | Line::Private { .. } | Line::File { .. } | Line::Group(group::Wish::Say { .. })
        );
        if says { "not sent: " } else { "" }
    }
}

/// A command, as `/help` shows it.
struct Command {
    /// Without the stroke; the first one is shown, the others are as good.
    names: &'static [&'static str],
    /// What follows the name; nothing for a command that stands alone.
    arguments: &'static str,
    /// What it does, in a line.
    help: &'static str,
    /// Reads what follows the name, trimmed; nothing when something lacks or is too much.
    read: for<'a> fn(&'a str) -> Option<Line<'a>>,
}

/// Every command, in the order of `/help`.
const COMMANDS: &[Command] = &[
    Command { names: &["msg", "m"], arguments: "NAME TEXT", help: "the same", read: private },
    Command {
        names: &["who", "w"],
        arguments: "",
        help: "who has been heard",
        read: |rest| alone(rest, Line::Who),
    },
    Command {
        names: &["group"],
        arguments: "[list | create NAME | invite GROUP NAME | remove GROUP NAME | leave GROUP | say GROUP TEXT]",
        help: "private groups: only members read what is said to one",
        read: |rest| group::read(rest).map(Line::Group),
    },
    Command {
        names: &["file"],
        arguments: "NAME PATH",
        help: "send a file; NAME may be `everyone`",
        read: file,
    },
    Command {
        names: &["accept"],
        arguments: "NUMBER",
        help: "take a file that was offered",
        read: |rest| rest.trim().parse().ok().map(Line::Accept),
    },
    Command {
        names: &["board"],
        arguments: "[post TEXT | urgent TEXT | remove ID]",
        help: "the notice board; a notice of yours stands for a day",
        read: |rest| board::read(rest).map(Line::Board),
    },
    Command {
        names: &["drop"],
        arguments: "TEXT",
        help: "the same as /board post TEXT",
        read: |rest| {
            (!rest.is_empty()).then_some(Line::Board(board::Wish::Post { text: rest, urgent: false }))
        },
    },
    Command {
        names: &["fav"],
        arguments: "NAME",
        help: "make somebody a favourite; they are told",
        read: |rest| decide(rest, Decision::Favourite),
    },
    Command {
        names: &["unfav"],
        arguments: "NAME",
        help: "make them none; they are told",
        read: |rest| decide(rest, Decision::NoFavourite),
    },
    Command {
        names: &["block"],
        arguments: "NAME",
        help: "see and keep nothing of somebody; nobody is told",
        read: |rest| decide(rest, Decision::Block),
    },
    Command {
        names: &["unblock"],
        arguments: "NAME",
        help: "lift that",
        read: |rest| decide(rest, Decision::Unblock),
    },
    Command {
        names: &["verify"],
        arguments: "[NAME | CODE | NAME --compared | NAME --revoke]",
        help: "show your code, check theirs, say that numbers are the same",
        read: verify,
    },
    Command {
        names: &["ping"],
        arguments: "NAME",
        help: "whether somebody is there, and how many hops away",
        read: |rest| one(rest).map(Line::Ping),
    },
    Command {
        names: &["trace"],
        arguments: "NAME",
        help: "over whom the way to somebody goes",
        read: |rest| one(rest).map(Line::Trace),
    },
    Command {
        names: &["topology"],
        arguments: "",
        help: "who hears whom",
        read: |rest| alone(rest, Line::Topology),
    },
    Command {
        names: &["clear"],
        arguments: "",
        help: "empty the screen; `hopline history` keeps what was said",
        read: |rest| alone(rest, Line::Clear),
    },
    Command { names: &["help"], arguments: "", help: "this", read: |rest| alone(rest, Line::Help) },
    Command {
        names: &["quit"],
        arguments: "",
        help: "leave the chat; the daemon goes on",
        read: |rest| alone(rest, Line::Quit),
    },
];

/// How a private line is typed in short.
const AT: &str = "@NAME TEXT";
/// How a line for a group is typed in short.
const HASH: &str = "#GROUP TEXT";
/// How a name of several words is typed.
const QUOTED: &str = "@\"BIG BEN\" TEXT";
/// What may stand before a name.
const SIGILS: [char; 2] = ['@', '#'];

/// Why a line is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum Unclear {
    /// No command has this name.
    #[error("there is no /{0}")]
    Unknown(String),
    /// Something lacks or is too much; how it is typed.
    #[error("that line lacks something, or says too much")]
    Incomplete(String),
    #[error("a file goes to one peer or to everyone, not to a group")]
    FileForGroup,
    #[error("that is no path of a file")]
    NoPath,
}

impl Unclear {
    /// What to type instead.
    pub(in crate::cli) fn hint(&self) -> String {
        match self {
            Self::Unknown(_) => "/help lists what can be typed".to_owned(),
            Self::Incomplete(usage) => format!("type {usage}"),
            Self::FileForGroup => "send it to each member, or to `everyone`".to_owned(),
            Self::NoPath => "type where it is on this machine, as for a shell but without quotes".to_owned(),
        }
    }
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Result<Line<'_>, Unclear> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(Line::Nothing);
    }
    if let Some(rest) = line.strip_prefix('@') {
        return private(rest).ok_or_else(|| Unclear::Incomplete(AT.to_owned()));
    }
    if let Some(rest) = line.strip_prefix('#') {
        return group::say(rest).map(Line::Group).ok_or_else(|| Unclear::Incomplete(HASH.to_owned()));
    }
    let Some(typed) = line.strip_prefix('/') else {
        return Ok(Line::Public(line));
    };
    let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let command = COMMANDS.iter().find(|command| command.names.contains(&name));
    let command = command.ok_or_else(|| Unclear::Unknown(words::printable(name)))?;
    (command.read)(rest.trim_start()).ok_or_else(|| Unclear::Incomplete(usage(command)))
}

/// What can be typed, a line each.
pub(super) fn help() -> String {
    let lines = [
        ("a line".to_owned(), "goes to everyone in reach, readable by all".to_owned()),
        (HASH.to_owned(), "goes to a private group; GROUP may be the front of its id".to_owned()),
        (AT.to_owned(), "goes to one, encrypted; NAME may be a peer id".to_owned()),
        (QUOTED.to_owned(), "a name of several words stands in quotes, here and below".to_owned()),
    ];
    let lines = lines.into_iter().chain(COMMANDS.iter().flat_map(explained));
    words::table(&lines.map(|(typed, help)| vec![typed, help]).collect::<Vec<_>>())
}

/// How a command is typed and what it does; forms of which one is chosen stand below it.
fn explained(command: &Command) -> Vec<(String, String)> {
    let others = command.names.iter().skip(1).map(|name| format!(" (/{name})"));
    let help = others.fold(command.help.to_owned(), |help, other| help + &other);
    let Some(forms) = command.arguments.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return vec![(usage(command), help)];
    };
    let name = command.names.first().copied().unwrap_or_default();
    let below = forms.split(" | ").map(|form| (format!("  {form}"), String::new()));
    std::iter::once((format!("/{name}"), help)).chain(below).collect()
}

fn usage(command: &Command) -> String {
    let name = command.names.first().copied().unwrap_or_default();
    format!("/{name} {}", command.arguments).trim_end().to_owned()
}

/// A command that takes nothing.
fn alone<'a>(rest: &str, line: Line<'a>) -> Option<Line<'a>> {
    rest.is_empty().then_some(line)
}

/// A name that stands alone, of one word or more, in quotes or not; or a code.
pub(super) fn one(rest: &str) -> Option<&str> {
    let rest = rest.trim();
    let (name, after) = if is_quoted(rest) { name(rest)? } else { (rest, "") };
    (!name.is_empty() && after.is_empty()).then_some(name)
}

fn verify(rest: &str) -> Option<Line<'_>> {
    let rest = rest.trim_end();
    let before = |word: &str| rest.strip_suffix(word).filter(|name| name.ends_with(char::is_whitespace));
    match (before("--compared"), before("--revoke")) {
        (Some(name), _) => decide(name, Decision::Verified),
        (None, Some(name)) => decide(name, Decision::Unverified),
        (None, None) => one(rest).map(Line::Verify),
    }
}

fn decide(rest: &str, decision: Decision) -> Option<Line<'_>> {
    one(rest).map(|name| Line::Decide { name, decision })
}

/// A name, and what follows it.
pub(super) fn pair(rest: &str) -> Option<(&str, &str)> {
    let (name, after) = name(rest)?;
    (!name.is_empty() && !after.is_empty()).then_some((name, after))
}

/// The name in front, of one word or in quotes, and the rest.
fn name(rest: &str) -> Option<(&str, &str)> {
    let (name, after) = match rest.strip_prefix(SIGILS).unwrap_or(rest).strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').filter(|(_, after)| !after.starts_with(is_no_space))?,
        None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
    };
    Some((name.trim(), after.trim()))
}

/// Whether what stands in front is a name in quotes.
pub(super) fn is_quoted(rest: &str) -> bool {
    rest.strip_prefix(SIGILS).unwrap_or(rest).starts_with('"')
}

fn is_no_space(character: char) -> bool {
    !character.is_whitespace()
}

fn private(rest: &str) -> Option<Line<'_>> {
    pair(rest).map(|(to, text)| Line::Private { to, text })
}

/// The path may have spaces in it.
fn file(rest: &str) -> Option<Line<'_>> {
    pair(rest).map(|(to, path)| Line::File { to, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_to_everyone_unless_it_says_otherwise() {
        assert_eq!(parse(" good morning "), Ok(Line::Public("good morning")));
        for line in ["@ben see you", "/msg ben  see you ", "/m  ben see you"] {
            assert_eq!(parse(line), Ok(Line::Private { to: "ben", text: "see you" }), "{line}");
        }
        assert_eq!(parse("/w"), Ok(Line::Who));
        assert_eq!(parse("/file ben  my notes.txt"), Ok(Line::File { to: "ben", path: "my notes.txt" }));
        assert_eq!(parse("  "), Ok(Line::Nothing));
    }

    #[test]
    fn a_name_of_several_words_stands_in_quotes() {
        for line in ["@\"ben smith\" hello", "/msg \"ben smith\"  hello", "/m @\"ben smith\" hello"] {
            assert_eq!(parse(line), Ok(Line::Private { to: "ben smith", text: "hello" }), "{line}");
        }
        let said = Line::Group(group::Wish::Say { group: "night watch", text: "at \"8\"" });
        assert_eq!(parse("#\"night watch\" at \"8\""), Ok(said));
        for line in ["/ping \"ben smith\"", "/ping ben smith", "/ping @\"ben smith\""] {
            assert_eq!(parse(line), Ok(Line::Ping("ben smith")), "{line}");
        }
        for line in
            ["@\"ben smith hello", "@\"\" hello", "@\"ben\"hello you", "/ping \"ben\" smith", "@\"ben\""]
        {
            assert!(matches!(parse(line), Err(Unclear::Incomplete(_))), "{line}");
        }
    }

    #[test]
    fn a_verification_is_taken_back_by_a_word_that_is_part_of_no_name() {
        let taken_back = |name| Ok(Line::Decide { name, decision: Decision::Unverified });
        assert_eq!(parse("/verify ben --revoke "), taken_back("ben"));
        assert_eq!(parse("/verify \"big ben\" --revoke"), taken_back("big ben"));
        assert_eq!(parse("/verify \"ben --revoke\""), Ok(Line::Verify("ben --revoke")));
        assert_eq!(parse("/verify ben--revoke"), Ok(Line::Verify("ben--revoke")));
        assert!(matches!(parse("/verify --revoke"), Ok(Line::Verify("--revoke"))), "nobody of that name");
        let compared = Line::Decide { name: "ben", decision: Decision::Verified };
        assert_eq!(parse("/verify ben --compared"), Ok(compared));
    }

    #[test]
    fn half_a_line_is_never_sent_and_its_error_says_what_to_type() {
        for (line, usage) in [
            ("@ben", "type @NAME TEXT"),
            ("@ ben hello", "type @NAME TEXT"),
            ("/msg ben", "type /msg NAME TEXT"),
            ("/m", "type /msg NAME TEXT"),
            ("/who me", "type /who"),
            ("/fav", "type /fav NAME"),
            ("/ping", "type /ping NAME"),
            ("/accept ben", "type /accept NUMBER"),
            ("/", "/help lists what can be typed"),
            ("/dance now", "/help lists what can be typed"),
        ] {
            assert_eq!(parse(line).unwrap_err().hint(), usage, "{line}");
        }
        assert_eq!(parse("/da\u{1b}nce").unwrap_err().to_string(), "there is no /da\u{fffd}nce");
    }

    #[test]
    fn what_hints_say_to_type_here_is_there() {
        for (shell, chat) in words::IN_CHAT {
            assert!(!matches!(parse(chat), Err(Unclear::Unknown(_))), "{shell}: {chat}");
        }
    }

    #[test]
    fn no_name_is_given_twice_and_help_has_every_command() {
        let names: Vec<&str> = COMMANDS.iter().flat_map(|command| command.names).copied().collect();
        let once: std::collections::BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), once.len());
        for name in names {
            assert!(help().contains(&format!("/{name}")), "{name}");
        }
        for line in help().lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
