//! Which entry relay is used, and which stands by (HTX spec 10): up to three relays, tunnels to two of them, and a
//! switch at once when the one in use fails.
//!
//! A path is *validated* while its relay answers. One probe that is not answered makes it doubtful, and a validated
//! one is used instead; three make it a failure. Probes of a path that answers are ever further apart, from 1 s to
//! 60 s; while probes are lost there is at most one in 10 s. A relay that failed is called again after 1 to 2 s, then
//! after 2 to 4 s, and so on up to 60 s, at a moment that is drawn, so that the clients of a relay that starts again do
//! not all come at once. Nothing that is drawn here has a period.

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;

use super::cover::uniform;
use crate::time::{Instant, Now};

/// The most relays that are kept; more are ignored.
pub const MAX_RELAYS: usize = 3;
/// Paths that are kept open: one to use, one that stands by.
const KEPT_OPEN: usize = 2;
/// Probes in a row without an answer after which a path has failed.
const MAX_LOST: u32 = 3;

/// The times of path maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The shortest time between probes, and before another call.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
    /// The shortest time between probes of a path that lost one; longer than [`Self::answer`].
    pub under_loss: Duration,
    /// How long the answer to a probe may take.
    pub answer: Duration,
    /// How long a call may take.
    pub call: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            under_loss: Duration::from_secs(10),
            answer: Duration::from_secs(5),
            call: Duration::from_secs(60),
        }
    }
}

/// What the owner of the tunnels says. Of a relay that was to be hung up it says nothing more, until called again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<K> {
    /// The relays to choose from, best first; the first [`MAX_RELAYS`] count.
    Relays(Vec<K>),
    /// A call was answered: the tunnel stands.
    Up(K),
    /// A call came to nothing.
    Failed(K),
    /// A tunnel is over, or takes no new streams.
    Down(K),
    /// A probe was answered, or anything else that shows that the relay is there.
    Answered(K),
    /// The time of [`Paths::poll_timeout`] has come.
    Timeout,
}

/// What the owner of the tunnels is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output<K> {
    /// Open a tunnel; answered by [`Input::Up`] or [`Input::Failed`].
    Call(K),
    /// Close the tunnel, or give up the call.
    HangUp(K),
    /// Ask the relay for an answer over its tunnel.
    Probe(K),
    /// Send over this relay from now on, or over none.
    Use(Option<K>),
    /// This relay stands by, or none.
    Warm(Option<K>),
}

/// The paths of one client.
#[derive(Debug)]
pub struct Paths<K> {
    config: Config,
    rng: ChaCha20Rng,
    /// Best first.
    paths: Vec<Path<K>>,
    used: Option<K>,
    warm: Option<K>,
    outputs: VecDeque<Output<K>>,
}

#[derive(Debug)]
struct Path<K> {
    relay: K,
    /// Calls that came to nothing and tunnels that ended, since a relay last answered a probe.
    failures: u32,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// No tunnel; it may be called from then on.
    Resting {
        until: Instant,
    },
    Calling {
        since: Instant,
    },
    Open(Open),
}

/// A tunnel that stands.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Probes in a row without an answer.
    lost: u32,
    /// The longest time to the next probe; the shortest is half of it.
    interval: Duration,
    probe: Probe,
}

#[derive(Debug, Clone, Copy)]
enum Probe {
    Due(Instant),
    Sent(Instant),
}

impl Open {
    fn is_validated(&self) -> bool {
        self.lost == 0
    }
}

impl<K: Copy + Ord> Paths<K> {
    /// No relays yet.
    pub fn new(config: Config, rng: ChaCha20Rng) -> Self {
        Self { config, rng, paths: Vec::new(), used: None, warm: None, outputs: VecDeque::new() }
    }

