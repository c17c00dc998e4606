//! One adapter's health: power, presence, and whether bluetoothd still knows us.

use bluer::{Adapter, AdapterEvent, AdapterProperty, Session, SessionEvent};
use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::quirks::Fault;
use super::recovery::{AdapterSymptom, HEALTH_STRIKES};
use super::{SERVICE, Timings};

/// Returns when the adapter no longer works, and how.
///
/// BlueZ announces most of it by signals. A killed bluetoothd announces nothing: then the calls fail, or the new
/// one no longer lists our service.
pub(super) async fn watch(session: Session, adapter: Adapter, timings: Timings) -> AdapterSymptom {
    let (comings, changes) = match (session.events().await, adapter.events().await) {
        (Ok(comings), Ok(changes)) => (comings, changes),
        (Err(error), _) | (_, Err(error)) => return Fault::from(&error).into(),
    };
    tokio::pin!(comings, changes);
    let mut tick = interval(timings.health);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    loop {
        tokio::select! {
            Some(event) = comings.next() => match event {
                SessionEvent::AdapterAdded(name) if name == adapter.name() => return AdapterSymptom::Restarted,
                SessionEvent::AdapterRemoved(name) if name == adapter.name() => return AdapterSymptom::Missing,
                SessionEvent::AdapterAdded(_) | SessionEvent::AdapterRemoved(_) => {}
            },
            Some(event) = changes.next() => {
                if matches!(event, AdapterEvent::PropertyChanged(AdapterProperty::Powered(false))) {
                    return AdapterSymptom::PoweredOff;
                }
            }
            _ = tick.tick() => match timeout(timings.call, look(&adapter)).await {
                Ok(Ok(())) => unanswered = 0,
                Ok(Err(symptom)) => return symptom,
                Err(_) => {
                    unanswered += 1;
                    if unanswered >= HEALTH_STRIKES {
                        return AdapterSymptom::Silent;
                    }
                }
            }
        }
    }
}

async fn look(adapter: &Adapter) -> Result<(), AdapterSymptom> {
    let symptom = |error: bluer::Error| AdapterSymptom::from(Fault::from(&error));
    if !adapter.is_powered().await.map_err(symptom)? {
        return Err(AdapterSymptom::PoweredOff);
    }
    let services = adapter.uuids().await.map_err(symptom)?.unwrap_or_default();
    if services.contains(&SERVICE) { Ok(()) } else { Err(AdapterSymptom::Restarted) }
}
