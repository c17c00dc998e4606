//! A burst of live voice, packet by packet: VOICE_FRAME, and private in a Noise session (spec 3.10).

use bytes::{BufMut, Bytes};

use super::error::{EncodeError, PayloadError};
use super::reader::Reader;

/// The most bytes of a voice packet, so that no link ever has to cut it.
pub const MAX_VOICE_LEN: usize = 210;
/// The most access units in one packet.
pub const MAX_UNITS: usize = 8;
/// Bytes before each access unit in a packet: its length.
pub const UNIT_HEAD: usize = 2;
/// The room for access units in a packet, with their heads.
pub const MAX_UNITS_LEN: usize = MAX_VOICE_LEN - HEADER_LEN;
/// The longest access unit that a packet takes.
pub const MAX_UNIT_LEN: usize = MAX_UNITS_LEN - UNIT_HEAD;
/// The only codec there is: AAC-LC, 16 kHz, mono, raw access units.
pub const AAC_LC_16K: u8 = 1;

/// What stands before the body: burst, number, flags.
const HEADER_LEN: usize = 11;

mod flag {
    pub(super) const DATA: u8 = 0x00;
    pub(super) const START: u8 = 0x01;
    pub(super) const END: u8 = 0x02;
    pub(super) const CANCELED: u8 = 0x04;
}

/// One packet of a burst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoicePacket {
    /// Random, the same in all packets of a burst.
    pub burst: [u8; 8],
    /// Which packet of the burst: 0 begins it, sound follows from 1.
    pub number: u16,
    /// What it says.
    pub body: VoiceBody,
}

/// What a packet of a burst says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoiceBody {
    /// Somebody begins to speak.
    Start {
        /// How the sound is coded; [`AAC_LC_16K`], or something later apps know.
        codec: u8,
    },
    /// Sound: 1 to [`MAX_UNITS`] access units, none of them empty.
    Sound(Vec<Bytes>),
    /// That was all.
    End {
        /// How many packets of sound there were.
        packets: u16,
        /// How long it was, in milliseconds.
        milliseconds: u32,
    },
    /// The speaker took it back.
    Canceled,
}

impl VoicePacket {
    /// The payload.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut payload = Vec::with_capacity(MAX_VOICE_LEN);
        payload.extend(self.burst);
        payload.put_u16(self.number);
        match &self.body {
            VoiceBody::Start { codec } => payload.extend([flag::START, *codec]),
            VoiceBody::Sound(units) => {
                payload.put_u8(flag::DATA);
                put_units(&mut payload, units)?;
            }
            VoiceBody::End { packets, milliseconds } => {
                payload.put_u8(flag::END);
                payload.put_u16(*packets);
                payload.put_u32(*milliseconds);
            }
            VoiceBody::Canceled => payload.put_u8(flag::CANCELED),
        }
        match payload.len() {
            0..=MAX_VOICE_LEN => Ok(payload),
            len => Err(EncodeError::TooLong { field: "voice packet", len, max: MAX_VOICE_LEN }),
        }
    }

    /// Reads a payload; the units are shared with it. Nothing may follow what its flags promise.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        if payload.len() > MAX_VOICE_LEN {
            return Err(PayloadError::Size {
                field: "voice packet",
                offset: 0,
                expected: "at most 210",
                got: payload.len(),
            });
        }
        let mut reader = Reader::new(payload);
        let burst = reader.array().map_err(|short| short.of_payload("burst id"))?;
        let at_number = reader.offset();
        let number = reader.u16().map_err(|short| short.of_payload("packet number"))?;
        let flags = reader.u8().map_err(|short| short.of_payload("flags"))?;
        if (flags == flag::START) != (number == 0) {
            let field = "packet number";
            return Err(PayloadError::Value { field, offset: at_number, value: number.into() });
        }
        let body = body(flags, &mut reader)?;
        match reader.left() {
            0 => Ok(Self { burst, number, body }),
            got => Err(PayloadError::Size {
                field: "end of the voice packet",
                offset: reader.offset(),
                expected: "0",
                got,
            }),
        }
    }
}

