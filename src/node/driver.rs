//! The task that owns an engine: it reads the clock, feeds the engine, drains it, and waits.
//!
//! Only the driver touches the engine. It never waits for the radio alone: commands the radio has no room for
//! stay in `pending` while events, requests and timeouts go on (see [`crate::radio::handle`]). `pending` is
//! bounded by the link layer, which has a bounded number of links, hands out a further write on a link only when
//! an earlier one was answered, and dials one device at a time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};

use crate::ids::{AttemptId, LinkId};
use crate::link::event::{RadioCommand, RadioEvent};
use crate::mesh::Engine;
use crate::mesh::event::{Command, Event, Input, Output};
use crate::message::Recipient;
use crate::radio::RadioHandle;

use super::clock::{Clock, RELEASE_DATE};
use super::contacts::Contacts;
use super::error::{NodeError, SendError};
use super::handle::Request;
use super::sent::{SentMessage, SentMessages};
use super::status::{Board, Profile, Status};

/// How long a goodbye may take to leave through the radio. Together with the next two, less than the
/// second in which a node stops.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(250);
/// How long links stay up after the radio took everything: what it took is on its way for a while yet, and a
/// link that ends loses it.
const LINGER: Duration = Duration::from_millis(100);
/// How long the radio may take to close its links.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(600);

/// One engine with everything it is driven by.
pub(super) struct Driver {
    profile: Profile,
    engine: Engine,
    clock: Clock,
    radio: RadioHandle,
    requests: mpsc::Receiver<Request>,
    events: broadcast::Sender<Event>,
    /// Commands the radio had no room for yet.
    pending: VecDeque<RadioCommand>,
    /// Writes the radio has not answered yet.
    unanswered: BTreeMap<LinkId, u32>,
    sent: SentMessages,
    contacts: Contacts,
    board: Board,
    leaving: bool,
}

/// What woke the driver.
enum Wake {
    Radio(RadioEvent),
    Request(Request),
    Timeout,
    /// A command went to the radio.
    Handed,
}

impl Driver {
    pub(super) fn new(
        profile: Profile,
        engine: Engine,
        contacts: Contacts,
        radio: RadioHandle,
        requests: mpsc::Receiver<Request>,
        events: broadcast::Sender<Event>,
    ) -> Self {
        Self {
            profile,
            engine,
            clock: Clock::start(),
            radio,
            requests,
            events,
            pending: VecDeque::new(),
            unanswered: BTreeMap::new(),
            sent: SentMessages::default(),
            contacts,
            board: Board::default(),
            leaving: false,
        }
    }

    /// Runs until somebody asks to leave, nobody is left to ask, or the radio is gone.
    pub(super) async fn run(mut self) -> Result<(), NodeError> {
        self.turn(Input::Timeout);
        loop {
            match self.wait().await? {
                Wake::Request(Request::Leave) => return self.leave().await,
                Wake::Request(request) => self.request(request),
                Wake::Radio(event) => self.radio_event(event),
                Wake::Timeout => self.turn(Input::Timeout),
                Wake::Handed => {}
            }
        }
    }

    async fn wait(&mut self) -> Result<Wake, NodeError> {
        let deadline = self.engine.poll_timeout().map(|at| self.clock.wake_at(at));
        tokio::select! {
            permit = self.radio.commands.reserve(), if !self.pending.is_empty() => {
                let permit = permit.map_err(|_| NodeError::RadioGone)?;
                if let Some(command) = self.pending.pop_front() {
                    self.board.radio_command(&command);
                    permit.send(command);
                }
                Ok(Wake::Handed)
            }
            event = self.radio.events.recv() => event.map(Wake::Radio).ok_or(NodeError::RadioGone),
            request = self.requests.recv(), if !self.leaving => Ok(Wake::Request(request.unwrap_or(Request::Leave))),
            () = sleep_until(deadline) => Ok(Wake::Timeout),
        }
    }

