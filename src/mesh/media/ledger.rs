//! Which private files came already, so that one that is sent again is confirmed and not stored again (spec 3.6.10).

use std::num::NonZeroUsize;

use lru::LruCache;
use sha2::{Digest, Sha256};

use crate::ids::PeerId;

/// Files remembered, as many as the iOS app does; the least recently seen go first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

#[derive(Debug)]
struct Entry {
    hash: [u8; 32],
    stored: bool,
}

/// The files that came.
#[derive(Debug)]
pub(super) struct Ledger {
    files: LruCache<(PeerId, String), Entry>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { files: LruCache::new(REMEMBERED) }
    }
}

impl Ledger {
    /// A file came; whether it is stored already.
    pub(super) fn came(&mut self, sender: PeerId, id: &str, content: &[u8]) -> bool {
        let hash = Sha256::digest(content).into();
        let entry = self.files.get_or_insert_mut((sender, id.to_owned()), || Entry { hash, stored: false });
        if entry.hash != hash {
            *entry = Entry { hash, stored: false };
        }
        entry.stored
    }

    /// The node has stored it.
    pub(super) fn stored(&mut self, sender: PeerId, id: &str) {
        if let Some(entry) = self.files.get_mut(&(sender, id.to_owned())) {
            entry.stored = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: PeerId = PeerId([2; 8]);

    #[test]
    fn a_file_is_known_once_it_is_stored_and_only_with_its_content() {
        let mut ledger = Ledger::default();
        assert!(!ledger.came(BOB, "media-1", b"one"));
        assert!(!ledger.came(BOB, "media-1", b"one"), "it came, and is not stored yet");
        ledger.stored(BOB, "media-1");
        assert!(ledger.came(BOB, "media-1", b"one"));
        assert!(!ledger.came(PeerId([3; 8]), "media-1", b"one"));
        assert!(!ledger.came(BOB, "media-1", b"two"), "another file of the same name");
    }
}
