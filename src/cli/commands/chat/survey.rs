//! Looking at the mesh from the chat: `/ping`, `/trace`, `/topology`.

use super::conversation::Chat;
use crate::api::client::ClientError;
use crate::cli::commands::{ping, topology, trace};
use crate::cli::error::CliError;

impl Chat<'_> {
    pub(super) async fn ping(&self, name: &str) -> Result<(), CliError> {
        let report = self.client.ping(name).await;
        self.found(report, |report| ping::line(name, report))
    }

    pub(super) async fn trace(&self, name: &str) -> Result<(), CliError> {
        let report = self.client.trace(name).await;
        self.found(report, |report| trace::text(name, report))
    }

    pub(super) async fn topology(&self) -> Result<(), CliError> {
        let report = self.client.topology().await;
        self.found(report, topology::text)
    }

    /// Says what was found out, or why nothing was.
    fn found<T: serde::Serialize>(
        &self,
        report: Result<T, ClientError>,
        words: impl Fn(&T) -> String,
    ) -> Result<(), CliError> {
        match report {
            Ok(report) => self.context.out.say(&report, format!("* {}", words(&report))),
            Err(ClientError::Refused(detail)) => self.refused("no answer", detail),
            Err(error) => Err(error.into()),
        }
    }
}
