//! What must hold for any fragments: the body of the target `reassembly`.

use std::time::Duration;

use bytes::Bytes;

use super::course::Tape;
use crate::ids::PeerId;
use crate::mesh::reassembly::{Outcome, Reassembly, Source};
use crate::time::Instant;
use crate::wire::{PacketType, fragments};

/// Fragments of few senders and few frames, true and false ones: what is put together is what was cut, and what is held
/// stays within its limits.
pub fn reassembly(course: &[u8]) {
    let mut reassembly = Reassembly::default();
    let mut tape = Tape(course);
    let (mut now, mut forged) = (Instant::ZERO, false);
    while !tape.0.is_empty() {
        let (sender, id) = (PeerId([tape.below(3); 8]), [tape.below(4); 8]);
        let frame = Bytes::from(vec![id[0]; 900]);
        let mut pieces = fragments(&frame, id, PacketType::Message, 100).into_iter().flatten();
        let Some(mut piece) = pieces.nth(usize::from(tape.below(9))) else { continue };
        if tape.below(8) == 0 {
            piece.total = tape.number().max(1);
            piece.index = tape.number() % piece.total;
            piece.data = vec![tape.byte(); usize::from(tape.byte()) + 1].into();
            forged |= piece.total == 9;
        }
        let from = Source { sender, link: None, known: tape.below(2) == 0 };
        if let Outcome::Complete { frame: joined, fragments: 9 } = reassembly.insert(from, piece, now) {
            assert!(forged || joined == frame, "not what was cut");
        }
        assert!(reassembly.is_bounded(), "more is held than may be");
        now = now + Duration::from_millis(u64::from(tape.byte()) * 16);
        reassembly.expire(now);
    }
}
