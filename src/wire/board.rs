//! BOARD: notices that outlive the moment, and their withdrawal (spec 3.13).
//!
//! Either is signed by its author inside, whatever packet it travels in, so it can be believed while the author is
//! away and unheard of.

use std::time::Duration;

use bytes::Bytes;

use crate::ids::PostId;
use crate::time::UnixMillis;

use super::error::{EncodeError, PayloadError};
use super::header::SIGNATURE_LEN;
use super::reader::Reader;
use super::tlv::{self, Tlv, at_most, need};

/// The most bytes of what a post says.
pub const MAX_POST_LEN: usize = 512;
/// The longest a post may stand.
pub const MAX_POST_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The most bytes of its author's name.
pub const MAX_POST_NICKNAME_LEN: usize = 64;

/// The most characters of a place.
const MAX_GEOHASH_LEN: usize = 12;
/// What a geohash is written in.
const GEOHASH_DIGITS: &[u8] = b"0123456789bcdefghjkmnpqrstuvwxyz";
const POST_CONTEXT: &[u8] = b"bitchat-board-v1";
const TOMBSTONE_CONTEXT: &[u8] = b"bitchat-board-del-v1";
/// The bit that marks an urgent post.
const URGENT: u8 = 1;

mod kind {
    pub(super) const POST: u8 = 1;
    pub(super) const TOMBSTONE: u8 = 2;
}

mod tag {
    pub(super) const KIND: u8 = 0x01;
    pub(super) const ID: u8 = 0x02;
    pub(super) const GEOHASH: u8 = 0x03;
    pub(super) const CONTENT: u8 = 0x04;
    pub(super) const AUTHOR: u8 = 0x05;
    pub(super) const NICKNAME: u8 = 0x06;
    pub(super) const CREATED: u8 = 0x07;
    pub(super) const EXPIRES: u8 = 0x08;
    pub(super) const FLAGS: u8 = 0x09;
    pub(super) const SIGNATURE: u8 = 0x0A;
    pub(super) const DELETED: u8 = 0x0B;
}

/// What a board packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Board {
    /// A notice.
    Post(Post),
    /// The withdrawal of one.
    Tombstone(Tombstone),
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its id, drawn by its author.
    pub id: PostId,
    /// The place it is for: a geohash of at most 12 characters; empty for the mesh it is read in.
    pub geohash: String,
    /// What it says: 1 to [`MAX_POST_LEN`] bytes.
    pub content: String,
    /// The Ed25519 key of its author.
    pub author: [u8; 32],
    /// What its author is called: at most [`MAX_POST_NICKNAME_LEN`] bytes, neither unique nor proven.
    pub nickname: String,
    /// When it was made.
    pub created: UnixMillis,
    /// Until when it stands: later than `created`, by [`MAX_POST_LIFE`] at most.
    pub expires: UnixMillis,
    /// Bit 0 says that it is urgent; the others are kept, because they are signed.
    pub flags: u8,
    /// The author's signature over [`Self::signing_preimage`].
    pub signature: [u8; SIGNATURE_LEN],
}

/// The withdrawal of a post; it counts for the posts of its own author alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The post that goes.
    pub id: PostId,
    /// The Ed25519 key of the post's author.
    pub author: [u8; 32],
    /// When it was withdrawn.
    pub deleted: UnixMillis,
    /// The author's signature over [`Self::signing_preimage`].
    pub signature: [u8; SIGNATURE_LEN],
}

impl Post {
    /// The flags of a post that is urgent, or is not.
    pub const fn flags(urgent: bool) -> u8 {
        if urgent { URGENT } else { 0 }
    }

    /// Whether its author calls it urgent.
    pub const fn is_urgent(&self) -> bool {
        self.flags & URGENT != 0
    }

    /// What its author signs.
    pub fn signing_preimage(&self) -> Vec<u8> {
        let mut preimage = context(POST_CONTEXT);
        preimage.extend(self.id.0);
        put_text(&mut preimage, &self.geohash);
        put_text(&mut preimage, &self.content);
        preimage.extend(self.author);
        put_text(&mut preimage, &self.nickname);
        preimage.extend(self.created.0.to_be_bytes());
        preimage.extend(self.expires.0.to_be_bytes());
        preimage.push(self.flags);
        preimage
    }

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        if self.content.is_empty() {
            return Err(EncodeError::Empty { field: "post" });
        }
        at_most("post", self.content.len(), MAX_POST_LEN)?;
        at_most("geohash", self.geohash.len(), MAX_GEOHASH_LEN)?;
        at_most("nickname", self.nickname.len(), MAX_POST_NICKNAME_LEN)?;
        let mut payload = Vec::new();
        tlv::put_wide(&mut payload, tag::KIND, "kind", &[kind::POST])?;
        tlv::put_wide(&mut payload, tag::ID, "post id", &self.id.0)?;
        tlv::put_wide(&mut payload, tag::GEOHASH, "geohash", self.geohash.as_bytes())?;
        tlv::put_wide(&mut payload, tag::CONTENT, "post", self.content.as_bytes())?;
        tlv::put_wide(&mut payload, tag::AUTHOR, "author's key", &self.author)?;
        tlv::put_wide(&mut payload, tag::NICKNAME, "nickname", self.nickname.as_bytes())?;
        tlv::put_wide(&mut payload, tag::CREATED, "time", &self.created.0.to_be_bytes())?;
        tlv::put_wide(&mut payload, tag::EXPIRES, "expiry", &self.expires.0.to_be_bytes())?;
        tlv::put_wide(&mut payload, tag::FLAGS, "flags", &[self.flags])?;
        tlv::put_wide(&mut payload, tag::SIGNATURE, "signature", &self.signature)?;
        Ok(payload)
    }
}

