//! What can be said on the command line. Completions and the man page come from here too.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueHint};

use super::commands::{
    air, board, completions, config, contact, daemon, demo, file, group, history, htx, outbox, packet,
    person, ping, relay, route, send, topology, trace, verify, watch, wipe,
};

/// A peer-to-peer messaging node: the BitChat mesh over Bluetooth, QUIC between contacts, and relays.
#[derive(Debug, Parser)]
#[command(name = "hopline", version, after_help = EXAMPLES, max_term_width = 100)]
pub(super) struct Arguments {
    /// The node's directory: its keys, its configuration, its daemon's socket
    /// [default: $XDG_DATA_HOME/hopline or ~/.local/share/hopline]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) home: Option<PathBuf>,

    /// Write JSON instead of text; streams write one object a line
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Log more to standard error; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what Hopline does: three nodes in one process, no radio needed
    Demo(demo::Arguments),
    /// Run a node, until ctrl-c or SIGTERM
    Daemon(daemon::Arguments),
    /// Talk: type lines, read what comes
    Chat,
    /// Send one message
    #[command(visible_alias = "msg")]
    Send(send::Arguments),
    /// List who has been heard
    #[command(visible_alias = "who")]
    Peers,
    /// Ask somebody on the mesh whether they are there
    Ping(ping::Arguments),
    /// Show over whom the way to somebody goes
    Trace(trace::Arguments),
    /// Draw who hears whom
    Topology(topology::Arguments),
    /// Print everything that happens, until ctrl-c
    Watch(watch::Arguments),
    /// Send files to contacts, take theirs
    File(file::Arguments),
    /// Show what waits to be sent and why, or give it up
    Outbox(outbox::Arguments),
    /// Make private groups, talk to them
    Group(group::Arguments),
    /// Show the notice board, put up a notice, withdraw one
    Board(board::Arguments),
    /// Show what was said
    History(history::Arguments),
    /// Show which way a message would take, and why
    Route(route::Arguments),
    /// Show your card, and look after the people you know
    Contact(contact::Arguments),
    /// Make somebody a favourite: they are told, and each knows it when both did
    Fav(person::Arguments),
    /// Make somebody a favourite no longer
    Unfav(person::Arguments),
    /// Show and store nothing of somebody; nobody is told
    Block(person::Arguments),
    /// Lift that
    Unblock(person::Arguments),
    /// Make sure that somebody's keys are theirs, with a code or a number
    Verify(verify::Arguments),
    /// Show the node itself: identity, adapters, links, counts, clock
    Status,
    /// Check and show the configuration
    Config(config::Arguments),
    /// Find out what is missing for Bluetooth, and what to do about it
    Doctor,
    /// Look into BitChat packets
    Packet(packet::Arguments),
    /// Make and run a relay: a web site that carries messages for those who know it
    Relay(relay::Arguments),
    /// Look at a relay, or at any web site, through the eyes of HTX
    Htx(htx::Arguments),
    /// Serve a simulated air that daemons join with --radio sim:PATH
    Air(air::Arguments),
    /// Destroy the node: its keys first, then everything in its home
    Wipe(wipe::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Print the man page
    Man,
}

const EXAMPLES: &str = "\
Examples:
  hopline demo                          three nodes, one process, no radio
  hopline doctor                        is this machine ready for Bluetooth?
  hopline daemon --nickname ada         run a node
  hopline chat                          talk through it
  hopline send ben 'see you at 8' --wait delivered
  hopline route ben --explain           which way would it take?
  hopline contact card --qr             show your card to somebody
  hopline relay init --host NAME        make a relay for others

Exit status: 0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 what was waited for did not come.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// What stands below the options of a command, and of those below it.
    fn notes(command: &clap::Command) -> Vec<String> {
        let own = command.get_after_help().map(ToString::to_string);
        own.into_iter().chain(command.get_subcommands().flat_map(notes)).collect()
    }

    #[test]
    fn examples_fit_a_terminal_and_what_is_said_is_broken_by_none_but_it() {
        let notes = notes(&Arguments::command());
        assert!(notes.len() > 10, "{}", notes.len());
        for note in notes {
            let lines: Vec<&str> = note.lines().collect();
            for line in &lines {
                assert!(!line.starts_with("  ") || line.chars().count() <= 80, "{line}");
            }
            let prose =
                |line: &str| !line.is_empty() && !line.starts_with("  ") && !line.ends_with([':', '.']);
            assert!(!lines.iter().any(|line| prose(line)), "a sentence is broken: {note}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
