//! What we send to one peer, until it is there or one attempt's patience is over.
//!
//! A text travels as parts of at most 255 bytes (spec 3.6), and goes again as a whole, freshly encrypted under
//! the same ids, as long as a receipt is missing: its receiver says nothing before it has stored all of it.
//! The engine tries for seconds only; whether there is another attempt is for whoever asked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::ANSWER_TIMEOUT;
use super::event::Expiry;
use crate::ids::{AttemptId, MessageId, PeerId};
use crate::time::Instant;
use crate::wire::NoisePayload;

/// Messages on their way at once; a further one is refused.
pub(super) const MAX_OUTGOING: usize = 256;
/// How long each try waits for an answer; the second one is longer, to let a new handshake finish.
const PATIENCE: [Duration; 2] = [ANSWER_TIMEOUT, Duration::from_secs(10)];

/// One message for one peer.
#[derive(Debug)]
pub(super) struct Message {
    /// The attempt its reports answer.
    pub(super) attempt: AttemptId,
    /// To whom.
    pub(super) to: PeerId,
    /// What goes into the session, in order.
    pub(super) payloads: Vec<NoisePayload>,
    /// Whether a receipt is waited for; otherwise it is done once it was sent.
    pub(super) wants_receipt: bool,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    sent: bool,
    tries: usize,
    next: Instant,
    /// Its recipient was heard of since the last try.
    woken: bool,
}

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// For the first time: over the links bound to its recipient.
    First,
    /// An earlier try went unanswered: over all links.
    Unanswered,
    /// Its recipient has appeared, or a new session stands, and may not have got an earlier try: over all links, and
    /// nothing is wrong with those bound to it.
    Anew,
}

/// What to do about a message whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// Send these payloads.
    Send {
        /// To whom.
        to: PeerId,
        /// Which message.
        id: MessageId,
        /// All its parts.
        payloads: Vec<NoisePayload>,
        /// Why.
        why: Why,
    },
    /// Nobody answered; the message is forgotten.
    Expired(Expired),
}

/// A message that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expired {
    /// The attempt.
    pub(super) attempt: AttemptId,
    /// The message.
    pub(super) id: MessageId,
    /// Why.
    pub(super) reason: Expiry,
}

/// Every message on its way to one peer.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    waiting: BTreeMap<MessageId, Waiting>,
}

impl Outgoing {
    /// Accepts a message, in place of an earlier attempt at it; its first sending is due at once. False when too
    /// many wait.
    pub(super) fn add(&mut self, id: MessageId, message: Message, now: Instant) -> bool {
        if self.waiting.len() >= MAX_OUTGOING && !self.waiting.contains_key(&id) {
            return false;
        }
        self.waiting.insert(id, Waiting { message, sent: false, tries: 0, next: now, woken: false });
        true
    }

    /// The next message to send, send again or give up.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Due> {
        self.waiting.retain(|_, waiting| waiting.next > now || !waiting.is_done());
        let (&id, waiting) = self.waiting.iter_mut().find(|(_, waiting)| waiting.next <= now)?;
        let Some(&patience) = PATIENCE.get(waiting.tries) else {
            let reason = if waiting.sent { Expiry::Silence } else { Expiry::NoSession };
            let expired = Expired { attempt: waiting.message.attempt, id, reason };
            self.waiting.remove(&id);
            return Some(Due::Expired(expired));
        };
        let why = match (waiting.tries, std::mem::take(&mut waiting.woken)) {
            (0, _) => Why::First,
            (_, false) => Why::Unanswered,
            (_, true) => Why::Anew,
        };
        waiting.tries += 1;
        waiting.next = now + patience;
        let Message { to, payloads, .. } = &waiting.message;
        Some(Due::Send { to: *to, id, payloads: payloads.clone(), why })
    }

    /// This peer appeared, or a session with it stands: what waits for it is due.
    pub(super) fn wake(&mut self, peer: PeerId, now: Instant) {
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.message.to == peer) {
            waiting.next = now;
            waiting.woken = true;
            // What was sent before may have met a peer without our session: one try more, at least.
            waiting.tries = if waiting.sent { waiting.tries.min(1) } else { 0 };
        }
    }

    /// Whether something is to be sent to this peer.
    pub(super) fn waits_for(&self, peer: PeerId) -> bool {
        self.waiting.values().any(|waiting| waiting.message.to == peer)
    }

    /// A message was put on a link, encrypted; the attempt, when that is news.
    pub(super) fn sent(&mut self, id: MessageId) -> Option<AttemptId> {
        let waiting = self.waiting.get_mut(&id)?;
        let attempt = waiting.message.attempt;
        let news = !std::mem::replace(&mut waiting.sent, true);
        if !waiting.message.wants_receipt {
            // It stays for a moment: a peer that was restarted answers with a new session, and `wake` sends it again.
            waiting.tries = PATIENCE.len();
        }
        news.then_some(attempt)
    }

    /// A peer has the whole of a message.
    pub(super) fn delivered(&mut self, to: PeerId, id: MessageId) {
        if self.waiting.get(&id).is_some_and(|waiting| waiting.message.to == to) {
            self.waiting.remove(&id);
        }
    }

    /// Whoever asked for this attempt wants it no longer.
    pub(super) fn cancel(&mut self, attempt: AttemptId, id: MessageId) {
        if self.waiting.get(&id).is_some_and(|waiting| waiting.message.attempt == attempt) {
            self.waiting.remove(&id);
        }
    }

    /// Nothing can reach these peers for now: gives up what waits for them.
    pub(super) fn give_up(&mut self, lost: impl Fn(PeerId) -> bool, reason: Expiry) -> Vec<Expired> {
        let given_up: Vec<Expired> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| lost(waiting.message.to) && !waiting.is_done())
            .map(|(&id, waiting)| Expired { attempt: waiting.message.attempt, id, reason })
            .collect();
        for expired in &given_up {
            self.waiting.remove(&expired.id);
        }
        given_up
    }

    /// When the next message is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.next).min()
    }
}

