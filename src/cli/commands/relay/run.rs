//! `hopline relay run`: a relay, until somebody ends it.

use std::path::PathBuf;

use rand_core::{OsRng, RngCore};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::{Clock, RELEASE_DATE};
use crate::relay::{self, Config, Relay, Setup};
use crate::storage::StoreError;
use crate::wire::record_link;

use crate::cli::context::Context;
use crate::cli::ending::Ending;
use crate::cli::error::CliError;

pub(super) async fn run(context: &Context, home: PathBuf) -> Result<(), CliError> {
    let config = Config::load(&home)?;
    let clock = Clock::start();
    if clock.now().unix < RELEASE_DATE {
        return Err(CliError::ClockUnset);
    }
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).map_err(StoreError::Random).map_err(relay::RelayError::from)?;
    let mut ending = Ending::catch()?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(CliError::Signals)?;
    let mut relay = relay::start(Setup { home, config, clock, seed }).await?;
    ready(context, &relay)?;
    loop {
        tokio::select! {
            () = ending.asked() => break,
            _ = hang_up.recv() => reload(&relay),
            stopped = relay.stopped() => {
                stopped?;
                return Err(CliError::RelayStopped);
            }
        }
    }
    Ok(relay.stop().await?)
}

fn reload(relay: &Relay) {
    match relay.reload_certificate() {
        Ok(()) => tracing::info!("the certificate was read again"),
        Err(error) => tracing::error!(%error, "the certificate cannot be used; the old one is kept"),
    }
}

fn ready(context: &Context, relay: &Relay) -> Result<(), CliError> {
    let addresses: Vec<String> = relay.addresses().iter().map(ToString::to_string).collect();
    let record = relay.record();
    let link = record_link(record.bytes());
    let object = json!({
        "event": "ready",
        "id": record.record().id().to_string(),
        "addresses": addresses,
        "metrics": relay.metrics_address().map(|address| address.to_string()),
        "record": link,
    });
    context.out.say(&object, format!("ready: listening at {}\n{link}", addresses.join(", ")))
}
