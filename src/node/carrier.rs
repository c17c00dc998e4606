//! The carrier: what is accepted or received goes to disk first, then on.
//!
//! One turn has two visits to the disk. In the first everything new is stored, in one transaction: texts that
//! were accepted, messages that arrived, receipts. In the second the router's decisions are written down and the
//! bodies for its dispatches are read. What cannot be stored is neither accepted nor acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::capabilities::TransportKey;
use crate::ids::{MessageId, PeerId};
use crate::mesh::kept::Keep;
use crate::message::{Body, DeliveryStatus, Message, Recipient};
use crate::router::event::{Failure, Input, Output, Report};
use crate::router::{Ask, Explanation, Router};
use crate::storage::{Acceptance, NewEntry, NewReceived, OutboxEntry, Reception, StoreError};
use crate::time::{Instant, Now};
use crate::transports::port::Command;

use super::error::SendError;
use super::event::{Event, MessageStatus};
use super::ports::Ports;
use super::public::PublicText;
use super::store::Store;
use super::visit::{self, Intake, Outcome, Written};

/// Changes that may wait for a disk that takes nothing; for a further one the oldest is given up.
const MAX_UNKEPT: usize = 4096;

/// Everything between the transports and the disk.
pub(super) struct Carrier {
    router: Router,
    store: Store,
    public: PublicText,
    events: Vec<Event>,
    intake: Vec<Intake>,
    /// Changes of what transports keep that could not be written down yet.
    unkept: Vec<Intake>,
    inputs: Vec<Input>,
}

/// Who waits for a message to be accepted.
pub(super) type Accepting = oneshot::Sender<Result<OutboxEntry, SendError>>;

impl Carrier {
    pub(super) fn new(router: Router, store: Store, public: PublicText) -> Self {
        let (events, intake, unkept, inputs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { router, store, public, events, intake, unkept, inputs }
    }

    /// Takes up what an earlier run left: messages under way, and what it measured.
    pub(super) async fn restore(&mut self) -> Result<(), StoreError> {
        let (pending, measured) =
            self.store.with(|database| Ok((database.pending()?, database.measured()?))).await?;
        self.inputs.push(Input::Remember(measured));
        self.inputs.extend(pending.into_iter().map(|entry| Input::Submit(entry.envelope)));
        Ok(())
    }

    /// When the router wants its next turn.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.router.poll_timeout()
    }

    /// How much waits for a turn.
    pub(super) fn waiting(&self) -> usize {
        self.intake.len().saturating_add(self.inputs.len())
    }

    /// Something for the router alone.
    pub(super) fn input(&mut self, input: Input) {
        self.inputs.push(input);
    }

    /// Which way a message would take, and why.
    pub(super) fn explain(&self, ask: &Ask, now: Now) -> Explanation {
        self.router.explain(ask, now)
    }

    /// A text of ours; answered once it is on disk.
    pub(super) fn accept_text(&mut self, ask: Ask, text: &str, id: MessageId, answer: Accepting, now: Now) {
        let signed = match ask.to {
            Recipient::Peer(_) => Ok((id, Body::Text(text.to_owned()))),
            Recipient::Everyone => self.public.sign(text, now.unix).map_err(SendError::from),
        };
        let checked = signed.and_then(|(id, body)| {
            self.router.check(&ask)?;
            Ok(entry(id, ask, body, now))
        });
        match checked {
            Ok(entry) => self.intake.push(Intake::Accept { entry, answer: Some(answer) }),
            Err(error) => {
                // Whoever asked may have gone meanwhile, and that is no error.
                answer.send(Err(error)).ok();
            }
        }
    }

    /// A message that no person wrote: a read receipt, a card.
    pub(super) fn accept_own(&mut self, ask: Ask, body: Body, id: MessageId, now: Now) {
        self.intake.push(Intake::Accept { entry: entry(id, ask, body, now), answer: None });
    }

    /// A message of somebody else's.
    pub(super) fn receive(&mut self, new: NewReceived, fragments: u16) {
        self.intake.push(Intake::Receive { new, fragments });
    }

