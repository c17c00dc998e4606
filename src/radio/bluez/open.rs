//! Opening a radio over several adapters, and handing each its commands.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::adapter::{Adapter, Identity};
use super::quirks::NotifyScope;
use super::{BluezError, Timings, probe};
use crate::ids::AdapterId;
use crate::link::event::{RadioCommand, RadioEvent};
use crate::radio::handle::{self, RadioHandle, RadioPort};

/// Commands that may wait for one adapter.
const ADAPTER_COMMANDS: usize = 64;

/// Opens a radio over these adapters (`hci0`, …), or over the default one if none is named; they must be there.
///
/// Returns when BlueZ answered and has them all; from there on the radio copes with whatever happens to them. It
/// ends when the handle is dropped.
pub async fn open(adapters: Vec<String>, timings: Timings) -> Result<RadioHandle, BluezError> {
    let (handle, port) = handle::channel(handle::CHANNEL_BOUND);
    let (told, opened) = oneshot::channel();
    on_its_own_thread(move || async move {
        let (radio, outcome) = match start(adapters, timings).await {
            Ok(radio) => (Some(radio), Ok(())),
            Err(error) => (None, Err(error)),
        };
        if told.send(outcome).is_err() {
            tracing::debug!("nobody waits for the radio");
        } else if let Some(radio) = radio {
            radio.run(port).await;
        }
    });
    opened.await.map_err(|_| BluezError::Start)??;
    Ok(handle)
}

/// Opens a radio over the default adapter, now or as soon as there is one: BlueZ may start later than we do, and
/// an adapter may be plugged in. Tells as well why there is none yet.
pub async fn open_when_there(timings: Timings) -> (RadioHandle, Option<BluezError>) {
    let (handle, mut port) = handle::channel(handle::CHANNEL_BOUND);
    let (told, missing) = oneshot::channel();
    on_its_own_thread(move || async move {
        let mut radio = start(Vec::new(), timings).await;
        if told.send(radio.as_ref().err().cloned()).is_err() {
            return;
        }
        loop {
            match radio {
                Ok(radio) => return radio.run(port).await,
                Err(error) => tracing::debug!(%error, "no Bluetooth yet"),
            }
            if !still_wanted(&mut port, timings.look).await {
                return;
            }
            radio = start(Vec::new(), timings).await;
        }
    });
    (handle, missing.await.unwrap_or(Some(BluezError::Start)))
}

/// Says that there is no adapter and waits; false when the driver went meanwhile.
async fn still_wanted(port: &mut RadioPort, span: Duration) -> bool {
    if port.events.send(RadioEvent::AdapterDown { adapter: AdapterId(0) }).await.is_err() {
        return false;
    }
    let gone = async { while port.commands.recv().await.is_some() {} };
    timeout(span, gone).await.is_err()
}

/// Runs a radio on a thread with a runtime of its own, which libdbus blocks at times.
fn on_its_own_thread<Running: Future<Output = ()>>(radio: impl FnOnce() -> Running + Send + 'static) {
    tokio::task::spawn_blocking(move || {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(radio()),
            Err(error) => tracing::error!(%error, "no runtime for the radio"),
        }
    });
}

/// A connection to BlueZ by either library, and the adapters to use.
struct Radio {
    session: bluer::Session,
    manager: btleplug::platform::Manager,
    scope: NotifyScope,
    /// Each adapter, and whether it was on before us.
    adapters: Vec<(Identity, bool)>,
    timings: Timings,
}

async fn start(adapters: Vec<String>, timings: Timings) -> Result<Radio, BluezError> {
    let session = bluer::Session::new().await.map_err(|error| BluezError::from(&error))?;
    let present = session.adapter_names().await.map_err(|error| BluezError::from(&error))?;
    let mut chosen = Vec::new();
    for identity in choose(adapters, present)? {
        let adapter = session.adapter(&identity.name).map_err(|error| BluezError::from(&error))?;
        let was_on = timeout(timings.call, adapter.is_powered()).await;
        chosen.push((identity, matches!(was_on, Ok(Ok(true)))));
    }
    let manager = btleplug::platform::Manager::new().await.map_err(|_| BluezError::NoBus)?;
    let version = probe::version().await;
    let scope = NotifyScope::of(version);
    tracing::info!(version = ?version.map(|version| version.to_string()), ?scope, "BlueZ");
    Ok(Radio { session, manager, scope, adapters: chosen, timings })
}

/// The adapters to use, numbered in the order in which they were named.
fn choose(mut wanted: Vec<String>, mut present: Vec<String>) -> Result<Vec<Identity>, BluezError> {
    present.sort();
    if wanted.is_empty() {
        wanted.extend(present.first().cloned());
    }
    if present.is_empty() {
        return Err(BluezError::NoAdapter);
    }
    if let Some(name) = wanted.iter().find(|name| !present.contains(name)) {
        return Err(BluezError::UnknownAdapter { name: name.clone(), present });
    }
    let count = wanted.len();
    wanted
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let number = u8::try_from(index).map_err(|_| BluezError::TooManyAdapters(count))?;
            Ok(Identity { id: AdapterId(number), name })
        })
        .collect()
}

impl Radio {
    /// One task per adapter, and this one to hand commands out. Ends when the driver is gone.
    async fn run(self, mut port: RadioPort) {
        let mut tasks = JoinSet::new();
        let mut queues = Vec::with_capacity(self.adapters.len());
        for (identity, was_on) in self.adapters {
            let (queue, commands) = mpsc::channel(ADAPTER_COMMANDS);
            queues.push(queue);
            let bluez = (self.session.clone(), self.manager.clone(), self.scope);
            let adapter = Adapter::new(identity, was_on, bluez, port.events.clone(), self.timings);
            tasks.spawn(adapter.run(commands));
        }
        drop(port.events);
        while let Some(command) = port.commands.recv().await {
            let queue = queues.get(usize::from(adapter_of(&command).0));
            let Some(queue) = queue else {
                tracing::error!(?command, "there is no such adapter");
                continue;
            };
            if queue.send(command).await.is_err() {
                break;
            }
        }
        drop(queues);
        while tasks.join_next().await.is_some() {}
    }
}

fn adapter_of(command: &RadioCommand) -> AdapterId {
    match command {
        RadioCommand::Connect { adapter, .. } => *adapter,
        RadioCommand::Disconnect { link } | RadioCommand::Write { link, .. } => link.adapter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn identity(number: u8, name: &str) -> Identity {
        Identity { id: AdapterId(number), name: name.to_owned() }
    }

    #[test]
    fn adapters_are_numbered_in_the_order_they_were_named() {
        let chosen = choose(names(&["hci1", "hci0"]), names(&["hci0", "hci1"])).unwrap();
        assert_eq!(chosen, [identity(0, "hci1"), identity(1, "hci0")]);
    }

    #[test]
    fn without_a_name_the_first_adapter_is_used() {
        let chosen = choose(Vec::new(), names(&["hci1", "hci0"])).unwrap();
        assert_eq!(chosen, [identity(0, "hci0")]);
    }

    #[test]
    fn a_missing_adapter_is_named_with_those_there_are() {
        let error = choose(names(&["hci7"]), names(&["hci0", "hci1"])).unwrap_err();
        assert_eq!(error.to_string(), "there is no adapter hci7 (there is: hci0, hci1)");
        assert_eq!(choose(Vec::new(), Vec::new()), Err(BluezError::NoAdapter));
    }
}
