//! What becomes of messages when transports break: the router in virtual time.
//!
//! The transports here are a simulation: each takes a while, loses some messages and some receipts, falls
//! silent, or goes down, as the test says. The router is the real one.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hopline::capabilities::TransportKey::{self, Betanet, Bitchat, Direct};
use hopline::capabilities::{Capabilities, DownReason, Health, Reach};
use hopline::ids::{AttemptId, MessageId, PeerId};
use hopline::message::{DeliveryStatus, NotLeft, Preference, Recipient, Requirements};
use hopline::router::error::Reason;
use hopline::router::event::{Conditions, Envelope, Failure, Input, Output, Report};
use hopline::router::selection::Ask;
use hopline::router::{Config, Router};
use hopline::time::{Instant, Now, UnixMillis};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

const BEN: PeerId = PeerId([0xBE; 8]);
const TO_BEN: Recipient = Recipient::Peer(BEN);
const HOUR: u64 = 3_600_000;
const START: u64 = 1_700_000_000_000;
/// Betanet through mixes, which hides who talks with whom.
const MIXED: Capabilities = Capabilities { anonymity_level: 3, ..Capabilities::BETANET };

/// How a simulated transport behaves.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// From dispatch to receipt, in milliseconds.
    latency: u64,
    /// It says that it sent a message, and nothing arrives.
    silent: bool,
    /// Of 100 messages or receipts, so many are lost.
    loss: u32,
    /// Every receipt comes twice.
    twice: bool,
}

const FAST: Manner = Manner { latency: 20, silent: false, loss: 0, twice: false };
const SLOW: Manner = Manner { latency: 400, ..FAST };

struct Bench {
    router: Router,
    millis: u64,
    manners: BTreeMap<TransportKey, Manner>,
    coming: BTreeMap<(u64, u64), Input>,
    serial: u64,
    rng: ChaCha8Rng,
    log: Vec<(u64, Output)>,
    recipients: BTreeMap<MessageId, Recipient>,
    /// Attempts that neither failed nor were called off.
    open: BTreeMap<AttemptId, (TransportKey, MessageId)>,
}

