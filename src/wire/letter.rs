//! What stands in a sealed envelope: one kind byte, then the content. The envelope's label bears the message id and
//! the envelope itself proves the sender, so a letter repeats neither.
//!
//! Messages are answered by letters of their own. The `Stream` kinds carry a stream of bytes each way between two
//! nodes that have nothing but each other's mailbox: each side numbers its pieces from 0, and says how many bytes
//! its reader took, so that a bounded number of them is ever under way.

use bytes::{BufMut, Bytes, BytesMut};

use super::error::PayloadError;
use super::prekey::Prekey;
use super::reader::{Reader, Short};
use crate::ids::MessageId;
use crate::time::UnixMillis;

/// The most bytes of a stream in one letter: with everything around them they fill an envelope of 1 MiB.
pub const MAX_PIECE_LEN: usize = (1 << 20) - 4 - STREAM_HEAD;
/// The most prekeys in one letter.
pub const MAX_PREKEYS: usize = 8;
/// Kind, stream id, number.
const STREAM_HEAD: usize = 1 + 16 + 8;

mod kind {
    pub(super) const MESSAGE: u8 = 0x01;
    pub(super) const ACK: u8 = 0x02;
    pub(super) const DECLINED: u8 = 0x03;
    pub(super) const PREKEYS: u8 = 0x04;
    pub(super) const PIECE: u8 = 0x10;
    pub(super) const FINISH: u8 = 0x11;
    pub(super) const TAKEN: u8 = 0x12;
    pub(super) const BROKEN: u8 = 0x13;
}

/// A stream of bytes between two nodes: 16 random bytes of whoever opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub [u8; 16]);

/// One thing said in an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// A message for the one who opens this; its id is the envelope's.
    Message {
        /// When it was written, by the sender's clock.
        sent: UnixMillis,
        /// What it says, as `wire::body` writes it.
        body: Bytes,
    },
    /// The message is on disk.
    Ack(MessageId),
    /// The message cannot be kept.
    Declined(MessageId),
    /// Keys to seal later messages to, each for one: at most [`MAX_PREKEYS`], in place of those of before.
    Prekeys(Vec<Prekey>),
    /// The next bytes of a stream. Number 0 of a stream that is not known opens it.
    Piece {
        /// Which stream.
        stream: StreamId,
        /// The how-manieth of this direction, from 0.
        number: u64,
        /// 1 to [`MAX_PIECE_LEN`] bytes.
        bytes: Bytes,
    },
    /// This direction has no more bytes.
    Finish {
        /// Which stream.
        stream: StreamId,
        /// The number that the next piece would have had.
        number: u64,
    },
    /// So many bytes of the other direction were taken by their reader.
    Taken {
        /// Which stream.
        stream: StreamId,
        /// Bytes since the beginning.
        bytes: u64,
    },
    /// The stream ends here, in both directions.
    Broken {
        /// Which stream.
        stream: StreamId,
        /// Why, in the numbers of `wire::file::Reason`; 0 when there is no reason to tell.
        code: u8,
    },
}

impl Letter {
    /// The letter's bytes.
    pub fn encode(&self) -> Bytes {
        let mut letter = BytesMut::new();
        match self {
            Self::Message { sent, body } => {
                letter.reserve(1 + 8 + body.len());
                letter.put_u8(kind::MESSAGE);
                letter.put_u64(sent.0);
                letter.put_slice(body);
            }
            Self::Ack(id) => put(&mut letter, kind::ACK, &id.0),
            Self::Declined(id) => put(&mut letter, kind::DECLINED, &id.0),
            Self::Prekeys(prekeys) => {
                letter.put_u8(kind::PREKEYS);
                prekeys.iter().for_each(|prekey| prekey.put(&mut letter));
            }
            Self::Piece { stream, number, bytes } => {
                letter.reserve(STREAM_HEAD + bytes.len());
                put(&mut letter, kind::PIECE, &stream.0);
                letter.put_u64(*number);
                letter.put_slice(bytes);
            }
            Self::Finish { stream, number } => {
                put(&mut letter, kind::FINISH, &stream.0);
                letter.put_u64(*number);
            }
            Self::Taken { stream, bytes } => {
                put(&mut letter, kind::TAKEN, &stream.0);
                letter.put_u64(*bytes);
            }
            Self::Broken { stream, code } => {
                put(&mut letter, kind::BROKEN, &stream.0);
                letter.put_u8(*code);
            }
        }
        letter.freeze()
    }

    /// The letter of these bytes.
    pub fn decode(bytes: &Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8().map_err(|short| short.of_payload("letter kind"))?;
        let letter = read(kind, &mut reader)?.map_err(|short| short.of_payload("letter"))?;
        match reader.left() {
            0 => Ok(letter),
            left => {
                let (offset, expected) = (reader.offset(), "nothing");
                Err(PayloadError::Size { field: "rest of the letter", offset, expected, got: left })
            }
        }
    }
}

fn put(letter: &mut BytesMut, kind: u8, id: &[u8; 16]) {
    letter.put_u8(kind);
    letter.put_slice(id);
}

