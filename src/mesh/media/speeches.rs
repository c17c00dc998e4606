//! Recordings that are spoken live: their sound leaves packet by packet, as fast as it is heard, and then the whole of
//! it as a file (spec 3.10).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::ids::{AttemptId, PeerId, to_hex};
use crate::time::Instant;
use crate::wire::voice::{AAC_LC_16K, MAX_UNITS, MAX_UNITS_LEN, UNIT_HEAD, VoiceBody, VoicePacket};
use crate::wire::{MediaFile, MediaType};

/// Recordings spoken at once.
const MAX_SPEECHES: usize = 2;
/// How long one access unit is heard: 1,024 samples at 16 kHz.
const UNIT: Duration = Duration::from_millis(64);
/// How long a session may take to come about.
const SESSION_PATIENCE: Duration = Duration::from_secs(15);

/// A recording, and to whom it is spoken.
#[derive(Debug, Clone)]
pub(super) struct Speech {
    /// The peer; everyone when there is none.
    pub(super) to: Option<PeerId>,
    /// Its burst.
    pub(super) burst: [u8; 8],
    /// The stream as it was recorded.
    pub(super) recording: Bytes,
}

/// What is to be done for a speech.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// This packet leaves, the `number`th of so many.
    Say { attempt: AttemptId, to: Option<PeerId>, packet: VoicePacket, packets: u16 },
    /// All of it was spoken; the recording follows.
    Said { attempt: AttemptId, to: Option<PeerId>, recording: MediaFile },
    /// No session with the peer came about.
    Unheard { attempt: AttemptId },
}

#[derive(Debug)]
struct Speaking {
    speech: Speech,
    /// What is left, and when each is due, from the beginning on.
    packets: VecDeque<(Duration, VoicePacket)>,
    count: u16,
    /// Since when it is spoken, once it is.
    since: Option<Instant>,
    due: Instant,
}

/// All recordings that are being spoken.
#[derive(Debug, Default)]
pub(super) struct Speeches {
    open: BTreeMap<AttemptId, Speaking>,
}

impl Speeches {
    /// Takes a recording in these access units; it waits for [`Self::begin`]. False when there are too many.
    pub(super) fn add(&mut self, attempt: AttemptId, speech: Speech, units: &[Bytes], now: Instant) -> bool {
        if self.open.len() >= MAX_SPEECHES {
            return false;
        }
        let packets = packets(speech.burst, units);
        let count = u16::try_from(packets.len()).unwrap_or(u16::MAX);
        let speaking = Speaking { speech, packets, count, since: None, due: now + SESSION_PATIENCE };
        self.open.insert(attempt, speaking);
        true
    }

    /// What waits to be spoken to this peer, or to everyone, begins.
    pub(super) fn begin(&mut self, to: Option<PeerId>, now: Instant) {
        let waiting = |it: &&mut Speaking| it.speech.to == to && it.since.is_none();
        for speaking in self.open.values_mut().filter(waiting) {
            (speaking.since, speaking.due) = (Some(now), now);
        }
    }

    /// The next thing to do.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Due> {
        let (&attempt, speaking) = self.open.iter_mut().find(|(_, speaking)| speaking.due <= now)?;
        let (to, packets) = (speaking.speech.to, speaking.count);
        let Some(since) = speaking.since else {
            self.open.remove(&attempt);
            return Some(Due::Unheard { attempt });
        };
        if let Some((_, packet)) = speaking.packets.pop_front() {
            speaking.due = speaking.packets.front().map_or(now, |(after, _)| since + *after);
            return Some(Due::Say { attempt, to, packet, packets });
        }
        let Speech { burst, recording, .. } = self.open.remove(&attempt)?.speech;
        let name = format!("voice_{}.aac", to_hex(&burst));
        let recording = MediaFile { name, mime: MediaType::Aac.mime().to_owned(), content: recording };
        Some(Due::Said { attempt, to, recording })
    }

    /// No longer; the packet that takes back what was spoken, and to whom, if anything was.
    pub(super) fn cancel(&mut self, attempt: AttemptId) -> Option<(Option<PeerId>, VoicePacket)> {
        let Speaking { speech, packets, since, .. } = self.open.remove(&attempt)?;
        since?;
        let number = packets.front()?.1.number.max(1);
        Some((speech.to, VoicePacket { burst: speech.burst, number, body: VoiceBody::Canceled }))
    }

    /// When something is to be done.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.open.values().map(|speaking| speaking.due).min()
    }
}

