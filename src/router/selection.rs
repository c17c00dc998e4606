//! Which transport takes a message: a pure function over a snapshot, so that it can be asked, explained and
//! tested without a router.
//!
//! A transport that cannot do what the message requires is *excluded*, with a reason. The others are put in
//! order: those that answered lately before those that did not, the one asked for before the rest, a way that
//! stands before one that may exist, and then by *cost*, a time:
//!
//! - how long a message takes ([`Record::latency`], or the typical latency before anything was measured), times
//!   [`PLACE`] for every place further down in the priority list,
//! - plus [`LOSS`] times the share of messages that were not answered in time,
//! - plus [`BATTERY`] for every step of battery impact, when the battery is low,
//! - plus [`METERED`] for a transport that uses the network, when every byte costs money.
//!
//! With [`adaptive`](crate::router::Config::adaptive) switched off, and for everyone, all are taken to be equally
//! fast ([`NOMINAL`]) and to lose nothing: the priority list decides. The transport in use keeps its place until a rival costs less than [`MARGIN`] of it.

use std::time::Duration;

use super::error::Reason;
use super::event::Conditions;
use super::measured::Record;
use crate::capabilities::{BatteryImpact, Capabilities, DownReason, Health, PRIVATE, Reach, TransportKey};
use crate::message::{Preference, Recipient, Requirements};

/// So many times faster a transport has to be for every place it stands further down in the priority list.
pub const PLACE: f64 = 2.5;
/// What it costs if no message at all is answered in time.
pub const LOSS: Duration = Duration::from_secs(2);
/// What a step of battery impact costs while the battery is low.
pub const BATTERY: Duration = Duration::from_secs(6);
/// What the use of a metered network costs.
pub const METERED: Duration = Duration::from_secs(6);
/// How long a message takes where time does not count.
pub const NOMINAL: Duration = Duration::from_secs(1);
/// A rival of the transport in use has to cost less than this share of what that one costs.
pub const MARGIN: f64 = 0.75;

/// What is to be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// For whom.
    pub to: Recipient,
    /// Bytes to carry.
    pub size: usize,
    /// What it asks of its way.
    pub requirements: Requirements,
}

/// Everything the decision rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot<'a> {
    /// The transports of this node.
    pub candidates: Vec<Candidate<'a>>,
    /// What the machine is like.
    pub conditions: Conditions,
    /// Which is preferred when nothing else speaks for one.
    pub priority: &'a [TransportKey],
    /// Whether the time a message takes counts.
    pub adaptive: bool,
    /// The transport that carries this recipient's messages.
    pub current: Option<TransportKey>,
}

/// One transport, as it stands towards one recipient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<'a> {
    /// Which.
    pub transport: TransportKey,
    /// What it can do.
    pub capabilities: &'a Capabilities,
    /// How it is.
    pub health: Health,
    /// Whether it reaches the recipient.
    pub reach: Reach,
    /// What was measured, the weight of old failures lowered already.
    pub measured: Option<Record>,
    /// It was silent when an answer was due, and nothing was heard since.
    pub silent: bool,
}

/// The verdict on every transport there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// What was asked.
    pub ask: Ask,
    /// Those that can take it, best first.
    pub eligible: Vec<Choice>,
    /// Those that cannot.
    pub excluded: Vec<(TransportKey, Exclusion)>,
}

/// A transport that can take the message.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Which.
    pub transport: TransportKey,
    /// Whether it reaches the recipient surely.
    pub reach: Reach,
    /// What it costs; less is better.
    pub cost: Duration,
    /// What speaks for it and against it.
    pub grounds: Vec<Ground>,
}

impl Choice {
    /// Whether it was silent when an answer was due.
    pub fn is_silent(&self) -> bool {
        self.grounds.contains(&Ground::Silent)
    }
}

/// Something that speaks for a transport, or against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ground {
    /// Nobody learns who talks with whom.
    Private,
    /// It was asked for.
    Asked,
    /// It works without the internet, and there is none.
    NeedsNoInternet,
    /// It has a way: over at most so many hops.
    Reaches {
        /// One is a connection.
        max_hops: u8,
    },
    /// It knows a way it has not tried lately.
    MayReach,
    /// It was silent when an answer was due.
    Silent,
    /// What the last messages took.
    Measured {
        /// Until the receipt.
        latency: Duration,
        /// The share that was answered in time.
        success: f64,
    },
    /// What a message usually takes; nothing was measured.
    Typical(Duration),
    /// The battery is low.
    Battery(BatteryImpact),
    /// It uses a network where every byte costs money.
    Metered,
    /// It carries the conversation, and this rival costs less, but not by enough.
    Kept {
        /// Who would have been first.
        rival: TransportKey,
    },
}

