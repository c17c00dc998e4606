//! What can be wrong with a configuration, said so that a person can put it right.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::capabilities::UnknownTransport;
use crate::wire::RecordLinkError;

use super::quantity::{NoSize, NoSpan};

/// A configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{file}: {source}", file = .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds what it may not hold; each problem on a line of its own.
    #[error("{}", lines(.file, .problems))]
    Faulty {
        /// The file.
        file: PathBuf,
        /// Everything that is wrong with it, by line.
        problems: Vec<Problem>,
    },
    /// The operating system gave no random bytes for a nickname.
    #[error("the operating system gives no random bytes: {0}")]
    Random(rand_core::Error),
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The key with its section, like `router.priority`; as written where it cannot be read.
    pub key: String,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.line, self.key, self.fault)
    }
}

fn lines(file: &std::path::Path, problems: &[Problem]) -> String {
    let line = |problem: &Problem| format!("{}:{problem}", file.display());
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What is wrong with a key or its value, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not TOML.
    #[error("this is not TOML: {0}")]
    Syntax(String),
    /// There is no such key.
    #[error("this is not known here; known is {}", .known.join(", "))]
    Unknown {
        /// The keys, or sections, there are.
        known: Vec<&'static str>,
    },
    /// The key has another place.
    #[error("this is written as `{to}`, in the section `[{section}]`")]
    Elsewhere {
        /// Where it belongs.
        section: &'static str,
        /// What it is called there.
        to: &'static str,
    },
    /// The founding document had it, and nothing is left to configure.
    #[error("there is no HTTP back end to name: {0}")]
    NoBackEnd(&'static str),
    /// The value is of another kind.
    #[error("{wanted} is wanted here, not {found}")]
    Kind {
        /// What is wanted.
        wanted: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A value lies outside its bounds.
    #[error("{found} is not between {least} and {most}")]
    Range {
        /// The value.
        found: String,
        /// The least allowed.
        least: String,
        /// The most allowed.
        most: String,
    },
    /// A list is too long.
    #[error("at most {most} can be listed, not {found}")]
    Many {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A list names something twice.
    #[error("`{0}` is listed twice")]
    Twice(String),
    /// A word is none of those that mean something here.
    #[error(transparent)]
    Word(#[from] UnknownWord),
    /// The text names no transport.
    #[error(transparent)]
    Transport(#[from] UnknownTransport),
    /// The text is no span of time.
    #[error(transparent)]
    Span(#[from] NoSpan),
    /// The text is no size.
    #[error(transparent)]
    Size(#[from] NoSize),
    /// The text is no address with a port.
    #[error("an address is an IP address and a port, like `192.0.2.7:4433` or `[2001:db8::7]:4433`")]
    Address(#[from] std::net::AddrParseError),
    /// The address cannot be dialled.
    #[error("`{0}` cannot be dialled: an advertised address names one host and a port")]
    NotDialable(String),
    /// The text is no URL of a relay.
    #[error("a relay is an URL like `https://relay.example.org`, not `{0}`")]
    Relay(String),
    /// The text is no relay's record.
    #[error("this is no relay's record: {0}")]
    RelayRecord(#[from] RecordLinkError),
    /// The address is not one of this machine alone.
    #[error("`{0}` is not a loopback address, and the numbers are for this machine")]
    NotLoopback(String),
    /// The text has not the form it must have.
    #[error("`{found}` is not {wanted}")]
    Form {
        /// The text.
        found: String,
        /// What is wanted.
        wanted: &'static str,
    },
    /// Of two keys one can be given.
    #[error("this cannot stand beside `{other}`: one of the two is served")]
    Either {
        /// The other.
        other: &'static str,
    },
    /// A path is empty.
    #[error("a path cannot be empty")]
    NoPath,
    /// A nickname or a radio is not one.
    #[error(transparent)]
    Value(#[from] ValueError),
}

impl From<std::convert::Infallible> for Fault {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// The word is none of a few.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` means nothing here; allowed is {}", .allowed.join(", "))]
pub struct UnknownWord {
    /// The word.
    pub found: String,
    /// The words that mean something.
    pub allowed: &'static [&'static str],
}

/// A value from the command line or from a configuration file is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A nickname has no letters.
    #[error("a nickname cannot be empty")]
    EmptyNickname,
    /// A nickname is longer than phones take, or than an announce can carry.
    #[error("a nickname has at most 50 characters and 255 bytes, this one has {characters} and {bytes}")]
    LongNickname {
        /// Its characters.
        characters: usize,
        /// Its bytes.
        bytes: usize,
    },
    /// A nickname holds a line break or another control character.
    #[error("a nickname cannot hold control characters")]
    ControlInNickname,
    /// A name for a contact would lead to whoever has the id it spells.
    #[error("a name cannot be a peer id or a fingerprint")]
    IdAsName,
    /// The nickname means everybody.
    #[error("the nickname `everyone` is reserved")]
    ReservedNickname,
    /// No address to listen on.
    #[error(
        "an address to listen on is `IP:PORT`, or `IP:PORT/BITS` to talk only within its network, not `{0}`"
    )]
    Listen(String),
    /// A radio is neither `bluez` nor `sim:PATH`.
    #[error("a radio is `bluez`, `sim:PATH` or `sim:PATH#NAME`, not `{0}`")]
    Radio(String),
}
