//! What is decided about people while one talks.

use super::conversation::Chat;
use crate::api::people::CodeReport;
use crate::cli::commands::person::{self, Decision};
use crate::cli::commands::verify;
use crate::cli::error::CliError;
use crate::cli::words::Place;
use crate::wire::CODE_PREFIX;

impl Chat<'_> {
    pub(super) async fn decide(&self, name: &str, decision: Decision) -> Result<(), CliError> {
        person::run(self.context, name, decision).await
    }

    /// Shows our code for somebody, or takes theirs; what comes of it is told as it happens.
    pub(super) async fn verify(&self, what: &str) -> Result<(), CliError> {
        if what.starts_with(CODE_PREFIX) { self.scan(what).await } else { self.present(what).await }
    }

    async fn scan(&self, code: &str) -> Result<(), CliError> {
        let asked = self.client.scan(&CodeReport { code: code.to_owned() }).await?;
        self.context.out.say(&asked, "* the code is good; the other node has to prove it …")
    }

    async fn present(&self, name: &str) -> Result<(), CliError> {
        let person = person::find(&self.client, name).await?;
        verify::present(self.context, &self.client, &person, Place::Chat).await
    }
}
