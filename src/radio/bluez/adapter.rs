//! One adapter from power-on to the next failure, and again.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use rand_core::OsRng;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::central;
use super::peripheral::Server;
use super::quirks::{Fault, NotifyScope};
use super::recovery::{AdapterAction, AdapterRecovery, AdapterSymptom};
use super::running::Running;
use super::{SERVICE, Timings};
use crate::ids::{AdapterId, LinkId};
use crate::link::event::{DeviceAddress, LinkDownReason, RadioCommand, RadioEvent};

/// Devices from before us to keep in mind.
const SUSPECTS: usize = 64;

/// How long an adapter stays off that is switched off and on.
const OFF: Duration = Duration::from_secs(2);

/// Which adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: AdapterId,
    pub(super) name: String,
}

/// One adapter's task.
pub(super) struct Adapter {
    pub(super) identity: Identity,
    pub(super) session: bluer::Session,
    manager: btleplug::platform::Manager,
    pub(super) scope: NotifyScope,
    pub(super) events: mpsc::Sender<RadioEvent>,
    pub(super) timings: Timings,
    pub(super) recovery: AdapterRecovery,
    next_serial: u32,
}

impl Adapter {
    pub(super) fn new(
        identity: Identity,
        was_on: bool,
        (session, manager, scope): (bluer::Session, btleplug::platform::Manager, NotifyScope),
        events: mpsc::Sender<RadioEvent>,
        timings: Timings,
    ) -> Self {
        let recovery = AdapterRecovery::new(was_on);
        Self { identity, session, manager, scope, events, timings, recovery, next_serial: 0 }
    }

    /// Brings the adapter up, serves it until it fails, and starts over; ends when the commands do.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<RadioCommand>) {
        loop {
            let running = tokio::select! {
                running = self.bring_up() => running,
                () = self.refuse(&mut commands) => return,
            };
            let symptom = match running {
                Ok(mut running) => match running.serve(&mut self, &mut commands).await {
                    ControlFlow::Continue(symptom) => symptom,
                    ControlFlow::Break(()) => return,
                },
                Err(symptom) => symptom,
            };
            let action = self.recovery.next(symptom, &mut OsRng);
            tokio::select! {
                () = self.recover(symptom, action) => {}
                () = self.refuse(&mut commands) => return,
            }
        }
    }

    async fn bring_up(&self) -> Result<Running, AdapterSymptom> {
        let name = self.identity.name.as_str();
        let adapter = self.session.adapter(name).map_err(symptom)?;
        if !self.call(adapter.is_powered()).await? {
            self.call(adapter.set_powered(true)).await?;
        }
        self.call(adapter.set_pairable(false)).await?;
        let address = DeviceAddress(self.call(adapter.address()).await?.0);
        let suspects = self.clear(&adapter).await?;
        let server = self.call(Server::publish(&adapter)).await?;
        let central = timeout(self.timings.call, central::adapter(&self.manager, name));
        let central = central.await.map_err(|_| AdapterSymptom::Silent)??;
        Ok(Running::start(self, adapter, server, central, address, suspects).await)
    }

    async fn recover(&self, symptom: AdapterSymptom, action: AdapterAction) {
        let name = &self.identity.name;
        let pause = match action {
            AdapterAction::BringUp(pause) => {
                tracing::warn!(adapter = name, %symptom, ?pause, "adapter down");
                pause
            }
            AdapterAction::Report(pause) => {
                tracing::error!(adapter = name, %symptom, "adapter down; it needs a person (hopline doctor)");
                pause
            }
            AdapterAction::PowerCycle => {
                tracing::warn!(adapter = name, %symptom, "adapter down; switching it off and on");
                self.power_off().await;
                OFF
            }
        };
        sleep(pause).await;
    }

    /// Answers commands for an adapter that does not work; returns when there will be no more.
    async fn refuse(&self, commands: &mut mpsc::Receiver<RadioCommand>) {
        while let Some(command) = commands.recv().await {
            match command {
                RadioCommand::Connect { adapter, address } => {
                    let reason = LinkDownReason::AdapterDown;
                    self.tell(RadioEvent::ConnectFailed { adapter, address, reason }).await;
                }
                // Its link was reported down before the adapter was.
                RadioCommand::Disconnect { .. } | RadioCommand::Write { .. } => {}
            }
        }
    }

    /// Removes what an earlier run left behind, connections included: they outlive the process that made them.
    /// Returns the devices that may be ours and cannot be told.
    async fn clear(&self, adapter: &bluer::Adapter) -> Result<BTreeSet<DeviceAddress>, AdapterSymptom> {
        let mut suspects = BTreeSet::new();
        for address in self.call(adapter.device_addresses()).await? {
            let device = adapter.device(address).map_err(symptom)?;
            // A person may have paired the device for another purpose: that is not ours to remove.
            if self.call(device.is_paired()).await.unwrap_or(true) {
                continue;
            }
            let services = self.call(device.uuids()).await.ok().flatten().unwrap_or_default();
            if services.contains(&SERVICE) {
                let removed = self.call(adapter.remove_device(address)).await;
                tracing::debug!(adapter = adapter.name(), %address, ?removed, "left over from before");
            } else if suspects.len() < SUSPECTS {
                suspects.insert(DeviceAddress(address.0));
            }
        }
        Ok(suspects)
    }

    async fn power_off(&self) {
        let Ok(adapter) = self.session.adapter(&self.identity.name) else { return };
        if let Err(symptom) = self.call(adapter.set_powered(false)).await {
            tracing::warn!(adapter = adapter.name(), %symptom, "not switched off");
        }
    }

    async fn call<T>(&self, call: impl Future<Output = bluer::Result<T>>) -> Result<T, AdapterSymptom> {
        match timeout(self.timings.call, call).await {
            Ok(answer) => answer.map_err(symptom),
            Err(_) => Err(AdapterSymptom::Silent),
        }
    }

    /// A name no link had before.
    pub(super) fn next_link(&mut self) -> LinkId {
        let link = LinkId { adapter: self.identity.id, serial: self.next_serial };
        self.next_serial = self.next_serial.saturating_add(1);
        link
    }

    /// Tells the driver. When it is gone the commands end, too.
    pub(super) async fn tell(&self, event: RadioEvent) {
        if self.events.send(event).await.is_err() {
            tracing::debug!(adapter = self.identity.name, "the driver is gone");
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn symptom(error: bluer::Error) -> AdapterSymptom {
    tracing::debug!(%error, "BlueZ refused");
    Fault::from(&error).into()
}
