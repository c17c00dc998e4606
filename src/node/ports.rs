//! The transports as the driver sees them: it never waits for one of them.
//!
//! A command that a transport has no room for stays in `pending` while everything else goes on. While too many
//! stay there, that transport's events wait: a transport takes commands while its events wait, so nothing
//! stands still for good.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc::{OwnedPermit, error::SendError};

use crate::capabilities::{Capabilities, Health, TransportKey};
use crate::transports::port::{Command, Event, Transport};

/// Commands that may wait for one transport before its events wait too.
const PENDING_BOUND: usize = 4096;

type Reserving = Pin<Box<dyn Future<Output = Result<OwnedPermit<Command>, SendError<()>>> + Send>>;

/// One transport, and what it had no room for yet.
struct Port {
    transport: Transport,
    pending: VecDeque<Command>,
    reserving: Option<Reserving>,
    ended: bool,
}

/// Every transport of this node.
#[derive(Default)]
pub(super) struct Ports {
    by_key: BTreeMap<TransportKey, Port>,
}

/// What the transports have for the driver.
pub(super) enum News {
    /// An event.
    Event(TransportKey, Event),
    /// A transport ended by itself.
    Ended(TransportKey),
    /// A command was handed over.
    Handed,
}

impl Ports {
    /// Adds a transport; there is one of each name.
    pub(super) fn add(&mut self, transport: Transport) {
        let port = Port { pending: VecDeque::new(), reserving: None, ended: false, transport };
        self.by_key.insert(port.transport.key, port);
    }

    /// Every transport that runs: its name, what it can do, how it is.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TransportKey, &Capabilities, Health)> {
        let running = self.by_key.values().filter(|port| !port.ended);
        running.map(|port| {
            let transport = &port.transport;
            (transport.key, transport.capabilities(), *transport.health.borrow())
        })
    }

    /// Hands a command to a transport, now or when it has room.
    pub(super) fn command(&mut self, key: TransportKey, command: Command) {
        if let Some(port) = self.by_key.get_mut(&key).filter(|port| !port.ended) {
            port.pending.push_back(command);
        }
    }

    /// Hands a command to every transport but one.
    pub(super) fn command_others(&mut self, but: TransportKey, command: impl Fn() -> Command) {
        let others: Vec<TransportKey> = self.by_key.keys().copied().filter(|key| *key != but).collect();
        for key in others {
            self.command(key, command());
        }
    }

    /// Waits for what comes next from any transport.
    pub(super) async fn next(&mut self) -> News {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// What is there already.
    pub(super) fn ready(&mut self) -> Option<News> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match self.poll_next(&mut context) {
            Poll::Ready(news) => Some(news),
            Poll::Pending => None,
        }
    }

    /// Asks all to say goodbye, and waits until they have; what they told meanwhile.
    pub(super) async fn stop(self) -> Vec<Event> {
        let mut last = Vec::new();
        for port in self.by_key.into_values() {
            let Port { transport, pending, ended, .. } = port;
            if ended {
                continue;
            }
            for command in pending {
                if transport.commands.try_send(command).is_err() {
                    break;
                }
            }
            last.extend(transport.stop().await);
        }
        last
    }

    fn poll_next(&mut self, context: &mut Context) -> Poll<News> {
        for port in self.by_key.values_mut().filter(|port| !port.ended) {
            if port.poll_hand(context).is_ready() {
                return Poll::Ready(News::Handed);
            }
        }
        for port in self.by_key.values_mut().filter(|port| !port.ended) {
            if port.pending.len() >= PENDING_BOUND {
                continue;
            }
            if let Poll::Ready(event) = port.transport.events.poll_recv(context) {
                let key = port.transport.key;
                return Poll::Ready(match event {
                    Some(event) => News::Event(key, event),
                    None => {
                        port.ended = true;
                        port.pending.clear();
                        News::Ended(key)
                    }
                });
            }
        }
        Poll::Pending
    }
}

impl Port {
    /// Moves waiting commands over while there is room.
    fn poll_hand(&mut self, context: &mut Context) -> Poll<()> {
        let mut handed = false;
        while !self.pending.is_empty() {
            let commands = &self.transport.commands;
            let reserving = self.reserving.get_or_insert_with(|| Box::pin(commands.clone().reserve_owned()));
            let Poll::Ready(permit) = reserving.as_mut().poll(context) else { break };
            self.reserving = None;
            match (permit, self.pending.pop_front()) {
                (Ok(permit), Some(command)) => {
                    permit.send(command);
                    handed = true;
                }
                // Its events tell that it ended.
                (Err(_), _) => self.pending.clear(),
                (Ok(_), None) => {}
            }
        }
        if handed { Poll::Ready(()) } else { Poll::Pending }
    }
}
