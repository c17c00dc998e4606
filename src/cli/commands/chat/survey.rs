//! Looking at the mesh from the chat: `/ping`, `/trace`, `/topology`.

use super::conversation::Chat;
use crate::cli::commands::{ping, topology, trace};
use crate::cli::error::CliError;

impl Chat<'_> {
    pub(super) async fn ping(&self, name: &str) -> Result<(), CliError> {
        let report = self.client.ping(name).await?;
        self.context.out.say(&report, format!("* {}", ping::line(name, &report)))
    }

    pub(super) async fn trace(&self, name: &str) -> Result<(), CliError> {
        let report = self.client.trace(name).await?;
        self.context.out.say(&report, format!("* {}", trace::text(name, &report)))
    }

    pub(super) async fn topology(&self) -> Result<(), CliError> {
        let report = self.client.topology().await?;
        self.context.out.say(&report, format!("* {}", topology::text(&report)))
    }
}
