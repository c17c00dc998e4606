//! Two nodes in virtual time: they find each other, one writes privately, the other stores it and answers with a
//! receipt.
//!
//! Nothing here waits. The world jumps from one deadline to the next, and the same seed gives the same run.
//!
//! ```sh
//! cargo run --example two_nodes
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to people")]

use std::process::ExitCode;
use std::time::Duration;

use hopline::ids::{AttemptId, MessageId};
use hopline::mesh::Config;
use hopline::mesh::event::{Command, Event};
use hopline::sim::{Edge, Topology, World};

fn main() -> ExitCode {
    let named = |name: &str| Config { nickname: name.to_owned(), ..Config::default() };
    let mut world = World::with_topology([7; 32], &Topology::chain(2, Edge::default()), named);
    let [ada, ben] = world.nodes()[..] else { return ExitCode::FAILURE };

    let to = world.peer(ben);
    let met = |event: &Event| matches!(event, Event::Peer(peer) if peer.id == to);
    world.run_until(|world| world.events(ada).any(met), Duration::from_secs(60));
    let id = MessageId([1; 16]);
    let text = "hello, ben".to_owned();
    world.command(ada, Command::SendPrivate { attempt: AttemptId(1), to, id, text });

    let delivered = |event: &Event| matches!(event, Event::Receipt { read: false, .. });
    let arrived = world.run_until(|world| world.events(ada).any(delivered), Duration::from_secs(60));

    for record in world.records() {
        let name = if record.node == ada { "n0" } else { "n1" };
        println!("{:8.3} s  {name}  {:?}", record.at.since_start().as_secs_f64(), record.event);
    }
    if arrived { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
