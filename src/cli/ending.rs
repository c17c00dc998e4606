//! Signals that ask this process to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CliError;

/// SIGTERM and ctrl-c, caught from here on: made before anybody is told that they may be sent.
#[derive(Debug)]
pub(in crate::cli) struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    /// Catches them.
    pub(in crate::cli) fn catch() -> Result<Self, CliError> {
        let catch = |kind| signal(kind).map_err(CliError::Signals);
        Ok(Self { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? })
    }

    /// Waits for one. Nothing is lost when this is dropped and called again.
    pub(in crate::cli) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
