//! Packets that were not passed on because their link had spent what it may, or too many waited that came over it: a
//! copy over another link still may be.

use std::num::NonZeroUsize;

use lru::LruCache;
use sha2::{Digest, Sha256};

use super::dedup::Key;
use crate::ids::LinkId;

/// Packets remembered at once; the one refused longest ago is forgotten first.
const MAX_REFUSED: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");
/// The TTL (spec 2.1), which alone may differ.
const TTL: usize = 2;

#[derive(Debug)]
struct Entry {
    /// Of its bytes but for the TTL: a copy with another signature, say, was checked by nobody.
    hash: [u8; 32],
    first: (LinkId, bool),
}

/// The packets refused lately.
#[derive(Debug)]
pub(super) struct Refused {
    entries: LruCache<Key, Entry>,
}

impl Default for Refused {
    fn default() -> Self {
        Self { entries: LruCache::new(MAX_REFUSED) }
    }
}

impl Refused {
    /// A packet that came over this link was not passed on; whether its signature had verified.
    pub(super) fn add(&mut self, key: Key, frame: &[u8], first: (LinkId, bool)) {
        self.entries.put(key, Entry { hash: hash(frame), first });
    }

    /// The very same packet came again: how it came first.
    pub(super) fn comes_again(&self, key: Key, frame: &[u8]) -> Option<(LinkId, bool)> {
        self.entries.peek(&key).filter(|entry| entry.hash == hash(frame)).map(|entry| entry.first)
    }

    /// It is passed on after all.
    pub(super) fn forget(&mut self, key: Key) {
        self.entries.pop(&key);
    }
}

fn hash(frame: &[u8]) -> [u8; 32] {
    let (head, rest) = frame.split_at_checked(TTL).unwrap_or((frame, &[]));
    Sha256::new().chain_update(head).chain_update(rest.get(1..).unwrap_or_default()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AdapterId;

    const FIRST: (LinkId, bool) = (LinkId { adapter: AdapterId(0), serial: 1 }, true);

    #[test]
    fn the_same_bytes_count_whatever_their_ttl_and_others_do_not() {
        let mut refused = Refused::default();
        refused.add(Key::sample(), &[1, 2, 7, 4], FIRST);
        assert_eq!(refused.comes_again(Key::sample(), &[1, 2, 6, 5]), None);
        assert_eq!(refused.comes_again(Key::sample(), &[1, 2, 6, 4]), Some(FIRST));
        refused.forget(Key::sample());
        assert_eq!(refused.comes_again(Key::sample(), &[1, 2, 6, 4]), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut refused = Refused::default();
        for n in 0..2_000_u16 {
            refused.add(
                Key::sample().variant(&[n.to_be_bytes()[0]; 64]).variant(&[n.to_be_bytes()[1]; 64]),
                &[],
                FIRST,
            );
        }
        assert_eq!(refused.entries.len(), MAX_REFUSED.get());
    }
}
