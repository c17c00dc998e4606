//! A tunnel once its handshake is done: frames in, frames out, until one side closes it.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};
use rand_chacha::ChaCha20Rng;

use super::config::TunnelConfig;
use super::cover::IdlePadding;
use super::error::{ErrorCode, Violation};
use super::event::{Event, Role, Side, StreamId};
use super::frame::{Header, Kind, Reader};
use super::keys::TunnelKeys;
use super::pings::Pings;
use super::sealing::{Exhausted, Opener, Sealer};
use super::streams::{Outgoing, Streams};
use super::varint;
use crate::time::Instant;

/// The most bytes of what a CLOSE says in words (D-25).
const MAX_REASON: usize = 256;
/// Room for headers and tags of a chunk of long frames.
const FRAMING: usize = 512;
/// What padding is made of.
static ZEROS: [u8; 3072] = [0; 3072];

/// Frames, streams and keys of one tunnel.
pub(super) struct Tunnel {
    config: TunnelConfig,
    rng: ChaCha20Rng,
    sealer: Sealer,
    opener: Opener,
    reader: Reader,
    pub(super) streams: Streams,
    pub(super) pings: Pings,
    padding: IdlePadding,
    /// Bytes of padding that are due.
    pad: Option<u16>,
    rekey_wanted: bool,
    phase: Phase,
}

/// How near its end a tunnel is.
#[derive(Debug)]
enum Phase {
    Open,
    /// One side has closed; nothing but a CLOSE counts any more.
    Closing {
        /// The content of the CLOSE we still owe.
        owed: Option<Bytes>,
        until: Instant,
        /// The peer's body is over.
        ended: bool,
    },
    /// It ends with the next output.
    Ending,
    Over,
}

