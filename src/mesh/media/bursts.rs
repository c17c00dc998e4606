//! Live voice, packet by packet, until a burst is over (spec 3.10).
//!
//! What comes out is a stream of ADTS frames, which every player knows: the access units as they came, each behind the
//! seven bytes that say what it is.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::ids::PeerId;
use crate::time::{Instant, UnixMillis};
use crate::wire::adts::{ADTS_LEN, header};
use crate::wire::voice::{AAC_LC_16K, VoiceBody, VoicePacket};

/// Bursts collected at once; a further one is refused.
const MAX_BURSTS: usize = 8;
/// Bursts of one speaker at once: who speaks again soon, while the end of what came before was lost.
const MAX_OF_ONE: usize = 3;
/// Bursts of everybody who is no contact: whoever invents speakers leaves room for contacts.
const MAX_OF_STRANGERS: usize = 5;
/// Bytes of one burst.
const MAX_BYTES: usize = 384 * 1_024;
/// Bytes a burst may have for each second since it began, and what it may have at once.
const BYTES_PER_SECOND: usize = 6_000;
/// How long a burst may be silent.
const IDLE: Duration = Duration::from_secs(10);
/// How long the packets of a burst that ended may be late.
const LATE: Duration = Duration::from_secs(2);

/// Which burst: whose, which, and whether it came in a session.
pub(super) type Key = (PeerId, [u8; 8], bool);

/// Whose voice it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speaker {
    /// Who speaks.
    pub(super) peer: PeerId,
    /// Whether in a session.
    pub(super) sealed: bool,
    /// Whether it is a contact.
    pub(super) contact: bool,
}

#[derive(Debug)]
struct Burst {
    contact: bool,
    packets: BTreeMap<u16, Vec<Bytes>>,
    bytes: usize,
    /// How many packets of sound there were, once its end came.
    ends: Option<u16>,
    began: Instant,
    sent: UnixMillis,
    due: Instant,
}

/// A burst that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recording {
    /// Which.
    pub(super) key: Key,
    /// When it began, by the speaker's clock.
    pub(super) sent: UnixMillis,
    /// A stream of ADTS frames.
    pub(super) stream: Bytes,
}

/// The limit that a packet of a burst broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// The bursts being collected.
#[derive(Debug, Default)]
pub(super) struct Bursts {
    open: BTreeMap<Key, Burst>,
}

impl Bursts {
    /// Takes a packet of a burst. A burst whose beginning was lost begins with whatever comes first.
    pub(super) fn take(
        &mut self,
        from: Speaker,
        packet: VoicePacket,
        sent: UnixMillis,
        now: Instant,
    ) -> Result<(), Refused> {
        let key = (from.peer, packet.burst, from.sealed);
        match packet.body {
            VoiceBody::Start { codec: AAC_LC_16K } => self.open(key, from.contact, sent, now).map(|_| ()),
            VoiceBody::Start { .. } => Err(Refused),
            VoiceBody::Sound(units) => {
                self.open(key, from.contact, sent, now)?.add(packet.number, units, now)
            }
            VoiceBody::End { packets, .. } => {
                let Some(burst) = self.open.get_mut(&key) else { return Ok(()) };
                burst.ends = Some(packets);
                burst.due = if burst.is_whole() { now } else { now + LATE };
                Ok(())
            }
            VoiceBody::Canceled => {
                self.open.remove(&key);
                Ok(())
            }
        }
    }

    /// The recording of a burst came before it was over.
    pub(super) fn forget(&mut self, key: Key) {
        self.open.remove(&key);
    }

