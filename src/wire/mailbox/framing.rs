//! Lengths before requests and answers.

use core::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};

use super::error::MailboxError;
use crate::wire::prefixed::{BadLength, Prefixed, length_field};

/// The longest request or answer, its length field left out (betanet-htx 16.2).
pub const MAX_FRAME_LEN: usize = 1_312_768;
const LENGTHS: RangeInclusive<usize> = 0..=MAX_FRAME_LEN;

/// The content with its length before it.
pub(super) fn framed(content: &[u8]) -> Result<Bytes, MailboxError> {
    let len = length_field(content.len(), &LENGTHS)?;
    let mut frame = BytesMut::with_capacity(content.len().saturating_add(4));
    frame.put_u32(len);
    frame.put_slice(content);
    Ok(frame.freeze())
}

impl From<BadLength> for MailboxError {
    fn from(BadLength(len): BadLength) -> Self {
        Self::TooLong { len }
    }
}

/// The requests or answers of a stream, however its bytes come in pieces. It never holds more than
/// [`MAX_FRAME_LEN`] and a piece, as long as all are taken before the next piece is put in. After an error the
/// stream means nothing.
#[derive(Debug, Default)]
pub struct Frames(Prefixed);

impl Frames {
    /// Puts in the next bytes of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.0.push(piece);
    }

    /// Takes out the next request or answer, without its length; `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, MailboxError> {
        Ok(self.0.next(&LENGTHS)?)
    }

    /// Whether no byte is left over.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Bytes>, MailboxError> {
        let mut frames = Frames::default();
        let mut read = Vec::new();
        for piece in bytes.chunks(piece) {
            frames.push(piece);
            while let Some(frame) = frames.next_frame()? {
                read.push(frame);
            }
        }
        Ok(read)
    }

    proptest! {
        #[test]
        fn frames_read_as_they_were_written_however_they_are_cut(
            contents in vec(vec(any::<u8>(), 0..200).prop_map(Bytes::from), 0..6),
            piece in 1usize..300,
        ) {
            let bytes: Vec<u8> = contents.iter().flat_map(|content| framed(content).unwrap()).collect();
            prop_assert_eq!(read(&bytes, piece), Ok(contents));
        }
    }

    #[test]
    fn the_bound_is_what_the_specification_says() {
        assert_eq!(framed(&vec![0; MAX_FRAME_LEN]).unwrap().len(), 4 + 1_312_768);
        let len = MAX_FRAME_LEN + 1;
        assert_eq!(framed(&vec![0; len]), Err(MailboxError::TooLong { len }));
        assert_eq!(read(&[0, 0x14, 8, 1], 4), Err(MailboxError::TooLong { len }), "by its length alone");
        assert_eq!(read(&[0, 0x14, 8, 0], 4), Ok(vec![]));
    }
}
