//! Writes and notifications in, whole frames out (spec 1.4).
//!
//! Everybody should send one frame per write. Old peers split frames, and some run two together, so what is
//! not one frame goes through a tolerant assembler that skips what cannot be a frame.

use bytes::Bytes;

use super::config::Config;
use super::frame::{Extent, extent};
use crate::time::Instant;
use crate::wire::MIN_FRAME_LEN;

/// The receiving side of one link.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pending: Vec<u8>,
    /// When the frame at the head of `pending` began to arrive.
    since: Instant,
}

/// What one write or notification amounted to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Whole frames, with their padding where it came along.
    pub(super) frames: Vec<Bytes>,
    /// Bytes that belonged to no frame.
    pub(super) skipped: usize,
}

impl Inbox {
    /// Takes what arrived at once.
    ///
    /// Bytes that are one frame by themselves come out as they are, and end whatever was incomplete before
    /// them: its rest was lost, or these bytes would not make sense alone.
    pub(super) fn accept(&mut self, bytes: Bytes, config: &Config, now: Instant) -> Arrival {
        let mut arrival = Arrival::default();
        if extent(&bytes, config.inbox_bytes) == Extent::Whole(bytes.len()) {
            arrival.skipped = self.pending.len();
            self.pending.clear();
            arrival.frames.push(bytes);
            return arrival;
        }
        if now.since(self.since) > config.incomplete_frame {
            arrival.skipped = self.pending.len();
            self.pending.clear();
        }
        if self.pending.is_empty() {
            self.since = now;
        }
        self.pending.extend_from_slice(&bytes);
        self.assemble(config.inbox_bytes, now, &mut arrival);
        arrival
    }

    /// Takes every complete frame off the head of `pending`, and skips to where the next one may begin.
    fn assemble(&mut self, limit: usize, now: Instant, arrival: &mut Arrival) {
        let mut head = 0;
        while let Some(rest) = self.pending.get(head..).filter(|rest| rest.len() >= MIN_FRAME_LEN) {
            match extent(rest, limit) {
                Extent::Whole(length) => {
                    arrival.frames.extend(rest.get(..length).map(Bytes::copy_from_slice));
                    head += length;
                }
                Extent::Incomplete => break,
                Extent::NotAFrame => {
                    let garbage = garbage_run(rest);
                    arrival.skipped += garbage;
                    head += garbage;
                }
            }
        }
        if head > 0 {
            self.pending.drain(..head);
            self.since = now;
        }
        if self.pending.iter().all(|&byte| byte == 0) {
            arrival.skipped += self.pending.len();
            self.pending.clear();
        }
    }
}

/// How many bytes to skip where no frame begins: a whole PKCS#7 run of b times b, or one byte.
fn garbage_run(bytes: &[u8]) -> usize {
    let Some(&value) = bytes.first() else { return 0 };
    let run = usize::from(value);
    match bytes.get(..run) {
        Some(padding) if run > 0 && padding.iter().all(|&byte| byte == value) => run,
        Some(_) | None => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::link::frame::tests::frame;

    fn accept(inbox: &mut Inbox, bytes: &[u8], at_ms: u64) -> Arrival {
        let now = Instant::from_start(Duration::from_millis(at_ms));
        inbox.accept(Bytes::copy_from_slice(bytes), &Config::default(), now)
    }

    fn frames(arrival: &Arrival) -> Vec<&[u8]> {
        arrival.frames.iter().map(|frame| frame.as_ref()).collect()
    }

    #[test]
    fn one_write_is_one_frame_with_its_padding() {
        let mut inbox = Inbox::default();
        let mut padded = frame(1, 70);
        padded.extend([156; 156]);
        assert_eq!(frames(&accept(&mut inbox, &padded, 0)), [&padded[..]]);
    }

    #[test]
    fn a_frame_may_come_in_pieces() {
        let mut inbox = Inbox::default();
        let whole = frame(2, 100);
        for (index, piece) in whole.chunks(20).enumerate() {
            let arrival = accept(&mut inbox, piece, 10 * index as u64);
            let complete = (index + 1) * 20 >= whole.len();
            assert_eq!(frames(&arrival), if complete { vec![&whole[..]] } else { vec![] });
            assert_eq!(arrival.skipped, 0);
        }
    }

    #[test]
    fn two_frames_in_one_write_come_out_apart_and_keep_their_padding() {
        let mut inbox = Inbox::default();
        let mut padded = frame(0, 178);
        padded.extend([56; 56]);
        let second = frame(1, 9);
        let arrival = accept(&mut inbox, &[&padded[..], &second].concat(), 0);
        assert_eq!(frames(&arrival), [&padded[..], &second]);
    }

    #[test]
    fn padding_that_comes_late_is_skipped_as_a_run() {
        let mut inbox = Inbox::default();
        let first = frame(0, 178);
        let second = frame(0, 30);
        assert_eq!(frames(&accept(&mut inbox, &first, 0)), [&first[..]]);
        let arrival = accept(&mut inbox, &[&[56; 56][..], &second].concat(), 1);
        assert_eq!((frames(&arrival), arrival.skipped), (vec![&second[..]], 56));
    }

    #[test]
    fn an_incomplete_frame_is_given_up_after_a_quarter_second() {
        let mut inbox = Inbox::default();
        let whole = frame(0, 100);
        assert_eq!(frames(&accept(&mut inbox, &whole[..60], 0)), Vec::<&[u8]>::new());
        let arrival = accept(&mut inbox, &whole[60..], 251);
        assert_eq!(frames(&arrival), Vec::<&[u8]>::new());
        assert!(arrival.skipped >= 60);
    }

    #[test]
    fn a_whole_frame_ends_a_truncated_one() {
        let mut inbox = Inbox::default();
        let whole = frame(0, 100);
        accept(&mut inbox, &whole[..60], 0);
        let arrival = accept(&mut inbox, &whole, 1);
        assert_eq!((frames(&arrival), arrival.skipped), (vec![&whole[..]], 60));
    }

    #[test]
    fn zeros_leave_nothing_behind() {
        let mut inbox = Inbox::default();
        assert_eq!(accept(&mut inbox, &[0; 100], 0).skipped, 100);
        assert!(inbox.pending.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_leave_a_bounded_rest(writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..40)) {
            let mut inbox = Inbox::default();
            for write in &writes {
                let before = inbox.pending.len();
                let arrival = accept(&mut inbox, write, 0);
                let out: usize = arrival.frames.iter().map(Bytes::len).sum();
                prop_assert_eq!(before + write.len(), out + arrival.skipped + inbox.pending.len());
                prop_assert!(inbox.pending.len() <= Config::default().inbox_bytes);
            }
        }

        #[test]
        fn frames_survive_any_cutting(payloads in prop::collection::vec(0u8..255, 1..8), cuts in prop::collection::vec(1usize..40, 1..200)) {
            let sent: Vec<Vec<u8>> = payloads.iter().map(|&length| frame(1, length)).collect();
            let mut stream = &sent.concat()[..];
            let mut inbox = Inbox::default();
            let mut got = Vec::new();
            for cut in cuts.into_iter().chain(std::iter::repeat(20)) {
                let (piece, rest) = stream.split_at(cut.min(stream.len()));
                got.extend(accept(&mut inbox, piece, 0).frames);
                stream = rest;
                if stream.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(got, sent);
        }
    }
}
