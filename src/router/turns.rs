//! Whose turn it is: takes messages out of their lanes and hands them to transports.

use std::collections::BTreeSet;

use super::dispatch::{Router, Timer};
use super::error::Reason;
use super::event::Output;
use super::failover::{Expectation, jittered, next_pause, patience};
use super::lanes::{Lane, Rest};
use super::pending::{Attempt, Class, PerTransport, SPENT, Tries};
use super::selection::{Choice, Ranking};
use crate::capabilities::{Reach, TransportKey};
use crate::ids::{AttemptId, MessageId};
use crate::message::Recipient;
use crate::time::Now;

/// What became of the first message of a lane.
enum Turn {
    /// It left the lane, or stands in another.
    Taken,
    /// It waits, and so does every message behind it.
    Blocked(Reason),
}

impl Router {
    /// Gives every message to this recipient its turn, as far as there is room.
    pub(super) fn pump(&mut self, to: Recipient, now: Now) {
        let mut blocked = BTreeSet::new();
        while let Some((lane, id)) = self.lanes.line(to).and_then(|line| line.next(&blocked)) {
            match self.turn(to, lane, id, now) {
                Turn::Taken => {}
                Turn::Blocked(reason) => {
                    self.leave_with_couriers(to, &reason);
                    self.tell_waiting(id, reason);
                    blocked.insert(lane);
                }
            }
        }
    }

    pub(super) fn pump_all(&mut self, now: Now) {
        for to in self.lanes.recipients() {
            self.pump(to, now);
        }
    }

    /// Puts a message into the lane it belongs to.
    pub(super) fn enter_lane(&mut self, id: MessageId) {
        self.leave_lane(id);
        let Some(pending) = self.messages.get_mut(&id) else { return };
        let mut unfit = PerTransport::default();
        for (transport, exclusion) in self.board.fitness(&pending.ask()) {
            unfit.set(transport, exclusion.is_some());
        }
        let lane = Lane { class: pending.class(unfit), tries: pending.tries };
        pending.lane = Some(lane);
        if let Some(line) = self.lanes.line_mut(pending.envelope.to) {
            line.enter(lane, pending.order, id);
        }
    }

    pub(super) fn leave_lane(&mut self, id: MessageId) {
        let Some(pending) = self.messages.get_mut(&id) else { return };
        if let Some(lane) = pending.lane.take()
            && let Some(line) = self.lanes.line_mut(pending.envelope.to)
        {
            line.leave(lane, pending.order, id);
        }
    }

