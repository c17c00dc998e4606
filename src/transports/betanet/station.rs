//! One relay as this node sees it: the line to it, what waits for it, and our mailbox there if it is one of ours.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;

use super::job::{Job, Left, Outgoing, Purpose};
use super::line::{ASK_BOUND, Ask, Serial};
use super::lodging::Lodging;
use crate::ids::AttemptId;
use crate::time::Instant;
use crate::wire::record::SignedRecord;

/// Envelopes that may wait for one relay.
const MAX_WAITING: usize = 1024;
/// Bytes of them, from which on none is added.
const MAX_WAITING_BYTES: usize = 32 << 20;
/// Envelopes under way to a relay; the other places of a line are for our mailbox.
const MAX_DEPOSITS: usize = ASK_BOUND - 2;
/// How long a line that nothing goes over stays, to a relay that is none of ours.
const IDLE: Duration = Duration::from_secs(120);
/// The first pause after a relay that is none of ours did not answer; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A line that stands, and what is under way over it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) line: Serial,
    pub(super) exporter: [u8; 32],
    asks: mpsc::Sender<Ask>,
    busy: BTreeMap<u64, Job>,
}

/// One relay.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) record: SignedRecord,
    /// Our mailbox there, where the relay is one of ours.
    pub(super) lodging: Option<Lodging>,
    pub(super) open: Option<Open>,
    /// Lines that take no more requests, and what they still have to answer.
    retired: BTreeMap<Serial, BTreeMap<u64, Job>>,
    /// The call that rings.
    pub(super) calling: Option<Serial>,
    /// The call that rings is to replace a line that stood until a moment ago.
    pub(super) renewing: bool,
    waiting: VecDeque<Outgoing>,
    waiting_bytes: usize,
    /// Somebody may want to leave something soon.
    wanted: bool,
    pause: Duration,
    not_before: Instant,
    used: Instant,
}

impl Station {
    pub(super) fn new(record: SignedRecord, lodging: Option<Lodging>, now: Instant) -> Self {
        Self {
            record,
            lodging,
            open: None,
            retired: BTreeMap::new(),
            calling: None,
            renewing: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            wanted: false,
            pause: Duration::ZERO,
            not_before: now,
            used: now,
        }
    }

    /// Whether it is one of ours.
    pub(super) const fn is_own(&self) -> bool {
        self.lodging.is_some()
    }

    /// Whether something can be left there now or in a moment.
    pub(super) const fn is_reached(&self) -> bool {
        self.open.is_some() || self.renewing
    }

