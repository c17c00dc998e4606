//! `hopline completions`: a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::CliError;

/// What `completions` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hopline completions bash > ~/.local/share/bash-completion/completions/hopline"
)]
pub(in crate::cli) struct Arguments {
    /// Which shell
    shell: Shell,
}

pub(in crate::cli) fn run(context: &Context, arguments: &Arguments) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut args::Arguments::command(), "hopline", &mut script);
    context.out.bytes(&script)
}