    /// Sorts every waiting message into its lane again: what the transports can do has changed.
    pub(super) fn sort_anew(&mut self) {
        let waiting = self.messages.iter().filter(|(_, pending)| pending.lane.is_some());
        for id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.enter_lane(id);
        }
    }

    /// Begins a new round for a recipient whom this transport reaches again.
    pub(super) fn wake(&mut self, to: Recipient, transport: TransportKey) {
        self.end_rests(to);
        for key in TransportKey::ALL {
            for id in self.lanes.under_way(key, to) {
                if let Some(pending) = self.messages.get_mut(&id) {
                    pending.tries.set(transport, 0);
                }
            }
        }
        let mid_round = self.lanes.line(to).map(|line| line.mid_round()).unwrap_or_default();
        for id in mid_round {
            self.begin_round(id);
        }
    }

    pub(super) fn tell_waiting(&mut self, id: MessageId, reason: Reason) {
        let Some(pending) = self.messages.get_mut(&id) else { return };
        if let Some((status, via, reason)) = pending.tell_waiting(reason) {
            self.outputs.push_back(Output::Status { id, status, via, reason: Some(reason) });
        }
    }

    fn turn(&mut self, to: Recipient, lane: Lane, id: MessageId, now: Now) -> Turn {
        let Some(pending) = self.messages.get(&id) else { return Turn::Blocked(Reason::InTurn) };
        let last = pending.last.map(|(transport, failure)| Reason::Tried { transport, failure });
        if lane.tries.is_default() && self.is_resting(to, lane.class) {
            return Turn::Blocked(last.unwrap_or(Reason::InTurn));
        }
        let in_parallel = pending.in_parallel();
        let ranking = self.rank(&pending.ask(), now);
        let fit = fit_choices(&ranking, pending.unfit, to);
        if fit.is_empty() {
            if lane.tries.is_default() {
                return Turn::Blocked(ranking.waits().or(last).unwrap_or(Reason::Unreachable));
            }
            self.begin_round(id);
            return Turn::Taken;
        }
        let untried = self.untried(&fit, lane.tries);
        if untried.is_empty() {
            self.begin_rest(to, lane.class, now);
            self.begin_round(id);
            return Turn::Taken;
        }
        let targets = if in_parallel { untried.as_slice() } else { untried.get(..1).unwrap_or_default() };
        let mut with_room: Vec<_> = targets.to_vec();
        with_room.retain(|choice| self.has_room(to, choice.transport, lane.class));
        let needed = if to == Recipient::Everyone { targets.len() } else { 1 };
        if with_room.len() < needed {
            return Turn::Blocked(Reason::InTurn);
        }
        self.note_current(&ranking);
        self.leave_lane(id);
        for choice in &with_room {
            let fallback = untried.iter().any(|other| {
                other.transport != choice.transport && other.reach == Reach::Yes && !other.is_silent()
            });
            self.launch(id, choice.transport, fallback, now);
        }
        Turn::Taken
    }

    /// The choices that have tries left in this round: those tried least first, then by rank.
    fn untried<'a>(&self, fit: &[&'a Choice], tries: Tries) -> Vec<&'a Choice> {
        let most = self.config.attempts.clamp(1, SPENT - 1);
        let stay = !self.config.failover && !tries.is_default();
        let mut untried: Vec<&Choice> = fit
            .iter()
            .copied()
            .filter(|choice| tries.get(choice.transport) < most)
            .filter(|choice| !stay || tries.get(choice.transport) > 0)
            .collect();
        untried.sort_by_key(|choice| tries.get(choice.transport));
        untried
    }

    fn has_room(&self, to: Recipient, transport: TransportKey, class: Class) -> bool {
        let silent = match to {
            Recipient::Peer(peer) => self.suspects.contains(peer, transport),
            Recipient::Everyone => false,
        };
        let window = if silent { 1 } else { self.config.window.max(1) };
        let window = if class.patient { window } else { window.saturating_mul(2) };
        self.lanes.line(to).is_some_and(|line| line.flights(transport) < window)
    }

    fn launch(&mut self, id: MessageId, transport: TransportKey, fallback: bool, now: Now) {
        let Some(pending) = self.messages.get_mut(&id) else { return };
        let Some(station) = self.board.station(transport) else { return };
        let to = pending.envelope.to;
        let tries = pending.tries.get(transport);
        let earlier = pending.take_attempt(transport);
        // A receipt does not say which try it answers; a time counted too long does less harm than one too short.
        let since = earlier.filter(|_| tries > 0).map_or(now.instant, |attempt| attempt.since);
        let measured = match to {
            Recipient::Peer(peer) => self.measured.get(peer, transport, now.unix).map(|held| held.latency),
            Recipient::Everyone => None,
        };
        let typical = station.capabilities.typical_latency;
        let deadline =
            now.instant + patience(&self.config, Expectation { typical, measured, fallback, tries });
        self.last_attempt = self.last_attempt.saturating_add(1);
        let attempt = AttemptId(self.last_attempt);
        pending.tries.set(transport, tries.saturating_add(1));
        pending.attempts.push(Attempt {
            id: attempt,
            transport,
            since,
            patience: deadline.since(now.instant),
            deadline: Some(deadline),
        });
        if let Some(earlier) = earlier {
            self.attempts.remove(&earlier.id);
            self.outputs.push_back(Output::Abandon { attempt: earlier.id, transport, id });
        }
        self.attempts.insert(attempt, (id, transport));
        self.timers.insert((deadline, Timer::Overdue(attempt)));
        self.lanes.take_off(transport, to, id);
        self.outputs.push_back(Output::Dispatch { attempt, transport, id });
    }

    /// The transport in use is the one an ordinary message takes.
    fn note_current(&mut self, ranking: &Ranking) {
        let requirements = ranking.ask.requirements;
        if let (Recipient::Peer(peer), Some(best)) = (ranking.ask.to, ranking.best())
            && !requirements.private
            && requirements.preference.is_none()
        {
            self.current.put(peer, best);
        }
    }

    fn begin_round(&mut self, id: MessageId) {
        if let Some(pending) = self.messages.get_mut(&id) {
            pending.tries = Tries::default();
            self.enter_lane(id);
        }
    }

    fn is_resting(&self, to: Recipient, class: Class) -> bool {
        self.lanes.line(to).and_then(|line| line.rests.get(&class)).is_some_and(|rest| rest.until.is_some())
    }

    fn begin_rest(&mut self, to: Recipient, class: Class, now: Now) {
        if self.is_resting(to, class) {
            return;
        }
        let Some(line) = self.lanes.line_mut(to) else { return };
        let pause = next_pause(&self.config, line.rests.get(&class).map(|rest| rest.pause));
        let until = now.instant + jittered(pause, &mut self.rng);
        line.rests.insert(class, Rest { until: Some(until), pause });
        self.timers.insert((until, Timer::Rested(to, class)));
    }

    /// Ends every pause of a recipient, and forgets how long they had become.
    pub(super) fn end_rests(&mut self, to: Recipient) {
        let Some(line) = self.lanes.line_mut(to) else { return };
        for (class, rest) in std::mem::take(&mut line.rests) {
            if let Some(until) = rest.until {
                self.timers.remove(&(until, Timer::Rested(to, class)));
            }
        }
    }
}

/// The choices that did not refuse the message themselves. A text for everyone goes where somebody is.
fn fit_choices(ranking: &Ranking, unfit: PerTransport<bool>, to: Recipient) -> Vec<&Choice> {
    let everyone = to == Recipient::Everyone;
    ranking
        .eligible
        .iter()
        .filter(|choice| !unfit.get(choice.transport))
        .filter(|choice| !everyone || choice.reach == Reach::Yes)
        .collect()
}