/// The content of a letter of this kind.
fn read(kind: u8, reader: &mut Reader) -> Result<Result<Letter, Short>, PayloadError> {
    let id = |reader: &mut Reader| reader.array().map(MessageId);
    let stream = |reader: &mut Reader| reader.array().map(StreamId);
    let letter = match kind {
        kind::MESSAGE => reader.u64().and_then(|sent| {
            let body = reader.take(reader.left())?;
            Ok(Letter::Message { sent: UnixMillis(sent), body })
        }),
        kind::ACK => id(reader).map(Letter::Ack),
        kind::DECLINED => id(reader).map(Letter::Declined),
        kind::PREKEYS => return prekeys(reader),
        kind::PIECE => return piece(reader),
        kind::FINISH => {
            stream(reader).and_then(|stream| Ok(Letter::Finish { stream, number: reader.u64()? }))
        }
        kind::TAKEN => stream(reader).and_then(|stream| Ok(Letter::Taken { stream, bytes: reader.u64()? })),
        kind::BROKEN => stream(reader).and_then(|stream| Ok(Letter::Broken { stream, code: reader.u8()? })),
        kind => return Err(PayloadError::Value { field: "letter kind", offset: 0, value: kind.into() }),
    };
    Ok(letter)
}

fn prekeys(reader: &mut Reader) -> Result<Result<Letter, Short>, PayloadError> {
    let (offset, got) = (reader.offset(), reader.left());
    if got == 0 || !got.is_multiple_of(Prekey::LEN) || got > MAX_PREKEYS * Prekey::LEN {
        let expected = "36 for each of 1 to 8";
        return Err(PayloadError::Size { field: "list of prekeys", offset, expected, got });
    }
    let keys: Result<Vec<Prekey>, Short> = (0..got / Prekey::LEN).map(|_| Prekey::read(reader)).collect();
    Ok(keys.map(Letter::Prekeys))
}

fn piece(reader: &mut Reader) -> Result<Result<Letter, Short>, PayloadError> {
    let head = reader.array().and_then(|stream| Ok((StreamId(stream), reader.u64()?)));
    let (stream, number) = match head {
        Ok(head) => head,
        Err(short) => return Ok(Err(short)),
    };
    let (offset, got) = (reader.offset(), reader.left());
    if !(1..=MAX_PIECE_LEN).contains(&got) {
        let expected = "1 to 1048547";
        return Err(PayloadError::Size { field: "piece", offset, expected, got });
    }
    Ok(reader.take(got).map(|bytes| Letter::Piece { stream, number, bytes }))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn letters() -> impl Strategy<Value = Letter> {
        let id = || any::<[u8; 16]>().prop_map(MessageId);
        let stream = || any::<[u8; 16]>().prop_map(StreamId);
        let bytes = |least| vec(any::<u8>(), least..300).prop_map(Bytes::from);
        prop_oneof![
            (any::<u64>(), bytes(0))
                .prop_map(|(sent, body)| Letter::Message { sent: UnixMillis(sent), body }),
            id().prop_map(Letter::Ack),
            id().prop_map(Letter::Declined),
            vec((any::<u32>(), any::<[u8; 32]>()), 1..=MAX_PREKEYS).prop_map(|keys| {
                Letter::Prekeys(keys.into_iter().map(|(id, public)| Prekey { id, public }).collect())
            }),
            (stream(), any::<u64>(), bytes(1)).prop_map(|(stream, number, bytes)| Letter::Piece {
                stream,
                number,
                bytes
            }),
            (stream(), any::<u64>()).prop_map(|(stream, number)| Letter::Finish { stream, number }),
            (stream(), any::<u64>()).prop_map(|(stream, bytes)| Letter::Taken { stream, bytes }),
            (stream(), any::<u8>()).prop_map(|(stream, code)| Letter::Broken { stream, code }),
        ]
    }

    proptest! {
        #[test]
        fn a_letter_reads_as_it_was_written(letter in letters()) {
            prop_assert_eq!(Letter::decode(&letter.encode()), Ok(letter));
        }

        #[test]
        fn no_bytes_make_it_panic(kind in 0u8..0x18, content in vec(any::<u8>(), 0..60)) {
            Letter::decode(&[&[kind], content.as_slice()].concat().into()).ok();
        }
    }

    #[test]
    fn a_letter_is_written_as_the_documentation_says() {
        let message = Letter::Message { sent: UnixMillis(5), body: Bytes::from_static(b"body") };
        assert_eq!(message.encode(), [&[1, 0, 0, 0, 0, 0, 0, 0, 5], b"body".as_slice()].concat());
        assert_eq!(Letter::Ack(MessageId([7; 16])).encode(), [&[2], [7; 16].as_slice()].concat());
        let piece =
            Letter::Piece { stream: StreamId([1; 16]), number: 2, bytes: vec![0; MAX_PIECE_LEN].into() };
        assert_eq!(piece.encode().len() + 4, 1 << 20);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let error = |bytes: &[u8]| Letter::decode(&Bytes::copy_from_slice(bytes)).unwrap_err().to_string();
        assert_eq!(error(&[]), "payload offset 0: the letter kind takes 1 bytes, 0 are left");
        assert_eq!(error(&[9]), "payload offset 0: the letter kind is 9");
        assert_eq!(error(&[2, 7]), "payload offset 1: the letter takes 16 bytes, 1 are left");
        assert_eq!(error(&[3; 18]), "payload offset 17: the rest of the letter has 1 bytes, not nothing");
        let empty = [&[0x10], [0; 24].as_slice()].concat();
        assert_eq!(error(&empty), "payload offset 25: the piece has 0 bytes, not 1 to 1048547");
    }
}
