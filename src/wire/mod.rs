//! Bytes to values and back, BitChat's first; no state, no keys, no time.
//!
//! [`Packet`] is a value that can be encoded; [`Received`] is the bytes of a frame that came, with the packet
//! they mean. What a packet carries is read by the file named after it: [`Announce`], [`message`],
//! [`Leave`], [`noise`], [`Fragment`], [`MediaFile`], [`voice`], [`carrier`], [`NoisePayload`] for what is inside a Noise session, and
//! [`Card`] for what contacts tell each other. What a BetaNet relay says about itself is a [`record`], what is asked of it a request of [`mailbox`]; both are
//! written in [`cbor`].
//!
//! A packet is decoded once, relayed as the bytes that came (only the TTL byte changes) and verified over the
//! bytes that came. Every reader takes bytes from strangers: it answers with a typed error, never a panic, and
//! never holds more than [`MAX_PAYLOAD_LEN`] bytes beyond what it was given.

#![warn(clippy::indexing_slicing)]

pub mod adts;
mod announce;
mod board;
pub mod body;
mod capabilities;
mod card;
pub mod carrier;
pub mod cbor;
mod compression;
mod courier;
mod diagnostics;
pub mod direct;
mod error;
pub mod file;
mod fragment;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gcs;
mod group;
mod header;
pub mod json;
mod leave;
pub mod letter;
pub mod mailbox;
mod media;
mod media_type;
pub mod message;
pub mod noise;
mod packet;
mod packet_type;
pub mod padding;
mod part;
mod percent;
mod prefixed;
mod prekey;
mod private;
mod reader;
mod received;
pub mod record;
mod record_link;
mod signing;
mod sync;
mod tlv;
mod verify;
pub mod voice;
mod vouch;

pub use announce::{Announce, MAX_NEIGHBOURS};
pub use board::{Board, MAX_POST_LEN, MAX_POST_LIFE, MAX_POST_NICKNAME_LEN, Post, Tombstone};
pub use capabilities::Capabilities;
pub use card::{
    Card, DirectAddress, LINK_PREFIX, MAX_ADDRESSES, MAX_CARD_LEN, MAX_PROVIDER_LEN, MAX_RELAYS, Mailbox,
    ReceivedCard, link,
};
pub use courier::{CourierEnvelope, MAX_CIPHERTEXT_LEN, MAX_COPIES, TAG_LEN};
pub use diagnostics::Probe;
pub use error::{CardError, DecodeError, EncodeError, Field, InflateError, LinkError, PayloadError};
pub use fragment::{Fragment, FragmentError, Fragments, MAX_FRAGMENTS, chunk_for, fragments};
pub use gcs::{Filter, FilterHash, Members};
pub use group::{
    GroupEnvelope, GroupKey, GroupState, GroupText, MAX_GROUP_NAME_LEN, MAX_GROUP_TEXT_LEN,
    MAX_MEMBER_NAME_LEN, MAX_MEMBERS, Member,
};
pub use header::{
    MAX_FRAME_LEN, MAX_PAYLOAD_LEN, MIN_FRAME_LEN, SIGNATURE_LEN, TTL_OFFSET, Version, frame_len,
};
pub use leave::Leave;
pub use media::{MAX_MEDIA_LEN, MediaFile, NotTaken, is_confirmed_everywhere, media_id};
pub use media_type::MediaType;
pub use packet::Packet;
pub use packet_type::PacketType;
pub use part::{MAX_PARTS, ParsePartIdError, PartId, split_text};
pub use percent::unescape;
pub use prekey::{MAX_PREKEYS, Prekey, PrekeyBundle};
pub use private::{MAX_TEXT_LEN, NoisePayload, PeerState};
pub use received::{Received, sync_reply};
pub use record_link::{
    RECORD_LINK_PREFIX, RecordLinkError, is_record_link, read_record, read_record_link, record_link,
};
pub use sync::{MAX_FRAGMENT_IDS, RequestSync, SyncTypes};
pub use verify::{CODE_PREFIX, CodeError, ScannedCode, VerifyChallenge, VerifyCode, VerifyResponse};
pub use vouch::{MAX_VOUCHES, Vouch};