    /// A receipt for a message of ours.
    pub(super) fn receipt(&mut self, transport: TransportKey, from: PeerId, id: MessageId, read: bool) {
        let status = if read { DeliveryStatus::Read } else { DeliveryStatus::Delivered };
        self.intake.push(Intake::Receipt { transport, from, id, status });
    }

    /// A change of what a transport keeps.
    pub(super) fn keep(&mut self, transport: TransportKey, change: Keep) {
        self.intake.push(Intake::Keep { transport, change });
    }

    /// Writes down what the transports told to keep as they stopped.
    pub(super) async fn close(mut self, last: Vec<Keep>) {
        let keep = |item| if let Intake::Keep { change, .. } = item { Some(change) } else { None };
        let mut changes: Vec<Keep> =
            self.unkept.drain(..).chain(self.intake.drain(..)).filter_map(keep).collect();
        changes.extend(last);
        let kept = self.store.with(move |database| {
            database.transaction(|database| changes.iter().try_for_each(|change| database.keep(change)))
        });
        if let Err(error) = kept.await {
            tracing::error!(%error, "what was to be kept could not be written down");
        }
    }

    /// Stores what came, lets the router decide, hands out what it decided, and tells what is worth telling.
    pub(super) async fn turn(&mut self, now: Now, ports: &mut Ports) -> Vec<Event> {
        self.first_visit(now, ports).await;
        for input in std::mem::take(&mut self.inputs) {
            self.router.handle(input, now);
        }
        self.router.handle(Input::Timeout, now);
        self.second_visit(now, ports).await;
        std::mem::take(&mut self.events)
    }

    fn tell(
        &mut self,
        id: MessageId,
        status: DeliveryStatus,
        via: Option<TransportKey>,
        reason: Option<String>,
    ) {
        self.events.push(Event::Status(MessageStatus { id, status, via, reason }));
    }
}

/// The first visit: what came is stored.
impl Carrier {
    async fn first_visit(&mut self, now: Now, ports: &mut Ports) {
        if self.intake.is_empty() {
            return;
        }
        let mut intake = std::mem::take(&mut self.unkept);
        intake.append(&mut self.intake);
        let visit = self.store.with(move |database| {
            let outcomes = visit::store(database, &intake, now.unix);
            Ok((intake, outcomes))
        });
        match visit.await {
            Ok((intake, Ok(outcomes))) => {
                tell_kept(&intake, ports);
                for (item, outcome) in intake.into_iter().zip(outcomes) {
                    self.stored(item, outcome, ports);
                }
            }
            Ok((intake, Err(error))) => {
                self.unkept = not_stored(intake, &error);
                let too_many = self.unkept.len().saturating_sub(MAX_UNKEPT);
                tell_kept(&self.unkept.drain(..too_many).collect::<Vec<_>>(), ports);
            }
            Err(error) => tracing::error!(%error, "the database is gone"),
        }
    }

    fn stored(&mut self, item: Intake, outcome: Outcome, ports: &mut Ports) {
        match (item, outcome) {
            (Intake::Accept { answer, .. }, Outcome::Accepted(acceptance, entry)) => {
                let answered = self.accepted(acceptance, entry);
                // Whoever asked may have gone meanwhile, and that is no error.
                answer.map(|answer| answer.send(answered).ok());
            }
            (Intake::Receive { new, fragments }, Outcome::Received(reception)) => {
                self.received(new, fragments, reception, ports);
            }
            (Intake::Receipt { transport, from, id, status }, Outcome::Receipt { new }) => {
                self.inputs.push(Input::Receipt { transport, from, id });
                if new {
                    self.tell(id, status, Some(transport), None);
                }
            }
            // Each item is answered in its own kind.
            (
                Intake::Accept { .. } | Intake::Receive { .. } | Intake::Receipt { .. } | Intake::Keep { .. },
                _,
            ) => {}
        }
    }

    fn accepted(
        &mut self,
        acceptance: Acceptance,
        entry: Option<OutboxEntry>,
    ) -> Result<OutboxEntry, SendError> {
        match (acceptance, entry) {
            (Acceptance::Refused(full), _) => Err(SendError::OutboxFull(full)),
            (Acceptance::Known, Some(entry)) => Ok(entry),
            (Acceptance::Accepted, Some(entry)) => {
                self.inputs.push(Input::Submit(entry.envelope.clone()));
                Ok(entry)
            }
            (Acceptance::Accepted | Acceptance::Known, None) => Err(SendError::Vanished),
        }
    }

