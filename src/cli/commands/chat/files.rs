//! `/file`: a file from within the chat.

use std::path::Path;

use serde_json::json;

use super::conversation::Chat;
use crate::api::client::ClientError;
use crate::api::files::NewFile;
use crate::cli::error::CliError;
use crate::cli::words;

impl Chat<'_> {
    /// Begins to send a file; what becomes of it is told as it happens.
    pub(super) async fn file(&self, to: &str, path: &str) -> Result<(), CliError> {
        if to.starts_with('#') {
            return self.not_sent("a file goes to one peer or to everyone, not to a group", None);
        }
        let whole =
            std::path::absolute(Path::new(path)).ok().and_then(|path| path.to_str().map(str::to_owned));
        let Some(path) = whole else {
            return self.not_sent("that is no path of a file", None);
        };
        match self.client.send_file(&NewFile { to: to.to_owned(), path, voice: false }).await {
            Ok(report) => self.context.out.say(&report, format!("* {}", words::file(&report))),
            Err(ClientError::Refused(detail)) => self.not_sent(&detail.message, detail.hint.as_deref()),
            Err(error) => Err(error.into()),
        }
    }

    fn not_sent(&self, message: &str, hint: Option<&str>) -> Result<(), CliError> {
        let shown = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        let object = json!({ "error": { "message": message, "hint": hint } });
        self.context.out.say(&object, format!("* not sent: {}{shown}", words::printable(message)))
    }
}
