//! Private texts we received: parts joined. Nothing is remembered of what was handed on, so a message that comes
//! again is handed on again: whether it is new is for whoever stores it.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use crate::ids::{Fingerprint, MessageId};
use crate::time::Instant;
use crate::wire::PartId;

/// Messages whose parts are being collected; the least recently touched goes first.
const JOINING: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");
/// How long a message waits for its next part.
const PART_WAIT: Duration = Duration::from_secs(600);

/// A whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    /// Its id.
    pub(super) id: MessageId,
    /// What was written, its parts joined.
    pub(super) text: String,
    /// The ids under which its sender knows it, one for each part.
    pub(super) wire_ids: Vec<String>,
}

#[derive(Debug)]
struct Joining {
    parts: Vec<Option<String>>,
    touched: Instant,
}

/// The messages of which parts are missing.
#[derive(Debug)]
pub(super) struct Incoming {
    joining: LruCache<(Fingerprint, MessageId), Joining>,
}

impl Default for Incoming {
    fn default() -> Self {
        Self { joining: LruCache::new(JOINING) }
    }
}

impl Incoming {
    /// Takes one decrypted text; the whole message, when this completes it.
    pub(super) fn accept(
        &mut self,
        sender: Fingerprint,
        wire_id: String,
        text: String,
        now: Instant,
    ) -> Option<Whole> {
        match wire_id.parse::<PartId>() {
            Ok(part) => self.join(sender, part, text, now),
            Err(_) => Some(Whole { id: MessageId::from_wire(&wire_id), text, wire_ids: vec![wire_id] }),
        }
    }

    fn join(&mut self, sender: Fingerprint, part: PartId, text: String, now: Instant) -> Option<Whole> {
        let key = (sender, part.id());
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
        let text = self.joining.pop(&key)?.parts.into_iter().flatten().collect();
        Some(Whole { id: part.id(), text, wire_ids: part.siblings().map(|part| part.to_string()).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: Fingerprint = Fingerprint([1; 32]);
    const UUID: &str = "00112233-4455-6677-8899-AABBCCDDEEFF";

    fn accept(incoming: &mut Incoming, wire_id: &str, text: &str) -> Option<Whole> {
        incoming.accept(SENDER, wire_id.to_owned(), text.to_owned(), Instant::ZERO)
    }

    #[test]
    fn parts_are_joined_in_their_order_whatever_order_they_come_in() {
        let mut incoming = Incoming::default();
        assert_eq!(accept(&mut incoming, &format!("{UUID}/2.2"), "world"), None);
        let whole = accept(&mut incoming, &format!("{UUID}/1.2"), "hello ").unwrap();
        assert_eq!((whole.id.to_string(), whole.text.as_str()), (UUID.to_owned(), "hello world"));
        assert_eq!(whole.wire_ids, [format!("{UUID}/1.2"), format!("{UUID}/2.2")]);
    }

    #[test]
    fn what_comes_again_is_handed_on_again_and_only_as_a_whole() {
        let mut incoming = Incoming::default();
        assert_eq!(accept(&mut incoming, "7", "once"), accept(&mut incoming, "7", "once"));
        for _ in 0..2 {
            assert_eq!(accept(&mut incoming, &format!("{UUID}/1.2"), "a"), None);
            assert!(accept(&mut incoming, &format!("{UUID}/2.2"), "b").is_some());
        }
    }
}
