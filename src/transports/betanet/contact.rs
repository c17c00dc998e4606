//! Whom betanet carries mail to, and from whom it takes none.

use crate::ids::{Fingerprint, PeerId};
use crate::wire::Mailbox;

/// What is known of a person who has a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Their peer id.
    pub peer: PeerId,
    /// Their identity.
    pub fingerprint: Fingerprint,
    /// Their X25519 key, which mail is sealed for.
    pub noise_public: [u8; 32],
    /// Where mail for them can be left, by their newest card.
    pub mailbox: Mailbox,
    /// Whether the owner said yes to them. Otherwise no relay is called for their sake: whoever gets such a call
    /// sees our address.
    pub trusted: bool,
}