    /// A message is on disk, was there before, or has no room: its sender is told.
    fn received(&mut self, new: NewReceived, fragments: u16, reception: Reception, ports: &mut Ports) {
        let (sender, id, via) = (new.sender.peer_id(), new.id, new.via);
        let command = match reception {
            Reception::Refused(full) => {
                tracing::warn!(%sender, %id, %full, "a message was refused");
                Command::Decline { sender, id }
            }
            Reception::Stored(_) | Reception::Duplicate => {
                Command::Acknowledge { sender, id, wire_ids: new.wire_ids.clone() }
            }
        };
        if !new.public {
            ports.command(via, command);
        }
        if let Reception::Stored(number) = reception {
            let message = Arc::new(new.into_entry(number));
            self.events.push(Event::Received { message, fragments });
        }
    }
}

/// Tells each transport how many of its changes are on disk.
fn tell_kept(intake: &[Intake], ports: &mut Ports) {
    let mut kept = BTreeMap::<TransportKey, u64>::new();
    for item in intake {
        if let Intake::Keep { transport, .. } = item {
            let changes = kept.entry(*transport).or_default();
            *changes = changes.saturating_add(1);
        }
    }
    for (transport, changes) in kept {
        ports.command(transport, Command::Kept { changes });
    }
}

/// Nothing was stored: nothing is accepted, and nothing acknowledged, so that its sender tries again. What
/// transports keep is told once, and is given back.
fn not_stored(intake: Vec<Intake>, error: &StoreError) -> Vec<Intake> {
    tracing::error!(%error, items = intake.len(), "nothing could be stored");
    let mut unkept = Vec::new();
    for item in intake {
        match item {
            Intake::Keep { .. } => unkept.push(item),
            Intake::Accept { answer: Some(answer), .. } => {
                answer.send(Err(SendError::NotStored(error.to_string()))).ok();
            }
            Intake::Accept { answer: None, .. } | Intake::Receive { .. } | Intake::Receipt { .. } => {}
        }
    }
    unkept
}

/// The second visit: what the router decided is written down, and what it sends is read.
impl Carrier {
    async fn second_visit(&mut self, now: Now, ports: &mut Ports) {
        let decisions: Vec<Output> = std::iter::from_fn(|| self.router.poll_output()).collect();
        if decisions.is_empty() {
            return;
        }
        let visit = self.store.with(move |database| {
            let written = visit::write_down(database, &decisions, now.unix);
            Ok((decisions, written))
        });
        match visit.await {
            Ok((decisions, Ok(written))) => {
                for (decision, written) in decisions.into_iter().zip(written) {
                    self.hand_out(decision, written, now, ports).await;
                }
            }
            Ok((decisions, Err(error))) => {
                tracing::error!(%error, "the router's decisions could not be written down");
                self.take_back(decisions);
            }
            Err(error) => tracing::error!(%error, "the database is gone"),
        }
    }

    async fn hand_out(&mut self, decision: Output, written: Written, now: Now, ports: &mut Ports) {
        match (decision, written) {
            (Output::Dispatch { attempt, transport, .. }, Written::Message(Some(message))) => {
                let message = self.fresh(message, now).await;
                ports.command(transport, Command::Send { attempt, message });
            }
            // Its row is gone, so nobody wants it any more.
            (Output::Dispatch { id, .. }, _) => self.inputs.push(Input::Withdraw(id)),
            (Output::Abandon { attempt, transport, id }, _) => {
                ports.command(transport, Command::Cancel { attempt, id });
            }
            (Output::Warm { transport, peer }, _) => ports.command(transport, Command::Warm { peer }),
            (Output::Deposit { expires, .. }, Written::Message(Some(message))) => {
                ports.command(TransportKey::Bitchat, Command::Deposit { message, expires });
            }
            (Output::Recall { id }, _) => ports.command(TransportKey::Bitchat, Command::Recall { id }),
            (Output::Status { id, status, via, reason }, Written::Status { new: true }) => {
                self.tell(id, status, via, reason.map(|reason| reason.to_string()));
            }
            (Output::Status { .. } | Output::Measured(_) | Output::Deposit { .. }, _) => {}
        }
    }

