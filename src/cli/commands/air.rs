//! `hopline air`: a simulated air for daemons, and scissors for it.

use std::path::{Path, PathBuf};

use clap::ValueHint;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::ending::Ending;
use crate::cli::error::CliError;
use crate::radio::simulated::{Control, Hub, control};
use crate::sim::Topology;

/// What `air` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Arguments {
    /// The socket of the air
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    path: PathBuf,
    #[command(flatten)]
    deed: Deed,
    /// Feeds the air's random choices: losses, delays, who is heard when
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "topology")]
    seed: u64,
}

/// What to do with the air.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Deed {
    /// Serve an air with these nodes, until ctrl-c or SIGTERM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    topology: Option<PathBuf>,
    /// Put two nodes of the air served at PATH out of each other's range
    #[arg(long, value_name = "A,B", value_parser = pair)]
    cut: Option<Pair>,
    /// Put two nodes of the air served at PATH into each other's range
    #[arg(long, value_name = "A,B", value_parser = pair)]
    join: Option<Pair>,
}

const HELP: &str = "\
A topology names two nodes that hear each other on each line, or one that may hear nobody:
  ada ben
  ben cy  loss=0.2 latency=40ms mtu=247

Examples:
  hopline air /tmp/air --topology line.txt
  hopline --home /tmp/ada daemon --radio sim:/tmp/air#ada --nickname ada
  hopline air /tmp/air --cut ben,cy";

/// Two nodes of an air.
#[derive(Debug, Clone)]
struct Pair(String, String);

fn pair(text: &str) -> Result<Pair, PairError> {
    match text.split_once(',') {
        Some((a, b)) if !a.is_empty() && !b.is_empty() => Ok(Pair(a.to_owned(), b.to_owned())),
        Some(_) | None => Err(PairError),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("two names with a comma between them, like ada,ben")]
struct PairError;

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let path = &arguments.path;
    if let Some(Pair(a, b)) = arguments.deed.cut {
        let object = json!({ "cut": [a, b] });
        let text = format!("{a} and {b} do not hear each other");
        control(path, Control::Cut { a, b }).await?;
        return context.out.say(&object, text);
    }
    if let Some(Pair(a, b)) = arguments.deed.join {
        let object = json!({ "joined": [a, b] });
        let text = format!("{a} and {b} hear each other");
        control(path, Control::Join { a, b }).await?;
        return context.out.say(&object, text);
    }
    match arguments.deed.topology {
        Some(file) => serve(context, path, &file, arguments.seed).await,
        None => Ok(()),
    }
}

async fn serve(context: &Context, path: &Path, file: &Path, seed: u64) -> Result<(), CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| CliError::TopologyFile { file: file.to_owned(), source })?;
    let topology: Topology =
        text.parse().map_err(|source| CliError::Topology { file: file.to_owned(), source })?;
    let nodes = topology.nodes().to_vec();
    let mut air_seed = [0; 32];
    ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut air_seed);

    let hub = Hub::bind(path, topology, air_seed).await?;
    let mut ending = Ending::catch()?;
    let object = json!({ "event": "ready", "socket": path, "nodes": nodes });
    context.out.say(&object, format!("ready: an air for {} at {}", nodes.join(", "), path.display()))?;
    tokio::select! {
        ended = hub.run() => Ok(ended?),
        () = ending.asked() => Ok(()),
    }
}
