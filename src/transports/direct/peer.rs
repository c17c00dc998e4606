//! All there is about one contact: its connections, the messages to it and those from it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use iroh::EndpointId;
use iroh::endpoint::ConnectionError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::config::Config;
use super::contact::Contact;
use super::delivery::{Deliveries, Outgoing, Waiting};
use super::dial::Dialling;
use super::link::{Code, Link, Serial, close};
use crate::capabilities::Reach;
use crate::ids::{AttemptId, MessageId};
use crate::message::{Body, Message};
use crate::router::event::{Failure, Report};
use crate::transports::port::{Event, Received};
use crate::wire::body;
use crate::wire::direct::Frame;

/// Bytes of a contact's messages that may wait to be stored; beyond that nothing of it is read.
const MAX_UNSTORED: usize = 4 << 20;
/// Connections one contact may have to us; the oldest goes when it makes more.
const MAX_LINKS: usize = 4;

/// What is to be told to the node.
pub(super) type Events = VecDeque<Event>;

/// One contact.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) contact: Contact,
    pub(super) endpoint: Option<EndpointId>,
    pub(super) dialling: Dialling,
    /// How often it took us for a stranger: next time it is called with another key of ours.
    pub(super) turned_away: usize,
    /// What the node was told last.
    pub(super) told: Reach,
    /// The newest last.
    links: Vec<Link>,
    deliveries: Deliveries,
    /// The room its messages take until they are stored.
    unstored: BTreeMap<MessageId, OwnedSemaphorePermit>,
    room: Arc<Semaphore>,
}

impl Peer {
    pub(super) fn new(contact: Contact, now: Instant) -> Self {
        Self {
            endpoint: contact.endpoint_id(),
            contact,
            dialling: Dialling::new(now),
            turned_away: 0,
            told: Reach::No,
            links: Vec::new(),
            deliveries: Deliveries::new(),
            unstored: BTreeMap::new(),
            room: Arc::new(Semaphore::new(MAX_UNSTORED)),
        }
    }

    /// Takes a new card of the same contact.
    pub(super) fn update(&mut self, contact: Contact, now: Instant, events: &mut Events) {
        if self.contact == contact {
            return;
        }
        let moved = self.contact.endpoint != contact.endpoint;
        self.endpoint = contact.endpoint_id();
        self.contact = contact;
        if moved {
            self.leave(None, Code::Bye, now, events);
            self.dialling = Dialling::new(now);
            self.turned_away = 0;
        }
        self.dialling.hurry(now);
    }

    /// Whether there is somewhere to call it.
    pub(super) fn is_findable(&self, config: &Config) -> bool {
        let by_relay = config.uses_relays() && !self.contact.relays.is_empty();
        let somewhere = config.mdns || by_relay || !self.contact.addresses.is_empty();
        somewhere && self.endpoint.is_some()
    }

    /// How surely it is reached.
    pub(super) fn reach(&self, config: &Config) -> Reach {
        match self.best() {
            Some(_) => Reach::Yes,
            None if self.is_findable(config) => Reach::Perhaps,
            None => Reach::No,
        }
    }

    /// When it is to be called; `None` while there is a connection, or a call rings.
    pub(super) fn call_due(&self, config: &Config) -> Option<Instant> {
        let wanted = self.is_alone() && self.is_findable(config);
        self.dialling.due().filter(|_| wanted)
    }

    /// The connection messages leave by.
    pub(super) fn best(&self) -> Option<&Link> {
        self.links.iter().rfind(|link| link.is_usable())
    }

    /// Whether there is no connection, not even one that may become usable.
    fn is_alone(&self) -> bool {
        self.links.is_empty()
    }

    /// Room for the messages a new connection brings.
    pub(super) fn room(&self) -> Arc<Semaphore> {
        Arc::clone(&self.room)
    }

    /// Sends a message, now or as soon as a connection is up.
    pub(super) fn send(
        &mut self,
        attempt: AttemptId,
        message: &Message,
        can_call: bool,
        events: &mut Events,
    ) {
        match self.deliveries.admit(attempt, message) {
            Ok(waiting) if self.best().is_some() => self.queue(waiting, events),
            Ok(waiting) if can_call || !self.is_alone() => self.deliveries.waiting.push_back(waiting),
            Ok(_) => fail(attempt, Failure::Unreachable, events),
            Err(failure) => fail(attempt, failure, events),
        }
    }

    fn queue(&mut self, waiting: Waiting, events: &mut Events) {
        let Some(link) = self.links.iter().rfind(|link| link.is_usable()) else { return };
        let attempt = waiting.attempt;
        let (id, unanswered, outgoing) = waiting.onto(link.serial);
        if link.send(outgoing) {
            self.deliveries.unanswered.insert(id, unanswered);
        } else {
            fail(attempt, Failure::Busy, events);
        }
    }

    /// Makes sure that its connections live.
    pub(super) fn feel(&self) {
        for link in &self.links {
            link.feel();
        }
    }

    /// Sends a frame that nobody waits for; false when it cannot leave now.
    pub(super) fn tell(&self, frame: Bytes) -> bool {
        self.best().is_some_and(|link| link.send(Outgoing::unasked(frame)))
    }

    /// Answers a message, whose room is free from now on.
    pub(super) fn answer(&mut self, id: MessageId, answer: &Frame) {
        self.unstored.remove(&id);
        // An answer that cannot leave is not missed: the sender will send again.
        if let Ok(frame) = answer.encode() {
            self.tell(frame);
        }
    }

    /// Forgets an attempt.
    pub(super) fn cancel(&mut self, attempt: AttemptId, id: MessageId) {
        self.deliveries.cancel(attempt, id);
    }

