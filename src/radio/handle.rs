//! The two ends of a radio: a bounded channel each way.
//!
//! Both channels can be full at once, so somebody must never wait for only one of them. That is the driver:
//!
//! * a **radio** may wait until there is room for an event. It drops no event, and it takes every command as
//!   soon as it is not waiting for that;
//! * a **driver** that waits for room for a command keeps taking events meanwhile (`select!` over
//!   [`mpsc::Sender::reserve`] and [`mpsc::Receiver::recv`]). The commands it has yet to hand over are few: the
//!   link layer hands out a further write only when an earlier one was answered by `Written`.
//!
//! A dropped end is the end: a radio whose commands are closed lets its links go and stops; a driver whose
//! events are closed treats the radio's adapters as down.

use tokio::sync::mpsc;

use crate::link::event::{RadioCommand, RadioEvent};

/// Events or commands that may wait in a channel: a burst of notifications on every link of an adapter.
pub const CHANNEL_BOUND: usize = 256;

/// The driver's end of a radio.
#[derive(Debug)]
pub struct RadioHandle {
    /// What the radio shall do.
    pub commands: mpsc::Sender<RadioCommand>,
    /// What the radio saw.
    pub events: mpsc::Receiver<RadioEvent>,
}

/// The radio's own end.
#[derive(Debug)]
pub struct RadioPort {
    /// What the radio shall do; closed when the driver is gone.
    pub commands: mpsc::Receiver<RadioCommand>,
    /// What the radio saw.
    pub events: mpsc::Sender<RadioEvent>,
}

/// Both ends, with room for `bound` commands and `bound` events.
pub fn channel(bound: usize) -> (RadioHandle, RadioPort) {
    let (command_sender, command_receiver) = mpsc::channel(bound);
    let (event_sender, event_receiver) = mpsc::channel(bound);
    (
        RadioHandle { commands: command_sender, events: event_receiver },
        RadioPort { commands: command_receiver, events: event_sender },
    )
}

/// A radio without an adapter, which never sees anything: for a node that talks over other transports alone.
pub fn absent() -> RadioHandle {
    let (radio, port) = channel(1);
    tokio::spawn(async move {
        let RadioPort { mut commands, events } = port;
        while commands.recv().await.is_some() {}
        drop(events);
    });
    radio
}
