//! The peripheral role: a GATT server with one open characteristic.
//!
//! Writes come as method calls, not over file descriptors: each call names the device it comes from, while BlueZ
//! before 5.69 sends the writes of all centrals down one descriptor. Every write is answered before it is looked
//! at, because phones drop a notification that overtakes the answer.

use bluer::Adapter;
use bluer::gatt::CharacteristicWriter;
use bluer::gatt::local::{
    Application, ApplicationHandle, Characteristic, CharacteristicControl, CharacteristicControlEvent,
    CharacteristicNotify, CharacteristicNotifyMethod, CharacteristicRead, CharacteristicWrite,
    CharacteristicWriteFun, CharacteristicWriteMethod, ReqError, Service, characteristic_control,
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;

use super::{CHARACTERISTIC, MAX_FRAME, SERVICE};
use crate::link::event::DeviceAddress;

/// Writes of all centrals that may wait; further ones are lost, as on the air.
const WAITING_WRITES: usize = 512;

/// What centrals do.
#[derive(Debug)]
pub(super) enum ServerEvent {
    /// One switched notifications on; this is the way to it.
    Subscribed(CharacteristicWriter),
    /// One wrote.
    Written(InboundWrite),
    /// The server is gone.
    Closed,
}

/// One write by a central.
#[derive(Debug)]
pub(super) struct InboundWrite {
    pub(super) address: DeviceAddress,
    /// The ATT MTU of its connection.
    pub(super) mtu: u16,
    pub(super) bytes: Bytes,
}

/// Our GATT server on one adapter; unregistered when dropped.
pub(super) struct Server {
    _application: ApplicationHandle,
    control: CharacteristicControl,
    writes: mpsc::Receiver<InboundWrite>,
}

impl Server {
    /// Registers the service.
    pub(super) async fn publish(adapter: &Adapter) -> bluer::Result<Self> {
        let (control, control_handle) = characteristic_control();
        let (write_sender, writes) = mpsc::channel(WAITING_WRITES);
        let characteristic = Characteristic {
            uuid: CHARACTERISTIC,
            read: Some(CharacteristicRead {
                read: true,
                fun: Box::new(|_| async { Ok(Vec::new()) }.boxed()),
                ..CharacteristicRead::default()
            }),
            write: Some(CharacteristicWrite {
                write: true,
                write_without_response: true,
                method: CharacteristicWriteMethod::Fun(take_write(write_sender)),
                ..CharacteristicWrite::default()
            }),
            notify: Some(CharacteristicNotify {
                notify: true,
                method: CharacteristicNotifyMethod::Io,
                ..CharacteristicNotify::default()
            }),
            control_handle,
            ..Characteristic::default()
        };
        let service = Service {
            uuid: SERVICE,
            primary: true,
            characteristics: vec![characteristic],
            ..Service::default()
        };
        let application = Application { services: vec![service], ..Application::default() };
        let application = adapter.serve_gatt_application(application).await?;
        Ok(Self { _application: application, control, writes })
    }

    /// What happens next. A subscription comes before the writes that followed it.
    pub(super) async fn next(&mut self) -> ServerEvent {
        loop {
            let event = tokio::select! {
                biased;
                event = self.control.next() => event,
                write = self.writes.recv() => return write.map_or(ServerEvent::Closed, ServerEvent::Written),
            };
            match event {
                Some(CharacteristicControlEvent::Notify(writer)) => return ServerEvent::Subscribed(writer),
                Some(CharacteristicControlEvent::Write(request)) => request.reject(ReqError::NotSupported),
                None => return ServerEvent::Closed,
            }
        }
    }
}

fn take_write(writes: mpsc::Sender<InboundWrite>) -> CharacteristicWriteFun {
    Box::new(move |value, request| {
        let answer = if request.offset != 0 {
            Err(ReqError::InvalidOffset)
        } else if value.len() > MAX_FRAME {
            Err(ReqError::InvalidValueLength)
        } else {
            let address = DeviceAddress(request.device_address.0);
            let write = InboundWrite { address, mtu: request.mtu, bytes: value.into() };
            if writes.try_send(write).is_err() {
                tracing::warn!(%address, "too many writes wait; one is lost");
            }
            Ok(())
        };
        async move { answer }.boxed()
    })
}
