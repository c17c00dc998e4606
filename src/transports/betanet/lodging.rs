//! Our mailbox at one of our relays: made, looked into, emptied.

use std::time::Duration;

use super::config::Cadence;
use super::job::Job;
use crate::crypto::MailboxKey;
use crate::time::Instant;
use crate::wire::mailbox::address;

/// How long after a relay refused to keep a mailbox it is asked again.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// How long after a request for our mailbox went wrong the next begins.
const TROUBLED_PAUSE: Duration = Duration::from_secs(2);
/// How often the relay is asked for its newest record.
const RECORD_EVERY: Duration = Duration::from_secs(6 * 60 * 60);
/// Ids of envelopes in one acknowledgement.
const MAX_ACKS: usize = 256;

/// How far our mailbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody asked for it yet, over this line.
    Unasked,
    /// Asked for.
    Asked,
    /// It is there.
    Made,
    /// The relay does not keep one for us; it is asked again then.
    Refused { until: Instant },
}

/// Our mailbox at one relay.
#[derive(Debug)]
pub(super) struct Lodging {
    pub(super) key: MailboxKey,
    pub(super) standing: Standing,
    /// The mailbox that our card names, rather than one that older cards name.
    pub(super) is_ours_now: bool,
    /// What was looked at already.
    cursor: u64,
    /// What is being fetched does not move the cursor.
    again: bool,
    fetching: bool,
    fetch_at: Instant,
    acks: Vec<u64>,
    acking: bool,
    record_at: Instant,
    asking_record: bool,
    echo: bool,
    lively: Instant,
}

impl Lodging {
    pub(super) fn new(key: MailboxKey, now: Instant) -> Self {
        Self {
            key,
            standing: Standing::Unasked,
            is_ours_now: false,
            cursor: 0,
            again: false,
            fetching: false,
            fetch_at: now,
            acks: Vec::new(),
            acking: false,
            record_at: now,
            asking_record: false,
            echo: false,
            lively: now,
        }
    }

    /// Its address.
    pub(super) fn address(&self) -> [u8; 32] {
        address(&self.key.public())
    }

    /// Takes a key with another token.
    pub(super) fn rekey(&mut self, key: MailboxKey) {
        self.key = key;
        self.standing = Standing::Unasked;
    }

    /// There is a new line: everything that is not stored here is looked at again.
    pub(super) fn opened(&mut self, now: Instant) {
        self.standing = Standing::Unasked;
        (self.fetching, self.acking, self.asking_record, self.echo) = (false, false, false, false);
        self.look_again(now);
        self.again = false;
    }

    /// Looks at everything that is in it.
    pub(super) fn look_again(&mut self, now: Instant) {
        self.cursor = 0;
        self.again = true;
        self.fetch_at = now;
    }

    /// Something came or went: more may come soon.
    pub(super) fn enliven(&mut self, cadence: &Cadence, now: Instant) {
        self.lively = now;
        self.fetch_at = self.fetch_at.min(now + cadence.lively);
    }

    /// Whether the tunnel is to be felt.
    pub(super) fn feel(&mut self) {
        self.echo = true;
    }

    /// This envelope need not be kept.
    pub(super) fn ack(&mut self, id: u64) {
        if !self.acks.contains(&id) {
            self.acks.push(id);
        }
    }

    /// The next request.
    pub(super) fn next_job(&mut self, now: Instant, may_fetch: bool) -> Option<Job> {
        if std::mem::take(&mut self.echo) {
            return Some(Job::Echo);
        }
        match self.standing {
            Standing::Unasked => {
                self.standing = Standing::Asked;
                return Some(Job::Create);
            }
            Standing::Refused { until } if until <= now => {
                self.standing = Standing::Asked;
                return Some(Job::Create);
            }
            Standing::Asked | Standing::Refused { .. } => {}
            Standing::Made if !self.acks.is_empty() && !self.acking => {
                self.acking = true;
                let rest = self.acks.split_off(self.acks.len().min(MAX_ACKS));
                return Some(Job::Ack(std::mem::replace(&mut self.acks, rest)));
            }
            Standing::Made if may_fetch && !self.fetching && self.fetch_at <= now => {
                self.fetching = true;
                self.again = false;
                return Some(Job::Fetch { after: self.cursor });
            }
            Standing::Made => {}
        }
        (!self.asking_record && self.record_at <= now).then(|| {
            self.asking_record = true;
            Job::Record
        })
    }

