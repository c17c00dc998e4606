//! One direction of a tunnel: every frame is sealed under the next counter, and the key is changed long before
//! its use becomes unsafe (HTX spec 7).
//!
//! ring wipes no key of its own when it is dropped; what we keep of a key beside it is wiped.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::error::Violation;
use super::frame::{Header, Kind, MAX_HEADER_LEN, Sealed, TAG_LEN, put_header};
use super::keys::{next_key, nonce_salt};
use crate::time::Instant;

/// The counter at which a direction ends for good.
const LAST_COUNTER: u64 = 1 << 48;
/// A KEY_UPDATE may follow the one before after this many frames, or ...
const FRAMES_BETWEEN: u64 = 1000;
/// ... after this long.
const TIME_BETWEEN: Duration = Duration::from_secs(600);
/// What we add to that: the peer counts from when a KEY_UPDATE arrives, and the first may have been on its way longer.
const TRANSIT: Duration = Duration::from_secs(60);
/// Bytes of a KEY_UPDATE frame.
const KEY_UPDATE_LEN: u64 = 4 + TAG_LEN as u64;

/// How long one key is used; whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RekeyLimits {
    /// Frames, the KEY_UPDATE included.
    pub frames: u64,
    /// Bytes on the wire, the KEY_UPDATE included.
    pub bytes: u64,
    /// Time.
    pub age: Duration,
}

impl RekeyLimits {
    /// As long as the specification allows.
    pub const LONGEST: Self = Self { frames: 1 << 16, bytes: 8 << 30, age: Duration::from_secs(3600) };
    /// As short as no peer may reject: a thousand full frames, ten minutes.
    pub const SHORTEST: Self =
        Self { frames: FRAMES_BETWEEN, bytes: FRAMES_BETWEEN << 14, age: TIME_BETWEEN };

    /// Within what the specification allows.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            frames: self.frames.clamp(Self::SHORTEST.frames, Self::LONGEST.frames),
            bytes: self.bytes.clamp(Self::SHORTEST.bytes, Self::LONGEST.bytes),
            age: self.age.clamp(Self::SHORTEST.age, Self::LONGEST.age),
        }
    }
}

impl Default for RekeyLimits {
    fn default() -> Self {
        Self::LONGEST
    }
}

/// Every counter of this direction is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all counters of this direction are used")]
pub struct Exhausted;

/// A frame was not sealed by the peer for this place: forged, damaged, replayed, reflected, or under an old key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame does not authenticate")]
pub struct Unauthentic;

/// What one key does: its nonces, and the key after it.
struct Epoch {
    cipher: LessSafeKey,
    key: Zeroizing<[u8; 32]>,
    transcript: [u8; 32],
    salt: [u8; 12],
    /// The counter of the next frame.
    counter: u64,
    since: Instant,
}

