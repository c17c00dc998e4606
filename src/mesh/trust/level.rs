//! The steps of trust.

use crate::ids::Fingerprint;

/// How far somebody is trusted, from least to most (spec 5.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Never heard of, or blocked.
    #[default]
    Unknown,
    /// A key that was announced.
    Known,
    /// A key that a session proved, or a contact card.
    Proven,
    /// Somebody we verified vouches for the key.
    Vouched,
    /// A favourite of ours, and we are theirs.
    Mutual,
    /// The key was compared, by a code or by eye.
    Verified,
}

impl Level {
    /// The word used in the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Known => "known",
            Self::Proven => "proven",
            Self::Vouched => "vouched",
            Self::Mutual => "mutual",
            Self::Verified => "verified",
        }
    }
}

/// How far somebody is trusted, and on whose word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// How far.
    pub level: Level,
    /// The people our owner verified who vouch for the key, whether the level rests on them or not.
    pub vouchers: Vec<Fingerprint>,
}

/// What our owner decided about somebody. The contact book has it; the engine is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// A favourite.
    pub favourite: bool,
    /// The keys were compared.
    pub verified: bool,
    /// Nothing is taken from them.
    pub blocked: bool,
}
