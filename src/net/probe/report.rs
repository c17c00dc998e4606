//! What was found out about a host.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use http::Method;
use http::header::{ALT_SVC, CONTENT_TYPE, SERVER};

use super::older::Older;
use crate::htx::cover::LeafKey;
use crate::net::session::{Answer, VisitError};

/// Everything that was found out, each layer on its own.
#[derive(Debug)]
pub struct Report {
    /// The host's name.
    pub host: String,
    /// Where it was asked.
    pub address: SocketAddr,
    /// What a handshake in TLS 1.3 agrees on.
    pub tls: Result<Tls, VisitError>,
    /// What becomes of a handshake in TLS 1.2.
    pub older: Result<Older, io::Error>,
    /// What the host says first in HTTP/2.
    pub first: Result<First, VisitError>,
    /// What it answers.
    pub visits: Vec<Visited>,
}

/// What a handshake agrees on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The version, as on the wire: 0x0304 is 1.3.
    pub version: u16,
    /// The cipher suite, as on the wire.
    pub cipher: u16,
    /// The group of the key exchange, as on the wire.
    pub group: u16,
    /// The protocol; empty when none was agreed on.
    pub alpn: Vec<u8>,
    /// The kind of key in the host's own certificate.
    pub leaf_key: LeafKey,
}

/// What a host says first in HTTP/2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// Its settings, in order.
    pub settings: Vec<(u16, u32)>,
    /// By how much it raises the window of the connection.
    pub window_update: Option<u32>,
}

/// One request and what came of it.
#[derive(Debug)]
pub struct Visited {
    /// How it was asked.
    pub method: Method,
    /// For what.
    pub path: &'static str,
    /// The answer.
    pub answer: Result<Answer, VisitError>,
}

impl Report {
    /// What the host says about HTTP/3, in the first answer that says something.
    pub fn alt_svc(&self) -> Option<&str> {
        let answers = self.visits.iter().filter_map(|visited| visited.answer.as_ref().ok());
        answers.filter_map(|answer| answer.headers.get(ALT_SVC)).find_map(|value| value.to_str().ok())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "host      {} at {}", self.host, self.address)?;
        match &self.tls {
            Ok(tls) => writeln!(f, "tls       {tls}")?,
            Err(error) => writeln!(f, "tls       {error}")?,
        }
        match &self.older {
            Ok(older) => writeln!(f, "tls 1.2   {older}")?,
            Err(error) => writeln!(f, "tls 1.2   no answer: {error}")?,
        }
        match &self.first {
            Ok(first) => writeln!(f, "http/2    {first}")?,
            Err(error) => writeln!(f, "http/2    {error}")?,
        }
        writeln!(f, "alt-svc   {}", self.alt_svc().unwrap_or("none"))?;
        self.visits.iter().try_for_each(|visited| writeln!(f, "answer    {visited}"))
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alpn = match self.alpn.as_slice() {
            [] => "none".into(),
            alpn => String::from_utf8_lossy(alpn),
        };
        write!(
            f,
            "{:?}, {:?}, {:?}, alpn {alpn}, key {:?}",
            rustls::ProtocolVersion::from(self.version),
            rustls::CipherSuite::from(self.cipher),
            rustls::NamedGroup::from(self.group),
            self.leaf_key,
        )
    }
}

impl fmt::Display for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings: Vec<String> =
            self.settings.iter().map(|(id, value)| format!("{}={value}", setting(*id))).collect();
        write!(f, "SETTINGS {}", settings.join(" "))?;
        match self.window_update {
            Some(increment) => write!(f, ", WINDOW_UPDATE {increment}"),
            None => write!(f, ", no WINDOW_UPDATE"),
        }
    }
}

impl fmt::Display for Visited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.path)?;
        match &self.answer {
            Ok(answer) => {
                let header =
                    |name| answer.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
                write!(
                    f,
                    "{}, {} bytes of {}, server {}",
                    answer.status,
                    answer.body.len(),
                    header(CONTENT_TYPE).unwrap_or("no type"),
                    header(SERVER).unwrap_or("unnamed"),
                )
            }
            Err(error) => write!(f, "{error}"),
        }
    }
}

/// The names of RFC 9113, 6.5.2, and its successors.
fn setting(id: u16) -> String {
    let name = match id {
        1 => "HEADER_TABLE_SIZE",
        2 => "ENABLE_PUSH",
        3 => "MAX_CONCURRENT_STREAMS",
        4 => "INITIAL_WINDOW_SIZE",
        5 => "MAX_FRAME_SIZE",
        6 => "MAX_HEADER_LIST_SIZE",
        8 => "ENABLE_CONNECT_PROTOCOL",
        9 => "NO_RFC7540_PRIORITIES",
        other => return format!("{other:#06x}"),
    };
    name.to_owned()
}
