//! Private texts we received: parts joined. Nothing is remembered of what was handed on, so a message that comes
//! again is handed on again: whether it is new is for whoever stores it.

use std::time::Duration;

use super::fair::Fair;
use crate::ids::{Fingerprint, MessageId};
use crate::time::Instant;
use crate::wire::PartId;

/// Messages whose parts are being collected; of whoever has the most the least recently touched goes first.
const JOINING: usize = 64;
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
    id: MessageId,
    parts: Vec<Option<String>>,
    touched: Instant,
}

/// The messages of which parts are missing.
#[derive(Debug)]
pub(super) struct Incoming {
    joining: Fair<Fingerprint, Joining>,
}

impl Default for Incoming {
    fn default() -> Self {
        Self { joining: Fair::new(JOINING) }
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
        let (id, count) = (part.id(), usize::from(part.count()));
        let fresh =
            |joining: &Joining| joining.parts.len() == count && now.since(joining.touched) < PART_WAIT;
        let before = self.joining.take(|&of, joining| (of, joining.id) == (sender, id)).pop();
        let mut parts = before.filter(fresh).map_or_else(|| vec![None; count], |joining| joining.parts);
        if let Some(place) = usize::from(part.index()).checked_sub(1).and_then(|place| parts.get_mut(place)) {
            *place = Some(text);
        }
        if parts.iter().any(Option::is_none) {
            self.joining.push(sender, Joining { id, parts, touched: now });
            return None;
        }
        let text = parts.into_iter().flatten().collect();
        Some(Whole { id, text, wire_ids: part.siblings().map(|part| part.to_string()).collect() })
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