impl Epoch {
    fn new(key: Zeroizing<[u8; 32]>, transcript: [u8; 32], now: Instant) -> Self {
        let cipher = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).expect("the key has 32 bytes");
        let salt = nonce_salt(&key);
        Self { cipher: LessSafeKey::new(cipher), key, transcript, salt, counter: 0, since: now }
    }

    fn succeed(&mut self, now: Instant) {
        *self = Self::new(next_key(&self.key, &self.transcript), self.transcript, now);
    }

    /// The nonce of the next frame, used up by asking for it.
    fn next_nonce(&mut self) -> Option<Nonce> {
        let counter = self.counter;
        if counter >= LAST_COUNTER {
            return None;
        }
        self.counter = counter.saturating_add(1);
        let mut nonce = self.salt;
        nonce.iter_mut().zip(counter.to_le_bytes()).for_each(|(byte, counter)| *byte ^= counter);
        Some(Nonce::assume_unique_for_key(nonce))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch")
            .field("counter", &self.counter)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

/// Seals what we send.
#[derive(Debug)]
pub struct Sealer {
    epoch: Epoch,
    /// Bytes sealed under this key.
    bytes: u64,
    /// How many keys there were before this one.
    updates: u64,
    limits: RekeyLimits,
}

impl Sealer {
    /// From the first key of this direction and the final Noise hash.
    pub fn new(key: Zeroizing<[u8; 32]>, transcript: [u8; 32], limits: RekeyLimits, now: Instant) -> Self {
        Self { epoch: Epoch::new(key, transcript, now), bytes: 0, updates: 0, limits: limits.clamped() }
    }

    /// Appends one frame, whose plaintext is these pieces one after the other; before it a KEY_UPDATE where the
    /// key has served long enough. `stream` counts for the kinds that have one.
    pub fn seal(
        &mut self,
        kind: Kind,
        stream: u64,
        plaintext: &[Bytes],
        now: Instant,
        out: &mut BytesMut,
    ) -> Result<(), Exhausted> {
        let length = plaintext.iter().map(Bytes::len).sum();
        if self.is_worn(length, now) {
            self.update_key(now, out)?;
        }
        self.append(kind, stream, length, plaintext, out)
    }

    /// Appends a KEY_UPDATE as the last frame of this key, and goes on with the next.
    pub fn update_key(&mut self, now: Instant, out: &mut BytesMut) -> Result<(), Exhausted> {
        self.append(Kind::KeyUpdate, 0, 0, &[], out)?;
        self.epoch.succeed(now);
        self.bytes = 0;
        self.updates = self.updates.saturating_add(1);
        Ok(())
    }

    /// Whether the peer has to accept a KEY_UPDATE at this time.
    pub fn may_update_key(&self, now: Instant) -> bool {
        self.updates == 0
            || self.epoch.counter.saturating_add(1) >= FRAMES_BETWEEN
            || now.since(self.epoch.since) >= TIME_BETWEEN + TRANSIT
    }

    /// When the key is to be changed for its age.
    pub fn worn_at(&self) -> Instant {
        self.epoch.since + self.limits.age
    }

    /// How many times the key was changed.
    pub const fn key_updates(&self) -> u64 {
        self.updates
    }

    /// Whether the frame after this one might be one too many.
    fn is_worn(&self, length: usize, now: Instant) -> bool {
        let longest = length.saturating_add(MAX_HEADER_LEN + TAG_LEN) as u64;
        self.epoch.counter.saturating_add(1) >= self.limits.frames
            || self.bytes.saturating_add(longest + KEY_UPDATE_LEN) > self.limits.bytes
            || now >= self.worn_at()
    }

    fn append(
        &mut self,
        kind: Kind,
        stream: u64,
        length: usize,
        plaintext: &[Bytes],
        out: &mut BytesMut,
    ) -> Result<(), Exhausted> {
        let nonce = self.epoch.next_nonce().ok_or(Exhausted)?;
        let start = out.len();
        out.reserve(MAX_HEADER_LEN + length + TAG_LEN);
        put_header(out, kind, stream, length);
        let body = out.len();
        plaintext.iter().for_each(|piece| out.extend_from_slice(piece));
        let (before, plaintext) = out.split_at_mut(body);
        let header = before.split_at(start).1;
        let tag = self
            .epoch
            .cipher
            .seal_in_place_separate_tag(nonce, Aad::from(header), plaintext)
            .map_err(|_| Exhausted)?;
        out.extend_from_slice(tag.as_ref());
        self.bytes = self.bytes.saturating_add((out.len() - start) as u64);
        Ok(())
    }
}

/// Opens what we receive.
#[derive(Debug)]
pub struct Opener {
    epoch: Epoch,
    updated: bool,
}

impl Opener {
    /// From the first key of this direction and the final Noise hash.
    pub fn new(key: Zeroizing<[u8; 32]>, transcript: [u8; 32], now: Instant) -> Self {
        Self { epoch: Epoch::new(key, transcript, now), updated: false }
    }

    /// Opens the next frame; gives its header and its plaintext.
    pub fn open(&mut self, sealed: Sealed) -> Result<(Header, BytesMut), Unauthentic> {
        let Sealed { header, mut body } = sealed;
        let nonce = self.epoch.next_nonce().ok_or(Unauthentic)?;
        let length = self
            .epoch
            .cipher
            .open_in_place(nonce, Aad::from(header.bytes()), &mut body)
            .map_err(|_| Unauthentic)?
            .len();
        body.truncate(length);
        Ok((header, body))
    }

    /// A KEY_UPDATE was opened: the old key is erased. One that follows another too soon is refused.
    pub fn update_key(&mut self, now: Instant) -> Result<(), Violation> {
        let frames = self.epoch.counter;
        if self.updated && frames < FRAMES_BETWEEN && now.since(self.epoch.since) < TIME_BETWEEN {
            return Err(Violation::HastyKeyUpdate { frames });
        }
        self.updated = true;
        self.epoch.succeed(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::frame::Reader;
    use super::*;

    const TRANSCRIPT: [u8; 32] = [9; 32];
    const HOUR: Duration = Duration::from_secs(3600);

    fn pair(limits: RekeyLimits) -> (Sealer, Opener) {
        let key = || Zeroizing::new([7; 32]);
        let sealer = Sealer::new(key(), TRANSCRIPT, limits, Instant::ZERO);
        (sealer, Opener::new(key(), TRANSCRIPT, Instant::ZERO))
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn sealed(sealer: &mut Sealer, kind: Kind, stream: u64, plaintext: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        sealer.seal(kind, stream, &[Bytes::copy_from_slice(plaintext)], Instant::ZERO, &mut out).unwrap();
        out.to_vec()
    }

    fn frames(wire: &[u8]) -> Vec<Sealed> {
        let (mut reader, mut wire) = (Reader::default(), Bytes::copy_from_slice(wire));
        std::iter::from_fn(|| reader.read(&mut wire).unwrap()).collect()
    }

    fn only(wire: &[u8]) -> Sealed {
        let mut frames = frames(wire);
        assert_eq!(frames.len(), 1);
        frames.remove(0)
    }

    /// Opens what was sealed, changing the key where told to; gives the kinds.
    fn opened(opener: &mut Opener, wire: &[u8], now: Instant) -> Vec<Kind> {
        let open = |sealed| {
            let kind = opener.open(sealed).unwrap().0.kind();
            if kind == Kind::KeyUpdate {
                opener.update_key(now).unwrap();
            }
            kind
        };
        frames(wire).into_iter().map(open).collect()
    }

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/htx.json")).unwrap()
    }

    fn hex(value: &Value) -> Vec<u8> {
        HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn r25_the_frame_vectors_of_the_1_1_wire_are_sealed_and_opened() {
        let vectors = vectors();
        let key: [u8; 32] = hex(&vectors["keys_1_1_bound"]["dir"]["c"]["key"]).try_into().unwrap();
        let mut sealer = Sealer::new(Zeroizing::new(key), TRANSCRIPT, RekeyLimits::default(), Instant::ZERO);
        let mut opener = Opener::new(Zeroizing::new(key), TRANSCRIPT, Instant::ZERO);
        let frames = vectors["frames_1_1"].as_array().unwrap();
        assert_eq!(frames.len(), 7);
        for vector in frames {
            let kind = Kind::from_code(vector["type"].as_u64().unwrap().try_into().unwrap());
            let stream = vector["stream_id"].as_u64().unwrap();
            let (plaintext, wire) = (hex(&vector["plaintext"]), hex(&vector["wire"]));
            assert_eq!(sealer.epoch.counter, vector["counter"].as_u64().unwrap());
            assert_eq!(sealed(&mut sealer, kind, stream, &plaintext), wire);
            let (header, opened) = opener.open(only(&wire)).unwrap();
            assert_eq!((header.kind(), header.stream(), &opened[..]), (kind, stream, &plaintext[..]));
        }
    }

    #[test]
    fn r20_the_key_after_a_key_update_and_its_nonces_are_those_of_the_vectors() {
        let vectors = vectors();
        let keys = &vectors["keys_1_1_bound"];
        let transcript: [u8; 32] = hex(&keys["noise_h"]).try_into().unwrap();
        for direction in ["c", "s"] {
            let direction = &keys["dir"][direction];
            let key: [u8; 32] = hex(&direction["key"]).try_into().unwrap();
            let mut sealer =
                Sealer::new(Zeroizing::new(key), transcript, RekeyLimits::default(), Instant::ZERO);
            assert_eq!(sealer.epoch.salt.to_vec(), hex(&direction["ns"]));
            sealer.update_key(Instant::ZERO, &mut BytesMut::new()).unwrap();
            assert_eq!(sealer.epoch.key.to_vec(), hex(&direction["next_key"]));
            assert_eq!(sealer.epoch.salt.to_vec(), hex(&direction["next_ns"]));
            assert_eq!(sealer.epoch.counter, 0);
        }
    }

    #[test]
    fn r22_the_key_changes_with_the_65536th_frame_and_the_old_one_is_not_used_again() {
        let (mut sealer, mut opener) = pair(RekeyLimits::default());
        for number in 1..65_536 {
            let wire = sealed(&mut sealer, Kind::Stream, 3, b"x");
            assert_eq!(opened(&mut opener, &wire, Instant::ZERO), [Kind::Stream], "frame {number}");
        }
        let old = sealer.epoch.key.clone();
        let wire = sealed(&mut sealer, Kind::Stream, 3, b"x");
        assert_eq!(opened(&mut opener, &wire, Instant::ZERO), [Kind::KeyUpdate, Kind::Stream]);
        assert_eq!((sealer.epoch.counter, sealer.key_updates()), (1, 1));
        assert_ne!(sealer.epoch.key, old);
    }

    #[test]
    fn r22_the_key_changes_before_8_gib() {
        let (mut sealer, mut opener) = pair(RekeyLimits::default());
        let one_more = 4 + 1 + 100 + 16;
        // What may follow in the worst case is a header of twelve bytes, and the KEY_UPDATE.
        sealer.bytes = (8 << 30) - one_more - (MAX_HEADER_LEN as u64 - 5) - KEY_UPDATE_LEN;
        let wire = sealed(&mut sealer, Kind::Stream, 3, &[1; 100]);
        assert_eq!(opened(&mut opener, &wire, Instant::ZERO), [Kind::Stream]);
        let wire = sealed(&mut sealer, Kind::Stream, 3, &[1; 100]);
        assert_eq!(opened(&mut opener, &wire, Instant::ZERO), [Kind::KeyUpdate, Kind::Stream]);
        assert_eq!(sealer.bytes, one_more);
    }

    #[test]
    fn r22_the_key_changes_after_an_hour() {
        let (mut sealer, mut opener) = pair(RekeyLimits::default());
        let mut out = BytesMut::new();
        let almost = Instant::ZERO + HOUR - Duration::from_millis(1);
        sealer.seal(Kind::Ping, 0, &[], almost, &mut out).unwrap();
        sealer.seal(Kind::Ping, 0, &[], Instant::ZERO + HOUR, &mut out).unwrap();
        assert_eq!(opened(&mut opener, &out, Instant::ZERO), [Kind::Ping, Kind::KeyUpdate, Kind::Ping]);
        assert_eq!(sealer.worn_at(), Instant::ZERO + HOUR + HOUR);
    }

    #[test]
    fn r23_a_frame_under_the_old_key_does_not_open_after_a_key_update() {
        let (mut sealer, mut opener) = pair(RekeyLimits::default());
        let mut old = Sealer::new(Zeroizing::new([7; 32]), TRANSCRIPT, RekeyLimits::default(), Instant::ZERO);
        let mut out = BytesMut::new();
        sealer.update_key(Instant::ZERO, &mut out).unwrap();
        opened(&mut opener, &out, Instant::ZERO);
        assert_eq!(opener.open(only(&sealed(&mut old, Kind::Stream, 3, b"x"))), Err(Unauthentic));
    }

    #[test]
    fn r23_a_second_key_update_is_refused_before_1000_frames_and_ten_minutes() {
        for (frames, seconds, allowed) in [(998, 599, false), (999, 0, true), (0, 600, true)] {
            let (mut sealer, mut opener) = pair(RekeyLimits::default());
            let mut out = BytesMut::new();
            sealer.update_key(at(1), &mut out).unwrap();
            assert_eq!(opened(&mut opener, &out, at(1)), [Kind::KeyUpdate], "the first may come at any time");
            for _ in 0..frames {
                let wire = sealed(&mut sealer, Kind::Ping, 0, b"");
                opened(&mut opener, &wire, at(1));
            }
            assert_eq!(sealer.may_update_key(at(61 + seconds)), allowed);
            let mut out = BytesMut::new();
            sealer.update_key(at(1 + seconds), &mut out).unwrap();
            opener.open(only(&out)).unwrap();
            let expected =
                if allowed { Ok(()) } else { Err(Violation::HastyKeyUpdate { frames: frames + 1 }) };
            assert_eq!(opener.update_key(at(1 + seconds)), expected, "after {frames} frames, {seconds} s");
        }
    }

    #[test]
    fn no_frame_is_sealed_or_opened_beyond_the_last_counter() {
        let (mut sealer, mut opener) = pair(RekeyLimits::default());
        sealer.limits.frames = u64::MAX;
        (sealer.epoch.counter, opener.epoch.counter) = (LAST_COUNTER - 1, LAST_COUNTER - 1);
        let last = sealed(&mut sealer, Kind::Stream, 3, b"last");
        assert_eq!(&opener.open(only(&last)).unwrap().1[..], b"last");
        let mut out = BytesMut::new();
        assert_eq!(sealer.seal(Kind::Stream, 3, &[], Instant::ZERO, &mut out), Err(Exhausted));
        assert_eq!(sealer.update_key(Instant::ZERO, &mut out), Err(Exhausted));
        assert!(out.is_empty());
        assert_eq!(opener.open(only(&last)), Err(Unauthentic));
    }

    /// A million tiny frames; keys change as often as limits and whim allow. The pair (key, counter) of a frame
    /// rises: either the counter by one under the same key, or the key is one never seen before.
    #[test]
    fn r24_no_counter_is_used_twice_under_one_key_in_a_million_frames() {
        let (mut sealer, mut opener) = pair(RekeyLimits { frames: 1500, ..RekeyLimits::LONGEST });
        let mut keys = BTreeSet::from([*sealer.epoch.key]);
        let mut last = None;
        let mut out = BytesMut::new();
        let (mut reader, mut total) = (Reader::default(), 0);
        while total < 1_000_000 {
            let wish = total % 4099 == 4000 && sealer.may_update_key(Instant::ZERO);
            if wish {
                sealer.update_key(Instant::ZERO, &mut out).unwrap();
            }
            sealer.seal(Kind::Stream, 3, &[], Instant::ZERO, &mut out).unwrap();
            let mut wire = out.split().freeze();
            while let Some(sealed) = reader.read(&mut wire).unwrap() {
                let used = (*opener.epoch.key, opener.epoch.counter);
                match last.replace(used) {
                    Some((key, counter)) if key == used.0 => assert_eq!(used.1, counter + 1),
                    Some(_) => assert!(keys.insert(used.0) && used.1 == 0),
                    None => assert_eq!(used.1, 0),
                }
                total += 1;
                if opener.open(sealed).unwrap().0.kind() == Kind::KeyUpdate {
                    opener.update_key(Instant::ZERO).unwrap();
                }
            }
        }
        assert_eq!(keys.len() as u64, sealer.key_updates() + u64::from(last.unwrap().1 > 0));
        assert!(keys.len() > 700, "{} keys", keys.len());
    }

    #[test]
    fn nonces_follow_the_formula_of_the_specification() {
        let (mut sealer, _) = pair(RekeyLimits::default());
        sealer.epoch.counter = 0x0000_A0B0_C0D0_E0F0;
        let nonce = *sealer.epoch.next_nonce().unwrap().as_ref();
        let mut expected = sealer.epoch.salt;
        let counter = [0xF0, 0xE0, 0xD0, 0xC0, 0xB0, 0xA0, 0, 0, 0, 0, 0, 0];
        expected.iter_mut().zip(counter).for_each(|(byte, counter)| *byte ^= counter);
        assert_eq!(nonce, expected);
    }

    #[test]
    fn r27_a_flipped_bit_anywhere_in_a_frame_is_noticed() {
        for (kind, stream) in [(Kind::Stream, 70), (Kind::Ping, 0), (Kind::WindowUpdate, 4)] {
            let wire = sealed(&mut pair(RekeyLimits::default()).0, kind, stream, b"plaintext");
            for place in 0..wire.len() * 8 {
                let mut flipped = wire.clone();
                flipped[place / 8] ^= 1 << (place % 8);
                // A changed length may ask for bytes that never come, or leave some over.
                let mut bytes = Bytes::from(flipped);
                if let Ok(Some(sealed)) = Reader::default().read(&mut bytes) {
                    let opened = pair(RekeyLimits::default()).1.open(sealed);
                    assert_eq!(opened, Err(Unauthentic), "bit {place} of {kind:?}");
                }
            }
        }
    }

    #[test]
    fn r27_a_stream_id_in_another_form_is_another_header() {
        let wire = sealed(&mut pair(RekeyLimits::default()).0, Kind::Stream, 3, b"plaintext");
        let longer = [&wire[..4], &[0x40, 3], &wire[5..]].concat();
        assert_eq!(only(&longer).header.stream(), 3);
        assert_eq!(pair(RekeyLimits::default()).1.open(only(&longer)), Err(Unauthentic));
    }

    #[test]
    fn debug_shows_no_key() {
        let (sealer, opener) = pair(RekeyLimits::default());
        let shown = format!("{sealer:?} {opener:?}");
        assert!(!shown.contains("7, 7") && !shown.contains("key:") && !shown.contains("salt"), "{shown}");
    }

    proptest! {
        #[test]
        fn frames_open_in_order_and_in_no_other(
            texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 2..12),
            skipped in 1usize..11,
        ) {
            let (mut sealer, mut opener) = pair(RekeyLimits::default());
            let wires: Vec<_> =
                texts.iter().map(|text| sealed(&mut sealer, Kind::Stream, 3, text)).collect();
            for (text, wire) in texts.iter().zip(&wires) {
                let (_, opened) = opener.open(only(wire)).unwrap();
                prop_assert_eq!(&opened[..], &text[..]);
            }
            let (_, mut opener) = pair(RekeyLimits::default());
            let early = &wires[skipped.min(wires.len() - 1)];
            prop_assert_eq!(opener.open(only(early)), Err(Unauthentic));
        }
    }
}
