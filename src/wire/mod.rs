//! BitChat bytes to values and back; no state, no keys, no time.
//!
//! [`Packet`] is a value that can be encoded; [`Received`] is the bytes of a frame that came, with the packet
//! they mean.
//!
//! A packet is decoded once, relayed as the bytes that came (only the TTL byte changes) and verified over the
//! bytes that came. Every reader takes bytes from strangers: it answers with a typed error, never a panic, and
//! never holds more than [`MAX_PAYLOAD_LEN`] bytes beyond what it was given.

mod compression;
mod error;
mod header;
mod packet;
mod packet_type;
pub mod padding;
mod reader;
mod received;
mod signing;

pub use error::{DecodeError, EncodeError, Field, InflateError, PayloadError};
pub use header::{
    MAX_FRAME_LEN, MAX_PAYLOAD_LEN, MIN_FRAME_LEN, SIGNATURE_LEN, TTL_OFFSET, Version, frame_len,
};
pub use packet::Packet;
pub use packet_type::PacketType;
pub use received::Received;
