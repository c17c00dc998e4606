//! The task that owns an engine: it reads the clock, feeds the engine, drains it, and waits.
//!
//! Only the driver touches the engine. It waits neither for the radio alone nor for the node alone: commands the
//! radio has no room for stay in `pending`, events the node has no room for stay in `telling`, while everything
//! else goes on. `pending` is bounded by the link layer, which has a bounded number of links, hands out a further
//! write on a link only when an earlier one was answered, and dials one device at a time. While `telling` is
//! full, the radio's events wait, so that nothing new arrives to be told.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};

use super::board::{BitchatStatus, Board};
use super::handle::Question;
use super::translate;
use crate::capabilities::{DownReason, Health, Reach};
use crate::clock::Clock;
use crate::ids::{AttemptId, LinkId};
use crate::link::event::{RadioCommand, RadioEvent};
use crate::mesh::Engine;
use crate::mesh::event::{Command, Event, Input, Output};
use crate::message::{Message, Recipient};
use crate::radio::RadioHandle;
use crate::router::event::{Failure, Report};
use crate::transports::port;

/// Events that wait for the node before the radio's events wait too.
const TELLING_BOUND: usize = 1024;
/// How long a goodbye may take to leave through the radio. Together with the next two, less than the
/// second in which a node stops.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(250);
/// How long links stay up after the radio took everything: what it took is on its way for a while yet, and a
/// link that ends loses it.
const LINGER: Duration = Duration::from_millis(100);
/// How long the radio may take to close its links.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(400);

/// The task's ends of its channels.
pub(super) struct Ends {
    pub(super) commands: mpsc::Receiver<port::Command>,
    pub(super) events: mpsc::Sender<port::Event>,
    pub(super) questions: mpsc::Receiver<Question>,
    pub(super) health: watch::Sender<Health>,
    pub(super) mesh_events: broadcast::Sender<Event>,
}

/// One engine with everything it is driven by.
pub(super) struct Driver {
    engine: Engine,
    clock: Clock,
    radio: RadioHandle,
    ends: Ends,
    /// Commands the radio had no room for yet.
    pending: VecDeque<RadioCommand>,
    /// Events the node had no room for yet.
    telling: VecDeque<port::Event>,
    /// Writes the radio has not answered yet.
    unanswered: BTreeMap<LinkId, u32>,
    links: usize,
    board: Board,
    leaving: bool,
}

/// What woke the driver.
enum Wake {
    Radio(RadioEvent),
    Command(port::Command),
    Question(Question),
    Timeout,
    /// A command went to the radio, or an event to the node.
    Handed,
    /// The radio ended by itself.
    RadioGone,
}

impl Driver {
    pub(super) fn new(engine: Engine, clock: Clock, radio: RadioHandle, ends: Ends) -> Self {
        Self {
            engine,
            clock,
            radio,
            ends,
            pending: VecDeque::new(),
            telling: VecDeque::new(),
            unanswered: BTreeMap::new(),
            links: 0,
            board: Board::default(),
            leaving: false,
        }
    }

    /// Runs until it is told to stop, nobody is left to tell it, or the radio is gone.
    pub(super) async fn run(mut self) {
        self.turn(Input::Timeout);
        loop {
            match self.wait().await {
                Wake::Command(port::Command::Shutdown) => return self.leave().await,
                Wake::RadioGone => {
                    tracing::error!("the radio stopped by itself");
                    self.ends.health.send_replace(Health::Down(DownReason::Failed));
                    return;
                }
                wake => self.take(wake),
            }
        }
    }

    fn take(&mut self, wake: Wake) {
        match wake {
            Wake::Radio(event) => self.radio_event(event),
            Wake::Command(command) => self.command(command),
            Wake::Question(question) => self.question(question),
            Wake::Timeout => self.turn(Input::Timeout),
            Wake::Handed | Wake::RadioGone => {}
        }
    }

