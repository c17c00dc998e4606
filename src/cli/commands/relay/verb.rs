//! What `hopline relay` can be told to do.

use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::context::Context;
use crate::cli::error::CliError;

use super::{check, init, record};

/// What `relay` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a relay: configuration, keys, and a certificate and web site where you have none
    Init(init::Arguments),
    /// Run it, until ctrl-c or SIGTERM; SIGHUP reads the certificate again [the default]
    Run,
    /// Show every key of its configuration, or everything that is wrong with it
    Check,
    /// Show the record that clients need to connect
    Record(record::Arguments),
}

const EXAMPLES: &str = "\
A relay lives in a directory of its own: --home, or $XDG_DATA_HOME/hopline-relay, or \
~/.local/share/hopline-relay. docs/relay.md tells how to run one in ten minutes.

Examples:
  hopline relay init --host www.example.org --advertise 192.0.2.7:443 \\
      --certificate fullchain.pem --key privkey.pem --site /var/www
  hopline relay run
  hopline relay record > my.record          what you give to its users
  hopline --home /tmp/r relay init --host relay.test --listen 127.0.0.1:8443

The last one makes a relay to be tried on this machine.";

/// The directory of a relay, beside the node's.
const HOME: &str = "hopline-relay";

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let home = home(context)?;
    match arguments.verb {
        Some(Verb::Init(arguments)) => init::run(context, &home, arguments),
        Some(Verb::Check) => check::run(context, &home),
        Some(Verb::Record(arguments)) => record::run(context, &home, &arguments),
        Some(Verb::Run) | None => super::run::run(context, home).await,
    }
}

/// Whether these arguments run a relay, and do not only make or show one.
pub(in crate::cli) fn is_running(arguments: &Arguments) -> bool {
    matches!(arguments.verb, Some(Verb::Run) | None)
}

fn home(context: &Context) -> Result<PathBuf, CliError> {
    context.home_called(HOME)
}