/// Why a transport cannot take the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// This node has no such transport.
    Absent,
    /// Only another one was asked for.
    NotAsked {
        /// That one.
        only: TransportKey,
    },
    /// Privacy is required, and this is all it hides.
    NotPrivate {
        /// Its anonymity level.
        level: u8,
    },
    /// It does not carry a message to everyone.
    NoBroadcast,
    /// It does not carry a message to one peer.
    NoUnicast,
    /// It does not encrypt for the recipient alone.
    NoEncryption,
    /// The message is longer than it takes.
    TooLong {
        /// The most it takes.
        max: usize,
    },
    /// It does not work.
    Down(DownReason),
    /// It needs the internet, and there is none.
    NoInternet,
    /// It knows no way to the recipient.
    NoWay,
}

impl Exclusion {
    /// Whether no change of health, reach or network lifts it.
    pub const fn is_lasting(self) -> bool {
        match self {
            Self::NotAsked { .. }
            | Self::NotPrivate { .. }
            | Self::NoBroadcast
            | Self::NoUnicast
            | Self::NoEncryption
            | Self::TooLong { .. } => true,
            Self::Absent | Self::Down(_) | Self::NoInternet | Self::NoWay => false,
        }
    }
}

impl Ranking {
    /// The first choice.
    pub fn best(&self) -> Option<TransportKey> {
        self.eligible.first().map(|choice| choice.transport)
    }

    /// Why a transport is out; nothing when it is not.
    pub fn exclusion(&self, transport: TransportKey) -> Option<Exclusion> {
        self.excluded.iter().find(|(key, _)| *key == transport).map(|(_, exclusion)| *exclusion)
    }

    /// Why the message has to wait; nothing when a transport can take it.
    pub fn waits(&self) -> Option<Reason> {
        if !self.eligible.is_empty() {
            return None;
        }
        if let Some(Preference { transport, only: true }) = self.ask.requirements.preference {
            return self.exclusion(transport).map(|exclusion| self.waits_for(transport, exclusion));
        }
        let any = |test: fn(Exclusion) -> bool| self.excluded.iter().any(|(_, exclusion)| test(*exclusion));
        if any(|exclusion| matches!(exclusion, Exclusion::TooLong { .. })) {
            Some(Reason::TooLongForNow { len: self.ask.size })
        } else if any(|exclusion| exclusion == Exclusion::NoWay) {
            Some(Reason::Unreachable)
        } else if self.ask.requirements.private {
            Some(Reason::NoPrivateTransport)
        } else if any(Exclusion::is_lasting) {
            Some(Reason::Unreachable)
        } else {
            Some(Reason::AllDown)
        }
    }

    fn waits_for(&self, transport: TransportKey, exclusion: Exclusion) -> Reason {
        match exclusion {
            Exclusion::Absent => Reason::PreferredDown { transport, down: None },
            Exclusion::Down(down) => Reason::PreferredDown { transport, down: Some(down) },
            Exclusion::NoInternet => Reason::PreferredDown { transport, down: Some(DownReason::NoNetwork) },
            Exclusion::NoWay => Reason::Unreachable,
            Exclusion::TooLong { max } => Reason::TooLong { len: self.ask.size, max },
            Exclusion::NotAsked { .. }
            | Exclusion::NotPrivate { .. }
            | Exclusion::NoBroadcast
            | Exclusion::NoUnicast
            | Exclusion::NoEncryption => Reason::PreferredUnfit { transport },
        }
    }
}

/// Puts every transport in its place.
pub fn rank(snapshot: &Snapshot<'_>, ask: &Ask) -> Ranking {
    let mut excluded = Vec::new();
    let mut placed = Vec::new();
    for transport in TransportKey::ALL {
        let Some(candidate) = snapshot.candidates.iter().find(|held| held.transport == transport) else {
            let not_asked = not_asked(transport, ask);
            excluded.push((transport, not_asked.unwrap_or(Exclusion::Absent)));
            continue;
        };
        match exclusion(candidate, snapshot.conditions, ask) {
            Some(exclusion) => excluded.push((transport, exclusion)),
            None => placed.push(place(snapshot, candidate, ask)),
        }
    }
    placed.sort_by_key(|(rung, choice)| (*rung, choice.cost, place_in_list(snapshot, choice.transport)));
    keep_current(&mut placed, snapshot.current);
    Ranking { ask: *ask, eligible: placed.into_iter().map(|(_, choice)| choice).collect(), excluded }
}

