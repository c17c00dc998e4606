//! The private half of a ticket key.

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};
use zeroize::Zeroizing;

use crate::ids::to_hex;
use crate::time::UnixMillis;
use crate::wire::record::TicketKey;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// How long before and after its day a key is accepted.
const MARGIN_MS: u64 = 3 * HOUR_MS;

/// The hour of a time: Unix seconds divided by 3,600.
pub(in crate::htx) fn hour_of(time: UnixMillis) -> u64 {
    time.0 / HOUR_MS
}

/// When an hour begins.
pub(in crate::htx) fn start_of_hour(hour: u64) -> UnixMillis {
    UnixMillis(hour.saturating_mul(HOUR_MS))
}

/// A relay's secret for the tickets of one day; wiped from memory when dropped.
pub struct TicketSecret {
    id: [u8; 8],
    day: u32,
    /// In one place for its whole life: what is moved leaves a copy that nobody wipes.
    secret: Box<StaticSecret>,
}

impl TicketSecret {
    /// A new secret for a day; draws its id (8 bytes), then the secret (32).
    pub fn generate<R: RngCore + CryptoRng + ?Sized>(day: u32, rng: &mut R) -> Self {
        let mut id = [0; 8];
        rng.fill_bytes(&mut id);
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        Self::from_parts(id, day, &secret)
    }

    /// The secret that was kept.
    pub fn from_parts(id: [u8; 8], day: u32, secret: &[u8; 32]) -> Self {
        Self { id, day, secret: Box::new(StaticSecret::from(*secret)) }
    }

    /// Its name in tickets.
    pub fn id(&self) -> [u8; 8] {
        self.id
    }

    /// Its day: Unix seconds divided by 86,400.
    pub fn day(&self) -> u32 {
        self.day
    }

    /// The secret itself, to be kept until [`Self::ends`].
    pub fn secret(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }

    /// What stands in the node record.
    pub fn public(&self) -> TicketKey {
        TicketKey { id: self.id, public: PublicKey::from(self.secret.as_ref()).to_bytes(), day: self.day }
    }

    /// From when on tickets for it are accepted: three hours before its day.
    pub fn begins(&self) -> UnixMillis {
        begins(self.day)
    }

    /// From when on they are no more, and it is to be erased: three hours after its day.
    pub fn ends(&self) -> UnixMillis {
        ends(self.day)
    }

    pub(in crate::htx) fn agree(&self, client_public: &[u8; 32]) -> SharedSecret {
        self.secret.diffie_hellman(&PublicKey::from(*client_public))
    }
}

/// From when on a key of this day is accepted.
pub(super) fn begins(day: u32) -> UnixMillis {
    UnixMillis(u64::from(day).saturating_mul(DAY_MS).saturating_sub(MARGIN_MS))
}

/// From when on a key of this day is accepted no more.
pub(super) fn ends(day: u32) -> UnixMillis {
    UnixMillis(u64::from(day).saturating_add(1).saturating_mul(DAY_MS).saturating_add(MARGIN_MS))
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketSecret({}, day {})", to_hex(&self.id), self.day)
    }
}
