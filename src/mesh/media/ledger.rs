//! Which private files came already, so that one that is sent again is confirmed and not stored again (spec 3.6.10).

use sha2::{Digest, Sha256};

use crate::ids::PeerId;
use crate::mesh::fair::Fair;

/// Files remembered, as many as the iOS app does; of whoever sent the most of them the least recently seen goes first.
const REMEMBERED: usize = 4_096;

#[derive(Debug)]
struct Entry {
    id: String,
    hash: [u8; 32],
    stored: bool,
}

/// The files that came.
#[derive(Debug)]
pub(super) struct Ledger {
    files: Fair<PeerId, Entry>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { files: Fair::new(REMEMBERED) }
    }
}

impl Ledger {
    /// A file came; whether it is stored already.
    pub(super) fn came(&mut self, sender: PeerId, id: &str, content: &[u8]) -> bool {
        let hash = Sha256::digest(content).into();
        let before = self.take(sender, id);
        let stored = before.is_some_and(|before| before.stored && before.hash == hash);
        self.files.push(sender, Entry { id: id.to_owned(), hash, stored });
        stored
    }

    /// The node has stored it.
    pub(super) fn stored(&mut self, sender: PeerId, id: &str) {
        if let Some(entry) = self.take(sender, id) {
            self.files.push(sender, Entry { stored: true, ..entry });
        }
    }

    fn take(&mut self, sender: PeerId, id: &str) -> Option<Entry> {
        self.files.take(|&of, entry| of == sender && entry.id == id).pop()
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

    #[test]
    fn whoever_sends_many_files_makes_us_forget_their_own() {
        let mut ledger = Ledger::default();
        ledger.came(BOB, "media-1", b"one");
        ledger.stored(BOB, "media-1");
        for number in 0..REMEMBERED + 10 {
            ledger.came(PeerId([9; 8]), &format!("media-{number}"), b"x");
        }
        assert!(ledger.came(BOB, "media-1", b"one"));
    }
}
