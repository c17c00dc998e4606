//! The central role: scans, reports what it hears, and dials, one thing at a time.
//!
//! Connections that are set up at the same time on one adapter disturb each other, and scanning disturbs them
//! all; hence one task that either scans or dials.

use std::collections::BTreeSet;
use std::time::Duration;

use btleplug::api::{Central as _, CentralEvent, Manager as _, Peripheral as _, ScanFilter};
use btleplug::platform::{Adapter, Manager, Peripheral, PeripheralId};
use futures_util::StreamExt;
use rand_core::OsRng;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::advertisement;
use super::link::Dialled;
use super::quirks::{Fault, MAX_WRITE};
use super::recovery::{AdapterSymptom, DialAction, DialRecovery, DialSymptom, ScanRecovery, ScanSymptom};
use super::{CHARACTERISTIC, SERVICE, Timings};
use crate::ids::{AdapterId, PeerId};
use crate::link::event::{DeviceAddress, LinkDownReason, RadioEvent};

/// The opcode and handle of a notification or a write command take three bytes of the ATT MTU.
pub(super) const ATT_HEADER: usize = 3;

/// Someone to dial.
#[derive(Debug, Clone, Copy)]
pub(super) struct DialRequest {
    pub(super) address: DeviceAddress,
    /// The device is connected to us already, as our central: a failure must not cut that.
    pub(super) linked: bool,
}

/// What came of it.
pub(super) struct DialOutcome {
    pub(super) address: DeviceAddress,
    pub(super) result: Result<Dialled, LinkDownReason>,
}

/// btleplug's adapter of this name. Its list has no order to rely on.
pub(super) async fn adapter(manager: &Manager, name: &str) -> Result<Adapter, Fault> {
    for adapter in manager.adapters().await.map_err(|error| Fault::from(&error))? {
        let info = adapter.adapter_info().await.map_err(|error| Fault::from(&error))?;
        if info.split_whitespace().next() == Some(name) {
            return Ok(adapter);
        }
    }
    Err(Fault::NoSuchObject)
}

/// Hears what advertises our service.
pub(super) struct Discovery {
    pub(super) id: AdapterId,
    pub(super) adapter: Adapter,
    /// The same adapter as the other library sees it.
    pub(super) bluez: bluer::Adapter,
    pub(super) events: mpsc::Sender<RadioEvent>,
    /// Gets the time of each connection that comes up, in either role.
    pub(super) arrivals: watch::Sender<Option<Instant>>,
    /// Gets the time at which a device of ours is heard.
    pub(super) sightings: watch::Sender<Option<Instant>>,
    /// Devices that BlueZ remembers from before us, perhaps wrongly.
    pub(super) suspects: BTreeSet<DeviceAddress>,
    pub(super) timings: Timings,
}

impl Discovery {
    /// Reports every device with our service that is heard, until BlueZ goes away.
    pub(super) async fn run(mut self) {
        let mut heard = match self.adapter.events().await {
            Ok(heard) => heard,
            Err(error) => {
                tracing::warn!(adapter = %self.id, %error, "no discovery events");
                return;
            }
        };
        while let Some(event) = heard.next().await {
            let device = match event {
                CentralEvent::DeviceDiscovered(device)
                | CentralEvent::ServiceDataAdvertisement { id: device, .. }
                | CentralEvent::ServicesAdvertisement { id: device, .. }
                | CentralEvent::RssiUpdate { id: device, .. } => device,
                CentralEvent::DeviceConnected(_) => {
                    self.arrivals.send_replace(Some(Instant::now()));
                    continue;
                }
                CentralEvent::DeviceUpdated(_)
                | CentralEvent::DeviceDisconnected(_)
                | CentralEvent::DeviceServicesModified(_)
                | CentralEvent::ManufacturerDataAdvertisement { .. }
                | CentralEvent::StateUpdate(_) => continue,
            };
            let Some(discovered) = self.describe(&device).await else { continue };
            self.sightings.send_replace(Some(Instant::now()));
            if self.events.send(discovered).await.is_err() {
                return;
            }
        }
    }

    /// A device as the link layer wants to know it; none if it is not of ours, or only remembered and not heard.
    async fn describe(&mut self, device: &PeripheralId) -> Option<RadioEvent> {
        let peripheral = self.adapter.peripheral(device).await.ok()?;
        let properties = peripheral.properties().await.ok()??;
        let address = DeviceAddress(properties.address.into_inner());
        let rssi = properties.rssi?;
        if !properties.services.contains(&SERVICE) {
            self.doubt(address).await;
            return None;
        }
        let hint = properties.service_data.get(&SERVICE).and_then(|data| data.first_chunk::<8>());
        let peer = hint.copied().map(PeerId);
        Some(RadioEvent::Discovered { adapter: self.id, address, rssi: Some(rssi), peer })
    }

    /// Once BlueZ knows a device's services it no longer believes its advertisement. One that took its service
    /// back before the connection ended would stay a stranger for ever, so a suspect is forgotten, once.
    async fn doubt(&mut self, address: DeviceAddress) {
        if self.suspects.remove(&address) {
            forget(&self.bluez, address, self.timings).await;
        }
    }
}

