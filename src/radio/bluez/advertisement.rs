//! The advertisement: registered, watched, and registered again whenever BlueZ or the kernel lets it go.
//!
//! It carries the service UUID and nothing else. The peer id that spec 1.2 would put into the scan response has
//! no place there: BlueZ takes scan response data since 5.80 only, as an experimental property bluer does not
//! have, and in the advertisement itself it does not fit (3 + 18 + 26 of 31 bytes).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bluer::Adapter;
use bluer::adv::{Advertisement, AdvertisementHandle, Type};
use rand_core::OsRng;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::quirks::Fault;
use super::recovery::{self, AdvertSymptom};
use super::{SERVICE, Timings};

/// How long a burst of connections may last before the advertisement is renewed.
const DEBOUNCE: Duration = Duration::from_millis(700);

/// The handles on the task that advertises.
#[derive(Debug, Clone)]
pub(super) struct Control {
    /// A connection came or went: kernels stop advertising then and may not start again (bluez #12).
    pub(super) renew: Arc<Notify>,
    /// While true, nothing is advertised.
    pub(super) paused: watch::Sender<bool>,
    /// Whether BlueZ took the advertisement at least once.
    taken: watch::Sender<bool>,
}

impl Control {
    pub(super) fn new() -> Self {
        Self { renew: Arc::default(), paused: watch::Sender::new(false), taken: watch::Sender::new(false) }
    }

    /// Waits until BlueZ took the advertisement for the first time, but no longer than for one call.
    pub(super) async fn first(&self, timings: Timings) {
        let mut taken = self.taken.subscribe();
        if timeout(timings.call, taken.wait_for(|taken| *taken)).await.is_err() {
            tracing::warn!("not advertising yet");
        }
    }
}

/// Advertises for as long as it is polled.
pub(super) async fn keep(adapter: Adapter, control: Control, timings: Timings) {
    let mut paused = control.paused.subscribe();
    let mut failures = 0;
    loop {
        if paused.wait_for(|paused| !paused).await.is_err() {
            return;
        }
        let symptom = match register(&adapter, timings).await {
            Ok(handle) => {
                failures = 0;
                control.taken.send_replace(true);
                let symptom = tokio::select! {
                    symptom = lost(&adapter, timings) => Some(symptom),
                    () = control.renew.notified() => {
                        sleep(DEBOUNCE).await;
                        None
                    }
                    () = until_paused(&mut paused) => None,
                };
                drop(handle);
                gone(&adapter, timings).await;
                symptom
            }
            Err(symptom) => Some(symptom),
        };
        if let Some(symptom) = symptom {
            tracing::info!(adapter = adapter.name(), ?symptom, "advertising again");
            sleep(recovery::readvertise(symptom, failures, &mut OsRng)).await;
            failures = failures.saturating_add(1);
        }
    }
}

async fn until_paused(paused: &mut watch::Receiver<bool>) {
    // An error means that nobody can pause any more.
    if paused.wait_for(|paused| *paused).await.is_err() {
        std::future::pending().await
    }
}

async fn register(adapter: &Adapter, timings: Timings) -> Result<AdvertisementHandle, AdvertSymptom> {
    let advertisement = Advertisement {
        advertisement_type: Type::Peripheral,
        service_uuids: BTreeSet::from([SERVICE]),
        // Without the flag other BlueZ hosts do not report us.
        discoverable: Some(true),
        ..Advertisement::default()
    };
    match timeout(timings.call, adapter.advertise(advertisement)).await {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(error)) => {
            tracing::debug!(adapter = adapter.name(), %error, "advertisement refused");
            Err(Fault::from(&error).into())
        }
        Err(_) => Err(AdvertSymptom::Refused),
    }
}

/// Returns when BlueZ counts no advertisement any more.
async fn lost(adapter: &Adapter, timings: Timings) -> AdvertSymptom {
    loop {
        sleep(timings.health).await;
        if let Ok(Ok(0)) = timeout(timings.call, adapter.active_advertising_instances()).await {
            return AdvertSymptom::Lost;
        }
    }
}

/// Waits a moment until the dropped advertisement is unregistered, so that the next one finds room.
async fn gone(adapter: &Adapter, timings: Timings) {
    for _ in 0..10 {
        match timeout(timings.call, adapter.active_advertising_instances()).await {
            Ok(Ok(0) | Err(_)) | Err(_) => return,
            Ok(Ok(_)) => sleep(Duration::from_millis(50)).await,
        }
    }
}
