//! Where a frame ends, by its header alone: all that links need to know of packets.

use crate::wire::frame_len;
use crate::wire::padding::pad_len;

/// What a header says about the bytes it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The first so many bytes are a frame and its padding.
    Whole(usize),
    /// A frame begins here and goes on after the last byte.
    Incomplete,
    /// No frame begins here.
    NotAFrame,
}

/// How far the frame reaches that begins with the first of `bytes`; one longer than `limit` is none.
pub(super) fn extent(bytes: &[u8], limit: usize) -> Extent {
    match frame_len(bytes) {
        Ok(Some(length)) if length > limit => Extent::NotAFrame,
        Ok(Some(length)) if length > bytes.len() => Extent::Incomplete,
        Ok(Some(length)) => Extent::Whole(length + padding_after(bytes, length)),
        Ok(None) => Extent::Incomplete,
        Err(_) => Extent::NotAFrame,
    }
}

/// How many bytes after the first `length` are the padding of a frame of that length (spec 2.5), 0 when the
/// bytes there are something else.
fn padding_after(bytes: &[u8], length: usize) -> usize {
    let value = pad_len(length);
    let count = usize::from(value);
    match bytes.get(length..length + count) {
        Some(padding) if padding.iter().all(|&byte| byte == value) => count,
        Some(_) | None => 0,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A version 1 frame with the given flags (01 recipient, 02 signature) and payload length.
    pub(in crate::link) fn frame(flags: u8, payload: u8) -> Vec<u8> {
        let mut bytes = vec![1, 2, 7, 0, 0, 0, 0, 0, 0, 0, 1, flags, 0, payload];
        let recipient = if flags & 1 != 0 { 8 } else { 0 };
        let signature = if flags & 2 != 0 { 64 } else { 0 };
        bytes.extend((0..8 + recipient + usize::from(payload) + signature).map(|index| (index % 251) as u8));
        bytes
    }

    #[test]
    fn a_frame_ends_where_its_header_says() {
        let bytes = frame(3, 5);
        assert_eq!(extent(&bytes, 512), Extent::Whole(99));
        assert_eq!(extent(&[&bytes[..], &bytes].concat(), 512), Extent::Whole(99));
        assert_eq!(extent(&bytes[..98], 512), Extent::Incomplete);
        assert_eq!(extent(&bytes[..10], 512), Extent::Incomplete);
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
    fn padding_belongs_to_its_frame() {
        let mut bytes = frame(0, 78);
        bytes.extend([156; 156]);
        assert_eq!(extent(&bytes, 512), Extent::Whole(256));
        bytes[200] = 1;
        assert_eq!(extent(&bytes, 512), Extent::Whole(100));
        assert_eq!(extent(&bytes[..250], 512), Extent::Whole(100));
    }
}
