//! A Nostr event on its way over the mesh: NOSTR_CARRIER (spec 3.16).

use bytes::Bytes;

use super::error::{EncodeError, PayloadError};
use super::reader::Reader;
use super::tlv::{self, Tlv};

/// The most bytes of an event.
pub const MAX_EVENT_LEN: usize = 16 * 1_024;
/// The most characters of a geohash.
const MAX_GEOHASH_LEN: usize = 12;
/// The digits of a geohash: no a, i, l or o.
const GEOHASH_DIGITS: &[u8] = b"0123456789bcdefghjkmnpqrstuvwxyz";

mod tag {
    pub(super) const DIRECTION: u8 = 0x01;
    pub(super) const GEOHASH: u8 = 0x02;
    pub(super) const EVENT: u8 = 0x03;
}

macro_rules! directions {
    ($($(#[$doc:meta])* $variant:ident = $code:literal;)*) => {
        /// Where an event is on its way to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Direction {
            $($(#[$doc])* $variant,)*
        }

        impl Direction {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The byte on the wire.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                }
            }
        }
    };
}

directions! {
    /// To a peer that has the Internet, for the Nostr relays.
    ToGateway = 1;
    /// From such a peer to everyone.
    FromGateway = 2;
    /// To a peer that joins this mesh with another.
    ToBridge = 3;
    /// From such a peer to everyone.
    FromBridge = 4;
}

impl Direction {
    /// Whether it leaves the mesh: then one peer is meant, and its sender signs.
    pub const fn is_uplink(self) -> bool {
        matches!(self, Self::ToGateway | Self::ToBridge)
    }
}

/// An event on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NostrCarrier {
    /// Where to.
    pub direction: Direction,
    /// The place it is about, of 1 to 12 characters.
    pub geohash: String,
    /// The event, as JSON text of 1 to [`MAX_EVENT_LEN`] bytes; nothing in it is checked.
    pub event: Bytes,
}

impl NostrCarrier {
    /// The payload.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        if self.geohash.is_empty() {
            return Err(EncodeError::Empty { field: "geohash" });
        }
        if self.event.is_empty() {
            return Err(EncodeError::Empty { field: "event" });
        }
        for (field, len, max) in
            [("geohash", self.geohash.len(), MAX_GEOHASH_LEN), ("event", self.event.len(), MAX_EVENT_LEN)]
        {
            if len > max {
                return Err(EncodeError::TooLong { field, len, max });
            }
        }
        let mut payload = Vec::new();
        tlv::put_wide(&mut payload, tag::DIRECTION, "direction", &[self.direction.code()])?;
        tlv::put_wide(&mut payload, tag::GEOHASH, "geohash", self.geohash.as_bytes())?;
        tlv::put_wide(&mut payload, tag::EVENT, "event", &self.event)?;
        Ok(payload)
    }

    /// Reads a payload; the event is shared with it. Fields it does not know are skipped.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let (mut direction, mut geohash, mut event) = (None, None, None);
        while let Some(field) = Tlv::read_wide(&mut reader)? {
            match field.tag {
                tag::DIRECTION => field.store(&mut direction, read_direction(&field)?, "direction")?,
                tag::GEOHASH => field.store(&mut geohash, read_geohash(&field)?, "geohash")?,
                tag::EVENT => field.store(&mut event, read_event(&field)?, "event")?,
                _ => {}
            }
        }
        Ok(Self {
            direction: direction.ok_or(PayloadError::Missing { field: "direction" })?,
            geohash: geohash.ok_or(PayloadError::Missing { field: "geohash" })?,
            event: event.ok_or(PayloadError::Missing { field: "event" })?,
        })
    }
}

fn read_direction(field: &Tlv) -> Result<Direction, PayloadError> {
    let code = field.reader().u8().map_err(|short| short.of_payload("direction"))?;
    if field.value.len() > 1 {
        let got = field.value.len();
        return Err(PayloadError::Size { field: "direction", offset: field.offset, expected: "1", got });
    }
    let known = Direction::ALL.iter().copied().find(|direction| direction.code() == code);
    known.ok_or(PayloadError::Value { field: "direction", offset: field.offset, value: code.into() })
}

fn read_geohash(field: &Tlv) -> Result<String, PayloadError> {
    let got = field.value.len();
    let digits = field.value.iter().all(|byte| GEOHASH_DIGITS.contains(&byte.to_ascii_lowercase()));
    if !digits || !(1..=MAX_GEOHASH_LEN).contains(&got) {
        let expected = "1 to 12 of a geohash";
        return Err(PayloadError::Size { field: "geohash", offset: field.offset, expected, got });
    }
    field.text("geohash")
}

fn read_event(field: &Tlv) -> Result<Bytes, PayloadError> {
    match field.value.len() {
        1..=MAX_EVENT_LEN => field.text("event").map(|_| field.value.clone()),
        got => Err(PayloadError::Size { field: "event", offset: field.offset, expected: "1 to 16384", got }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier(geohash: &str, len: usize) -> NostrCarrier {
        NostrCarrier {
            direction: Direction::ToBridge,
            geohash: geohash.to_owned(),
            event: vec![b'x'; len].into(),
        }
    }

    #[test]
    fn an_event_has_1_to_16384_bytes_and_a_place() {
        for (geohash, len) in [("u", 1), ("u33dc0123456", MAX_EVENT_LEN)] {
            let carrier = carrier(geohash, len);
            assert_eq!(NostrCarrier::decode(&carrier.encode().unwrap().into()), Ok(carrier));
        }
        for (geohash, len) in [("", 1), ("u", 0), ("u33dc01234567", 1), ("u", MAX_EVENT_LEN + 1)] {
            assert!(carrier(geohash, len).encode().is_err());
        }
        let wrong = [1, 0, 1, 3, 2, 0, 1, b'!', 3, 0, 1, b'x'];
        assert!(matches!(NostrCarrier::decode(&wrong.to_vec().into()), Err(PayloadError::Size { .. })));
    }

    #[test]
    fn there_are_four_directions() {
        for code in 0..=u8::MAX {
            let payload = vec![1, 0, 1, code, 2, 0, 1, b'u', 3, 0, 1, b'x'];
            let read = NostrCarrier::decode(&payload.into());
            assert_eq!(read.is_ok(), (1..=4).contains(&code), "{code}");
        }
        assert!(Direction::ToGateway.is_uplink() && !Direction::FromBridge.is_uplink());
        assert_eq!(NostrCarrier::decode(&Bytes::new()), Err(PayloadError::Missing { field: "direction" }));
    }
}