    async fn wait(&mut self) -> Wake {
        let deadline = self.engine.poll_timeout().map(|at| self.clock.wake_at(at));
        let has_room = self.telling.len() < TELLING_BOUND;
        tokio::select! {
            permit = self.radio.commands.reserve(), if !self.pending.is_empty() => {
                let Ok(permit) = permit else { return Wake::RadioGone };
                if let Some(command) = self.pending.pop_front() {
                    self.board.radio_command(&command);
                    permit.send(command);
                }
                Wake::Handed
            }
            permit = self.ends.events.reserve(), if !self.telling.is_empty() => {
                match permit {
                    Ok(permit) => {
                        if let Some(event) = self.telling.pop_front() {
                            permit.send(event);
                        }
                    }
                    // Nobody listens any more: a shutdown follows.
                    Err(_) => self.telling.clear(),
                }
                Wake::Handed
            }
            event = self.radio.events.recv(), if has_room => event.map_or(Wake::RadioGone, Wake::Radio),
            command = self.ends.commands.recv(), if !self.leaving => {
                Wake::Command(command.unwrap_or(port::Command::Shutdown))
            }
            Some(question) = self.ends.questions.recv() => Wake::Question(question),
            () = sleep_until(deadline) => Wake::Timeout,
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

    fn publish(&mut self, event: Event) {
        match &event {
            Event::LinkUp { .. } => self.count_links(self.links.saturating_add(1)),
            Event::LinkDown { .. } => self.count_links(self.links.saturating_sub(1)),
            Event::PublicMessage(message) if !message.brought => {
                self.telling.push_back(port::Event::Heard { packet: message.packet.clone() });
            }
            Event::ClockUnset => tracing::error!("the clock of this machine is not set: nothing is sent"),
            Event::Adapter { .. }
            | Event::Peer(_)
            | Event::PeerGone { .. }
            | Event::Session { .. }
            | Event::PublicMessage(_)
            | Event::PrivateMessage(_)
            | Event::Card { .. }
            | Event::Sent { .. }
            | Event::Expired { .. }
            | Event::Refused { .. }
            | Event::Receipt { .. } => {}
        }
        self.telling.extend(translate::event(&event));
        // Nobody may be listening, and that is no error.
        self.ends.mesh_events.send(event).ok();
    }

    /// A text for everyone needs one link.
    fn count_links(&mut self, links: usize) {
        let (before, reach) = (self.links > 0, if links > 0 { Reach::Yes } else { Reach::No });
        self.links = links;
        if before != (links > 0) {
            self.telling.push_back(port::Event::Reach { to: Recipient::Everyone, reach });
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
            RadioEvent::AdapterUp { .. } | RadioEvent::AdapterDown { .. } => self.check_health(),
            RadioEvent::Discovered { .. }
            | RadioEvent::LinkUp { .. }
            | RadioEvent::ConnectFailed { .. }
            | RadioEvent::Received { .. } => {}
        }
        self.turn(Input::Radio(event));
    }

    fn check_health(&mut self) {
        let up = self.board.adapters.values().any(|up| *up);
        let health = if up { Health::Up } else { Health::Down(DownReason::NoAdapter) };
        if self.ends.health.send_replace(health) != health {
            self.telling.push_back(port::Event::Health(health));
        }
    }

    fn command(&mut self, command: port::Command) {
        match command {
            port::Command::Send { attempt, message } => self.send(attempt, message),
            port::Command::Cancel { attempt, id } => {
                self.turn(Input::Command(Command::Cancel { attempt, id }));
            }
            port::Command::Warm { peer } => self.turn(Input::Command(Command::Greet { peer })),
            port::Command::Acknowledge { sender, id, wire_ids } => {
                let wire_ids = translate::known_there(id, wire_ids);
                self.turn(Input::Command(Command::Acknowledge { to: sender, wire_ids }));
            }
            // The mesh has no word for it: without a receipt its sender tries again.
            port::Command::Decline { .. } | port::Command::Shutdown => {}
            port::Command::Relay(packet) => self.turn(Input::Command(Command::Relay { packet })),
        }
    }

    fn send(&mut self, attempt: AttemptId, message: Message) {
        match translate::command(attempt, message) {
            Some(command) => self.turn(Input::Command(command)),
            None => {
                let report = Report::Failed(Failure::Unfit);
                self.telling.push_back(port::Event::Report { attempt, report });
            }
        }
    }

    fn question(&mut self, question: Question) {
        // Whoever asked may have gone meanwhile, and that is no error: hence the `ok()`s.
        match question {
            Question::Peers(answer) => {
                answer.send(self.engine.peers(self.clock.now())).ok();
            }
            Question::Status(answer) => {
                answer.send(self.status()).ok();
            }
            Question::Know(introduction) => self.turn(Input::Command(Command::Know(introduction))),
        }
    }

    fn status(&self) -> BitchatStatus {
        BitchatStatus {
            adapters: self.board.adapters.iter().map(|(adapter, up)| (*adapter, *up)).collect(),
            links: self.engine.links().links().map(|(link, info)| (link, info.clone())).collect(),
            radio: self.board.radio,
            link: *self.engine.links().counters(),
            mesh: self.engine.counters().clone(),
        }
    }

    /// Says goodbye, waits a moment for the radio to take it, and another for the radio to end.
    async fn leave(mut self) {
        self.leaving = true;
        self.ends.health.send_replace(Health::Down(DownReason::Stopping));
        self.turn(Input::Command(Command::Leave));
        let flush = async {
            while !self.flushed() {
                match self.wait().await {
                    Wake::RadioGone => return,
                    wake => self.take(wake),
                }
            }
        };
        if tokio::time::timeout(FLUSH_TIMEOUT, flush).await.is_err() {
            tracing::debug!("the radio did not take everything before the node left");
        }
        let RadioHandle { commands, mut events } = self.radio;
        let linger = async { while events.recv().await.is_some() {} };
        if tokio::time::timeout(LINGER, linger).await.is_ok() {
            return;
        }
        drop(commands);
        let farewell = async { while events.recv().await.is_some() {} };
        if tokio::time::timeout(FAREWELL_TIMEOUT, farewell).await.is_err() {
            tracing::debug!("the radio did not end in time");
        }
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
