//! A file as the phones send it, whole in one packet: FILE_TRANSFER, and private in a Noise session (spec 3.9).
//!
//! The files that contacts of this program send each other travel in pieces of their own protocol: [`super::file`].

use bytes::{BufMut, Bytes};
use sha2::{Digest, Sha256};

use super::error::{EncodeError, PayloadError};
use super::media_type::MediaType;
use super::reader::{Reader, Short};
use super::tlv::{self, Tlv};
use crate::ids::{MessageId, PeerId, parse_hex, to_hex};

/// The most bytes of content (spec 2.7).
pub const MAX_MEDIA_LEN: usize = 1_048_576;

/// The most bytes of a name or a MIME type: what the other fields leave under the payload ceiling.
const MAX_LABEL_LEN: usize = 1_024;
/// The separator of what a media id is made of.
const ID_DOMAIN: &[u8] = b"bitchat-private-media-message-v1";

mod tag {
    pub(super) const NAME: u8 = 0x01;
    pub(super) const SIZE: u8 = 0x02;
    pub(super) const MIME: u8 = 0x03;
    pub(super) const CONTENT: u8 = 0x04;
}

/// A file in one packet.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// What its sender calls it, of at most 1,024 bytes, and empty when it has no name. Never a path: see
    /// [`super::file::FileName::tame`].
    pub name: String,
    /// What its sender says it is, of at most 1,024 bytes, and empty when it says nothing; see [`Self::media_type`].
    pub mime: String,
    /// The bytes, 1 to [`MAX_MEDIA_LEN`] of them.
    pub content: Bytes,
}

/// Why a file is not taken from a stranger, though it could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotTaken {
    /// The apps do not take files of this type.
    #[error("files of this type are not taken")]
    Type,
    /// It is not what it says it is.
    #[error("the file does not begin as its type does")]
    Content,
}

impl MediaFile {
    /// What it is, if it is something that the apps take and begins as such a thing does.
    pub fn media_type(&self) -> Result<MediaType, NotTaken> {
        let media_type = MediaType::from_mime(&self.mime).ok_or(NotTaken::Type)?;
        if media_type.begins(&self.content) { Ok(media_type) } else { Err(NotTaken::Content) }
    }

    /// The payload.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let len = self.content.len();
        let too_long = EncodeError::TooLong { field: "file", len, max: MAX_MEDIA_LEN };
        let size = u32::try_from(len).map_err(|_| too_long)?;
        match len {
            0 => return Err(EncodeError::Empty { field: "file" }),
            1..=MAX_MEDIA_LEN => {}
            _ => return Err(too_long),
        }
        let mut payload = Vec::with_capacity(len + self.name.len() + self.mime.len() + 18);
        put_label(&mut payload, tag::NAME, "file name", &self.name)?;
        tlv::put_wide(&mut payload, tag::SIZE, "file size", &size.to_be_bytes())?;
        put_label(&mut payload, tag::MIME, "file type", &self.mime)?;
        payload.put_u8(tag::CONTENT);
        payload.put_u32(size);
        payload.extend(&self.content);
        Ok(payload)
    }

    /// Reads a payload; the content is shared with it. Fields it does not know are skipped.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let (mut name, mut size, mut mime, mut content) = (None, None, None, None);
        while let Some(field) = Tlv::read_with(&mut reader, length)? {
            match field.tag {
                tag::NAME => field.store(&mut name, label(&field, "file name")?, "file name")?,
                tag::SIZE => field.store(&mut size, (declared(&field)?, field.offset), "file size")?,
                tag::MIME => field.store(&mut mime, label(&field, "file type")?, "file type")?,
                tag::CONTENT => field.store(&mut content, bytes(&field)?, "file")?,
                _ => {}
            }
        }
        let content: Bytes = content.ok_or(PayloadError::Missing { field: "file" })?;
        if let Some((size, offset)) = size
            && u64::try_from(content.len()) != Ok(size)
        {
            return Err(PayloadError::Size {
                field: "file",
                offset,
                expected: "as many as its size says",
                got: content.len(),
            });
        }
        Ok(Self { name: name.unwrap_or_default(), mime: mime.unwrap_or_default(), content })
    }
}

/// The name of a private file between two people, which its receipts speak of (spec 3.6.9).
///
/// The apps give one only to files whose names have an id in them, `voice_00112233aabbccdd.m4a` say: they never confirm
/// another. Among nodes of this program every file has one.
pub fn media_id(sender: PeerId, recipient: PeerId, name: &str) -> String {
    let mut digest = Sha256::new_with_prefix(ID_DOMAIN);
    for part in [&sender.to_string(), &recipient.to_string(), name] {
        // A name comes in a packet: its length fits.
        digest.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(part);
    }
    let hash: [u8; 32] = digest.finalize().into();
    let hex: String = to_hex(&hash).chars().take(32).collect();
    format!("media-{hex}")
}

/// Whether every app that confirms private files confirms one of this name: a photo or a recording of the apps', with a
/// UUID at the end of its name, or the id of its burst (spec 3.6.9).
pub fn is_confirmed_everywhere(name: &str) -> bool {
    let ends_in_uuid = |rest: &str| {
        let last = rest.rsplit('_').next().unwrap_or(rest);
        last.parse::<MessageId>().is_ok()
    };
    let photo = name.strip_prefix("img_").and_then(|rest| rest.strip_suffix(".jpg"));
    let recording = name.strip_prefix("voice_").and_then(|rest| rest.strip_suffix(".m4a"));
    photo.is_some_and(ends_in_uuid)
        || recording.is_some_and(|rest| ends_in_uuid(rest) || parse_hex::<8>(rest).is_ok())
}

