//! `/file` and `/accept`: files from within the chat.

use std::path::Path;

use super::conversation::Chat;
use super::table::Unclear;
use crate::api::files::NewFile;
use crate::cli::error::CliError;
use crate::cli::words::{self, Place};

impl Chat<'_> {
    /// Begins to send a file; what becomes of it is told as it happens.
    pub(super) async fn file(&self, to: &str, path: &str) -> Result<(), CliError> {
        if to.starts_with('#') {
            return Err(Unclear::FileForGroup.into());
        }
        let whole = std::path::absolute(Path::new(path)).ok();
        let path = whole.and_then(|path| path.to_str().map(str::to_owned)).ok_or(Unclear::NoPath)?;
        let report = self.client.send_file(&NewFile { to: to.to_owned(), path, voice: false }).await?;
        self.context.out.say(&report, format!("* {}", words::file(&report, Place::Chat)))
    }

    /// Takes a file that was offered; what becomes of it is told as it happens.
    pub(super) async fn accept(&self, number: u64) -> Result<(), CliError> {
        self.client.accept_file(number).await?;
        Ok(())
    }
}
