//! Real Bluetooth: one radio over one or several adapters, each central and peripheral at once.
//!
//! ```text
//!  RadioPort ── adapter ── running ─┬─ peripheral     bluer: GATT server, one characteristic    they dial us
//!   (one)      (one per   (while it  ├─ subscription   bluer: the way back to them
//!              adapter)    works)    ├─ advertisement  bluer: kept alive against BlueZ and kernel
//!                                    ├─ central        btleplug: scan, dial                      we dial them
//!                                    ├─ link           one task per GATT connection: frames in and out
//!                                    └─ health         power, bluetoothd, registration
//!              recovery    what to do when something fails (policy, tested without a radio)
//!              quirks      what BlueZ's errors and versions mean
//!              probe       what `hopline doctor` asks
//! ```
//!
//! All of it lives on a thread and a runtime of its own. On that thread D-Bus calls are served in the order in
//! which they came, which keeps written frames in order; and when the radio ends, everything that the two
//! libraries spawned ends with it, panics of theirs included.

mod adapter;
mod advertisement;
mod central;
mod health;
mod link;
mod peripheral;
pub mod probe;
mod quirks;
mod recovery;
mod running;
mod subscription;

use std::time::Duration;

use bluer::{ErrorKind, InternalErrorKind};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::ids::AdapterId;
use crate::link::event::RadioCommand;
use crate::radio::handle::{self, RadioHandle, RadioPort};

use adapter::{Adapter, Identity};
pub use quirks::BluezVersion;
use quirks::{Fault, NotifyScope};

/// The BitChat service (spec 1.1).
pub const SERVICE: Uuid = Uuid::from_u128(0xF47B5E2D_4A9E_4C5A_9B3F_8E1D2C3A4B5C);

/// Its only characteristic (spec 1.1).
pub const CHARACTERISTIC: Uuid = Uuid::from_u128(0xA1B2C3D4_E5F6_4A5B_8C9D_0E1F2A3B4C5D);

/// The longest attribute value, hence the longest frame (Bluetooth Core 5.4, Vol 3 Part F, 3.2.9).
pub const MAX_FRAME: usize = 512;

/// Commands that may wait for one adapter.
const ADAPTER_COMMANDS: usize = 64;

/// How long things may take. Nothing that waits for BlueZ waits without one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Connecting to a device and finding its services.
    pub connect: Duration,
    /// Reading what services were found.
    pub resolve: Duration,
    /// Switching notifications on.
    pub subscribe: Duration,
    /// Handing one frame to BlueZ.
    pub write: Duration,
    /// Any other call.
    pub call: Duration,
    /// Hearing a device again after BlueZ was told to forget it.
    pub rediscover: Duration,
    /// Quiet time between a connection that came up and the next one we dial (they disturb each other).
    pub settle: Duration,
    /// How long one scan runs: the kernel reports a device once per scan, or seldom more.
    pub scan: Duration,
    /// Between two looks at an adapter's health.
    pub health: Duration,
    /// Saying goodbye. BlueZ disconnects two seconds after it was asked, whether or not anybody waits for it.
    pub farewell: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            resolve: Duration::from_secs(10),
            subscribe: Duration::from_secs(10),
            write: Duration::from_secs(5),
            call: Duration::from_secs(5),
            rediscover: Duration::from_secs(12),
            settle: Duration::from_secs(1),
            scan: Duration::from_secs(20),
            health: Duration::from_secs(2),
            farewell: Duration::from_millis(300),
        }
    }
}

/// Why there is no radio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BluezError {
    /// No system bus to talk to BlueZ over.
    #[error("no D-Bus system bus")]
    NoBus,
    /// Nobody owns `org.bluez`.
    #[error("bluetoothd is not running")]
    NoDaemon,
    /// The bus keeps us out.
    #[error("access to BlueZ is denied")]
    Denied,
    /// The machine has no adapter at all.
    #[error("there is no Bluetooth adapter")]
    NoAdapter,
    /// An adapter that was asked for is not there.
    #[error("there is no adapter {name} (there is: {})", present.join(", "))]
    UnknownAdapter {
        /// The name asked for.
        name: String,
        /// The names there are.
        present: Vec<String>,
    },
    /// More adapters than an [`AdapterId`] can number.
    #[error("{0} adapters are too many")]
    TooManyAdapters(usize),
    /// BlueZ failed in another way.
    #[error("BlueZ failed: {0}")]
    Bluez(String),
    /// The radio could not get a runtime of its own.
    #[error("the radio could not start")]
    Start,
}

/// Opens a radio over these adapters (`hci0`, …), or over the default one if none is named.
///
/// Returns when BlueZ answered and has them all; from there on the radio copes with whatever happens to them. It
/// ends when the handle is dropped.
pub async fn open(adapters: Vec<String>, timings: Timings) -> Result<RadioHandle, BluezError> {
    let (handle, port) = handle::channel(handle::CHANNEL_BOUND);
    let (opened_sender, opened) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "no runtime for the radio");
                return;
            }
        };
        runtime.block_on(async {
            match start(adapters, timings).await {
                Ok(radio) => {
                    if opened_sender.send(Ok(())).is_ok() {
                        radio.run(port).await;
                    }
                }
                Err(error) => {
                    if opened_sender.send(Err(error)).is_err() {
                        tracing::debug!("nobody waits for the radio");
                    }
                }
            }
        });
    });
    opened.await.map_err(|_| BluezError::Start)??;
    Ok(handle)
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
    let session = bluer::Session::new().await.map_err(|error| explain(&error))?;
    let present = session.adapter_names().await.map_err(|error| explain(&error))?;
    let mut chosen = Vec::new();
    for identity in choose(adapters, present)? {
        let adapter = session.adapter(&identity.name).map_err(|error| explain(&error))?;
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

fn explain(error: &bluer::Error) -> BluezError {
    match Fault::from(error) {
        Fault::DaemonGone
            if matches!(&error.kind, ErrorKind::Internal(InternalErrorKind::DBus(name)) if
            name.ends_with(".FileNotFound") || name.ends_with(".NoServer")) =>
        {
            BluezError::NoBus
        }
        Fault::DaemonGone => BluezError::NoDaemon,
        Fault::Denied => BluezError::Denied,
        Fault::Aborted
        | Fault::InProgress
        | Fault::NotPermitted
        | Fault::NotReady
        | Fault::NoSuchObject
        | Fault::Unresolved
        | Fault::NoReply
        | Fault::Other => BluezError::Bluez(error.to_string()),
    }
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