impl Waiting {
    /// It was sent, and nothing is expected to answer it.
    fn is_done(&self) -> bool {
        self.sent && !self.message.wants_receipt && self.tries >= PATIENCE.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: PeerId = PeerId([2; 8]);
    const ID: MessageId = MessageId([7; 16]);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn text(attempt: u64, wants_receipt: bool) -> Message {
        let payloads = vec![NoisePayload::PrivateMessage { id: ID.to_string(), content: "hello".to_owned() }];
        Message { attempt: AttemptId(attempt), to: BOB, payloads, wants_receipt }
    }

    fn waiting(message: Message) -> Outgoing {
        let mut outgoing = Outgoing::default();
        assert!(outgoing.add(ID, message, at(0)));
        outgoing
    }

    #[test]
    fn a_message_is_tried_twice_and_given_up_after_fifteen_seconds() {
        let mut outgoing = waiting(text(1, true));
        for (seconds, reason) in [(0, Why::First), (5, Why::Unanswered)] {
            assert_eq!(outgoing.poll_timeout(), Some(at(seconds)));
            let due = outgoing.pop_due(at(seconds));
            assert!(matches!(due, Some(Due::Send { why, .. }) if why == reason));
            assert_eq!(outgoing.pop_due(at(seconds)), None);
        }
        let expired = Expired { attempt: AttemptId(1), id: ID, reason: Expiry::NoSession };
        assert_eq!(outgoing.pop_due(at(15)), Some(Due::Expired(expired)));
        assert_eq!(outgoing.poll_timeout(), None);
    }

    #[test]
    fn a_message_that_was_sent_and_not_answered_expires_for_silence() {
        let mut outgoing = waiting(text(1, true));
        assert_eq!(outgoing.sent(ID), Some(AttemptId(1)));
        assert_eq!(outgoing.sent(ID), None, "that is known");
        assert!(outgoing.pop_due(at(0)).is_some() && outgoing.pop_due(at(5)).is_some());
        let expired = Expired { attempt: AttemptId(1), id: ID, reason: Expiry::Silence };
        assert_eq!(outgoing.pop_due(at(15)), Some(Due::Expired(expired)));
    }

    #[test]
    fn a_new_session_gives_a_message_another_try() {
        let mut outgoing = waiting(text(1, true));
        assert!(outgoing.pop_due(at(0)).is_some() && outgoing.pop_due(at(5)).is_some());
        outgoing.sent(ID);
        outgoing.wake(BOB, at(6));
        assert!(matches!(outgoing.pop_due(at(6)), Some(Due::Send { why: Why::Anew, .. })));
    }

    #[test]
    fn a_second_attempt_at_a_message_replaces_the_first() {
        let mut outgoing = waiting(text(1, true));
        outgoing.pop_due(at(0));
        assert!(outgoing.add(ID, text(2, true), at(1)));
        outgoing.cancel(AttemptId(1), ID);
        assert_eq!(outgoing.sent(ID), Some(AttemptId(2)), "the first attempt's end is not the second's");
        outgoing.cancel(AttemptId(2), ID);
        assert_eq!(outgoing.pop_due(at(1)), None);
    }

    #[test]
    fn what_wants_no_receipt_is_done_when_it_was_sent_unless_a_new_session_stands_soon_after() {
        let mut outgoing = waiting(text(1, false));
        for seconds in [0, 2] {
            outgoing.wake(BOB, at(seconds));
            assert!(matches!(outgoing.pop_due(at(seconds)), Some(Due::Send { .. })));
            outgoing.sent(ID);
            assert_eq!(outgoing.pop_due(at(seconds)), None);
        }
        assert_eq!(outgoing.pop_due(at(60)), None);
        assert_eq!(outgoing.poll_timeout(), None);
    }

    #[test]
    fn only_its_recipient_can_say_that_it_was_delivered() {
        let mut outgoing = waiting(text(1, true));
        outgoing.delivered(PeerId([3; 8]), ID);
        assert_eq!(outgoing.poll_timeout(), Some(at(0)));
        outgoing.delivered(BOB, ID);
        assert_eq!(outgoing.poll_timeout(), None);
    }
}