    /// The mailbox is there, or is not.
    pub(super) fn made(&mut self, there: bool, now: Instant) {
        self.standing = if there { Standing::Made } else { Standing::Refused { until: now + REFUSED_PAUSE } };
    }

    /// Something was fetched: `next` is the new cursor. `stretch` makes the pause longer or shorter, from 0.75 to
    /// 1.25.
    pub(super) fn fetched(&mut self, next: u64, any: bool, cadence: &Cadence, stretch: f64, now: Instant) {
        self.fetching = false;
        if !std::mem::take(&mut self.again) {
            self.cursor = next;
        }
        let pause = if self.is_ours_now { cadence.pause(now.since(self.lively)) } else { cadence.asleep };
        self.fetch_at = if any { now } else { now + pause.mul_f64(stretch) };
    }

    /// The relay knows no such mailbox: it is made again.
    pub(super) fn gone(&mut self) {
        self.fetching = false;
        self.standing = Standing::Unasked;
    }

    /// An acknowledgement came through, or did not.
    pub(super) fn acked(&mut self, ids: Vec<u64>, done: bool) {
        self.acking = false;
        if !done {
            self.acks.extend(ids);
        }
    }

    /// The record was answered, or was not.
    pub(super) fn record_came(&mut self, came: bool, now: Instant) {
        self.asking_record = false;
        self.record_at = now + if came { RECORD_EVERY } else { TROUBLED_PAUSE };
    }

    /// A request went wrong while the tunnel stands.
    pub(super) fn troubled(&mut self, job: Job, now: Instant) {
        match job {
            Job::Create => self.standing = Standing::Refused { until: now + TROUBLED_PAUSE },
            Job::Fetch { .. } => {
                self.fetching = false;
                self.fetch_at = now + TROUBLED_PAUSE;
            }
            Job::Ack(ids) => self.acked(ids, false),
            Job::Record => self.record_came(false, now),
            Job::Echo | Job::Deposit(_) => {}
        }
    }

