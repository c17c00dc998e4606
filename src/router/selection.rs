//! Which transport takes a message: a pure function over a snapshot, so that it can be asked, explained and
//! tested without a router.
//!
//! A transport that cannot do what the message requires is *excluded*, with a reason. The others are put in
//! order: those that answered lately before those that did not, the one asked for before the rest, a way that
//! stands before one that may exist, and then by *cost*, a time:
//!
//! - how long a message takes ([`Record::latency`], or the typical latency before anything was measured), plus
//!   [`LOSS`] times the share of messages that were not answered in time,
//! - plus [`PLACE`] for every place further down in the priority list,
//! - plus [`BATTERY`] for every step of battery impact, when the battery is low,
//! - plus [`METERED`] for a transport that uses the network, when every byte costs money.
//!
//! With [`adaptive`](crate::router::Config::adaptive) switched off the first line is left out: the priority
//! list decides. The transport in use keeps its place until a rival costs less than [`MARGIN`] of it.

use std::time::Duration;

use super::error::Reason;
use super::event::Conditions;
use super::measured::Record;
use crate::capabilities::{BatteryImpact, Capabilities, DownReason, Health, PRIVATE, Reach, TransportKey};
use crate::message::{Preference, Recipient, Requirements};

/// What one place further down in the priority list costs.
pub const PLACE: Duration = Duration::from_millis(250);
/// What it costs if no message at all is answered in time.
pub const LOSS: Duration = Duration::from_secs(5);
/// What a step of battery impact costs while the battery is low.
pub const BATTERY: Duration = Duration::from_secs(2);
/// What the use of a metered network costs.
pub const METERED: Duration = Duration::from_secs(3);
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
        if any(|exclusion| exclusion == Exclusion::NoWay) {
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
    let mut cost = PLACE.saturating_mul(place_in_list(snapshot, transport));
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
        let (time, ground) = time_taken(candidate);
        cost = cost.saturating_add(time);
        grounds.push(ground);
    }
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

fn time_taken(candidate: &Candidate<'_>) -> (Duration, Ground) {
    match candidate.measured {
        Some(Record { latency, success, .. }) => {
            let lost = LOSS.mul_f64((1.0 - success).clamp(0.0, 1.0));
            (latency.saturating_add(lost), Ground::Measured { latency, success })
        }
        None => {
            let typical = candidate.capabilities.typical_latency;
            (typical, Ground::Typical(typical))
        }
    }
}

fn battery_steps(impact: BatteryImpact) -> u32 {
    match impact {
        BatteryImpact::Low => 0,
        BatteryImpact::Medium => 1,
        BatteryImpact::High => 2,
    }
}

/// Its place in the priority list, from 0; one that is not listed comes after all that are.
fn place_in_list(snapshot: &Snapshot<'_>, transport: TransportKey) -> u32 {
    let place = snapshot.priority.iter().position(|listed| *listed == transport);
    u32::try_from(place.unwrap_or(snapshot.priority.len())).unwrap_or(u32::MAX)
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
