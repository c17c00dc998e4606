//! What every command is given.

use std::path::PathBuf;

use crate::api::Client;
use crate::node::config::default_home;
use crate::node::home::Home;

use super::error::CliError;
use super::output::Output;

/// What every command is given.
pub(super) struct Context {
    home: Option<PathBuf>,
    pub(super) out: Output,
}

impl Context {
    pub(super) fn new(home: Option<PathBuf>, json: bool) -> Self {
        Self { home, out: Output::new(json) }
    }

    /// The node's home: the one named, or the default one.
    pub(super) fn home(&self) -> Result<Home, CliError> {
        let path = match &self.home {
            Some(path) => path.clone(),
            None => default_home()?,
        };
        Ok(Home::at(path))
    }

    /// The daemon of that home.
    pub(super) fn client(&self) -> Result<Client, CliError> {
        Ok(Client::new(self.home()?.socket()))
    }
}
