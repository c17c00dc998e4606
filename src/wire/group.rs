//! Private groups: what their creator tells the members, and what the members tell each other (spec 3.6.6, 3.14).
//!
//! The state goes through Noise sessions, one member at a time; a message goes to everyone, and only members read it.

use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::ids::{Fingerprint, GroupId};
use crate::time::UnixMillis;

use super::error::{EncodeError, PayloadError};
use super::header::SIGNATURE_LEN;
use super::reader::Reader;
use super::tlv::{self, Tlv, at_most, count, need};

/// The most members, the creator included.
pub const MAX_MEMBERS: usize = 16;
/// The most bytes of a member's name.
pub const MAX_MEMBER_NAME_LEN: usize = 64;
/// The most bytes of a group's name that are read. The iOS app writes at most 40 characters.
pub const MAX_GROUP_NAME_LEN: usize = 1_024;
/// The most bytes of a message's text.
pub const MAX_GROUP_TEXT_LEN: usize = 60_000;

const NONCE_LEN: usize = 12;
/// The most bytes of a message's id, and of the name in it.
const MAX_LABEL_LEN: usize = 255;
const STATE_CONTEXT: &[u8] = b"bitchat-group-v1";
const MESSAGE_CONTEXT: &[u8] = b"bitchat-group-msg-v1";

mod state_tag {
    pub(super) const ID: u8 = 0x01;
    pub(super) const NAME: u8 = 0x02;
    pub(super) const KEY: u8 = 0x03;
    pub(super) const EPOCH: u8 = 0x04;
    pub(super) const ROSTER: u8 = 0x05;
    pub(super) const CREATOR: u8 = 0x06;
    pub(super) const SIGNATURE: u8 = 0x07;
}

mod envelope_tag {
    pub(super) const ID: u8 = 0x01;
    pub(super) const EPOCH: u8 = 0x02;
    pub(super) const NONCE: u8 = 0x03;
    pub(super) const CIPHERTEXT: u8 = 0x04;
}

mod text_tag {
    pub(super) const ID: u8 = 0x01;
    pub(super) const SENDER: u8 = 0x02;
    pub(super) const NICKNAME: u8 = 0x03;
    pub(super) const SENT: u8 = 0x04;
    pub(super) const CONTENT: u8 = 0x05;
    pub(super) const SIGNATURE: u8 = 0x06;
}

/// The key of one epoch of a group. It is wiped from memory when it is dropped, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupKey(pub Zeroizing<[u8; 32]>);

impl GroupKey {
    /// What stands in the place of a key where there is none to give: in what a member is told that was removed.
    pub fn none() -> Self {
        Self(Zeroizing::new([0; 32]))
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupKey")
    }
}

/// Somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The identity.
    pub fingerprint: Fingerprint,
    /// The Ed25519 key its messages are signed with.
    pub signing_public: [u8; 32],
    /// The name at the time of the invitation, at most [`MAX_MEMBER_NAME_LEN`] bytes.
    pub nickname: String,
}

/// A group in one epoch, as its creator tells the members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// Which group.
    pub id: GroupId,
    /// What it is called: at most [`MAX_GROUP_NAME_LEN`] bytes.
    pub name: String,
    /// The key of this epoch.
    pub key: GroupKey,
    /// Counts the changes.
    pub epoch: u32,
    /// 1 to [`MAX_MEMBERS`], no identity and no key twice.
    pub members: Vec<Member>,
    /// Whose group it is: the only one who may change it.
    pub creator: Fingerprint,
    /// The creator's signature over [`Self::signing_preimage`].
    pub signature: [u8; SIGNATURE_LEN],
}

