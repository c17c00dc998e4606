//! Verification codes (spec 5.3): ours to show, and those of others that were scanned.

use std::time::Duration;

use super::book::Contacts;
use super::error::{ContactError, KeyKind};
use super::met::Met;
use crate::crypto::{Identity, verify};
use crate::time::UnixMillis;
use crate::wire::{EncodeError, ScannedCode, VerifyCode};

/// How old a code may be, and how far ahead of our clock.
pub const CODE_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Our own code.
pub fn own_code(
    identity: &Identity,
    nickname: &str,
    nonce: [u8; 16],
    now: UnixMillis,
) -> Result<String, EncodeError> {
    let code = VerifyCode {
        noise_public: identity.noise_public(),
        signing_public: identity.signing_public(),
        nickname: nickname.to_owned(),
        made: now.0 / 1_000,
        nonce,
        npub: None,
    };
    code.to_text(|preimage| identity.sign(preimage))
}

impl Contacts {
    /// Reads a code that was scanned: it is signed, made a moment ago, and says nothing else than what is known.
    pub fn scan(&self, text: &str, now: UnixMillis) -> Result<Met, ContactError> {
        let scanned = ScannedCode::from_text(text)?;
        let (key, preimage) = (scanned.code().signing_public, scanned.code().signing_preimage()?);
        let signature = *scanned.signature();
        let verified = verify(&key, &signature, [preimage], scanned)
            .map_err(|(_, reason)| ContactError::CodeSignature { reason })?;
        let VerifyCode { noise_public, signing_public, nickname, made, .. } = verified.code().clone();
        let age = UnixMillis(made.saturating_mul(1_000)).abs_diff(now);
        if age > CODE_LIFETIME {
            return Err(ContactError::CodeAge { seconds: age.as_secs() });
        }
        if noise_public == self.own_keys().noise {
            return Err(ContactError::OwnCode);
        }
        let met = Met { noise_public, signing_public, nickname };
        self.agrees(&met)?;
        Ok(met)
    }

    /// Whether the book has no other signing key for this identity, and does not have the person blocked.
    pub(crate) fn agrees(&self, met: &Met) -> Result<(), ContactError> {
        let Ok(contact) = self.get(met.fingerprint()) else { return Ok(()) };
        if contact.blocked {
            return Err(ContactError::Blocked { name: contact.name.clone() });
        }
        if contact.signing_public != met.signing_public {
            let (name, fingerprint) = (contact.name.clone(), contact.fingerprint);
            return Err(ContactError::IdentityChanged { name, fingerprint, key: KeyKind::Signing });
        }
        Ok(())
    }
}