impl Tombstone {
    /// What its author signs.
    pub fn signing_preimage(&self) -> Vec<u8> {
        let mut preimage = context(TOMBSTONE_CONTEXT);
        preimage.extend(self.id.0);
        preimage.extend(self.deleted.0.to_be_bytes());
        preimage
    }

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut payload = Vec::new();
        tlv::put_wide(&mut payload, tag::KIND, "kind", &[kind::TOMBSTONE])?;
        tlv::put_wide(&mut payload, tag::ID, "post id", &self.id.0)?;
        tlv::put_wide(&mut payload, tag::AUTHOR, "author's key", &self.author)?;
        tlv::put_wide(&mut payload, tag::DELETED, "time", &self.deleted.0.to_be_bytes())?;
        tlv::put_wide(&mut payload, tag::SIGNATURE, "signature", &self.signature)?;
        Ok(payload)
    }
}

impl Board {
    /// The payload, its fields in the order of their types, as iOS writes them.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Post(post) => post.encode(),
            Self::Tombstone(tombstone) => tombstone.encode(),
        }
    }

    /// Reads the fields in any order, without those it does not know; of a field that comes twice the last one
    /// counts, as in iOS. The signature is read, not checked.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let mut fields = Fields::default();
        let mut reader = Reader::new(payload);
        while let Some(field) = Tlv::read_wide(&mut reader)? {
            fields.take(&field)?;
        }
        match need(fields.kind, "kind")? {
            (kind::POST, _) => fields.post().map(Self::Post),
            (kind::TOMBSTONE, _) => fields.tombstone().map(Self::Tombstone),
            (other, offset) => Err(PayloadError::Value { field: "kind", offset, value: other.into() }),
        }
    }

    /// Whose it is.
    pub const fn author(&self) -> &[u8; 32] {
        match self {
            Self::Post(post) => &post.author,
            Self::Tombstone(tombstone) => &tombstone.author,
        }
    }

    /// The author's signature.
    pub const fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        match self {
            Self::Post(post) => &post.signature,
            Self::Tombstone(tombstone) => &tombstone.signature,
        }
    }

    /// What the author signs.
    pub fn signing_preimage(&self) -> Vec<u8> {
        match self {
            Self::Post(post) => post.signing_preimage(),
            Self::Tombstone(tombstone) => tombstone.signing_preimage(),
        }
    }
}

/// What was read so far.
#[derive(Default)]
struct Fields {
    kind: Option<(u8, usize)>,
    id: Option<[u8; 16]>,
    geohash: Option<String>,
    content: Option<String>,
    author: Option<[u8; 32]>,
    nickname: Option<String>,
    created: Option<u64>,
    /// With its place, which an error names.
    expires: Option<(u64, usize)>,
    flags: Option<u8>,
    signature: Option<[u8; SIGNATURE_LEN]>,
    deleted: Option<u64>,
}

impl Fields {
    fn take(&mut self, field: &Tlv) -> Result<(), PayloadError> {
        match field.tag {
            tag::KIND => self.kind = Some((u8::from_be_bytes(field.array("kind", "1")?), field.offset)),
            tag::ID => self.id = Some(field.array("post id", "16")?),
            tag::GEOHASH => self.geohash = Some(geohash(field)?),
            tag::CONTENT => self.content = Some(field.bounded_text("post", 1..=MAX_POST_LEN, "1 to 512")?),
            tag::AUTHOR => self.author = Some(field.array("author's key", "32")?),
            tag::NICKNAME => {
                self.nickname = Some(field.bounded_text("nickname", 0..=MAX_POST_NICKNAME_LEN, "0 to 64")?);
            }
            tag::CREATED => self.created = Some(u64::from_be_bytes(field.array("time", "8")?)),
            tag::EXPIRES => {
                self.expires = Some((u64::from_be_bytes(field.array("expiry", "8")?), field.offset));
            }
            tag::FLAGS => self.flags = Some(u8::from_be_bytes(field.array("flags", "1")?)),
            tag::SIGNATURE => self.signature = Some(field.array("signature", "64")?),
            tag::DELETED => self.deleted = Some(u64::from_be_bytes(field.array("time", "8")?)),
            _ => {}
        }
        Ok(())
    }

