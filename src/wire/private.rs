//! What is inside a Noise session: one type byte, then its payload (spec 3.6).

use bytes::Bytes;

use super::capabilities::Capabilities;
use super::card::MAX_CARD_LEN;
use super::error::{EncodeError, PayloadError};
use super::group::GroupState;
use super::media::MediaFile;
use super::reader::Reader;
use super::tlv::{self, MAX_VALUE_LEN, Tlv};
use super::verify::{VerifyChallenge, VerifyResponse};
use super::voice::VoicePacket;
use super::vouch::{self, Vouch};

/// The most bytes of text that one private message carries: its length is one byte.
pub const MAX_TEXT_LEN: usize = MAX_VALUE_LEN;

/// The most bytes of a message id: in a private message its length is one byte.
const MAX_ID_LEN: usize = MAX_VALUE_LEN;
/// The only version of [`PeerState`].
const PEER_STATE_VERSION: u8 = 1;

mod code {
    pub(super) const PRIVATE_MESSAGE: u8 = 0x01;
    pub(super) const READ_RECEIPT: u8 = 0x02;
    pub(super) const DELIVERED: u8 = 0x03;
    pub(super) const GROUP_INVITE: u8 = 0x06;
    pub(super) const GROUP_KEY_UPDATE: u8 = 0x07;
    pub(super) const VOICE: u8 = 0x08;
    /// What older apps call [`FILE`].
    pub(super) const OLD_FILE: u8 = 0x09;
    pub(super) const FILE: u8 = 0x20;
    pub(super) const VERIFY_CHALLENGE: u8 = 0x10;
    pub(super) const VERIFY_RESPONSE: u8 = 0x11;
    pub(super) const VOUCH: u8 = 0x12;
    pub(super) const PEER_STATE: u8 = 0x21;
    /// Ours, far above what the apps use; they drop a type they do not know.
    pub(super) const CARD: u8 = 0x70;
}

mod tag {
    pub(super) const MESSAGE_ID: u8 = 0x00;
    pub(super) const CONTENT: u8 = 0x01;
    pub(super) const CAPABILITIES: u8 = 0x01;
    pub(super) const SIGNING_PUBLIC: u8 = 0x02;
}

/// A decrypted payload. Message ids are the sender's text, kept as it is: a receipt repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoisePayload {
    /// Text for one person.
    PrivateMessage {
        /// Its id, not empty; usually an upper-case UUID.
        id: String,
        /// The text, at most [`MAX_TEXT_LEN`] bytes.
        content: String,
    },
    /// The conversation with this message was open.
    ReadReceipt {
        /// The id of the message.
        id: String,
    },
    /// This message was received.
    Delivered {
        /// The id of the message.
        id: String,
    },
    /// The peer made us a member of its group.
    GroupInvite(Box<GroupState>),
    /// The peer changed its group that we are in.
    GroupKeyUpdate(Box<GroupState>),
    /// Live voice, a packet of it.
    Voice(VoicePacket),
    /// A file, whole.
    File(MediaFile),
    /// The peer scanned our code and wants us to prove that we have its key.
    VerifyChallenge(VerifyChallenge),
    /// The proof that we asked for.
    VerifyResponse(VerifyResponse),
    /// The peer vouches for 1 to [`super::MAX_VOUCHES`] others; nothing in it is checked yet.
    Vouches(Vec<Vouch>),
    /// What the peer can do and which key it signs with, proven by the session.
    PeerState(PeerState),
    /// The peer's contact card, encoded, of at most [`MAX_CARD_LEN`] bytes; nothing in it is checked yet.
    Card(Bytes),
}

/// The authenticated peer state that both sides send after a handshake (spec 3.6.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerState {
    /// What the peer can do.
    pub capabilities: Capabilities,
    /// The Ed25519 key its packets are signed with.
    pub signing_public: [u8; 32],
}

