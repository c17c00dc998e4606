//! One GATT connection that carries frames, in either role: a task that pumps both ways until one of them ends.

use std::pin::Pin;
use std::sync::Arc;

use bluer::{Device, DeviceEvent, DeviceProperty};
use btleplug::api::{Characteristic, Peripheral as _, ValueNotification, WriteType};
use btleplug::platform::Peripheral;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::subscription::Subscription;
use super::{CHARACTERISTIC, Timings};
use crate::ids::LinkId;
use crate::link::event::{DeviceAddress, LinkDownReason, RadioEvent, Role};

/// Frames that may wait for one link, each way. The link layer keeps fewer unanswered.
const WAITING_FRAMES: usize = 128;

/// Why the adapter ends a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The link layer asked; the device is disconnected.
    Close,
    /// The link layer asked, but a link in the other role uses the same connection: only our part of it ends.
    CloseOurs,
    /// It is dead already, or replaced: its central left, or subscribed anew.
    Replaced,
    /// The adapter is gone.
    AdapterDown,
}

/// The adapter's end of a link task.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) role: Role,
    pub(super) address: DeviceAddress,
    frames: mpsc::Sender<Bytes>,
    written: Option<mpsc::Sender<Bytes>>,
    stop: Option<oneshot::Sender<Stop>>,
}

impl Link {
    /// Queues a frame to send; false when it has no room.
    pub(super) fn send(&self, frame: Bytes) -> bool {
        self.frames.try_send(frame).is_ok()
    }

    /// Passes on what its central wrote; false when it has no room.
    pub(super) fn receive(&self, bytes: Bytes) -> bool {
        self.written.as_ref().is_some_and(|written| written.try_send(bytes).is_ok())
    }

    /// Ends it; its task reports it down.
    pub(super) fn stop(&mut self, stop: Stop) {
        let ending = self.stop.take().is_none_or(|sender| sender.send(stop).is_err());
        if ending {
            tracing::debug!(address = %self.address, "the link is ending already");
        }
    }
}

/// What a link task needs to know.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) link: LinkId,
    pub(super) address: DeviceAddress,
    pub(super) max_frame: usize,
    pub(super) device: Device,
    pub(super) events: mpsc::Sender<RadioEvent>,
    pub(super) timings: Timings,
}

/// The notifications of a remote device.
pub(super) type Notifications = Pin<Box<dyn Stream<Item = ValueNotification> + Send>>;

/// A device we dialled and subscribed to.
pub(super) struct Dialled {
    pub(super) peripheral: Peripheral,
    pub(super) characteristic: Characteristic,
    pub(super) notifications: Notifications,
    pub(super) max_frame: usize,
}

/// A link to a central, and the task that runs it.
pub(super) fn to_central(
    ends: Ends,
    subscription: Arc<Subscription>,
) -> (Link, impl Future<Output = ()> + Send) {
    let (written, inbound) = mpsc::channel(WAITING_FRAMES);
    subscription.join(ends.link);
    let outgoing = Outgoing::Notify(subscription);
    start(ends, Role::Peripheral, Some(written), outgoing, Incoming::Writes(inbound))
}

/// A link to a peripheral, and the task that runs it.
pub(super) fn to_peripheral(ends: Ends, dialled: Dialled) -> (Link, impl Future<Output = ()> + Send) {
    let Dialled { peripheral, characteristic, notifications, max_frame: _ } = dialled;
    let outgoing = Outgoing::Write { peripheral, characteristic };
    start(ends, Role::Central, None, outgoing, Incoming::Notifications(notifications))
}

fn start(
    ends: Ends,
    role: Role,
    written: Option<mpsc::Sender<Bytes>>,
    outgoing: Outgoing,
    incoming: Incoming,
) -> (Link, impl Future<Output = ()> + Send) {
    let (frames, waiting) = mpsc::channel(WAITING_FRAMES);
    let (stop, stopped) = oneshot::channel();
    let link = Link { role, address: ends.address, frames, written, stop: Some(stop) };
    (link, run(ends, role, outgoing, incoming, waiting, stopped))
}

enum Outgoing {
    Notify(Arc<Subscription>),
    Write { peripheral: Peripheral, characteristic: Characteristic },
}

enum Incoming {
    Writes(mpsc::Receiver<Bytes>),
    Notifications(Notifications),
}