/// What a transport can never do for this message, whatever its health and reach.
pub fn unfit(transport: TransportKey, capabilities: &Capabilities, ask: &Ask) -> Option<Exclusion> {
    let everyone = ask.to == Recipient::Everyone;
    let max = capabilities.max_size(everyone);
    if let Some(exclusion) = not_asked(transport, ask) {
        Some(exclusion)
    } else if ask.requirements.private && capabilities.anonymity_level < PRIVATE {
        Some(Exclusion::NotPrivate { level: capabilities.anonymity_level })
    } else if everyone && !capabilities.broadcast {
        Some(Exclusion::NoBroadcast)
    } else if !everyone && !capabilities.unicast {
        Some(Exclusion::NoUnicast)
    } else if !everyone && !capabilities.encryption {
        Some(Exclusion::NoEncryption)
    } else if ask.size > max {
        Some(Exclusion::TooLong { max })
    } else {
        None
    }
}

/// How far up a transport stands whatever it costs; the least is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rung {
    silent: bool,
    not_preferred: bool,
    uncertain: bool,
}

fn not_asked(transport: TransportKey, ask: &Ask) -> Option<Exclusion> {
    match ask.requirements.preference {
        Some(Preference { transport: only, only: true }) if only != transport => {
            Some(Exclusion::NotAsked { only })
        }
        Some(_) | None => None,
    }
}

fn exclusion(candidate: &Candidate<'_>, conditions: Conditions, ask: &Ask) -> Option<Exclusion> {
    if let Some(exclusion) = unfit(candidate.transport, candidate.capabilities, ask) {
        return Some(exclusion);
    }
    match candidate.health {
        Health::Down(reason) => Some(Exclusion::Down(reason)),
        Health::Up if candidate.capabilities.needs_internet && !conditions.internet => {
            Some(Exclusion::NoInternet)
        }
        Health::Up if candidate.reach == Reach::No => Some(Exclusion::NoWay),
        Health::Up => None,
    }
}

fn place(snapshot: &Snapshot<'_>, candidate: &Candidate<'_>, ask: &Ask) -> (Rung, Choice) {
    let Candidate { transport, capabilities, reach, silent, .. } = *candidate;
    let conditions = snapshot.conditions;
    let preferred = ask.requirements.preference.is_some_and(|preference| preference.transport == transport);
    let mut grounds = Vec::new();
    let (mut time, mut cost) = (NOMINAL, Duration::ZERO);
    if ask.requirements.private {
        grounds.push(Ground::Private);
    }
    if preferred {
        grounds.push(Ground::Asked);
    }
    if !conditions.internet && capabilities.offline_capable {
        grounds.push(Ground::NeedsNoInternet);
    }
    grounds.push(match reach {
        Reach::Yes => Ground::Reaches { max_hops: capabilities.max_hops },
        Reach::No | Reach::Perhaps => Ground::MayReach,
    });
    if silent {
        grounds.push(Ground::Silent);
    }
    // A text for everyone goes over all of them; nobody answers it.
    if snapshot.adaptive && ask.to != Recipient::Everyone {
        let ground;
        (time, cost, ground) = time_taken(candidate);
        grounds.push(ground);
    }
    cost = cost.saturating_add(handicapped(time, place_in_list(snapshot, transport)));
    if conditions.battery_low {
        cost = cost.saturating_add(BATTERY.saturating_mul(battery_steps(capabilities.battery_impact)));
        grounds.push(Ground::Battery(capabilities.battery_impact));
    }
    if conditions.metered && !capabilities.offline_capable {
        cost = cost.saturating_add(METERED);
        grounds.push(Ground::Metered);
    }
    let rung = Rung { silent, not_preferred: !preferred, uncertain: reach != Reach::Yes };
    (rung, Choice { transport, reach, cost, grounds })
}

/// How long a message takes, and what its losses cost.
fn time_taken(candidate: &Candidate<'_>) -> (Duration, Duration, Ground) {
    match candidate.measured {
        Some(Record { latency, success, .. }) => {
            let lost = LOSS.mul_f64((1.0 - success).clamp(0.0, 1.0));
            (latency, lost, Ground::Measured { latency, success })
        }
        None => {
            let typical = candidate.capabilities.typical_latency;
            (typical, Duration::ZERO, Ground::Typical(typical))
        }
    }
}

