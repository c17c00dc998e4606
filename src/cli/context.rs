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

    /// The home of another program: the one named, or one of this name beside the node's.
    pub(super) fn home_called(&self, name: &str) -> Result<PathBuf, CliError> {
        match &self.home {
            Some(path) => Ok(path.clone()),
            None => Ok(default_home()?.with_file_name(name)),
        }
    }

    /// The daemon of that home.
    pub(super) fn client(&self) -> Result<Client, CliError> {
        Ok(Client::new(self.home()?.socket()))
    }
}
