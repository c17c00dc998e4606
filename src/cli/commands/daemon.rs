//! `hopline daemon`: a node, until somebody ends it.

use std::path::Path;

use rand_core::OsRng;
use serde_json::json;

use crate::api::server::Server;
use crate::ids::PeerId;
use crate::node::config::{Config, LoadError, Overrides, Radio, RadioChoice};
use crate::node::lifecycle;
use crate::node::lifecycle::Setup;
use crate::node::radio::{self, Opened};
use crate::node::status::Profile;
use crate::radio::RadioHandle;
use crate::storage;

use crate::cli::context::Context;
use crate::cli::ending::Ending;
use crate::cli::error::CliError;
use crate::cli::words::printable;

/// What `daemon` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    overriding: Overriding,
}

/// What wins over `config.toml`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Overriding {
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

impl From<Overriding> for Overrides {
    fn from(said: Overriding) -> Self {
        Self { nickname: said.nickname, radio: said.radio, adapters: said.adapter }
    }
}

const EXAMPLES: &str = "\
Examples:
  hopline daemon --nickname ada
  hopline daemon --adapter hci0 --adapter hci1
  hopline --home /tmp/ben daemon --radio sim:/tmp/air#ben --nickname ben";

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let home = context.home()?;
    home.create()?;
    let _lock = home.lock()?;
    let config = Config::load(&home, arguments.overriding.into())?;
    let identity = storage::load_or_create(home.path(), &mut OsRng)?;
    let key = storage::DeviceKey::load_or_create(home.path(), &mut OsRng)?;
    let database = storage::Database::open(home.path(), &key, config.limits())?;
    let radio = match config.bitchat.enabled {
        true => Some(open_radio(context, &config.bitchat.radio, identity.peer_id()).await?),
        false => None,
    };
    let (seed, settings) = (lifecycle::random_seed()?, config.settings().map_err(LoadError::from)?);
    let mut node = lifecycle::start(Setup { identity, seed, radio, database, settings }).await?;
    let socket = home.socket();
    let cannot = |source| CliError::Socket { socket: socket.clone(), source };
    let server = Server::bind(&socket, node.handle().clone()).map_err(cannot)?;
    let mut ending = Ending::catch()?;
    ready(context, node.handle().profile(), &socket)?;

    let ended = tokio::select! {
        () = ending.asked() => Ok(()),
        stopped = node.stopped() => return stopped.map_err(Into::into),
        served = server.run() => served.map_err(cannot),
    };
    node.stop().await?;
    ended
}

/// A machine without Bluetooth still has a node: the other transports carry, and the mesh waits for an adapter.
async fn open_radio(context: &Context, radio: &Radio, peer: PeerId) -> Result<RadioHandle, CliError> {
    let Opened { radio, missing } = radio::open(radio, peer).await?;
    if let Some(reason) = missing {
        let object = json!({ "event": "no_bluetooth", "reason": reason.to_string() });
        context.out.say(&object, format!("{reason}; going on without it until there is ({LATER})"))?;
    }
    Ok(radio)
}

const LATER: &str = "`hopline doctor` says what is missing, `[bitchat] enabled = false` that none is wanted";

fn ready(context: &Context, profile: &Profile, socket: &Path) -> Result<(), CliError> {
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