/// Makes BlueZ forget a device that is neither connected nor somebody's by pairing.
pub(super) async fn forget(adapter: &bluer::Adapter, address: DeviceAddress, timings: Timings) {
    let forgetting = timeout(timings.call, async {
        let device = adapter.device(bluer::Address(address.0))?;
        if device.is_connected().await? || device.is_paired().await? {
            return Ok(false);
        }
        adapter.remove_device(device.address()).await?;
        Ok::<_, bluer::Error>(true)
    });
    let forgotten = forgetting.await;
    tracing::debug!(%address, ?forgotten, "a device that is gone");
}

/// The task that scans or dials.
pub(super) struct Central {
    pub(super) adapter: Adapter,
    /// The same adapter as the other library sees it.
    pub(super) bluez: bluer::Adapter,
    pub(super) advertising: advertisement::Control,
    pub(super) requests: mpsc::Receiver<DialRequest>,
    pub(super) outcomes: mpsc::Sender<DialOutcome>,
    pub(super) arrivals: watch::Receiver<Option<Instant>>,
    pub(super) sightings: watch::Receiver<Option<Instant>>,
    /// The device that was last left to finish what it began, and since when.
    pub(super) yielded_to: Option<(DeviceAddress, Instant)>,
    pub(super) timings: Timings,
}

impl Central {
    /// Scans, restarting now and then, and dials whom it is asked to; returns when the adapter refuses to scan.
    pub(super) async fn run(mut self) -> AdapterSymptom {
        let mut scans = ScanRecovery::default();
        loop {
            let request = match self.start_scan(scans.is_refused()).await {
                Ok(()) => {
                    scans.started();
                    self.listen().await
                }
                Err(symptom) => match scans.next(symptom, &mut OsRng) {
                    Some(pause) => self.request_within(pause).await,
                    None => return AdapterSymptom::Silent,
                },
            };
            self.stop_scan().await;
            if let Some(request) = request {
                self.answer(request).await;
                while let Ok(request) = self.requests.try_recv() {
                    self.answer(request).await;
                }
            }
        }
    }