impl Bench {
    fn new(config: Config, seed: u64) -> Self {
        Self {
            router: Router::new(config, seed),
            millis: 0,
            manners: BTreeMap::from([(Bitchat, SLOW), (Betanet, SLOW), (Direct, FAST)]),
            coming: BTreeMap::new(),
            serial: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            log: Vec::new(),
            recipients: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    /// Bitchat and direct work and reach ben.
    fn meeting() -> Self {
        let mut bench = Self::new(Config::default(), 1);
        bench.add(Bitchat, Capabilities::BITCHAT);
        bench.add(Direct, Capabilities::DIRECT);
        bench
    }

    fn add(&mut self, transport: TransportKey, capabilities: Capabilities) {
        self.handle(Input::Register { transport, capabilities });
        self.health(transport, Health::Up);
        self.reach(transport, Reach::Yes);
    }

    fn health(&mut self, transport: TransportKey, health: Health) {
        self.handle(Input::Health { transport, health });
    }

    fn reach(&mut self, transport: TransportKey, reach: Reach) {
        self.handle(Input::Reach { transport, to: TO_BEN, reach });
    }

    fn manner(&mut self, transport: TransportKey) -> &mut Manner {
        self.manners.get_mut(&transport).unwrap()
    }

    fn submit(&mut self, number: u8) -> MessageId {
        self.submit_with(number, Requirements::default())
    }

    fn submit_with(&mut self, number: u8, requirements: Requirements) -> MessageId {
        self.submit_envelope(Envelope {
            id: MessageId([number; 16]),
            to: TO_BEN,
            size: 100,
            wants_receipt: true,
            requirements,
            expires: UnixMillis(START + self.millis + 24 * HOUR),
        })
    }

    fn submit_envelope(&mut self, envelope: Envelope) -> MessageId {
        let id = envelope.id;
        self.recipients.insert(id, envelope.to);
        self.handle(Input::Submit(envelope));
        id
    }

    fn now(&self) -> Now {
        Now {
            instant: Instant::from_start(Duration::from_millis(self.millis)),
            unix: UnixMillis(START + self.millis),
        }
    }

    fn handle(&mut self, input: Input) {
        if let Input::Report { attempt, report: Report::Failed(_) } = input {
            self.open.remove(&attempt);
        }
        self.router.handle(input, self.now());
        while let Some(output) = self.router.poll_output() {
            match &output {
                Output::Dispatch { attempt, transport, id } => self.carry(*attempt, *transport, *id),
                Output::Abandon { attempt, transport, id } => {
                    assert_eq!(self.open.remove(attempt), Some((*transport, *id)), "called off once");
                }
                Output::Status { id, status: DeliveryStatus::Delivered, via: Some(via), .. } => {
                    self.open.retain(|_, open| *open != (*via, *id));
                }
                Output::Warm { .. }
                | Output::Status { .. }
                | Output::Measured(_)
                | Output::Deposit { .. }
                | Output::Recall { .. } => {}
            }
            self.log.push((self.millis, output));
        }
    }

    /// The simulated transport takes a message.
    fn carry(&mut self, attempt: AttemptId, transport: TransportKey, id: MessageId) {
        let twice = self.open.values().any(|open| *open == (transport, id));
        assert!(!twice, "{id} is under way over {transport} twice");
        self.open.insert(attempt, (transport, id));
        let manner = *self.manner(transport);
        self.later(1, Input::Report { attempt, report: Report::Sent });
        let lost = manner.silent || self.rng.next_u32() % 100 < manner.loss;
        let Some(Recipient::Peer(from)) = self.recipients.get(&id).copied() else { return };
        if !lost {
            self.later(manner.latency, Input::Receipt { transport, from, id });
            if manner.twice {
                self.later(manner.latency * 3, Input::Receipt { transport, from, id });
            }
        }
    }

    fn later(&mut self, millis: u64, input: Input) {
        self.serial += 1;
        self.coming.insert((self.millis + millis, self.serial), input);
    }

    fn run_for(&mut self, millis: u64) {
        let end = self.millis + millis;
        loop {
            let timeout = self.router.poll_timeout().map(|at| at.since_start());
            let timeout = timeout.map(|at| u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap());
            let event = self.coming.keys().next().copied();
            let Some(next) = timeout.into_iter().chain(event.map(|(at, _)| at)).min() else { break };
            if next > end {
                break;
            }
            self.millis = self.millis.max(next);
            let input = event.filter(|(at, _)| *at <= next).and_then(|key| self.coming.remove(&key));
            self.handle(input.unwrap_or(Input::Timeout));
        }
        self.millis = end;
    }

    fn statuses(&self, of: MessageId) -> Vec<(DeliveryStatus, Option<TransportKey>)> {
        self.told(of).map(|(_, status, via, _)| (status, via)).collect()
    }

    fn reasons(&self, of: MessageId) -> Vec<Reason> {
        self.told(of).filter_map(|(.., reason)| reason.clone()).collect()
    }

    fn dispatches(&self, of: MessageId) -> Vec<(u64, TransportKey)> {
        let all = self.all_dispatches();
        all.filter(|(_, id, _)| *id == of).map(|(at, _, transport)| (at, transport)).collect()
    }

    fn all_dispatches(&self) -> impl Iterator<Item = (u64, MessageId, TransportKey)> {
        self.log.iter().filter_map(|(at, output)| {
            let Output::Dispatch { transport, id, .. } = output else { return None };
            Some((*at, *id, *transport))
        })
    }

    /// What was said about couriers, in order.
    fn deposits(&self) -> Vec<&Output> {
        let about = |output: &&Output| matches!(output, Output::Deposit { .. } | Output::Recall { .. });
        self.log.iter().map(|(_, output)| output).filter(about).collect()
    }

    fn delivered_at(&self, of: MessageId) -> Option<u64> {
        self.told(of).find(|(_, status, ..)| *status == DELIVERED).map(|(at, ..)| at)
    }

    fn told(
        &self,
        of: MessageId,
    ) -> impl Iterator<Item = (u64, DeliveryStatus, Option<TransportKey>, &Option<Reason>)> {
        self.log.iter().filter_map(move |(at, output)| {
            let Output::Status { id, status, via, reason } = output else { return None };
            (*id == of).then_some((*at, *status, *via, reason))
        })
    }

    fn warmed(&self) -> Vec<TransportKey> {
        let warm = |(_, output): &(u64, Output)| {
            let Output::Warm { transport, .. } = output else { return None };
            Some(*transport)
        };
        self.log.iter().filter_map(warm).collect()
    }
}

fn private() -> Requirements {
    Requirements { private: true, ..Requirements::default() }
}

fn urgent() -> Requirements {
    Requirements { urgent: true, ..Requirements::default() }
}

fn only(transport: TransportKey) -> Requirements {
    Requirements { preference: Some(Preference { transport, only: true }), ..Requirements::default() }
}

const SENT: DeliveryStatus = DeliveryStatus::Sent;
const DELIVERED: DeliveryStatus = DeliveryStatus::Delivered;

#[test]
fn a_transport_carries_nothing_before_it_is_registered_and_up() {
    let mut bench = Bench::new(Config::default(), 1);
    let id = bench.submit(1);
    assert_eq!(bench.reasons(id), [Reason::AllDown]);
    bench.handle(Input::Register { transport: Bitchat, capabilities: Capabilities::BITCHAT });
    bench.health(Bitchat, Health::Up);
    assert_eq!(bench.reasons(id), [Reason::AllDown, Reason::Unreachable]);
    bench.reach(Bitchat, Reach::Yes);
    assert_eq!(bench.dispatches(id), [(0, Bitchat)]);
}

#[test]
fn texts_that_nothing_can_carry_are_left_with_couriers_once_and_still_wait_for_their_receipts() {
    let mut bench = Bench::meeting();
    for transport in [Bitchat, Direct] {
        bench.reach(transport, Reach::No);
    }
    let (first, second) = (bench.submit(1), bench.submit(2));
    let expires = UnixMillis(START + 24 * HOUR);
    let deposits = [first, second].map(|id| Output::Deposit { id, expires });
    bench.run_for(HOUR);
    assert_eq!(bench.deposits(), deposits.iter().collect::<Vec<_>>());
    bench.handle(Input::Deposited { id: first, couriers: 2 });
    bench.run_for(HOUR);
    let with_couriers = Reason::WithCouriers { couriers: 2 };
    assert_eq!(bench.reasons(first), [Reason::Unreachable, with_couriers]);
    assert!(bench.statuses(first).iter().all(|(status, _)| *status == DeliveryStatus::Queued));

    bench.reach(Bitchat, Reach::Yes);
    bench.run_for(HOUR);
    assert!(bench.delivered_at(first).is_some() && bench.delivered_at(second).is_some());
    let recalled = bench.deposits().into_iter().filter(|output| matches!(output, Output::Recall { .. }));
    assert_eq!(recalled.count(), 2);
}

#[test]
fn sixteen_texts_to_one_recipient_are_left_with_couriers_the_urgent_ones_first() {
    let mut bench = Bench::meeting();
    for transport in [Bitchat, Direct] {
        bench.reach(transport, Reach::No);
    }
    let urgent = [1, 2, 3, 4, 5].map(|number| bench.submit_with(number, urgent()));
    let patient: Vec<_> = (6..=30).map(|number| bench.submit(number)).collect();
    bench.run_for(HOUR);
    let left: Vec<_> = bench
        .deposits()
        .into_iter()
        .filter_map(|output| if let Output::Deposit { id, .. } = output { Some(*id) } else { None })
        .collect();
    assert_eq!(left, [urgent.as_slice(), &patient[..11]].concat());
}

#[test]
fn what_couriers_have_of_an_earlier_run_is_not_deposited_again_and_is_recalled_where_it_ended() {
    let mut bench = Bench::meeting();
    for transport in [Bitchat, Direct] {
        bench.reach(transport, Reach::No);
    }
    let id = bench.submit(1);
    for couriers in [1, 2] {
        bench.handle(Input::Deposited { id, couriers });
    }
    let with_couriers = |couriers| Reason::WithCouriers { couriers };
    assert_eq!(bench.reasons(id), [Reason::Unreachable, with_couriers(1), with_couriers(2)]);
    let ended = MessageId([9; 16]);
    bench.handle(Input::Deposited { id: ended, couriers: 1 });
    assert_eq!(bench.deposits().last(), Some(&&Output::Recall { id: ended }));
}

#[test]
fn a_text_that_no_courier_takes_says_why_and_waits_on() {
    let mut bench = Bench::meeting();
    for transport in [Bitchat, Direct] {
        bench.reach(transport, Reach::No);
    }
    let id = bench.submit(1);
    let why = NotLeft::TooLong { len: 2_000, max: 1_020 };
    bench.handle(Input::NotDeposited { id, why });
    bench.run_for(HOUR);
    assert_eq!(bench.reasons(id), [Reason::Unreachable, Reason::NotWithCouriers(why)]);
    let said = Reason::NotWithCouriers(why).to_string();
    assert!(said.contains("1020 bytes") && said.contains("2000"), "{said}");
    bench.reach(Bitchat, Reach::Yes);
    bench.run_for(HOUR);
    assert!(bench.delivered_at(id).is_some());
    bench.handle(Input::NotDeposited { id, why });
    assert_eq!(bench.reasons(id).last(), Some(&Reason::NotWithCouriers(why)), "and nothing more of it");
}

#[test]
fn what_must_stay_private_or_off_the_mesh_is_left_with_no_courier() {
    let mut bench = Bench::meeting();
    for transport in [Bitchat, Direct] {
        bench.reach(transport, Reach::No);
    }
    for (number, requirements) in [(1, private()), (2, only(Direct))] {
        bench.submit_with(number, requirements);
    }
    bench.run_for(HOUR);
    assert!(bench.deposits().is_empty());
}

#[test]
fn a_message_goes_over_ble_and_its_receipt_comes_back() {
    let mut bench = Bench::new(Config::default(), 1);
    bench.add(Bitchat, Capabilities::BITCHAT);
    let id = bench.submit(1);
    bench.run_for(1000);
    assert_eq!(bench.statuses(id), [(SENT, Some(Bitchat)), (DELIVERED, Some(Bitchat))]);
    assert_eq!(bench.router.poll_timeout(), None, "nothing is left to wait for");
}

#[test]
fn without_the_internet_messages_switch_from_betanet_to_bitchat_and_back() {
    let mut bench = Bench::new(Config::default(), 1);
    bench.add(Bitchat, Capabilities::BITCHAT);
    bench.add(Betanet, Capabilities::BETANET);
    let first = bench.submit(1);
    bench.run_for(1000);
    bench.manner(Betanet).silent = true;
    let second = bench.submit(2);
    bench.run_for(10);
    bench.handle(Input::Conditions(Conditions { internet: false, ..Conditions::default() }));
    bench.run_for(1000);
    bench.manner(Betanet).silent = false;
    bench.handle(Input::Conditions(Conditions::default()));
    let third = bench.submit(3);
    bench.run_for(1000);
    assert_eq!(bench.dispatches(first), [(0, Betanet)]);
    assert_eq!(bench.dispatches(second), [(1000, Betanet), (1010, Bitchat)]);
    assert_eq!(bench.dispatches(third), [(2010, Betanet)]);
    assert_eq!(bench.statuses(second).last(), Some(&(DELIVERED, Some(Bitchat))));
}

#[test]
fn a_message_waits_for_a_peer_that_comes_back_after_an_hour() {
    let mut bench = Bench::meeting();
    for transport in [Bitchat, Direct] {
        bench.reach(transport, Reach::No);
    }
    let id = bench.submit(1);
    bench.run_for(HOUR);
    assert_eq!(bench.reasons(id), [Reason::Unreachable]);
    assert_eq!(bench.dispatches(id), []);
    bench.reach(Bitchat, Reach::Yes);
    bench.run_for(1000);
    assert_eq!(bench.delivered_at(id), Some(HOUR + SLOW.latency));
}

#[test]
fn a_peer_that_was_silent_for_an_hour_is_called_less_and_less_and_reached_when_it_answers() {
    let mut bench = Bench::meeting();
    bench.manner(Bitchat).silent = true;
    bench.manner(Direct).silent = true;
    let id = bench.submit(1);
    bench.run_for(HOUR);
    let calls = bench.dispatches(id).len();
    assert!((60..=250).contains(&calls), "{calls} in an hour");
    *bench.manner(Direct) = FAST;
    bench.run_for(180_000);
    assert_eq!(bench.statuses(id).last(), Some(&(DELIVERED, Some(Direct))));
}

#[test]
fn a_pause_ends_when_the_peer_is_reached_anew_or_a_transport_comes_up() {
    let returns: [fn(&mut Bench); 2] = [
        |bench| {
            bench.reach(Direct, Reach::No);
            bench.reach(Direct, Reach::Yes);
        },
        |bench| {
            bench.health(Direct, Health::Down(DownReason::NoNetwork));
            bench.health(Direct, Health::Up);
        },
    ];
    for come_back in returns {
        let mut bench = Bench::meeting();
        bench.manner(Bitchat).silent = true;
        bench.manner(Direct).silent = true;
        let id = bench.submit(1);
        while bench.reasons(id).is_empty() {
            bench.run_for(1);
        }
        let calls = bench.dispatches(id).len();
        assert_eq!(calls, 6, "three tries over each, then a pause");
        *bench.manner(Direct) = FAST;
        come_back(&mut bench);
        assert_eq!(bench.dispatches(id)[calls..], [(bench.millis, Direct)]);
        bench.run_for(1000);
        assert_eq!(bench.statuses(id).last(), Some(&(DELIVERED, Some(Direct))));
    }
}

#[test]
fn a_recipient_without_room_is_not_tried_another_way_and_is_asked_again_later() {
    let mut bench = Bench::meeting();
    bench.manner(Direct).silent = true;
    let id = bench.submit(1);
    let attempt = *bench.open.last_key_value().unwrap().0;
    let full = Failure::RecipientFull;
    bench.handle(Input::Report { attempt, report: Report::Failed(full) });
    assert_eq!(bench.reasons(id), [Reason::Tried { transport: Direct, failure: full }]);
    bench.manner(Direct).silent = false;
    bench.run_for(5000);
    let over: Vec<_> = bench.dispatches(id).into_iter().map(|(_, over)| over).collect();
    assert_eq!(over, [Direct, Direct]);
    assert!(bench.dispatches(id)[1].0 >= 1500);
    assert_eq!(bench.statuses(id).last(), Some(&(DELIVERED, Some(Direct))));
}

#[test]
fn what_no_transport_can_carry_after_all_is_refused() {
    let mut bench = Bench::meeting();
    let id = bench.submit(1);
    for over in [Direct, Bitchat] {
        let attempt = *bench.open.last_key_value().unwrap().0;
        assert_eq!(bench.dispatches(id).last(), Some(&(0, over)));
        bench.handle(Input::Report { attempt, report: Report::Failed(Failure::Unfit) });
    }
    let failure = Failure::Unfit;
    assert_eq!(bench.reasons(id), [Reason::Tried { transport: Bitchat, failure }]);
    assert_eq!(bench.statuses(id), [(DeliveryStatus::Refused, None)]);
}

#[test]
fn without_failover_a_message_stays_on_the_transport_it_took() {
    let mut bench = Bench::new(Config { failover: false, ..Config::default() }, 1);
    bench.add(Bitchat, Capabilities::BITCHAT);
    bench.add(Direct, Capabilities::DIRECT);
    bench.manner(Direct).silent = true;
    let id = bench.submit(1);
    bench.run_for(3000);
    let over: Vec<_> = bench.dispatches(id).into_iter().map(|(_, over)| over).collect();
    assert_eq!(over, [Direct, Direct, Direct]);
}

#[test]
fn a_silent_direct_path_gives_way_to_bitchat_within_a_second() {
    let mut bench = Bench::meeting();
    let first = bench.submit(1);
    bench.run_for(1000);
    assert_eq!(bench.dispatches(first), [(0, Direct)]);
    bench.manner(Direct).silent = true;
    let second = bench.submit(2);
    bench.run_for(2000);
    let dispatches = bench.dispatches(second);
    assert_eq!(dispatches.iter().map(|(_, transport)| *transport).collect::<Vec<_>>(), [Direct, Bitchat]);
    assert!(dispatches[1].0 - dispatches[0].0 < 500, "{dispatches:?}");
    assert!(bench.delivered_at(second).unwrap() < 1000 + 1000);
    let third = bench.submit(3);
    assert_eq!(bench.dispatches(third), [(3000, Bitchat)], "direct is not trusted until it is heard again");
    bench.manner(Direct).silent = false;
    bench.reach(Direct, Reach::Yes);
    bench.run_for(1000);
    let fourth = bench.submit(4);
    assert_eq!(bench.dispatches(fourth), [(4000, Direct)]);
}

#[test]
fn a_break_that_is_reported_needs_no_deadline() {
    let mut bench = Bench::meeting();
    bench.manner(Direct).silent = true;
    let by_health = bench.submit(1);
    bench.run_for(10);
    bench.health(Direct, Health::Down(DownReason::NoNetwork));
    assert_eq!(bench.dispatches(by_health), [(0, Direct), (10, Bitchat)]);
    bench.health(Direct, Health::Up);
    let by_reach = bench.submit(2);
    bench.reach(Direct, Reach::No);
    assert_eq!(bench.dispatches(by_reach), [(10, Direct), (10, Bitchat)]);
    bench.reach(Direct, Reach::Yes);
    let by_report = bench.submit(3);
    let attempt = *bench.open.last_key_value().unwrap().0;
    bench.handle(Input::Report { attempt, report: Report::Failed(Failure::Broken) });
    assert_eq!(bench.dispatches(by_report), [(10, Direct), (10, Bitchat)]);
}

#[test]
fn the_late_success_of_an_earlier_attempt_ends_the_message_and_a_second_receipt_says_nothing() {
    let mut bench = Bench::meeting();
    *bench.manner(Direct) = Manner { latency: 800, twice: true, ..FAST };
    *bench.manner(Bitchat) = Manner { latency: 900, ..FAST };
    let id = bench.submit(1);
    bench.run_for(10_000);
    assert_eq!(bench.dispatches(id).len(), 2);
    let delivered: Vec<_> =
        bench.statuses(id).into_iter().filter(|(status, _)| *status == DELIVERED).collect();
    assert_eq!(delivered, [(DELIVERED, Some(Direct))]);
    let abandoned = |output: &&(u64, Output)| matches!(output.1, Output::Abandon { transport: Bitchat, .. });
    assert_eq!(bench.log.iter().filter(abandoned).count(), 1);
}

#[test]
fn a_receipt_from_somebody_else_ends_nothing() {
    let mut bench = Bench::meeting();
    bench.manner(Direct).silent = true;
    let id = bench.submit(1);
    bench.handle(Input::Receipt { transport: Direct, from: PeerId([1; 8]), id });
    assert_eq!(bench.delivered_at(id), None);
}

#[test]
fn an_urgent_message_goes_over_all_transports_at_once() {
    let mut bench = Bench::meeting();
    let id = bench.submit_with(1, urgent());
    assert_eq!(bench.dispatches(id), [(0, Direct), (0, Bitchat)]);
    bench.run_for(1000);
    assert_eq!(bench.delivered_at(id), Some(FAST.latency));
}

#[test]
fn a_private_message_waits_and_is_never_sent_another_way() {
    let mut bench = Bench::meeting();
    let id = bench.submit_with(1, private());
    assert_eq!(bench.reasons(id), [Reason::NoPrivateTransport]);
    let ordinary = bench.submit(2);
    bench.run_for(HOUR);
    assert_eq!(bench.dispatches(id), []);
    assert!(bench.delivered_at(ordinary).is_some(), "it holds nobody up");
    bench.add(Betanet, Capabilities::BETANET);
    bench.run_for(1000);
    assert_eq!(bench.dispatches(id), [], "one relay does not hide who talks with whom");
    bench.add(Betanet, MIXED);
    bench.run_for(1000);
    assert_eq!(bench.statuses(id).last(), Some(&(DELIVERED, Some(Betanet))));
    let again = bench.submit_with(3, private());
    bench.manner(Betanet).silent = true;
    let last = bench.submit_with(4, private());
    bench.run_for(24 * HOUR);
    assert!(bench.dispatches(again).iter().chain(&bench.dispatches(last)).all(|(_, over)| *over == Betanet));
    assert_eq!(bench.statuses(last).last(), Some(&(DeliveryStatus::Expired, None)));
    assert_eq!(bench.reasons(last).last(), Some(&Reason::TooOld));
}

#[test]
fn a_transport_asked_for_alone_is_waited_for() {
    let mut bench = Bench::meeting();
    bench.health(Direct, Health::Down(DownReason::NoNetwork));
    let id = bench.submit_with(1, only(Direct));
    let down = Some(DownReason::NoNetwork);
    assert_eq!(bench.reasons(id), [Reason::PreferredDown { transport: Direct, down }]);
    bench.health(Direct, Health::Up);
    bench.run_for(1000);
    assert_eq!(
        bench.statuses(id),
        [(DeliveryStatus::Queued, None), (SENT, Some(Direct)), (DELIVERED, Some(Direct))]
    );
}

#[test]
fn a_conversation_explains_itself() {
    let mut bench = Bench::meeting();
    bench.submit(1);
    bench.run_for(1000);
    let ask = envelope_of(MessageId([2; 16])).ask();
    let explanation = bench.router.explain(&Ask { to: TO_BEN, ..ask }, bench.now());
    assert_eq!(
        explanation.sentences("ben"),
        [
            "It goes over direct: a connection to ben stands; the last messages took 20 ms.",
            "Next would be bitchat: it has a way to ben, over at most 7 hops; a message usually takes 2 s.",
            "betanet is out: this node has no such transport.",
            "Measured over direct: 20 ms, 100 % answered in time, 1 sample.",
        ]
    );
    let refused = Ask { requirements: private(), ..ask };
    let explanation = bench.router.explain(&refused, bench.now());
    assert_eq!(
        explanation.sentences("everyone")[0],
        "It is not accepted: a text for everyone cannot be private."
    );
}

#[test]
fn the_conversation_returns_to_direct_when_a_connection_stands_anew() {
    let mut bench = Bench::meeting();
    bench.manner(Bitchat).latency = 80;
    for number in 1..=40 {
        bench.manner(Direct).silent = (10..20).contains(&number);
        match number {
            15 => bench.reach(Direct, Reach::No),
            25 => bench.reach(Direct, Reach::Yes),
            _ => {}
        }
        let id = bench.submit(number);
        bench.run_for(1000);
        assert!(bench.delivered_at(id).unwrap() % 1000 < 500, "message {number}");
        let expected = if (10..25).contains(&number) { Bitchat } else { Direct };
        assert_eq!(bench.statuses(id).last(), Some(&(DELIVERED, Some(expected))), "message {number}");
    }
}

#[test]
fn the_fallback_is_made_ready_once_in_half_a_minute() {
    let mut bench = Bench::meeting();
    for number in 1..=60 {
        bench.submit(number);
        bench.run_for(1000);
    }
    assert_eq!(bench.warmed(), [Bitchat, Bitchat]);
}

#[test]
fn messages_leave_in_the_order_they_were_submitted_a_window_at_a_time() {
    let config = Config { window: 4, ..Config::default() };
    let mut bench = Bench::new(config, 1);
    bench.add(Direct, Capabilities::DIRECT);
    let ids: Vec<MessageId> = (1..=20).rev().map(|number| bench.submit(number)).collect();
    assert_eq!(bench.open.len(), 4);
    assert_eq!(bench.reasons(ids[4]), [Reason::InTurn]);
    bench.run_for(1000);
    let order: Vec<MessageId> = bench.all_dispatches().map(|(_, id, _)| id).collect();
    assert_eq!(order, ids);
}

#[test]
fn a_text_for_everyone_goes_over_each_transport_once_and_ends_when_all_have_sent_it() {
    let mut bench = Bench::meeting();
    let envelope = Envelope {
        id: MessageId([1; 16]),
        to: Recipient::Everyone,
        size: 100,
        wants_receipt: false,
        requirements: Requirements::default(),
        expires: UnixMillis(START + HOUR),
    };
    let id = bench.submit_envelope(envelope);
    assert_eq!(bench.reasons(id), [Reason::Unreachable]);
    for transport in [Direct, Bitchat] {
        bench.handle(Input::Reach { transport, to: Recipient::Everyone, reach: Reach::Yes });
    }
    bench.run_for(HOUR / 2);
    assert_eq!(bench.dispatches(id), [(0, Direct)], "whoever is there first");
    bench.submit_envelope(Envelope { id: MessageId([2; 16]), ..envelope_of(id) });
    bench.run_for(HOUR);
    let over: BTreeSet<_> = bench.dispatches(MessageId([2; 16])).into_iter().map(|(_, over)| over).collect();
    assert_eq!(over, BTreeSet::from([Bitchat, Direct]));
    assert_eq!(bench.dispatches(MessageId([2; 16])).len(), 2);
    assert_eq!(bench.router.room(), Config::default().messages);
}

fn envelope_of(id: MessageId) -> Envelope {
    Envelope {
        id,
        to: Recipient::Everyone,
        size: 100,
        wants_receipt: false,
        requirements: Requirements::default(),
        expires: UnixMillis(START + 2 * HOUR),
    }
}

#[test]
fn what_wants_no_receipt_is_done_when_it_was_sent() {
    let mut bench = Bench::meeting();
    let id = bench.submit_envelope(Envelope { to: TO_BEN, ..envelope_of(MessageId([1; 16])) });
    bench.run_for(1);
    assert_eq!(bench.statuses(id), [(SENT, Some(Direct))]);
    assert_eq!(bench.router.room(), Config::default().messages);
}

#[test]
fn a_withdrawn_message_is_called_off() {
    let mut bench = Bench::meeting();
    bench.manner(Direct).silent = true;
    let id = bench.submit(1);
    bench.handle(Input::Withdraw(id));
    assert_eq!(bench.reasons(id), [Reason::Withdrawn]);
    assert!(bench.open.is_empty());
}

#[test]
fn what_can_never_be_carried_is_refused_at_once() {
    let mut bench = Bench::meeting();
    let mut refused = |envelope: Envelope| {
        let id = bench.submit_envelope(envelope);
        assert_eq!(bench.statuses(id), [(DeliveryStatus::Refused, None)]);
        bench.reasons(id)
    };
    let envelope = |number| envelope_of(MessageId([number; 16]));
    assert_eq!(refused(Envelope { requirements: private(), ..envelope(1) }), [Reason::PrivateBroadcast]);
    let len = 2 << 20;
    let max = 1 << 20;
    assert_eq!(refused(Envelope { to: TO_BEN, size: len, ..envelope(2) }), [Reason::TooLong { len, max }]);
    let requirements = Requirements { private: true, ..only(Direct) };
    let unfit = Reason::PreferredUnfit { transport: Direct };
    assert_eq!(refused(Envelope { to: TO_BEN, requirements, ..envelope(3) }), [unfit]);
}

#[test]
fn ten_thousand_messages_for_one_absent_peer_cost_no_more_than_one() {
    let mut bench = Bench::meeting();
    bench.reach(Bitchat, Reach::No);
    bench.reach(Direct, Reach::No);
    for number in 0..10_000_u128 {
        let id = MessageId(number.to_be_bytes());
        let expires = UnixMillis(START + HOUR);
        bench.submit_envelope(Envelope { to: TO_BEN, wants_receipt: true, expires, ..envelope_of(id) });
    }
    bench.log.clear();
    bench.reach(Bitchat, Reach::Perhaps);
    let window = Config::default().window;
    assert!(bench.log.len() <= window + 3, "{} outputs for one event", bench.log.len());
    bench.reach(Direct, Reach::Yes);
    bench.run_for(30_000);
    let delivered = |output: &&(u64, Output)| matches!(output.1, Output::Status { status: DELIVERED, .. });
    assert_eq!(bench.log.iter().filter(delivered).count(), 10_000);
}

/// Something that happens to the transports.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Down(TransportKey),
    Up(TransportKey),
    Reach(TransportKey, Reach),
    Silent(TransportKey, bool),
    Loss(TransportKey, u32),
    Latency(TransportKey, u64),
    Twice(TransportKey, bool),
    Fail(Failure),
    Internet(bool),
}

fn transport() -> impl Strategy<Value = TransportKey> {
    prop_oneof![Just(Bitchat), Just(Betanet), Just(Direct)]
}

fn blow() -> impl Strategy<Value = Blow> {
    let reach = prop_oneof![Just(Reach::No), Just(Reach::Perhaps), Just(Reach::Yes)];
    let failure = prop_oneof![
        Just(Failure::Unreachable),
        Just(Failure::Broken),
        Just(Failure::Silence),
        Just(Failure::Busy),
        Just(Failure::RecipientFull)
    ];
    prop_oneof![
        transport().prop_map(Blow::Down),
        transport().prop_map(Blow::Up),
        (transport(), reach).prop_map(|(over, reach)| Blow::Reach(over, reach)),
        (transport(), any::<bool>()).prop_map(|(over, silent)| Blow::Silent(over, silent)),
        (transport(), 0..100_u32).prop_map(|(over, loss)| Blow::Loss(over, loss)),
        (transport(), 1..20_000_u64).prop_map(|(over, latency)| Blow::Latency(over, latency)),
        (transport(), any::<bool>()).prop_map(|(over, twice)| Blow::Twice(over, twice)),
        failure.prop_map(Blow::Fail),
        any::<bool>().prop_map(Blow::Internet),
    ]
}

fn strike(bench: &mut Bench, blow: Blow) {
    match blow {
        Blow::Down(over) => bench.health(over, Health::Down(DownReason::Failed)),
        Blow::Up(over) => bench.health(over, Health::Up),
        Blow::Reach(over, reach) => bench.reach(over, reach),
        Blow::Silent(over, silent) => bench.manner(over).silent = silent,
        Blow::Loss(over, loss) => bench.manner(over).loss = loss,
        Blow::Latency(over, latency) => bench.manner(over).latency = latency,
        Blow::Twice(over, twice) => bench.manner(over).twice = twice,
        Blow::Fail(failure) => {
            if let Some(attempt) = bench.open.keys().next_back().copied() {
                bench.handle(Input::Report { attempt, report: Report::Failed(failure) });
            }
        }
        Blow::Internet(internet) => {
            bench.handle(Input::Conditions(Conditions { internet, ..Conditions::default() }));
        }
    }
}

/// Messages and blows in turn; in the end everything works again.
fn troubled_hour(seed: u64, blows: &[(u64, Blow)]) -> Bench {
    let mut bench = Bench::new(Config { window: 3, ..Config::default() }, seed);
    bench.add(Bitchat, Capabilities::BITCHAT);
    bench.add(Betanet, MIXED);
    bench.add(Direct, Capabilities::DIRECT);
    for (number, (pause, blow)) in (1_u8..).zip(blows) {
        let requirements = match number % 5 {
            0 => urgent(),
            1 => private(),
            _ => Requirements::default(),
        };
        bench.submit_with(number, requirements);
        strike(&mut bench, *blow);
        bench.run_for(*pause);
    }
    bench.handle(Input::Conditions(Conditions::default()));
    for over in TransportKey::ALL {
        *bench.manner(over) = FAST;
        bench.health(over, Health::Up);
        bench.reach(over, Reach::Yes);
    }
    bench.run_for(HOUR);
    bench
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_breaks_every_message_is_delivered_once_and_the_same_seed_tells_the_same_story(
        seed in any::<u64>(),
        blows in prop::collection::vec((0..15_000_u64, blow()), 1..60),
    ) {
        let bench = troubled_hour(seed, &blows);
        for id in bench.recipients.keys() {
            let delivered = bench.statuses(*id).iter().filter(|(status, _)| *status == DELIVERED).count();
            prop_assert_eq!(delivered, 1, "{}: {:?}", id, bench.statuses(*id));
            prop_assert_eq!(bench.statuses(*id).last().map(|(status, _)| *status), Some(DELIVERED));
            // Each blow may begin a round, and so may each pause of at least 1.5 s.
            let rounds = blows.len() * 2 + 10 + usize::try_from(bench.delivered_at(*id).unwrap() / 1500).unwrap();
            prop_assert!(bench.dispatches(*id).len() <= 9 * rounds);
            if id.0[0] % 5 == 1 {
                prop_assert!(bench.dispatches(*id).iter().all(|(_, over)| *over == Betanet));
            }
        }
        prop_assert_eq!(bench.router.room(), Config::default().messages);
        prop_assert_eq!(bench.router.poll_timeout(), None);
        prop_assert_eq!(troubled_hour(seed, &blows).log, bench.log);
    }
}
