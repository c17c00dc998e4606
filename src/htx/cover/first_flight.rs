//! What a server's side of an HTTP/2 connection begins with (RFC 9113): SETTINGS in their order and the first
//! WINDOW_UPDATE, read from the bytes as they came, because no HTTP library tells.

/// Bytes that are looked at; what comes later is not.
pub const MAX_FLIGHT_LEN: usize = 16 * 1024;
/// The most settings of a server. RFC 9113 names six, and a server with more than this is not ordinary.
pub const MAX_SETTINGS: usize = 64;

const HEAD_LEN: usize = 9;
const SETTING_LEN: usize = 6;
const ACK: u8 = 0x01;

mod frame_type {
    pub(super) const DATA: u8 = 0x00;
    pub(super) const HEADERS: u8 = 0x01;
    pub(super) const SETTINGS: u8 = 0x04;
    pub(super) const WINDOW_UPDATE: u8 = 0x08;
}

/// The first frames of the peer, as far as they came. It may be fed in any pieces, and holds [`MAX_FLIGHT_LEN`]
/// bytes at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirstFlight {
    /// Bytes of a frame that is not complete.
    pending: Vec<u8>,
    /// Bytes looked at.
    seen: usize,
    settings: Option<Vec<(u16, u32)>>,
    window_update: Option<u32>,
    acknowledged: bool,
    end: Option<End>,
}

/// Why nothing more is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// A response began: what comes now depends on what was asked.
    Answer,
    /// These are not the first frames of a server.
    Malformed,
    /// So much was looked at.
    Bound,
}

/// One frame: its type, its flags, its stream, its payload.
type Frame<'a> = (u8, u8, u32, &'a [u8]);

impl FirstFlight {
    /// Looks at the peer's next bytes.
    pub fn read(&mut self, bytes: &[u8]) {
        if self.is_over() {
            return;
        }
        let room = MAX_FLIGHT_LEN.saturating_sub(self.seen);
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.seen = self.seen.saturating_add(taken.len());
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(taken);

        let mut rest = pending.as_slice();
        while let Some((frame, after)) = next_frame(rest).filter(|_| self.end.is_none()) {
            self.frame(frame);
            rest = after;
        }
        if self.end.is_none() {
            self.pending = rest.to_vec();
            self.end = (self.seen >= MAX_FLIGHT_LEN).then_some(End::Bound);
        }
        if self.end.is_some() {
            self.pending = Vec::new();
        }
    }

    /// Identifiers and values of the first SETTINGS, in their order.
    pub fn settings(&self) -> Option<&[(u16, u32)]> {
        self.settings.as_deref()
    }

    /// The first increment of the connection's window, if one came before a response.
    pub fn window_update(&self) -> Option<u32> {
        self.window_update
    }

    /// Whether the peer acknowledged our SETTINGS.
    pub fn acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// Whether a response began.
    pub fn is_answered(&self) -> bool {
        self.end == Some(End::Answer)
    }

    /// Whether these are not the first frames of an HTTP/2 server.
    pub fn is_malformed(&self) -> bool {
        self.end == Some(End::Malformed)
    }

    /// Whether nothing more is looked at.
    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }

    fn frame(&mut self, (kind, flags, stream, payload): Frame<'_>) {
        let acknowledgement = kind == frame_type::SETTINGS && flags & ACK != 0;
        if self.settings.is_none() && (kind != frame_type::SETTINGS || acknowledgement) {
            self.end = Some(End::Malformed);
        } else if kind == frame_type::SETTINGS {
            self.settings_frame(stream, acknowledgement, payload);
        } else if kind == frame_type::WINDOW_UPDATE && stream == 0 {
            self.window_update_frame(payload);
        } else if kind == frame_type::HEADERS || kind == frame_type::DATA {
            self.end = Some(End::Answer);
        }
    }

    fn settings_frame(&mut self, stream: u32, acknowledgement: bool, payload: &[u8]) {
        let settings = read_settings(payload).filter(|settings| {
            stream == 0 && settings.len() <= MAX_SETTINGS && (!acknowledgement || settings.is_empty())
        });
        match settings {
            None => self.end = Some(End::Malformed),
            Some(_) if acknowledgement => self.acknowledged = true,
            Some(settings) => {
                self.settings.get_or_insert(settings);
            }
        }
    }

    fn window_update_frame(&mut self, payload: &[u8]) {
        match <[u8; 4]>::try_from(payload).map(|bytes| u32::from_be_bytes(bytes) & 0x7FFF_FFFF) {
            Ok(increment @ 1..) => {
                self.window_update.get_or_insert(increment);
            }
            Ok(0) | Err(_) => self.end = Some(End::Malformed),
        }
    }
}

/// The first frame, if it is complete, and what follows it.
fn next_frame(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>()?;
    let [len @ .., kind, flags, s0, s1, s2, s3] = *head;
    let [l0, l1, l2] = len;
    let len = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).ok()?;
    let stream = u32::from_be_bytes([s0, s1, s2, s3]) & 0x7FFF_FFFF;
    let (payload, rest) = rest.split_at_checked(len)?;
    Some(((kind, flags, stream, payload), rest))
}