/// All packets of a burst, and when each is due: its sound leaves when it would begin to be heard.
fn packets(burst: [u8; 8], units: &[Bytes]) -> VecDeque<(Duration, VoicePacket)> {
    let mut bodies = vec![(Duration::ZERO, VoiceBody::Start { codec: AAC_LC_16K })];
    let (mut room, mut spoken) = (0, Duration::ZERO);
    for unit in units {
        let size = unit.len() + UNIT_HEAD;
        match bodies.last_mut() {
            Some((_, VoiceBody::Sound(together))) if size <= room && together.len() < MAX_UNITS => {
                together.push(unit.clone());
            }
            Some(_) | None => {
                room = MAX_UNITS_LEN;
                bodies.push((spoken, VoiceBody::Sound(vec![unit.clone()])));
            }
        }
        room = room.saturating_sub(size);
        spoken += UNIT;
    }
    let sounds = u16::try_from(bodies.len() - 1).unwrap_or(u16::MAX);
    let milliseconds = u32::try_from(spoken.as_millis()).unwrap_or(u32::MAX);
    bodies.push((spoken, VoiceBody::End { packets: sounds, milliseconds }));
    let numbered = (0..=u16::MAX).zip(bodies);
    numbered.map(|(number, (due, body))| (due, VoicePacket { burst, number, body })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: AttemptId = AttemptId(1);
    const BEN: PeerId = PeerId([2; 8]);

    fn at(millis: u64) -> Instant {
        Instant::from_start(Duration::from_millis(millis))
    }

    fn units(lens: &[usize]) -> Vec<Bytes> {
        lens.iter().map(|&len| vec![1; len].into()).collect()
    }

    fn speech(to: Option<PeerId>) -> Speech {
        Speech { to, burst: [7; 8], recording: Bytes::from_static(b"stream") }
    }

    /// What leaves, and when in milliseconds.
    fn spoken(speeches: &mut Speeches) -> Vec<(u128, VoiceBody)> {
        let mut said = Vec::new();
        while let Some(due) = speeches.poll_timeout() {
            match speeches.pop_due(due) {
                Some(Due::Say { packet, .. }) => {
                    assert!(packet.encode().is_ok() && usize::from(packet.number) == said.len());
                    said.push((due.since_start().as_millis(), packet.body));
                }
                Some(Due::Said { recording, .. }) => assert_eq!(recording.name, "voice_0707070707070707.aac"),
                Some(Due::Unheard { .. }) | None => panic!("it is spoken"),
            }
        }
        said
    }

    #[test]
    fn sound_leaves_as_fast_as_it_is_heard() {
        let mut speeches = Speeches::default();
        let units = units(&[128, 128, 60, 60, 60, 197]);
        assert!(speeches.add(ATTEMPT, speech(None), &units, at(0)));
        speeches.begin(None, at(1_000));
        let sound = |from: usize, to: usize| VoiceBody::Sound(units[from..to].to_vec());
        assert_eq!(
            spoken(&mut speeches),
            [
                (1_000, VoiceBody::Start { codec: AAC_LC_16K }),
                (1_000, sound(0, 1)),
                (1_064, sound(1, 3)),
                (1_192, sound(3, 5)),
                (1_320, sound(5, 6)),
                (1_384, VoiceBody::End { packets: 4, milliseconds: 384 }),
            ]
        );
    }

    #[test]
    fn no_packet_has_more_than_eight_units() {
        let packets = packets([7; 8], &units(&[3; 17]));
        let counts = packets.iter().filter_map(|(_, packet)| match &packet.body {
            VoiceBody::Sound(units) => Some(units.len()),
            VoiceBody::Start { .. } | VoiceBody::End { .. } | VoiceBody::Canceled => None,
        });
        assert_eq!(counts.collect::<Vec<_>>(), [8, 8, 1]);
    }

    #[test]
    fn a_speech_to_one_waits_for_its_session_and_not_for_ever() {
        let mut speeches = Speeches::default();
        assert!(speeches.add(ATTEMPT, speech(Some(BEN)), &units(&[9]), at(0)));
        speeches.begin(None, at(1));
        assert_eq!(speeches.pop_due(at(1)), None);
        assert_eq!(speeches.pop_due(at(15_000)), Some(Due::Unheard { attempt: ATTEMPT }));
        assert_eq!(speeches.poll_timeout(), None);
    }

    #[test]
    fn what_was_begun_is_taken_back_and_what_was_not_is_dropped() {
        let mut speeches = Speeches::default();
        assert!(speeches.add(ATTEMPT, speech(Some(BEN)), &units(&[9]), at(0)));
        assert_eq!(speeches.cancel(ATTEMPT), None);
        assert!(speeches.add(ATTEMPT, speech(Some(BEN)), &units(&[150, 150]), at(0)));
        speeches.begin(Some(BEN), at(0));
        assert!(speeches.pop_due(at(0)).is_some() && speeches.pop_due(at(0)).is_some());
        let taken_back = VoicePacket { burst: [7; 8], number: 2, body: VoiceBody::Canceled };
        assert_eq!(speeches.cancel(ATTEMPT), Some((Some(BEN), taken_back)));
    }

    #[test]
    fn two_are_spoken_at_once() {
        let mut speeches = Speeches::default();
        let added = (0..5).filter(|&n| speeches.add(AttemptId(n), speech(None), &units(&[9]), at(0)));
        assert_eq!(added.count(), MAX_SPEECHES);
    }
}
