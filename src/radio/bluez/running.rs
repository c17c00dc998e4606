//! An adapter that works: the task that owns its links.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bluer::gatt::CharacteristicWriter;
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::adapter::Adapter;
use super::central::{self, Central, DialOutcome, DialRequest, Discovery};
use super::link::{self, Ends, Link, Stop};
use super::peripheral::{InboundWrite, Server, ServerEvent};
use super::quirks::NotifyScope;
use super::recovery::AdapterSymptom;
use super::subscription::Subscription;
use super::{MAX_FRAME, advertisement, health};
use crate::ids::LinkId;
use crate::link::event::{DeviceAddress, LinkDownReason, RadioCommand, RadioEvent, Role};

/// Devices that may wait to be dialled.
const WAITING_DIALS: usize = 16;

/// Frames of centrals that wrote before they subscribed; the oldest make room.
const EARLY_WRITES: usize = 16;

/// How long an adapter must have worked for its earlier failures to be forgotten.
const PROVEN: Duration = Duration::from_secs(60);

/// How a task of a running adapter ended.
enum Ended {
    Link(LinkId),
    Chore,
    Adapter(AdapterSymptom),
}

/// An adapter that works.
pub(super) struct Running {
    adapter: bluer::Adapter,
    server: Server,
    advertising: advertisement::Control,
    dials: mpsc::Sender<DialRequest>,
    outcomes: mpsc::Receiver<DialOutcome>,
    tasks: JoinSet<Ended>,
    links: BTreeMap<LinkId, Link>,
    dialling: BTreeSet<DeviceAddress>,
    /// The latest file descriptor that leads to centrals, where one leads to all.
    everyone: Option<Arc<Subscription>>,
    early: VecDeque<InboundWrite>,
}

impl Running {
    /// Advertises, tells that the adapter is up, and only then listens: nobody waits for what an adapter hears
    /// that is not up yet.
    pub(super) async fn start(
        owner: &Adapter,
        adapter: bluer::Adapter,
        server: Server,
        central: btleplug::platform::Adapter,
        address: DeviceAddress,
        suspects: BTreeSet<DeviceAddress>,
    ) -> Self {
        let timings = owner.timings;
        let advertising = advertisement::Control::new();
        let (dials, requests) = mpsc::channel(WAITING_DIALS);
        let (outcome_sender, outcomes) = mpsc::channel(WAITING_DIALS);
        let (arrived, arrivals) = watch::channel(None);
        let (sighted, sightings) = watch::channel(None);
        let mut tasks = JoinSet::new();
        let watching = health::watch(owner.session.clone(), adapter.clone(), timings);
        tasks.spawn(async { Ended::Adapter(watching.await) });
        let keeping = advertisement::keep(adapter.clone(), advertising.clone(), timings);
        tasks.spawn(async {
            keeping.await;
            Ended::Adapter(AdapterSymptom::Failed)
        });
        advertising.first(timings).await;
        tracing::info!(adapter = owner.identity.name, "adapter up");
        owner.tell(RadioEvent::AdapterUp { adapter: owner.identity.id, address }).await;
        let discovery = Discovery {
            id: owner.identity.id,
            adapter: central.clone(),
            bluez: adapter.clone(),
            events: owner.events.clone(),
            arrivals: arrived,
            sightings: sighted,
            suspects,
            timings,
        };
        tasks.spawn(async {
            discovery.run().await;
            Ended::Adapter(AdapterSymptom::Failed)
        });
        let central = Central {
            adapter: central,
            bluez: adapter.clone(),
            advertising: advertising.clone(),
            requests,
            outcomes: outcome_sender,
            arrivals,
            sightings,
            yielded_to: None,
            timings,
        };
        tasks.spawn(async { Ended::Adapter(central.run().await) });
        Self {
            adapter,
            server,
            advertising,
            dials,
            outcomes,
            tasks,
            links: BTreeMap::new(),
            dialling: BTreeSet::new(),
            everyone: None,
            early: VecDeque::new(),
        }
    }

