//! What `hopline htx` can be told to do.

use clap::Subcommand;

use crate::cli::context::Context;
use crate::cli::error::CliError;

use super::target::Target;
use super::{lint, probe};

/// What `htx` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Explain, layer by layer, what a relay or a plain web site answers
    Probe(Target),
    /// Hold a relay against every requirement of the HTX specification, a line for each
    Lint(Target),
}

const EXAMPLES: &str = "\
Without the relay's record only what any visitor sees can be looked at. With it, `probe` makes one tunnel; `lint` makes \
some twenty and shows some 40 tickets, most of them bad, which is most of what a relay grants one network in a minute.

Examples:
  hopline htx probe www.example.org
  hopline htx probe --record my.record --ca certificate.pem
  hopline htx lint --record hopline://relay/… --address 127.0.0.1:8443

Exit status of `probe`: 0 when no layer failed. Of `lint`: 0 when nothing is `not met`.";

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::Probe(target) => probe::run(context, target).await,
        Verb::Lint(target) => lint::run(context, target).await,
    }
}
