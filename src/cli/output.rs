//! Everything a command says goes through here: to a person, or as JSON.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use super::error::CliError;

/// Standard output, and how to write to it.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Says a thing once: the object to programs, or the text to people.
    pub(super) fn say(&self, object: &impl Serialize, text: impl Display) -> Result<(), CliError> {
        if self.json { self.object(object) } else { self.line(text) }
    }

    /// A line for people; nothing to programs.
    pub(super) fn tell(&self, text: impl Display) -> Result<(), CliError> {
        if self.json { Ok(()) } else { self.line(text) }
    }

    /// One object on one line, whatever was asked for.
    pub(super) fn object(&self, object: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(object).map_err(|error| CliError::Output(error.into()))?;
        self.line(text)
    }

    /// One line, whatever was asked for.
    pub(super) fn line(&self, text: impl Display) -> Result<(), CliError> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// These bytes, whatever was asked for.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                return CliError::OutputClosed;
            }
            CliError::Output(error)
        })
    }
}
