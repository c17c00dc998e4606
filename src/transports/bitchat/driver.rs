//! The task that owns an engine: it reads the clock, feeds the engine, drains it, and waits.
//!
//! Only the driver touches the engine. It never waits for one thing alone: commands the radio has no room for stay
//! in `pending`, events the node has no room for stay in `told`, and everything else goes on meanwhile (see
//! [`crate::radio::handle`]).
//!
//! * `pending` is bounded by the link layer, which has a bounded number of links, hands out a further write on a
//!   link only when an earlier one was answered, and dials one device at a time.
//! * `told` is bounded because the air is not listened to while it is full. Commands and timers are served even
//!   then, so a node that waits to hand over a command is never waited for; they add an answer each.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};

use super::board::{BitchatStatus, Board};
use super::handle::Question;
use super::reached::Reached;
use super::translate::{Asked, asked, failed, told};
use crate::capabilities::{DownReason, Health};
use crate::clock::Clock;
use crate::ids::{AttemptId, LinkId};
use crate::link::event::{LinkDownReason, RadioCommand, RadioEvent};
use crate::mesh::Engine;
use crate::mesh::event::{self, Input, Output};
use crate::mesh::kept::Kept;
use crate::mesh::media::event::{Event as MediaEvent, Received};
use crate::radio::RadioHandle;
use crate::router::event::Failure;
use crate::transports::port::{Command, EVENT_BOUND, Event};

/// How long a goodbye may take to leave through the radio. Together with the next two, less than the
/// second in which a node stops.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(250);
/// How long links stay up after the radio took everything: what it took is on its way for a while yet, and a
/// link that ends loses it.
const LINGER: Duration = Duration::from_millis(100);
/// How long the radio may take to close its links.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(600);
/// Events that wait for room in the node's channel before the air is no longer listened to.
const TOLD_BOUND: usize = EVENT_BOUND;

/// The transport's ends of its channels.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) health: watch::Sender<Health>,
    pub(super) questions: mpsc::Receiver<Question>,
    pub(super) mesh_events: broadcast::Sender<event::Event>,
}

/// One engine with everything it is driven by.
pub(super) struct Driver {
    engine: Engine,
    clock: Clock,
    radio: RadioHandle,
    ends: Ends,
    /// Commands the radio had no room for yet.
    pending: VecDeque<RadioCommand>,
    /// Writes the radio has not answered yet.
    unanswered: BTreeMap<LinkId, u32>,
    /// Events the node had no room for yet.
    told: VecDeque<Event>,
    /// What the engine says in this turn, where somebody waits for it.
    said: Option<Vec<event::Event>>,
    reached: Reached,
    board: Board,
    /// Who stores files that come; each may have a megabyte, so they are not told to everybody.
    files: Option<mpsc::Sender<Received>>,
    /// Who waits for what becomes of a file of ours. Its pieces are many, so they are not told to everybody either.
    followed: BTreeMap<AttemptId, watch::Sender<Option<MediaEvent>>>,
    /// The radio ended by itself.
    radio_gone: bool,
    /// Nobody holds a handle any more.
    unasked: bool,
    leaving: bool,
}

/// What woke the driver.
enum Wake {
    Radio(RadioEvent),
    RadioGone,
    Command(Command),
    Question(Question),
    Timeout,
    /// Something left for the radio or the node.
    Handed,
}

impl Driver {
    pub(super) fn new(engine: Engine, clock: Clock, radio: RadioHandle, ends: Ends) -> Self {
        Self {
            engine,
            clock,
            radio,
            ends,
            pending: VecDeque::new(),
            unanswered: BTreeMap::new(),
            told: VecDeque::new(),
            said: None,
            reached: Reached::default(),
            board: Board::default(),
            files: None,
            followed: BTreeMap::new(),
            radio_gone: false,
            unasked: false,
            leaving: false,
        }
    }

    /// Runs until the node asks it to stop, or is gone. Without its radio it goes on: nobody is in range then, but
    /// what other transports bring is still checked here.
    pub(super) async fn run(mut self, kept: Vec<Kept>) {
        self.turn(Input::Restore(kept));
        self.turn(Input::Timeout);
        loop {
            let wake = self.wait().await;
            if matches!(wake, Wake::Command(Command::Shutdown)) {
                return self.leave().await;
            }
            self.serve(wake);
        }
    }

