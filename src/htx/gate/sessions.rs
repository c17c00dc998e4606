//! Clients whose ticket came in a form and whose tunnel is still to come (betanet-htx 5).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};

use crate::time::Instant;

/// How long a session waits for its tunnel.
const LIFETIME: Duration = Duration::from_secs(30);

/// The value of a cookie that opens one tunnel: 16 random bytes in 22 characters of base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCookie(String);

impl SessionCookie {
    /// The value, for a `Set-Cookie` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionCookie(…)")
    }
}

/// Sessions by the hash of their cookie, so that the time of a search tells nothing of a cookie. When there are as many
/// as may be, no new one is made.
#[derive(Debug)]
pub(super) struct Sessions {
    waiting: BTreeMap<[u8; 32], Session>,
    most: usize,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    tunnel: [u8; 32],
    ends: Instant,
}

impl Sessions {
    pub(super) fn new(most: usize) -> Self {
        Self { waiting: BTreeMap::new(), most }
    }

    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        self.waiting.retain(|_, session| session.ends > now);
        self.waiting.len() < self.most
    }

    /// A session for a tunnel; draws 16 bytes. Whoever calls has asked whether there is room.
    pub(super) fn make<R: RngCore + CryptoRng>(
        &mut self,
        tunnel: [u8; 32],
        now: Instant,
        rng: &mut R,
    ) -> SessionCookie {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        let cookie = SessionCookie(BASE64URL_NOPAD.encode(&bytes));
        let session = Session { tunnel, ends: now + LIFETIME };
        self.waiting.insert(Sha256::digest(cookie.as_str()).into(), session);
        cookie
    }

    /// The tunnel that this cookie opens, once.
    pub(super) fn take(&mut self, cookie: &[u8], now: Instant) -> Option<[u8; 32]> {
        let session = self.waiting.remove::<[u8; 32]>(&Sha256::digest(cookie).into())?;
        (session.ends > now).then_some(session.tunnel)
    }
}
