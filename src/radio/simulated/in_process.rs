//! One task that owns an air and runs it against the clock.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::task::Poll;

use tokio::sync::mpsc;
use tokio::time::{Instant as Clock, sleep_until};

use crate::link::event::RadioCommand;
use crate::radio::handle::{RadioHandle, RadioPort, channel};
use crate::sim::event::{Input, Radio};
use crate::sim::{Air, Edge, StationId};
use crate::time::Instant;

/// Events that may wait for one radio's owner. One that leaves more waiting is taken for dead: the air does not
/// wait for anybody.
const EVENT_BOUND: usize = 1024;
/// Requests that may wait for the air.
const REQUEST_BOUND: usize = 64;

/// An air that runs.
///
/// It runs until the last clone of this and the last of its radios is dropped.
#[derive(Debug, Clone)]
pub struct SimulatedAir {
    requests: mpsc::Sender<Request>,
}

/// The air does not run any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulated air has stopped")]
pub struct Gone;

#[derive(Debug)]
enum Request {
    SwitchOn { station: StationId, radio: Radio, port: RadioPort },
    Change(Input),
}

impl SimulatedAir {
    /// Starts the clock of an air at zero.
    pub fn spawn(air: Air) -> Self {
        let (requests, receiver) = mpsc::channel(REQUEST_BOUND);
        tokio::spawn(Task { air, start: Clock::now(), ports: BTreeMap::new() }.run(receiver));
        Self { requests }
    }

    /// Gives a radio power, and returns its owner's end. Dropping that switches it off; so does another call for
    /// the same radio.
    pub async fn switch_on(&self, station: StationId, radio: Radio) -> Result<RadioHandle, Gone> {
        let (handle, port) = channel(EVENT_BOUND);
        self.request(Request::SwitchOn { station, radio, port }).await?;
        Ok(handle)
    }

    /// Two radios hear each other from now on.
    pub async fn join(&self, a: StationId, b: StationId, edge: Edge) -> Result<(), Gone> {
        self.request(Request::Change(Input::Join { a, b, edge })).await
    }

    /// Two radios hear each other no more.
    pub async fn cut(&self, a: StationId, b: StationId) -> Result<(), Gone> {
        self.request(Request::Change(Input::Cut { a, b })).await
    }

    async fn request(&self, request: Request) -> Result<(), Gone> {
        self.requests.send(request).await.map_err(|_closed| Gone)
    }
}

struct Task {
    air: Air,
    start: Clock,
    ports: BTreeMap<StationId, RadioPort>,
}

enum Wake {
    Request(Option<Request>),
    /// A radio's owner asks for something, or is gone.
    Command(StationId, Option<RadioCommand>),
    Timeout,
}

impl Task {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut open = true;
        while open || !self.ports.is_empty() {
            let timeout = self.air.poll_timeout();
            let wake = tokio::select! {
                request = requests.recv(), if open => Wake::Request(request),
                (station, command) = next_command(&mut self.ports) => Wake::Command(station, command),
                () = sleep_to(self.start, timeout) => Wake::Timeout,
            };
            match wake {
                Wake::Request(None) => open = false,
                Wake::Request(Some(Request::Change(input))) => self.handle(input),
                Wake::Request(Some(Request::SwitchOn { station, radio, port })) => {
                    self.switch_off(station);
                    self.ports.insert(station, port);
                    self.handle(Input::SwitchOn { station, radio });
                }
                Wake::Command(station, Some(command)) => self.handle(Input::Command { station, command }),
                Wake::Command(station, None) => self.switch_off(station),
                Wake::Timeout => self.handle(Input::Timeout),
            }
        }
    }

    /// One turn of the air, drained to the end.
    fn handle(&mut self, input: Input) {
        self.air.handle(input, Instant::from_start(self.start.elapsed()));
        while let Some((station, event)) = self.air.poll_output() {
            let Some(port) = self.ports.get(&station) else { continue };
            if let Err(error) = port.events.try_send(event) {
                tracing::debug!(?station, %error, "a radio's owner takes no events: it is switched off");
                self.switch_off(station);
            }
        }
    }

    fn switch_off(&mut self, station: StationId) {
        if self.ports.remove(&station).is_some() {
            self.handle(Input::SwitchOff { station });
        }
    }
}

/// The next command to any radio, `None` from one whose owner is gone. Safe to cancel: a command is either
/// still in its channel or returned.
async fn next_command(ports: &mut BTreeMap<StationId, RadioPort>) -> (StationId, Option<RadioCommand>) {
    poll_fn(|context| {
        for (&station, port) in ports.iter_mut() {
            if let Poll::Ready(command) = port.commands.poll_recv(context) {
                return Poll::Ready((station, command));
            }
        }
        Poll::Pending
    })
    .await
}

async fn sleep_to(start: Clock, timeout: Option<Instant>) {
    match timeout {
        Some(timeout) => sleep_until(start + timeout.since_start()).await,
        None => pending().await,
    }
}