    /// Controllers that cannot start a scan while they advertise (`Opcode 0x2005 failed: -16`, bluez #761) get a
    /// moment without.
    async fn start_scan(&self, without_advertising: bool) -> Result<(), ScanSymptom> {
        if without_advertising {
            self.advertising.paused.send_replace(true);
            sleep(Duration::from_millis(300)).await;
        }
        let filter = ScanFilter { services: vec![SERVICE] };
        let started = match timeout(self.timings.call, self.adapter.start_scan(filter)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::info!(adapter = self.bluez.name(), %error, "scan refused");
                let busy = Fault::from(&error) == Fault::InProgress;
                Err(if busy { ScanSymptom::Busy } else { ScanSymptom::Refused })
            }
            Err(_) => Err(ScanSymptom::Refused),
        };
        self.advertising.paused.send_replace(false);
        started
    }

    /// Lets a scan run for its time or until somebody is to be dialled. One that hears nobody gets a shorter time: a
    /// controller reports a device once per scan, and the kernel drops a report that arrives before it has noted
    /// that the scan has begun (patch "MGMT: Synchronize scan start and LE Meta events", linux-bluetooth, 2023).
    async fn listen(&mut self) -> Option<DialRequest> {
        let began = Instant::now();
        let request = self.request_within(self.timings.first_sighting).await;
        if request.is_some() || self.sightings.borrow().is_none_or(|latest| latest < began) {
            return request;
        }
        self.request_within(self.timings.scan.saturating_sub(self.timings.first_sighting)).await
    }

    async fn request_within(&mut self, limit: Duration) -> Option<DialRequest> {
        match timeout(limit, self.requests.recv()).await {
            Ok(Some(request)) => Some(request),
            Ok(None) => std::future::pending().await,
            Err(_) => None,
        }
    }

    async fn stop_scan(&self) {
        if let Ok(Err(error)) = timeout(self.timings.call, self.adapter.stop_scan()).await {
            tracing::debug!(adapter = self.bluez.name(), %error, "scan not stopped");
        }
    }

    async fn answer(&mut self, request: DialRequest) {
        let result = if self.yields_to(request).await {
            Err(LinkDownReason::Failed)
        } else {
            self.dial(request).await
        };
        let outcome = DialOutcome { address: request.address, result };
        if self.outcomes.send(outcome).await.is_err() {
            tracing::debug!(address = %request.address, "nobody waits for this connection");
        }
    }

    /// A device that is connected though no link leads to it has dialled us, and is about to subscribe. It gets as
    /// long for that as an attempt of ours: two links over one connection are one too many.
    async fn yields_to(&mut self, request: DialRequest) -> bool {
        let address = request.address;
        if request.linked {
            return false;
        }
        let Ok(device) = self.bluez.device(bluer::Address(address.0)) else { return false };
        if !matches!(timeout(self.timings.call, device.is_connected()).await, Ok(Ok(true))) {
            self.yielded_to = None;
            return false;
        }
        let now = Instant::now();
        let since = self.yielded_to.filter(|(who, _)| *who == address).map_or(now, |(_, since)| since);
        self.yielded_to = Some((address, since));
        let yields = now.duration_since(since) < self.timings.connect;
        if yields {
            tracing::debug!(%address, "not dialled: it has just dialled us");
        }
        yields
    }

    async fn dial(&self, request: DialRequest) -> Result<Dialled, LinkDownReason> {
        let address = request.address;
        let mut recovery = DialRecovery::default();
        loop {
            self.settle().await;
            let symptom = match self.attempt(address).await {
                Ok(dialled) => return Ok(dialled),
                Err(symptom) => symptom,
            };
            let action = recovery.next(symptom, &mut OsRng);
            tracing::info!(%address, ?symptom, ?action, "dialling failed");
            if !request.linked {
                self.disconnect(address).await;
            }
            match action {
                DialAction::Retry(pause) => sleep(pause).await,
                DialAction::Forget(pause) if !request.linked => {
                    self.forget(address).await;
                    sleep(pause).await;
                    self.hear_again(address).await;
                }
                DialAction::Forget(pause) => sleep(pause).await,
                DialAction::GiveUp(reason) => return Err(reason),
            }
        }
    }

    /// Waits until the latest connection, whoever made it, has had its quiet time.
    async fn settle(&self) {
        loop {
            let latest = *self.arrivals.borrow();
            let Some(due) = latest.map(|arrival| arrival + self.timings.settle) else { return };
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }

    /// Connects, finds the characteristic, subscribes.
    async fn attempt(&self, address: DeviceAddress) -> Result<Dialled, DialSymptom> {
        let peripheral = self.find(address).await?;
        match timeout(self.timings.connect, peripheral.connect()).await {
            Ok(connected) => connected.map_err(symptom)?,
            Err(_) => return Err(self.why_not_in_time(&peripheral).await),
        }
        let resolved = timeout(self.timings.resolve, peripheral.discover_services()).await;
        resolved.map_err(|_| DialSymptom::Unresolved)?.map_err(symptom)?;
        let characteristic = peripheral
            .services()
            .into_iter()
            .filter(|service| service.uuid == SERVICE)
            .flat_map(|service| service.characteristics)
            .find(|characteristic| characteristic.uuid == CHARACTERISTIC)
            .ok_or(DialSymptom::NoService)?;
        let subscribed = timeout(self.timings.subscribe, async {
            let notifications = peripheral.notifications().await?;
            peripheral.subscribe(&characteristic).await?;
            Ok(notifications)
        });
        let notifications = subscribed.await.map_err(|_| DialSymptom::Hung)?.map_err(symptom)?;
        let max_frame = usize::from(peripheral.mtu()).saturating_sub(ATT_HEADER).min(MAX_WRITE);
        Ok(Dialled { peripheral, characteristic, notifications, max_frame })
    }

    async fn find(&self, address: DeviceAddress) -> Result<Peripheral, DialSymptom> {
        let known = timeout(self.timings.call, self.adapter.peripherals()).await;
        let known = known.map_err(|_| DialSymptom::Hung)?.map_err(symptom)?;
        let same = |peripheral: &Peripheral| peripheral.address().into_inner() == address.0;
        known.into_iter().find(same).ok_or(DialSymptom::Unknown)
    }

    async fn why_not_in_time(&self, peripheral: &Peripheral) -> DialSymptom {
        match timeout(self.timings.call, peripheral.is_connected()).await {
            Ok(Ok(true)) => DialSymptom::Unresolved,
            Ok(Ok(false) | Err(_)) | Err(_) => DialSymptom::Hung,
        }
    }

    async fn disconnect(&self, address: DeviceAddress) {
        let Ok(device) = self.bluez.device(bluer::Address(address.0)) else { return };
        if let Ok(Err(error)) = timeout(self.timings.call, device.disconnect()).await {
            tracing::debug!(%address, %error, "not disconnected");
        }
    }

    async fn forget(&self, address: DeviceAddress) {
        let removed = timeout(self.timings.call, self.bluez.remove_device(bluer::Address(address.0)));
        if let Ok(Err(error)) = removed.await {
            tracing::debug!(%address, %error, "not forgotten");
        }
    }

    /// Scans until BlueZ has the device again, but not for long.
    async fn hear_again(&self, address: DeviceAddress) {
        let deadline = Instant::now() + self.timings.rediscover;
        if self.start_scan(false).await.is_ok() {
            let heard = timeout_at(deadline, async {
                while self.find(address).await.is_err() {
                    sleep(Duration::from_millis(500)).await;
                }
            });
            if heard.await.is_err() {
                tracing::info!(%address, "not heard again");
            }
            self.stop_scan().await;
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn symptom(error: btleplug::Error) -> DialSymptom {
    tracing::debug!(%error, "BlueZ refused");
    Fault::from(&error).into()
}
