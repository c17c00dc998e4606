//! What of an engine outlives it: small values under keys, on one shelf for each machine that keeps some.
//!
//! The engine says what to keep, in order; whoever drives it writes that down, and hands everything back as the first
//! input of the next run. What a value means is its machine's business, and so is how many there are.

use std::fmt;

use bytes::Bytes;

/// Whose values they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    /// Packets for whoever was away (spec 3.7).
    Archive,
    /// Envelopes that are carried for others, and what became of our own (spec 3.11).
    Courier,
    /// Our own prekeys, private halves included (spec 3.12).
    Prekeys,
    /// The prekeys of others (spec 3.12).
    Bundles,
    /// The groups we are in, with their keys (spec 3.6).
    Groups,
    /// Posts and tombstones of the notice board (spec 3.13).
    Board,
    /// What is known about people: pinned keys, trust (spec 5.2).
    People,
}

impl Shelf {
    /// Every shelf.
    pub const ALL: [Self; 7] =
        [Self::Archive, Self::Courier, Self::Prekeys, Self::Bundles, Self::Groups, Self::Board, Self::People];

    /// The name it has on disk.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Courier => "courier",
            Self::Prekeys => "prekeys",
            Self::Bundles => "bundles",
            Self::Groups => "groups",
            Self::Board => "board",
            Self::People => "people",
        }
    }
}

/// One value under its key. There may be secrets in it: it is sealed on disk, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where it belongs.
    pub shelf: Shelf,
    /// What it is found by; one value for each key of a shelf.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("shelf", &self.shelf).field("key", &self.key).finish_non_exhaustive()
    }
}

/// A change of what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// Keep this, in the place of what stood under the same key.
    Put(Kept),
    /// Keep this no longer.
    Remove {
        /// Where it stands.
        shelf: Shelf,
        /// Under which key.
        key: Bytes,
    },
}