    /// When there is something to do by itself.
    pub(super) fn poll_timeout(&self, may_fetch: bool) -> Option<Instant> {
        let asked = match self.standing {
            Standing::Unasked => Some(Instant::ZERO),
            Standing::Asked => None,
            Standing::Refused { until } => Some(until),
            Standing::Made if !self.acks.is_empty() && !self.acking => Some(Instant::ZERO),
            Standing::Made => (may_fetch && !self.fetching).then_some(self.fetch_at),
        };
        let record = (!self.asking_record).then_some(self.record_at);
        let echo = self.echo.then_some(Instant::ZERO);
        [asked, record, echo].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::NodeId;

    const CADENCE: Cadence = Cadence {
        lively: Duration::from_millis(400),
        quiet: Duration::from_secs(2),
        asleep: Duration::from_secs(5),
    };

    fn at(millis: u64) -> Instant {
        Instant::from_start(Duration::from_millis(millis))
    }

    fn key(generation: u32) -> MailboxKey {
        MailboxKey::derive(&[1; 32], &NodeId([2; 34]), generation)
    }

    /// A mailbox of ours that is there, its relay's record just asked for.
    fn made() -> Lodging {
        let mut lodging = Lodging::new(key(0), at(0));
        assert!(matches!(lodging.next_job(at(0), true), Some(Job::Create)));
        lodging.made(true, at(0));
        lodging.is_ours_now = true;
        lodging.record_came(true, at(0));
        lodging
    }

    /// Fetches when it is due, finds nothing, and tells the time until the next.
    fn look(lodging: &mut Lodging, now: u64) -> Option<u64> {
        assert!(matches!(lodging.next_job(at(now), true), Some(Job::Fetch { .. })));
        lodging.fetched(7, false, &CADENCE, 1.0, at(now));
        let next = lodging.poll_timeout(true)?;
        Some(u64::try_from(next.since(at(now)).as_millis()).unwrap())
    }

    #[test]
    fn a_mailbox_is_made_then_looked_into_ever_more_rarely_and_often_again_after_traffic() {
        let mut lodging = made();
        assert_eq!(look(&mut lodging, 0), Some(400));
        assert!(lodging.next_job(at(399), true).is_none());
        assert_eq!(look(&mut lodging, 59_000), Some(400));
        assert_eq!(look(&mut lodging, 61_000), Some(2_000));
        assert_eq!(look(&mut lodging, 700_000), Some(5_000));
        lodging.enliven(&CADENCE, at(700_100));
        assert_eq!(lodging.poll_timeout(true), Some(at(700_500)));
        assert_eq!(look(&mut lodging, 700_500), Some(400));
    }

    #[test]
    fn a_mailbox_that_only_old_cards_name_is_looked_into_rarely() {
        let mut lodging = made();
        lodging.is_ours_now = false;
        assert_eq!(look(&mut lodging, 0), Some(5_000));
    }

    #[test]
    fn nothing_is_fetched_while_the_node_has_no_room_and_then_at_once() {
        let mut lodging = made();
        assert!(lodging.next_job(at(0), false).is_none());
        assert_eq!(lodging.poll_timeout(false), Some(at(0) + RECORD_EVERY));
        assert!(matches!(lodging.next_job(at(0), true), Some(Job::Fetch { after: 0 })));
    }

    #[test]
    fn a_page_with_envelopes_is_followed_by_the_next_at_once_from_its_cursor() {
        let mut lodging = made();
        lodging.next_job(at(0), true).unwrap();
        lodging.fetched(41, true, &CADENCE, 1.0, at(0));
        assert!(matches!(lodging.next_job(at(0), true), Some(Job::Fetch { after: 41 })));
    }

    #[test]
    fn looking_again_begins_at_the_first_envelope_whatever_is_being_fetched() {
        let mut lodging = made();
        lodging.next_job(at(0), true).unwrap();
        lodging.look_again(at(0));
        lodging.fetched(41, true, &CADENCE, 1.0, at(0));
        assert!(matches!(lodging.next_job(at(0), true), Some(Job::Fetch { after: 0 })));
    }

    #[test]
    fn what_is_stored_is_deleted_before_more_is_fetched_and_tried_again_when_that_fails() {
        let mut lodging = made();
        for id in [3, 4, 3] {
            lodging.ack(id);
        }
        let Some(Job::Ack(ids)) = lodging.next_job(at(0), true) else { panic!("it is deleted first") };
        assert_eq!(ids, [3, 4]);
        assert!(matches!(lodging.next_job(at(0), true), Some(Job::Fetch { .. })));
        lodging.acked(ids, false);
        assert!(matches!(lodging.next_job(at(0), true), Some(Job::Ack(again)) if again == [3, 4]));
    }

    #[test]
    fn a_relay_that_refuses_is_asked_again_after_a_minute_and_a_mailbox_that_is_gone_is_made_anew() {
        let mut lodging = Lodging::new(key(0), at(0));
        lodging.next_job(at(0), true).unwrap();
        lodging.made(false, at(0));
        lodging.record_came(true, at(0));
        assert!(lodging.next_job(at(59_000), true).is_none());
        assert_eq!(lodging.poll_timeout(true), Some(at(60_000)));
        assert!(matches!(lodging.next_job(at(60_000), true), Some(Job::Create)));
        lodging.made(true, at(60_000));
        lodging.next_job(at(60_000), true).unwrap();
        lodging.gone();
        assert!(matches!(lodging.next_job(at(60_000), true), Some(Job::Create)));
    }

    #[test]
    fn another_token_is_told_to_the_relay_and_the_address_stays() {
        let mut lodging = made();
        let (address, token) = (lodging.address(), lodging.key.token());
        lodging.rekey(key(1));
        assert!(matches!(lodging.next_job(at(0), true), Some(Job::Create)));
        assert_eq!(lodging.address(), address);
        assert_ne!(lodging.key.token(), token);
    }
}