impl GroupState {
    /// The payload, its fields in the order of their types, as iOS writes them. It holds the key.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
        at_most("group name", self.name.len(), MAX_GROUP_NAME_LEN)?;
        let epoch = self.epoch.to_be_bytes();
        let mut payload = Zeroizing::new(Vec::with_capacity(4_096));
        tlv::put_wide(&mut payload, state_tag::ID, "group id", &self.id.0)?;
        tlv::put_wide(&mut payload, state_tag::NAME, "group name", self.name.as_bytes())?;
        tlv::put_wide(&mut payload, state_tag::KEY, "group key", self.key.0.as_slice())?;
        tlv::put_wide(&mut payload, state_tag::EPOCH, "epoch", &epoch)?;
        tlv::put_wide(&mut payload, state_tag::ROSTER, "roster", &encode_roster(&self.members)?)?;
        tlv::put_wide(&mut payload, state_tag::CREATOR, "creator", &self.creator.0)?;
        tlv::put_wide(&mut payload, state_tag::SIGNATURE, "signature", &self.signature)?;
        Ok(payload)
    }

    /// Reads the fields in any order, without those it does not know; of a field that comes twice the last one counts,
    /// as in iOS. The signature is read, not checked.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let (mut id, mut name, mut key, mut epoch) = (None, None, None, None);
        let (mut members, mut creator, mut signature) = (None, None, None);
        let mut reader = Reader::new(payload);
        while let Some(field) = Tlv::read_wide(&mut reader)? {
            match field.tag {
                state_tag::ID => id = Some(GroupId(field.array("group id", "16")?)),
                state_tag::NAME => {
                    name = Some(field.bounded_text("group name", 0..=MAX_GROUP_NAME_LEN, "at most 1024")?);
                }
                state_tag::KEY => key = Some(GroupKey(Zeroizing::new(field.array("group key", "32")?))),
                state_tag::EPOCH => epoch = Some(u32::from_be_bytes(field.array("epoch", "4")?)),
                state_tag::ROSTER => members = Some(decode_roster(&field)?),
                state_tag::CREATOR => creator = Some(Fingerprint(field.array("creator", "32")?)),
                state_tag::SIGNATURE => signature = Some(field.array("signature", "64")?),
                _ => {}
            }
        }
        Ok(Self {
            id: need(id, "group id")?,
            name: need(name, "group name")?,
            key: need(key, "group key")?,
            epoch: need(epoch, "epoch")?,
            members: need(members, "roster")?,
            creator: need(creator, "creator")?,
            signature: need(signature, "signature")?,
        })
    }

    /// What the creator signs.
    pub fn signing_preimage(&self) -> Result<Vec<u8>, EncodeError> {
        let mut preimage = [STATE_CONTEXT, &self.id.0, &self.epoch.to_be_bytes()].concat();
        preimage.extend(Sha256::digest(self.key.0.as_slice()));
        preimage.extend(Sha256::digest(encode_roster(&self.members)?));
        preimage.extend(Sha256::digest(self.name.as_bytes()));
        Ok(preimage)
    }

    /// The member of this identity.
    pub fn member(&self, fingerprint: Fingerprint) -> Option<&Member> {
        self.members.iter().find(|member| member.fingerprint == fingerprint)
    }

    /// The member that signs with this key.
    pub fn signer(&self, signing_public: &[u8; 32]) -> Option<&Member> {
        self.members.iter().find(|member| member.signing_public == *signing_public)
    }
}

fn encode_roster(members: &[Member]) -> Result<Vec<u8>, EncodeError> {
    if members.is_empty() {
        return Err(EncodeError::Empty { field: "roster" });
    }
    let mut roster = vec![count("members", members.len(), MAX_MEMBERS)?];
    for Member { fingerprint, signing_public, nickname } in members {
        at_most("member's name", nickname.len(), MAX_MEMBER_NAME_LEN)?;
        roster.extend(fingerprint.0);
        roster.extend(signing_public);
        roster.push(u8::try_from(nickname.len()).unwrap_or(u8::MAX));
        roster.extend(nickname.bytes());
    }
    Ok(roster)
}

/// A roster to its last byte: who is a member must not be a matter of taste.
fn decode_roster(field: &Tlv) -> Result<Vec<Member>, PayloadError> {
    let mut reader = field.reader();
    let offset = reader.offset();
    let count = reader.u8().map_err(|short| short.of_payload("roster"))?;
    if !(1..=MAX_MEMBERS).contains(&usize::from(count)) {
        return Err(PayloadError::Value { field: "number of members", offset, value: count.into() });
    }
    let mut members: Vec<Member> = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let offset = reader.offset();
        let member = read_member(&mut reader)?;
        let twice = |other: &Member| {
            other.fingerprint == member.fingerprint || other.signing_public == member.signing_public
        };
        if members.iter().any(twice) {
            return Err(PayloadError::Repeated { field: "member", offset });
        }
        members.push(member);
    }
    match reader.left() {
        0 => Ok(members),
        got => Err(PayloadError::Size {
            field: "end of the roster",
            offset: reader.offset(),
            expected: "0",
            got,
        }),
    }
}

fn read_member(reader: &mut Reader) -> Result<Member, PayloadError> {
    let fingerprint = Fingerprint(reader.array().map_err(|short| short.of_payload("member"))?);
    let signing_public = reader.array().map_err(|short| short.of_payload("member"))?;
    let offset = reader.offset();
    let len = usize::from(reader.u8().map_err(|short| short.of_payload("member"))?);
    if len > MAX_MEMBER_NAME_LEN {
        return Err(PayloadError::Size { field: "member's name", offset, expected: "0 to 64", got: len });
    }
    let offset = reader.offset();
    let nickname = reader.take(len).map_err(|short| short.of_payload("member's name"))?;
    let nickname = tlv::text(&nickname, "member's name", offset)?.to_owned();
    Ok(Member { fingerprint, signing_public, nickname })
}

