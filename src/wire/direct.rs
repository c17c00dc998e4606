//! What runs between two contacts over one QUIC stream: frames, one after the other.
//!
//! A frame is the length of what follows (u32, big-endian), a kind byte and the content. Each side writes to
//! a stream of its own, and the first frame on it is [`Frame::Hello`].

use core::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};

use super::prefixed::{BadLength, Prefixed, length_field};
use super::reader::Reader;
use crate::ids::MessageId;
use crate::time::UnixMillis;

/// The protocol's name in the TLS handshake.
pub const ALPN: &[u8] = b"hopline/direct/1";

/// The longest body: 1 MiB of text and its kind byte, with room to spare.
pub const MAX_BODY_LEN: usize = (1 << 20) + 1024;
/// The longest frame, its length field left out: a message with the longest body.
pub const MAX_FRAME_LEN: usize = 1 + 16 + 8 + MAX_BODY_LEN;
/// What a length field may say.
const LENGTHS: RangeInclusive<usize> = 1..=MAX_FRAME_LEN;

mod kind {
    pub(super) const HELLO: u8 = 0x00;
    pub(super) const MESSAGE: u8 = 0x01;
    pub(super) const ACK: u8 = 0x02;
    pub(super) const DECLINED: u8 = 0x03;
    pub(super) const PUBLIC: u8 = 0x04;
}

/// One thing said over a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// We know you, and listen.
    Hello,
    /// A message for the one who reads this; it is answered by [`Frame::Ack`] or [`Frame::Declined`].
    Message {
        /// Its id.
        id: MessageId,
        /// When it was written, by the sender's clock.
        sent: UnixMillis,
        /// What it says, as `wire::body` writes it.
        body: Bytes,
    },
    /// The message is on disk.
    Ack(MessageId),
    /// The message cannot be kept.
    Declined(MessageId),
    /// A signed public packet; nobody answers it.
    Public(Bytes),
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Nothing follows the length, or more than anybody may send.
    #[error("a frame of {len} bytes; it takes 1 to {MAX_FRAME_LEN}")]
    Length {
        /// What the length field says.
        len: usize,
    },
    /// The kind byte is none of ours.
    #[error("no frame is of kind {0:#04x}")]
    Kind(u8),
    /// The content ends too early, or goes on after its end.
    #[error("a frame of kind {kind:#04x} with {len} bytes of content")]
    Content {
        /// The kind byte.
        kind: u8,
        /// Bytes after it.
        len: usize,
    },
}

impl Frame {
    /// The frame's bytes, its length field included.
    pub fn encode(&self) -> Result<Bytes, FrameError> {
        let mut content = BytesMut::new();
        match self {
            Self::Hello => content.put_u8(kind::HELLO),
            Self::Message { id, sent, body } => {
                content.reserve(1 + 16 + 8 + body.len());
                content.put_u8(kind::MESSAGE);
                content.put_slice(&id.0);
                content.put_u64(sent.0);
                content.put_slice(body);
            }
            Self::Ack(id) => put_id(&mut content, kind::ACK, *id),
            Self::Declined(id) => put_id(&mut content, kind::DECLINED, *id),
            Self::Public(packet) => {
                content.put_u8(kind::PUBLIC);
                content.put_slice(packet);
            }
        }
        let len = length_of(&content)?;
        let mut frame = BytesMut::with_capacity(4 + content.len());
        frame.put_u32(len);
        frame.put(content);
        Ok(frame.freeze())
    }

    /// The frame whose kind byte and content these are.
    fn decode(content: &Bytes) -> Result<Self, FrameError> {
        let mut reader = Reader::new(content);
        let kind = reader.u8().map_err(|_| FrameError::Length { len: 0 })?;
        let len = reader.left();
        let bad = FrameError::Content { kind, len };
        let id = |reader: &mut Reader| reader.array().map(MessageId).map_err(|_| bad);
        let rest = |reader: &mut Reader| reader.take(reader.left()).map_err(|_| bad);
        let frame = match kind {
            kind::HELLO => Self::Hello,
            kind::MESSAGE => Self::Message {
                id: id(&mut reader)?,
                sent: UnixMillis(reader.u64().map_err(|_| bad)?),
                body: rest(&mut reader)?,
            },
            kind::ACK => Self::Ack(id(&mut reader)?),
            kind::DECLINED => Self::Declined(id(&mut reader)?),
            kind::PUBLIC => Self::Public(rest(&mut reader)?),
            kind => return Err(FrameError::Kind(kind)),
        };
        if reader.left() == 0 { Ok(frame) } else { Err(bad) }
    }
}

