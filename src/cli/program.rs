//! From the arguments of the process to its exit status.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use super::args::{Arguments, Command};
use super::commands::person::Decision;
use super::commands::{
    air, board, chat, completions, config, contact, daemon, demo, doctor, file, group, history, htx, man,
    outbox, packet, peers, person, ping, relay, route, send, status, topology, trace, verify, watch, wipe,
};
use super::context::Context;
use super::error::CliError;
use super::words::Place;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let result = log(&arguments).and_then(|()| run(arguments));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(json),
    }
}

fn run(arguments: Arguments) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    let result = runtime.block_on(dispatch(Context::new(arguments.home, arguments.json), arguments.command));
    // A thread that waits for a line from the terminal must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn dispatch(context: Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Demo(arguments) => demo::run(&context, arguments).await,
        Command::Daemon(arguments) => daemon::run(&context, arguments).await,
        Command::Chat => chat::run(&context).await,
        Command::Send(arguments) => send::run(&context, arguments).await,
        Command::Peers => peers::run(&context, Place::Shell).await,
        Command::Ping(arguments) => ping::run(&context, arguments).await,
        Command::Trace(arguments) => trace::run(&context, arguments).await,
        Command::Topology(arguments) => topology::run(&context, arguments).await,
        Command::Watch(arguments) => watch::run(&context, arguments).await,
        Command::File(arguments) => file::run(&context, arguments).await,
        Command::Outbox(arguments) => outbox::run(&context, arguments).await,
        Command::Group(arguments) => group::run(&context, arguments).await,
        Command::Board(arguments) => board::run(&context, arguments).await,
        Command::History(arguments) => history::run(&context, arguments).await,
        Command::Route(arguments) => route::run(&context, arguments).await,
        Command::Contact(arguments) => contact::run(&context, arguments).await,
        Command::Fav(person) => person::run(&context, &person.name, Decision::Favourite).await,
        Command::Unfav(person) => person::run(&context, &person.name, Decision::NoFavourite).await,
        Command::Block(person) => person::run(&context, &person.name, Decision::Block).await,
        Command::Unblock(person) => person::run(&context, &person.name, Decision::Unblock).await,
        Command::Verify(arguments) => verify::run(&context, arguments).await,
        Command::Status => status::run(&context).await,
        Command::Config(arguments) => config::run(&context, arguments),
        Command::Doctor => doctor::run(&context).await,
        Command::Packet(arguments) => packet::run(&context, arguments),
        Command::Relay(arguments) => relay::run(&context, arguments).await,
        Command::Htx(arguments) => htx::run(&context, arguments).await,
        Command::Air(arguments) => air::run(&context, arguments).await,
        Command::Wipe(arguments) => wipe::run(&context, &arguments),
        Command::Completions(arguments) => completions::run(&context, &arguments),
        Command::Man => man::run(&context),
    }
}

/// Logs go to standard error: what was asked for with `-v`, or with `HOPLINE_LOG`.
fn log(arguments: &Arguments) -> Result<(), CliError> {
    let quiet = match &arguments.command {
        Command::Daemon(_) | Command::Air(_) => "hopline=info,warn",
        // Other crates' words about connections would name addresses.
        Command::Relay(arguments) if relay::is_running(arguments) => "hopline=info",
        Command::Chat
        | Command::Send(_)
        | Command::Peers
        | Command::Ping(_)
        | Command::Trace(_)
        | Command::Topology(_)
        | Command::Watch(_)
        | Command::File(_)
        | Command::Outbox(_)
        | Command::Board(_)
        | Command::Group(_)
        | Command::History(_)
        | Command::Route(_)
        | Command::Contact(_)
        | Command::Fav(_)
        | Command::Unfav(_)
        | Command::Block(_)
        | Command::Unblock(_)
        | Command::Verify(_)
        | Command::Status
        | Command::Config(_)
        | Command::Doctor
        | Command::Demo(_)
        | Command::Relay(_)
        | Command::Htx(_)
        | Command::Packet(_)
        | Command::Wipe(_)
        | Command::Completions(_)
        | Command::Man => "error",
    };
    let is_relay = matches!(arguments.command, Command::Relay(_));
    let default = match arguments.verbose {
        0 => quiet,
        1 if is_relay => "hopline=debug",
        _ if is_relay => "hopline=trace",
        1 => "hopline=debug,info",
        _ => "hopline=trace,debug",
    };
    let filter = match std::env::var("HOPLINE_LOG") {
        Ok(filter) => EnvFilter::try_new(&filter).map_err(|_| CliError::LogFilter(filter))?,
        Err(_unset) => EnvFilter::new(default),
    };
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
    Ok(())
}
