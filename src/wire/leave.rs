//! LEAVE: a clean goodbye (spec 3.3).

use super::error::PayloadError;
use super::tlv;

/// What was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// The mesh: the peer is gone.
    Mesh,
    /// Only a channel of the Android app, whose name begins with `#`; the peer stays.
    Channel(String),
}

impl Leave {
    /// The payload: nothing, or the channel's name.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Mesh => Vec::new(),
            Self::Channel(name) => name.clone().into_bytes(),
        }
    }

    /// Reads the payload; one that does not begin with `#` says nothing more than goodbye.
    pub fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        if payload.starts_with(b"#") {
            tlv::text(payload, "channel", 0).map(|name| Self::Channel(name.to_owned()))
        } else {
            Ok(Self::Mesh)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hash_sign_makes_it_a_channel() {
        assert_eq!(Leave::decode(b""), Ok(Leave::Mesh));
        assert_eq!(Leave::decode(b"bye"), Ok(Leave::Mesh));
        assert_eq!(Leave::decode(b"#rust"), Ok(Leave::Channel("#rust".into())));
        assert!(Leave::decode(b"#\xFF").is_err());
    }
}
