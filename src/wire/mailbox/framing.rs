//! Lengths before requests and answers.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::error::MailboxError;

/// The longest request or answer, its length field left out (betanet-htx 16.2).
pub const MAX_FRAME_LEN: usize = 1_312_768;

/// The content with its length before it.
pub(super) fn framed(content: &[u8]) -> Result<Bytes, MailboxError> {
    let len = checked(content.len())?;
    let mut frame = BytesMut::with_capacity(content.len().saturating_add(4));
    frame.put_u32(len);
    frame.put_slice(content);
    Ok(frame.freeze())
}

fn checked(len: usize) -> Result<u32, MailboxError> {
    match u32::try_from(len) {
        Ok(field) if len <= MAX_FRAME_LEN => Ok(field),
        Ok(_) | Err(_) => Err(MailboxError::TooLong { len }),
    }
}

/// The requests or answers of a stream, however its bytes come in pieces.
///
/// It holds one that is not whole and the last piece: never more than [`MAX_FRAME_LEN`] and a piece, as long as
/// all are taken before the next piece is put in. After an error the stream means nothing.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
}

impl Frames {
    /// Puts in the next bytes of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// Takes out the next request or answer, without its length; `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, MailboxError> {
        let Some(field) = self.buffer.first_chunk() else { return Ok(None) };
        let len = usize::try_from(u32::from_be_bytes(*field)).unwrap_or(usize::MAX);
        checked(len)?;
        if self.buffer.len() < len.saturating_add(4) {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(len).freeze()))
    }

    /// Whether no byte is left over.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
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