    /// A public text whose packet has grown too old is signed again, and kept so.
    async fn fresh(&mut self, mut message: Message, now: Now) -> Message {
        let Body::Public(packet) = &message.body else { return message };
        let Some(packet) = self.public.refresh(packet, now.unix) else { return message };
        message.body = Body::Public(packet.clone());
        let id = message.id;
        if let Err(error) = self.store.with(move |database| database.set_packet(id, &packet)).await {
            tracing::warn!(%error, %id, "a text that was signed again could not be kept");
        }
        message
    }

    /// What could not be written down did not happen: each attempt failed before it began.
    fn take_back(&mut self, decisions: Vec<Output>) {
        for decision in decisions {
            if let Output::Dispatch { attempt, .. } = decision {
                self.inputs.push(Input::Report { attempt, report: Report::Failed(Failure::Busy) });
            }
        }
    }
}

fn entry(id: MessageId, ask: Ask, body: Body, now: Now) -> NewEntry {
    let message = Message { id, to: ask.to, body, sent: now.unix };
    NewEntry { message, requirements: ask.requirements, expires: now.unix + ask.requirements.max_age }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::capabilities::{Capabilities, Health};
    use crate::crypto::Identity;
    use crate::mesh::kept::{Kept, Shelf};
    use crate::router;
    use crate::storage::{Database, DeviceKey, Limits};
    use crate::time::UnixMillis;
    use crate::transports::port::{self, Transport};

    const NOW: Now = Now { instant: Instant::ZERO, unix: UnixMillis(1_800_000_000_000) };

    fn put(key: &'static [u8]) -> Keep {
        Keep::Put(Kept { shelf: Shelf::Letters, key: Bytes::from_static(key), value: Bytes::new() })
    }

    /// A transport that says nothing until the sender goes, and what it is told.
    fn betanet() -> (Transport, mpsc::Receiver<Command>, mpsc::Sender<port::Event>) {
        let ((commands, told), (silence, events)) = (mpsc::channel(8), mpsc::channel(1));
        let transport = Transport {
            key: TransportKey::Betanet,
            capabilities: Capabilities::BETANET,
            health: watch::channel(Health::Up).1,
            commands,
            events,
            task: tokio::spawn(std::future::ready(())),
        };
        (transport, told, silence)
    }

    #[tokio::test]
    async fn what_the_disk_does_not_take_is_kept_when_it_does_and_only_then_its_transport_is_told() {
        let (home, mut rng) = (tempfile::tempdir().unwrap(), ChaCha20Rng::from_seed([1; 32]));
        let key = DeviceKey::load_or_create(home.path(), &mut rng).unwrap();
        let store = Store::new(Database::open(home.path(), &key, Limits::default()).unwrap());
        let router = Router::new(router::Config::default(), 1);
        let public = PublicText::new(Arc::new(Identity::generate(&mut rng)));
        let mut carrier = Carrier::new(router, store.clone(), public);
        let (transport, mut told, _silence) = betanet();
        let mut ports = Ports::default();
        ports.add(transport);
        let mut kept_after = async |carrier: &mut Carrier, key: &'static [u8]| {
            carrier.keep(TransportKey::Betanet, put(key));
            carrier.turn(NOW, &mut ports).await;
            ports.ready();
            match told.try_recv() {
                Ok(Command::Kept { changes }) => changes,
                _ => 0,
            }
        };
        let disk = rusqlite::Connection::open(home.path().join("messages.db")).unwrap();
        disk.execute_batch("ALTER TABLE kept RENAME TO elsewhere").unwrap();
        assert_eq!(kept_after(&mut carrier, b"1").await, 0);
        disk.execute_batch("ALTER TABLE elsewhere RENAME TO kept").unwrap();
        assert_eq!(kept_after(&mut carrier, b"2").await, 2);
        carrier.keep(TransportKey::Betanet, put(b"3"));
        carrier.close(vec![put(b"4")]).await;
        let (kept, _) = store.with(|database| database.kept()).await.unwrap();
        assert_eq!(kept.iter().map(|kept| kept.key.as_ref()).collect::<Vec<_>>(), [b"1", b"2", b"3", b"4"]);
    }
}
