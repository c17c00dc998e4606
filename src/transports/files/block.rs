//! A block of a file between network and disk, at an address from which a disk can fetch it itself.

use super::BLOCK;

/// What address, place in the file and length have to be multiples of for that: no disk's blocks are larger.
pub(super) const ALIGNMENT: usize = 4096;

/// Room for a block, and what is in it.
#[derive(Debug)]
pub(super) struct Block {
    buffer: Vec<u8>,
    /// Where in the buffer it begins.
    start: usize,
    length: usize,
}

impl Block {
    /// An empty one.
    pub(super) fn new() -> Self {
        let buffer = vec![0; BLOCK + ALIGNMENT];
        let start = buffer.as_ptr().align_offset(ALIGNMENT);
        Self { buffer, start, length: 0 }
    }

    /// What is in it.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.start.saturating_add(self.length)).unwrap_or_default()
    }

    /// The room in it.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start..self.start.saturating_add(BLOCK)).unwrap_or_default()
    }

    /// So many bytes of the room were filled, from its beginning on.
    pub(super) fn filled(&mut self, length: usize) {
        self.length = length.min(BLOCK);
    }
}

/// Whether a disk can fetch these bytes itself, for this place in a file.
pub(super) fn is_aligned(bytes: &[u8], offset: u64) -> bool {
    bytes.as_ptr().addr().is_multiple_of(ALIGNMENT)
        && bytes.len().is_multiple_of(ALIGNMENT)
        && offset.is_multiple_of(ALIGNMENT as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_block_is_aligned_and_a_part_of_one_is_not() {
        let mut block = Block::new();
        assert_eq!(block.bytes(), [0; 0]);
        assert_eq!(block.room().len(), BLOCK);
        block.room().fill(7);
        block.filled(BLOCK);
        assert!(block.bytes() == [7; BLOCK]);
        assert!(is_aligned(block.bytes(), BLOCK as u64));
        assert!(!is_aligned(block.bytes(), 1));
        block.filled(5);
        assert_eq!(block.bytes(), [7; 5]);
        assert!(!is_aligned(block.bytes(), BLOCK as u64));
    }
}
