//! The frames of the 1.1 wire (HTX spec 8), before they are opened and as they are sealed:
//!
//! ```text
//! length u24 ‖ type u8 ‖ [stream id, varint] ‖ ciphertext (length) ‖ tag (16)
//! ```
//!
//! Everything in front of the ciphertext is its associated data, as it was written (D-17). The stream id is there
//! in STREAM and WINDOW_UPDATE only.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::varint;

/// Bytes of the authentication tag behind the ciphertext.
pub const TAG_LEN: usize = 16;
/// Bytes of length and type.
const FIXED_LEN: usize = 4;
/// The most bytes of a header.
pub const MAX_HEADER_LEN: usize = FIXED_LEN + varint::MAX_LEN;
/// The longest plaintext we send: with the longest header and the tag it fills one TLS record (D-22).
pub const MAX_SENT: usize = 16_384 - TAG_LEN - MAX_HEADER_LEN;
/// The longest plaintext we accept (D-22).
pub const MAX_ACCEPTED: usize = 65_535;

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0: data of a stream, or its end when empty; padding on stream 0.
    Stream,
    /// 1: a question whether somebody is there, or its answer.
    Ping,
    /// 2: the last frame.
    Close,
    /// 3: the last frame under its key.
    KeyUpdate,
    /// 4: credit for a stream, or for the connection on stream 0.
    WindowUpdate,
    /// Not on this wire: opened like the others and refused after that, so that only its author can cause it.
    Unknown(u8),
}

impl Kind {
    /// As it is sent.
    pub const fn code(self) -> u8 {
        match self {
            Self::Stream => 0,
            Self::Ping => 1,
            Self::Close => 2,
            Self::KeyUpdate => 3,
            Self::WindowUpdate => 4,
            Self::Unknown(code) => code,
        }
    }

    /// As it was sent.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Stream,
            1 => Self::Ping,
            2 => Self::Close,
            3 => Self::KeyUpdate,
            4 => Self::WindowUpdate,
            other => Self::Unknown(other),
        }
    }

    const fn has_stream(self) -> bool {
        matches!(self, Self::Stream | Self::WindowUpdate)
    }
}

/// A header announces more than [`MAX_ACCEPTED`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame of {length} bytes")]
pub struct TooLong {
    /// The announced length of the plaintext.
    pub length: usize,
}

/// Writes the header of a frame with `length` bytes of plaintext; `stream` counts for the kinds that have one.
pub fn put_header(out: &mut BytesMut, kind: Kind, stream: u64, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out.put_uint(u64::from(length) & 0x00FF_FFFF, 3);
    out.put_u8(kind.code());
    if kind.has_stream() {
        varint::put(out, stream);
    }
}

/// A header as it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; MAX_HEADER_LEN],
    len: usize,
}

impl Header {
    /// Its bytes: what the tag covers besides the ciphertext.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// What the frame is for.
    pub const fn kind(&self) -> Kind {
        let [_, _, _, code, ..] = self.bytes;
        Kind::from_code(code)
    }

    /// The stream it belongs to; 0 for the kinds that have none.
    pub fn stream(&self) -> u64 {
        let [_, _, _, _, id @ ..] = &self.bytes;
        if self.kind().has_stream() { varint::read(id).map_or(0, |(id, _)| id) } else { 0 }
    }

    /// Bytes of plaintext.
    pub const fn length(&self) -> usize {
        let [a, b, c, ..] = self.bytes;
        (a as usize) << 16 | (b as usize) << 8 | c as usize
    }

    /// Takes what it still wants from the front of `bytes`; tells whether it is whole.
    fn fill(&mut self, bytes: &mut Bytes) -> bool {
        loop {
            let missing = self.wanted().saturating_sub(self.len);
            if missing == 0 {
                return true;
            }
            let took = missing.min(bytes.len());
            if took == 0 {
                return false;
            }
            if let Some(place) = self.bytes.get_mut(self.len..self.len + took) {
                bytes.copy_to_slice(place);
            }
            self.len += took;
        }
    }

    /// How long it is, as far as its bytes so far tell.
    const fn wanted(&self) -> usize {
        let [_, _, _, _, first, ..] = self.bytes;
        match self.len {
            0..FIXED_LEN => FIXED_LEN,
            _ if !self.kind().has_stream() => FIXED_LEN,
            FIXED_LEN => FIXED_LEN + 1,
            _ => FIXED_LEN + varint::len_by_first(first),
        }
    }
}

/// One frame as it came, whole and still sealed.
#[derive(Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its header.
    pub header: Header,
    /// Ciphertext and tag.
    pub body: BytesMut,
}

/// Cuts a stream of bytes into frames; holds one frame at most.
#[derive(Debug, Default)]
pub struct Reader {
    header: Header,
    body: Option<BytesMut>,
}

