//! What a packet carries (spec 2.6).

use std::fmt;

macro_rules! packet_types {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// The type byte of a packet. Every byte is a type: those this issue of the protocol does not name are
        /// [`Self::Unknown`] and are still relayed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum PacketType {
            $($(#[$doc])* $variant,)*
            /// A type without a name; made by [`PacketType::from`] only.
            Unknown(u8),
        }

        impl PacketType {
            /// Every type that has a name.
            pub const NAMED: &[Self] = &[$(Self::$variant),*];

            /// The byte on the wire.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Unknown(code) => code,
                }
            }

            /// The name in the specification, if it has one.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($name),)*
                    Self::Unknown(_) => None,
                }
            }
        }

        impl From<u8> for PacketType {
            fn from(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    code => Self::Unknown(code),
                }
            }
        }
    };
}

packet_types! {
    /// Who is here: nickname, keys, neighbours.
    Announce = 0x01, "announce";
    /// Public text.
    Message = 0x02, "message";
    /// A clean goodbye.
    Leave = 0x03, "leave";
    /// A sealed message for a peer that is away.
    CourierEnvelope = 0x04, "courierEnvelope";
    /// One of the three messages of a Noise XX handshake.
    NoiseHandshake = 0x10, "noiseHandshake";
    /// A message inside a Noise session.
    NoiseEncrypted = 0x11, "noiseEncrypted";
    /// A piece of a frame too big for a link.
    Fragment = 0x20, "fragment";
    /// A filter of the packets someone already has.
    RequestSync = 0x21, "requestSync";
    /// A file.
    FileTransfer = 0x22, "fileTransfer";
    /// A notice for the board.
    BoardPost = 0x23, "boardPost";
    /// One-time keys for courier mail.
    PrekeyBundle = 0x24, "prekeyBundle";
    /// Text for a private group.
    GroupMessage = 0x25, "groupMessage";
    /// A question whether a peer is there.
    Ping = 0x26, "ping";
    /// Its answer.
    Pong = 0x27, "pong";
    /// A Nostr event crossing the mesh.
    NostrCarrier = 0x28, "nostrCarrier";
    /// A burst of live voice.
    VoiceFrame = 0x29, "voiceFrame";
    /// The draft of rotating peer ids; never sent.
    AnnounceV2 = 0x2C, "announceV2";
}

impl PacketType {
    /// The type with this name of the specification.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().copied().find(|packet_type| packet_type.name() == Some(name))
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#04x}", self.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_type_and_the_type_is_that_byte() {
        for code in 0..=u8::MAX {
            assert_eq!(PacketType::from(code).code(), code);
        }
    }

    #[test]
    fn a_named_type_is_found_by_its_name_and_an_unknown_one_prints_in_hex() {
        for &packet_type in PacketType::NAMED {
            assert_eq!(PacketType::from_name(&packet_type.to_string()), Some(packet_type));
        }
        assert_eq!(PacketType::from(0x7E).to_string(), "0x7e");
        assert_eq!(PacketType::from(0x05).to_string(), "0x05");
        assert_eq!(PacketType::from_name("0x7e"), None);
    }
}
