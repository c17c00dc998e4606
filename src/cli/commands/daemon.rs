//! `hopline daemon`: a node, until somebody ends it.

use std::path::PathBuf;

use rand_core::OsRng;
use serde_json::json;

use crate::api::server::Server;
use crate::node::config::{Config, Overrides, Radio, RadioChoice};
use crate::node::lifecycle;
use crate::radio::RadioHandle;
use crate::storage;

use super::super::error::CliError;
use super::super::words::printable;
use super::Context;

/// What `daemon` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// bluez for real Bluetooth; sim:PATH or sim:PATH#NAME to join the air that `hopline air PATH` serves
    /// [default: bluez]
    #[arg(long, value_name = "RADIO")]
    radio: Option<RadioChoice>,
    /// A Bluetooth adapter to use, like hci0; repeat it for several [default: the first one there is]
    #[arg(long, value_name = "NAME")]
    adapter: Vec<String>,
    /// The name to announce; it is remembered
    /// [default: the one remembered, or anon and a number]
    #[arg(long, value_name = "NAME")]
    nickname: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  hopline daemon --nickname ada
  hopline daemon --adapter hci0 --adapter hci1
  hopline --home /tmp/ben daemon --radio sim:/tmp/air#ben --nickname ben";

/// A radio could not be opened.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum RadioError {}

impl RadioError {
    /// What to do about it.
    pub(in crate::cli) fn hint(&self) -> &'static str {
        match *self {}
    }
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let home = context.home()?;
    home.create()?;
    let _lock = home.lock()?;
    let overrides =
        Overrides { nickname: arguments.nickname, radio: arguments.radio, adapters: arguments.adapter };
    let config = Config::load(&home, overrides)?;
    let identity = storage::load_or_create(home.path(), &mut OsRng)?;
    let radio = open(&config.radio).await?;

    let mut node = lifecycle::start(identity, config.nickname, lifecycle::random_seed()?, radio);
    let socket = home.socket();
    let cannot = |source| CliError::Socket { socket: socket.clone(), source };
    let server = Server::bind(&socket, node.handle().clone()).map_err(cannot)?;
    ready(context, node.handle().profile(), &socket)?;

    let ended = tokio::select! {
        asked = lifecycle::asked_to_end() => asked.map_err(CliError::Signals),
        stopped = node.stopped() => return stopped.map_err(Into::into),
        served = server.run() => served.map_err(cannot),
    };
    node.stop().await?;
    ended
}

async fn open(radio: &Radio) -> Result<RadioHandle, RadioError> {
    match radio {
        Radio::Bluez { .. } | Radio::Simulated { .. } => {
            let (handle, _port) = crate::radio::channel(1);
            Ok(handle)
        }
    }
}

fn ready(context: &Context, profile: &crate::node::status::Profile, socket: &PathBuf) -> Result<(), CliError> {
    let object = json!({
        "event": "ready",
        "peer_id": profile.peer_id.to_string(),
        "fingerprint": profile.fingerprint.to_string(),
        "nickname": profile.nickname,
        "socket": socket,
    });
    let name = printable(&profile.nickname);
    context.out.say(&object, format!("ready: {name} {}, listening at {}", profile.peer_id, socket.display()))
}
