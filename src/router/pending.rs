//! A message that has not ended, and its attempts.

use std::time::Duration;

use super::error::Reason;
use super::event::{Envelope, Failure};
use super::lanes::Lane;
use super::selection::Ask;
use crate::capabilities::TransportKey;
use crate::ids::AttemptId;
use crate::message::{DeliveryStatus, NotLeft, Preference, Recipient};
use crate::time::Instant;

/// One value for each transport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PerTransport<T> {
    bitchat: T,
    betanet: T,
    direct: T,
}

impl<T: Copy + Default + PartialEq> PerTransport<T> {
    pub(super) fn get(&self, transport: TransportKey) -> T {
        match transport {
            TransportKey::Bitchat => self.bitchat,
            TransportKey::Betanet => self.betanet,
            TransportKey::Direct => self.direct,
        }
    }

    pub(super) fn set(&mut self, transport: TransportKey, value: T) {
        match transport {
            TransportKey::Bitchat => self.bitchat = value,
            TransportKey::Betanet => self.betanet = value,
            TransportKey::Direct => self.direct = value,
        }
    }

    /// Whether no transport has a value of its own.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The tries of a round over each transport.
pub(super) type Tries = PerTransport<u8>;
/// The tries of a transport that gave up: no more of them in this round.
pub(super) const SPENT: u8 = u8::MAX;

/// Messages to one recipient of the same class have the same ranking at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    /// `false` sorts first, and urgent messages go first.
    pub(super) patient: bool,
    private: bool,
    preference: Option<(TransportKey, bool)>,
    /// The transports that can never carry it.
    unfit: PerTransport<bool>,
}

/// One message handed to one transport.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) id: AttemptId,
    pub(super) transport: TransportKey,
    pub(super) since: Instant,
    /// When the next transport is tried; nothing once that was done, though a receipt may still come.
    pub(super) deadline: Option<Instant>,
    /// How long it is waited for, from the dispatch, and again from when the transport put it on its way.
    pub(super) patience: Duration,
}

impl Attempt {
    /// Whether it is still waited for before anything else is tried.
    pub(super) const fn is_live(&self) -> bool {
        self.deadline.is_some()
    }
}

/// What became of a text that couriers were to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Couriers {
    /// So many have it.
    Have(usize),
    /// None is left it.
    Refused(NotLeft),
}

/// A message that has not ended.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) envelope: Envelope,
    /// Its place among all messages, in the order of submission.
    pub(super) order: u64,
    /// The transports that said they cannot carry it, beside those that are known not to.
    pub(super) unfit: PerTransport<bool>,
    pub(super) tries: Tries,
    /// At most one for each transport.
    pub(super) attempts: Vec<Attempt>,
    /// The lane it stands in while it wants to be dispatched.
    pub(super) lane: Option<Lane>,
    /// A copy for everyone was sent.
    pub(super) sent_once: bool,
    /// What became of it with couriers; nothing while none was looked for.
    pub(super) couriers: Option<Couriers>,
    /// What the last attempt ended with.
    pub(super) last: Option<(TransportKey, Failure)>,
    pub(super) expiry: Instant,
    told: (DeliveryStatus, Option<TransportKey>, Option<Reason>),
}

impl Pending {
    pub(super) fn new(envelope: Envelope, order: u64, expiry: Instant) -> Self {
        Self {
            envelope,
            order,
            unfit: PerTransport::default(),
            tries: Tries::default(),
            attempts: Vec::new(),
            lane: None,
            sent_once: false,
            couriers: None,
            last: None,
            expiry,
            told: (DeliveryStatus::Queued, None, None),
        }
    }

    pub(super) fn ask(&self) -> Ask {
        self.envelope.ask()
    }

    pub(super) fn class(&self, mut unfit: PerTransport<bool>) -> Class {
        for transport in TransportKey::ALL {
            if self.unfit.get(transport) {
                unfit.set(transport, true);
            }
        }
        let requirements = self.envelope.requirements;
        let preference = requirements.preference.map(|Preference { transport, only }| (transport, only));
        Class { patient: !requirements.urgent, private: requirements.private, preference, unfit }
    }

    /// Goes over all transports at once.
    pub(super) fn in_parallel(&self) -> bool {
        self.envelope.requirements.urgent || self.envelope.to == Recipient::Everyone
    }

    pub(super) fn attempt(&self, transport: TransportKey) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.transport == transport)
    }

    pub(super) fn attempt_mut(&mut self, transport: TransportKey) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| attempt.transport == transport)
    }

    /// Takes the attempt over this transport out.
    pub(super) fn take_attempt(&mut self, transport: TransportKey) -> Option<Attempt> {
        let index = self.attempts.iter().position(|attempt| attempt.transport == transport)?;
        Some(self.attempts.swap_remove(index))
    }

    pub(super) fn has_live_attempt(&self) -> bool {
        self.attempts.iter().any(Attempt::is_live)
    }

    /// Why it is said to wait.
    pub(super) const fn reason(&self) -> Option<&Reason> {
        self.told.2.as_ref()
    }

    /// How far it is said to have come.
    pub(super) const fn status(&self) -> DeliveryStatus {
        self.told.0
    }

    /// By which transport it is said to have come so far.
    pub(super) const fn via(&self) -> Option<TransportKey> {
        self.told.1
    }

    /// Notes what is said of it; false when that was the last thing said already.
    pub(super) fn tell(
        &mut self,
        status: DeliveryStatus,
        via: Option<TransportKey>,
        reason: Option<Reason>,
    ) -> bool {
        let told = (status, via, reason);
        let is_news = self.told != told;
        self.told = told;
        is_news
    }

    /// Notes why it waits; returns all that is to be said when that is news.
    pub(super) fn tell_waiting(
        &mut self,
        reason: Reason,
    ) -> Option<(DeliveryStatus, Option<TransportKey>, Reason)> {
        let reason = reason.with_couriers(self.couriers);
        let (status, via, _) = self.told;
        self.tell(status, via, Some(reason.clone())).then_some((status, via, reason))
    }
}
