//! `hopline air`.
use crate::cli::context::Context;
use crate::cli::error::CliError;
/// .
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {}
pub(in crate::cli) async fn run(_c: &Context, _a: Arguments) -> Result<(), CliError> {
    Ok(())
}
