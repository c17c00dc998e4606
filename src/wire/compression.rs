//! Payloads as they stand in a frame: plain, or raw DEFLATE behind their original size (spec 2.2, 2.3).

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::error::InflateError;
use super::header::Version;

/// Payloads below this length are never compressed (spec 2.3).
const MIN_LEN: usize = 100;
/// A payload that claims to shrink by more than this is a bomb (spec 2.2).
const MAX_RATIO: usize = 50_000;

/// zlib's own default, which Android and this node write (spec 2.3).
pub(super) const LEVEL_DEFAULT: u32 = 6;
/// What Apple documents its encoder as equivalent to (spec 2.3).
pub(super) const LEVEL_APPLE: u32 = 5;

/// The payload part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WirePayload {
    /// What the payload length counts: with the original size, when compressed.
    pub(super) bytes: Bytes,
    /// Whether flag 04 is set.
    pub(super) compressed: bool,
}

impl WirePayload {
    /// The payload as it is.
    pub(super) fn plain(payload: &Bytes) -> Self {
        Self { bytes: payload.clone(), compressed: false }
    }

    /// The payload as the rule of spec 2.3 wants it.
    pub(super) fn by_rule(version: Version, payload: &Bytes) -> Self {
        Self::deflated(version, payload, LEVEL_DEFAULT).unwrap_or_else(|| Self::plain(payload))
    }

    /// The payload compressed at a level; `None` when the rule of spec 2.3 leaves it plain.
    pub(super) fn deflated(version: Version, payload: &Bytes, level: u32) -> Option<Self> {
        if !worth_a_try(payload) {
            return None;
        }
        let size = version.size_bytes(payload.len())?;
        let stream = deflate(payload, level)?;
        let bytes = [size, stream].concat();
        (bytes.len() <= version.max_payload_len()).then(|| Self { bytes: bytes.into(), compressed: true })
    }
}

/// Long enough, and not made of nearly all byte values there could be: fewer than nine in ten.
fn worth_a_try(payload: &[u8]) -> bool {
    if payload.len() < MIN_LEN {
        return false;
    }
    let mut present = [false; 256];
    for &byte in payload {
        if let Some(seen) = present.get_mut(usize::from(byte)) {
            *seen = true;
        }
    }
    let distinct = present.into_iter().filter(|&seen| seen).count();
    distinct * 10 < payload.len().min(256) * 9
}

/// Raw DEFLATE; `None` unless it is shorter than what went in.
fn deflate(payload: &[u8], level: u32) -> Option<Vec<u8>> {
    let mut encoder = Compress::new(Compression::new(level), false);
    let mut stream = vec![0; payload.len().saturating_sub(1)];
    let status = encoder.compress(payload, &mut stream, FlushCompress::Finish).ok()?;
    stream.truncate(usize::try_from(encoder.total_out()).ok()?);
    (status == Status::StreamEnd).then_some(stream)
}

/// What a compressed payload was; the caller has held `declared` against the ceiling.
pub(super) fn inflate(stream: &[u8], declared: usize) -> Result<Bytes, InflateError> {
    let compressed = stream.len();
    if declared == 0 {
        return Err(InflateError::OriginalEmpty);
    }
    if compressed == 0 {
        return Err(InflateError::Empty);
    }
    if declared > compressed.saturating_mul(MAX_RATIO) {
        return Err(InflateError::Ratio { compressed, declared });
    }
    inflate_exactly(stream, declared, false)
        .or_else(|| inflate_exactly(stream, declared, true))
        .map(Bytes::from)
        .ok_or(InflateError::Stream { compressed, declared })
}

/// One whole stream of exactly `declared` bytes, with nothing behind it.
fn inflate_exactly(stream: &[u8], declared: usize, zlib_header: bool) -> Option<Vec<u8>> {
    let mut decoder = Decompress::new(zlib_header);
    // One byte of room too much, so that a longer stream shows.
    let mut payload = vec![0; declared.saturating_add(1)];
    let status = decoder.decompress(stream, &mut payload, FlushDecompress::Finish).ok()?;
    payload.truncate(declared);
    let whole = status == Status::StreamEnd
        && usize::try_from(decoder.total_in()) == Ok(stream.len())
        && usize::try_from(decoder.total_out()) == Ok(declared);
    whole.then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Bytes {
        Bytes::from("the quick brown fox jumps over the lazy dog. ".repeat(4))
    }

    fn zlib_wrapped(payload: &[u8]) -> Vec<u8> {
        let mut encoder = Compress::new(Compression::new(LEVEL_DEFAULT), true);
        let mut stream = vec![0; payload.len() + 64];
        encoder.compress(payload, &mut stream, FlushCompress::Finish).unwrap();
        stream.truncate(usize::try_from(encoder.total_out()).unwrap());
        stream
    }

    #[test]
    fn short_and_random_payloads_stay_plain() {
        let short = text().slice(..99);
        assert!(!WirePayload::by_rule(Version::V1, &short).compressed);
        assert!(WirePayload::by_rule(Version::V1, &text().slice(..100)).compressed);
        // Ninety different values in a hundred bytes are nine in ten; eighty-nine are fewer.
        let of = |distinct: u8| (0..100).map(|byte: u8| byte.min(distinct - 1)).collect::<Vec<_>>();
        assert!(!worth_a_try(&of(90)));
        assert!(worth_a_try(&of(89)));
    }

    #[test]
    fn a_payload_too_long_for_the_original_size_stays_plain() {
        let long = Bytes::from(vec![b'a'; 65_536]);
        assert!(WirePayload::deflated(Version::V1, &long, LEVEL_DEFAULT).is_none());
        assert!(WirePayload::deflated(Version::V2, &long, LEVEL_DEFAULT).is_some());
    }

    #[test]
    fn raw_and_zlib_wrapped_streams_inflate() {
        let text = text();
        let raw = deflate(&text, LEVEL_DEFAULT).unwrap();
        assert_eq!(inflate(&raw, text.len()), Ok(text.clone()));
        assert_eq!(inflate(&zlib_wrapped(&text), text.len()), Ok(text));
    }

    #[test]
    fn a_stream_that_is_not_exactly_what_it_declares_is_refused() {
        let text = text();
        let raw = deflate(&text, LEVEL_DEFAULT).unwrap();
        for declared in [1, text.len() - 1, text.len() + 1, 1_000_000] {
            assert_eq!(
                inflate(&raw, declared),
                Err(InflateError::Stream { compressed: raw.len(), declared }),
                "{declared} declared"
            );
        }
        let trailing = [raw.as_slice(), &[0]].concat();
        assert!(inflate(&trailing, text.len()).is_err());
        assert!(inflate(&raw[..raw.len() - 1], text.len()).is_err());
    }

    #[test]
    fn impossible_declarations_are_refused_before_any_work() {
        assert_eq!(inflate(&[1], 0), Err(InflateError::OriginalEmpty));
        assert_eq!(inflate(&[], 5), Err(InflateError::Empty));
        assert_eq!(inflate(&[1], 50_001), Err(InflateError::Ratio { compressed: 1, declared: 50_001 }));
    }
}