    /// Whether one more envelope may wait.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING && self.waiting_bytes < MAX_WAITING_BYTES
    }

    /// Puts an envelope in the line; gives it back when there is no room.
    pub(super) fn queue(&mut self, outgoing: Outgoing) -> Option<Outgoing> {
        if !self.has_room() {
            return Some(outgoing);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(outgoing.envelope.len());
        self.waiting.push_back(outgoing);
        None
    }

    /// Takes out a message that was not left yet.
    pub(super) fn cancel(&mut self, attempt: AttemptId) -> Option<Outgoing> {
        let is_it = |outgoing: &Outgoing| matches!(outgoing.purpose, Purpose::Message { attempt: its, .. } if its == attempt);
        let place = self.waiting.iter().position(is_it)?;
        let outgoing = self.waiting.remove(place);
        self.count();
        outgoing
    }

    fn count(&mut self) {
        self.waiting_bytes = self.waiting.iter().map(|outgoing| outgoing.envelope.len()).sum();
    }

    /// Takes out the receipts for people whose mailbox is elsewhere by now: see `is_here`.
    pub(super) fn take_strays(&mut self, is_here: impl Fn(&Outgoing) -> bool) -> Vec<Outgoing> {
        let (kept, strays) = std::mem::take(&mut self.waiting).into_iter().partition(is_here);
        self.waiting = kept;
        self.count();
        Vec::from(strays)
    }

    /// Wants a line soon, without anything to leave yet.
    pub(super) fn warm(&mut self, now: Instant) {
        self.wanted = true;
        self.used = now;
    }

    /// Whether a relay that is none of ours is to be called now.
    pub(super) fn wants_call(&self, now: Instant) -> bool {
        let needed = self.wanted || !self.waiting.is_empty();
        !self.is_own() && needed && self.is_alone() && self.not_before <= now
    }

    /// When it may be called again, if something waits for that. What is past waits for another line to end.
    fn call_due(&self, now: Instant) -> Option<Instant> {
        let wanted = !self.is_own() && !self.waiting.is_empty() && self.is_alone();
        Some(self.not_before).filter(|due| wanted && *due > now)
    }

    /// Whether nothing is lost when it is forgotten.
    pub(super) fn is_forgettable(&self) -> bool {
        !self.is_own() && self.is_alone() && self.retired.is_empty() && self.waiting.is_empty()
    }

    /// Whether a message that is queued now has a chance to leave.
    pub(super) fn can_hope(&self, now: Instant) -> bool {
        !self.is_alone() || self.renewing || !self.is_own() && self.not_before <= now
    }

    const fn is_alone(&self) -> bool {
        self.open.is_none() && self.calling.is_none()
    }

    /// The line stands.
    pub(super) fn opened(&mut self, line: Serial, exporter: [u8; 32], asks: mpsc::Sender<Ask>, now: Instant) {
        self.calling = None;
        self.renewing = false;
        self.wanted = false;
        self.pause = Duration::ZERO;
        self.used = now;
        self.open = Some(Open { line, exporter, asks, busy: BTreeMap::new() });
        if let Some(lodging) = &mut self.lodging {
            lodging.opened(now);
        }
    }

    /// The call came to nothing; gives back the envelopes that are not worth keeping.
    pub(super) fn failed(&mut self, now: Instant, jitter: f64) -> Vec<Outgoing> {
        self.calling = None;
        self.renewing = false;
        self.wanted = false;
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.not_before = now + self.pause.mul_f64(0.75 + jitter / 2.0);
        let (kept, given_up) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|outgoing| matches!(outgoing.purpose, Purpose::Receipt { .. }));
        self.waiting = kept;
        self.count();
        Vec::from(given_up)
    }

    /// The line takes no more requests.
    pub(super) fn retire(&mut self, line: Serial) -> bool {
        match self.open.take_if(|open| open.line == line) {
            Some(open) => {
                self.retired.insert(line, open.busy);
                self.renewing = true;
                true
            }
            None => false,
        }
    }

    /// The line is over; what was under way over it, and whether it was the one in use.
    pub(super) fn down(&mut self, line: Serial) -> (Vec<Job>, bool) {
        match self.open.take_if(|open| open.line == line) {
            Some(open) => (open.busy.into_values().collect(), true),
            None => (self.retired.remove(&line).into_iter().flat_map(BTreeMap::into_values).collect(), false),
        }
    }

    /// Hangs up; what was under way.
    pub(super) fn hang_up(&mut self) -> Vec<Job> {
        self.calling = None;
        self.renewing = false;
        self.open.take().into_iter().flat_map(|open| open.busy.into_values()).collect()
    }

    /// The request that an answer is for.
    pub(super) fn answered(&mut self, line: Serial, tag: u64) -> Option<Job> {
        match &mut self.open {
            Some(open) if open.line == line => open.busy.remove(&tag),
            Some(_) | None => {
                let busy = self.retired.get_mut(&line)?;
                let job = busy.remove(&tag);
                if busy.is_empty() {
                    self.retired.remove(&line);
                }
                job
            }
        }
    }

    /// The next request there is room for. `may_fetch`: what comes can be taken. `kept`: changes that are on disk.
    pub(super) fn next_job(&mut self, now: Instant, may_fetch: bool, kept: u64) -> Option<Job> {
        let open = self.open.as_ref().filter(|open| open.busy.len() < ASK_BOUND)?;
        let deposits = open.busy.values().filter(|job| matches!(job, Job::Deposit(_))).count();
        if let Some(job) = self.lodging.as_mut().and_then(|lodging| lodging.next_job(now, may_fetch)) {
            return Some(job);
        }
        if deposits >= MAX_DEPOSITS {
            return None;
        }
        let outgoing = self.waiting.pop_front_if(|outgoing| outgoing.after <= kept)?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(outgoing.envelope.len());
        self.used = now;
        Some(Job::Deposit(outgoing))
    }

    /// Hands a request to the line; gives it back when the line is over.
    pub(super) fn issue(&mut self, ask: Ask, job: Job) -> Option<Job> {
        let Some(open) = &mut self.open else { return Some(job) };
        let tag = ask.tag;
        match open.asks.try_send(ask) {
            Ok(()) => {
                open.busy.insert(tag, job);
                None
            }
            Err(_) => Some(job),
        }
    }

    /// Whether the line to a relay that is none of ours is not needed any more.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        let quiet = self.open.as_ref().is_some_and(|open| open.busy.is_empty());
        !self.is_own() && quiet && self.waiting.is_empty() && now.since(self.used) >= IDLE
    }

    /// When there is something to do by itself.
    pub(super) fn poll_timeout(&self, may_fetch: bool, now: Instant) -> Option<Instant> {
        let idle = self.open.as_ref().filter(|open| !self.is_own() && open.busy.is_empty());
        let idle = idle.map(|_| self.used + IDLE);
        let open = self.open.as_ref().filter(|open| open.busy.len() < ASK_BOUND);
        let mailbox = open.and(self.lodging.as_ref()).and_then(|lodging| lodging.poll_timeout(may_fetch));
        [idle, mailbox, self.call_due(now)].into_iter().flatten().min()
    }
}

