//! When to announce ourselves: soon on every new link, soon after meeting somebody, then every 15 to 20 s (spec 4.6, 10).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rand_core::RngCore;

use super::budget::Budget;
use super::random;
use crate::ids::LinkId;
use crate::link::event::Role;
use crate::time::Instant;

/// Announces are at least so far apart; what is asked for sooner waits (spec 4.6, forced announces).
const MIN_GAP: Duration = Duration::from_millis(150);
/// Early announces for new acquaintances in one [`EARLY_SPAN`]; invented ones get no more out of us.
const MAX_EARLY: u32 = 6;
/// Early announces for new links in one [`EARLY_SPAN`]; who comes and goes gets no more out of us, but for what we said
/// last.
const MAX_FOR_LINKS: usize = 6;
/// Over how long early announces are counted.
const EARLY_SPAN: Duration = Duration::from_secs(30);
/// Between two announces while nobody is present (spec 4.6), and the longest until the first one after a link came up.
const ALONE_GAP: Duration = Duration::from_secs(4);
/// The announce timer. It runs only while a link is up.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    due: Option<Instant>,
    last: Option<Instant>,
    /// Since when early announces are counted, and how many there were.
    early: Option<(Instant, u32)>,
    for_links: Budget,
    /// The announce sent last.
    frame: Option<Bytes>,
    /// The new links over which it is sent once more, and when.
    repeats: BTreeMap<LinkId, Instant>,
}

impl Announcer {
    /// A link came up. A central may speak at once; a peripheral gives the other side time to finish
    /// subscribing (spec 1.3).
    pub(super) fn link_up(&mut self, link: LinkId, role: Role, now: Instant) {
        let wait = match role {
            Role::Central => Duration::from_millis(50),
            Role::Peripheral => Duration::from_millis(400),
        };
        let wanted = now + wait;
        let planned = self.due.is_some_and(|due| due <= wanted);
        if planned || self.for_links.spend(MAX_FOR_LINKS, EARLY_SPAN, now) {
            self.no_later_than(wanted);
        } else {
            self.repeats.insert(link, wanted);
            self.due.get_or_insert(now + ALONE_GAP);
        }
    }

    /// A link is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        self.repeats.remove(&link);
    }

    /// This announce is sent over all links.
    pub(super) fn announced(&mut self, frame: Bytes) {
        self.frame = Some(frame);
        self.repeats.clear();
    }

    /// A new link over which the last announce is to be sent once more, right now.
    pub(super) fn pop_repeat(&mut self, now: Instant) -> Option<(LinkId, Bytes)> {
        let link = self.repeats.iter().find(|(_, due)| **due <= now).map(|(&link, _)| link)?;
        self.repeats.remove(&link);
        Some((link, self.frame.clone()?))
    }

    /// Somebody new was heard: they may not know us either (spec 3.1).
    pub(super) fn met_somebody(&mut self, now: Instant, rng: &mut impl RngCore) {
        let (since, count) =
            self.early.filter(|(since, _)| now.since(*since) < EARLY_SPAN).unwrap_or((now, 0));
        if count >= MAX_EARLY {
            return;
        }
        self.early = Some((since, count + 1));
        self.no_later_than(now + Duration::from_millis(random::within(rng, 300..=600)));
    }

    /// No link is up any more: there is nobody to tell.
    pub(super) fn alone(&mut self) {
        self.due = None;
    }

    /// Whether to announce, right now; the next one comes sooner while nobody is present.
    pub(super) fn due(&mut self, present: bool, now: Instant, rng: &mut impl RngCore) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.last = Some(now);
        let wait =
            if present { Duration::from_millis(random::within(rng, 15_000..=20_000)) } else { ALONE_GAP };
        self.due = Some(now + wait);
        true
    }

    /// When to ask again.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.repeats.values().copied().chain(self.due).min()
    }

    fn no_later_than(&mut self, wanted: Instant) {
        let earliest = self.last.map_or(wanted, |last| wanted.max(last + MIN_GAP));
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }
}