fn put_label(payload: &mut Vec<u8>, tag: u8, field: &'static str, text: &str) -> Result<(), EncodeError> {
    match text.len() {
        0 => Ok(()),
        1..=MAX_LABEL_LEN => tlv::put_wide(payload, tag, field, text.as_bytes()),
        len => Err(EncodeError::TooLong { field, len, max: MAX_LABEL_LEN }),
    }
}

/// The length of a field: of two bytes, and of four for the content. Older apps gave that two as well, and then it ends the
/// payload: read as four they would say more than there can be.
fn length(tag: u8, reader: &mut Reader) -> Result<usize, Short> {
    let mut wide = reader.clone();
    let len = wide.u32().ok().and_then(|len| usize::try_from(len).ok());
    match len.filter(|&len| tag == tag::CONTENT && len <= wide.left()) {
        Some(len) => {
            *reader = wide;
            Ok(len)
        }
        None => reader.u16().map(usize::from),
    }
}

fn label(field: &Tlv, name: &'static str) -> Result<String, PayloadError> {
    field.bounded_text(name, 0..=MAX_LABEL_LEN, "at most 1024")
}

/// The size that the sender says; four bytes of it, in older apps eight.
fn declared(field: &Tlv) -> Result<u64, PayloadError> {
    let mut number = field.reader();
    let size = match field.value.len() {
        4 => number.u32().map(u64::from),
        8 => number.u64(),
        got => {
            let offset = field.offset;
            return Err(PayloadError::Size { field: "file size", offset, expected: "4 or 8", got });
        }
    };
    size.map_err(|short| short.of_payload("file size"))
}

fn bytes(field: &Tlv) -> Result<Bytes, PayloadError> {
    match field.value.len() {
        1..=MAX_MEDIA_LEN => Ok(field.value.clone()),
        got => {
            let offset = field.offset;
            Err(PayloadError::Size { field: "file", offset, expected: "1 to 1048576", got })
        }
    }
}

impl std::fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaFile")
            .field("name", &self.name)
            .field("mime", &self.mime)
            .field("len", &self.content.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(payload: &[u8]) -> Result<MediaFile, PayloadError> {
        MediaFile::decode(&Bytes::copy_from_slice(payload))
    }

    fn file(len: usize) -> MediaFile {
        MediaFile { name: "a".to_owned(), mime: "m".to_owned(), content: vec![7; len].into() }
    }

    #[test]
    fn content_has_1_to_1048576_bytes() {
        for len in [1, 65_535, 65_536, MAX_MEDIA_LEN] {
            assert_eq!(decode(&file(len).encode().unwrap()), Ok(file(len)));
        }
        assert_eq!(file(0).encode(), Err(EncodeError::Empty { field: "file" }));
        assert!(matches!(file(MAX_MEDIA_LEN + 1).encode(), Err(EncodeError::TooLong { .. })));
        assert!(matches!(decode(&[4, 0, 0, 0, 0]), Err(PayloadError::Size { got: 0, .. })));
        let long = [[4, 0, 16, 0, 1].as_slice(), &[7; MAX_MEDIA_LEN + 1]].concat();
        assert!(matches!(decode(&long), Err(PayloadError::Size { got: 1_048_577, .. })));
    }

    #[test]
    fn older_senders_write_other_lengths() {
        assert_eq!(decode(&[4, 0, 2, 8, 9]).unwrap().content, [8, 9].as_slice());
        assert_eq!(decode(&[2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 4, 0, 1, 8]).unwrap().content, [8].as_slice());
        assert!(decode(&[4, 0, 3, 8, 9]).is_err());
        assert!(matches!(decode(&[2, 0, 3, 0, 0, 1]), Err(PayloadError::Size { got: 3, .. })));
    }

    #[test]
    fn a_size_that_contradicts_the_content_and_a_second_field_are_refused() {
        assert!(matches!(
            decode(&[2, 0, 4, 0, 0, 0, 2, 4, 0, 0, 0, 1, 8]),
            Err(PayloadError::Size { got: 1, .. })
        ));
        let twice = [4, 0, 0, 0, 1, 8, 4, 0, 0, 0, 1, 8];
        assert_eq!(decode(&twice), Err(PayloadError::Repeated { field: "file", offset: 6 }));
        assert_eq!(decode(&[1, 0, 1, b'a']), Err(PayloadError::Missing { field: "file" }));
        assert_eq!(decode(&[9, 0, 1, 1, 4, 0, 0, 0, 1, 8]).unwrap().content, [8].as_slice());
    }

    #[test]
    fn apps_confirm_what_they_named_themselves() {
        let uuid = "00112233-4455-6677-8899-AABBCCDDEEFF";
        for name in [
            format!("img_{uuid}.jpg").as_str(),
            &format!("img_20260810_{uuid}.jpg"),
            &format!("voice_{uuid}.m4a"),
            "voice_00112233aabbccdd.m4a",
        ] {
            assert!(is_confirmed_everywhere(name), "{name}");
        }
        for name in [
            "summer.jpg",
            "img_1.jpg",
            "img_00112233aabbccdd.jpg",
            &format!("img_{uuid}.png"),
            &format!("{uuid}.jpg"),
            "voice_00112233aabbccdd.aac",
            "voice_00112233aabbccd.m4a",
            "voice_.m4a",
            "",
        ] {
            assert!(!is_confirmed_everywhere(name), "{name}");
        }
    }
}