impl Reader {
    /// Takes bytes from the front of `bytes` until a frame is whole; `None` when they are used up before that.
    pub fn read(&mut self, bytes: &mut Bytes) -> Result<Option<Sealed>, TooLong> {
        if self.body.is_none() {
            if !self.header.fill(bytes) {
                return Ok(None);
            }
            let length = self.header.length();
            if length > MAX_ACCEPTED {
                return Err(TooLong { length });
            }
            self.body = Some(BytesMut::with_capacity(length + TAG_LEN));
        }
        let Some(mut body) = self.body.take() else { return Ok(None) };
        let missing = (self.header.length() + TAG_LEN).saturating_sub(body.len());
        body.extend_from_slice(&bytes.split_to(missing.min(bytes.len())));
        if body.len() < self.header.length() + TAG_LEN {
            self.body = Some(body);
            return Ok(None);
        }
        Ok(Some(Sealed { header: std::mem::take(&mut self.header), body }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(kind: Kind, stream: u64, length: usize) -> Vec<u8> {
        let mut out = BytesMut::new();
        put_header(&mut out, kind, stream, length);
        out.to_vec()
    }

    fn read(bytes: &[u8]) -> Result<Option<Sealed>, TooLong> {
        Reader::default().read(&mut Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn r25_a_truncated_frame_is_waited_for_and_is_nothing_before_its_last_byte() {
        let frame = [header(Kind::Stream, 70, 5), vec![7; 5 + TAG_LEN]].concat();
        for len in 0..frame.len() {
            assert_eq!(read(&frame[..len]), Ok(None), "{len} bytes");
        }
        let sealed = read(&frame).unwrap().unwrap();
        assert_eq!((sealed.header.kind(), sealed.header.stream()), (Kind::Stream, 70));
        assert_eq!((sealed.header.length(), sealed.body.len()), (5, 5 + TAG_LEN));
    }

    #[test]
    fn r25_a_frame_longer_than_65535_is_refused_by_its_header_alone() {
        assert_eq!(read(&header(Kind::Stream, 3, MAX_ACCEPTED)), Ok(None));
        let too_long = Err(TooLong { length: MAX_ACCEPTED + 1 });
        assert_eq!(read(&header(Kind::Stream, 3, MAX_ACCEPTED + 1)), too_long);
        assert_eq!(read(&header(Kind::Ping, 0, 0xFF_FFFF)), Err(TooLong { length: 0xFF_FFFF }));
    }

    #[test]
    fn a_stream_id_written_longer_than_needed_is_read_and_kept_as_it_came() {
        let long_form = [0, 0, 0, 4, 0x80, 0, 0, 9];
        let sealed = read(&[&long_form[..], &[0; TAG_LEN]].concat()).unwrap().unwrap();
        assert_eq!((sealed.header.stream(), sealed.header.bytes()), (9, &long_form[..]));
    }

    #[test]
    fn the_longest_frame_we_send_fits_a_tls_record() {
        assert_eq!(header(Kind::Stream, varint::MAX, MAX_SENT).len() + MAX_SENT + TAG_LEN, 16_384);
    }

    proptest! {
        #[test]
        fn frames_come_out_however_their_bytes_are_cut(
            frames in proptest::collection::vec((0u8..8, 0..=varint::MAX, 0usize..300), 1..8),
            cuts in proptest::collection::vec(1usize..64, 1..40),
        ) {
            let mut bytes = BytesMut::new();
            for &(code, stream, length) in &frames {
                put_header(&mut bytes, Kind::from_code(code), stream, length);
                bytes.put_bytes(code, length + TAG_LEN);
            }
            let mut bytes = bytes.freeze();
            let mut reader = Reader::default();
            let mut found = Vec::new();
            let mut cuts = cuts.iter().cycle();
            while !bytes.is_empty() {
                let mut piece = bytes.split_to(bytes.len().min(*cuts.next().unwrap()));
                while let Some(sealed) = reader.read(&mut piece).unwrap() {
                    found.push((sealed.header.kind().code(), sealed.header.stream(), sealed.header.length()));
                    prop_assert_eq!(sealed.body.len(), sealed.header.length() + TAG_LEN);
                }
                prop_assert!(piece.is_empty());
            }
            let with_stream = |&(code, stream, length): &(u8, u64, usize)| match Kind::from_code(code) {
                Kind::Stream | Kind::WindowUpdate => (code, stream, length),
                Kind::Ping | Kind::Close | Kind::KeyUpdate | Kind::Unknown(_) => (code, 0, length),
            };
            prop_assert_eq!(found, frames.iter().map(with_stream).collect::<Vec<_>>());
        }
    }
}
