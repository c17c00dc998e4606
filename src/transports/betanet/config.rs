//! What betanet is told once.

use std::time::Duration;

use crate::net::client::Preflight;
use crate::net::tls::Roots;
use crate::net::tunnel::Emulation;
use crate::wire::record::SignedRecord;

/// The most relays of a node's own.
pub const MAX_RELAYS: usize = 3;

/// Settings of betanet.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our relays in the order of preference, at most [`MAX_RELAYS`]; each record's signature was checked. The
    /// first that answers keeps our mailbox.
    pub relays: Vec<SignedRecord>,
    /// Which certificates are believed of a relay's web site.
    pub roots: Roots,
    /// When that web site is looked at.
    pub preflight: Preflight,
    /// What tunnels do to look like visits.
    pub emulation: Emulation,
    /// How often our mailboxes are looked into.
    pub cadence: Cadence,
    /// How long our mailbox's relay may be out of reach, while another one is not, before the mailbox of our
    /// card is the one there.
    pub patience: Duration,
}

/// How often a mailbox is looked into, while there is a tunnel. Each pause is made longer or shorter by up to a
/// quarter, so that it is no beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// For a minute after something came or went.
    pub lively: Duration,
    /// For ten minutes after that.
    pub quiet: Duration,
    /// From then on, and where only old cards lead to.
    pub asleep: Duration,
}

impl Default for Cadence {
    fn default() -> Self {
        Self {
            lively: Duration::from_millis(400),
            quiet: Duration::from_secs(2),
            asleep: Duration::from_secs(5),
        }
    }
}

impl Cadence {
    /// How long until the next look, so long after something came or went.
    pub(super) fn pause(&self, since: Duration) -> Duration {
        match since.as_secs() {
            0..60 => self.lively,
            60..660 => self.quiet,
            _ => self.asleep,
        }
    }
}

impl Config {
    /// The defaults with these relays.
    pub fn with_relays(relays: Vec<SignedRecord>) -> Self {
        Self {
            relays,
            roots: Roots::Public,
            preflight: Preflight::Cached,
            emulation: Emulation::default(),
            cadence: Cadence::default(),
            patience: Duration::from_secs(60),
        }
    }
}