    async fn wait(&mut self) -> Wake {
        let deadline = self.engine.poll_timeout();
        tokio::select! {
            permit = self.radio.commands.reserve(), if !self.radio_gone && !self.pending.is_empty() => {
                let Ok(permit) = permit else { return Wake::RadioGone };
                if let Some(command) = self.pending.pop_front() {
                    self.board.radio_command(&command);
                    permit.send(command);
                }
                Wake::Handed
            }
            permit = self.ends.events.reserve(), if !self.told.is_empty() => {
                match permit {
                    Ok(permit) => {
                        if let Some(event) = self.told.pop_front() {
                            permit.send(event);
                        }
                    }
                    // The node no longer listens.
                    Err(_) => self.told.clear(),
                }
                Wake::Handed
            }
            event = self.radio.events.recv(), if !self.radio_gone && self.told.len() < TOLD_BOUND => {
                event.map_or(Wake::RadioGone, Wake::Radio)
            }
            command = self.ends.commands.recv(), if !self.leaving => {
                Wake::Command(command.unwrap_or(Command::Shutdown))
            }
            question = self.ends.questions.recv(), if !self.unasked => {
                let Some(question) = question else {
                    self.unasked = true;
                    return Wake::Handed;
                };
                Wake::Question(question)
            }
            () = self.clock.sleep_until(deadline) => Wake::Timeout,
        }
    }

    fn serve(&mut self, wake: Wake) {
        match wake {
            Wake::Radio(event) => self.radio_event(event),
            Wake::RadioGone => self.lose_radio(),
            Wake::Question(question) => self.answer(question),
            Wake::Timeout => self.turn(Input::Timeout),
            Wake::Command(command) => self.command(command),
            Wake::Handed => {}
        }
    }

    fn command(&mut self, command: Command) {
        match asked(command) {
            Asked::Engine(command) => self.turn(Input::Command(command)),
            Asked::Unfit(attempt) => self.told.push_back(failed(attempt, Failure::Unfit)),
            Asked::Nothing => {}
        }
    }

    /// One turn of the engine: the clock is read once, one input goes in, every output comes out.
    fn turn(&mut self, input: Input) {
        self.engine.handle(input, self.clock.now());
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Radio(_) if self.radio_gone => {}
                Output::Radio(command) => {
                    if let RadioCommand::Write { link, .. } = command {
                        *self.unanswered.entry(link).or_default() += 1;
                    }
                    self.pending.push_back(command);
                }
                Output::Event(event) => self.tell(event),
                Output::Keep(change) => self.told.push_back(Event::Keep(change)),
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
        self.tell_health();
    }

    /// The radio ended by itself: its links and adapters are down, in that order, as it would have said.
    fn lose_radio(&mut self) {
        self.radio_gone = true;
        self.pending.clear();
        self.unanswered.clear();
        let links: Vec<LinkId> = self.engine.links().links().map(|(link, _)| link).collect();
        for link in links {
            self.radio_event(RadioEvent::LinkDown { link, reason: LinkDownReason::AdapterDown });
        }
        let up: Vec<_> =
            self.board.adapters.iter().filter(|(_, up)| **up).map(|(&adapter, _)| adapter).collect();
        for adapter in up {
            self.radio_event(RadioEvent::AdapterDown { adapter });
        }
        self.tell_health();
    }

    fn tell(&mut self, event: event::Event) {
        if event == event::Event::ClockUnset {
            tracing::error!("the clock of this machine is not set: nothing is sent");
        }
        if let event::Event::ClockOff { ahead_ms } = event {
            tracing::warn!(
                ahead_ms,
                "the clock of this machine seems to be wrong: others drop what is sent here"
            );
        }
        if let event::Event::Media(event) = event {
            return self.tell_of_file(event);
        }
        let reach = self.reached.note(&event).into_iter().map(|(to, reach)| Event::Reach { to, reach });
        self.told.extend(reach);
        self.told.extend(told(&event));
        self.said.iter_mut().for_each(|said| said.push(event.clone()));
        // Nobody may be listening, and that is no error.
        self.ends.mesh_events.send(event).ok();
    }