fn body(flags: u8, reader: &mut Reader) -> Result<VoiceBody, PayloadError> {
    match flags {
        flag::START => {
            let codec = reader.u8().map_err(|short| short.of_payload("codec"))?;
            Ok(VoiceBody::Start { codec })
        }
        flag::DATA => units(reader).map(VoiceBody::Sound),
        flag::END => {
            let packets = reader.u16().map_err(|short| short.of_payload("number of packets"))?;
            let milliseconds = reader.u32().map_err(|short| short.of_payload("duration"))?;
            Ok(VoiceBody::End { packets, milliseconds })
        }
        flag::CANCELED => Ok(VoiceBody::Canceled),
        flags => {
            let offset = HEADER_LEN.saturating_sub(1);
            Err(PayloadError::Value { field: "flags", offset, value: flags.into() })
        }
    }
}

fn units(reader: &mut Reader) -> Result<Vec<Bytes>, PayloadError> {
    let offset = reader.offset();
    let mut units = Vec::new();
    while reader.left() > 0 {
        let at = reader.offset();
        let len = reader.u16().map_err(|short| short.of_payload("length of a unit"))?;
        let unit = reader.take(usize::from(len)).map_err(|short| short.of_payload("unit"))?;
        if unit.is_empty() {
            return Err(PayloadError::Size { field: "unit", offset: at, expected: "1 or more", got: 0 });
        }
        units.push(unit);
    }
    match units.len() {
        1..=MAX_UNITS => Ok(units),
        got => Err(PayloadError::Size { field: "voice packet (in units)", offset, expected: "1 to 8", got }),
    }
}

fn put_units(payload: &mut Vec<u8>, units: &[Bytes]) -> Result<(), EncodeError> {
    let count = units.len();
    match count {
        0 => return Err(EncodeError::Empty { field: "voice packet" }),
        1..=MAX_UNITS => {}
        _ => return Err(EncodeError::TooMany { field: "access units", count, max: MAX_UNITS }),
    }
    for unit in units {
        let too_long = EncodeError::TooLong { field: "access unit", len: unit.len(), max: MAX_VOICE_LEN };
        let len = u16::try_from(unit.len()).map_err(|_| too_long)?;
        if len == 0 {
            return Err(EncodeError::Empty { field: "access unit" });
        }
        payload.put_u16(len);
        payload.extend(unit);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: [u8; 8] = [7; 8];

    fn decode(number: u16, rest: &[u8]) -> Result<VoiceBody, PayloadError> {
        let payload = [BURST.as_slice(), &number.to_be_bytes(), rest].concat();
        VoicePacket::decode(&payload.into()).map(|packet| packet.body)
    }

    #[test]
    fn a_packet_says_one_thing_and_no_more() {
        assert_eq!(decode(0, &[1, 1]), Ok(VoiceBody::Start { codec: 1 }));
        assert_eq!(decode(3, &[4]), Ok(VoiceBody::Canceled));
        assert_eq!(decode(9, &[2, 0, 8, 0, 0, 2, 0]), Ok(VoiceBody::End { packets: 8, milliseconds: 512 }));
        for wrong in [&[1_u8, 1, 0][..], &[1], &[]] {
            assert!(decode(0, wrong).is_err(), "{wrong:?}");
        }
        for wrong in [&[4_u8, 0][..], &[2, 0, 1], &[3], &[0x80], &[0], &[0, 0, 0], &[0, 0, 2, 9]] {
            assert!(decode(1, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn number_0_begins_a_burst_and_no_other_does() {
        assert!(matches!(decode(1, &[1, 1]), Err(PayloadError::Value { value: 1, .. })));
        assert!(matches!(decode(0, &[0, 0, 1, 9]), Err(PayloadError::Value { value: 0, .. })));
    }

    #[test]
    fn a_packet_carries_eight_units_and_is_never_cut() {
        let sound = |count: usize, len: usize| VoicePacket {
            burst: BURST,
            number: 1,
            body: VoiceBody::Sound(vec![vec![5; len].into(); count]),
        };
        for (count, len) in [(1, 1), (8, 22), (1, 197)] {
            let packet = sound(count, len);
            assert_eq!(VoicePacket::decode(&packet.encode().unwrap().into()), Ok(packet));
        }
        assert!(matches!(sound(9, 1).encode(), Err(EncodeError::TooMany { count: 9, .. })));
        assert!(matches!(sound(1, 198).encode(), Err(EncodeError::TooLong { len: 211, .. })));
        assert!(sound(0, 0).encode().is_err() && sound(1, 0).encode().is_err());
        assert!(matches!(
            decode(1, &[&[0], [0, 1, 5].repeat(9).as_slice()].concat()),
            Err(PayloadError::Size { got: 9, .. })
        ));
        assert!(decode(1, &[&[0, 0, 198], [5; 198].as_slice()].concat()).is_err());
    }
}
