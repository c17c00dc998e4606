//! The router as a machine: what comes in, and what each input sets off.
//!
//! Every message that has not ended either stands in a lane and wants to be dispatched, or has an attempt that
//! is waited for. [`super::turns`] takes messages out of lanes; [`super::outcomes`] ends attempts and messages,
//! or puts messages back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;

use lru::LruCache;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::board::Board;
use super::config::Config;
use super::error::Reason;
use super::event::{Conditions, Envelope, Input, Output};
use super::explanation::Explanation;
use super::failover::Suspects;
use super::lanes::Lanes;
use super::measured::Measurements;
use super::pending::{Class, Pending};
use super::selection::{Ask, Candidate, Exclusion, Ranking, Snapshot, rank};
use super::warm::Warmth;
use crate::capabilities::{Health, Reach, TransportKey};
use crate::ids::{AttemptId, MessageId, PeerId};
use crate::message::{DeliveryStatus, Preference, Recipient};
use crate::time::{Instant, Now};

/// Peers whose transport in use is remembered; the one spoken with longest ago is forgotten first.
const CONVERSATIONS: NonZeroUsize = NonZeroUsize::new(1024).expect("1024 is not zero");

/// Decides which transport takes which message, and what happens when it does not arrive.
#[derive(Debug)]
pub struct Router {
    pub(super) config: Config,
    pub(super) rng: ChaCha8Rng,
    pub(super) board: Board,
    pub(super) measured: Measurements,
    pub(super) suspects: Suspects,
    pub(super) warmth: Warmth,
    /// The transport that carries a peer's messages.
    pub(super) current: LruCache<PeerId, TransportKey>,
    pub(super) messages: BTreeMap<MessageId, Pending>,
    pub(super) attempts: BTreeMap<AttemptId, (MessageId, TransportKey)>,
    pub(super) lanes: Lanes,
    pub(super) timers: BTreeSet<(Instant, Timer)>,
    pub(super) outputs: VecDeque<Output>,
    pub(super) last_attempt: u64,
    last_order: u64,
}

/// What happens at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// An attempt is overdue.
    Overdue(AttemptId),
    /// A message is too old.
    Expiry(MessageId),
    /// A pause is over.
    Rested(Recipient, Class),
}

