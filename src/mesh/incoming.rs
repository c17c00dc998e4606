//! Private messages we received: parts joined, repetitions recognised, ids kept for the read receipt.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use crate::ids::{Fingerprint, MessageId};
use crate::time::Instant;
use crate::wire::PartId;

/// Messages remembered against repetition; the least recently heard goes first (spec 3.6, iOS keeps as many).
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
/// Messages whose parts are being collected; the least recently touched goes first.
const JOINING: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");
/// How long a message waits for its next part.
const PART_WAIT: Duration = Duration::from_secs(600);

#[derive(Debug)]
struct Joining {
    parts: Vec<Option<String>>,
    touched: Instant,
}

/// Everything received from everybody, as far as it is still needed.
#[derive(Debug)]
pub(super) struct Incoming {
    received: LruCache<(Fingerprint, MessageId), Vec<String>>,
    joining: LruCache<(Fingerprint, MessageId), Joining>,
}

impl Default for Incoming {
    fn default() -> Self {
        Self { received: LruCache::new(REMEMBERED), joining: LruCache::new(JOINING) }
    }
}

impl Incoming {
    /// Takes one decrypted text. The whole message, when this completes it and it was not complete before.
    pub(super) fn accept(
        &mut self,
        sender: Fingerprint,
        wire_id: String,
        text: String,
        now: Instant,
    ) -> Option<(MessageId, String)> {
        match wire_id.parse::<PartId>() {
            Ok(part) => self.join(sender, part, text, now),
            Err(_) => self.whole(sender, wire_id, text),
        }
    }

    /// The ids under which the sender knows this message, for receipts; empty when it is not remembered.
    pub(super) fn wire_ids(&mut self, sender: Fingerprint, id: MessageId) -> Vec<String> {
        self.received.get(&(sender, id)).cloned().unwrap_or_default()
    }

    fn whole(&mut self, sender: Fingerprint, wire_id: String, text: String) -> Option<(MessageId, String)> {
        let id = MessageId::from_wire(&wire_id);
        if self.received.get(&(sender, id)).is_some() {
            return None;
        }
        self.received.put((sender, id), vec![wire_id]);
        Some((id, text))
    }

    fn join(
        &mut self,
        sender: Fingerprint,
        part: PartId,
        text: String,
        now: Instant,
    ) -> Option<(MessageId, String)> {
        let key = (sender, part.id());
        if self.received.get(&key).is_some() {
            return None;
        }
        let count = usize::from(part.count());
        let stale =
            |joining: &Joining| joining.parts.len() != count || now.since(joining.touched) >= PART_WAIT;
        if self.joining.peek(&key).is_none_or(stale) {
            self.joining.put(key, Joining { parts: vec![None; count], touched: now });
        }
        let joining = self.joining.get_mut(&key)?;
        joining.touched = now;
        *joining.parts.get_mut(usize::from(part.index()).checked_sub(1)?)? = Some(text);
        if joining.parts.iter().any(Option::is_none) {
            return None;
        }
        let parts = self.joining.pop(&key)?.parts;
        let wire_ids = (1..=part.count())
            .filter_map(|index| PartId::new(part.id(), index, part.count()).ok())
            .map(|part| part.to_string())
            .collect();
        self.received.put(key, wire_ids);
        Some((part.id(), parts.into_iter().flatten().collect()))
    }
}