impl Tunnel {
    pub(super) fn new(
        role: Role,
        keys: TunnelKeys,
        config: TunnelConfig,
        mut rng: ChaCha20Rng,
        now: Instant,
    ) -> Self {
        let TunnelKeys { client, server, transcript } = keys;
        let (ours, theirs) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Self {
            sealer: Sealer::new(ours, transcript, config.rekey, now),
            opener: Opener::new(theirs, transcript, now),
            reader: Reader::default(),
            streams: Streams::new(role, &config),
            pings: Pings::default(),
            padding: IdlePadding::new(config.padding_budget, &mut rng, now),
            pad: None,
            rekey_wanted: false,
            phase: Phase::Open,
            config,
            rng,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Bytes of the peer's body.
    pub(super) fn received(&mut self, mut bytes: Bytes, now: Instant, events: &mut VecDeque<Event>) {
        while !matches!(self.phase, Phase::Ending | Phase::Over) {
            let opened = match self.reader.read(&mut bytes) {
                Ok(None) => return,
                Ok(Some(sealed)) => self.opener.open(sealed).ok(),
                Err(_) => None,
            };
            let Some((header, content)) = opened else { return self.tear_down(events) };
            if let Err(violation) = self.opened(header, content, now, events) {
                self.close(violation.code(), &violation.to_string(), now, events);
            }
        }
    }

    /// The peer's body is over. That counts as an end only after a CLOSE.
    pub(super) fn ended(&mut self, events: &mut VecDeque<Event>) {
        if self.is_open() {
            let reason = "ended without a CLOSE".to_owned();
            events.push_back(Event::Closed { code: ErrorCode::CUT_OFF, reason, by: Side::Theirs });
        }
        match &mut self.phase {
            Phase::Closing { owed: Some(_), ended, .. } => *ended = true,
            Phase::Open | Phase::Closing { .. } => self.phase = Phase::Ending,
            Phase::Ending | Phase::Over => {}
        }
    }

    /// Ends the tunnel with a CLOSE.
    pub(super) fn close(
        &mut self,
        code: ErrorCode,
        reason: &str,
        now: Instant,
        events: &mut VecDeque<Event>,
    ) {
        if !self.is_open() {
            return;
        }
        let reason = cut(reason);
        self.owe(close_content(code, reason), now);
        events.push_back(Event::Closed { code, reason: reason.to_owned(), by: Side::Ours });
    }

    /// Change our key with the next frame, if the peer has to accept that.
    pub(super) fn rekey(&mut self, now: Instant) {
        self.rekey_wanted |= self.sealer.may_update_key(now);
    }

    /// Does what has become due.
    pub(super) fn tick(&mut self, now: Instant, events: &mut VecDeque<Event>) {
        match self.phase {
            Phase::Open => {
                events.extend(self.pings.expire(self.config.ping_deadline, now));
                self.rekey_wanted |= now >= self.sealer.worn_at();
                self.pad = self.pad.or(self.padding.due(&mut self.rng, now));
            }
            Phase::Closing { until, .. } if now >= until => self.phase = Phase::Ending,
            Phase::Closing { .. } | Phase::Ending | Phase::Over => {}
        }
    }

    /// When something will be due.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open => [
                Some(self.sealer.worn_at()),
                self.pings.deadline(self.config.ping_deadline),
                self.padding.next(),
            ]
            .into_iter()
            .flatten()
            .min(),
            Phase::Closing { until, .. } => Some(until),
            Phase::Ending | Phase::Over => None,
        }
    }

    pub(super) fn room(&self, stream: StreamId) -> usize {
        if self.is_open() { self.streams.room(stream) } else { 0 }
    }

    /// Seals what there is to send, up to a chunk; `blocked` when the transport has enough to do. What was sealed
    /// is nothing only when there is nothing to send.
    pub(super) fn fill(
        &mut self,
        out: &mut BytesMut,
        blocked: bool,
        now: Instant,
        events: &mut VecDeque<Event>,
    ) {
        let sealed = match &mut self.phase {
            Phase::Open if blocked => Ok(()),
            Phase::Open => self.fill_open(out, now, events),
            Phase::Closing { owed, .. } => match owed.take() {
                Some(content) => self.sealer.seal(Kind::Close, 0, &[content], now, out),
                None => Ok(()),
            },
            Phase::Ending | Phase::Over => Ok(()),
        };
        if sealed.is_err() {
            out.clear();
            self.tear_down(events);
        } else if !out.is_empty() {
            self.padding.traffic(&mut self.rng, now);
        }
        if let Phase::Closing { owed: None, ended: true, .. } = self.phase {
            self.phase = Phase::Ending;
        }
        if out.is_empty() && matches!(self.phase, Phase::Ending) {
            self.phase = Phase::Over;
            events.push_back(Event::Drained);
        }
    }

    fn fill_open(
        &mut self,
        out: &mut BytesMut,
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Exhausted> {
        let chunk = self.config.transmit_chunk;
        if std::mem::take(&mut self.rekey_wanted) {
            self.sealer.update_key(now, out)?;
        }
        while let Some(content) = self.pings.next(&mut self.rng, now) {
            self.sealer.seal(Kind::Ping, 0, &[content], now, out)?;
        }
        while out.len() < chunk
            && let Some(outgoing) = self.streams.next(events)
        {
            match outgoing {
                Outgoing::Stream { id, pieces } => {
                    if out.is_empty() {
                        let first: usize = pieces.iter().map(Bytes::len).sum();
                        out.reserve(self.streams.queued().min(chunk) + first + FRAMING);
                    }
                    self.sealer.seal(Kind::Stream, id, &pieces, now, out)?;
                }
                Outgoing::Credit { id, increment } => {
                    let mut content = BytesMut::with_capacity(varint::MAX_LEN);
                    varint::put(&mut content, increment);
                    self.sealer.seal(Kind::WindowUpdate, id, &[content.freeze()], now, out)?;
                }
            }
        }
        match self.pad.take() {
            Some(length) if out.is_empty() => {
                let zeros = ZEROS.get(..usize::from(length)).unwrap_or(&ZEROS);
                self.sealer.seal(Kind::Stream, 0, &[Bytes::from_static(zeros)], now, out)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// One frame that authenticated.
    fn opened(
        &mut self,
        header: Header,
        content: BytesMut,
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        match header.kind() {
            Kind::KeyUpdate if content.is_empty() => self.opener.update_key(now),
            Kind::Close => self.closed(&content, now, events),
            _ if !self.is_open() => Ok(()),
            Kind::KeyUpdate => Err(Violation::Content { frame: "KEY_UPDATE" }),
            Kind::Stream => self.streams.received(header.stream(), content, events),
            Kind::WindowUpdate => {
                let increment =
                    whole_varint(&content).ok_or(Violation::Content { frame: "WINDOW_UPDATE" })?;
                self.streams.credited(header.stream(), increment, events)
            }
            Kind::Ping => {
                events.extend(self.pings.received(&content, now)?);
                Ok(())
            }
            Kind::Unknown(code) => Err(Violation::UnknownType { code }),
        }
    }

    /// The peer's CLOSE; ours follows, unless it was first.
    fn closed(
        &mut self,
        content: &[u8],
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        if !self.is_open() {
            return Ok(());
        }
        let malformed = Violation::Content { frame: "CLOSE" };
        let (&code, reason) = content.split_first_chunk().ok_or(malformed)?;
        let reason = std::str::from_utf8(reason).map_err(|_| malformed)?;
        if reason.len() > MAX_REASON {
            return Err(malformed);
        }
        self.owe(close_content(ErrorCode::Ok, ""), now);
        let code = ErrorCode::from_number(u16::from_be_bytes(code));
        events.push_back(Event::Closed { code, reason: reason.to_owned(), by: Side::Theirs });
        Ok(())
    }

    /// From here on nothing is sent but this CLOSE.
    fn owe(&mut self, content: Bytes, now: Instant) {
        self.phase = Phase::Closing { owed: Some(content), until: now + self.config.drain, ended: false };
    }

    /// Something did not authenticate. Nothing is sent any more: what was wrong is nobody's business.
    fn tear_down(&mut self, events: &mut VecDeque<Event>) {
        if self.is_open() {
            let reason = "a frame does not authenticate".to_owned();
            events.push_back(Event::Closed { code: ErrorCode::AuthFailed, reason, by: Side::Ours });
        }
        self.phase = Phase::Ending;
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("phase", &self.phase).finish_non_exhaustive()
    }
}

fn whole_varint(content: &[u8]) -> Option<u64> {
    varint::read(content).filter(|&(_, len)| len == content.len()).map(|(value, _)| value)
}

fn close_content(code: ErrorCode, reason: &str) -> Bytes {
    [&code.number().to_be_bytes(), reason.as_bytes()].concat().into()
}

/// The front of a text that fits a CLOSE.
fn cut(reason: &str) -> &str {
    let end = (0..=MAX_REASON.min(reason.len())).rev().find(|&end| reason.is_char_boundary(end)).unwrap_or(0);
    reason.get(..end).unwrap_or_default()
}
