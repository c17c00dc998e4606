//! `hopline relay run`: a relay, until somebody ends it.

use std::io;
use std::path::PathBuf;

use rand_core::{OsRng, RngCore};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::{Clock, RELEASE_DATE};
use crate::relay::{self, Config, Relay, Setup};
use crate::storage::StoreError;
use crate::wire::record_link;

use crate::cli::context::Context;
use crate::cli::error::CliError;

pub(super) async fn run(context: &Context, home: PathBuf) -> Result<(), CliError> {
    let config = Config::load(&home)?;
    let clock = Clock::start();
    if clock.now().unix < RELEASE_DATE {
        return Err(CliError::ClockUnset);
    }
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).map_err(StoreError::Random).map_err(relay::RelayError::from)?;
    // Before anybody is told that it is ready, and so could ask it to end.
    let mut signals = Signals::catch().map_err(CliError::Signals)?;
    let mut relay = relay::start(Setup { home, config, clock, seed }).await?;
    ready(context, &relay)?;
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::End => break,
                Asked::Reload => reload(&relay),
            },
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

/// The signals that a relay listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

enum Asked {
    End,
    Reload,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.hang_up.recv() => Asked::Reload,
        }
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