impl NoisePayload {
    /// The plaintext, type byte first.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::PrivateMessage { id, content } => {
                let mut plaintext = vec![code::PRIVATE_MESSAGE];
                tlv::put(&mut plaintext, tag::MESSAGE_ID, "message id", writable_id(id)?)?;
                tlv::put(&mut plaintext, tag::CONTENT, "content", content.as_bytes())?;
                Ok(plaintext)
            }
            Self::ReadReceipt { id } => Ok([&[code::READ_RECEIPT], writable_id(id)?].concat()),
            Self::Delivered { id } => Ok([&[code::DELIVERED], writable_id(id)?].concat()),
            Self::GroupInvite(state) => Ok([&[code::GROUP_INVITE], state.encode()?.as_slice()].concat()),
            Self::GroupKeyUpdate(state) => {
                Ok([&[code::GROUP_KEY_UPDATE], state.encode()?.as_slice()].concat())
            }
            Self::Voice(packet) => Ok([&[code::VOICE], packet.encode()?.as_slice()].concat()),
            Self::File(file) => Ok([&[code::FILE], file.encode()?.as_slice()].concat()),
            Self::VerifyChallenge(challenge) => written(code::VERIFY_CHALLENGE, |to| challenge.put(to)),
            Self::VerifyResponse(response) => written(code::VERIFY_RESPONSE, |to| response.put(to)),
            Self::Vouches(vouches) => written(code::VOUCH, |to| vouch::put(vouches, to)),
            Self::PeerState(state) => {
                let mut plaintext = vec![code::PEER_STATE, PEER_STATE_VERSION];
                let capabilities = state.capabilities.encode();
                tlv::put(&mut plaintext, tag::CAPABILITIES, "capabilities", &capabilities)?;
                tlv::put(&mut plaintext, tag::SIGNING_PUBLIC, "signing key", &state.signing_public)?;
                Ok(plaintext)
            }
            Self::Card(card) => match card.len() {
                0 => Err(EncodeError::Empty { field: "card" }),
                1..=MAX_CARD_LEN => Ok([&[code::CARD], card.as_ref()].concat()),
                len => Err(EncodeError::TooLong { field: "card", len, max: MAX_CARD_LEN }),
            },
        }
    }

    /// Reads a plaintext; [`PayloadError::UnknownType`] for the types that are not built here.
    pub fn decode(plaintext: &Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(plaintext);
        match reader.u8().map_err(|short| short.of_payload("type"))? {
            code::PRIVATE_MESSAGE => private_message(reader),
            code::READ_RECEIPT => Ok(Self::ReadReceipt { id: receipt_id(reader)? }),
            code::DELIVERED => Ok(Self::Delivered { id: receipt_id(reader)? }),
            code::GROUP_INVITE => group_state(reader).map(Self::GroupInvite),
            code::GROUP_KEY_UPDATE => group_state(reader).map(Self::GroupKeyUpdate),
            code::VOICE => VoicePacket::decode(&rest(reader)?).map(Self::Voice),
            code::OLD_FILE | code::FILE => MediaFile::decode(&rest(reader)?).map(Self::File),
            code::VERIFY_CHALLENGE => VerifyChallenge::read(reader).map(Self::VerifyChallenge),
            code::VERIFY_RESPONSE => VerifyResponse::read(reader).map(Self::VerifyResponse),
            code::VOUCH => vouch::read(reader).map(Self::Vouches),
            code::PEER_STATE => peer_state(reader).map(Self::PeerState),
            code::CARD => card(reader),
            code => Err(PayloadError::UnknownType { code }),
        }
    }
}