/// A message for a group, as everyone sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEnvelope {
    /// For which group.
    pub group: GroupId,
    /// Under the key of which epoch.
    pub epoch: u32,
    /// The nonce, drawn for this message.
    pub nonce: [u8; NONCE_LEN],
    /// A [`GroupText`] and its tag.
    pub ciphertext: Bytes,
}

impl GroupEnvelope {
    /// What is authenticated beside the ciphertext: group and epoch.
    pub fn associated(group: GroupId, epoch: u32) -> [u8; 20] {
        let mut associated = [0; 20];
        let (id, counter) = associated.split_at_mut(group.0.len());
        id.copy_from_slice(&group.0);
        counter.copy_from_slice(&epoch.to_be_bytes());
        associated
    }

    /// The payload.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut payload = Vec::new();
        tlv::put_wide(&mut payload, envelope_tag::ID, "group id", &self.group.0)?;
        tlv::put_wide(&mut payload, envelope_tag::EPOCH, "epoch", &self.epoch.to_be_bytes())?;
        tlv::put_wide(&mut payload, envelope_tag::NONCE, "nonce", &self.nonce)?;
        tlv::put_wide(&mut payload, envelope_tag::CIPHERTEXT, "ciphertext", &self.ciphertext)?;
        Ok(payload)
    }

    /// Reads the fields in any order, without those it does not know; the last of its type counts.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let (mut group, mut epoch, mut nonce, mut ciphertext) = (None, None, None, None);
        let mut reader = Reader::new(payload);
        while let Some(field) = Tlv::read_wide(&mut reader)? {
            match field.tag {
                envelope_tag::ID => group = Some(GroupId(field.array("group id", "16")?)),
                envelope_tag::EPOCH => epoch = Some(u32::from_be_bytes(field.array("epoch", "4")?)),
                envelope_tag::NONCE => nonce = Some(field.array("nonce", "12")?),
                envelope_tag::CIPHERTEXT => ciphertext = Some(field.value),
                _ => {}
            }
        }
        Ok(Self {
            group: need(group, "group id")?,
            epoch: need(epoch, "epoch")?,
            nonce: need(nonce, "nonce")?,
            ciphertext: need(ciphertext, "ciphertext")?,
        })
    }
}

/// What is inside a group's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupText {
    /// The message's id: 1 to 255 bytes, usually an upper-case UUID.
    pub id: String,
    /// The Ed25519 key of who wrote it.
    pub sender: [u8; 32],
    /// The name of who wrote it.
    pub nickname: String,
    /// When it was written.
    pub sent: UnixMillis,
    /// What it says: at most [`MAX_GROUP_TEXT_LEN`] bytes.
    pub content: String,
    /// The sender's signature over [`Self::signing_preimage`].
    pub signature: [u8; SIGNATURE_LEN],
}

impl GroupText {
    /// What the sender signs.
    pub fn signing_preimage(&self, group: GroupId, epoch: u32) -> Vec<u8> {
        let (epoch, sent) = (epoch.to_be_bytes(), self.sent.0.to_be_bytes());
        [MESSAGE_CONTEXT, &group.0, &epoch, self.id.as_bytes(), &sent, self.content.as_bytes()].concat()
    }

