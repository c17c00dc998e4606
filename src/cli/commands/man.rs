//! `hopline man`: the man page.

use clap::CommandFactory;

use crate::cli::args::Arguments;
use crate::cli::context::Context;
use crate::cli::error::CliError;

pub(in crate::cli) fn run(context: &Context) -> Result<(), CliError> {
    let mut page = Vec::new();
    let mut command = Arguments::command();
    command.build();
    let top = clap_mangen::Man::new(command.clone());
    top.render(&mut page).map_err(CliError::Output)?;
    // The subcommands follow on the same page: one file is what a package installs.
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let heading = format!(".SH \"HOPLINE {}\"\n", subcommand.get_name().to_uppercase());
        page.extend_from_slice(heading.as_bytes());
        let man = clap_mangen::Man::new(subcommand.clone());
        man.render_synopsis_section(&mut page).map_err(CliError::Output)?;
        man.render_description_section(&mut page).map_err(CliError::Output)?;
        man.render_options_section(&mut page).map_err(CliError::Output)?;
    }
    context.out.bytes(&page)
}
