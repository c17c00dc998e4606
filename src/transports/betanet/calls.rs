//! Relays are called, and what their lines tell is taken.

use rand_core::RngCore;

use super::driver::Driver;
use super::job::Job;
use super::line::{News, Plan, Serial, Unanswered, What};
use super::station::Station;
use crate::htx::paths::{self, Output};
use crate::ids::NodeId;
use crate::router::event::Failure;
use crate::time::{Instant, Now};
use crate::wire::mailbox::Answer;

/// Lines that may stand, or ring, to relays that are none of ours; beyond that envelopes for others wait.
const MAX_OTHERS: usize = 8;

impl Driver {
    /// Calls our relays.
    pub(super) fn begin(&mut self, now: Now) {
        self.paths.handle(paths::Input::Relays(self.own.clone()), now);
        self.work(now);
    }

    /// Does whatever is due.
    pub(super) fn work(&mut self, now: Now) {
        self.paths.handle(paths::Input::Timeout, now);
        self.follow_paths(now);
        for relay in self.held.take_overdue(now.instant) {
            if let Some(lodging) = self.stations.get_mut(&relay).and_then(|station| station.lodging.as_mut())
            {
                lodging.look_again(now.instant);
            }
        }
        self.sweep_streams(now);
        self.leave_refused(now);
        self.call_others(now);
        self.choose_provider(now);
        self.hand_out(now);
    }

