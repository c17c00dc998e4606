//! Hiding a frame's length behind a few block sizes (spec 2.5).
//!
//! Nothing here removes padding: a decoder reads a frame from its first byte and never looks past its end.

use std::iter::repeat_n;

/// The lengths a padded frame can have.
const BLOCKS: [usize; 4] = [256, 512, 1024, 2048];
/// Bytes of a frame's block that its own bytes leave free.
const RESERVE: usize = 16;

/// How many bytes of padding a frame of `len` bytes gets: each of them has this value.
///
/// Zero for frames that need more than one byte can say, and for those beyond the largest block.
pub fn pad_len(len: usize) -> u8 {
    BLOCKS
        .into_iter()
        .find(|&block| block >= len.saturating_add(RESERVE))
        .and_then(|block| u8::try_from(block - len).ok())
        .unwrap_or(0)
}

/// Appends a frame's padding.
pub fn pad(frame: &mut Vec<u8>) {
    let count = pad_len(frame.len());
    frame.extend(repeat_n(count, usize::from(count)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_frame_is_a_block_long_or_is_left_alone() {
        for len in 22..=4096 {
            let mut frame = vec![0; len];
            pad(&mut frame);
            assert!(frame.len() == len || BLOCKS.contains(&frame.len()), "{len} became {}", frame.len());
        }
    }
}