/// A type byte, and what is written behind it.
fn written(
    code: u8,
    put: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<Vec<u8>, EncodeError> {
    let mut plaintext = vec![code];
    put(&mut plaintext)?;
    Ok(plaintext)
}

/// Unlike an announce, a private message with a field we do not know is refused, as both apps do.
fn private_message(mut reader: Reader) -> Result<NoisePayload, PayloadError> {
    let (mut id, mut content) = (None, None);
    while let Some(field) = Tlv::read(&mut reader)? {
        match field.tag {
            tag::MESSAGE_ID => {
                let text = readable_id(field.text("message id")?, field.offset)?;
                field.store(&mut id, text, "message id")?;
            }
            tag::CONTENT => field.store(&mut content, field.text("content")?, "content")?,
            tag => return Err(PayloadError::UnknownTag { tag, offset: field.offset }),
        }
    }
    Ok(NoisePayload::PrivateMessage {
        id: id.ok_or(PayloadError::Missing { field: "message id" })?,
        content: content.ok_or(PayloadError::Missing { field: "content" })?,
    })
}

fn receipt_id(mut reader: Reader) -> Result<String, PayloadError> {
    let offset = reader.offset();
    let id = reader.take(reader.left()).map_err(|short| short.of_payload("message id"))?;
    readable_id(tlv::text(&id, "message id", offset)?.to_owned(), offset)
}

/// Each field once, capabilities in their shortest form; other fields are left to later versions of the apps.
fn peer_state(mut reader: Reader) -> Result<PeerState, PayloadError> {
    let offset = reader.offset();
    let version = reader.u8().map_err(|short| short.of_payload("version"))?;
    if version != PEER_STATE_VERSION {
        return Err(PayloadError::Value { field: "version", offset, value: version.into() });
    }
    let (mut capabilities, mut signing_public) = (None, None);
    while let Some(field) = Tlv::read(&mut reader)? {
        match field.tag {
            tag::CAPABILITIES => {
                field.store(&mut capabilities, canonical(&field)?, "capabilities")?;
            }
            tag::SIGNING_PUBLIC => {
                field.store(&mut signing_public, field.array("signing key", "32")?, "signing key")?;
            }
            _ => {}
        }
    }
    Ok(PeerState {
        capabilities: capabilities.ok_or(PayloadError::Missing { field: "capabilities" })?,
        signing_public: signing_public.ok_or(PayloadError::Missing { field: "signing key" })?,
    })
}

fn group_state(mut reader: Reader) -> Result<Box<GroupState>, PayloadError> {
    let payload = reader.take(reader.left()).map_err(|short| short.of_payload("group"))?;
    GroupState::decode(&payload).map(Box::new)
}

/// A payload of its own, whose offsets count from its first byte.
fn rest(mut reader: Reader) -> Result<Bytes, PayloadError> {
    reader.take(reader.left()).map_err(|short| short.of_payload("payload"))
}

fn card(mut reader: Reader) -> Result<NoisePayload, PayloadError> {
    let offset = reader.offset();
    match reader.left() {
        len @ 1..=MAX_CARD_LEN => {
            reader.take(len).map(NoisePayload::Card).map_err(|short| short.of_payload("card"))
        }
        got => Err(PayloadError::Size { field: "card", offset, expected: "1 to 4096", got }),
    }
}

fn canonical(field: &Tlv) -> Result<Capabilities, PayloadError> {
    let capabilities = Capabilities::decode(&field.value);
    if capabilities.encode() == field.value {
        return Ok(capabilities);
    }
    Err(PayloadError::Size {
        field: "capabilities",
        offset: field.offset,
        expected: "as few as they can, 1 to 8",
        got: field.value.len(),
    })
}

fn writable_id(id: &str) -> Result<&[u8], EncodeError> {
    match id.len() {
        0 => Err(EncodeError::Empty { field: "message id" }),
        1..=MAX_ID_LEN => Ok(id.as_bytes()),
        len => Err(EncodeError::TooLong { field: "message id", len, max: MAX_ID_LEN }),
    }
}

/// An id of no bytes names nothing, one of more than 255 cannot have been a message's.
fn readable_id(id: String, offset: usize) -> Result<String, PayloadError> {
    if (1..=MAX_ID_LEN).contains(&id.len()) {
        return Ok(id);
    }
    Err(PayloadError::Size { field: "message id", offset, expected: "1 to 255", got: id.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(plaintext: &[u8]) -> Result<NoisePayload, PayloadError> {
        NoisePayload::decode(&Bytes::copy_from_slice(plaintext))
    }

    #[test]
    fn content_of_256_bytes_is_refused_and_255_is_not() {
        let message = |len| NoisePayload::PrivateMessage { id: "1".into(), content: "a".repeat(len) };
        assert_eq!(decode(&message(255).encode().unwrap()), Ok(message(255)));
        assert_eq!(
            message(256).encode(),
            Err(EncodeError::TooLong { field: "content", len: 256, max: MAX_TEXT_LEN })
        );
    }

    #[test]
    fn an_id_has_1_to_255_bytes() {
        let receipt = |len| NoisePayload::Delivered { id: "a".repeat(len) };
        assert_eq!(receipt(0).encode(), Err(EncodeError::Empty { field: "message id" }));
        assert_eq!(decode(&receipt(255).encode().unwrap()), Ok(receipt(255)));
        assert!(receipt(256).encode().is_err());
        assert!(matches!(decode(&[3]), Err(PayloadError::Size { got: 0, .. })));
        assert!(matches!(decode(&[3; 257]), Err(PayloadError::Size { got: 256, .. })));
        assert!(matches!(decode(&[1, 0, 0, 1, 0]), Err(PayloadError::Size { got: 0, .. })));
    }

    #[test]
    fn a_private_message_has_two_fields_once_and_no_other() {
        assert_eq!(decode(&[1, 0, 1, b'a']), Err(PayloadError::Missing { field: "content" }));
        assert_eq!(decode(&[1, 1, 0]), Err(PayloadError::Missing { field: "message id" }));
        assert_eq!(decode(&[1, 2, 0]), Err(PayloadError::UnknownTag { tag: 2, offset: 1 }));
        assert_eq!(
            decode(&[1, 0, 1, b'a', 0, 1, b'b']),
            Err(PayloadError::Repeated { field: "message id", offset: 4 })
        );
        assert_eq!(
            decode(&[1, 0, 2, b'a', 0xFF]),
            Err(PayloadError::NotUtf8 { field: "message id", offset: 4 })
        );
    }

    #[test]
    fn a_card_has_1_to_4096_bytes() {
        let card = |len| NoisePayload::Card(vec![7; len].into());
        assert_eq!(card(3).encode().unwrap(), [0x70, 7, 7, 7]);
        assert_eq!(decode(&card(4096).encode().unwrap()), Ok(card(4096)));
        assert_eq!(card(0).encode(), Err(EncodeError::Empty { field: "card" }));
        assert!(matches!(card(4097).encode(), Err(EncodeError::TooLong { len: 4097, .. })));
        assert!(matches!(decode(&[0x70]), Err(PayloadError::Size { got: 0, .. })));
        assert!(matches!(decode(&[0x70; 4098]), Err(PayloadError::Size { got: 4097, .. })));
    }

    #[test]
    fn a_type_that_is_not_spoken_here_is_named() {
        assert_eq!(decode(&[0x7E, 1]), Err(PayloadError::UnknownType { code: 0x7E }));
        assert!(matches!(decode(&[]), Err(PayloadError::Truncated { offset: 0, needed: 1, left: 0, .. })));
    }

    #[test]
    fn a_file_is_read_under_its_older_type_too() {
        let content = Bytes::from_static(b"x");
        let file = NoisePayload::File(MediaFile { name: "a".into(), mime: "m".into(), content });
        let mut plaintext = file.encode().unwrap();
        assert_eq!((plaintext[0], decode(&plaintext)), (0x20, Ok(file.clone())));
        plaintext[0] = 0x09;
        assert_eq!(decode(&plaintext), Ok(file));
    }

    #[test]
    fn a_peer_state_is_version_1_and_canonical() {
        let key = [&[2, 32], [9; 32].as_slice()].concat();
        let state =
            |version: u8, capabilities: &[u8]| decode(&[&[0x21, version], capabilities, &key].concat());
        let known = state(1, &[1, 1, 0]).unwrap();
        assert_eq!(
            known,
            NoisePayload::PeerState(PeerState { capabilities: Capabilities::NONE, signing_public: [9; 32] })
        );
        assert_eq!(state(1, &[3, 2, 1, 0, 1, 1, 0]).unwrap(), known);
        assert!(matches!(state(2, &[1, 1, 0]), Err(PayloadError::Value { value: 2, .. })));
        assert!(matches!(state(1, &[1, 2, 1, 0]), Err(PayloadError::Size { .. })));
        assert!(matches!(state(1, &[1, 0]), Err(PayloadError::Size { .. })));
        assert!(matches!(state(1, &[1, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1]), Err(PayloadError::Size { .. })));
        assert!(matches!(state(1, &[1, 1, 0, 1, 1, 0]), Err(PayloadError::Repeated { .. })));
        assert!(matches!(state(1, &[]), Err(PayloadError::Missing { .. })));
    }
}