    /// A connection was made, by us or by the contact.
    pub(super) fn add(&mut self, link: Link) {
        if self.links.len() >= MAX_LINKS
            && let Some(oldest) = self.links.first()
        {
            close(&oldest.connection, Code::Redundant);
        }
        self.links.push(link);
    }

    /// The contact listens on a connection. When there is another, `we_decide` which one stays: the newer,
    /// for it may have been made because the other is dead.
    pub(super) fn ready(&mut self, serial: Serial, now: Instant, events: &mut Events) {
        self.dialling.connected(now);
        let we_decide = self.links.iter().any(|link| link.serial == serial && link.we_decide);
        for link in &mut self.links {
            if link.serial == serial {
                link.ready = true;
            } else if we_decide && link.is_usable() {
                link.retire();
                link.close_after_linger();
            }
        }
        for waiting in std::mem::take(&mut self.deliveries.waiting) {
            self.queue(waiting, events);
        }
    }

    /// The contact says no more on a connection: it has a better one.
    pub(super) fn ended(&mut self, serial: Serial) {
        let Some(link) = self.links.iter_mut().find(|link| link.serial == serial) else { return };
        link.ended = true;
        link.retire();
        if link.we_decide {
            close(&link.connection, Code::Redundant);
        }
    }

    /// A connection is gone, and with it what it carried, unless it was replaced in good order.
    pub(super) fn closed(
        &mut self,
        serial: Serial,
        error: &ConnectionError,
        now: Instant,
        events: &mut Events,
    ) {
        let Some(index) = self.links.iter().position(|link| link.serial == serial) else { return };
        let link = self.links.remove(index);
        if Code::Stranger.is_in(error) {
            self.turned_away = self.turned_away.saturating_add(1);
        }
        match self.best().map(|best| best.serial) {
            Some(best) if link.is_spent() => self.deliveries.hand_over(serial, best),
            Some(_) | None => {
                for attempt in self.deliveries.lost_with(serial) {
                    fail(attempt, Failure::Broken, events);
                }
                // What broke this one may have broken the others.
                self.feel();
            }
        }
        if self.is_alone() {
            tracing::debug!(peer = %self.contact.peer, %error, "the last connection is gone");
            self.desert(now, events);
        }
    }

    /// A call came to nothing.
    pub(super) fn unanswered_call(&mut self, now: Instant, events: &mut Events) {
        self.dialling.failed(now);
        if self.is_alone() {
            self.give_up_waiting(events);
        }
    }

    fn give_up_waiting(&mut self, events: &mut Events) {
        for waiting in std::mem::take(&mut self.deliveries.waiting) {
            fail(waiting.attempt, Failure::Unreachable, events);
        }
    }

    /// Closes every connection, or every one of this endpoint of ours, and gives up what they carried.
    pub(super) fn leave(&mut self, ours: Option<EndpointId>, code: Code, now: Instant, events: &mut Events) {
        for link in self.links.extract_if(.., |link| ours.is_none_or(|ours| link.ours == ours)) {
            close(&link.connection, code);
            for attempt in self.deliveries.lost_with(link.serial) {
                fail(attempt, Failure::Broken, events);
            }
        }
        if self.is_alone() {
            self.desert(now, events);
        }
    }

    /// The last connection is gone.
    fn desert(&mut self, now: Instant, events: &mut Events) {
        self.unstored.clear();
        self.dialling.lost(now);
        self.give_up_waiting(events);
    }

    /// The contact said something.
    pub(super) fn heard(&mut self, frame: Frame, room: Option<OwnedSemaphorePermit>, events: &mut Events) {
        match frame {
            Frame::Hello => {}
            Frame::Public(packet) => events.push_back(Event::Heard { packet }),
            Frame::Ack(id) => self.acknowledged(id, events),
            Frame::Declined(id) => {
                if let Some(unanswered) = self.deliveries.unanswered.remove(&id) {
                    fail(unanswered.attempt, Failure::RecipientFull, events);
                }
            }
            Frame::Message { id, sent, body } => match body::decode(&body) {
                Ok(Body::Read { of, .. }) => {
                    events.push_back(Event::Receipt { from: self.contact.peer, id: of, read: true });
                    self.answer(id, &Frame::Ack(id));
                }
                Ok(body @ (Body::Text(_) | Body::Card(_))) => {
                    if let Some(room) = room {
                        self.unstored.insert(id, room);
                    }
                    events.push_back(Event::Received(Received {
                        sender: self.contact.fingerprint,
                        nickname: String::new(),
                        public: false,
                        room: None,
                        id,
                        body,
                        sent,
                        wire_ids: Vec::new(),
                        ttl: 0,
                        fragments: 0,
                    }));
                }
                // Nothing that comes later makes it readable.
                Ok(Body::Public(_)) | Err(_) => self.answer(id, &Frame::Declined(id)),
            },
        }
    }

    fn acknowledged(&mut self, id: MessageId, events: &mut Events) {
        match self.deliveries.unanswered.remove(&id) {
            Some(unanswered) if !unanswered.wants_receipt => {
                events.push_back(Event::Report { attempt: unanswered.attempt, report: Report::Sent });
            }
            // A receipt for a message nobody waits for any more is still a receipt.
            Some(_) | None => {
                events.push_back(Event::Receipt { from: self.contact.peer, id, read: false });
            }
        }
    }
}

/// Tells that an attempt failed.
pub(super) fn fail(attempt: AttemptId, failure: Failure, events: &mut Events) {
    events.push_back(Event::Report { attempt, report: Report::Failed(failure) });
}