    /// Takes one input; [`Self::poll_output`] has what follows.
    pub fn handle(&mut self, input: Input<K>, now: Now) {
        let now = now.instant;
        match input {
            Input::Relays(relays) => self.choose_from(&relays, now),
            Input::Up(relay) => self.up(relay, now),
            Input::Failed(relay) | Input::Down(relay) => self.ended(relay, now),
            Input::Answered(relay) => self.answered(relay, now),
            Input::Timeout => {}
        }
        self.expire(now);
        self.assign(now);
        self.call(now);
        self.probe(now);
    }

    /// What to do; ask until there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output<K>> {
        self.outputs.pop_front()
    }

    /// When to come back with [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls_wanted = self.wanted_calls() > 0;
        let due = |path: &Path<K>| match path.state {
            State::Resting { until } => calls_wanted.then_some(until),
            State::Calling { since } => Some(since + self.config.call),
            State::Open(Open { probe: Probe::Due(at), .. }) => Some(at),
            State::Open(Open { probe: Probe::Sent(at), .. }) => Some(at + self.config.answer),
        };
        self.paths.iter().filter_map(due).min()
    }

    /// The relay to send over.
    pub fn used(&self) -> Option<K> {
        self.used
    }

    /// The relay that stands by.
    pub fn warm(&self) -> Option<K> {
        self.warm
    }

    fn choose_from(&mut self, relays: &[K], now: Instant) {
        let mut before = std::mem::take(&mut self.paths);
        for relay in relays {
            let known = self.paths.iter().any(|path| path.relay == *relay);
            if known || self.paths.len() == MAX_RELAYS {
                continue;
            }
            let kept = before.iter().position(|path| path.relay == *relay).map(|at| before.swap_remove(at));
            let fresh = Path { relay: *relay, failures: 0, state: State::Resting { until: now } };
            self.paths.push(kept.unwrap_or(fresh));
        }
        for path in before {
            if !matches!(path.state, State::Resting { .. }) {
                self.outputs.push_back(Output::HangUp(path.relay));
            }
        }
    }

    fn up(&mut self, relay: K, now: Instant) {
        let interval = self.config.shortest;
        let probe = Probe::Due(now + interval);
        match self.path(relay) {
            Some(path) if matches!(path.state, State::Calling { .. }) => {
                path.state = State::Open(Open { lost: 0, interval, probe });
            }
            Some(_) | None => self.outputs.push_back(Output::HangUp(relay)),
        }
    }

    fn ended(&mut self, relay: K, now: Instant) {
        let ended = self.path(relay).is_some_and(|path| !matches!(path.state, State::Resting { .. }));
        if ended {
            self.rest(relay, now);
        }
    }

    fn answered(&mut self, relay: K, now: Instant) {
        let Some(Path { state: State::Open(open), .. }) = self.path(relay) else { return };
        let mut open = *open;
        if matches!(open.probe, Probe::Sent(_)) {
            open.interval = open.interval.saturating_mul(2).min(self.config.longest);
        }
        open.lost = 0;
        open.probe = Probe::Due(now + self.drawn(open.interval));
        self.set_open(relay, open);
        if let Some(path) = self.path(relay) {
            path.failures = 0;
        }
    }

    /// Calls and probes that were waited for long enough.
    fn expire(&mut self, now: Instant) {
        for relay in self.relays() {
            match self.path(relay).map(|path| path.state) {
                Some(State::Calling { since }) if now.since(since) >= self.config.call => {
                    self.hang_up_after_failure(relay, now);
                }
                Some(State::Open(open @ Open { probe: Probe::Sent(sent), .. }))
                    if now.since(sent) >= self.config.answer =>
                {
                    self.lost(relay, open, sent, now);
                }
                Some(State::Resting { .. } | State::Calling { .. } | State::Open(_)) | None => {}
            }
        }
    }

    fn lost(&mut self, relay: K, open: Open, sent: Instant, now: Instant) {
        let lost = open.lost.saturating_add(1);
        if lost >= MAX_LOST {
            self.hang_up_after_failure(relay, now);
            return;
        }
        let interval = open.interval.max(self.config.under_loss.saturating_mul(2)).min(self.config.longest);
        let wait = self.drawn(interval);
        self.set_open(relay, Open { lost, interval, probe: Probe::Due(sent + wait) });
    }

    fn hang_up_after_failure(&mut self, relay: K, now: Instant) {
        self.outputs.push_back(Output::HangUp(relay));
        self.rest(relay, now);
    }

    /// Lets a relay rest: longer with every failure, and never for a time that can be foretold.
    fn rest(&mut self, relay: K, now: Instant) {
        let Some(path) = self.path(relay) else { return };
        let failures = path.failures;
        path.failures = failures.saturating_add(1);
        let longest = self.config.shortest.saturating_mul(2 << failures.min(16)).min(self.config.longest);
        let wait = self.drawn(longest);
        if let Some(path) = self.path(relay) {
            path.state = State::Resting { until: now + wait };
        }
    }

    /// Gives the open paths their parts, and says what changed.
    fn assign(&mut self, now: Instant) {
        let used = self.best(self.used, None);
        let warm = self.best(self.warm, used);
        if used != self.used {
            self.used = used;
            self.outputs.push_back(Output::Use(used));
        }
        if warm != self.warm {
            self.warm = warm;
            self.outputs.push_back(Output::Warm(warm));
        }
        if self.count(|state| matches!(state, State::Open(open) if open.is_validated())) >= KEPT_OPEN {
            self.let_go_of_the_rest(now);
        }
    }

    /// The path for a part: the one that has it if it is validated, else the best that is, else the one that has it,
    /// else any that is open.
    fn best(&self, holder: Option<K>, taken: Option<K>) -> Option<K> {
        let open = || {
            self.paths.iter().filter(|path| Some(path.relay) != taken).filter_map(|path| match path.state {
                State::Open(open) => Some((path.relay, open.is_validated())),
                State::Resting { .. } | State::Calling { .. } => None,
            })
        };
        open()
            .max_by_key(|&(relay, validated)| {
                let holds = Some(relay) == holder;
                let stands_by = Some(relay) == self.warm;
                (validated, holds, stands_by, std::cmp::Reverse(self.rank(relay)))
            })
            .map(|(relay, _)| relay)
    }

    /// With two validated paths, no third is kept or called.
    fn let_go_of_the_rest(&mut self, now: Instant) {
        for relay in self.relays() {
            let has_part = Some(relay) == self.used || Some(relay) == self.warm;
            let Some(path) = self.path(relay).filter(|_| !has_part) else { continue };
            if !matches!(path.state, State::Resting { .. }) {
                path.state = State::Resting { until: now };
                self.outputs.push_back(Output::HangUp(relay));
            }
        }
    }

    fn call(&mut self, now: Instant) {
        let due = |path: &&mut Path<K>| matches!(path.state, State::Resting { until } if until <= now);
        let wanted = self.wanted_calls();
        for path in self.paths.iter_mut().filter(due).take(wanted) {
            path.state = State::Calling { since: now };
            self.outputs.push_back(Output::Call(path.relay));
        }
    }

    fn probe(&mut self, now: Instant) {
        for path in &mut self.paths {
            if let State::Open(open) = &mut path.state
                && matches!(open.probe, Probe::Due(at) if at <= now)
            {
                open.probe = Probe::Sent(now);
                self.outputs.push_back(Output::Probe(path.relay));
            }
        }
    }

    /// How many more relays should be called: until two are validated or on the way.
    fn wanted_calls(&self) -> usize {
        let counted = self.count(|state| match state {
            State::Resting { .. } => false,
            State::Calling { .. } => true,
            State::Open(open) => open.is_validated(),
        });
        KEPT_OPEN.saturating_sub(counted)
    }

    fn count(&self, which: impl Fn(State) -> bool) -> usize {
        self.paths.iter().filter(|path| which(path.state)).count()
    }

    fn rank(&self, relay: K) -> Option<usize> {
        self.paths.iter().position(|path| path.relay == relay)
    }

    fn relays(&self) -> Vec<K> {
        self.paths.iter().map(|path| path.relay).collect()
    }

    fn path(&mut self, relay: K) -> Option<&mut Path<K>> {
        self.paths.iter_mut().find(|path| path.relay == relay)
    }

    fn set_open(&mut self, relay: K, open: Open) {
        if let Some(path) = self.path(relay) {
            path.state = State::Open(open);
        }
    }

    /// A time from the later half of `longest`.
    fn drawn(&mut self, longest: Duration) -> Duration {
        let earliest = longest.checked_div(2).unwrap_or(longest).max(self.config.shortest);
        uniform::time(&mut self.rng, earliest..=longest.max(earliest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_core::SeedableRng;

    use super::*;
    use crate::time::UnixMillis;

    const A: u8 = 1;
    const B: u8 = 2;
    const C: u8 = 3;

    /// The machine and a clock that stands where it is put.
    struct Bench {
        paths: Paths<u8>,
        now: Instant,
    }

    impl Bench {
        fn new(seed: u8) -> Self {
            let paths = Paths::new(Config::default(), ChaCha20Rng::from_seed([seed; 32]));
            Self { paths, now: Instant::ZERO }
        }

        /// A is used, B stands by, C is spare.
        fn standing() -> Self {
            let mut bench = Self::new(1);
            bench.say(Input::Relays(vec![A, B, C]));
            bench.say(Input::Up(A));
            bench.say(Input::Up(B));
            bench
        }

        fn say(&mut self, input: Input<u8>) -> Vec<Output<u8>> {
            self.paths.handle(input, Now { instant: self.now, unix: UnixMillis(0) });
            std::iter::from_fn(|| self.paths.poll_output()).collect()
        }

        fn wait(&mut self) -> Vec<Output<u8>> {
            self.now = self.now.max(self.paths.poll_timeout().expect("something is always due"));
            self.say(Input::Timeout)
        }

        /// Waits until one of the outputs is this one, answering no probe of `silent` and every other.
        fn wait_for(&mut self, wanted: Output<u8>, silent: u8) -> Vec<Output<u8>> {
            for _ in 0..10_000 {
                let outputs = self.wait();
                for output in &outputs {
                    if let Output::Probe(relay) = output
                        && *relay != silent
                    {
                        self.say(Input::Answered(*relay));
                    }
                }
                if outputs.contains(&wanted) {
                    return outputs;
                }
            }
            panic!("{wanted:?} never came");
        }
    }

    #[test]
    fn the_best_two_relays_are_called_and_the_first_that_stands_is_used() {
        let mut bench = Bench::new(1);
        let called = bench.say(Input::Relays(vec![A, B, C, A, 4]));
        assert_eq!(called, [Output::Call(A), Output::Call(B)]);
        assert_eq!(bench.say(Input::Up(B)), [Output::Use(Some(B))]);
        assert_eq!(bench.say(Input::Up(A)), [Output::Warm(Some(A))]);
        assert_eq!((bench.paths.used(), bench.paths.warm()), (Some(B), Some(A)));
    }

    #[test]
    fn r38_when_the_used_relay_dies_the_warm_one_is_used_in_the_same_instant() {
        let mut bench = Bench::standing();
        assert_eq!(bench.say(Input::Down(A)), [Output::Use(Some(B)), Output::Warm(None), Output::Call(C)]);
        assert_eq!(bench.say(Input::Up(C)), [Output::Warm(Some(C))]);
    }

    #[test]
    fn r38_a_used_relay_that_falls_silent_is_left_within_300_ms_of_the_missing_answer() {
        let mut bench = Bench::standing();
        bench.wait_for(Output::Probe(A), A);
        let asked = bench.now;
        let outputs = bench.wait_for(Output::Use(Some(B)), A);
        assert!(outputs.contains(&Output::Warm(Some(A))));
        let switched = bench.now.since(asked).saturating_sub(Config::default().answer);
        assert!(switched <= Duration::from_millis(300), "{switched:?}");
        assert!(outputs.contains(&Output::Call(C)), "a doubtful path does not count as one that stands by");
    }

    #[test]
    fn r38_a_doubtful_relay_is_used_as_long_as_there_is_no_validated_one() {
        let mut bench = Bench::new(1);
        bench.say(Input::Relays(vec![A]));
        bench.say(Input::Up(A));
        bench.wait_for(Output::Probe(A), A);
        bench.wait();
        assert_eq!(bench.paths.used(), Some(A));
        bench.wait_for(Output::HangUp(A), A);
        assert_eq!(bench.paths.used(), None);
    }

    #[test]
    fn r38_a_silent_relay_is_asked_at_most_once_in_10_s_and_hung_up_after_the_third() {
        for seed in 0..20 {
            let mut bench = Bench::new(seed);
            bench.say(Input::Relays(vec![A]));
            bench.say(Input::Up(A));
            let mut asked = Vec::new();
            loop {
                let outputs = bench.wait();
                if outputs.contains(&Output::Probe(A)) {
                    asked.push(bench.now);
                }
                if outputs.contains(&Output::HangUp(A)) {
                    break;
                }
            }
            assert_eq!(asked.len(), 3);
            for pair in asked.windows(2) {
                assert!(pair[1].since(pair[0]) >= Duration::from_secs(10));
            }
        }
    }

    #[test]
    fn r38_probes_of_a_relay_that_answers_are_ever_further_apart_up_to_a_minute() {
        let mut bench = Bench::new(1);
        bench.say(Input::Relays(vec![A]));
        bench.say(Input::Up(A));
        let mut before = bench.now;
        for longest in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let longest = Duration::from_secs(longest);
            bench.wait_for(Output::Probe(A), A);
            bench.say(Input::Answered(A));
            let gap = bench.now.since(before);
            assert!(
                gap <= longest && gap >= (longest / 2).max(Duration::from_secs(1)),
                "{gap:?} of {longest:?}"
            );
            before = bench.now;
        }
    }

    #[test]
    fn r38_a_relay_that_fails_is_called_after_ever_longer_up_to_a_minute_and_never_at_a_foretold_time() {
        let mut first_waits = Vec::new();
        for seed in 0..50 {
            let mut bench = Bench::new(seed);
            assert_eq!(bench.say(Input::Relays(vec![A])), [Output::Call(A)]);
            for longest in [2, 4, 8, 16, 32, 60, 60, 60] {
                let longest = Duration::from_secs(longest);
                let failed = bench.now;
                assert_eq!(bench.say(Input::Failed(A)), []);
                assert_eq!(bench.wait(), [Output::Call(A)]);
                let wait = bench.now.since(failed);
                assert!(wait >= longest / 2 && wait <= longest, "{wait:?} of {longest:?}");
                if longest == Duration::from_secs(2) {
                    first_waits.push(wait);
                }
            }
        }
        first_waits.sort_unstable();
        first_waits.dedup();
        assert_eq!(first_waits.len(), 50);
    }

    #[test]
    fn a_relay_that_answered_a_probe_is_forgiven_and_one_that_only_stood_is_not() {
        let mut bench = Bench::new(1);
        bench.say(Input::Relays(vec![A]));
        for _ in 0..4 {
            bench.say(Input::Up(A));
            bench.say(Input::Down(A));
            bench.wait();
        }
        bench.say(Input::Up(A));
        bench.wait_for(Output::Probe(A), A);
        bench.say(Input::Answered(A));
        bench.say(Input::Down(A));
        let ended = bench.now;
        assert_eq!(bench.wait(), [Output::Call(A)]);
        assert!(bench.now.since(ended) <= Duration::from_secs(2));
    }

    #[test]
    fn a_call_that_is_never_answered_is_given_up() {
        let mut bench = Bench::new(1);
        bench.say(Input::Relays(vec![A]));
        assert_eq!(bench.wait(), [Output::HangUp(A)]);
        assert_eq!(bench.now, Instant::from_start(Duration::from_secs(60)));
        assert_eq!(bench.wait(), [Output::Call(A)]);
    }

    #[test]
    fn the_relay_that_is_used_stays_so_when_a_better_one_comes_back() {
        let mut bench = Bench::standing();
        bench.say(Input::Down(A));
        bench.say(Input::Failed(C));
        bench.wait_for(Output::Call(A), 0);
        bench.say(Input::Up(A));
        assert_eq!((bench.paths.used(), bench.paths.warm()), (Some(B), Some(A)));
    }

    #[test]
    fn a_third_tunnel_is_hung_up_when_two_are_validated_again() {
        let mut bench = Bench::standing();
        bench.wait_for(Output::Use(Some(B)), A);
        bench.say(Input::Up(C));
        assert_eq!((bench.paths.used(), bench.paths.warm()), (Some(B), Some(C)));
        bench.say(Input::Answered(A));
        let open = bench.paths.count(|state| matches!(state, State::Open(_)));
        assert_eq!(open, 2);
    }

    #[test]
    fn relays_that_are_no_longer_wanted_are_hung_up_and_the_others_stay() {
        let mut bench = Bench::standing();
        let outputs = bench.say(Input::Relays(vec![B, C]));
        assert_eq!(outputs, [Output::HangUp(A), Output::Use(Some(B)), Output::Warm(None), Output::Call(C)]);
        let outputs = bench.say(Input::Relays(vec![]));
        assert_eq!(outputs, [Output::HangUp(B), Output::HangUp(C), Output::Use(None)]);
        assert_eq!(bench.paths.poll_timeout(), None);
    }

    #[test]
    fn what_was_not_called_is_hung_up_and_what_does_not_stand_cannot_fall() {
        let mut bench = Bench::standing();
        assert_eq!(bench.say(Input::Up(C)), [Output::HangUp(C)]);
        assert_eq!(bench.say(Input::Up(9)), [Output::HangUp(9)]);
        for input in [Input::Down(C), Input::Failed(C), Input::Answered(C), Input::Down(9)] {
            assert_eq!(bench.say(input), []);
        }
    }

    /// Something that happens to the client's relays.
    fn inputs() -> impl Strategy<Value = Option<Input<u8>>> {
        let relay = 0..4u8;
        prop_oneof![
            4 => Just(None),
            1 => proptest::collection::vec(relay.clone(), 0..5).prop_map(|relays| Some(Input::Relays(relays))),
            3 => relay.clone().prop_map(|relay| Some(Input::Up(relay))),
            1 => relay.clone().prop_map(|relay| Some(Input::Failed(relay))),
            1 => relay.clone().prop_map(|relay| Some(Input::Down(relay))),
            2 => relay.prop_map(|relay| Some(Input::Answered(relay))),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_the_used_path_is_open_and_time_goes_on(
            inputs in proptest::collection::vec(inputs(), 1..200),
        ) {
            let mut bench = Bench::new(1);
            for input in inputs {
                match input {
                    Some(input) => drop(bench.say(input)),
                    None if bench.paths.poll_timeout().is_some() => drop(bench.wait()),
                    None => {}
                }
                let paths = &bench.paths;
                let open = |relay: u8| {
                    paths.paths.iter().any(|path| path.relay == relay && matches!(path.state, State::Open(_)))
                };
                prop_assert!(paths.used.is_none_or(open) && paths.warm.is_none_or(open));
                prop_assert!(paths.used.is_some() || paths.count(|state| matches!(state, State::Open(_))) == 0);
                prop_assert!(paths.warm.is_none() || paths.warm != paths.used);
                prop_assert!(paths.paths.len() <= MAX_RELAYS);
                // Nothing is due that was just done, or the driver would turn forever.
                prop_assert!(paths.poll_timeout().is_none_or(|at| at > bench.now));
                prop_assert!(paths.paths.is_empty() || paths.poll_timeout().is_some());
            }
        }
    }
}
