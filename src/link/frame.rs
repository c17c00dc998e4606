//! Where a frame ends, by its header alone (spec 2.1): all that links need to know of packets.

use std::ops::ControlFlow;

/// The shortest frame: a version 1 header and a sender (spec 2.1).
pub(super) const MIN_FRAME: usize = 22;

const ID: usize = 8;
const SIGNATURE: usize = 64;
const FLAGS_OFFSET: usize = 11;
const FLAG_RECIPIENT: u8 = 0x01;
const FLAG_SIGNATURE: u8 = 0x02;
const FLAG_ROUTE: u8 = 0x08;

/// Block sizes that padding fills up to (spec 2.5).
const BLOCKS: [usize; 4] = [256, 512, 1024, 2048];
/// A block is filled only when at least this much is missing (spec 2.5).
const MIN_PADDING: usize = 16;

/// What a header says about the bytes it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The first so many bytes are a frame.
    Whole(usize),
    /// A frame begins here and goes on after the last byte.
    Incomplete,
    /// No frame begins here.
    NotAFrame,
}

/// How far the frame reaches that begins with the first of `bytes`; one longer than `limit` is none.
pub(super) fn extent(bytes: &[u8], limit: usize) -> Extent {
    let length = match length(bytes) {
        ControlFlow::Continue(length) => length,
        ControlFlow::Break(extent) => return extent,
    };
    match length {
        Some(length) if length <= limit => {
            if length <= bytes.len() {
                Extent::Whole(length)
            } else {
                Extent::Incomplete
            }
        }
        Some(_) | None => Extent::NotAFrame,
    }
}

/// How many bytes after the first `length` are the padding of a frame of that length (spec 2.5), 0 when the
/// bytes there are something else.
pub(super) fn padding_after(bytes: &[u8], length: usize) -> usize {
    let Some(block) = BLOCKS.into_iter().find(|&block| block >= length.saturating_add(MIN_PADDING)) else {
        return 0;
    };
    let missing = block - length;
    let Ok(value) = u8::try_from(missing) else { return 0 };
    match bytes.get(length..block) {
        Some(padding) if padding.iter().all(|&byte| byte == value) => missing,
        Some(_) | None => 0,
    }
}

/// The length of the whole frame, `None` when it is beyond counting.
fn length(bytes: &[u8]) -> ControlFlow<Extent, Option<usize>> {
    let (header, payload) = match bytes.first() {
        Some(1) => (14, bytes.get(12..14).map(be)),
        Some(2) => (16, bytes.get(12..16).map(be)),
        Some(_) => return ControlFlow::Break(Extent::NotAFrame),
        None => return ControlFlow::Break(Extent::Incomplete),
    };
    let (Some(payload), Some(&flags)) = (payload, bytes.get(FLAGS_OFFSET)) else {
        return ControlFlow::Break(Extent::Incomplete);
    };
    let recipient = if flags & FLAG_RECIPIENT != 0 { ID } else { 0 };
    let signature = if flags & FLAG_SIGNATURE != 0 { SIGNATURE } else { 0 };
    let route = if header == 16 && flags & FLAG_ROUTE != 0 {
        match bytes.get(header + ID + recipient) {
            Some(&hops) => 1 + ID * usize::from(hops),
            None => return ControlFlow::Break(Extent::Incomplete),
        }
    } else {
        0
    };
    ControlFlow::Continue(payload.checked_add(header + ID + recipient + route + signature))
}

fn be(digits: &[u8]) -> usize {
    digits.iter().fold(0, |value, &digit| value << 8 | usize::from(digit))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A version 1 frame with the given flags and payload length; its bytes count upwards.
    pub(in crate::link) fn frame(flags: u8, payload: u8) -> Vec<u8> {
        let mut bytes = vec![1, 2, 7, 0, 0, 0, 0, 0, 0, 0, 1, flags, 0, payload];
        let rest = 8
            + usize::from(payload)
            + if flags & FLAG_RECIPIENT != 0 { 8 } else { 0 }
            + if flags & FLAG_SIGNATURE != 0 { 64 } else { 0 };
        bytes.extend((0..rest).map(|index| (index % 251) as u8));
        bytes
    }

    #[test]
    fn the_header_tells_the_length() {
        for (flags, length) in [(0x00, 27), (0x01, 35), (0x02, 91), (0x03, 99), (0x08, 27)] {
            let bytes = frame(flags, 5);
            assert_eq!(bytes.len(), length);
            assert_eq!(extent(&bytes, 512), Extent::Whole(length));
            assert_eq!(extent(&bytes[..length - 1], 512), Extent::Incomplete);
        }
    }

    #[test]
    fn a_version_2_frame_counts_its_route() {
        let mut bytes = vec![2, 0x11, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0x09, 0, 0, 0, 3];
        bytes.extend([0xAA; 16]);
        assert_eq!(extent(&bytes, 512), Extent::Incomplete);
        bytes.push(2);
        bytes.extend([0xBB; 16 + 3]);
        assert_eq!(extent(&bytes, 512), Extent::Whole(52));
    }

    #[test]
    fn other_versions_and_overlong_frames_are_none() {
        assert_eq!(extent(&[3; 30], 512), Extent::NotAFrame);
        assert_eq!(extent(&frame(0, 200), 100), Extent::NotAFrame);
        let mut endless = frame(0, 0);
        endless[0] = 2;
        endless[12..16].fill(0xFF);
        assert_eq!(extent(&endless, 65_536), Extent::NotAFrame);
    }

    #[test]
    fn padding_is_known_by_its_length() {
        let mut bytes = frame(0, 78);
        assert_eq!((bytes.len(), padding_after(&bytes, 100)), (100, 0));
        bytes.extend([156; 156]);
        assert_eq!(padding_after(&bytes, 100), 156);
        bytes[200] = 1;
        assert_eq!(padding_after(&bytes, 100), 0);
        assert_eq!(padding_after(&[0; 600], 241), 0);
    }
}
