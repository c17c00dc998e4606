//! Names of things: every identifier is its own type, with one way to read it and one way to print it.
//!
//! Sizes come from the BitChat wire (spec 2.8, 3.7): a peer id is the first 8 bytes of a fingerprint, a
//! fingerprint is the SHA-256 of a Noise static public key, a packet id is 16 bytes of a SHA-256.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// The text has the wrong number of characters.
    #[error("expected {expected} hex digits, got {actual} characters")]
    Length {
        /// Hex digits wanted.
        expected: usize,
        /// Characters given.
        actual: usize,
    },
    /// A character is not a hex digit.
    #[error("character {offset} is not a hex digit")]
    Digit {
        /// Position of the first bad character.
        offset: usize,
    },
    /// The text is not a UUID.
    #[error("not a UUID (32 hex digits, in groups of 8-4-4-4-12)")]
    Uuid,
}

/// Reads exactly `N` bytes of hex, in either case.
pub fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    let digits = text.as_bytes();
    if let Some(offset) = digits.iter().position(|digit| !digit.is_ascii_hexdigit()) {
        return Err(ParseIdError::Digit { offset });
    }
    if digits.len() != N * 2 {
        return Err(ParseIdError::Length { expected: N * 2, actual: digits.len() });
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |value, &digit| value << 4 | nibble(digit));
    }
    Ok(bytes)
}

/// Writes bytes as lower-case hex.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            /// The bytes, as they stand on the wire.
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map(Self)
            }
        }
    };
}

hex_id!(
    /// A peer on the mesh: the first 8 bytes of its [`Fingerprint`] (spec 2.8).
    PeerId,
    8
);
hex_id!(
    /// An identity: SHA-256 of its Noise static public key (spec 2.8).
    Fingerprint,
    32
);
hex_id!(
    /// One BitChat packet: SHA-256(type, sender, timestamp, decompressed payload)[0..16] (spec 3.7).
    PacketId,
    16
);
hex_id!(
    /// A notice on the board: 16 bytes drawn by its author (spec 3.13).
    PostId,
    16
);
hex_id!(
    /// A private group: 16 bytes drawn by its creator (spec 3.14).
    GroupId,
    16
);
hex_id!(
    /// One file on its way to one peer: 16 random bytes, the same however often it is resumed.
    TransferId,
    16
);
hex_id!(
    /// A BetaNet node, there called PeerID: the multihash of its Ed25519 key, `12 20` and a SHA-256
    /// (betanet-htx 11).
    NodeId,
    34
);

impl PeerId {
    /// The eight FF bytes that Android writes for "everyone" (spec 2.6).
    pub const BROADCAST: Self = Self([0xFF; 8]);
}

impl NodeId {
    /// What a multihash of 32 bytes of SHA-256 begins with.
    const PREFIX: [u8; 2] = [0x12, 0x20];

    /// The id of the node that signs with this Ed25519 key.
    pub fn of(signing_public: &[u8; 32]) -> Self {
        let mut id = [0; 34];
        let (prefix, digest) = id.split_at_mut(Self::PREFIX.len());
        prefix.copy_from_slice(&Self::PREFIX);
        digest.copy_from_slice(&Sha256::digest(signing_public));
        Self(id)
    }
}

impl Fingerprint {
    /// The fingerprint of a Noise static public key.
    pub fn of(noise_public: &[u8; 32]) -> Self {
        Self(Sha256::digest(noise_public).into())
    }

    /// The peer id that belongs to this identity.
    pub fn peer_id(&self) -> PeerId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.0[..8]);
        PeerId(id)
    }
}

/// What a person wrote, once: 16 random bytes, printed as an upper-case UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// The id of a message whose wire id is not a UUID: SHA-256(text)[0..16].
    ///
    /// The text itself must be kept for receipts; this is only our name for it.
    pub fn of_foreign(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    /// The id of a text as it came over the wire: the UUID it is, or else [`Self::of_foreign`].
    pub fn from_wire(text: &str) -> Self {
        text.parse().unwrap_or_else(|_| Self::of_foreign(text))
    }
}

impl From<PacketId> for MessageId {
    /// A public message is known by the id of its packet.
    fn from(id: PacketId) -> Self {
        Self(id.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

impl FromStr for MessageId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let groups: Vec<&str> = text.split('-').collect();
        if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
            return Err(ParseIdError::Uuid);
        }
        parse_hex(&groups.concat()).map(Self).map_err(|_| ParseIdError::Uuid)
    }
}

/// One radio of this node, numbered in the order it was configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdapterId(pub u8);

impl fmt::Display for AdapterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "adapter {}", self.0)
    }
}

/// One GATT connection to one neighbour, never reused within a run: the adapter and a running number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId {
    /// The adapter the connection runs over.
    pub adapter: AdapterId,
    /// The radio's running number for its connections.
    pub serial: u32,
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.adapter.0, self.serial)
    }
}

/// One message handed to one transport; the answer carries it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_prints_as_it_parses() {
        let id: PeerId = "1a92f23852dc908d".parse().unwrap();
        assert_eq!(id.to_string(), "1a92f23852dc908d");
        assert_eq!("1A92F23852DC908D".parse(), Ok(id));
    }

    #[test]
    fn a_bad_peer_id_says_what_is_wrong() {
        assert_eq!("1a92".parse::<PeerId>(), Err(ParseIdError::Length { expected: 16, actual: 4 }));
        assert_eq!("1a92f23852dc90-d".parse::<PeerId>(), Err(ParseIdError::Digit { offset: 14 }));
    }

    #[test]
    fn a_message_id_is_an_upper_case_uuid() {
        let id = MessageId([0xAB; 16]);
        assert_eq!(id.to_string(), "ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB");
        assert_eq!(id.to_string().to_lowercase().parse(), Ok(id));
        assert_eq!("ABABABAB".parse::<MessageId>(), Err(ParseIdError::Uuid));
    }

    #[test]
    fn a_foreign_id_is_hashed_and_a_uuid_is_not() {
        let uuid = "00112233-4455-6677-8899-AABBCCDDEEFF";
        assert_eq!(MessageId::from_wire(uuid).to_string(), uuid);
        assert_eq!(MessageId::from_wire("msg-1"), MessageId::of_foreign("msg-1"));
    }
}