impl Router {
    /// A router that knows no transport. The seed is for the jitter of its pauses.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            rng: ChaCha8Rng::seed_from_u64(seed),
            board: Board::default(),
            measured: Measurements::new(),
            suspects: Suspects::default(),
            warmth: Warmth::new(),
            current: LruCache::new(CONVERSATIONS),
            messages: BTreeMap::new(),
            attempts: BTreeMap::new(),
            lanes: Lanes::default(),
            timers: BTreeSet::new(),
            outputs: VecDeque::new(),
            last_attempt: 0,
            last_order: 0,
        }
    }

    /// Takes in one thing that happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.suspects.forgive(now.instant);
        match input {
            Input::Submit(envelope) => self.submit(envelope, now),
            Input::Withdraw(id) => {
                self.end(id, DeliveryStatus::Refused, None, Some(Reason::Withdrawn), now);
            }
            Input::Register { transport, capabilities } => {
                self.transport_gone(transport);
                self.board.register(transport, capabilities);
                self.sort_anew();
                self.pump_all(now);
            }
            Input::Health { transport, health } => self.health_changed(transport, health, now),
            Input::Reach { transport, to, reach } => self.reach_changed(transport, to, reach, now),
            Input::Report { attempt, report } => self.reported(attempt, report, now),
            Input::Receipt { transport, from, id } => self.receipt(transport, from, id, now),
            Input::Deposited { id, couriers } => self.left_with(id, couriers),
            Input::NotDeposited { id, why } => self.not_left(id, why),
            Input::Conditions(conditions) => self.conditions_changed(conditions, now),
            Input::Remember(records) => {
                records.into_iter().for_each(|record| self.measured.remember(record));
            }
            Input::Timeout => self.timers_due(now),
        }
    }

    /// The next thing to do; call until nothing is left.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to send [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// How many more messages it takes.
    pub fn room(&self) -> usize {
        self.config.messages.saturating_sub(self.messages.len())
    }

    /// Whether a message may be accepted: an error when no transport of this node could ever carry it.
    pub fn check(&self, ask: &Ask) -> Result<(), Reason> {
        if ask.requirements.private && ask.to == Recipient::Everyone {
            return Err(Reason::PrivateBroadcast);
        }
        let mut longest = None;
        for (transport, exclusion) in self.board.fitness(ask) {
            match exclusion {
                None => return Ok(()),
                Some(Exclusion::TooLong { max }) => longest = longest.max(Some(max)),
                Some(_) if is_only(ask, transport) => return Err(Reason::PreferredUnfit { transport }),
                Some(_) => {}
            }
        }
        longest.map_or(Ok(()), |max| Err(Reason::TooLong { len: ask.size, max }))
    }

    /// Which way a message would take if it were submitted at this time, and why.
    pub fn explain(&self, ask: &Ask, now: Now) -> Explanation {
        let measured = match ask.to {
            Recipient::Peer(peer) => TransportKey::ALL
                .into_iter()
                .filter_map(|transport| self.measured.get(peer, transport, now.unix))
                .collect(),
            Recipient::Everyone => Vec::new(),
        };
        Explanation {
            ranking: self.rank(ask, now),
            refused: self.check(ask).err(),
            measured,
            waiting: self.lanes.line(ask.to).map_or(0, |line| line.waiting()),
        }
    }

    pub(super) fn rank(&self, ask: &Ask, now: Now) -> Ranking {
        let peer = match ask.to {
            Recipient::Peer(peer) => Some(peer),
            Recipient::Everyone => None,
        };
        let snapshot = Snapshot {
            candidates: self
                .board
                .stations()
                .map(|(transport, station)| Candidate {
                    transport,
                    capabilities: &station.capabilities,
                    health: station.health,
                    reach: station.reach(ask.to),
                    measured: peer.and_then(|peer| self.measured.get(peer, transport, now.unix)),
                    silent: peer.is_some_and(|peer| self.suspects.contains(peer, transport)),
                })
                .collect(),
            conditions: self.board.conditions,
            priority: &self.config.priority,
            adaptive: self.config.adaptive,
            current: peer.and_then(|peer| self.current.peek(&peer).copied()),
        };
        rank(&snapshot, ask)
    }

    fn submit(&mut self, envelope: Envelope, now: Now) {
        let (id, to, ask) = (envelope.id, envelope.to, envelope.ask());
        if self.room() == 0 || self.messages.contains_key(&id) {
            return;
        }
        let refused = self.check(&ask).err().map(|reason| (DeliveryStatus::Refused, reason));
        let expired = (envelope.expires <= now.unix).then_some((DeliveryStatus::Expired, Reason::TooOld));
        if let Some((status, reason)) = refused.or(expired) {
            self.outputs.push_back(Output::Status { id, status, via: None, reason: Some(reason) });
            return;
        }
        let expiry = now.instant + envelope.expires.abs_diff(now.unix);
        self.last_order = self.last_order.saturating_add(1);
        self.messages.insert(id, Pending::new(envelope, self.last_order, expiry));
        self.timers.insert((expiry, Timer::Expiry(id)));
        self.lanes.join(to);
        self.enter_lane(id);
        self.pump(to, now);
        if self.messages.get(&id).is_some_and(|pending| pending.lane.is_some() && pending.reason().is_none())
        {
            self.tell_waiting(id, Reason::InTurn);
        }
        self.warm_up(&ask, now);
    }

    fn warm_up(&mut self, ask: &Ask, now: Now) {
        let Recipient::Peer(peer) = ask.to else { return };
        if !self.config.warm_up || ask.requirements.urgent {
            return;
        }
        let Some(transport) = self.rank(ask, now).eligible.get(1).map(|second| second.transport) else {
            return;
        };
        if self.warmth.is_due(peer, transport, now.instant) {
            self.outputs.push_back(Output::Warm { transport, peer });
        }
    }

    fn health_changed(&mut self, transport: TransportKey, health: Health, now: Now) {
        let Some(previous) = self.board.set_health(transport, health) else { return };
        if previous.is_up() && !health.is_up() {
            self.transport_gone(transport);
        } else if !previous.is_up() && health.is_up() {
            self.wake_reached(transport);
        }
        self.pump_all(now);
    }

    fn reach_changed(&mut self, transport: TransportKey, to: Recipient, reach: Reach, now: Now) {
        let Some(previous) = self.board.set_reach(transport, to, reach) else { return };
        let heard = match to {
            Recipient::Peer(peer) if reach == Reach::Yes => {
                if previous != Reach::Yes {
                    self.measured.forgive(peer, transport);
                }
                self.suspects.clear(peer, transport)
            }
            Recipient::Peer(_) | Recipient::Everyone => false,
        };
        if reach == Reach::No {
            for id in self.lanes.under_way(transport, to) {
                self.give_up_waiting(id, transport);
            }
        } else if reach > previous || heard {
            self.wake(to, transport);
        }
        if reach != previous || heard {
            self.pump(to, now);
        }
    }

    fn conditions_changed(&mut self, conditions: Conditions, now: Now) {
        let had_internet = self.board.conditions.internet;
        self.board.conditions = conditions;
        if had_internet != conditions.internet {
            for transport in TransportKey::ALL {
                let needs =
                    self.board.station(transport).is_some_and(|held| held.capabilities.needs_internet);
                match conditions.internet {
                    true if needs => self.wake_reached(transport),
                    false if needs => self.transport_gone(transport),
                    true | false => {}
                }
            }
        }
        self.pump_all(now);
    }

    /// A transport works no longer: whatever it has under way looks for another.
    fn transport_gone(&mut self, transport: TransportKey) {
        for id in self.lanes.all_under_way(transport) {
            self.give_up_waiting(id, transport);
        }
    }

    /// A transport works again: a new round for whoever it reaches.
    fn wake_reached(&mut self, transport: TransportKey) {
        for to in self.lanes.recipients() {
            if self.board.station(transport).is_some_and(|station| station.reach(to) != Reach::No) {
                self.wake(to, transport);
            }
        }
    }

    fn timers_due(&mut self, now: Now) {
        while let Some((at, timer)) = self.timers.first().copied()
            && at <= now.instant
        {
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Overdue(attempt) => self.overdue(attempt, now),
                Timer::Expiry(id) => self.expire(id, now),
                Timer::Rested(to, class) => {
                    if let Some(rest) = self.lanes.line_mut(to).and_then(|line| line.rests.get_mut(&class)) {
                        rest.until = None;
                    }
                    self.pump(to, now);
                }
            }
        }
    }
}

fn is_only(ask: &Ask, transport: TransportKey) -> bool {
    ask.requirements.preference == Some(Preference { transport, only: true })
}