    /// The plaintext.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        if self.id.is_empty() {
            return Err(EncodeError::Empty { field: "message id" });
        }
        at_most("message id", self.id.len(), MAX_LABEL_LEN)?;
        at_most("nickname", self.nickname.len(), MAX_LABEL_LEN)?;
        at_most("text", self.content.len(), MAX_GROUP_TEXT_LEN)?;
        let mut plaintext = Vec::new();
        tlv::put_wide(&mut plaintext, text_tag::ID, "message id", self.id.as_bytes())?;
        tlv::put_wide(&mut plaintext, text_tag::SENDER, "sender's key", &self.sender)?;
        tlv::put_wide(&mut plaintext, text_tag::NICKNAME, "nickname", self.nickname.as_bytes())?;
        tlv::put_wide(&mut plaintext, text_tag::SENT, "time", &self.sent.0.to_be_bytes())?;
        tlv::put_wide(&mut plaintext, text_tag::CONTENT, "text", self.content.as_bytes())?;
        tlv::put_wide(&mut plaintext, text_tag::SIGNATURE, "signature", &self.signature)?;
        Ok(plaintext)
    }

    /// Reads the fields in any order, without those it does not know; the last of its type counts. The signature is
    /// read, not checked.
    pub fn decode(plaintext: &Bytes) -> Result<Self, PayloadError> {
        let (mut id, mut sender, mut nickname) = (None, None, None);
        let (mut sent, mut content, mut signature) = (None, None, None);
        let mut reader = Reader::new(plaintext);
        while let Some(field) = Tlv::read_wide(&mut reader)? {
            match field.tag {
                text_tag::ID => id = Some(field.bounded_text("message id", 1..=MAX_LABEL_LEN, "1 to 255")?),
                text_tag::SENDER => sender = Some(field.array("sender's key", "32")?),
                text_tag::NICKNAME => {
                    nickname = Some(field.bounded_text("nickname", 0..=MAX_LABEL_LEN, "at most 255")?);
                }
                text_tag::SENT => sent = Some(u64::from_be_bytes(field.array("time", "8")?)),
                text_tag::CONTENT => {
                    content = Some(field.bounded_text("text", 0..=MAX_GROUP_TEXT_LEN, "at most 60000")?);
                }
                text_tag::SIGNATURE => signature = Some(field.array("signature", "64")?),
                _ => {}
            }
        }
        Ok(Self {
            id: need(id, "message id")?,
            sender: need(sender, "sender's key")?,
            nickname: need(nickname, "nickname")?,
            sent: UnixMillis(need(sent, "time")?),
            content: need(content, "text")?,
            signature: need(signature, "signature")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(seed: u8) -> Member {
        Member { fingerprint: Fingerprint([seed; 32]), signing_public: [seed; 32], nickname: "x".repeat(64) }
    }

    fn state(members: Vec<Member>) -> GroupState {
        GroupState {
            id: GroupId([1; 16]),
            name: "crew".to_owned(),
            key: GroupKey(Zeroizing::new([2; 32])),
            epoch: 3,
            members,
            creator: Fingerprint([0; 32]),
            signature: [4; 64],
        }
    }

    fn read(state: &GroupState) -> Result<GroupState, PayloadError> {
        GroupState::decode(&Bytes::copy_from_slice(&state.encode().unwrap()))
    }

    #[test]
    fn a_group_has_1_to_16_members_each_of_them_once() {
        let full = state((0..16).map(member).collect());
        assert_eq!(read(&full), Ok(full));
        assert!(matches!(state(Vec::new()).encode(), Err(EncodeError::Empty { .. })));
        let crowd = state((0..17).map(member).collect()).encode();
        assert!(matches!(crowd, Err(EncodeError::TooMany { count: 17, max: 16, .. })));
        let same_key = Member { fingerprint: Fingerprint([9; 32]), ..member(1) };
        for twice in [vec![member(1), member(1)], vec![member(1), same_key]] {
            assert!(matches!(read(&state(twice)), Err(PayloadError::Repeated { field: "member", .. })));
        }
    }

    #[test]
    fn a_roster_with_something_behind_it_or_a_long_name_is_refused() {
        let bytes = |count: u8, name: u8, rest: &[u8]| {
            let mut roster = vec![count];
            roster.extend([7; 64]);
            roster.push(name);
            roster.extend([b'x'].repeat(usize::from(name)));
            roster.extend(rest);
            let mut payload = Vec::new();
            tlv::put_wide(&mut payload, state_tag::ROSTER, "roster", &roster).unwrap();
            GroupState::decode(&payload.into())
        };
        assert_eq!(bytes(1, 64, &[]), Err(PayloadError::Missing { field: "group id" }), "the roster is read");
        assert!(matches!(bytes(1, 3, &[0]), Err(PayloadError::Size { got: 1, .. })));
        assert!(matches!(bytes(1, 65, &[]), Err(PayloadError::Size { got: 65, .. })));
        assert!(matches!(bytes(2, 3, &[]), Err(PayloadError::Truncated { .. })));
        assert!(matches!(bytes(0, 3, &[]), Err(PayloadError::Value { value: 0, .. })));
        assert!(matches!(bytes(17, 3, &[]), Err(PayloadError::Value { value: 17, .. })));
    }

    #[test]
    fn no_key_is_printed() {
        assert!(!format!("{:?}", state(vec![member(1)])).contains("[2, 2"));
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let text = GroupText {
            id: "m".to_owned(),
            sender: [1; 32],
            nickname: String::new(),
            sent: UnixMillis(5),
            content: "hello".to_owned(),
            signature: [2; 64],
        };
        assert_eq!(GroupText::decode(&text.encode().unwrap().into()), Ok(text.clone()));
        let unnamed = GroupText { id: String::new(), ..text };
        assert_eq!(unnamed.encode(), Err(EncodeError::Empty { field: "message id" }));
        let envelope = GroupEnvelope {
            group: GroupId([1; 16]),
            epoch: 7,
            nonce: [3; 12],
            ciphertext: vec![9; 20].into(),
        };
        assert_eq!(GroupEnvelope::decode(&envelope.encode().unwrap().into()), Ok(envelope));
        assert_eq!(GroupEnvelope::associated(GroupId([1; 16]), 7)[16..], [0, 0, 0, 7]);
    }
}
