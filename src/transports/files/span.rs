//! The part of a file that is still to come, cut into blocks.

use super::BLOCK;

/// The part of a file that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Where it begins.
    pub(super) offset: u64,
    /// Where the file ends.
    pub(super) end: u64,
}

impl Span {
    /// How many bytes its first block has; none are left when there is none. Blocks end at multiples of their size,
    /// wherever a try began: BLAKE3 is several times faster at whole subtrees.
    pub(super) fn block(self) -> Option<usize> {
        let to_multiple = BLOCK as u64 - self.offset % BLOCK as u64;
        let length = self.end.saturating_sub(self.offset).min(to_multiple);
        usize::try_from(length).ok().filter(|&length| length > 0)
    }

    /// So many bytes came.
    pub(super) const fn advance(&mut self, bytes: usize) {
        self.offset = self.offset.saturating_add(bytes as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_at_multiples_of_their_size_and_at_the_end() {
        let block = BLOCK as u64;
        let mut span = Span { offset: block - 3, end: 2 * block + 5 };
        let mut lengths = Vec::new();
        while let Some(length) = span.block() {
            lengths.push(length);
            span.advance(length);
        }
        assert_eq!(lengths, [3, BLOCK, 5]);
        assert_eq!(span.offset, span.end);
        assert_eq!(Span { offset: 7, end: 6 }.block(), None);
    }
}
