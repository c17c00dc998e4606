//! Why bytes are not a packet, why a packet's payload does not parse, why a value cannot be written.

use std::fmt;

/// A part of a packet that an error can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Version to payload length: 14 bytes (v1) or 16 (v2).
    Header,
    /// The sender's id.
    Sender,
    /// The recipient's id.
    Recipient,
    /// The number of hops in the route.
    RouteCount,
    /// The ids of the hops.
    Route,
    /// The size a compressed payload had.
    OriginalSize,
    /// The signature.
    Signature,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::RouteCount => "route count",
            Self::Route => "route",
            Self::OriginalSize => "original size",
            Self::Signature => "signature",
        })
    }
}

/// Why bytes are not a packet. Offsets count from the first byte of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("offset {offset}: the {field} takes {needed} bytes, {left} are left")]
    Truncated {
        /// Which field.
        field: Field,
        /// Where it begins.
        offset: usize,
        /// Its length.
        needed: usize,
        /// The bytes there are.
        left: usize,
    },
    /// Neither version 1 nor version 2.
    #[error("offset 0: version {version}, only 1 and 2 are known")]
    Version {
        /// The version byte.
        version: u8,
    },
    /// The bytes end inside the payload.
    #[error("offset {offset}: payload length says {declared} bytes, {left} are left")]
    PayloadLength {
        /// Where the payload length stands.
        offset: usize,
        /// What it says.
        declared: usize,
        /// The bytes there are.
        left: usize,
    },
    /// A payload, or what it inflates to, is beyond the ceiling (spec 2.2).
    #[error("offset {offset}: {declared} bytes declared, the most is {max}")]
    TooLong {
        /// Where the size stands.
        offset: usize,
        /// What it says.
        declared: usize,
        /// The ceiling.
        max: usize,
    },
    /// A compressed payload does not inflate to what it declares.
    #[error("offset {offset}: {reason}")]
    Inflate {
        /// Where the payload begins.
        offset: usize,
        /// What is wrong with it.
        reason: InflateError,
    },
}

/// Why a compressed payload is refused (spec 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// The original size is zero.
    #[error("a compressed payload declares an original size of 0")]
    OriginalEmpty,
    /// Nothing follows the original size.
    #[error("the compressed payload is empty")]
    Empty,
    /// More than 50,000 to 1.
    #[error("{compressed} compressed bytes declare an original size of {declared}")]
    Ratio {
        /// The length of the compressed part.
        compressed: usize,
        /// The size it declares.
        declared: usize,
    },
    /// Not DEFLATE, or not of that size, or followed by something else.
    #[error("{compressed} bytes are not one DEFLATE stream of {declared} bytes")]
    Stream {
        /// The length of the compressed part.
        compressed: usize,
        /// The size it declares.
        declared: usize,
    },
}

/// Why a payload does not parse. Offsets count from the first byte of the (decompressed) payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The bytes end inside a field.
    #[error("payload offset {offset}: the {field} takes {needed} bytes, {left} are left")]
    Truncated {
        /// Which field.
        field: &'static str,
        /// Where it begins.
        offset: usize,
        /// Its length.
        needed: usize,
        /// The bytes there are.
        left: usize,
    },
    /// A field has a length that it cannot have.
    #[error("payload offset {offset}: the {field} has {got} bytes, not {expected}")]
    Size {
        /// Which field.
        field: &'static str,
        /// Where it begins.
        offset: usize,
        /// The lengths it can have.
        expected: &'static str,
        /// Its length.
        got: usize,
    },
    /// A field that must be there is not.
    #[error("the {field} is missing")]
    Missing {
        /// Which field.
        field: &'static str,
    },
    /// A field that may be there once is there twice.
    #[error("payload offset {offset}: a second {field}")]
    Repeated {
        /// Which field.
        field: &'static str,
        /// Where the second one begins.
        offset: usize,
    },
    /// A TLV type that this payload does not have.
    #[error("payload offset {offset}: unknown TLV type {tag:#04x}")]
    UnknownTag {
        /// The type byte.
        tag: u8,
        /// Where it stands.
        offset: usize,
    },
    /// A text is not UTF-8.
    #[error("payload offset {offset}: the {field} is not UTF-8")]
    NotUtf8 {
        /// Which text.
        field: &'static str,
        /// The first byte that does not fit.
        offset: usize,
    },
    /// A number that is not allowed there.
    #[error("payload offset {offset}: the {field} is {value}")]
    Value {
        /// Which field.
        field: &'static str,
        /// Where it stands.
        offset: usize,
        /// What it says.
        value: u32,
    },
    /// An inner payload (spec 3.6) of a type this node does not speak.
    #[error("payload offset 0: inner payload type {code:#04x} is not spoken here")]
    UnknownType {
        /// The type byte.
        code: u8,
    },
}

/// Why a value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A field is longer than its length can say, or than a receiver takes.
    #[error("the {field} has {len} bytes, the most is {max}")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its length.
        len: usize,
        /// The most it can have.
        max: usize,
    },
    /// A field that names something is empty.
    #[error("the {field} is empty")]
    Empty {
        /// Which field.
        field: &'static str,
    },
    /// More of something than a receiver takes.
    #[error("there are {count} {field}, the most is {max}")]
    TooMany {
        /// Of what.
        field: &'static str,
        /// How many.
        count: usize,
        /// The most there can be.
        max: usize,
    },
    /// Only version 2 has a route (spec 2.1).
    #[error("a version 1 packet has no route")]
    RouteInV1,
}

/// Why bytes are not a contact card. Offsets count from its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Longer than any card.
    #[error("the card has {len} bytes, the most is {max}", max = super::MAX_CARD_LEN)]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// A later version, or no card at all.
    #[error("the card is of version {version}, this program knows version 1")]
    Version {
        /// The version byte.
        version: u8,
    },
    /// A field does not parse, or one is missing.
    #[error(transparent)]
    Field(#[from] PayloadError),
    /// Fields do not stand in the order of their types, which begin at 1.
    #[error("payload offset {offset}: field {tag:#04x} is out of order, types rise from 0x01")]
    Order {
        /// The type byte.
        tag: u8,
        /// Where it stands.
        offset: usize,
    },
    /// A field comes too often.
    #[error("the card has more than {max} fields of the kind `{field}`")]
    TooMany {
        /// Which field.
        field: &'static str,
        /// The most there can be.
        max: usize,
    },
}

/// Why a text is not a contact card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Nothing is there.
    #[error("there is no card in the text")]
    Empty,
    /// A link to something else.
    #[error("the text is another kind of link")]
    Scheme,
    /// Longer than any card.
    #[error("the text is too long for a card")]
    TooLong,
    /// Not a character of base64url.
    #[error("character {position} cannot be part of a card", position = .position.saturating_add(1))]
    Character {
        /// Its place among the bytes that are no space, from 0.
        position: usize,
    },
    /// The base64 does not end as it should.
    #[error("the text ends before the card does, or was changed")]
    Cut,
    /// The bytes in it are no card.
    #[error(transparent)]
    Card(#[from] CardError),
}