    /// The next burst that is over.
    pub(super) fn pop_over(&mut self, now: Instant) -> Option<Recording> {
        loop {
            let key = *self.open.iter().find(|(_, burst)| burst.due <= now)?.0;
            let burst = self.open.remove(&key)?;
            if burst.bytes > 0 {
                return Some(Recording { key, sent: burst.sent, stream: burst.stream() });
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.open.values().map(|burst| burst.due).min()
    }

    fn open(
        &mut self,
        key: Key,
        contact: bool,
        sent: UnixMillis,
        now: Instant,
    ) -> Result<&mut Burst, Refused> {
        if !self.open.contains_key(&key) && !self.has_room(key.0, contact) {
            return Err(Refused);
        }
        let due = now + IDLE;
        let begin =
            || Burst { contact, packets: BTreeMap::new(), bytes: 0, ends: None, began: now, sent, due };
        Ok(self.open.entry(key).or_insert_with(begin))
    }

    fn has_room(&self, peer: PeerId, contact: bool) -> bool {
        let of_peer = self.open.keys().filter(|(other, ..)| *other == peer).count();
        let of_strangers = self.open.values().filter(|burst| !burst.contact).count();
        self.open.len() < MAX_BURSTS && of_peer < MAX_OF_ONE && (contact || of_strangers < MAX_OF_STRANGERS)
    }
}

impl Burst {
    fn add(&mut self, number: u16, units: Vec<Bytes>, now: Instant) -> Result<(), Refused> {
        if self.packets.contains_key(&number) {
            return Ok(());
        }
        let size: usize = units.iter().map(|unit| unit.len() + ADTS_LEN).sum();
        let seconds = usize::try_from(now.since(self.began).as_secs()).unwrap_or(usize::MAX);
        let allowed = seconds.saturating_add(2).saturating_mul(BYTES_PER_SECOND).min(MAX_BYTES);
        if self.bytes + size > allowed {
            return Err(Refused);
        }
        self.bytes += size;
        self.packets.insert(number, units);
        self.due = match self.ends {
            None => now + IDLE,
            Some(_) if self.is_whole() => now,
            Some(_) => self.due,
        };
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.ends.is_some_and(|ends| self.packets.len() >= usize::from(ends))
    }

    fn stream(&self) -> Bytes {
        let mut stream = Vec::with_capacity(self.bytes);
        for unit in self.packets.values().flatten() {
            stream.extend(header(unit.len()));
            stream.extend(unit);
        }
        stream.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: UnixMillis = UnixMillis(5);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn of(seed: u8, contact: bool) -> Speaker {
        Speaker { peer: PeerId([seed; 8]), sealed: false, contact }
    }

    fn say(bursts: &mut Bursts, number: u16, body: VoiceBody, now: u64) -> Result<(), Refused> {
        bursts.take(of(2, false), VoicePacket { burst: [7; 8], number, body }, SENT, at(now))
    }

    fn sound(byte: u8, len: usize) -> VoiceBody {
        VoiceBody::Sound(vec![vec![byte; len].into()])
    }

    #[test]
    fn a_burst_is_put_in_order_and_over_when_all_of_it_came() {
        let mut bursts = Bursts::default();
        say(&mut bursts, 0, VoiceBody::Start { codec: 1 }, 0).unwrap();
        say(&mut bursts, 2, sound(0xB, 3), 1).unwrap();
        say(&mut bursts, 3, VoiceBody::End { packets: 2, milliseconds: 128 }, 1).unwrap();
        assert_eq!(bursts.pop_over(at(1)), None, "a packet is late");
        say(&mut bursts, 1, sound(0xA, 2), 2).unwrap();
        let recording = bursts.pop_over(at(2)).unwrap();
        let frame = |unit: &[u8]| [header(unit.len()).as_slice(), unit].concat();
        assert_eq!(recording.stream, [frame(&[0xA; 2]), frame(&[0xB; 3])].concat());
        assert_eq!((recording.sent, bursts.poll_timeout()), (SENT, None));
    }

    #[test]
    fn what_was_taken_back_or_has_no_sound_leaves_nothing() {
        let mut bursts = Bursts::default();
        say(&mut bursts, 1, sound(1, 9), 0).unwrap();
        say(&mut bursts, 2, VoiceBody::Canceled, 0).unwrap();
        say(&mut bursts, 0, VoiceBody::Start { codec: 1 }, 0).unwrap();
        assert_eq!(bursts.pop_over(at(100)), None);
        assert_eq!(say(&mut bursts, 0, VoiceBody::Start { codec: 2 }, 0), Err(Refused));
    }

    #[test]
    fn a_burst_that_falls_silent_is_over() {
        let mut bursts = Bursts::default();
        say(&mut bursts, 1, sound(1, 9), 0).unwrap();
        assert_eq!(bursts.poll_timeout(), Some(at(10)));
        assert!(bursts.pop_over(at(9)).is_none() && bursts.pop_over(at(10)).is_some());
    }

    #[test]
    fn nobody_says_more_than_a_voice_can() {
        let mut bursts = Bursts::default();
        let taken = (1..1_000).filter(|&number| say(&mut bursts, number, sound(1, 190), 0).is_ok()).count();
        assert_eq!(taken, 2 * BYTES_PER_SECOND / 197);
        let more = (1_000..9_000).filter(|&number| say(&mut bursts, number, sound(1, 190), 1_000).is_ok());
        assert!((taken + more.count()) * 197 <= MAX_BYTES);
    }

    #[test]
    fn one_speaker_takes_three_places_strangers_five_and_all_together_eight() {
        let mut bursts = Bursts::default();
        let mut taken = |from: Speaker| {
            let begin = |burst| VoicePacket { burst: [burst; 8], number: 1, body: sound(1, 9) };
            (0..9).filter(|&burst| bursts.take(from, begin(burst), SENT, at(0)).is_ok()).count()
        };
        assert_eq!(taken(of(2, false)), 3);
        assert_eq!((3..20).map(|seed| taken(of(seed, false))).sum::<usize>(), 2);
        assert_eq!((taken(of(20, true)), taken(of(21, true))), (3, 0));
    }
}