fn handicapped(time: Duration, place: usize) -> Duration {
    (0..place.min(TransportKey::ALL.len())).fold(time, |time, _| {
        Duration::try_from_secs_f64(time.as_secs_f64() * PLACE).unwrap_or(Duration::MAX)
    })
}

fn battery_steps(impact: BatteryImpact) -> u32 {
    match impact {
        BatteryImpact::Low => 0,
        BatteryImpact::Medium => 1,
        BatteryImpact::High => 2,
    }
}

/// Its place in the priority list, from 0; one that is not listed comes after all that are.
fn place_in_list(snapshot: &Snapshot<'_>, transport: TransportKey) -> usize {
    let place = snapshot.priority.iter().position(|listed| *listed == transport);
    place.unwrap_or(snapshot.priority.len())
}

/// Hysteresis: the transport in use stays first among its equals until another is clearly better.
fn keep_current(placed: &mut [(Rung, Choice)], current: Option<TransportKey>) {
    let Some((first_rung, first)) = placed.first() else { return };
    let (rival, rival_cost, rung) = (first.transport, first.cost, *first_rung);
    let Some(index) = placed.iter().position(|(_, choice)| Some(choice.transport) == current) else { return };
    let Some((held_rung, held)) = placed.get_mut(index) else { return };
    if index == 0 || *held_rung != rung || rival_cost < held.cost.mul_f64(MARGIN) {
        return;
    }
    held.grounds.push(Ground::Kept { rival });
    if let Some(front) = placed.get_mut(..=index) {
        front.rotate_right(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PeerId;
    use crate::time::UnixMillis;
    use TransportKey::{Betanet, Bitchat, Direct};

    const BEN: PeerId = PeerId([0xBE; 8]);
    const PRIORITY: [TransportKey; 3] = [Betanet, Bitchat, Direct];
    const OFFLINE: Conditions = Conditions { internet: false, battery_low: false, metered: false };
    const ONLINE: Conditions = Conditions { internet: true, ..OFFLINE };
    const LOW_BATTERY: Conditions = Conditions { battery_low: true, ..ONLINE };
    const METERED: Conditions = Conditions { metered: true, ..ONLINE };

    fn candidate(transport: TransportKey) -> Candidate<'static> {
        let capabilities = match transport {
            Bitchat => &Capabilities::BITCHAT,
            Betanet => &Capabilities::BETANET,
            Direct => &Capabilities::DIRECT,
        };
        let (health, reach) = (Health::Up, Reach::Yes);
        Candidate { transport, capabilities, health, reach, measured: None, silent: false }
    }

    /// All three transports work and reach ben; offline, direct has no network.
    fn snapshot(conditions: Conditions) -> Snapshot<'static> {
        let mut candidates = TransportKey::ALL.map(candidate).to_vec();
        if !conditions.internet {
            candidates[2].health = Health::Down(DownReason::NoNetwork);
        }
        Snapshot { candidates, conditions, priority: &PRIORITY, adaptive: true, current: None }
    }

    fn with<'a>(
        mut snapshot: Snapshot<'a>,
        transport: TransportKey,
        change: impl Fn(&mut Candidate<'a>),
    ) -> Snapshot<'a> {
        snapshot.candidates.iter_mut().filter(|held| held.transport == transport).for_each(change);
        snapshot
    }

    fn measured(transport: TransportKey, millis: u64, success: f64) -> Option<Record> {
        let latency = Duration::from_millis(millis);
        Some(Record { peer: BEN, transport, success, latency, samples: 20, updated: UnixMillis(0) })
    }

    fn to_ben() -> Ask {
        Ask { to: Recipient::Peer(BEN), size: 100, requirements: Requirements::default() }
    }

    fn to_everyone() -> Ask {
        Ask { to: Recipient::Everyone, ..to_ben() }
    }

    fn privately() -> Ask {
        Ask { requirements: Requirements { private: true, ..Requirements::default() }, ..to_ben() }
    }

    fn preferring(transport: TransportKey, only: bool) -> Ask {
        let preference = Some(Preference { transport, only });
        Ask { requirements: Requirements { preference, ..Requirements::default() }, ..to_ben() }
    }

    fn order(snapshot: &Snapshot<'_>, ask: &Ask) -> Vec<TransportKey> {
        rank(snapshot, ask).eligible.iter().map(|choice| choice.transport).collect()
    }

    /// The founding document's decision matrix (chapter 5.1), row for row. The plain tick of row 1 reads
    /// "private content", which is encryption, to one peer and to everyone. The privacy-critical row wants
    /// betanet with its mixes: through one relay it is not private enough, and such a message waits.
    #[test]
    fn the_decision_matrix_holds_row_for_row() {
        let rows = [
            ("offline messaging, private content", OFFLINE, to_ben(), Some(Bitchat)),
            ("offline messaging, broadcast", OFFLINE, to_everyone(), Some(Bitchat)),
            ("privacy-critical", ONLINE, privately(), None),
            ("broadcast announcement", ONLINE, to_everyone(), Some(Bitchat)),
            ("online, standard", ONLINE, to_ben(), Some(Betanet)),
            ("low battery", LOW_BATTERY, to_ben(), Some(Betanet)),
        ];
        for (row, conditions, ask, selected) in rows {
            assert_eq!(rank(&snapshot(conditions), &ask).best(), selected, "{row}");
        }
        let mixed = Capabilities { anonymity_level: PRIVATE, ..Capabilities::BETANET };
        let snapshot = with(snapshot(ONLINE), Betanet, |held| held.capabilities = &mixed);
        assert_eq!(rank(&snapshot, &privately()).best(), Some(Betanet), "privacy-critical, with mixes");
    }

    #[test]
    fn row_1_is_explained() {
        assert_eq!(
            rank(&snapshot(OFFLINE), &to_ben()).sentences("ben"),
            [
                "It goes over bitchat: it needs no internet, and there is none; it has a way to ben, over at \
                 most 7 hops; a message usually takes 2 s.",
                "betanet is out: it needs the internet, and there is none.",
                "direct is out: it does not work (no network).",
            ]
        );
    }

    #[test]
    fn row_2_is_explained_with_betanet_and_without() {
        let mut snapshot = snapshot(ONLINE);
        let ranking = rank(&snapshot, &privately());
        assert_eq!(ranking.waits(), Some(Reason::NoPrivateTransport));
        assert_eq!(
            ranking.sentences("ben"),
            [
                "It waits: privacy is required, and no transport that hides who talks with whom works.",
                "bitchat is out: privacy is required, and it hides names, not who talks with whom.",
                "betanet is out: privacy is required, and it hides names, not who talks with whom.",
                "direct is out: privacy is required, and it shows the recipient our address.",
            ]
        );
        snapshot.candidates.retain(|held| held.transport != Betanet);
        let ranking = rank(&snapshot, &privately());
        assert_eq!(ranking.waits(), Some(Reason::NoPrivateTransport));
        assert_eq!(ranking.exclusion(Betanet), Some(Exclusion::Absent));
    }

    #[test]
    fn row_3_is_explained() {
        assert_eq!(
            rank(&snapshot(ONLINE), &to_everyone()).sentences("everyone in reach"),
            [
                "It goes over bitchat and direct at once: it is for everyone.",
                "bitchat: it has a way to everyone in reach, over at most 7 hops.",
                "direct: a connection to everyone in reach stands.",
                "betanet is out: it carries nothing to everyone.",
            ]
        );
    }

    #[test]
    fn row_4_is_explained() {
        assert_eq!(
            rank(&snapshot(ONLINE), &to_ben()).sentences("ben"),
            [
                "It goes over betanet: it has a way to ben, over at most 2 hops; a message usually takes 500 ms.",
                "Next would be direct: a connection to ben stands; a message usually takes 100 ms.",
                "Then bitchat: it has a way to ben, over at most 7 hops; a message usually takes 2 s.",
            ]
        );
    }

    #[test]
    fn row_5_is_explained() {
        assert_eq!(
            rank(&snapshot(LOW_BATTERY), &to_ben()).sentences("ben")[..2],
            [
                "It goes over betanet: it has a way to ben, over at most 2 hops; a message usually takes 500 ms; \
                 the battery is low, and it needs little.",
                "Next would be direct: a connection to ben stands; a message usually takes 100 ms; the battery \
                 is low, and it needs some of it.",
            ]
        );
    }

    #[test]
    fn a_slow_betanet_is_still_taken_when_the_battery_is_low() {
        let slow = |conditions| {
            with(snapshot(conditions), Betanet, |held| held.measured = measured(Betanet, 2000, 1.0))
        };
        assert_eq!(rank(&slow(ONLINE), &to_ben()).best(), Some(Direct));
        assert_eq!(rank(&slow(LOW_BATTERY), &to_ben()).best(), Some(Betanet));
    }

    #[test]
    fn what_was_measured_counts_more_than_the_list_and_can_be_switched_off() {
        let mut snapshot = with(snapshot(ONLINE), Direct, |held| held.measured = measured(Direct, 20, 1.0));
        snapshot.candidates.retain(|held| held.transport != Betanet);
        let ranking = rank(&snapshot, &to_ben());
        assert_eq!(
            ranking.sentences("ben"),
            [
                "It goes over direct: a connection to ben stands; the last messages took 20 ms.",
                "Next would be bitchat: it has a way to ben, over at most 7 hops; a message usually takes 2 s.",
                "betanet is out: this node has no such transport.",
            ]
        );
        snapshot.adaptive = false;
        assert_eq!(order(&snapshot, &to_ben()), [Bitchat, Direct]);
    }

    #[test]
    fn messages_that_were_not_answered_count_against_a_transport() {
        let losing = with(snapshot(ONLINE), Betanet, |held| held.measured = measured(Betanet, 300, 0.8));
        assert_eq!(order(&losing, &to_ben()), [Direct, Betanet, Bitchat]);
        let words = rank(&losing, &to_ben()).sentences("ben");
        assert!(
            words[1].ends_with("the last messages took 300 ms, 80 % were answered in time."),
            "{words:?}"
        );
    }

    #[test]
    fn a_metered_network_is_avoided() {
        assert_eq!(rank(&snapshot(METERED), &to_ben()).best(), Some(Bitchat));
    }

    #[test]
    fn a_way_that_may_exist_comes_after_one_that_stands() {
        let unsure = with(snapshot(ONLINE), Betanet, |held| held.reach = Reach::Perhaps);
        assert_eq!(order(&unsure, &to_ben()), [Direct, Bitchat, Betanet]);
        let lost = with(snapshot(ONLINE), Betanet, |held| held.reach = Reach::No);
        assert_eq!(rank(&lost, &to_ben()).exclusion(Betanet), Some(Exclusion::NoWay));
    }

    #[test]
    fn the_transport_asked_for_is_first_if_it_can_and_alone_if_that_was_asked() {
        assert_eq!(order(&snapshot(ONLINE), &preferring(Bitchat, false)), [Bitchat, Betanet, Direct]);
        assert_eq!(order(&snapshot(OFFLINE), &preferring(Direct, false)), [Bitchat]);
        let alone = rank(&snapshot(ONLINE), &preferring(Bitchat, true));
        assert_eq!(alone.best(), Some(Bitchat));
        assert_eq!(alone.exclusion(Direct), Some(Exclusion::NotAsked { only: Bitchat }));
        let down = Some(DownReason::NoNetwork);
        let expected = Some(Reason::PreferredDown { transport: Direct, down });
        assert_eq!(rank(&snapshot(OFFLINE), &preferring(Direct, true)).waits(), expected);
    }

    #[test]
    fn a_silent_transport_comes_last_even_if_it_was_asked_for() {
        let silent = with(snapshot(ONLINE), Direct, |held| held.silent = true);
        assert_eq!(order(&silent, &preferring(Direct, false)), [Betanet, Bitchat, Direct]);
    }

    #[test]
    fn the_transport_in_use_keeps_its_place_until_a_rival_is_clearly_better() {
        let mut held = with(snapshot(ONLINE), Direct, |held| held.measured = measured(Direct, 100, 1.0));
        held.current = Some(Direct);
        let ranking = rank(&held, &to_ben());
        assert_eq!(ranking.best(), Some(Direct), "625 ms against 500 ms");
        assert_eq!(ranking.eligible[0].grounds.last(), Some(&Ground::Kept { rival: Betanet }));
        let slower = with(held, Direct, |held| held.measured = measured(Direct, 200, 1.0));
        assert_eq!(rank(&slower, &to_ben()).best(), Some(Betanet), "1250 ms against 500 ms");
    }

    #[test]
    fn what_is_too_long_for_one_goes_over_another() {
        let long = Ask { size: 100_000, ..to_ben() };
        let ranking = rank(&snapshot(ONLINE), &long);
        assert_eq!(ranking.exclusion(Bitchat), Some(Exclusion::TooLong { max: 8064 }));
        assert_eq!(order(&snapshot(ONLINE), &long), [Betanet, Direct]);
        let waits = rank(&snapshot(OFFLINE), &long).waits();
        assert_eq!(
            waits,
            Some(Reason::TooLongForNow { len: 100_000 }),
            "bitchat reaches ben, and that is no help"
        );
    }
}