fn put_id(content: &mut BytesMut, kind: u8, id: MessageId) {
    content.put_u8(kind);
    content.put_slice(&id.0);
}

fn length_of(content: &[u8]) -> Result<u32, FrameError> {
    length_field(content.len(), &LENGTHS).map_err(FrameError::from)
}

impl From<BadLength> for FrameError {
    fn from(BadLength(len): BadLength) -> Self {
        Self::Length { len }
    }
}

/// The frames of a stream, however its bytes come in pieces. It never holds more than [`MAX_FRAME_LEN`] and a
/// piece, as long as all frames are taken before the next piece is put in. After an error the stream means nothing.
#[derive(Debug, Default)]
pub struct Frames(Prefixed);

impl Frames {
    /// Puts in the next bytes of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.0.push(piece);
    }

    /// Takes out the next frame; `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        self.0.next(&LENGTHS)?.map(|content| Frame::decode(&content)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn some_frames() -> impl Strategy<Value = Vec<Frame>> {
        let id = || any::<[u8; 16]>().prop_map(MessageId);
        let bytes = || vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        let frame = prop_oneof![
            Just(Frame::Hello),
            (id(), any::<u64>(), bytes()).prop_map(|(id, sent, body)| Frame::Message {
                id,
                sent: UnixMillis(sent),
                body
            }),
            id().prop_map(Frame::Ack),
            id().prop_map(Frame::Declined),
            bytes().prop_map(Frame::Public),
        ];
        vec(frame, 0..8)
    }

    /// Everything that comes out when the bytes go in by pieces of this length.
    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Frame>, FrameError> {
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
        fn frames_read_as_they_were_written_however_they_are_cut(frames in some_frames(), piece in 1usize..400) {
            let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.encode().unwrap()).collect();
            prop_assert_eq!(read(&bytes, piece), Ok(frames));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..400), piece in 1usize..50) {
            read(&bytes, piece).ok();
        }

        #[test]
        fn no_short_frame_makes_it_panic(kind in 0u8..6, content in vec(any::<u8>(), 0..40)) {
            let len = u8::try_from(content.len() + 1).unwrap();
            let bytes = [&[0, 0, 0, len, kind], content.as_slice()].concat();
            read(&bytes, 400).ok();
        }
    }

    #[test]
    fn a_frame_too_long_is_refused_by_its_length_alone() {
        let mut frames = Frames::default();
        frames.push(&[0xFF; 4]);
        assert_eq!(frames.next_frame(), Err(FrameError::Length { len: 0xFFFF_FFFF }));
        assert_eq!(read(&[0; 4], 4), Err(FrameError::Length { len: 0 }));
        let body = Bytes::from(vec![0; MAX_BODY_LEN + 1]);
        let frame = Frame::Message { id: MessageId([0; 16]), sent: UnixMillis(0), body };
        assert_eq!(frame.encode(), Err(FrameError::Length { len: MAX_FRAME_LEN + 1 }));
    }

    #[test]
    fn errors_name_the_kind_and_the_numbers() {
        let error = |bytes: &[u8]| read(bytes, 100).unwrap_err().to_string();
        assert_eq!(error(&[0, 0, 0, 1, 9]), "no frame is of kind 0x09");
        assert_eq!(error(&[0, 0, 0, 2, 2, 7]), "a frame of kind 0x02 with 1 bytes of content");
        assert_eq!(error(&[0, 0, 0, 2, 0, 7]), "a frame of kind 0x00 with 1 bytes of content");
    }
}