    /// Carries commands out until the adapter fails (and says how) or the commands end.
    pub(super) async fn serve(
        &mut self,
        owner: &mut Adapter,
        commands: &mut mpsc::Receiver<RadioCommand>,
    ) -> ControlFlow<(), AdapterSymptom> {
        let proven = sleep(PROVEN);
        tokio::pin!(proven);
        let mut is_proven = false;
        let end = loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.obey(owner, command).await,
                    None => break ControlFlow::Break(()),
                },
                event = self.server.next() => match event {
                    ServerEvent::Subscribed(writer) => self.subscribed(owner, writer),
                    ServerEvent::Written(write) => self.written(owner, write),
                    ServerEvent::Closed => break ControlFlow::Continue(AdapterSymptom::Restarted),
                },
                Some(outcome) = self.outcomes.recv() => self.dialled(owner, outcome).await,
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(Ended::Link(link)) => self.ended(owner, link),
                    Ok(Ended::Chore) => {}
                    Ok(Ended::Adapter(symptom)) => break ControlFlow::Continue(symptom),
                    Err(error) => {
                        tracing::error!(%error, "a task of the adapter failed");
                        break ControlFlow::Continue(AdapterSymptom::Failed);
                    }
                },
                () = &mut proven, if !is_proven => {
                    is_proven = true;
                    owner.recovery.healthy();
                }
            }
        };
        match end {
            ControlFlow::Break(()) => self.say_goodbye(owner).await,
            ControlFlow::Continue(_) => self.report_down(owner).await,
        }
        end
    }

    /// Closes every connection, also those that are being made: they would outlive us.
    async fn say_goodbye(&mut self, owner: &Adapter) {
        let dialled = std::mem::take(&mut self.dialling);
        let devices =
            dialled.into_iter().filter_map(|address| self.adapter.device(bluer::Address(address.0)).ok());
        let hang_up = join_all(devices.map(|device| async move {
            if let Err(error) = device.disconnect().await {
                tracing::debug!(address = %device.address(), %error, "not hung up");
            }
        }));
        let farewell = async { tokio::join!(hang_up, self.end_links(Stop::Close)) };
        if timeout(owner.timings.farewell, farewell).await.is_err() {
            tracing::debug!(adapter = owner.identity.name, "BlueZ is still hanging up");
        }
    }

    async fn report_down(&mut self, owner: &Adapter) {
        self.end_links(Stop::AdapterDown).await;
        let adapter = owner.identity.id;
        let reason = LinkDownReason::AdapterDown;
        for address in std::mem::take(&mut self.dialling) {
            owner.tell(RadioEvent::ConnectFailed { adapter, address, reason }).await;
        }
        owner.tell(RadioEvent::AdapterDown { adapter }).await;
    }

    async fn end_links(&mut self, stop: Stop) {
        for link in self.links.values_mut() {
            link.stop(stop);
        }
        while !self.links.is_empty() {
            match self.tasks.join_next().await {
                Some(Ok(Ended::Link(link))) => {
                    self.links.remove(&link);
                }
                Some(Ok(Ended::Chore | Ended::Adapter(_))) => {}
                Some(Err(error)) => tracing::error!(%error, "a task of the adapter failed"),
                None => return,
            }
        }
    }

    async fn obey(&mut self, owner: &Adapter, command: RadioCommand) {
        match command {
            RadioCommand::Connect { adapter, address } => {
                let linked =
                    |role| self.links.values().any(|link| link.role == role && link.address == address);
                if self.dialling.contains(&address) {
                    return;
                }
                let request = DialRequest { address, linked: linked(Role::Peripheral) };
                if linked(Role::Central) || self.dials.try_send(request).is_err() {
                    let reason = LinkDownReason::Failed;
                    owner.tell(RadioEvent::ConnectFailed { adapter, address, reason }).await;
                } else {
                    self.dialling.insert(address);
                }
            }
            RadioCommand::Disconnect { link } => self.close(link),
            RadioCommand::Write { link, frame } => {
                if self.links.get(&link).is_some_and(|link| !link.send(frame)) {
                    tracing::error!(%link, "more frames than the link may have unanswered");
                    self.close(link);
                }
            }
        }
    }

    /// Ends a link. Two links, one in each role, may run over one connection: then only the last one cuts it. A
    /// central cannot be told to stop listening, so a link to one always takes the connection along.
    fn close(&mut self, id: LinkId) {
        let Some((role, address)) = self.links.get(&id).map(|link| (link.role, link.address)) else { return };
        let shared = self.links.iter().any(|(other, link)| *other != id && link.address == address);
        let stop = if shared && role == Role::Central { Stop::CloseOurs } else { Stop::Close };
        if let Some(link) = self.links.get_mut(&id) {
            link.stop(stop);
        }
    }

    /// What BlueZ remembers of a device that is gone would only mislead it, and it keeps it for ever.
    fn ended(&mut self, owner: &Adapter, id: LinkId) {
        self.advertising.renew.notify_one();
        let Some(link) = self.links.remove(&id) else { return };
        let address = link.address;
        let in_use = self.links.values().any(|other| other.address == address);
        if in_use || self.dialling.contains(&address) {
            return;
        }
        let (adapter, timings) = (self.adapter.clone(), owner.timings);
        self.tasks.spawn(async move {
            central::forget(&adapter, address, timings).await;
            Ended::Chore
        });
    }

    /// A central switched notifications on.
    fn subscribed(&mut self, owner: &mut Adapter, writer: CharacteristicWriter) {
        let address = DeviceAddress(writer.device_address().0);
        let subscription = Arc::new(Subscription::new(writer));
        if owner.scope == NotifyScope::AllCentrals {
            self.everyone = Some(subscription.clone());
        }
        let max_frame = subscription.max_frame();
        self.link_to_central(owner, address, max_frame, subscription);
    }

    /// A central wrote. Where one descriptor leads to all centrals BlueZ announces the first subscription only;
    /// the others show by what they write, for nobody writes before subscribing.
    fn written(&mut self, owner: &mut Adapter, write: InboundWrite) {
        let InboundWrite { address, mtu, ref bytes } = write;
        if let Some(link) = self.central(address) {
            pass_on(link, bytes.clone());
            return;
        }
        let everyone = self.everyone.as_ref().filter(|everyone| !everyone.is_closed()).cloned();
        if let Some(everyone) = everyone {
            let max_frame = usize::from(mtu).saturating_sub(central::ATT_HEADER).min(everyone.max_frame());
            self.early.push_back(write);
            self.link_to_central(owner, address, max_frame, everyone);
            return;
        }
        if self.early.len() == EARLY_WRITES {
            self.early.pop_front();
        }
        self.early.push_back(write);
    }

    fn link_to_central(
        &mut self,
        owner: &mut Adapter,
        address: DeviceAddress,
        max_frame: usize,
        subscription: Arc<Subscription>,
    ) {
        let Ok(device) = self.adapter.device(bluer::Address(address.0)) else { return };
        // A central that subscribes anew has lost its old link, whether BlueZ said so or not.
        let stale: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| is_central(link, address)).map(|(id, _)| *id).collect();
        for id in stale {
            if let Some(link) = self.links.get_mut(&id) {
                link.stop(Stop::Replaced);
            }
        }
        let id = owner.next_link();
        let ends = self.ends(owner, id, address, max_frame, device);
        let (link, task) = link::to_central(ends, subscription);
        for write in std::mem::take(&mut self.early) {
            if write.address == address {
                pass_on(&link, write.bytes);
            } else {
                self.early.push_back(write);
            }
        }
        self.add(id, link, task);
    }

    async fn dialled(&mut self, owner: &mut Adapter, outcome: DialOutcome) {
        let DialOutcome { address, result } = outcome;
        self.dialling.remove(&address);
        let device = self.adapter.device(bluer::Address(address.0));
        match (result, device) {
            (Ok(dialled), Ok(device)) => {
                let id = owner.next_link();
                let ends = self.ends(owner, id, address, dialled.max_frame, device);
                let (link, task) = link::to_peripheral(ends, dialled);
                self.add(id, link, task);
            }
            (Err(reason), _) => {
                let adapter = owner.identity.id;
                owner.tell(RadioEvent::ConnectFailed { adapter, address, reason }).await;
                self.advertising.renew.notify_one();
            }
            (Ok(_), Err(error)) => tracing::error!(%address, %error, "a device without an object"),
        }
    }

    fn add(&mut self, id: LinkId, link: Link, task: impl Future<Output = ()> + Send + 'static) {
        self.links.insert(id, link);
        self.tasks.spawn(async move {
            task.await;
            Ended::Link(id)
        });
        self.advertising.renew.notify_one();
    }

    fn ends(
        &self,
        owner: &Adapter,
        link: LinkId,
        address: DeviceAddress,
        max_frame: usize,
        device: bluer::Device,
    ) -> Ends {
        let (events, timings) = (owner.events.clone(), owner.timings);
        Ends { link, address, max_frame: max_frame.min(MAX_FRAME), device, events, timings }
    }

    fn central(&self, address: DeviceAddress) -> Option<&Link> {
        self.links.values().rev().find(|link| is_central(link, address))
    }
}

fn is_central(link: &Link, address: DeviceAddress) -> bool {
    link.role == Role::Peripheral && link.address == address
}

fn pass_on(link: &Link, bytes: Bytes) {
    if !link.receive(bytes) {
        tracing::warn!(address = %link.address, "the driver is too slow; one frame is lost");
    }
}