    /// One turn of the engine: the clock is read once, one input goes in, every output comes out.
    fn turn(&mut self, input: Input) {
        self.engine.handle(input, self.clock.now());
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Radio(command) => {
                    if let RadioCommand::Write { link, .. } = command {
                        *self.unanswered.entry(link).or_default() += 1;
                    }
                    self.pending.push_back(command);
                }
                Output::Event(event) => self.publish(event),
            }
        }
    }

    fn radio_event(&mut self, event: RadioEvent) {
        self.board.radio_event(&event);
        match &event {
            RadioEvent::Written { link } => {
                if let Some(writes) = self.unanswered.get_mut(link) {
                    *writes = writes.saturating_sub(1);
                }
            }
            RadioEvent::LinkDown { link, .. } => {
                self.unanswered.remove(link);
            }
            RadioEvent::AdapterUp { .. }
            | RadioEvent::AdapterDown { .. }
            | RadioEvent::Discovered { .. }
            | RadioEvent::LinkUp { .. }
            | RadioEvent::ConnectFailed { .. }
            | RadioEvent::Received { .. } => {}
        }
        self.turn(Input::Radio(event));
    }

    fn publish(&mut self, event: Event) {
        self.board.event(&event);
        match &event {
            Event::Status { attempt, id, status, fragments } => {
                self.sent.record(*attempt, *id, *status, *fragments);
            }
            Event::Refused { attempt, reason } => self.sent.refuse(*attempt, *reason),
            Event::ClockUnset => tracing::error!("the clock of this machine is not set: nothing is sent"),
            other @ (Event::Adapter { .. }
            | Event::LinkUp { .. }
            | Event::LinkDown { .. }
            | Event::Peer(_)
            | Event::PeerGone { .. }
            | Event::Session { .. }) => tracing::debug!(event = ?other),
            Event::PublicMessage { .. } | Event::PrivateMessage { .. } => {}
        }
        // Nobody may be listening, and that is no error.
        self.events.send(event).ok();
    }

    fn request(&mut self, request: Request) {
        // Whoever asked may have gone meanwhile, and that is no error: hence the `ok()`s.
        match request {
            Request::SendPublic { text, answer } => {
                let attempt = self.sent.begin(Recipient::Everyone);
                let result = self.send(Command::SendPublic { attempt, text }, attempt);
                answer.send(result).ok();
            }
            Request::SendPrivate { to, id, text, answer } => {
                let attempt = self.sent.begin(Recipient::Peer(to));
                let result = self.send(Command::SendPrivate { attempt, to, id, text }, attempt);
                answer.send(result).ok();
            }
            Request::MarkRead { sender, id } => {
                self.turn(Input::Command(Command::MarkRead { sender, id }));
            }
            Request::Peers { answer } => {
                answer.send(self.engine.peers(self.clock.now())).ok();
            }
            Request::Status { answer } => {
                answer.send(self.status()).ok();
            }
            Request::Sent { id, answer } => {
                answer.send(self.sent.find(id)).ok();
            }
            Request::Contacts { request, answer } => {
                let answered = self.contacts.answer(request).map(|(said, change)| {
                    self.contacts.apply(change);
                    said
                });
                answer.send(answered).ok();
            }
            Request::Petnames { answer } => {
                answer.send(self.contacts.petnames()).ok();
            }
            Request::Leave => {}
        }
    }

    fn send(&mut self, command: Command, attempt: AttemptId) -> Result<SentMessage, SendError> {
        self.turn(Input::Command(command));
        Ok(self.sent.answer(attempt).ok_or(SendError::Unanswered)??)
    }

    fn status(&self) -> Status {
        let now = self.clock.now();
        Status {
            profile: self.profile.clone(),
            uptime: now.instant.since_start(),
            unix: now.unix,
            clock_unset: now.unix < RELEASE_DATE,
            adapters: self.board.adapters.iter().map(|(adapter, up)| (*adapter, *up)).collect(),
            links: self.engine.links().links().map(|(link, info)| (link, info.clone())).collect(),
            messages: self.board.messages,
            radio: self.board.radio,
            link: *self.engine.links().counters(),
            mesh: self.engine.counters().clone(),
        }
    }

    /// Says goodbye, waits a moment for the radio to take it, and another for the radio to end.
    async fn leave(mut self) -> Result<(), NodeError> {
        self.leaving = true;
        self.requests.close();
        self.turn(Input::Command(Command::Leave));
        let flush = async {
            while !self.flushed() {
                match self.wait().await? {
                    Wake::Radio(event) => self.radio_event(event),
                    Wake::Request(_) | Wake::Handed => {}
                    Wake::Timeout => self.turn(Input::Timeout),
                }
            }
            Ok(())
        };
        match tokio::time::timeout(FLUSH_TIMEOUT, flush).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_elapsed) => tracing::debug!("the radio did not take everything before the node left"),
        }
        let RadioHandle { commands, mut events } = self.radio;
        let linger = async { while events.recv().await.is_some() {} };
        if tokio::time::timeout(LINGER, linger).await.is_ok() {
            return Ok(());
        }
        drop(commands);
        let farewell = async { while events.recv().await.is_some() {} };
        if tokio::time::timeout(FAREWELL_TIMEOUT, farewell).await.is_err() {
            tracing::debug!("the radio did not end in time");
        }
        Ok(())
    }

    fn flushed(&self) -> bool {
        self.pending.is_empty() && self.unanswered.values().all(|writes| *writes == 0)
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::crypto::Identity;
    use crate::ids::{AdapterId, PeerId};
    use crate::link::event::{DeviceAddress, Role};
    use crate::mesh::error::Refusal;
    use crate::node::handle::Notice;
    use crate::node::lifecycle::{Node, start};
    use crate::radio::{RadioPort, channel};

    const ADAPTER: AdapterId = AdapterId(0);

    fn node(bound: usize) -> (Node, RadioPort) {
        let (radio, port) = channel(bound);
        let identity = Identity::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        (start(identity, "ada".to_owned(), [2; 32], radio), port)
    }

    fn link_up(serial: u32) -> RadioEvent {
        RadioEvent::LinkUp {
            link: LinkId { adapter: ADAPTER, serial },
            address: DeviceAddress([0xC0, 0, 0, 0, 0, 1]),
            role: Role::Central,
            max_frame: 512,
        }
    }

    #[tokio::test]
    async fn a_radio_that_takes_nothing_holds_up_neither_answers_nor_the_end() {
        let (node, port) = node(1);
        let mut events = node.handle().subscribe().unwrap();
        port.events.send(RadioEvent::AdapterUp { adapter: ADAPTER }).await.unwrap();
        port.events.send(link_up(1)).await.unwrap();
        while !matches!(events.next().await, Some(Notice::Event(Event::LinkUp { .. }))) {}
        for text in ["one", "two", "three"] {
            node.handle().send_public(text.to_owned()).await.unwrap();
        }
        let status = node.handle().status().await.unwrap();
        assert_eq!(status.links.len(), 1);
        assert_eq!(status.messages.sent, 3);
        tokio::time::timeout(Duration::from_secs(1), node.stop()).await.unwrap().unwrap();
        drop(port);
    }

    #[tokio::test]
    async fn a_goodbye_goes_out_before_the_radio_is_let_go() {
        let (node, mut port) = node(8);
        port.events.send(link_up(1)).await.unwrap();
        let stopping = tokio::spawn(node.stop());
        let mut frames = 0;
        while let Some(command) = port.commands.recv().await {
            if let RadioCommand::Write { link, .. } = command {
                frames += 1;
                port.events.send(RadioEvent::Written { link }).await.unwrap();
            }
        }
        drop(port);
        stopping.await.unwrap().unwrap();
        assert!(frames > 0, "no LEAVE went out");
    }

    #[tokio::test]
    async fn a_node_whose_radio_ended_by_itself_ends_with_that_error() {
        let (mut node, port) = node(8);
        drop(port);
        assert!(matches!(node.stopped().await, Err(NodeError::RadioGone)));
        assert!(node.handle().status().await.is_err());
        assert!(node.handle().subscribe().is_err());
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_how_much_it_missed() {
        let (node, _port) = node(8);
        let mut events = node.handle().subscribe().unwrap();
        let me = node.handle().profile().peer_id;
        for _ in 0..300 {
            let refused = node.handle().send_private(me, "to myself".to_owned()).await;
            assert_eq!(refused, Err(SendError::Refused(Refusal::ToSelf)));
        }
        assert_eq!(events.next().await, Some(Notice::Missed(300 - 256)));
        assert!(matches!(events.next().await, Some(Notice::Event(Event::Refused { .. }))));
    }

    #[tokio::test]
    async fn a_message_is_found_again_by_its_id_while_it_waits() {
        let (node, _port) = node(8);
        let sent = node.handle().send_private(PeerId([9; 8]), "are you there?".to_owned()).await.unwrap();
        assert_eq!(node.handle().sent(sent.id).await.unwrap(), Some(sent));
    }
}
