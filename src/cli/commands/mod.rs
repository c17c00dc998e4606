//! One command, one file.

pub(super) mod air;
mod chat;
pub(super) mod completions;
pub(super) mod daemon;
pub(super) mod demo;
mod doctor;
mod man;
pub(super) mod packet;
mod peers;
pub(super) mod send;
mod status;
mod watch;

use std::path::PathBuf;

use crate::api::Client;
use crate::node::config::default_home;
use crate::node::home::Home;

use super::args::Command;
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

pub(super) async fn run(context: Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Demo(arguments) => demo::run(&context, arguments).await,
        Command::Daemon(arguments) => daemon::run(&context, arguments).await,
        Command::Chat => chat::run(&context).await,
        Command::Send(arguments) => send::run(&context, arguments).await,
        Command::Peers => peers::run(&context).await,
        Command::Watch => watch::run(&context).await,
        Command::Status => status::run(&context).await,
        Command::Doctor => doctor::run(&context).await,
        Command::Packet(arguments) => packet::run(&context, arguments),
        Command::Air(arguments) => air::run(&context, arguments).await,
        Command::Completions(arguments) => completions::run(&context, &arguments),
        Command::Man => man::run(&context),
    }
}