impl Outgoing {
    /// Tells a stream what became of its envelope; a message's fate is told by the driver.
    pub(super) fn tell(self, left: Left) -> Option<(AttemptId, crate::ids::MessageId, Self)> {
        match self.purpose {
            Purpose::Message { attempt, id, .. } => Some((attempt, id, self)),
            Purpose::Receipt { .. } => None,
            Purpose::Stream(waiting) => {
                // Who waits no longer does not miss it.
                waiting.send(left).ok();
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ids::PeerId;
    use crate::wire::record::{HTX_PROTOCOL, NodeRecord, Role};

    /// A relay of somebody else's with a line to it, and where requests come out.
    fn station() -> (Station, mpsc::Receiver<Ask>) {
        let record = NodeRecord {
            signing_public: [1; 32],
            noise_public: [2; 32],
            protocols: vec![HTX_PROTOCOL.to_owned()],
            ticket_keys: Vec::new(),
            policy: String::new(),
            cookie_name: "__Host-sid".to_owned(),
            host: "relay.example".to_owned(),
            addresses: Vec::new(),
            tunnel_path: "/api/events".to_owned(),
            content_type: "application/grpc".to_owned(),
            roles: vec![Role::Provider],
            mix_keys: Vec::new(),
            weight: 1,
            as_group: 0,
            expires: 2_000_000_000,
        };
        let record = record.encode(|_| [9; 64]).unwrap();
        let (asks, asked) = mpsc::channel(ASK_BOUND);
        let mut station = Station::new(record, None, Instant::ZERO);
        station.opened(Serial(1), [0; 32], asks, Instant::ZERO);
        (station, asked)
    }

    fn envelope(after: u64) -> Outgoing {
        Outgoing {
            to: PeerId([1; 8]),
            address: [0; 32],
            token: [0; 16],
            envelope: Bytes::from_static(b"sealed"),
            after,
            purpose: Purpose::Receipt { refused: 0 },
        }
    }

    #[test]
    fn an_envelope_leaves_when_the_changes_before_it_are_on_disk() {
        let (mut station, _asked) = station();
        for after in [2, 3] {
            assert!(station.queue(envelope(after)).is_none());
        }
        let mut leaves = |kept| station.next_job(Instant::ZERO, true, kept).is_some();
        assert_eq!([1, 2, 2, 3, 3].map(&mut leaves), [false, true, false, true, false]);
    }
}
