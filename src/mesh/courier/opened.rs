//! The mail that was opened here: an envelope whose message is stored is not opened again.

use std::num::NonZeroUsize;

use lru::LruCache;

use super::carried::Digest;
use crate::ids::PeerId;

/// Envelopes remembered; the least recently touched goes first. One that was forgotten is opened again, and the
/// inbox knows its message.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(512).expect("not zero");

#[derive(Debug)]
struct Mail {
    sender: PeerId,
    wire_id: String,
    stored: bool,
}

/// The envelopes.
#[derive(Debug)]
pub(in crate::mesh) struct OpenedMail {
    mail: LruCache<Digest, Mail>,
}

impl Default for OpenedMail {
    fn default() -> Self {
        Self { mail: LruCache::new(REMEMBERED) }
    }
}

impl OpenedMail {
    /// An envelope was opened; its message is not stored yet.
    pub(super) fn opened(&mut self, digest: Digest, sender: PeerId, wire_id: String) {
        self.mail.put(digest, Mail { sender, wire_id, stored: false });
    }

    /// Messages of this sender are on disk.
    pub(super) fn stored(&mut self, sender: PeerId, wire_ids: &[String]) {
        for (_, mail) in &mut self.mail {
            mail.stored |= mail.sender == sender && wire_ids.contains(&mail.wire_id);
        }
    }

    /// Whether the message of this envelope is on disk.
    pub(super) fn is_stored(&mut self, digest: Digest) -> bool {
        self.mail.get(&digest).is_some_and(|mail| mail.stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_done_when_its_message_of_its_sender_is_stored() {
        let mut opened = OpenedMail::default();
        let (digest, ann, ben) = (Digest([1; 16]), PeerId([1; 8]), PeerId([2; 8]));
        opened.opened(digest, ann, "7".to_owned());
        opened.stored(ben, &["7".to_owned()]);
        opened.stored(ann, &["8".to_owned()]);
        assert!(!opened.is_stored(digest));
        opened.stored(ann, &["7".to_owned()]);
        assert!(opened.is_stored(digest) && !opened.is_stored(Digest([2; 16])));
    }
}
