//! AAC sound as a stream of ADTS frames, which every player knows: each an access unit behind a header that says what
//! it is. Only what the apps speak is written and read: AAC-LC, 16 kHz, mono.

use bytes::Bytes;

use super::voice::MAX_UNIT_LEN;

/// Bytes before each access unit.
pub const ADTS_LEN: usize = 7;
/// What they are when a checksum is among them.
const CHECKED_LEN: usize = 9;
/// The longest stream that is spoken: receivers collect no more of one burst (spec 3.10).
const MAX_SPOKEN: usize = 384 * 1_024;

/// Why a file cannot be spoken live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSpeech {
    /// It is something else, or damaged.
    #[error("at byte {0} it is not AAC in ADTS frames")]
    Frame(usize),
    /// It is sound of another kind.
    #[error("live voice is AAC-LC, 16 kHz, mono, and this is not")]
    Kind,
    /// It has too many bits a second.
    #[error("a frame of it has {len} bytes, and in live voice at most {MAX_UNIT_LEN}: some 24 kbit/s")]
    Dense {
        /// The frame's length.
        len: usize,
    },
    /// It is too long to be collected.
    #[error("it has {len} bytes, and live voice at most {MAX_SPOKEN}")]
    Long {
        /// The file's length.
        len: usize,
    },
}

/// The header of one access unit: MPEG-4, no checksum, AAC-LC, 16 kHz, mono, of this length, alone in its frame.
pub fn header(unit: usize) -> [u8; ADTS_LEN] {
    // A unit comes in a packet of 210 bytes: its frame's length has far fewer than 13 bits.
    let [.., high, low] = (unit + ADTS_LEN).to_be_bytes();
    let len_high = high >> 3 & 0x03;
    let len_middle = high << 5 | low >> 3;
    [0xFF, 0xF1, 0x60, 0x40 | len_high, len_middle, low << 5 | 0x1F, 0xFC]
}

/// The access units of a stream that can be spoken, at least one.
pub fn units(stream: &Bytes) -> Result<Vec<Bytes>, NotSpeech> {
    if stream.len() > MAX_SPOKEN {
        return Err(NotSpeech::Long { len: stream.len() });
    }
    let (mut units, mut at) = (Vec::new(), 0);
    while at < stream.len() || units.is_empty() {
        let frame = stream.slice(at..);
        let (skipped, len) = frame_of(&frame).ok_or(NotSpeech::Frame(at))??;
        if len - skipped > MAX_UNIT_LEN {
            return Err(NotSpeech::Dense { len: len - skipped });
        }
        units.push(frame.slice(skipped..len));
        at += len;
    }
    Ok(units)
}

/// How long the header of the first frame is, and how long the frame, if there is a whole one.
fn frame_of(stream: &[u8]) -> Option<Result<(usize, usize), NotSpeech>> {
    let &[sync, layer, kind, a, b, c, blocks] = stream.first_chunk::<ADTS_LEN>()?;
    if sync != 0xFF || layer & 0xF6 != 0xF0 {
        return None;
    }
    let skipped = if layer & 1 == 1 { ADTS_LEN } else { CHECKED_LEN };
    let len = usize::from(a & 3) << 11 | usize::from(b) << 3 | usize::from(c) >> 5;
    if len <= skipped || len > stream.len() {
        return None;
    }
    // Profile, rate, channels, and how many units are in the frame.
    let is_speech = kind & 0xFD == 0x60 && a & 0xC0 == 0x40 && blocks & 3 == 0;
    Some(if is_speech { Ok((skipped, len)) } else { Err(NotSpeech::Kind) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(unit: &[u8]) -> Vec<u8> {
        [header(unit.len()).as_slice(), unit].concat()
    }

    #[test]
    fn a_frame_says_what_it_is_and_how_long() {
        let header = header(200);
        assert!(crate::wire::MediaType::Aac.begins(&header));
        assert_eq!(frame_of(&[&header[..], &[0; 200]].concat()), Some(Ok((ADTS_LEN, 207))));
        assert_eq!(header[2] >> 6, 1, "AAC-LC");
        assert_eq!(header[2] >> 2 & 0xF, 8, "16 kHz");
    }

    #[test]
    fn what_cannot_be_spoken_is_refused_with_the_reason() {
        let refused = |stream: Vec<u8>| units(&stream.into()).unwrap_err();
        assert_eq!(refused(Vec::new()), NotSpeech::Frame(0));
        assert_eq!(refused(b"RIFF....WAVE".to_vec()), NotSpeech::Frame(0));
        let cut = [frame(&[1; 50]), frame(&[2; 50])[..40].to_vec()].concat();
        assert_eq!(refused(cut), NotSpeech::Frame(57));
        let mut stereo = frame(&[1; 50]);
        stereo[3] = stereo[3] & 0x3F | 0x80;
        assert_eq!(refused(stereo), NotSpeech::Kind);
        let mut fast = frame(&[1; 50]);
        fast[2] = 0x50;
        assert_eq!(refused(fast), NotSpeech::Kind);
        assert_eq!(refused(frame(&[1; 198])), NotSpeech::Dense { len: 198 });
        assert_eq!(refused(vec![0; MAX_SPOKEN + 1]), NotSpeech::Long { len: MAX_SPOKEN + 1 });
    }

    #[test]
    fn a_checksum_is_passed_over() {
        let mut frame = frame(&[1, 2, 7, 7, 7]);
        frame[1] = 0xF0;
        assert_eq!(units(&frame.into()), Ok(vec![Bytes::from_static(&[7; 3])]));
    }

    proptest! {
        #[test]
        fn units_read_as_they_were_written(
            spoken in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..=MAX_UNIT_LEN), 1..20),
        ) {
            let stream: Vec<u8> = spoken.iter().flat_map(|unit| frame(unit)).collect();
            let read = units(&stream.into()).unwrap();
            prop_assert_eq!(read, spoken.into_iter().map(Bytes::from).collect::<Vec<_>>());
        }

        #[test]
        fn arbitrary_bytes_are_read_or_refused(stream in proptest::collection::vec(any::<u8>(), 0..300)) {
            units(&stream.into()).ok();
        }
    }
}