fn read_settings(payload: &[u8]) -> Option<Vec<(u16, u32)>> {
    let settings = payload.chunks_exact(SETTING_LEN);
    if !settings.remainder().is_empty() {
        return None;
    }
    settings
        .map(|setting| {
            let (id, value) = setting.split_first_chunk()?;
            Some((u16::from_be_bytes(*id), u32::from_be_bytes(*value.first_chunk()?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        frame(4, 0, 0, &payload)
    }

    fn window_update(stream: u32, increment: u32) -> Vec<u8> {
        frame(8, 0, stream, &increment.to_be_bytes())
    }

    fn acknowledgement() -> Vec<u8> {
        frame(4, ACK, 0, &[])
    }

    fn flight(bytes: &[u8]) -> FirstFlight {
        let mut flight = FirstFlight::default();
        flight.read(bytes);
        flight
    }

    const ORDER: [(u16, u32); 4] = [(3, 128), (1, 65_536), (0x4_u16, 1 << 20), (6, 16_384)];

    #[test]
    fn settings_keep_their_order_and_the_first_window_update_is_found() {
        let bytes = [
            settings(&ORDER),
            frame(0x7A, 0xFF, 9, b"of a later version"),
            acknowledgement(),
            window_update(1, 5),
            window_update(0, 0x8000_0000 | 15_663_105),
            window_update(0, 7),
        ]
        .concat();
        let mut flight = flight(&bytes);
        assert_eq!(flight.settings(), Some(ORDER.as_slice()));
        assert_eq!(flight.window_update(), Some(15_663_105));
        assert!(flight.acknowledged() && !flight.is_over() && !flight.is_malformed());

        flight.read(&frame(1, 4, 1, b"headers"));
        assert!(flight.is_over() && flight.is_answered());
    }

    #[test]
    fn what_comes_after_the_beginning_of_an_answer_does_not_count() {
        let bytes = [settings(&ORDER), frame(1, 4, 1, b"headers"), window_update(0, 7)].concat();
        assert_eq!(flight(&bytes).window_update(), None);
    }

    #[test]
    fn later_settings_do_not_replace_the_first() {
        let bytes = [settings(&ORDER), settings(&[(1, 1)])].concat();
        assert_eq!(flight(&bytes).settings(), Some(ORDER.as_slice()));
    }

    #[test]
    fn empty_settings_are_settings() {
        assert_eq!(flight(&settings(&[])).settings(), Some([].as_slice()));
    }

    #[test]
    fn what_does_not_begin_with_settings_is_malformed() {
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\n".repeat(700),
            acknowledgement(),
            window_update(0, 7),
            frame(1, 4, 1, b"headers"),
            frame(4, 0, 0, &[0; 7]),
            frame(4, 0, 1, &[0; 6]),
            settings(&[(1, 1); MAX_SETTINGS + 1]),
            [settings(&ORDER), frame(4, ACK, 0, &[0; 6])].concat(),
            [settings(&ORDER), window_update(0, 0)].concat(),
            [settings(&ORDER), frame(8, 0, 0, &[1; 5])].concat(),
        ] {
            let flight = flight(&bytes);
            let is_text = bytes.starts_with(b"HTTP");
            // The text reads as the head of a frame that is longer than anything looked at.
            assert!(if is_text { flight.is_over() } else { flight.is_malformed() });
            assert!(!is_text || flight.settings().is_none());
        }
    }

    #[test]
    fn no_more_than_the_bound_is_held_or_looked_at() {
        let mut flight = flight(&[settings(&ORDER), frame(0x7A, 0, 0, &[0; 16_384 - 9 - 33 - 9])].concat());
        assert!(!flight.is_over());
        assert_eq!(flight.pending.len(), 0);
        flight.read(&[0; 100]);
        assert!(flight.is_over() && flight.pending.is_empty());
        flight.read(&window_update(0, 7));
        assert_eq!(flight.window_update(), None);
    }

    proptest! {
        #[test]
        fn any_pieces_tell_the_same(cuts in proptest::collection::vec(1..40usize, 1..40)) {
            let bytes =
                [settings(&ORDER), window_update(0, 7), acknowledgement(), frame(1, 4, 1, b"headers")].concat();
            let mut pieces = FirstFlight::default();
            let mut rest = bytes.as_slice();
            for cut in cuts.into_iter().cycle() {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.read(piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let whole = flight(&bytes);
            prop_assert_eq!(pieces.settings(), whole.settings());
            prop_assert_eq!(pieces.window_update(), Some(7));
            prop_assert!(pieces.acknowledged() && pieces.is_answered());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let after_settings = [settings(&ORDER), bytes.clone()].concat();
            for bytes in [bytes, after_settings] {
                prop_assert!(flight(&bytes).pending.len() <= MAX_FLIGHT_LEN);
            }
        }
    }
}