    /// When [`Self::work`] has something to do by itself.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (may_fetch, now) = (self.may_fetch(), self.clock.now().instant);
        let stations =
            self.stations.values().filter_map(|station| station.poll_timeout(may_fetch, now)).min();
        let others = [stations, self.paths.poll_timeout(), self.held.poll_timeout(), self.provider_due(now)];
        others.into_iter().chain([self.refused.poll_timeout()]).flatten().min()
    }

    fn follow_paths(&mut self, now: Now) {
        while let Some(output) = self.paths.poll_output() {
            match output {
                Output::Call(relay) => self.call(relay),
                Output::HangUp(relay) => {
                    let jobs = self.stations.get_mut(&relay).map(Station::hang_up).unwrap_or_default();
                    self.unanswered(relay, jobs, now);
                }
                Output::Probe(relay) => {
                    let station = self.stations.get_mut(&relay);
                    if let Some(lodging) = station.and_then(|station| station.lodging.as_mut()) {
                        lodging.feel();
                    }
                }
                Output::Use(relay) => self.in_use = relay,
                Output::Warm(_) => {}
            }
        }
    }

    fn tell_paths(&mut self, input: paths::Input<NodeId>, now: Now) {
        self.paths.handle(input, now);
        self.follow_paths(now);
    }

    fn call(&mut self, relay: NodeId) {
        let Some(station) = self.stations.get_mut(&relay).filter(|station| station.calling.is_none()) else {
            return;
        };
        self.last_line = Serial(self.last_line.0.saturating_add(1));
        station.calling = Some(self.last_line);
        let plan = Plan {
            client: self.client.clone(),
            record: station.record.record().clone(),
            relay,
            line: self.last_line,
            news: self.telling.clone(),
        };
        self.lines.spawn(plan.run());
    }

    /// Calls the relays of others where something waits, and hangs up where nothing was for long.
    fn call_others(&mut self, now: Now) {
        let others = |station: &&Station| !station.is_own();
        let idle: Vec<NodeId> = self
            .stations
            .iter()
            .filter(|(_, station)| station.is_idle(now.instant))
            .map(|(id, _)| *id)
            .collect();
        for relay in idle {
            let jobs = self.stations.get_mut(&relay).map(Station::hang_up).unwrap_or_default();
            self.unanswered(relay, jobs, now);
        }
        let lines = |station: &&Station| station.open.is_some() || station.calling.is_some();
        let mut standing = self.stations.values().filter(others).filter(lines).count();
        let wanted = self.stations.iter().filter(|(_, station)| station.wants_call(now.instant));
        for relay in wanted.map(|(id, _)| *id).collect::<Vec<_>>() {
            if standing >= MAX_OTHERS {
                return;
            }
            self.call(relay);
            standing = standing.saturating_add(1);
        }
    }

    /// Hands every line what there is room for.
    fn hand_out(&mut self, now: Now) {
        let (may_fetch, kept) = (self.may_fetch(), self.changes_kept);
        for relay in self.stations.keys().copied().collect::<Vec<_>>() {
            let next = |station: &mut Station| station.next_job(now.instant, may_fetch, kept);
            while let Some(job) = self.stations.get_mut(&relay).and_then(next) {
                self.issue(relay, job, now);
            }
        }
    }

    fn issue(&mut self, relay: NodeId, job: Job, now: Now) {
        self.last_tag = self.last_tag.saturating_add(1);
        let Some(station) = self.stations.get_mut(&relay) else { return };
        let Some((line, exporter)) = station.open.as_ref().map(|open| (open.line, open.exporter)) else {
            return;
        };
        let key = station.lodging.as_ref().map(|lodging| &lodging.key);
        match job.ask(self.last_tag, key, &exporter) {
            Ok(Some(ask)) => {
                if let Some(job) = station.issue(ask, job) {
                    self.unanswered(relay, vec![job], now);
                    self.down(relay, line, "its line ended", now);
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "a request cannot be written");
                self.unanswered(relay, vec![job], now);
            }
        }
    }

    /// A line tells something.
    pub(super) fn line_news(&mut self, news: News, now: Now) {
        let News { relay, line, what } = news;
        match what {
            What::Up { exporter, asks } => {
                let Some(station) = self.stations.get_mut(&relay).filter(|held| held.calling == Some(line))
                else {
                    // Nobody waits for it any more: it ends when `asks` is dropped here.
                    return;
                };
                let (own, renewed) = (station.is_own(), station.renewing);
                station.opened(line, exporter, asks, now.instant);
                self.troubles.remove(&relay);
                if own && !renewed {
                    self.tell_paths(paths::Input::Up(relay), now);
                }
            }
            What::Failed(reason) => self.failed(relay, line, reason, now),
            What::Answered { tag, answer } => {
                if let Some(job) =
                    self.stations.get_mut(&relay).and_then(|station| station.answered(line, tag))
                {
                    self.answered(relay, line, job, answer, now);
                }
            }
            What::Retired => {
                if self.stations.get_mut(&relay).is_some_and(|station| station.retire(line)) {
                    self.call(relay);
                }
            }
            What::Down(reason) => self.down(relay, line, &reason, now),
        }
    }

    fn failed(&mut self, relay: NodeId, line: Serial, reason: String, now: Now) {
        let jitter = f64::from(self.rng.next_u32()) / f64::from(u32::MAX);
        let Some(station) = self.stations.get_mut(&relay).filter(|held| held.calling == Some(line)) else {
            return;
        };
        let (own, host) = (station.is_own(), station.record.record().host.clone());
        tracing::info!(%host, %reason, "a relay cannot be reached");
        let renewed = station.renewing;
        for outgoing in station.failed(now.instant, jitter) {
            self.lost(outgoing, Failure::Unreachable);
        }
        if own {
            self.troubles.insert(relay, reason);
            let input = if renewed { paths::Input::Down(relay) } else { paths::Input::Failed(relay) };
            self.tell_paths(input, now);
        }
    }

    fn down(&mut self, relay: NodeId, line: Serial, reason: &str, now: Now) {
        let Some(station) = self.stations.get_mut(&relay) else { return };
        let (jobs, was_in_use) = station.down(line);
        let own = station.is_own();
        self.unanswered(relay, jobs, now);
        if was_in_use && own {
            self.troubles.insert(relay, reason.to_owned());
            self.tell_paths(paths::Input::Down(relay), now);
        }
    }

    /// Requests that no answer came to, for the tunnel is over.
    fn unanswered(&mut self, relay: NodeId, jobs: Vec<Job>, now: Now) {
        for job in jobs {
            if let Job::Deposit(outgoing) = job {
                self.not_deposited(outgoing, now);
            } else {
                self.troubled(relay, job, now);
            }
        }
    }

    fn troubled(&mut self, relay: NodeId, job: Job, now: Now) {
        if let Some(lodging) = self.stations.get_mut(&relay).and_then(|station| station.lodging.as_mut()) {
            lodging.troubled(job, now.instant);
        }
    }

    fn answered(
        &mut self,
        relay: NodeId,
        line: Serial,
        job: Job,
        answer: Result<Answer, Unanswered>,
        now: Now,
    ) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(%error, "a relay did not answer");
                if matches!(error, Unanswered::Late) {
                    self.down(relay, line, "it does not answer", now);
                }
                return self.unanswered(relay, vec![job], now);
            }
        };
        if self.stations.get(&relay).is_some_and(Station::is_own) {
            self.tell_paths(paths::Input::Answered(relay), now);
        }
        if let Job::Deposit(outgoing) = job {
            return self.deposited(outgoing, answer == Answer::Ok, now);
        }
        self.mailbox_answer(relay, job, answer, now);
    }
}