    fn post(self) -> Result<Post, PayloadError> {
        let created = UnixMillis(need(self.created, "time")?);
        let (expires, offset) = need(self.expires, "expiry")?;
        let life = expires.checked_sub(created.0).map(Duration::from_millis);
        if !life.is_some_and(|life| !life.is_zero() && life <= MAX_POST_LIFE) {
            let seconds = life.map_or(0, |life| life.as_secs());
            let value = u32::try_from(seconds).unwrap_or(u32::MAX);
            return Err(PayloadError::Value { field: "life of the post in seconds", offset, value });
        }
        Ok(Post {
            id: PostId(need(self.id, "post id")?),
            geohash: need(self.geohash, "geohash")?,
            content: need(self.content, "post")?,
            author: need(self.author, "author's key")?,
            nickname: need(self.nickname, "nickname")?,
            created,
            expires: UnixMillis(expires),
            flags: need(self.flags, "flags")?,
            signature: need(self.signature, "signature")?,
        })
    }

    fn tombstone(self) -> Result<Tombstone, PayloadError> {
        Ok(Tombstone {
            id: PostId(need(self.id, "post id")?),
            author: need(self.author, "author's key")?,
            deleted: UnixMillis(need(self.deleted, "time")?),
            signature: need(self.signature, "signature")?,
        })
    }
}

fn geohash(field: &Tlv) -> Result<String, PayloadError> {
    let geohash = field.bounded_text("geohash", 0..=MAX_GEOHASH_LEN, "0 to 12")?;
    match geohash.bytes().find(|digit| !GEOHASH_DIGITS.contains(digit)) {
        None => Ok(geohash),
        Some(digit) => {
            let (field, offset) = ("digit of the geohash", field.offset);
            Err(PayloadError::Value { field, offset, value: digit.into() })
        }
    }
}

/// A signature's context behind its length: both have fewer than 256 bytes.
fn context(context: &[u8]) -> Vec<u8> {
    let mut preimage = vec![u8::try_from(context.len()).unwrap_or(u8::MAX)];
    preimage.extend(context);
    preimage
}

fn put_text(preimage: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    preimage.extend(len.to_be_bytes());
    preimage.extend(text.bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Post {
        Post {
            id: PostId([1; 16]),
            geohash: "u33dc1".to_owned(),
            content: "water".to_owned(),
            author: [2; 32],
            nickname: "alice".to_owned(),
            created: UnixMillis(1_000),
            expires: UnixMillis(2_000),
            flags: 0xFF,
            signature: [3; 64],
        }
    }

    fn read(post: &Post) -> Result<Board, PayloadError> {
        Board::decode(&Board::Post(post.clone()).encode().unwrap().into())
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&post()), Ok(Board::Post(post())), "flags without a name are kept");
        let tombstone = Board::Tombstone(Tombstone {
            id: PostId([1; 16]),
            author: [2; 32],
            deleted: UnixMillis(7),
            signature: [3; 64],
        });
        assert_eq!(Board::decode(&tombstone.encode().unwrap().into()), Ok(tombstone));
    }

    #[test]
    fn a_post_says_1_to_512_bytes() {
        let long = |len| Post { content: "a".repeat(len), ..post() };
        assert!(read(&long(512)).is_ok());
        let refused = |len| Board::Post(long(len)).encode();
        assert_eq!(refused(0), Err(EncodeError::Empty { field: "post" }));
        assert_eq!(refused(513), Err(EncodeError::TooLong { field: "post", len: 513, max: 512 }));
    }

    #[test]
    fn a_post_stands_for_7_days_at_most_and_for_some_time_at_least() {
        let week = 7 * 24 * 60 * 60 * 1000;
        let until = |expires| read(&Post { expires: UnixMillis(expires), ..post() });
        assert!(until(1_000 + week).is_ok());
        for expires in [1_001 + week, 1_000, 999, u64::MAX] {
            assert!(matches!(until(expires), Err(PayloadError::Value { .. })), "{expires}");
        }
    }

    #[test]
    fn a_place_is_a_geohash() {
        let at = |geohash: &str| read(&Post { geohash: geohash.to_owned(), ..post() });
        assert!(at("").is_ok() && at("0bz").is_ok());
        assert!(matches!(at("abc"), Err(PayloadError::Value { value: 97, .. })), "there is no `a` in it");
    }

    #[test]
    fn a_kind_that_is_neither_is_named_and_a_missing_field_too() {
        assert_eq!(Board::decode(&Bytes::new()), Err(PayloadError::Missing { field: "kind" }));
        let kind = |kind| Board::decode(&Bytes::copy_from_slice(&[1, 0, 1, kind]));
        assert!(matches!(kind(3), Err(PayloadError::Value { value: 3, .. })));
        assert_eq!(kind(2), Err(PayloadError::Missing { field: "post id" }));
        assert_eq!(kind(1), Err(PayloadError::Missing { field: "time" }));
    }
}