    fn tell_of_file(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Received(file) => self.hand_on(file),
            MediaEvent::Progress { attempt, .. }
            | MediaEvent::Sent { attempt }
            | MediaEvent::Delivered { attempt }
            | MediaEvent::Unconfirmed { attempt }
            | MediaEvent::Failed { attempt, .. } => {
                if let Some(follower) = self.followed.get(&attempt) {
                    follower.send_replace(Some(event));
                }
            }
        }
    }

    /// A file that nobody has room for is not acknowledged: its sender may send it again.
    fn hand_on(&self, file: Received) {
        if self.files.as_ref().is_none_or(|files| files.try_send(file).is_err()) {
            tracing::warn!(
                "a file that came over the mesh is not stored: nobody takes it, or too many come at once"
            );
        }
    }

    fn tell_health(&mut self) {
        let health = self.health();
        let changed = |before: &mut Health| std::mem::replace(before, health) != health;
        if self.ends.health.send_if_modified(changed) {
            self.told.push_back(Event::Health(health));
        }
    }

    fn health(&self) -> Health {
        match (self.leaving, self.radio_gone, self.board.adapters.is_empty()) {
            (true, ..) => Health::Down(DownReason::Stopping),
            (_, true, _) => Health::Down(DownReason::Failed),
            (_, _, true) => Health::Down(DownReason::Starting),
            (false, false, false) if self.board.adapters.values().any(|up| *up) => Health::Up,
            (false, false, false) => Health::Down(DownReason::NoAdapter),
        }
    }

    fn answer(&mut self, question: Question) {
        // Whoever asked may have gone meanwhile, and that is no error: hence the `ok()`s.
        match question {
            Question::Peers(answer) => {
                answer.send(self.engine.peers(self.clock.now())).ok();
            }
            Question::Status(answer) => {
                answer.send(self.status()).ok();
            }
            Question::TakeFiles(files) => self.files = Some(files),
            Question::Follow(attempt, follower) => {
                self.followed.retain(|_, follower| !follower.is_closed());
                self.followed.insert(attempt, follower);
            }
            Question::Ask(command, answer) => {
                self.said = Some(Vec::new());
                self.turn(Input::Command(command));
                answer.send(self.said.take().unwrap_or_default()).ok();
            }
            Question::Groups(answer) => {
                answer.send(self.engine.groups()).ok();
            }
            Question::Notices(answer) => {
                answer.send(self.engine.notices(self.clock.now())).ok();
            }
            Question::Topology(answer) => {
                answer.send(self.engine.topology(self.clock.now())).ok();
            }
            Question::Opinion(who, answer) => {
                answer.send(self.engine.opinion(who, self.clock.now())).ok();
            }
            Question::Command(command) => self.turn(Input::Command(command)),
        }
    }

    fn status(&self) -> BitchatStatus {
        BitchatStatus {
            adapters: self.board.adapters.iter().map(|(adapter, up)| (*adapter, *up)).collect(),
            links: self.engine.links().links().map(|(link, info)| (link, info.clone())).collect(),
            radio: self.board.radio,
            link: *self.engine.links().counters(),
            mesh: self.engine.counters().clone(),
            courier: self.engine.courier_report(),
            clock_doubt: self.engine.clock_doubt(self.clock.now()),
        }
    }

    /// Says goodbye, waits a moment for the radio to take it, and another for the radio to end.
    async fn leave(mut self) {
        self.leaving = true;
        self.ends.commands.close();
        self.tell_health();
        self.turn(Input::Command(event::Command::Leave));
        let flush = async {
            while !self.radio_gone && !self.flushed() {
                let wake = self.wait().await;
                self.serve(wake);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::Reach;
    use crate::crypto::Identity;
    use crate::ids::{AdapterId, MessageId, PeerId};
    use crate::link::event::{DeviceAddress, Role};
    use crate::mesh::{Config, public_packet};
    use crate::message::{Body, Message, Recipient};
    use crate::radio::{RadioPort, channel};
    use crate::router::event::Report;
    use crate::transports::bitchat::files::outcome;
    use crate::transports::bitchat::handle::{EVENT_BOUND as HEARD_BOUND, QUESTION_BOUND};
    use crate::transports::bitchat::{BitchatHandle, start};
    use crate::transports::files::Progress;
    use crate::transports::port::Transport;

    const ADAPTER: AdapterId = AdapterId(0);
    /// Far longer than anything takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn transport(bound: usize) -> (Transport, BitchatHandle, RadioPort) {
        let (radio, port) = channel(bound);
        let (transport, handle) =
            start(ada(), Config::default(), [2; 32], Vec::new(), Some(radio), Clock::start());
        (transport, handle, port)
    }

    fn ada() -> Identity {
        Identity::from_bytes(&[1; 64])
    }

    /// A driver that runs by hand.
    fn driver() -> (Driver, BitchatHandle) {
        let (radio, _) = channel(1);
        let (_, commands) = mpsc::channel(1);
        let (events, _) = mpsc::channel(1);
        let (health, _) = watch::channel(Health::Up);
        let (questions, asked) = mpsc::channel(QUESTION_BOUND);
        let (mesh_events, _) = broadcast::channel(HEARD_BOUND);
        let handle = BitchatHandle { questions, events: mesh_events.downgrade() };
        let ends = Ends { commands, events, health, questions: asked, mesh_events };
        let engine = Engine::new(ada(), Config::default(), [2; 32]);
        (Driver::new(engine, Clock::start(), radio, ends), handle)
    }

    #[tokio::test]
    async fn what_becomes_of_a_file_is_heard_whatever_else_happens_meanwhile() {
        let (mut driver, handle) = driver();
        let attempt = AttemptId(7);
        let followed = handle.follow(attempt).await;
        let Ok(question) = driver.ends.questions.try_recv() else { panic!("it was asked") };
        driver.answer(question);
        driver.tell(event::Event::Media(MediaEvent::Sent { attempt }));
        driver.tell(event::Event::Media(MediaEvent::Delivered { attempt }));
        for serial in 0..=u32::try_from(HEARD_BOUND).unwrap() {
            driver.tell(event::Event::LinkUp { link: LinkId { adapter: ADAPTER, serial } });
        }
        let (progress, _) = watch::channel(Progress::default());
        let heard = tokio::time::timeout(PATIENCE, outcome(followed, false, (1, &progress))).await;
        assert!(matches!(heard, Ok(Ok(true))), "{heard:?}");
    }

    fn adapter_up(adapter: AdapterId) -> RadioEvent {
        RadioEvent::AdapterUp { adapter, address: DeviceAddress([0; 6]) }
    }

    fn link_up(serial: u32) -> RadioEvent {
        RadioEvent::LinkUp {
            link: LinkId { adapter: ADAPTER, serial },
            address: DeviceAddress([0xC0, 0, 0, 0, 0, 1]),
            role: Role::Central,
            max_frame: 512,
        }
    }

    fn public(attempt: u64) -> Command {
        let sent = Clock::start().now().unix;
        let packet = public_packet(&ada(), &format!("text {attempt}"), sent).unwrap();
        let (id, body) = (packet.id.into(), Body::Public(packet.bytes));
        let message = Message { id, to: Recipient::Everyone, body, sent };
        Command::Send { attempt: AttemptId(attempt), message }
    }

    fn text(attempt: u64, to: Recipient) -> Command {
        let (id, body) = (MessageId([7; 16]), Body::Text("hello".to_owned()));
        let message = Message { id, to, body, sent: Clock::start().now().unix };
        Command::Send { attempt: AttemptId(attempt), message }
    }

    fn report(attempt: u64, report: Report) -> Event {
        Event::Report { attempt: AttemptId(attempt), report }
    }

    /// Waits for an event, and passes over what comes before it.
    async fn await_event(transport: &mut Transport, wanted: Event) {
        let found = async { while transport.receive().await.expect("it runs on") != wanted {} };
        let there = tokio::time::timeout(PATIENCE, found).await;
        assert!(there.is_ok(), "{wanted:?} did not come");
    }

    #[tokio::test]
    async fn a_radio_that_takes_nothing_holds_up_neither_answers_nor_the_end() {
        let (mut transport, handle, port) = transport(1);
        assert!(!transport.is_available());
        port.events.send(adapter_up(ADAPTER)).await.unwrap();
        await_event(&mut transport, Event::Health(Health::Up)).await;
        assert!(transport.is_available());
        port.events.send(link_up(1)).await.unwrap();
        await_event(&mut transport, Event::Reach { to: Recipient::Everyone, reach: Reach::Yes }).await;
        for attempt in 1..=3 {
            transport.send(public(attempt)).await;
            await_event(&mut transport, report(attempt, Report::Sent)).await;
        }
        assert_eq!(handle.status().await.unwrap().links.len(), 1);
        tokio::time::timeout(Duration::from_secs(1), transport.stop()).await.unwrap();
        drop(port);
    }

    #[tokio::test]
    async fn a_goodbye_goes_out_before_the_radio_is_let_go() {
        let (mut transport, handle, mut port) = transport(8);
        port.events.send(link_up(1)).await.unwrap();
        await_event(&mut transport, Event::Reach { to: Recipient::Everyone, reach: Reach::Yes }).await;
        let stopping = tokio::spawn(transport.stop());
        let mut frames = 0;
        while let Some(command) = port.commands.recv().await {
            if let RadioCommand::Write { link, .. } = command {
                frames += 1;
                port.events.send(RadioEvent::Written { link }).await.unwrap();
            }
        }
        drop(port);
        stopping.await.unwrap();
        assert!(frames > 0, "no LEAVE went out");
        assert!(handle.status().await.is_none() && handle.subscribe().is_none());
    }

    #[tokio::test]
    async fn without_its_radio_it_says_so_and_answers_on() {
        let (mut transport, handle, port) = transport(8);
        port.events.send(adapter_up(ADAPTER)).await.unwrap();
        port.events.send(link_up(1)).await.unwrap();
        await_event(&mut transport, Event::Reach { to: Recipient::Everyone, reach: Reach::Yes }).await;
        drop(port);
        await_event(&mut transport, Event::Reach { to: Recipient::Everyone, reach: Reach::No }).await;
        await_event(&mut transport, Event::Health(Health::Down(DownReason::Failed))).await;
        transport.send(public(1)).await;
        await_event(&mut transport, report(1, Report::Failed(Failure::Unreachable))).await;
        let status = handle.status().await.unwrap();
        assert_eq!((status.links.len(), status.adapters), (0, vec![(ADAPTER, false)]));
        tokio::time::timeout(Duration::from_secs(1), transport.stop()).await.unwrap();
    }

    #[tokio::test]
    async fn its_health_follows_its_adapters() {
        let (mut transport, _handle, port) = transport(8);
        let other = AdapterId(1);
        for event in [
            RadioEvent::AdapterDown { adapter: ADAPTER },
            adapter_up(other),
            adapter_up(ADAPTER),
            RadioEvent::AdapterDown { adapter: other },
            RadioEvent::AdapterDown { adapter: ADAPTER },
        ] {
            port.events.send(event).await.unwrap();
        }
        let mut healths = Vec::new();
        while healths.len() < 3 {
            if let Event::Health(health) = transport.receive().await.unwrap() {
                healths.push(health);
            }
        }
        let none = Health::Down(DownReason::NoAdapter);
        assert_eq!(healths, [none, Health::Up, none]);
    }

    #[tokio::test]
    async fn what_the_mesh_cannot_carry_is_said_at_once() {
        let (mut transport, _handle, _port) = transport(8);
        transport.send(text(1, Recipient::Everyone)).await;
        await_event(&mut transport, report(1, Report::Failed(Failure::Unfit))).await;
        transport.send(text(2, Recipient::Peer(PeerId([9; 8])))).await;
        await_event(&mut transport, report(2, Report::Failed(Failure::Unreachable))).await;
    }

    #[tokio::test]
    async fn a_node_that_takes_no_events_stops_the_air_and_is_still_obeyed() {
        let (mut transport, handle, port) = transport(1);
        port.events.send(adapter_up(ADAPTER)).await.unwrap();
        // Each flips who is reached, which is an event; in the end nobody takes them.
        let flips = EVENT_BOUND + TOLD_BOUND;
        let air = tokio::spawn(async move {
            for serial in 0..u32::try_from(flips).unwrap() {
                let link = LinkId { adapter: ADAPTER, serial };
                port.events.send(link_up(serial)).await.unwrap();
                let reason = LinkDownReason::Remote;
                port.events.send(RadioEvent::LinkDown { link, reason }).await.unwrap();
            }
            port
        });
        while transport.events.len() < EVENT_BOUND {
            handle.status().await.unwrap();
        }
        for attempt in 0..2 * u64::try_from(EVENT_BOUND).unwrap() {
            assert!(transport.send(text(attempt, Recipient::Everyone)).await);
        }
        handle.status().await.unwrap();
        assert!(!air.is_finished(), "the air is not listened to");
        let last = report(2 * u64::try_from(EVENT_BOUND).unwrap() - 1, Report::Failed(Failure::Unfit));
        await_event(&mut transport, last).await;
        let everyone = |event: &Event| matches!(event, Event::Reach { to: Recipient::Everyone, .. });
        while !air.is_finished() {
            tokio::select! {
                event = transport.receive() => drop(event.filter(everyone).unwrap()),
                () = tokio::task::yield_now() => {}
            }
        }
        drop(air.await.unwrap());
    }
}