async fn run(
    ends: Ends,
    role: Role,
    outgoing: Outgoing,
    mut incoming: Incoming,
    mut frames: mpsc::Receiver<Bytes>,
    stopped: oneshot::Receiver<Stop>,
) {
    let Ends { link, address, max_frame, .. } = ends;
    tracing::info!(%link, %address, ?role, max_frame, "link up");
    ends.tell(RadioEvent::LinkUp { link, address, role, max_frame }).await;
    let (stop, reason) = tokio::select! {
        stop = stopped => {
            let stop = stop.unwrap_or(Stop::AdapterDown);
            (stop, stop.reason())
        }
        reason = send_all(&ends, &outgoing, &mut frames) => (Stop::Close, reason),
        () = receive_all(&ends, &mut incoming) => (Stop::Close, LinkDownReason::Failed),
        () = left(&ends.device) => (Stop::Replaced, LinkDownReason::Remote),
        () = outgoing.closed() => (Stop::Replaced, LinkDownReason::Remote),
    };
    outgoing.hang_up(&ends, stop).await;
    tracing::info!(%link, %address, %reason, "link down");
    ends.tell(RadioEvent::LinkDown { link, reason }).await;
}

async fn send_all(ends: &Ends, outgoing: &Outgoing, frames: &mut mpsc::Receiver<Bytes>) -> LinkDownReason {
    while let Some(frame) = frames.recv().await {
        if let Err(reason) = outgoing.send(ends, &frame).await {
            return reason;
        }
        ends.tell(RadioEvent::Written { link: ends.link }).await;
    }
    LinkDownReason::Closed
}

async fn receive_all(ends: &Ends, incoming: &mut Incoming) {
    while let Some(bytes) = incoming.receive().await {
        ends.tell(RadioEvent::Received { link: ends.link, bytes }).await;
    }
}

/// Returns when the device is no longer connected.
async fn left(device: &Device) {
    // The stream ends when any interface of the device goes away, not only with the device: then look again.
    while let Ok(changes) = device.events().await {
        if !matches!(device.is_connected().await, Ok(true)) {
            return;
        }
        tokio::pin!(changes);
        while let Some(DeviceEvent::PropertyChanged(change)) = changes.next().await {
            if matches!(change, DeviceProperty::Connected(false)) {
                return;
            }
        }
    }
}

impl Stop {
    fn reason(self) -> LinkDownReason {
        match self {
            Self::Close | Self::CloseOurs => LinkDownReason::Closed,
            Self::Replaced => LinkDownReason::Remote,
            Self::AdapterDown => LinkDownReason::AdapterDown,
        }
    }
}

impl Ends {
    /// Tells the driver. When it is gone the whole radio is about to end.
    async fn tell(&self, event: RadioEvent) {
        if self.events.send(event).await.is_err() {
            tracing::debug!(link = %self.link, "the driver is gone");
        }
    }
}

impl Outgoing {
    async fn send(&self, ends: &Ends, frame: &Bytes) -> Result<(), LinkDownReason> {
        let sent = timeout(ends.timings.write, async {
            match self {
                Self::Notify(subscription) => match subscription.notify(ends.link, frame).await {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::info!(link = %ends.link, %error, "notification failed");
                        false
                    }
                },
                Self::Write { peripheral, characteristic } => {
                    match peripheral.write(characteristic, frame, WriteType::WithoutResponse).await {
                        Ok(()) => true,
                        Err(error) => {
                            tracing::info!(link = %ends.link, %error, "write failed");
                            false
                        }
                    }
                }
            }
        });
        match sent.await {
            Ok(true) => Ok(()),
            Err(_) => Err(LinkDownReason::TimedOut),
            Ok(false) => match timeout(ends.timings.call, ends.device.is_connected()).await {
                Ok(Ok(true)) => Err(LinkDownReason::Failed),
                Ok(Ok(false) | Err(_)) | Err(_) => Err(LinkDownReason::Remote),
            },
        }
    }

    /// Returns when a central no longer listens. A peripheral that goes is noticed by its connection.
    async fn closed(&self) {
        match self {
            Self::Notify(subscription) => subscription.closed().await,
            Self::Write { .. } => std::future::pending().await,
        }
    }

    async fn hang_up(&self, ends: &Ends, stop: Stop) {
        if let Self::Notify(subscription) = self {
            subscription.leave(ends.link);
        }
        let hung_up = timeout(ends.timings.call, async {
            match (stop, self) {
                (Stop::Close, _) => ends.device.disconnect().await.map_err(|error| error.to_string()),
                (Stop::CloseOurs, Self::Write { peripheral, characteristic }) => {
                    peripheral.unsubscribe(characteristic).await.map_err(|error| error.to_string())
                }
                (Stop::CloseOurs, Self::Notify(_)) | (Stop::Replaced | Stop::AdapterDown, _) => Ok(()),
            }
        });
        if let Ok(Err(error)) = hung_up.await {
            tracing::debug!(link = %ends.link, error, "hanging up failed");
        }
    }
}

impl Incoming {
    async fn receive(&mut self) -> Option<Bytes> {
        match self {
            Self::Writes(writes) => writes.recv().await,
            Self::Notifications(notifications) => loop {
                let notification = notifications.next().await?;
                if notification.uuid == CHARACTERISTIC {
                    return Some(notification.value.into());
                }
            },
        }
    }
}
